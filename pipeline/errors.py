"""The errors, split by what whoever catches them does next."""

from __future__ import annotations

from typing import Any


class CasereelError(Exception):
    """One sentence for a person, with the facts of it as fields.

    zh: the same sentence in Chinese; empty where it exists in English alone.
    fields: what a program needs of it (path, expected, found), also printed by `--json`.
    """

    def __init__(self, sentence: str, *, zh: str = "", **fields: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.zh = zh
        self.fields = fields

    def __str__(self) -> str:
        return self.sentence


class TryAgain(CasereelError):
    """The surroundings failed (a full disk, a stopped database, a file still written): retried later."""


class Unreadable(CasereelError):
    """The file cannot be read by this tool: becomes a caveat, and the file stays in custody."""


class CustodyBroken(CasereelError):
    """Bytes or the audit log are not what they must be: stop, and raise the alarm."""


class NotAllowed(CasereelError):
    """This person may not do this."""


class BadInput(CasereelError):
    """What the person gave cannot be used; shown to the person as it stands."""


class Superseded(CasereelError):
    """Another worker holds this job now: what this one found is dropped without a trace."""

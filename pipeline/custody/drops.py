"""Decides how a drop stands against the list that came with it. Pure: no clock, no disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.custody.manifests import Entry

NAMES_BYTES: Final = 6_000  # of each sort of name in an event; a line of the log stays far under 64 KiB


@dataclass(frozen=True)
class Held:
    """A file in custody that came from the drop's folder. matches: whether its bytes have this digest."""

    original: str
    size_bytes: int
    matches: Callable[[str, str], bool]


@dataclass(frozen=True)
class Judgement:
    """How a drop stands. Names are below the list's folder; wrong and extra name their originals too."""

    state: str
    here: int
    missing: tuple[str, ...]
    wrong: tuple[tuple[str, str], ...]
    extra: tuple[tuple[str, str], ...]

    def facts(self) -> dict[str, Any]:
        """What the event and the catalog say of it: counts, and the first names of each sort."""
        return {
            "state": self.state, "here": self.here,
            "missing": len(self.missing), "missing_names": _first(self.missing),
            "wrong": len(self.wrong), "wrong_names": _first([name for name, _ in self.wrong]),
            "extra": len(self.extra), "extra_names": _first([name for name, _ in self.extra]),
        }  # fmt: skip


def judge(
    entries: Sequence[Entry], held: Mapping[str, Sequence[Held]], *, ended: bool, own: Collection[str]
) -> Judgement:
    """How the drop stands.

    held: by name below the list's folder; several where a file was changed after it was taken. ended: nothing more
    is expected, by a marker or because nothing came for long. own: names of lists and markers, which no list names.
    A drop with a file of other bytes is `wrong` at once; one that lacks files is `incomplete` only when it ended.
    """
    missing, wrong, here = [], [], 0
    for entry in entries:
        candidates = held.get(entry.name, ())
        if not candidates:
            missing.append(entry.name)
        elif any(_fits(entry, one) for one in candidates):
            here += 1
        else:
            wrong.append((entry.name, candidates[-1].original))
    listed = {entry.name for entry in entries}
    extra = [(name, held[name][-1].original) for name in sorted(held) if name not in listed and name not in own]
    if wrong:
        state = "wrong"
    elif missing:
        state = "incomplete" if ended else "waiting"
    else:
        state = "complete"
    return Judgement(state, here, tuple(missing), tuple(wrong), tuple(extra) if ended or not missing else ())


def _fits(entry: Entry, held: Held) -> bool:
    if entry.size_bytes is not None and entry.size_bytes != held.size_bytes:
        return False
    return not entry.digest or held.matches(entry.algorithm, entry.digest)


def _first(names: Sequence[str]) -> list[str]:
    kept, room = [], NAMES_BYTES
    for name in names:
        room -= len(name.encode("ascii", "backslashreplace"))
        if room < 0:
            break
        kept.append(name)
    return kept

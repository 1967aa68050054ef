"""The receipt of what was handed in: in words for the page, and on paper to sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from indexer.persons.masking import masked
from indexer.web.handed import Refused, Row
from indexer.web.words import size

Say = Callable[..., str]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """All that it says, in one language. rows: number, name, size, the time of day it was taken in, device and officer,
    digest and original."""

    title: str
    facts: Sequence[tuple[str, str]]
    refused_title: str
    refused: Sequence[str]
    safe_title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    signatures: tuple[str, ...]
    date: str


def receipt_of(
    say: Say, time: Callable[[datetime], str], rows: Sequence[Row], refused: Sequence[Refused], *, is_zh: bool,
    way: str, day: str, count: int, first: int, by: str, at: datetime,
) -> Receipt:  # fmt: skip
    """Of these arrivals, numbered from `first`, of `count` in all. by: who reads it, at this moment."""
    twins = sum(row.twin is not None for row in rows)
    facts = [
        (say("Way in"), way), (say("Day"), day), (say("Files"), str(count)), (say("of them seen before"), str(twins)),
        (say("Listed here"), f"{first} – {first + len(rows) - 1}" if rows else "0"),
        (say("Issued"), f"{time(at)} · {by}"),
    ]  # fmt: skip
    return Receipt(
        title=say("Receipt"), facts=facts, refused_title=say("Not taken in"),
        safe_title=say("Safe: stored, read back and compared"),
        refused=[f"{one.near}: {one.told.why_zh if is_zh else one.told.why}" for one in refused],
        headings=(
            say("No."), say("File name"), say("Size"), say("Received"), say("Device and officer"),
            say("SHA-256 and original"),
        ),
        rows=[_line(say, time, number, row) for number, row in enumerate(rows, first)],
        signatures=(say("Handed in by"), say("Received by")), date=say("Date"),
    )  # fmt: skip


def _line(say: Say, time: Callable[[datetime], str], number: int, row: Row) -> tuple[str, ...]:
    came = row.came
    name = f"{masked(came.folder)}/{row.name}" if came.folder else row.name
    if row.twin is not None:
        twin = say("same bytes as {name}", name=masked(row.twin.name))
        name = f"{name} ({twin})"
    # The day stands at the head.
    at = time(came.taken_at)[11:19]
    return str(number), name, f"{size(came.size_bytes)}", at, row.recorded_by, f"{came.sha256} {came.original}"

"""Pages that follow one another while documents come and go: what was shown is not shown again, and nothing is skipped.

By time a page goes on from the place of the last hit. By score there is no such place, for every new document shifts
the scores of all: the best that were not shown yet come next. So a cursor carries the place, and marks of what was
shown: at that place, or altogether. Whoever asks sees a text that means nothing and can be kept for ever.
Not covered: a document whose time changes while somebody turns pages may be shown twice or not at all.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.errors import BadInput

if TYPE_CHECKING:
    from indexer.contract import Asked, Found, Match

# Two of a million documents share a mark with a chance of one in two thousand; then one of them is not shown.
_MARK_BYTES = 6
_HEAD = struct.Struct(">B6sq")
_VERSION = 1
# Stands for no place: no recording was made then.
_NOWHERE = -(1 << 63)


@dataclass(frozen=True)
class Cursor:
    """Where the next page begins. seen: marks of what must not be shown again; place: None by score."""

    question: bytes
    place: int | None = None
    seen: frozenset[bytes] = field(default=frozenset(), repr=False)

    def written(self) -> str:
        """As a text of letters, digits, `-` and `_`."""
        head = _HEAD.pack(_VERSION, self.question, _NOWHERE if self.place is None else self.place)
        return base64.urlsafe_b64encode(head + b"".join(sorted(self.seen))).decode().rstrip("=")


def question_of(*asked: object) -> bytes:
    """Tells one question from another, so that a cursor is not used with a question it does not belong to."""
    return hashlib.blake2b(repr(asked).encode(), digest_size=6).digest()


def cursor_of(text: str | None, question: bytes) -> Cursor:
    """The cursor that was written so, or the beginning. Raises BadInput where it is none, or of another question."""
    if not text:
        return Cursor(question)
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        version, asked, place = _HEAD.unpack_from(data)
    except (struct.error, binascii.Error, ValueError) as error:
        raise _refused(text) from error
    marks = data[_HEAD.size :]
    if version != _VERSION or asked != question or len(marks) % _MARK_BYTES:
        raise _refused(text)
    seen = frozenset(marks[at : at + _MARK_BYTES] for at in range(0, len(marks), _MARK_BYTES))
    return Cursor(question, None if place == _NOWHERE else place, seen)


def _refused(text: str) -> BadInput:
    return BadInput(
        "This is not where a page of this search ended: ask again without it",
        zh="这不是本次检索的翻页位置：请去掉后重新检索",
        found=text[:40],
    )


def _mark(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=_MARK_BYTES).digest()


@dataclass(frozen=True)
class Leaf:
    """One page. first: the best hit of each thing shown, in order; after: where the next begins, None at the end."""

    first: tuple[Match, ...]
    found: Found
    after: Cursor | None


def turn(search: Callable[[Asked], Found], asked: Asked, cursor: Cursor, *, grouped: bool) -> Leaf:
    """The next page of so many hits as are asked for; grouped: of so many recordings, each by its first hit."""
    wanted, length = asked.limit, asked.limit + len(cursor.seen) + 1
    found = search(replace(asked, limit=length, from_place=cursor.place))
    fresh, hits = _fresh(found.hits, cursor, grouped), found.hits
    while len(fresh) <= wanted and len(hits) == length and wanted:
        # Many hits of few recordings: further down there may be others.
        length *= 4
        hits = search(replace(asked, limit=length, from_place=cursor.place, facets=())).hits
        fresh = _fresh(hits, cursor, grouped)
    shown = fresh[:wanted]
    after = _after(asked, cursor, shown, grouped) if len(fresh) > wanted and shown else None
    return Leaf(tuple(shown), found, after)


def _fresh(hits: Iterable[Match], cursor: Cursor, grouped: bool) -> list[Match]:
    first: dict[str, Match] = {}
    for match in hits:
        first.setdefault(_name(match, grouped), match)
    return [match for name, match in first.items() if _mark(name) not in cursor.seen]


def _name(match: Match, grouped: bool) -> str:
    return match.recording if grouped else match.id


def _after(asked: Asked, cursor: Cursor, shown: list[Match], grouped: bool) -> Cursor:
    marks = {_mark(_name(match, grouped)): match for match in shown}
    if asked.sort == "score":
        return replace(cursor, seen=cursor.seen | marks.keys())
    place = shown[-1].place
    if grouped:
        # Other files of a recording that was shown lie further on.
        return replace(cursor, place=place, seen=cursor.seen | marks.keys())
    here = {mark for mark, match in marks.items() if match.place == place}
    return replace(cursor, place=place, seen=(cursor.seen | here) if cursor.place == place else frozenset(here))

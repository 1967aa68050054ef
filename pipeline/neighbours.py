"""The other files of a file's logical recording, with their links: for one file, or for thousands at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from pipeline.edges.catalog import Catalog
from pipeline.edges.database import registers, segments
from pipeline.recordings import Recording, recordings_of
from pipeline.records import Beside, CaseLink, Known, Neighbour

REACH: Final = 12  # files; what is further away may be hours away
MISSING: Final = "missing_member"
# Links of other files that rest on likeness or on this are not passed on: a chain of guesses proves less each time.
_NOT_PASSED: Final = frozenset({"same_recording", "same_source"})
_FLAWS: Final = frozenset({"gap", "missing", "clock_step", "unknown"})


def passes(link: CaseLink, direction: int) -> bool:
    """Whether the link speaks for the files after its own (direction above 0) or before it."""
    touches = link.to_s is None if direction > 0 else not link.from_s
    return touches and (link.status == "confirmed" or (link.status == "proposed" and link.method not in _NOT_PASSED))


class Neighbours:
    """Neighbours as the catalog holds them. at_once: all are read at the first question, and not again."""

    def __init__(self, catalog: Catalog, *, at_once: bool = False) -> None:
        self._catalog, self._at_once = catalog, at_once
        self._all: Mapping[str, Recording] | None = None
        self._links: Mapping[str, tuple[CaseLink, ...]] = {}
        self._told: frozenset[str] = frozenset()
        self._named: Mapping[str, str] = {}

    def of(self, known: Known) -> Beside:
        """What lies around this file; nothing for what is no recording of several files."""
        original = known.original.id
        if known.original.kind not in ("video", "audio"):
            return Beside()
        with self._catalog.snapshot() as connection:
            recording = self._recording(connection, original)
            if recording is None:
                return Beside()
            beside = list(_beside(recording, recording.place_of(original)))
            links, told, named = self._links, self._told, self._named
            if not self._at_once and (beside or known.caveats):
                ids = [one.original for one in beside]
                links, told = registers.links_among(connection, ids), registers.with_caveat(connection, MISSING, ids)
                named = registers.recordings_named(connection, ids)
        # Of a long recording only a part is looked at: its name is handed on from file to file, the smallest wins.
        name = min([recording.id, *(named.get(one.original, one.original) for one in beside)])
        missing = tuple(_missing(recording, recording.place_of(original)))
        # Two files with one missing between them both say so: they would call each other anew for ever.
        is_news = known.value("recording.id") != name or {one.text for one in known.caveats if one.code == MISSING} != {
            text for text, _ in missing
        }
        return Beside(
            recording=name if beside else "",
            neighbours=tuple(
                Neighbour(original=one.original, name=one.name, distance=one.distance, flaws=one.flaws, why=one.why,
                          why_zh=one.why_zh, links=links.get(one.original, ()))
                for one in beside
            ),
            missing=missing,
            stale=tuple(
                one.original for one in beside
                if (is_news and abs(one.distance) == 1 and one.original in told)
                or named.get(one.original, one.original) > name
            ),
        )  # fmt: skip

    def among(self, originals: Sequence[str]) -> set[str]:
        """All files of the recordings that these belong to, themselves left out."""
        with self._catalog.snapshot() as connection:
            found = {self._recording(connection, one) for one in originals}
        return {part.original for one in found if one for part in one.segments} - set(originals)

    def unsettled(self, originals: Sequence[str]) -> set[str]:
        """Files of the recordings of these whose proposals may be others now, by what their neighbours are linked to.

        Those that lack a case that a neighbour passes on, and those that have one from a neighbour. Asked at once.
        """
        with self._catalog.snapshot() as connection:
            found = {self._recording(connection, one) for one in originals} - {None}
        return {
            part.original
            for one in found
            if one is not None and len(one.segments) > 1
            for at, part in enumerate(one.segments)
            if self._is_unsettled(one, at, self._links.get(part.original, ()))
        }

    def _is_unsettled(self, recording: Recording, at: int, own: Sequence[CaseLink]) -> bool:
        mine = {link.case_key for link in own}
        return any(link.finder.partition("/")[0] == "same_recording" for link in own) or any(
            link.case_key not in mine and passes(link, -one.distance)
            for one in _beside(recording, at)
            for link in self._links.get(one.original, ())
        )

    def _recording(self, connection: sa.Connection, original: str) -> Recording | None:
        if not self._at_once:
            found = recordings_of(segments.near(connection, original))
            return next((one for one in found if any(part.original == original for part in one.segments)), None)
        if self._all is None:
            self._all = {
                part.original: one for one in recordings_of(segments.segments(connection)) for part in one.segments
            }
            self._links = registers.links_among(connection, None)
            self._told = registers.with_caveat(connection, MISSING, None)
            self._named = registers.recordings_named(connection, None)
        return self._all.get(original)


def _beside(recording: Recording, at: int) -> Iterator[Neighbour]:
    """The files around the one at this place, nearest first on each side."""
    for step in (-1, 1):
        flaws, place = 0, at + step
        while 0 <= place < len(recording.segments) and abs(place - at) <= REACH:
            seam = recording.seams[min(place, place - step)]
            flaws += seam.kind in _FLAWS
            one = recording.segments[place]
            yield Neighbour(
                original=one.original, name=one.name, distance=place - at, flaws=flaws, why=seam.why, why_zh=seam.why_zh
            )
            place += step


def _missing(recording: Recording, at: int) -> Iterator[tuple[str, str]]:
    for place in (at - 1, at):
        if 0 <= place < len(recording.seams) and recording.seams[place].kind == "missing":
            yield recording.seams[place].why, recording.seams[place].why_zh
    if at == 0:
        yield from ((one.text, one.text_zh) for one in recording.remarks if one.code == "first_missing")

"""What the statistics count of each recording, kept in memory by day and brought up to date with what changed.

Read are the days that somebody asks for, once; kept are those that hold something. Whoever asks sees the catalog as it
stands: every change of an original has its place in the catalog's change sequence, and what changed since the last
asking is read before the answer. What raises no such number, registers, incidents and who may know of what, is asked
for each time and not kept.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from indexer.casework.checklist import FACTS, has_device, has_maker, is_in_writing
from indexer.figures.statistics import interval_of
from pipeline.edges.database import evaluation
from pipeline.edges.database.evaluation import Recorded
from pipeline.timing import lateness

# Where more than so many changed, all is read again: that asks less.
MANY: Final = 5_000
# So many days are read at once.
_TOGETHER: Final = 31
_DAY: Final = timedelta(days=1)


class Sort(NamedTuple):
    """What is counted of a recording. device: of the register; makers: as the register has them; lacks: names of
    `statistics.ELEMENTS`, whole bytes not asked for."""

    device: str | None
    makers: tuple[str, ...]
    is_timed: bool
    is_late: bool
    link: Literal["confirmed", "proposed", ""]
    lacks: frozenset[str]


class _Sound(NamedTuple):
    """A sound without its words beside it. cases: that it may belong to; documents: of these, that have its words."""

    cases: frozenset[str]
    documents: frozenset[str]


class _Read(NamedTuple):
    original: str
    day: date
    sort: Sort
    sound: _Sound | None


class Tallies:
    """The recordings of one catalog by day and sort."""

    def __init__(self) -> None:
        self._alone, self._up_to = threading.Lock(), 0
        self._ruled: tuple[str, float] = ("", 0.0)
        self._sorts: dict[Sort, Sort] = {}
        self._forget()

    def _forget(self) -> None:
        # Only those that hold something; which days were read, (first, last), stands in `_known`.
        self._days: dict[date, Counter[Sort]] = {}
        self._known: list[tuple[date, date]] = []
        self._films: dict[str, tuple[date, Sort]] = {}
        self._sounds: dict[str, _Sound] = {}
        self._of_case: dict[str, set[str]] = defaultdict(set)
        self._of_document: dict[str, set[str]] = defaultdict(set)
        self._parents: dict[str, str] = {}

    def between(
        self, connection: sa.Connection, from_on: date, to_on: date, *, zone: str, most_s: float,
        unseen: Collection[str],
    ) -> Counter[Sort]:  # fmt: skip
        """How many recordings of each sort there are of these days, both counted, without those of `unseen`.

        most_s: how unsure a time may be; unseen: originals that whoever asks may not know of.
        """
        with self._alone:
            self._follow(connection, (zone, most_s))
            self._read_days(connection, from_on, to_on)
            broken = evaluation.broken(connection)
            found: Counter[Sort] = Counter()
            for day, counted in self._days.items():
                if from_on <= day <= to_on:
                    found.update(counted)
            for one, sort in self._told_otherwise(unseen, broken):
                day, its = self._films[one]
                if from_on <= day <= to_on:
                    found[its] -= 1
                    if sort is not None:
                        found[sort] += 1
            return +found

    def _told_otherwise(self, unseen: Collection[str], broken: Collection[str]) -> Iterator[tuple[str, Sort | None]]:
        """(recording, its sort for whoever asks) of those that are not counted as they are kept; None: not at all."""
        hidden = frozenset(unseen)
        sounds = {sound for one in hidden for sound in self._of_document.get(one, ())}
        for one in {*hidden, *broken, *sounds} & self._films.keys():
            if one in hidden:
                yield one, None
                continue
            sort = self._films[one][1]
            sound = self._sounds.get(one)
            lacks = {"digests"} if one in broken else set()
            if sound is not None and sound.documents <= hidden:
                lacks.add("transcripts")
            yield one, sort._replace(lacks=sort.lacks | lacks)

    def _follow(self, connection: sa.Connection, ruled: tuple[str, float]) -> None:
        """What changed is known as far as its days were read."""
        # The number before what it numbers, and all is read before anything is forgotten, for reading may fail.
        head = evaluation.head(connection)
        changed = evaluation.changed_since(connection, self._up_to) if self._known else {}
        if ruled != self._ruled or len(changed) > MANY:
            self._forget()
            self._ruled = ruled
        elif changed:
            again = self._again(connection, changed)
            found = [one for one in self._read(connection, evaluation.recorded_among(connection, again))
                     if any(first <= one.day <= last for first, last in self._known)]  # fmt: skip
            sidecars = evaluation.sidecars(connection, again)
            self._drop(again)
            self._parents |= sidecars
            self._keep(found)
        self._up_to = head

    def _again(self, connection: sa.Connection, changed: dict[str, str | None]) -> list[str]:
        """What is read anew: what changed, the recordings that a sidecar belongs to or belonged to, and sounds, whose
        words a document of their case may have."""
        ids = sorted(changed)
        cases = evaluation.cases_of_documents(connection, ids)
        return sorted({
            *ids, *evaluation.sidecars(connection, ids), *(one for one in changed.values() if one is not None),
            *(self._parents[one] for one in ids if one in self._parents),
            *(sound for case in cases for sound in self._of_case.get(case, ())),
            *(sound for one in ids for sound in self._of_document.get(one, ())),
        })  # fmt: skip

    def _read_days(self, connection: sa.Connection, from_on: date, to_on: date) -> None:
        """Every day of these is known. Days without anything are passed over, a month at most is held at once."""
        for first, last in list(_without(self._known, from_on, to_on)):
            begin = first
            while begin <= last:
                day = self._day_with_any(connection, begin, last) or last
                end = min(day + timedelta(days=_TOGETHER - 1), last)
                found = self._read(connection, evaluation.recorded(connection, *self._interval(day, end)))
                sidecars = evaluation.sidecars(connection, [one.original for one in found])
                self._parents |= sidecars
                self._keep(found)
                self._known = _with(self._known, begin, end)
                begin = end + _DAY

    def _day_with_any(self, connection: sa.Connection, from_on: date, to_on: date) -> date | None:
        """No earlier day of these holds anything."""
        at = evaluation.first_recorded(connection, *self._interval(from_on, to_on))
        return at and at.astimezone(ZoneInfo(self._ruled[0])).date()

    def _interval(self, from_on: date, to_on: date) -> tuple[datetime, datetime]:
        return interval_of(from_on, to_on, self._ruled[0])

    def _read(self, connection: sa.Connection, listed: Sequence[Recorded]) -> list[_Read]:
        zone, most_s = self._ruled
        ids, at_home = [one.id for one in listed], ZoneInfo(zone)
        facts, links = evaluation.facts(connection, ids, FACTS), evaluation.links(connection, ids)
        late = evaluation.carrying(connection, ids, lateness.CODE)
        sounds = _sounds(connection, [one for one in listed if one.kind == "audio"], links)
        found = []
        for one in listed:
            said, statuses, sound = facts.get(one.id, {}), set(links.get(one.id, {}).values()), sounds.get(one.id)
            makers = said.get("register.officer")
            lacks = {
                "devices": not has_device(said), "carriers": not has_maker(said),
                "clocks": one.kind != "photo" and not _is_sure(one, most_s),
                "transcripts": sound is not None and not sound.documents,
            }  # fmt: skip
            sort = Sort(
                device=said.get("register.device"),
                makers=tuple(str(name) for name in makers) if isinstance(makers, list) else (),
                is_timed=_is_timed(one), is_late=one.id in late,
                link="confirmed" if "confirmed" in statuses else "proposed" if statuses else "",
                lacks=frozenset(name for name, is_so in lacks.items() if is_so),
            )  # fmt: skip
            day = one.at.astimezone(at_home).date()
            found.append(_Read(one.id, day, self._sorts.setdefault(sort, sort), sound))
        return found

    def _drop(self, ids: Iterable[str]) -> None:
        for one in ids:
            self._parents.pop(one, None)
            if (film := self._films.pop(one, None)) is None:
                continue
            day, sort = film
            self._days[day] -= Counter([sort])
            if not self._days[day]:
                del self._days[day]
            if (sound := self._sounds.pop(one, None)) is not None:
                for case in sound.cases:
                    self._of_case[case].discard(one)
                for document in sound.documents:
                    self._of_document[document].discard(one)

    def _keep(self, found: Iterable[_Read]) -> None:
        for one in found:
            self._drop([one.original])
            self._films[one.original] = one.day, one.sort
            self._days.setdefault(one.day, Counter())[one.sort] += 1
            if one.sound is not None:
                self._sounds[one.original] = one.sound
                for case in one.sound.cases:
                    self._of_case[case].add(one.original)
                for document in one.sound.documents:
                    self._of_document[document].add(one.original)


def _sounds(
    connection: sa.Connection, listed: Sequence[Recorded], links: dict[str, dict[str, str]]
) -> dict[str, _Sound]:  # fmt: skip
    beside = evaluation.formats_beside(connection, [one.id for one in listed])
    alone = [one for one in listed if not is_in_writing(one.name, beside.get(one.id, ()), ())]
    documents = evaluation.documents_of(connection, sorted({case for one in alone for case in links.get(one.id, {})}))
    return {
        one.id: _Sound(cases, frozenset(
            document for case in cases for document, name in documents.get(case, {}).items()
            if is_in_writing(one.name, (), [name])
        ))
        for one in alone for cases in [frozenset(links.get(one.id, {}))]
    }  # fmt: skip


def _is_timed(one: Recorded) -> bool:
    """Whether somebody says when it was recorded, and not only when it was saved."""
    return one.method is not None and not one.method.startswith("saved_only")


def _is_sure(one: Recorded, most_s: float) -> bool:
    return one.uncertainty_s is not None and one.uncertainty_s <= most_s


def _without(known: Iterable[tuple[date, date]], from_on: date, to_on: date) -> Iterator[tuple[date, date]]:
    """(first, last) of each run of these days that is not among the known ones, which are in order and do not touch."""
    for first, last in known:
        if from_on < first and from_on <= to_on:
            yield from_on, min(first - _DAY, to_on)
        from_on = max(from_on, last + _DAY)
    if from_on <= to_on:
        yield from_on, to_on


def _with(known: Iterable[tuple[date, date]], from_on: date, to_on: date) -> list[tuple[date, date]]:
    """The known days and these, in order; what touches is one."""
    joined: list[tuple[date, date]] = []
    for first, last in sorted([*known, (from_on, to_on)]):
        if joined and first <= joined[-1][1] + _DAY:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined

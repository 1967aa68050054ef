"""Homes with originals in them, and a clock that a test sets: for what is kept and let go."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

from pipeline.clock import Reading
from pipeline.custody.accession import Candidate
from pipeline.custody.disposal import Retention
from pipeline.edges.database import knowledge
from pipeline.records import Person, Stated
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_jobs, build_retention

OPERATOR = Person(name="赵管理", role="operator")
REVIEWER = Person(name="李法制", role="reviewer")
AUDITOR = Person(name="王审计", role="auditor")
CASE = "平商务罚字〔2021〕第3号"
YEAR = timedelta(days=365.25)


@dataclass
class SetClock:
    """A machine's clocks: `pass_` lets time go by, `set` moves the wall clock alone."""

    wall_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ticks_s: float = 1000.0
    boot: str = "one"

    def __call__(self) -> Reading:
        return Reading(wall_at=self.wall_at, ticks_s=self.ticks_s, boot=self.boot)

    def pass_(self, time: timedelta) -> None:
        self.wall_at += time
        self.ticks_s += time.total_seconds()

    def set(self, by: timedelta) -> None:
        self.wall_at += by


def kept(home: Home, clock: SetClock) -> Retention:
    """The home's retention by this clock."""
    return build_retention(home, "patrol", clock)


def take(home: Home, folder: Path, *names: str, case: str | None = None) -> list[str]:
    """These originals are in custody; each name gives other bytes."""
    jobs = build_jobs(home)
    paths = [making.photo(folder / name, crc32(name.encode()) % 9973, size=(32, 24)) for name in names]
    receipts = build_accession(home, jobs).take(
        [Candidate(path=one, root=folder, source="inbox", stated=Stated(case=case)) for one in paths]
    )
    jobs.close()
    assert [one.status for one in receipts] == ["accepted"] * len(names)
    return [str(one.original) for one in receipts]


def filmed(home: Home, folder: Path, *films: tuple[str, datetime, float], **properties: object) -> list[str]:
    """Originals at rest that are taken for recordings: (name, beginning, length in seconds), two on one clock.

    properties: of each, with `__` for the dot. What a name tells by the shipped profiles comes with it.
    """
    from pipeline.edges.audit import NewEvent
    from pipeline.records import Facts, Property
    from pipeline.rules import name_profiles
    from pipeline.timing.names import read_name
    from tests.indexer.archive import decided

    originals = take(home, folder, *(name for name, _, _ in films))
    for original, (name, start_at, length_s) in zip(originals, films, strict=True):
        reading = read_name("", name, name_profiles())
        marks = {f"file_name.{mark}": text for mark, text in (reading.marks.items() if reading else ())}
        marks |= {"file_name.profile": reading.profile.name} if reading else {}
        said = {"container.kind": "video", **marks, **{k.replace("__", "."): v for k, v in properties.items()}}
        facts = Facts(
            properties=tuple(Property(name=k, found=str(v), value=v, finder="timestamps/1") for k, v in said.items()),
            time=decided(start_at, length_s),
        )
        with home.catalog.transaction() as connection:
            [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
            knowledge.record(connection, original, "light-timestamps", facts, seq)
            connection.exec_driver_sql(f"UPDATE cr_job SET state = 'done' WHERE original = '{original}'")
    return originals


def link(home: Home, original: str, case: str = CASE) -> None:
    """The original is linked to the case, as the linkers would propose it."""
    from pipeline import case_numbers
    from pipeline.edges.audit import NewEvent
    from pipeline.records import CaseLink, Facts

    found = CaseLink(case=case, case_key=str(case_numbers.key_of(case)), method="folder_name", score=0.8, why="test")
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
        knowledge.record(connection, original, "light-link", Facts(links=(found,)), seq)


def over(retention: Retention, clock: SetClock, *originals: str) -> None:
    """Their class is decided and their period is over."""
    for one in originals:
        retention.decide(REVIEWER, "floor", "鉴定", original=one)
    clock.pass_(YEAR)


def approved(retention: Retention, clock: SetClock, *originals: str) -> list[str]:
    """Disposals of these, proposed and approved by two."""
    over(retention, clock, *originals)
    found = [one.id for one in retention.propose(originals, OPERATOR, "期满")]
    for one in found:
        retention.approve(one, REVIEWER)
    return found

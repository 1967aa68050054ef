"""The figures that are kept in memory are those that the catalog gives when it is read anew, whatever changed in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from indexer.casework.review import review_of, rules_in
from indexer.coverage import unexplained_of
from indexer.figures.evaluation import Kept, evaluated
from indexer.figures.statistics import Statistics
from pipeline.acts.excusing import Excuses
from pipeline.acts.linking import Linking
from pipeline.acts.restricting import Restricting
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import knowledge, registers
from pipeline.edges.database import tables as t
from pipeline.records import Activity, Case, Custodian, Device, Facts
from pipeline.timing.lateness import late_upload
from tests.flows.keeping import REVIEWER, filmed, link
from tests.indexer.archive import decided
from workers.bootstrap import Home

CASE, OTHER, THIRD = (f"平商务罚字〔2026〕第{number}号" for number in (3, 4, 5))
TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten o'clock in the bureau
MARCH = date(2026, 3, 1), date(2026, 3, 31)


class _Asked:
    """Two who ask again and again, one of whom may know of nothing that is restricted; they share what is kept."""

    def __init__(self, home: Home) -> None:
        self._home, self._kept = home, Kept()

    def all(self, *names: str, days: tuple[date, date] = MARCH) -> list[Any]:
        """These figures of the one who may know of all; every figure is what is read anew."""
        found = self._found(days, None, self._kept)
        assert found == self._found(days, None, Kept())
        return _told(found, names)

    def hidden(self, *names: str) -> list[Any]:
        """Those of the other."""
        found = self._found(MARCH, [], self._kept)
        assert found == self._found(MARCH, [], Kept())
        return _told(found, names)

    def _found(self, days: tuple[date, date], ids: Sequence[str] | None, kept: Kept) -> Statistics:
        return evaluated(
            self._home.catalog, self._home.audit, self._home.settings.home, from_on=days[0], to_on=days[1],
            zone="Asia/Shanghai", deadline_h=24.0, seen=list if ids is None else lambda _: ids, hidden=(), kept=kept,
        )  # fmt: skip


def _told(found: Statistics, names: Sequence[str]) -> list[Any]:
    figures = found.by("all")[0].figures
    return [figures.lacks[name] if name in figures.lacks else getattr(figures, name) for name in names]


def tell(home: Home, original: str, turn: str, facts: Facts) -> None:
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
        knowledge.record(connection, original, turn, facts, seq)


def change(home: Home, original: str, **values: Any) -> None:
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
        its = sa.update(t.original).where(t.original.c.id == original)
        connection.execute(its.values(changed_seq=seq, **values))


def put(home: Home, *records: Any) -> None:
    with home.catalog.transaction() as connection:
        for one in records:
            registers.put(connection, one)


def test_figures_follow_times_links_lateness_incidents_restrictions_and_disposals(home: Home, tmp_path: Path) -> None:
    put(home, Device(code="ZF-1", unit="市场科"), Custodian(code="P1", name="王强", unit="市场科"))
    asked = _Asked(home)
    assert asked.all("films") == [0]
    one, two = filmed(home, tmp_path / "a", ("a.jpg", TEN, 60.0), ("b.jpg", TEN + timedelta(days=1), 60.0),
                      register__device="ZF-1", register__officer=["王强"])  # fmt: skip
    assert asked.all("films", "unlinked") == [2, 2]
    link(home, one, CASE)
    assert asked.all("proposed") == [1]
    Linking(home.catalog, home.audit).confirm("李法制", one, CASE, "已看")
    assert asked.all("confirmed", "unlinked") == [1, 1]
    late = late_upload(decided(TEN), TEN + timedelta(days=2), 24.0)
    assert late is not None
    tell(home, two, "light-probe", Facts(caveats=(replace(late, finder="timestamps/1"),)))
    assert asked.all("late") == [1]
    # Into another month and back, where nobody asked before.
    tell(home, two, "light-timestamps", Facts(time=decided(TEN + timedelta(days=40), 60.0)))
    assert asked.all("films") == [1]
    assert asked.all("films", days=(date(2026, 3, 31), date(2026, 4, 30))) == [1]
    tell(home, two, "light-timestamps", Facts(time=decided(TEN + timedelta(days=2), 60.0)))
    assert asked.all("films") == [2]
    # Of no time at all: by when it was taken in.
    tell(home, two, "light-timestamps", Facts())
    assert asked.all("films") == [1]
    tell(home, two, "light-timestamps", Facts(time=decided(TEN, 60.0)))
    with home.catalog.transaction() as connection:
        broken = {"id": "I" * 26, "original": one, "opened_at": TEN, "faults": []}
        connection.execute(sa.insert(t.incident).values(broken))
    assert asked.all("digests") == [1]
    Restricting(home.catalog, home.audit).place(
        REVIEWER, "商业秘密", kind="trade_secret", original=one, units=("法制科",)
    )
    assert (asked.all("films"), asked.hidden("films", "digests")) == ([2], [1, 0])
    put(home, Device(code="ZF-1", unit="经济科"))
    assert asked.all("films") == [2]
    change(home, two, state="disposed")
    assert (asked.all("films"), asked.hidden("films")) == ([1], [0])


def test_days_without_anything_cost_nothing_however_many_are_asked_for(home: Home, tmp_path: Path) -> None:
    asked, ever = _Asked(home), (date(1970, 1, 1), date(8999, 12, 31))
    filmed(home, tmp_path / "a", ("a.jpg", TEN, 60.0), ("b.jpg", TEN + timedelta(days=700), 60.0),
           ("c.jpg", TEN.replace(year=1999), 60.0))  # fmt: skip
    assert asked.all("films") == [1]
    put_to = []
    sa.event.listen(home.catalog.reading, "before_cursor_execute", lambda *said: put_to.append(said[2]))
    assert asked.all("films", days=ever) == [3]
    assert len(put_to) < 150, "each month of seven thousand years was asked for"
    filmed(home, tmp_path / "b", ("d.jpg", TEN - timedelta(days=9), 60.0))
    assert asked.all("films", days=(date(2026, 2, 1), date(2026, 3, 31))) == [2]
    assert asked.all("films", days=ever) == [4]


def test_a_sound_is_in_writing_by_its_sidecar_or_by_a_document_that_one_may_know_of(home: Home, tmp_path: Path) -> None:
    asked = _Asked(home)
    [sound, text, paper] = filmed(home, tmp_path / "a", ("talk.jpg", TEN, 60.0), ("talk2.jpg", TEN, 60.0),
                                  ("talk words.jpg", TEN, 60.0))  # fmt: skip
    change(home, sound, kind="audio")
    change(home, text, kind="sidecar", format="srt")
    change(home, paper, kind="document")
    link(home, sound, CASE)
    assert asked.all("films", "transcripts") == [1, 1]
    link(home, paper, CASE)
    assert asked.all("transcripts") == [0]
    Restricting(home.catalog, home.audit).place(
        REVIEWER, "商业秘密", kind="trade_secret", original=paper, units=("法制科",)
    )
    assert (asked.all("transcripts"), asked.hidden("transcripts")) == ([0], [1])
    change(home, paper, state="disposed")
    assert asked.all("transcripts") == [1]
    change(home, text, parent=sound)
    assert (asked.all("transcripts"), asked.hidden("transcripts")) == ([0], [0])
    # It belonged to another.
    change(home, text, parent=paper)
    assert asked.all("transcripts") == [1]


def test_duties_follow_recordings_activities_reasons_and_restrictions(home: Home, tmp_path: Path) -> None:
    asked, minute = _Asked(home), timedelta(minutes=1)
    act = Activity(code="A1", case=CASE, step="查封", people=("王强", "赵六"), place="城关镇", from_at=TEN,
                   to_at=TEN + 20 * minute)  # fmt: skip
    put(home, Device(code="ZF-1", unit="市场科"), Case(numbers=((CASE, None),)), Case(numbers=((OTHER, None),)), act,
        replace(act, code="A2", case=OTHER, from_at=TEN + 60 * minute, to_at=TEN + 70 * minute))  # fmt: skip
    assert asked.all("duties", "shown_s", "gap_s") == [2, 0.0, 1800.0]
    [film] = filmed(home, tmp_path / "a", ("a.jpg", TEN, 600.0), register__device="ZF-1")
    link(home, film, CASE)
    assert asked.all("shown_s", "gap_s") == [600.0, 1200.0]
    tell(home, film, "light-timestamps", Facts(time=decided(TEN, 1200.0)))
    assert asked.all("shown_s", "kept") == [1200.0, 1]
    Excuses(home.catalog, home.audit).give("李法制", OTHER, "当事人要求不公开", activity="A2")
    assert asked.all("kept", "excused") == [2, 1]
    Restricting(home.catalog, home.audit).place(
        REVIEWER, "商业秘密", kind="trade_secret", original=film, units=("法制科",)
    )
    assert (asked.all("shown_s"), asked.hidden("shown_s")) == ([1200.0], [0.0])
    put(home, replace(act, to_at=TEN + 30 * minute))
    assert asked.all("shown_s", "gap_s") == [1200.0, 600.0]
    Linking(home.catalog, home.audit).refuse("李法制", film, CASE, "不是")
    assert asked.all("shown_s", "gap_s") == [0.0, 1800.0]


def test_duties_are_those_of_the_cases_also_where_the_clock_of_a_file_leaves_a_hole(home: Home, tmp_path: Path) -> None:
    hour, rules = timedelta(hours=1), rules_in(home.settings.home)
    steps = {CASE: [[120.0, 90.0]], OTHER: [[60.0, -30.0], [300.0, 200.0]], THIRD: []}
    for number, (case, said) in enumerate(steps.items()):
        at = TEN + number * hour
        act = Activity(code=f"A{number}", case=case, step="查封", people=("王强", "赵六"), place="城关镇", from_at=at,
                       to_at=at + timedelta(minutes=10))  # fmt: skip
        put(home, Case(numbers=((case, None),)), act)
        [film] = filmed(home, tmp_path / str(number), (f"{number}.jpg", at, 600.0), container__clock_steps=said)
        link(home, film, case)
    reviews = [review_of(home.catalog, home.audit, rules, case, zone="Asia/Shanghai") for case in steps]
    told = [duty for one in reviews for duty in one.duties]
    holes = [sum(gap.length_s for gap in unexplained_of(one, rules.steps)) for one in told]
    assert holes == [90.0, 200.0, 0.0]
    asked = _Asked(home)
    assert asked.all("duties", "kept", "shown_s", "gap_s", "gaps") == [
        3, sum(one.fulfilled for one in told), sum(one.covered_s for one in told), sum(holes),
        sum(len(unexplained_of(one, rules.steps)) for one in told),
    ]  # fmt: skip

"""Homes with something of everything that the pages list, as much of it as is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from indexer.access import Reviewer
from indexer.web.app import modules
from pipeline.acts.linking import Linking
from pipeline.acts.restricting import Restricting
from pipeline.case_numbers import comparable
from pipeline.custody.accession import Candidate
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import knowledge, registers, tables
from pipeline.edges.storage.uploads import Wanted
from pipeline.records import Activity, Case, CaseLink, Caveat, ClockOffset, Custodian, Device, Facts, Party
from pipeline.timing import lateness
from tests.flows.keeping import REVIEWER, filmed, link, take
from tests.indexer.web.asking import Asking
from workers.bootstrap import Home, build_accession, build_accounts, build_jobs

BIG = "平商务罚字〔2026〕第1号"
TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten o'clock in the bureau
HOUR = timedelta(hours=1)
ASKING = Reviewer("周承办", "reviewer", "市场科")


def case_of(number: int) -> str:
    return f"平商务罚字〔2026〕第{100 + number}号"


def add(home: Home, folder: Path, numbers: Iterable[int]) -> list[str]:
    """One of each for every number; the recordings, each of a device and a case of its own, and of the big case."""
    numbers = list(numbers)
    _register(home, numbers)
    originals = []
    for number in numbers:
        at = TEN + number * HOUR
        name = f"DSJ_HA{number // 2:07}_012345_{at + 8 * HOUR:%Y%m%d%H%M%S}_{3 * number:04}.jpg"
        [one] = filmed(
            home, folder / str(number), (name, at, 300.0), register__device=f"ZF-{number}",
            register__officer=[f"执法{number}"],
        )  # fmt: skip
        originals.append(one)
        link(home, one, case_of(number))
        _tell(home, one, "light-probe", _doubts(number))
        both = [CaseLink(case=said, case_key=comparable(said), method="folder_name", score=0.8, why="test")
                for said in (case_of(number), BIG)]  # fmt: skip
        _tell(home, one, "light-link", Facts(links=tuple(both)))
        Linking(home.catalog, home.audit).confirm("李法制", one, case_of(number), "已看")
        home.approvals().request(ASKING, case_of(number), "行政复议")
        home.approvals().request_original(ASKING, one, "复议")
        home.tell("card.made", actor=f"执法{number}", original=one)
        _out_of_the_way(home, folder / str(number), number)
    with home.catalog.transaction() as connection:
        job = tables.job.c
        failed = sa.and_(job.original.in_(originals), job.stage == "derive")
        values = {"state": "failed", "reason": "The tool took longer than 600 s", "attempts": 3}
        connection.execute(sa.update(tables.job).where(failed).values(**values))
    return originals


def _register(home: Home, numbers: Iterable[int]) -> None:
    with home.catalog.transaction() as connection:
        registers.put(connection, Case(numbers=((BIG, None),), title="大案", decision_due_on="2026-12-01"))
        for number in numbers:
            at, code, officer = TEN + number * HOUR, f"ZF-{number}", f"执法{number}"
            its = (f"第{number}号商贸有限公司",)
            for one in (
                Device(code=code, unit=f"科室{number % 3}"), Custodian(code=f"P{number}", name=officer, unit="市场科"),
                Case(numbers=((case_of(number), None),), title=f"案{number}", decision_due_on="2026-11-01",
                     parties=tuple(Party(name=name) for name in its)),
                *(Activity(code=f"{which}{number}", case=case, step="查封", people=(officer,), place="城关镇",
                           from_at=at, to_at=at + HOUR / 2)
                  for which, case in (("A", case_of(number)), ("B", BIG))),
                ClockOffset(device=code, at=at, offset_s=2.0, uncertainty_s=0.5, how="measured", by="赵"),
            ):  # fmt: skip
                registers.put(connection, one)


def _doubts(number: int) -> Facts:
    codes = ("clock_eight_hours", lateness.CODE)
    return Facts(caveats=tuple(
        Caveat(code=code, text=f"{code} {number}", text_zh=f"{code} {number}", finder="timestamps/1") for code in codes
    ))  # fmt: skip


def _tell(home: Home, original: str, turn: str, facts: Facts) -> None:
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
        knowledge.record(connection, original, turn, facts, seq)


def _out_of_the_way(home: Home, folder: Path, number: int) -> None:
    """What is refused, restricted, isolated or broken off."""
    build_accounts(home).add("管理", f"法制{number}", "reviewer", "法制科")
    empty = home.settings.inbox / f"空{number}.mp4"
    empty.touch()
    jobs = build_jobs(home)
    build_accession(home, jobs).take([Candidate(path=empty, root=home.settings.inbox, source="inbox")])
    jobs.close()
    secret, shut = take(home, folder / "shut", f"秘方{number}.jpg", f"机密{number}.jpg")
    placed = Restricting(home.catalog, home.audit)
    placed.place(REVIEWER, "配方", kind="trade_secret", original=secret, units=("法制科",))
    with home.isolating() as isolating:
        isolating.report(REVIEWER, shut)
    home.uploads().begin(Wanted(person="某administrator", name=f"现场{number}.mp4", size_bytes=100 + number))
    with home.catalog.transaction() as connection:
        connection.execute(sa.insert(tables.incident).values(
            id=f"{number:026}", original=secret, opened_at=TEN, faults=["sha256"], closed_at=None, closed_by=None,
            how=None,
        ))  # fmt: skip


def worked_on(asking: Asking, originals: Iterable[str], first: str) -> None:
    """The person looked at these, and noted something on the first and on each."""
    sign = {"X-CSRF-Token": asking.sign()}
    for one in originals:
        assert asking.send(f"/originals/{one}/looks", purpose="核对").status_code == 303
        for noted in (one, first):
            note = {"kind": "bookmark", "at_s": 1.0, "text": f"见 {one}", "shared": True}
            answer = asking.client.post(f"/api/originals/{noted}/notes", json=note, headers=sign)
            assert answer.status_code == 201, answer.text


def addresses(original: str, case: str) -> list[str]:
    """Every address that is asked with GET, about this original and case."""
    values = {"number": case, "case": case, "job": f"{original}-heavy-derive", "figure": "on_time"}
    return [
        re.sub(r"\{(\w+)(?::\w+)?\}", lambda part: values.get(part[1], original), route.path)
        for module in modules() for route in module.ROUTES.routes if "GET" in route.methods
    ]  # fmt: skip


def narrowed(original: str, beside: str, case: str) -> list[str]:
    """What persons ask for by a search, a filter or a day."""
    since = "since=2026-01-01&until=2099-01-01"
    onlys = ("broken", "attention", "unlinked", "proposed", "late", "duplicate")
    return [
        f"/originals/together?of={original}&of={beside}", "/search?q=DSJ", "/search?q=城关镇&kind=photo",
        "/api/suggest?q=ZF", "/cases?q=商贸", "/cases?show=past", f"/api/cases/lights?case={case}",
        "/hand-in?days=0", "/hand-in?days=1&q=HA0000001", "/hand-in/checks?days=0",
        *(f"/hand-in?days=0&only={one}" for one in onlys),
        *(f"/log?show={one}" for one in ("looks", "exports", "sign_ins", "custody", "work", "all")),
        f"/log?original={original}&{since}", f"/log?person=某reviewer&{since}", f"/log?words=核对&{since}",
        "/log?before=40", "/jobs?state=waiting", "/jobs?state=done", "/jobs?stage=derive&reason=The tool took longer",
        "/statistics?from=2026-03-01&to=2026-03-31&by=device", "/api/statistics.csv?from=2026-03-01&to=2026-03-31",
    ]  # fmt: skip

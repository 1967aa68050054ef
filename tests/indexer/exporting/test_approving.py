"""Copying out takes a person of another unit than the one that filmed: by device, ledger, register and account."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexer.access import Reviewer
from indexer.exporting.approving import APPROVED_D, Approvals
from pipeline.acts.restricting import Restricting
from pipeline.edges.database import exports, registers
from pipeline.errors import BadInput, NotAllowed
from pipeline.records import Custodian, DecidedTime, Device, LedgerEntry
from tests.flows.keeping import REVIEWER
from tests.indexer.packages import CASE, CLERK, link, make, with_photos
from workers.bootstrap import Home, build_accounts
from workers.rebuild import rebuild_catalog

LEGAL = Reviewer("李四", "reviewer", "法制科")
MARKET = Reviewer("王五", "reviewer", "市场科")
AT = datetime(2021, 8, 3, 2, 10, 10, tzinfo=UTC)
TIME = DecidedTime(
    start_at=AT, end_at=AT + timedelta(seconds=60), uncertainty_s=2.0, method="stated_zone", why="test",
    zone_known=False, source="test", finder="timestamps/1",
)  # fmt: skip


def put(home: Home, *records: registers.Registered) -> None:
    with home.catalog.transaction() as connection:
        for one in records:
            registers.put(connection, one)


def asked(home: Home) -> tuple[Approvals, str]:
    approvals = home.approvals()
    return approvals, approvals.request(CLERK, CASE, "行政复议答复").id


def test_the_unit_of_the_device_cannot_approve_and_another_can(home: Home, tmp_path: Path) -> None:
    put(home, Device(code="ZF-1", unit="市场科"))
    with_photos(home, tmp_path / "card", device="ZF-1")
    approvals, request = asked(home)
    with pytest.raises(NotAllowed, match="another unit"):
        approvals.decide(MARKET, request, approve=True)
    with pytest.raises(NotAllowed, match="belongs to no unit"):
        approvals.decide(Reviewer("赵六", "reviewer"), request, approve=True)
    assert approvals.decide(LEGAL, request, approve=True, reason="已核对").state == "approved"
    [event] = [json.loads(line) for line in home.catalog.events_of_type(["export.approved"])]
    assert (event["actor"], event["facts"]["unit"], event["facts"]["filmed_by"]) == ("李四", "法制科", ["市场科"])


def test_the_unit_of_who_carried_the_device_cannot_approve(sqlite_home: Home, tmp_path: Path) -> None:
    put(
        sqlite_home, Device(code="ZF-1"), Custodian(code="1001", name="孙警", unit="市场科"),
        LedgerEntry(device="ZF-1", custodian="1001", from_at=AT - timedelta(hours=1), to_at=AT + timedelta(hours=1)),
    )  # fmt: skip
    for one in with_photos(sqlite_home, tmp_path / "card", device="ZF-1"):
        link(sqlite_home, one, time=TIME)
    approvals, request = asked(sqlite_home)
    with pytest.raises(NotAllowed, match="another unit"):
        approvals.decide(MARKET, request, approve=True)
    with pytest.raises(NotAllowed, match="recorded some of it"):
        approvals.decide(Reviewer("孙警", "reviewer", "法制科"), request, approve=True)
    [waiting] = exports.listed(sqlite_home.catalog)
    assert approvals.why_not(LEGAL, waiting, approvals.filming_of([waiting])[request]) is None


def test_the_unit_of_the_account_of_who_filmed_cannot_approve(sqlite_home: Home, tmp_path: Path) -> None:
    build_accounts(sqlite_home).add("管理", "孙警", "clerk", "市场科")
    with_photos(sqlite_home, tmp_path / "card", officer="孙警")
    approvals, request = asked(sqlite_home)
    with pytest.raises(NotAllowed, match="another unit"):
        approvals.decide(MARKET, request, approve=True)


def test_the_unit_that_filmed_may_ask_and_may_refuse(sqlite_home: Home, tmp_path: Path) -> None:
    put(sqlite_home, Device(code="ZF-1", unit="市场科"))
    [original] = with_photos(sqlite_home, tmp_path / "card", 1, device="ZF-1")
    approvals = sqlite_home.approvals()
    request = approvals.request_original(MARKET, original, "当事人申请查阅")
    assert (request.original, request.files) == (original, 1)
    other = Reviewer("钱七", "reviewer", "市场科")
    with pytest.raises(NotAllowed, match="another unit"):
        approvals.decide(other, request.id, approve=True)
    assert approvals.decide(other, request.id, approve=False, reason="用途不明").state == "refused"
    assert approvals.in_force(MARKET, original) is None


def test_an_approval_is_for_who_asked_and_runs_out(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = with_photos(sqlite_home, tmp_path / "card", 1)
    approvals = sqlite_home.approvals()
    request = approvals.request_original(MARKET, original, "当事人申请查阅")
    assert approvals.in_force(MARKET, original) is None
    approvals.decide(LEGAL, request.id, approve=True)
    assert approvals.in_force(MARKET, original).id == request.id  # type: ignore[union-attr]
    assert approvals.in_force(LEGAL, original) is None
    package = approvals.request(CLERK, CASE, "行政复议答复")
    approvals.decide(LEGAL, package.id, approve=True)
    now = sqlite_home.catalog.now
    sqlite_home.catalog.now = lambda: now() + timedelta(days=APPROVED_D, seconds=1)  # type: ignore[method-assign]
    assert approvals.in_force(MARKET, original) is None
    with pytest.raises(NotAllowed, match="within 7 days"):
        make(sqlite_home, tmp_path / "out", request=package.id)


def test_a_request_about_what_a_person_may_not_know_of_is_not_there(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = with_photos(sqlite_home, tmp_path / "card", 1)
    approvals = sqlite_home.approvals()
    request = approvals.request_original(LEGAL, original, "当事人申请查阅")
    Restricting(sqlite_home.catalog, sqlite_home.audit).place(
        REVIEWER, "配方", kind="trade_secret", original=original, units=("法制科",)
    )
    assert [one.id for one in approvals.listed(LEGAL)] == [request.id]
    assert approvals.listed(MARKET) == []
    with pytest.raises(BadInput, match="There is no export"):
        approvals.decide(MARKET, request.id, approve=True)


def test_the_log_alone_gives_requests_for_one_original_back(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = with_photos(sqlite_home, tmp_path / "card", 1)
    approvals = sqlite_home.approvals()
    request = approvals.request_original(MARKET, original, "当事人申请查阅")
    approvals.decide(LEGAL, request.id, approve=True)
    before = exports.listed(sqlite_home.catalog)
    sqlite_home.close()
    rebuild_catalog(sqlite_home.settings)
    assert exports.listed(sqlite_home.catalog) == before


def test_the_command_line_obeys(
    sqlite_home: Home, tmp_path: Path, casereel: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    put(sqlite_home, Device(code="ZF-1", unit="市场科"))
    with_photos(sqlite_home, tmp_path / "card", 1, device="ZF-1")
    _, request = asked(sqlite_home)
    people = {"CASEREEL_ACCESS_ROLES": "王五=reviewer:李四=reviewer",
              "CASEREEL_ACCESS_UNITS": "王五=市场科:李四=法制科"}  # fmt: skip
    refused = casereel("export", "approve", request, environ={**people, "CASEREEL_ACCESS_PERSON": "王五"})
    assert (refused.returncode, "市场科" in refused.stderr) == (5, True), refused.stderr
    approved = casereel("export", "approve", request, environ={**people, "CASEREEL_ACCESS_PERSON": "李四"})
    assert approved.returncode == 0, approved.stderr

"""What people correct of times stands beside the rules' times, is told in the log, and comes back with a catalog."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.acts.correcting import Correcting
from pipeline.edges.database.dump import dump
from pipeline.errors import BadInput
from pipeline.records import DecidedTime, TimeCorrection
from tests.flows.test_registers import EVERYTHING, links, recorded, take_in
from tests.indexer.web.asking import person
from workers.bootstrap import Home
from workers.cli import App
from workers.cli._registers import looked_at_anew

NAME = "DSJ_HA1234567_012345_20260302160000_0001.jpg"
DURING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # 16:00 in the bureau's zone, as the name says
BEFORE = datetime(2026, 2, 28, 1, 0, tzinfo=UTC)


def said(start_at: datetime = BEFORE, **changed: object) -> TimeCorrection:
    values = {"start_at": start_at, "end_at": None, "uncertainty_s": 60.0, "reason": "与笔录核对", "by": "李法制"}
    return TimeCorrection(**{**values, **changed})  # type: ignore[arg-type]


def correcting(home: Home) -> Correcting:
    return Correcting(home.catalog, home.audit)


def decided_anew(home: Home, original: str) -> DecidedTime | None:
    app = App(home=home.settings.home, config=None, as_json=True, quiet=True, no_progress=True, lang="en")
    looked_at_anew(app, home, [original], times_too=True)
    return home.catalog.known_of(original).time


def test_links_follow_a_correction_and_its_withdrawal(home: Home, tmp_path: Path) -> None:
    [one] = recorded(home, tmp_path / "card", NAME)
    for register, rows in EVERYTHING.items():
        take_in(home, register, rows)
    by_rules = decided_anew(home, one)
    assert by_rules is not None
    assert by_rules.start_at == DURING
    assert [method for _, method, _ in links(home, one)] == ["ledger"]

    correcting(home).correct(one, said())
    corrected = decided_anew(home, one)
    assert corrected is not None
    assert (corrected.start_at, corrected.end_at, corrected.uncertainty_s) == (BEFORE, BEFORE, 60.0)
    assert (corrected.method, corrected.source, corrected.zone_known) == ("by_hand", "person", True)
    assert "李法制" in corrected.why
    assert "与笔录核对" in corrected.why
    assert corrected.by_rules is not None
    assert (corrected.by_rules["start_at"], corrected.by_rules["why"]) == (DURING.isoformat(), by_rules.why)
    assert corrected.losers[0] == (by_rules.source, "it was corrected by hand", "已由人工更正")
    known = home.catalog.known_of(one)
    assert "time_corrected" in {caveat.code for caveat in known.caveats}
    assert [claim.source for claim in known.time_claims if claim.source.startswith("file_name")] == [by_rules.source]
    assert links(home, one) == []

    correcting(home).withdraw("王审计", one, "依据有误")
    assert decided_anew(home, one) == by_rules
    assert [method for _, method, _ in links(home, one)] == ["ledger"]
    acts = [json.loads(line) for line in home.catalog.events_of(one)]
    told = [(act["actor"], act["facts"]) for act in acts if act["type"].startswith("time.")]
    assert [actor for actor, _ in told] == ["李法制", "王审计"]
    assert told[0][1]["by_rules"]["start_at"] == DURING.isoformat()
    assert (told[0][1]["correction"]["reason"], told[1][1]["reason"]) == ("与笔录核对", "依据有误")


def done_with(home: Home, original: str) -> list[str]:
    """What waited of it, which is then taken for done."""
    waiting = f"SELECT stage FROM cr_job WHERE original = '{original}' AND state = 'waiting' ORDER BY place"
    with home.catalog.transaction() as connection:
        waited = list(connection.exec_driver_sql(waiting).scalars())
        connection.exec_driver_sql(f"UPDATE cr_job SET state = 'done' WHERE original = '{original}'")
    return waited


def test_the_page_tells_how_a_time_was_decided_and_takes_a_correction(sqlite_home: Home, tmp_path: Path) -> None:
    [one] = recorded(sqlite_home, tmp_path / "card", NAME)
    by_rules = decided_anew(sqlite_home, one)
    assert by_rules is not None
    reviewer, at = person(sqlite_home, "reviewer"), f"/originals/{one}"
    reviewer.send(f"{at}/looks", purpose="决定前审核")
    page = reviewer.page(at)
    decided = page.split("该时间的判定依据")[1].split("</li>")[0]
    assert f"✓ {by_rules.source} 2026-03-02 16:00:00 +08:00" in decided
    assert "采用" in decided
    assert "file_name/" in decided  # the source's rule and its version
    assert f"判定规则 {by_rules.finder}" in page
    for wrong in ({"start": "昨天", "reason": "与笔录核对"}, {"start": "2026-02-28T09:00"}):
        assert reviewer.send(f"{at}/time", **wrong).status_code == 400
    done_with(sqlite_home, one)
    told = reviewer.send(f"{at}/time", start="2026-02-28T09:00", uncertainty_s="90", reason="与笔录核对")
    assert told.status_code == 303
    assert "后台处理后生效" in reviewer.page(at)
    assert done_with(sqlite_home, one) == ["timestamps", "link", "index"]
    corrected = decided_anew(sqlite_home, one)
    assert corrected is not None
    assert (corrected.start_at, corrected.uncertainty_s, corrected.method) == (BEFORE, 90.0, "by_hand")
    page = reviewer.page(at)
    assert "按规则判定：2026-03-02 16:00:00 +08:00" in page
    assert "已由人工更正" in page
    clerk = person(sqlite_home, "clerk")
    clerk.send(f"{at}/looks", purpose="核对")
    assert clerk.send(f"{at}/time", start="2026-02-28T09:00", reason="核对").status_code in (403, 404)
    reviewer.send(f"{at}/time", act="withdraw", reason="依据有误")
    done_with(sqlite_home, one)
    assert decided_anew(sqlite_home, one) == by_rules


def test_the_latest_correction_comes_back_with_a_rebuilt_catalog(
    home: Home, tmp_path: Path, by_log_alone: Callable[[Home], Home]
) -> None:
    one, other, third = recorded(home, tmp_path / "card", "a.jpg", "b.jpg", "c.jpg")
    correcting(home).correct(one, said())
    correcting(home).correct(one, said(DURING, end_at=DURING + timedelta(seconds=90)))
    correcting(home).correct(other, said())
    correcting(home).withdraw("李法制", other, "看错了")
    correcting(home).correct(third, said(uncertainty_s=0.5))
    before = dump(home.catalog)["time_corrections"]
    assert [row["original"] for row in before] == sorted([one, third])
    rebuilt = by_log_alone(home)
    assert dump(rebuilt.catalog)["time_corrections"] == before
    assert rebuilt.catalog.known_of(one).correction == said(DURING, end_at=DURING + timedelta(seconds=90))
    rebuilt.close()


def test_what_cannot_have_been_is_refused_in_words(sqlite_home: Home, tmp_path: Path) -> None:
    home = sqlite_home
    [one] = recorded(home, tmp_path / "card", "a.jpg")
    last = home.catalog.last_event()
    for wrong, words in (
        (said(reason=" "), "Give a reason"),
        (said(datetime(2126, 1, 1, tzinfo=UTC)), "cannot have been recorded later"),
        (said(datetime(1970, 1, 1, tzinfo=UTC)), "before the first digital recorders"),
        (said(end_at=BEFORE - timedelta(seconds=1)), "ends before it begins"),
    ):
        with pytest.raises(BadInput, match=words) as refused:
            correcting(home).correct(one, wrong)
        assert refused.value.zh
    with pytest.raises(BadInput, match="not corrected by anybody"):
        correcting(home).withdraw("李法制", one, "x")
    assert (home.catalog.last_event(), home.catalog.known_of(one).correction) == (last, None)

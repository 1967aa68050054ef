"""What people correct of times stands beside the rules' times, is told in the log, and comes back with a catalog."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.correcting import Correcting
from pipeline.edges.dump import dump
from pipeline.errors import BadInput
from pipeline.records import DecidedTime, TimeCorrection
from tests.flows.test_registers import EVERYTHING, links, recorded, take_in
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

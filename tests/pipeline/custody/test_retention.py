"""Who must stay, who may go, and who may say so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.settings import SHIPPED
from pipeline.custody.retention import (
    Linked,
    Subject,
    hindrances,
    is_due,
    later_by,
    near_their_floor,
    require_class,
    require_fresh,
    require_two,
    same_person,
    standing_of,
)
from pipeline.custody.retention_rules import Rules, read, rules_of
from pipeline.errors import BadInput, NotAllowed
from pipeline.records import Disposal, Hold, Person, Retained

RULES = replace(read(SHIPPED / "retention.toml"), valid_from=datetime(2020, 1, 1, tzinfo=UTC).date())
IN = datetime(2021, 8, 3, 2, 10, 10, tzinfo=UTC)
LATE = datetime(2090, 1, 1, tzinfo=UTC)
DEED = ("处置", "A disposal")


def decision(code: str, from_on: str | None = None) -> Retained:
    return Retained(
        id="D", original="A", case_key=None, printed=None, code=code, from_on=from_on, reason="r", by="李",
        role="reviewer", rules=RULES.stamp, decided_at=IN,
    )  # fmt: skip


def case(code: str | None, from_on: str = "2021-12-01") -> Linked:
    return Linked(case_key="k", printed="平商务罚字〔2021〕第3号", decision=decision(code, from_on) if code else None)


def subject(**values: object) -> Subject:
    return Subject(**{"original": "A", "name": "a.mp4", "state": "ready", "accepted_at": IN, **values})  # type: ignore[arg-type]


def hold() -> Hold:
    return Hold(id="H", original="A", case_key=None, printed=None, kind="litigation", reason="应诉", by="王",
                role="auditor", from_at=IN)  # fmt: skip


def english(one: Subject, at: datetime = LATE, rules: Rules = RULES) -> list[str]:
    return [said for _, said in standing_of(one, rules, at).why]


def test_nothing_may_go_without_a_class_however_old_it_is() -> None:
    assert english(subject()) == ["no retention class has been decided for it"]


def test_an_original_of_no_case_may_go_six_months_after_it_was_taken_in_and_not_a_second_before() -> None:
    """The floor of six months; the moment is worked out by hand."""
    end = datetime(2022, 2, 3, 2, 10, 10, tzinfo=UTC)
    one = subject(decision=decision("floor"))
    assert standing_of(one, RULES, end).may_go
    assert english(one, end - timedelta(seconds=1)) == ["it is kept until 2022-02-03 (floor)"]


def test_a_case_that_is_open_keeps_what_it_holds_whatever_is_said_of_the_original() -> None:
    one = subject(decision=decision("floor"), cases=(case(None),))
    assert english(one) == ["the case 平商务罚字〔2021〕第3号 is open or has no class"]


@pytest.mark.parametrize(
    ("codes", "until"),
    [
        # Five years from the end of 2021-12-01, which ends at noon UTC of the next day in the westernmost zone.
        (["decision"], datetime(2026, 12, 2, 12, tzinfo=UTC)),
        (["immovable"], datetime(2041, 12, 2, 12, tzinfo=UTC)),
        (["decision", "immovable"], datetime(2041, 12, 2, 12, tzinfo=UTC)),
        (["immovable", "decision"], datetime(2041, 12, 2, 12, tzinfo=UTC)),
    ],
)
def test_the_longest_rule_wins(codes: list[str], until: datetime) -> None:
    one = subject(decision=decision("floor"), cases=tuple(case(code) for code in codes))
    assert standing_of(one, RULES, until).until_at == until
    assert standing_of(one, RULES, until).may_go
    assert not standing_of(one, RULES, until - timedelta(seconds=1)).may_go


def test_what_is_kept_for_ever_never_may_go() -> None:
    standing = standing_of(subject(cases=(case("permanent"), case("decision"))), RULES, LATE)
    assert (standing.until_at, standing.may_go) == (None, False)


def test_a_hold_keeps_what_is_over() -> None:
    one = subject(decision=decision("floor"), holds=(hold(),))
    assert english(one) == ["litigation by 王: 应诉"]


def test_a_companion_is_kept_as_long_as_its_recording() -> None:
    parent = subject(original="P", cases=(case("immovable"),), holds=(hold(),))
    companion = subject(decision=decision("floor"), parent=parent)
    assert standing_of(companion, RULES, LATE).until_at == datetime(2041, 12, 2, 12, tzinfo=UTC)
    assert english(companion) == ["litigation by 王: 应诉"]


def test_a_period_that_is_counted_from_before_the_taking_in_begins_with_it() -> None:
    one = subject(decision=decision("floor", "1999-01-01"))
    assert standing_of(one, RULES, LATE).until_at == datetime(2022, 2, 3, 2, 10, 10, tzinfo=UTC)


def test_a_class_that_the_rules_lost_lets_nothing_go() -> None:
    fewer = replace(RULES, classes={"floor": RULES.classes["floor"]})
    assert english(subject(cases=(case("decision"),)), rules=fewer) == ["the rules in force have no class decision"]


def test_rules_let_nothing_go_before_they_are_in_force() -> None:
    later = replace(RULES, valid_from=LATE.date() + timedelta(days=10))
    assert english(subject(decision=decision("floor")), rules=later) == ["the rules are not in force yet"]


@pytest.mark.parametrize(
    ("begin", "months", "end"),
    [("2021-08-31", 6, "2022-03-01"), ("2020-02-29", 12, "2021-03-01"), ("2021-12-15", 1, "2022-01-15"),
     ("2021-12-31", 2, "2022-03-01"), ("2021-03-31", 240, "2041-03-31")],
)  # fmt: skip
def test_a_day_that_a_month_lacks_is_the_first_of_the_next(begin: str, months: int, end: str) -> None:
    found = later_by(datetime.fromisoformat(begin).replace(tzinfo=UTC), months)
    assert found.date().isoformat() == end


def test_the_worklist_names_the_unlinked_near_their_floor_soonest_first() -> None:
    ages = {"over": 300, "soon": 160, "fresh": 10}
    ones = [subject(original=name, accepted_at=LATE - timedelta(days=days)) for name, days in ages.items()]
    ones.append(subject(original="linked", cases=(case(None),)))
    standings = [standing_of(one, RULES, LATE) for one in reversed(ones)]
    assert [one.original for one in near_their_floor(standings, RULES, LATE)] == ["over", "soon"]


def test_a_case_is_never_kept_by_the_floor() -> None:
    with pytest.raises(NotAllowed, match="60 months"):
        require_class(RULES, "floor", is_case=True)
    with pytest.raises(NotAllowed, match="no class"):
        require_class(RULES, "short", is_case=False)
    assert require_class(RULES, "decision", is_case=True).months == 60


@pytest.mark.parametrize("name", ["Zhao Min", "zhao  min", "ＺＨＡＯ min", " zhao min "])
def test_one_person_is_one_person_however_written(name: str) -> None:
    assert same_person("Zhao Min", name)
    with pytest.raises(NotAllowed, match="two persons"):
        require_two("Zhao Min", "operator", Person(name=name, role="auditor"), DEED)


def test_two_persons_in_one_role_are_not_enough() -> None:
    with pytest.raises(NotAllowed, match="two roles"):
        require_two("赵", "operator", Person(name="钱", role="operator"), DEED)
    require_two("赵", "operator", Person(name="钱", role="auditor"), DEED)


def test_an_old_proposal_is_not_approved() -> None:
    require_fresh(IN, IN + timedelta(days=7), RULES, DEED)
    with pytest.raises(NotAllowed, match="7 days"):
        require_fresh(IN, IN + timedelta(days=7, seconds=1), RULES, DEED)


def disposal(**values: object) -> Disposal:
    given = {
        "id": "X", "original": "A", "state": "approved", "reason": "r", "code": "floor", "until_at": IN,
        "rules": RULES.stamp, "proposed_by": "赵", "proposed_role": "operator", "proposed_at": IN, "approved_by": "钱",
        "approved_role": "auditor", "approved_at": IN,
    }  # fmt: skip
    return Disposal(**{**given, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, []),
        ({"approved_by": None}, ["no second person has approved it"]),
        ({"approved_by": " 赵"}, ["it was not proposed and approved by two persons in two roles"]),
        ({"approved_role": "operator"}, ["it was not proposed and approved by two persons in two roles"]),
        ({"rules": "other"}, ["the rules were changed since; propose it again"]),
    ],
)
def test_what_speaks_against_unlinking(values: dict[str, object], said: list[str]) -> None:
    standing = standing_of(subject(decision=decision("floor")), RULES, LATE)
    assert [one for _, one in hindrances(disposal(**values), standing, RULES, came=False)] == said


def test_the_same_bytes_once_more_speak_against_it() -> None:
    standing = standing_of(subject(decision=decision("floor")), RULES, LATE)
    [(chinese, english)] = hindrances(disposal(), standing, RULES, came=True)
    assert "相同内容" in chinese
    assert "came again" in english


def test_a_confirmed_clock_begins_the_cooling_anew() -> None:
    confirmed_at = IN + timedelta(days=5)
    assert not is_due(disposal(), RULES, confirmed_at + timedelta(hours=71), confirmed_at=confirmed_at)
    assert is_due(disposal(), RULES, confirmed_at + timedelta(hours=72), confirmed_at=confirmed_at)
    assert is_due(disposal(), RULES, IN + timedelta(hours=72), confirmed_at=IN - timedelta(days=5))


def test_the_cooling_is_three_days() -> None:
    assert not is_due(disposal(), RULES, IN + timedelta(hours=72) - timedelta(seconds=1))
    assert is_due(disposal(), RULES, IN + timedelta(hours=72))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("floor_months = 6", "floor_months = 5", "floor_months"),
        ("cooling_h = 72", "cooling_h = 1", "cooling_h"),
        ("approve_within_days = 7", "approve_within_days = 8", "approve_within_days"),
        ("months = 60\n", "months = 59\n", "decision asks for at least 60"),
        ("months = 240\n", "months = 120\n", "immovable asks for at least 240"),
        ("months = 6\n", "months = 3\n", "floor asks for at least 6"),
        ('basis = "immovable"', 'basis = "none"', "basis"),
        ('code = "decision"', 'code = "floor"', "same code"),
        ("valid_from = 2026-11-22", "", "valid_from"),
        ("off_days = 10", 'off_days = "ten"', "off_days"),
    ],
)
def test_rules_that_undercut_a_limit_are_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    text = (SHIPPED / "retention.toml").read_text(encoding="utf-8")
    assert before in text
    file = tmp_path / "retention.toml"
    file.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        rules_of(tmp_path)


def test_the_rules_of_the_home_are_used_and_named_by_version_and_digest(tmp_path: Path) -> None:
    shipped = rules_of(tmp_path)
    text = (SHIPPED / "retention.toml").read_text(encoding="utf-8")
    (tmp_path / "retention.toml").write_text(text.replace("months = 60", "months = 120"), encoding="utf-8")
    own = rules_of(tmp_path)
    assert (own.classes["decision"].months, shipped.classes["decision"].months) == (120, 60)
    assert own.stamp != shipped.stamp
    assert own.stamp.startswith("2026-11-22 ")

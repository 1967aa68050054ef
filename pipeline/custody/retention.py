"""Whether an original may go, and who may do which step towards it. Pure: *now* and all facts come in as arguments.

An original is kept for the longest of: the floor, the class decided for it, the class of every case it is linked to
(proposals count), and all of that for the recording it is a companion of. Nothing may go without a decision; a case
without one is open and keeps all it holds; a hold keeps whatever else is said.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from pipeline.custody.retention_rules import RetentionClass, Rules
from pipeline.errors import NotAllowed, TryAgain
from pipeline.records import Disposal, Hold, Person, Retained

# When a day is over everywhere on earth.
_DAY_OVER: Final = time(12, tzinfo=UTC)
KIND_WORDS: Final = {
    "hold": ("冻结", "hold"), "review": ("行政复议", "administrative review"), "litigation": ("诉讼", "litigation"),
    "petition": ("信访", "petition"),
}  # fmt: skip

CAME: Final = (
    "提出后又收到相同内容的文件，请核查原因，取消本次处置后重新提出",
    "the same bytes came again since it was proposed: look why, cancel it and propose it anew",
)


@dataclass(frozen=True, kw_only=True)
class Linked:
    """A case that the original is linked to; decision: how it is kept, None while it is open."""

    case_key: str
    printed: str
    decision: Retained | None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An original with all that decides how long it is kept. holds: those in force, also of its cases.

    parent: the recording that it is a companion of.
    """

    original: str
    name: str
    state: str
    accepted_at: datetime
    decision: Retained | None = None
    cases: tuple[Linked, ...] = ()
    holds: tuple[Hold, ...] = ()
    parent: Subject | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How an original stands. until_at: when its period ends, None for never or not yet decided.

    code: the class that keeps it longest. why: (Chinese, English) of everything that keeps it; none when it may go.
    """

    original: str
    name: str
    until_at: datetime | None
    code: str
    floor_at: datetime
    is_linked: bool
    why: tuple[tuple[str, str], ...]

    @property
    def may_go(self) -> bool:
        """Whether a disposal may be proposed and done."""
        return not self.why


def standing_of(subject: Subject, rules: Rules, earliest: datetime) -> Standing:
    """How the original stands at a moment that is at least `earliest`."""
    why: list[tuple[str, str]] = []
    floor_at = later_by(subject.accepted_at, rules.floor_months)
    ends: list[tuple[datetime | None, str]] = [(floor_at, "floor")]
    chain = [subject] if subject.parent is None else [subject, subject.parent]
    cases = [case for one in chain for case in one.cases]
    if subject.state == "disposed":
        why.append(("已经处置", "it was disposed of"))
    for one in chain:
        why += _held(one.holds)
    for case in cases:
        if case.decision is None:
            why.append((f"案件 {case.printed} 未结或未定保管类别", f"the case {case.printed} is open or has no class"))
    decisions = [one.decision for one in chain if one.decision] + [case.decision for case in cases if case.decision]
    if not decisions and not cases:
        why.append(("尚未确定保管类别", "no retention class has been decided for it"))
    for decision in decisions:
        found = rules.classes.get(decision.code)
        if found is None:
            why.append((f"现行规则没有类别 {decision.code}", f"the rules in force have no class {decision.code}"))
        else:
            ends.append((_end_of(found, _begin_of(decision, subject)), found.code))
    until_at, code = max(ends, key=lambda end: end[0] or datetime.max.replace(tzinfo=UTC))
    if until_at is None:
        why.append(("永久保存", "it is kept for ever"))
    elif earliest < until_at:
        day = until_at.date().isoformat()
        why.append((f"保管期限至 {day}（{code}）", f"it is kept until {day} ({code})"))
    if earliest < _over(rules.valid_from) - timedelta(days=1):
        why.append(("规则尚未生效", "the rules are not in force yet"))
    return Standing(
        original=subject.original, name=subject.name, until_at=until_at, code=code, floor_at=floor_at,
        is_linked=bool(cases), why=tuple(dict.fromkeys(why)),
    )  # fmt: skip


def _held(holds: Iterable[Hold]) -> list[tuple[str, str]]:
    return [
        (f"{KIND_WORDS[one.kind][0]}：{one.reason}（{one.by}）", f"{KIND_WORDS[one.kind][1]} by {one.by}: {one.reason}")
        for one in holds
    ]


def _begin_of(decision: Retained, subject: Subject) -> datetime:
    if decision.from_on is None:
        return subject.accepted_at
    return max(subject.accepted_at, _over(date.fromisoformat(decision.from_on)))


def _end_of(found: RetentionClass, begin: datetime) -> datetime | None:
    return None if found.months is None else later_by(begin, found.months)


def _over(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), _DAY_OVER)


def later_by(begin: datetime, months: int) -> datetime:
    """So many calendar months later; a day that the month lacks is the first of the next."""
    year, month = divmod(begin.month - 1 + months, 12)
    try:
        return begin.replace(year=begin.year + year, month=month + 1)
    except ValueError:
        return begin.replace(year=begin.year + year, month=month + 2, day=1)


def near_their_floor(standings: Iterable[Standing], rules: Rules, latest: datetime) -> list[Standing]:
    """The worklist: originals of no case whose floor ends within the days of warning, or has ended; soonest first."""
    until = latest + timedelta(days=rules.warn_days)
    return sorted(
        (one for one in standings if not one.is_linked and one.floor_at <= until), key=lambda one: one.floor_at
    )


def require_class(rules: Rules, code: str, *, is_case: bool) -> RetentionClass:
    """The class of this code. Raises NotAllowed where there is none, or where it is no class for a case."""
    found = rules.classes.get(code)
    if found is None:
        raise NotAllowed(f"The rules in force ({rules.stamp}) have no class '{code}'; there are: "
                         f"{', '.join(rules.classes)}", zh="现行规则没有该保管类别", found=code)  # fmt: skip
    if is_case and found.basis == "floor":
        raise NotAllowed(f"'{code}' is for originals of no case; a case is kept for at least 60 months",
                         zh="该类别只用于未关联案件的原件", found=code)  # fmt: skip
    return found


def require_two(first: str, first_role: str | None, second: Person, deed: tuple[str, str]) -> None:
    """Returns where the second person is another one, in another role where the first one's is given.

    Raises NotAllowed.
    """
    if same_person(first, second.name):
        raise NotAllowed(
            f"{deed[1]} takes two persons; {second.name} already did the first step",
            zh=f"{deed[0]}须由两人进行，{second.name} 已办理第一步", first=first, second=second.name,
        )  # fmt: skip
    if first_role is not None and first_role == second.role:
        raise NotAllowed(
            f"{deed[1]} takes two roles; {first} and {second.name} both act as {second.role}",
            zh=f"{deed[0]}须由两种角色办理，{first} 与 {second.name} 角色相同", first=first_role, second=second.role,
        )  # fmt: skip


def same_person(one: str, other: str) -> bool:
    """Whether two spellings may name one person: width, case and spaces make no difference."""
    return _plain_name(one) == _plain_name(other)


def _plain_name(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def require_fresh(asked_at: datetime, latest: datetime, rules: Rules, deed: tuple[str, str]) -> None:
    """Returns while the first step is young enough for the second. Raises NotAllowed."""
    if latest - asked_at > timedelta(days=rules.approve_within_days):
        raise NotAllowed(
            f"{deed[1]} was asked for more than {rules.approve_within_days} days ago; ask for it again",
            zh=f"{deed[0]}的申请已超过 {rules.approve_within_days} 天，请重新提出", asked_at=asked_at.isoformat(),
        )  # fmt: skip


def require_sure(doubt: bool) -> None:
    """Returns where the clock can be believed. Raises TryAgain with what to do."""
    if doubt:
        raise TryAgain(
            "The clock jumped, so nothing may be released: set it right and wait, or run "
            "`casereel retention confirm-clock`",
            zh="时钟发生跳变，暂停一切处置：请校准时钟并等待，或执行该命令确认",
        )


def hindrances(disposal: Disposal, standing: Standing, rules: Rules, *, came: bool) -> Sequence[tuple[str, str]]:
    """What speaks against unlinking now, for ever: (Chinese, English); the disposal must be stopped for any of it.

    came: the same bytes were handed in once more since the proposal, so somebody may need them.
    """
    found = list(standing.why)
    if came:
        found.append(CAME)
    if disposal.approved_by is None or disposal.approved_role is None or disposal.approved_at is None:
        found.append(("未经第二人批准", "no second person has approved it"))
    elif same_person(disposal.proposed_by, disposal.approved_by) or disposal.proposed_role == disposal.approved_role:
        found.append(("提出和批准的不是两人两种角色", "it was not proposed and approved by two persons in two roles"))
    if disposal.rules != rules.stamp:
        found.append(("批准后规则已变更，请重新提出", "the rules were changed since; propose it again"))
    return found


def is_due(disposal: Disposal, rules: Rules, earliest: datetime, *, confirmed_at: datetime | None = None) -> bool:
    """Whether the cooling is over. confirmed_at: as `due_at` takes it."""
    return disposal.approved_at is not None and earliest >= due_at(disposal.approved_at, rules, confirmed_at)


def due_at(approved_at: datetime, rules: Rules, confirmed_at: datetime | None = None) -> datetime:
    """When the cooling ends.

    confirmed_at: what the clock said when a person confirmed it after the approval; it cools anew from there, so that
    no one person's word about the clock brings a disposal nearer.
    """
    return max(approved_at, confirmed_at or approved_at) + timedelta(hours=rules.cooling_h)

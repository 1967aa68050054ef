"""Access that somebody should ask about, by plain rules. Pure: what is found is no accusation, and each rule is named.

Not covered: who looks at a screen over another's shoulder, and what leaves on paper.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from pipeline.edges.database.events import Deed

Rule = Literal["night", "many", "outside", "refused"]
LOOKS: Final = ("view.original", "view.downloaded")
REFUSALS: Final = ("session.refused", "account.locked")
NIGHT: Final = (22, 6)  # from this hour to that, in the bureau's zone
MANY: Final = 30  # different originals in an hour: a case has some tens, and each is watched
HOUR: Final = timedelta(hours=1)
OUTSIDE: Final = 5  # looks in a day at cases that the person never opened; fewer come by any search
REFUSED: Final = 3  # in an hour
RULES: Final[dict[Rule, tuple[str, str]]] = {
    "night": (
        f"looks between {NIGHT[0]}:00 and {NIGHT[1]:02}:00",
        f"{NIGHT[0]}:00 至次日 {NIGHT[1]:02}:00 之间查看",
    ),
    "many": (f"more than {MANY} different originals within an hour", f"一小时内查看超过 {MANY} 份不同原件"),
    "outside": (
        f"{OUTSIDE} looks or more in a day at originals of cases that the person never opened",
        f"一日内 {OUTSIDE} 次以上查看本人从未打开过的案件的材料",
    ),
    "refused": (
        f"{REFUSED} sign-ins or more refused within an hour, or an account locked",
        f"一小时内登录被拒 {REFUSED} 次以上，或账户被锁定",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one rule found of one person. seqs: the entries it is about, in order; at: of the first."""

    rule: Rule
    person: str
    at: datetime
    seqs: tuple[int, ...]


def find(
    entries: Sequence[Deed], cases: Mapping[str, frozenset[str]], opened: Mapping[str, frozenset[str]], zone: str
) -> list[Finding]:
    """Everything that the rules find, the latest first.

    entries: looks and refused sign-ins. cases: original -> keys of its cases. opened: person -> keys of the cases that
    they opened as a case.
    """
    looks: dict[str, list[Deed]] = defaultdict(list)
    refused: dict[str, list[Deed]] = defaultdict(list)
    for one in sorted(entries, key=lambda entry: (entry.at, entry.seq)):
        (looks if one.type in LOOKS else refused)[one.actor].append(one)
    found = [
        finding
        for person, its in looks.items()
        for rule in (_night(its, zone), _many(its), _outside(its, cases, opened.get(person, frozenset()), zone))
        for finding in rule
    ]
    found += [finding for its in refused.values() for finding in _refused(its)]
    return sorted(found, key=lambda one: (one.at, one.rule), reverse=True)


def _night(looks: Sequence[Deed], zone: str) -> Iterator[Finding]:
    at_home = ZoneInfo(zone)
    nights: dict[object, list[Deed]] = defaultdict(list)
    for one in looks:
        local = one.at.astimezone(at_home)
        if local.hour >= NIGHT[0] or local.hour < NIGHT[1]:
            # What is seen after midnight belongs to the night that began before.
            nights[(local - timedelta(hours=NIGHT[1])).date()].append(one)
    yield from (_finding("night", its) for its in nights.values())


def _many(looks: Sequence[Deed]) -> Iterator[Finding]:
    begun = 0
    while begun < len(looks):
        within = _within_an_hour(looks, begun)
        if len({one.original for one in within}) > MANY:
            yield _finding("many", within)
            begun += len(within)
        else:
            begun += 1


def _outside(
    looks: Sequence[Deed], cases: Mapping[str, frozenset[str]], opened: frozenset[str], zone: str
) -> Iterator[Finding]:
    at_home = ZoneInfo(zone)
    days: dict[object, list[Deed]] = defaultdict(list)
    for one in looks:
        its = cases.get(one.original or "", frozenset())
        if its and not its & opened:
            days[one.at.astimezone(at_home).date()].append(one)
    yield from (_finding("outside", its) for its in days.values() if len(its) >= OUTSIDE)


def _refused(entries: Sequence[Deed]) -> Iterator[Finding]:
    begun = 0
    while begun < len(entries):
        within = _within_an_hour(entries, begun)
        if len(within) >= REFUSED or any(one.type == "account.locked" for one in within):
            yield _finding("refused", within)
        begun += len(within)


def _within_an_hour(entries: Sequence[Deed], begun: int) -> Sequence[Deed]:
    """This one and those after it, in order of time."""
    end = bisect_left(entries, entries[begun].at + HOUR, lo=begun, key=lambda one: one.at)
    return entries[begun:end]


def _finding(rule: Rule, entries: Sequence[Deed]) -> Finding:
    first = entries[0]
    return Finding(rule=rule, person=first.actor, at=first.at, seqs=tuple(one.seq for one in entries))

"""What the clerk's screen says: one sentence, what needs a hand, what is on its way, and the list of arrivals.

A person is told of arrivals that they may know of, of their own uploads, and of what was refused or waits in folders
that name no case hidden from them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indexer.document import device_of, officer_of, tells_maker
from indexer.figures.numbering import Numbering
from indexer.persons.masking import masked
from indexer.web.receiving import UPLOAD
from pipeline.case_numbers import comparable, parse
from pipeline.custody.refusals import Told, told_of
from pipeline.edges.database import arrivals, drops, registers
from pipeline.edges.database.arrivals import Came, Narrowed
from pipeline.edges.database.drops import Drop
from pipeline.edges.storage.uploads import Upload
from pipeline.errors import BadInput
from pipeline.holes import Hole
from pipeline.records import CaseLink, Words
from pipeline.rules import name_profiles

if TYPE_CHECKING:
    from indexer.web.desk import Desk

# What a clerk can ask or mend: how late, what is missing beside it, its clock, how it came. The rest is of its content.
OF_INTAKE: Final = (
    "late_", "clock_", "sequence_", "missing", "drop_", "not_on_list", "not_as_listed", "from_archive", "time_",
    "empty", "extension_mismatch", "hard_links", "holes", "incomplete", "mtime_in_future", "truncated", "zero_tail",
)  # fmt: skip

NOT_TOLD: Final = Words("the operators' log says why", "未能接收，原因见运维日志")
KEPT_S: Final = 10.0
MANY: Final = 5_000  # arrivals; fewer are counted anew each time
CLOCKS: Final = ("clock_eight_hours", "clock_zone_other", "sequence_conflict", "mtime_in_future")
# Of its time, and nothing that a clerk can mend: told of where somebody asks.
ASIDE: Final = frozenset(("clock_zone_unknown", "time_unknown", "time_conflict", "time_by_order"))


class Kept:
    """Figures that take long to count, for a few seconds: pages that follow what arrives do not count each time."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[float, Any]] = {}

    def of(self, key: Any, count: Callable[[], Any]) -> Any:
        """What was counted last, or is counted now."""
        at, found = self._kept.get(key, (-KEPT_S, None))
        if time.monotonic() - at >= KEPT_S:
            found = count()
            self._kept = {one: its for one, its in self._kept.items() if time.monotonic() - its[0] < KEPT_S}
            self._kept[key] = (time.monotonic(), found)
        return found

    def forget(self) -> None:
        """Everything is counted anew, for somebody changed it."""
        self._kept = {}


@dataclass(frozen=True, kw_only=True)
class Sum:
    """The sentence's figures. received: all the others together; unlinked: of what is safe."""

    safe: int
    way: int
    needs: int
    unlinked: int
    proposed: int
    late: int

    @property
    def received(self) -> int:
        return self.safe + self.way + self.needs


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A path that was refused. key: to try it again; near: the path below its watched folder, masked; is_there:
    whether it still lies there, None where unknown."""

    key: str
    path: str
    near: str
    at: datetime
    told: Told
    is_there: bool


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A file that is seen and not yet taken in. near: its path below the watched folder, masked."""

    path: str
    near: str
    why: str
    why_zh: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """An arrival as the list shows it. twin: the arrival that the same bytes first came by; recorded_by: the device and
    officer, on a receipt."""

    came: Came
    name: str
    way: str
    links: tuple[CaseLink, ...]
    caveats: tuple[tuple[str, str, str], ...]
    twin: Came | None = None
    recorded_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Screen:
    """All of it. after: where the next page begins; more: waiting files beyond those that are named."""

    sum: Sum
    refused: Sequence[Refused]
    broken: Sequence[Row]
    lists: Sequence[Drop]
    uploads: Sequence[Upload]
    waiting: Sequence[Waiting]
    more: int
    watched: Sequence[Mapping[str, Any]]
    rows: Sequence[Row]
    after: str | None


def screen(desk: Desk, which: Narrowed, kept: Kept, *, before: str | None, limit: int) -> Screen:
    """What this person is told. Without a `since` it is of all times."""
    hidden = _Hidden(desk)
    period = Narrowed(since=which.since)
    watched, waiting, beyond = _waiting(desk, hidden)
    uploads = desk.uploads().unfinished(desk.actor)
    with desk.catalog.snapshot() as connection:
        refused = list(_refused(desk, arrivals.refused_since(connection, which.since, desk.settings.watched), hidden))
        lists = [one for one in hidden.lists(drops.drops(connection)) if _needs(one, which.since)]
        rows, after = _page(connection, which, before, limit, hidden)
        broken, _ = _page(connection, Narrowed(since=which.since, only="broken"), None, limit, hidden)

        def counted(only: arrivals.Only) -> int:
            return arrivals.count(connection, Narrowed(since=period.since, only=only), hidden.originals)

        def lately(only: arrivals.Only) -> int:
            if every < MANY:
                return counted(only)
            return int(kept.of((only, period.since, hidden.of), lambda: counted(only)))

        every = counted("")
        stuck = [one for one in uploads if one.state in ("interrupted", "refused")]
        summed = Sum(
            safe=every - counted("broken"), way=len(waiting) + beyond + len(uploads) - len(stuck),
            needs=len([one for one in refused if one.is_there]) + len(broken) + len(lists) + len(stuck),
            unlinked=lately("unlinked"), proposed=lately("proposed"), late=lately("late"),
        )  # fmt: skip
        return Screen(
            sum=summed, refused=refused, broken=_rows(connection, broken, hidden), lists=lists, uploads=uploads,
            waiting=waiting, more=beyond, watched=watched, rows=_rows(connection, rows, hidden), after=after,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Unsafe:
    """What is announced or lies there and is not in custody. lists: (list, names of what did not come, how many);
    more: waiting files beyond those that are named."""

    refused: Sequence[Refused]
    waiting: Sequence[Waiting]
    more: int
    lists: Sequence[tuple[Drop, Sequence[str], int]]


def unsafe(desk: Desk) -> Unsafe:
    """What of all times is not safe yet, as this person may know of it."""
    hidden = _Hidden(desk)
    _, waiting, more = _waiting(desk, hidden)
    with desk.catalog.snapshot() as connection:
        refused = list(_refused(desk, arrivals.refused_since(connection, None, desk.settings.watched), hidden))
        found = drops.drops(connection)
    lists = [
        (one, [masked(name) for name in one.told.get("missing_names", ())], int(one.told.get("missing", 0)))
        for one in hidden.lists(found) if one.state != "complete"
    ]  # fmt: skip
    return Unsafe(refused=[one for one in refused if one.is_there], waiting=waiting, more=more, lists=lists)


def _waiting(desk: Desk, hidden: _Hidden) -> tuple[list[Mapping[str, Any]], list[Waiting], int]:
    """(watched folders, files that wait, how many more do) as the watchers say it."""
    said = desk.at_intake()
    watched = [root for one in said for root in one["watchers"]]
    waits = [told for one in said for told in one.get("waiting", ())]
    named = [Waiting(path=path, near=masked(_near(desk, path)), why=why, why_zh=zh) for path, why, zh in waits]
    beyond = sum(int(root.get("waiting", 0)) for root in watched) - len(named)
    return watched, [one for one in named if not hidden.names(one.path)], max(beyond, 0)


def receipt(desk: Desk, which: Narrowed, *, first: int, limit: int) -> tuple[list[Row], list[Refused], int]:
    """The arrivals that this person may know of, oldest first, without links and caveats, what was refused, and how
    many arrivals there are."""
    hidden = _Hidden(desk)
    with desk.catalog.snapshot() as connection:
        found = arrivals.oldest(connection, which, skip=first, limit=limit)
        came = [one for one in found if one.original not in hidden.of]
        twins = arrivals.twins(connection, [one.original for one in came if one.status == "duplicate"])
        refused = list(_refused(desk, arrivals.refused_since(connection, which.since, desk.settings.watched), hidden))
        root = desk.settings.watched.get(which.source or "")
        place = str(root / which.folder if root and which.folder else root or "")
        its = [one for one in refused if (which.until is None or one.at < which.until) and one.path.startswith(place)]
        count = arrivals.count(connection, which, hidden.originals)
    by = {
        one.original.id: " · ".join(said for said in (device_of(one), officer_of(one)) if said)
        for one in desk.catalog.told_of_many(sorted({one.original for one in came}), tells_maker)
    }
    rows = [
        Row(came=one, name=masked(one.name), way=way_of(one.source), links=(), caveats=(),
            twin=twins.get(one.original) if one.status == "duplicate" else None, recorded_by=by.get(one.original, ""))
        for one in came
    ]  # fmt: skip
    return rows, its if which.source is None or root else [], count


def refused_again(desk: Desk, key: str) -> str:
    """The refused path is tried once more; why it was refused again, '' where it was not.

    Raises BadInput where no such path of a watched folder was refused.
    """
    hidden = _Hidden(desk)
    with desk.catalog.snapshot() as connection:
        raw = arrivals.refused_path(connection, key)
    path = Path(os.fsdecode(raw or b""))
    root = next(((name, one) for name, one in desk.settings.watched.items() if path.is_relative_to(one)), None)
    if raw is None or root is None or hidden.names(str(path)):
        raise BadInput("There is no such refused file", zh="没有此未收文件")
    return desk.take_in(path, root[1], root[0]).reason or ""


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What somebody should ask about. clocks: by what is odd, original, name, text, text in Chinese."""

    holes: Sequence[Hole]
    clocks: Mapping[str, Sequence[tuple[str, str, str, str]]]


def checks(desk: Desk, numbering: Numbering, since: datetime | None, limit: int) -> Checks:
    """Numbers that are missing among the files of a device, and clocks that somebody should look at.

    What this person may not know of accounts for its number, and stands beside no hole.
    """
    hidden = _Hidden(desk)
    with desk.catalog.snapshot() as connection:
        clocks = arrivals.questioned(connection, since, CLOCKS, limit)
        recent = None if since is None else arrivals.originals_since(connection, since)
    found = [
        one for one in numbering.holes(desk.catalog, name_profiles(desk.settings.home))
        if hidden.of.isdisjoint({one.before.original, one.after.original})
        and (recent is None or not recent.isdisjoint({one.before.original, one.after.original}))
    ]  # fmt: skip
    by_code: dict[str, list[tuple[str, str, str, str]]] = {}
    for one, name, code, text, zh in clocks:
        if one not in hidden.of:
            by_code.setdefault(code, []).append((one, masked(name), *hidden.unnamed.caveat(code, text, zh)))
    return Checks(holes=found[:limit], clocks=by_code)


class _Hidden:
    """What this person may not know of."""

    def __init__(self, desk: Desk) -> None:
        sight = desk.sight()
        self.of, self.cases, self.unnamed, self.links = sight.unseen, sight.hidden_cases, sight.unnamed, sight.links
        self.originals = sorted(self.of)

    def is_named(self, path: str) -> bool:
        """Whether the path, as a list writes it, is one of a file or a case that this person may not know of."""
        return self.names(path) or self.unnamed.tells(path)

    def names(self, path: str) -> bool:
        """Whether the path names a hidden case."""
        parts = path.split("/") if self.cases else ()
        keys = {comparable(part) for part in parts}
        keys |= {comparable(one.printed) for part in parts for one in parse(part)}
        return not self.cases.isdisjoint(keys)

    def caveat(self, caveat: tuple[str, str, str]) -> tuple[str, str, str]:
        """Code, text, text in Chinese, as this person may read them."""
        return (caveat[0], *self.unnamed.caveat(*caveat))

    def lists(self, found: Iterable[Drop]) -> list[Drop]:
        """Those that this person may know of, as they may."""
        seen = (one for one in found if one.manifest not in self.of and not self.names(f"{one.folder}/{one.name}"))
        return [self.drop(one) for one in seen]

    def drop(self, drop: Drop) -> Drop:
        """The list without what this person may not know of: neither names, nor counted, nor a fault of the list."""
        told, left_out = dict(drop.told), 0
        for sort in ("missing", "wrong", "extra"):
            names = list(told.get(f"{sort}_names", ()))
            kept = [one for one in names if not self.is_named(one)]
            if len(kept) < len(names):
                gone = len(names) - len(kept)
                told |= {sort: max(0, int(told.get(sort, 0)) - gone), f"{sort}_names": kept}
                left_out += gone if sort != "extra" else 0
        if not left_out:
            return replace(drop, told=told)
        state = "wrong" if told.get("wrong") else "incomplete" if told.get("missing") else "complete"
        state = drop.state if drop.state == "waiting" else state
        return replace(drop, told={**told, "state": state}, state=state, listed=max(0, drop.listed - left_out))


def _page(
    connection: Any, which: Narrowed, before: str | None, limit: int, hidden: _Hidden
) -> tuple[list[Came], str | None]:
    """One page, and the identifier that the next begins behind."""
    found: list[Came] = []
    while len(found) <= limit:
        some = arrivals.page(connection, which, before=before, limit=limit + 1)
        found += [one for one in some if one.original not in hidden.of]
        if len(some) <= limit:
            break
        before = some[-1].id
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def _rows(connection: Any, came: Sequence[Came], hidden: _Hidden) -> list[Row]:
    ids = list(dict.fromkeys(one.original for one in came))
    links, told = registers.links_among(connection, ids), arrivals.caveats(connection, ids)
    twins = arrivals.twins(connection, [one.original for one in came if one.status == "duplicate"])
    return [
        Row(
            came=one, name=masked(one.name), way=way_of(one.source),
            links=hidden.links(link for link in links.get(one.original, ()) if link.status != "refused"),
            caveats=tuple(
                hidden.caveat(caveat) for caveat in told.get(one.original, ()) if caveat[0].startswith(OF_INTAKE)
            ),
            twin=twins.get(one.original) if one.status == "duplicate" else None,
        )
        for one in came
    ]  # fmt: skip


def _refused(desk: Desk, found: Sequence[tuple[str, drops.Rejected]], hidden: _Hidden) -> Iterator[Refused]:
    sent = str(desk.settings.home / "uploads") + os.sep
    for key, one in found:
        if one.path.startswith(sent) or hidden.names(one.path):
            continue
        told = told_of(one.reason)
        # A reason that has no words of ours is shown as it is, and may name another file.
        if hidden.unnamed.tells(told.why):
            told = told._replace(why=NOT_TOLD.en, why_zh=NOT_TOLD.zh)
        # A share that does not answer must not hold up the page: only the home's own inbox is looked into.
        near = Path(one.path).is_relative_to(desk.settings.inbox)
        yield Refused(
            key=key, path=one.path, near=masked(_near(desk, one.path)), at=one.at, told=told,
            is_there=not near or os.path.lexists(one.path),
        )  # fmt: skip


def _near(desk: Desk, path: str) -> str:
    """The path below the watched folder that holds it, as whoever put it there knows it."""
    below = [str(root) + os.sep for root in desk.settings.watched.values() if path.startswith(str(root) + os.sep)]
    return path.removeprefix(max(below, key=len, default=""))


def _needs(one: Drop, since: datetime | None) -> bool:
    return one.state in ("incomplete", "wrong") and (since is None or one.stated_at >= since)


def way_of(source: str) -> str:
    """`inbox`, `upload`, `folder` or `card`: how it came, for words."""
    if source.startswith(UPLOAD):
        return "upload"
    return "folder" if source.startswith("folder:") else "inbox" if source == "inbox" else "card"

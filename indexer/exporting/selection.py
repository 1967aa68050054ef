"""Which originals a package holds: those of one case, with their sidecars, in the order they were recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from indexer.document import keys_of_link
from indexer.exporting.names import name_in_bag, number_of
from indexer.words import analysis
from pipeline import case_numbers
from pipeline.custody.refusals import told_of
from pipeline.errors import BadInput
from pipeline.records import Arrival, CaseLink, Derivative, Known, worded

What = Literal["proposed", "withheld", "gone", "broken", "disposed", "in_progress", "rejected", "no_proxy", "awaited"]


class Cases(Protocol):
    """What a selection asks of the catalog."""

    def cases_linked(self) -> dict[str, str]: ...
    def linked_to(self, case_key: str) -> dict[str, str]: ...
    def known_of_many(self, ids: Sequence[str]) -> list[Known]: ...
    def at_work(self, ids: Sequence[str]) -> set[str]: ...
    def arrivals(self, *, limit: int | None = None, status: str | None = None) -> list[Arrival]: ...


@dataclass(frozen=True)
class Case:
    """The case a package is about. key: its number's comparable form; printed: as bureaus print it."""

    key: str
    printed: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of the package. number: its place in the list; of: the number of the recording a sidecar belongs to."""

    number: str
    name: str
    known: Known
    link: CaseLink | None
    of: str | None = None


@dataclass(frozen=True, kw_only=True)
class Missing:
    """One thing of the case that the package does not hold, or does not hold as it will be."""

    what: What
    name: str
    original: str | None = None
    sha256: str | None = None
    detail: str = ""
    detail_zh: str = ""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """parts: what goes into the package; missing: what does not, or not yet as it will be."""

    case: Case
    parts: tuple[Part, ...]
    missing: tuple[Missing, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted digests of the parts: what an approval approves."""
        return digest_over(part.known.original.sha256 for part in self.parts)

    @property
    def size_bytes(self) -> int:
        """Bytes of all parts together."""
        return sum(part.known.original.size_bytes for part in self.parts)


def digest_over(digests: Iterable[str]) -> str:
    """SHA-256 over these digests, sorted, one a line."""
    return hashlib.sha256("".join(sorted(f"{one}\n" for one in digests)).encode()).hexdigest()


def case_of(said: str, catalog: Cases, hidden: Container[str] = frozenset()) -> Case:
    """The one case that a person means by this number, in any writing.

    hidden: numbers of cases that the person may not know of; they are not there. Raises BadInput where no case or
    several carry it.
    """
    key = case_numbers.key_of(analysis.readable(said)) or case_numbers.comparable(said)
    linked = {one: printed for one, printed in catalog.cases_linked().items() if one not in hidden}
    if key in linked:
        return Case(key, linked[key])
    shorter = [Case(one, printed) for one, printed in linked.items() if key in _keys(one, printed)]
    if len(shorter) == 1:
        return shorter[0]
    if shorter:
        named = "、".join(sorted(case.printed for case in shorter))
        raise BadInput(
            f"'{said}' may mean several cases ({named}): give the whole number",
            zh=f"“{said}”可能指多个案件（{named}）：请写完整案号",
            found=named,
        )
    raise BadInput(
        f"Nothing in custody is linked to the case '{said}': look with `casereel search --case`",
        zh=f"没有关联到案件“{said}”的原件：请用 casereel search --case 查找",
        found=said,
    )


def _keys(key: str, printed: str) -> set[str]:
    return keys_of_link(CaseLink(case=printed, case_key=key, method="", score=0.0, why=""))


def select(
    case: Case,
    catalog: Cases,
    *,
    with_proposed: bool,
    with_proxies: bool,
    disposed: Callable[[str], str | None],
    may_view: Callable[[Known], bool],
    as_seen: Callable[[Sequence[Known]], list[Known]] = list,
    tells: Callable[[str], bool] = lambda _: False,
    awaited: Callable[[Sequence[str]], Iterable[tuple[str, str]]] = lambda _: (),
) -> Selection:
    """What of the case goes into a package, and what is missing of it.

    disposed: why the original with this digest was disposed of, None where it was not.
    awaited: (name, which list names it) of files that lists among these originals name and that never came.
    may_view: whether this person may see this original. as_seen: what is known of these, as they may know it; tells:
    whether a text names what they may not know of.
    """
    statuses = catalog.linked_to(case.key)
    knowns = catalog.known_of_many(sorted(statuses))
    viewed = as_seen([one for one in knowns if may_view(one)])
    withheld = len(viewed) < len(knowns)
    missing = [one for one in _rejected(case, catalog) if not tells(one.name) and not tells(one.detail)]
    chosen: list[Known] = []
    for known in viewed:
        original = known.original
        if (why := disposed(original.sha256)) is not None:
            missing.append(_of(known, "disposed", why))
        elif statuses[original.id] == "proposed" and not with_proposed:
            why, why_zh = ("; ".join(_whys(known, case, lang)) for lang in ("en", "zh"))
            missing.append(_of(known, "proposed", why, why_zh))
        else:
            chosen.append(known)
    if withheld:
        # That it is not all must be said in the package; what it is, and how much, must not.
        missing.append(Missing(what="withheld", name=""))
    groups = _grouped(chosen)
    count = sum(len(group) for group in groups)
    parts = tuple(_numbered(groups, count, case))
    ids = [part.known.original.id for part in parts]
    busy = catalog.at_work(ids) | {p.known.original.id for p in parts if p.known.original.state == "received"}
    missing += [_of(part.known, "in_progress") for part in parts if part.known.original.id in busy]
    missing += [Missing(what="awaited", name=name, detail=listed) for name, listed in awaited(ids) if not tells(name)]
    if with_proxies:
        missing += [
            _of(part.known, "no_proxy") for part in parts if needs_proxy(part.known) and not proxy_of(part.known)
        ]
    return Selection(case=case, parts=parts, missing=tuple(missing))


def proxy_of(known: Known) -> Derivative | None:
    """The viewing copy of a recording, where one was made."""
    return next((one for one in known.derivatives if one.role in ("proxy", "view")), None)


def needs_proxy(known: Known) -> bool:
    """Whether a viewing copy is made of such a file at all."""
    return known.original.kind in ("video", "audio", "photo")


def _of(known: Known, what: What, detail: str = "", detail_zh: str = "") -> Missing:
    original = known.original
    return Missing(
        what=what, name=original.name, original=original.id, sha256=original.sha256, detail=detail, detail_zh=detail_zh
    )


def _whys(known: Known, case: Case, lang: str) -> Iterator[str]:
    return (worded(link, "why", lang) for link in known.links if link.case_key == case.key)


def _grouped(chosen: Sequence[Known]) -> list[list[Known]]:
    """Each recording followed by its sidecars, by the time it was recorded, those without a time last."""
    attached = {sidecar.original.id for known in chosen for sidecar in known.sidecars}
    leaders = [known for known in chosen if known.original.id not in attached]
    return [[known, *known.sidecars] for known in sorted(leaders, key=_when)]


def _when(known: Known) -> tuple[bool, datetime, str]:
    return known.time is None, known.time.start_at if known.time else known.original.accepted_at, known.original.id


def _numbered(groups: Iterable[Sequence[Known]], count: int, case: Case) -> Iterator[Part]:
    position = 0
    for leader, *sidecars in groups:
        first = number_of(position + 1, count)
        for known in (leader, *sidecars):
            position += 1
            number = number_of(position, count)
            yield Part(
                number=number,
                name=name_in_bag(number, known.original),
                known=known,
                link=next((link for link in known.links if link.case_key == case.key), None),
                of=None if known is leader else first,
            )


def _rejected(case: Case, catalog: Cases) -> Iterator[Missing]:
    """What was handed over for this case and could not be taken in."""
    for arrival in catalog.arrivals(status="rejected"):
        said = [arrival.stated.case or "", f"{arrival.folder}/{arrival.name}"]
        keys = {number.key for text in said for number in case_numbers.parse(analysis.readable(text))}
        if case.key in keys or case_numbers.comparable(said[0] or "-") == case.key:
            reason = arrival.reason or ""
            yield Missing(what="rejected", name=arrival.name, detail=reason, detail_zh=told_of(reason).why_zh)

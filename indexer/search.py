"""Finding: what a reviewer typed and filtered by, as a page of hits with their facts and the words that were found.

Loads neither an index library nor a query parser until something is sought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from indexer import access
from indexer.access import Reviewer
from indexer.asking import paging
from indexer.document import (
    Passage,
    cases_of,
    device_of,
    duration_of,
    ms_of,
    numbers_in,
    officer_of,
    passages_of,
    recording_of,
)
from indexer.persons.masking import masked
from indexer.tree import FACET_FIELDS, All, During, Either, Exact, Node, Not, keys_of, times_of, words_of
from indexer.words import analysis, pinyin
from indexer.words.moments import Interval, interval_of
from pipeline import case_numbers
from pipeline.errors import BadInput
from pipeline.records import Known, Restriction
from pipeline.states import KINDS

if TYPE_CHECKING:
    from indexer.asking.paging import Leaf
    from indexer.contract import Asked, Match, Sort
    from indexer.follower import Follower

# Characters of text around the first words found, in a snippet.
_BEFORE, _SNIPPET = 16, 80
MOST_HITS = 10_000
# Shown with one hit: texts with their second or page, and other files of its recording.
MOST_MOMENTS, MOST_OTHERS = 10, 20
# Values of each facet that are given with their counts.
MOST_VALUES = 100


class KnownOriginals(Protocol):
    """What a search asks of the catalog."""

    def known_of_many(self, ids: Sequence[str], *, filed: bool = False) -> list[Known]: ...

    def restrictions_on(self, ids: Sequence[str]) -> Mapping[str, tuple[Restriction, ...]]: ...


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What narrows a search, as people write it; None leaves it open.

    start, end: words about time (`2021-08`, `8月3日上午`), the end included. sort: `score`, `time`, `-time` (latest
    first); None is by score. Where no words were typed all score alike, and the latest come first. after: the cursor
    of the page before. group: a hit a logical recording, the best of its files, with the others in it. facets: what is
    counted by value.
    """

    case: str | None = None
    party: str | None = None
    device: str | None = None
    officer: str | None = None
    kind: str | None = None
    stage: str | None = None
    place: str | None = None
    start: str | None = None
    end: str | None = None
    has_gap: bool = False
    unlinked: bool = False
    limit: int = 20
    offset: int = 0
    sort: str | None = None
    after: str | None = None
    group: bool = False
    facets: tuple[str, ...] = FACET_FIELDS


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A text in which words were found. at_s: the second it is spoken or shown; page: it stands on."""

    field: str
    at_s: float | None
    page: int | None
    snippet: str
    marks: tuple[tuple[int, int], ...]

    def as_json(self) -> dict[str, Any]:
        """The fields of a moment on the command line."""
        return {
            "field": self.field, "at_s": self.at_s, "page": self.page,
            "snippet": marked(self.snippet, self.marks, "«", "»"),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One original found. snippet: text as it stands; marks: where in it the words are that were found.

    at_s: the second to play from, of the first words found that are spoken or shown, else where the time asked for
    begins; page: the first with the words. moments: all such, up to a few. recording: the logical recording it is
    a part of; others: its other files that were found, where hits are grouped, and of them at most a few; found: how
    many there are with this one.
    """

    original: str
    name: str
    kind: str
    state: str
    start_at: datetime | None
    end_at: datetime | None
    time_uncertainty_s: float | None
    cases: tuple[str, ...]
    device: str | None
    officer: str | None
    duration_s: float | None
    score: float
    snippet: str
    marks: tuple[tuple[int, int], ...]
    at_s: float | None = None
    page: int | None = None
    moments: tuple[Moment, ...] = ()
    recording: str = ""
    others: tuple[Hit, ...] = ()
    found: int = 1

    def as_json(self) -> dict[str, Any]:
        """The fields of a search hit on the command line; the words found stand between « and »."""
        return {
            "original": self.original,
            "name": self.name,
            "kind": self.kind,
            "start": self.start_at.isoformat() if self.start_at else None,
            "end": self.end_at.isoformat() if self.end_at else None,
            "time_uncertainty_s": self.time_uncertainty_s,
            "cases": list(self.cases),
            "device": self.device,
            "officer": self.officer,
            "duration_s": self.duration_s,
            "score": round(self.score, 4),
            "snippet": marked(self.snippet, self.marks, "«", "»"),
            "state": self.state,
            "at_s": self.at_s,
            "page": self.page,
            "moments": [moment.as_json() for moment in self.moments],
            "recording": self.recording,
            "found": self.found,
            "others": [other.as_json() for other in self.others],
        }


@dataclass(frozen=True, kw_only=True)
class Page:
    """What was found, and what was understood.

    searched: documents in the index, out of `of`; behind: originals it does not hold as they are now; all of them such
    as the person may see. after: the cursor of the next page, None where this is the last. facets: field -> value ->
    hits, the commonest first; cut: fields that have more values than are given.
    """

    hits: tuple[Hit, ...]
    total: int
    understood: str
    searched: int
    of: int
    behind: int
    after: str | None = None
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    cut: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """What is to be said of all hits together, as the command line gives it."""
        return {
            "total": self.total,
            "searched": self.searched,
            "of": self.of,
            "waiting": self.behind,
            "after": self.after,
            "facets": {name: dict(counts) for name, counts in self.facets.items()},
            "facets_cut": list(self.cut),
        }


def search(
    reviewer: Reviewer,
    text: str,
    filters: Filters,
    *,
    follower: Follower,
    catalog: KnownOriginals,
    zone: str,
    now: datetime,
    lang: str = "zh",
) -> Page:
    """The hits this person may see, with times in this zone.

    now: an aware instant, for words like 昨天. The index follows the catalog first. Raises NotAllowed, BadInput where
    a filter cannot be read.
    """
    from indexer.contract import Asked
    from indexer.query import Query, explain, parse

    access.require(reviewer, "search")
    today = now.astimezone(ZoneInfo(zone)).date()
    query = parse(text, today=today, zone=zone)
    wanted = _filtered(filters, today=today, zone=zone)
    told = All((*([query.node] if query.typed else []), *wanted))
    asked = Asked(
        node=All((*told.parts, access.visible(reviewer), *_shown(filters))),
        limit=min(max(filters.limit, 0), MOST_HITS),
        offset=max(filters.offset, 0),
        sort=_sort_of(filters, has_words=bool(words_of(query.node))),
        facets=filters.facets,
        # One more tells whether there are others.
        most_values=MOST_VALUES + 1,
    )
    question = paging.question_of(asked.node, asked.sort, filters.group)
    cursor = paging.cursor_of(filters.after, question)
    follower.follow_for_search()
    behind, seen = seen_in_index(reviewer, follower, catalog)
    asked = replace(asked, node=All((asked.node, seen)))
    leaf = paging.turn(follower.search, asked, cursor, grouped=filters.group)
    rest = _rest(follower, asked, leaf) if filters.group else {}
    hits = _Hits(reviewer, told, catalog, ZoneInfo(zone))
    searched = follower.count(seen)
    return Page(
        hits=hits.of(leaf.first, rest),
        total=leaf.found.total,
        understood=explain(Query(text, told), zone=zone, lang=lang),
        searched=searched,
        of=searched + min(follower.unknown(behind), len(behind)),
        behind=len(behind),
        after=leaf.after.written() if leaf.after else None,
        facets={name: dict(sorted(counts.items(), key=_by_count)[:MOST_VALUES])
                for name, counts in leaf.found.facets.items()},
        cut=tuple(name for name, counts in leaf.found.facets.items() if len(counts) > MOST_VALUES),
    )  # fmt: skip


def seen_in_index(reviewer: Reviewer, follower: Follower, catalog: KnownOriginals) -> tuple[list[str], Node]:
    """The originals not yet in the index as they are that this person may see, and all that they may see in it.

    What was restricted since the index last followed is left out by its name.
    """
    behind = follower.behind()
    restricted = catalog.restrictions_on(behind) if behind else {}
    hidden = [one for one in restricted if not access.sees(reviewer, restricted[one])]
    seen = access.visible(reviewer)
    if hidden:
        seen = All((seen, Not(Either(tuple(Exact("digests", one.lower()) for one in hidden)))))
    closed = set(hidden)
    return [one for one in behind if one not in closed], seen


def _rest(follower: Follower, asked: Asked, leaf: Leaf) -> dict[str, list[Match]]:
    """Recording -> its files that were found, in the order of time."""
    from indexer.contract import Asked

    its = Either(tuple(Exact("recording", match.recording) for match in leaf.first))
    whole = follower.search(Asked(node=All((asked.node, its)), sort="time", limit=MOST_HITS)) if leaf.first else None
    rest: dict[str, list[Match]] = {}
    for match in whole.hits if whole else ():
        rest.setdefault(match.recording, []).append(match)
    return rest


def tree_of(text: str, filters: Filters, *, zone: str, now: datetime) -> Node:
    """What is asked for, as `search` asks the index. Raises BadInput where a filter cannot be read."""
    from indexer.query import parse

    today = now.astimezone(ZoneInfo(zone)).date()
    query = parse(text, today=today, zone=zone)
    _sort_of(filters, has_words=True)
    typed = [query.node] if query.typed else []
    return All((*typed, *_filtered(filters, today=today, zone=zone), *_shown(filters)))


def _by_count(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]


def _shown(filters: Filters) -> tuple[Node, ...]:
    """Sidecars are found through the recording they belong to; by themselves only when asked for by kind."""
    return () if filters.kind == "sidecar" else (Not(Exact("flags", "attached")),)


def _sort_of(filters: Filters, *, has_words: bool) -> Sort:
    match filters.sort:
        case None | "score":
            return "score" if has_words else "-time"
        case "time" | "-time" as by_time:
            return by_time
        case other:
            raise BadInput(
                f"Hits can be sorted by score, time or -time, not by '{other}'",
                zh=f"结果可按 score、time 或 -time 排序，不能按“{other}”",
                sort=other,
            )


def _filtered(filters: Filters, *, today: date, zone: str) -> list[Node]:
    nodes: list[Node] = []
    if filters.case:
        nodes.append(_of_case(filters.case))
    for name in ("party", "officer", "stage", "place"):
        if value := getattr(filters, name):
            nodes.append(_words(value, name))
    if filters.device:
        nodes.append(_of_device(filters.device))
    if filters.kind:
        if filters.kind not in KINDS:
            raise BadInput(
                f"A kind is one of {', '.join(KINDS)}, not '{filters.kind}'",
                zh=f"类型应为 {'、'.join(KINDS)} 之一，不能是“{filters.kind}”",
                kind=filters.kind,
            )
        nodes.append(Exact("kind", filters.kind))
    if filters.start or filters.end:
        nodes.append(_during(filters, today=today, zone=zone))
    nodes += [Exact("flags", name) for name in ("has_gap", "unlinked") if getattr(filters, name)]
    return nodes


def _of_case(number: str) -> Node:
    """By its key where it can be read as a case number, else by the words of the numbers it is linked to."""
    key = case_numbers.key_of(analysis.readable(number))
    return Exact("case_keys", key, typed=number) if key else _words(number, "case")


def _of_device(name: str) -> Node:
    key = analysis.key_of(name)
    words = _words(name, "device")
    return Either((words, Exact("keys", key, typed=name))) if key else words


def _words(text: str, name: str) -> Node:
    from indexer import query

    found = query.words_of_party(text) if name == "party" else query.words_in(text, name)
    return found or Either()


def _during(filters: Filters, *, today: date, zone: str) -> Node:
    first, last = interval_said(filters.start, today, zone), interval_said(filters.end, today, zone)
    start_ms = ms_of(first.start_at) if first and first.start_at else None
    end_ms = _end_ms(last) if last else None
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise BadInput(
            f"The time from {filters.start} lies after {filters.end}",
            zh=f"起始时间 {filters.start} 晚于 {filters.end}",
            start=filters.start,
            end=filters.end,
        )
    return During(start_ms, end_ms)


def _end_ms(last: Interval) -> int | None:
    """Where it ends; a single moment lies within."""
    if last.end_at is None:
        return None
    return max(ms_of(last.end_at), ms_of(last.start_at) + 1 if last.start_at else 0)


def interval_said(text: str | None, today: date, zone: str) -> Interval | None:
    """What the words mean, a bare year included; None where none were written."""
    if not text:
        return None
    plain = text.strip()
    interval = interval_of(f"{plain}年" if plain.isdigit() else plain, today=today, zone=zone)
    if interval is None:
        raise BadInput(
            f"'{text}' is not a time; write it like 2021-08-03 or 2021-08-03 09:30",
            zh=f"“{text}”不是时间：请写成 2021-08-03 或 2021-08-03 09:30",
            time=text,
        )
    return interval


class _Hits:
    """Makes hits of what the index found."""

    def __init__(self, reviewer: Reviewer, node: Node, catalog: KnownOriginals, zone: ZoneInfo) -> None:
        self._reviewer, self._catalog, self._zone = reviewer, catalog, zone
        sought = (analysis.Phrase(words.tokens, words.last_is_prefix) for words in words_of(node) if words.tokens)
        self._sought = list(dict.fromkeys(sought))
        keys = keys_of(node)
        self._keys = frozenset(key.value for key in keys if key.field != "pinyin")
        self._spelt = frozenset(key.value for key in keys if key.field == "pinyin")
        self._from_ms = max((found.from_ms for found in times_of(node) if found.from_ms is not None), default=None)

    def of(self, first: Sequence[Match], rest: Mapping[str, Sequence[Match]]) -> tuple[Hit, ...]:
        """A hit for each of these, with the others of its recording."""
        others = {match.id: self._others(match, rest.get(match.recording, ())) for match in first}
        wanted = list(dict.fromkeys([*others, *(other.id for found in others.values() for other in found)]))
        knowns = {one.original.id: one for one in self._catalog.known_of_many(wanted, filed=True)} if wanted else {}
        seen = {name for name, known in knowns.items() if access.may(self._reviewer, "view", known)}
        named = self._recordings([knowns[one] for one in wanted if one in seen])
        return tuple(
            replace(
                self._hit(knowns[match.id], match.score, named),
                others=tuple(self._hit(knowns[one.id], one.score, named) for one in others[match.id] if one.id in seen),
                found=max(1, len(rest.get(match.recording, ()))),
            )
            for match in first
            if match.id in seen
        )

    def _recordings(self, knowns: Sequence[Known]) -> dict[str, str]:
        """Recording -> how it is called here: after its first file that this person may know of."""
        files: dict[str, list[str]] = {}
        for one in knowns:
            files.setdefault(recording_of(one), []).append(one.original.id)
        # A recording is called after a file of its own.
        elsewhere = sorted(name for name, its in files.items() if name not in its)
        closed = self._catalog.restrictions_on(elsewhere) if elsewhere else {}
        hidden = {name for name, its in closed.items() if not access.sees(self._reviewer, its)}
        return {name: min(its) if name in hidden else name for name, its in files.items()}

    def _others(self, match: Match, found: Sequence[Match]) -> list[Match]:
        return [one for one in found if one.id != match.id][:MOST_OTHERS]

    def _hit(self, known: Known, score: float, named: Mapping[str, str]) -> Hit:
        moments = self._moments(known)
        best = max(moments, key=lambda moment: len(moment.marks), default=None)
        timed = [moment for moment in moments if moment.at_s is not None or moment.page is not None]
        time = known.time
        return Hit(
            original=known.original.id,
            name=masked(known.original.name),
            kind=known.original.kind,
            state=known.original.state,
            start_at=time.start_at.astimezone(self._zone) if time else None,
            end_at=time.end_at.astimezone(self._zone) if time else None,
            time_uncertainty_s=time.uncertainty_s if time else None,
            cases=cases_of(known),
            device=device_of(known),
            officer=officer_of(known),
            duration_s=duration_of(known),
            score=score,
            snippet=best.snippet if best else _cut(masked(known.original.name), [])[0],
            marks=best.marks if best else (),
            at_s=next((one.at_s for one in timed if one.at_s is not None), self._asked_second(known)),
            page=next((one.page for one in timed if one.page is not None), None),
            moments=tuple(timed[:MOST_MOMENTS]),
            recording=named[recording_of(known)],
        )

    def _asked_second(self, known: Known) -> float | None:
        """The second at which the time asked for begins; None where nobody asked, or it began before the recording."""
        if self._from_ms is None or known.time is None or known.original.kind not in ("video", "audio"):
            return None
        second = (self._from_ms - ms_of(known.time.start_at)) / 1000
        return second if 0 < second < (known.time.end_at - known.time.start_at).total_seconds() else None

    def _moments(self, known: Known) -> list[Moment]:
        """Every text in which something was found, those that show more first in each field's order."""
        found = []
        passages = list(passages_of(known))
        for passage, normal in zip(passages, analysis.norms([one.text for one in passages]), strict=True):
            if marks := self._marks(passage, normal):
                # Before it is cut, for half a number would not be known as one.
                snippet, shown = _cut(masked(passage.text), marks)
                found.append(
                    Moment(field=passage.field, at_s=passage.at_s, page=passage.page, snippet=snippet, marks=shown)
                )
        return found

    def _marks(self, passage: Passage, normal: str) -> list[tuple[int, int]]:
        text = passage.text
        spans = []
        # Most lines of speech hold nothing that was sought, and the offsets of a text's letters are dear.
        if sought := analysis.possible(normal, self._sought):
            spans += analysis.spans_of(text, sought)
        if self._spelt and passage.field == "party":
            spans += [span for typed in self._spelt for span in pinyin.spans_of(text, typed)]
        if self._keys and analysis.has_digit(normal):
            spans += _key_marks(text, self._keys)
        return analysis.joined_spans(spans) if spans else []


def _key_marks(text: str, keys: frozenset[str]) -> list[tuple[int, int]]:
    """Identifiers by their place; a text that is a sought case number and little else, whole."""
    marks = analysis.key_spans(text, keys)
    if len(text) <= _SNIPPET and not keys.isdisjoint(number.key for number in numbers_in(text)):
        marks.append((0, len(text)))
    return marks


def _cut(text: str, marks: list[tuple[int, int]]) -> tuple[str, tuple[tuple[int, int], ...]]:
    first = marks[0][0] if marks else 0
    start = max(0, min(first - _BEFORE, len(text) - _SNIPPET))
    end = min(len(text), start + _SNIPPET)
    lead, tail = "…" if start else "", "…" if end < len(text) else ""
    moved = len(lead) - start
    kept = [(max(low, start) + moved, min(high, end) + moved) for low, high in marks if low < end and high > start]
    return f"{lead}{text[start:end]}{tail}", tuple(analysis.joined_spans(kept))


def marked(text: str, marks: Sequence[tuple[int, int]], before: str, behind: str) -> str:
    """The text with each marked part between the two signs."""
    done, pieces = 0, []
    for low, high in marks:
        pieces += [text[done:low], before, text[low:high], behind]
        done = high
    return "".join([*pieces, text[done:]])

"""Finding: what a reviewer typed and filtered by, as a page of hits with their facts and the words that were found.

Loads neither an index library nor a query parser until something is sought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from indexer import access, analysis
from indexer.access import Reviewer
from indexer.document import cases_of, device_of, duration_of, ms_of, numbers_in, officer_of, texts_of
from indexer.masking import masked
from indexer.moments import Interval, interval_of
from indexer.tree import FACET_FIELDS, All, During, Either, Exact, Node, Not, Words, keys_of, words_of
from pipeline import case_numbers
from pipeline.errors import BadInput
from pipeline.records import Known
from pipeline.states import KINDS

if TYPE_CHECKING:
    from indexer.contract import Found, Sort
    from indexer.follower import Follower

# Characters of text around the first words found, in a snippet.
_BEFORE, _SNIPPET = 16, 80
MOST_HITS = 10_000


class KnownOriginals(Protocol):
    """What a search asks of the catalog."""

    def known_of_many(self, ids: Sequence[str]) -> list[Known]: ...


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What narrows a search, as people write it; None leaves it open.

    start, end: words about time (`2021-08`, `8月3日上午`), the end included. sort: `score`, `time`, `-time` (latest
    first); None is by score. Where no words were typed all score alike, and the latest come first.
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


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One original found. snippet: text as it stands; marks: where in it the words are that were found."""

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
        }


@dataclass(frozen=True, kw_only=True)
class Page:
    """What was found, and what was understood.

    searched: documents in the index; behind: originals it does not hold as they are now.
    """

    hits: tuple[Hit, ...]
    total: int
    understood: str
    searched: int
    behind: int
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


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
        node=All((*told.parts, *_shown(filters))),
        limit=min(max(filters.limit, 0), MOST_HITS),
        offset=max(filters.offset, 0),
        sort=_sort_of(filters, has_words=bool(words_of(query.node))),
        facets=FACET_FIELDS,
    )
    follower.follow()
    found = follower.search(asked)
    return Page(
        hits=_hits(reviewer, found, told, catalog, ZoneInfo(zone)),
        total=found.total,
        understood=explain(Query(text, told), zone=zone, lang=lang),
        searched=follower.stats().documents,
        behind=follower.behind(),
        facets={name: dict(sorted(counts.items(), key=_by_count)) for name, counts in found.facets.items()},
    )


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
            raise BadInput(f"Hits can be sorted by score, time or -time, not by '{other}'", sort=other)


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
            raise BadInput(f"A kind is one of {', '.join(KINDS)}, not '{filters.kind}'", kind=filters.kind)
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
    sought = analysis.phrase(text)
    if not sought.tokens:
        return Either()
    return Words(sought.tokens, sought.last_is_prefix, name, text)


def _during(filters: Filters, *, today: date, zone: str) -> Node:
    first, last = _interval(filters.start, today, zone), _interval(filters.end, today, zone)
    start_ms = ms_of(first.start_at) if first else None
    # A single moment named as the end lies within.
    end_ms = max(ms_of(last.end_at), ms_of(last.start_at) + 1) if last else None
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise BadInput(f"The time from {filters.start} lies after {filters.end}", start=filters.start, end=filters.end)
    return During(start_ms, end_ms)


def _interval(text: str | None, today: date, zone: str) -> Interval | None:
    """What the words mean, a bare year included; None where none were written."""
    if not text:
        return None
    plain = text.strip()
    interval = interval_of(f"{plain}年" if plain.isdigit() else plain, today=today, zone=zone)
    if interval is None:
        raise BadInput(f"'{text}' is not a time; write it like 2021-08-03 or 2021-08-03 09:30", time=text)
    return interval


def _hits(reviewer: Reviewer, found: Found, node: Node, catalog: KnownOriginals, zone: ZoneInfo) -> tuple[Hit, ...]:
    knowns = catalog.known_of_many([identifier for identifier, _ in found.hits]) if found.hits else []
    scores = dict(found.hits)
    sought = [analysis.Phrase(words.tokens, words.last_is_prefix) for words in words_of(node)]
    keys = {key.value for key in keys_of(node)}
    return tuple(
        _hit(known, scores[known.original.id], sought, keys, zone)
        for known in knowns
        if access.may(reviewer, "view", known)
    )


def _hit(known: Known, score: float, sought: list[analysis.Phrase], keys: set[str], zone: ZoneInfo) -> Hit:
    snippet, marks = _snippet(known, sought, keys)
    time = known.time
    return Hit(
        original=known.original.id,
        name=masked(known.original.name),
        kind=known.original.kind,
        state=known.original.state,
        start_at=time.start_at.astimezone(zone) if time else None,
        end_at=time.end_at.astimezone(zone) if time else None,
        time_uncertainty_s=time.uncertainty_s if time else None,
        cases=cases_of(known),
        device=device_of(known),
        officer=officer_of(known),
        duration_s=duration_of(known),
        score=score,
        snippet=snippet,
        marks=marks,
    )


def _snippet(known: Known, sought: list[analysis.Phrase], keys: set[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text that shows most of what was found, cut around its first find; the name where nothing can be shown."""
    best: tuple[str, list[tuple[int, int]]] = (known.original.name, [])
    for texts in texts_of(known).values():
        for text in texts:
            marks = analysis.joined_spans([*analysis.spans_of(text, sought), *_key_marks(text, keys)])
            if len(marks) > len(best[1]):
                best = text, marks
    # Before it is cut, for half a number would not be known as one.
    return _cut(masked(best[0]), best[1])


def _key_marks(text: str, keys: set[str]) -> list[tuple[int, int]]:
    """Identifiers by their place; a text that is a sought case number and little else, whole."""
    if not keys:
        return []
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

"""What the index holds of an original, made from all that is known of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from indexer.access import audience_of
from indexer.persons.unnamed import caveat_for_all, link_for_all, time_for_all
from indexer.tree import DOCUMENT_FLAG, WORD_FIELDS, All, During, Either, Exact, Node, Not, Words
from indexer.words import analysis, pinyin
from pipeline import case_numbers
from pipeline.case_numbers import CaseNumber
from pipeline.records import Case, CaseLink, Device, Filed, Known, Property

# Behind every time, in milliseconds.
UNDATED = 1 << 62
# What stands in the fields `link` and `retention` where there is no link, and no class was decided.
UNLINKED, UNDECIDED = "none", "undecided"
# The finder of links that a person decided.
DECIDED = "person"
# Which facts of a file say which thing, by the last part of their name in small letters. Of several the first counts.
_DEVICE_NAMES = ("device", "device_id", "serial", "serialnumber", "bodyserialnumber", "serial_number", "model", "make")
_OFFICER_NAMES = ("officer", "officer_id", "officer_name")
_PERSON_NAMES = (*_OFFICER_NAMES, "persons", "clerk", "witness", "artist", "author")
_PLACE_NAMES = ("place", "address", "location_name")
_STAGE_NAMES = ("stage", "activity", "step")
_PARTY_NAMES = ("party", "company")
_NOTE_NAMES = (
    "note",
    "notes",
    "remark",
    "comment",
    "usercomment",
    "xpcomment",
    "title",
    "xptitle",
    "description",
    "imagedescription",
    "caption",
    "keywords",
    "xpkeywords",
    "subject",
    "text",
    "transcript",
    "artist",
    "author",
)
# Written by pages; spoken, and read in pictures, by lines of [from second, to second, text].
_BY_PAGE, _BY_SECOND = ("document.text", "ocr.pages"), {"transcript.lines": "transcript", "ocr.lines": "ocr"}


# What sidecars and the file itself say, by the last part of the facts' names: worked out once for all that ask.
_Said = Mapping[str, Sequence[Property]]


class Passage(NamedTuple):
    """A text of an original as it stands, of a field; at_s: the second it is spoken or shown, page: it stands on."""

    field: str
    text: str
    at_s: float | None = None
    page: int | None = None


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a backend stores under one id.

    words: field -> tokens in order; exact: field -> whole values; start_ms: the decided start; from_ms, to_ms: the
    interval in which the recording may lie, its uncertainty included, milliseconds since 1970 UTC; None undated.
    taken_ms: when it was taken in.
    """

    id: str
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exact: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    start_ms: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    taken_ms: int = 0

    @property
    def earliest(self) -> int:
        """Its place where the earliest come first; the undated behind all others."""
        return UNDATED + self.taken_ms if self.start_ms is None else self.start_ms

    @property
    def latest(self) -> int:
        """Its place where the latest come first; the undated behind all others."""
        return self.taken_ms - UNDATED if self.start_ms is None else self.start_ms


def holds(document: Document, node: Node) -> bool:
    """Whether the document is what the tree asks for, as a backend would say."""
    match node:
        case Words():
            return _has_words(document.words.get(node.field, ()), node)
        case Exact(name, value, is_prefix):
            return any(one.startswith(value) if is_prefix else one == value for one in document.exact.get(name, ()))
        case During(from_ms, to_ms):
            return _overlaps(document, from_ms, to_ms)
        case All(parts):
            return all(holds(document, part) for part in parts)
        case Either(parts):
            return any(holds(document, part) for part in parts)
        case Not(part):
            return not holds(document, part)


def _has_words(tokens: tuple[str, ...], words: Words) -> bool:
    *first, last = words.tokens
    ends = (
        place
        for place, token in enumerate(tokens)
        if (token.startswith(last) if words.last_is_prefix else token == last)
    )
    return any(place >= len(first) and list(tokens[place - len(first) : place]) == first for place in ends)


def _overlaps(document: Document, from_ms: int | None, to_ms: int | None) -> bool:
    if document.from_ms is None or document.to_ms is None:
        return False
    return (from_ms is None or document.to_ms >= from_ms) and (to_ms is None or document.from_ms < to_ms)


def document_of(known: Known) -> Document:
    """The document of an original; the words of its sidecars are its own."""
    said = _said_of(known)
    texts = _texts(_passages(known, said))
    everything = _distinct(text for of_field in texts.values() for text in of_field)
    normals = analysis.norms(everything)
    cut = dict(zip(everything, map(analysis.cuts, normals), strict=True))
    words = {name: _joined(cut[text] for text in texts.get(name, ())) for name in WORD_FIELDS if name != "text"}
    case_keys = _case_keys_of(known)
    return Document(
        id=known.original.id,
        words={"text": _joined(cut[text] for text in everything)} | words,
        exact={
            "keys": _sorted(_keys_of(known, everything, normals, case_keys)),
            "case_keys": _sorted(case_keys),
            "pinyin": pinyin.spellings(texts.get("party", ())),
            "audience": _sorted(audience_of(known.restrictions)),
            "digests": _sorted(_digests_of(known)),
            "flags": _flags_of(known),
            "case": cases_of(known),
            "party": _distinct(_parties_of(known, said)),
            "activity": _distinct(_activities_of(known)),
            "stage": _distinct(_stages_of(known, said)),
            "place": _distinct(_places_of(known, said)),
            "person": _distinct(_persons_of(known, said)),
            "device": _only(_device_of(known, said)),
            "officer": _distinct(_officers_of(known, said)),
            "kind": (known.original.kind,),
            "state": (known.original.state,),
            "link": _sorted(link.status for link in known.links) or (UNLINKED,),
            "caveat": _sorted(caveat.code for caveat in known.caveats),
            "retention": _filed(known).retention or (UNDECIDED,),
            "recording": (recording_of(known),),
        },
        taken_ms=ms_of(known.original.accepted_at),
        **_interval_of(known),
    )


def _joined(cut: Iterable[list[list[str]]]) -> tuple[str, ...]:
    return analysis.joined(piece for pieces in cut for piece in pieces)


def texts_of(known: Known) -> dict[str, tuple[str, ...]]:
    """field -> the texts as they stand, in the order a reader cares for them."""
    return _texts(passages_of(known))


def _texts(passages: Iterable[Passage]) -> dict[str, tuple[str, ...]]:
    texts: dict[str, dict[str, None]] = {}
    for passage in passages:
        texts.setdefault(passage.field, {})[passage.text] = None
    return {name: tuple(found) for name, found in texts.items()}


def passages_of(known: Known) -> Iterator[Passage]:
    """Everything that can be read of it, with the second or the page, in the order a reader cares for it."""
    return _passages(known, _said_of(known))


def _passages(known: Known, said: _Said) -> Iterator[Passage]:
    arrivals = list(_arrivals(known))
    filed = _filed(known)
    names = [known.original.name, *(one.name for one in known.arrivals), *(s.original.name for s in known.sidecars)]
    folders = [one.folder for one in arrivals]
    plain: Mapping[str, Iterable[str]] = {
        "name": names,
        "case": [*cases_of(known), *(text for case in filed.cases for text in _texts_of_case(case))],
        # Folders are named after parties more often than not.
        "party": [*_parties_of(known, said), *_identifiers_of(filed), *folders],
        "officer": [*_registered(known, "officer"), *_stated(known, "officer"), *_values(said, _OFFICER_NAMES)],
        "person": _persons_of(known, said),
        "device": [*_registered(known, "device"), *_stated(known, "device"), *_texts_of_device(filed.device),
                   *_values(said, _DEVICE_NAMES)],
        "activity": _activities_of(known),
        "stage": _stages_of(known, said),
        "place": _places_of(known, said),
        "folder": folders,
        "note": _values(said, _NOTE_NAMES),
    }  # fmt: skip
    for field_name, texts in plain.items():
        yield from (Passage(field_name, text) for text in _distinct(texts))
    for owner in (known, *known.sidecars):
        yield from _written_in(owner)
        yield from _by_second(owner)
    yield from (Passage("note", why) for why in _distinct(_reasons_of(known)))
    told = (text for caveat in known.caveats for text in reversed(caveat_for_all(caveat)))
    yield from (Passage("caveat", text) for text in _distinct(told))


def _written_in(known: Known) -> Iterator[Passage]:
    for found in (known.properties[name] for name in _BY_PAGE if name in known.properties):
        for number, text in enumerate(found.value if isinstance(found.value, list) else [found.found], 1):
            if isinstance(text, str) and text:
                yield Passage("document", text, page=number)


def _by_second(known: Known) -> Iterator[Passage]:
    for name, field_name in _BY_SECOND.items():
        for line in known.value(name, []):
            match line:
                case [int() | float() as from_s, int() | float() | None, str() as text, *_] if text:
                    yield Passage(field_name, text, at_s=float(from_s))


def links_of(known: Known) -> tuple[CaseLink, ...]:
    """The links nobody refused."""
    return tuple(link for link in known.links if link.status != "refused")


def recording_of(known: Known) -> str:
    """The logical recording it is a part of; its own identifier where it is a recording by itself, or none."""
    return str(known.value("recording.id", known.original.parent or known.original.id))


def cases_of(known: Known) -> tuple[str, ...]:
    """The printed numbers of the cases it is linked to, refused ones left out; confirmed before proposed."""
    links = sorted(links_of(known), key=lambda link: link.status != "confirmed")
    return tuple({link.case_key: link.case for link in reversed(links)}.values())[::-1]


def tells_maker(name: str) -> bool:
    """Whether `device_of` or `officer_of` asks a property with this name."""
    return _last_part(name) in (*_DEVICE_NAMES, *_OFFICER_NAMES)


def device_of(known: Known) -> str | None:
    """What recorded it: as registered or stated, else the file's own serial number or name of the device."""
    return _device_of(known, _said_of(known))


def _device_of(known: Known, said: _Said) -> str | None:
    return next(iter([*_registered(known, "device"), *_stated(known, "device"), *_values(said, _DEVICE_NAMES)]), None)


def officer_of(known: Known) -> str | None:
    """Who recorded it: by the ledger, as stated, else as a sidecar or the file's name tells."""
    return " ".join(_officers_of(known, _said_of(known))) or None


def _officers_of(known: Known, said: _Said) -> list[str]:
    stated = _stated(known, "officer")[:1]
    first = next(iter(_facts(said, _OFFICER_NAMES)), None)
    return _registered(known, "officer") or stated or ([] if first is None else _items_of(first))


def duration_of(known: Known) -> float | None:
    """Seconds that the data lasts, else as the container says; None where neither is known."""
    for name in ("container.data_end_s", "container.duration_s"):
        value = known.value(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


@lru_cache(maxsize=4096)
def numbers_in(text: str) -> tuple[CaseNumber, ...]:
    """The case numbers in a text in any script."""
    return case_numbers.parse(analysis.readable(text)) if analysis.may_hold_number(text) else ()


def is_attached(known: Known) -> bool:
    """Whether it is a sidecar that belongs to another original, which is shown in its place."""
    return known.original.parent is not None


def _keys_of(known: Known, texts: Iterable[str], normals: Iterable[str], case_keys: set[str]) -> set[str]:
    refused = {link.case_key for link in known.links if link.status == "refused"}
    found = case_keys | analysis.keys_of_all(normals)
    for text in texts:
        found |= {key for number in numbers_in(text) if number.key not in refused for key in _keys_of_number(number)}
    return found


def _case_keys_of(known: Known) -> set[str]:
    """Of every number of every case it is linked to, for the one it was linked by is seldom the only one."""
    found = {key for link in links_of(known) for key in keys_of_link(link)}
    for case in _filed(known).cases:
        for printed, _ in case.numbers:
            found.add(case_numbers.comparable(printed))
            found |= {key for number in numbers_in(printed) for key in _keys_of_number(number)}
    return found


def keys_of_link(link: CaseLink) -> set[str]:
    """Every key by which the case of this link may be asked for."""
    return {link.case_key, *(key for number in numbers_in(link.case) for key in _keys_of_number(number))}


@lru_cache(maxsize=4096)
def _keys_of_number(number: CaseNumber) -> tuple[str, ...]:
    """Its key, and those with a shorter organisation: people leave out the region, and words run into it."""
    shorter = range(1, len(number.issuer)) if number.style == "decision" else ()
    return (number.key, *(replace(number, issuer=number.issuer[start:]).key for start in shorter))


def _digests_of(known: Known) -> Iterable[str]:
    for original in (known.original, *(sidecar.original for sidecar in known.sidecars)):
        yield original.id.lower()
        yield original.sha256
        if original.sm3:
            yield original.sm3


def _flags_of(known: Known) -> tuple[str, ...]:
    flags = [DOCUMENT_FLAG]
    if not links_of(known):
        flags.append("unlinked")
    if is_attached(known):
        flags.append("attached")
    if any(caveat.code == "missing_member" for caveat in known.caveats):
        flags.append("has_gap")
    if is_reviewed(known):
        flags.append("reviewed")
    if _filed(known).is_held:
        flags.append("held")
    return tuple(flags)


def is_reviewed(known: Known) -> bool:
    """Whether a person decided about its links, and no proposal waits for a decision."""
    decided = any(link.by and link.finder == DECIDED for link in known.links)
    return decided and not any(link.status == "proposed" for link in known.links)


def _interval_of(known: Known) -> dict[str, int | None]:
    if known.time is None:
        return {}
    margin_ms = round(known.time.uncertainty_s * 1000)
    return {
        "start_ms": ms_of(known.time.start_at),
        "from_ms": ms_of(known.time.start_at) - margin_ms,
        "to_ms": ms_of(known.time.end_at) + margin_ms,
    }


def ms_of(at: datetime) -> int:
    """Milliseconds since 1970 UTC."""
    return round(at.timestamp() * 1000)


def _reasons_of(known: Known) -> Iterable[str]:
    """Why it is linked and timed as it is; nothing that may name other files, which not all who see it may know of."""
    for link in links_of(known):
        yield from reversed(link_for_all(link))
    if known.time is not None:
        yield from reversed(time_for_all(known.time))


def _filed(known: Known) -> Filed:
    return known.filed or Filed()


def _stages_of(known: Known, said: _Said) -> list[str]:
    """The steps it shows: as registered; what was stated or read may name a step as well as an activity."""
    activities = _filed(known).activities
    codes = {activity.code for activity in activities}
    named = [*_linked_activities(known), *_stated(known, "activity"), *_listed(said, _STAGE_NAMES)]
    return [*(activity.step for activity in activities), *(text for text in named if text not in codes)]


def _activities_of(known: Known) -> list[str]:
    return [*_linked_activities(known), *_stated(known, "activity")]


def _linked_activities(known: Known) -> list[str]:
    return [link.activity for link in links_of(known) if link.activity]


def _parties_of(known: Known, said: _Said) -> list[str]:
    registered = [party.name for case in _filed(known).cases for party in case.parties]
    return [*registered, *_listed(said, _PARTY_NAMES)]


def _persons_of(known: Known, said: _Said) -> list[str]:
    """Who recorded it, who took part, and whom a record names."""
    present = [person for activity in _filed(known).activities for person in activity.people]
    named = [*_registered(known, "officer"), *_stated(known, "officer"), *_listed(said, _PERSON_NAMES)]
    return [*present, *named]


def _places_of(known: Known, said: _Said) -> list[str]:
    filed = _filed(known)
    registered = [one.place for one in (*filed.activities, filed.device) if one is not None and one.place]
    return [*registered, *_listed(said, _PLACE_NAMES)]


def _texts_of_case(case: Case) -> Iterator[str]:
    yield from (printed for printed, _ in case.numbers)
    yield case.title


def _identifiers_of(filed: Filed) -> list[str]:
    return [party.identifier for case in filed.cases for party in case.parties if party.identifier]


def _texts_of_device(device: Device | None) -> list[str]:
    return [] if device is None else [device.name, *([device.serial] if device.serial else []), *device.aliases]


def _arrivals(known: Known) -> Iterable[Any]:
    yield from known.arrivals
    for sidecar in known.sidecars:
        yield from sidecar.arrivals


def _stated(known: Known, name: str) -> list[str]:
    return [value for arrival in _arrivals(known) if (value := getattr(arrival.stated, name))]


def _values(said: _Said, names: tuple[str, ...]) -> list[str]:
    """The texts of the facts with one of these names, in the order of names; a sidecar's word before the file's own."""
    return [text for found in _facts(said, names) if (text := _text_of(found))]


def _listed(said: _Said, names: tuple[str, ...]) -> list[str]:
    """The same, of a fact with several values each by itself."""
    return [text for found in _facts(said, names) for text in _items_of(found)]


def _facts(said: _Said, names: tuple[str, ...]) -> list[Property]:
    return [found for name in names for found in said.get(name, ())]


def _said_of(known: Known) -> _Said:
    said: dict[str, list[Property]] = {}
    for owner in (*known.sidecars, known):
        for key, found in owner.properties.items():
            if key not in _BY_PAGE:
                said.setdefault(_last_part(key), []).append(found)
    return said


# What thousands of originals share is worked out once: names of properties, numbers in the names of cases and folders.
@lru_cache(maxsize=4096)
def _last_part(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _text_of(found: Property) -> str:
    if isinstance(found.value, list | tuple):
        return " ".join(str(part) for part in found.value)
    return str(found.found if found.value is None else found.value).strip()


def _registered(known: Known, name: str) -> list[str]:
    """What the registers say, each value by itself."""
    found = known.properties.get(f"register.{name}")
    return [] if found is None else _items_of(found)


def _items_of(found: Property) -> list[str]:
    values = found.value if isinstance(found.value, list | tuple) else [_text_of(found)]
    return [text for value in values if (text := str(value).strip())]


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _only(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()

"""What the index holds of an original, made from all that is known of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from indexer import analysis
from indexer.tree import DOCUMENT_FLAG, WORD_FIELDS
from pipeline import case_numbers
from pipeline.case_numbers import CaseNumber
from pipeline.records import CaseLink, Known, Property

# Which facts of a file say which thing, by the last part of their name in small letters. Of several the first counts.
_DEVICE_NAMES = ("device", "device_id", "serial", "serialnumber", "bodyserialnumber", "serial_number", "model", "make")
_OFFICER_NAMES = ("officer", "officer_id", "officer_name")
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


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a backend stores under one id.

    words: field -> tokens in order; exact: field -> whole values; start_ms: the decided start; from_ms, to_ms: the
    interval in which the recording may lie, its uncertainty included, milliseconds since 1970 UTC; None undated.
    """

    id: str
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exact: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    start_ms: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None


def document_of(known: Known) -> Document:
    """The document of an original; the words of its sidecars are its own."""
    texts = texts_of(known)
    everything = [text for of_field in texts.values() for text in of_field]
    cut = {text: analysis.tokens(text) for text in everything}
    words = {name: analysis.joined(cut[text] for text in texts[name]) for name in WORD_FIELDS if name != "text"}
    return Document(
        id=known.original.id,
        words={"text": analysis.joined(cut[text] for text in everything)} | words,
        exact={
            "keys": _sorted(_keys_of(known, everything)),
            "case_keys": _sorted(key for link in links_of(known) for key in keys_of_link(link)),
            "digests": _sorted(_digests_of(known)),
            "flags": _flags_of(known),
            "case": cases_of(known),
            "device": _only(device_of(known)),
            "officer": _only(officer_of(known)),
            "kind": (known.original.kind,),
            "stage": _distinct(_stages_of(known)),
            "place": _distinct(_values(known, _PLACE_NAMES)),
            "state": (known.original.state,),
        },
        **_interval_of(known),
    )


def texts_of(known: Known) -> dict[str, tuple[str, ...]]:
    """field -> the texts as they stand, in the order a reader cares for them."""
    return {
        "name": _distinct(
            [
                known.original.name,
                *(arrival.name for arrival in known.arrivals),
                *(s.original.name for s in known.sidecars),
            ]
        ),
        "case": cases_of(known),
        "party": _distinct([*_values(known, _PARTY_NAMES), *(arrival.folder for arrival in _arrivals(known))]),
        "officer": _distinct([*_stated(known, "officer"), *_values(known, _OFFICER_NAMES)]),
        "device": _distinct([*_stated(known, "device"), *_values(known, _DEVICE_NAMES)]),
        "place": _distinct(_values(known, _PLACE_NAMES)),
        "stage": _distinct(_stages_of(known)),
        "note": _distinct([*_values(known, _NOTE_NAMES), *_reasons_of(known)]),
    }


def links_of(known: Known) -> tuple[CaseLink, ...]:
    """The links nobody refused."""
    return tuple(link for link in known.links if link.status != "refused")


def cases_of(known: Known) -> tuple[str, ...]:
    """The printed numbers of the cases it is linked to, refused ones left out; confirmed before proposed."""
    links = sorted(links_of(known), key=lambda link: link.status != "confirmed")
    return tuple({link.case_key: link.case for link in reversed(links)}.values())[::-1]


def device_of(known: Known) -> str | None:
    """What recorded it: as registered or stated, else the file's own serial number or name of the device."""
    return next(iter([*_registered(known, "device"), *_stated(known, "device"), *_values(known, _DEVICE_NAMES)]), None)


def officer_of(known: Known) -> str | None:
    """Who recorded it: by the ledger, as stated, else as a sidecar or the file's name tells."""
    said = [*_registered(known, "officer"), *_stated(known, "officer"), *_values(known, _OFFICER_NAMES)]
    return next(iter(said), None)


def duration_of(known: Known) -> float | None:
    """Seconds that the data lasts, else as the container says; None where neither is known."""
    for name in ("container.data_end_s", "container.duration_s"):
        value = known.value(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def numbers_in(text: str) -> tuple[CaseNumber, ...]:
    """The case numbers in a text in any script."""
    return case_numbers.parse(analysis.readable(text)) if analysis.may_hold_number(text) else ()


def is_attached(known: Known) -> bool:
    """Whether it is a sidecar that belongs to another original, which is shown in its place."""
    return known.original.parent is not None


def _keys_of(known: Known, texts: Iterable[str]) -> set[str]:
    refused = {link.case_key for link in known.links if link.status == "refused"}
    found = {key for link in links_of(known) for key in keys_of_link(link)}
    for text in texts:
        found |= analysis.keys(text)
        found |= {key for number in numbers_in(text) if number.key not in refused for key in _keys_of_number(number)}
    return found


def keys_of_link(link: CaseLink) -> set[str]:
    """Every key by which the case of this link may be asked for."""
    return {link.case_key, *(key for number in numbers_in(link.case) for key in _keys_of_number(number))}


def _keys_of_number(number: CaseNumber) -> Iterable[str]:
    """Its key, and those with a shorter organisation: people leave out the region, and words run into it."""
    yield number.key
    if number.style == "decision":
        for start in range(1, len(number.issuer)):
            yield replace(number, issuer=number.issuer[start:]).key


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
    return tuple(flags)


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
    """Why it is linked and timed as it is, and what to bear in mind."""
    yield from (link.why for link in links_of(known))
    if known.time is not None:
        yield known.time.why
    for caveat in known.caveats:
        yield caveat.text_zh
        yield caveat.text


def _stages_of(known: Known) -> list[str]:
    linked = [link.activity for link in links_of(known) if link.activity]
    return [*linked, *_stated(known, "activity"), *_values(known, _STAGE_NAMES)]


def _arrivals(known: Known) -> Iterable[Any]:
    yield from known.arrivals
    for sidecar in known.sidecars:
        yield from sidecar.arrivals


def _stated(known: Known, name: str) -> list[str]:
    return [value for arrival in _arrivals(known) if (value := getattr(arrival.stated, name))]


def _values(known: Known, names: tuple[str, ...]) -> list[str]:
    """The texts of the facts with one of these names, in the order of names; a sidecar's word before the file's own."""
    said: dict[str, list[str]] = {name: [] for name in names}
    for owner in (*known.sidecars, known):
        for key, found in owner.properties.items():
            of_name = said.get(key.rpartition(".")[2].lower())
            if of_name is not None and (text := _text_of(found)):
                of_name.append(text)
    return [text for texts in said.values() for text in texts]


def _text_of(found: Property) -> str:
    if isinstance(found.value, list | tuple):
        return " ".join(str(part) for part in found.value)
    return str(found.found if found.value is None else found.value).strip()


def _registered(known: Known, name: str) -> list[str]:
    found = known.properties.get(f"register.{name}")
    return [] if found is None else [_text_of(found)]


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _only(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()

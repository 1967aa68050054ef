"""Names and numbers of parties, found in texts. Pure.

A whole name counts most by its length; a firm's short form (without its region and legal form) counts less; a name of
two characters is as often a part of something else. Not covered: names written otherwise than registered.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from pipeline.records import Case, Known, Named, Party
from pipeline.timing.names import places_of

TEXT_MAX: Final = 50_000
SHORT_LEAST: Final = 4  # a short form of fewer characters names anything
_REGION: Final = re.compile(r"^(?:[\u4e00-\u9fff]{2,7}?(?:自治区|自治州|省|市|县|区|旗|镇|乡))+(?=[\u4e00-\u9fff]{2})")
_LEGAL: Final = re.compile(r"(?:股份有限公司|有限责任公司|有限公司|集团公司|公司|合作社|经营部|个体工商户)+$")
_BRACKETED: Final = re.compile(r"[(（〔\[].*?[)）〕\]]")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_WORDLIKE: Final = re.compile(r"[0-9A-Za-z]")
# Facts whose texts may name a party, by the beginning or the end of their name.
_TEXT_GROUPS: Final = ("sidecar.", "record.", "document.", "ocr.", "text.")
_TEXT_NAMES: Final = (".title", ".comment", ".description", ".keywords", ".subject", ".text")

How = Literal["name", "short", "identifier"]


class _Needle(NamedTuple):
    text: str
    party: Party
    how: How


class Parties:
    """All parties of all cases, looked up in texts."""

    def __init__(self, cases: Iterable[Case] = ()) -> None:
        self._cases: dict[Party, list[str]] = defaultdict(list)
        by_name: dict[str, Party] = {}
        for case in cases:
            for party in case.parties:
                # One party of several cases, be its number told in one of them or not.
                known = by_name.setdefault(party.name, party)
                self._cases[known].append(case.numbers[0][0])
        self._needles: dict[str, list[_Needle]] = defaultdict(list)
        for party in by_name.values():
            for needle in _needles(party):
                self._needles[needle.text[:2]].append(needle)

    def named(self, known: Known) -> tuple[Named, ...]:
        """The parties whose names stand with this original, each once, by its surest finding."""
        found: dict[Party, Named] = {}
        if not self._needles:
            return ()
        for where, text in _texts_of(known):
            for needle in self._in(folded(text[:TEXT_MAX])):
                one = Named(party=needle.party, how=needle.how, where=where, text=needle.text,
                            cases=tuple(self._cases[needle.party]))  # fmt: skip
                best = found.get(needle.party)
                if best is None or _RANK[one.how] < _RANK[best.how]:
                    found[needle.party] = one
        return tuple(found.values())

    def _in(self, text: str) -> Iterator[_Needle]:
        for at in range(len(text) - 1):
            for needle in self._needles.get(text[at : at + 2], ()):
                if text.startswith(needle.text, at) and _stands_alone(text, at, needle.text):
                    yield needle


_RANK: Final = {"identifier": 0, "name": 1, "short": 2}


def folded(text: str) -> str:
    """The text as names are compared: compatible forms, small letters, no spaces."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


def without_region(name: str) -> str:
    """The name without the province, city, county and town before it."""
    return _REGION.sub("", name)


def _needles(party: Party) -> Iterator[_Needle]:
    name = folded(party.name)
    if len(name) >= 2:
        yield _Needle(name, party, "name")
    identifier = folded(party.identifier or "")
    if len(identifier) >= 8 and "*" not in identifier:
        yield _Needle(identifier, party, "identifier")
    short = _LEGAL.sub("", without_region(_BRACKETED.sub("", name)))
    if len(short) >= SHORT_LEAST and short != name:
        yield _Needle(short, party, "short")


def _stands_alone(text: str, at: int, needle: str) -> bool:
    """Whether it is no part of a longer word or number; of Chinese only names of two characters are looked at so."""
    before, after = text[at - 1 : at], text[at + len(needle) : at + len(needle) + 1]
    if _WORDLIKE.match(needle[0]) and _WORDLIKE.match(before or " "):
        return False
    if _WORDLIKE.match(needle[-1]) and _WORDLIKE.match(after or " "):
        return False
    return not (len(needle) == 2 and _HAN.match(before or " ") and _HAN.match(after or " "))


def _texts_of(known: Known) -> Iterator[tuple[str, str]]:
    """(where, text): folders and names first, then what sidecars and documents say."""
    for folder, name in places_of(known):
        yield "file name", name
        for part in reversed(folder.split("/")):
            yield "folder", part
    for owner in (known, *known.sidecars):
        for name, found in owner.properties.items():
            if name.startswith(_TEXT_GROUPS) or name.endswith(_TEXT_NAMES):
                said = found.value if isinstance(found.value, str) else found.found
                yield ("sidecar" if owner is not known else "text"), str(said)

"""What a search asks for, as a tree of values; each index backend compiles it and none sees typed text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

# Fields of tokens with their order; `text` holds all of them together.
WORD_FIELDS = (
    "text",
    "name",
    "folder",
    "case",
    "party",
    "activity",
    "stage",
    "place",
    "person",
    "device",
    "officer",
    "note",
    "document",
    "transcript",
    "ocr",
    "caveat",
)
# Fields of whole values. `keys`: identifiers and every case number read anywhere; `case_keys`: of links only;
# `link`: what became of its links; `caveat`: codes; `recording`: the logical recording, which is given with each hit;
# `pinyin`: how the names of parties are typed in Latin letters; `audience`: who may see it, as `access.py` says.
EXACT_FIELDS = (
    "keys",
    "case_keys",
    "pinyin",
    "audience",
    "digests",
    "flags",
    "case",
    "party",
    "activity",
    "stage",
    "place",
    "person",
    "device",
    "officer",
    "kind",
    "state",
    "link",
    "caveat",
    "retention",
    "recording",
)
# Those whose values can be counted; the others keep no column of values, which would cost at every commit.
FACET_FIELDS = ("case", "party", "device", "officer", "person", "kind", "stage", "place", "link", "retention")
# Every document carries this flag, so that "all but" can be asked.
DOCUMENT_FLAG = "document"


@dataclass(frozen=True)
class Words:
    """Tokens following one another in a field; last_is_prefix: the last need only begin so."""

    tokens: tuple[str, ...]
    last_is_prefix: bool = False
    field: str = "text"
    typed: str = dataclasses.field(default="", compare=False)


@dataclass(frozen=True)
class Exact:
    """A whole value of a field of whole values, or with is_prefix its beginning."""

    field: str
    value: str
    is_prefix: bool = False
    typed: str = dataclasses.field(default="", compare=False)


@dataclass(frozen=True)
class During:
    """Recordings that may overlap from_ms (included) to to_ms (excluded), milliseconds since 1970 UTC; None is open."""

    from_ms: int | None
    to_ms: int | None
    typed: str = dataclasses.field(default="", compare=False)


@dataclass(frozen=True)
class All:
    """Every part holds; without parts every document."""

    parts: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Either:
    """At least one part holds; without parts no document."""

    parts: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: Node


Node = Words | Exact | During | All | Either | Not


def parts_of(node: Node) -> Iterator[Node]:
    """The parts that must all hold."""
    if isinstance(node, All) and node.parts:
        for part in node.parts:
            yield from parts_of(part)
    else:
        yield node


def words_of(node: Node) -> list[Words]:
    """The words that speak for a hit, for showing them in it; those that must not be there are left out."""
    match node:
        case Words():
            return [node]
        case All(parts) | Either(parts):
            return [words for part in parts for words in words_of(part)]
        case _:
            return []


def keys_of(node: Node) -> list[Exact]:
    """The keys and spellings that speak for a hit."""
    match node:
        case Exact(field="keys" | "case_keys" | "pinyin"):
            return [node]
        case All(parts) | Either(parts):
            return [key for part in parts for key in keys_of(part)]
        case _:
            return []


def times_of(node: Node) -> list[During]:
    """The intervals that must be met, those within either and not left out."""
    match node:
        case During():
            return [node]
        case All(parts):
            return [during for part in parts for during in times_of(part)]
        case _:
            return []

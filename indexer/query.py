"""What a person typed becomes a tree: Whoosh's parser reads the grammar, this file gives its words their meaning.

Words beside one another must all be there; "in quotation marks" as they stand; AND OR NOT (且 或 非, or a minus
sign before a word), brackets, a star for what may follow, a field before a colon (案号:, 设备:, …). Case numbers in
any spelling are sought as numbers only, words about time become an interval, numbers written out are sought in
digits too, Latin letters also as the pinyin of a party. What cannot be read that way is sought as words; nothing a
person types is an error. Pure: today comes as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from indexer.document import UNDECIDED, UNLINKED, ms_of
from indexer.tree import WORD_FIELDS, All, During, Either, Exact, Node, Not, Words
from indexer.words import analysis, pinyin
from indexer.words.moments import Interval, interval_of
from pipeline import case_numbers
from pipeline.states import KINDS, LINK_STATUSES, ORIGINAL_STATES

if TYPE_CHECKING:
    from whoosh.qparser import QueryParser

# Longer texts are cut: nobody types them, and the parser's brackets nest as deep as Python allows.
LONGEST = 500
_FIELDS = {
    "案号": "case",
    "案件": "case",
    "case": "case",
    "当事人": "party",
    "单位": "party",
    "party": "party",
    "设备": "device",
    "device": "device",
    "人员": "officer",
    "执法人员": "officer",
    "officer": "officer",
    "类型": "kind",
    "kind": "kind",
    "地点": "place",
    "place": "place",
    "环节": "stage",
    "阶段": "stage",
    "stage": "stage",
    "步骤": "stage",
    "step": "stage",
    "活动": "activity",
    "activity": "activity",
    "人物": "person",
    "在场人员": "person",
    "person": "person",
    "文件名": "name",
    "文件": "name",
    "name": "name",
    "文件夹": "folder",
    "目录": "folder",
    "folder": "folder",
    "文书": "document",
    "正文": "document",
    "document": "document",
    "语音": "transcript",
    "字幕": "transcript",
    "transcript": "transcript",
    "画面文字": "ocr",
    "ocr": "ocr",
    "提示": "caveat",
    "caveat": "caveat",
    "关联": "link",
    "link": "link",
    "状态": "state",
    "state": "state",
    "保管": "retention",
    "保管类别": "retention",
    "retention": "retention",
    "缺口": "has_gap",
    "gap": "has_gap",
    "已审核": "reviewed",
    "reviewed": "reviewed",
    "冻结": "held",
    "held": "held",
    "备注": "note",
    "note": "note",
    "时间": "time",
    "日期": "time",
    "time": "time",
}
_KIND_WORDS = {
    "视频": "video",
    "录像": "video",
    "音频": "audio",
    "录音": "audio",
    "照片": "photo",
    "图片": "photo",
    "文档": "document",
    "文书": "document",
    "附属": "sidecar",
    "其他": "other",
} | {kind: kind for kind in KINDS}
# Fields of whole values, with the words for these.
_VALUES = {
    "kind": _KIND_WORDS,
    "link": {
        "已确认": "confirmed",
        "待确认": "proposed",
        "已驳回": "refused",
        "未关联": UNLINKED,
        **{status: status for status in (*LINK_STATUSES, UNLINKED)},
    },
    "state": {
        "已入库": "in_custody",
        "可检索": "searchable",
        "就绪": "ready",
        "待处理": "attention",
        "校验失败": "failed_custody",
        **{state: state for state in ORIGINAL_STATES},
    },
    "retention": {
        "永久": "permanent",
        "未定": UNDECIDED,
        **{code: code for code in ("floor", "decision", "immovable", "permanent", UNDECIDED)},
    },
}
_FLAGS = ("has_gap", "reviewed", "held")
_YES = frozenset({"是", "有", "已", "yes", "true", "1"})
_FIELD_NAMES = {
    "zh": {
        "folder": "文件夹",
        "activity": "活动",
        "person": "人物",
        "document": "文书",
        "transcript": "语音",
        "ocr": "画面文字",
        "caveat": "提示",
        "link": "关联",
        "retention": "保管类别",
        "has_gap": "有缺口",
        "reviewed": "已审核",
        "held": "已冻结",
        "unlinked": "未关联案件",
        "case": "案号",
        "party": "当事人",
        "device": "设备",
        "officer": "人员",
        "kind": "类型",
        "place": "地点",
        "stage": "环节",
        "name": "文件名",
        "note": "备注",
        "state": "状态",
    },
    "en": {},
}
_PHRASES = {
    "zh": {
        "all": " 且 ",
        "any": " 或 ",
        "not": "不含{}",
        "words": "“{}”",
        "prefix": "以“{}”开头",
        "case": "案号 {}",
        "key": "编号 {}",
        "tail": "尾号 {}",
        "pinyin": "当事人拼音 {}",
        "time": "时间 {} 至 {}",
        "open": "不限",
        "everything": "全部",
        "nothing": "没有可检索的字",
        "or": "（{}）",
    },
    "en": {
        "all": " and ",
        "any": " or ",
        "not": "without {}",
        "words": "“{}”",
        "prefix": "beginning with “{}”",
        "case": "case {}",
        "key": "number {}",
        "tail": "number ending in {}",
        "pinyin": "party in pinyin {}",
        "time": "time {} to {}",
        "open": "any",
        "everything": "everything",
        "nothing": "nothing that can be searched",
        "or": "({})",
    },
}
# Characters of the private use area: they are no part of any word and mean nothing to the parser.
_HELD_START, _HELD_END = "\ue000", "\ue001"
_BRACKETS_ASIDE = str.maketrans("(（)）", "\ue002\ue002\ue003\ue003")
_AS_TYPED = str.maketrans("\ue002\ue003", "（）")
_PRIVATE = str.maketrans("", "", "\ue000\ue001\ue002\ue003")
_HELD = re.compile(rf"{_HELD_START}(\d+){_HELD_END}")
_QUOTED = re.compile(r'("[^"]*")')
_QUOTES = str.maketrans("“”„‟＂«»", '"""""""')
_INNER_BRACKET = re.compile(r"(?<=[^\s(:\-])[(（]|[)）](?=[^\s()])")
_PLATE = re.compile(r"[\u4e00-\u9fff]?([a-z0-9]{3,7})")
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_ULID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")
_LEAD = re.compile(rf"(?:-|(?:{'|'.join(sorted(_FIELDS, key=len, reverse=True))}):)*", re.IGNORECASE)
_MOST_WORDS_OF_A_TIME = 3
_MOST_WORDS_OF_A_NUMBER = 5


@dataclass(frozen=True)
class Query:
    """What was typed and what it means."""

    typed: str
    node: Node


@dataclass(frozen=True)
class _Meaning:
    """What the words may mean: the day and zone of the person, and the case numbers taken out of the text."""

    today: date
    zone: str
    numbers: tuple[tuple[str, str], ...]

    def interval(self, text: str) -> Interval | None:
        return interval_of(text, today=self.today, zone=self.zone)


def parse(text: str, *, today: date, zone: str) -> Query:
    """What the text asks for; an empty text for everything, one without a single letter or digit for nothing."""
    typed = text.translate(_PRIVATE).strip()[:LONGEST]
    if not typed:
        return Query(typed, All())
    readable, numbers = _held(analysis.readable(typed).translate(_QUOTES).replace("：", ":").replace("＊", "*"))
    meaning = _Meaning(today, zone, numbers)
    node = _node_of(_parsed(readable), meaning) or _words_only(typed)
    return Query(typed, node)


def _words_only(text: str) -> Node:
    found = [words for piece in text.split() if (words := words_in(piece, "text"))]
    return All(tuple(found)) if found else Either()


def _held(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The text with its case numbers put aside as (key, as typed), for their brackets are no grammar."""
    numbers: list[tuple[str, str]] = []
    pieces = [
        piece if piece.startswith('"') and len(piece) > 1 else _without_numbers(piece.replace('"', " "), numbers)
        for piece in _QUOTED.split(text)
    ]
    return "".join(pieces), tuple(numbers)


def _without_numbers(text: str, numbers: list[tuple[str, str]]) -> str:
    """Case numbers replaced by their place in the list, and brackets within words made meaningless."""
    words = analysis.closed_up(text).split()
    readable: list[str] = []
    start = 0
    while start < len(words):
        end = _number_end(words, start)
        if end is None:
            readable.append(_split_word(words[start], numbers))
            start += 1
            continue
        lead, typed = _lead(" ".join(words[start:end]))
        readable.append(lead + _set_aside(case_numbers.key_of(typed) or "", typed, numbers))
        start = end
    edges = (" " if text[:1].isspace() else "", " " if text[-1:].isspace() else "")
    return " ".join(readable).join(edges)


def _number_end(words: list[str], start: int) -> int | None:
    """Behind the last word of the case number that begins with this one; None where none does.

    Words that are a number without this one are left to themselves: `鑫源达 平商务罚字〔2021〕3号`.
    """
    ends = range(start + 1, min(start + _MOST_WORDS_OF_A_NUMBER, len(words)) + 1)
    whole = [end for end in ends if _is_number(words[start:end]) and not _is_number(words[start + 1 : end])]
    return whole[-1] if whole else None


def _is_number(words: list[str]) -> bool:
    """Whether the words are one case number and nothing else."""
    typed = _lead(" ".join(words))[1]
    numbers = case_numbers.parse(typed)
    return bool(numbers) and (numbers[0].start, numbers[0].end) == (0, len(case_numbers.folded(typed)))


def _split_word(word: str, numbers: list[tuple[str, str]]) -> str:
    """The word with the case number that stands within it put aside, its other parts as words of their own."""
    lead, typed = _lead(word)
    plain = case_numbers.folded(typed)
    readable: list[str] = []
    done = 0
    for number in case_numbers.parse(typed):
        readable += [plain[done : number.start], _set_aside(number.key, plain[number.start : number.end], numbers)]
        done = number.end
    if not readable:
        return _INNER_BRACKET.sub(lambda bracket: bracket.group().translate(_BRACKETS_ASIDE), word)
    return lead + " ".join(part for part in (*readable, plain[done:]) if part)


def _set_aside(key: str, typed: str, numbers: list[tuple[str, str]]) -> str:
    numbers.append((key, typed))
    return f"{_HELD_START}{len(numbers) - 1}{_HELD_END}"


def _lead(piece: str) -> tuple[str, str]:
    """A minus sign or a field before a word, and the word."""
    found = _LEAD.match(piece)
    end = found.end() if found else 0
    return piece[:end], piece[end:]


@cache
def _parser() -> QueryParser:
    from whoosh.qparser import QueryParser as Parser
    from whoosh.qparser import plugins

    names = "|".join(sorted(_FIELDS, key=len, reverse=True))
    return Parser(
        "text",
        schema=None,
        plugins=[
            plugins.WhitespacePlugin(),
            plugins.PhrasePlugin(),
            plugins.FieldsPlugin(expr=rf"(?i:(?<![^\s(\-])(?P<text>{names}):)"),
            plugins.PrefixPlugin(),
            plugins.GroupPlugin(),
            plugins.OperatorsPlugin(
                And=r"(?<=\s)(?:AND|且|并且)(?=\s)",
                Or=r"(?<=\s)(?:OR|或|或者)(?=\s)",
                Not=r"(?:^|(?<=\s)|(?<=[()]))(?:(?:NOT|非|不含|排除)(?=\s)|-(?=[^\s\-]))",
                AndNot=None,
                AndMaybe=None,
                Require=None,
            ),
        ],
    )


def _parsed(text: str) -> Any:
    """Whoosh's tree; None where its grammar cannot read the text."""
    from whoosh.qparser.common import QueryParserError

    try:
        return _parser().parse(text, normalize=False)
    except (QueryParserError, RecursionError, IndexError, AttributeError):
        # Whoosh 2.7.4 stumbles over operators without operands instead of naming them.
        return None


def _node_of(parsed: Any, meaning: _Meaning) -> Node | None:
    """Our tree of Whoosh's; None where nothing in it can be sought."""
    match type(parsed).__name__:
        case "And":
            parts = _joined_times(list(parsed), meaning)
            return _group(All, [part if isinstance(part, During) else _node_of(part, meaning) for part in parts])
        case "Or":
            return _group(Either, [_node_of(part, meaning) for part in parsed])
        case "Not":
            part = _node_of(parsed.query, meaning)
            return Not(part) if part else None
        case "Term":
            return _word(parsed.text, _field_of(parsed), meaning)
        case "Prefix" if (_field_of(parsed) or "text") in WORD_FIELDS:
            return words_in(parsed.text, _field_of(parsed) or "text", prefix=True)
        case "Prefix":
            return _word(parsed.text, _field_of(parsed), meaning)
        case "Phrase" if (_field_of(parsed) or "text") in WORD_FIELDS:
            return words_in(" ".join(parsed.words), _field_of(parsed) or "text")
        case "Phrase":
            return _word(" ".join(parsed.words), _field_of(parsed), meaning)
        case _:
            return None


def _field_of(parsed: Any) -> str | None:
    return _FIELDS.get(parsed.fieldname.lower())


def _group(kind: type[All] | type[Either], parts: Iterable[Node | None]) -> Node | None:
    found = tuple(part for part in parts if part is not None)
    if len(found) == 1:
        return found[0]
    return kind(found) if found else None


def _joined_times(parts: list[Any], meaning: _Meaning) -> list[Any]:
    """Words beside one another that together mean a time are put in one: `8月3日 上午 9:30`."""
    joined: list[Any] = []
    while parts:
        for length in range(min(_MOST_WORDS_OF_A_TIME, len(parts)), 1, -1):
            words = parts[:length]
            if any(type(word).__name__ != "Term" or _field_of(word) for word in words):
                continue
            typed = " ".join(word.text for word in words)
            if interval := meaning.interval(typed):
                joined.append(_during(interval, typed))
                del parts[:length]
                break
        else:
            joined.append(parts.pop(0))
    return joined


def _during(interval: Interval, typed: str) -> During:
    start = ms_of(interval.start_at) if interval.start_at else None
    end = ms_of(interval.end_at) if interval.end_at else None
    if start is not None and end is not None:
        end = max(end, start + 1000)
    return During(start, end, typed)


def _word(text: str, field: str | None, meaning: _Meaning) -> Node | None:
    """What one word means, in the field named before it or without one."""
    text = text.translate(_AS_TYPED)
    if held := _HELD.search(text):
        key, typed = meaning.numbers[int(held.group(1))]
        if field in (None, "case"):
            return Exact("case_keys" if field else "keys", key, typed=typed)
        text = typed
    if field in (None, "time") and (interval := meaning.interval(text)):
        return _during(interval, text)
    if field in _VALUES:
        value = _VALUES[field].get(analysis.norm(text).strip())
        return Exact(field, value, typed=text) if value else words_in(text, "text")
    if field in _FLAGS:
        flag = Exact("flags", field)
        return flag if analysis.norm(text).strip() in _YES else Not(flag)
    if field in (None, "time", "device"):
        return _word_or_key(text, "device" if field == "device" else "text")
    if field == "party":
        return words_of_party(text)
    return words_in(text, field or "text")


def words_of_party(text: str) -> Node | None:
    """The words in the names of parties, or the pinyin of one."""
    return _group(Either, [words_in(text, "party"), _pinyin(text)])


def _pinyin(text: str) -> Exact | None:
    typed = pinyin.typed_as(text)
    return Exact("pinyin", typed, is_prefix=pinyin.is_open(typed), typed=text) if typed else None


def _word_or_key(text: str, field: str) -> Node | None:
    """The word as it stands, or the identifier, digest or pinyin that it is."""
    words = words_in(text, field, prefix=_is_part_of_plate(text))
    found: list[Node] = [words] if words else []
    if key := analysis.key_of(text) or analysis.tail_key_of(text):
        found.append(Exact("keys", key, typed=text))
    if field == "text" and (spelt := _pinyin(text)):
        found.append(spelt)
    plain = text.lower()
    if _DIGEST.fullmatch(plain) or _ULID.fullmatch(plain):
        found.append(Exact("digests", plain, is_prefix=True, typed=text))
    return _group(Either, found)


def _is_part_of_plate(text: str) -> bool:
    """Whether letters and digits change as in a number plate, of which people often saw only a part: `7K39`."""
    found = _PLATE.fullmatch(analysis.norm(text))
    return found is not None and len(analysis.tokens(found.group(1))) > 2


def words_in(text: str, field: str, *, prefix: bool = False) -> Node | None:
    """The words in this field as they stand, or with their written numbers in digits; None where none can be sought."""
    text = text.translate(_AS_TYPED)
    words = _words(text, field, prefix=prefix)
    told = analysis.in_digits(text)
    return _group(Either, [words, _words(told, field, prefix=prefix) if told else None])


def _words(text: str, field: str, *, prefix: bool = False) -> Words | None:
    sought = analysis.phrase(text, prefix=prefix)
    return Words(sought.tokens, sought.last_is_prefix, field, text) if sought.tokens else None


def explain(query: Query, *, zone: str, lang: str = "zh") -> str:
    """What was understood, in one line for the person who typed it."""
    return _told(query.node, ZoneInfo(zone), "en" if lang == "en" else "zh")


def _told(node: Node, zone: ZoneInfo, lang: str) -> str:
    phrases, names = _PHRASES[lang], _FIELD_NAMES[lang]
    match node:
        case Words(last_is_prefix=last_is_prefix, field=name, typed=typed):
            is_open = last_is_prefix and not analysis.phrase(typed).last_is_prefix
            said = phrases["prefix" if is_open else "words"].format(typed)
            return said if name == "text" else f"{names.get(name, name)} {said}"
        case Exact(field="pinyin", typed=typed):
            return phrases["pinyin"].format(typed)
        case Exact(field="keys", value=value, typed=typed) if analysis.is_tail_key(value):
            return phrases["tail"].format(typed)
        case Exact(field="keys" | "case_keys" as name, value=value, typed=typed):
            is_case = name == "case_keys" or not value.isalnum()
            return phrases["case" if is_case else "key"].format(typed or value)
        case Exact(field="digests", value=value):
            return phrases["key"].format(value)
        case Exact(field="flags", value=value):
            return names.get(value, value)
        case Exact(field=name, value=value, typed=typed):
            return f"{names.get(name, name)} {typed or value}"
        case During(from_ms=start, to_ms=end):
            return phrases["time"].format(*(_moment(moment, zone, phrases["open"]) for moment in (start, end)))
        case Not(part):
            told = _told(part, zone, lang)
            return phrases["not"].format(phrases["or"].format(told) if isinstance(part, All) else told)
        case All(parts):
            return phrases["all"].join(_told(part, zone, lang) for part in parts) or phrases["everything"]
        case Either(parts) if parts:
            return phrases["or"].format(phrases["any"].join(dict.fromkeys(_told(part, zone, lang) for part in parts)))
        case _:
            return phrases["nothing"]


def _moment(at_ms: int | None, zone: ZoneInfo, unlimited: str) -> str:
    if at_ms is None:
        return unlimited
    return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(sep=" ", timespec="minutes")

"""Case numbers as bureaus print them and clerks type them: found in running text, compared, and printed again.

Covered: decision style (`平商务罚字〔2021〕第3号`, `(平)市监罚〔2022〕12号`) in every bracket, width and script;
the spellings that file systems force (`平商务罚字_2021_3号`); court style (`（2021）宁0221行初12号`, with lists); plain
identifiers `CASE-2021-0042`, `AJ2021-0042` (prefixes: CASE, AJ, ANJIAN, XZCF, CF, LA; year; three to eight digits).
Rejected: official document numbers (`国办发〔2018〕118号`), which name no enforcement act, and blank templates.
Not covered: a bureau's own list of organisation codes, which would make the start of the name exact.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Style = Literal["decision", "court", "plain"]


@dataclass(frozen=True, kw_only=True)
class CaseNumber:
    """One case number. start, end: where it stands in `folded(text)`.

    issuer: region and organisation (`平商务`), court (`宁0221`) or prefix (`CASE`); kind: the act (`罚`, `行初`).
    letters: a district code between year and number. number: digits as found, with sub-numbers (`3-1`).
    """

    style: Style
    issuer: str
    kind: str
    year: int
    letters: str
    number: str
    printed: str
    start: int
    end: int

    @property
    def key(self) -> str:
        """What two spellings of one number share: without brackets, 字, 第, 号 and leading zeros."""
        parts = [f"{self.issuer}{self.kind}", str(self.year), self.letters, _bare(self.number)]
        return "-".join(part for part in parts if part)


_OPENING: Final = "〔[【({〈<《「『"
_CLOSING: Final = "〕]】)}〉>》」』"
_BRACKETS: Final = str.maketrans(_OPENING + _CLOSING, "〔" * len(_OPENING) + "〕" * len(_CLOSING))
_VARIANTS: Final = str.maketrans(
    {
        "號": "号", "罰": "罚", "處": "处", "務": "务", "監": "监", "執": "执", "環": "环", "決": "决", "強": "强",
        "—": "-", "–": "-", "‐": "-", "‑": "-", "−": "-", "﹣": "-", "～": "-", "○": "〇", "◯": "〇",
    }
)  # fmt: skip
_UNSEEN: Final = re.compile("[\\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_BETWEEN_DIGITS: Final = re.compile(r"(?<=\d)\s+(?=\d)")  # else 3 and 2021 beside it would be one number
_NUMERALS: Final = {digit: value for value, digit in enumerate("〇一二三四五六七八九")} | {"零": 0}

_HAN: Final = "[\u3400-\u9fff]"
_KIND: Final = (
    "不罚决|当罚决|当罚|罚先告|罚听告|罚听|罚告|罚决|罚缓|罚催|行罚|行处|处罚|听告|听通|先告|先登|先保|责改|责令|强制|强催|强执|"
    "查扣|解扣|解封|查封|扣押|登存|登保|移送|立案|撤案|结案|不予|立|罚|处|检|查|询|告|催|结|送"
)
_YEAR: Final = r"(?:(?P<year>(?:19|20)\d\d)|(?P<written>[〇零一二三四五六七八九]{4}))"
_NUMBER: Final = (
    r"(?P<letters>[A-Z]{1,4})?(?P<ordinal>第)?(?P<sub>[A-Z]-)?"
    r"(?P<number>\d{1,8}(?:-\d{1,4}(?=号))?|[〇零一二三四五六七八九十百千]{1,7}(?=号))"
)
_TAIL: Final = r"(?:之(?P<part>[一二三四五六七八九十]+|\d{1,3}))?"
_LEAD: Final = rf"(?P<lead>〔{_HAN}{{1,4}}〕)?(?P<issuer>{_HAN}{{1,14}}?)(?P<kind>{_KIND})"

_PRINTED: Final = re.compile(rf"{_LEAD}(?P<word>决?字|决)?〔{_YEAR}年?〕{_NUMBER}(?:(?P<mark>号){_TAIL}|(?!\d))")
# Without brackets only where 字 stands, or where the act is a penalty; `[-_.]` is what a clerk types for a bracket.
_TYPED: Final = re.compile(
    rf"{_LEAD}(?P<word>字)?[-_.]?{_YEAR}年?(?P<gap>[-_.]|(?=第))(?P<ordinal>第)?"
    r"(?P<number>\d{1,8}(?:-\d{1,4}(?=号))?)(?P<mark>号)?(?!\d|年|月)"
)
_COURT: Final = re.compile(
    r"〔(?P<year>(?:19|20)\d\d)〕(?P<issuer>最高法|[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼兵]\d{0,4})"
    rf"(?P<kind>{_HAN}{{1,4}})(?P<numbers>\d{{1,6}}(?:[、,]\d{{1,6}})*)号(?:之(?P<part>[一二三四五六七八九十]+|\d{{1,3}}))?"
)
_PLAIN: Final = re.compile(
    r"(?<![A-Z0-9])(?P<issuer>CASE|ANJIAN|XZCF|AJ|CF|LA)[-_.]?(?P<year>(?:19|20)\d\d)[-_.]?(?P<number>\d{3,8})(?!\d)",
    re.IGNORECASE,
)
# Words that run into an issuer in running text; what stands before them is not part of it.
_BEFORE: Final = (
    "关于", "根据", "依据", "依照", "按照", "案号", "文号", "编号", "案件", "案卷", "卷宗", "材料", "现场", "录像",
    "视频", "照片", "证据", "决定书", "告知书", "通知书", "现将", "作出", "下达", "送达", "涉及", "详见", "参见",
    "本案", "号", "的", "见",
)  # fmt: skip
_JOINING: Final = ("以及", "和", "与", "及", "或", "并", "至", "到")
# Words that end like an act and name none: notices, reports, inspection bureaus, offices.
_NO_ACTS: Final = re.compile(
    "(?:公告|通告|报告|预告|广告|质检|抽检|巡检|纪检|安检|商检|年检|办事处|管理处|秘书处|人事处|财务处|报送|发送|转送|总结|设立|成立|建立|国立|公立|查询|咨询|征询)$"
)
_PENALTY: Final = re.compile("罚")
_MONTH_DAY: Final = re.compile(r"(?:0[1-9]|1[0-2])(?:-?(?:0[1-9]|[12]\d|3[01]))?|\d{1,2}-\d{1,2}")
_DAY_BEHIND: Final = re.compile(r"[-_.]\d{1,2}(?!\d)")
# A longer run of digits that no 号 closes is a date or a time that follows.
_LONGEST_OPEN: Final = 6


def folded(text: str) -> str:
    """The text in the form numbers are sought in: compatibility width, one bracket, one dash, simplified.

    Spaces are gone, but between two digits one becomes `_`.
    """
    plain = _BETWEEN_DIGITS.sub("_", unicodedata.normalize("NFKC", text).strip())
    return _UNSEEN.sub("", plain).translate(_VARIANTS).translate(_BRACKETS)


def parse(text: str) -> tuple[CaseNumber, ...]:
    """Every case number in the text, in its order; each place is read once."""
    plain = folded(text)
    found = sorted(
        [*_court_numbers(plain), *_printed_numbers(plain), *_typed_numbers(plain), *_plain_numbers(plain)],
        key=lambda number: (number.start, -number.end),
    )
    kept: list[CaseNumber] = []
    for number in found:
        if not any(_overlap(number, other) for other in kept):
            kept.append(number)
    return tuple(kept)


def key_of(text: str) -> str | None:
    """The comparable form of the first case number in the text; None where there is none."""
    numbers = parse(text)
    return numbers[0].key if numbers else None


def comparable(text: str) -> str:
    """The key of the first case number, or for text that holds none the text folded: equal words stay equal."""
    return key_of(text) or folded(text).casefold()


def _overlap(one: CaseNumber, other: CaseNumber) -> bool:
    if (one.start, one.end) == (other.start, other.end):
        return one.number == other.number or one.style != "court" or other.style != "court"
    return one.start < other.end and other.start < one.end


def _printed_numbers(plain: str) -> Iterator[CaseNumber]:
    for match in _PRINTED.finditer(plain):
        found = match.groupdict()
        issuer = _issuer(found["issuer"], joined=_follows_number(plain, match.start("issuer")))
        if not issuer or _NO_ACTS.search(issuer + found["kind"]):
            continue
        number = (found["sub"] or "") + _digits(found["number"])
        if not found["mark"] and len(number) > _LONGEST_OPEN:
            continue
        number += f"之{found['part']}" if found["part"] else ""
        yield _decision(match, found, issuer, number)


def _typed_numbers(plain: str) -> Iterator[CaseNumber]:
    for match in _TYPED.finditer(plain):
        found = match.groupdict()
        if _may_be_day(found, plain[match.end() :]) or not (found["word"] or _PENALTY.search(found["kind"])):
            continue
        if not found["mark"] and len(found["number"]) > _LONGEST_OPEN:
            continue
        issuer = _issuer(found["issuer"], joined=_follows_number(plain, match.start("issuer")))
        if issuer and not _NO_ACTS.search(issuer + found["kind"]):
            yield _decision(match, {**found, "letters": None}, issuer, found["number"])


def _decision(match: re.Match[str], found: dict[str, str | None], issuer: str, number: str) -> CaseNumber:
    year = int(found["year"]) if found["year"] else int(_digits(found["written"] or ""))
    whole = issuer == found["issuer"]  # else running text stood between the region and the issuer
    region = (found["lead"] or "").strip("〔〕") if whole else ""
    letters, kind = found["letters"] or "", found["kind"] or ""
    shown, _, part = number.partition("之")
    return CaseNumber(
        style="decision",
        issuer=region + issuer,
        kind=kind + ("决" if found["word"] in ("决", "决字") else ""),
        year=year,
        letters=letters,
        number=number,
        printed=f"{f'（{region}）' if region else ''}{issuer}{kind}{found['word'] or ''}〔{year}〕{letters}"
        f"{found['ordinal'] or ''}{shown}号{f'之{part}' if part else ''}",
        start=match.start(),
        end=match.end(),
    )


def _court_numbers(plain: str) -> Iterator[CaseNumber]:
    for match in _COURT.finditer(plain):
        part = f"之{match['part']}" if match["part"] else ""
        for number in re.split("[、,]", match["numbers"]):
            yield CaseNumber(
                style="court",
                issuer=match["issuer"],
                kind=match["kind"],
                year=int(match["year"]),
                letters="",
                number=number + part,
                printed=f"（{match['year']}）{match['issuer']}{match['kind']}{number}号{part}",
                start=match.start(),
                end=match.end(),
            )


def _plain_numbers(plain: str) -> Iterator[CaseNumber]:
    for match in _PLAIN.finditer(plain):
        prefix = match["issuer"].upper()
        yield CaseNumber(
            style="plain",
            issuer=prefix,
            kind="",
            year=int(match["year"]),
            letters="",
            number=match["number"],
            printed=f"{prefix}-{match['year']}-{match['number']}",
            start=match.start(),
            end=match.end(),
        )


def _issuer(found: str, *, joined: bool) -> str:
    """The organisation without the running text before it. joined: another number stands right before."""
    for word in _BEFORE:
        found = found.rpartition(word)[2]
    if joined:
        for word in _JOINING:
            if found.startswith(word) and len(found) > len(word):
                return found.removeprefix(word)
    return found


def _may_be_day(found: dict[str, str | None], behind: str) -> bool:
    """Whether year and number read as a month or a day: `处罚2021-08-03` and `处罚2021-8-3号` are no numbers."""
    number, word = found["number"] or "", found["word"]
    if found["ordinal"] or (found["mark"] and (word or "-" not in number)):
        return False
    if _DAY_BEHIND.match(behind):
        return number.startswith("0") or not word
    return not word and ("-" in number or _MONTH_DAY.fullmatch(number) is not None)


def _follows_number(plain: str, at: int) -> bool:
    return plain[:at].endswith(("号", "号、"))


def _digits(text: str) -> str:
    """Arabic digits of a number in either script; place words (`十二`, `一百零三`) are counted out."""
    if not text or text[0].isascii():
        return text
    if not any(letter in "十百千" for letter in text):
        return "".join(str(_NUMERALS[letter]) for letter in text)
    total, digit = 0, 0
    for letter in text:
        place = {"十": 10, "百": 100, "千": 1000}.get(letter)
        if place is None:
            digit = _NUMERALS[letter]
        else:
            total, digit = total + (digit or 1) * place, 0
    return str(total + digit)


def _bare(number: str) -> str:
    """The number without leading zeros in any of its parts."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", number)

"""Names and numbers of parties in the folder, the name, a sidecar or the text: the cases of these parties.

A name may be anybody's, and one party may have many cases, so this proposes and never more; a name of two characters or
a common word is weak. Where a case is named outright, its own parties are no hint at their other cases, and those of
others are a weak one. Names that a register does not hold are not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.case_numbers import comparable
from pipeline.records import Around, CaseLink, Known, Named, Words
from pipeline.stage import Linker

NAME: Final = "party_name"
IDENTIFIER, LONG, FOUR, THREE, SHORT, WEAK = 0.75, 0.7, 0.6, 0.5, 0.45, 0.25
# Times this: a text names others too; only one of several cases can be meant; another case is named outright.
_IN_TEXT, _OF_SEVERAL, _BESIDE_TOLD = 0.9, 0.6, 0.4
# Words that are names of firms and of everything else.
_COMMON: Final = frozenset(
    {
        "公司", "商店", "超市", "饭店", "餐厅", "宾馆", "酒店", "药店", "市场", "商场", "当事人", "个体户", "现场",
        "检查", "执法", "记录", "证据", "食品", "物流",
    }
)  # fmt: skip
_WHERE: Final = {
    "file name": Words("its name", "文件名"), "folder": Words("its folder", "所在文件夹"),
    "sidecar": Words("a file beside it", "附属文件"), "text": Words("its text", "正文"),
}  # fmt: skip
_HOW: Final = {
    "name": Words("the name", "名称"), "short": Words("the short form of the name", "简称"),
    "identifier": Words("the number", "证照号码"),
}  # fmt: skip


def _propose(known: Known) -> Iterable[CaseLink]:
    return list(_links(known.around)) if known.around else []


def _links(around: Around) -> Iterator[CaseLink]:
    for one in around.named:
        keys = {comparable(case): case for case in one.cases}
        is_told = any(key in around.told for key in keys)
        beside = bool(around.told) and not is_told
        for key, case in keys.items():
            if is_told and key not in around.told:
                continue
            yield CaseLink(
                case=case, case_key=key, method=NAME,
                score=round(_score(one) * (_BESIDE_TOLD if beside else 1.0), 3),
                why=f"“{one.text}” in {_WHERE[one.where].en} is {_HOW[one.how].en} of {one.party.name}, a party of "
                f"this case{_also(one).en}{_OTHER.en if beside else ''}.",
                why_zh=f"{_WHERE[one.where].zh}中的“{one.text}”是本案当事人 {one.party.name} 的{_HOW[one.how].zh}"
                f"{_also(one).zh}{_OTHER.zh if beside else ''}。",
            )  # fmt: skip


_OTHER: Final = Words("; another case is named outright", "；但已明确写有其他案件")


def _score(one: Named) -> float:
    if one.how == "identifier":
        score = IDENTIFIER
    elif len(one.text) == 2 or one.text in _COMMON:
        score = WEAK
    elif one.how == "short":
        score = SHORT
    else:
        score = {3: THREE, 4: FOUR}.get(len(one.text), LONG)
    score *= _IN_TEXT if one.where == "text" else 1.0
    return round(score * (_OF_SEVERAL if len(one.cases) > 1 else 1.0), 3)


def _also(one: Named) -> Words:
    weak, cases = len(one.text) == 2 or one.text in _COMMON, len(one.cases)
    return Words(
        ("; a name so short or common may mean something else" if weak else "")
        + (f"; the party has {cases} cases" if cases > 1 else ""),
        ("；名称过短或过于常见，可能另有所指" if weak else "") + (f"；该当事人有 {cases} 个案件" if cases > 1 else ""),
    )


LINKER = Linker(name=NAME, version=3, zh="当事人名称", propose=_propose)

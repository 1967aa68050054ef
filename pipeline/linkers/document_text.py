"""Case numbers in the text of a written record.

A number behind `案号`, or one that stands alone in the header, is the record's own; others are named in it, and may be
those of any matter. What is named beside others says less. All are proposals: a record may be filed with a case whose
number it does not carry, and carry one that was mistyped. Official document numbers are no case numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.records import CaseLink, Known, Words
from pipeline.stage import Linker

NAME: Final = "document_text"
_LABELLED, _OWN, _NAMED = 0.95, 0.9, 0.75
_SHARED: Final = 0.6  # times this for each of several that are named alike
MOST: Final = 8
RECOGNIZED: Final = Words(" Its text was recognised by machine: compare the page.", "文字由机器识别，请对照原页核实。")


def _propose(known: Known) -> Iterable[CaseLink]:
    return list(_links(known))


def _links(known: Known) -> Iterator[CaseLink]:
    numbers = known.value("record.numbers", [])
    by = known.properties["record.numbers"].finder if numbers else ""
    machine = RECOGNIZED if by.startswith("ocr/") else Words("", "")
    ranks = [_LABELLED if labelled else _OWN if own else _NAMED for *_, own, labelled in numbers]
    for (printed, key, page, line, own, labelled), rank in list(zip(numbers, ranks, strict=True))[:MOST]:
        score = rank * (_SHARED if ranks.count(rank) > 1 else 1.0)
        as_what = "as its case number" if labelled else "as its own number" if own else "in its text"
        as_what_zh = "案号栏" if labelled else "文首" if own else "正文"
        yield CaseLink(
            case=printed, case_key=key, method=NAME, score=round(score, 3),
            why=f"The document names {printed} {as_what} (page {page}, line {line}).{machine.en}",
            why_zh=f"文书{as_what_zh}写有 {printed}（第 {page} 页第 {line} 行）。{machine.zh}",
        )  # fmt: skip


LINKER = Linker(name=NAME, version=3, zh="文书内容", propose=_propose)

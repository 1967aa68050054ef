"""Case numbers in the names a file arrived under."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.case_numbers import parse
from pipeline.records import CaseLink, Known
from pipeline.stage import Linker
from pipeline.timing.names import places_of

_SCORE: Final = 0.85
_SHARED: Final = 0.6  # times this where the name holds several numbers


def _propose(known: Known) -> Iterable[CaseLink]:
    return [
        CaseLink(
            case=number.printed,
            case_key=number.key,
            method="file_name",
            score=_SCORE if len(numbers) == 1 else round(_SCORE * _SHARED, 3),
            why=f"Its name “{name}” holds this case number.",
            why_zh=f"文件名“{name}”中有此案号。",
        )
        for name in dict.fromkeys(name for _, name in places_of(known))
        for numbers in [parse(name)]
        for number in numbers
    ]


LINKER = Linker(name="file_name", version=2, zh="文件名", propose=_propose, names_case=True)

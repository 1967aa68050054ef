"""Case numbers in the names of the folders a file arrived in; the nearest folder counts most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.case_numbers import parse
from pipeline.records import CaseLink, Known
from pipeline.stage import Linker
from pipeline.timing.names import places_of

_NEAREST: Final = 0.9
_EACH_UP: Final = 0.1  # a folder further up holds more than this one matter
_LEAST: Final = 0.5
_SHARED: Final = 0.6  # times this where one folder names several numbers


def _propose(known: Known) -> Iterable[CaseLink]:
    return list(_links(known))


def _links(known: Known) -> Iterator[CaseLink]:
    for folder, _ in places_of(known):
        parts = [part for part in folder.split("/") if part]
        for up, part in enumerate(reversed(parts)):
            numbers = parse(part)
            score = max(_LEAST, _NEAREST - _EACH_UP * up) * (_SHARED if len(numbers) > 1 else 1.0)
            for number in numbers:
                yield CaseLink(
                    case=number.printed,
                    case_key=number.key,
                    method="folder_name",
                    score=round(score, 3),
                    why=f"It arrived in the folder “{part}”, which names this case number.",
                    why_zh=f"所在文件夹“{part}”写有此案号。",
                )


LINKER = Linker(name="folder_name", version=2, zh="文件夹名", propose=_propose, names_case=True)

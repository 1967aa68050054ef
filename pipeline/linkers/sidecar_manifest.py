"""The case that a dock or a recorder wrote into a file beside the recording, or into the recording itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.case_numbers import comparable, parse
from pipeline.records import CaseLink, Known
from pipeline.stage import Linker

_SCORE: Final = 0.95
_UNREAD: Final = 0.7  # a word that is no known form of case number


def _propose(known: Known) -> Iterable[CaseLink]:
    return list(_links(known))


def _links(known: Known) -> Iterator[CaseLink]:
    for holder in (known, *known.sidecars):
        written = holder.properties.get("sidecar.case")
        said = str(written.value if written.value is not None else written.found).strip() if written else ""
        if not said:
            continue
        numbers = parse(said)
        named = [(number.printed, number.key) for number in numbers] or [(said, comparable(said))]
        for printed, key in named:
            yield CaseLink(
                case=printed,
                case_key=key,
                method="sidecar_manifest",
                score=_SCORE if numbers else _UNREAD,
                why=f"{holder.original.name} says that the recording belongs to {said}.",
                why_zh=f"{holder.original.name} 载明该录制属于 {said}。",
            )


LINKER = Linker(name="sidecar_manifest", version=2, zh="附属文件", propose=_propose, names_case=True)

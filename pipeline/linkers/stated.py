"""The clerk's word: the case stated when the file was handed over. A person said it, so it is confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.case_numbers import comparable, parse
from pipeline.records import CaseLink, Known
from pipeline.stage import Linker


def _propose(known: Known) -> Iterable[CaseLink]:
    return list(_links(known))


def _links(known: Known) -> Iterator[CaseLink]:
    for arrival in sorted(known.arrivals, key=lambda arrival: arrival.taken_at):
        said = (arrival.stated.case or "").strip()
        if not said:
            continue
        # A word that is no known form of number is still the clerk's word, and is kept as it stands.
        named = [(number.printed, number.key) for number in parse(said)] or [(said, comparable(said))]
        for printed, key in named:
            yield CaseLink(
                case=printed,
                case_key=key,
                method="stated",
                score=1.0,
                why=f"The clerk stated {said} when handing the file over.",
                why_zh=f"登记员上交时写明 {said}。",
                status="confirmed",
                activity=arrival.stated.activity,
                by="clerk",
            )


LINKER = Linker(name="stated", version=2, zh="登记员说明", propose=_propose, names_case=True)

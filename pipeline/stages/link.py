"""The stage that says to which cases an original belongs, and why; guesses stay proposals until a person decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from pipeline.case_numbers import parse
from pipeline.kinds import kinds_in
from pipeline.neighbours import MISSING, passes
from pipeline.records import Around, Beside, CaseLink, Caveat, Facts, Known, Property
from pipeline.stage import Context, Linker, Stage

NAME: Final = "link"
VERSION: Final = 10
# A word that is no known form of number, or one of several numbers in a name, speaks against no other case.
NAMED_LEAST: Final = 0.8


def run(known: Known, context: Context) -> Facts:
    """One link a case, and what it shares with other originals.

    A sidecar has none of its own: it goes where its recording goes.
    """
    if known.original.parent is not None:
        return Facts()
    known = replace(known, around=context.around(known))
    known = replace(known, relatives=tuple(context.relatives(known)) if known.fingerprints else ())
    beside = context.neighbours(known)
    known = replace(known, neighbours=beside.neighbours)
    linkers: tuple[Linker, ...] = kinds_in("pipeline.linkers", "LINKER")
    found = list(_found_by((one for one in linkers if one.names_case), known))
    refused = {one.case_key for one in known.links if one.status == "refused"}
    named = {one.case_key for one in found if one.score >= NAMED_LEAST and parse(one.case)}
    told = named | {one.case_key for one in (*found, *known.links) if one.status == "confirmed"}
    known = replace(known, around=replace(known.around or Around(), told=frozenset(told - refused)))
    found += _found_by((one for one in linkers if not one.names_case), known)
    links = merged(found, known.links)
    return Facts(
        links=links, relatives=known.relatives,
        properties=(*_registered(known.around), *_part_of(beside)),
        caveats=tuple(
            Caveat(code=MISSING, text=text, text_zh=text_zh, finder=f"{NAME}/{VERSION}")
            for text, text_zh in beside.missing
        ),
        again=tuple(dict.fromkeys([*beside.stale, *_told_by(links, known)])),
    )  # fmt: skip


def _found_by(linkers: Iterable[Linker], known: Known) -> Iterator[CaseLink]:
    for linker in linkers:
        for link in linker.propose(known):
            yield replace(link, finder=f"{linker.name}/{linker.version}")


def _told_by(links: Sequence[CaseLink], known: Known) -> Iterator[str]:
    """Neighbours that should hear of a case: those that are not linked to what this file is linked to now."""
    earlier = {link.case_key for link in known.links}
    for one in known.neighbours:
        theirs = {link.case_key for link in one.links}
        if any(link.case_key not in earlier | theirs and passes(link, one.distance) for link in links):
            yield one.original


def _registered(around: Around | None) -> Iterator[Property]:
    """The registered device, and who carried it by the ledger: to be found by, and shown."""
    finder = f"{NAME}/{VERSION}"
    if around is None:
        return
    if around.device is not None:
        yield Property(name="register.device", found=around.device_why.en, value=around.device.code, finder=finder)
    carriers = [one.person for one in around.carried] or ([around.officer] if around.officer else [])
    if carriers:
        names = list(dict.fromkeys(f"{one.name} {one.code}" for one in carriers))
        yield Property(name="register.officer", found="、".join(names), value=names, finder=finder)


def _part_of(beside: Beside) -> Iterator[Property]:
    """The logical recording it is a part of, by which hits are grouped; none for a recording of one file."""
    if beside.recording:
        yield Property(name="recording.id", found=beside.recording, value=beside.recording, finder=f"{NAME}/{VERSION}")


def merged(found: Iterable[CaseLink], earlier: Sequence[CaseLink]) -> tuple[CaseLink, ...]:
    """One link a case (and range of time): the best, naming the other ways it was found; ordered, best first.

    earlier: the links already recorded. What a person refused is not proposed again, by any way; what a person
    confirmed stays confirmed, by that person.
    """
    found = list(found)
    refused = {_subject(link) for link in earlier if link.status == "refused"}
    confirmed = {_subject(link): link for link in earlier if link.status == "confirmed"}
    # What a file tells by itself needs no neighbour to say so: its links would change with each of theirs.
    by_itself = {_subject(link) for link in found if link.method != "same_recording"}
    by_subject: dict[tuple[object, ...], list[CaseLink]] = {}
    for link in found:
        if link.method == "same_recording" and _subject(link) in by_itself:
            continue
        if _subject(link) not in refused:
            by_subject.setdefault(_subject(link), []).append(link)
    links = [_best(group, confirmed.get(subject)) for subject, group in by_subject.items()]
    return tuple(sorted(links, key=_rank))


def _subject(link: CaseLink) -> tuple[object, ...]:
    return (link.case_key, link.from_s, link.to_s)


def _rank(link: CaseLink) -> tuple[object, ...]:
    return (link.status != "confirmed", -link.score, link.case_key, link.method)


def _best(group: Sequence[CaseLink], confirmed: CaseLink | None) -> CaseLink:
    first, *rest = sorted(group, key=_rank)
    others = sorted({link.method for link in rest} - {first.method})
    if others:
        called: dict[str, str] = {one.name: one.zh for one in kinds_in("pipeline.linkers", "LINKER")}
        named_zh = "、".join(called.get(one, one) for one in others)
        first = replace(
            first, why=f"{first.why} Also found by {', '.join(others)}.", why_zh=f"{first.why_zh}另据{named_zh}。"
        )
    if confirmed is not None:
        first = replace(first, status="confirmed", by=confirmed.by or first.by)
    return first


STAGE = Stage(name=NAME, version=VERSION, run=run)

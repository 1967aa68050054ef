"""A case as its reviewer weighs it before the decision, and the opinion that the reviewer signs.

Worked out anew each time from what is registered, linked and recorded; a signature freezes the state, and what changed
since is told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from indexer.casework.case_file import CaseFile, case_file, keys_of
from indexer.casework.checklist import (
    FACTS,
    Checklist,
    ListRules,
    changes_between,
    checklist_of,
    digest_of,
    list_rules_of,
    state_of,
)
from indexer.casework.contradictions import Contradiction, contradictions_of
from indexer.casework.looked import LENGTHS, as_facts, looked_at
from indexer.coverage import Covered, Steps, coverage_of, steps_of
from indexer.persons.sight import Sight
from pipeline.acts.signing import OPINIONS, Signature, Signatures
from pipeline.edges.audit import AuditLog
from pipeline.edges.catalog import Catalog
from pipeline.edges.database.registers import Linked
from pipeline.errors import BadInput
from pipeline.records import Person
from pipeline.watched import Stretch

Light = Literal["signed", "partly", "changed", "complete", "lacking"]
Seen = Callable[[Sequence[str]], Sequence[str]]
# What of a state is worked out of all originals together, so that it tells of those that somebody may not know of.
_OF_ALL: Final = ("covered", "items")
UNSEEN: Final = (
    "of the originals that you see {count} were not before who signed, who may not know of them; the opinion is not on "
    "them",
    "其中 {count} 份原件签署人无权知悉，签署时未看到，审核意见不涉及这些原件",
)
PART_HIDDEN: Final = ("part of what was signed is not for you to know", "签署内容中有您无权知悉的部分")


@dataclass(frozen=True)
class Rules:
    """What must be recorded, and what a case must have, as it is in force in a home."""

    steps: Steps
    asked: ListRules


@dataclass(frozen=True, kw_only=True)
class Review:
    """A case with all that is worked out of it. signature: the last one, as far as whoever asks may know of what was
    signed; is_part_hidden: there is more to it, of which they may not know; unseen: what of the case its signer did not
    know and may not know of, so that nobody takes the opinion for one on it; zone: in which times are told."""

    file: CaseFile
    duties: tuple[Covered, ...]
    contradictions: tuple[Contradiction, ...]
    checklist: Checklist
    state: Mapping[str, Any]
    signature: Signature | None
    zone: str
    is_part_hidden: bool = False
    unseen: tuple[Linked, ...] = ()

    @property
    def printed(self) -> str:
        """The case's own number."""
        return self.file.case.numbers[0][0]

    @cached_property
    def digest(self) -> str:
        """Of the state that a signature would freeze now."""
        return digest_of(self.state)

    @property
    def holds(self) -> bool:
        """Whether it was signed, and is as it was then; as far as whoever asks may know of both."""
        if self.signature is None or not self._is_of_some:
            return self.signature is not None and self.signature.digest == self.digest
        before, now = self._compared
        return digest_of(before) == digest_of(now)

    @cached_property
    def changes(self) -> list[tuple[str, str]]:
        """What changed since it was signed, in English and Chinese; as far as whoever asks may know of both."""
        if self.signature is None:
            return []
        return changes_between(*self._compared)

    @cached_property
    def _compared(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The states then and now, as far as both the signer and whoever asks may know of what they are of."""
        assert self.signature is not None
        if not self._is_of_some:
            return self.signature.state, self.state
        return _for_some(self.signature.state), _for_some(_less(self.state, {one.sha256 for one in self.unseen}))

    @property
    def _is_of_some(self) -> bool:
        """Whether whoever asks and who signed may know of different things, so that figures of all may differ."""
        return self.is_part_hidden or bool(self.unseen) or self.file.is_part_hidden

    @property
    def light(self) -> Light:
        """How it stands in one word."""
        if self.signature is not None:
            return "changed" if not self.holds else "partly" if self.unseen else "signed"
        return "lacking" if self.checklist.lacking else "complete"


def duties_of(file: CaseFile, steps: Steps) -> tuple[Covered, ...]:
    """How far the recordings of the case show each activity that has a time."""
    return tuple(
        coverage_of(one, file.shown, steps, file.excuses, file.seams) for one in file.activities if one.from_at
    )


def rules_in(home: Path) -> Rules:
    """The rules in force in this home. Raises BadInput where a file of its own cannot be used."""
    return Rules(steps_of(home), list_rules_of(home))


def review_of(
    catalog: Catalog, audit: AuditLog, rules: Rules, number: str, *, zone: str,
    sight: Sight | None = None, seen_by: Callable[[Signature], Seen] = lambda _: lambda ids: ids,
) -> Review:  # fmt: skip
    """The case with this number. sight: as for `case_file`; seen_by: those of these originals that who signed may know
    of. Raises BadInput where there is no such case."""
    file = case_file(catalog, audit, number, zone=zone, facts=(*FACTS, *LENGTHS), sight=sight)
    duties = duties_of(file, rules.steps)
    contradictions = tuple(contradictions_of(file, rules.steps, zone))
    signed = next(reversed(Signatures(catalog, audit).of(keys_of(file.case))), None)
    hidden = frozenset() if signed is None or sight is None else _hidden_of(signed, catalog, file, sight.seen)
    if signed is not None and sight is not None:
        signed = replace(signed, reason=sight.unnamed.said(signed.reason))
    checklist = checklist_of(file, duties, contradictions, rules.asked, rules.steps)
    return Review(
        file=file, duties=duties, contradictions=contradictions, checklist=checklist, zone=zone,
        state=state_of(file, checklist, duties, rules.steps),
        signature=_without(signed, hidden) if signed and hidden else signed, is_part_hidden=bool(hidden),
        unseen=_unseen_of(signed, file, seen_by(signed)) if signed else (),
    )  # fmt: skip


def _hidden_of(signature: Signature, catalog: Catalog, file: CaseFile, seen: Seen) -> frozenset[str]:
    """The digests of the originals that its signer knew and whoever asks may not know of."""
    linked = {one.sha256 for one in file.linked}
    ids = {sha256: catalog.id_of_digest(sha256) for sha256 in signature.state["originals"] if sha256 not in linked}
    allowed = set(seen([one for one in ids.values() if one]))
    return frozenset(sha256 for sha256, one in ids.items() if one and one not in allowed)


def _unseen_of(signature: Signature, file: CaseFile, seen: Seen) -> tuple[Linked, ...]:
    """What of the case as whoever asks may know of it was not signed, for its signer may not know of it."""
    new = [one for one in file.linked if one.sha256 not in signature.state["originals"]]
    allowed = set(seen([one.original for one in new])) if new else set()
    return tuple(one for one in new if one.original not in allowed)


def _less(state: Mapping[str, Any], gone: Collection[str]) -> dict[str, Any]:
    """The state without the originals with these digests."""
    kept = {
        name: {sha256: said for sha256, said in state[name].items() if sha256 not in gone}
        for name in ("originals", "names")
    }
    return {**state, **kept}


def _without(signature: Signature, hidden: frozenset[str]) -> Signature:
    """The signature without these originals, and without what was worked out of them."""
    watched = [one for one in signature.watched if one["sha256"] not in hidden]
    return replace(signature, state=_for_some(_less(signature.state, hidden)), watched=watched)


def _for_some(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state as it can be compared by somebody who may not know of every original that was signed."""
    return {**state, **{name: {} for name in _OF_ALL}}


def sign(
    signatures: Signatures, person: Person, review: Review, *, opinion: str = "agree", reason: str = "",
    watched: Mapping[str, float] | None = None, stretches: Mapping[str, Sequence[Stretch]] | None = None,
) -> Signature:  # fmt: skip
    """The person's opinion of the case as it is now. watched: original -> seconds that this person played of it;
    stretches: which.

    Raises BadInput without a reason, where something is missing or the opinion is not to agree.
    """
    reason, lacking = reason.strip(), review.checklist.lacking
    if opinion not in OPINIONS:
        raise BadInput(f"An opinion is one of {', '.join(OPINIONS)}", zh="审核意见应为同意、不同意或建议修改",
                       found=opinion)  # fmt: skip
    if opinion != "agree" and not reason:
        raise BadInput("Say why you do not agree, or what is to be amended", zh="不同意或建议修改的，请说明理由")
    if lacking and not reason:
        raise BadInput(
            f"{lacking} things are missing: give a reason why it is signed all the same",
            zh=f"尚缺 {lacking} 项：如仍要签字，请说明理由", found=lacking,
        )  # fmt: skip
    return signatures.sign(
        person, review.printed, review.digest, review.state, reason, opinion=opinion,
        watched=[as_facts(one) for one in looked_at(review.file, watched or {}, stretches or {}).values()],
    )  # fmt: skip

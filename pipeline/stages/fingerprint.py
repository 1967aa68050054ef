"""The fingerprint stage: perceptual marks by which a clip, a photo or a sound finds its source.

Those of a recording are taken while it is decoded for viewing; here, what is missing still: marks of photos, marks
of a version that is no more, and those whose decode failed there. A recording of which no marks can be taken is
not found by likeness; it becomes a caveat only where its content should have been readable, for blank pictures and
silence have no marks by their nature.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import Unreadable
from pipeline.kinds import kinds_in
from pipeline.listening import Part, listen
from pipeline.records import Caveat, Facts, Known
from pipeline.stage import Context, Fingerprinter, Listener, Stage, Trial


def run(known: Known, context: Context) -> Facts:
    """The marks that are missing in their present version, and a caveat for each that could not be taken."""
    present = {(one.method, one.version) for one in known.fingerprints}
    wanted = [
        one
        for one in kinds_in("pipeline.fingerprinters", "FINGERPRINTER")
        if one.wants(known) and (one.name, one.version) not in present
    ]
    if not wanted:
        return Facts()
    with context.vault.opened(known.original.sha256) as source:
        outcomes = _taken(wanted, source, known, context)
    fingerprints, caveats = [], []
    for one in wanted:
        outcome, finder = outcomes[one.name], f"{one.name}/{one.version}"
        if isinstance(outcome, Unreadable):
            caveats.append(replace(_caveat(one, outcome), finder=finder))
        else:
            fingerprints += [replace(found, finder=finder) for found in outcome.fingerprints]
    return Facts(fingerprints=tuple(fingerprints), caveats=tuple(caveats))


def _taken(
    wanted: Sequence[Fingerprinter], source: Path, known: Known, context: Context
) -> dict[str, Facts | Unreadable]:
    def to(one: Fingerprinter, trial: Trial) -> Listener:  # noqa: ARG001  # the same again
        assert one.listen is not None
        return one.listen(known, context)

    parts = [Part(one.name, functools.partial(to, one)) for one in wanted if one.listen is not None]
    outcomes = listen(parts, source, known, context)
    for one in wanted:
        if one.fingerprint is not None:
            try:
                outcomes[one.name] = Facts(fingerprints=(one.fingerprint(source, known, context),))
            except Unreadable as error:
                outcomes[one.name] = error
    return outcomes


def _caveat(one: Fingerprinter, error: Unreadable) -> Caveat:
    return Caveat(
        code=f"no_{one.name}_marks",
        text=f"Copies of its {one.name} cannot be found by likeness: {error.sentence}.",
        text_zh="无法按相似度查找其副本；原件完好保存，未作任何改动。",
    )


STAGE = Stage(name="fingerprint", version=2, run=run)

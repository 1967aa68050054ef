"""The fingerprint stage: perceptual marks by which a clip, a photo or a sound finds its source.

A recording of which no marks can be taken is not found by likeness; it becomes a caveat only where its content should
have been readable, for blank pictures and silence have no marks by their nature.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.errors import Unreadable
from pipeline.kinds import kinds_in
from pipeline.records import Caveat, Facts, Known
from pipeline.stage import Context, Stage


def run(known: Known, context: Context) -> Facts:
    """The marks of every fingerprinter that wants this original, and a caveat for each that could not read it."""
    wanted = [one for one in kinds_in("pipeline.fingerprinters", "FINGERPRINTER") if one.wants(known)]
    fingerprints, caveats = [], []
    for fingerprinter in wanted:
        finder = f"{fingerprinter.name}/{fingerprinter.version}"
        try:
            with context.vault.opened(known.original.sha256) as source:
                found = fingerprinter.fingerprint(source, known, context)
        except Unreadable as error:
            caveats.append(
                Caveat(
                    code=f"no_{fingerprinter.name}_marks",
                    text=f"Copies of its {fingerprinter.name} cannot be found by likeness: {error.sentence}.",
                    text_zh="无法按相似度查找其副本；原件完好保存，未作任何改动。",
                    finder=finder,
                )
            )
            continue
        if found is not None:
            fingerprints.append(replace(found, finder=finder))
    return Facts(fingerprints=tuple(fingerprints), caveats=tuple(caveats))


STAGE = Stage(name="fingerprint", version=1, run=run)

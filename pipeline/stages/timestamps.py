"""The stage that finds out when it was recorded: every source's claims, the decided time, and its caveats."""

from __future__ import annotations

from dataclasses import replace

from pipeline.claiming import zone_of
from pipeline.deciding import decide
from pipeline.kinds import kinds_in
from pipeline.records import Facts, Known, TimeClaim
from pipeline.stage import Context, Stage, TimeSource

NAME = "timestamps"
VERSION = 1


def run(known: Known, context: Context) -> Facts:
    """All claims, the time decided from them, and what a reviewer must bear in mind of it."""
    claims = claims_of(known, context)
    finder = f"{NAME}/{VERSION}"
    decided, caveats = decide(
        claims,
        duration_s=duration_s_of(known),
        zone=zone_of(context.settings),
        now=context.catalog.now(),
    )
    return Facts(
        time_claims=claims,
        time=None if decided is None else replace(decided, finder=finder),
        caveats=tuple(replace(caveat, finder=finder) for caveat in caveats),
    )


def claims_of(known: Known, context: Context) -> tuple[TimeClaim, ...]:
    """What every source claims, with the source's name and version as finder."""
    sources: tuple[TimeSource, ...] = kinds_in("pipeline.time_sources", "TIME_SOURCE")
    return tuple(
        replace(claim, finder=f"{source.name}/{source.version}")
        for source in sources
        for claim in source.claims(known, context.settings)
    )


def duration_s_of(known: Known) -> float | None:
    """The recording's length: where its data end, else what its header says; None for what has no length."""
    for name in ("container.data_end_s", "container.duration_s"):
        length = known.value(name)
        if isinstance(length, int | float) and not isinstance(length, bool) and length > 0:
            return float(length)
    return None


STAGE = Stage(name=NAME, version=VERSION, run=run)

"""What files beside the recording say of its start and end: drone telemetry, GPX tracks, manifests of docks.

A sidecar's own start is claimed for itself too. UTC where the text says so (GPX always does), local digits otherwise.
A track may have been written by another device, which ran longer: the recording lies somewhere in it then, and never
lasts as long as the track does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import tzinfo

from config.settings import Settings
from pipeline.footage import length_s
from pipeline.records import Known, TimeClaim
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of_property, zone_of
from pipeline.timing.satellites import TRACK_STEP_S, TRACKS
from pipeline.timing.texts import shown_in


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    return list(_read(known, settings))


def _read(known: Known, settings: Settings) -> Iterator[TimeClaim]:
    zone = zone_of(settings)
    for holder in (known, *known.sidecars):
        beside = "" if holder is known else f"beside it in {holder.original.name}"
        claim = claim_of_property(holder, "sidecar.start", zone, note=beside)
        if claim is None:
            continue
        end = claim_of_property(holder, "sidecar.end", zone, source="sidecar.start")
        if holder.value("sidecar.source") == "gpx":
            claim, end = _in_utc(claim, zone), end and _in_utc(end, zone)
        if claim.at is not None and end is not None and end.at is not None and end.at >= claim.at:
            claim = replace(claim, end_at=end.at)
        is_track = holder is not known and holder.value("sidecar.source") in TRACKS
        yield _of_track(claim, known) if is_track else claim


def _of_track(claim: TimeClaim, known: Known) -> TimeClaim:
    """What the track beside it says of the recording: it began within the track, or so much before as that is short."""
    lasting_s = 0.0 if known.original.kind == "photo" else length_s(known)
    if claim.at is None or claim.end_at is None or lasting_s is None:
        return claim
    longer_s = (claim.end_at - claim.at).total_seconds() - lasting_s
    note = f"{claim.note}, which goes on {longer_s:.0f} s longer" if longer_s > TRACK_STEP_S else claim.note
    return replace(claim, end_at=None, note=note, precision_s=max(claim.precision_s, abs(longer_s), TRACK_STEP_S))


def _in_utc(claim: TimeClaim, zone: tzinfo) -> TimeClaim:
    """The digits as UTC, which the format asks for, where they state no zone."""
    if claim.at is None or claim.zone_known:
        return claim
    return replace(claim, at=shown_in(claim.at, zone), zone_known=True, offset_min=0)


TIME_SOURCE = TimeSource(name="sidecar", version=3, claims=_claims)

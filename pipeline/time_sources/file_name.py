"""File names, read by the device profiles of `filenames.toml` and of the site.

The name of the file as it first arrived counts, and other names it arrived under later. A name that a person typed
has little trust; a profile that knows its names hold no time claims nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.rules import TagRule, name_profiles
from pipeline.stage import TimeSource
from pipeline.timing.claiming import empty_claim, zone_of
from pipeline.timing.names import NameReading, places_of, read_name
from pipeline.timing.texts import instant_of


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    return list(dict.fromkeys(_read(known, settings)))


def _read(known: Known, settings: Settings) -> Iterator[TimeClaim]:
    profiles = name_profiles(settings.home)
    for folder, name in places_of(known):
        reading = read_name(folder, name, profiles)
        if reading is None:
            continue
        found = f"{folder}/{name}" if reading.profile.on == "path" else name
        if reading.start is not None:
            yield _claim(reading, found, settings)
        elif reading.trouble:
            yield empty_claim(_rule(reading), found, reading.trouble)


def _claim(reading: NameReading, found: str, settings: Settings) -> TimeClaim:
    profile = reading.profile
    zone = 0 if profile.zone == "utc" else zone_of(settings)
    assert reading.start is not None
    return TimeClaim(
        source=profile.source,
        found=found,
        at=instant_of(reading.start, zone),
        end_at=None if reading.end is None else instant_of(reading.end, zone),
        zone_known=profile.zone == "utc",
        offset_min=0 if profile.zone == "utc" else None,
        marks=profile.marks,
        precision_s=reading.precision_s,
        trust=profile.trust,
        note=f"named as {profile.device} does" if profile.device else "typed by a person, or by an unknown device",
    )


def _rule(reading: NameReading) -> TagRule:
    profile = reading.profile
    return TagRule(name=profile.source, trust=profile.trust, marks=profile.marks, zone="local")


TIME_SOURCE = TimeSource(name="file_name", version=1, claims=_claims)

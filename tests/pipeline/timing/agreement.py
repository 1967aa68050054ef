"""How the decided times of real recordings stand to what an outside tool reads from them.

Three questions of each file: does the decided instant agree with the tool's, is every contradiction that the tool names
noticed and the right side taken, and is no decided time one that cannot be. Where the tool's own words say that its
answer cannot be the time of recording (a date that had not come, local digits where the format says UTC, a year before
recorders), the right side is another, and agreeing with it would be the fault.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from config.settings import Settings
from pipeline.custody.sniff import sniff
from pipeline.edges.caged.reading import END_BYTES
from pipeline.edges.tools import Tools
from pipeline.records import Arrival, Caveat, DecidedTime, Facts, Known, Original, Property, TimeClaim
from pipeline.rules import timestamp_rules
from pipeline.stage import Context
from pipeline.stages import probe
from pipeline.stages.timestamps import claims_of, duration_s_of
from pipeline.timing.deciding import decide
from pipeline.timing.texts import Reading, instant_of, offset_min_of, read_time, shown_in

CORPUS: Final = Path(__file__).resolve().parents[4] / "shared" / "corpus"
MANIFEST: Final = CORPUS / "manifest.csv"
ZONE: Final = ZoneInfo("Asia/Shanghai")
# When the files are taken to have been handed in: after the newest of them, before the first date that had not come.
TAKEN_AT: Final = datetime(2026, 11, 22, tzinfo=UTC)
# The tool's answer cannot be the time of recording: the manifest's own words.
DOUBTED: Final = ("in the future", "wrote LOCAL time")
EARLIEST_YEAR: Final = 1990
# A content date with time and offset is the recording by the manifest's own order, and the movie header then the moment
# of saving.
CONTENT_DATE: Final = re.compile(r"ItemList:ContentCreateDate=\d{4}:\d\d:\d\d \d\d:\d\d:\d\d[+-]")
# How the reason reads for which a claim lost that cannot be true beside the chosen one.
TOLD: Final = (" later", " earlier", " before it can", "where clocks begin", "lies before", "had not come yet")
GPS_LESS: Final = re.compile(r"minus GPS-UTC = ([+-]?\d+)s: the camera wrote LOCAL")


@dataclass(frozen=True)
class Answer:
    """The tool's answer: the instant it means, its step, and whether the manifest itself doubts it."""

    at: datetime
    precision_s: float
    doubted: bool


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One file. answer: None where the tool read no time; conflicts: the contradictions it names."""

    path: str
    tag: str
    answer: Answer | None
    conflicts: tuple[str, ...]
    claims: tuple[TimeClaim, ...]
    decided: DecidedTime | None
    caveats: tuple[Caveat, ...]

    @property
    def apart_s(self) -> float | None:
        """From the tool's instant to the decided one."""
        if self.answer is None or self.decided is None:
            return None
        return (self.decided.start_at - self.answer.at).total_seconds()

    @property
    def agrees(self) -> bool:
        """Whether the decided instant is the tool's within the stated uncertainty and the tool's own step."""
        if self.apart_s is None or self.answer is None or self.decided is None:
            return False
        return abs(self.apart_s) <= max(self.decided.uncertainty_s, self.answer.precision_s)

    @property
    def is_right(self) -> bool:
        """Whether the side was taken that the manifest's words call right."""
        if self.answer is None or not self.answer.doubted:
            return self.agrees if self.answer else True
        true_at = _by_satellites(self)
        if true_at is not None:
            return self.decided is not None and abs((self.decided.start_at - true_at).total_seconds()) <= max(
                self.decided.uncertainty_s, 1.0
            )
        return self.apart_s is None or abs(self.apart_s) > self.answer.precision_s

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of its caveats."""
        return tuple(sorted(one.code for one in self.caveats))

    def notices(self, conflict: str) -> bool:
        """Whether the contradiction is told: in a caveat, or beside the claim that it concerns."""
        if "unparsable" in conflict:
            return any(one.note and one.source.startswith("exif.Date") for one in self.claims)
        if "in the future" in conflict:
            return "time_in_future" in self.codes
        told = " ".join(reason for _, reason, _ in self.decided.losers) if self.decided else ""
        warned = {"time_conflict", "clock_reset", "clock_eight_hours"} & set(self.codes)
        return bool(warned) or any(words in told for words in TOLD)

    @property
    def impossible(self) -> str:
        """Why the decided time cannot be one; empty where it can."""
        if self.decided is None:
            return ""
        start = self.decided.start_at
        if start > TAKEN_AT:
            return "after the file was handed in"
        if start.date() < timestamp_rules().limits.earliest:
            return "before the first recorders"
        for rule in timestamp_rules().resets:
            shown = shown_in(start, ZONE)
            if rule.certain and rule.covers(shown.date(), shown.hour * 3600 + shown.minute * 60 + shown.second):
                return f"where clocks begin: {rule.why}"
        return ""


def rows() -> list[dict[str, str]]:
    """The manifest."""
    with MANIFEST.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def answer_of(row: Mapping[str, str]) -> Answer | None:
    """What the tool says of this file; None where it read no time."""
    reading = read_time(row["capture_time"]) if row["capture_time"] else None
    if not isinstance(reading, Reading):
        return None
    offset_min = reading.offset_min if reading.offset_min is not None else offset_min_of(row["capture_offset"])
    if offset_min is None and row["gps_implied_offset_h"]:
        offset_min = round(float(row["gps_implied_offset_h"]) * 60)
    if offset_min is None and "UTC" in row["capture_time_tag"]:
        offset_min = 0
    at = instant_of(reading.shown, ZONE if offset_min is None else offset_min)
    doubted = any(doubt in row["time_conflicts"] for doubt in DOUBTED) or at.year < EARLIEST_YEAR
    if row["capture_time_tag"] == "QuickTime:CreateDate":
        doubted = doubted or bool(CONTENT_DATE.search(row["other_date"]))
    return Answer(at, reading.precision_s, doubted)


def _by_satellites(judged: Judged) -> datetime | None:
    """The instant that the satellites told, where the manifest names how far the tool's answer is from it."""
    for conflict in judged.conflicts:
        if judged.answer and (found := GPS_LESS.search(conflict)):
            return judged.answer.at - timedelta(seconds=int(found[1]))
    return None


def original_of(row: Mapping[str, str]) -> tuple[Original, tuple[Arrival, ...]]:
    """The file as intake describes it, and its arrival."""
    folder, _, name = row["path"].rpartition("/")
    mtime = datetime.fromisoformat(row["mtime_utc"])
    original = Original(
        id="1", sha256=row["sha256"], sm3=None, size_bytes=int(row["size"]), kind="other", format="", name=name,
        state="accepted", accepted_at=TAKEN_AT,
    )  # fmt: skip
    arrival = Arrival(
        id="1", original="1", path=row["path"], folder=folder, name=name, name_raw=name.encode(), source="inbox",
        status="accepted", reason=None, size_bytes=int(row["size"]),
        mtime_ns=int(mtime.timestamp()) * 10**9, taken_at=TAKEN_AT,
    )  # fmt: skip
    return original, (arrival,)


def probed(row: Mapping[str, str], tools: Tools) -> Known:
    """What our own extractors read of the file, as the probe stage gathers it."""
    path = CORPUS / row["path"]
    original, arrivals = original_of(row)
    data = path.read_bytes()
    told = sniff(data[:END_BYTES], data[-END_BYTES:], original.name)
    known = Known(original=replace(original, kind=told.kind, format=told.format), arrivals=arrivals)
    parts: Any = SimpleNamespace(
        vault=SimpleNamespace(opened=lambda _: nullcontext(path)),
        catalog=SimpleNamespace(parent_for=lambda _: None),
        tools=tools,
        still_wanted=lambda: None,
    )
    facts = probe.run(known, cast(Context, parts))
    return replace(known, properties={one.name: one for one in facts.properties})


def judged(row: Mapping[str, str], known: Known, duration_s: float | None, settings: Settings) -> Judged:
    """The file's decided time beside the tool's answer."""
    claims = claims_of(known, settings)
    decided, caveats = decide(claims, duration_s=duration_s, zone=ZONE, now=TAKEN_AT)
    conflicts = tuple(part.strip() for part in row["time_conflicts"].split(";") if part.strip())
    return Judged(
        path=row["path"], tag=row["capture_time_tag"], answer=answer_of(row), conflicts=conflicts, claims=claims,
        decided=decided, caveats=caveats,
    )  # fmt: skip


def judged_by_facts(settings: Settings, row: Mapping[str, str], probed: Original, facts: Facts) -> Judged:
    """The file by what was read of it elsewhere; it is taken to have been handed in at TAKEN_AT."""
    original, arrivals = original_of(row)
    properties = {one.name: one for one in facts.properties}
    known = Known(
        original=replace(original, kind=probed.kind, format=probed.format), arrivals=arrivals, properties=properties
    )
    return judged(row, known, duration_s_of(known), settings)


def judged_by_extractors(settings: Settings, wanted: Iterable[Mapping[str, str]], tools: Tools) -> Iterator[Judged]:
    """Each of these files as our own extractors read it."""
    for row in wanted:
        known = probed(row, tools)
        yield judged(row, known, duration_s_of(known), settings)


# -- the tool's raw readings in place of our extractors'

_PLAIN: Final = {
    "exif.DateTimeOriginal": "exif_datetime_original",
    "exif.SubSecTimeOriginal": "exif_subsec_original",
    "exif.OffsetTimeOriginal": "exif_offset_original",
    "exif.DateTimeDigitized": "exif_create_date",
    "exif.DateTime": "exif_modify_date",
    "container.apple_creation_date": "qt_creation_date_tz",
    "container.creation_time": "qt_create_date_utc",
}
_XMP: Final = {"XMP-photoshop:DateCreated": "xmp.DateCreated", "XMP-exif:DateTimeOriginal": "xmp.DateTimeOriginal"}


def raw_readings(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(property, text) as the tool lists them beside its answer; maker notes are not among them."""
    for name, column in _PLAIN.items():
        if row[column]:
            yield name, row[column]
    if row["gps_datetime_utc"]:
        day, clock = row["gps_datetime_utc"].rstrip("Z").split(" ")
        yield from (("exif.GPSDateStamp", day), ("exif.GPSTimeStamp", clock))
    if row["xmp_date"]:
        yield _XMP.get(row["capture_time_tag"], "xmp.CreateDate"), row["xmp_date"]
    for part in row["other_date"].split("; "):
        tag, _, value = part.partition("=")
        if tag in ("ASF:CreationDate", "Matroska:DateTimeOriginal"):
            yield {"ASF:CreationDate": "asf.CreationDate"}.get(tag, "matroska.DateUTC"), value


def judged_by_raw_readings(settings: Settings, wanted: Iterable[Mapping[str, str]]) -> Iterator[Judged]:
    """Each of these files by the tool's own readings; those without any are left out."""
    for row in wanted:
        found = {name: Property(name=name, found=text, value=text) for name, text in raw_readings(row)}
        if found:
            original, arrivals = original_of(row)
            known = Known(original=original, arrivals=arrivals, properties=found)
            yield judged(row, known, float(row["duration_s"]) if row["duration_s"] else None, settings)

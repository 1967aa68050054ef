"""How often the decided time is the one that an outside tool reads from real recordings.

Twice: over the raw readings that the tool lists beside its answer, and over what our own extractors read from the
same files. Where the tool's answer is contradicted inside the file (a date that has not come, a camera that wrote
local time as UTC, a reset clock), disagreeing is right and the disagreement must come with a caveat.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from config.settings import Settings, load
from pipeline.custody.sniff import sniff
from pipeline.edges.reading import END_BYTES
from pipeline.edges.tools import Tools
from pipeline.kinds import kinds_in
from pipeline.records import Arrival, Caveat, DecidedTime, Known, Original, Property
from pipeline.stage import Context
from pipeline.stages import probe
from pipeline.stages.timestamps import duration_s_of
from pipeline.timing.deciding import decide
from pipeline.timing.texts import Reading, instant_of, offset_min_of, read_time

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
MANIFEST = CORPUS / "manifest.csv"
ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
# The tool's answer cannot be the time of recording: the manifest itself says so in its conflicts. A content date with
# time and offset is the recording by the manifest's own order, and the movie header then the moment of saving.
DOUBTED = ("in the future", "wrote LOCAL time")
CONTENT_DATE = re.compile(r"ItemList:ContentCreateDate=\d{4}:\d\d:\d\d \d\d:\d\d:\d\d[+-]")
EARLIEST_YEAR = 1990
# Only in maker notes, which our extractors leave alone: one of them took 100 s over 1 KB.
MAKER_NOTES = ("Reconyx:", "PictureInfo:", "CIFF:")

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not MANIFEST.exists(), reason="the folder of real recordings is not here"),
]

PLAIN = {
    "exif.DateTimeOriginal": "exif_datetime_original",
    "exif.SubSecTimeOriginal": "exif_subsec_original",
    "exif.OffsetTimeOriginal": "exif_offset_original",
    "exif.DateTimeDigitized": "exif_create_date",
    "exif.DateTime": "exif_modify_date",
    "container.apple_creation_date": "qt_creation_date_tz",
    "container.creation_time": "qt_create_date_utc",
}
XMP = {"XMP-photoshop:DateCreated": "xmp.DateCreated", "XMP-exif:DateTimeOriginal": "xmp.DateTimeOriginal"}


@dataclass(frozen=True)
class Answer:
    """The tool's answer: the instant it means, and whether the manifest doubts it."""

    at: datetime
    precision_s: float
    doubted: bool


def rows() -> list[dict[str, str]]:
    with MANIFEST.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def answer_of(row: Mapping[str, str]) -> Answer | None:
    if not row["capture_time"] or "weak" in row["capture_time_tag"] or row["capture_time_tag"].startswith(MAKER_NOTES):
        return None
    reading = read_time(row["capture_time"])
    if not isinstance(reading, Reading):
        return None
    offset_min = reading.offset_min if reading.offset_min is not None else offset_min_of(row["capture_offset"])
    if offset_min is None and row["gps_implied_offset_h"]:
        offset_min = round(float(row["gps_implied_offset_h"]) * 60)
    at = instant_of(reading.shown, ZONE if offset_min is None else offset_min)
    doubted = any(doubt in row["time_conflicts"] for doubt in DOUBTED) or at.year < EARLIEST_YEAR
    if row["capture_time_tag"] == "QuickTime:CreateDate":
        doubted = doubted or bool(CONTENT_DATE.search(row["other_date"]))
    return Answer(at, reading.precision_s, doubted)


def original_of(row: Mapping[str, str]) -> tuple[Original, tuple[Arrival, ...]]:
    folder, _, name = row["path"].rpartition("/")
    mtime = datetime.fromisoformat(row["mtime_utc"])
    original = Original(
        id="1", sha256=row["sha256"], sm3=None, size_bytes=int(row["size"]), kind="other", format="", name=name,
        state="accepted", accepted_at=NOW,
    )  # fmt: skip
    arrival = Arrival(
        id="1", original="1", path=row["path"], folder=folder, name=name, name_raw=name.encode(), source="inbox",
        status="accepted", reason=None, size_bytes=int(row["size"]),
        mtime_ns=int(mtime.timestamp()) * 10**9, taken_at=NOW,
    )  # fmt: skip
    return original, (arrival,)


def raw_readings(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, column in PLAIN.items():
        if row[column]:
            yield name, row[column]
    if row["gps_datetime_utc"]:
        day, clock = row["gps_datetime_utc"].rstrip("Z").split(" ")
        yield from (("exif.GPSDateStamp", day), ("exif.GPSTimeStamp", clock))
    if row["xmp_date"]:
        yield XMP.get(row["capture_time_tag"], "xmp.CreateDate"), row["xmp_date"]
    for part in row["other_date"].split("; "):
        tag, _, value = part.partition("=")
        if tag in ("ASF:CreationDate", "Matroska:DateTimeOriginal"):
            yield {"ASF:CreationDate": "asf.CreationDate"}.get(tag, "matroska.DateUTC"), value


def known_of(row: Mapping[str, str], found: Iterator[tuple[str, str]]) -> Known:
    original, arrivals = original_of(row)
    properties = {name: Property(name=name, found=text, value=text) for name, text in found}
    return Known(original=original, arrivals=arrivals, properties=properties)


def decided_of(
    known: Known, settings: Settings, duration_s: float | None
) -> tuple[DecidedTime | None, tuple[Caveat, ...]]:
    sources = kinds_in("pipeline.time_sources", "TIME_SOURCE")
    claims = [claim for source in sources for claim in source.claims(known, settings)]
    return decide(claims, duration_s=duration_s, zone=ZONE, now=NOW)


def probed(row: Mapping[str, str], tools: Tools) -> Known:
    """What our own extractors read of the file, as the probe stage gathers it."""
    path = CORPUS / row["path"]
    original, arrivals = original_of(row)
    data = path.read_bytes()
    told = sniff(data[:END_BYTES], data[-END_BYTES:], original.name)
    known = Known(original=replace(original, kind=told.kind, format=told.format), arrivals=arrivals)
    context = SimpleNamespace(
        vault=SimpleNamespace(opened=lambda _: nullcontext(path)),
        catalog=SimpleNamespace(parent_for=lambda _: None),
        tools=tools,
        still_wanted=lambda: None,
    )
    facts = probe.run(known, cast(Context, context))
    return replace(known, properties={one.name: one for one in facts.properties})


def agrees(decided: DecidedTime | None, answer: Answer) -> bool:
    slack = timedelta(seconds=max(answer.precision_s, 1.0))
    return decided is not None and abs(decided.start_at - answer.at) <= slack


def compare(found: Iterator[tuple[Mapping[str, str], Known, float | None]], settings: Settings) -> None:
    """Asserts the share of agreement, and prints every disagreement."""
    agreed, doubted, differing = 0, 0, []
    for row, known, duration_s in found:
        answer = answer_of(row)
        if answer is None:
            continue
        decided, caveats = decided_of(known, settings, duration_s)
        codes = sorted(caveat.code for caveat in caveats)
        if agrees(decided, answer):
            agreed += 1
        elif answer.doubted:
            doubted += 1
            assert codes, f"{row['path']}: doubtful, and no caveat says so"
        else:
            differing.append(f"{row['path']}: {answer.at} but {decided and (decided.start_at, decided.why)} {codes}")
    total = agreed + len(differing)
    print(f"\nagree: {agreed} of {total}; rightly otherwise: {doubted}")
    print("\n".join(differing))
    assert agreed >= 0.99 * total


def test_raw_readings_lead_to_the_outside_tools_answer(tmp_path: Path) -> None:
    compare(
        (
            (row, known_of(row, raw_readings(row)), float(row["duration_s"]) if row["duration_s"] else None)
            for row in rows()
            if any(raw_readings(row))  # maker notes are not among the raw readings
        ),
        load(tmp_path, {}),
    )


@pytest.mark.slow
def test_what_our_extractors_read_leads_to_the_outside_tools_answer(tmp_path: Path) -> None:
    tools = Tools()
    tools.start()
    try:
        wanted = [row for row in rows() if answer_of(row) is not None]
        compare(
            ((row, known, duration_s_of(known)) for row in wanted for known in [probed(row, tools)]),
            load(tmp_path, {}),
        )
    finally:
        tools.close()

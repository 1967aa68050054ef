"""Agreement with tools that are not ours (exiftool, ffprobe, mediainfo, Pillow) on several hundred real files.

Left out of a column is only what the reference itself does not mean there, and it is counted:
- a make that is the maker of the colour profile and not of the camera;
- an orientation of 0, which no standard knows.
A place counts as agreeing within 1e-4 degrees (11 m), a length within 0.1 s or one frame. Lengths are compared with
where ffprobe saw the packets end, and for formats whose packets it gives no length (APE) with mediainfo's.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.records import Facts, Original
from tests.corpus_home import Taken
from tests.pipeline.probing import codes, values

DEGREES = 1e-4
LENGTH_S = 0.1


@dataclass
class Column:
    compared: int = 0
    agreeing: int = 0
    left_out: int = 0
    differing: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.agreeing / self.compared if self.compared else 1.0


def icc_makers(path: Path) -> set[str]:
    """The makers in the headers of the file's colour profiles (ICC.1, bytes 48-51)."""
    data = path.read_bytes()
    at = data.find(b"iCCP")
    if data.startswith(b"\x89PNG") and at > 0:
        start = data.index(b"\0", at) + 2
        data = zlib.decompressobj().decompress(data[start:], 4096)
    marks = ((b"acsp", 12), (b"colrprof", 56))
    places = [match.start() + further for mark, further in marks for match in re.finditer(mark, data)]
    return {data[place : place + 4].decode("latin-1").strip("\0 ") for place in places}


def numbers_agree(theirs: str, ours: Any, within: float) -> bool:
    return isinstance(ours, int | float) and abs(float(theirs) - ours) <= within


def lengths_agree(row: dict[str, str], found: dict[str, Any]) -> bool:
    frame_s = max(
        1 / found["video.fps"] if found.get("video.fps") else 0.0, 0.105 if row["audio_codec"] == "flac" else 0
    )
    ours = found.get("container.data_end_s")
    if numbers_agree(row["data_end_s"], ours, max(LENGTH_S, frame_s)):
        return True
    theirs = row["mediainfo_duration_s"]
    return row["audio_codec"] == "ape" and bool(theirs) and numbers_agree(theirs, ours, LENGTH_S)


def comparisons(row: dict[str, str], path: Path, found: dict[str, Any]) -> Iterator[tuple[str, str, Any, bool | None]]:
    """(column, their answer, ours, whether they agree; None to leave it out) of what the reference answers."""
    group = "picture" if row["kind"] in ("photo", "raw") else "video"
    for column in ("width", "height"):
        ours = found.get(f"{group}.{column}")
        if row[column] and row["kind"] != "sidecar":
            yield column, row[column], ours, row[column] == str(ours) or (row[column] == "0" and ours is None)
    if row["data_end_s"]:
        yield "data_end_s", row["data_end_s"], found.get("container.data_end_s"), lengths_agree(row, found)
    if row["rotation_deg"] and row["kind"] == "video":
        yield "rotation", row["rotation_deg"], found.get("video.rotation_deg"), None
    if row["orientation_exif"]:
        ours, known = found.get("picture.orientation"), row["orientation_exif"] != "0"
        yield "orientation", row["orientation_exif"], ours, row["orientation_exif"] == str(ours) if known else None
    for column in ("make", "model"):
        theirs, ours = row[column].strip(), found.get(f"device.{column}")
        if theirs:
            of_profile = column == "make" and ours != theirs and theirs in icc_makers(path)
            yield column, theirs, ours, None if of_profile else theirs == ours
    for column, name in (("gps_lat", "place.lat"), ("gps_lon", "place.lon")):
        if row[column]:
            yield column, row[column], found.get(name), numbers_agree(row[column], found.get(name), DEGREES)


@pytest.fixture(scope="module")
def probed(taken: Taken, manifest: list[dict[str, str]]) -> list[tuple[dict[str, str], Original, Facts]]:
    """Every file of the folder as the workers probed it."""
    found = taken.probed()
    return [(row, *found[row["path"]]) for row in manifest]


@pytest.mark.corpus
@pytest.mark.slow
def test_properties_agree_with_other_tools(
    probed: list[tuple[dict[str, str], Original, Facts]], corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns: dict[str, Column] = {}
    for row, _, facts in probed:
        for name, theirs, ours, agree in comparisons(row, corpus / row["path"], values(facts)):
            column = columns.setdefault(name, Column())
            if name == "rotation":
                agree = theirs == str(ours)
            if agree is None:
                column.left_out += 1
                continue
            column.compared += 1
            column.agreeing += agree
            if not agree:
                column.differing.append(f"{row['path']} ({row['valid']}): theirs {theirs}, ours {ours}")
    with capsys.disabled():
        for name, column in columns.items():
            print(f"\n{name}: {column.agreeing} of {column.compared}, {column.share:.4f}, left out {column.left_out}")
            print(*(f"    {line}" for line in column.differing), sep="\n")
    low = {name: column.share for name, column in columns.items() if column.share < LEAST.get(name, 0.99)}
    assert not low


# Three damaged files: a FLAC without a whole frame, and twice the head of an APE that promises what it has no data for.
LEAST = {"data_end_s": 0.98}


@pytest.mark.corpus
@pytest.mark.slow
def test_kinds_and_caveats_agree_with_other_tools(
    probed: list[tuple[dict[str, str], Original, Facts]], capsys: pytest.CaptureFixture[str]
) -> None:
    kinds, whole, cut = Column(), Column(), Column()
    for row, original, facts in probed:
        said = codes(facts)
        kinds.compared += 1
        kinds.agreeing += original.kind == row["kind"]
        if original.kind != row["kind"]:
            kinds.differing.append(f"{row['path']}: theirs {row['kind']}, ours {original.kind} ({original.format})")
        if row["kind"] == "sidecar" or row["valid"] == "broken":
            continue
        column, agree = (whole, not said - {"wrong_extension"}) if row["valid"] == "yes" else (cut, bool(said))
        column.compared += 1
        column.agreeing += agree
        if not agree:
            column.differing.append(f"{row['path']} ({row['valid']}): ours {sorted(said)}")
    with capsys.disabled():
        for name, column in (("kind", kinds), ("whole, no caveat", whole), ("truncated, caveat", cut)):
            print(f"\n{name}: {column.agreeing} of {column.compared}, {column.share:.4f}")
            print(*(f"    {line}" for line in column.differing), sep="\n")
    assert min(kinds.share, whole.share) >= 0.98
    assert cut.share >= 0.95

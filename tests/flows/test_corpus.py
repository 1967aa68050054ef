"""Every real recording, from the folder to rest: one run that several questions are asked of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.edges.database import tables
from pipeline.records import Known
from tests.browsing import Screen, screen
from tests.corpus_home import Taken

pytestmark = [pytest.mark.corpus, pytest.mark.slow]
NAMED = {"ready", "attention"}
# Longest any one file may keep a worker busy; a hostile one costs no more than this. Transcodes of honest films are
# allowed their length times media.wall_factor, which no file of the corpus comes near.
LONGEST_JOB_S = 150

# Zero samples, chapters without sound, or a fault of a reader: its tool says valid, and there is nothing to show.
NOTHING_TO_SHOW = frozenset((
    "pypi__mutagen/data/2822400-1ch-0s-silence.dff", "pypi__mutagen/data/with-id3.dsf",
    "pypi__mutagen/data/nero-chapters.m4b", "pypi__pillow/decompression_bomb.ico",
    # pi_heif 1.4 crashes on this one's metadata.
    "pypi__pillow_heif/heif_special/invalid_metadata_type.heic",
))  # fmt: skip


@pytest.fixture(scope="module")
def media(manifest: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows of the manifest that were handed in: all but its own description."""
    return manifest


def test_every_file_ends_in_a_named_state(taken: Taken, media: list[dict[str, str]], corpus: Path) -> None:
    home, receipts = taken.home, taken.receipts
    by_path = {one["path"]: one for one in receipts}
    states = Counter(by_path[str(corpus / row["path"])]["state"] for row in media)
    print(f"\n{len(media)} files: {dict(states)}")
    assert set(states) <= NAMED
    assert set(home.catalog.counts()) <= NAMED


def test_every_original_in_the_vault_has_the_digest_that_others_computed(
    taken: Taken, media: list[dict[str, str]], corpus: Path
) -> None:
    home, receipts = taken.home, taken.receipts
    by_path = {one["path"]: one for one in receipts}
    assert [row["path"] for row in media if by_path[str(corpus / row["path"])]["sha256"] != row["sha256"]] == []
    assert [sha256 for sha256 in home.vault.digests() if home.vault.faults(sha256)] == []
    assert {row["sha256"] for row in media} <= set(home.vault.digests())


def test_the_same_bytes_are_one_original(taken: Taken, media: list[dict[str, str]], corpus: Path) -> None:
    receipts = taken.receipts
    by_path = {one["path"]: one for one in receipts}
    originals: dict[str, set[str]] = {}
    for row in media:
        originals.setdefault(row["sha256"], set()).add(by_path[str(corpus / row["path"])]["original"])
    assert all(len(found) == 1 for found in originals.values())


def test_what_decodes_is_ready_and_what_does_not_says_so(taken: Taken, media: list[dict[str, str]]) -> None:
    home = taken.home
    ids = home.catalog.digests()
    known = {one.original.sha256: one for one in home.catalog.known_of_many(sorted(ids.values()))}
    decodable = [row for row in media if row["valid"] == "yes" and row["opens"] == "yes"]
    not_ready = [row for row in decodable if known[row["sha256"]].original.state != "ready"]
    print(f"\n{len(decodable) - len(not_ready)} of {len(decodable)} decodable files are ready")
    for row in not_ready:
        print("  not ready:", row["path"], [caveat.code for caveat in known[row["sha256"]].caveats])
    silent = [one.original.name for one in known.values() if one.original.state == "attention" and not one.caveats]
    assert silent == []
    assert all(known[row["sha256"]].caveats for row in not_ready)
    assert {row["path"] for row in not_ready} <= NOTHING_TO_SHOW


def test_no_file_costs_more_than_its_limits_and_none_fails_a_worker(
    taken: Taken,
) -> None:
    home = taken.home
    with home.catalog.snapshot() as connection:
        rows = connection.execute(
            sa.select(tables.job.c.stage, tables.job.c.state, tables.job.c.deaths, tables.job.c.started_at,
                      tables.job.c.ended_at, tables.job.c.reason, tables.original.c.name)
            .join(tables.original, tables.original.c.id == tables.job.c.original)
        ).all()  # fmt: skip
    longest = sorted(((row.ended_at - row.started_at).total_seconds(), row.stage, row.name) for row in rows)[-8:]
    print("\nlongest:", *(f"{seconds:.1f} s {stage} {name}" for seconds, stage, name in reversed(longest)), sep="\n  ")
    assert [(row.stage, row.name, row.reason) for row in rows if row.state != "done"] == []
    assert [row.name for row in rows if row.deaths] == []
    assert longest[-1][0] < LONGEST_JOB_S


def test_the_log_is_whole_and_the_index_is_level(taken: Taken) -> None:
    from workers.bootstrap import build_follower

    home = taken.home
    assert home.audit.check(grace_s=0.0).faults == ()
    state = build_follower(home).state()
    assert (state["behind"], state["documents"]) == (0, len(home.catalog.digests()))


# -- what a browser makes of the derivatives

# Stored sizes round to even pixels in a copy, and a camera's preview may be cropped a little.
ASPECT_SHARE, ROUNDED_PX = 0.02, 2
# A copy may hold the last picture a frame longer, and AAC adds up to two frames of 1,024 samples at 8 kHz.
LONGER_S, SHORTER_S, LENGTH_SHARE = 0.3, 0.3, 0.01
TURNED = (5, 6, 7, 8)
# Where the manifest's seconds are not those of the pictures and the sound: what `ffmpeg -f s16le` decodes, and why.
LENGTHS_S = {
    "pytorch__torchcodec/nasa_13013.mp4": 13.06,  # its subtitles go on for three seconds more
    "pypi__mutagen/data/example.opus": 11.35,  # cut from a longer one, whose clock it keeps
    "pypi__mutagen/data/mac-399.ape": 3.68,  # the manifest has where its last packet begins
    "debian__taglib/lossless.wma": 4.11,  # FFmpeg gives the sound of each packet the time of the next, 0.557 s later
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Screen]:
    """The browser that plays and shows what was made."""
    with screen() as opened:
        yield opened


@pytest.fixture(scope="module")
def decodable(taken: Taken, media: list[dict[str, str]]) -> list[tuple[dict[str, str], Known]]:
    """Rows of all recordings and pictures that other tools decode to the end, each content once, with what is known."""
    home = taken.home
    ids = home.catalog.digests()
    known = {one.original.sha256: one for one in home.catalog.known_of_many(sorted(ids.values()))}
    rows = {
        row["sha256"]: row
        for row in media
        if row["valid"] == "yes" and row["opens"] == "yes" and row["kind"] in ("photo", "raw", "video", "audio")
        and row["path"] not in NOTHING_TO_SHOW
    }  # fmt: skip
    return [(row, known[sha256]) for sha256, row in rows.items()]


def test_a_browser_plays_every_recording_to_its_end_upright_and_as_long_as_it_is(
    taken: Taken, decodable: list[tuple[dict[str, str], Known]], browser: Screen
) -> None:
    home = taken.home
    rows = [(row, known) for row, known in decodable if row["kind"] in ("video", "audio")]
    copies = [home.vault.derivative_path(_place(known, "proxy")) for _, known in rows]
    faults = []
    for (row, _), seen in zip(rows, browser.played(copies), strict=True):
        wrong = [seen.error] if seen.error or not seen.ended else []
        expected_s = LENGTHS_S.get(row["path"], float(row["data_end_s"] or row["duration_s"] or 0))
        share_s = LENGTH_SHARE * expected_s
        if expected_s and not expected_s - SHORTER_S - share_s <= seen.reached_s <= expected_s + LONGER_S + share_s:
            wrong.append(f"{seen.reached_s:.2f} s instead of {expected_s:.2f} s")
        if row["kind"] == "video":
            wrong += _wrong_shape(row, seen.width, seen.height)
            wrong += [] if seen.frames else ["not one picture was decoded"]
        if row["audio_codec"] and not seen.sound_bytes:
            wrong.append("no sound was decoded")
        faults += [f"{row['path']}: {'; '.join(wrong)}"] if wrong else []
    print(f"\n{len(rows) - len(faults)} of {len(rows)} recordings play to their end")
    assert faults == []


def test_a_browser_shows_every_picture_upright(
    taken: Taken, decodable: list[tuple[dict[str, str], Known]], browser: Screen
) -> None:
    home = taken.home
    rows = [(row, known) for row, known in decodable if row["kind"] in ("photo", "raw")]
    views = [home.vault.derivative_path(_place(known, "view")) for _, known in rows]
    faults = []
    for (row, _), seen in zip(rows, browser.shown(views), strict=True):
        wrong = [seen.error] if seen.error else _wrong_shape(row, seen.width, seen.height)
        faults += [f"{row['path']}: {'; '.join(wrong)}"] if wrong else []
    print(f"\n{len(rows) - len(faults)} of {len(rows)} pictures are shown")
    assert faults == []


def test_a_browser_shows_every_small_picture_and_finds_each_in_its_sheet(
    taken: Taken, decodable: list[tuple[dict[str, str], Known]], browser: Screen
) -> None:
    home = taken.home
    small = [(known, one) for _, known in decodable for one in known.derivatives if one.role in ("poster", "sprites")]
    sheets = {}
    for (known, one), seen in zip(small, browser.shown([home.vault.derivative_path(m.path) for _, m in small]),
                                  strict=True):  # fmt: skip
        assert not seen.error, (known.original.name, one.role, seen.error)
        sheets[known.original.sha256, one.parameters.get("name")] = seen
    filmed = [known for row, known in decodable if row["kind"] == "video"]
    maps = browser.cues([home.vault.derivative_path(_place(known, "sprites_map")) for known in filmed])
    for known, cues in zip(filmed, maps, strict=True):
        assert cues, known.original.name
        assert [start for start, _, _ in cues[1:]] == pytest.approx([end for _, end, _ in cues[:-1]], abs=0.002)
        for _, _, text in cues:
            name, _, place = text.partition("#xywh=")
            left, top, width, height = map(int, place.split(","))
            sheet = sheets[known.original.sha256, name]
            assert left + width <= sheet.width, (known.original.name, text)
            assert top + height <= sheet.height, (known.original.name, text)


def _place(known: Known, role: str) -> str:
    found = [one.path for one in known.derivatives if one.role == role]
    assert len(found) == 1, (known.original.name, role, [caveat.code for caveat in known.caveats])
    return found[0]


def _wrong_shape(row: dict[str, str], width: int, height: int) -> list[str]:
    """What is wrong with the shape of what was shown, by the size and the turn that other tools read."""
    if not row["width"] or not row["height"]:
        return [] if width and height else ["no size"]
    stored = int(row["width"]), int(row["height"])
    turned = _is_turned(row)
    wide, high = reversed(stored) if turned else stored
    scale = max(width / wide, height / high)
    off = max(abs(wide * scale - width), abs(high * scale - height))
    allowed = max(ROUNDED_PX, ASPECT_SHARE * max(width, height))
    return [] if off <= allowed else [f"{width} x {height} of {wide} x {high}"]


def _is_turned(row: dict[str, str]) -> bool:
    """Whether width and height change places; a HEIF's sizes in the manifest are upright already."""
    if row["exiftool_filetype"] in ("HEIC", "HEIF", "AVIF"):
        return False
    if row["kind"] == "video":
        return int(float(row["rotation_deg"] or 0)) % 180 == 90
    return int(row["orientation_exif"] or 1) in TURNED

"""Companions of a recording find it, whichever comes first, and are no exhibits of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.custody.accession import Candidate
from tests.flows.running import at_rest, wait_until
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_jobs
from workers.work import working

SRT = """1
00:00:00,000 --> 00:00:00,033
<font size="28">FrameCnt: 1, DiffTime: 33ms
2021-08-03 10:10:10.123
[iso: 100] [latitude: 38.486440] [longitude: 106.232290] [rel_alt: 1.200 abs_alt: 1100.000] </font>

2
00:00:01,000 --> 00:00:01,033
<font size="28">FrameCnt: 30, DiffTime: 33ms
2021-08-03 10:10:11.123
[iso: 100] [latitude: 38.486450] [longitude: 106.232300] [rel_alt: 1.300 abs_alt: 1100.100] </font>
"""


def take(home: Home, path: Path) -> str:
    jobs = build_jobs(home)
    [receipt] = build_accession(home, jobs).take([Candidate(path=path, root=path.parent, source="inbox")])
    jobs.close()
    return receipt.original or ""


@pytest.mark.parametrize("first", ["recording", "sidecar", "together"])
def test_a_flight_log_finds_its_recording_and_times_it(home: Home, tmp_path: Path, first: str) -> None:
    film = making.film(tmp_path / "card" / "DJI_0001.MP4", 1, length_s=2)
    log = tmp_path / "card" / "DJI_0001.SRT"
    log.write_text(SRT)
    order = [film, log] if first != "sidecar" else [log, film]
    ids = {}
    with working(home):
        for path in order:
            ids[path] = take(home, path)
            if first != "together":
                wait_until(lambda: at_rest(home), 120, "it is worked through")
        wait_until(lambda: at_rest(home), 120, "everything is at rest")
    recording, sidecar = home.catalog.known_of(ids[film]), home.catalog.known_of(ids[log])
    assert sidecar.original.kind == "sidecar"
    assert sidecar.original.parent == recording.original.id
    assert [one.original.id for one in recording.sidecars] == [sidecar.original.id]
    assert any(claim.source.startswith("sidecar") for claim in recording.time_claims)
    assert recording.original.state == "ready"


@pytest.mark.parametrize(
    ("recording", "companion"),
    [("IMG_1.jpg", "IMG_1.xmp"), ("IMG_1.jpg", "IMG_1.jpg.xmp"), ("DJI_1.MP4", "DJI_1.LRF"), ("GX01.MP4", "GX01.THM")],
)
def test_companions_go_by_their_stem(sqlite_home: Home, tmp_path: Path, recording: str, companion: str) -> None:
    card = tmp_path / "card"
    if recording.endswith(".jpg"):
        making.photo(card / recording, 1)
    else:
        making.film(card / recording, 1)
    match Path(companion).suffix:
        case ".xmp":
            (card / companion).write_text('<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>')
        case ".LRF":
            making.film(card / "small.mp4", 2).rename(card / companion)
        case ".THM":
            making.photo(card / "small.jpg", 3).rename(card / companion)
    with working(sqlite_home):
        parent, child = take(sqlite_home, card / recording), take(sqlite_home, card / companion)
        wait_until(lambda: at_rest(sqlite_home), 120, "everything is at rest")
    known = sqlite_home.catalog.known_of(child)
    assert (known.original.kind, known.original.parent) == ("sidecar", parent)


def test_one_of_the_same_stem_in_another_folder_is_no_companion(sqlite_home: Home, tmp_path: Path) -> None:
    film = making.film(tmp_path / "a" / "DJI_0001.MP4", 1)
    log = tmp_path / "b" / "DJI_0001.SRT"
    log.parent.mkdir()
    log.write_text(SRT)
    jobs = build_jobs(sqlite_home)
    with working(sqlite_home):
        receipts = build_accession(sqlite_home, jobs).take(
            [Candidate(path=one, root=tmp_path, source="inbox") for one in (film, log)]
        )
        wait_until(lambda: at_rest(sqlite_home), 120, "everything is at rest")
    jobs.close()
    assert sqlite_home.catalog.known_of(receipts[1].original or "").original.parent is None

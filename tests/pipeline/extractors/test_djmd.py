"""Telemetry inside films of DJI: fields as three public readers of such files describe them alike."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pipeline.errors import Unreadable
from pipeline.extractors import container
from pipeline.extractors.djmd import extract, fix_in
from tests.pipeline.extractors.reading import understood, warned
from tests.samples.drones import drone_film, first, position
from tests.samples.making import film, sound

PLACE = (37.4213056, 106.2081234)
DRONE = (3, 3, 4)


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, no fix in the first; then northward by 1.11 m with each picture."""
    head = first("dvtm_Air3s.proto", "DJI Air3s", "1581F7FVC251A00CE000")
    grounded = [position(DRONE, 0.0, 0.0)] * 25
    flown = [position(DRONE, PLACE[0] + 0.00001 * number, PLACE[1], 1180.25) for number in range(75)]
    records = [*grounded, *flown]
    records[0] = head + records[0]
    return drone_film(tmp_path_factory.mktemp("card") / "DJI_20260302090000_0001_D.MP4", 1, records)


def test_the_first_fix_gives_place_and_the_track_its_seconds(flight: Path) -> None:
    found = understood(extract(str(flight)))
    assert (found["place.lat"], found["place.lon"]) == pytest.approx(PLACE, abs=1e-6)
    assert found["place.alt_m"] == pytest.approx(1180.25)
    assert (found["device.make"], found["device.model"], found["device.serial"]) == (
        "DJI", "DJI Air3s", "1581F7FVC251A00CE000",
    )  # fmt: skip
    # One a second is read, and kept where it moved by 20 m.
    assert [point[0] for point in found["place.track"]] == [1.0, 2.0, 3.0]
    assert found["place.track"][-1][1] == pytest.approx(PLACE[0] + 0.0005, abs=1e-6)
    assert "djmd.GPSDateTime" not in found


def test_a_film_with_such_a_track_is_read_as_any_other(flight: Path) -> None:
    answer = container.extract(str(flight))
    assert understood(answer)["video.codec"] == "h264"
    assert not warned(answer)


@pytest.mark.parametrize(("protocol", "path", "in_degrees"), [
    ("dvtm_Mavic4.proto", (3, 3, 4), True), ("dvtm_AVATA2.proto", (3, 4, 4), False),
    ("dvtm_ac204.proto", (3, 4, 2), False), ("dvtm_ac204.proto", (3, 4, 2), True),
])  # fmt: skip
def test_each_protocol_has_its_place_for_positions(protocol: str, path: tuple[int, ...], in_degrees: bool) -> None:
    fix = fix_in(position(path, -33.5, -70.25, -12.5, in_degrees=in_degrees), protocol, 2.0)
    assert fix is not None
    assert (fix.lat, fix.lon, fix.alt_m) == pytest.approx((-33.5, -70.25, -12.5))
    assert fix_in(position((3, 9, 9), -33.5, -70.25), protocol, 2.0) is None


def test_an_action_camera_tells_when_its_position_was_and_where_in_the_film(tmp_path: Path) -> None:
    path = (3, 4, 2)
    records = [position(path, 0, 0)] * 50 + [position(path, *PLACE, clock="2026-03-02 09:00:41")] * 25
    records[0] = first("dvtm_ac204.proto", "DJI AC004", "5YKCK1A00B0CDE") + records[0]
    found = understood(extract(str(drone_film(tmp_path / "a.mp4", 2, records, length_s=3.0))))
    assert (found["djmd.GPSDateTime"], found["djmd.at_s"]) == ("2026-03-02 09:00:41", 2.0)
    assert "device.make" in found


def test_a_protocol_that_is_not_known_says_no_more_than_its_name_and_device(tmp_path: Path) -> None:
    records = [first("dvtm_new9.proto", "DJI New", "S1") + position(DRONE, *PLACE)] * 30
    found = understood(extract(str(drone_film(tmp_path / "a.mp4", 3, records, length_s=2.0))))
    assert found == {
        "djmd.protocol": "dvtm_new9.proto", "device.model": "DJI New", "device.make": "DJI", "device.serial": "S1",
    }  # fmt: skip


def test_a_long_flight_is_kept_as_some_hundred_points(tmp_path: Path) -> None:
    records = [position(DRONE, 30 + 0.001 * number, 106) for number in range(1500)]
    records[0] = first("dvtm_Air3.proto", "DJI Air3", "S1") + records[0]
    track = understood(extract(str(drone_film(tmp_path / "a.mp4", 4, records, fps=1, length_s=1.0))))["place.track"]
    assert 200 <= len(track) <= 401
    assert (track[0][0], track[-1][0]) == (0.0, 1499.0)


def test_films_without_telemetry_are_no_fault_and_other_files_are_refused(tmp_path: Path) -> None:
    assert extract(str(film(tmp_path / "a.mp4", 1)))["properties"] == []
    with pytest.raises(Unreadable):
        extract(str(sound(tmp_path / "a.wav", 1)))


@pytest.mark.parametrize("seed", range(20))
def test_damaged_telemetry_does_no_harm(flight: Path, tmp_path: Path, seed: int) -> None:
    chance, data = random.Random(seed), bytearray(flight.read_bytes())
    begins = data.rindex(b"mdat")
    for _ in range(60):
        data[chance.randrange(begins, len(data))] = chance.randrange(256)
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(data[: chance.randrange(begins, len(data) + 1)]))
    for lat, lon in [(found.get("place.lat"), found.get("place.lon")) for found in (understood(extract(str(path))),)]:
        assert lat is None or (abs(lat) <= 90 and abs(lon) <= 180)

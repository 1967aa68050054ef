"""Where and when: positions and names of places against activities. Distances are those of published coordinates."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import BadInput
from pipeline.linkers.place_and_time import AROUND, LINKER, NEAR, WORDS
from pipeline.records import Activity, Device
from pipeline.registers.bureau import Bureau
from pipeline.registers.places import Position, distance_m, places_in, position_of, shared_words
from tests.indexer.archive import decided, known

TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
PLACE = "平罗县城关镇人民路18号鑫源超市"


def act(place=PLACE, case="AJ2026-1", minutes=0, code="A1"):
    begin = TEN + timedelta(minutes=minutes)
    return Activity(code=code, step="现场检查", case=case, place=place, from_at=begin,
                    to_at=begin + timedelta(hours=1))  # fmt: skip


def proposed(*activities, places=None, devices=(), minutes=10, **more):
    original = known("x", time=decided(TEN + timedelta(minutes=minutes), 60.0), **more)
    around = Bureau(devices, activities=activities, places=places).around(original)
    return {one.case: one.score for one in LINKER.propose(replace(original, around=around))}


HERE = {"place__lat": 38.9060, "place__lon": 106.5230}


def test_distances_agree_with_published_ones():
    # Heathrow and Charles de Gaulle: 348 km by great circle; one degree of latitude: 111.2 km.
    assert distance_m(Position(51.4700, -0.4543), Position(49.0097, 2.5479)) == pytest.approx(348_000, rel=0.01)
    assert distance_m(Position(38, 106), Position(39, 106)) == pytest.approx(111_195, rel=0.001)


@pytest.mark.parametrize(("place", "found"), [
    ("鑫源超市（38.9060, 106.5230）", (38.906, 106.523)), ("106.523000，38.906000", (38.906, 106.523)),
    ("人民路18号 2.5, 3.5", None), ("", None), ("鑫源超市二楼", (38.9, 106.5)),
])  # fmt: skip
def test_positions_stand_in_the_place_or_in_the_home_s_places(place, found):
    at = position_of(act(place), {"鑫源超市": Position(38.9, 106.5)})
    assert at == (None if found is None else Position(*found))


def test_nearness_and_time_together_propose_and_each_alone_does_not():
    near = act("鑫源超市（38.9080, 106.5230）")  # 222 m north
    assert proposed(near, **HERE) == {"AJ2026-1": NEAR}
    assert proposed(act("鑫源超市（38.9180, 106.5230）"), **HERE) == {"AJ2026-1": AROUND}
    assert proposed(act("鑫源超市（38.9780, 106.5230）"), folder="鑫源超市", **HERE) == {}
    assert proposed(near, minutes=63, **HERE) == {"AJ2026-1": round(NEAR * 0.65, 3)}
    assert proposed(near, minutes=70, **HERE) == {}
    assert proposed(near) == {}
    assert proposed(replace(near, case=None), **HERE) == {}


def test_what_moved_was_at_each_place_that_it_came_by():
    """A drone takes off 2.2 km south of the place, and is 44 m from it in its last second."""
    flown = {"place__lat": 38.8880, "place__lon": 106.5230,
             "place__track": [[0.0, 38.8880, 106.5230, None], [59.0, 38.9084, 106.5230, None]]}  # fmt: skip
    near = act("鑫源超市（38.9080, 106.5230）")
    assert proposed(near, place__lat=38.8880, place__lon=106.5230) == {}
    assert proposed(near, **flown) == {"AJ2026-1": NEAR}
    original = known("x", time=decided(TEN + timedelta(minutes=10), 60.0), **flown)
    [link] = LINKER.propose(replace(original, around=Bureau(activities=[near]).around(original)))
    assert "It came within 44 m of the place" in link.why
    assert "移动录制，最近处距" in link.why_zh


@pytest.mark.parametrize(("points_s", "found"), [((-3600.0, 5.0), True), ((-3600.0, 3600.0), False)])
def test_of_a_logger_that_ran_all_day_the_points_while_it_was_recorded_count(points_s, found):
    at = TEN + timedelta(minutes=10)
    track = known("t", name="x.gpx", sidecar__start=f"{at + timedelta(seconds=points_s[0]):%Y-%m-%dT%H:%M:%SZ}",
                  place__track=[[0.0, 38.0, 106.0, None], [points_s[1] - points_s[0], 38.9084, 106.5230, None]],
                  place__lat=38.0, place__lon=106.0)  # fmt: skip
    assert bool(proposed(act("鑫源超市（38.9080, 106.5230）"), sidecars=[track])) == found


@pytest.mark.parametrize(("points_s", "found"), [
    ((-3600.0, 3600.0), True), ((-7200.0, -3600.0), False), ((3600.0, 7200.0), False)])  # fmt: skip
def test_of_a_logger_that_stood_still_two_points_tell_where_it_was_in_between(points_s, found):
    at = TEN + timedelta(minutes=10)
    track = known("t", name="x.gpx", place__track_from=(at + timedelta(seconds=points_s[0])).isoformat(),
                  place__track=[[one - points_s[0], 38.9084, 106.5230, None] for one in points_s],
                  place__lat=38.9084, place__lon=106.5230)  # fmt: skip
    assert bool(proposed(act("鑫源超市（38.9080, 106.5230）"), sidecars=[track])) == found


@pytest.mark.parametrize(("folder", "found"), [
    ("城关镇人民路18号", True), ("鑫源超市", True), ("平罗县城关镇", False), ("人民路", False), ("鑫源", False),
    ("", False), ("18号20260302", False),
])  # fmt: skip
def test_names_of_places_count_beyond_county_and_town(folder, found):
    assert proposed(act(), folder=folder) == ({"AJ2026-1": WORDS} if found else {})


def test_where_a_fixed_camera_hangs_is_a_name_of_a_place():
    camera = Device(code="JK-01", art="cctv", place="人民路18号鑫源超市门口")
    assert proposed(act(), devices=[camera], file_name__device="JK-01") == {"AJ2026-1": WORDS}


def test_two_cases_at_one_place_and_time_are_less_sure():
    other = act(case="AJ2026-2", minutes=5, code="A2")
    assert set(proposed(act(), other, folder="鑫源超市").values()) == {round(WORDS * 0.8, 3)}


def test_shared_words_ignore_region_and_numbers():
    assert shared_words(PLACE, ["石嘴山市平罗县"]) == ""
    assert shared_words(PLACE, ["现场检查鑫源超市20260302"]) == "鑫源超市"


def test_a_file_of_places_is_looked_at(tmp_path):
    assert places_in(tmp_path) == {}
    file = tmp_path / "places.toml"
    file.write_text('[[place]]\nname = "鑫源 超市"\nlat = 38.9\nlon = 106.5\n', encoding="utf-8")
    assert places_in(tmp_path) == {"鑫源超市": Position(38.9, 106.5)}
    file.write_text('[[place]]\nname = "鑫源超市"\n', encoding="utf-8")
    with pytest.raises(BadInput):
        places_in(tmp_path)

"""Sidecars: drone subtitles, GPX, NMEA, XMP and makers' manifests. Lines as published by their devices' owners."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.edges.caged.reading import answer
from pipeline.errors import Unreadable
from pipeline.extractors import dji_srt, gpx, nmea, vendor_json, xmp
from pipeline.tracks import rows_of
from tests.pipeline.extractors.reading import found, understood


def written(path: Path, text: str, encoding: str = "utf-8") -> str:
    path.write_bytes(text.encode(encoding))
    return str(path)


# -- drone subtitles

DIALECTS = {
    "bracketed": (
        "1\n00:00:00,000 --> 00:00:00,040\n<font size=\"36\">FrameCnt : 1, DiffTime : 40ms\n"
        "2020-08-12 08:55:21,745,078\n"
        "[iso : 100] [latitude : -34.869950] [longtitude : -57.823395] [altitude: 74.725998] </font>\n\n",
        ("2020-08-12T08:55:21.745078", -34.86995, -57.823395),
    ),
    "new": (
        "1\n00:00:00,000 --> 00:00:00,033\n<font size=\"28\">SrtCnt : 1, DiffTime : 33ms\n2025-11-26 10:07:56.123\n"
        "[iso: 100] [latitude: 39.906217] [longitude: 116.391305] [rel_alt: 10.100 abs_alt: 54.2] </font>\n\n",
        ("2025-11-26T10:07:56.123000", 39.906217, 116.391305),
    ),
    "mavic": (
        "1\n00:00:01,000 --> 00:00:02,000\nHOME(149.0251,-20.2532) 2017.8.5 14:11:51\n"
        "GPS(149.0251,-20.2533,16) Hb:1.9\n\n",
        ("2017-08-05T14:11:51", -20.2533, 149.0251),
    ),
    "matrice": (
        "1\n00:00:00,000 --> 00:00:01,000\n2021-08-03 10:10:10\nGPS(39.9062,116.3913,0.0M) BAROMETER:50.0M\n\n",
        ("2021-08-03T10:10:10", 39.9062, 116.3913),
    ),
    "matrice in the west": (
        "1\n00:00:00,000 --> 00:00:01,000\n2021-08-03 10:10:10\nGPS(39.47,75.99,12.0M) BAROMETER:50.0M\n\n",
        ("2021-08-03T10:10:10", 39.47, 75.99),
    ),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize(("text", "expected"), DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_gives_time_and_place(
    tmp_path: Path, text: str, expected: tuple[str, float, float], encoding: str
) -> None:
    values = understood(dji_srt.extract(written(tmp_path / "a.srt", text, encoding)))
    assert (values["sidecar.start"], values["place.lat"], values["place.lon"]) == expected
    assert values["sidecar.samples"] == 1


def test_the_first_and_last_of_many_cues(tmp_path: Path) -> None:
    cues = "".join(
        f"{n}\n00:00:{n:02},000 --> 00:00:{n + 1:02},000\nHOME(8.2,47.4) 2021.08.03 10:10:{n:02}\nGPS(8.2,47.4,9)\n\n"
        for n in range(9)
    )
    answer = dji_srt.extract(written(tmp_path / "a.srt", cues))
    values = understood(answer)
    assert (values["sidecar.start"], values["sidecar.end"]) == ("2021-08-03T10:10:00", "2021-08-03T10:10:08")
    assert found(answer)["sidecar.end"] == "2021.08.03 10:10:08"
    assert (values["sidecar.samples"], values["sidecar.length_s"]) == (9, 9.0)


def test_before_the_first_fix_there_is_no_place(tmp_path: Path) -> None:
    text = (
        "1\n00:00:00,000 --> 00:00:01,000\nGPS(0.0000,0.0000,0)\n\n2\n00:00:01,000 --> 00:00:02,000\nGPS(8.5,47.25,9)\n"
    )
    values = understood(dji_srt.extract(written(tmp_path / "a.srt", text)))
    assert (values["place.lat"], values["place.lon"]) == (47.25, 8.5)


def test_plain_subtitles_give_their_count_only(tmp_path: Path) -> None:
    values = understood(
        dji_srt.extract(written(tmp_path / "a.srt", "1\n00:00:00,000 --> 00:00:05,000\n你好\n", "gb18030"))
    )
    assert values == {"sidecar.samples": 1, "sidecar.length_s": 5.0}


def test_subtitles_without_a_cue_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        dji_srt.extract(written(tmp_path / "a.srt", "1\n"))


# -- GPX and NMEA


def test_a_track_gives_its_span_and_start(tmp_path: Path) -> None:
    points = "".join(
        f'<trkpt lat="39.{n}" lon="116.{n}"><ele>4{n}</ele><time>2021-08-03T02:10:1{n}Z</time></trkpt>'
        for n in range(3)
    )
    text = f'<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{points}</trkseg></trk></gpx>'
    values = understood(gpx.extract(written(tmp_path / "a.gpx", text)))
    assert (values["sidecar.start"], values["sidecar.end"]) == ("2021-08-03T02:10:10Z", "2021-08-03T02:10:12Z")
    assert (values["place.lat"], values["place.lon"], values["place.alt_m"]) == (39.0, 116.0, 40.0)
    assert values["sidecar.samples"] == 3
    assert values["place.track"] == [[float(n), 39 + n / 10, 116 + n / 10, None] for n in range(3)]


def test_a_track_cut_short_gives_what_it_has(tmp_path: Path) -> None:
    text = '<gpx><trk><trkseg><trkpt lat="1" lon="2"><time>2021-08-03T02:10:10Z</time></trkpt><trkpt lat="1'
    assert understood(gpx.extract(written(tmp_path / "a.gpx", text)))["sidecar.samples"] == 1


@pytest.mark.parametrize("reader", [gpx, xmp])
def test_entities_of_its_own_are_refused(tmp_path: Path, reader: object) -> None:
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    inside = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{laughs}&b;</x:xmpmeta>' if reader is xmp else f"{laughs}<gpx>&b;</gpx>"
    )
    with pytest.raises(Unreadable):
        reader.extract(written(tmp_path / "a.gpx", inside))  # type: ignore[attr-defined]


def test_nmea_gives_valid_fixes_only(tmp_path: Path) -> None:
    """The first sentence is the example of the NMEA 0183 manual, with a year of today's century."""
    lines = (
        "$GPRMC,,V,,,,,,,,,,N*53\n"
        "$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230321,003.1,W*6A\n"
        "$GNRMC,123524.00,A,4807.040,N,01131.010,E,022.4,084.4,230321,003.1,W*6A\n"
    )
    values = understood(nmea.extract(written(tmp_path / "a.nmea", lines)))
    assert (values["sidecar.start"], values["sidecar.end"]) == (
        "2021-03-23T12:35:19+00:00",
        "2021-03-23T12:35:24+00:00",
    )
    assert values["place.lat"] == pytest.approx(48.1173)
    assert values["place.lon"] == pytest.approx(11.516667)


NO_PLACES = ["inf", "-inf", "nan", "1e300", "200"]


@pytest.mark.parametrize("wrong", NO_PLACES)
@pytest.mark.parametrize("form", ['lat="{}" lon="116.5"', 'lat="39.5" lon="{}"'])
def test_what_is_no_place_on_earth_is_no_position(tmp_path: Path, form: str, wrong: str) -> None:
    places = [form.format(wrong), 'lat="39.0" lon="116.0"', form.format(wrong), 'lat="39.1" lon="116.1"']
    points = "".join(f"<trkpt {at}><time>2021-08-03T02:10:1{n}Z</time></trkpt>" for n, at in enumerate(places))
    values = understood(gpx.extract(written(tmp_path / "a.gpx", f"<gpx><trk><trkseg>{points}</trkseg></trk></gpx>")))
    assert (values["place.lat"], values["place.lon"], values["sidecar.samples"]) == (39.0, 116.0, 4)
    assert values["place.track"] == [[0.0, 39.0, 116.0, None], [2.0, 39.1, 116.1, None]]


def test_a_long_track_keeps_points_all_the_way_and_both_its_ends() -> None:
    moved = [(1e9 + second, 30.0 + second / 1000, 110.0) for second in range(450)]
    (_, _, track), (name, _, begun) = rows_of(moved[::-1])
    seconds = [int(point[0]) for point in track]
    assert (name, begun) == ("place.track_from", "2001-09-09T01:46:40+00:00")
    assert (len(seconds), seconds[0], seconds[-1]) == (400, 0, 449)
    assert {after - before for before, after in pairwise(seconds)} == {1, 2}


def test_a_height_without_end_is_no_height(tmp_path: Path) -> None:
    text = '<gpx><trk><trkseg><trkpt lat="1" lon="2"><ele>inf</ele></trkpt></trkseg></trk></gpx>'
    values = understood(gpx.extract(written(tmp_path / "a.gpx", text)))
    assert (values["place.lat"], values["place.alt_m"]) == (1.0, None)


@pytest.mark.parametrize("wrong", ["9907.038,N,01131.000,E", "4807.038,N,19931.000,E"])
def test_a_fix_that_is_no_place_on_earth_is_no_position(tmp_path: Path, wrong: str) -> None:
    places = [wrong, "4800.000,N,01130.000,E", wrong, "4830.000,N,01200.000,E"]
    lines = "".join(f"$GPRMC,12351{n},A,{at},022.4,084.4,230321,003.1,W*6A\n" for n, at in enumerate(places))
    values = understood(nmea.extract(written(tmp_path / "a.nmea", lines)))
    assert (values["place.lat"], values["place.lon"], values["sidecar.samples"]) == (48.0, 11.5, 4)
    assert values["place.track"] == [[0.0, 48.0, 11.5, None], [2.0, 48.5, 12.0, None]]
    alone = understood(nmea.extract(written(tmp_path / "b.nmea", lines.splitlines()[0])))
    assert "place.lat" not in alone


def test_numbers_that_are_none_are_left_out_however_deep_they_stand() -> None:
    found_ = {"where": [[0.0, float("nan")], {"at": (float("inf"), 1.5, "a")}]}
    assert understood(answer([("a.b", "x", found_)])) == {"a.b": {"where": [[0.0, None], {"at": [None, 1.5, "a"]}]}}


# -- XMP

PACKET = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:p="http://ns.adobe.com/xap/1.0/" xmlns:e="http://ns.adobe.com/exif/1.0/"
 xmlns:t="http://ns.adobe.com/tiff/1.0/" xmlns:s="http://ns.adobe.com/photoshop/1.0/"
 p:CreateDate="2024-01-07T11:02:59.177" t:Make="samsung" e:GPSLatitude="50,5.3752490N" e:GPSLongitude="14,23,50W"
 e:GPSAltitude="905/10" e:GPSAltitudeRef="1">
<e:DateTimeOriginal>2024-01-07T11:02:59+01:00</e:DateTimeOriginal><t:Orientation>8</t:Orientation>
<s:DateCreated>2024-01</s:DateCreated></rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize(
    "before", [b"", b"\xff\xd8\xff\xe1\x20\x00http://ns.adobe.com/xap/1.0/\0", b"II*\0" + bytes(100)]
)
def test_a_packet_is_read_beside_and_inside_a_photo(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(before + PACKET.encode() + b"\0" * 20)
    values = understood(xmp.extract(str(path)))
    assert values["xmp.CreateDate"] == "2024-01-07T11:02:59.177"
    assert values["xmp.DateTimeOriginal"] == "2024-01-07T11:02:59+01:00"
    assert values["xmp.DateCreated"] == "2024-01"
    assert (values["device.make"], values["picture.orientation"]) == ("samsung", 8)
    assert values["place.lat"] == pytest.approx(50.08958748)
    assert values["place.lon"] == pytest.approx(-14.39722222)
    assert values["place.alt_m"] == -90.5


@pytest.mark.parametrize(("longitude", "place"), [
    ('d:GpsLongitude="+106.2081234"', (37.4213, 106.2081234)), ('d:GpsLongtitude="-70.5"', (37.4213, -70.5)),
    ('e:GPSLatitude="50,30N" e:GPSLongitude="14,15E" d:GpsLongitude="+106.2"', (50.5, 14.25)),
])  # fmt: skip
def test_a_drones_own_names_tell_place_and_time_where_the_usual_ones_do_not(
    tmp_path: Path, longitude: str, place: tuple[float, float]
) -> None:
    packet = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="DJI Meta Data" xmlns:d="http://www.dji.com/drone-dji/1.0/"
 xmlns:e="http://ns.adobe.com/exif/1.0/" d:GpsLatitude="+37.4213000" {longitude} d:AbsoluteAltitude="+592.502"
 d:UTCAtExposure="2025:05:20 02:12:54.019996" d:DroneModel="M4E" d:DroneSerialNumber="1581F7FVC251A00CE000"/>
</rdf:RDF></x:xmpmeta>"""
    values = understood(xmp.extract(written(tmp_path / "a", packet)))
    assert (values["place.lat"], values["place.lon"]) == pytest.approx(place)
    assert (values["device.model"], values["device.serial"]) == ("M4E", "1581F7FVC251A00CE000")
    assert values["xmp.UTCAtExposure"] == "2025-05-20T02:12:54.019996"


def test_no_packet_is_no_fault_and_a_broken_one_is(tmp_path: Path) -> None:
    assert xmp.extract(written(tmp_path / "a", "nothing"))["properties"] == []
    with pytest.raises(Unreadable):
        xmp.extract(written(tmp_path / "b", PACKET.replace("</rdf:Description>", "")))


# -- makers' manifests


def test_motorola_samples_give_the_span(tmp_path: Path) -> None:
    data = {
        "DataPoints": [{"Time": f"2024-05-08T02:04:1{n}.016256Z"} for n in range(4)],
        "Officer": "Doe, Jane",
        "DeviceId": "WFC1-0001",
    }
    values = understood(vendor_json.extract(written(tmp_path / "a.json", json.dumps(data))))
    assert (values["sidecar.start"], values["sidecar.end"]) == (
        "2024-05-08T02:04:10.016256Z",
        "2024-05-08T02:04:13.016256Z",
    )
    assert (values["sidecar.officer"], values["sidecar.device"], values["sidecar.samples"]) == (
        "Doe, Jane",
        "WFC1-0001",
        4,
    )


def test_motorola_cues_give_officer_and_place(tmp_path: Path) -> None:
    cue = json.dumps({"officer": "Doe, Jane", "gpsCoordinates": "N42.389457 W72.526538"}, indent=1)
    text = f"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{cue}\n\n00:00:01.000 --> 00:00:02.000\nplain\n"
    values = understood(vendor_json.extract(written(tmp_path / "a.vtt", text)))
    assert values["sidecar.officer"] == "Doe, Jane"
    assert (values["place.lat"], values["place.lon"]) == (42.389457, -72.526538)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_docks_manifest_states_case_officer_and_device(tmp_path: Path, encoding: str) -> None:
    data = {
        "案件编号": "（2021）京执罚字第3号",
        "记录": {"执法证号": 110105001, "设备编号": "DSJ-0001", "开始时间": "2021年8月3日 10时10分10秒"},
    }
    answer = vendor_json.extract(written(tmp_path / "a.json", json.dumps(data, ensure_ascii=False), encoding))
    values = understood(answer)
    assert values["sidecar.case"] == "（2021）京执罚字第3号"
    assert (values["sidecar.officer"], values["sidecar.device"]) == ("110105001", "DSJ-0001")
    assert values["sidecar.start"] == "2021-08-03T10:10:10"
    assert found(answer)["sidecar.start"] == "2021年8月3日 10时10分10秒"


def test_a_log_of_keys_and_values_is_read(tmp_path: Path) -> None:
    text = "Case No.: 2021-00031\r\nOfficer Name = 张三\r\nstart time: 2021-08-03 10:10:10\r\nnote: x\r\n"
    values = understood(vendor_json.extract(written(tmp_path / "a.log", text)))
    assert values == {"sidecar.case": "2021-00031", "sidecar.officer": "张三", "sidecar.start": "2021-08-03T10:10:10"}


def test_broken_json_is_refused_and_silent_json_is_not(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        vendor_json.extract(written(tmp_path / "a.json", '{"case": '))
    assert vendor_json.extract(written(tmp_path / "b.json", '{"a": [1, 2]}'))["properties"] == []

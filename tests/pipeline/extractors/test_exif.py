from __future__ import annotations

import io
import struct
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import piexif
import pytest
from PIL import Image

from pipeline.errors import Unreadable
from pipeline.extractors import header
from pipeline.extractors.exif import extract
from tests.pipeline.extractors.reading import found, understood
from tests.samples.making import photo

TAKEN = datetime(2021, 8, 3, 10, 10, 10)  # noqa: DTZ001 (EXIF has no zone)


def block(**tags: dict[int, object]) -> bytes:
    return piexif.dump({"0th": {}, "Exif": {}, "GPS": {}, **tags})


def saved(path: Path, kind: str, exif: bytes) -> Path:
    Image.new("RGB", (32, 24), "blue").save(path, kind, exif=exif)
    return path


def test_a_photo_says_when_where_and_by_what(tmp_path: Path) -> None:
    path = photo(
        tmp_path / "a.jpg",
        1,
        taken=TAKEN,
        make="NIKON ",
        model="Z 30",
        gps=(-34.5, 116.3913),
        offset="+08:00",
        orientation=6,
    )
    answer = extract(str(path))
    values = understood(answer)
    assert found(answer)["exif.DateTimeOriginal"] == "2021:08:03 10:10:10"
    assert values["exif.DateTimeOriginal"] == "2021-08-03T10:10:10"
    assert values["exif.OffsetTimeOriginal"] == "+08:00"
    assert (values["device.make"], values["device.model"], values["picture.orientation"]) == ("NIKON", "Z 30", 6)
    assert values["place.lat"] == pytest.approx(-34.5)
    assert values["place.lon"] == pytest.approx(116.3913)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_wrapping_gives_the_same(tmp_path: Path, kind: str) -> None:
    exif = block(
        **{
            "0th": {piexif.ImageIFD.Make: "Dahua", piexif.ImageIFD.DateTime: "2021:08:03 11:00:00"},
            "Exif": {piexif.ExifIFD.DateTimeOriginal: "2021:08:03 10:10:10", piexif.ExifIFD.SubSecTimeOriginal: "054",
                     piexif.ExifIFD.BodySerialNumber: "DS0001"},
        }
    )  # fmt: skip
    values = understood(extract(str(saved(tmp_path / "a", kind, exif))))
    assert values["exif.DateTimeOriginal"] == "2021-08-03T10:10:10"
    assert values["exif.SubSecTimeOriginal"] == "054"
    assert values["exif.DateTime"] == "2021-08-03T11:00:00"
    assert (values["device.make"], values["device.serial"]) == ("Dahua", "DS0001")


NIKON = {"0th": {piexif.ImageIFD.Make: "NIKON"}, "Exif": {piexif.ExifIFD.DateTimeOriginal: "2021:08:03 10:10:10"}}


def boxed(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def jpeg_2000(tiff: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), "blue").save(buffer, "JPEG2000")
    return buffer.getvalue() + boxed(b"uuid", b"JpgTiffExif->JP2" + tiff)


def jpeg_xl(tiff: bytes) -> bytes:
    front = boxed(b"JXL ", b"\r\n\x87\n") + boxed(b"ftyp", b"jxl \0\0\0\0jxl ")
    return front + boxed(b"Exif", bytes(4) + tiff) + boxed(b"jxlc", jxl_head(24, 32))


def jxl_head(height: int, width: int) -> bytes:
    """A SizeHeader of both sides in full, of 13 bits each."""
    bits = 0 | 1 << 1 | (height - 1) << 3 | 0 << 16 | 1 << 19 | (width - 1) << 21
    return b"\xff\x0a" + bits.to_bytes(14, "little")


def photoshop(tiff: bytes) -> bytes:
    resources = b"8BIM" + struct.pack(">H", 1005) + b"\3abc" + struct.pack(">I", 3) + b"abc\0"
    resources += b"8BIM" + struct.pack(">H", 1058) + b"\0\0" + struct.pack(">I", len(tiff)) + tiff
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 24, 32, 8, 3)
    return head + struct.pack(">I", 0) + struct.pack(">I", len(resources)) + resources


def minolta(tiff: bytes) -> bytes:
    blocks = struct.pack(">4sI", b"\0PRD", 8) + bytes(8) + struct.pack(">4sI", b"\0TTW", len(tiff)) + tiff
    return struct.pack(">4sI", b"\0MRM", len(blocks)) + blocks


@pytest.mark.parametrize("made", [jpeg_2000, jpeg_xl, photoshop, minolta])
def test_formats_that_wrap_it_in_their_own_way_give_it_too(tmp_path: Path, made: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a"
    path.write_bytes(made(block(**NIKON)[6:]))
    values = understood(extract(str(path)))
    assert (values["device.make"], values["exif.DateTimeOriginal"]) == ("NIKON", "2021-08-03T10:10:10")
    path.write_bytes(path.read_bytes()[:-40])  # cut short: no fault of the reader
    extract(str(path))


@pytest.mark.parametrize("made", [jpeg_2000, jpeg_xl, photoshop])
def test_their_headers_state_the_size(tmp_path: Path, made: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a"
    path.write_bytes(made(block(**NIKON)[6:]))
    values = understood(header.extract(str(path)))
    assert (values["picture.width"], values["picture.height"]) == (32, 24)


# ISO/IEC 18181-1: eighths in five bits; the width as 16:9 of the height.
@pytest.mark.parametrize(
    ("bits", "size"), [(1 | 2 << 1 | 0 << 6 | 3 << 9, (32, 24)), (0 | 1 << 1 | 1079 << 3 | 5 << 16, (1920, 1080))]
)
def test_short_sizes_of_jpeg_xl(tmp_path: Path, bits: int, size: tuple[int, int]) -> None:
    (tmp_path / "a").write_bytes(b"\xff\x0a" + bits.to_bytes(14, "little"))
    values = understood(header.extract(str(tmp_path / "a")))
    assert (values["picture.width"], values["picture.height"]) == size


def test_the_profile_that_imagemagick_writes_is_read(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    exif = block(**{"0th": {piexif.ImageIFD.Make: "Canon"}})
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n", zip=True)
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path, "PNG", pnginfo=info)
    assert understood(extract(str(path)))["device.make"] == "Canon"


def test_gps_time_and_height_below_the_sea(tmp_path: Path) -> None:
    gps = {
        piexif.GPSIFD.GPSDateStamp: "2021:08:03", piexif.GPSIFD.GPSTimeStamp: ((2, 1), (10, 1), (1025, 100)),
        piexif.GPSIFD.GPSAltitudeRef: 1, piexif.GPSIFD.GPSAltitude: (305, 10),
    }  # fmt: skip
    values = understood(extract(str(saved(tmp_path / "a.jpg", "JPEG", block(GPS=gps)))))
    assert (values["exif.GPSDateStamp"], values["exif.GPSTimeStamp"]) == ("2021-08-03", "02:10:10.25")
    assert values["place.alt_m"] == -30.5


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2021:13:45 10:10:10", "today"])
def test_a_time_that_is_none_keeps_its_text_and_has_no_value(tmp_path: Path, text: str) -> None:
    path = saved(tmp_path / "a.jpg", "JPEG", block(Exif={piexif.ExifIFD.DateTimeOriginal: text}))
    answer = extract(str(path))
    assert found(answer)["exif.DateTimeOriginal"] == text.strip()
    assert understood(answer)["exif.DateTimeOriginal"] is None


def test_a_place_divided_by_nought_is_no_place(tmp_path: Path) -> None:
    gps = {
        piexif.GPSIFD.GPSLatitudeRef: "N", piexif.GPSIFD.GPSLatitude: ((0, 0), (0, 0), (0, 0)),
        piexif.GPSIFD.GPSLongitudeRef: "E", piexif.GPSIFD.GPSLongitude: ((116, 1), (0, 1), (0, 1)),
    }  # fmt: skip
    assert "place.lat" not in understood(extract(str(saved(tmp_path / "a.jpg", "JPEG", block(GPS=gps)))))


def test_a_place_off_the_globe_is_no_place(tmp_path: Path) -> None:
    gps = {
        piexif.GPSIFD.GPSLatitudeRef: "N", piexif.GPSIFD.GPSLatitude: ((139, 1), (0, 1), (0, 1)),
        piexif.GPSIFD.GPSLongitudeRef: "E", piexif.GPSIFD.GPSLongitude: ((116, 1), (0, 1), (0, 1)),
    }  # fmt: skip
    assert "place.lat" not in understood(extract(str(saved(tmp_path / "a.jpg", "JPEG", block(GPS=gps)))))


def test_a_maker_in_gbk_is_read(tmp_path: Path) -> None:
    exif = block(**{"0th": {piexif.ImageIFD.Make: "海康威视".encode("gbk")}})
    assert understood(extract(str(saved(tmp_path / "a.jpg", "JPEG", exif))))["device.make"] == "海康威视"


def test_an_orientation_that_no_standard_knows_has_no_value(tmp_path: Path) -> None:
    answer = extract(str(saved(tmp_path / "a.jpg", "JPEG", block(**{"0th": {piexif.ImageIFD.Orientation: 0}}))))
    assert found(answer)["picture.orientation"] == "0"
    assert understood(answer)["picture.orientation"] is None


def test_raw_files_with_marks_of_their_own_are_read(tmp_path: Path) -> None:
    exif = block(
        **{"0th": {piexif.ImageIFD.Make: "OLYMPUS"}, "Exif": {piexif.ExifIFD.DateTimeOriginal: "2021:08:03 10:10:10"}}
    )
    tiff = exif[6:]
    mark = {b"MM": b"MMOR", b"II": b"IIRO"}[tiff[:2]]
    path = tmp_path / "a.orf"
    path.write_bytes(mark + tiff[4:])
    values = understood(extract(str(path)))
    assert (values["device.make"], values["exif.DateTimeOriginal"]) == ("OLYMPUS", "2021-08-03T10:10:10")


def test_a_photo_without_exif_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path)
    assert extract(str(path)) == {"properties": [], "caveats": []}


def test_a_huge_count_in_a_maker_note_costs_nothing(tmp_path: Path) -> None:
    """The bomb that kept exifread 3.5.1 busy for 100 s when maker notes are read."""
    note = b"Nikon\0\x02\0\0\0" + b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 1, 3, 0x7FFFFFFF, 8)
    exif = block(**{"0th": {piexif.ImageIFD.Make: "NIKON"}, "Exif": {piexif.ExifIFD.MakerNote: note}})
    assert understood(extract(str(saved(tmp_path / "a.jpg", "JPEG", exif))))["device.make"] == "NIKON"


def test_what_is_no_photo_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\x01\x02\x03")
    with pytest.raises(Unreadable):
        extract(str(path))


def test_a_size_stands_in_where_the_jpeg_lost_its_picture(tmp_path: Path) -> None:
    exif = block(Exif={piexif.ExifIFD.PixelXDimension: 640, piexif.ExifIFD.PixelYDimension: 480})
    data = io.BytesIO()
    Image.new("RGB", (4, 4)).save(data, "JPEG", exif=exif)
    whole = data.getvalue()
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[: whole.index(b"\xff\xdb")])
    values = understood(extract(str(path)))
    assert (values["picture.width"], values["picture.height"]) == (640, 480)

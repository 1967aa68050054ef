from __future__ import annotations

import io
import random
import struct
import wave
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from pipeline.custody.sniff import FORMATS, sniff, suits
from pipeline.edges.tools import DEMUXERS


def of(data: bytes, name: str = "", extra: tuple[str, ...] = ()) -> tuple[str, str]:
    sniffed = sniff(data[: 64 << 10], data[-(64 << 10) :], name, extra)
    return sniffed.kind, sniffed.format


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I4s", 8 + len(inside), kind) + inside


def iso(brand: bytes, *handlers: bytes) -> bytes:
    tracks = [box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(12)))) for handler in handlers]
    return box(b"ftyp", brand, bytes(4), brand) + box(b"moov", *tracks)


def picture(kind: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(data, kind)
    return data.getvalue()


# Magic numbers as their specifications print them.
HEADS = {
    b"\xff\xd8\xff\xe0\x00\x10JFIF\0": ("photo", "jpeg"),
    b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska": ("video", "matroska"),
    b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm": ("video", "webm"),
    b"IMKH\x01\x01\0\0" + bytes(32) + b"\x00\x00\x01\xba": ("video", "mpegps"),
    b"\x00\x00\x01\xba\x44": ("video", "mpegps"),
    b"DHAV\xfd\x00\x00\x00": ("video", "dav"),
    b"FLV\x01\x05\0\0\0\x09": ("video", "flv"),
    b"FLV\x01\x04\0\0\0\x09": ("audio", "flv"),
    b"FORM\0\0\0\x2eAIFFCOMM": ("audio", "aiff"),
    b"caff\0\x01\0\0": ("audio", "caf"),
    b"fLaC\0\0\0\x22": ("audio", "flac"),
    b"#!AMR\n\x3c": ("audio", "amr"),
    b"wvpk\x18\0\0\0": ("audio", "wavpack"),
    b"MAC \x96\x0f": ("audio", "ape"),
    b"TTA1\x01\0": ("audio", "tta"),
    b"MP+\x07\0\0\0\0": ("audio", "musepack7"),
    b"MPCKSH": ("audio", "musepack8"),
    b"tBaK": ("audio", "tak"),
    b"DSD \x1c\0\0\0": ("audio", "dsf"),
    b"FRM8\0\0\0\0\0\0\0\x6eDSD ": ("audio", "dff"),
    b"OFR \x0f\0\0\0": ("audio", "optimfrog"),
    b"\x0b\x77\x5d\x3a\x14\x40\x43": ("audio", "ac3"),
    b"\x0b\x77\x02\xff\x3f\x86\x7f": ("audio", "eac3"),
    b"\x7f\xfe\x80\x01\xfc": ("audio", "dts"),
    b".snd\0\0\0\x18": ("audio", "au"),
    b"MThd\0\0\0\x06": ("audio", "midi"),
    b"OggS\0\x02" + bytes(20) + b"\x01\x1e\x01vorbis": ("audio", "ogg"),
    b"OggS\0\x02" + bytes(20) + b"\x01\x2a\x80theora": ("video", "ogg"),
    b"\x00\x00\x00\x01\x67\x42\x00\x1e\x00\x00\x00\x01\x68\xce": ("video", "h264"),
    b"\x00\x00\x00\x01\x40\x01\x0c\x00\x00\x01\x42\x01\x01\x00\x00\x01\x44\x01\xc1": ("video", "hevc"),
    b"\x1f\x07\x00\x3f" + bytes(76) + b"\x3f\x07\x00": ("video", "dv"),
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01": ("video", "mxf"),
    b"8BPS\0\x01": ("photo", "psd"),
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": ("photo", "jp2"),
    b"\xff\x4f\xff\x51\0\x2f": ("photo", "j2k"),
    b"\xff\x0a\xfa\x1f": ("photo", "jxl"),
    b"II*\0\x10\0\0\0CR\x02\0": ("photo", "cr2"),
    b"IIU\0\x18\0\0\0": ("photo", "rw2"),
    b"IIRO\x08\0\0\0": ("photo", "orf"),
    b"FUJIFILMCCD-RAW 0201": ("photo", "raf"),
    b"II\x1a\0\0\0HEAPCCDR": ("photo", "crw"),
    b"%PDF-1.7\n": ("document", "pdf"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("document", "ole"),
    b"{\\rtf1\\ansi": ("document", "rtf"),
    b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0": ("other", "program"),
}


@pytest.mark.parametrize(("head", "expected"), HEADS.items(), ids=lambda value: str(value)[:24])
def test_content_tells_the_format_without_a_name(head: bytes, expected: tuple[str, str]) -> None:
    assert of(head) == expected


@pytest.mark.parametrize("head", HEADS, ids=lambda value: str(value)[:24])
def test_content_wins_over_the_name(head: bytes) -> None:
    assert of(head, "clip.mp4")[1] == HEADS[head][1]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "WEBP", "BMP", "JPEG"])
def test_pictures_of_another_writer_are_known(kind: str) -> None:
    assert of(picture(kind)) == ("photo", kind.lower())


@pytest.mark.parametrize(
    ("brand", "expected"),
    [
        (b"qt  ", "mov"), (b"isom", "mp4"), (b"mp42", "mp4"), (b"3gp4", "3gp"), (b"M4A ", "m4a"), (b"heic", "heif"),
        (b"mif1", "heif"), (b"avif", "avif"), (b"crx ", "cr3"), (b"jp2 ", "jp2"),
    ],
)  # fmt: skip
def test_brands_tell_the_members_of_the_iso_family_apart(brand: bytes, expected: str) -> None:
    assert of(iso(brand))[1] == expected


def test_quicktime_from_before_brands_is_known() -> None:
    assert of(box(b"wide") + box(b"mdat", bytes(40)))[1] == "mov"


def test_an_mp4_of_sound_alone_is_audio() -> None:
    assert of(iso(b"isom", b"soun"), "a.mp4") == ("audio", "mp4")
    assert of(iso(b"isom", b"vide", b"soun"), "a.mp4") == ("video", "mp4")


def test_where_the_index_is_out_of_sight_the_name_decides() -> None:
    far = box(b"ftyp", b"isom", bytes(4)) + struct.pack(">I4s", 1 << 24, b"mdat") + bytes(1 << 10)
    assert of(far, "a.mp4")[0] == "video"
    assert of(far, "a.m4b")[0] == "audio"


@pytest.mark.parametrize("lead", [0, 4])
def test_transport_streams_are_known_at_both_paces(lead: int) -> None:
    packet = bytes(lead) + b"\x47" + bytes(187)
    assert of(packet * 20, "x.mts") == ("video", "mpegts")


def test_a_transport_stream_cut_out_of_a_longer_one_is_known() -> None:
    assert of((b"\x47" + bytes(187) * 1)[77:] + (b"\x47" + bytes(187)) * 12)[1] == "mpegts"


def mp3_frames(count: int) -> bytes:
    return (b"\xff\xfb\x90\x00" + bytes(413)) * count  # MPEG 1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes


def id3(size: int) -> bytes:
    return b"ID3\x03\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + bytes(size)


def test_mpeg_audio_is_known_with_and_without_tags() -> None:
    assert of(mp3_frames(5)) == ("audio", "mp3")
    assert of(id3(500) + mp3_frames(5)) == ("audio", "mp3")
    assert of(bytes(300) + mp3_frames(5), "x.mp3") == ("audio", "mp3")


def test_what_follows_the_tag_decides() -> None:
    assert of(id3(100) + b"fLaC\0\0\0\x22") == ("audio", "flac")
    assert of(id3(100) + b"TTA1\x01\0") == ("audio", "tta")
    assert of(id3(100) + b"MAC \x96\x0f") == ("audio", "ape")


def test_a_tag_larger_than_the_head_leaves_it_to_the_name() -> None:
    assert of(id3(200_000)[: 64 << 10], "a.flac")[1] == "flac"
    assert of(id3(200_000)[: 64 << 10], "")[1] == "mp3"


def test_adts_is_not_taken_for_mpeg_audio() -> None:
    frame = b"\xff\xf1\x50\x80\x04\x1f\xfc" + bytes(25)
    assert of(frame * 6) == ("audio", "aac")


def test_noise_is_not_taken_for_sound() -> None:
    chance = random.Random(7)
    for _ in range(50):
        assert of(b"\x01" + chance.randbytes(60_000))[1] == "unknown"


def test_a_wave_file_is_known() -> None:
    data = io.BytesIO()
    with wave.open(data, "wb") as stream:
        stream.setparams((1, 2, 8000, 0, "NONE", ""))
        stream.writeframes(bytes(100))
    assert of(data.getvalue()) == ("audio", "wav")


PLAYLISTS = {
    "hls": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nfile:///etc/hostname\n",
    "hls behind a mark and blank lines": b"\xef\xbb\xbf\n\n#EXTM3U\n",
    "hls without its first line": b"#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n",
    "concat": b"ffconcat version 1.0\nfile other/secret.mp4\n",
    "concat without its first line": b"file 'a.mp4'\nfile 'b.mp4'\n",
    "dash": b'<?xml version="1.0"?>\n<!-- x --><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
    "pls": b"[playlist]\nFile1=http://host/a.mp3\n",
    "reference": b"[Reference]\nRef1=http://host/x.asf\n",
    "quicktime reference": b"RTSPtext\nrtsp://host/x\n",
    "asx": b"<asx version='3'><entry><ref href='http://host'/></entry></asx>",
    "smil": b"<smil><body><video src='a.mp4'/></body></smil>",
    "xspf": b'<playlist version="1" xmlns="http://xspf.org/ns/0/"></playlist>',
}


@pytest.mark.parametrize("name", ["list.m3u8", "evidence.mp4", "evidence.avi", "evidence.srt", "evidence.json", ""])
@pytest.mark.parametrize("text", PLAYLISTS.values(), ids=PLAYLISTS)
def test_a_playlist_is_never_a_recording_whatever_its_name(text: bytes, name: str) -> None:
    assert of(text, name) == ("other", "playlist")


def test_no_demuxer_follows_what_a_file_points_to() -> None:
    pointing = {"hls", "applehttp", "dash", "concat", "sdp", "rtsp", "image2", "imf", "lavfi", "playlist"}
    assert pointing.isdisjoint(DEMUXERS)
    assert pointing.isdisjoint(DEMUXERS.values())
    assert set(DEMUXERS) <= set(FORMATS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("执法记录：2021年8月3日", ("document", "text")),
        ('{"case": "（2021）第3号"}', ("document", "json")),
        ("<!DOCTYPE html><html></html>", ("document", "html")),
        ('<?xml version="1.0"?><gpx version="1.1"></gpx>', ("sidecar", "gpx")),
        ('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>', ("sidecar", "xmp")),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nx", ("sidecar", "vtt")),
        ("1\n00:00:00,000 --> 00:00:01,000\nx\n", ("sidecar", "srt")),
        ("$GPRMC,081836,A,3751.65,S,14507.36,E,000.0,360.0,130998,011.3,E*62\n", ("sidecar", "nmea")),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_writings_are_known_in_the_encodings_offices_use(text: str, expected: tuple[str, str], encoding: str) -> None:
    assert of(text.encode(encoding)) == expected


@pytest.mark.parametrize(
    ("folder", "expected"), [("word/a.xml", "docx"), ("xl/a.xml", "xlsx"), ("ppt/a.xml", "pptx"), ("a.txt", "zip")]
)
def test_office_documents_are_told_from_plain_archives(folder: str, expected: str) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr(folder, "<x/>")
    assert of(data.getvalue())[1] == expected


def test_an_ofd_document_is_known() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("OFD.xml", "<x/>")
    assert of(data.getvalue(), "决定书.ofd") == ("document", "ofd")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.LRF", iso(b"isom", b"vide"), "mp4"),
        ("a.lrv", iso(b"isom", b"vide"), "mp4"),
        ("a.THM", b"\xff\xd8\xff\xe0\x00\x10JFIF\0", "jpeg"),
        ("a.json", b'{"a": 1}', "json"),
        ("a.log", b"started\n", "text"),
        ("a.idx", b"\x01\x02\x03\x00\xff", "idx"),
        ("a.md5", b"d41d8cd98f00b204e9800998ecf8427e  a.mp4\n", "md5"),
        ("a.srt", b"1\n", "srt"),
    ],
)
def test_companions_are_sidecars_with_the_format_of_their_content(name: str, data: bytes, expected: str) -> None:
    assert of(data, name) == ("sidecar", expected)


def test_a_recording_under_a_companions_name_is_a_recording() -> None:
    assert of(iso(b"isom", b"vide"), "a.log") == ("video", "mp4")
    assert of(picture("JPEG"), "a.srt") == ("photo", "jpeg")


def test_further_companions_can_be_named() -> None:
    assert of(b"\x01\x02\xff\x00", "a.XYZ", (".xyz",)) == ("sidecar", "unknown")


def test_unknown_content_keeps_the_kind_its_name_claims() -> None:
    encrypted = random.Random(1).randbytes(5000)
    assert of(encrypted, "DSJ_0001.mp4") == ("video", "unknown")
    assert of(encrypted, "x.bin") == ("other", "unknown")
    assert of(b"", "x.jpg") == ("photo", "empty")


def test_a_surprising_name_is_noticed_and_an_unknown_one_is_not() -> None:
    assert not suits("a.mp4", "mpegps")
    assert suits("a.MP4", "mov")
    assert suits("a.001", "mpegps")
    assert suits("noending", "jpeg")


def test_nothing_makes_it_raise() -> None:
    chance = random.Random(3)
    for head in [*HEADS, iso(b"heic", b"vide"), id3(20), picture("TIFF"), picture("WEBP")]:
        for _ in range(40):
            broken = bytearray(head[: chance.randrange(len(head) + 1)] + chance.randbytes(chance.randrange(40)))
            for _ in range(3):
                if broken:
                    broken[chance.randrange(len(broken))] = chance.randrange(256)
            of(bytes(broken), chance.choice(["", "a.mp4", "b.srt", "c.nef", "d.h264", "e.mp3"]))


@pytest.mark.corpus
def test_real_files_sniff_the_same_without_their_names(corpus: Path, manifest: list[dict[str, str]]) -> None:
    differing = []
    for row in manifest:
        data = (corpus / row["path"]).read_bytes()
        with_name, without = of(data, Path(row["path"]).name), of(data)
        if with_name[1] != without[1] and row["valid"] != "broken":
            differing.append((row["path"], with_name, without))
    assert not differing

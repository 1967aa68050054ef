"""Makes files that are out for harm: lists that point to other files and addresses, bombs, damaged recordings.

Each kind stands for a published way to make a media program read, fetch, swell or hang: playlists under the name of a
film (HLS, ffconcat, DASH, SDP, image patterns, external tracks), indexes and pictures that claim more than they hold.
"""

from __future__ import annotations

import base64
import io
import random
import struct
import wave
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import piexif
from PIL import Image

from pipeline.edges.confinement.trial import index_bomb

WORD = b"CANARY-7c1f-EVIDENCE-OF-ANOTHER-CASE"
SUFFIXES = ("mp4", "avi", "mkv", "ts", "wav", "mp3", "flv", "mov", "jpg", "aac", "ogg")


@dataclass(frozen=True)
class Canary:
    """Files that no sample may make anybody read, and the address that none may call."""

    sound: Path
    text: Path
    port: int


def canary(folder: Path, port: int = 9) -> Canary:
    """A sound of one value and a text of one word, in a folder of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    with wave.open(str(folder / "other.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(struct.pack("<h", 0x2345) * 4000)
    (folder / "other.txt").write_bytes(WORD * 40)
    return Canary(folder / "other.wav", folder / "other.txt", port)


def lists(known: Canary) -> dict[str, bytes]:
    """Kind -> content of every list that points elsewhere."""
    sound, text, there = str(known.sound), str(known.text), f"http://127.0.0.1:{known.port}/x.wav"

    def hls(*places: str, ends: bool = True, before: str = "") -> bytes:
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:9", "#EXT-X-MEDIA-SEQUENCE:0"]
        lines += [*([before] if before else []), *(f"#EXTINF:9.0,\n{place}" for place in places)]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ends else [])]).encode() + b"\n"

    def dash(place: str) -> bytes:
        return (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT9S" minBufferTime="PT1S" '
            'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="audio/wav">'
            f'<Representation id="1" bandwidth="1000"><BaseURL>{place}</BaseURL></Representation></AdaptationSet>'
            "</Period></MPD>"
        ).encode()

    data = base64.b64encode(b"RIFF").decode()
    return {
        "hls-absolute": hls(f"file://{sound}"),
        "hls-bare": hls(sound),
        "hls-relative": hls(f"canary/{known.sound.name}"),
        "hls-up": hls(f"../canary/{known.sound.name}"),
        "hls-text": hls(f"file://{text}"),
        "hls-http": hls(there),
        "hls-data": hls(f"data:audio/wav;base64,{data}"),
        "hls-concat": hls(f"concat:{there}|file://{text}"),
        "hls-subfile": hls(f"subfile,,start,0,end,64,,:{text}"),
        "hls-live": hls(f"file://{sound}", ends=False),
        "hls-key": hls(sound, before=f'#EXT-X-KEY:METHOD=AES-128,URI="file://{text}"'),
        "hls-map": hls(sound, before=f'#EXT-X-MAP:URI="file://{text}"'),
        "hls-master": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nfile://{sound}\n".encode(),
        "ffconcat-absolute": f"ffconcat version 1.0\nfile '{sound}'\n".encode(),
        "ffconcat-relative": f"ffconcat version 1.0\nfile canary/{known.sound.name}\n".encode(),
        "ffconcat-many": b"ffconcat version 1.0\n" + f"file '{sound}'\n".encode() * 2_000,
        "ffconcat-http": f"ffconcat version 1.0\nfile {there}\n".encode(),
        "ffconcat-option": f"ffconcat version 1.0\nfile '{sound}'\noption safe 0\n".encode(),
        "dash": dash(sound),
        "dash-text": dash(text),
        "dash-http": dash(there),
        "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio "
        + f"{known.port} RTP/AVP 0\r\n".encode(),
        "rtsp-reference": f"RTSPtext\nrtsp://127.0.0.1:{known.port}/x\n".encode(),
        "asx": f"[Reference]\nRef1={there}\n".encode(),
        "m3u": f"{sound}\n{there}\n".encode(),
        "pls": f"[playlist]\nFile1={sound}\nNumberOfEntries=1\nVersion=2\n".encode(),
        "xspf": f'<?xml version="1.0"?><playlist version="1"><trackList><track><location>{sound}</location></track>'
        "</trackList></playlist>".encode(),
        "smil": f'<smil><body><audio src="{there}"/></body></smil>'.encode(),
        "svg": f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file://{text}">]>'
        f'<svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>'.encode(),
        "avisynth": f'WAVSource("{sound}")\n'.encode(),
        "movie-reference": _external_track(sound),
        "movie-alias": _external_track(text, alias=True),
        "ffmetadata": f";FFMETADATA1\ntitle=file:{text}\n".encode(),
    }


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


def _external_track(place: str, *, alias: bool = False) -> bytes:
    """A film whose samples are said to lie in another file (ISO/IEC 14496-12 `dref`, QuickTime `alis`)."""
    film = index_bomb(tracks=1, samples=4)
    entry = _box(b"alis" if alias else b"url ", bytes(4), place.encode() + b"\0")
    old = _box(b"dinf", _box(b"dref", bytes(4), struct.pack(">I", 1), _box(b"url ", struct.pack(">I", 1))))
    new = _box(b"dinf", _box(b"dref", bytes(4), struct.pack(">I", 1), entry))
    assert old in film
    for kind in (b"minf", b"mdia", b"trak", b"moov"):
        at = film.index(kind) - 4
        size = int.from_bytes(film[at : at + 4], "big") + len(new) - len(old)
        film = film[:at] + struct.pack(">I", size) + film[at + 4 :]
    return film.replace(old, new)


def write_lists(folder: Path, known: Canary) -> Iterator[Path]:
    """Every list under the name of every kind of recording, and names that are patterns."""
    for kind, content in lists(known).items():
        for suffix in (*SUFFIXES, "m3u8")[: None if kind.startswith("hls") else -1]:
            path = folder / f"{kind}.{suffix}"
            path.write_bytes(content)
            yield path
    for number in range(3):
        (folder / f"frame{number}.wav").write_bytes(known.sound.read_bytes())
    for name in ("frame%1d.wav", "frame%d.wav", "frame[0-9].wav", "frame*.wav"):
        path = folder / name
        path.write_bytes(b"")
        yield path


# -- bombs


def bombs() -> dict[str, bytes]:
    """Name -> content of files that ask for far more than they are."""
    chunk = zlib.compress(bytes(60_000_000), 1)
    return {
        "index-1x80M.mp4": index_bomb(tracks=1, samples=80_000_000),
        "index-40x80M.mp4": index_bomb(tracks=40, samples=80_000_000),
        "index-60x10M.mp4": index_bomb(tracks=60, samples=10_000_000),
        "tracks-20000.mp4": index_bomb(tracks=20_000, samples=1),
        "nested.mp4": _nested(5_000),
        "picture-65500.jpg": bytes.fromhex("ffd8ffc0001108ffdcffdc03012200021101031101ffd9"),
        "picture-16000.png": _png(16_000, 16_000, 8, 6, chunk),
        "picture-60000.png": _png(60_000, 60_000, 1, 0, chunk),
        "text-60MB.png": _png(8, 8, 8, 2, zlib.compress(bytes(8 * 25)), _chunk(b"zTXt", b"Comment\0\0" + chunk)),
        "profile-60MB.png": _png(8, 8, 8, 2, zlib.compress(bytes(8 * 25)), _chunk(b"iCCP", b"icc\0\0" + chunk)),
        "frames-20000.gif": _gif(2000, 2000, 20_000),
        "screen-65000.gif": _gif(65_000, 65_000, 3),
        "sound-64-channels.wav": _wav(65_535, 0xFFFFFFFF),
        "sound-endless.wav": _wav(2, 0x7FFFFFFF),
    }  # fmt: skip


def _nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = _box(b"moov", content)
    return _box(b"ftyp", b"isom\0\0\2\0isom") + content


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, depth: int, colour: int, packed: bytes, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _gif(width: int, height: int, frames: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\x04\x01\0\0\0\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b";"


def _wav(channels: int, size: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, 8000, 16000, channels * 2 & 0xFFFF, 16)
    return (
        b"RIFF"
        + struct.pack("<I", size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", size)
        + bytes(1000)
    )


# -- damage


def damaged(whole: dict[str, bytes], count: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """(name, content) of so many changed forms of each recording."""
    chance = random.Random(seed)
    for name, content in whole.items():
        for number in range(count):
            yield f"damaged-{number}-{name}", changed(content, chance)


def changed(content: bytes, chance: random.Random, first: int = 0, last: int | None = None) -> bytes:
    """The content with one to eight places between first and last changed; the same for the same chance."""
    data, end = bytearray(content), len(content) if last is None else last
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(first, max(first + 1, min(end, len(data)) - 4))
        match chance.randrange(4):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at : at + 4] = chance.choice(
                    (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f")
                )
            case 2:
                data[at : at + 2] = chance.choice((b"\xff\xff", b"\0\0", b"\x3c\x00"))
            case _:
                del data[at : at + chance.randint(1, 64)]
    return bytes(data)


# -- photos


def photo_with_maker_note_bomb() -> bytes:
    """A JPEG of 1 KB whose maker note claims 2,147,483,647 values."""
    picture = io.BytesIO()
    block = {
        "0th": {piexif.ImageIFD.Make: "Canon", piexif.ImageIFD.Model: "EOS"},
        "Exif": {
            piexif.ExifIFD.DateTimeOriginal: "2026:01:01 00:00:00",
            piexif.ExifIFD.MakerNote: b"Canon" + bytes(200),
        },
    }
    Image.new("RGB", (64, 64)).save(picture, "JPEG", exif=piexif.dump(block))
    data = bytearray(picture.getvalue())
    entry = data.index(struct.pack(">HH", 0x927C, 7))
    data[entry + 4 : entry + 8] = struct.pack(">I", 0x7FFFFFFF)
    return bytes(data)

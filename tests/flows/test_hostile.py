"""What is out for harm gets nothing: no other file, no connection, no more than its share of time and memory.

With CASEREEL_TEST_COUNTS=full every sample is tried with both programs; else every ninth.
"""

from __future__ import annotations

import functools
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ffmpeg
import pytest

from pipeline.custody.sniff import END_BYTES, sniff
from pipeline.edges import tools as tools_module
from pipeline.edges.confinement.cage import Limits
from pipeline.edges.tools import DEMUXERS, Tools
from pipeline.errors import TryAgain, Unreadable
from pipeline.extractors import exif
from tests.flows.running import family, wait_until
from tests.samples import hostile

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the cage is whole on Linux only")
FULL = os.environ.get("CASEREEL_TEST_COUNTS") == "full"
STEP = 1 if FULL else 9
BOUNDS = Limits(wall_s=40, cpu_s=5, memory_bytes=2 << 30, file_bytes=16 << 20)
BUILDS = ("bundled", "system")
BY_SUFFIX = {
    "mp4": "mov", "mov": "mov", "avi": "avi", "mkv": "matroska", "ts": "mpegts", "wav": "wav", "mp3": "mp3",
    "flv": "flv", "jpg": "jpeg", "aac": "aac", "ogg": "ogg", "m3u8": "mpegts", "png": "png", "gif": "gif",
}  # fmt: skip


@functools.cache
def tools(build: str) -> Tools:
    if build == "system" and shutil.which("ffmpeg") is None:
        if os.environ.get("CI"):
            pytest.fail("ffmpeg is not installed; on Debian: apt-get install ffmpeg")
        pytest.skip("ffmpeg is not installed; on Debian: apt-get install ffmpeg")
    started = Tools(build)
    started.start()
    return started


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[int, list[Any]]]:
    """A port on loopback and the connections that were made to it."""
    seen: list[Any] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)

        def accept() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                seen.append(address)
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], seen


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory, listener: tuple[int, list[Any]]) -> list[Path]:
    folder = tmp_path_factory.mktemp("lists")
    known = hostile.canary(folder / "canary", listener[0])
    return list(hostile.write_lists(folder, known))


def heard(run: Tools, node: Any) -> tuple[bytes, str]:
    """Sound and pictures that come out, and what is said."""
    out = bytearray()
    ended = run.run(
        ffmpeg.output(node["a:0"], "pipe:3", f="s16le", t=5, **{"fs": 1 << 20}), limits=BOUNDS, pipes={3: out.extend}
    )
    return bytes(out), ended.stderr


@pytest.mark.parametrize("build", BUILDS)
def test_no_list_is_followed(build: str, lists: list[Path], listener: tuple[int, list[Any]]) -> None:
    run = tools(build)
    assert len(lists) >= 300
    leaked = []
    for sample in lists[::STEP]:
        out, said = heard(run, run.input(sample, BY_SUFFIX[sample.suffix[1:]]))
        if struct.pack("<h", 0x2345) * 50 in out or hostile.WORD in out or hostile.WORD.decode() in said:
            leaked.append(sample.name)
    assert leaked == []
    assert listener[1] == []


@pytest.mark.parametrize("build", BUILDS)
def test_the_arguments_alone_follow_no_list(build: str, lists: list[Path], listener: tuple[int, list[Any]]) -> None:
    """Where there is no cage at all; and without these arguments some are followed, so the samples are real."""
    program = tools(build).ffmpeg_path

    def plain(sample: Path, *bounded: str) -> bytes:
        command = [program, "-nostdin", "-v", "error", *bounded, "-i", f"file:{sample}", "-t", "2", "-f", "s16le", "-"]
        try:
            return subprocess.run(command, capture_output=True, timeout=20, check=False).stdout
        except subprocess.TimeoutExpired as late:
            return late.stdout or b""

    mark = struct.pack("<h", 0x2345) * 50
    chosen = [sample for sample in lists if sample.suffix in (".mp4", ".wav")][:: 1 if FULL else 6]
    leaked = []
    for sample in chosen:
        bounds = tools_module.bounds(DEMUXERS.get(BY_SUFFIX[sample.suffix[1:]], "wav"))
        if mark in plain(sample, *(part for name, value in bounds.items() for part in (f"-{name}", str(value)))):
            leaked.append(sample.name)
    assert leaked == []
    assert listener[1] == []
    careless = next(sample for sample in lists if sample.name == "ffconcat-relative.mp4")
    assert mark in plain(careless)


@pytest.mark.parametrize("build", BUILDS)
def test_our_own_sniffing_gives_no_list_to_a_media_program(build: str, lists: list[Path]) -> None:
    given = []
    for sample in lists:
        head = sample.read_bytes()
        found = sniff(head[:END_BYTES], head[-END_BYTES:], sample.name)
        if found.format in DEMUXERS and not sample.name.startswith("movie-"):
            given.append((sample.name, found.format))
    assert given == []
    assert build in BUILDS


@pytest.mark.parametrize("build", BUILDS)
def test_a_bomb_ends_within_its_bounds_and_leaves_nothing_behind(build: str, tmp_path: Path) -> None:
    run = tools(build)
    slow, swollen = [], []
    chosen = list(hostile.bombs().items())
    for name, content in chosen[:: 1 if FULL or build == "bundled" else 4]:
        sample = tmp_path / name
        sample.write_bytes(content)
        started = time.monotonic()
        kept = tmp_path / "kept.jpg"
        node = run.input(sample, BY_SUFFIX[sample.suffix[1:]], threads=1)
        stream = node["a:0"] if sample.suffix == ".wav" else node["V:0"]
        options = {"f": "s16le", "t": 3600} if sample.suffix == ".wav" else {"f": "mjpeg", "frames:v": 1}
        ended = run.run(ffmpeg.output(stream, f"file:{kept}", **options), limits=BOUNDS)
        if time.monotonic() - started > BOUNDS.wall_s + 30:
            slow.append(name)
        if kept.exists():
            assert ended.code == 0, f"{name}: output of a failed run was kept"
            if kept.stat().st_size > BOUNDS.file_bytes:
                swollen.append(name)
            kept.unlink()
    assert (slow, swollen) == ([], [])
    assert not list(tmp_path.glob(".making-*"))
    keeper = run._cage._keeper
    assert keeper is not None
    wait_until(lambda: family(keeper.pid)[1:] == [], 20, "nothing is left over")


def test_what_a_failed_run_wrote_is_not_kept(tmp_path: Path) -> None:
    """ffmpeg takes the end of its time for a wish to stop, and leaves a file that looks whole."""
    run = tools("bundled")
    made = tmp_path / "made.mp4"
    source = ffmpeg.input("testsrc2=s=1920x1080:r=60", f="lavfi", t=3600)
    ended = run.run(ffmpeg.output(source, f"file:{made}"), limits=Limits(wall_s=60, cpu_s=1))
    assert ended.why == "time"
    assert not made.exists()
    assert not list(tmp_path.iterdir())


def test_a_photo_whose_maker_note_never_ends_is_read_at_once(tmp_path: Path) -> None:
    sample = tmp_path / "bomb.jpg"
    sample.write_bytes(hostile.photo_with_maker_note_bomb())
    limits = Limits(wall_s=120, cpu_s=3, memory_bytes=1 << 30)
    found = tools("bundled").call(exif.extract, str(sample), limits=limits, reads=[sample])
    assert ["exif.DateTimeOriginal", "2026:01:01 00:00:00", "2026-01-01T00:00:00"] in found["properties"]


def test_the_maker_note_would_hang_a_careless_reader(tmp_path: Path) -> None:
    sample = tmp_path / "bomb.jpg"
    sample.write_bytes(hostile.photo_with_maker_note_bomb())
    limits = Limits(wall_s=20, cpu_s=2, memory_bytes=2 << 30)
    with pytest.raises(Unreadable, match=r"too long|memory"):
        tools("bundled").call(read_carelessly, str(sample), limits=limits, reads=[sample])


def read_carelessly(path: str) -> None:
    import exifread

    with Path(path).open("rb") as stream:
        exifread.process_file(stream, details=True)


def test_a_reader_never_names_where_the_vault_is(tmp_path: Path) -> None:
    from PIL import Image  # which names the file in what it says

    sample = tmp_path / "原件"
    sample.write_bytes(b"no picture at all")
    run = tools("bundled")
    with pytest.raises(Unreadable) as caught:
        run.call(Image.open, str(sample), reads=[sample])
    assert str(tmp_path) not in caught.value.sentence
    assert "…" in caught.value.sentence


# -- one changed photo after another


def test_changed_exif_never_costs_more_than_a_moment(tmp_path: Path) -> None:
    """Every file is answered or called unreadable, each within five seconds; nothing ends the worker."""
    count = 100_000 if FULL else 2_000
    slowest, answers = 0.0, 0
    for batch in range(0, count, 250):
        folder = tmp_path / str(batch)
        folder.mkdir()
        result = tools("bundled").call(
            read_changed, str(folder), batch, min(250, count - batch),
            limits=Limits(wall_s=400, cpu_s=200, memory_bytes=1 << 30), writes=[folder],
        )  # fmt: skip
        answers += result["answers"]
        slowest = max(slowest, result["slowest_s"])
        shutil.rmtree(folder)
    print(f"{count} changed photos: slowest {slowest:.3f} CPU s")
    assert answers == count
    assert slowest < 5


def read_changed(folder: str, seed: int, count: int) -> dict[str, Any]:
    """Called in the cage: changed photos, each read; {"answers", "slowest_s": of processor time}."""
    import random

    from pipeline.edges.caged.reading import read_together

    whole = hostile.photo_with_maker_note_bomb()
    chance, slowest, answers = random.Random(seed), 0.0, 0
    for number in range(count):
        sample = Path(folder) / f"{number}.jpg"  # a file that is emptied and written again waits for the disk
        sample.write_bytes(hostile.changed(whole, chance, first=12, last=700))
        started = time.process_time()
        answers += len(read_together([["pipeline.extractors.exif", "extract"]], str(sample)))
        slowest = max(slowest, time.process_time() - started)
    return {"answers": answers, "slowest_s": slowest}


# -- where the full cage cannot be had


def test_without_bubblewrap_the_cage_is_reduced_and_full_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    lesser, strict = Tools(), Tools(cage="full")
    try:
        assert lesser.caging.level in ("reduced", "limits")
        assert "bwrap" in lesser.caging.lacking
        with pytest.raises(TryAgain, match="apt-get install bubblewrap"):
            strict.call(read_carelessly, "x")
    finally:
        lesser.close()
        strict.close()


def test_no_list_is_followed_in_the_reduced_cage(lists: list[Path]) -> None:
    """As if ffmpeg were willing: every demuxer and protocol, only the cage in the way."""
    run = Tools()
    run.__dict__["caging"] = replace(run.caging, level="reduced")
    try:
        if "sight" in run.caging.lacking:
            pytest.skip("this kernel offers no Landlock")
        sample = next(one for one in lists if one.name == "ffconcat-absolute.mp4")
        out, said = heard(run, ffmpeg.input(f"file:{sample}", f="concat", safe=0))
        assert out == b""
        assert "denied" in said.lower()
    finally:
        run.close()

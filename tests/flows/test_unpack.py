"""Unpacking: what may come out comes out whole and named, what may not leaves nothing behind."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from pipeline.edges.tools import Tools
from pipeline.errors import BadInput
from tests.flows.running import leftovers
from tests.homes import make_home
from tests.pipeline.extractors.test_archive import stored
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_home, build_jobs
from workers.unpack import Unpacked, unpack
from workers.watch import Watcher
from workers.watching.desk import Desk


@pytest.fixture(scope="module")
def tools() -> Iterator[Tools]:
    made = Tools()
    yield made
    made.close()


def taken(home: Home, name: str, data: bytes) -> str:
    (home.settings.inbox / name).write_bytes(data)
    take(home)
    return home.catalog.find_original(name)


def take(home: Home) -> None:
    jobs = build_jobs(home)
    Watcher(home, build_accession(home, jobs)).run_once()
    Desk(home, "test").round()
    jobs.close()


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def told(home: Home) -> list[dict[str, Any]]:
    return [json.loads(line) for line in home.catalog.events_of_type(["archive.unpacked"])]


def refused(home: Home, data: bytes, tools: Tools, match: str) -> None:
    """Unpacking it is refused, leaves nothing behind and is in the log."""
    original = taken(home, "hostile.zip", data)
    before = sorted(home.settings.inbox.rglob("*"))
    with pytest.raises(BadInput, match=match):
        unpack(home, original, "test", tools)
    assert sorted(home.settings.inbox.rglob("*")) == before
    assert leftovers(home) == []
    assert [one["outcome"] for one in told(home)] == ["refused"]


def test_files_come_out_under_their_names_and_go_the_usual_way(sqlite_home: Home, tmp_path: Path, tools: Tools) -> None:
    home = sqlite_home
    photo = making.photo(tmp_path / "a.jpg", 1).read_bytes()
    gbk = "现场/照片.jpg".encode("gb18030")
    original = taken(home, "导出.zip", stored([(gbk, 0, photo, b""), ("录音.txt".encode(), 0x800, b"words", b"")]))
    made = unpack(home, original, "核对", tools)
    assert isinstance(made, Unpacked)
    assert (made.folder / "现场" / "照片.jpg").read_bytes() == photo
    [event] = told(home)
    assert (event["original"], event["facts"]["reason"], event["facts"]["files"]) == (original, "核对", 2)
    take(home)
    inner = home.catalog.known_of(home.catalog.find_original("照片.jpg"))
    assert [(one.code, original in one.text) for one in inner.caveats] == [("from_archive", True)]
    assert inner.arrivals[0].folder == f"{made.folder.name}/现场"
    assert leftovers(home) == []


def test_unpacking_twice_makes_two_folders_and_no_second_original(sqlite_home: Home, tools: Tools) -> None:
    original = taken(sqlite_home, "a.zip", zipped(**{"x.txt": b"words"}))
    first, second = (unpack(sqlite_home, original, "test", tools) for _ in range(2))
    assert first.folder != second.folder
    take(sqlite_home)
    assert len(sqlite_home.catalog.digests()) == 2


def test_what_leads_out_or_is_no_file_stays_inside_and_is_named(sqlite_home: Home, tools: Tools) -> None:
    made = io.BytesIO()
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        for name in ("../slip.jpg", "/abs.jpg", "C:/win.jpg", "a/../../b.jpg", "good.jpg"):
            archive.writestr(name, name.encode())
    original = taken(sqlite_home, "slip.zip", made.getvalue())
    unpacked = unpack(sqlite_home, original, "test", tools)
    assert unpacked.names == ("good.jpg",)
    assert len(unpacked.skipped) == 5
    files = [one for one in unpacked.folder.rglob("*") if not one.is_dir()]
    assert [one.name for one in files] == ["good.jpg"]
    assert not list(sqlite_home.settings.home.rglob("slip.jpg"))


def test_two_entries_of_one_name_are_both_kept(sqlite_home: Home, tools: Tools) -> None:
    original = taken(sqlite_home, "a.zip", stored([(b"a.jpg", 0, b"1", b""), (b"a.jpg", 0, b"2", b"")]))
    assert unpack(sqlite_home, original, "test", tools).names == ("a.jpg", "a (2).jpg")


def test_a_bomb_is_refused_by_what_it_promises(sqlite_home: Home, tools: Tools) -> None:
    refused(sqlite_home, zipped(zeros=bytes(30 << 20)), tools, "would grow")


def test_a_bomb_that_lies_about_its_size_is_refused_half_way(sqlite_home: Home, tools: Tools) -> None:
    """The directory promises one kilobyte; the content is thirty megabytes of zeros."""
    data = bytearray(zipped(first=b"x" * 10, zeros=bytes(30 << 20)))
    size = (30 << 20).to_bytes(4, "little")
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = (1024).to_bytes(4, "little")
    refused(sqlite_home, bytes(data), tools, "damaged|bomb")


def test_overlapping_entries_like_those_of_the_flat_bombs_are_refused(sqlite_home: Home, tools: Tools) -> None:
    """One body named a thousand times: small on the disk, large when it is unpacked."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0", bytes(1 << 20))
        for number in range(1, 1000):
            info = zipfile.ZipInfo(str(number))
            for name in ("header_offset", "CRC", "compress_size", "file_size", "compress_type", "flag_bits"):
                setattr(info, name, getattr(archive.filelist[0], name))
            archive.filelist.append(info)
            archive.NameToInfo[info.filename] = info
    refused(sqlite_home, made.getvalue(), tools, "bomb|damaged")


def test_a_damaged_entry_leaves_nothing_behind(sqlite_home: Home, tools: Tools) -> None:
    data = bytearray(stored([(b"a.txt", 0, b"one", b""), (b"b.txt", 0, b"two", b"")]))
    data[data.find(b"two")] ^= 1
    refused(sqlite_home, bytes(data), tools, "damaged")


def test_too_many_files_are_refused(make_settings: Callable[..., Settings], tools: Tools) -> None:
    settings = make_settings(drops_unpack_files="2")
    make_home(settings)
    home = build_home(settings)
    refused(home, zipped(a=b"1", b=b"2", c=b"3"), tools, "more than the 2")
    home.close()


def test_what_is_no_zip_is_not_unpacked(sqlite_home: Home, tools: Tools) -> None:
    original = taken(sqlite_home, "a.txt", b"words")
    with pytest.raises(BadInput, match="not a ZIP"):
        unpack(sqlite_home, original, "test", tools)


def test_the_command_says_where_the_files_are(sqlite_home: Home, casereel: Callable[..., Any]) -> None:
    original = taken(sqlite_home, "a.zip", zipped(**{"x.txt": b"words"}))
    done = casereel("unpack", original, "--reason", "核对", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["files"], Path(said["folder"], "x.txt").read_bytes()) == (1, b"words")
    assert casereel("unpack", original, "--json").returncode == 2

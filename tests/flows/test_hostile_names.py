"""Hostile names and hostile kinds of files: bytes in custody are those of the source, nothing is followed or hangs."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import stat
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import Settings
from pipeline.custody.accession import Candidate, Receipt
from pipeline.edges.host.handles import NotTaken, OpenFolder, SourceChanged
from pipeline.records import Stated
from tests.homes import make_home
from workers.bootstrap import Home, build_accession, build_home, build_jobs
from workers.cli.ingest import _candidates

SECRET = b"what lies behind the link"
# Raw bytes -> how they are shown, and with which codec they were read.
NAMES: dict[bytes, tuple[str, str]] = {
    "现场检查 笔录.jpg".encode(): ("现场检查 笔录.jpg", "utf-8"),
    "现场检查.jpg".encode("gb18030"): ("现场检查.jpg", "gb18030"),
    "执法记录仪录像〔2021〕.mp4".encode("gbk"): ("执法记录仪录像〔2021〕.mp4", "gb18030"),
    b"\xff\xfe odd.jpg": ("\\xff\\xfe odd.jpg", "escaped"),
    b"\xc3\x28.jpg": ("\\xc3(.jpg", "escaped"),
    b"\xed\xa0\x80.jpg": ("\\xed\\xa0\\x80.jpg", "escaped"),
    "\u00e9.jpg".encode(): ("\u00e9.jpg", "utf-8"),
    "e\u0301.jpg".encode(): ("e\u0301.jpg", "utf-8"),
    b"x" * 251 + b".jpg": ("x" * 251 + ".jpg", "utf-8"),
    ("检" * 83 + ".jpg").encode(): ("检" * 83 + ".jpg", "utf-8"),
    ("查" * 100).encode("gbk"): ("查" * 100, "gb18030"),
    **{
        name.encode(): (name, "utf-8")
        for name in (
            "-x", "-rf.mp4", "--help", "%d.jpg", "%s%n.jpg", "IMG_%04d.jpg", "a\nb.jpg", "a\rb.jpg", "a\tb.jpg",
            "\x1b[31mred.jpg", "\x7f.jpg", "CON", "nul.jpg", "COM1.mp4", "trailing dot.", "trailing space ",
            "  lead.jpg", "Case.JPG", "case.jpg", "gnp\u202egpj.exe", "zero\u200bwidth.jpg", "quote'\".jpg",
            "semi;rm.jpg", "$(id).jpg", "`id`.jpg", "a|b.jpg", "a*?.jpg", "back\\slash.jpg", "http:x.mp4",
            "concat:a|b.mp4",
        )
    },
}  # fmt: skip


def test_there_are_forty_names() -> None:
    assert len(NAMES) >= 40
    assert all(len(raw) <= 255 for raw in NAMES)


@pytest.fixture
def home(make_settings: Callable[..., Settings]) -> Home:
    settings = make_settings()
    make_home(settings)
    return build_home(settings)


def take(home: Home, *paths: Path) -> dict[bytes, Receipt]:
    """Raw path -> receipt of everything below the paths, as `ingest` takes it."""
    jobs = build_jobs(home)
    candidates = list(_candidates(paths, home, Stated(), False))
    receipts = build_accession(home, jobs).take(candidates)
    jobs.close()
    return dict(zip((os.fsencode(one.path) for one in candidates), receipts, strict=True))


def record_of(home: Home, receipt: Receipt) -> dict[str, object]:
    return dict(home.vault.record(receipt.sha256 or ""))


def fill(folder: bytes, make: Callable[[bytes, bytes], None]) -> None:
    os.mkdir(folder)
    for number, raw in enumerate(NAMES):
        make(folder + b"/" + raw, b"%b %d" % (folder, number))


def write(path: bytes, data: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(data)


def write_twice_named(path: bytes, data: bytes) -> None:
    write(path, data)
    twin = os.path.dirname(path) + b"-twins"
    os.makedirs(twin, exist_ok=True)
    os.link(path, twin + b"/" + os.path.basename(path))


def write_sparse(path: bytes, data: bytes) -> None:
    write(path, data)
    os.truncate(path, 100_000)


def write_unreadable(path: bytes, data: bytes) -> None:
    write(path, data)
    os.chmod(path, 0)


def write_in_folder_so_named(path: bytes, data: bytes) -> None:
    os.mkdir(path)
    write(path + b"/" + os.path.basename(path), data)


TAKEN: dict[str, Callable[[bytes, bytes], None]] = {
    "plain": write,
    "hard link": write_twice_named,
    "sparse": write_sparse,
    "empty": lambda path, _: write(path, b""),
    "folder named so": write_in_folder_so_named,
    "unreadable": write_unreadable,
}
REFUSED: dict[str, tuple[str, Callable[[bytes, Path], None]]] = {
    "link": ("a link", lambda path, away: os.symlink(away / "secret", path)),
    "dangling link": ("a link", lambda path, away: os.symlink(away / "nothing", path)),
    "link to a folder": ("a link", lambda path, away: os.symlink(away, path)),
    "pipe": ("a pipe", lambda path, _: os.mkfifo(path)),
    "socket": ("a socket", lambda path, _: os.mknod(path, stat.S_IFSOCK | 0o600)),
    "device": ("a device", lambda path, _: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_bytes_in_custody_are_those_of_the_source(home: Home, tmp_path: Path, kind: str) -> None:
    fill(os.fsencode(tmp_path / "card"), TAKEN[kind])
    if kind == "unreadable" and os.geteuid() != 0:
        assert {one.status for one in take(home, tmp_path / "card").values()} == {"rejected"}
        return
    receipts = take(home, tmp_path / "card")
    assert len(receipts) == len(NAMES)
    for path, receipt in receipts.items():
        with open(path, "rb") as stream:
            data = stream.read()
        assert receipt.sha256 == hashlib.sha256(data).hexdigest(), path
        with home.vault.opened(receipt.sha256) as kept:
            assert kept.read_bytes() == data
        record = record_of(home, receipt)
        assert ("hard_links" in record["suspicions"]) is (kind == "hard link")
        assert ("holes" in record["suspicions"]) is (kind == "sparse")
    assert len(home.catalog.arrivals()) == len(NAMES)
    home.close()


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_file_is_refused_named_and_left(home: Home, tmp_path: Path, kind: str) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "secret").write_bytes(SECRET)
    said, make = REFUSED[kind]
    try:
        fill(os.fsencode(tmp_path / "card"), lambda path, _: make(path, tmp_path / "away"))
    except PermissionError:
        pytest.skip("this user may not make devices")
    receipts = take(home, tmp_path / "card")
    assert [one.status for one in receipts.values()] == ["rejected"] * len(NAMES)
    assert all(said in (one.reason or "") for one in receipts.values())
    events = [json.loads(line) for line in home.catalog.events_of_type(["arrival.rejected"])]
    named = {base64.b64decode(one["facts"]["path_b64"]) for one in events}
    assert named == {os.fsencode(tmp_path / "card") + b"/" + raw for raw in NAMES}
    assert all(os.path.lexists(path) for path in named)
    assert list(home.vault.digests()) == []
    home.close()


def test_every_name_is_kept_byte_for_byte_and_shown_as_well_as_it_can_be(home: Home, tmp_path: Path) -> None:
    fill(os.fsencode(tmp_path / "card"), write)
    for path, receipt in take(home, tmp_path / "card").items():
        raw = os.path.basename(path)
        shown, codec = NAMES[raw]
        [arrival] = home.catalog.known_of(receipt.original or "").arrivals
        assert (arrival.name_raw, arrival.name) == (raw, shown)
        assert record_of(home, receipt)["name"] == {
            "raw_b64": base64.b64encode(raw).decode(), "shown": shown, "codec": codec,
            "nfc": unicodedata.normalize("NFC", shown),
        }  # fmt: skip
    home.close()


def test_a_folder_replaced_by_a_link_after_the_look_leads_nowhere(home: Home, tmp_path: Path) -> None:
    fill(os.fsencode(tmp_path / "away"), lambda path, _: write(path, SECRET))
    (tmp_path / "card").mkdir()
    fill(os.fsencode(tmp_path / "card" / "DCIM"), lambda path, _: write(path, b"harmless"))
    jobs = build_jobs(home)
    candidates = list(_candidates([tmp_path / "card"], home, Stated(), False))
    (tmp_path / "card" / "DCIM").rename(tmp_path / "card" / "gone")
    (tmp_path / "card" / "DCIM").symlink_to(tmp_path / "away")
    receipts = build_accession(home, jobs).take(candidates)
    assert [one.status for one in receipts] == ["rejected"] * len(NAMES)
    assert all("a link" in (one.reason or "") for one in receipts)
    assert list(home.vault.digests()) == []
    jobs.close()
    home.close()


@pytest.mark.parametrize("by_handle", [True, False], ids=["by handle", "as on Windows"])
def test_a_folder_that_is_swapped_for_a_link_all_the_time_never_leads_away(tmp_path: Path, by_handle: bool) -> None:
    """Without handles of folders the way is looked at before and after: what was read meanwhile is thrown away."""
    for name, data in (("away", SECRET), ("card/DCIM", b"harmless")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a").write_bytes(data)
    folder, stop, tried = tmp_path / "card" / "DCIM", threading.Event(), threading.Event()

    def swap() -> None:
        for number in itertools.count():
            for _ in range(2 if number % 20 == 0 else 0):  # now and then the folder is itself for one whole try
                tried.clear()
                tried.wait(60)
            if stop.is_set():
                return
            folder.rename(tmp_path / "card" / "real")
            folder.symlink_to(tmp_path / "away")
            folder.unlink()
            (tmp_path / "card" / "real").rename(folder)

    swapping = threading.Thread(target=swap)
    swapping.start()
    read = set()
    try:
        for _ in range(3000):
            try:
                with OpenFolder(tmp_path / "card", by_handle=by_handle) as card, card.opened(b"DCIM/a") as file:
                    read.add(file.read_at(0, 100))
            except (NotTaken, SourceChanged, FileNotFoundError):
                pass
            tried.set()
    finally:
        stop.set()
        while swapping.is_alive():
            tried.set()
            swapping.join(0.01)
    assert read == {b"harmless"}


def test_a_path_longer_than_the_system_takes_is_taken(home: Home, tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    fd, depth = os.open(card, os.O_RDONLY), 30
    for number in range(depth):
        name = f"{number:03}".ljust(200, "x")
        os.mkdir(name, dir_fd=fd)
        deeper = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = deeper
    out = os.open("a.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=fd)
    os.write(out, b"deep below")
    os.close(out)
    os.close(fd)
    [(path, receipt)] = take(home, card).items()
    assert len(path) > 4096
    assert (receipt.status, receipt.sha256) == ("accepted", hashlib.sha256(b"deep below").hexdigest())
    home.close()


def test_a_candidate_that_was_replaced_since_its_look_is_looked_at_again(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "card" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(b"first")
    jobs = build_jobs(home)
    [seen] = list(_candidates([path.parent], home, Stated(), False))
    path.unlink()
    path.write_bytes(b"other")
    [receipt] = build_accession(home, jobs).take([seen])
    assert (receipt.status, receipt.again) == ("rejected", True)
    outside = Candidate(path=tmp_path / "elsewhere.jpg", root=Path("/"), source="ingest", below=path.parent)
    [receipt] = build_accession(home, jobs).take([outside])
    assert (receipt.status, receipt.again) == ("rejected", False)
    jobs.close()
    home.close()

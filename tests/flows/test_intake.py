"""What intake does when the source, the disk or a writer misbehaves at one of its steps."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from pipeline.custody.accession import Accession, Candidate
from pipeline.custody.refusals import told_of
from pipeline.edges.database import drops
from pipeline.edges.host import disk, salvage
from pipeline.errors import TryAgain
from pipeline.records import Stated
from tests.flows.running import leftovers
from tests.homes import make_home
from workers.bootstrap import Home, build_accession, build_home, build_jobs
from workers.cli.ingest import _candidates

MIB = 1 << 20


@pytest.fixture
def taking(sqlite_home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accession]:
    monkeypatch.setattr(salvage, "PAUSE_S", 0.001)
    jobs = build_jobs(sqlite_home)
    yield build_accession(sqlite_home, jobs)
    jobs.close()


def put(tmp_path: Path, name: str = "a.dat", data: bytes = b"some bytes") -> Path:
    path = tmp_path / "card" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def candidate(path: Path, **more: Any) -> Candidate:
    return Candidate(path=path, root=path.parent, source="inbox", **more)


def failing_at(monkeypatch: pytest.MonkeyPatch, first: int, last: int, times: int = 10**9) -> None:
    """The source cannot be read from first to last, as often as said: a card with bad sectors."""
    real, left = salvage.read_at, [times]

    def read_at(fd: int, buffer: memoryview, offset: int) -> int:
        wanted = min(len(buffer), os.fstat(fd).st_size - offset)
        if offset < last and offset + wanted > first and wanted > 0 and left[0]:
            left[0] -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(fd, buffer, offset)

    monkeypatch.setattr(salvage, "read_at", read_at)


# -- reading


def test_a_card_that_answers_at_the_third_try_is_read(
    sqlite_home: Home, taking: Accession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(3 * MIB)
    failing_at(monkeypatch, MIB, 2 * MIB, times=2)
    [receipt] = taking.take([candidate(put(tmp_path, data=data))])
    assert receipt.status == "accepted"
    with sqlite_home.vault.opened(receipt.sha256 or "") as kept:
        assert kept.read_bytes() == data


def test_a_place_that_cannot_be_read_is_named_and_the_neighbours_go_on(
    sqlite_home: Home, taking: Accession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = put(tmp_path, "bad.dat", os.urandom(3 * MIB)), put(tmp_path, "good.dat")
    failing_at(monkeypatch, MIB, MIB + 4096)
    rejected, accepted = taking.take([candidate(bad), candidate(good)])
    assert (rejected.status, rejected.again, accepted.status) == ("rejected", False, "accepted")
    assert "--accept-partial" in (rejected.reason or "")
    [event] = [json.loads(line) for line in sqlite_home.catalog.events_of_type(["arrival.read_error"])]
    assert event["facts"]["offset"] == MIB
    with sqlite_home.catalog.snapshot() as connection:  # and whoever put it there is told of it
        told = drops.rejection_of(connection, os.fsencode(bad))
        assert list(drops.rejections(connection)) == []  # a restart tries it once more
    assert told is not None
    assert "存储卡" in told_of(told.reason).why_zh
    assert bad.exists()
    assert leftovers(sqlite_home) == []


def test_what_can_still_be_read_is_taken_when_a_person_asks(
    sqlite_home: Home, taking: Accession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(3 * MIB)
    path = put(tmp_path, data=data)
    failing_at(monkeypatch, MIB + 8192, MIB + 8192 + 5000)
    [receipt] = taking.take([candidate(path, partial=True)])
    assert receipt.status == "accepted"
    hole = slice(MIB + 8192, MIB + 8192 + 8192)  # whole sectors
    with sqlite_home.vault.opened(receipt.sha256 or "") as kept:
        found = kept.read_bytes()
    assert found == data[: hole.start] + bytes(8192) + data[hole.stop :]
    record = sqlite_home.vault.record(receipt.sha256 or "")
    assert record["unreadable"] == [[hole.start, 8192]]
    assert "incomplete" in record["suspicions"]
    assert [one.code for one in sqlite_home.catalog.known_of(receipt.original or "").caveats] == ["incomplete"]


def test_a_file_of_which_nothing_can_be_read_is_no_evidence(
    sqlite_home: Home, taking: Accession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, 0, 10**9)
    [receipt] = taking.take([candidate(put(tmp_path), partial=True)])
    assert (receipt.status, list(sqlite_home.vault.digests())) == ("rejected", [])


# -- the vault's disk


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_takes_no_more_pauses_intake_and_rejects_nothing(
    sqlite_home: Home, taking: Accession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    paths = [put(tmp_path, name, name.encode()) for name in ("a.dat", "b.dat")]
    with monkeypatch.context() as patched:

        def refuse(*_: Any) -> None:
            raise OSError(code, os.strerror(code))

        patched.setattr("pipeline.edges.host.copying.disk.write_all", refuse)
        with pytest.raises(TryAgain, match="does not take"):
            taking.take([candidate(path) for path in paths])
    assert leftovers(sqlite_home) == []
    assert sqlite_home.catalog.events_of_type(["arrival.rejected"]) == []
    assert [one.status for one in taking.take([candidate(path) for path in paths])] == ["accepted"] * 2


@pytest.mark.parametrize("count", [1, 5], ids=["fsync", "syncfs"])
def test_a_failed_sync_is_final_for_its_staging_folder(
    sqlite_home: Home, taking: Accession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    paths = [put(tmp_path, f"{number}.dat", b"%d" % number) for number in range(count)]
    synced: list[Path] = []

    def fail(path: Path) -> bool:
        synced.append(path)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(disk, "sync_file", fail)
        patched.setattr(disk, "sync_file_system", fail)
        with pytest.raises(TryAgain):
            taking.take([candidate(path) for path in paths])
    assert len(synced) == 1
    assert leftovers(sqlite_home) == []
    assert [one.status for one in taking.take([candidate(path) for path in paths])] == ["accepted"] * count


def test_no_more_open_files_pauses_intake(
    sqlite_home: Home, taking: Accession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path)
    with monkeypatch.context() as patched:

        def refuse(*_: Any) -> int:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        patched.setattr("pipeline.edges.host.handles._open_reading", refuse)
        with pytest.raises(TryAgain, match="open files"):
            taking.take([candidate(path)])
    assert taking.take([candidate(path)])[0].status == "accepted"
    assert leftovers(sqlite_home) == []


def test_room_is_set_aside_before_the_copy(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small disk of its own is mounted as root only")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        with (small / "a").open("wb") as stream:
            disk.reserve(stream.fileno(), 500_000)
            with pytest.raises(OSError, match="No space"):
                disk.reserve(stream.fileno(), 5_000_000)
    finally:
        subprocess.run(["umount", small], check=True)


# -- the source


def test_a_writer_that_comes_after_the_copy_is_noticed_before_it_counts(
    sqlite_home: Home, taking: Accession, tmp_path: Path
) -> None:
    """It has written nothing yet, so size and dates are the same: only the second lease tells."""
    path = put(tmp_path)
    writers: list[Any] = []
    try:
        [receipt] = taking.take([candidate(path)], lambda _: writers.append(path.open("r+b")))
        assert (receipt.status, receipt.again) == ("rejected", True)
        assert list(sqlite_home.vault.digests()) == []
        assert leftovers(sqlite_home) == []
    finally:
        for writer in writers:
            writer.close()
    assert taking.take([candidate(path)])[0].status == "accepted"


@pytest.mark.parametrize("change", ["replaced", "gone", "touched"])
def test_a_path_that_no_longer_leads_to_what_was_copied_is_tried_again(
    sqlite_home: Home, taking: Accession, tmp_path: Path, change: str
) -> None:
    path = put(tmp_path)

    def do(_: int) -> None:
        match change:
            case "replaced":
                (tmp_path / "new").write_bytes(b"some bytes")
                (tmp_path / "new").replace(path)
            case "gone":
                path.unlink()
            case "touched":
                os.utime(path, ns=(1, 1))

    [receipt] = taking.take([candidate(path)], do)
    assert (receipt.status, receipt.again) == ("rejected", True)
    assert list(sqlite_home.vault.digests()) == []


def test_other_bytes_at_a_place_are_a_new_arrival_and_the_old_one_stays(
    sqlite_home: Home, taking: Accession, tmp_path: Path
) -> None:
    [first] = taking.take([candidate(put(tmp_path, data=b"before"))])
    [second] = taking.take([candidate(put(tmp_path, data=b"after"))])
    assert (first.status, second.status) == ("accepted", "accepted")
    [event] = [json.loads(line) for line in sqlite_home.catalog.events_of_type(["arrival.changed"])]
    assert event["original"] == first.original
    with sqlite_home.vault.opened(first.sha256 or "") as kept:
        assert kept.read_bytes() == b"before"


def test_reserved_space_makes_the_source_be_read_twice_and_is_said(
    sqlite_home: Home, taking: Accession, tmp_path: Path
) -> None:
    path = put(tmp_path, data=os.urandom(5000))
    os.truncate(path, 200_000)
    [receipt] = taking.take([candidate(path)])
    record = sqlite_home.vault.record(receipt.sha256 or "")
    assert record["completion"]["read_twice"]
    assert {"holes", "zero_tail"} <= set(record["suspicions"])
    caveats = sqlite_home.catalog.known_of(receipt.original or "").caveats
    assert {one.code for one in caveats} == {"holes", "zero_tail"}
    assert all(one.text and one.text_zh for one in caveats)


def test_files_with_several_names_are_refused_where_a_setting_says_so(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    path = put(tmp_path)
    os.link(path, tmp_path / "twin.dat")
    for allowed, status in (("true", "accepted"), ("false", "rejected")):
        settings = make_settings(allowed, intake_hard_links=allowed)
        make_home(settings)
        home = build_home(settings)
        jobs = build_jobs(home)
        [receipt] = build_accession(home, jobs).take([candidate(path)])
        assert receipt.status == status
        assert ("intake.hard_links" in (receipt.reason or "")) is (allowed == "false")
        jobs.close()
        home.close()


def test_another_disk_inside_the_folder_is_named_and_taken_only_where_a_setting_says_so(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    inside = tmp_path / "card" / "inside"
    inside.mkdir(parents=True)
    put(tmp_path)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "tmpfs", inside], capture_output=True).returncode:
        pytest.skip("another disk is mounted as root only")
    try:
        (inside / "b.dat").write_bytes(b"on another disk")
        for allowed, statuses in (("true", ["accepted", "accepted"]), ("false", ["accepted", "rejected"])):
            settings = make_settings(allowed, intake_other_disks=allowed)
            make_home(settings)
            home = build_home(settings)
            jobs = build_jobs(home)
            candidates = list(_candidates([tmp_path / "card"], home, Stated(), False))
            receipts = build_accession(home, jobs).take(candidates)
            assert [one.status for one in receipts] == statuses
            assert len(home.catalog.events_of_type(["arrival.rejected"])) == statuses.count("rejected")
            jobs.close()
            home.close()
    finally:
        subprocess.run(["umount", inside], check=True)


def test_the_record_says_what_intake_saw(sqlite_home: Home, taking: Accession, tmp_path: Path) -> None:
    path = put(tmp_path, "a.mp4", b"\xff\xd8\xff\xe0 a photo that is called a film")
    os.utime(path, ns=(5, 2 * 10**18))  # in the year 2033
    one = candidate(path, stated=Stated(case="3"), waited_for="quiet", first_seen_s=time.monotonic() - 5)
    [receipt] = taking.take([one])
    record, status = sqlite_home.vault.record(receipt.sha256 or ""), path.stat()
    assert record["file"]["mtime_ns"] == 2 * 10**18
    assert record["file"]["ctime_ns"] == status.st_ctime_ns
    assert (record["file"]["device_number"], record["file"]["inode"]) == (status.st_dev, status.st_ino)
    born = subprocess.run(["stat", "-c", "%W", path], capture_output=True, text=True, check=True).stdout.strip()
    assert (record["file"]["born_ns"] or 0) // 10**9 == int(born)
    assert record["drop"]["folder"] == str(path.parent)
    assert record["drop"]["owner_uid"] == path.parent.stat().st_uid
    assert record["drop"]["host"] == os.uname().nodename
    assert record["completion"] == {"method": "lease", "read_twice": False, "waited_for": "quiet"}
    assert record["arrival"]["stated"] == {"case": "3"}
    assert record["suspicions"] == ["extension_mismatch", "mtime_in_future", "truncated"]
    assert record["accepted"]["mono"] - record["first_seen"]["mono"] == pytest.approx(5, abs=2)
    assert record["accepted"]["boot"] == record["first_seen"]["boot"]
    assert record["settings_sha256"] == sqlite_home.settings.digest
    assert (record["read_back"], record["software"][:9]) == ("equal", "casereel/")

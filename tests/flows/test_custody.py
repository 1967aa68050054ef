"""Taking in, from a folder to the receipt, on both databases."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import Settings
from pipeline.custody.accession import Accession, Candidate
from pipeline.errors import TryAgain
from pipeline.records import Stated
from pipeline.stages import ORDER
from tests.homes import make_home
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_home, build_jobs


def accession(home: Home) -> Accession:
    return build_accession(home, build_jobs(home))


def candidate(path: Path, **stated: str) -> Candidate:
    return Candidate(path=path, root=path.parent.parent, source="inbox", stated=Stated(**stated))


def test_a_taken_file_is_an_original_with_an_arrival_an_event_and_queued_work(home: Home, tmp_path: Path) -> None:
    path = making.photo(tmp_path / "card" / "a.jpg", 1)
    [receipt] = accession(home).take([candidate(path, case="平商务罚字〔2021〕第3号", officer="010203")])
    assert receipt.status == "accepted"
    known = home.catalog.known_of(receipt.original or "")
    assert (known.original.kind, known.original.format, known.original.state) == ("photo", "jpeg", "in_custody")
    assert [one.stated for one in known.arrivals] == [Stated(case="平商务罚字〔2021〕第3号", officer="010203")]
    assert [one.folder for one in known.arrivals] == ["card"]
    assert "arrival.accepted" in home.catalog.events_of(known.original.id)[0]
    assert len(build_jobs(home).listed(original=known.original.id)) == len(ORDER)
    assert path.exists()


def test_the_same_bytes_twice_are_one_original_and_two_arrivals(home: Home, tmp_path: Path) -> None:
    first = making.photo(tmp_path / "card" / "a.jpg", 1)
    second = making.photo(tmp_path / "card" / "b.jpg", 1)
    one, two = accession(home).take([candidate(first), candidate(second)])
    assert (one.status, two.status) == ("accepted", "duplicate")
    assert one.original == two.original
    assert "a.jpg" in (two.reason or "")
    assert len(home.catalog.known_of(one.original or "").arrivals) == 2


def test_record_and_log_tell_the_same_first_arrival_of_bytes_that_came_twice_at_once(
    home: Home, tmp_path: Path
) -> None:
    paths = [making.photo(tmp_path / "card" / f"{name}.jpg", 1) for name in "abc"]
    receipts = accession(home).take([candidate(path) for path in paths])
    assert [one.status for one in receipts] == ["accepted", "duplicate", "duplicate"]
    assert home.vault.record(receipts[0].sha256 or "")["arrival"]["path"] == str(paths[0])


def test_an_object_whose_placer_died_is_entered_as_its_record_tells_and_a_second_path_is_a_second_arrival(
    home: Home, tmp_path: Path
) -> None:
    first = making.photo(tmp_path / "card" / "a.jpg", 1)
    second = making.photo(tmp_path / "card" / "b.jpg", 1)
    dying = accession(home)
    dying._record = _die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        dying.take([candidate(first)])
    [sha256] = home.vault.digests()
    [receipt] = accession(home).take([candidate(second)])
    assert (receipt.status, receipt.sha256) == ("duplicate", sha256)
    arrivals = home.catalog.known_of(receipt.original or "").arrivals
    assert [(one.path, one.status) for one in arrivals] == [(str(first), "accepted"), (str(second), "duplicate")]
    assert arrivals[0].id == home.vault.record(sha256)["arrival"]["id"]
    [again] = accession(home).take([candidate(first)])
    assert again.status == "duplicate"
    assert len(home.catalog.known_of(receipt.original or "").arrivals) == 2


def _die(*_: object) -> int:
    raise KeyboardInterrupt


def test_the_same_file_once_more_is_no_new_arrival(home: Home, tmp_path: Path) -> None:
    path = making.photo(tmp_path / "card" / "a.jpg", 1)
    taking = accession(home)
    [first] = taking.take([candidate(path)])
    os.utime(path, ns=(1, 1))
    [again] = taking.take([candidate(path)])
    assert again.status == "duplicate"
    [arrival] = home.catalog.known_of(first.original or "").arrivals
    assert arrival.mtime_ns == 1
    assert any("arrival.seen_again" in line for line in home.catalog.events_of(first.original or ""))


def test_a_file_changed_after_acceptance_is_a_new_arrival(home: Home, tmp_path: Path) -> None:
    path = making.photo(tmp_path / "card" / "a.jpg", 1)
    taking = accession(home)
    [first] = taking.take([candidate(path)])
    making.photo(path, 2)
    [second] = taking.take([candidate(path)])
    assert (second.status, second.original != first.original) == ("accepted", True)


def test_two_devices_with_one_name_are_both_kept(home: Home, tmp_path: Path) -> None:
    paths = [making.photo(tmp_path / card / "MOV_0001.jpg", number) for number, card in enumerate(("a", "b"))]
    receipts = accession(home).take([candidate(path) for path in paths])
    assert {one.status for one in receipts} == {"accepted"}
    assert len({one.original for one in receipts}) == 2


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("现场检查 笔录.jpg".encode(), "现场检查 笔录.jpg"),
        ("现场检查.jpg".encode("gb18030"), "现场检查.jpg"),
        (b"\xff\xfe odd.jpg", "\\xff\\xfe odd.jpg"),
        (b"-x%d\nline.jpg", "-x%d\nline.jpg"),
        (b"x" * 251 + b".jpg", "x" * 251 + ".jpg"),
        ("e\u0301.jpg".encode(), "e\u0301.jpg"),
    ],
    ids=["utf-8", "gbk", "neither", "newline", "longest", "decomposed"],
)
def test_a_hostile_name_is_kept_byte_for_byte(sqlite_home: Home, tmp_path: Path, raw: bytes, shown: str) -> None:
    data = making.photo(tmp_path / "made.jpg", 3).read_bytes()
    folder = tmp_path / "card"
    folder.mkdir()
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + raw))
    path.write_bytes(data)
    [receipt] = accession(sqlite_home).take([candidate(path)])
    assert receipt.status == "accepted"
    [arrival] = sqlite_home.catalog.known_of(receipt.original or "").arrivals
    assert (arrival.name_raw, arrival.name) == (raw, shown)


def test_a_link_a_pipe_and_a_missing_file_are_refused_and_named(home: Home, tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    (card / "secret").write_bytes(b"x")
    (card / "link.jpg").symlink_to(card / "secret")
    os.mkfifo(card / "pipe.jpg")
    good = making.photo(card / "good.jpg", 1)
    receipts = accession(home).take(
        [candidate(card / name) for name in ("link.jpg", "pipe.jpg", "gone.jpg")] + [candidate(good)]
    )
    assert [one.status for one in receipts] == ["rejected"] * 3 + ["accepted"]
    assert all(one.reason for one in receipts[:3])
    assert len(home.catalog.events_of_type(["arrival.rejected"])) == 3


def test_a_full_disk_stops_intake_before_it_begins_and_loses_nothing(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(vault_reserve_share="1.5")
    make_home(settings)
    home = build_home(settings)
    path = making.photo(tmp_path / "card" / "a.jpg", 1)
    with pytest.raises(TryAgain, match="too full"):
        accession(home).take([candidate(path)])
    assert path.exists()
    assert home.catalog.counts() == {}
    home.close()


def test_an_empty_file_is_kept(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "card" / "empty.mp4"
    path.parent.mkdir()
    path.touch()
    [receipt] = accession(home).take([candidate(path)])
    assert receipt.status == "accepted"

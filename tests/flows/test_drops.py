"""A drop with its list: what is missing, strange or of other bytes is told, in the catalog, the log and the receipt."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from pipeline.edges.database import drops as rows
from pipeline.edges.database.dump import dump
from tests.homes import make_home
from tests.indexer import packages
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_home, build_jobs
from workers.rebuild import rebuild_catalog
from workers.watch import Watcher
from workers.watching.desk import Desk

FOLDER = "平商务罚字〔2021〕第3号"


@pytest.fixture
def dropped(home: Home) -> tuple[Home, Path]:
    folder = home.settings.inbox / FOLDER
    folder.mkdir()
    return home, folder


def take(home: Home) -> Desk:
    """Everything in the inbox is taken in and told."""
    jobs = build_jobs(home)
    desk = Desk(home, "test")
    try:
        Watcher(home, build_accession(home, jobs)).run_once()
        desk.round()
        desk.look_at_waiting()
    finally:
        jobs.close()
    return desk


def receipt(home: Home) -> str:
    [path] = (home.settings.home / "receipts").rglob("*.casereel.txt")
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\n") == data.count(b"\r\n")
    return data.decode("utf-8-sig")


def checked(home: Home) -> list[dict[str, Any]]:
    return [json.loads(line)["facts"] for line in home.catalog.events_of_type(["drop.checked"])]


def sums(folder: Path, *names: str, algorithm: str = "sha256") -> str:
    return "".join(f"{hashlib.new(algorithm, (folder / one).read_bytes()).hexdigest()}  {one}\n" for one in names)


def codes(home: Home, name: str) -> list[str]:
    return [one.code for one in home.catalog.known_of(home.catalog.find_original(name)).caveats]


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_whole_drop_is_complete_whichever_digests_its_list_has(dropped: tuple[Home, Path], algorithm: str) -> None:
    home, folder = dropped
    for number in range(3):
        making.photo(folder / f"{number}.jpg", number)
    (folder / f"{algorithm}sums.txt").write_text(sums(folder, "0.jpg", "1.jpg", "2.jpg", algorithm=algorithm))
    take(home)
    [told] = checked(home)
    assert (told["state"], told["here"], told["missing"], told["wrong"], told["extra"]) == ("complete", 3, 0, 0, 0)
    assert "全部收到" in receipt(home)
    assert codes(home, "0.jpg") == []


def test_missing_strange_and_changed_files_are_told(dropped: tuple[Home, Path]) -> None:
    home, folder = dropped
    for number in range(3):
        making.photo(folder / f"{number}.jpg", number)
    (folder / "SHA256SUMS").write_text(sums(folder, "0.jpg", "1.jpg") + "0" * 64 + "  视频/gone.mp4\n")
    making.photo(folder / "1.jpg", 9)
    (folder / ".done").touch()
    take(home)
    told = checked(home)[-1]
    assert (told["state"], told["here"]) == ("wrong", 1)
    assert (told["missing_names"], told["wrong_names"], told["extra_names"]) == (
        ["视频/gone.mp4"],
        ["1.jpg"],
        ["2.jpg"],
    )
    assert codes(home, "1.jpg") == ["not_as_listed"]
    assert codes(home, "2.jpg") == ["not_on_list"]
    assert codes(home, "SHA256SUMS") == ["drop_incomplete"]
    text = receipt(home)
    assert "缺失" in text
    assert "视频/gone.mp4" in text
    assert text.index("收件回执") < text.index("Receipt")


def test_what_a_list_still_awaits_is_missing_in_the_cases_package(dropped: tuple[Home, Path], tmp_path: Path) -> None:
    home, folder = dropped
    making.photo(folder / "0.jpg", 0)
    (folder / "SHA256SUMS").write_text(sums(folder, "0.jpg") + "0" * 64 + "  视频/gone.mp4\n")
    (folder / ".done").touch()
    take(home)
    for name in ("0.jpg", "SHA256SUMS"):
        packages.link(home, home.catalog.find_original(name), "confirmed")
    made = packages.make(home, tmp_path / "out")
    assert ("awaited", "视频/gone.mp4", "SHA256SUMS") in [(one.what, one.name, one.detail) for one in made.missing]
    assert "视频/gone.mp4" in (made.bag / "data" / "report.html").read_text(encoding="utf-8")


def test_a_list_before_its_files_waits_and_is_complete_when_they_came(dropped: tuple[Home, Path]) -> None:
    home, folder = dropped
    making.photo(folder / "a.jpg", 1)
    lines = sums(folder, "a.jpg")
    (folder / "a.jpg").unlink()
    (folder / "SHA256SUMS").write_text(lines)
    take(home)
    assert [one["state"] for one in checked(home)] == ["waiting"]
    making.photo(folder / "a.jpg", 1)
    take(home)
    assert [one["state"] for one in checked(home)] == ["waiting", "complete"]


def test_a_file_that_comes_after_it_was_told_missing_heals_the_drop(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(drops_patience_s="0")
    make_home(settings)
    home = build_home(settings)
    folder = settings.inbox / "card"
    making.photo(folder / "a.jpg", 1)
    (folder / "清单.csv").write_text("文件名\na.jpg\nb.jpg\n", encoding="gb18030")
    take(home)
    assert checked(home)[-1]["state"] == "incomplete"
    making.photo(folder / "b.jpg", 2)
    take(home)
    assert checked(home)[-1]["state"] == "complete"
    assert codes(home, "清单.csv") == []
    home.close()


def test_a_list_of_one_file_calls_no_neighbour_strange(dropped: tuple[Home, Path]) -> None:
    home, folder = dropped
    making.photo(folder / "a.jpg", 1)
    making.photo(folder / "b.jpg", 2)
    (folder / "a.jpg.sha256").write_text(sums(folder, "a.jpg"))
    take(home)
    assert [(one["state"], one["extra"]) for one in checked(home)] == [("complete", 0)]


def test_telling_twice_tells_nothing_new(dropped: tuple[Home, Path]) -> None:
    home, folder = dropped
    making.photo(folder / "a.jpg", 1)
    (folder / "SHA256SUMS").write_text(sums(folder, "a.jpg"))
    take(home)
    events, text = home.catalog.last_event(), receipt(home)
    with home.catalog.transaction() as connection:
        rows.tell_up_to(connection, "desk", 0)  # as after the catalog was made anew
    take(home)
    assert (home.catalog.last_event(), receipt(home)) == (events, text)


def test_a_receipt_names_the_twin_of_a_duplicate_and_the_remedy_of_a_refusal(dropped: tuple[Home, Path]) -> None:
    home, folder = dropped
    making.photo(folder / "a.jpg", 1)
    making.photo(folder / "b.jpg", 1)
    (folder / "link.jpg").symlink_to(folder / "a.jpg")
    take(home)
    text = receipt(home)
    digest = hashlib.sha256((folder / "a.jpg").read_bytes()).hexdigest()
    assert text.count(digest) == 4
    assert f"与 {folder / 'a.jpg'} 内容相同" in text
    assert "link.jpg" in text
    assert "请这样做：把真正的文件复制到这里" in text


def test_receipts_are_apart_by_folder_and_deleting_them_harms_nothing(home: Home) -> None:
    for name in ("a", "b:c"):
        (home.settings.inbox / name / "sub").mkdir(parents=True)
        making.photo(home.settings.inbox / name / "sub" / "x.jpg", len(name))
    making.photo(home.settings.inbox / "top.jpg", 7)
    take(home)
    folder = home.settings.home / "receipts"
    found = sorted(folder.rglob("*.casereel.txt"))
    assert [one.parent.relative_to(folder).as_posix() for one in found] == [".", "a", "b_c"]
    assert "top.jpg" in found[0].read_text("utf-8-sig")
    assert "sub/x.jpg" not in found[0].read_text("utf-8-sig")
    for one in found:
        one.unlink()
    making.photo(home.settings.inbox / "a" / "y.jpg", 8)
    take(home)
    [again] = folder.rglob("*.casereel.txt")
    assert "sub/x.jpg" in again.read_text("utf-8-sig")


def test_receipts_in_a_watched_folder_are_no_evidence(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    settings = make_settings(drops_receipts=str(tmp_path / "home" / "inbox"))
    make_home(settings)
    home = build_home(settings)
    making.photo(settings.inbox / "a.jpg", 1)
    take(home)
    take(home)
    assert sum(home.catalog.counts().values()) == 1
    assert list(settings.inbox.glob("*.casereel.txt"))
    home.close()


def test_a_name_cannot_forge_lines_of_a_receipt(home: Home) -> None:
    path = home.settings.inbox / "a\r\n  ✓ b.mp4\u202e.jpg"
    making.photo(path, 1)
    take(home)
    text = receipt(home)
    assert "<000D><000A>  ✓ b.mp4<202E>.jpg" in text


def test_a_refusal_is_told_once_over_restarts_and_tried_again_when_the_file_changes(home: Home) -> None:
    link = home.settings.inbox / "a.jpg"
    making.photo(home.settings.home / "real.jpg", 1)
    link.symlink_to(home.settings.home / "real.jpg")
    for _ in range(3):
        take(home)
    assert len(home.catalog.events_of_type(["arrival.rejected"])) == 1
    link.unlink()
    os.link(home.settings.home / "real.jpg", home.settings.home / "copy.jpg")
    making.photo(link, 1)
    take(home)
    assert [one.name for one in home.catalog.arrivals()] == ["a.jpg"]
    assert "未能接收 0 个" in receipt(home)


def explained(casereel: Callable[..., Any], path: Path, lang: str = "en") -> dict[str, str]:
    done = casereel("explain", path, "--json", "--lang", lang)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_explain_tells_a_clerk_each_state(sqlite_home: Home, casereel: Callable[..., Any]) -> None:
    folder = sqlite_home.settings.inbox / "card"
    making.photo(folder / "a.jpg", 1)
    making.photo(folder / "b.jpg", 1)
    (folder / "link.jpg").symlink_to(folder / "a.jpg")
    (folder / "SHA256SUMS").write_text(sums(folder, "a.jpg", "b.jpg") + "0" * 64 + "  gone.mp4\n")
    take(sqlite_home)
    safe = explained(casereel, folder / "a.jpg")
    assert safe["sha256"] == hashlib.sha256((folder / "a.jpg").read_bytes()).hexdigest()
    assert Path(safe["receipt"]).is_file()
    assert str(folder / "b.jpg") in safe["why"]
    refused = explained(casereel, folder / "link.jpg", "zh")
    assert (refused["why"], refused["do"]) == ("它是链接、快捷方式或设备，不是文件", "把真正的文件复制到这里")
    assert "SHA256SUMS" in explained(casereel, folder / "gone.mp4")["why"]
    assert explained(casereel, folder / "never.mp4")["do"] == "check the path"


def test_explain_tells_what_a_waiting_file_waits_for(sqlite_home: Home, casereel: Callable[..., Any]) -> None:
    folder = sqlite_home.settings.inbox
    for name in ("a.mp4.part", "b.mp4.part"):
        (folder / name).write_bytes(b"x")
    jobs = build_jobs(sqlite_home)
    watcher = Watcher(sqlite_home, build_accession(sqlite_home, jobs))
    watcher.run_once()
    named = [list(one) for one in watcher.waiting()]
    assert {one[0] for one in named} == {str(folder / "a.mp4.part"), str(folder / "b.mp4.part")}
    seen = build_jobs(sqlite_home, "watch")
    seen.living.show(watchers=watcher.standing(), waiting=[one for one in named if "a.mp4" in one[0]])
    told = explained(casereel, folder / "a.mp4.part", "zh")
    assert (told["why"], told["do"]) == ("文件名表明仍在复制", "请等待，会自动接收")
    assert explained(casereel, folder / "b.mp4.part")["why"] == "2 files of its folder wait to be taken in"
    assert explained(casereel, folder / "b.mp4.part", "zh")["why"] == "该文件夹有 2 个文件在等待接收"
    seen.close()
    jobs.close()


def test_ingest_of_a_refused_file_is_a_new_try_and_no_second_arrival_for_the_watcher(
    sqlite_home: Home, casereel: Callable[..., Any]
) -> None:
    link = sqlite_home.settings.inbox / "card" / "a.jpg"
    link.parent.mkdir()
    link.symlink_to("nowhere")
    take(sqlite_home)
    link.unlink()
    making.photo(link, 1)
    assert casereel("ingest", link).returncode == 0
    take(sqlite_home)
    [arrival] = sqlite_home.catalog.arrivals()
    assert (arrival.source, arrival.folder) == ("inbox", "card")


def test_drops_and_refusals_come_back_from_the_log_alone(sqlite_home: Home) -> None:
    home, folder = sqlite_home, sqlite_home.settings.inbox / "card"
    making.photo(folder / "a.jpg", 1)
    making.photo(folder / "b.jpg", 2)
    (folder / "SHA256SUMS").write_text(sums(folder, "a.jpg") + "0" * 64 + "  gone.mp4\n")
    (folder / "_DONE").touch()
    (folder / "link.jpg").symlink_to(folder / "a.jpg")
    take(home)
    before = dump(home.catalog)
    assert (len(before["drops"]), len(before["rejections"])) == (1, 1)
    settings = home.settings
    home.close()
    rebuild_catalog(settings)
    again = build_home(settings)
    after = dump(again.catalog)
    assert {name: after[name] for name in ("drops", "rejections", "arrivals")} == {
        name: before[name] for name in ("drops", "rejections", "arrivals")
    }
    take(again)
    assert len(checked(again)) == len([one for one in before["events"] if one["type"] == "drop.checked"])
    again.close()

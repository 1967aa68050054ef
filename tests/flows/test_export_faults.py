"""Exports that die, are stopped or run out of room: nothing that looks like a package is left, and the log knows."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from indexer.export import PAYLOAD_ROOM, Asked, Exporter
from indexer.exporting import printed
from indexer.exporting.package import verify
from pipeline.edges import failpoint
from pipeline.edges.database import exports, tables
from pipeline.edges.host import disk
from pipeline.edges.storage.bag import MANIFEST
from pipeline.edges.work.living import EXPORT
from pipeline.errors import NotAllowed, Superseded, TryAgain
from tests.conftest import QUICK
from tests.flows.running import ROOT
from tests.indexer.packages import CASE, CLERK, SECOND, make, with_photos
from workers.bootstrap import Home, build_exporter, build_jobs
from workers.patrol import round_of

STEPS = (
    "export.begun", "export.copied", "export.payload", "export.sealed", "export.signed", "export.synced",
    "export.renamed", "export.finished", "export.zipped",
)  # fmt: skip
CHILD = """
import sys
from pathlib import Path
from config.settings import load
from indexer.exporting import printed
from tests.indexer.packages import make
from workers.bootstrap import build_home
import os
printed.as_pdf = lambda *_: b"%PDF-1.4\\n"
make(build_home(load(Path(sys.argv[1]), os.environ)), Path(sys.argv[2]), as_zip=True)
"""


@pytest.fixture(autouse=True)
def quick_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """No real PDF, whose font takes a second to read."""
    monkeypatch.setattr(printed, "as_pdf", lambda *_: b"%PDF-1.4\n")


def test_every_step_has_a_failpoint_and_every_failpoint_is_tried() -> None:
    found: set[str] = set()
    for path in (*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "indexer").rglob("*.py")):
        found |= set(re.findall(r'failpoint\.at\("(export\.[^"]+)"\)', path.read_text(encoding="utf-8")))
    assert found == set(STEPS)


def killed_at(home: Home, out: Path, step: str) -> int:
    """The exit status of an export that was to die at this step."""
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(home.settings.home), str(out)], cwd=ROOT, timeout=240, capture_output=True,
        env={**os.environ, **QUICK, "CASEREEL_FAILPOINT": step, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return ended.returncode


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_step_it_leaves_no_half_package_and_the_next_export_succeeds(
    sqlite_home: Home, tmp_path: Path, step: str
) -> None:
    with_photos(sqlite_home, tmp_path / "card")
    out = tmp_path / "out"
    out.mkdir()
    assert killed_at(sqlite_home, out, step) == -signal.SIGKILL
    whole = step in ("export.renamed", "export.finished", "export.zipped")
    assert len(visible(out)) == whole
    for name in visible(out):
        assert verify.check(str(out / name)).whole

    made = make(sqlite_home, out)
    assert verify.check(str(made.bag), made.key).faults == []
    assert len(visible(out)) == 1 + whole
    assert [path.name for path in out.iterdir() if path.name.endswith(".partial")] == []
    states = [one.state for one in exports.listed(sqlite_home.catalog)]
    assert states == ["finished", "finished" if whole else "failed"]
    assert sqlite_home.audit.check(grace_s=0.0).faults == ()


def test_the_patrol_tells_of_an_export_that_died(sqlite_home: Home, tmp_path: Path) -> None:
    with_photos(sqlite_home, tmp_path / "card", 1)
    (tmp_path / "out").mkdir()
    assert killed_at(sqlite_home, tmp_path / "out", "export.copied") == -signal.SIGKILL
    assert len(list((tmp_path / "out").iterdir())) == 1
    assert round_of(sqlite_home, grace_s=0.0)["exports_cleared"] == 1
    assert list((tmp_path / "out").iterdir()) == []
    assert [one.state for one in exports.listed(sqlite_home.catalog)] == ["failed"]
    assert round_of(sqlite_home, grace_s=0.0)["exports_cleared"] == 0


def test_an_export_that_runs_is_not_cleared_away(sqlite_home: Home, tmp_path: Path) -> None:
    with_photos(sqlite_home, tmp_path / "card", 1)
    (tmp_path / "out").mkdir()
    seen: list[list[str]] = []
    asked = Asked(case=CASE, to=tmp_path / "out", purpose="x")
    build_exporter(sqlite_home).make(CLERK, asked, lambda _: seen.append(build_exporter(sqlite_home).clear()))
    assert seen
    assert seen[0] == []
    assert [one.state for one in exports.listed(sqlite_home.catalog)] == ["finished"]


def approved(home: Home) -> str:
    """The number of a request for the case, which a second person approved."""
    exporter = build_exporter(home)
    asked = exporter.request(CLERK, CASE, "行政复议答复")
    return exporter.decide(SECOND, asked.id, approve=True).id


def elsewhere(home: Home, folder: Path) -> Exporter:
    """The same home's exporter as it runs on another host, whose files lie elsewhere."""
    settings = replace(home.settings, home=folder)
    living = build_jobs(home, role=EXPORT).living
    return Exporter(settings, home.vault, home.catalog, home.audit, home.checkpoints, dict, lambda: living)


def state_of(home: Home, identifier: str) -> str:
    found = exports.found(home.catalog, identifier)
    assert found is not None
    return found.state


def test_no_other_host_takes_for_dead_what_is_being_written(home: Home, tmp_path: Path) -> None:
    with_photos(home, tmp_path / "card", 1)
    other, seen = elsewhere(home, tmp_path / "other"), []
    asked = approved(home)

    def look(_: int) -> None:
        seen.append((other.clear(), state_of(home, asked)))

    to_it = Asked(case=CASE, to=tmp_path, purpose="x", request=asked)
    assert verify.check(str(build_exporter(home).make(CLERK, to_it, look).bag)).whole
    assert seen
    assert set(map(repr, seen)) == {"([], 'writing')"}
    assert state_of(home, asked) == "finished"


def test_who_was_taken_for_dead_gives_its_package_no_name(home: Home, tmp_path: Path) -> None:
    with_photos(home, tmp_path / "card", 1)
    other, asked = elsewhere(home, tmp_path / "other"), approved(home)

    def stand_still(_: int) -> None:
        with home.catalog.transaction() as connection:
            connection.execute(sa.update(tables.worker).where(tables.worker.c.role == EXPORT).values(state="dead"))
        other.clear()

    to_it = Asked(case=CASE, to=tmp_path, purpose="x", request=asked)
    with pytest.raises(Superseded, match="export it anew"):
        build_exporter(home).make(CLERK, to_it, stand_still)
    assert state_of(home, asked) == "approved"
    assert not (tmp_path / f"export-{asked}").exists()
    assert build_exporter(home).make(CLERK, to_it).export == asked
    assert state_of(home, asked) == "finished"


def test_what_was_cleared_since_it_was_listed_is_left_alone(sqlite_home: Home, tmp_path: Path) -> None:
    with_photos(sqlite_home, tmp_path / "card", 1)
    (tmp_path / "out").mkdir()
    assert killed_at(sqlite_home, tmp_path / "out", "export.copied") == -signal.SIGKILL
    first, second = build_exporter(sqlite_home), build_exporter(sqlite_home)
    really, cleared = second._owned, []

    def owned(identifier: str) -> Any:
        cleared.extend(first.clear())
        return really(identifier)

    second._owned = owned  # type: ignore[method-assign]
    assert second.clear() == []
    assert len(cleared) == 1
    assert len(sqlite_home.catalog.events_of_type(["export.failed"])) == 1


def test_a_package_whose_manifest_cannot_be_read_keeps_nobody_from_the_others(
    sqlite_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_photos(sqlite_home, tmp_path / "card", 1)
    stick, desk = tmp_path / "stick", tmp_path / "desk"

    def dies(place: str) -> None:
        if place == "export.renamed":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(failpoint, "at", dies)
        for folder in (stick, desk):
            folder.mkdir()
            with pytest.raises(KeyboardInterrupt):
                build_exporter(sqlite_home).make(CLERK, Asked(case=CASE, to=folder, purpose="x"))
            if folder == stick:
                [bag] = stick.iterdir()
                (bag / MANIFEST).rename(tmp_path / "kept")
    states = {one.folder: one.state for one in exports.listed(sqlite_home.catalog)}
    assert set(states.values()) == {"sealed"}
    [whole] = desk.iterdir()
    assert build_exporter(sqlite_home).clear() == [whole.name.removeprefix("export-")]
    assert make(sqlite_home, desk).files == 1
    (tmp_path / "kept").rename(bag / MANIFEST)
    assert build_exporter(sqlite_home).clear() == [bag.name.removeprefix("export-")]
    assert {one.state for one in exports.listed(sqlite_home.catalog)} == {"finished"}


@pytest.mark.parametrize(("left", "then"), [("whole", "approved"), ("empty", "failed")])
def test_a_sealed_package_whose_disk_is_away_waits_for_it(
    sqlite_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str, then: str
) -> None:
    with_photos(sqlite_home, tmp_path / "card", 1)
    disk_, away, asked = tmp_path / "disk", tmp_path / "away", approved(sqlite_home)
    disk_.mkdir()

    def pulled(place: str) -> None:
        if place == "export.sealed":
            disk_.rename(away)
            raise KeyboardInterrupt

    to_it = Asked(case=CASE, to=disk_, purpose="x", request=asked)
    with monkeypatch.context() as patch:
        patch.setattr(failpoint, "at", pulled)
        with pytest.raises(KeyboardInterrupt):
            build_exporter(sqlite_home).make(CLERK, to_it)
    assert build_exporter(sqlite_home).clear() == []
    assert state_of(sqlite_home, asked) == "sealed"
    with pytest.raises(NotAllowed, match="connect the disk"):
        build_exporter(sqlite_home).make(CLERK, replace(to_it, to=tmp_path))
    if left == "empty":
        [partial] = away.iterdir()
        shutil.rmtree(partial)
        partial.mkdir()
    away.rename(disk_)
    assert build_exporter(sqlite_home).clear() == [asked]
    assert state_of(sqlite_home, asked) == then
    assert list(disk_.iterdir()) == []


def test_stopped_by_ctrl_c_it_leaves_nothing_and_says_so(sqlite_home: Home, tmp_path: Path) -> None:
    with_photos(sqlite_home, tmp_path / "card")
    (tmp_path / "out").mkdir()

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_exporter(sqlite_home).make(CLERK, Asked(case=CASE, to=tmp_path / "out", purpose="x"), stop)
    assert list((tmp_path / "out").iterdir()) == []
    failed = [json.loads(line) for line in sqlite_home.catalog.events_of_type(["export.failed"])]
    assert [(one["outcome"], one["facts"]["why"]) for one in failed] == [("failed", "KeyboardInterrupt")]
    assert failed[0]["facts"]["why_zh"] == "KeyboardInterrupt"
    assert make(sqlite_home, tmp_path / "out").files == 2


@pytest.mark.parametrize(
    ("code", "said", "after"),
    [
        (errno.ENOSPC, "no room", 0),
        (errno.ENOSPC, "no room", 3),
        (errno.ENOSPC, "no room", 9),
        (errno.EIO, "another disk", 5),
        (errno.EROFS, "another disk", 0),
    ],
)
def test_a_disk_that_refuses_is_named_and_nothing_half_made_is_left(
    sqlite_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str, after: int
) -> None:
    with_photos(sqlite_home, tmp_path / "card")
    out, written, really = tmp_path / "out", [0], disk.write_all

    def refuse(fd: int, data: Any) -> None:
        if str(out) in str(Path(f"/proc/self/fd/{fd}").readlink()):
            written[0] += 1
            if written[0] > after:
                raise OSError(code, os.strerror(code))
        really(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "write_all", refuse)
        with pytest.raises(TryAgain, match=said):
            make(sqlite_home, out)
    assert list(out.iterdir()) == []
    assert [one.state for one in exports.listed(sqlite_home.catalog)] == ["failed"]
    assert make(sqlite_home, out).files == 2


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    sqlite_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_photos(sqlite_home, tmp_path / "card")
    real = disk.require_room
    monkeypatch.setattr(disk, "require_room", lambda folder, size, share: real(folder, size + (1 << 60), share))
    with pytest.raises(TryAgain, match="too full"):
        make(sqlite_home, tmp_path / "out")
    assert exports.listed(sqlite_home.catalog) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_a_zip_beside_the_package_takes_its_room_twice(
    sqlite_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_photos(sqlite_home, tmp_path / "card")
    asked = Asked(case=CASE, to=tmp_path / "out", purpose="x")
    for_one = PAYLOAD_ROOM + build_exporter(sqlite_home).size_of(CLERK, asked)
    usage = shutil.disk_usage(tmp_path)._replace(free=for_one)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TryAgain, match="too full"):
        make(sqlite_home, tmp_path / "out", as_zip=True)
    assert list((tmp_path / "out").iterdir()) == []
    assert make(sqlite_home, tmp_path / "out").files == 2


def test_a_disk_that_reads_back_otherwise_is_found(
    sqlite_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.edges.storage import bag
    from pipeline.errors import CustodyBroken

    with_photos(sqlite_home, tmp_path / "card")
    monkeypatch.setattr(bag, "read_back", lambda _: "0" * 64)
    with pytest.raises(CustodyBroken, match="another disk"):
        make(sqlite_home, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []

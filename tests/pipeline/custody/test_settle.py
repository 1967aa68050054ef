from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.custody.settle import Look, Rules, decide, is_ignored, is_partial
from pipeline.edges.host.handles import Identity

RULES = Rules(quiet_s=2.0, quiet_no_lease_s=30.0, unfinished_s=60.0, looks=3)
FILE = Identity(device=1, inode=2, size_bytes=100, mtime_ns=5, ctime_ns=5)


def looks(*at: float, identity: Identity = FILE, **more: object) -> list[Look]:
    return [Look(one, identity, is_regular=True, **{"written": False, **more}) for one in at]  # type: ignore[arg-type]


def test_a_quiet_file_is_taken() -> None:
    assert decide("a.mp4", looks(0, 1, 2), 2.0, RULES).what == "take"


def test_two_looks_are_not_enough() -> None:
    assert decide("a.mp4", looks(0, 5), 5.0, RULES).what == "wait"


def test_a_growing_file_waits_from_its_last_change() -> None:
    grown = replace(FILE, size_bytes=200)
    seen = looks(0, 1, 2) + looks(3, 3.5, 4, identity=grown)
    assert decide("a.mp4", seen, 4.0, RULES).what == "wait"
    assert decide("a.mp4", [*seen, *looks(5, identity=grown)], 5.0, RULES).what == "take"


def test_a_changed_time_alone_is_a_change() -> None:
    touched = replace(FILE, mtime_ns=6)
    assert decide("a.mp4", looks(0, 1) + looks(2, identity=touched), 2.0, RULES).what == "wait"


def test_a_file_that_is_open_for_writing_waits_however_quiet() -> None:
    assert decide("a.mp4", looks(0, 50, 100, written=True), 100.0, RULES).what == "wait"


def test_quiet_counts_from_the_end_of_writing() -> None:
    seen = looks(0, 50, written=True) + looks(51, 51.5, 52)
    assert decide("a.mp4", seen, 52.0, RULES).what == "wait"
    assert decide("a.mp4", [*seen, *looks(53)], 53.0, RULES).what == "take"


@pytest.mark.parametrize(
    ("more", "patience"),
    [
        ({"written": None}, 30.0),
        ({"zero_tail": True}, 8.0),
        ({"unfinished": True}, 60.0),
        ({"unfinished": True, "written": None}, 60.0),
        ({"identity": replace(FILE, size_bytes=0)}, 20.0),
    ],
)
def test_doubt_needs_more_patience(more: dict[str, object], patience: float) -> None:
    early = looks(0, 1, patience - 0.1, **more)  # type: ignore[arg-type]
    late = looks(0, 1, patience, **more)  # type: ignore[arg-type]
    assert decide("a.mp4", early, patience - 0.1, RULES).what == "wait"
    assert decide("a.mp4", late, patience, RULES).what == "take"


def test_a_waiting_file_is_looked_at_again_in_time() -> None:
    verdict = decide("a.mp4", looks(0), 0.0, RULES)
    assert verdict.what == "wait"
    assert 0.0 < verdict.again_s <= 2.0


def test_a_link_or_pipe_is_refused() -> None:
    look = Look(0.0, FILE, is_regular=False)
    assert decide("a.mp4", [look], 0.0, RULES).what == "refuse"


@pytest.mark.parametrize("name", ["a.mp4.part", "a.mp4.filepart", "A.CRDOWNLOAD", "a.mp4.tmp"])
def test_a_partial_name_waits_for_its_rename(name: str) -> None:
    assert is_partial(name)
    assert decide(name, looks(0, 50, 100), 100.0, RULES).what == "wait"


@pytest.mark.parametrize("name", ["Thumbs.db", "thumbs.DB", ".DS_Store", "@eaDir", "~$report.docx", "desktop.ini"])
def test_what_systems_leave_is_ignored(name: str) -> None:
    assert is_ignored(["card", name])


def test_the_ignore_list_can_only_be_extended() -> None:
    assert is_ignored(["a.bak"], ["*.bak"])
    assert is_ignored(["Thumbs.db"], ["*.bak"])
    assert not is_ignored(["现场检查.mp4"], ["*.bak"])

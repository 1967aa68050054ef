"""Missing numbers: what is a hole, and what only looks like one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipeline.holes import holes
from pipeline.recordings import Segment

BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def file(number: int, minutes: float | None = None, **changed: object) -> Segment:
    start_at = None if minutes is None else BEGIN + timedelta(minutes=minutes)
    values = {
        "original": f"{number:04}", "name": f"DSC{number:05}.JPG", "device": "ZF-001", "profile": "camera_numbered",
        "place": "inbox\nDCIM", "sequence": f"{number:05}", "start_at": start_at, "end_at": start_at,
    }  # fmt: skip
    return Segment(**{**values, **changed})  # type: ignore[arg-type]


def missing(*files: Segment, gone: frozenset[tuple[str, str, int]] = frozenset()) -> list[tuple[int, ...]]:
    return [one.missing for one in holes(files, gone)]


def test_a_missing_number_lies_between_two_files() -> None:
    [hole] = holes([file(14, 20), file(12, 0), file(15, 30)])
    assert (hole.missing, hole.before.number, hole.after.number, hole.device) == ((13,), 12, 14, "ZF-001")
    assert missing(file(12, 0), file(16, 9)) == [(13, 14, 15)]


def test_photos_and_films_of_one_camera_share_their_numbers() -> None:
    assert missing(file(12, 0), file(13, 5, kind="photo"), file(14, 9)) == []


def test_a_number_that_goes_back_or_jumps_begins_another_card() -> None:
    assert missing(file(9998, 0), file(9999, 1), file(1, 2), file(2, 3)) == []
    assert missing(file(12, 0), file(500, 9)) == []
    assert missing(file(12, 0), file(13, 1), file(12, 60), file(14, 61)) == [(13,)]


def test_devices_and_kinds_of_names_have_numbers_of_their_own() -> None:
    assert missing(file(12, 0), file(14, 9, device="ZF-002")) == []
    assert missing(file(12, 0), file(14, 9, profile="dji_numbered")) == []
    assert missing(file(12, device=None), file(14, device=None)) == [(13,)]
    assert missing(file(12, device=None), file(14, device=None, place="inbox\nother")) == []


def test_what_has_no_time_or_was_disposed_of_accounts_for_its_number() -> None:
    assert missing(file(12, 0), file(13), file(14, 9)) == []
    gone = frozenset({("inbox\nDCIM", "camera_numbered", 13)})
    assert missing(file(12, 0), file(15, 9), gone=gone) == [(14,)]

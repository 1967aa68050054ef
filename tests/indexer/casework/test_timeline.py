"""The lanes of a case: what a device shows of it, and what its clock left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from indexer.casework.case_file import CaseFile
from indexer.casework.checklist import Checklist
from indexer.casework.review import Review
from indexer.casework.timeline import Lane, timeline_of
from indexer.coverage import Shown
from pipeline.recordings import ClockSteps, Segment, recordings_of
from pipeline.records import Case

TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def lane(steps: ClockSteps, length_s: float = 1200.0) -> Lane:
    """Of a device with one file, whose clock steps so."""
    end_at = TEN + timedelta(seconds=length_s)
    file = Segment(original="a", name="a.mp4", device="ZF-001", start_at=TEN, end_at=end_at)
    shown = Shown(original="a", name="a.mp4", device="ZF-001", from_at=TEN, to_at=end_at, uncertainty_s=1.0,
                  steps=steps)  # fmt: skip
    case = CaseFile(case=Case(numbers=(("AJ2026-1", None),)), recordings=tuple(recordings_of([file])), shown=(shown,))
    checklist = Checklist(type=None, version="", checked=())  # type: ignore[arg-type]
    [found] = timeline_of(Review(
        file=case, duties=(), contradictions=(), checklist=checklist, state={}, signature=None, zone="Asia/Shanghai",
    )).lanes  # fmt: skip
    return found


def told(one: Lane) -> tuple[list[tuple[float, float, float]], list[tuple[str, float, float]]]:
    def s(at: datetime) -> float:
        return (at - TEN).total_seconds()

    return (
        [(s(each.from_at), s(each.to_at), each.begins_s) for each in one.stretches],
        [(each.kind, s(each.from_at), s(each.to_at)) for each in one.holes],
    )


def test_a_hole_inside_a_file_is_a_hole_of_its_lane_and_tells_why():
    found = lane(((300.0, 120.0), (900.0, -30.0)))
    assert told(found) == (
        [(0.0, 300.0, 0.0), (420.0, 900.0, 420.0), (900.0, 1200.0, 900.0)],
        [("clock_step", 300.0, 420.0), ("clock_step", 900.0, 900.0)],
    )
    assert found.holes[0].why == "At 300 s of a.mp4 its clock steps 120 s ahead"
    assert found.holes[1].why_zh == "a.mp4 第 900 秒处时钟向后跳 30 秒"


def test_a_hole_that_reaches_over_the_end_of_its_file_ends_with_it():
    assert told(lane(((1100.0, 600.0),))) == ([(0.0, 1100.0, 0.0)], [("clock_step", 1100.0, 1200.0)])
    assert told(lane(())) == ([(0.0, 1200.0, 0.0)], [])

"""Late uploads: told only where no doubt about the time could excuse them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.timing.lateness import late_upload
from tests.indexer.archive import TAKEN_AT, decided

ENDED = decided(TAKEN_AT, 600.0)


@pytest.mark.parametrize(
    ("hours", "uncertainty_s", "is_late"),
    [(23.9, 1.0, False), (24.1, 1.0, True), (24.1, 3600.0, False), (30.0, 3600.0, True), (-1.0, 1.0, False)],
)
def test_the_deadline_runs_from_the_latest_end_that_is_possible(
    hours: float, uncertainty_s: float, is_late: bool
) -> None:
    handed_in_at = ENDED.end_at + timedelta(hours=hours)
    told = late_upload(replace(ENDED, uncertainty_s=uncertainty_s), handed_in_at, 24.0)
    assert (told is not None) == is_late
    if told is not None:
        assert (told.code, "24" in told.text, "24" in told.text_zh) == ("late_upload", True, True)


def test_without_a_deadline_or_a_time_of_recording_nothing_is_late() -> None:
    later = ENDED.end_at + timedelta(days=400)
    assert late_upload(ENDED, later, 0.0) is None
    assert late_upload(None, later, 24.0) is None
    assert late_upload(replace(ENDED, method="saved_only"), later, 24.0) is None
    told = late_upload(ENDED, later, 24.0)
    assert told is not None
    assert "400 days" in told.text

"""How often the decided time is the one that an outside tool reads from real recordings.

Twice: over the raw readings that the tool lists beside its answer, and over what our own extractors read from the same
files. `scripts/bench times` prints the same as a table, of every file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import load
from tests.corpus_home import Taken
from tests.pipeline.timing.agreement import (
    MANIFEST,
    Judged,
    judged_by_facts,
    judged_by_raw_readings,
    rows,
)

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not MANIFEST.exists(), reason="the folder of real recordings is not here"),
]


@pytest.fixture(scope="module")
def found(taken: Taken, tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """Every file as our own extractors read it."""
    settings, probed = load(tmp_path_factory.mktemp("home"), {}), taken.probed()
    return [judged_by_facts(settings, row, *probed[row["path"]]) for row in rows()]


def require_agreement(found: list[Judged]) -> None:
    """Asserts the share of agreement; the message names every file that differs."""
    answered = [one for one in found if one.answer]
    right = [one for one in answered if one.is_right]
    wrong = [f"{one.path}: {one.apart_s} s, {one.decided and one.decided.why}" for one in answered if not one.is_right]
    assert len(right) >= 0.99 * len(answered), "\n".join(wrong)
    silent = [one.path for one in answered if one.answer and one.answer.doubted and not (one.codes or one.decided)]
    assert silent == [], "doubtful, and nothing says so"


def test_raw_readings_lead_to_the_outside_tools_answer(tmp_path: Path) -> None:
    found = list(judged_by_raw_readings(load(tmp_path, {}), rows()))
    assert len(found) > 200
    require_agreement([one for one in found if not one.tag.startswith(("Reconyx:", "PictureInfo:", "CIFF:"))])


@pytest.mark.slow
def test_what_our_extractors_read_leads_to_the_outside_tools_answer(found: list[Judged]) -> None:
    assert sum(one.answer is not None for one in found) > 200
    require_agreement(found)


@pytest.mark.slow
def test_every_contradiction_is_noticed_and_the_right_side_taken(found: list[Judged]) -> None:
    told = [(one, conflict) for one in found for conflict in one.conflicts]
    assert len(told) > 40
    assert [(one.path, conflict) for one, conflict in told if not one.notices(conflict)] == []
    assert [one.path for one, _ in told if not one.is_right] == []


@pytest.mark.slow
def test_no_decided_time_is_in_the_future_or_at_a_sentinel(found: list[Judged]) -> None:
    assert [(one.path, one.impossible) for one in found if one.impossible] == []

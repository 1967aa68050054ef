"""What somebody waits for does not wait behind what nobody waits for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from config.settings import Settings
from indexer.access import Reviewer
from indexer.search import Filters
from pipeline.acts.linking import Linking
from pipeline.edges.jobs import JobRow, Jobs
from tests.flows.keeping import take
from tests.flows.running import Roles, at_rest, wait_until
from tests.homes import make_home
from tests.samples import making
from workers.bootstrap import Home, build_finder, build_home
from workers.work import working

# Transcoding both takes far longer than the photos do, on any machine.
FILM_S = 90


def moment(home: Home, original: str, event: str) -> datetime:
    found = [json.loads(line) for line in home.catalog.events_of(original)]
    return next(datetime.fromisoformat(one["at"]) for one in found if one["type"] == event)


@pytest.mark.slow
def test_e13_a_photo_is_findable_within_two_seconds_while_films_take_longer_than_a_lease(
    make_settings: Callable[..., Settings], tmp_path: Path, casereel: Callable[..., object]
) -> None:
    settings = make_settings()
    make_home(settings)
    home = build_home(settings)
    films = [making.long_film(tmp_path / f"{number}.mp4", number, length_s=FILM_S) for number in (1, 2)]
    with Roles(settings.home, ["watch", "work"], {"CASEREEL_WORK_HEAVY": "2"}):
        for film in films:
            film.rename(settings.inbox / film.name)
        # Both places for heavy work are taken by transcodes that go on for long.
        wait_until(lambda: heavy_running(home) == 2, 120, "two films are being transcoded")
        waited = []
        for number in range(5):
            making.photo(tmp_path / f"{number}.jpg", number).rename(settings.inbox / f"现场{number}.jpg")
            wait_until(lambda n=number: len(home.catalog.arrivals()) == 3 + n, 15, "the photo is taken in")  # type: ignore[misc]
            original = home.catalog.arrivals()[0].original or ""
            wait_until(lambda o=original: home.catalog.states_of([o])[o] != "in_custody", 15, "the photo can be found")  # type: ignore[misc]
            waited.append(
                (moment(home, original, "stage.index") - moment(home, original, "arrival.accepted")).total_seconds()
            )
            assert heavy_running(home) == 2, "the films were done too early for this to show anything"
        print(f"\nfrom settled to findable, s: {[round(one, 2) for one in waited]}")
        assert sorted(waited)[len(waited) // 2] < 2.0
        wait_until(
            lambda: all((one.running_s or 0.0) > 2 * settings.work.lease_s for one in heavy(home)), 60, "leases pass"
        )
        assert {one.attempts for one in heavy(home)} == {1}
        for job in [one.job for one in heavy(home)]:
            cancel = casereel("jobs", "cancel", job)
            assert cancel.returncode == 0  # type: ignore[attr-defined]
        wait_until(lambda: heavy_running(home) == 0, 20, "the cancelled films stop")
    home.close()


def heavy_running(home: Home) -> int:
    return len(heavy(home))


def heavy(home: Home) -> list[JobRow]:
    """The transcodes that run."""
    found = Jobs(home.catalog, home.settings.work).listed(state="running")
    return [one for one in found if one.stage == "derive" and one.name.endswith(".mp4")]


def test_status_answers_at_once(casereel: Callable[..., object], make_settings: Callable[..., Settings]) -> None:
    """Half a second on a machine with nothing else to do; here only the best of several is looked at."""
    make_home(make_settings())
    times = []
    for _ in range(5):
        started = time.monotonic()
        assert casereel("status", "--json").returncode == 0  # type: ignore[attr-defined]
        times.append(time.monotonic() - started)
    print(f"\nstatus, s: {[round(one, 2) for one in times]}")


def test_a_change_is_found_while_a_worker_works(home: Home, tmp_path: Path) -> None:
    """Files taken in and decisions of persons, beside a worker that puts others into the same index.

    How soon is printed; `scripts/bench search` measures it.
    """
    reviewer, finder = Reviewer("谢敏", "administrator"), build_finder(home)
    [first] = take(home, tmp_path / "card", "first.jpg")
    finder.search(reviewer, "first", Filters())
    waited = []
    with working(home):
        for number in range(5):
            take(home, tmp_path / f"more{number}", *(f"其他{number}-{other}.jpg" for other in range(3)))
            case = f"平商务罚字〔2026〕第{number + 1}号"
            for word, change in (
                (f"现场{number}", lambda n=number: take(home, tmp_path / "card", f"现场{n}.jpg")),
                (case, lambda c=case: Linking(home.catalog, home.audit).link("李法制", first, c, "看过")),
            ):  # fmt: skip
                change()
                changed = time.monotonic()
                while not finder.search(reviewer, word, Filters()).total:
                    assert time.monotonic() - changed < 60
                waited.append(time.monotonic() - changed)
        wait_until(lambda: at_rest(home), 120, "everything is at rest")
    print(f"\nfrom changed to found, s: {[round(one, 2) for one in waited]}")
    assert finder.search(reviewer, "其他", Filters()).total == 15

"""What sidecars say of start and end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pipeline.records import Known, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_a_manifest_beside_the_recording_gives_start_and_end(known: Make, claims: Claims) -> None:
    track = known({"sidecar.start": "2021-08-03T02:10:10Z", "sidecar.end": "2021-08-03T02:20:10Z"}, name="a.gpx")
    (claim,) = claims(known(sidecars=(track,)))
    assert (claim.at, claim.end_at, claim.zone_known) == (at(2021, 8, 3, 2, 10, 10), at(2021, 8, 3, 2, 20, 10), True)
    assert "a.gpx" in claim.note


def test_telemetry_without_a_zone_is_local(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"sidecar.start": "2021-08-03 10:10:10.123"}, name="DJI_0001.SRT"))
    assert (claim.at, claim.zone_known) == (at(2021, 8, 3, 2, 10, 10, 123000), False)


@pytest.mark.parametrize("end", ["2021-08-02T02:10:10Z", "0000-00-00", ""])
def test_an_end_before_the_start_is_left_out(known: Make, claims: Claims, end: str) -> None:
    (claim,) = claims(known({"sidecar.start": "2021-08-03T02:10:10Z", "sidecar.end": end}))
    assert claim.end_at is None


def test_a_track_is_utc_with_or_without_its_letter(known: Make, claims: Claims) -> None:
    """GPX 1.1: "Date and time in are in Universal Coordinated Time (UTC), not local time!"."""
    for letter in ("Z", ""):
        track = {"sidecar.start": f"2021-08-03T02:10:10{letter}", "sidecar.end": f"2021-08-03T02:20:10{letter}"}
        (claim,) = claims(known({**track, "sidecar.source": "gpx"}))
        assert (claim.at, claim.end_at, claim.zone_known) == (
            at(2021, 8, 3, 2, 10, 10),
            at(2021, 8, 3, 2, 20, 10),
            True,
        )
    (claim,) = claims(known({"sidecar.start": "2021-08-03T10:10:10"}))
    assert (claim.at, claim.zone_known) == (at(2021, 8, 3, 2, 10, 10), False)


@pytest.mark.parametrize(("length_s", "precision_s", "words"), [
    (600.0, 1.0, ""), (598.0, 2.0, "2 s longer"), (640.0, 40.0, ""), (5.0, 595.0, "595 s longer"),
])  # fmt: skip
def test_a_track_beside_a_film_is_as_sure_as_it_is_of_its_length(
    known: Make, claims: Claims, length_s: float, precision_s: float, words: str
) -> None:
    said = {"sidecar.start": "2021-08-03T02:10:10Z", "sidecar.end": "2021-08-03T02:20:10Z", "sidecar.source": "gpx"}
    track = known(said, name="a.gpx")
    (claim,) = claims(known({"container.duration_s": length_s}, sidecars=(track,)))
    assert (claim.at, claim.end_at) == (at(2021, 8, 3, 2, 10, 10), None)
    assert claim.precision_s == precision_s
    assert words in claim.note

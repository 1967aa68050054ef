"""Dates of RIFF, Broadcast Wave, ID3, Vorbis, ASF and Matroska."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pipeline.records import Known, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("name", "found", "moment", "zone_known"),
    [
        ("riff.IDIT", "Tue Aug 03 10:10:10 2021\n", at(2021, 8, 3, 2, 10, 10), False),
        ("riff.ICRD", "2021-08-03", at(2021, 8, 2, 16), False),
        ("id3.TDRC", "2021-08-03T10:10:10", at(2021, 8, 3, 2, 10, 10), False),
        ("vorbis.DATE", "2021-08-03T10:10:10+08:00", at(2021, 8, 3, 2, 10, 10), True),
        ("asf.CreationDate", "2008:05:08 12:33:33Z", at(2008, 5, 8, 12, 33, 33), False),
        ("matroska.DateUTC", "2020-11-13T21:48:23Z", at(2020, 11, 13, 21, 48, 23), True),
    ],
)
def test_a_tag_is_read_by_its_rule(
    known: Make, claims: Claims, name: str, found: str, moment: datetime, zone_known: bool
) -> None:
    (claim,) = claims(known({name: found}))
    assert (claim.source, claim.at, claim.zone_known) == (name, moment, zone_known)


@pytest.mark.parametrize(
    "group", [("bext.OriginationDate", "bext.OriginationTime"), ("tag.origination_date", "tag.origination_time")]
)
def test_broadcast_wave_joins_day_and_clock(known: Make, claims: Claims, group: tuple[str, str]) -> None:
    day, clock = group
    (claim,) = claims(known({day: "2021-08-03", clock: "10:10:10"}))
    assert (claim.source, claim.at) == ("bext.Origination", at(2021, 8, 3, 2, 10, 10))


@pytest.mark.parametrize(
    ("format_name", "found", "source", "trust"),
    [
        ("mp3", "2004", "id3.TDRC", 20),
        ("wav", "2021-08-03", "riff.ICRD", 50),
        ("m4a", "2004", "container.date", 20),
        ("m4a", "2016-01-03T21:23:39-0800", "container.date_stated", 70),
    ],
)
def test_a_plain_date_tag_goes_by_its_container(
    known: Make, claims: Claims, format_name: str, found: str, source: str, trust: int
) -> None:
    (claim,) = claims(known({"container.date": found}, format_name=format_name))
    assert (claim.source, claim.trust) == (source, trust)

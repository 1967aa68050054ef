"""XMP dates."""

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
    ("name", "found", "moment", "marks"),
    [
        ("xmp.DateTimeOriginal", "2010-07-11T13:53:00+02:00", at(2010, 7, 11, 11, 53), "start"),
        ("xmp.DateCreated", "2018-10-27T13:27:23.53", at(2018, 10, 27, 5, 27, 23, 530000), "start"),
        ("xmp.CreateDate", "2011-09-23T12:43:03Z", at(2011, 9, 23, 12, 43, 3), "start"),
        ("xmp.ModifyDate", "2014-09-22T10:56:35", at(2014, 9, 22, 2, 56, 35), "saved"),
    ],
)
def test_a_date_is_read(known: Make, claims: Claims, name: str, found: str, moment: datetime, marks: str) -> None:
    (claim,) = claims(known({name: found}))
    assert (claim.source, claim.at, claim.marks) == (name, moment, marks)

"""What codes say, and whose they are."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline import codes

HOME = b"h" * 32
SECRET = codes.secret_of("K7QF", HOME)
AT = datetime(2021, 8, 3, 10, 10, 5, 250_000, tzinfo=timezone(timedelta(hours=8)))
TEXT = codes.clock_text(AT, "K7QF", SECRET)
SLATE = codes.slate_text("平商务罚字〔2021〕第3号", "K7QF", SECRET)


def test_a_clock_card_says_the_instant_in_signs_of_the_alphanumeric_mode():
    assert TEXT.startswith("CR1 T 20210803T101005.2+0800 K7QF ")
    assert set(TEXT) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")  # ISO/IEC 18004, table 5
    assert len(TEXT) <= 47  # of version 3 at level Q, table 7
    found = codes.read(TEXT)
    assert found is not None
    assert (found.at, found.card, found.case) == (datetime(2021, 8, 3, 2, 10, 5, 200_000, tzinfo=UTC), "K7QF", None)


def test_a_slate_says_the_number_as_it_is_printed():
    found = codes.read(SLATE)
    assert found is not None
    assert (found.case, found.at) == ("平商务罚字〔2021〕第3号", None)


def test_the_seal_is_an_hmac_under_the_secret_of_that_card():
    body, _, seal = TEXT.rpartition(" ")
    digest = hmac.new(SECRET, body.encode(), hashlib.sha256).digest()
    assert int.from_bytes(digest[:5]) == sum(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".index(one) << 5 * (7 - place) for place, one in enumerate(seal)
    )


def test_another_homes_card_another_number_and_another_instant_are_not_sealed():
    found = [codes.read(text) for text in (
        TEXT, SLATE, codes.clock_text(AT, "K7QF", codes.secret_of("K7QF", b"x" * 32)), TEXT.replace("K7QF", "K7QA"),
        TEXT.replace("05.2", "06.2"),
    )]  # fmt: skip
    assert [codes.is_sealed(one, HOME) for one in found if one] == [True, True, False, False, False]


@pytest.mark.parametrize("text", [
    "", "https://example.org/pay?id=CR1", "CR1 T", "CR1 T 20210803T101005.2+0800 K7QF", TEXT.lower(), TEXT + " ",
    TEXT.replace("0803", "0832"), TEXT.replace("CR1", "CR2"), TEXT.replace(" T ", " X "), "WIFI:T:WPA;S:CR1;;",
    "CR1 C  K7QF 3XJ2M8QA", "CR1 C " + "号" * 81 + " K7QF 3XJ2MAQA", TEXT.replace("2021", "0000"),
    TEXT.replace("1", "１"),
])  # fmt: skip
def test_what_is_not_of_our_form_is_nobodys(text):
    assert codes.read(text) is None


def test_a_slate_that_is_out_of_sight_for_some_looks_is_one_showing():
    hits = [(0.0, "a"), (1.0, "a"), (4.0, "a"), (5.0, "b"), (20.0, "a")]
    assert codes.seen(hits, 1.0) == [(0.0, 4.0, "a"), (5.0, 5.0, "b"), (20.0, 20.0, "a")]


def test_stretches_that_touch_are_one():
    assert codes.stretches([0.0, 1.0, 9.0, 10.0], 1.0, 1.0) == [(0.0, 2.0), (8.0, 11.0)]

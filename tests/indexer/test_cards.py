"""The clock card draws, in a real browser, what another QR maker draws; the slate on paper can be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
import segno
import zxingcpp
from PIL import Image

from indexer.cards.clock import page_of, picture_of
from indexer.cards.slate import pdf_of
from pipeline import codes
from tests.browsing import Screen, screen

CARD, SECRET = "K7QF", codes.secret_of("K7QF", b"h" * 32)
CASE = "平商务罚字〔2021〕第3号"


@pytest.fixture(scope="module")
def browser() -> Iterator[Screen]:
    with screen() as opened:
        yield opened


def test_the_page_draws_modules_and_seals_as_others_do(browser: Screen, tmp_path: Path) -> None:
    """Module for module beside segno, for instants of every digit; the seals beside Python's HMAC.

    segno 1.6.6 adds a codeword of zeros where a text's bits end with a codeword, as ours do: a letter less is compared.
    """
    path = tmp_path / "card.html"
    path.write_text(page_of(CARD, SECRET, "赵管理 <b>"), encoding="utf-8")
    browser.page.goto(path.as_uri())
    assert "赵管理 <b>" in browser.page.inner_text("body")
    first = datetime(2021, 8, 3, 2, 10, 5, tzinfo=UTC)
    moments = [first + timedelta(days=37 * number, seconds=11.2 * number) for number in range(40)]
    drawn = browser.page.evaluate(
        """all => all.map(ms => {
          const text = textAt(ms);
          return [text, matrixOf(text), matrixOf(text.slice(0, -1))];
        })""",
        [round(one.timestamp() * 1000) for one in moments],
    )
    for moment, (text, whole, shorter) in zip(moments, drawn, strict=True):
        found = codes.read(text)
        assert found is not None
        assert timedelta(0) <= moment - (found.at or first) < timedelta(seconds=codes.STEP_S)
        assert codes.is_sealed(found, b"h" * 32)
        theirs = segno.make(
            text[:-1], version=3, error="q", mode="alphanumeric", mask=2, boost_error=False, micro=False
        )
        assert shorter == [list(row) for row in theirs.matrix]
        pixels = np.pad(
            255 - np.kron(np.array(whole, np.uint8), np.full((3, 3), 255, np.uint8)), 12, constant_values=255
        )
        assert [one.text for one in zxingcpp.read_barcodes(pixels)] == [text]


def test_the_page_shows_now_and_goes_on_by_itself(browser: Screen, tmp_path: Path) -> None:
    path = tmp_path / "card.html"
    path.write_text(page_of(CARD, SECRET, "x"), encoding="utf-8")
    browser.page.goto(path.as_uri())
    seen = []
    for _ in range(3):
        picture = tmp_path / "shown.png"
        before = datetime.now(UTC)
        browser.page.screenshot(path=str(picture))
        with Image.open(picture) as shown:
            [one] = zxingcpp.read_barcodes(shown.convert("L"))
        found = codes.read(one.text)
        assert found is not None
        assert found.at is not None
        assert -0.7 < (found.at - before).total_seconds() < 2.0
        seen.append(found.at)
        browser.page.wait_for_timeout(250)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_picture_shows_one_moment(suffix: str, tmp_path: Path) -> None:
    text = codes.clock_text(datetime(2021, 8, 3, 10, 10, 5, tzinfo=UTC), CARD, SECRET)
    path = tmp_path / f"card{suffix}"
    path.write_bytes(picture_of(text, suffix))
    if suffix == ".svg":
        assert path.read_bytes().lstrip().startswith(b"<?xml")
        return
    with Image.open(path) as picture:
        assert [one.text for one in zxingcpp.read_barcodes(picture.convert("L"))] == [text]


@pytest.mark.parametrize("title", ["", "无证经营案 " * 20])
def test_the_slate_on_paper_holds_the_code_and_the_number(title: str) -> None:
    text = codes.slate_text(CASE, CARD, SECRET)
    document = pypdfium2.PdfDocument(pdf_of(text, CASE, title, CARD))
    assert len(document) == 1
    page = document[0]
    assert [round(side) for side in page.get_size()] == [842, 595]  # A4 in points
    assert CASE in page.get_textpage().get_text_bounded()
    picture = page.render(scale=1).to_pil().convert("L")
    assert [one.text for one in zxingcpp.read_barcodes(np.asarray(picture))] == [text]

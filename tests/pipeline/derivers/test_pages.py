from __future__ import annotations

import os

import numpy as np
import pytest
from fpdf import FPDF
from PIL import Image

from pipeline.derivers import pages
from pipeline.edges.caged.pages import draw_pages
from pipeline.errors import Unreadable
from pipeline.records import Known, Property
from pipeline.stages import derive
from tests.pipeline.filming import context_of, of_role
from tests.pipeline.probing import original_of
from tests.samples.documents import (
    blank_pages,
    chinese_without_its_font,
    office,
    pdf,
    with_a_bomb,
    with_a_sealed_field,
)


def _facts(source, tmp_path, **values):
    named = {name: Property(name=name, found=str(v), value=v, finder="t/1") for name, v in values.items()}
    return derive.STAGE.run(Known(original=original_of(source), properties=named), context_of(source, tmp_path))


def _pages(facts):
    return [one for one in facts.made if one.role == "page"]


def _letter(path, *, password=None, orientation="P"):
    written = FPDF(orientation=orientation, format="A4")
    for words in ("first", "second", "third"):
        written.add_page()
        written.set_font("helvetica", size=60)
        written.text(20, 60, words)
    if password is not None:
        written.set_encryption(owner_password="owner", user_password=password)
    written.output(str(path))
    return path


def _ink(path):
    """Share of dark pixels."""
    with Image.open(path) as picture:
        return float((np.asarray(picture.convert("L")) < 128).mean())


def test_a_pdf_gets_an_image_of_every_page_and_no_caveat(tmp_path):
    facts = _facts(_letter(tmp_path / "a.pdf"), tmp_path)
    assert facts.caveats == ()
    made = _pages(facts)
    assert [one.parameters["page"] for one in made] == [1, 2, 3]
    assert (made[0].parameters["of"], made[0].parameters["drawn"]) == (3, 3)
    for one in made:
        with Image.open(one.path) as shown:
            # A4 is 210 x 297 mm.
            assert max(shown.size) <= pages.PAGE_PX
            assert shown.width / shown.height == pytest.approx(210 / 297, abs=0.002)
        assert 0.001 < _ink(one.path) < 0.2
    assert of_role(facts.made, "poster").parameters["page"] == 1
    assert "PDFium" in made[0].tool


def test_a_page_that_says_it_is_turned_stands_upright(tmp_path):
    source = blank_pages(tmp_path / "a.pdf", 1, b"[0 0 200 100] /Rotate 90")
    with Image.open(_pages(_facts(source, tmp_path))[0].path) as shown:
        assert shown.width * 2 == pytest.approx(shown.height, abs=2)


def test_two_blank_pages_are_two_files(tmp_path):
    made = _pages(_facts(blank_pages(tmp_path / "a.pdf", 2), tmp_path))
    assert len({one.path.read_bytes() for one in made}) == 2


def test_chinese_text_is_there_though_the_file_holds_no_font_and_that_is_said(tmp_path):
    facts = _facts(chinese_without_its_font(tmp_path / "a.pdf", "现场检查笔录"), tmp_path)
    assert _ink(_pages(facts)[0].path) > 0.01
    (caveat,) = facts.caveats
    assert caveat.code == "page_fonts"
    assert "SimSun" in caveat.text
    assert "SimSun" in caveat.text_zh


def test_a_seal_in_a_signature_field_is_drawn(tmp_path):
    made = _pages(_facts(with_a_sealed_field(tmp_path / "a.pdf"), tmp_path))
    with Image.open(made[0].path) as shown:
        red = shown.getpixel((shown.width // 4, shown.height // 2))
    assert red[0] > 200
    assert max(red[1:]) < 60


def test_a_locked_pdf_says_what_to_ask_for(tmp_path):
    facts = _facts(_letter(tmp_path / "a.pdf", password="secret"), tmp_path)
    (caveat,) = facts.caveats
    assert caveat.code == "no_pages"
    assert "asks for a password" in caveat.text
    assert "密码" in caveat.text_zh
    assert facts.made == ()


def test_a_pdf_that_only_forbids_changes_is_shown(tmp_path):
    facts = _facts(_letter(tmp_path / "a.pdf", password=""), tmp_path)
    assert len(_pages(facts)) == 3


@pytest.mark.parametrize("kept", [0.02, 0.5])
def test_a_damaged_pdf_shows_what_there_is_or_says_that_it_is_damaged(tmp_path, kept):
    whole = _letter(tmp_path / "whole.pdf").read_bytes()
    source = tmp_path / "a.pdf"
    source.write_bytes(whole[: int(len(whole) * kept)])
    facts = _facts(source, tmp_path)
    assert bool(_pages(facts)) != any(caveat.code == "no_pages" for caveat in facts.caveats)
    if not _pages(facts):
        assert "damaged" in facts.caveats[0].text
        assert "损坏" in facts.caveats[0].text_zh


def test_of_ten_thousand_pages_the_first_are_drawn_and_the_rest_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "PAGES_MAX", 12)
    monkeypatch.setattr(pages, "PAGE_PX", 100)
    facts = _facts(blank_pages(tmp_path / "a.pdf", 10_000), tmp_path)
    assert [one.parameters["page"] for one in _pages(facts)] == list(range(1, 13))
    (caveat,) = facts.caveats
    assert caveat.code == "pages_incomplete"
    assert "12 of its 10000 pages" in caveat.text
    assert "10000 页" in caveat.text_zh


def test_time_ends_the_drawing_and_what_was_drawn_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "CPU_S", 0.0)
    with pytest.raises(Unreadable, match="not one of its pages"):
        pages.derive(*_handed(_letter(tmp_path / "a.pdf"), tmp_path))


def _handed(source, tmp_path):
    return source, Known(original=original_of(source)), tmp_path, context_of(source, tmp_path)


def test_a_page_with_a_pixel_bomb_costs_its_own_image_alone(tmp_path):
    facts = _facts(with_a_bomb(tmp_path / "a.pdf"), tmp_path)
    drawn = [one.parameters["page"] for one in _pages(facts)]
    assert {1, 3} <= set(drawn)


@pytest.mark.parametrize("box", [b"[0 0 1 1000000]", b"[0 0 0 0]", b"[0 0 1e30 1e30]", b"[0 0 -5 7]"])
def test_no_paper_is_too_strange(tmp_path, box):
    for one in _pages(_facts(blank_pages(tmp_path / "a.pdf", 1, box), tmp_path)):
        with Image.open(one.path) as shown:
            assert max(shown.size) <= pages.PAGE_PX + 1


def test_a_page_that_kills_its_reader_is_left_out_and_the_others_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "draw_pages", dies_at_the_second)
    facts = _facts(blank_pages(tmp_path / "a.pdf", 4), tmp_path)
    assert [one.parameters["page"] for one in _pages(facts)] == [1, 3, 4]
    (caveat,) = facts.caveats
    assert "3 of its 4 pages" in caveat.text


def test_a_document_of_deadly_pages_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "draw_pages", dies_always)
    facts = _facts(blank_pages(tmp_path / "a.pdf", 50), tmp_path)
    assert facts.made == ()
    assert "damaged" in facts.caveats[0].text


def dies_at_the_second(source, is_pdf, folder, side_px, poster_px, first, last, cpu_s):
    if first > 2:
        return draw_pages(source, is_pdf, folder, side_px, poster_px, first, last, cpu_s)
    draw_pages(source, is_pdf, folder, side_px, poster_px, 1, 1, cpu_s)
    os.kill(os.getpid(), 11)
    return None


def dies_always(*_):
    os.kill(os.getpid(), 11)


def test_a_tiff_of_several_pages_gets_an_image_of_each_beside_its_view(tmp_path):
    source = tmp_path / "a.tif"
    sheets = [Image.new("RGB", (300, 200), colour) for colour in ("red", "blue", "green")]
    sheets[0].save(source, save_all=True, append_images=sheets[1:])
    facts = _facts(source, tmp_path, **{"picture.frames": 3})
    assert facts.caveats == ()
    shown = [Image.open(one.path).convert("RGB").getpixel((100, 100)) for one in _pages(facts)]
    assert [int(np.argmax(colour)) for colour in shown] == [0, 2, 1]
    assert {one.role for one in facts.made} == {"view", "poster", "page"}


def test_a_tiff_of_one_picture_has_no_pages(tmp_path):
    source = tmp_path / "a.tif"
    Image.new("RGB", (30, 20)).save(source)
    assert _pages(_facts(source, tmp_path, **{"picture.frames": 1})) == []


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a.doc", "a.rtf", "a.ofd"])
def test_an_office_document_is_kept_and_says_how_to_have_its_pages(tmp_path, name):
    facts = _facts(office(tmp_path / name), tmp_path)
    assert facts.made == ()
    (caveat,) = facts.caveats
    assert caveat.code == "no_pages"
    assert "print it to PDF" in caveat.text
    assert "PDF" in caveat.text_zh


def test_javascript_in_a_pdf_is_never_run(tmp_path):
    source = pdf(tmp_path / "a.pdf", [
        b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert(1); while(1){}) >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] >>",
    ])  # fmt: skip
    assert len(_pages(_facts(source, tmp_path))) == 1

"""Codes in really encoded recordings: small, at an angle, blurred; and those that must tell nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import zxingcpp
from PIL import Image

from config.settings import load
from pipeline import codes
from pipeline.derivers.codes import DERIVER
from pipeline.extractors.codes import EXTRACTOR
from pipeline.footage import look_at
from pipeline.listening import Part, listen
from pipeline.records import Facts, Known
from pipeline.timing.filmed import Filmed, beginning_of
from tests.pipeline.filming import context_of, heard_by, of_role, probed, tools
from tests.pipeline.showing import Way, code_image, filmed, held

SECRET = codes.secret_of("K7QF", b"h" * 32)
BEGUN = datetime(2026, 3, 2, 1, 0, 0, 37_000, tzinfo=UTC)
CASE, OTHER = "平商务罚字〔2021〕第3号", "AJ2021-0042"
SLATE, SECOND = (codes.slate_text(one, "ABCD", SECRET) for one in (CASE, OTHER))
FOREIGN = ("https://example.org/r/8271?x=CR1 T", "WIFI:T:WPA;S:office;P:CR1;;", "CR1 T 20260302T010000.0+0000 KFC 1")


def running(at_s: float) -> str | None:
    """A clock card that runs from 1.3 to 3.6 s."""
    if not 1.3 <= at_s < 3.6:
        return None
    ms = int((BEGUN + timedelta(seconds=at_s)).timestamp() * 1000)
    return codes.clock_text(datetime.fromtimestamp(ms // 200 / 5, UTC), "K7QF", SECRET)


def as_known(facts: Facts) -> Known:
    told = {one.name: one.value for one in facts.properties}
    return cast(Known, SimpleNamespace(value=lambda name, default=None: told.get(name, default)))


def looked_at(path: Path, scratch: Path) -> tuple[Facts, Any]:
    facts = heard_by(DERIVER, path, scratch)
    return facts, beginning_of(codes.readings_of(as_known(facts)))


@pytest.mark.parametrize("way", [
    Way(share=0.5), Way(share=0.22), Way(share=0.5, lean=1.2, turn=33), Way(share=0.5, blur=2.0),
    Way(share=0.45, lean=0.8, turn=-15, blur=1.2),
], ids=["plain", "small", "askew", "blurred", "askew and blurred"])  # fmt: skip
def test_a_clock_card_in_a_480p_recording_tells_when_it_began(tmp_path: Path, way: Way) -> None:
    source = filmed(tmp_path / "a.mp4", running, seconds=4.4, way=way)
    facts, found = looked_at(source, tmp_path)
    assert isinstance(found, Filmed)
    assert abs((found.start_at - BEGUN).total_seconds()) <= found.uncertainty_s < 0.3
    assert facts.is_retimed
    kept = json.loads(of_role(facts.made, "codes").path.read_text())["clock"]
    # Stamps are those of the recording: 25 pictures a second.
    assert {round(at_s - pts * kept["unit"][0] / kept["unit"][1], 3) for pts, at_s, _ in kept["readings"]} == {0}
    assert len(kept["readings"]) > 40 >= len(codes.readings_of(as_known(facts)))


def test_a_card_is_read_where_key_frames_alone_are_looked_at(tmp_path: Path) -> None:
    """Key frames two seconds apart; the pictures about a hit are read from the recording itself."""
    source = filmed(tmp_path / "a.mp4", running, seconds=4.4, size=(640, 360), options=("-g", "50", "-bf", "0"))
    known, usual = probed(source), context_of(source, tmp_path)
    settings = load(tmp_path, {"CASEREEL_MEDIA_ANALYSIS": "key_frames"})
    assert look_at(known, settings).how == "key_frames"
    context = cast(Any, SimpleNamespace(**{**vars(usual), "settings": settings}))
    part = Part("codes", lambda trial: DERIVER.listen(known, tmp_path, context, trial))  # type: ignore[misc]
    facts = listen([part], source, known, context)["codes"]
    assert isinstance(facts, Facts)
    found = beginning_of(codes.readings_of(as_known(facts)))
    assert isinstance(found, Filmed)
    assert abs((found.start_at - BEGUN).total_seconds()) <= found.uncertainty_s


def test_slates_say_from_when_to_when_they_were_seen(tmp_path: Path) -> None:
    def shown(at_s: float) -> str | None:
        return SLATE if at_s < 2.5 else SECOND if at_s > 4.5 else None

    facts, _ = looked_at(
        filmed(tmp_path / "a.mp4", shown, way=Way(share=0.6, lean=0.6, blur=1), size=(640, 360)), tmp_path
    )
    seen = codes.slates_of(as_known(facts))
    assert [(one.code.case, one.from_s, one.to_s) for one in seen] == [(CASE, 0.0, 2.0), (OTHER, 5.0, 5.0)]
    assert not facts.is_retimed


def test_what_is_none_of_our_codes_tells_nothing(tmp_path: Path) -> None:
    """Foreign codes, half a clock card, half a slate, a slate without its seal: a second each."""
    half_card = held(code_image(str(running(2.0))), 480, Way(share=1, kept=0.55))
    half_slate = held(code_image(SLATE), 480, Way(share=1, kept=0.5, turn=90))
    shown = [*FOREIGN, half_card, half_slate, SLATE.rpartition(" ")[0]]
    assert len(read_all(code_image(one) for one in FOREIGN)) == len(FOREIGN)
    source = filmed(tmp_path / "a.mp4", lambda at_s: shown[int(at_s)], seconds=len(shown), size=(640, 360))
    assert heard_by(DERIVER, source, tmp_path) == Facts()


def read_all(images: Iterable[Image.Image]) -> list[str]:
    return [one.text for image in images for one in zxingcpp.read_barcodes(np.asarray(image))]


def test_a_picture_of_the_card_that_is_filmed_is_seen_and_stands_still(tmp_path: Path) -> None:
    text = running(2.0)
    facts, found = looked_at(filmed(tmp_path / "a.mp4", lambda _: text, seconds=3, size=(640, 360)), tmp_path)
    assert facts.is_retimed
    assert "stood still" in found.en


def test_a_reader_that_fails_costs_its_part_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = filmed(tmp_path / "a.mp4", lambda _: SLATE, seconds=2, size=(640, 360))
    known = probed(source)
    monkeypatch.setattr("pipeline.derivers.codes.read_pictures", failing)
    with pytest.raises(Exception, match="failed on every picture"):
        heard_by(DERIVER, source, tmp_path, known)


def failing(*_: Any) -> None:
    """A reader that dies of its picture."""
    raise SystemExit(3)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_photo_of_a_slate_and_a_card_is_read_too(tmp_path: Path, suffix: str) -> None:
    photo = Image.effect_noise((2400, 1600), 40)
    photo.paste(held(code_image(SLATE), 1600, Way(share=0.3, lean=0.5, turn=8)), (1000, 600))
    photo.paste(code_image(str(running(2.0))).resize((400, 400)), (60, 60))
    path = tmp_path / f"a{suffix}"
    photo.convert("RGB").save(path)
    assert EXTRACTOR.reads(probed(path).original)
    told = tools().call(EXTRACTOR.extract, str(path), reads=[path])
    values = {name: value for name, _, value in told["properties"]}
    assert values["codes.slates"] == {"seen": [[0.0, 0.0, SLATE]]}
    assert values["codes.clock"]["readings"] == [[0, 0.0, running(2.0)]]


def test_a_photo_without_a_code_and_one_that_is_damaged_have_none(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.effect_noise((640, 480), 60).convert("RGB").save(path)
    whole = path.read_bytes()
    for data in (whole, whole[: len(whole) // 3], b"\xff\xd8\xff\xe0 no picture"):
        path.write_bytes(data)
        assert tools().call(EXTRACTOR.extract, str(path), reads=[path]) == {"properties": [], "caveats": []}

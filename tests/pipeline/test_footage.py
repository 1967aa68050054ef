from __future__ import annotations

import pytest

from config.settings import load
from pipeline.footage import LENGTH_ASSUMED_S, STALL_S, has_sound, is_decodable, kind_of, length_s, limits_for
from pipeline.records import Known, Property
from tests.pipeline.probing import original_of


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\x00" * 100)
    return original_of(path)


def _known(original, **values):
    return Known(
        original=original, properties={name: Property(name=name, found=str(v), value=v) for name, v in values.items()}
    )


def test_what_the_container_holds_wins_over_the_first_bytes(wav):
    assert kind_of(_known(wav)) == "audio"
    assert kind_of(_known(wav, **{"container.kind": "video"})) == "video"


def test_the_earlier_of_data_end_and_declared_length_counts(wav):
    known = _known(wav, **{"container.data_end_s": 3.0, "container.duration_s": 5387.0})
    assert length_s(known) == 3.0
    assert length_s(_known(wav, **{"container.data_end_s": 16.6, "container.duration_s": 13.1})) == 13.1


@pytest.mark.parametrize("claimed", [0, -1.0, 1e9])
def test_a_length_nobody_can_believe_is_none(wav, claimed):
    assert length_s(_known(wav, **{"container.duration_s": claimed})) is None


def test_a_silent_video_has_no_sound(wav):
    assert not has_sound(_known(wav, **{"container.kind": "video", "video.codec": "h264"}))
    assert has_sound(_known(wav, **{"container.kind": "video", "audio.codec": "aac"}))
    assert has_sound(_known(wav))


def test_a_format_unknown_to_us_is_never_decoded(tmp_path):
    path = tmp_path / "x.mp4"
    path.write_bytes(b"#EXTM3U\n#EXTINF:1,\n/other.mp4\n")
    assert not is_decodable(_known(original_of(path), **{"container.kind": "video"}))


def test_limits_grow_with_the_length_and_always_end_what_stands_still(wav, tmp_path):
    settings = load(tmp_path, {})
    short = limits_for(_known(wav, **{"container.duration_s": 10.0}), settings)
    assert short.wall_s == settings.media.wall_factor * 10 + 60
    assert short.nice == 10
    assert short.stall_s == STALL_S
    assert limits_for(_known(wav), settings).wall_s == settings.media.wall_factor * LENGTH_ASSUMED_S + 60

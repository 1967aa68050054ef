"""Numbers of persons in lists. The identity-card number with its check digit is the example of GB 11643."""

from __future__ import annotations

import pytest

from indexer.persons.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("11010519491231002X_询问.mp4", "110105********002X_询问.mp4"),
        ("640103201905121234_询问.mp4", "640103********1234_询问.mp4"),
        ("询问６４０１０３２０１９０５１２１２３４.mp4", "询问６４０１０３********１２３４.mp4"),
        ("640103900307123.jpg", "640103*****7123.jpg"),
        ("张三@13800138000_20210803101010.mp3", "张三@138****8000_20210803101010.mp3"),
        ("13800138000(13800138000)_1.mp3", "138****8000(138****8000)_1.mp3"),
    ],
)
def test_the_middle_is_hidden_and_the_length_stays(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert len(masked(text)) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "20210803101010_0001.MP4", "mmexport1451181351065.jpg", "DSJ_HA1234567_000123_20210803101010_0001_IMP.mp4",
        "91640100MA75X20210.jpg", "NVR_ch1_main_20230619064223_20230619064228.dav", "640103201913121234.mp4",
        "138001380001.mp3", "ch0001_00000004351031725107200049243", "SN20210803101.mp4", "",
    ],
)  # fmt: skip
def test_times_serials_and_numbers_of_firms_stay(text: str) -> None:
    assert masked(text) == text

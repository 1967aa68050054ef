from __future__ import annotations

import pytest

from indexer.words.numerals import number_of, numerals_in


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("十", 10), ("十二", 12), ("二十", 20), ("二十三", 23), ("一百零五", 105), ("一百五", 150), ("两千二", 2200),
        ("三千零五", 3005), ("叁仟", 3000), ("贰万", 20000), ("壹万贰仟伍佰", 12500), ("一万二", 12000),
        ("一亿三千万", 130_000_000), ("三〇二", 302),
        ("万一", None), ("千千", None), ("百一", None), ("二三十", None), ("十百", None), ("零", 0),
    ],
)  # fmt: skip
def test_characters_say_a_number(written: str, value: int | None) -> None:
    assert number_of(written) == value


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("第二十三条第一款", ["23", "1"]),
        ("罚款叁仟元整", ["3000"]),
        ("2.5万元", ["25000"]),
        ("共1,250,000元", ["1250000"]),
        ("十五天后到三号仓库", ["15", "3"]),
        ("张三丰与万俟九思", []),
        ("一起去一个地方", []),
        ("百禾超市", []),
        ("坐标1,25", []),
        ("25袋", []),
    ],
)
def test_numbers_written_out_are_read_where_they_count_something(text: str, digits: list[str]) -> None:
    assert [number.digits for number in numerals_in(text)] == digits

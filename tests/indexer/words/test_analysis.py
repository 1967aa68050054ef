from __future__ import annotations

from random import Random

import pytest

from indexer.words import analysis
from indexer.words.analysis import BREAK, phrase


def shown(text: str, *sought: str) -> list[str]:
    return [text[start:end] for start, end in analysis.spans_of(text, [phrase(one) for one in sought])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ＡＢＣ　１２", "abc 12"),
        ("㈱①㎡", "株1m2"),
        ("〔2021〕【3】「a」", " 2021  3  a "),
        ("A–B—C−D", "a-b-c-d"),
        ("臨時執法記錄", "临时执法记录"),
        ("二〇二一年", "2021年"),
        ("二○二一", "2021"),
        ("一百二十", "一百二十"),
        ("认\u200b识\ufe0f", "认识"),
        ("责 令 改 正", "责令改正"),
        ("李建 国庆", "李建 国庆"),
        ("李 建", "李 建"),
        ("Straße", "strasse"),
        ("e\u0301", "é"),
        ("か\u3099", "が"),
        ("", ""),
    ],
)
def test_texts_that_mean_the_same_take_one_form(text: str, expected: str) -> None:
    assert analysis.norm(text) == expected


def test_the_form_with_offsets_is_the_form_without() -> None:
    chance = Random(3)
    alphabet = "a1Ａ１ 二〇一九年臨(（〔—①㈱e\u0301\u200b責 令改正𠮷か\u3099\n"
    for _ in range(500):
        text = "".join(chance.choices(alphabet, k=chance.randint(0, 30)))
        mapped = analysis.norm_map(text)
        assert mapped.text == analysis.norm(text)
        assert len(mapped.text) == len(mapped.starts) == len(mapped.ends)
        assert list(analysis.stream_of(text).texts) == analysis.tokens(text)


def test_texts_take_the_same_form_together_as_alone() -> None:
    texts = ["二〇二一", "年〔2021〕", "現 場 檢 查", "", "e\u0301té", "\u0301a", " 单 ", "十二"]
    for some in (texts, [*texts, f"甲{BREAK}乙"]):
        assert analysis.norms(some) == [analysis.norm(text) for text in some]


def test_unspaced_scripts_are_cut_in_pairs_with_the_last_alone_and_others_whole() -> None:
    assert analysis.tokens("现场检查 DSJ-A7 007号") == ["现场", "场检", "检查", "查", "dsj", "a", "7", "7", "号"]


def test_zero_stays_zero() -> None:
    assert analysis.tokens("0 000") == ["0", "0"]


def test_texts_of_one_field_are_kept_apart() -> None:
    assert analysis.tokens_of_all(["甲乙", "", "丙"]) == ("甲乙", "乙", BREAK, "丙")


@pytest.mark.parametrize(
    ("typed", "tokens", "is_open"),
    [
        ("鑫源达", ("鑫源", "源达"), False),
        ("油", ("油",), True),
        ("3号", ("3", "号"), True),
        ("第3", ("第", "3"), False),
        ("body cam", ("body", "cam"), False),
        ("?!", (), False),
    ],
)
def test_a_phrase_asks_for_a_substring(typed: str, tokens: tuple[str, ...], is_open: bool) -> None:
    assert (phrase(typed).tokens, phrase(typed).last_is_prefix) == (tokens, is_open)


@pytest.mark.parametrize(
    ("text", "sought", "expected"),
    [
        ("平商務罰字（２０２１）第００３號 门头", "2021第3号", ["２０２１）第００３號"]),
        ("當事人 平江縣鑫源達商貿", "鑫源达", ["鑫源達"]),
        ("當事人", "当事", ["當事"]),
        ("加油站油罐", "油", ["油", "油"]),
        ("㈱山田商店", "株", ["㈱"]),
        ("责 令 改 正", "令改", ["令 改"]),
        ("认\u200b识", "认识", ["认\u200b识"]),
        ("Cafe\u0301 x", "CAFÉ", ["Cafe\u0301"]),
        ("鑫源达", "鑫源达商贸", []),
        ("", "a", []),
    ],
)
def test_what_was_found_is_shown_in_the_text_as_it_was(text: str, sought: str, expected: list[str]) -> None:
    assert shown(text, sought) == expected


def test_finds_that_touch_are_one() -> None:
    assert shown("现场检查录像", "现场检", "检查") == ["现场检查"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("车牌湘A·8K2P6", {"a8k2p6", "湘a8k2p6"}),
        ("DSJ-A7-004213", {"dsja7004213"}),
        ("电话139-0730-1234。", {"13907301234", "话13907301234", "…1234"}),
        ("座机0730-6221234", {"07306221234", "机07306221234", "6221234"}),
        ("no digits here", set()),
        ("A1 b2", set()),
    ],
)
def test_identifiers_are_kept_without_their_punctuation(text: str, expected: set[str]) -> None:
    assert analysis.keys(text) == expected


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("湘Ａ·8K2P6", "湘a8k2p6"),
        ("dsj-a7-004213", "dsja7004213"),
        ("2021", None),
        ("1390730", "1390730"),
        ("鑫源达", None),
        ("鑫源A123", None),
        ("a b1234", None),
    ],
)
def test_only_a_whole_identifier_has_a_key(typed: str, key: str | None) -> None:
    assert analysis.key_of(typed) == key


@pytest.mark.parametrize(("han", "number"), [("七", 7), ("十二", 12), ("二十", 20), ("一百零三", 103), ("二〇", 20)])
def test_numbers_in_han_characters(han: str, number: int) -> None:
    assert analysis.han_number(han) == number


def test_a_long_text_is_cut_in_linear_time() -> None:
    assert len(analysis.tokens("现场检查，" * 40_000)) == 160_000


@pytest.mark.parametrize(
    ("text", "sought", "marked"),
    [
        ("罚款叁仟元整", "3000元", ["叁仟元"]),
        ("依据第二十三条第一款", "第23条", ["第二十三条"]),
        ("白酒四十八瓶", "48瓶", ["四十八瓶"]),
        ("罚款25,000元", "25000元", ["25,000元"]),
    ],
)
def test_a_number_in_another_writing_is_marked_as_it_stands(text: str, sought: str, marked: list[str]) -> None:
    assert shown(text, sought) == marked

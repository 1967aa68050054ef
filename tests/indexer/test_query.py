from __future__ import annotations

from datetime import date
from random import Random

import pytest

from indexer.query import explain, parse
from indexer.tree import All, During, Either, Exact, Node, Not, Words

TODAY = date(2026, 11, 22)
ZONE = "Asia/Shanghai"


def node(text: str) -> Node:
    return parse(text, today=TODAY, zone=ZONE).node


def told(text: str, lang: str = "zh") -> str:
    return explain(parse(text, today=TODAY, zone=ZONE), zone=ZONE, lang=lang)


def test_words_beside_one_another_must_all_be_there() -> None:
    assert node("现场 录像") == All((Words(("现场",)), Words(("录像",))))


@pytest.mark.parametrize("text", ["现场 OR 录像", "现场 或 录像", "现场　或者　录像"])
def test_either_word(text: str) -> None:
    assert node(text) == Either((Words(("现场",)), Words(("录像",))))


@pytest.mark.parametrize(
    "text", ["现场 AND NOT 录像", "现场 NOT 录像", "现场 -录像", "现场 不含 录像", "现场 非 录像", "现场 且 非 录像"]
)
def test_words_that_must_not_be_there(text: str) -> None:
    assert node(text) == All((Words(("现场",)), Not(Words(("录像",)))))


def test_brackets_group_and_quotation_marks_keep_together() -> None:
    assert node("(现场 OR 录像) “a b”") == All((Either((Words(("现场",)), Words(("录像",)))), Words(("a", "b"))))


def test_brackets_within_a_word_are_no_grammar() -> None:
    assert node("长沙(平江)分店") == Words(("长沙", "沙", "平江", "江", "分店"))


def test_a_star_leaves_the_end_open() -> None:
    assert node("IMG_00*") == Words(("img", "0"), last_is_prefix=True)


@pytest.mark.parametrize("text", ["设备:记录仪", "设备：记录仪", "device:记录仪", "DEVICE:记录仪"])
def test_a_field_before_a_colon(text: str) -> None:
    assert node(text) == Words(("记录", "录仪"), field="device")


def test_an_unknown_field_is_a_word() -> None:
    assert node("foo:bar") == Words(("foo", "bar"))


@pytest.mark.parametrize("text", ["类型:视频", "kind:video", "类型:录像"])
def test_a_kind_is_a_whole_value(text: str) -> None:
    assert node(text) == Exact("kind", "video")


@pytest.mark.parametrize(
    "text",
    [
        "平商务罚字〔2021〕第3号",
        "平商务罚字(2021)第3号",
        "平商務罰字［２０２１］第００３號",
        "平商务罚字 2021 3",
        "平 商 务 罚 字 【2021】 3 号",
        "平商务罚字二〇二一第三号",
    ],
)
def test_a_case_number_in_any_writing_is_sought_as_a_number_only(text: str) -> None:
    assert node(text) == Exact("keys", "平商务罚-2021-3")


@pytest.mark.parametrize("text", ["平商务罚字(2021)第3号 鑫源", "平商务罚字〔2021〕第3号鑫源"])
def test_a_case_number_among_words(text: str) -> None:
    assert node(text) == All((Exact("keys", "平商务罚-2021-3"), Words(("鑫源",))))


def test_words_before_a_case_number_do_not_run_into_it() -> None:
    assert node("鑫源 平商务罚字(2021)第3号") == All((Words(("鑫源",)), Exact("keys", "平商务罚-2021-3")))


def test_a_case_number_can_be_barred_or_asked_of_links() -> None:
    assert node("-平商务罚字(2021)3号") == Not(Exact("keys", "平商务罚-2021-3"))
    assert node("案号：平商务罚字(2021)3号") == Exact("case_keys", "平商务罚-2021-3")


def test_a_quoted_case_number_is_sought_as_it_stands() -> None:
    assert node('"罚字〔2021〕3号"') == Words(("罚字", "字", "2021", "3", "号"), last_is_prefix=True)


@pytest.mark.parametrize("text", ["8月3日 上午", "8月3日上午", "时间:8月3日上午"])
def test_words_about_time_become_an_interval(text: str) -> None:
    # 2026-08-03 06:00 and 12:00 in China, by `date -d ... +%s`.
    assert node(text) == During(1785708000_000, 1785729600_000)


def test_an_identifier_is_sought_as_it_stands_and_by_its_key() -> None:
    assert node("DSJ-A7") == Either((Words(("dsj", "a", "7")), Exact("keys", "dsja7")))


def test_a_beginning_of_a_digest_is_sought_as_such() -> None:
    assert Exact("digests", "0a1b2c3d4e", is_prefix=True) in node("0A1B2C3D4E").parts  # type: ignore[union-attr]


def test_nothing_typed_asks_for_everything_and_signs_alone_for_nothing() -> None:
    assert (node("  "), node("!?"), node("()")) == (All(), Either(), Either())


@pytest.mark.parametrize(
    "text", ["AND", "NOT", "a AND", "(((", '"', ":", "案号:", "* ", "-", "^2", "a OR", "\ue0005\ue001"]
)
def test_what_is_no_grammar_is_sought_as_words_or_nothing(text: str) -> None:
    told(text)


def test_nothing_typed_is_an_error() -> None:
    chance = Random(2)
    alphabet = "ab鑫源 \"()（）[]:-*+^~?\\/案号且或非12〔〕{}'“”字年月日第&|!罚\ue000\ue001\ue002\u0000\n"
    words = ["AND", "OR", "NOT", "(", ")", "-", '"', "a", "案号:", "*", "x*", "时间:", "平商务罚字〔2021〕3号", "昨天"]
    for number in range(2000):
        pool: list[str] = words if number % 2 else list(alphabet)
        text = (" " if number % 2 else "").join(chance.choices(pool, k=chance.randint(1, 20)))
        told(text)


@pytest.mark.parametrize(
    "text", ["(" * 5000, "NOT " * 2000, "a OR " * 2000, "( a " * 2000, '"' * 5000, "平商务罚字〔2021〕3号" * 300]
)
def test_very_long_texts_are_read_too(text: str) -> None:
    told(text)


def test_what_was_understood_is_told_in_both_languages() -> None:
    text = "鑫源达 -照片 平商务罚字(2021)3号 2021-08"
    assert (
        told(text)
        == "“鑫源达” 且 不含“照片” 且 案号 平商务罚字(2021)3号 且 时间 2021-08-01 00:00+08:00 至 2021-09-01 00:00+08:00"
    )
    assert told("a -b", "en") == "“a” and without “b”"
    assert (told("!"), told("")) == ("没有可检索的字", "全部")

"""Expected readings are those of 现代汉语词典 (surnames and places under their own readings)."""

from __future__ import annotations

import pytest

from indexer.words import pinyin


def is_found(name: str, typed: str) -> bool:
    wanted = pinyin.typed_as(typed)
    assert wanted is not None
    held = pinyin.spellings([name])
    return any(one.startswith(wanted) for one in held) if pinyin.is_open(wanted) else wanted in held


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("重庆小面馆", "chongqing"), ("单雄", "shanxiong"), ("万俟朔", "moqishuo"), ("尉迟敏", "yuchimin"),
        ("区怀远", "ouhuaiyuan"), ("仇英", "qiuying"), ("解缙", "xiejin"), ("曾巩", "zenggong"), ("长乐路", "changle"),
        ("乐毅", "yueyi"), ("查良镛", "zhaliang"), ("朴树", "piaoshu"), ("吕布", "lvbu"), ("吕布", "lyubu"),
        ("厦门港", "xiamen"), ("蚌埠", "bengbu"), ("鑫源达商贸", "xyd"), ("鑫源达商贸", "yds"),
        ("鑫源达商贸", "xinyuan"), ("鑫源達商貿", "xyd"), ("谭骞", "tq"),
    ],
)  # fmt: skip
def test_a_name_is_found_by_what_is_typed(name: str, typed: str) -> None:
    assert is_found(name, typed)


@pytest.mark.parametrize(
    ("name", "typed"),
    [("鑫源达商贸", "sm"), ("新源商贸", "xyd"), ("长乐", "dl"), ("李雨", "lyy"), ("瑞祥", "ruichang")],
)
def test_other_names_are_not_found(name: str, typed: str) -> None:
    assert not is_found(name, typed)


@pytest.mark.parametrize("typed", ["x", "鑫源达", "xyd1", "xin yuan", "", "x-y"])
def test_what_is_no_pinyin_is_not_taken_for_it(typed: str) -> None:
    assert pinyin.typed_as(typed) is None


def test_a_name_with_many_readings_has_a_bounded_number_of_spellings() -> None:
    assert len(pinyin.spellings(["长重行乐单曾解仇查盖任石车大都厦" * 3])) <= 30 * 2 * 16


@pytest.mark.parametrize(
    ("text", "typed", "marked"),
    [("平江县鑫源达商贸有限公司", "xyd", "鑫源达"), ("平江县鑫源達商贸", "xinyu", "鑫源"), ("〔谭骞〕", "tq", "谭骞")],
)
def test_the_characters_that_were_meant_are_marked(text: str, typed: str, marked: str) -> None:
    assert [text[low:high] for low, high in pinyin.spans_of(text, typed)] == [marked]

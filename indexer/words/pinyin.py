"""Chinese names as typed in Latin letters, by initials (`xyd`) or in full (`xinyuanda`), without tones. Pure.

Characters are read as pypinyin's table says first; those that names and companies read in several ways (单 shan, 长
chang and zhang) are written in each of them. Not covered: syllables and initials mixed (`xinyd`), older romanisations.
"""

from __future__ import annotations

import importlib.util
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

from indexer.words import analysis

_HAN_RUN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+")
_TYPED = re.compile("[a-z]{2,60}")
# Longer runs are sentences; nobody types their end.
_LONGEST_NAME = 30
_MOST_READINGS = 16
# As surnames, in places and companies: the readings that occur there, the table's own first one only where it does.
_SEVERAL_TEXT = """
单shan/dan 仇qiu/chou 区qu/ou 解xie/jie 万wan/mo 俟qi/si 曾zeng/ceng 长chang/zhang 重zhong/chong
行xing/hang 乐le/yue 朴pu/piao 查cha/zha 盖gai/ge/ji 石shi/dan 车che/ju 大da/dai 藏cang/zang 翟zhai/di
尉wei/yu 柏bai/bo 薄bo/bao 折zhe/she 都du/dou 厦xia/sha 秘mi/bi 缪miao/mou/miu 洗xi/xian 宓mi/fu
种zhong/chong 繁fan/po 句ju/gou 隗wei/kui 郇xun/huan 晟sheng/cheng 会hui/kuai 调diao/tiao 率lv/shuai
角jiao/jue 觉jue/jiao 校xiao/jiao 系xi/ji 传chuan/zhuan 弹dan/tan 参can/shen/cen 朝chao/zhao
盛sheng/cheng 省sheng/xing 降jiang/xiang 乘cheng/sheng 奇qi/ji 圩wei/xu 堡bao/pu/bu 六liu/lu 贾jia/gu
阿a/e 番fan/pan 覃qin/tan 召zhao/shao 便bian/pian 沈shen/chen 合he/ge 给gei/ji 粘nian/zhan 铅qian/yan
蚌beng/bang 泊bo/po 埔pu/bu 浒hu/xu 涡wo/guo 澄cheng/deng 牟mou/mu 莘shen/xin 荥xing/ying 蔚wei/yu
枞zong/cong 渑mian/sheng 焘tao/dao 筠jun/yun 适shi/kuo 卜bu/bo 祭ji/zhai 员yuan/yun 拓tuo/ta 宿su/xiu
藉ji/jie
"""
_SEVERAL = {pair[0]: tuple(pair[1:].split("/")) for pair in _SEVERAL_TEXT.split()}


def spellings(texts: Iterable[str]) -> tuple[str, ...]:
    """Every way to begin typing a name within these texts: from each of its characters on, by initials and in full.

    The last two characters are spelt only in full, or by initials where they are all there is: `ly` asks for 李雨 and
    for no company that ends like it.
    """
    names = {name for text in texts for name in _names(text)}
    return tuple(sorted({spelling for name in names for spelling in _of_name(name)}))


def _names(text: str) -> Iterator[str]:
    for run in _HAN_RUN.findall(analysis.norm(text)):
        if len(run) > 1:
            yield run[:_LONGEST_NAME]


@lru_cache(maxsize=4096)  # thousands of recordings concern the same parties
def _of_name(name: str) -> frozenset[str]:
    found = set[str]()
    for start in range(len(name) - 1):
        for readings in _readings(name[start:]):
            found.add("".join(readings))
            if len(readings) > 2 or not start:
                found.add("".join(reading[0] for reading in readings))
    return frozenset(found)


def _readings(name: str) -> list[tuple[str, ...]]:
    """The readings of a name; where there would be too many, its later characters are read in the usual way only."""
    found: list[tuple[str, ...]] = [()]
    for character in name:
        several = _readings_of(character)
        if len(found) * len(several) > _MOST_READINGS:
            several = several[:1]
        found = [(*before, reading) for before in found for reading in several]
    return found


def _readings_of(character: str) -> tuple[str, ...]:
    if several := _SEVERAL.get(character):
        return several
    said = _table().get(str(ord(character)), "").split(",")[0]
    # A character that nobody can read breaks the name: no letter stands for it.
    return (_plain(said) or "?",)


def _plain(said: str) -> str:
    """A syllable without its tone, ü as v, as it is typed."""
    parts = unicodedata.normalize("NFD", said).replace("u\u0308", "v")
    return "".join(part for part in parts if not unicodedata.combining(part))


@cache
def _table() -> dict[str, str]:
    # The package is not imported: it would load its phrases too, four times as much.
    spec = importlib.util.find_spec("pypinyin")
    assert spec is not None
    assert spec.origin is not None
    table: dict[str, str] = json.loads(Path(spec.origin).with_name("pinyin_dict.json").read_text(encoding="utf-8"))
    return table


def typed_as(text: str) -> str | None:
    """The letters as names are spelt with them; None where the text is no pinyin."""
    # `nyu` stays: it is also the middle of xin-yuan.
    plain = analysis.norm(text).strip().replace("ü", "v").replace("lyu", "lv")
    return plain if _TYPED.fullmatch(plain) else None


def is_open(typed: str) -> bool:
    """Whether more of the name may follow; two letters are a whole name."""
    return len(typed) > 2


def spans_of(text: str, typed: str) -> list[tuple[int, int]]:
    """Where the names that may be typed so stand in the text as it is."""
    mapped = analysis.norm_map(text)
    found = []
    for run in _HAN_RUN.finditer(mapped.text):
        name = run.group()[:_LONGEST_NAME]
        for start in range(len(name) - 1):
            length = max((_reach(readings, typed) for readings in _readings(name[start:])), default=0)
            if length and (is_open(typed) or (not start and length == len(name))):
                first = run.start() + start
                found.append((mapped.starts[first], mapped.ends[first + length - 1]))
    return analysis.joined_spans(found)


def _reach(readings: tuple[str, ...], typed: str) -> int:
    """How many characters the letters spell, by initials or in full; 0 where they spell others."""
    if "".join(reading[0] for reading in readings).startswith(typed):
        return len(typed)
    spelt = ""
    for count, reading in enumerate(readings, start=1):
        spelt += reading
        if spelt.startswith(typed):
            return count
    return 0

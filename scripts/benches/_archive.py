"""An archive of up to millions of originals, each made from its number when it is asked for, always the same.

Words are drawn as rarely as real ones are said (by Zipf's law) from a vocabulary made of two to four characters, the
speech of a recording is some 600 characters long in lines with their second; twenty originals belong to a case.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from random import Random

from pipeline.records import Known, Stated
from tests.indexer.archive import decided, known, link

_FIRST, _CHARACTERS, _WORDS = 0x4E00, 2500, 30_000
_SURNAMES, _GIVEN = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许", "伟芳娜敏静丽强磊洋艳勇军杰娟涛超明霞平刚"
_TRADES = ("食品", "商贸", "餐饮", "物流", "建筑", "口腔", "油品", "广告", "建材", "酒店")
_STEPS = ("现场检查", "调查询问", "抽样取证", "查封扣押", "听证", "送达")
_LINES, _WORDS_A_LINE = 24, 11
_BEGIN = datetime(2019, 1, 1, tzinfo=UTC)


def _vocabulary() -> list[str]:
    chance = Random(1)
    # Every eighth character of the block, so that they differ and most are in use.
    characters = [chr(_FIRST + 8 * number) for number in range(_CHARACTERS)]
    lengths = chance.choices((2, 3, 4), (75, 15, 10), k=_WORDS)
    return ["".join(chance.choices(characters, k=length)) for length in lengths]


WORDS = _vocabulary()
_WEIGHTS = list(accumulate(1 / (rank + 8) for rank in range(_WORDS)))
_STEMS = [word for word in WORDS[3000:6000] if len(word) == 2]


@lru_cache(maxsize=4096)
def case_of(number: int) -> tuple[str, str]:
    """The printed number of a case, and its party."""
    chance = Random(f"case {number}")
    party = "".join(chance.sample(_STEMS, 2)) + chance.choice(_TRADES) + "有限公司"
    return f"平商务罚字〔{2019 + number % 8}〕第{number // 8 + 1}号", party


def officer_of(number: int) -> str:
    """One of 160 officers."""
    chance = Random(f"officer {number % 160}")
    return chance.choice(_SURNAMES) + "".join(chance.choices(_GIVEN, k=2))


def device_of(number: int) -> str:
    """One of 400 devices."""
    return f"DSJ-A7-{4000 + number % 400:06}"


def original_of(number: int, said: str = "") -> Known:
    """All that is known of this original. said: spoken in it besides."""
    chance = Random(number)
    case, party = case_of(number // 20)
    start = _BEGIN + timedelta(hours=number // 20 % 60_000, seconds=chance.randint(0, 7200))
    spoken = chance.choices(WORDS, cum_weights=_WEIGHTS, k=_LINES * _WORDS_A_LINE)
    lines = [
        [at * 9.0, at * 9.0 + 8, "".join(spoken[at * _WORDS_A_LINE : (at + 1) * _WORDS_A_LINE])]
        for at in range(_LINES)
    ]  # fmt: skip
    officer, device = officer_of(number // 20 + chance.choice((0, 0, 0, 1))), device_of(number // 20)
    return known(
        identifier_of(number),
        name=f"{device}_{start:%Y%m%d_%H%M%S}.mp4",
        folder=f"{case} {party}",
        kind=chance.choice(("video", "video", "audio", "photo")),
        stated=Stated(officer=officer, device=device, activity=chance.choice(_STEPS)),
        links=[link(case)],
        time=decided(start, chance.randint(5, 1800)),
        transcript__lines=[*lines, *([[0.0, 1.0, said]] if said else [])],
    )


def identifier_of(number: int) -> str:
    """The identifier of an original."""
    return f"o{number:07}"


class Numbered:
    """A catalog of so many originals; `say` changes one."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._said: dict[int, str] = {}
        self._changed: list[tuple[int, str]] = []
        # What making the originals took, which no catalog would take.
        self.made_s, self.made_cpu_s = 0.0, 0.0

    def say(self, number: int, text: str) -> None:
        """In this original the text is said from now on."""
        self._said[number] = text
        self._changed.append((self.head() + 1, identifier_of(number)))

    def head(self) -> int:
        return self._changed[-1][0] if self._changed else self._count

    def changed_after(self, seq: int, limit: int) -> list[tuple[int, str]]:
        unchanged = range(seq + 1, min(seq + limit, self._count) + 1)
        changes = [(one, identifier_of(one - 1)) for one in unchanged]
        return (changes + [change for change in self._changed if change[0] > seq])[:limit]

    def counts(self) -> dict[str, int]:
        return {"searchable": self._count}

    def count_changed_after(self, seq: int) -> int:
        return len(self.changed_after(seq, self.head()))

    def known_of_many(self, ids: Sequence[str], **_: bool) -> list[Known]:
        begun, cpu = time.perf_counter(), time.thread_time()
        made = [original_of(number, self._said.get(number, "")) for number in (int(one[1:]) for one in ids)]
        self.made_s += time.perf_counter() - begun
        self.made_cpu_s += time.thread_time() - cpu
        return made

    def restrictions_on(self, ids: Sequence[str]) -> dict[str, tuple[()]]:  # noqa: ARG002
        return {}

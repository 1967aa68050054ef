"""Place and time: it was recorded where and when an activity of the case took place.

Place by position, of what moved by the nearest of its track, else by what names of folders, files and fixed cameras
share with the activity's place. Time alone proposes nothing, and neither does a position that is known to be elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.case_numbers import comparable
from pipeline.records import CaseLink, Happened, Known, Words
from pipeline.stage import Linker

NAME: Final = "place_and_time"
# Metres: maps of China are off by up to 600 against satellites, and a site has its size.
NEAR_M, FAR_M = 700.0, 2000.0
NEAR, AROUND, WORDS = 0.7, 0.5, 0.55
_BESIDE, _AMONG_OTHERS = 0.65, 0.8  # times this: minutes before or after; only one of several at once can be right


def _propose(known: Known) -> Iterable[CaseLink]:
    happened = known.around.happened if known.around else ()
    fitting = [(one, score) for one in happened if one.activity.case and (score := _place_score(one))]
    cases = {one.activity.case for one, _ in fitting}
    return [
        CaseLink(
            case=one.activity.case, case_key=comparable(one.activity.case), method=NAME,
            score=round(score * (_AMONG_OTHERS if len(cases) > 1 else 1.0), 3), why=_why(one).en, why_zh=_why(one).zh,
            activity=one.activity.code,
        )
        for one, score in fitting
        if one.activity.case
    ]  # fmt: skip


def _place_score(one: Happened) -> float:
    if one.distance_m is not None:
        score = NEAR if one.distance_m <= NEAR_M else AROUND if one.distance_m <= FAR_M else 0.0
    else:
        score = WORDS if one.place_words else 0.0
    return score * (1.0 if one.shared_s or one.within else _BESIDE)


def _why(one: Happened) -> Words:
    step, place = one.activity.step, one.activity.place
    if one.distance_m is not None:
        how = "came within {:.0f} m of" if one.moved else "was recorded {:.0f} m from"
        where = f"It {how.format(one.distance_m)} the place"
        where_zh = f"{'移动录制，最近处' if one.moved else '录制地点'}距{step}地点（{place}）{one.distance_m:.0f} 米"
    else:
        where = f"“{one.place_words}” stands with it, which names the place"
        where_zh = f"其“{one.place_words}”与{step}地点（{place}）相符"
    when, when_zh = (
        ("during it", "录制于其间") if one.shared_s or one.within else ("within minutes of it", "前后相差数分钟")
    )
    return Words(f"{where} of {step} ({place}), {when}.", f"{where_zh}，{when_zh}。")


LINKER = Linker(name=NAME, version=3, zh="时间和地点", propose=_propose)

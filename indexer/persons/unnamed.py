"""Texts about an original that name other files, as somebody may read them who may not know of all of those. Pure.

Caveats, reasons of links and of decided times name the files beside, the list or archive they came with, and those by
which a clock was measured; what persons wrote may name anything. Where one of these is not for whoever reads, the text
says the same without any name, time or count of another file. What the index holds is for all who may see the original,
so it holds no such text (`*_for_all`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from pipeline.case_numbers import comparable, parse
from pipeline.records import CaseLink, Caveat, DecidedTime, Derivative, TimeCorrection, Words

if TYPE_CHECKING:
    from pipeline.edges.database.registers import Proposal

# The caveat of a file that was put together from its pieces, and the parameter that tells how.
RESCUED: Final = "rescued"
# What is said instead, by the caveat's code: every code whose text may name another file, or holds what a person wrote.
SAID: Final = {
    "time_by_order": Words(
        "No clock tells when it was recorded; its number alone does.", "没有可信的时间来源，仅能按文件序号推断。"
    ),
    "sequence_conflict": Words(
        "Its number and its time do not fit those of its neighbours: the clock was set in between, or the file was "
        "renamed.",
        "文件序号与判定的时间不符：其间可能调过时钟，或文件被改名。",
    ),
    "from_archive": Words("Taken out of an archive.", "从压缩包中解出。"),
    "not_on_list": Words("The list that came with the drop does not name it.", "随附清单中没有该文件。"),
    "not_as_listed": Words(
        "The list that came with the drop gives other bytes than those in custody.",
        "随附清单中的校验值或大小与入库的文件不一致。",
    ),
    "drop_incomplete": Words("Not all files on this list arrived.", "清单所列文件没有全部收到。"),
    "missing_member": Words("Parts of this recording are missing.", "本次记录缺少分段。"),
    "filmed_clock_unused": Words(
        "A clock card is seen in it, and no time was put right by it.", "画面中出现了时钟卡，但未据此校正时间。"
    ),
    "time_corrected": Words("A person corrected the time by hand.", "时间由人工更正。"),
    RESCUED: Words(
        "Its index (moov) is missing. The pictures that stand in it were put together for viewing: a reconstruction, "
        "the original is kept unchanged.",
        "其索引（moov）缺失。现将文件中留存的画面拼合供查看：此为重建副本，原件未作任何改动。",
    ),
}  # fmt: skip
# Of a caveat of any other code that names such a file all the same.
LOOK: Final = Words("Bear in mind what the original itself shows.", "请以原件内容为准。")
# In place of what somebody wrote in their own words.
WRITTEN: Final = "…"
WHY: Final = Words("for what was recorded beside it", "依据相邻的文件")
# Linkers whose reasons name other files, and the links for which a person gave the reason.
_LINKED_BY: Final = frozenset(("same_recording", "same_source", "person"))
# A decided time's reason, by what decided it: the order of numbers, a person, or a clock that others measured.
TIME: Final = Words("Its own sources tell it.", "依据文件自身的时间来源判定。")
BY_CLOCK: Final = Words(
    "Its own sources tell it; the device's clock was off, which was put right.",
    "依据文件自身的时间来源判定，并已按设备时钟偏差校正。",
)
LOST: Final = Words("it is trusted less", "可信度较低")


def _time_said(source: str, method: str) -> Words:
    if source == "sequence":
        return SAID["time_by_order"]
    if source == "person":
        return SAID["time_corrected"]
    return BY_CLOCK if "clock" in method.split("+") else TIME


def caveat_for_all(caveat: Caveat) -> tuple[str, str]:
    """What the caveat says to all who may see its original, in English and Chinese."""
    said = SAID.get(caveat.code)
    return (caveat.text, caveat.text_zh) if said is None else (said.en, said.zh)


def link_for_all(link: CaseLink) -> tuple[str, str]:
    """A link's reason, as above; nothing of one that may name other files."""
    return ("", "") if link.method in _LINKED_BY else (link.why, link.why_zh)


def time_for_all(time: DecidedTime) -> tuple[str, str]:
    """A decided time's reason, as above."""
    return (time.why, time.why_zh) if (said := _time_said(time.source, time.method)) is TIME else (said.en, said.zh)


class Unnamed:
    """What one person may not read. names: asked once, of files and cases, as they are written; cases: numbers, as they
    are compared."""

    def __init__(self, names: Callable[[], Collection[str]], cases: Collection[str] = ()) -> None:
        self._read, self._cases = names, frozenset(cases)

    def tells(self, text: str) -> bool:
        """Whether the text names any of it."""
        if self._cases and not self._cases.isdisjoint(comparable(one.printed) for one in parse(text)):
            return True
        return self.names(text)

    def names(self, text: str) -> bool:
        """Whether one of the names stands in the text, in upper or lower case."""
        return self._names.stand_in(text)

    def caveat(self, code: str, text: str, text_zh: str) -> tuple[str, str]:
        """What the caveat says to this person, in English and Chinese."""
        return self._told(text, text_zh, SAID.get(code, LOOK))

    def caveats(self, caveats: Collection[Caveat]) -> tuple[Caveat, ...]:
        """The same of several."""
        told = ((one, self.caveat(one.code, one.text, one.text_zh)) for one in caveats)
        return tuple(replace(one, text=en, text_zh=zh) for one, (en, zh) in told)

    def link(self, link: CaseLink) -> CaseLink:
        """The link with a reason that this person may read."""
        why, why_zh = self.why(link.why, link.why_zh)
        return replace(link, why=why, why_zh=why_zh)

    def proposal(self, one: Proposal) -> Proposal:
        """The same of a link that waits for a person's word."""
        why, why_zh = self.why(one.why, one.why_zh)
        return one._replace(why=why, why_zh=why_zh)

    def why(self, why: str, why_zh: str) -> tuple[str, str]:
        """A link's reason as this person may read it, in English and Chinese."""
        return self._told(why, why_zh, WHY)

    def time(self, time: DecidedTime | None) -> DecidedTime | None:
        """The decided time with reasons that this person may read, those of the rules beneath a correction too."""
        if time is None:
            return None
        why, why_zh = self._time_why(time.source, time.method, time.why, time.why_zh)
        lost = tuple((source, *self._told(en, zh, LOST)) for source, en, zh in time.losers)
        rules = time.by_rules
        if rules and "why" in rules:
            said = (str(rules.get(name, "")) for name in ("source", "method", "why", "why_zh"))
            rules = {**rules, **dict(zip(("why", "why_zh"), self._time_why(*said), strict=True))}
        return replace(time, why=why, why_zh=why_zh, losers=lost, by_rules=rules)

    def said(self, text: str) -> str:
        """What somebody wrote in their own words, as this person may read it."""
        return WRITTEN if self.tells(text) else text

    def correction(self, said: TimeCorrection | None) -> TimeCorrection | None:
        """What a person said of the time, with a reason that this person may read."""
        return None if said is None else replace(said, reason=self.said(said.reason))

    def derivative(self, made: Derivative) -> Derivative:
        """The derivative; one put together at the pace of another recording does not name that."""
        about = made.parameters.get(RESCUED)
        if not isinstance(about, Mapping) or not self.tells(str(about.get("like", ""))):
            return made
        return replace(made, parameters={**made.parameters, RESCUED: {**about, "like": ""}})

    def _time_why(self, source: str, method: str, why: str, why_zh: str) -> tuple[str, str]:
        return self._told(why, why_zh, _time_said(source, method))

    def _told(self, text: str, text_zh: str, instead: Words) -> tuple[str, str]:
        return (instead.en, instead.zh) if self.tells(text) or self.tells(text_zh) else (text, text_zh)

    @cached_property
    def _names(self) -> _Names:
        return _Names(self._read())


# Shorter ones stand in any text.
_NAME_CHARS, _STEM_CHARS = 3, 6


class _Names:
    """Thousands of names, of which a text is asked at once: by their first letters, then by their lengths."""

    def __init__(self, names: Iterable[str]) -> None:
        self._all = {form.casefold() for name in names for form in _forms(name)}
        self._lengths: dict[str, set[int]] = {}
        for one in self._all:
            self._lengths.setdefault(one[:_NAME_CHARS], set()).add(len(one))

    def stand_in(self, text: str) -> bool:
        """Whether any of them does, in whatever case it is written."""
        text = text.casefold()
        for at in range(len(text) - _NAME_CHARS + 1):
            lengths = self._lengths.get(text[at : at + _NAME_CHARS])
            if lengths is not None and any(text[at : at + length] in self._all for length in lengths):
                return True
        return False


def _forms(name: str) -> Iterator[str]:
    """The name, and without its suffix, as people say it, where it is no mere number."""
    if len(name) >= _NAME_CHARS:
        yield name
    stem = name.rpartition(".")[0]
    if len(stem) >= _STEM_CHARS and not stem.isdecimal():
        yield stem

"""Texts about an original that name other files, as somebody may read them who may not know of all of those. Pure.

Caveats, reasons of links and of decided times name the files beside, the list or archive they came with. Where one of
these is not for whoever reads, the text says the same without any name, time or count of another file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cached_property
from typing import Final

from pipeline.case_numbers import comparable, parse
from pipeline.edges.registers import Proposal
from pipeline.records import CaseLink, Caveat, DecidedTime, Words

# What is said instead, by the caveat's code.
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
}  # fmt: skip
WHY: Final = Words("for what was recorded beside it", "依据相邻的文件")


class Unnamed:
    """What one person may not read. names: asked once, of files; cases: numbers, as they are compared."""

    def __init__(self, names: Callable[[], Collection[str]], cases: Collection[str] = ()) -> None:
        self._read, self._cases = names, frozenset(cases)

    def tells(self, text: str) -> bool:
        """Whether the text names any of it."""
        if self._cases and not self._cases.isdisjoint(comparable(one.printed) for one in parse(text)):
            return True
        return any(name in text for name in self._names)

    def caveat(self, code: str, text: str, text_zh: str) -> tuple[str, str]:
        """What the caveat says to this person, in English and Chinese."""
        said = SAID.get(code)  # no other code names a file
        if said is None or not (self.tells(text) or self.tells(text_zh)):
            return text, text_zh
        return said.en, said.zh

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
        return (WHY.en, WHY.zh) if self.tells(why) or self.tells(why_zh) else (why, why_zh)

    def time(self, time: DecidedTime | None) -> DecidedTime | None:
        """The decided time with a reason that this person may read."""
        # Only where the order of numbers told it does the reason name files.
        if time is None or time.source != "sequence" or not (self.tells(time.why) or self.tells(time.why_zh)):
            return time
        said = SAID["time_by_order"]
        return replace(time, why=said.en, why_zh=said.zh)

    @cached_property
    def _names(self) -> Collection[str]:
        return self._read()

"""The words of list and report, in Chinese and English; and text from files made safe to show and to open."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from indexer.exporting.selection import What
from pipeline.records import CaseLink, Caveat, DecidedTime, worded

KINDS: Final = {
    "video": ("录像", "video"), "audio": ("录音", "audio"), "photo": ("照片", "photo"),
    "document": ("文件", "document"), "sidecar": ("随附文件", "sidecar"), "other": ("其他", "other"),
}  # fmt: skip

WHY_MISSING: Final[Mapping[What, tuple[str, str]]] = {
    "proposed": ("与本案的关联尚未经人确认，未装入", "only proposed for the case, confirmed by nobody: left out"),
    "withheld": ("导出人无权查看，未装入", "the exporting person may not see it: left out"),
    "gone": ("原始文件不在保管库中", "the original is not in the vault"),
    "broken": ("原始文件的校验值不符，未装入", "the original does not have its digest: left out"),
    "disposed": ("已依规定处置，仅存处置记录", "disposed of under a rule; a tombstone remains"),
    "in_progress": ("文件已装入，但其时间、属性等尚在读取", "in the package; its facts are still being read"),
    "rejected": ("交来时未能接收", "handed over and could not be taken in"),
    "awaited": ("交来的清单列有，但没有收到", "named by a list that was handed over, and never received"),
    "no_proxy": ("没有观看副本", "it has no viewing copy"),
}  # fmt: skip

LINK_STATUS: Final = {
    "confirmed": ("已确认", "confirmed"),
    "proposed": ("系统建议，未经人确认", "proposed, confirmed by nobody"),
}
_FORMULA: Final = tuple("=+-@＝＋－＠\t\r")


def pick(lang: str, zh: str, en: str) -> str:
    """The sentence in the language asked for."""
    return zh if lang == "zh" else en


def shown(text: str) -> str:
    """The text with everything written out that would hide or turn what is read: controls, bidi marks, odd bytes."""
    return "".join(
        _written_out(one) if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else one for one in text
    )


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cell(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula."""
    plain = shown(text)
    return f"'{plain}" if text.startswith(_FORMULA) or plain.startswith(_FORMULA) else plain


def caveat(one: Caveat, lang: str) -> str:
    """What to bear in mind, in the language asked for where it is known in it."""
    return worded(one, "text", lang)


def link_of(link: CaseLink | None, lang: str) -> str:
    """How surely and why a file belongs to the case; a sidecar follows its recording."""
    if link is None:
        return pick(lang, "随主文件", "follows its recording")
    zh, en = LINK_STATUS[link.status]
    return f"{pick(lang, zh, en)}: {worded(link, 'why', lang)}"


def sure(time: DecidedTime | None, lang: str) -> str:
    """How sure the decided time is."""
    if time is None:
        return ""
    zone = "" if time.zone_known else pick(lang, "；时区为推定", "; zone assumed")
    return f"±{time.uncertainty_s:g} s{zone}"

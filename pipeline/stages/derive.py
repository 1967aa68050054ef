"""The derive stage: what reviewers look at and listen to, made from the original.

A recording is decoded once, and all who make something of it listen, those who take its marks too (`listening.py`);
a photo or a document is read by its own deriver. What cannot be made becomes a caveat; the original stays in custody
and can be found.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pipeline.errors import Unreadable
from pipeline.kinds import kinds_in
from pipeline.listening import Part, listen
from pipeline.records import Caveat, Facts, Known, MadeFile
from pipeline.rescuing import lacks_index, rescued
from pipeline.stage import Context, Deriver, Fingerprinter, Listener, Stage, Trial

# deriver -> code, English, Chinese; a deriver that is not here gets a sentence made from its first role.
NOTHING_MADE: Final = {
    "proxy": ("no_proxy", "No viewing copy could be made", "无法生成可播放的副本"),
    "pictures": ("no_picture", "No picture of the video could be made", "无法生成视频画面"),
    "waveform": ("no_waveform", "No waveform of the sound could be made", "无法生成声音波形"),
    "tracks": ("no_tracks", "The further sound tracks could not be made playable", "其余声音轨道无法生成可播放的文件"),
    "scenes": (
        "no_scenes",
        "The pictures could not be looked through for cuts and standstill",
        "无法检查画面的切换与静止",
    ),
    "codes": (
        "no_codes",
        "The pictures could not be looked through for clock cards and case slates",
        "无法检查画面中的时钟卡和案件板",
    ),
    "loudness": ("no_loudness", "The loudness could not be measured", "无法测量音量"),
    "view": ("no_preview", "No view of the picture could be made", "无法生成照片预览"),
    "ocr": ("no_ocr", "The text of its pages could not be recognised", "无法识别页面上的文字"),
    "pages": ("no_pages", "No images of its pages could be made", "无法生成页面图像"),
}


def run(known: Known, context: Context) -> Facts:
    """All derivatives that could be made, in a new folder below the scratch folder; a caveat for what could not."""
    if not _derivers(known):
        return Facts()
    scratch = Path(tempfile.mkdtemp(prefix="derive-", dir=context.scratch))
    with context.vault.opened(known.original.sha256) as source:
        saved = rescued(source, known, scratch, context) if lacks_index(known) else None
        if saved is None:
            return _made_of(source, known, scratch, context)
        facts = _made_of(saved.source, saved.known, scratch, context)
        saved.source.unlink()
        if not any(one.role == "proxy" for one in facts.made):
            return facts
        made = (replace(one, parameters={**one.parameters, "rescued": saved.about}) for one in facts.made)
        return replace(facts, made=tuple(made), caveats=(saved.caveat, *facts.caveats))


def _derivers(known: Known) -> list[Deriver]:
    return [one for one in kinds_in("pipeline.derivers", "DERIVER") if one.wants(known)]


def _made_of(source: Path, known: Known, scratch: Path, context: Context) -> Facts:
    derivers = _derivers(known)
    takers = [one for one in kinds_in("pipeline.fingerprinters", "FINGERPRINTER") if one.listen and one.wants(known)]
    outcomes = listen(_parts(derivers, takers, known, scratch, context), source, known, context)
    for deriver in derivers:
        if deriver.derive is not None:
            outcomes[deriver.name] = _derived(deriver, source, known, scratch, context)
    return _all_of(derivers, takers, outcomes)


def _parts(
    derivers: Sequence[Deriver], takers: Sequence[Fingerprinter], known: Known, scratch: Path, context: Context
) -> list[Part]:
    """Who listens. Marks that cannot be taken here are left to the fingerprint stage."""

    def to(deriver: Deriver, trial: Trial) -> Listener:
        assert deriver.listen is not None
        return deriver.listen(known, scratch, context, trial)

    def of(taker: Fingerprinter, trial: Trial) -> Listener:  # noqa: ARG001  # it has one try
        assert taker.listen is not None
        return taker.listen(known, context)

    listening = [one for one in derivers if one.listen is not None]
    return [
        *(Part(one.name, functools.partial(to, one), one.tries) for one in listening),
        *(Part(f"{one.name} marks", functools.partial(of, one), 1) for one in (takers if listening else ())),
    ]


def _derived(deriver: Deriver, source: Path, known: Known, scratch: Path, context: Context) -> Facts | Unreadable:
    assert deriver.derive is not None
    try:
        return deriver.derive(source, known, scratch, context)
    except Unreadable as error:
        return error


def _all_of(
    derivers: Sequence[Deriver], takers: Sequence[Fingerprinter], outcomes: dict[str, Facts | Unreadable]
) -> Facts:
    told: list[Facts] = []
    for deriver in derivers:
        outcome, finder = outcomes[deriver.name], f"{deriver.name}/{deriver.version}"
        if isinstance(outcome, Unreadable):
            outcome = Facts(caveats=(caveat_for(deriver, outcome),))
        told.append(_found_by(finder, outcome))
    for taker in takers:
        outcome = outcomes.get(f"{taker.name} marks", Facts())
        if not isinstance(outcome, Unreadable):
            told.append(_found_by(f"{taker.name}/{taker.version}", outcome))
    return Facts(
        made=tuple(one for facts in told for one in facts.made),
        properties=tuple(one for facts in told for one in facts.properties),
        caveats=tuple(one for facts in told for one in facts.caveats),
        fingerprints=tuple(one for facts in told for one in facts.fingerprints),
        is_retimed=any(facts.is_retimed for facts in told),
    )


def _found_by(finder: str, facts: Facts) -> Facts:
    """The same facts with their finder's name, and the caveats that its derivatives call for."""
    return replace(
        facts,
        made=tuple(replace(one, finder=finder) for one in facts.made),
        properties=tuple(replace(one, finder=finder) for one in facts.properties),
        caveats=tuple(
            replace(one, finder=finder)
            for one in (*facts.caveats, *(caveat for made in facts.made for caveat in caveats_of(made)))
        ),
        fingerprints=tuple(replace(one, finder=finder) for one in facts.fingerprints),
    )


def caveat_for(deriver: Deriver, error: Unreadable) -> Caveat:
    """What the reviewer is told where this deriver made nothing."""
    role = deriver.roles[0]
    code, text, text_zh = NOTHING_MADE.get(deriver.name, (f"no_{role}", f"No {role} could be made", f"无法生成 {role}"))
    return Caveat(
        code=code,
        text=f"{text}: {error.sentence}. The original is kept unchanged.",
        text_zh=f"{text_zh}{f'：{error.zh}' if error.zh else ''}；原件完好保存，未作任何改动。",
    )


def caveats_of(one: MadeFile) -> Iterable[Caveat]:
    """What the reviewer must bear in mind while looking at this derivative."""
    about = one.parameters
    if one.role == "view" and about.get("cut_off"):
        yield Caveat(
            code="view_incomplete",
            text="The picture is cut off or damaged: the view shows only what could be decoded.",
            text_zh="照片数据不完整或已损坏：预览只显示能够解码的部分。",
        )
    if one.role == "view" and about.get("frames", 1) > 1:
        yield Caveat(
            code="view_first_frame",
            text=f"The picture moves: the view shows the first of its {about['frames']} frames.",
            text_zh=f"该图片为动图：预览只显示其 {about['frames']} 帧中的第一帧。",
        )
    if one.role == "view" and about.get("hdr"):
        yield Caveat(
            code="view_hdr",
            text="The picture holds brighter light than usual screens show (HDR): the view presses it together, "
            "and its brightness is not the recorded one.",
            text_zh="该图片为高动态范围（HDR）：预览已压缩亮度，明暗与原始记录不完全一致。",
        )
    if one.role == "view" and about.get("from_preview"):
        yield Caveat(
            code="view_is_preview",
            text="The view shows the preview that the camera or the program put into the file, not the full picture.",
            text_zh="预览显示的是相机或软件写入文件的预览图，而不是完整的照片。",
        )
    if one.role == "page":
        yield from _page_caveats(about)


def _page_caveats(about: Mapping[str, Any]) -> Iterable[Caveat]:
    if about.get("drawn", 0) < about.get("of", 0):
        drawn, of = about["drawn"], about["of"]
        yield Caveat(
            code="pages_incomplete",
            text=f"Images were made of {drawn} of its {of} pages; to read the others, export the document.",
            text_zh=f"该文档共 {of} 页，仅生成了 {drawn} 页的图像；其余页面请导出原件查看。",
        )
    if about.get("fonts"):
        names = ", ".join(about["fonts"][:5])
        yield Caveat(
            code="page_fonts",
            text=f"The document does not hold its fonts ({names}): the page images show its text in other letters, "
            "which may look different or be missing.",
            text_zh=f"该文档未内嵌字体（{names}）：页面图像以其他字体显示文字，字形可能不同或缺失。",
        )


# As `probe.READ_ANEW` and `probe.TRIED_ANEW`.
VERSION: Final = 7
READ_ANEW: Final[Mapping[int, frozenset[str]]] = {6: frozenset({"tiff"})}  # the fields of written records in scans
TRIED_ANEW: Final[Mapping[int, frozenset[str]]] = {7: frozenset(code for code, _, _ in NOTHING_MADE.values())}

STAGE = Stage(name="derive", version=VERSION, run=run)

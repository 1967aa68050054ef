"""The derive stage: what reviewers look at and listen to, made from the original.

Every deriver works in one scratch folder, those that make the viewing copy first, so that the others may take their
pictures from it. What cannot be made becomes a caveat; the original stays in custody and can be found.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pipeline.errors import Unreadable
from pipeline.kinds import kinds_in
from pipeline.records import Caveat, Facts, Known, MadeFile
from pipeline.stage import Context, Deriver, Stage

# deriver -> code, English, Chinese; a deriver that is not here gets a sentence made from its first role.
NOTHING_MADE: Final = {
    "proxy": ("no_proxy", "No viewing copy could be made", "无法生成可播放的副本"),
    "pictures": ("no_picture", "No picture of the video could be made", "无法生成视频画面"),
    "waveform": ("no_waveform", "No waveform of the sound could be made", "无法生成声音波形"),
    "view": ("no_preview", "No view of the picture could be made", "无法生成照片预览"),
    "pages": ("no_pages", "No images of its pages could be made", "无法生成页面图像"),
}


def run(known: Known, context: Context) -> Facts:
    """All derivatives that could be made, in a new folder below the scratch folder; a caveat for what could not."""
    wanted = [deriver for deriver in in_order(kinds_in("pipeline.derivers", "DERIVER")) if deriver.wants(known)]
    if not wanted:
        return Facts()
    scratch = Path(tempfile.mkdtemp(prefix="derive-", dir=context.scratch))
    made: list[MadeFile] = []
    caveats: list[Caveat] = []
    with context.vault.opened(known.original.sha256) as source:
        for deriver in wanted:
            finder = f"{deriver.name}/{deriver.version}"
            try:
                files = [replace(one, finder=finder) for one in deriver.derive(source, known, scratch, context)]
            except Unreadable as error:
                caveats.append(replace(caveat_for(deriver, error), finder=finder))
                continue
            made += files
            caveats += [replace(caveat, finder=finder) for one in files for caveat in caveats_of(one)]
    return Facts(made=tuple(made), caveats=tuple(caveats))


def in_order(derivers: Iterable[Deriver]) -> list[Deriver]:
    """Those that make the viewing copy before all others, which keep their order."""
    return sorted(derivers, key=lambda deriver: "proxy" not in deriver.roles)


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
    if one.role == "proxy" and about.get("short_by_s"):
        short_s, source_s = about["short_by_s"], about["source_s"]
        yield Caveat(
            code="proxy_shorter",
            text=f"The viewing copy ends {short_s:.1f} s before the recording's {source_s:.1f} s are over: "
            "the rest could not be decoded.",
            text_zh=f"可播放的副本比原始录制（{source_s:.1f} 秒）短 {short_s:.1f} 秒：其余部分无法解码。",
        )
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


STAGE = Stage(name="derive", version=1, run=run)

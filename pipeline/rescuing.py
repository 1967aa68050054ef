"""A recording whose index was never written, as a stream of pictures that everything can be made of.

What is put together is a derivative's source, in the scratch folder; the original stays as it is, and every derivative
made this way says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pipeline.edges.caged.rescue import parameters_of, rescue
from pipeline.edges.confinement.cage import Limits
from pipeline.edges.tools import DEMUXERS
from pipeline.errors import Unreadable
from pipeline.extractors.container import ISO_FORMATS, extract
from pipeline.footage import kind_of
from pipeline.records import Caveat, Known, Property
from pipeline.stage import Context

NAME: Final = "rescued"
FINDER: Final = "rescue/1"
# Of recordings that lie beside it, so many are asked for what its own index would have said.
BESIDE_MAX: Final = 6
USUAL_FPS: Final = (25, 1)
# What walking through media data may take: ten times what it takes of a film.
LEAST_S, BYTES_A_SECOND = 60, 5_000_000


@dataclass(frozen=True)
class Rescued:
    """source: the stream of pictures; known: as if that were the original; about: how it came to be, for the record."""

    source: Path
    known: Known
    about: Mapping[str, Any]

    @property
    def caveat(self) -> Caveat:
        """What the reviewer is told."""
        beside, share = self.about["like"], self.about["share"]
        pace, pace_zh = (f"that of {beside}", f"取自 {beside}") if beside else ("assumed", "为推定值")
        return Caveat(
            code="rescued",
            text=f"Its index (moov) is missing, as where the power went while it recorded. {self.about['pictures']} "
            f"pictures that stand in it were put together for viewing ({share:.0%} of its data); its sound could not "
            f"be, and its pace is {pace}. Pictures may be missing or damaged. It is a reconstruction: the original is "
            "kept unchanged. Look for the same recording on the device, or have the maker's program repair a copy.",
            text_zh=f"其索引（moov）缺失，常见于录制中断电。现将文件中留存的 {self.about['pictures']} 帧画面"
            f"（占数据的 {share:.0%}）拼合供查看；声音无法还原，播放快慢{pace_zh}，画面可能缺失或损坏。"
            "此为重建副本，原件完好保存，未作任何改动；请在设备上查找同一录制，或用厂商程序修复副本。",
            finder=FINDER,
        )


def lacks_index(known: Known) -> bool:
    """Whether it is an MP4 or MOV of which nothing could be opened."""
    opened = known.value("video.codec") or known.value("audio.codec")
    return known.original.format in ISO_FORMATS and kind_of(known) == "video" and not opened


def rescued(source: Path, known: Known, scratch: Path, context: Context) -> Rescued | None:
    """Its pictures put together in the scratch folder; None where it has none, or they cannot be told from the rest."""
    size_bytes = known.original.size_bytes
    seconds = LEAST_S + size_bytes / BYTES_A_SECOND
    limits = Limits(
        wall_s=2 * seconds, cpu_s=int(seconds), memory_bytes=(context.settings.media.memory_mb << 20) + size_bytes,
        file_bytes=size_bytes + (1 << 20), nice=10,
    )  # fmt: skip
    likes = _likes(known, context)
    target = scratch / NAME
    target.touch()
    try:
        about = context.tools.call(
            rescue, str(source), str(target), [one for _, one in likes], limits=limits, reads=[source],
            writes=[scratch], still_wanted=context.still_wanted,
        )  # fmt: skip
        like = next(((name, one) for name, one in likes if one["codec"] == about["codec"]), None)
        if about["from"] is not None:
            like = likes[about["from"]]
        about = {**about, "like": like[0] if like else None, "fps": like[1]["fps"] if like else list(USUAL_FPS)}
        return Rescued(target, _as_known(known, target, about, context), about)
    except Unreadable:
        target.unlink(missing_ok=True)
        return None


def _as_known(known: Known, target: Path, about: Mapping[str, Any], context: Context) -> Known:
    """What the probe would say of the stream, its length reckoned from its pace."""
    said = context.tools.call(
        extract, str(target), limits=Limits(wall_s=90, cpu_s=60), reads=[target], still_wanted=context.still_wanted
    )
    numerator, denominator = about["fps"]
    length_s = round(about["pictures"] * denominator / numerator, 3)
    rows = [row for row in said["properties"] if not row[0].startswith("container.")]
    rows += [
        ("container.kind", "video", "video"), ("container.data_end_s", str(length_s), length_s),
        ("video.fps", f"{numerator}/{denominator}", numerator / denominator),
        ("video.pace", f"{numerator}/{denominator}", f"{numerator}/{denominator}"),
    ]  # fmt: skip
    found = {name: Property(name=name, found=text, value=value, finder=FINDER) for name, text, value in rows}
    original = replace(known.original, format=about["codec"], kind="video", size_bytes=target.stat().st_size)
    return replace(known, original=original, properties={**known.properties, **found})


def _likes(known: Known, context: Context) -> Sequence[tuple[str, dict[str, Any]]]:
    """(name, what its index says) of good recordings beside it; those named alike, as by the same device, first."""
    beside = [one for one in context.catalog.beside(known, BESIDE_MAX) if one.value("video.codec")]
    shape = _shape(known.original.name)
    likes = []
    for one in sorted(beside, key=lambda one: _shape(one.original.name) != shape):
        try:
            with context.vault.opened(one.original.sha256) as path:
                said = context.tools.call(parameters_of, str(path), DEMUXERS[one.original.format], reads=[path])
        except Unreadable:
            continue
        likes.append((one.original.name, said))
    return likes


def _shape(name: str) -> str:
    """A name with its digits alike: a device's names differ in numbers only."""
    return re.sub(r"\d", "0", name.lower())

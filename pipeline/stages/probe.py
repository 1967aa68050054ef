"""The stage that reads what the bytes themselves say: properties, what is wrong with them, whose companion they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pipeline.custody.sniff import FORMATS, suffix_of, suits
from pipeline.edges.caged.reading import read_together
from pipeline.edges.confinement.cage import Limits
from pipeline.errors import Unreadable
from pipeline.kinds import kinds_in
from pipeline.records import Caveat, Facts, Known, Original, Property
from pipeline.stage import Context, Extractor, Stage

NAME = "probe"
# Raised with the version of any reader whose facts of the same bytes are others now: what an older one read of these
# formats waits to be read again.
VERSION = 4
READ_ANEW: Final[Mapping[int, frozenset[str]]] = {
    # Steps of the clock inside files of picture and sound; the text of documents; tracks; pictures that tell more.
    2: frozenset(name for name, one in FORMATS.items() if one.kind in ("video", "audio", "document"))
    | {"gpx", "nmea", "jp2", "jxl", "psd", "x3f", "mrw"},
    # Positions that no place has are left out of tracks, and a track tells its own first moment.
    3: frozenset({"gpx", "nmea"}),
    # A step in the last seconds of a long recording is told once, and one behind the fiftieth at all.
    4: frozenset(name for name, one in FORMATS.items() if one.kind in ("video", "audio")),
}
# The same by the code of what an older one could not do, where a newer one may: those are tried once more.
TRIED_ANEW: Final[Mapping[int, frozenset[str]]] = {3: frozenset({"undecodable", "truncated", "reader_failed"})}
FINDER: Final = f"{NAME}/{VERSION}"

# Readers of headers and texts. A 1 KB photo kept exifread busy for 100 s with 422 MiB; a scan of some hundred MB that
# is mapped while looking for its XMP counts as memory too.
SMALL: Final = Limits(wall_s=20, cpu_s=5, memory_bytes=1 << 30)
# A 22 KB index of 40 tracks took 5 GB and more than 31 s; two hours of recording are followed in about five.
CONTAINER: Final = Limits(wall_s=90, cpu_s=20, memory_bytes=2560 << 20)
# 210 million pixels decoded are 630 MB; with libheif's tiles and copies under 3 GiB.
PICTURE: Final = Limits(wall_s=60, cpu_s=20, memory_bytes=3 << 30)
# All readers of one file one after another; files that use this up are read again by each reader under its own limits.
TOGETHER: Final = Limits(wall_s=100, cpu_s=25, memory_bytes=3 << 30)
LIMITS: Final = {"container": CONTAINER, "picture": PICTURE}

# Of one name the first finder's property is recorded. These come last, in this order: what a header or an editor states
# counts only where nothing that was decoded or that the camera wrote says it.
YIELDING: Final = ("header", "exif", "xmp")


def run(known: Known, context: Context) -> Facts:
    """Properties of every extractor that applies, their caveats and the stage's own, and a sidecar's recording."""
    original = known.original
    properties: dict[str, Property] = {}
    caveats = list(_caveats_of(original))
    extractors = _applying(original)
    with context.vault.opened(original.sha256) as path:
        answers = _answers(extractors, path, context)
    for extractor, found in zip(extractors, answers, strict=True):
        if "unreadable" in found:
            caveats.append(_failed(extractor, found["unreadable"], found.get("zh", "")))
            continue
        for one in _properties(extractor, found):
            properties.setdefault(one.name, one)
        caveats += _stated(extractor, found)
    if original.kind == "sidecar":  # a camera's small copy is a film inside, and still a companion
        properties.pop("container.kind", None)
    return Facts(
        properties=tuple(properties.values()),
        caveats=_once_each(caveats),
        parent=context.catalog.parent_for(known) if original.kind == "sidecar" else None,
    )


def _applying(original: Original) -> list[Extractor]:
    extractors: tuple[Extractor, ...] = kinds_in("pipeline.extractors", "EXTRACTOR")
    applying = [extractor for extractor in extractors if original.size_bytes and extractor.reads(original)]
    return sorted(applying, key=lambda one: YIELDING.index(one.name) if one.name in YIELDING else -1)


def _answers(extractors: list[Extractor], path: Path, context: Context) -> list[dict[str, Any]]:
    """Each extractor's answer: all from one child, and each from its own where that one did not survive the file."""
    readers = [[one.extract.__module__, one.extract.__qualname__] for one in extractors]
    if not readers:
        return []
    try:
        together: list[dict[str, Any]] = context.tools.call(
            read_together, readers, str(path), limits=TOGETHER, reads=[path], still_wanted=context.still_wanted
        )
    except Unreadable:
        return [_answer(extractor, path, context) for extractor in extractors]
    return together


def _answer(extractor: Extractor, path: Path, context: Context) -> dict[str, Any]:
    limits = LIMITS.get(extractor.name, SMALL)
    try:
        found = context.tools.call(
            extractor.extract, str(path), limits=limits, reads=[path], still_wanted=context.still_wanted
        )
        return dict(found)
    except Unreadable as error:
        return {"unreadable": error.sentence}


def _finder(extractor: Extractor) -> str:
    return f"{extractor.name}/{extractor.version}"


def _properties(extractor: Extractor, found: dict[str, Any]) -> Iterator[Property]:
    for name, text, value in found["properties"]:
        yield Property(name=name, found=text, value=value, finder=_finder(extractor))


def _stated(extractor: Extractor, found: dict[str, Any]) -> Iterator[Caveat]:
    for code, text, text_zh in found["caveats"]:
        yield Caveat(code=code, text=text, text_zh=text_zh, finder=_finder(extractor))


def _failed(extractor: Extractor, reason: str, reason_zh: str) -> Caveat:
    of_zh = f"（{reason_zh}）" if reason_zh else ""
    return Caveat(
        code="reader_failed",
        text=f"One reader could not examine this file, so some of its details may be missing: {reason}.",
        text_zh=f"读取程序 {extractor.name} 未能完成对该文件的检查，部分信息可能缺失{of_zh}。",
        finder=_finder(extractor),
    )


def _caveats_of(original: Original) -> Iterator[Caveat]:
    """What name and format alone give away."""
    suffix = suffix_of(original.name)
    if original.format == "empty" or not original.size_bytes:
        yield _caveat("empty", "The file is empty: it holds not a single byte.", "文件为空，不含任何内容。")
    elif original.format == "unknown":
        yield _caveat(
            "unknown_format",
            "The content is of no format known here; the file is kept safe but cannot be shown.",
            "文件内容不属于已知格式；文件已妥善保存，但无法显示。",
        )
    elif original.format == "playlist":
        yield _caveat(
            "playlist",
            "The file is only a list that points to other files; it holds no recording itself and is never played.",
            "该文件只是指向其他文件的列表，本身不含录音录像，不予播放。",
        )
    if original.format in FORMATS and not suits(original.name, original.format):
        yield _caveat(
            "wrong_extension",
            f"The name ends in {suffix}, but the content is {original.format}.",
            f"文件名后缀为 {suffix}，但内容实际为 {original.format} 格式。",
        )


def _caveat(code: str, text: str, text_zh: str) -> Caveat:
    return Caveat(code=code, text=text, text_zh=text_zh, finder=FINDER)


def _once_each(caveats: Iterable[Caveat]) -> tuple[Caveat, ...]:
    """One caveat a code and finder."""
    return tuple({(caveat.code, caveat.finder): caveat for caveat in caveats}.values())


STAGE = Stage(name=NAME, version=VERSION, run=run)

"""Archives: what a ZIP holds, its names decoded, sizes and ratios; what of it is encrypted, nested or suspicious.

Nothing is unpacked here. Of 7z, RAR and gzip only that they are not listed is told.
Source: see `pipeline/edges/caged/archives.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipeline.edges.caged import archives
from pipeline.edges.caged.archives import Entry
from pipeline.edges.caged.reading import CaveatRow, Row, answer
from pipeline.records import Original
from pipeline.stage import Extractor

_OTHERS: Final = frozenset({"7z", "rar", "gzip"})


def extract(path: str) -> dict[str, Any]:
    """What the archive holds. Raises Unreadable where its directory cannot be read."""
    with open(path, "rb") as stream:  # noqa: PTH123  # a caged reader opens what it was given
        is_zip = stream.read(2) == b"PK"
    if not is_zip:
        return answer([], [_NOT_LISTED])
    found = [entry for _, entry in archives.entries_of(path)]
    return answer(_rows(found), _caveats(found))


def _rows(found: list[Entry]) -> Iterator[Row]:
    yield "archive.entries", str(len(found)), len(found)
    size = sum(entry.size_bytes for entry in found)
    yield "archive.size_bytes", str(size), size
    for name, count in (
        ("encrypted", sum(entry.encrypted for entry in found)),
        ("nested", sum(entry.name.lower().endswith(archives.NESTED) for entry in found)),
        ("suspicious", sum(bool(entry.why_not) and not entry.encrypted for entry in found)),
    ):
        yield f"archive.{name}", str(count), count
    if found:
        ratio = max(entry.ratio for entry in found)
        yield "archive.ratio", str(ratio), ratio
        listing = [[e.name, e.size_bytes, e.ratio, e.codec, e.why_not] for e in found[: archives.LISTED_MAX]]
        yield "archive.listing", "\n".join(entry.name for entry in found), listing


def _caveats(found: list[Entry]) -> Iterator[CaveatRow]:
    yield (
        "archive",
        f"An archive of {len(found)} files, kept as it is; what is in it can be found only after `casereel unpack`",
        f"压缩包，内有 {len(found)} 个文件，按原样保存；其中内容须用 casereel unpack 解出后才能检索",
    )
    if any(entry.encrypted for entry in found):
        yield "archive_encrypted", "Files in the archive are encrypted", "压缩包中有加密文件"
    if any(entry.ratio > archives.RATIO_SUSPECT and entry.size_bytes > archives.GRACE_BYTES for entry in found):
        yield (
            "archive_ratio",
            "Files in the archive would grow more than a hundredfold: perhaps a bomb",
            "压缩包中有文件解开后会增大百倍以上，可能是压缩炸弹",
        )
    if any(entry.why_not and not entry.encrypted for entry in found):
        yield (
            "archive_suspicious",
            "The archive names links, devices or places outside its folder; these are never unpacked",
            "压缩包中有链接、设备或指向文件夹之外的名称，不会解出",
        )


_NOT_LISTED: Final[CaveatRow] = (
    "archive_not_listed",
    "An archive of a kind that is not listed here; it is kept as it is. Unpack it outside and hand in what it holds",
    "此类压缩包不能列出内容，按原样保存；请在外部解压后重新提交其中的文件",
)


def _reads(original: Original) -> bool:
    return original.format == "zip" or original.format in _OTHERS


EXTRACTOR = Extractor(name="archive", version=1, reads=_reads, extract=extract)

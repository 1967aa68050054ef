"""Names inside a package: plain ASCII, numbered, alike on every system. Real names are data in the list."""

from __future__ import annotations

import re
from typing import Final

from pipeline.edges.storage.bag import LONGEST_BYTES
from pipeline.records import Original

_LONGEST_SUFFIX: Final = 10


def number_of(position: int, count: int) -> str:
    """`0001` and on; as many digits as the last number needs, four at least."""
    return f"{position:0{max(4, len(str(count)))}}"


def name_in_bag(number: str, original: Original) -> str:
    """`0001_REC_0801.mp4`: number, the real name in plain letters, suffix; `0001_video_0801.mp4` for a Chinese name.

    The number alone makes it unique, also where capitals do not count.
    """
    stem, dot, suffix = original.name.rpartition(".")
    if not dot or not stem or not re.fullmatch(rf"[A-Za-z0-9]{{1,{_LONGEST_SUFFIX}}}", suffix):
        stem, suffix = original.name, _plain(original.format) or "bin"
    suffix = suffix.lower()
    slug = _plain(stem) if stem.isascii() else f"{original.kind}_{_plain(stem)}"
    slug = slug.strip("_") or original.kind
    room = LONGEST_BYTES - len(number) - len(suffix) - 2
    return f"{number}_{slug[:room].rstrip('_-')}.{suffix}"


def _plain(text: str) -> str:
    """The ASCII letters and digits of the text, runs of anything else as one `_`."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", text).strip("_-")

"""Filters of ffmpeg as values, and one filter graph a stream.

FFmpeg 9.0 gives each output's filter a thread and queues of its own and holds back the source for the one that is
behind; where sound begins late or its clock jumps, two that fill the hole with silence wait for one another for good.
In one graph they go in step. Pictures and sound stay apart: one graph would keep all pictures in memory until the sound
begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.edges.caged.colours import WHITE_NITS

# How ffmpeg calls the transfer curves of HDR.
HDR: Final = {"PQ": "smpte2084", "HLG": "arib-std-b67"}
_LABEL: Final = re.compile(r"\[([^\[\]]+)\]")


@dataclass(frozen=True)
class Filter:
    """One filter and what it is told. As text it is what stands in the record of what was made."""

    name: str
    values: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        said = [*(str(one) for one in self.values), *(f"{name}={value}" for name, value in self.named)]
        return f"{self.name}={':'.join(said)}" if said else self.name


Filters = tuple[Filter, ...]


def by(name: str, *values: Any, **named: Any) -> Filter:
    """The filter of this name, told these things."""
    return Filter(name, values, tuple(named.items()))


def filtered(stream: Any, filters: Iterable[Filter]) -> Any:
    """ffmpeg-python's stream behind these filters."""
    for one in filters:
        stream = stream.filter(one.name, *one.values, **dict(one.named))
    return stream


def usual_light(transfer: str | None, present: frozenset[str]) -> Filters:
    """What presses HDR light into that of a usual screen; nothing for usual light, or where the filters are missing.

    transfer: as `video.transfer` says it. present: the names of the filters that there are.
    """
    if transfer not in HDR or not {"zscale", "tonemap"} <= present:
        return ()
    stored = {"tin": HDR[transfer], "pin": "bt2020", "min": "bt2020nc", "rin": "limited"}
    return (
        by("zscale", **stored, t="linear", npl=f"{WHITE_NITS:g}"),
        by("format", "gbrpf32le"),
        by("zscale", p="bt709"),
        by("tonemap", "mobius", param=0.6, desat=0, peak=5),
        by("zscale", t="bt709", m="bt709", p="bt709", r="limited"),
    )


def one_graph_a_stream(argv: Sequence[str]) -> list[str]:
    """The same arguments of ffmpeg, the graph that ffmpeg-python wrote parted into one for each stream it begins at."""
    if "-filter_complex" not in argv:
        return list(argv)
    at = argv.index("-filter_complex")
    graphs: dict[str, list[str]] = {}
    begins: dict[str, str] = {}  # label -> the stream that it comes from
    for chain in argv[at + 1].split(";"):
        labels = _LABEL.findall(chain)
        stream = begins.get(labels[0], labels[0])
        graphs.setdefault(stream, []).append(chain)
        begins |= dict.fromkeys(labels[1:], stream)
    parted = [part for chains in graphs.values() for part in ("-filter_complex", ";".join(chains))]
    return [*argv[:at], *parted, *argv[at + 2 :]]

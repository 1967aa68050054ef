"""One filter graph a stream, where several outputs filter the same one.

FFmpeg 9.0 gives each output's filter a thread and queues of its own and holds back the source for the one that is
behind; where sound begins late or its clock jumps, two that fill the hole with silence wait for one another for good.
In one graph they go in step. Pictures and sound stay apart: one graph would keep all pictures in memory until the sound
begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Kind of the stream -> option that filters it, how it is doubled, and what leaves it as it is.
FILTERS: Final = {"v": ("-vf", "split", "null"), "a": ("-af", "asplit", "anull")}


@dataclass
class _Output:
    """options: (name, value) in their order. name: of the file or pipe."""

    options: list[tuple[str, str]]
    name: str

    @property
    def streams(self) -> list[str]:
        return [value for option, value in self.options if option == "-map"]

    @property
    def is_copied(self) -> bool:
        return ("-c", "copy") in self.options

    def filter_of(self, stream: str) -> str:
        option, _, nothing = FILTERS[_kind(stream)]
        return dict(self.options).get(option, nothing)

    def takes(self, stream: str, label: str) -> None:
        """The label of a graph's end instead of the stream and its filter."""
        option = FILTERS[_kind(stream)][0]
        self.options = [
            (name, label if name == "-map" and _plain(value) == stream else value)
            for name, value in self.options
            if name != option
        ]


def one_graph_a_stream(argv: Sequence[str]) -> list[str]:
    """The same arguments of ffmpeg, in which streams that several outputs filter have one graph each.

    argv: as ffmpeg-python builds it, each option with one value; what has several inputs stays as it is. So does a
    stream that all outputs would do without (`?`).
    """
    if argv.count("-i") != 1:
        return list(argv)
    begin = argv.index("-i") + 2
    outputs, rest = _outputs_in(argv[begin:])
    graphs = []
    for stream in sorted({_plain(one) for output in outputs for one in output.streams}):
        takers = [one for one in outputs if not one.is_copied and stream in map(_plain, one.streams)]
        if len(takers) < 2 or not any(stream in one.streams for one in takers):
            continue
        ends = [f"[{_kind(stream)}{number}]" for number in range(len(takers))]
        inner = [f"[{_kind(stream)}in{number}]" for number in range(len(takers))]
        branches = [
            f"{start}{taker.filter_of(stream)}{end}" for start, taker, end in zip(inner, takers, ends, strict=True)
        ]
        doubled = f"[{stream}]{FILTERS[_kind(stream)][1]}={len(takers)}{''.join(inner)}"
        graphs += ["-filter_complex", ";".join([doubled, *branches])]
        for taker, end in zip(takers, ends, strict=True):
            taker.takes(stream, end)
    if not graphs:
        return list(argv)
    told = [part for one in outputs for part in (*(text for pair in one.options for text in pair), one.name)]
    return [*argv[:begin], *graphs, *told, *rest]


def _outputs_in(argv: Sequence[str]) -> tuple[list[_Output], list[str]]:
    """The outputs, and what stands behind the last of them."""
    outputs: list[_Output] = []
    options: list[tuple[str, str]] = []
    at = 0
    while at < len(argv):
        if argv[at].startswith("-"):
            options.append((argv[at], argv[at + 1] if at + 1 < len(argv) else ""))
            at += 2
        else:
            outputs.append(_Output(options, argv[at]))
            options, at = [], at + 1
    return outputs, [text for pair in options for text in pair if text]


def _plain(stream: str) -> str:
    return stream.removesuffix("?")


def _kind(stream: str) -> str:
    return "a" if ":a" in stream else "v"

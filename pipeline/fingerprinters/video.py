"""Marks of a video's pictures, two a second: enough to place a clip within a quarter of a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.edges.caged.graphs import Filters, usual_light
from pipeline.edges.caged.media import Branch, Decoded, Sink, greys
from pipeline.footage import analysis_fps, has_pictures
from pipeline.marks import pictures
from pipeline.records import Facts, Fingerprint, Known
from pipeline.stage import Context, Fingerprinter, Listener

FPS: Final = 2
# The borders about a picture are looked for over so many: 16 seconds.
BATCH: Final = 32


class Thinned:
    """Of pictures that come `fps` a second, hands on those nearest to each 1 / FPS of a second, BATCH at a time."""

    def __init__(self, fps: int, sink: Sink) -> None:
        self._fps, self._sink = fps, sink
        self._come = self._gone = 0
        self._kept: list[NDArray[Any]] = []

    def add(self, frames: NDArray[Any]) -> None:
        """These pictures follow the earlier ones."""
        while (number := self._next() - self._come) < len(frames):
            self._kept.append(frames[number])
            self._gone += 1
            if len(self._kept) == BATCH:
                self.flush()
        self._come += len(frames)

    def flush(self) -> None:
        """What waits is handed on."""
        if self._kept:
            self._sink(np.stack(self._kept))
            self._kept = []

    def _next(self) -> int:
        return (2 * self._gone * self._fps + FPS) // (2 * FPS)


class _Marked(Listener):
    """Listens to the pictures and takes their marks; none where all are blank or drawn."""

    def __init__(self, fps: int, light: Filters) -> None:
        self._marker = pictures.Marker(step_s=1 / FPS)
        self._thinned = Thinned(fps, self._marker.add)
        self._branch = greys(fps=fps, side_px=pictures.SIDE_PX, light=light)

    def heard(self) -> Sequence[tuple[Branch, Sink]]:
        return [(self._branch, self._thinned.add)]

    def end(self, decoded: Decoded) -> Facts:
        """The marks. Raises Unreadable where no picture decoded."""
        decoded.require(self._branch, "pictures")
        self._thinned.flush()
        data = pictures.packed(self._marker.marks())
        return Facts(fingerprints=(Fingerprint(method="video", version=pictures.VERSION, data=data),))


def listen(known: Known, context: Context) -> Listener:
    """Listens for the marks of the pictures."""
    light = usual_light(known.value("video.transfer"), context.tools.filters)
    return _Marked(analysis_fps(known, context.settings), light)


FINGERPRINTER = Fingerprinter(name="video", version=pictures.VERSION, wants=has_pictures, listen=listen)

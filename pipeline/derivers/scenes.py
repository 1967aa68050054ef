"""What the time line shows of the pictures: where the scene changes, where they are black, where they stand still.

Looked at is every picture, small and grey. The measures are those of ffmpeg's scdet (score over 10), blackdetect (98 %
of the pixels below a tenth of white) and freezedetect (a mean difference below 0.001 of white), on the small picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.edges.caged.graphs import usual_light
from pipeline.edges.caged.media import Branch, Decoded, Sink, greys
from pipeline.footage import analysis_fps, has_pictures
from pipeline.marks.pictures import SIDE_PX
from pipeline.records import Caveat, Facts, Known, MadeFile, Property
from pipeline.stage import Context, Deriver, Listener, Trial
from pipeline.timeline import LASTS_S, Runs

VERSION: Final = 1
CHANGE_PERCENT: Final = 10.0
# Grey levels of 255: a tenth of the way from video black (16) to video white (235).
BLACK_LEVEL, BLACK_SHARE = 38, 0.98
STILL_LEVELS: Final = 0.255
SCENES_MAX: Final = 20_000


class Watch:
    """Looks at pictures as they come, `fps` a second."""

    def __init__(self, fps: int) -> None:
        self.fps, self.count = fps, 0
        self.scenes: list[float] = []
        self._black, self._still = Runs(1 / fps), Runs(1 / fps)
        self._last: NDArray[np.int16] | None = None
        self._first_still: NDArray[np.int16] | None = None
        self._change = 0.0

    def add(self, frames: NDArray[Any]) -> None:
        """These pictures follow the earlier ones. frames: (n, side, side), grey."""
        dark = (frames < BLACK_LEVEL).mean(axis=(1, 2)) >= BLACK_SHARE
        for frame, is_dark in zip(frames.astype(np.int16), dark.tolist(), strict=True):
            self._black.add(self.count, holds=is_dark)
            self._compare(frame)
            self._last = frame
            self.count += 1

    def _compare(self, frame: NDArray[np.int16]) -> None:
        if self._last is None or self._first_still is None:
            self._first_still = frame
            return
        change = float(np.abs(frame - self._last).mean()) * 100 / 256
        if min(change, abs(change - self._change)) >= CHANGE_PERCENT and len(self.scenes) < SCENES_MAX:
            self.scenes.append(round(self.count / self.fps, 3))
        self._change = change
        is_still = (
            change <= STILL_LEVELS * 100 / 256 and float(np.abs(frame - self._first_still).mean()) <= STILL_LEVELS
        )
        if is_still:  # from the first of two like pictures on
            self._still.begin(self.count - 1)
        else:
            self._still.end(self.count)
            self._first_still = frame

    def found(self) -> dict[str, Any]:
        """Seconds of the recording at which scenes begin, and stretches (from, to) that are black or stand still."""
        for runs in (self._black, self._still):
            runs.end(self.count)
        return {"scenes": self.scenes, "black": self._black.stretches, "frozen": self._still.stretches}


class _Watched(Listener):
    """Listens to the pictures."""

    def __init__(self, known: Known, scratch: Path, context: Context) -> None:
        fps = analysis_fps(known, context.settings)
        self._scratch, self._context, self._watch = scratch, context, Watch(fps)
        light = usual_light(known.value("video.transfer"), context.tools.filters)
        self._branch = greys(fps=fps, side_px=SIDE_PX, light=light)

    def heard(self) -> Sequence[tuple[Branch, Sink]]:
        return [(self._branch, self._watch.add)]

    def end(self, decoded: Decoded) -> Facts:
        """The `scenes`, as JSON, and what they sum up to. Raises Unreadable where no picture decoded."""
        decoded.require(self._branch, "pictures")
        found, length_s = self._watch.found(), self._watch.count / self._watch.fps
        path = self._scratch / "scenes.json"
        data = {"version": VERSION, "step_s": round(1 / self._watch.fps, 6), **found}
        path.write_text(json.dumps(data, separators=(",", ":")), encoding="ascii")
        black_s, frozen_s = (round(sum(end - begin for begin, end in found[name]), 3) for name in ("black", "frozen"))
        about = {
            "scenes": len(found["scenes"]),
            "black_s": black_s,
            "frozen_s": frozen_s,
            "looked_at_fps": self._watch.fps,
            "looked_at": decoded.look.how,
            "why": decoded.look.why,
        }
        tool = self._context.tools.version
        return Facts(
            made=(MadeFile(role="scenes", path=path, mime="application/json", tool=tool, parameters=about),),
            properties=tuple(
                Property(name=f"video.{name}", found=str(value), value=value)
                for name, value in (("black_s", black_s), ("frozen_s", frozen_s))
            ),
            caveats=tuple(_caveats(black_s, frozen_s, length_s)),
        )


def _caveats(black_s: float, frozen_s: float, length_s: float) -> Iterator[Caveat]:
    if black_s > 0 and black_s >= length_s - LASTS_S / 2:
        yield Caveat(
            code="all_black",
            text="Every picture of this recording is black: the lens may have been covered.",
            text_zh="该录制的画面全程为黑色：镜头可能被遮挡。",
        )
    elif frozen_s > 0 and frozen_s >= length_s - LASTS_S / 2:
        yield Caveat(
            code="all_frozen",
            text="The picture of this recording never changes: a camera that saw nothing move, or a picture that hung.",
            text_zh="该录制的画面自始至终没有变化：可能是固定画面，也可能是画面卡住。",
        )


def listen(known: Known, scratch: Path, context: Context, trial: Trial) -> Listener:  # noqa: ARG001  # a deriver's
    """Listens for the `scenes`."""
    return _Watched(known, scratch, context)


DERIVER = Deriver(name="scenes", version=2, roles=("scenes",), wants=has_pictures, listen=listen)

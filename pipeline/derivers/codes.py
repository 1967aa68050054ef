"""Our codes in the pictures of a recording: what a clock card showed at which picture, and which case slates were seen.

One picture a second is looked at, half as large as one of 1080p; every other second where key frames alone are to be
decoded. Where that shows a clock card, every picture of the seconds about it is read from the original, so that a shown
instant stands beside the exact picture. Not covered: cards that are in sight for less than that, and codes of less than
about 60 pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pipeline import codes
from pipeline.edges.caged.codes import read_closely, read_pictures
from pipeline.edges.caged.graphs import usual_light
from pipeline.edges.caged.media import SECONDS_MAX, Branch, Decoded, Sink, looks
from pipeline.edges.confinement.cage import Limits
from pipeline.errors import Unreadable
from pipeline.footage import has_pictures, look_at, shown_sides, within
from pipeline.records import Facts, Known, MadeFile, Property
from pipeline.stage import Context, Deriver, Listener, Trial

# Where key frames alone are decoded, more looks would show the same ones.
STEP_S, STEP_KEY_FRAMES_S = 1.0, 2.0
SIDE_PX: Final = 960
# Before and after a second in which a clock card was seen; key frames may be older than the second they stand for.
AROUND_S, AROUND_KEY_FRAMES_S = 1.0, 2.5
# Of one showing, and of all: a card that is held up for minutes tells nothing more.
SHOWING_S, SHOWINGS_MAX = 5.0, 8
READINGS_MAX: Final = 400


class _Looking(Listener):
    """Listens to one picture a step; batch after batch is read in the cage."""

    def __init__(self, known: Known, scratch: Path, context: Context) -> None:
        self._scratch, self._context = scratch, context
        self._width, self._height = within(shown_sides(known) or (SIDE_PX, SIDE_PX * 9 / 16), SIDE_PX)
        light = usual_light(known.value("video.transfer"), context.tools.filters)
        whole = look_at(known, context.settings).how == "all"
        self._step_s = STEP_S if whole else STEP_KEY_FRAMES_S
        self._branch = looks(
            step_s=self._step_s, width_px=self._width, height_px=self._height,
            count_max=int(SECONDS_MAX / self._step_s), light=light,
        )  # fmt: skip
        self._come = self._failed = 0
        self._hits: list[tuple[float, str]] = []

    def heard(self) -> Sequence[tuple[Branch, Sink]]:
        return [(self._branch, self._look)]

    def _look(self, pictures: Any) -> None:
        path = self._scratch / ".looks"
        pictures.tofile(path)
        try:
            found = self._context.tools.call(
                read_pictures, str(path), self._width, self._height, limits=self._limits(len(pictures)), reads=[path]
            )
        except Unreadable:  # nothing else is lost by it
            found, self._failed = [], self._failed + len(pictures)
        finally:
            path.unlink(missing_ok=True)
        self._hits += [((self._come + number) * self._step_s, text) for number, text in found]
        self._come += len(pictures)

    def _limits(self, seconds: float) -> Limits:
        return Limits(
            wall_s=60 + seconds, cpu_s=int(20 + seconds), memory_bytes=self._context.settings.media.memory_mb << 20,
            nice=10,
        )  # fmt: skip

    def end(self, decoded: Decoded) -> Facts:
        """What was seen; nothing where none of our codes was. Raises Unreadable where no picture could be read."""
        if self._come and self._failed == self._come:
            raise Unreadable("The reader of codes failed on every picture", zh="识别程序在每一幅画面上都失败")
        hits = [(at_s, code) for at_s, text in self._hits if (code := codes.read(text))]
        slates = codes.seen([(at_s, code.text) for at_s, code in hits if code.case], self._step_s)
        clocks = [at_s for at_s, code in hits if code.at]
        closely = self._closely(clocks, decoded) if clocks else {}
        found = {"slates": [list(one) for one in slates], "clock": closely}
        if not slates and not clocks:
            return Facts()
        return Facts(properties=tuple(_properties(found)), made=(self._written(found),), is_retimed=bool(clocks))

    def _closely(self, clocks: Sequence[float], decoded: Decoded) -> dict[str, Any]:
        before_s = AROUND_S if decoded.look.how == "all" else AROUND_KEY_FRAMES_S
        spans = _showings(clocks, before_s)
        seconds = sum(to_s - from_s for from_s, to_s in spans)
        told: dict[str, Any] = self._context.tools.call(
            read_closely, str(decoded.source), decoded.demuxer, [list(one) for one in spans],
            limits=self._limits(seconds * 20), reads=[decoded.source], still_wanted=self._context.still_wanted,
        )  # fmt: skip
        readings = [row for row in told["readings"] if (code := codes.read(row[2])) and code.at]
        return {"unit": told["unit"], "readings": readings}

    def _written(self, found: dict[str, Any]) -> MadeFile:
        path = self._scratch / "codes.json"
        path.write_text(json.dumps({"version": 1, **found}, ensure_ascii=False), encoding="utf-8")
        about = {"step_s": self._step_s, "width_px": self._width, "height_px": self._height, "failed": self._failed}
        tool = f"zxing-cpp {version('zxing-cpp')}, {self._context.tools.version}"
        return MadeFile(role="codes", path=path, mime="application/json", tool=tool, parameters=about)


def _showings(clocks: Sequence[float], before_s: float) -> list[tuple[float, float]]:
    found = codes.stretches(clocks, before_s, AROUND_S)[:SHOWINGS_MAX]
    return [(from_s, min(to_s, from_s + before_s + SHOWING_S)) for from_s, to_s in found]


def _telling(readings: list[list[Any]]) -> list[list[Any]]:
    """The first and the last picture of each code: the others bound nothing more closely."""
    ends = [
        row
        for place, row in enumerate(readings)
        if place in (0, len(readings) - 1) or not readings[place - 1][2] == row[2] == readings[place + 1][2]
    ]
    return ends[:READINGS_MAX]


def _properties(found: dict[str, Any]) -> Iterator[Property]:
    if readings := _telling(found["clock"].get("readings", [])):
        value = {"unit": found["clock"]["unit"], "readings": readings}
        yield Property(name=codes.CLOCK_PROPERTY, found=readings[0][2], value=value)
    if found["slates"]:
        told = "; ".join(text for *_, text in found["slates"])
        yield Property(name=codes.SLATES_PROPERTY, found=told, value={"seen": found["slates"]})


def listen(known: Known, scratch: Path, context: Context, trial: Trial) -> Listener:  # noqa: ARG001  # a deriver's
    """Listens for codes."""
    return _Looking(known, scratch, context)


DERIVER = Deriver(name="codes", version=1, roles=("codes",), wants=has_pictures, listen=listen)

"""The sound tracks behind the first, each as AAC in M4A, to be played beside the viewing copy.

Recorders with two microphones write two; browsers play the first track of a file and offer no other. Each begins when
the recording does, so that it is in step with the copy. Not covered: more than TRACKS_MAX of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pipeline.edges.caged.graphs import by
from pipeline.edges.caged.media import Decoded, Writing, contents_of
from pipeline.edges.confinement.cage import Limits
from pipeline.errors import Unreadable
from pipeline.footage import is_decodable, sounds_in
from pipeline.records import Facts, Known, MadeFile
from pipeline.stage import Context, Deriver, Listener, Trial

TRACKS_MAX: Final = 8
ENCODED: Final = {"c:a": "aac", "b:a": "96k", "f": "ipod", "movflags": "+faststart", "map_metadata": -1}


class _Tracks(Listener):
    """Has each further track written, and judges it by what it holds."""

    def __init__(self, known: Known, scratch: Path, context: Context) -> None:
        self._known, self._context = known, context
        numbers = range(2, min(sounds_in(known), TRACKS_MAX) + 1)
        self._targets = {number: scratch / f"track-{number}.m4a" for number in numbers}

    def writings(self) -> Sequence[Writing]:
        filters = (by("aresample", **{"async": 1}, first_pts=0),)
        return [
            Writing({f"a:{number - 1}": filters}, target, {**ENCODED, "ac": 2, "ar": 48_000})
            for number, target in self._targets.items()
        ]

    def end(self, decoded: Decoded) -> Facts:  # noqa: ARG002  # judged by the files
        """A `track` a sound track that plays. Raises Unreadable where none does."""
        made = tuple(self._made(number, target) for number, target in self._targets.items() if self._plays(target))
        if not made:
            raise Unreadable("none of them can be decoded", zh="均无法解码")
        return Facts(made=made)

    def _plays(self, target: Path) -> bool:
        context = self._context
        limits = Limits(wall_s=120, cpu_s=120, memory_bytes=context.settings.media.memory_mb << 20, nice=10)
        try:
            held: dict[str, Any] = context.tools.call(
                contents_of, str(target), "mov", limits=limits, reads=[target], still_wanted=context.still_wanted
            )
        except Unreadable:
            held = {"audio": None}
        if held["audio"] is None:
            target.unlink(missing_ok=True)
        return held["audio"] is not None

    def _made(self, number: int, target: Path) -> MadeFile:
        names = self._known.value("audio.tracks", [])
        said = names[number - 1] if number <= len(names) else ""
        about = {"name": target.name, "track": number, "said": said, "options": ENCODED}
        tool = self._context.tools.version
        return MadeFile(role="track", path=target, mime="audio/mp4", tool=tool, parameters=about)


def listen(known: Known, scratch: Path, context: Context, trial: Trial) -> Listener:  # noqa: ARG001  # a deriver's
    """Listens for each `track`."""
    return _Tracks(known, scratch, context)


def wants(known: Known) -> bool:
    """Whether there are sounds behind the first."""
    return is_decodable(known) and sounds_in(known) > 1


DERIVER = Deriver(name="tracks", version=1, roles=("track",), wants=wants, listen=listen)

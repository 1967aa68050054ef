"""One decode of a recording for all who listen to it.

    original ---- one ffmpeg process ----+-- viewing copy            derivers/proxy.py
                                         +-- grey pictures, all      derivers/timeline.py  fingerprinters/video.py
                                         +-- small pictures          derivers/pictures.py
                                         +-- one a second, grey      derivers/codes.py
                                         +-- samples                 derivers/waveform.py  fingerprinters/sound.py
                                         +-- loudness                derivers/timeline.py

Who came away with nothing (a sound that does not decode ends the whole program) listens again to a decode of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.edges.caged.media import Look, Writing, decode
from pipeline.errors import Unreadable
from pipeline.footage import length_s, limits_for, look_at
from pipeline.records import Facts, Known
from pipeline.stage import Context, Listener, Trial

logger = logging.getLogger(__name__)

# FFmpeg closes a step back of the clock at once, one ahead only from 10 s on: where streams that lie a little apart
# jump, it takes the one behind for a step ahead, and a hole as long as the first part comes between the two.
JUMP_S: Final = 0.5


@dataclass(frozen=True)
class Part:
    """Someone who wants to listen. name: of its kind; listen: makes a new listener for each try; tries: how many."""

    name: str
    listen: Callable[[Trial], Listener]
    tries: int = 2


@dataclass(frozen=True)
class _Waiting:
    part: Part
    trial: Trial = field(default_factory=Trial)


def listen(parts: Sequence[Part], source: Path, known: Known, context: Context) -> dict[str, Facts | Unreadable]:
    """What came of it for each part, by name: first one decode for all, then one for each that got nothing.

    Raises Superseded and TryAgain as they come.
    """
    outcomes: dict[str, Facts | Unreadable] = {}
    groups = [[_Waiting(part) for part in parts]] if parts else []
    while groups:
        failed: list[_Waiting] = []
        for group in groups:
            for waiting, outcome in _decoded(group, source, known, context):
                again = _again(waiting, outcome, alone=len(group) == 1)
                if again is None:
                    outcomes[waiting.part.name] = outcome
                else:
                    failed.append(again)
        groups = [[one] for one in failed]
    return outcomes


def _again(waiting: _Waiting, outcome: Facts | Unreadable, *, alone: bool) -> _Waiting | None:
    """The part's next try, None where it needs none or has none left. The same alone once more is no other try."""
    if not isinstance(outcome, Unreadable) or (alone and outcome.fields.get("why") == "time"):
        return None  # it would take as long once more
    number = waiting.trial.number + 1
    is_other = number < waiting.part.tries and not (alone and waiting.part.tries <= 2)
    return _Waiting(waiting.part, Trial(number, outcome.sentence)) if is_other else None


def _decoded(
    group: Iterable[_Waiting], source: Path, known: Known, context: Context
) -> Iterator[tuple[_Waiting, Facts | Unreadable]]:
    listeners: list[tuple[_Waiting, Listener]] = []
    for one in group:
        try:
            listeners.append((one, one.part.listen(one.trial)))
        except Unreadable as error:
            yield one, error
    if not listeners:
        return
    writings = [writing for _, listener in listeners for writing in listener.writings()]
    try:
        decoded = decode(
            context.tools, source, known.original.format,
            [heard for _, listener in listeners for heard in listener.heard()],
            writings=writings, limits=limits_for(known, context.settings), still_wanted=context.still_wanted,
            progress=_share(known, context.progress), look=_look(known, context, writings), **_options(known),
        )  # fmt: skip
    except Unreadable as error:
        logger.info("%s: %s: %s", known.original.id, error.sentence, error.fields.get("stderr"))
        for writing in writings:
            writing.target.unlink(missing_ok=True)
        yield from ((one, error) for one, _ in listeners)
        return
    for one, listener in listeners:
        try:
            yield one, listener.end(decoded)
        except Unreadable as error:
            yield one, error


def _look(known: Known, context: Context, writings: Sequence[Writing]) -> Look:
    """Key frames alone are decoded where the settings say so and no copy is encoded of the pictures."""
    if any("V:0" in one.streams and one.options.get("c") != "copy" for one in writings):
        return Look("all", "the copy is encoded of every picture")
    look = look_at(known, context.settings)
    if look.how == "filled" and not context.tools.fills:
        return Look("all", "this ffmpeg cannot leave pictures out before it decodes them")
    return look


def _options(known: Known) -> dict[str, Any]:
    """Of the input. A stream without times runs at the pace that it is known to have."""
    jumps = {"dts_delta_threshold": JUMP_S} if known.value("container.clock_jumps") else {}
    return {**jumps, **({"framerate": pace} if (pace := known.value("video.pace")) else {})}


def _share(known: Known, told: Callable[[float], None]) -> Callable[[float], None]:
    whole_s = length_s(known)
    return lambda reached_s: told(min(1.0, reached_s / whole_s)) if whole_s else None

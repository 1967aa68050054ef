"""How near to the truth any rule could bring the made-up bureau's times, by what was measured of its clocks.

The estimator that errs least: it knows by which law the generator's clocks walk (`tests/samples/bureau.py`: a rate that
stays, and one that wanders from half a day to half a day), how well people read them, and every setting, those that
nobody noted among them. No rule knows so much, so none does better on average.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from pipeline.records import ClockOffset
from tests.samples.bureau import FIRST, LOCAL, Bureau, Recorded, Recorder

# Of the generator: a steady rate even within 4.3 s a day (its spread), a wandering one, half a day apart, and reading.
RATE_S, WANDER_S, STAYS, NODE_DAYS, READ_S = 2.5, 0.17, 0.9, 0.5, 0.32
_ANYWHERE_S = 1e5


def best_shares(bureau: Bureau, near_s: float) -> tuple[float, float]:
    """Of the files whose device was measured, the share within near_s of the truth: by what the files show, which is
    whole seconds (half a one is what they leave out on average), and had they shown fractions."""
    pairs = [pair for one in {file.device.code: file.device for file in bureau.files}.values() if one.offsets
             for pair in _errors(one, [file for file in bureau.files if file.device.code == one.code])]  # fmt: skip
    errors, cut = (np.array(column) for column in zip(*pairs, strict=True))
    return float((abs(errors + cut - 0.5) <= near_s).mean()), float((abs(errors) <= near_s).mean())


def _errors(device: Recorder, files: Sequence[Recorded]) -> Iterator[tuple[float, float]]:
    """(seconds that the best estimate of its offset is off, fraction of a second that its name leaves out)."""
    known_s = FIRST.utcoffset() if device.zone else timedelta(0)
    zone_s = -(known_s or timedelta(0)).total_seconds()
    ends = [float("-inf"), *sorted(_day(at) for at in device.clock.steps), float("inf")]
    for first, last in pairwise(ends):
        measured = [one for one in device.offsets if first - 1e-6 <= _day(one.at) < last - 1e-6]
        within = [one for one in files if first <= _day(one.start_at) < last]
        for file, offset_s in zip(within, _estimates(measured, within), strict=True):
            shown = device.clock.shown(file.start_at).astimezone(LOCAL)
            yield offset_s - (device.clock.offset_s(file.start_at) - zone_s), shown.microsecond / 1e6


def _estimates(measured: Sequence[ClockOffset], files: Sequence[Recorded]) -> Sequence[float]:
    """The mean of the offset at each file's beginning, given these measurements (a Gaussian process)."""
    if not measured:
        return [float("nan")] * len(files)
    days = np.array([*(_day(one.at) for one in measured), *(_day(one.start_at) for one in files)])
    walked = _at_nodes(days) @ _walk(int((days.max() + 2) / NODE_DAYS) + 3)
    spread = walked @ walked.T + _ANYWHERE_S**2 + RATE_S**2 * np.outer(days, days)
    count = len(measured)
    noise = READ_S**2 * np.eye(count)
    seen = np.array([one.offset_s for one in measured])
    return list(spread[count:, :count] @ np.linalg.solve(spread[:count, :count] + noise, seen))


def _walk(nodes: int) -> Any:
    """Offset at each node from the steps of the wandering rate before it."""
    at = np.arange(nodes)
    rate = np.tril(STAYS ** np.maximum(at[:, None] - at[None, :], 0))
    return np.tril(np.ones((nodes, nodes)), -1) @ rate * WANDER_S * NODE_DAYS


def _at_nodes(days: Any) -> Any:
    """Each moment as its share of the two nodes beside it; the first node is a day before the first day."""
    place = (days + 1) / NODE_DAYS
    low = np.floor(place).astype(int)
    weights = np.zeros((len(days), int((days.max() + 2) / NODE_DAYS) + 3))
    weights[np.arange(len(days)), low] = 1 - (place - low)
    weights[np.arange(len(days)), low + 1] = place - low
    return weights


def _day(at: Any) -> float:
    return float((at - FIRST) / timedelta(days=1))

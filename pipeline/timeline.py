"""What the parts of a time line share: the rate of the samples they hear, and stretches in which something holds."""

from __future__ import annotations

from typing import Final

RATE_HZ: Final = 16_000
# Shorter stretches are not worth telling.
LASTS_S: Final = 2.0

Stretch = tuple[float, float]


class Runs:
    """Collects stretches of equal steps in which something holds, those that last LASTS_S or longer."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._begin: int | None = None
        self.stretches: list[Stretch] = []

    def add(self, number: int, *, holds: bool) -> None:
        """Whether it holds at this step."""
        if holds:
            self.begin(number)
        else:
            self.end(number)

    def begin(self, number: int) -> None:
        """It holds from this step on, if it did not before."""
        if self._begin is None:
            self._begin = number

    def end(self, number: int) -> None:
        """Whatever still holds ends before this step."""
        if self._begin is not None and (number - self._begin) * self._step_s >= LASTS_S:
            self.stretches.append((round(self._begin * self._step_s, 3), round(number * self._step_s, 3)))
        self._begin = None

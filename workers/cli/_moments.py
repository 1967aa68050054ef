"""Moments as people type them."""

from __future__ import annotations

from datetime import datetime, tzinfo


def moment_of(text: str, zone: tzinfo, option: str) -> datetime:
    """The instant that a person typed. Raises BadInput where it is none."""
    return step_of(text, zone, option)[0]


def step_of(text: str, zone: tzinfo, option: str) -> tuple[datetime, float]:
    """The same, and how fine it was typed, in seconds."""
    from pipeline.errors import BadInput
    from pipeline.timing.texts import Misread, instant_of, read_time

    reading = read_time(text)
    if isinstance(reading, Misread) or reading.precision_s > 60:
        raise BadInput(f"{option} '{text}' is no moment; write 2021-08-03 10:10:00",
                       zh=f"{option}“{text}”不是完整的时刻，请写作 2021-08-03 10:10:00", found=text)  # fmt: skip
    return instant_of(reading.shown, zone if reading.offset_min is None else reading.offset_min), reading.precision_s

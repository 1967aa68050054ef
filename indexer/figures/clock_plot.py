"""What is known of a device's clock, drawn: its measurements, the offset between and beyond them, how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from jinja2 import Environment

from pipeline.records import ClockOffset
from pipeline.timing.clocks import DeviceClock

WIDTH_PX, HEIGHT_PX, LEFT_PX, EDGE_PX = 800, 300, 80, 25
POINTS: Final = 200
_PICTURE: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{{ width }}" height="{{ height }}"
 font-family="sans-serif" font-size="12">
<text x="4" y="14">{{ name }}</text>
{%- for at, text in scale %}
<line x1="{{ left }}" x2="{{ right }}" y1="{{ at }}" y2="{{ at }}" stroke="#ccc"/>
<text x="4" y="{{ at }}">{{ text }}</text>
{%- endfor %}
<polygon points="{{ band }}" fill="#9bd" fill-opacity="0.5"/><polyline points="{{ line }}" fill="none" stroke="#246"/>
{%- for x, y, text in marks %}
<circle cx="{{ x }}" cy="{{ y }}" r="4"><title>{{ text }}</title></circle>
{%- endfor %}
<text x="{{ left }}" y="{{ height - 4 }}">{{ first }}</text>
<text x="{{ right }}" y="{{ height - 4 }}" text-anchor="end">{{ last }}</text>
</svg>
"""


def drawn(name: str, offsets: Sequence[ClockOffset], until: datetime) -> str:
    """An SVG picture from the first measurement (there must be one) to `until`, or the last one where that is later."""
    first, last = min(one.at for one in offsets), max(until, *(one.at for one in offsets))
    step = max((last - first) / POINTS, timedelta(microseconds=1))
    clock = DeviceClock(offsets)
    known = [(number, off) for number in range(POINTS + 1) if (off := clock.true_at(first + number * step))]
    most_s = max([abs(off.offset_s) + off.uncertainty_s for _, off in known] + [abs(one.offset_s) for one in offsets])
    right = WIDTH_PX - 10

    def x(at: datetime) -> float:
        return round(LEFT_PX + (right - LEFT_PX) * ((at - first) / step) / POINTS, 1)

    def y(offset_s: float) -> float:
        return round(HEIGHT_PX / 2 - (HEIGHT_PX / 2 - EDGE_PX) * offset_s / (most_s or 1.0), 1)

    def points(side: int) -> list[str]:
        return [f"{x(first + at * step)},{y(off.offset_s + side * off.uncertainty_s)}" for at, off in known]

    return Environment(autoescape=True).from_string(_PICTURE).render(
        name=name, width=WIDTH_PX, height=HEIGHT_PX, left=LEFT_PX, right=right,
        scale=[(y(one), f"{one:+.1f} s") for one in (most_s, 0.0, -most_s)],
        band=" ".join(points(1) + points(-1)[::-1]), line=" ".join(points(0)),
        marks=[(x(one.at), y(one.offset_s), f"{one.at:%Y-%m-%d} {one.offset_s:+.1f} s {one.by}") for one in offsets],
        first=f"{first:%Y-%m-%d}", last=f"{last:%Y-%m-%d}",
    )  # fmt: skip

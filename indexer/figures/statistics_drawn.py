"""The statistics as pictures: bars of each unit or device, drawn as SVG on the server.

Each part of a bar has a pattern and its count beside its colour; the picture carries its title and what it shows as
text. Colours stand in attributes, so that a saved picture shows them too, and style sheets of a page may change them.
Sources: WCAG 2.2, 1.4.1 use of colour, 1.4.11 non-text contrast; SVG-AAM 1.0 on title and desc.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import log10
from typing import Final

from jinja2 import Environment, Template
from markupsafe import Markup

from indexer.figures.statistics import FIGURES, By, Figure, Figures, Row, Statistics, name_of
from indexer.naming import Lang

# More rows are no picture any more; the table has all of them.
ROWS: Final = 24
WIDTH_PX, LEFT_PX, SAID_PX, ROW_PX, HEAD_PX = 760, 170, 200, 26, 54
_BAR_PX: Final = WIDTH_PX - LEFT_PX - SAID_PX
# Ticks of the clocks' axis, in seconds and as they are said.
_TICKS: Final = ((1.0, "1 s"), (10.0, "10 s"), (60.0, "1 min"), (600.0, "10 min"), (3600.0, "1 h"), (86400.0, "1 d"),
                 (30 * 86400.0, "30 d"), (3.2e7, "1 a"), (3.2e8, "10 a"), (3.2e9, "100 a"))  # fmt: skip
_FILLS: Final = {"well": "#2f6f9f", "half": "#e2b04a", "ill": "#b4432f"}
_PATTERNS: Final = {
    "well": "",
    "half": '<path d="M0 8 8 0" stroke="#5d4308" stroke-width="1.5"/>',
    "ill": '<path d="M0 0 8 8M0 8 8 0" stroke="#fff" stroke-width="1.2"/>',
}
# Figure -> the parts of its bars: (kind, (Chinese, English), how many of a group).
_PARTS: Final[Mapping[Figure, Sequence[tuple[str, tuple[str, str], Callable[[Figures], float]]]]] = {
    "on_time": (
        ("well", ("及时", "on time"), lambda one: one.on_time),
        ("half", ("时间不明", "time unknown"), lambda one: one.undated),
        ("ill", ("逾期", "late"), lambda one: one.late),
    ),
    "links": (
        ("well", ("已确认", "confirmed"), lambda one: one.confirmed),
        ("half", ("待确认", "proposed"), lambda one: one.proposed),
        ("ill", ("未关联", "unlinked"), lambda one: one.unlinked),
    ),
    "elements": (
        ("well", ("要素齐全", "complete"), lambda one: one.films - one.lacking),
        ("ill", ("缺要素", "lacking"), lambda one: one.lacking),
    ),
    "gaps": (("ill", ("未说明的缺口", "without a reason"), lambda one: one.gap_s),),
}  # fmt: skip


@dataclass(frozen=True)
class _Piece:
    """A part of a bar, in pixels. count: shown in it where there is room; told: of one that is pointed at."""

    kind: str
    x: float
    width: float
    count: str
    told: str


@dataclass(frozen=True)
class _Bar:
    y: int
    name: str
    pieces: tuple[_Piece, ...]
    said: str
    dot: float | None = None


_PICTURE: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}" width="{{ width }}" height="{{ height }}"
 role="img" aria-labelledby="{{ id }}-title {{ id }}-desc" class="figure" font-family="sans-serif" font-size="13"
 fill="#1b222c">
<title id="{{ id }}-title">{{ title }}</title>
<desc id="{{ id }}-desc">{{ desc }}</desc>
<defs>
{%- for kind, _ in legend %}
<pattern id="{{ id }}-{{ kind }}" width="8" height="8" patternUnits="userSpaceOnUse">
<rect width="8" height="8" fill="{{ fills[kind] }}"/>{{ patterns[kind] }}</pattern>
{%- endfor %}
</defs>
<text x="0" y="16" font-weight="600" aria-hidden="true">{{ title }}</text>
{%- for kind, text in legend %}
{% set x = left + loop.index0 * 140 %}
<rect x="{{ x }}" y="26" width="18" height="14" fill="url(#{{ id }}-{{ kind }})" stroke="#566070"/>
<text x="{{ x + 24 }}" y="38" class="soft" fill="#566070">{{ text }}</text>
{%- endfor %}
{%- for x, text in ticks %}
<line x1="{{ x }}" x2="{{ x }}" y1="{{ top }}" y2="{{ bottom }}" stroke="#9aa3ae"
 stroke-width="{{ 0.5 if text else 1.5 }}"/>
<text x="{{ x }}" y="{{ bottom + 14 }}" text-anchor="middle" font-size="11" class="soft"
 fill="#566070">{{ text or "0" }}</text>
{%- endfor %}
{%- for bar in bars %}
{% set short = bar.name|short %}
<g>
<text x="{{ left - 8 }}" y="{{ bar.y + 16 }}" text-anchor="end">{{ short -}}
{% if short != bar.name %}<title>{{ bar.name }}</title>{% endif %}</text>
{%- for one in bar.pieces %}
<rect x="{{ one.x }}" y="{{ bar.y + 3 }}" width="{{ one.width }}" height="18" fill="url(#{{ id }}-{{ one.kind }})"
 stroke="#566070" stroke-width="0.5"><title>{{ one.told }}</title></rect>
{%- if one.count %}
{% set middle, half = one.x + one.width / 2, one.count|length * 4 + 3 %}
<rect x="{{ middle - half }}" y="{{ bar.y + 5 }}" width="{{ 2 * half }}" height="14" rx="2" fill="#fff" class="tag"/>
<text x="{{ middle }}" y="{{ bar.y + 16 }}" text-anchor="middle" font-size="12" fill="#1b222c"
 class="count">{{ one.count }}</text>
{%- endif %}
{%- endfor %}
{%- if bar.dot is not none %}
<path d="M{{ bar.dot }} {{ bar.y + 4 }}l8 8-8 8-8-8z" fill="#fff" stroke="#1b222c" stroke-width="1.5" class="dot"/>
{%- endif %}
<text x="{{ right + 8 }}" y="{{ bar.y + 16 }}">{{ bar.said }}</text>
</g>
{%- endfor %}
</svg>
"""


def drawn(statistics: Statistics, figure: Figure, by: By, lang: Lang) -> str:
    """The SVG picture of one figure, a bar for each unit or device; the worst `ROWS` of them where there are more."""
    at = 0 if lang == "zh" else 1
    every = [one for one in statistics.by(by) if _weight(figure, one.figures)]
    rows = sorted(every, key=lambda one: _badness(figure, one.figures), reverse=True)[:ROWS]
    # As in the table, so that both are read side by side.
    rows = [one for one in every if one in rows]
    bars, ticks = _clocks(rows, lang) if figure == "clocks" else (_bars(rows, figure, lang), [])
    told = FIGURES[figure]
    days = f"{statistics.from_on:%Y-%m-%d} – {statistics.to_on:%Y-%m-%d}"
    title = f"{told.title[at]} · {days}"
    left_out = len(every) - len(rows)
    sentences = [f"{bar.name}: {bar.said}" for bar in bars]
    if left_out:
        sentences.append((f"另有 {left_out} 行见表", f"{left_out} more are in the table")[at])
    bottom = HEAD_PX + ROW_PX * len(bars)
    fills = {"well": _FILLS["well"]} if figure == "clocks" else _FILLS
    legend = (
        [("well", ("最大偏差（◇ 最近一次）", "largest offset (◇ the last one)")[at])] if figure == "clocks"
        else [(kind, names[at]) for kind, names, _ in _PARTS[figure]]
    )  # fmt: skip
    return _template().render(
        id=f"figure-{figure}", title=title, desc="; ".join(sentences) or ("无数据", "no data")[at], width=WIDTH_PX,
        height=bottom + (22 if ticks else 8), left=LEFT_PX, right=LEFT_PX + _BAR_PX, top=HEAD_PX, bottom=bottom,
        legend=legend, fills=fills, bars=bars, ticks=ticks,
    )  # fmt: skip


def _weight(figure: Figure, one: Figures) -> float:
    match figure:
        case "gaps":
            return one.duties + one.gaps
        case "clocks":
            return one.measured + one.unmeasured
    return one.films


def _badness(figure: Figure, one: Figures) -> tuple[float, float]:
    match figure:
        case "gaps":
            return one.gap_s, 0.0
        case "clocks":
            return abs(one.worst_s or 0.0), one.unmeasured
    bad = sum(count(one) for kind, _, count in _PARTS[figure] if kind != "well")
    return bad / one.films, bad


def _bars(rows: Sequence[Row], figure: Figure, lang: Lang) -> list[_Bar]:
    at = 0 if lang == "zh" else 1
    parts = _PARTS[figure]
    longest = max((sum(count(one.figures) for _, _, count in parts) for one in rows), default=0.0) or 1.0
    found = []
    for place, row in enumerate(rows):
        x, pieces = float(LEFT_PX), []
        for kind, names, count in parts:
            value = count(row.figures)
            width = round(_BAR_PX * value / longest, 1)
            if value:
                text = lasting(value, lang) if figure == "gaps" else f"{value:g}"
                fits = width > len(text) * 8 + 10 and figure != "gaps"
                pieces.append(_Piece(kind, round(x, 1), width, text if fits else "", f"{names[at]} {text}"))
            x += width
        found.append(_Bar(HEAD_PX + ROW_PX * place, name_of(row, lang), tuple(pieces), _said(row, figure, lang)))
    return found


def _said(row: Row, figure: Figure, lang: Lang) -> str:
    """The bar in words, beside it."""
    one, at = row.figures, 0 if lang == "zh" else 1
    match figure:
        case "on_time":
            timed = one.on_time + one.late
            if not timed:
                return ("时间不明", "time unknown")[at]
            return (f"及时 {one.on_time}/{timed}", f"{one.on_time} of {timed} on time")[at]
        case "links":
            return (f"未关联 {one.unlinked}/{one.films}", f"{one.unlinked} of {one.films} unlinked")[at]
        case "elements":
            return (f"缺要素 {one.lacking}/{one.films}", f"{one.lacking} of {one.films} lacking")[at]
    told = lasting(one.gap_s, lang)
    return (f"{one.gaps} 处，{told}", f"{one.gaps}, {told}")[at]


def lasting(seconds: float, lang: Lang) -> str:
    """A length as people say it: `3 min 20 s`, `3 分 20 秒`."""
    whole, at = round(seconds), 0 if lang == "zh" else 1
    counts = (whole // 3600, whole // 60 % 60, whole % 60)
    units = (("小时", "h"), ("分", "min"), ("秒", "s"))
    some = [f"{count} {unit[at]}" for count, unit in zip(counts, units, strict=True) if count]
    return " ".join(some[:2]) or f"0 {units[2][at]}"


def off_by(seconds: float | None, lang: Lang) -> str:
    """How far a clock is off: `+2.0 s`, `−2 min 5 s`; a dash where it is not known."""
    if seconds is None:
        return "—"
    sign = "−" if seconds < 0 else "+"
    return f"{sign}{lasting(abs(seconds), lang) if abs(seconds) >= 60 else f'{abs(seconds):.1f} s'}"


def _clocks(rows: Sequence[Row], lang: Lang) -> tuple[list[_Bar], list[tuple[float, str]]]:
    """Bars on both sides of zero, by the logarithm: a clock may be off by a second or by years."""
    at = 0 if lang == "zh" else 1
    most_s = max((abs(one.figures.worst_s or 0.0) for one in rows), default=0.0)
    ends = [seconds for seconds, _ in _TICKS if seconds >= most_s]
    end_s = ends[0] if ends else most_s
    middle = LEFT_PX + _BAR_PX / 2

    def x(seconds: float) -> float:
        share = log10(1 + abs(seconds)) / log10(1 + end_s)
        return round(middle + (1 if seconds > 0 else -1) * share * _BAR_PX / 2, 1)

    bars = []
    for place, row in enumerate(rows):
        one = row.figures
        pieces: tuple[_Piece, ...] = ()
        said = [(f"{one.unmeasured} 台从未校核", f"{one.unmeasured} never measured")[at]] if one.unmeasured else []
        if one.worst_s is not None:
            first, last = sorted((middle, x(one.worst_s)))
            told = off_by(one.worst_s, lang)
            pieces = (_Piece("well", first, round(max(last - first, 1.0), 1), "", told),)
            said = [f"{told} ({one.measured}×)", *said]
        dot = None if one.offset_s is None else round(x(one.offset_s), 1)
        bars.append(_Bar(HEAD_PX + ROW_PX * place, name_of(row, lang), pieces, ", ".join(said), dot))
    # So that their words do not stand on one another.
    known = [one for one in _TICKS if one[0] <= end_s]
    some = [one for place, one in enumerate(known[::-1]) if place % max(1, len(known) // 3) == 0]
    ticks = [(middle, "")] + [
        (x(sign * seconds), f"{'+' if sign > 0 else '−'}{text}") for seconds, text in some for sign in (1, -1)
    ]
    return bars, ticks


@cache
def _template() -> Template:
    environment = Environment(autoescape=True)
    environment.filters["short"] = lambda text: text if len(text) <= _name_length(text) else (
        text[: _name_length(text) - 1] + "…"
    )  # fmt: skip
    environment.globals["patterns"] = {kind: Markup(drawing) for kind, drawing in _PATTERNS.items()}
    return environment.from_string(_PICTURE)


def _name_length(text: str) -> int:
    """How many characters of it find room; Chinese ones are twice as wide."""
    return 12 if any(ord(one) > 0x2E80 for one in text) else 22


def drawings(statistics: Statistics, lang: Lang) -> Iterator[tuple[str, str]]:
    """(file name, picture) of every figure, by unit and by device."""
    sorts: tuple[By, ...] = ("unit", "device")
    for figure in FIGURES:
        for by in sorts:
            yield f"{figure}-{by}.svg", drawn(statistics, figure, by, lang)

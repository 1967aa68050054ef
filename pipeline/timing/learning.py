"""A profile of device names proposed from samples: what each part of the names seems to mean, for a person to check.

Names of one device differ in few places. The samples are cut into parts at their separators; a part that is a whole
stamp, a day, a time of day in every sample is one, a short number that differs is a sequence number, letters and digits
together are a device, six to eight digits beside a device are who carried it. Nothing is taken from one sample alone
that another contradicts. Not covered: folders, names without separators around several numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from pipeline.errors import BadInput

SAMPLES_MIN: Final = 3  # of fewer, any number may be anything
SAMPLES_KEPT: Final = 5
TRUST: Final = 75  # a device's own clock, as other profiles of devices; a person may raise or lower it
_PARTS: Final = re.compile(r"[A-Za-z0-9]+|[^A-Za-z0-9]+")
_STAMP: Final = re.compile(r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d")
_IMPORTANT: Final = frozenset({"IMP", "KEY"})
# The parts that hold a time of day; without one of them a name tells the day only.
_CLOCKS: Final = frozenset({"stamp14", "time6", "hour", "hour and minute", "epoch_ms"})

Meaning = str


@dataclass(frozen=True)
class Part:
    """One part of the names. pattern: as it goes into the profile; meaning: a group, `fixed` or `anything`."""

    pattern: str
    meaning: Meaning
    seen: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A profile for the samples that are built alike. unlike: samples built otherwise, to be learnt apart."""

    name: str
    parts: tuple[Part, ...]
    suffixes: tuple[str, ...]
    samples: tuple[str, ...]
    unlike: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """The whole pattern."""
        named = [re.escape(one) for one in self.suffixes if one]
        ends = rf"(?:\.(?:{'|'.join(named)}))" + ("?" if "" in self.suffixes else "") if named else ""
        return "^" + "".join(part.pattern for part in self.parts) + ends + "$"

    @property
    def gives_time(self) -> bool:
        """Whether a day was found in the names."""
        return any(part.meaning in ("stamp14", "date8", "date6", "year", "epoch_ms") for part in self.parts)

    def toml(self) -> str:
        """The profile as it stands in `filenames.toml`."""
        meanings = {part.meaning for part in self.parts}
        a_day = "" if meanings & _CLOCKS or not self.gives_time else "precision_s = 86400.0\n"
        samples = "\n".join(f"  {_quoted(one)}," for one in self.samples)
        return (
            f'[[profile]]\nname = "{self.name}"\ndevice = ""\npattern = \'{self.pattern}\'\nzone = "local"\n'
            f'marks = "{"start" if self.gives_time else "unknown"}"\ntrust = {TRUST if self.gives_time else 0}\n'
            f"{a_day}samples = [\n{samples}\n]\n"
        )


def proposed(samples: Iterable[str], name: str) -> Proposal:
    """The profile that fits most of the samples. Raises BadInput where they are too few, or have nothing in common."""
    told = list(dict.fromkeys(unicodedata.normalize("NFKC", one.rpartition("/")[2]) for one in samples))
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in told:
        alike[_build_of(one)].append(one)
    most = max(alike.values(), key=len, default=[])
    if len(most) < SAMPLES_MIN:
        raise BadInput(
            f"{len(told)} names were given, and no {SAMPLES_MIN} of them are built alike: give more of one device",
            zh=f"共 {len(told)} 个名称，没有 {SAMPLES_MIN} 个构成相同：请多给同一设备的文件名",
            found=len(told),
        )
    columns = list(zip(*(_PARTS.findall(_stem(one)) for one in most), strict=True))
    return Proposal(
        name=name,
        parts=tuple(_parts(columns)),
        suffixes=tuple(sorted({_suffix(one) for one in most})),
        samples=tuple(most[:SAMPLES_KEPT]),
        unlike=tuple(one for one in told if one not in most),
    )


def shape_of(name: str) -> str:
    """The name with its digits and letters made alike, for counting names that are built alike: `A-99999999.mp4`."""
    plain = re.sub(r"\d", "9", _stem(unicodedata.normalize("NFKC", name)))
    suffix = _suffix(name)
    return re.sub(r"[A-Za-z]+", "A", plain) + (f".{suffix}" if suffix else "")


def _build_of(name: str) -> tuple[str, ...]:
    """How the name is cut: its separators, and where digits alone, letters alone or both stand between them."""
    found = []
    for part in _PARTS.findall(_stem(name)):
        if not part[0].isalnum() or not part.isascii():
            found.append(part)
        elif part.isdigit():
            found.append("9" * (len(part) if len(part) > 6 else 1))
        else:
            found.append("A" if part.isalpha() else "X")
    return tuple(found)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] if _suffix(name) else name


def _suffix(name: str) -> str:
    suffix = name.rpartition(".")[2] if "." in name else ""
    return suffix.lower() if re.fullmatch(r"[A-Za-z0-9]{2,4}", suffix) else ""


def _parts(columns: Sequence[tuple[str, ...]]) -> list[Part]:
    """The columns with their meanings, from left to right; what was told of one takes its neighbours along."""
    parts: list[Part] = []
    at = 0
    while at < len(columns):
        found = _moment_at(columns, at, parts) or [_single(columns[at], parts)]
        parts += found
        at += len(found)
    return parts


def _moment_at(columns: Sequence[tuple[str, ...]], at: int, before: Sequence[Part]) -> list[Part]:
    """A day and what of its time of day stands beside it; nothing where none begins here."""
    here = columns[at]
    has_start = any(part.meaning in ("stamp14", "date8", "date6", "year", "year2") for part in before)
    if all(map(_STAMP.fullmatch, here)) and _are_moments(here, "%Y%m%d%H%M%S"):
        group = "end14" if has_start else "stamp14"
        return [Part(rf"(?P<{group}>\d{{14}})", group, _seen(here))]
    if has_start:
        return _end_at(columns, at, before)
    if within := _within(here, _STAMP.pattern, "stamp14", 14, "%Y%m%d%H%M%S"):
        return [within]
    if _are_digits(here, 17) and _are_moments([one[:14] for one in here], "%Y%m%d%H%M%S"):
        return [Part(r"(?P<stamp14>\d{14})(?P<fraction>\d{3})", "stamp14", _seen(here))]
    if within := _within(here, r"20\d{6}", "date8", 8, "%Y%m%d"):
        return _with_clock(columns, at, within)
    # Six digits may be anything: a day only where no other part is surely one.
    surer = any(all(re.fullmatch(r"[A-Za-z]*20\d{6}(?:\d{6})?", one) for one in column) for column in columns)
    if not surer and _are_digits(here, 6) and _are_moments(here, "%y%m%d"):
        return _with_clock(columns, at, Part(r"(?P<date6>\d{6})", "date6", _seen(here)))
    apart = columns[at : at + 5 : 2]
    if len(apart) == 3 and _is_day(apart):
        names = (("year", 4), ("month", 2), ("day", 2))
        return _spread(columns, at, names) + _clock_apart(columns, at + 5)
    halves = [(one[:2], one[2:]) for one in apart[1]] if len(apart) >= 2 else []
    if halves and _is_day([apart[0], *zip(*halves, strict=True)]):
        rest = Part(r"(?P<month>\d\d)(?P<day>\d\d)", "month and day", _seen(apart[1]))
        year = Part(r"(?P<year>\d{4})", "year", _seen(here))
        return [year, _single(columns[at + 1], []), *_with_clock(columns, at + 2, rest)]
    if _are_digits(here, 13) and all(one.startswith("1") for one in here):
        return [Part(r"(?P<epoch_ms>1\d{12})", "epoch_ms", _seen(here))]
    return []


def _end_at(columns: Sequence[tuple[str, ...]], at: int, before: Sequence[Part]) -> list[Part]:
    """A second time of day, where it is later than the first in nearly every sample: some run past midnight."""
    starts = next((columns[place] for place, part in enumerate(before) if part.meaning == "time6"), None)
    ends = columns[at]
    if starts is None or not _are_digits(ends, 6) or not _are_moments(ends, "%H%M%S"):
        return []
    later = sum(end >= start for start, end in zip(starts, ends, strict=True))
    return [Part(r"(?P<end_time6>\d{6})", "end_time6", _seen(ends))] if later >= 0.9 * len(ends) else []


def _within(column: Sequence[str], pattern: str, group: str, width: int, layout: str) -> Part | None:
    """Digits behind or before letters in one part: `REC20210803101010`, or alone."""
    cut = [re.fullmatch(rf"([A-Za-z]*)({pattern})([A-Za-z]*)", one) for one in column]
    found = [one for one in cut if one is not None]
    if len(found) < len(column) or not _are_moments([one[2] for one in found], layout):
        return None
    lead, tail = (_letters(sorted({one[place] for one in found})) for place in (1, 3))
    return Part(rf"{lead}(?P<{group}>\d{{{width}}}){tail}", group, _seen(column))


def _letters(values: Sequence[str]) -> str:
    return re.escape(values[0]) if len(values) == 1 else f"(?:{'|'.join(map(re.escape, values))})"


def _with_clock(columns: Sequence[tuple[str, ...]], at: int, day: Part) -> list[Part]:
    """The day, and the time of day in the part after the next separator, where one stands there."""
    if at + 2 < len(columns):
        clock = columns[at + 2]
        between = _single(columns[at + 1], [])
        if _are_digits(clock, 6) and _are_moments(clock, "%H%M%S"):
            return [day, between, Part(r"(?P<time6>\d{6})", "time6", _seen(clock))]
        if all(re.fullmatch(r"\d{8,9}", one) for one in clock) and _are_moments([one[:6] for one in clock], "%H%M%S"):
            return [day, between, Part(r"(?P<time6>\d{6})(?P<fraction>\d{2,3})", "time6", _seen(clock))]
        led = [re.fullmatch(r"(\d{6})[A-Za-z]\w*", one) for one in clock]
        if all(led) and _are_moments([one[1] for one in led if one], "%H%M%S"):
            return [day, between, Part(r"(?P<time6>\d{6})[A-Z]\w*", "time6", _seen(clock))]
        if _are_digits(clock, 4) and _are_moments(clock, "%H%M"):
            minutes = Part(r"(?P<hour>\d\d)(?P<minute>\d\d)", "hour and minute", _seen(clock))
            # 0001 on all mornings is the first file of the day, and no minute past midnight.
            return [day] if all(one.startswith("00") for one in clock) else [day, between, minutes]
    return [day]


def _is_day(apart: Sequence[tuple[str, ...]]) -> bool:
    return all(map(_are_digits, apart, (4, 2, 2))) and _are_moments(
        ["".join(one) for one in zip(*apart, strict=True)], "%Y%m%d"
    )


def _clock_apart(columns: Sequence[tuple[str, ...]], at: int) -> list[Part]:
    """`-10-10-10` after a day written apart; its separator counts among the parts."""
    if at + 1 < len(columns) and _are_digits(columns[at + 1], 4) and _are_moments(columns[at + 1], "%H%M"):
        minutes = Part(r"(?P<hour>\d\d)(?P<minute>\d\d)", "hour and minute", _seen(columns[at + 1]))
        return [_single(columns[at], []), minutes]
    clock = columns[at + 1 : at + 6 : 2]
    digits = ["".join(one) for one in zip(*clock, strict=True)] if len(clock) == 3 else []
    if not digits or not all(_are_digits(one, 2) for one in clock) or not _are_moments(digits, "%H%M%S"):
        return []
    names = (("hour", 2), ("minute", 2), ("second", 2))
    return [_single(columns[at], []), *_spread(columns, at + 1, names)]


def _spread(columns: Sequence[tuple[str, ...]], at: int, names: Sequence[tuple[str, int]]) -> list[Part]:
    parts = []
    for place, (name, width) in enumerate(names):
        if place:
            parts.append(_single(columns[at + 2 * place - 1], []))
        column = columns[at + 2 * place]
        parts.append(Part(rf"(?P<{name}>\d{{{width}}})", name, _seen(column)))
    return parts


def _single(column: Sequence[str], before: Sequence[Part]) -> Part:
    """What one part seems to mean by itself."""
    values = sorted(set(column))
    told = {part.meaning for part in before}
    if not column[0][0].isalnum() or not column[0].isascii():
        return Part(_letters(values), "fixed", _seen(column))
    width = _width(column)
    if all(one.upper() in _IMPORTANT for one in values):
        return Part("(?P<important>IMP|KEY)", "important", _seen(column))
    if all(one.isdigit() for one in values):
        meaning = _number_meaning(column, told)
        return Part(rf"(?P<{meaning}>\d{width})" if meaning else rf"\d{width}", meaning or "anything", _seen(column))
    if numbered := _channel(column):
        return numbered if "channel" not in told else Part(rf"[A-Z0-9]{width}", "anything", _seen(column))
    if "sequence" not in told and all(re.fullmatch(r"\d{2,6}[A-Za-z]", one) for one in values):
        digits = _width([one[:-1] for one in column])
        return Part(rf"(?P<sequence>\d{digits})(?P<camera>[A-Z])", "sequence", _seen(column))
    if all(one.isalpha() for one in values):
        short = len(values) > 1 and max(map(len, values)) == 1 and "camera" not in told
        return Part("(?P<camera>[A-Z])" if short else _letters(values), "camera" if short else "fixed", _seen(column))
    if "sequence" not in told and (counted := _counted(column)):
        return counted
    if "device" not in told and max(map(len, values)) >= 4:
        return Part(rf"(?P<device>[A-Z0-9]{width})", "device", _seen(column))
    return Part(rf"[A-Z0-9]{width}", "anything", _seen(column))


def _number_meaning(column: Sequence[str], told: set[str]) -> str:
    """`sequence`, `officer`, `device`, or nothing where nothing is clear."""
    counts, longest = Counter(column), max(map(len, column))
    differs, repeats = len(counts) > max(1, len(column) // 2), len(counts) < len(column)
    if repeats and 6 <= longest <= 8 and "device" in told and not told & {"officer", "stamp14", "date8"}:
        return "officer"
    if differs and longest <= 6 and "sequence" not in told:
        return "sequence"
    if not differs and longest >= 4 and "device" not in told:
        return "device"
    if longest <= 5 and "sequence" not in told and (told & {"stamp14", "date8", "time6", "second"} or differs):
        return "sequence"
    return ""


def _counted(column: Sequence[str]) -> Part | None:
    """Letters that stay and a number that no two samples share: `hiv00012`."""
    cut = [re.fullmatch(r"([A-Za-z]+)(\d{3,6})", one) for one in column]
    leads = {one[1] for one in cut if one}
    if not all(cut) or len(leads) > 1 or len(set(column)) < len(column):
        return None
    width = _width([one[2] for one in cut if one])
    return Part(rf"{re.escape(leads.pop())}(?P<sequence>\d{width})", "sequence", _seen(column))


def _channel(column: Sequence[str]) -> Part | None:
    cut = [re.fullmatch(r"(ch|cam)(\d{1,4})", one, re.IGNORECASE) for one in column]
    if not all(cut):
        return None
    leads = sorted({one[1].lower() for one in cut if one})
    width = _width([one[2] for one in cut if one])
    return Part(rf"{_letters(leads)}(?P<channel>\d{width})", "channel", _seen(column))


def _width(column: Sequence[str]) -> str:
    lengths = sorted({len(one) for one in column})
    return f"{{{lengths[0]}}}" if len(lengths) == 1 else f"{{{lengths[0]},{lengths[-1]}}}"


def _seen(column: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column))[:3]


def _are_digits(column: Sequence[str], width: int) -> bool:
    return all(one.isdigit() and len(one) == width for one in column)


def _are_moments(texts: Sequence[str], layout: str) -> bool:
    """Whether each of these digits is one; a two-digit year must not lie ahead of all the others by decades."""
    try:
        found = [datetime.strptime(one, layout) for one in texts]  # noqa: DTZ007 - digits of a clock, and no instant
    except ValueError:
        return False
    years = sorted(one.year for one in found)
    return all(later - earlier <= 10 for earlier, later in pairwise(years)) and (
        "y" not in layout.lower() or all(2000 <= year < 2100 for year in years)
    )


def _quoted(text: str) -> str:
    return f"'{text}'" if "'" not in text else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

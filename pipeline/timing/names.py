"""What file and folder names say by profile: the day and time, and the other marks a device writes there.

Names are read in their compatibility form, so that full-width digits count; bytes that are not UTF-8 are read as
GB 18030, the habit of Chinese systems.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.records import Arrival, Known
from pipeline.rules import NameProfile
from pipeline.timing.texts import shown_of

_MARKS: Final = frozenset({"device", "officer", "sequence", "channel", "camera", "lens", "stream", "part"})


@dataclass(frozen=True, kw_only=True)
class NameReading:
    """What one name says. start, end: clock digits (see texts), None for none; trouble: why there are none."""

    profile: NameProfile
    marks: Mapping[str, str] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None
    precision_s: float = 1.0
    trouble: str = ""


def legible(text: str) -> str:
    """The text with undecoded bytes (lone surrogates) read as GB 18030; bytes that are not that, either, as `\\xff`."""
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # other halves of pairs, which no bytes stand for
        return text.encode("utf-8", "replace").decode()
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "backslashreplace")


def name_of(arrival: Arrival) -> str:
    """The arrival's name for reading, from its bytes where they are not UTF-8."""
    if "\ufffd" in arrival.name:
        try:
            return arrival.name_raw.decode("gb18030")
        except UnicodeDecodeError:
            return arrival.name
    return legible(arrival.name)


def places_of(known: Known) -> tuple[tuple[str, str], ...]:
    """(folder, name) of every arrival, each once, oldest first; the original's own name where none is recorded."""
    ordered = sorted(known.arrivals, key=lambda arrival: arrival.taken_at)
    places = [(legible(arrival.folder), name_of(arrival)) for arrival in ordered]
    return tuple(dict.fromkeys(places or [("", legible(known.original.name))]))


def read_name(folder: str, name: str, profiles: Iterable[NameProfile]) -> NameReading | None:
    """What the first profile that knows the name says of it; None where none does."""
    plain = unicodedata.normalize("NFKC", name)
    path = f"{unicodedata.normalize('NFKC', folder)}/{plain}".lstrip("/")
    for profile in profiles:
        match = profile.pattern.search(path if profile.on == "path" else plain)
        if match is not None:
            return _reading(profile, {group: text for group, text in match.groupdict().items() if text})
    return None


def _reading(profile: NameProfile, found: dict[str, str]) -> NameReading:
    marks = {group: text for group, text in found.items() if group in _MARKS}
    if not profile.gives_time:
        return NameReading(profile=profile, marks=marks)
    try:
        start = _start(found)
        end = None if start is None else _end(found, start)
    except (ValueError, OverflowError) as error:
        return NameReading(profile=profile, marks=marks, trouble=f"there is no such moment: {error}")
    return NameReading(
        profile=profile, marks=marks, start=start, end=end, precision_s=_precision_s(profile.precision_s, found)
    )


def _start(found: Mapping[str, str]) -> datetime | None:
    if "epoch_ms" in found:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(found["epoch_ms"]))
    day = _day_digits(found)
    if day is None and "stamp14" not in found:
        return None
    clock = found.get("time6") or "".join(found.get(part, "0").zfill(2) for part in ("hour", "minute", "second"))
    start = _of_digits(found.get("stamp14") or f"{day}{clock}")
    return start + timedelta(seconds=float(f"0.{found['fraction']}")) if "fraction" in found else start


def _day_digits(found: Mapping[str, str]) -> str | None:
    if "date8" in found:
        return found["date8"]
    if "date6" in found:
        return f"20{found['date6']}"
    year = found.get("year") or (f"20{found['year2']}" if "year2" in found else None)
    return None if year is None else f"{year}{found['month'].zfill(2)}{found['day'].zfill(2)}"


def _end(found: Mapping[str, str], start: datetime) -> datetime | None:
    if "end14" in found:
        return _of_digits(found["end14"])
    clock = found.get("end_time6")
    if clock is None and "end_hour" in found:
        clock = f"{found['end_hour']}{found['end_minute']}{found['end_second']}"
    if clock is None:
        return None
    end = _of_digits((found.get("end_date8") or start.strftime("%Y%m%d")) + clock)
    return end + timedelta(days=1) if end < start and "end_date8" not in found else end


def _of_digits(digits: str) -> datetime:
    """The digits of YYYYMMDDhhmmss; hour 24 only as 240000, the next midnight."""
    parts = [int(digits[at : at + 2]) for at in range(4, 14, 2)]
    if parts[2:] == [24, 0, 0]:
        return shown_of(int(digits[:4]), parts[0], parts[1]) + timedelta(days=1)
    return shown_of(int(digits[:4]), *parts)


def _precision_s(usual_s: float, found: Mapping[str, str]) -> float:
    if "fraction" in found:
        return float(10.0 ** -len(found["fraction"]))
    if "second" in found and usual_s <= 60.0:
        return min(usual_s, 1.0)
    return max(usual_s, 60.0) if "hour" in found and "second" not in found else usual_s

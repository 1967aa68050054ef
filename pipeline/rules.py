"""The rules of time: what sources mean, which dates are resets, what device names say. The only reader of both files.

Shipped with the program as `timestamps.toml` and `filenames.toml`; a `filenames.toml` in the home adds a site's own
profiles before the shipped ones. A bad rule is refused with its place and what is wrong with it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args

from config.settings import SHIPPED
from pipeline.errors import BadInput

Marks = Literal["start", "end", "saved", "exported", "unknown"]
TagZone = Literal["local", "utc", "questionable"]
NameZone = Literal["local", "utc"]
Place = Literal["name", "path"]

FILENAMES: Final = "filenames.toml"
TIMESTAMPS: Final = "timestamps.toml"

GROUPS: Final = frozenset(
    {
        "year", "month", "day", "hour", "minute", "second", "year2", "date8", "date6", "time6", "stamp14", "fraction",
        "epoch_ms", "end14", "end_date8", "end_time6", "end_hour", "end_minute", "end_second", "device", "officer",
        "person", "number", "sequence", "channel", "camera", "lens", "part", "mode", "kind", "stream", "important",
        "address", "segment",
    }
)  # fmt: skip
# Any one of these sets gives the day; a profile that names a time of day and none of them is refused.
_DAYS: Final = ({"year", "month", "day"}, {"year2", "month", "day"}, {"date8"}, {"date6"}, {"stamp14"}, {"epoch_ms"})
_CLOCK: Final = frozenset({"hour", "time6", "end14", "end_time6", "end_hour"})

_R = TypeVar("_R")


@dataclass(frozen=True, kw_only=True)
class TagRule:
    """What the times of one source mean. step_s: the finest step its format holds, 0 for what the text shows."""

    name: str
    trust: int
    marks: Marks
    zone: TagZone
    step_s: float = 0.0
    witness: bool = False


@dataclass(frozen=True, kw_only=True)
class ResetRule:
    """A day on which clocks begin again; `certain` ones are never a time of recording."""

    on: date
    hours: float
    certain: bool
    why: str
    why_zh: str
    yearly: bool = False

    def covers(self, day: date, second_of_day: float) -> bool:
        """Whether a clock that shows this is taken for one that began again here."""
        began = self.on.replace(year=day.year) if self.yearly and day > self.on else self.on
        elapsed = (day - began) / timedelta(seconds=1) + second_of_day
        return 0 <= elapsed < self.hours * 3600


@dataclass(frozen=True, kw_only=True)
class Habit:
    """What devices of a maker write into the container's time. writes, marks: None where it is not known."""

    make: re.Pattern[str]
    writes: Literal["utc", "local"] | None = None
    marks: Marks | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Widths and bounds that deciding goes by; each is explained in `timestamps.toml`."""

    earliest: date
    future_slack_s: float
    same_moment_s: float
    zone_slack_s: float
    saved_together_s: float
    conflict_trust: int
    conflict_reach_s: float
    local_zone_s: float
    saved_only_s: float
    unmeasured_clock_s: float


@dataclass(frozen=True, kw_only=True)
class TimestampRules:
    """All of `timestamps.toml`."""

    limits: Limits
    sources: Mapping[str, TagRule]
    resets: tuple[ResetRule, ...]
    habits: tuple[Habit, ...]

    def source(self, name: str) -> TagRule:
        """The rule of a source. Raises BadInput where `timestamps.toml` has none."""
        if name not in self.sources:
            raise BadInput(
                f"{TIMESTAMPS} says nothing of the source '{name}'",
                zh=f"{TIMESTAMPS} 中没有来源“{name}”",
                expected=name,
                found=None,
            )
        return self.sources[name]

    def may_witness(self, name: str) -> bool:
        """Whether the source's instant may settle the zone of another clock."""
        return name in self.sources and self.sources[name].witness

    def asks_for_utc(self, name: str) -> bool:
        """Whether the source's format asks for UTC, whatever devices write there."""
        return name in self.sources and self.sources[name].zone == "questionable"

    def habit_of(self, device: str) -> Habit | None:
        """What is known of devices of this make and model."""
        return next((habit for habit in self.habits if habit.make.search(device.strip())), None)


@dataclass(frozen=True, kw_only=True)
class NameProfile:
    """What names of one kind of device say. on: whether the pattern is sought in the name or in folder/name."""

    name: str
    device: str
    pattern: re.Pattern[str]
    on: Place
    zone: NameZone
    marks: Marks
    precision_s: float
    trust: int
    samples: tuple[str, ...]

    @property
    def gives_time(self) -> bool:
        """Whether its pattern names a day at all."""
        return any(days <= set(self.pattern.groupindex) for days in _DAYS)

    @property
    def source(self) -> str:
        """What claims made by it are called."""
        return f"file_name.{self.name}"


@cache
def timestamp_rules() -> TimestampRules:
    """The shipped rules of sources. Raises BadInput naming the bad rule."""
    return read_timestamp_rules(SHIPPED / TIMESTAMPS)


def name_profiles(home: Path | None = None) -> tuple[NameProfile, ...]:
    """The profiles in the order they are asked: the site's own (from its home), then the shipped ones.

    Raises BadInput naming the bad profile.
    """
    own = None if home is None else home / FILENAMES
    stamp_ns = own.stat().st_mtime_ns if own is not None and own.is_file() else 0
    return (*_site_profiles(own if stamp_ns else None, stamp_ns), *_shipped_profiles())


@cache
def _shipped_profiles() -> tuple[NameProfile, ...]:
    return read_profiles(SHIPPED / FILENAMES)


@lru_cache(maxsize=8)
def _site_profiles(own: Path | None, stamp_ns: int) -> tuple[NameProfile, ...]:
    """stamp_ns: when the file was last written, so that a worker sees a profile that was added."""
    del stamp_ns
    return () if own is None else read_profiles(own)


def read_timestamp_rules(path: Path) -> TimestampRules:
    """The rules of sources in this file. Raises BadInput naming the bad rule."""
    tables = _tables(path, {"limits", "source", "reset", "habit"})
    sources = [_built(path, "source", table, _tag_rule) for table in tables.get("source", [])]
    _refuse_twins(path, [source.name for source in sources])
    return TimestampRules(
        limits=_built(path, "limits", tables.get("limits", {}), lambda table: Limits(**table)),
        sources={source.name: source for source in sources},
        resets=tuple(_built(path, "reset", table, lambda made: ResetRule(**made)) for table in tables.get("reset", [])),
        habits=tuple(_built(path, "habit", table, _habit) for table in tables.get("habit", [])),
    )


def read_profiles(path: Path) -> tuple[NameProfile, ...]:
    """The profiles in this file, in its order. Raises BadInput naming the bad profile."""
    tables = _tables(path, {"pieces", "profile"})
    shipped = path if path.parent == SHIPPED else SHIPPED / FILENAMES
    pieces = {**_tables(shipped, {"pieces", "profile"}).get("pieces", {}), **tables.get("pieces", {})}
    profiles = tuple(
        _built(path, "profile", table, lambda made: _profile(made, pieces)) for table in tables.get("profile", [])
    )
    _refuse_twins(path, [profile.name for profile in profiles])
    return profiles


def _tables(path: Path, known: set[str]) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path} is not valid TOML: {error}", zh=f"{path} 不是有效的 TOML：{error}", path=str(path)
        ) from error
    if unknown := sorted(set(tables) - known):
        raise BadInput(
            f"{path} has a section '{unknown[0]}' that means nothing",
            zh=f"{path} 中有无意义的小节“{unknown[0]}”",
            path=str(path),
            found=unknown,
        )
    return tables


def _built(path: Path, section: str, table: Mapping[str, Any], build: Callable[[dict[str, Any]], _R]) -> _R:
    try:
        return build(dict(table))
    except (TypeError, ValueError, KeyError, re.error) as error:
        name = table.get("name") or table.get("on") or table.get("make") or "without a name"
        said = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInput(
            f"[{section}] {name} in {path} is not a rule: {said}",
            zh=f"{path} 中 [{section}] {name} 不是规则：{said}",
            path=str(path),
            found=name,
        ) from error


def _tag_rule(table: dict[str, Any]) -> TagRule:
    _check_choice(table, "marks", get_args(Marks))
    _check_choice(table, "zone", get_args(TagZone))
    _check_trust(table)
    return TagRule(**table)


def _habit(table: dict[str, Any]) -> Habit:
    if "writes" in table:
        _check_choice(table, "writes", ("utc", "local"))
    if "marks" in table:
        _check_choice(table, "marks", get_args(Marks))
    return Habit(**{**table, "make": re.compile(table["make"], re.IGNORECASE)})


def _profile(table: dict[str, Any], pieces: Mapping[str, str]) -> NameProfile:
    _check_choice(table, "zone", get_args(NameZone))
    _check_choice(table, "marks", get_args(Marks))
    _check_choice({"on": "name", **table}, "on", get_args(Place))
    _check_trust(table)
    text = str(table["pattern"])
    for piece, meaning in pieces.items():
        text = text.replace("{" + piece + "}", meaning)
    pattern = re.compile(text, re.IGNORECASE)
    groups = set(pattern.groupindex)
    if unknown := sorted(groups - GROUPS):
        raise ValueError(f"its pattern names a group '{unknown[0]}' that means nothing")
    if groups & _CLOCK and not any(days <= groups for days in _DAYS):
        raise ValueError("its pattern names a time of day without a day")
    defaults = {"device": "", "on": "name", "precision_s": 1.0}
    return NameProfile(**{**defaults, **table, "pattern": pattern, "samples": tuple(table["samples"])})


def _check_choice(table: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> None:
    if table[name] not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {table[name]!r}")


def _check_trust(table: Mapping[str, Any]) -> None:
    if not isinstance(table["trust"], int) or not 0 <= table["trust"] <= 100:
        raise ValueError(f"trust must be a whole number from 0 to 100, not {table['trust']!r}")


def _refuse_twins(path: Path, names: list[str]) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise BadInput(
            f"{path} has two rules named '{twins[0]}'; the second would never be asked",
            zh=f"{path} 中有两条同名规则“{twins[0]}”，后一条永远不会用到",
            found=twins,
        )

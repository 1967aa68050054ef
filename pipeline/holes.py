"""Numbers that are missing among the files of one device. Pure.

Devices number what they record: 0012 and 0014 without 0013 is a file that was not handed in, or was deleted. Files are
laid in order of their time; a number that goes back begins another card or another day, and is no hole. Photos and
films of one camera share their numbers, and a file that was disposed of accounts for its own.
Not covered: what is missing before the first and after the last number of a run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from pipeline.recordings import Segment
from pipeline.rules import NameProfile
from pipeline.timing.names import read_name

# A wider jump is another card, or a number that was set.
HOLE_MAX: Final = 200
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbered:
    """What counts of a `Segment` here, for those who keep many in memory; number: None counts for nothing."""

    original: str
    name: str
    place: str
    device: str | None
    profile: str
    number: int | None
    start_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Hole:
    """Numbers that are missing between two files of a device. device: or the folder, where no device is known."""

    device: str
    profile: str
    before: Segment | Numbered
    after: Segment | Numbered
    missing: tuple[int, ...]


def holes(segments: Iterable[Segment | Numbered], gone: Collection[tuple[str, str, int]] = ()) -> Iterator[Hole]:
    """The holes of every device, by device and time. gone: (place, profile, number) of files that were disposed of."""
    runs: dict[tuple[str, str], list[Segment | Numbered]] = defaultdict(list)
    for one in segments:
        if one.number is not None:
            runs[one.device or one.place, one.profile].append(one)
    for (device, profile), listed in sorted(runs.items()):
        present = {one.number for one in listed if one.start_at is None}
        for before, after in pairwise(_in_order(listed)):
            first, last = before.number, after.number
            assert first is not None
            assert last is not None
            if last - first > HOLE_MAX:
                continue
            places = {before.place, after.place}
            missing = tuple(
                number for number in range(first + 1, last)
                if number not in present and not any((place, profile, number) in gone for place in places)
            )  # fmt: skip
            if missing:
                yield Hole(device=device, profile=profile, before=before, after=after, missing=missing)


def numbers_of(
    disposed: Iterable[tuple[str, str, str]], profiles: Sequence[NameProfile]
) -> Iterator[tuple[str, str, int]]:
    """(place, profile, number) of files that were disposed of, as far as their names tell. disposed: place, folder,
    name."""
    for place, folder, name in disposed:
        reading = read_name(folder, name, profiles)
        if reading is not None and (number := reading.marks.get("sequence", "")).isdecimal():
            yield place, reading.profile.name, int(number)


def _in_order(listed: Sequence[Segment | Numbered]) -> list[Segment | Numbered]:
    """By time, or by number within the folder where no time is known; chapters of one number stand together."""
    if all(one.start_at is None for one in listed):
        return sorted(listed, key=lambda one: (one.place, one.number or 0, one.original))
    timed = [one for one in listed if one.start_at is not None]
    return sorted(timed, key=lambda one: (one.start_at or _NEVER, one.number or 0, one.original))

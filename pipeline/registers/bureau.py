"""What the registers say of one original: which device made it, who carried that device, what was done then. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from pipeline.records import (
    Activity,
    Around,
    Carried,
    Case,
    ClockOffset,
    Custodian,
    Device,
    Happened,
    Known,
    LedgerEntry,
    Words,
)
from pipeline.registers.parties import Parties
from pipeline.registers.places import Position, distance_m, made_at, passed_at, position_of, shared_words, words_of
from pipeline.timing.names import places_of

# An unregistered recorder names nobody: dealers deliver it so. Source: vendors' manuals.
_NOBODY: Final = frozenset("0" * length for length in range(1, 17))
# Where an original may name its device, the surest first: (how it is told, property).
_SERIAL: Final = Words("serial number", "序列号")
_NAMED_BY: Final = (
    (_SERIAL, "exif.BodySerialNumber"), (_SERIAL, "exif.SerialNumber"), (_SERIAL, "device.serial"),
    (_SERIAL, "sidecar.serial"), (Words("sidecar", "附属文件"), "sidecar.device"),
    (Words("file name", "文件名"), "file_name.device"),
)  # fmt: skip
# Of a written record, whoever of those it names is known first.
_OFFICER_NAMED_BY: Final = ("sidecar.officer", "file_name.officer", "record.credentials", "record.officer")
# Recordings begin before and end after what they belong to; a wider margin brings more wrong matches than right ones.
# Source: DOMAIN 4.1 (auto-tagging: not over 4 to 5 minutes).
MARGIN: Final = timedelta(minutes=5)


class Bureau:
    """All registers of a bureau, in memory: 100,000 entries take some tens of megabytes."""

    def __init__(
        self, devices: Sequence[Device] = (), custodians: Sequence[Custodian] = (),
        ledger: Iterable[LedgerEntry] = (), activities: Iterable[Activity] = (), offsets: Iterable[ClockOffset] = (),
        cases: Iterable[Case] = (), places: Mapping[str, Position] | None = None,
    ) -> None:  # fmt: skip
        self._parties = Parties(cases)
        self._devices = by_name(devices)
        self._people = by_name(custodians)
        self._custodians = {one.code: one for one in custodians}
        self._carried: dict[str, list[LedgerEntry]] = defaultdict(list)
        for entry in ledger:
            self._carried[entry.device].append(entry)
        self._offsets: dict[str, list[ClockOffset]] = defaultdict(list)
        for offset in offsets:
            self._offsets[offset.device].append(offset)
        timed = [one for one in activities if one.from_at is not None]
        self._activities = sorted(timed, key=lambda activity: (_from(activity), activity.code))
        self._positions = {one.code: at for one in self._activities if (at := position_of(one, places or {}))}
        self._begins = [_from(one) for one in self._activities]
        self._longest = max((_to(one) - _from(one) for one in self._activities), default=timedelta(0))

    def around(self, known: Known) -> Around:
        """What the registers say of this original, as far as its device and its time are known."""
        device, why = self.device_of(known)
        offsets = tuple(self._offsets.get(device.code, ())) if device else ()
        if known.time is None:
            return Around(device=device, device_why=why, offsets=offsets, named=self._parties.named(known))
        margin = timedelta(seconds=known.time.uncertainty_s)
        first, last = known.time.start_at - margin, known.time.end_at + margin
        carried = tuple(self._carriers(device, first, last)) if device else ()
        return Around(
            device=device, device_why=why, offsets=offsets, carried=carried, officer=self._officer_of(known),
            happened=tuple(self._happened(known, device, first, last)), named=self._parties.named(known),
        )  # fmt: skip

    def device(self, name: str) -> Device | None:
        """The registered device of this code, serial number or alias; None where none, or more than one, has it."""
        found = self._devices.get(name.strip().casefold(), set())
        return next(iter(found)) if len(found) == 1 else None

    def device_of(self, known: Known) -> tuple[Device | None, Words]:
        """The registered device that made it, and by what it was told; None where no name, or more than one, fits."""
        for how, said in self._names_of(known):
            found = self._devices.get(said.strip().casefold(), set())
            if len(found) == 1:
                return next(iter(found)), Words(f"{how.en}: {said.strip()}", f"{how.zh}：{said.strip()}")
        return None, Words("", "")

    def _names_of(self, known: Known) -> Iterator[tuple[Words, str]]:
        for arrival in known.arrivals:
            if arrival.stated.device:
                yield Words("stated by the clerk", "登记员说明"), arrival.stated.device
        for owner in (known, *known.sidecars):
            for how, name in _NAMED_BY:
                if found := owner.properties.get(name):
                    yield how, str(found.value or found.found)
        for folder, _ in places_of(known):
            for part in folder.split("/"):
                yield Words("folder", "文件夹"), part

    def _officer_of(self, known: Known) -> Custodian | None:
        """The person whom the file itself names, where the register knows exactly one of that number or name."""
        said = [arrival.stated.officer for arrival in known.arrivals if arrival.stated.officer]
        said += [
            str(one)
            for owner in (*known.sidecars, known)
            for name in _OFFICER_NAMED_BY
            if (found := owner.properties.get(name))
            for one in (found.value if isinstance(found.value, list) else [found.value or found.found])
        ]
        for one in said:
            meant = self._people.get(one.strip().casefold(), set())
            if len(meant) == 1:
                return next(iter(meant))
        return None

    def _carriers(self, device: Device, first: datetime, last: datetime) -> Iterator[Carried]:
        for entry in self._carried.get(device.code, ()):
            if entry.from_at < last and (entry.to_at is None or entry.to_at > first):
                whole = entry.from_at <= first and (entry.to_at is None or entry.to_at >= last)
                person = self._custodians.get(entry.custodian)
                if person is not None:
                    yield Carried(person=person, entry=entry, whole=whole)

    def _happened(
        self, known: Known, device: Device | None, first: datetime, last: datetime
    ) -> Iterator[Happened]:  # fmt: skip
        assert known.time is not None
        own, went, texts = made_at(known), passed_at(known), words_of(known, device)
        begin = bisect_left(self._begins, first - MARGIN - self._longest)
        end = bisect_right(self._begins, last + MARGIN)
        for one in self._activities[begin:end]:
            if _to(one) + MARGIN >= first:
                shared = min(known.time.end_at, _to(one)) - max(known.time.start_at, _from(one))
                within = _from(one) <= first and last <= _to(one)
                place = self._positions.get(one.code)
                at = min(went, key=lambda at, place=place: distance_m(at, place), default=own) if place else None
                yield Happened(
                    activity=one, shared_s=max(shared.total_seconds(), 0.0), within=within,
                    distance_m=distance_m(at, place) if at and place else None, moved=bool(went),
                    place_words=shared_words(one.place, texts) if one.place else "",
                )  # fmt: skip


def _from(activity: Activity) -> datetime:
    assert activity.from_at is not None
    return activity.from_at


def _to(activity: Activity) -> datetime:
    return activity.to_at or _from(activity)


R = TypeVar("R", Device, Custodian)


def _names_of(one: Device | Custodian) -> set[str]:
    own = one.serial if isinstance(one, Device) else one.name
    return {one.code, *one.aliases, own or ""}


def by_name(listed: Sequence[R]) -> dict[str, set[R]]:
    """Every name in small letters -> whom or what it may mean: by code, alias, and serial number or person's name."""
    found: dict[str, set[R]] = defaultdict(set)
    for one in listed:
        for name in _names_of(one) - {""} - _NOBODY:
            found[name.casefold()].add(one)
    return found

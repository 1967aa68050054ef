"""A made-up bureau: recorders whose clocks drift and jump, officers, activities, a ledger with errors, many files.

The true times and cases are known to the checker alone; the pipeline gets what a bureau would have: file names, the
fields in the files, and its tables. Everything follows from a seed.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final

from pipeline.edges.audit import NewEvent
from pipeline.edges.database import intake, knowledge
from pipeline.records import Arrival, ClockOffset, DeviceArt, Facts, Original, Property, Stated
from pipeline.registers.columns import Register
from pipeline.stages import ORDER
from workers.bootstrap import Home, build_jobs

LOCAL: Final = timezone(timedelta(hours=8))
FIRST: Final = datetime(2026, 3, 2, tzinfo=LOCAL)
DAYS: Final = 110
_SURNAMES, _GIVEN = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许", "伟芳娜敏静丽强磊洋艳勇军杰娟涛超明霞平刚"
_TRADES = ("食品", "商贸", "餐饮", "物流", "建材", "油品", "广告", "口腔")
# Steps with how often they occur; the first three must be recorded whole by `steps.toml`.
_STEPS = (("查封扣押", 3), ("听证", 1), ("询问", 3), ("现场检查", 6), ("抽样取证", 2), ("送达", 2))


@dataclass(frozen=True)
class Clock:
    """What a recorder's clock shows less the true time: (true moment, seconds), even between two, a jump at `steps`."""

    stretches: Sequence[Sequence[tuple[datetime, float]]]

    @property
    def steps(self) -> list[datetime]:
        """When it was set."""
        return [one[0][0] for one in self.stretches[1:]]

    def offset_s(self, at: datetime) -> float:
        """At this true moment."""
        nodes = [one for one in self.stretches if one[0][0] <= at][-1]
        place = bisect_right([moment for moment, _ in nodes], at)
        if place == len(nodes):
            return nodes[-1][1]
        (left_at, left), (right_at, right) = nodes[place - 1], nodes[place]
        return left + (right - left) * ((at - left_at) / (right_at - left_at))

    def shown(self, at: datetime) -> datetime:
        """The digits that it shows at this true moment, in the bureau's zone as far as the clock knows."""
        return (at + timedelta(seconds=self.offset_s(at))).astimezone(LOCAL)


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """A device with its clock. zone: as the register has it; offsets: what was measured of it."""

    code: str
    art: DeviceArt
    serial: str
    clock: Clock
    zone: str = ""
    room: str = ""
    names_officer: bool = True
    writes_utc: bool = False
    offsets: tuple[ClockOffset, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Task:
    """An activity as it was. people: their codes."""

    code: str
    step: str
    case: str | None
    party: str
    place: str
    people: tuple[str, str]
    from_at: datetime
    to_at: datetime
    told: str = ""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A file and what is true of it: device, start, case and activity."""

    name: str
    folder: str
    kind: Any
    format: str
    length_s: float
    device: Recorder
    start_at: datetime
    task: Task | None
    properties: Mapping[str, str] = field(default_factory=dict)
    stated: Stated = field(default_factory=Stated)

    @property
    def end_at(self) -> datetime:
        """Truly."""
        return self.start_at + timedelta(seconds=self.length_s)

    @property
    def case(self) -> str | None:
        """The case that it belongs to."""
        return self.task.case if self.task else None

    @property
    def is_explicit(self) -> bool:
        """Whether the clerk stated the case."""
        return self.stated.case is not None


@dataclass(frozen=True)
class Bureau:
    """All of it. tables: as the bureau keeps them; measured: what is known of the clocks."""

    tables: Mapping[Register, Sequence[Sequence[str]]]
    measured: Sequence[ClockOffset]
    files: Sequence[Recorded]
    tasks: Sequence[Task]


def made(seed: int, *, tasks: int = 300, days: int = DAYS) -> Bureau:
    """A bureau of 40 recorders; about 20 files a task."""
    chance = Random(seed)
    people = [(f"64010{number:04}", _name(chance, number)) for number in range(1, 25)]
    recorders = list(_recorders(chance, days))
    done = sorted(_tasks(chance, tasks, days, people), key=lambda task: task.from_at)
    ledger, carried = _ledger(chance, done, recorders)
    files = [file for task in done for file in _files_of(chance, task, carried, recorders)]
    files += _of_no_task(chance, recorders, days, len(files) // 12)
    tables: dict[Register, Sequence[Sequence[str]]] = {
        "devices": [["设备编号", "设备名称", "序列号", "时区", "安装地点"],
                    *([one.code, one.art, one.serial, one.zone, one.room] for one in recorders)],
        "persons": [["执法证号", "姓名", "设备内编号"], *([code, name, code[-6:]] for code, name in people)],
        "ledger": [["设备编号", "领用人", "领用时间", "归还时间"], *ledger],
        "cases": [["案号", "当事人"], *sorted({(one.case, one.party) for one in done if one.case})],
        "activities": [["活动编号", "环节", "案号", "地点", "执法人员", "开始时间", "结束时间"],
                       *(_row(chance, one, dict(people)) for one in done)],
    }  # fmt: skip
    measured = [offset for one in recorders for offset in one.offsets]
    return Bureau(tables, measured, files, done)


def _name(chance: Random, number: int) -> str:
    return _SURNAMES[number % len(_SURNAMES)] + "".join(chance.sample(_GIVEN, 2))


def _at(day: float, hour: float) -> datetime:
    return FIRST + timedelta(days=day, hours=hour)


def _minute(at: datetime) -> str:
    return f"{at.astimezone(LOCAL):%Y-%m-%d %H:%M}"


# -- recorders and their clocks


def _recorders(chance: Random, days: int) -> Iterator[Recorder]:
    counts: Mapping[DeviceArt, int] = {"body_worn": 24, "camera": 8, "cctv": 5, "phone": 3}
    for number, art in enumerate((art for art, count in counts.items() for _ in range(count)), 1):
        offset_s = 0.2 if art == "phone" else chance.choice((-1, 1)) * chance.expovariate(1 / 90.0)
        zone_s, zone = 0.0, ""
        if number in (5, 6, 7):  # set to Greenwich; the register knows it of two
            zone_s, zone = -8 * 3600.0, "" if number == 7 else "UTC"
        steps = [] if art == "phone" or chance.random() > 0.25 else [_at(chance.uniform(10, days - 10), 12.3)]
        clock = _clock(chance, days, offset_s + zone_s, steps, still=art == "phone")
        measured = art != "phone" and number % 5 != 0
        known_zone_s = zone_s if zone else 0.0
        yield Recorder(
            code=f"ZF-{number:03}", art=art, serial=f"{'HA' if art == 'body_worn' else 'SN'}{7000000 + number * 137}",
            clock=clock, zone=zone, room=f"{number - 32} 号询问室" if art == "cctv" else "",
            names_officer=chance.random() < 0.7, writes_utc=chance.random() < 0.5,
            offsets=tuple(_measured(chance, f"ZF-{number:03}", clock, days, known_zone_s)) if measured else (),
        )  # fmt: skip


def _clock(chance: Random, days: int, offset_s: float, steps: Sequence[datetime], *, still: bool) -> Clock:
    """Quartz within 50 parts in a million whose rate walks with the temperature of the days."""
    rate, walk = (0.0, 0.0) if still else (chance.uniform(-4.3, 4.3), 0.0)
    stretches: list[list[tuple[datetime, float]]] = [[]]
    for half_day in range(-2, 2 * days + 4):
        at = _at(half_day / 2, 0)
        for step in steps:
            if stretches[-1] and stretches[-1][-1][0] < step <= at:
                stretches[-1].append((step, offset_s))
                base_s = round(offset_s / 3600) * 3600.0  # whoever sets it leaves its zone as it is
                offset_s = base_s + chance.uniform(-1.5, 1.5)
                stretches.append([(step, offset_s)])
        stretches[-1].append((at, offset_s))
        if not still:
            walk = 0.9 * walk + chance.gauss(0, 0.17)
            offset_s += (rate + walk) / 2
    return Clock(stretches)


def _measured(chance: Random, code: str, clock: Clock, days: int, known_zone_s: float) -> Iterator[ClockOffset]:
    def one(at: datetime, how: Any, read_s: float) -> ClockOffset:
        offset_s = clock.offset_s(at) - known_zone_s + chance.gauss(0, read_s)
        return ClockOffset(device=code, at=at.astimezone(UTC), offset_s=round(offset_s, 1), uncertainty_s=1.0, how=how, by="钱管理")  # fmt: skip  # noqa: E501

    day = chance.uniform(-1, 5)
    while day < days:
        yield one(_at(day, 8.0), "measured", 0.3)
        day += chance.uniform(7, 21)
    for step in clock.steps:
        if chance.random() < 0.5:
            yield one(step, "set", 0.3)


# -- who did what, and who carried what


def _tasks(chance: Random, count: int, days: int, people: Sequence[tuple[str, str]]) -> Iterator[Task]:
    busy: dict[tuple[int, str], list[tuple[float, float]]] = {}
    cases = [f"平商务罚字〔2026〕第{number}号" for number in range(1, max(2, count * 2 // 3))]
    parties = {
        case: "".join(chance.sample("金石宝昌隆华泰兴盛恒丰瑞", 3)) + chance.choice(_TRADES) + "有限公司"
        for case in cases
    }
    number = 0
    while number < count:
        day = chance.randrange(days)
        pair = chance.sample([code for code, _ in people], 2)
        begin, length = chance.choice((9.0, 9.5, 10.5, 14.0, 15.0, 16.0)), chance.uniform(0.4, 1.4)
        if any(begin < to + 0.3 and begin + length > at - 0.3 for one in pair for at, to in busy.get((day, one), [])):
            continue
        for one in pair:
            busy.setdefault((day, one), []).append((begin, begin + length))
        number += 1
        case = None if chance.random() < 0.1 else chance.choice(cases)
        step = chance.choices([name for name, _ in _STEPS], [weight for _, weight in _STEPS])[0]
        room, street = f"{chance.randint(1, 5)} 号询问室", f"{chance.choice('东西南北')}环路{chance.randint(1, 400)}号"
        yield Task(
            code=f"HD{number:04}", step=step, case=case, party=parties[case] if case else "",
            place=room if step in ("询问", "听证") else street,
            people=(pair[0], pair[1]), from_at=_at(day, begin), to_at=_at(day, begin + length),
            told=chance.choice(("folder", "stated", "", "", "")) if case else "",
        )  # fmt: skip


def _row(chance: Random, task: Task, names: Mapping[str, str]) -> list[str]:
    """As it was typed afterwards: the minutes are rounded, and some say five or ten minutes off."""
    off = timedelta(minutes=chance.choice((0, 0, 0, 0, 0, 0, -5, 5, 10)))
    people = "、".join(names[one] for one in task.people)
    return [
        task.code,
        task.step,
        task.case or "",
        task.place,
        people,
        _minute(task.from_at + off),
        _minute(task.to_at + off),
    ]


def _ledger(
    chance: Random, tasks: Sequence[Task], recorders: Sequence[Recorder]
) -> tuple[list[list[str]], dict[tuple[str, Any], list[Recorder]]]:
    """The table with its errors, and who truly carried what by day."""
    rows: list[list[str]] = []
    carried: dict[tuple[str, Any], list[Recorder]] = {}
    free: dict[Any, list[Recorder]] = {}
    codes = sorted({one for task in tasks for one in task.people})
    for task in tasks:
        day = task.from_at.astimezone(LOCAL).date()
        left = free.setdefault(day, chance.sample(list(recorders), len(recorders)))
        for person in task.people:
            if (person, day) in carried:
                continue
            arts: tuple[DeviceArt, ...] = ("body_worn", "camera") if chance.random() < 0.5 else ("body_worn",)
            taken = [one for art in arts for one in [next((it for it in left if it.art == art), None)] if one]
            carried[person, day] = taken
            for one in taken:
                left.remove(one)
                wrong = chance.random()
                if wrong < 0.03:
                    continue  # nobody wrote it down
                named = chance.choice(codes) if wrong < 0.05 else person
                begin = datetime.combine(day, datetime.min.time(), LOCAL) + timedelta(hours=8.0)
                end = "" if wrong > 0.98 else _minute(begin + timedelta(hours=10.5))
                rows.append([one.code, named, _minute(begin), end])
    return rows, carried


# -- what they recorded


def _files_of(
    chance: Random, task: Task, carried: Mapping[tuple[str, Any], Sequence[Recorder]], recorders: Sequence[Recorder]
) -> Iterator[Recorded]:
    day = task.from_at.astimezone(LOCAL).date()
    paused = _pause(chance, task)
    for person in task.people:
        for one in carried.get((person, day), ()):
            if one.art == "body_worn":
                yield from _filmed(chance, task, one, person, paused)
            else:
                yield from _photos(chance, task, one)
    for one in recorders:
        if one.room and one.room == task.place:
            yield from _watched(chance, task, one)


def _pause(chance: Random, task: Task) -> tuple[datetime, datetime] | None:
    if chance.random() > 0.3:
        return None
    length = timedelta(minutes=chance.uniform(3, 8))
    begin = task.from_at + (task.to_at - task.from_at - length) * chance.uniform(0.3, 0.7)
    return begin, begin + length


def _filmed(
    chance: Random, task: Task, one: Recorder, person: str, paused: tuple[datetime, datetime] | None
) -> Iterator[Recorded]:
    """Files of ten minutes one after the other, from a little before the activity to a little after it."""
    at, sequence = task.from_at - timedelta(seconds=chance.uniform(-20, 60)), chance.randrange(1, 900)
    until = task.to_at + timedelta(seconds=chance.uniform(-20, 90))
    stops = [until] if paused is None else [paused[0], until]
    for place, stop in enumerate(stops):
        while (stop - at).total_seconds() > 5:
            end = min(at + timedelta(minutes=10), stop)
            yield _body_worn(task, one, person, at, (end - at).total_seconds(), sequence)
            at, sequence = end + timedelta(seconds=0.04), sequence + 1
        if paused is not None and place == 0:
            at = paused[1]


def _body_worn(task: Task | None, one: Recorder, person: str, at: datetime, length_s: float, sequence: int) -> Recorded:
    shown = one.clock.shown(at)
    officer = person[-6:] if one.names_officer else "000000"
    # Half of the makers write Greenwich into the header, as the format says; the others the digits on the screen.
    header = one.clock.shown(at).astimezone(UTC) if one.writes_utc else shown
    return Recorded(
        name=f"{one.serial}_{officer}_{shown:%Y%m%d%H%M%S}_{sequence:04}.MP4", folder=_folder(task, one), kind="video",
        format="mp4", length_s=length_s, device=one, start_at=at, task=task, stated=_stated(task),
        properties={
            "container.creation_time": f"{header:%Y-%m-%dT%H:%M:%S}.000000Z", "container.duration_s": str(length_s),
        },
    )  # fmt: skip


def _photos(chance: Random, task: Task, one: Recorder) -> Iterator[Recorded]:
    for _ in range(chance.randint(4, 12)):
        at = task.from_at + (task.to_at - task.from_at) * chance.random()
        yield _photo(chance, task, one, at)


def _photo(chance: Random, task: Task | None, one: Recorder, at: datetime) -> Recorded:
    shown = one.clock.shown(at)
    properties = {"exif.DateTimeOriginal": f"{shown:%Y:%m:%d %H:%M:%S}", "exif.BodySerialNumber": one.serial}
    return Recorded(
        name=f"DSC{chance.randint(1, 99999):05}.JPG", folder=_folder(task, one), kind="photo", format="jpeg",
        length_s=0.0, device=one, start_at=at, task=task, stated=_stated(task), properties=properties,
    )  # fmt: skip


def _watched(chance: Random, task: Task, one: Recorder) -> Iterator[Recorded]:
    at = task.from_at - timedelta(seconds=chance.uniform(10, 120))
    until = task.to_at + timedelta(seconds=chance.uniform(10, 120))
    while at < until:
        end = min(at + timedelta(minutes=30), until)
        begin, last = one.clock.shown(at), one.clock.shown(end)
        yield Recorded(
            name=f"{one.code}_ch1_main_{begin:%Y%m%d%H%M%S}_{last:%Y%m%d%H%M%S}.mp4", folder=_folder(task, one),
            kind="video", format="mp4", length_s=(end - at).total_seconds(), device=one, start_at=at, task=task,
            stated=_stated(task), properties={"container.duration_s": str((end - at).total_seconds())},
        )  # fmt: skip
        at = end


def _of_no_task(chance: Random, recorders: Sequence[Recorder], days: int, count: int) -> Iterator[Recorded]:
    """Trials in the office, pictures of lunch: they belong to no case."""
    for _ in range(count):
        one = chance.choice([it for it in recorders if it.art in ("body_worn", "camera", "phone")])
        at = _at(chance.randrange(days), chance.choice((7.6, 12.4, 13.1, 18.2, 20.0)) + chance.random() / 3)
        if one.art == "body_worn":
            yield _body_worn(None, one, "640100000", at, chance.uniform(10, 300), chance.randrange(1, 900))
        elif one.art == "camera":
            yield _photo(chance, None, one, at)
        else:
            shown = one.clock.shown(at).astimezone(UTC)
            yield Recorded(
                name=f"PXL_{shown:%Y%m%d_%H%M%S}{shown.microsecond // 1000:03}.jpg", folder=one.code, kind="photo",
                format="jpeg", length_s=0.0, device=one, start_at=at, task=None,
            )  # fmt: skip


def _folder(task: Task | None, one: Recorder) -> str:
    if task is not None and task.told == "folder":
        return f"{task.case} {task.party}/{one.code}"
    return one.code


def _stated(task: Task | None) -> Stated:
    return Stated(case=task.case) if task is not None and task.told == "stated" else Stated()


# -- into a home


def fill(home: Home, files: Sequence[Recorded]) -> list[str]:
    """The files' originals in the catalog of a home, as intake and the readers would have left them, in their order."""
    jobs = build_jobs(home)
    ids = []
    try:
        for first in range(0, len(files), 500):
            with home.catalog.transaction() as connection:
                for number, file in enumerate(files[first : first + 500], first):
                    ids.append(_entered(home, jobs, connection, file, number))
    finally:
        jobs.close()
    return ids


def _entered(home: Home, jobs: Any, connection: Any, file: Recorded, number: int) -> str:
    identifier, taken_at = f"01BUREAU{number:018}", datetime.now(UTC)
    path = f"/card/{number}/{file.folder}/{file.name}"
    sha256 = hashlib.sha256(path.encode()).hexdigest()
    original = Original(
        id=identifier, sha256=sha256, sm3=None, size_bytes=1000, kind=file.kind, format=file.format, name=file.name,
        state="ready", accepted_at=taken_at,
    )  # fmt: skip
    arrival = Arrival(
        id=f"01ARRIVE{number:018}", original=identifier, path=path, folder=file.folder, name=file.name,
        name_raw=file.name.encode(), source="ingest:/card", status="accepted", reason=None, size_bytes=1000,
        mtime_ns=int(taken_at.timestamp()) * 10**9, taken_at=taken_at, stated=file.stated,
    )  # fmt: skip
    [seq] = home.audit.record(connection, [NewEvent(type="made-up", actor="bureau", original=identifier)])
    intake.add_original(connection, original, seq)
    place = {"path_raw": path.encode(), "device_number": 1, "inode": number, "sha256": sha256, "place_key": path}
    intake.add_arrival(connection, arrival, place)
    jobs.plan(connection, identifier, ORDER)
    connection.exec_driver_sql(f"UPDATE cr_job SET state = 'done' WHERE original = '{identifier}'")
    facts = Facts(properties=tuple(_property(name, text) for name, text in file.properties.items()))
    knowledge.record(connection, identifier, "light-probe", facts, seq)
    return identifier


def _property(name: str, text: str) -> Property:
    value = float(text) if name.endswith("_s") else text
    return Property(name=name, found=text, value=value, finder="probe/1")

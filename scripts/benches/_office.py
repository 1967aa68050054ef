"""The archive of an office after a year, each original made from its number, laid into the catalog as it would stand.

Eight files of one act belong to a case, a hundred to one and two hundred to another; the last day brings `LAST_DAY`
files, other days the same share of the rest. Beside them: ten entries of the log a file, links proposed, refused and
missing, files that came late, holes in the numbers of devices, failed and waiting work, signed cases, restrictions,
looks of twelve persons. Rows are laid in many at a time; no file lies in the vault but one copy to be played.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any, Final

import _archive
import sqlalchemy as sa
from ulid import ULID

from indexer.casework.review import review_of, rules_in
from pipeline.acts.signing import SIGNED
from pipeline.case_numbers import comparable
from pipeline.edges import audit
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import registers
from pipeline.edges.database import tables as t
from pipeline.records import Activity, Case, Custodian, Device, Party
from pipeline.stages import ORDER
from workers.bootstrap import Home, build_follower

DAYS, LAST_DAY, DEVICES = 365, 2_000, 40
OF_ONE, BIG_CASES = 8, (100, 200)
EVENTS_PER_FILE, FAILED, WAITING, SIGNED_CASES = 10, 500, 300, 1_000
BATCH = 1_000
LOCAL = timedelta(hours=8)
COPY_BYTES: Final = 8 << 20
_PERSONS = ("张三", "李四", "王五", "赵六", "钱七", "孙八", "周九", "吴十", "郑一", "王二", "冯三", "陈四")
_REASONS = (
    "ffmpeg ended with 1: moov atom not found in /vault/ab/cd", "The tool took longer than 600 s",
    "There is no room in the scratch folder", "The file ends in the middle of a frame at 12345678",
)  # fmt: skip


class Office:
    """So many originals. ended_at: when the last of them came, from which all other times are reckoned."""

    def __init__(self, count: int, ended_at: datetime) -> None:
        self.count, self.ended_at = count, ended_at
        midnight = datetime.combine((ended_at + LOCAL).date(), datetime.min.time(), UTC) - LOCAL
        self._today = max(midnight, ended_at - timedelta(hours=12))
        self._begun = self._today - timedelta(days=DAYS)

    def came_at(self, number: int) -> datetime:
        """When it was taken in."""
        last = min(LAST_DAY, self.count // 10)
        before = self.count - last
        if number >= before:
            return self._today + (self.ended_at - self._today) * ((number - before) / last)
        return self._begun + (self._today - self._begun) * (number / before)

    def original(self, number: int) -> str:
        """Its identifier; a ULID that tells when it came."""
        return f"{str(ULID.from_datetime(self.came_at(number)))[:10]}{number:016}"

    def arrival(self, number: int) -> str:
        """The identifier of its arrival."""
        return f"{str(ULID.from_datetime(self.came_at(number)))[:10]}A{number:015}"

    def case(self, number: int) -> str:
        """The number of its case."""
        edge = 0
        for size in BIG_CASES:
            if number < edge + size:
                return f"AJ2026-B{size}"
            edge += size
        return f"AJ2026-{(number - edge) // OF_ONE:05}"

    def device(self, number: int) -> int:
        return (number // OF_ONE) % DEVICES

    def sequence(self, number: int) -> int:
        own = number // (OF_ONE * DEVICES) * OF_ONE + number % OF_ONE
        return (own + own // 150) % 10_000

    def recorded_at(self, number: int) -> datetime:
        """The beginning of its recording: within the act, five minutes each, the day that it came."""
        act = number - number % OF_ONE
        return self.came_at(act) - timedelta(hours=3) + timedelta(minutes=5 * (number % OF_ONE))

    def name(self, number: int) -> str:
        at = self.recorded_at(number) + LOCAL
        return f"DSJ_HA{self.device(number):07}_012345_{at:%Y%m%d%H%M%S}_{self.sequence(number):04}.mp4"


def lay(home: Home, office: Office) -> None:
    """The home holds this office."""
    _register(home, office)
    for first in range(0, office.count, BATCH):
        _lay_some(home, office, range(first, min(first + BATCH, office.count)))
    _lay_work(home, office)
    _lay_signatures(home)
    _lay_restrictions(home, office)
    home.audit.make_durable(home.catalog.last_event())
    copy = home.vault.derivative_path(f"copy-{office.original(0)}.mp4")
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(bytes(COPY_BYTES))
    build_follower(home).rebuild()


def _register(home: Home, office: Office) -> None:
    cases = list(dict.fromkeys(office.case(number) for number in range(office.count)))
    begun: dict[str, int] = {}
    for number in range(office.count):
        begun.setdefault(office.case(number), number)
    due = (office.ended_at + LOCAL).date()
    with home.catalog.transaction() as connection:
        for one in range(DEVICES):
            registers.put(
                connection, Device(code=f"ZF-{one:03}", name=f"执法仪{one}", art="body_worn", serial=f"HA{one:07}")
            )
            registers.put(connection, Custodian(code=f"6401030{one:03}", name=f"执法{one:03}", unit="执法一队"))
    for first in range(0, len(cases), BATCH):
        with home.catalog.transaction() as connection:
            for place, one in enumerate(cases[first : first + BATCH], first):
                at, size = office.recorded_at(begun[one]), _size(one)
                when = None if place % 7 == 0 else (due + timedelta(days=60 - place % 300)).isoformat()
                registers.put(connection, Case(numbers=((one, None),), title=f"涉嫌违法案{place}", opened_on=None,
                              decision_due_on=when, parties=(Party(name=f"第{place}号商贸有限公司"),)))  # fmt: skip
                registers.put(connection, Activity(code=f"A{place}", case=one, step="onsite_inspection",
                              place=f"人民路{place}号市场", people=(f"执法{office.device(begun[one]):03}",), from_at=at,
                              to_at=at + timedelta(minutes=5 * size)))  # fmt: skip


def _size(case: str) -> int:
    return int(case.rpartition("B")[2]) if "B" in case else OF_ONE


def _lay_some(home: Home, office: Office, numbers: range) -> None:
    rows: dict[sa.Table, list[dict[str, Any]]] = {}

    def add(table: sa.Table, **values: Any) -> None:
        rows.setdefault(table, []).append(values)

    with home.catalog.transaction() as connection:
        query = sa.select(t.case_number.c.key, t.case_number.c.case)
        keys = {comparable(office.case(number)) for number in numbers}
        cases = {row.key: row.case for row in connection.execute(query.where(t.case_number.c.key.in_(keys)))}
        head = connection.execute(sa.select(t.log_head.c.seq, t.log_head.c.hash)).one()
        seq, previous = head.seq, head.hash
        for number in numbers:
            for at, event in _events(office, number):
                seq += 1
                line = audit._line(seq, at, event, previous)
                previous = audit._hash(line)
                add(t.event, seq=seq, at=at, type=event.type, actor=event.actor, original=event.original, line=line,
                    hash=previous)  # fmt: skip
            _file(add, office, number, seq, cases)
        for table, its in rows.items():
            # Rows of one statement have the same columns.
            for names in dict.fromkeys(tuple(row) for row in its):
                connection.execute(sa.insert(table), [row for row in its if tuple(row) == names])
        connection.execute(sa.update(t.log_head).values(seq=seq, hash=previous))


def _events(office: Office, number: int) -> Iterator[tuple[datetime, NewEvent]]:
    """What the log says of one file: its arrival, its eight turns, and one thing that a person did that day."""
    at, original, chance = office.came_at(number), office.original(number), Random(f"event {number}")
    yield at, NewEvent(type="arrival.accepted", actor="watch", original=original, facts={
        "arrival": office.arrival(number), "name": office.name(number), "source": "inbox", "size_bytes": 1000,
    })  # fmt: skip
    for place, (lane, stage) in enumerate(ORDER):
        facts = {"lane": lane, "version": 1, "properties": 5, "time_claims": 1, "caveats": []}
        yield (
            at + timedelta(seconds=place),
            NewEvent(type=f"stage.{stage}", actor="worker-1", original=original, facts=facts),
        )
    person, other = chance.choice(_PERSONS), office.original(chance.randrange(number + 1))
    case = office.case(chance.randrange(number + 1))
    deeds = (
        NewEvent(type="view.original", actor=person, original=other, facts={"purpose": "审核案件"}),
        NewEvent(type="search", actor=person, facts={
            "query": f"人民路{number}号", "filters": {}, "hits": 3, "purpose": "",
        }),
        NewEvent(type="view.case", actor=person, facts={"case": case, "page": "case"}),
        NewEvent(type="view.cases", actor=person, facts={"words": "", "show": "all", "page": 1}),
        NewEvent(type="view.arrivals", actor=person, facts={"shown": 50}),
        NewEvent(type="session.begun", actor=person),
        NewEvent(type="session.refused", actor=person, outcome="failed", facts={"failures": 1}),
        NewEvent(type="link.confirmed", actor=person, original=other, facts={"case": case, "reason": "核对无误"}),
        NewEvent(type="view.downloaded", actor=person, original=other, facts={"purpose": "移送"}),
        NewEvent(type="fixity.batch", actor="patrol", facts={"whole": [other] * 50, "broken": []}),
    )  # fmt: skip
    [deed] = chance.choices(deeds, (25, 30, 10, 5, 10, 8, 0.5, 5, 1, 0.5))
    yield at + timedelta(seconds=20), deed


def _file(add: Any, office: Office, number: int, seq: int, cases: dict[str, str]) -> None:
    at, original, name, start = (
        office.came_at(number), office.original(number), office.name(number), office.recorded_at(number)
    )  # fmt: skip
    chance, sha256, device = Random(number), f"{number:064x}", f"HA{office.device(number):07}"
    is_paper = number in (BIG_CASES[0] - 1, BIG_CASES[0] - 2)
    kind = "document" if is_paper else "photo" if number % OF_ONE == 7 else "video"
    add(t.original, id=original, sha256=sha256, sm3=None, size_bytes=1000 + number, kind=kind, format="mp4", name=name,
        state="searchable", accepted_at=at, parent=None, changed_seq=seq)  # fmt: skip
    raw = f"{office.device(number)}/{name}".encode()
    add(t.arrival, id=office.arrival(number), original=original, source="inbox", path=f"/in/{raw.decode()}",
        folder=str(office.device(number)), name=name, stem=name.removesuffix(".mp4"), path_raw=raw,
        name_raw=name.encode(), status="accepted", reason=None, size_bytes=1000, mtime_ns=0, device_number=1,
        inode=number, sha256=sha256, taken_at=at, place_key=sha256)  # fmt: skip
    said: dict[str, Any] = {
        "file_name.device": device, "file_name.sequence": f"{office.sequence(number):04}",
        "file_name.profile": "body_worn", "video.codec": "h264", "video.pix_fmt": "yuv420p", "video.width": 1920,
        "video.height": 1080, "video.fps": 30.0, "audio.codec": "aac", "container.duration_s": 300.0,
        "register.device": f"ZF-{office.device(number):03}", "register.officer": f"执法{office.device(number):03}",
    }  # fmt: skip
    said |= {f"container.fact_{one}": chance.random() for one in range(20)}
    if number % 5 == 0:
        spoken = chance.choices(_archive.WORDS, cum_weights=_WEIGHTS, k=80)
        said["transcript.lines"] = [[30.0 * i, 30.0 * i + 8, "".join(spoken[10 * i : 10 * i + 10])] for i in range(8)]
    if is_paper:
        clock = f"{start + LOCAL:%Y年%m月%d日%H时%M分}"
        said["record.from"] = (start + LOCAL).isoformat()
        said["document.text"] = [
            f"现场笔录 {clock}开始检查，" + "".join(f"10时{m:02}分发现问题{m}。" for m in range(40))
        ]
    for key, value in said.items():
        add(t.property_, original=original, turn="light-probe", name=key, found=str(value)[:200], value=value,
            finder="probe/1")  # fmt: skip
    end = start + timedelta(minutes=5)
    add(t.decided_time, original=original, turn="light-timestamps", start_at=start, end_at=end, uncertainty_s=5.0,
        method="claim", why="", zone_known=True, source="file_name", losers=[], finder="timestamps/1",
        by_rules=None)  # fmt: skip
    _caveats(add, original, number)
    for role, mime in (("poster", "image/jpeg"), ("proxy", "video/mp4"), ("waveform", "application/json")):
        path = f"copy-{original}.mp4" if role == "proxy" else f"{sha256[:2]}/{sha256}/{role}"
        add(t.derivative, id=f"{original[:18]}{role[:2].upper()}{number % 1_000_000:06}"[:26], original=original,
            turn="heavy-derive", role=role, mime=mime, path=path, sha256=sha256, size_bytes=COPY_BYTES, tool="ffmpeg",
            parameters={"width_px": 1280}, finder="derive/1")  # fmt: skip
    for place, (lane, stage) in enumerate(ORDER):
        add(t.job, id=f"{original}-{lane}-{stage}", original=original, lane=lane, stage=stage, place=place,
            state="done", attempts=1, deaths=0, run=1, token=None, worker="worker-1", waiting_since=None, started_at=at,
            ended_at=at + timedelta(seconds=1 + place), reason=None, detail=None, stage_version=1)  # fmt: skip
    if number % 10 < 6:
        add(t.fixity, original=original, checked_at=at + timedelta(days=number % 30), outcome="whole")
    if number % 33 == 5:
        return
    key = comparable(office.case(number))
    status = "proposed" if number % 20 == 3 else "refused" if number % 50 == 9 else "confirmed"
    by = "张三" if number % 10 == 1 or status == "refused" else None
    add(t.case_link, id=f"{original[:10]}K{number:015}", original=original, case=cases[key], activity=None,
        case_key=key, printed=office.case(number), method="time_and_place", score=0.9, why="时间与地点相符",
        status=status, from_s=None, to_s=None, by=by, finder="person" if by else "link/1")  # fmt: skip


_WEIGHTS = list(accumulate(1 / (rank + 8) for rank in range(len(_archive.WORDS))))


def _caveats(add: Any, original: str, number: int) -> None:
    for code, every in (("late_upload", 30), ("clock_eight_hours", 400), ("truncated", 150), ("time_by_order", 60)):
        if number % every == 7:
            add(t.caveat, original=original, turn="light-timestamps", code=code, text=f"{code} of {number}",
                text_zh=f"{code}：{number}", finder="timestamps/1")  # fmt: skip


def _lay_work(home: Home, office: Office) -> None:
    """Some turns failed, wait or run; twelve persons looked."""
    job, at = t.job.c, office.ended_at
    with home.catalog.transaction() as connection:
        for number in range(FAILED):
            its = f"{office.original(office.count - 1 - 7 * number % office.count)}-heavy-derive"
            reason = _REASONS[number % len(_REASONS)] + f" {number:08}"
            connection.execute(sa.update(t.job).where(job.id == its).values(state="failed", reason=reason, attempts=3))
        for number in range(WAITING):
            of = office.original(office.count - 2 - 7 * number % office.count)
            state = "running" if number < 2 else "waiting"
            values = {"state": state, "waiting_since": at, "started_at": at if number < 2 else None, "ended_at": None}
            connection.execute(sa.update(t.job).where(job.original == of, job.lane == "heavy").values(values))
        looks = [
            {"id": f"{str(ULID.from_datetime(office.came_at(number)))[:10]}L{number:015}", "session": f"{number:064}",
             "person": _PERSONS[number % 12], "original": office.original(number * 37 % office.count),
             "purpose": "审核案件", "begun_at": office.came_at(number), "watched_s": 30.0}
            for number in range(0, office.count, 5)
        ]  # fmt: skip
        connection.execute(sa.insert(t.look), looks)
        watchers = [{"source": "inbox", "path": "/in", "ok": True, "mode": "events", "alarm": None, "waiting": 3}]
        for role in ("work", "patrol", "watch"):
            said = {"watchers": watchers, "waiting": [("/in/a.mp4", "settles", "等待稳定")]} if role == "watch" else {}
            connection.execute(sa.insert(t.worker).values(
                id=f"{role}-1", role=role, host="pc-2", pid=1, generation="1", started_s=time.time(),
                seen_s=time.time(), state="alive", said=said,
            ))  # fmt: skip


def _lay_signatures(home: Home) -> None:
    """So many cases were signed, each with a state as large as that of a real one."""
    with home.catalog.snapshot() as connection:
        listed = registers.cases(connection, registered=True)[2 : 2 + SIGNED_CASES]
    zone = home.settings.time.zone
    review = review_of(home.catalog, home.audit, rules_in(home.settings.home), listed[0].numbers[0][0], zone=zone)
    with home.catalog.transaction() as connection:
        home.audit.record(connection, [
            NewEvent(type=SIGNED, actor="李四", facts={
                "case": one.numbers[0][0], "case_key": comparable(one.numbers[0][0]), "role": "reviewer",
                "digest": review.digest, "reason": "", "opinion": "agree", "watched": [], "state": review.state,
            })
            for one in listed
        ])  # fmt: skip


def _lay_restrictions(home: Home, office: Office) -> None:
    """Three cases and twenty originals are a trade secret of others."""
    from pipeline.acts.restricting import Restricting
    from pipeline.records import Person

    restricting, by = Restricting(home.catalog, home.audit), Person(name="张三", role="reviewer")
    for place in range(20):
        original = office.original(office.count // 2 + 11 + 1000 * place % (office.count // 2 - 20))
        restricting.place(by, "商业秘密", kind="trade_secret", original=original, units=("法制科",))
    for place in range(3):
        case = office.case(office.count // 3 + 8 * place)
        restricting.place(by, "商业秘密", kind="trade_secret", case=case, units=("法制科",))

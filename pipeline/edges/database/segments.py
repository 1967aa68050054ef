"""Files as segments of logical recordings, read from the catalog in few queries: all of them, or those about one."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import in_pieces
from pipeline.holes import Numbered
from pipeline.recordings import CLOCK_STEPS, Segment, clock_steps_of

# Neighbours of one file are looked for so far before and after it; longer files are rare.
REACH: Final = timedelta(hours=1)
_NAME_MARKS: Final = ("profile", "device", "sequence", "channel", "camera", "lens", "stream", "part")
_VIEW: Final = ("file_name.channel", "file_name.camera", "file_name.lens", "file_name.stream")
_CODEC: Final = (
    "video.codec", "video.width", "video.height", "video.fps", "video.rotation_deg", "audio.codec",
    "audio.sample_rate_hz", "audio.channels",
)  # fmt: skip
# Which device, the surest first, where the register knows none.
_DEVICES: Final = (
    "exif.BodySerialNumber", "exif.SerialNumber", "device.serial", "sidecar.serial", "sidecar.device",
    "file_name.device",
)  # fmt: skip
_WANTED: Final = (
    *(f"file_name.{mark}" for mark in _NAME_MARKS), "register.device", *_DEVICES, *_CODEC, CLOCK_STEPS,
)  # fmt: skip
_OF_NUMBERS: Final = ("file_name.profile", "file_name.device", "file_name.sequence", "register.device", *_DEVICES)
_KINDS: Final = ("video", "audio", "photo")


def segments(connection: sa.Connection, ids: Sequence[str] | None = None) -> list[Segment]:
    """These originals, or all, as far as they are recordings or photos in custody; by identifier."""
    if ids is None:
        return _read(connection, None)
    return [one for some in in_pieces(list(ids)) for one in _read(connection, some)]


def numbered(connection: sa.Connection, ids: Sequence[str]) -> Iterator[Numbered]:
    """Those of these originals that bear a number, as far as `holes` asks."""
    for some in in_pieces(ids):
        for one in _read(connection, some, _OF_NUMBERS):
            if one.number is not None:
                yield Numbered(
                    original=one.original, name=one.name, place=one.place, number=one.number, start_at=one.start_at,
                    device=None if one.device is None else sys.intern(one.device), profile=sys.intern(one.profile),
                )  # fmt: skip


def changed_since(connection: sa.Connection, seq: int) -> tuple[int, list[str]]:
    """(the latest change sequence, what changed after this one, and the recordings that sidecars of it belong to)."""
    original = t.original.c
    head = connection.execute(sa.select(sa.func.max(original.changed_seq))).scalar() or 0
    rows = connection.execute(sa.select(original.id, original.parent).where(original.changed_seq > seq)).all()
    return head, sorted({one for row in rows for one in row if one is not None})


def disposed(connection: sa.Connection, ids: Sequence[str] | None = None) -> list[tuple[str, str, str]]:
    """(place, folder, name) of those of these originals, or of all, that were disposed of; the place as segments have
    it."""
    original, arrival = t.original.c, t.arrival.c
    query = (
        sa.select(arrival.source, arrival.folder, arrival.name)
        .join(t.original, original.id == arrival.original)
        .where(original.state == "disposed")
        .order_by(arrival.id)
    )
    pieces = [query] if ids is None else [query.where(original.id.in_(some)) for some in in_pieces(ids)]
    rows = [row for piece in pieces for row in connection.execute(piece)]
    return [(f"{row.source}\n{row.folder}", row.folder, row.name) for row in rows]


def near(connection: sa.Connection, original: str) -> list[Segment]:
    """This original and those that may be neighbours of it in one recording: near it in time, or chapters by name."""
    [*own] = segments(connection, [original])
    if not own or own[0].kind == "photo":
        return own
    near = sorted(_of_its_device(connection, own[0], list(_near_in_time(connection, own[0]))))
    return segments(connection, sorted({original, *near, *_named_alike(connection, own[0])}))


def _of_its_device(connection: sa.Connection, one: Segment, ids: Sequence[str]) -> Iterable[str]:
    """Those of these that its device made; where that is unknown, those from the same folder."""
    found, arrival = t.property_.c, t.arrival.c
    for some in in_pieces(ids):
        if one.device is None:
            here = sa.tuple_(arrival.source, arrival.folder).in_([tuple(one.place.split("\n", 1))])
            query = sa.select(arrival.original).where(arrival.original.in_(some), here)
        else:
            # PostgreSQL compares no JSON, but its text. A sidecar may tell the device: then its folder is the same.
            is_its = sa.cast(found.value, sa.Text) == json.dumps(one.device)
            named = sa.select(found.original).where(found.name.in_(("register.device", *_DEVICES)), is_its)
            query = named.where(found.original.in_(some))
        yield from connection.execute(query).scalars()


def _near_in_time(connection: sa.Connection, one: Segment) -> Iterable[str]:
    if one.start_at is None or one.end_at is None:
        return ()
    time = t.decided_time.c
    first, last = one.start_at - REACH, one.end_at + REACH
    # Nothing that lasts longer than a day is sought: the index is on the beginning.
    query = sa.select(time.original).where(
        time.start_at >= first - timedelta(days=1), time.start_at <= last, time.end_at >= first
    )
    return connection.execute(query).scalars()


def _named_alike(connection: sa.Connection, one: Segment) -> Iterable[str]:
    if one.sequence is None or (one.part is None and one.profile != "gopro_early"):
        return ()
    arrival = t.arrival.c
    places = sa.select(arrival.source, arrival.folder).where(arrival.original == one.original)
    query = sa.select(arrival.original).where(
        sa.tuple_(arrival.source, arrival.folder).in_(places),
        arrival.stem.contains(one.sequence, autoescape=True),
        arrival.original.is_not(None),
    )
    return connection.execute(query).scalars()


def _read(connection: sa.Connection, ids: Sequence[str] | None, wanted: Sequence[str] = _WANTED) -> list[Segment]:
    original, arrival, time = t.original.c, t.arrival.c, t.decided_time.c

    def only(query: sa.Select[Any], column: sa.Column[Any]) -> sa.Select[Any]:
        return query if ids is None else query.where(column.in_(ids))

    rows = connection.execute(only(
        sa.select(original.id, original.name, original.sha256, original.kind)
        .where(original.kind.in_(_KINDS), original.parent.is_(None), original.state != "disposed")
        .order_by(original.id), original.id,
    )).all()  # fmt: skip
    places: dict[str, str] = {}
    arrived = sa.select(arrival.original, arrival.source, arrival.folder).where(arrival.original.is_not(None))
    for row in connection.execute(only(arrived.order_by(arrival.id), arrival.original)):
        # Thousands share one folder: one text for all of them.
        places.setdefault(row.original, sys.intern(f"{row.source}\n{row.folder}"))
    times = {
        row.original: (row.start_at, row.end_at, row.uncertainty_s)
        for row in connection.execute(only(
            sa.select(time.original, time.start_at, time.end_at, time.uncertainty_s).order_by(time.number),
            time.original,
        ))
    }  # fmt: skip
    facts = _facts(connection, ids, wanted)
    set_at = clocks_set(connection)
    return [_segment(row, places.get(row.id, ""), facts[row.id], times.get(row.id), set_at) for row in rows]


def _facts(connection: sa.Connection, ids: Sequence[str] | None, wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    """original -> name of a property -> its value; what a sidecar says counts where the file itself says nothing."""
    found, original = t.property_.c, t.original.c
    whose = sa.func.coalesce(original.parent, original.id).label("whose")
    query = (
        sa.select(whose, found.name, found.value, found.found)
        .join(t.original, original.id == found.original)
        .where(found.name.in_(wanted))
        .order_by(original.parent.is_(None), found.number)
    )
    if ids is not None:
        query = query.where(sa.or_(original.id.in_(ids), original.parent.in_(ids)))
    facts: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in connection.execute(query):
        facts[row.whose][row.name] = row.found if row.value is None else row.value
    return facts


def clocks_set(connection: sa.Connection) -> dict[str, tuple[datetime, ...]]:
    """Device -> when its clock was set, as far as it was noted."""
    offset, device = t.clock_offset.c, t.device.c
    query = sa.select(device.code, offset.from_at).join(t.device, device.id == offset.device)
    found: dict[str, tuple[datetime, ...]] = defaultdict(tuple)
    for row in connection.execute(query.where(offset.how == "set").order_by(offset.from_at)):
        found[row.code] += (row.from_at,)
    return found


def _segment(
    row: Any, place: str, facts: dict[str, Any], time: tuple[Any, ...] | None, set_at: dict[str, tuple[datetime, ...]]
) -> Segment:  # fmt: skip
    said = (str(facts[name]) for name in _DEVICES if facts.get(name))
    # A word without a digit (`NVR`) names a make, and many have it.
    device = facts.get("register.device") or next((one for one in said if any(map(str.isdigit, one))), None)
    start_at, end_at, uncertainty_s = time or (None, None, 0.0)
    return Segment(
        original=row.id, name=row.name, sha256=row.sha256, kind=row.kind, place=place, device=device,
        view=tuple(str(facts.get(name, "")) for name in _VIEW), profile=facts.get("file_name.profile", ""),
        sequence=facts.get("file_name.sequence"), part=facts.get("file_name.part"),
        codec={name: facts[name] for name in _CODEC if name in facts},
        start_at=start_at, end_at=end_at, uncertainty_s=uncertainty_s, set_at=set_at.get(device or "", ()),
        steps=clock_steps_of(facts.get(CLOCK_STEPS)),
    )  # fmt: skip

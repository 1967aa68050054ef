"""The catalog's own promises, on both databases."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from ulid import ULID

from config.settings import Settings
from indexer.document import officer_of
from pipeline.edges.audit import NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import disposals, engines, intake, knowledge, registers, tables
from pipeline.errors import BadInput, TryAgain
from pipeline.records import (
    Arrival,
    CaseLink,
    Caveat,
    DecidedTime,
    Facts,
    Fingerprint,
    Original,
    Property,
    Relative,
    TimeClaim,
    worded,
)
from tests.homes import make_home
from workers.bootstrap import Home, build_home

AT = datetime(2021, 8, 3, 2, 10, 10, 123456, tzinfo=UTC)
PROPERTY = Property(name="video.width", found="1920", value=1920, finder="container/1")
CLAIM = TimeClaim(
    source="exif.DateTimeOriginal", found="2021:08:03 10:10:10", at=AT, zone_known=False, offset_min=480, marks="start",
    precision_s=1.0, trust=80, finder="exif/1",
)  # fmt: skip
TIME = DecidedTime(
    start_at=AT, end_at=AT, uncertainty_s=1.5, method="assumed_zone", why="because", zone_known=False,
    source="exif.DateTimeOriginal", losers=(("mtime", "less trusted", "可信度较低"),), finder="timestamps/1",
)  # fmt: skip
LINK = CaseLink(
    case="平商务罚字〔2021〕第3号",
    case_key="平商务罚|2021|3",
    method="folder_name",
    score=0.8,
    why="the folder",
    why_zh="在文件夹中",
)
CAVEAT = Caveat(code="truncated", text="cut off", text_zh="被截断", finder="probe/1")
MARKS = Fingerprint(method="video", version=1, data=b"\0\xff", finder="video/1")


def add(home: Home, seq: int = 1, name: str = "a.mp4") -> str:
    new = str(ULID())
    original = Original(
        id=new, sha256=(new.lower() * 3)[:64], sm3=None, size_bytes=1, kind="video", format="mp4", name=name,
        state="in_custody", accepted_at=AT,
    )  # fmt: skip
    with home.catalog.transaction() as connection:
        intake.add_original(connection, original, seq)
    return new


def record(home: Home, original: str, turn: str, facts: Facts) -> int:
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
        knowledge.record(connection, original, turn, facts, seq)
    return seq


def test_facts_come_back_as_they_were_recorded(home: Home) -> None:
    original = add(home)
    facts = Facts(
        properties=(PROPERTY,), time_claims=(CLAIM,), time=TIME, links=(LINK,), caveats=(CAVEAT,), fingerprints=(MARKS,)
    )
    record(home, original, "light-probe", facts)
    [known] = home.catalog.known_of_many([original], with_data=True)
    assert known.properties == {"video.width": PROPERTY}
    assert (known.time_claims, known.time, known.caveats) == ((CLAIM,), TIME, (CAVEAT,))
    assert (known.links, known.fingerprints) == ((LINK,), (MARKS,))
    assert known.original.accepted_at == AT


def test_what_was_stated_is_told_with_the_wanted_properties_alone(home: Home) -> None:
    original, beside, other = add(home), add(home, name="a.xmp"), add(home, name="b.mp4")
    officer = replace(PROPERTY, name="sidecar.officer", found="王强", value="王强")
    record(home, original, "light-probe", Facts(properties=(PROPERTY, officer)))
    record(home, beside, "light-probe", Facts(properties=(officer, PROPERTY)))
    with home.catalog.transaction() as connection:
        knowledge.adopt(connection, original, [beside], 3)
    for one, stated in ((original, {"stated_officer": "李四"}), (beside, {})):
        _arrive(home, one, "in", 1)
        with home.catalog.transaction() as connection:
            its = tables.arrival.update().where(tables.arrival.c.original == one)
            connection.execute(its.values(stem="a", **stated))
    [first, second] = home.catalog.told_of_many([other, original, "0" * 26], lambda name: name.endswith(".officer"))
    assert (first.original.id, first.properties, first.arrivals, first.sidecars) == (other, {}, (), ())
    assert second.properties == {"sidecar.officer": officer}
    assert [one.properties for one in second.sidecars] == [{"sidecar.officer": officer}]
    assert [one.stated.officer for one in second.arrivals] == ["李四"]
    [whole] = home.catalog.known_of_many([original])
    assert (officer_of(whole), second.original) == (officer_of(second), whole.original)


def _relative(original: str, name: str, **changed: Any) -> Relative:
    usual: dict[str, Any] = {"relation": "part of the other", "offset_s": 12.5, "own_offset_s": 0.5, "length_s": 9.0,
                             "score": 4.0}  # fmt: skip
    return Relative(original=original, name=name, **{**usual, **changed})


def test_reasons_from_before_there_was_chinese_are_read_in_english(home: Home) -> None:
    original = add(home)
    record(home, original, "light-timestamps", Facts(time=TIME, links=(LINK,)))
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.decided_time).values(losers=[["mtime", "less trusted"]], why_zh=""))
    known = home.catalog.known_of(original)
    assert known.time is not None
    assert known.time.losers == (("mtime", "less trusted", ""),)
    assert [worded(one, "why", "zh") for one in (known.time, *known.links)] == ["because", "在文件夹中"]
    assert worded(known.links[0], "why", "en") == "the folder"


def test_a_relation_is_known_of_both_and_told_once(home: Home) -> None:
    one, other = add(home, name="a.mp4"), add(home, name="b.mp4")
    record(home, one, "heavy-link", Facts(relatives=(_relative(other, "b.mp4"),)))
    assert home.catalog.known_of(one).relatives == (_relative(other, "b.mp4"),)
    assert home.catalog.known_of(other).relatives == (_relative(one, "a.mp4", offset_s=0.5, own_offset_s=12.5),)
    record(home, other, "heavy-link", Facts(relatives=(_relative(one, "a.mp4", offset_s=0.6, own_offset_s=12.6),)))
    assert [relative.offset_s for relative in home.catalog.known_of(other).relatives] == [0.6]
    assert [relative.offset_s for relative in home.catalog.known_of(one).relatives] == [12.5]
    record(home, one, "heavy-link", Facts())
    record(home, other, "light-link", Facts())
    assert home.catalog.known_of(one).relatives == home.catalog.known_of(other).relatives == ()


def test_with_one_of_two_disposed_of_their_relations_vanish(home: Home) -> None:
    one, other, third = add(home, name="a.mp4"), add(home, name="b.mp4"), add(home, name="c.mp4")
    record(home, one, "heavy-link", Facts(relatives=(_relative(other, "b.mp4"), _relative(third, "c.mp4"))))
    record(home, other, "heavy-link", Facts(relatives=(_relative(one, "a.mp4"), _relative(third, "c.mp4"))))
    with home.catalog.transaction() as connection:
        disposals.erase(connection, other, 99)
        rows = connection.execute(sa.select(tables.relation.c.original, tables.relation.c.other)).all()
    assert [tuple(row) for row in rows] == [(one, third)]
    assert [relative.original for relative in home.catalog.known_of(one).relatives] == [third]
    assert home.catalog.known_of(other).relatives == ()


def test_a_turn_run_again_replaces_just_its_own_facts(home: Home) -> None:
    original = add(home)
    record(home, original, "light-probe", Facts(properties=(PROPERTY,)))
    record(home, original, "light-timestamps", Facts(time=TIME, caveats=(CAVEAT,)))
    record(home, original, "light-timestamps", Facts(time=TIME))
    known = home.catalog.known_of(original)
    assert known.properties == {"video.width": PROPERTY}
    assert (known.time, known.caveats) == (TIME, ())


def test_a_persons_no_is_not_proposed_again(home: Home) -> None:
    original = add(home)
    record(home, original, "light-link", Facts(links=(LINK,)))
    refused = CaseLink(**{**vars(LINK), "status": "refused", "by": "reviewer", "method": "person"})
    record(home, original, "person", Facts(links=(refused,)))
    record(home, original, "light-link", Facts(links=(LINK,)))
    [link] = home.catalog.known_of(original).links
    assert (link.status, link.by) == ("refused", "reviewer")


def test_the_same_case_number_is_one_case(home: Home) -> None:
    for name in "ab":
        record(home, add(home, name=name), "light-link", Facts(links=(LINK,)))
    with home.catalog.transaction() as connection:
        first = registers.case_of(connection, LINK.case_key, LINK.case)
        assert registers.case_of(connection, LINK.case_key, "another writing") == first


def test_what_can_be_found_raises_the_change_sequence_and_a_state_does_not(home: Home) -> None:
    original = add(home)
    seq = record(home, original, "light-probe", Facts(properties=(PROPERTY,)))
    assert home.catalog.changed_seq(original) == seq == home.catalog.head()
    record(home, original, "light-index", Facts(state="searchable"))
    assert home.catalog.changed_seq(original) == seq


def test_changes_of_one_event_are_never_parted(home: Home) -> None:
    """The index goes on after the last number it was told; a tie beyond the limit would be lost to it."""
    ids = {add(home, seq=7) for _ in range(5)} | {add(home, seq=3)}
    told: list[str] = []
    seq = 0
    while found := home.catalog.changed_after(seq, 2):
        told += [original for _, original in found]
        seq = found[-1][0]
    assert sorted(told) == sorted(ids)


def test_an_original_is_found_by_what_people_call_it(home: Home) -> None:
    original = add(home, name="现场.mp4")
    sha256 = home.catalog.known_of(original).original.sha256
    assert home.catalog.find_original(original.lower()) == original
    assert home.catalog.find_original(sha256) == original
    with pytest.raises(BadInput, match="Nothing in custody"):
        home.catalog.find_original("nothing")
    with pytest.raises(BadInput):
        home.catalog.known_of("nothing")


def test_a_wrong_kind_is_put_right_by_what_the_streams_show(home: Home) -> None:
    original = add(home)
    record(
        home,
        original,
        "light-probe",
        Facts(properties=(Property(name="container.kind", found="audio", value="audio"),)),
    )
    assert home.catalog.known_of(original).original.kind == "audio"


def test_tables_of_another_version_are_not_used(home: Home) -> None:
    import sqlalchemy as sa

    home.catalog.require_current()
    with home.catalog.transaction() as connection:
        connection.execute(sa.text("UPDATE cr_version SET version_num = 'other'"))
    with pytest.raises(BadInput, match="casereel init"):
        home.catalog.require_current()


def test_the_migrated_tables_are_those_of_the_code(home: Home) -> None:
    """Nothing is left for alembic to change."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from pipeline.edges.database import tables

    def is_ours(_: object, name: str | None, kind: str, *__: object) -> bool:
        return kind != "table" or str(name).startswith(tables.PREFIX)

    with home.catalog.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": is_ours, "version_table": "cr_version"}
        )
        assert compare_metadata(context, tables.metadata) == []


@pytest.mark.postgres
@pytest.mark.parametrize("disposes", [False, True], ids=["anybody", "whoever unlinks"])
def test_postgres_ends_who_stands_still_within_a_transaction_unless_it_unlinks(
    disposes: bool, fresh_database: Callable[[], str], make_settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settings = make_settings(catalog_url=fresh_database())
    make_home(settings)
    other = build_home(settings).catalog
    monkeypatch.setattr(engines, "IDLE_MS", 300)
    still = Catalog(settings.catalog_url)
    lock = sa.select(tables.log_head).with_for_update()
    with contextlib.nullcontext() if disposes else pytest.raises(TryAgain), still.transaction() as connection:
        if disposes:
            disposals.lock_work(connection, "nobody")
        connection.execute(lock).all()
        time.sleep(1.0)
        with other.transaction() as waiting:
            waiting.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
            with pytest.raises(sa.exc.OperationalError) if disposes else contextlib.nullcontext():
                waiting.execute(lock).all()
        connection.execute(lock).all()
    with still.transaction() as connection:
        assert connection.execute(lock).all()
    still.close()
    other.close()


def _arrive(home: Home, original: str, folder: str, second: int) -> None:
    arrival = Arrival(
        id=str(ULID()), original=original, path=f"/in/{folder}/{original}.mp4", folder=folder, name=f"{original}.mp4",
        name_raw=b"x", source="inbox", status="accepted", reason=None, size_bytes=1, mtime_ns=second * 10**9,
        taken_at=AT,
    )  # fmt: skip
    place = {
        "path_raw": b"x", "device_number": 1, "inode": 1, "sha256": original * 2, "place_key": original.lower(),
    }  # fmt: skip
    with home.catalog.transaction() as connection:
        intake.add_arrival(connection, arrival, place)


def test_recordings_beside_one_another_are_told_those_nearest_in_time_first(home: Home) -> None:
    asked, far, near, elsewhere = (add(home, number) for number in range(1, 5))
    for original, folder, second in ((asked, "a", 100), (far, "a", 500), (near, "a", 70), (elsewhere, "b", 101)):
        _arrive(home, original, folder, second)
    known = home.catalog.known_of(asked)
    assert [one.original.id for one in home.catalog.beside(known, 5)] == [near, far]
    assert [one.original.id for one in home.catalog.beside(known, 1)] == [near]

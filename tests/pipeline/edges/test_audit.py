from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from config.settings import Settings
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.database import tables
from pipeline.errors import CustodyBroken
from tests.homes import make_home
from workers.bootstrap import Home, build_home


def add(home: Home, *types: str) -> int:
    with home.catalog.transaction() as connection:
        numbers = home.audit.record(connection, [NewEvent(type=one, actor="tester") for one in types])
    home.audit.make_durable(numbers[-1])
    return numbers[-1]


def test_each_line_carries_the_hash_of_the_line_before(home: Home) -> None:
    add(home, "a", "b")
    add(home, "c")
    lines = list(home.audit.lines())
    previous = "0" * 64
    for number, line in enumerate(lines, 1):
        event = json.loads(line)
        assert (event["seq"], event["prev"]) == (number, previous)
        previous = hashlib.sha256((line + "\n").encode()).hexdigest()
    assert home.audit.check().faults == ()


def test_an_event_of_a_transaction_that_failed_never_was(home: Home) -> None:
    add(home, "a")
    with pytest.raises(RuntimeError), home.catalog.transaction() as connection:
        home.audit.record(connection, [NewEvent(type="never", actor="tester")])
        raise RuntimeError
    add(home, "b")
    assert [json.loads(line)["type"] for line in home.audit.lines()][-2:] == ["a", "b"]
    assert home.audit.check().faults == ()


def test_events_of_many_threads_stand_in_the_catalogs_order(home: Home) -> None:
    def work(name: str) -> None:
        for _ in range(10):
            add(home, name)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = home.audit.check()
    assert state.faults == ()
    assert state.entries == 1 + 40


@pytest.mark.parametrize("how", ["change", "remove", "swap", "insert", "last byte"])
def test_any_tampering_with_the_files_is_found(sqlite_home: Home, how: str) -> None:
    home = sqlite_home
    add(home, "a", "b", "c", "d")
    [file] = home.audit.files()
    lines = file.read_text().splitlines(keepends=True)
    match how:
        case "change":
            lines[2] = lines[2].replace('"actor":"tester"', '"actor":"nobody"')
        case "remove":
            del lines[2]
        case "swap":
            lines[1], lines[2] = lines[2], lines[1]
        case "insert":
            lines.insert(2, lines[1])
        case "last byte":
            lines[-1] = lines[-1].replace('"type":"d"', '"type":"e"')
    file.write_text("".join(lines))
    assert AuditLog(home.settings.home / "log", home.catalog.reading).check().faults


def test_lines_cut_off_at_the_end_are_found(sqlite_home: Home) -> None:
    home = sqlite_home
    add(home, "a", "b")
    [file] = home.audit.files()
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    log = AuditLog(home.settings.home / "log", home.catalog.reading)
    assert any("lack" in fault for fault in log.check(grace_s=0.0).faults)


def test_tampering_with_the_catalogs_rows_is_found(home: Home) -> None:
    add(home, "a", "b")
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.event).where(tables.event.c.seq == 2).values(line="{}"))
    assert home.audit.check().faults == ("Entry 2 reads otherwise in the catalog",)


def test_a_torn_last_line_is_cut_and_written_whole(sqlite_home: Home) -> None:
    home = sqlite_home
    add(home, "a")
    [file] = home.audit.files()
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    again = AuditLog(home.settings.home / "log", home.catalog.reading)
    again.make_durable(2)
    assert file.read_bytes() == whole


def test_a_catalog_older_than_the_log_is_not_written_on(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    make_home(settings)
    first = build_home(settings)
    add(first, "a", "b")
    with first.catalog.transaction() as connection:
        connection.execute(sa.delete(tables.event).where(tables.event.c.seq > 1))
        row = connection.execute(sa.select(tables.event.c.hash)).one()
        connection.execute(sa.update(tables.log_head).values(seq=1, hash=row.hash))
    first.close()
    second = build_home(settings)
    with pytest.raises(CustodyBroken):
        add(second, "c", "d", "e", "f")
    second.close()


def test_the_log_goes_on_in_a_new_file(sqlite_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.edges.audit.LINES_PER_FILE", 3)
    add(sqlite_home, *"abcdefgh")
    assert [len(file.read_text().splitlines()) for file in sqlite_home.audit.files()] == [3, 3, 3]
    assert sqlite_home.audit.check().faults == ()


def test_a_torn_tail_is_forgiven_only_where_it_begins_the_next_entry(sqlite_home: Home) -> None:
    home = sqlite_home
    add(home, "a")
    [file] = home.audit.files()
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert home.audit.check().faults == ()
    file.write_bytes(whole + b"x")
    assert home.audit.check().faults == ("The log's last file ends in something that is the beginning of no entry",)


def test_what_is_recorded_while_the_log_is_checked_is_no_fault(home: Home) -> None:
    add(home, "a", "b")
    late = iter(["c", "d"])

    def meanwhile(_: str) -> None:
        for name in late:
            add(home, name)

    assert home.audit.check(grace_s=0.0, seen=meanwhile).faults == ()

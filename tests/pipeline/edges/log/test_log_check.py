"""G10 for the log: whatever is changed in it, in its signed heads or beside them, a check names it."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from pipeline.edges.audit import AuditLog
from pipeline.edges.log.log_check import LogReport, check_log
from pipeline.edges.log.witness import Witness
from tests.conftest import QUICK
from tests.homes import make_home
from workers.bootstrap import Home, build_home

FULL = os.environ.get("CASEREEL_TEST_COUNTS") == "full"
TRIES = 10_000 if FULL else 500


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose log has six heads, two keys, two cosignatures, tiles over a bound, and lines after the last head."""
    from config.settings import load

    folder = tmp_path_factory.mktemp("whole")
    settings = load(folder / "home", QUICK)
    make_home(settings)
    home = build_home(settings)
    for count in (3, 260, 2):
        tell(home, count)
        home.checkpoints.sign_head()
    witness = Witness(folder / "witness")
    accept = home.checkpoints.key_changes()[-1].key.fingerprint
    visit = witness.visit(home.checkpoints.log, accept=accept)
    home.tell("log.witnessed", facts=visit.cosignature.facts())
    home.checkpoints.rotate("yearly")
    witness.visit(home.checkpoints.log)
    tell(home, 4)
    yield home
    home.close()


def tell(home: Home, count: int) -> None:
    from pipeline.edges.audit import NewEvent

    with home.catalog.transaction() as connection:
        numbers = home.audit.record(
            connection, [NewEvent(type="search", actor="t", facts={"n": n}) for n in range(count)]
        )
    home.audit.make_durable(numbers[-1])


def check(home: Home, log: Path) -> LogReport:
    return check_log(AuditLog(log, home.catalog.reading), log, grace_s=0.0)


def test_a_whole_log_has_no_faults_and_its_heads_are_counted(whole: Home) -> None:
    report = check(whole, whole.checkpoints.log)
    assert report.faults == ()
    assert (report.signed_heads, len(report.countersigned)) == (len(whole.checkpoints.sizes()), 2)
    assert report.signed_heads == 5


def change_byte(chance: random.Random, log: Path) -> str:
    path = chance.choice(evidence(log))
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    data[place] ^= chance.randrange(1, 256)
    path.write_bytes(data)
    return f"byte {place} of {path.relative_to(log)}"


def remove_line(chance: random.Random, log: Path) -> str:
    return rewrite(log, lambda lines: lines.pop(chance.randrange(len(lines))))


def swap_lines(chance: random.Random, log: Path) -> str:
    def swap(lines: list[bytes]) -> None:
        one, two = chance.sample(range(len(lines)), 2)
        lines[one], lines[two] = lines[two], lines[one]

    return rewrite(log, swap)


def double_line(chance: random.Random, log: Path) -> str:
    return rewrite(log, lambda lines: lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines)))


def insert_line(chance: random.Random, log: Path) -> str:
    def insert(lines: list[bytes]) -> None:
        lines.insert(
            chance.randrange(len(lines) + 1), chance.choice(lines).replace(b'"search"', b'"export"', 1) + b"\n"
        )

    return rewrite(log, insert)


def cut_tail(chance: random.Random, log: Path) -> str:
    [file] = log.glob("events-*.jsonl")
    data = file.read_bytes()
    size = chance.randrange(len(data))
    file.write_bytes(data[:size])
    return f"the log cut at {size}"


def remove_file(chance: random.Random, log: Path) -> str:
    # A witness's key is told of in the log too, so its file alone is a copy nobody needs.
    path = chance.choice([path for path in evidence(log) if path.suffix != ".vkey" and path.name != UNTOLD])
    path.unlink()
    return f"{path.relative_to(log)} removed"


def change_tile(chance: random.Random, log: Path) -> str:
    path = chance.choice([path for path in evidence(log) if "tile" in path.parts])
    data = path.read_bytes()
    place = 32 * chance.randrange(len(data) // 32)
    path.write_bytes(data[:place] + chance.randbytes(32) + data[place + 32 :])
    return f"hash {place // 32} of {path.relative_to(log)}"


def lengthen(chance: random.Random, log: Path) -> str:
    path = chance.choice(evidence(log))
    with path.open("ab") as stream:
        stream.write(chance.choice([b"\n", b"x", b"{}\n", b"\0"]))
    return f"{path.relative_to(log)} made longer"


UNTOLD = ""
WAYS = (change_byte, remove_line, swap_lines, double_line, insert_line, cut_tail, remove_file, change_tile, lengthen)


def rewrite(log: Path, spoil: Callable[[list[bytes]], object]) -> str:
    [file] = log.glob("events-*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    spoil(lines)
    file.write_bytes(b"".join(lines))
    return "lines of the log"


def evidence(log: Path) -> list[Path]:
    return sorted(path for path in log.rglob("*") if path.is_file() and not path.name.startswith("."))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_mutation_of_the_log_is_found(whole: Home, tmp_path: Path, way: Callable[..., str]) -> None:
    global UNTOLD  # its visit was the last, and no event tells of it
    UNTOLD = max(
        (path.name for path in (whole.checkpoints.log / "witness").glob("*.note")),
        key=lambda name: int(name.split("-")[0]),
    )
    chance, log = random.Random(way.__name__), tmp_path / "log"
    missed = []
    original = {path.relative_to(whole.checkpoints.log): path.read_bytes() for path in evidence(whole.checkpoints.log)}
    shutil.copytree(whole.checkpoints.log, log)
    for number in range(TRIES // len(WAYS) + 1):
        what = way(chance, log)
        if {path.relative_to(log): path.read_bytes() for path in evidence(log)} == original:
            continue
        if not check(whole, log).faults:
            missed.append((number, what))
        for name, data in original.items():
            if not (log / name).exists() or (log / name).read_bytes() != data:
                (log / name).write_bytes(data)
    assert missed == []


def test_a_check_names_every_fault_and_does_not_stop_at_the_first(whole: Home, tmp_path: Path) -> None:
    log = tmp_path / "log"
    shutil.copytree(whole.checkpoints.log, log)
    rewrite(log, lambda lines: lines.__setitem__(3, lines[3].replace(b'"search"', b'"export"')))
    (log / "checkpoint").write_text("x")
    (log / "checkpoints" / "6.note").unlink(missing_ok=True)
    next(log.glob("keys/*.pem")).unlink()
    next(log.glob("witness/*.note")).write_text("x")
    said = " ".join(check(whole, log).faults)
    for word in ("Entry 5 does not carry", "reads otherwise in the catalog", "were signed in", "The current checkpoint",
                 "public key", "cosignature", "tile"):  # fmt: skip
        assert word in said


def test_a_log_cut_below_its_signed_head_is_found_even_where_the_catalog_was_cut_too(
    make_settings: Callable[..., Settings],
) -> None:
    import sqlalchemy as sa

    from pipeline.edges.database import tables

    settings = make_settings()
    make_home(settings)
    home = build_home(settings)
    tell(home, 5)
    home.checkpoints.sign_head()
    [file] = home.audit.files()
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:4]))
    with home.catalog.transaction() as connection:
        connection.execute(sa.delete(tables.event).where(tables.event.c.seq > 4))
        row = connection.execute(sa.select(tables.event.c.hash).where(tables.event.c.seq == 4)).one()
        connection.execute(sa.update(tables.log_head).values(seq=4, hash=row.hash))
    assert any("entries were removed" in fault for fault in check(home, home.checkpoints.log).faults)
    home.close()


def test_a_key_that_nobody_vouched_for_is_remarked_upon(sqlite_home: Home) -> None:
    sqlite_home.checkpoints.sign_head()
    sqlite_home.checkpoints.rotate("the stick broke", lost=True)
    report = sqlite_home.check_log()
    assert report.faults == ()
    [remark] = report.remarks
    assert "the stick broke" in remark

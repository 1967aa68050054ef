"""Whatever is changed in the vault is found: G10. CASEREEL_TEST_COUNTS=full makes 10,000 changes."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from pipeline.custody.inspection import inspect
from tests.pipeline.custody.test_fixity import digest, disposed, take
from tests.samples.taking import stage
from workers.bootstrap import Home
from workers.keeping import build_fixity

MUTATIONS = 10_000 if os.environ.get("CASEREEL_TEST_COUNTS") == "full" else 300
Undo = Callable[[], None]


def files_of(root: Path) -> list[Path]:
    return sorted(one for one in root.rglob("*") if one.is_file())


def writable(path: Path) -> bytes:
    path.chmod(0o640)
    return path.read_bytes()


def flipped(root: Path, chance: random.Random) -> Undo:
    path = chance.choice([one for one in files_of(root) if one.stat().st_size])
    before = writable(path)
    data = bytearray(before)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return lambda: _write(path, before)


def shortened(root: Path, chance: random.Random) -> Undo:
    path = chance.choice([one for one in files_of(root) if one.stat().st_size])
    before = writable(path)
    path.write_bytes(before[: chance.randrange(len(before))])
    return lambda: _write(path, before)


def lengthened(root: Path, chance: random.Random) -> Undo:
    path = chance.choice(files_of(root))
    before = writable(path)
    path.write_bytes(before + bytes([chance.randrange(256)]))
    return lambda: _write(path, before)


def removed(root: Path, chance: random.Random) -> Undo:
    path = chance.choice(files_of(root))
    before = path.read_bytes()
    path.unlink()
    return lambda: _write(path, before)


def added(root: Path, chance: random.Random) -> Undo:
    folder = chance.choice([root, *(one for one in sorted(root.rglob("*")) if one.is_dir())])
    names = ["x", "original.bak", "inventory.json.tmp", ".hidden", "现场.jpg"]
    if chance.random() < 0.3:
        path = folder / chance.choice(names)
        path.mkdir()
        return path.rmdir
    # A folder of this name is what a dead writer leaves, and is moved aside; a file of this name nobody leaves.
    path = folder / chance.choice([*names, "v9"])
    path.write_bytes(b"x")
    return path.unlink


def swapped(root: Path, chance: random.Random) -> Undo:
    one, two = chance.sample(files_of(root), 2)
    while one.read_bytes() == two.read_bytes():
        one, two = chance.sample(files_of(root), 2)

    def swap() -> None:
        aside = root.parent / "aside"
        one.rename(aside)
        two.rename(one)
        aside.rename(two)

    swap()
    return swap


def whole_object_gone(root: Path, chance: random.Random) -> Undo:
    place = chance.choice(objects_of(root))
    aside = root.parent / "aside"
    place.rename(aside)
    return lambda: _rename(aside, place)


def object_moved(root: Path, chance: random.Random) -> Undo:
    place = chance.choice(objects_of(root))
    there = root / "abc" / "def" / "012" / place.name
    there.parent.mkdir(parents=True)
    place.rename(there)

    def back() -> None:
        there.rename(place)
        shutil.rmtree(root / "abc")

    return back


def objects_swapped(root: Path, chance: random.Random) -> Undo:
    one, two = chance.sample(objects_of(root), 2)

    def swap() -> None:
        one.rename(root.parent / "aside")
        two.rename(one)
        (root.parent / "aside").rename(two)

    swap()
    return swap


def linked(root: Path, chance: random.Random) -> Undo:
    """The very same bytes, elsewhere, behind a link."""
    path = chance.choice(files_of(root))
    aside = root.parent / "aside"
    path.rename(aside)
    path.symlink_to(aside)

    def back() -> None:
        path.unlink()
        aside.rename(path)

    return back


def objects_of(root: Path) -> list[Path]:
    return sorted(one for one in root.rglob("urn*") if one.is_dir())


def _write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def _rename(one: Path, two: Path) -> None:
    one.rename(two)


WAYS = (
    flipped, shortened, lengthened, removed, added, swapped, whole_object_gone, object_moved, objects_swapped, linked,
)  # fmt: skip


def test_every_change_in_the_vault_is_found(sqlite_home: Home, tmp_path: Path) -> None:
    """One change at a time, put right again afterwards; without a change nothing is found."""
    home, chance = sqlite_home, random.Random(10)
    originals = take(home, tmp_path / "card", 4)
    home.vault.add_version(digest(home, originals[0]), {"hold.json": b"{}\n"}, message="m", actor="a")
    disposed(home, originals[3])
    fixity, known = build_fixity(home), home.catalog.digests()

    def holds() -> bool:
        return inspect(home.vault, home.catalog, fixity, known, everything=True).holds

    assert holds()
    missed = []
    for number in range(MUTATIONS):
        way = chance.choice(WAYS)
        undo = way(home.vault.root, chance)
        if holds():
            missed.append((number, way.__name__))
        undo()
    assert missed == []
    assert holds()


def test_a_forged_tombstone_is_found(sqlite_home: Home, tmp_path: Path) -> None:
    """Whoever may write the vault can make one that is whole; no disposal in the log explains it."""
    home = sqlite_home
    originals = take(home, tmp_path / "card", 2)
    home.vault.purge(digest(home, originals[0]), {"reason": "period over", "approvals": ["a", "b"]})
    seen = inspect(home.vault, home.catalog, build_fixity(home), home.catalog.digests(), everything=True)
    assert list(seen.broken) == [digest(home, originals[0])]


def test_a_disposal_whose_bytes_are_still_there_is_found(sqlite_home: Home, tmp_path: Path) -> None:
    home = sqlite_home
    [original] = take(home, tmp_path / "card")
    home.tell("disposal.done", original=original)
    seen = inspect(home.vault, home.catalog, build_fixity(home), home.catalog.digests(), everything=True)
    assert "still there" in seen.broken[digest(home, original)][0]


def test_a_record_rewritten_with_all_its_digests_is_found_by_the_log(sqlite_home: Home, tmp_path: Path) -> None:
    """A whole object of other intake facts, as its own writer makes it."""
    home = sqlite_home
    [original] = take(home, tmp_path / "card")
    sha256 = digest(home, original)
    record = home.vault.record(sha256)
    record["arrival"]["taken_at"] = "2020-01-01T00:00:00+00:00"
    with home.vault.opened(sha256) as path:
        data, place = path.read_bytes(), path.parents[2]
    shutil.rmtree(place)
    (tmp_path / "again").write_bytes(data)
    [staged] = home.vault.staging.prove([stage(home.vault, tmp_path / "again")])
    home.vault.commit([staged], {sha256: record})
    assert home.vault.faults(sha256) == []
    seen = inspect(home.vault, home.catalog, build_fixity(home), home.catalog.digests(), everything=True)
    assert seen.broken == {sha256: [f"The record of {sha256} says another taken_at than the log"]}

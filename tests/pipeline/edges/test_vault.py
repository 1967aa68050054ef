from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.edges.host import copying, disk
from pipeline.edges.host.handles import NotTaken, SourceChanged
from pipeline.edges.vault import Vault, object_id
from pipeline.errors import CustodyBroken, TryAgain
from tests.samples.taking import stage


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = Vault(tmp_path / "home", reserve_share=0.0)
    made.create()
    return made


def put(vault: Vault, path: Path, data: bytes) -> str:
    path.write_bytes(data)
    [staged] = vault.staging.prove([stage(vault, path)])
    vault.commit([staged], {staged.sha256: {"sha256": staged.sha256}})
    return staged.sha256


def test_the_bytes_come_back_under_their_digest(vault: Vault, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    sha256 = put(vault, tmp_path / "a.mp4", data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    with vault.opened(sha256) as path:
        assert path.read_bytes() == data


def test_an_original_is_read_only(vault: Vault, tmp_path: Path) -> None:
    sha256 = put(vault, tmp_path / "a", b"evidence")
    with vault.opened(sha256) as path:
        assert path.stat().st_mode & 0o222 == 0


def test_an_outside_judge_finds_the_root_valid(vault: Vault, tmp_path: Path) -> None:
    """ocfl-py checks layout, inventories and every digest by its own code."""
    for number in range(6):
        put(vault, tmp_path / f"现场 {number}.mp4", b"x" * number)
    judge = Path(sys.executable).with_name("ocfl-root.py")
    said = subprocess.run(
        [sys.executable, judge, "validate", "--root", vault.root, "--validate-objects", "--check-digests"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "Objects checked: 6 / 6 are VALID" in said.stdout + said.stderr
    assert f"Storage root {vault.root} is VALID" in said.stdout + said.stderr


def test_the_checksum_list_is_one_that_plain_tools_read(vault: Vault, tmp_path: Path) -> None:
    sha256 = put(vault, tmp_path / "a", b"evidence")
    with vault.opened(sha256) as path:
        said = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=path.parent, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr


def test_sm3_stands_beside_it_when_wanted(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "home", sm3=True, reserve_share=0.0)
    vault.create()
    (tmp_path / "abc").write_bytes(b"abc")
    [staged] = vault.staging.prove([stage(vault, tmp_path / "abc")])
    # GB/T 32905-2016, appendix A.1.
    assert staged.sm3 == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_many_at_once_share_their_syncs_and_are_all_there(vault: Vault, tmp_path: Path) -> None:
    staged = []
    for number in range(10):
        (tmp_path / f"{number}").write_bytes(b"y" * (number + 1))
        staged.append(stage(vault, tmp_path / f"{number}"))
    staged = vault.staging.prove(staged)
    vault.commit(staged, {one.sha256: {} for one in staged})
    assert sorted(vault.digests()) == sorted(one.sha256 for one in staged)
    assert list(vault.staging.root.glob("*/*")) == []


def test_the_same_bytes_twice_are_one_object(vault: Vault, tmp_path: Path) -> None:
    assert put(vault, tmp_path / "a", b"same") == put(vault, tmp_path / "b", b"same")
    assert len(list(vault.digests())) == 1
    assert list(vault.staging.root.glob("*/*")) == []


@pytest.mark.parametrize(
    "name", ["v1/content/original", "v1/content/record.json", "inventory.json", "v1/content/SHA256SUMS"]
)
def test_a_flipped_bit_is_found(vault: Vault, tmp_path: Path, name: str) -> None:
    sha256 = put(vault, tmp_path / "a", b"evidence" * 1000)
    with vault.opened(sha256) as original:
        path = original.parents[2] / name
    path.chmod(0o640)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert vault.faults(sha256)


def test_a_missing_original_is_found(vault: Vault, tmp_path: Path) -> None:
    sha256 = put(vault, tmp_path / "a", b"evidence")
    with vault.opened(sha256) as path:
        path.unlink()
    assert vault.faults(sha256) == [f"v1/content/original of {sha256} is missing"]
    with pytest.raises(CustodyBroken), vault.opened(sha256):
        pass


def test_the_same_bytes_again_do_not_hide_a_damaged_object(vault: Vault, tmp_path: Path) -> None:
    sha256 = put(vault, tmp_path / "a", b"evidence")
    with vault.opened(sha256) as path:
        path.chmod(0o640)
        path.write_bytes(b"tampered")
    with pytest.raises(CustodyBroken):
        put(vault, tmp_path / "b", b"evidence")


@pytest.mark.skipif(not disk.capabilities()["read_lease"], reason="the system gives no read lease")
def test_a_file_somebody_writes_is_not_taken(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as stream:
        stream.write(b"half")
        stream.flush()
        with pytest.raises(SourceChanged):
            stage(vault, path)
    assert stage(vault, path).size_bytes == 4


@pytest.mark.parametrize("size", [0, 1, 100_000, copying.SMALL_BYTES, copying.SMALL_BYTES + 1, 70_000_001])
@pytest.mark.parametrize("sm3", [False, True])
def test_a_copy_of_any_size_is_proved_by_both_digests(tmp_path: Path, size: int, sm3: bool) -> None:
    vault = Vault(tmp_path / "home", sm3=sm3, reserve_share=0.0)
    vault.create()
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    [staged] = vault.staging.prove([stage(vault, tmp_path / "a")])
    assert staged.sha256 == hashlib.sha256(data).hexdigest()
    assert staged.sm3 == (hashlib.new("sm3", data).hexdigest() if sm3 else None)
    assert (staged.size_bytes, staged.head, staged.tail) == (size, data[:65536], data[-65536:])
    assert staged.original.read_bytes() == data


@pytest.mark.parametrize("size", [1_000, copying.SMALL_BYTES + 5_000_000])
def test_a_copy_that_lies_on_the_disk_otherwise_is_not_taken(
    vault: Vault, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk keeps other bytes than were written; here the writing does."""
    (tmp_path / "a").write_bytes(os.urandom(size))
    write_all = disk.write_all

    def write_wrong(fd: int, data: bytes | memoryview) -> None:
        write_all(fd, bytes(data[:-1]) + bytes([data[-1] ^ 1]))

    monkeypatch.setattr("pipeline.edges.host.copying.disk.write_all", write_wrong)
    with pytest.raises(TryAgain, match="reads otherwise"):
        vault.staging.prove([stage(vault, tmp_path / "a")])


def test_a_source_that_changes_while_it_is_read_is_not_taken(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 5_000_000)

    def change(_: int) -> None:
        os.utime(path, ns=(1, 1))

    with pytest.raises(SourceChanged):
        stage(vault, path, moved=change)
    assert list(vault.staging.root.glob("*/*")) == []


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "home", reserve_share=2.0)
    vault.create()
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(TryAgain) as caught:
        stage(vault, tmp_path / "a")
    assert caught.value.fields["room"]


def test_a_link_is_not_followed(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(NotTaken, match="a link"):
        stage(vault, tmp_path / "link")


def test_the_record_is_what_intake_wrote(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    [staged] = vault.staging.prove([stage(vault, tmp_path / "a")])
    vault.commit([staged], {staged.sha256: {"name": "现场", "size_bytes": 1}})
    assert vault.record(staged.sha256) == {"name": "现场", "size_bytes": 1}


def test_the_place_follows_the_layout_extension(vault: Vault, tmp_path: Path) -> None:
    """OCFL extension 0003, example 2: the hash of the identifier, three by three, then the identifier."""
    sha256 = put(vault, tmp_path / "a", b"x")
    spread = hashlib.sha256(object_id(sha256).encode()).hexdigest()
    expected = vault.root / spread[:3] / spread[3:6] / spread[6:9] / object_id(sha256).replace(":", "%3a")
    assert json.loads((expected / "inventory.json").read_bytes())["id"] == object_id(sha256)


def test_the_leftovers_of_a_dead_process_are_swept_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    living = disk.OwnedFolder(tmp_path)
    (living.new() / "kept").write_bytes(b"x")
    subprocess.run(
        [sys.executable, "-c",
         "import os, sys; from pathlib import Path; from pipeline.edges.host.disk import OwnedFolder; "
         f"OwnedFolder(Path({str(tmp_path)!r})).new(); os._exit(9)"],
        check=False, cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert len([one for one in tmp_path.iterdir() if one.is_dir()]) == 2
    disk.sweep(tmp_path, grace_s=0.0)
    assert [one for one in tmp_path.iterdir() if one.is_dir()] == [living.path]
    living.close()
    assert list(tmp_path.iterdir()) == []

"""Later facts and disposal in the vault: killed at every named step, and judged from outside."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ocfl
import pytest

from pipeline.edges.vault import Vault
from pipeline.errors import BadInput, CustodyBroken, NotAllowed
from tests.samples.taking import stage

ROOT = Path(__file__).resolve().parents[3]
FACTS = {"hold.json": b'{"reason": "litigation"}\n'}
TOMBSTONE = {"reason": "period over", "approvals": ["a", "b"]}


def steps(kind: str) -> list[str]:
    """The failpoints of this kind, as the code names them."""
    found: list[str] = []
    for name in ("storage/ocfl.py", "vault.py"):
        text = (ROOT / "pipeline" / "edges" / name).read_text(encoding="utf-8")
        found += re.findall(rf'failpoint\.at\("({kind}\.[^"]+)"\)', text)
    return found


def vault_at(folder: Path) -> Vault:
    vault = Vault(folder, reserve_share=0.0)
    vault.create()
    return vault


def put(vault: Vault, folder: Path, data: bytes) -> str:
    path = folder / "source"
    path.write_bytes(data)
    [staged] = vault.staging.prove([stage(vault, path)])
    vault.commit([staged], {staged.sha256: {"sha256": staged.sha256, "size_bytes": len(data)}})
    return staged.sha256


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return vault_at(tmp_path / "home")


@pytest.fixture
def sha256(vault: Vault, tmp_path: Path) -> str:
    return put(vault, tmp_path, b"evidence" * 1000)


def judged_valid(vault: Vault, objects: int) -> bool:
    """Whether ocfl-py finds the root, and each object with its digests, valid by its own code."""
    judge = ocfl.StorageRoot(root=str(vault.root))
    valid = judge.validate(validate_objects=True, check_digests=True)
    return bool(valid) and (judge.num_objects, judge.good_objects, judge.errors) == (objects, objects, [])


def files_of(vault: Vault) -> dict[str, bytes]:
    return {str(one.relative_to(vault.root)): one.read_bytes() for one in vault.root.rglob("*") if one.is_file()}


def died_at(step: str, home: Path, deed: str) -> None:
    """A process of its own does the deed to the one original and ends by SIGKILL at the step."""
    code = (
        "import sys; from pathlib import Path; from pipeline.edges.vault import Vault; "
        "vault = Vault(Path(sys.argv[1]), reserve_share=0.0); [sha256] = vault.digests(); "
        f"{deed}"
    )
    environ = {**os.environ, "CASEREEL_FAILPOINT": step}
    assert subprocess.run([sys.executable, "-c", code, home], cwd=ROOT, env=environ).returncode == -9


def test_a_later_fact_is_a_new_version_and_the_first_stays_as_it_was(vault: Vault, sha256: str) -> None:
    before = files_of(vault)
    assert vault.add_version(sha256, FACTS, message="held", actor="王磊") == 2
    assert vault.add_version(sha256, {"link.json": b'{"case": "1"}\n'}, message="linked", actor="b") == 3
    after = files_of(vault)
    changed = {name for name in before if before[name] != after[name]}
    assert {Path(name).name for name in changed} == {"inventory.json", "inventory.json.sha256"}
    assert all("/v1/" not in name for name in changed)
    told = [(one["version"], one["name"], one["facts"], one["actor"]) for one in vault.later_facts(sha256)]
    assert told == [(2, "hold.json", {"reason": "litigation"}, "王磊"), (3, "link.json", {"case": "1"}, "b")]
    assert vault.faults(sha256) == []
    assert judged_valid(vault, 1)


def test_the_same_facts_again_are_no_new_version(vault: Vault, sha256: str) -> None:
    vault.add_version(sha256, FACTS, message="held", actor="a")
    before = files_of(vault)
    assert vault.add_version(sha256, FACTS, message="held", actor="a") == 2
    assert files_of(vault) == before


def test_a_fact_that_changes_back_is_kept_in_each_version_and_stored_once(vault: Vault, sha256: str) -> None:
    for text in (b'{"held": true}\n', b'{"held": false}\n', b'{"held": true}\n'):
        vault.add_version(sha256, {"hold.json": text}, message="m", actor="a")
    assert [one["facts"]["held"] for one in vault.later_facts(sha256)] == [True, False, True]
    assert len([name for name in files_of(vault) if name.endswith("hold.json")]) == 2
    assert vault.faults(sha256) == []
    assert judged_valid(vault, 1)


@pytest.mark.parametrize("name", ["original", "record.json", "../x.json", "现场.json", "a.txt", "A.json", ""])
def test_a_name_that_could_touch_what_intake_wrote_is_refused(vault: Vault, sha256: str, name: str) -> None:
    with pytest.raises(BadInput):
        vault.add_version(sha256, {name: b"{}"}, message="m", actor="a")
    assert vault.later_facts(sha256) == []


def test_a_damaged_object_gets_no_new_version(vault: Vault, sha256: str) -> None:
    with vault.opened(sha256) as path:
        record = path.with_name("record.json")
    record.chmod(0o640)
    record.write_bytes(b"{}")
    with pytest.raises(CustodyBroken, match="does not have its digest"):
        vault.add_version(sha256, FACTS, message="m", actor="a")


@pytest.mark.parametrize("step", steps("version"))
def test_dying_in_a_new_version_leaves_the_old_or_the_new_one(
    vault: Vault, sha256: str, tmp_path: Path, step: str
) -> None:
    died_at(step, tmp_path / "home", f"vault.add_version(sha256, {FACTS!r}, message='m', actor='a')")
    with vault.opened(sha256) as path:
        assert path.read_bytes() == b"evidence" * 1000
    vault.settle()
    assert vault.faults(sha256) == []
    assert judged_valid(vault, 1)
    assert [one["facts"] for one in vault.later_facts(sha256)] in ([], [{"reason": "litigation"}])
    assert vault.add_version(sha256, FACTS, message="m", actor="a") == 2
    assert [one["facts"] for one in vault.later_facts(sha256)] == [{"reason": "litigation"}]


@pytest.mark.parametrize("step", steps("version"))
def test_the_next_version_can_be_added_without_the_patrol_in_between(
    vault: Vault, sha256: str, tmp_path: Path, step: str
) -> None:
    died_at(step, tmp_path / "home", f"vault.add_version(sha256, {FACTS!r}, message='m', actor='a')")
    vault.add_version(sha256, {"link.json": b"{}\n"}, message="m", actor="a")
    assert vault.faults(sha256) == []
    assert "link.json" in [one["name"] for one in vault.later_facts(sha256)]


def test_a_half_made_version_folder_is_moved_aside_and_not_lost(vault: Vault, sha256: str, tmp_path: Path) -> None:
    vault.add_version(sha256, FACTS, message="m", actor="a")
    with vault.opened(sha256) as path:
        half = path.parents[2] / "v3"
    (half / "content").mkdir(parents=True)
    (half / "content" / "link.json").write_bytes(b"{")
    assert vault.faults(sha256)
    assert "moved aside" in vault.settle()[0]
    assert vault.faults(sha256) == []
    assert [one.read_bytes() for one in (tmp_path / "home" / "quarantine").rglob("link.json")] == [b"{"]


def test_a_flipped_sidecar_is_damage_and_no_half_made_version(vault: Vault, sha256: str) -> None:
    vault.add_version(sha256, FACTS, message="m", actor="a")
    with vault.opened(sha256) as path:
        sidecar = path.parents[2] / "inventory.json.sha256"
    sidecar.chmod(0o640)
    data = sidecar.read_bytes()
    sidecar.write_bytes((b"1" if data.startswith(b"0") else b"0") + data[1:])
    assert vault.settle() == []
    assert vault.faults(sha256) == [f"The inventory of {sha256} does not have its digest"]


def test_what_was_disposed_of_leaves_a_tombstone_and_no_bytes(vault: Vault, sha256: str, tmp_path: Path) -> None:
    vault.add_version(sha256, FACTS, message="m", actor="a")
    vault.purge(sha256, TOMBSTONE)
    assert vault.tombstone(sha256) == {**TOMBSTONE, "sha256": sha256, "size_bytes": 8000}
    assert (list(vault.digests()), list(vault.tombstones())) == ([], [sha256])
    assert not vault.has(sha256)
    with pytest.raises(CustodyBroken), vault.opened(sha256):
        pass
    everything = [one.read_bytes() for one in (tmp_path / "home").rglob("*") if one.is_file()]
    assert sha256 not in {hashlib.sha256(one).hexdigest() for one in everything}
    assert not any(b"litigation" in one for one in everything)
    assert vault.faults(sha256) == []
    assert judged_valid(vault, 1)


def test_purging_twice_changes_nothing(vault: Vault, sha256: str) -> None:
    vault.purge(sha256, TOMBSTONE)
    before = files_of(vault)
    vault.purge(sha256, {"reason": "another"})
    assert files_of(vault) == before


def test_the_bytes_of_a_disposed_original_do_not_come_back_unseen(vault: Vault, sha256: str, tmp_path: Path) -> None:
    vault.purge(sha256, TOMBSTONE)
    before = files_of(vault)
    put(vault, tmp_path, b"evidence" * 1000)
    assert list(vault.digests()) == []
    assert list(vault.tombstones()) == [sha256]
    assert files_of(vault) == before


def test_a_last_look_that_says_no_leaves_the_object_as_it_was(vault: Vault, sha256: str) -> None:
    before = files_of(vault)

    def held() -> None:
        raise NotAllowed("held since a moment ago")

    with pytest.raises(NotAllowed):
        vault.purge(sha256, TOMBSTONE, last_look=held)
    assert files_of(vault) == before
    assert vault.unfinished_purges() == []


@pytest.mark.parametrize("step", steps("purge"))
@pytest.mark.parametrize("then", ["resumed", "taken back"])
def test_dying_in_a_disposal_can_be_resumed_and_until_the_unlink_taken_back(
    vault: Vault, sha256: str, tmp_path: Path, step: str, then: str
) -> None:
    died_at(step, tmp_path / "home", f"vault.purge(sha256, {TOMBSTONE!r})")
    assert vault.unfinished_purges() == ([] if step == "purge.prepared" else [sha256])
    if then == "taken back" and step != "purge.unlinked":
        assert vault.take_back(sha256) == (step != "purge.prepared")
        with vault.opened(sha256) as path:
            assert path.read_bytes() == b"evidence" * 1000
    else:
        vault.take_back(sha256)
        vault.purge(sha256, TOMBSTONE)
        assert (vault.tombstone(sha256) or {})["reason"] == "period over"
        assert not any(one.name == "original" for one in (tmp_path / "home").rglob("*"))
    assert vault.unfinished_purges() == []
    assert vault.faults(sha256) == []
    assert judged_valid(vault, 1)
    assert list(vault.strays()) == []


def test_a_purge_cut_off_while_unlinking_is_resumed_even_where_it_would_now_be_refused(
    vault: Vault, sha256: str, tmp_path: Path
) -> None:
    died_at("purge.unlinked", tmp_path / "home", f"vault.purge(sha256, {TOMBSTONE!r})")

    def refuse() -> None:
        raise NotAllowed("too late")

    vault.purge(sha256, TOMBSTONE, last_look=refuse)
    assert vault.unfinished_purges() == []
    assert vault.tombstone(sha256) is not None


def plant(vault: Vault, name: str) -> None:
    path = vault.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def swap(vault: Vault) -> None:
    one, two = (path for path in vault.root.rglob("urn*") if path.is_dir())
    one.rename(vault.root / "x")
    two.rename(one)
    (vault.root / "x").rename(two)


@pytest.mark.parametrize(
    "change",
    [
        lambda vault: plant(vault, "notes.txt"),
        lambda vault: plant(vault, "abc/notes.txt"),
        lambda vault: (vault.root / "abc" / "def").mkdir(parents=True),
        lambda vault: (vault.root / "abc").symlink_to("/"),
        lambda vault: (vault.root / "0=ocfl_1.1").unlink(),
        lambda vault: next(vault.root.rglob("0=ocfl_object_1.1")).unlink(),
        lambda vault: next(one for one in vault.root.rglob("urn*") if one.is_dir()).rename(vault.root / "urn%3ax"),
        swap,
    ],
    ids=["file", "file below", "empty folder", "link", "no root mark", "no object mark", "moved object", "swapped"],
)
def test_what_does_not_belong_into_the_vault_is_named(
    vault: Vault, tmp_path: Path, change: Callable[[Vault], None]
) -> None:
    digests = [put(vault, tmp_path, data) for data in (b"one", b"two")]
    assert list(vault.strays()) == []
    change(vault)
    assert list(vault.strays()) + [fault for one in digests for fault in vault.faults(one)]


@pytest.mark.parametrize("name", ["v1/content/extra", "extra", "v2/content/x.json", "v1/content/empty/"])
def test_what_does_not_belong_into_an_object_is_named(vault: Vault, sha256: str, name: str) -> None:
    with vault.opened(sha256) as path:
        extra = path.parents[2] / name
    if name.endswith("/"):
        extra.mkdir()
    else:
        extra.parent.mkdir(parents=True, exist_ok=True)
        extra.write_bytes(b"{}")
    assert any("does not belong there" in fault for fault in vault.faults(sha256))


def test_a_rewritten_sm3_list_is_found(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "home", sm3=True, reserve_share=0.0)
    vault.create()
    sha256 = put(vault, tmp_path, b"abc")
    with vault.opened(sha256) as path:
        folder, listed = path.parents[2], path.with_name("SM3SUMS")
    old, new = listed.read_bytes(), b"0" * 64 + b"  original\n"
    for one in (listed, *folder.rglob("inventory.json")):
        one.chmod(0o640)
        was, now = hashlib.sha256(old).hexdigest().encode(), hashlib.sha256(new).hexdigest().encode()
        one.write_bytes(new if one == listed else one.read_bytes().replace(was, now))
    for one in folder.rglob("inventory.json"):
        sidecar = one.with_name("inventory.json.sha256")
        sidecar.chmod(0o640)
        sidecar.write_text(f"{hashlib.sha256(one.read_bytes()).hexdigest()}  inventory.json\n")
    assert json.loads((folder / "inventory.json").read_bytes())["manifest"]
    assert vault.faults(sha256) == [f"SM3SUMS of {sha256} is not the digest of its original"]

from __future__ import annotations

import base64
import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from pipeline.custody.tree import Tree, leaf_hash, verify_consistency, verify_inclusion

# The leaves and roots that the implementations of Certificate Transparency test with.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
VECTORS = json.loads((Path(__file__).parents[2] / "samples" / "merkle_proofs.json").read_text(encoding="utf-8"))


def published() -> Tree:
    return Tree(leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES)


def defined_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it stands there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + defined_root(leaves[:half]) + defined_root(leaves[half:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_the_root_is_the_published_one(size: int) -> None:
    assert published().root(size).hex() == ROOTS[size]


def hashes(encoded: list[str] | None) -> list[bytes]:
    return [base64.b64decode(one) for one in encoded or []]


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda case: case["name"])
def test_a_published_inclusion_proof_is_judged_as_published(case: dict[str, Any]) -> None:
    leaf, root = base64.b64decode(case["leafHash"] or ""), base64.b64decode(case["root"] or "")
    found = verify_inclusion(leaf, case["leafIdx"], case["treeSize"], hashes(case["proof"]), root)
    assert found is not case["wantErr"]


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=lambda case: case["name"])
def test_a_published_consistency_proof_is_judged_as_published(case: dict[str, Any]) -> None:
    roots = [base64.b64decode(case[name] or "") for name in ("root1", "root2")]
    found = verify_consistency(case["size1"], roots[0], case["size2"], roots[1], hashes(case["proof"]))
    assert found is not case["wantErr"]


def test_a_published_proof_is_what_the_tree_gives() -> None:
    tree = published()
    for case in VECTORS["inclusion"]:
        if case["desc"] == "happy path" and case["treeSize"] <= 8:
            assert tree.inclusion(case["leafIdx"], case["treeSize"]) == hashes(case["proof"])
    for case in VECTORS["consistency"]:
        if case["desc"] == "happy path" and case["size2"] <= 8:
            assert tree.consistency(case["size1"], case["size2"]) == hashes(case["proof"])


def test_every_small_tree_agrees_with_the_definition_and_proves_every_leaf_and_beginning() -> None:
    entries = [f"entry {number}".encode() for number in range(70)]
    tree = Tree(leaf_hash(entry) for entry in entries)
    roots = [defined_root(entries[:size]) for size in range(71)]
    assert [tree.root(size) for size in range(71)] == roots
    for size in range(1, 71):
        for index in range(size):
            assert verify_inclusion(leaf_hash(entries[index]), index, size, tree.inclusion(index, size), roots[size])
        for old in range(1, size + 1):
            assert verify_consistency(old, roots[old], size, roots[size], tree.consistency(old, size))


def test_a_tree_that_grew_leaf_by_leaf_is_the_tree_made_at_once() -> None:
    leaves = [leaf_hash(f"entry {number}".encode()) for number in range(300)]
    grown = Tree(leaves[:3])
    for size in range(3, 300):
        grown.append(leaves[size])
        assert grown.root() == Tree(leaves[: size + 1]).root()
    assert grown.inclusion(77) == Tree(leaves).inclusion(77)


def test_a_proof_of_random_trees_holds_and_holds_for_nothing_else() -> None:
    chance = random.Random(6962)
    for _ in range(150):
        size = chance.randint(2, 3000)
        tree = Tree(leaf_hash(chance.randbytes(4)) for _ in range(size))
        index, old = chance.randrange(size), chance.randint(1, size - 1)
        leaf, root, was = tree.node(0, index), tree.root(), tree.root(old)
        path, grown = tree.inclusion(index), tree.consistency(old)
        assert verify_inclusion(leaf, index, size, path, root)
        assert verify_consistency(old, was, size, root, grown)
        assert not verify_inclusion(leaf_hash(b"another"), index, size, path, root)
        assert not verify_inclusion(leaf, index, size, changed(path, chance), root)
        assert not verify_inclusion(leaf, index, size, path[:-1], root)
        assert not verify_consistency(old, changed([was], chance)[0], size, root, grown)
        assert not verify_consistency(old, was, size, changed([root], chance)[0], grown)
        assert not verify_consistency(old, was, size, root, changed(grown, chance))


def changed(proof: list[bytes], chance: random.Random) -> list[bytes]:
    place, bit = chance.randrange(len(proof)), 1 << chance.randrange(256)
    flipped = (int.from_bytes(proof[place]) ^ bit).to_bytes(32)
    return [*proof[:place], flipped, *proof[place + 1 :]]


def test_a_leaf_beyond_the_end_has_no_proof() -> None:
    tree = published()
    with pytest.raises(IndexError):
        tree.inclusion(8)
    with pytest.raises(IndexError):
        tree.root(9)
    with pytest.raises(IndexError):
        tree.consistency(5, 4)

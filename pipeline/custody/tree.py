"""The Merkle tree over the log's lines: roots, and proofs that a line is in it and that it only grew. Pure.

A leaf is one line of the log without its newline. A tree is told by its nodes: `node(level, index)` is the hash of
the complete subtree over the leaves from `index << level` up to `(index + 1) << level`; all functions here ask for
such subtrees only, so a tree of a million lines costs twenty of them, wherever they are kept.
Source: RFC 6962, 2.1 (hashes and proofs); RFC 9162, 2.1.3.2 and 2.1.4.2 (how a proof is checked).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Node = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one line, given without its newline."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees that stand beside each other."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(node: Node, size: int) -> bytes:
    """The root over the first `size` leaves."""
    return _range_hash(node, 0, size) if size else EMPTY_ROOT


def inclusion_of(node: Node, index: int, size: int) -> list[bytes]:
    """What proves that the leaf at `index` is in the tree of `size` leaves, from its sibling up.

    Raises IndexError where the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise IndexError(f"a tree of {size} leaves has no leaf {index}")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(node, middle, end))
            end = middle
        else:
            path.append(_range_hash(node, start, middle))
            start = middle
    return path[::-1]


def consistency_of(node: Node, old: int, new: int) -> list[bytes]:
    """What proves that the tree of `old` leaves is the beginning of the tree of `new`. Empty from an empty tree.

    Raises IndexError where old is larger than new.
    """
    if not 0 <= old <= new:
        raise IndexError(f"a tree of {old} leaves is not the beginning of one of {new}")
    if old == 0:
        return []
    path, start, end, is_known = [], 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range_hash(node, middle, end))
            end = middle
        else:
            path.append(_range_hash(node, start, middle))
            start, is_known = middle, False
    if not is_known:
        path.append(_range_hash(node, start, end))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from this leaf hash at this place to the root."""
    if not 0 <= index < size or len(leaf) != HASH_BYTES:
        return False
    place, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof leads from the old root to the new one: nothing of the old tree was changed.

    An empty old tree proves nothing and is refused, as the published vectors have it, but for the same empty one.
    """
    if old == new:
        return not proof and old_root == new_root and (old > 0 or old_root == EMPTY_ROOT)
    if not 0 < old < new:
        return False
    steps = list(proof)
    if old & (old - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    was = now = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            was, now = node_hash(step, was), node_hash(step, now)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            now = node_hash(now, step)
        place, last = place >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


class Tree:
    """A tree in memory, 64 bytes a leaf. leaves: leaf hashes in order."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        row = list(leaves)
        self.size = len(row)
        self._levels = [bytearray(b"".join(row))]
        while len(row) > 1:
            row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)]
            self._levels.append(bytearray(b"".join(row)))

    def append(self, leaf: bytes) -> None:
        """One leaf more at the end."""
        level, index, found = 0, self.size, leaf
        self._levels[0] += leaf
        while index & 1:
            left = self.node(level, index - 1)
            level, index, found = level + 1, index >> 1, node_hash(left, found)
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += found
        self.size += 1

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree. Raises IndexError where the tree is not so large."""
        at = index * HASH_BYTES
        if level >= len(self._levels) or at >= len(self._levels[level]):
            raise IndexError(f"the tree of {self.size} leaves has no subtree {index} at level {level}")
        return bytes(self._levels[level][at : at + HASH_BYTES])

    def row(self, level: int, first: int, count: int) -> bytes:
        """The hashes of complete subtrees beside each other; fewer where the tree is not so large."""
        if level >= len(self._levels):
            return b""
        return bytes(self._levels[level][first * HASH_BYTES : (first + count) * HASH_BYTES])

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves, over all where none is given."""
        return root_of(self.node, self._within(size))

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """What proves that the leaf at `index` is in the tree of the first `size` leaves."""
        return inclusion_of(self.node, index, self._within(size))

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """What proves that the first `old` leaves are the beginning of the first `new`."""
        return consistency_of(self.node, old, self._within(new))

    def _within(self, size: int | None) -> int:
        if size is not None and not 0 <= size <= self.size:
            raise IndexError(f"the tree has {self.size} leaves, not {size}")
        return self.size if size is None else size


def _split(size: int) -> int:
    """The largest power of two that is smaller than size."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_hash(node: Node, start: int, end: int) -> bytes:
    """The hash over the leaves from start to end, a range that the tree's own splitting gives."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(size)
    return node_hash(_range_hash(node, start, middle), _range_hash(node, middle, end))

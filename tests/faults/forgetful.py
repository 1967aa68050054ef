"""A file system that remembers how it came to be: each change and each sync, in order, so that a power cut at any
instant can be played afterwards (`surviving.py`).

It speaks the kernel's FUSE protocol itself, version 7.31; it needs Linux, root and /dev/fuse, and no library. What is
written lies in memory only. Some things come in as extended attributes, for they keep their place among the changes:

- `user.told` on any file: somebody was told of something; the value is kept in the journal. `user.mark` likewise, for
  whoever reads the journal.
- `user.syncfs` on any file: the caller has just called syncfs(2). The kernel forwards that call only to file systems
  on a block device (fs/fuse/inode.c, `sync_fs`), so whoever is tested sends it along (`subject.py`).
- `user.fault`: faults from now on, a JSON list of `Fault`; an empty list ends them.

    python -m tests.faults.forgetful MOUNT JOURNAL HITS

JOURNAL is written at the end, HITS (one byte a refused call) as it happens. SIGTERM unmounts and ends it.
Source: include/uapi/linux/fuse.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fnmatch
import json
import os
import pickle
import signal
import stat
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT_ID: Final = 1
MAX_WRITE: Final = 1 << 20
VALID_S: Final = 3600  # the kernel may remember names and sizes: nothing changes but through it
IN_HEADER: Final = struct.Struct("<IIQQIIIHH")
ATTRIBUTES: Final = struct.Struct("<QQQQQQIIIIIIIIII")
BIG_WRITES, MAX_PAGES = 1 << 5, 1 << 22
MNT_DETACH: Final = 2


class Fault(NamedTuple):
    """Refuses calls. calls: names as in `CALLS`, and `syncfs`; path: a pattern of the path below the mount, for
    making, moving and removing of the entry's; errno: its name, empty for none; skip: so many such calls go through
    first; delay_s: waits as well."""

    calls: list[str]
    path: str
    errno: str
    skip: int = 0
    delay_s: float = 0.0


@dataclass
class Node:
    """A file, folder or link."""

    number: int
    mode: int
    data: bytearray = field(default_factory=bytearray)
    entries: dict[bytes, int] = field(default_factory=dict)
    links: int = 1
    owner: tuple[int, int] = (0, 0)
    mtime_ns: int = 0


class Refused(Exception):
    """The call ends with this number."""


class Forgetful:
    """The tree as programs see it, and its journal: tuples that begin with their kind."""

    def __init__(self, hits: int) -> None:
        self.nodes = {ROOT_ID: Node(ROOT_ID, stat.S_IFDIR | 0o755, links=2, mtime_ns=time.time_ns())}
        self.paths = {ROOT_ID: ""}
        self.journal: list[tuple[Any, ...]] = []
        self.faults: list[Fault] = []
        self._hits, self._passed = hits, [0]
        self._last = ROOT_ID

    # -- calls, each given the node's number and the call's body

    def lookup(self, number: int, body: bytes) -> bytes:
        child = self.nodes[number].entries.get(body[:-1])
        if child is None:
            return struct.pack("<QQQQII", 0, 0, VALID_S, 0, 0, 0) + bytes(ATTRIBUTES.size)
        return self._entry(child)

    def getattr(self, number: int, _: bytes) -> bytes:
        return struct.pack("<QII", VALID_S, 0, 0) + self._attributes(self.nodes[number])

    def setattr(self, number: int, body: bytes) -> bytes:
        valid, _, size = struct.unpack_from("<I4xQQ", body)
        node = self.nodes[number]
        if valid & 1 << 3:
            self._resize(node, size)
        if valid & 1 << 0:
            [mode] = struct.unpack_from("<I", body, 68)
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
            self.journal.append(("mode", number, node.mode))
        if valid & 1 << 5 and not valid & 1 << 8:
            [seconds], [nanoseconds] = struct.unpack_from("<Q", body, 40), struct.unpack_from("<I", body, 60)
            node.mtime_ns = seconds * 10**9 + nanoseconds
        return self.getattr(number, b"")

    def mkdir(self, number: int, body: bytes) -> bytes:
        mode, umask = struct.unpack_from("<II", body)
        return self._entry(self._make(number, body[8:-1], stat.S_IFDIR | (mode & ~umask)))

    def mknod(self, number: int, body: bytes) -> bytes:
        mode, _, umask = struct.unpack_from("<III", body)
        return self._entry(self._make(number, body[16:-1], stat.S_IFMT(mode) | (stat.S_IMODE(mode) & ~umask)))

    def symlink(self, number: int, body: bytes) -> bytes:
        name, target = body[:-1].split(b"\0")
        made = self._make(number, name, stat.S_IFLNK | 0o777)
        self._write(self.nodes[made], 0, target)
        return self._entry(made)

    def readlink(self, number: int, _: bytes) -> bytes:
        return bytes(self.nodes[number].data)

    def link(self, number: int, body: bytes) -> bytes:
        [old] = struct.unpack_from("<Q", body)
        self.nodes[old].links += 1
        self._put(number, body[8:-1], old)
        return self._entry(old)

    def create(self, number: int, body: bytes) -> bytes:
        _, mode, umask = struct.unpack_from("<III", body)
        return self._entry(self._make(number, body[16:-1], stat.S_IFREG | (mode & 0o7777 & ~umask))) + bytes(16)

    def unlink(self, number: int, body: bytes) -> bytes:
        gone = self.nodes[self.nodes[number].entries[body[:-1]]]
        gone.links -= 1
        self._put(number, body[:-1], None)
        return b""

    def rmdir(self, number: int, body: bytes) -> bytes:
        if self.nodes[self.nodes[number].entries[body[:-1]]].entries:
            raise Refused(errno.ENOTEMPTY)
        self._put(number, body[:-1], None)
        return b""

    def rename(self, number: int, body: bytes, flags: int = 0, skip: int = 8) -> bytes:
        [target] = struct.unpack_from("<Q", body)
        old, new = body[skip:-1].split(b"\0")
        moved, over = self.nodes[number].entries[old], self.nodes[target].entries.get(new)
        if flags & ~1:
            raise Refused(errno.EINVAL)
        if over is not None and over != moved:
            if flags & 1:
                raise Refused(errno.EEXIST)
            if self.nodes[over].entries:
                raise Refused(errno.ENOTEMPTY)
            self.nodes[over].links -= 1
        self.journal.append(("move", number, old, target, new, moved))
        del self.nodes[number].entries[old]
        self.nodes[target].entries[new] = moved
        self._name(moved, target, new)
        return b""

    def rename2(self, number: int, body: bytes) -> bytes:
        [flags] = struct.unpack_from("<I", body, 8)
        return self.rename(number, body, flags, 16)

    def open(self, number: int, body: bytes) -> bytes:
        [flags] = struct.unpack_from("<I", body)
        if flags & os.O_TRUNC:
            self._resize(self.nodes[number], 0)
        return bytes(16)

    def opendir(self, *_: Any) -> bytes:
        return bytes(16)

    def nothing(self, *_: Any) -> bytes:
        return b""

    def read(self, number: int, body: bytes) -> bytes:
        offset, size = struct.unpack_from("<8xQI", body)
        return bytes(self.nodes[number].data[offset : offset + size])

    def write(self, number: int, body: bytes) -> bytes:
        offset, size = struct.unpack_from("<8xQI", body)
        self._write(self.nodes[number], offset, body[40 : 40 + size])
        return struct.pack("<II", size, 0)

    def fallocate(self, number: int, body: bytes) -> bytes:
        offset, length, mode = struct.unpack_from("<8xQQI", body)
        if mode:
            raise Refused(errno.EOPNOTSUPP)
        node = self.nodes[number]
        if offset + length > len(node.data):
            self._resize(node, offset + length)
        return b""

    def readdir(self, number: int, body: bytes) -> bytes:
        offset, size = struct.unpack_from("<8xQI", body)
        names = [(b".", number), (b"..", ROOT_ID), *self.nodes[number].entries.items()]
        answer = b""
        for place, (name, child) in enumerate(names[offset:], offset + 1):
            kind = stat.S_IFMT(self.nodes[child].mode) >> 12
            entry = struct.pack("<QQII", child, place, len(name), kind) + name
            entry += bytes(-len(entry) % 8)
            if len(answer) + len(entry) > size:
                break
            answer += entry
        return answer

    def statfs(self, *_: Any) -> bytes:
        return struct.pack("<QQQQQIIII24x", 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 4096, 255, 4096, 0)

    def fsync(self, number: int, _: bytes) -> bytes:
        self.journal.append(("sync", number))
        return b""

    def fsyncdir(self, number: int, _: bytes) -> bytes:
        self.journal.append(("sync folder", number))
        return b""

    def setxattr(self, number: int, body: bytes) -> bytes:
        [size] = struct.unpack_from("<I", body)
        name = body[8 : body.index(b"\0", 8)].decode()
        value = body[len(body) - size :] if size else b""
        match name:
            case "user.told" | "user.mark":
                self.journal.append((name.removeprefix("user."), value))
            case "user.syncfs":
                self._refuse("syncfs", number, b"")
                self.journal.append(("sync all",))
            case "user.fault":
                self.faults = [Fault(*one) for one in json.loads(value)]
                self._passed = [0] * len(self.faults)
            case _:
                raise Refused(errno.EOPNOTSUPP)
        return b""

    # -- inside

    def _make(self, parent: int, name: bytes, mode: int) -> int:
        self._last += 1
        folder = stat.S_ISDIR(mode)
        self.nodes[self._last] = Node(self._last, mode, links=2 if folder else 1, mtime_ns=time.time_ns())
        self.journal.append(("node", self._last, mode))
        self._put(parent, name, self._last)
        return self._last

    def _put(self, parent: int, name: bytes, child: int | None) -> None:
        self.journal.append(("entry", parent, name, child))
        if child is None:
            del self.nodes[parent].entries[name]
        else:
            self.nodes[parent].entries[name] = child
            self._name(child, parent, name)

    def _name(self, child: int, parent: int, name: bytes) -> None:
        self.paths[child] = f"{self.paths[parent]}/{os.fsdecode(name)}".lstrip("/")
        for below, number in self.nodes[child].entries.items():
            self._name(number, child, below)

    def _write(self, node: Node, offset: int, data: bytes) -> None:
        if len(node.data) < offset:
            node.data.extend(bytes(offset - len(node.data)))
        node.data[offset : offset + len(data)] = data
        node.mtime_ns = time.time_ns()
        self.journal.append(("write", node.number, offset, data))

    def _resize(self, node: Node, size: int) -> None:
        del node.data[size:]
        node.data.extend(bytes(size - len(node.data)))
        node.mtime_ns = time.time_ns()
        self.journal.append(("size", node.number, size))

    def _entry(self, number: int) -> bytes:
        return struct.pack("<QQQQII", number, 0, VALID_S, VALID_S, 0, 0) + self._attributes(self.nodes[number])

    def _attributes(self, node: Node) -> bytes:
        seconds, nanoseconds = divmod(node.mtime_ns, 10**9)
        return ATTRIBUTES.pack(
            node.number, len(node.data), -(-len(node.data) // 512), seconds, seconds, seconds, nanoseconds,
            nanoseconds, nanoseconds, node.mode, node.links, *node.owner, 0, 4096, 0,
        )  # fmt: skip

    def _refuse(self, call: str, number: int, name: bytes) -> None:
        path = self.paths[number]
        for place, fault in enumerate(self.faults):
            full = f"{path}/{os.fsdecode(name)}".lstrip("/") if name else path
            if call in fault.calls and fnmatch.fnmatch(full, fault.path):
                self._passed[place] += 1
                if self._passed[place] <= fault.skip:
                    continue
                if fault.delay_s:
                    time.sleep(fault.delay_s)
                if fault.errno:
                    os.write(self._hits, b".")
                    if call == "fsync":
                        self.journal.append(("failed sync", number))
                    raise Refused(getattr(errno, fault.errno))

    def answer(self, call: str, number: int, body: bytes) -> bytes:
        """The body of the reply. Raises Refused."""
        if self.faults:
            named = {"create": 16, "mkdir": 8, "mknod": 16, "unlink": 0, "rmdir": 0, "rename": 8, "rename2": 16}
            name = body[named[call] :].split(b"\0")[0] if call in named else b""
            self._refuse(call, number, name)
        method: Callable[[int, bytes], bytes] = getattr(self, METHODS.get(call, call))
        return method(number, body)


CALLS: Final = {
    1: "lookup", 3: "getattr", 4: "setattr", 5: "readlink", 6: "symlink", 8: "mknod", 9: "mkdir", 10: "unlink",
    11: "rmdir", 12: "rename", 13: "link", 14: "open", 15: "read", 16: "write", 17: "statfs", 18: "release",
    20: "fsync", 21: "setxattr", 27: "opendir", 28: "readdir", 29: "releasedir", 30: "fsyncdir", 35: "create",
    43: "fallocate", 45: "rename2",
}  # fmt: skip
METHODS: Final = {"release": "nothing", "releasedir": "nothing"}
FORGET, BATCH_FORGET, INTERRUPT, INIT = 2, 42, 36, 26


def serve(device: int, tree: Forgetful) -> None:
    """Answers the kernel until it is unmounted."""
    while True:
        try:
            request = os.read(device, MAX_WRITE + 8192)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return
            if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                continue
            raise
        _, opcode, unique, number, *_ = IN_HEADER.unpack_from(request)
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        code, body = 0, b""
        try:
            if opcode == INIT:
                body = struct.pack(
                    "<IIIIHHIIHHI28x", 7, 31, 1 << 20, BIG_WRITES | MAX_PAGES, 16, 12, MAX_WRITE, 1, 256, 0, 0
                )
            elif opcode in CALLS:
                body = tree.answer(CALLS[opcode], number, request[IN_HEADER.size :])
            else:
                code = errno.ENOSYS
        except Refused as refused:
            code = refused.args[0]
        except KeyError:
            code = errno.ENOENT
        with contextlib.suppress(OSError):  # the caller was ended meanwhile
            os.write(device, struct.pack("<IiQ", 16 + len(body), -code, unique) + body)


def main(mount: Path, journal: Path, hits: Path) -> None:
    """Mounts, serves until unmounted or told to end, writes the journal."""
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"forgetful", os.fsencode(mount), b"fuse.forgetful", 0, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(mount))
    signal.signal(signal.SIGTERM, lambda *_: libc.umount2(os.fsencode(mount), MNT_DETACH))
    tree = Forgetful(os.open(hits, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    try:
        serve(device, tree)
    finally:
        libc.umount2(os.fsencode(mount), MNT_DETACH)
        os.close(device)
        with journal.open("wb") as stream:
            pickle.dump(tree.journal, stream)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))

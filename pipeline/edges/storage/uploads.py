"""Files that a browser sends in pieces, until they are whole and in custody: what was acknowledged survives everything.

`open/ID/about.json` says what is coming, `open/ID/files/` holds it under its own name, `taken/ID.json` says how it
ended. An ID is made from who sends what, so whoever begins the same file again goes on where it stopped, and a file
that is in custody is not sent twice. A piece counts when it is on the disk; a damaged or doubled one changes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from pipeline.edges.host import disk
from pipeline.errors import BadInput, TryAgain
from pipeline.records import Stated

PIECE_BYTES: Final = 4 << 20  # what a page sends at once: a lost connection costs no more
PIECE_MAX_BYTES: Final = 16 << 20
OPEN_MAX: Final = 500  # of one person; a page sends a few at a time
ACTIVE_S: Final = 60.0  # without a piece for longer, sending was interrupted
TAIL_BYTES: Final = 1 << 20
NAME_BYTES: Final = 255
_ID: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A file that somebody is about to send. folder: below what was chosen, `/` between parts, '' for none.

    modified_ms: the file's own date, as the browser tells it. sample: of its content, so that another file of the same
    name, size and date is another one.
    """

    person: str
    name: str
    size_bytes: int
    modified_ms: int = 0
    folder: str = ""
    sample: str = ""
    stated: Stated = field(default_factory=Stated)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file on its way. state: `sending`, `interrupted`, `whole`, `safe` or `refused`; result: how taking it ended."""

    id: str
    wanted: Wanted
    state: str
    there_bytes: int
    changed_at: datetime
    result: dict[str, Any] | None = None
    tail_bytes: int = 0
    tail_crc32: int = 0


class OutOfStep(TryAgain):
    """The piece does not begin where the last one ended; `found` is where it must begin."""


# Takes the whole file into custody: its path, the folder it lies below, and the upload; what a receipt says of it.
Take = Callable[[Path, Path, Upload], dict[str, Any]]


class Uploads:
    """The uploads of one home, on the file system of its vault."""

    def __init__(self, root: Path, *, reserve_share: float, max_bytes: int, keep_s: float) -> None:
        self._open, self._taken = root / "open", root / "taken"
        self._reserve_share, self._max_bytes, self.keep_s = reserve_share, max_bytes, keep_s

    def begin(self, wanted: Wanted) -> Upload:
        """This file may be sent, from where it stopped the last time; or it is in custody already.

        Raises BadInput for a name or size that cannot be; TryAgain where there is no room for it.
        """
        _require_names(wanted)
        if not 0 < wanted.size_bytes <= self._max_bytes:
            raise BadInput(
                f"{wanted.name} has {wanted.size_bytes} bytes; a page takes 1 to {self._max_bytes}: use the folder",
                zh=f"{wanted.name} 有 {wanted.size_bytes} 字节，网页可接收 1 到 {self._max_bytes} 字节，请放入文件夹",
            )
        identifier = _id_of(wanted)
        done = self._ended(identifier)
        if done is not None and done.state == "safe" and _says_more(wanted.stated, done.wanted.stated):
            identifier = _id_of(wanted, stated=True)
            done = self._ended(identifier)
        if done is not None and done.state == "safe":
            return done
        with self._alone(identifier):
            folder = self._open / identifier
            if not (folder / "about.json").exists():
                self._require_room(wanted)
                (folder / "files" / wanted.folder).mkdir(parents=True, exist_ok=True)
                _file_of(folder, wanted).touch()
                _write(folder / "about.json", wanted)
            elif wanted.stated != _read(folder / "about.json").stated and wanted.stated != Stated():
                _write(folder / "about.json", wanted)
            return self._standing(identifier, with_tail=True)

    def one(self, identifier: str, person: str) -> Upload:
        """How it stands. Raises BadInput where this person has none of this name."""
        found = self._ended(identifier) if set(identifier) <= _ID else None
        if found is None and set(identifier) <= _ID and (self._open / identifier / "about.json").exists():
            found = self._standing(identifier)
        if found is None or found.wanted.person != person:
            raise _absent(identifier)
        return found

    def put(self, identifier: str, person: str, offset: int, piece: bytes, crc32: int) -> int:
        """The piece is on the disk; where the next one begins.

        Raises OutOfStep where it begins elsewhere than the last ended, BadInput where it is damaged or too long.
        """
        upload = self.one(identifier, person)
        if zlib.crc32(piece) != crc32:
            raise BadInput("The piece was damaged on its way: send it again", zh="数据在传输中损坏，请重发该段")
        with self._alone(identifier):
            path = _file_of(self._open / identifier, upload.wanted)
            if not path.exists():
                raise _absent(identifier)
            there = path.stat().st_size
            if offset != there:
                raise OutOfStep(f"{there} bytes are here: go on from there", zh=f"已有 {there} 字节，请从此处继续",
                                found=there)  # fmt: skip
            if there + len(piece) > upload.wanted.size_bytes:
                raise BadInput("More comes than was announced", zh="收到的数据多于登记的大小")
            _append(path, there, piece)
            return there + len(piece)

    def finish(self, identifier: str, person: str, take: Take) -> Upload:
        """The whole file is in custody or refused, and what its receipt says is kept.

        Raises OutOfStep where something is missing, TryAgain where it is being taken by another call.
        """
        return self._finish(self.one(identifier, person), take)

    def _finish(self, upload: Upload, take: Take) -> Upload:
        with self._alone(upload.id):
            done = self._ended(upload.id)
            if done is not None and done.state == "safe":
                return done
            folder = self._open / upload.id
            path = _file_of(folder, upload.wanted)
            there = path.stat().st_size
            if there != upload.wanted.size_bytes:
                raise OutOfStep(f"{there} of {upload.wanted.size_bytes} bytes are here", found=there,
                                zh=f"只收到 {upload.wanted.size_bytes} 字节中的 {there} 字节")  # fmt: skip
            if upload.wanted.modified_ms > 0:
                os.utime(path, ns=(path.stat().st_atime_ns, upload.wanted.modified_ms * 1_000_000))
            result = take(path, folder / "files", upload)
            if result.get("again"):
                raise TryAgain(str(result["reason"]))
            state = "refused" if result["original"] is None else "safe"
            self._taken.mkdir(exist_ok=True)
            ended = replace(upload, state=state, result=result, there_bytes=there, changed_at=datetime.now(UTC))
            said = {"wanted": asdict(upload.wanted), "state": state, "result": result}
            disk.write_whole(self._taken / f"{upload.id}.json", json.dumps(said).encode())
            if state == "safe":
                shutil.rmtree(folder, ignore_errors=True)
            return ended

    def discard(self, identifier: str, person: str) -> None:
        """What was sent of it is gone, and so is what was said of it. Raises BadInput for one in custody."""
        if self.one(identifier, person).state == "safe":
            raise BadInput("It is in custody: nothing of it can be taken back", zh="文件已入库，不能撤回")
        with self._alone(identifier):
            shutil.rmtree(self._open / identifier, ignore_errors=True)
            (self._taken / f"{identifier}.json").unlink(missing_ok=True)

    def unfinished(self, person: str | None = None) -> list[Upload]:
        """What is not in custody yet, of this person or of all, the latest first."""
        found = []
        for folder in self._open.iterdir() if self._open.is_dir() else ():
            with contextlib.suppress(OSError, BadInput):
                one = self._ended(folder.name) or self._standing(folder.name)
                if one.state != "safe" and person in (None, one.wanted.person):
                    found.append(one)
        return sorted(found, key=lambda one: one.changed_at, reverse=True)

    def look_after(self, take: Take, abandoned: Callable[[Upload], None]) -> dict[str, int]:
        """Whole ones that nobody finished are taken, those that nobody went on with are gone; how many each."""
        done, gone = 0, 0
        for one in self.unfinished():
            silent_s = time.time() - one.changed_at.timestamp()
            if one.state == "whole" and silent_s > ACTIVE_S:
                with contextlib.suppress(TryAgain):
                    self._finish(one, take)
                    done += 1
            elif one.state != "whole" and silent_s > self.keep_s:
                abandoned(one)
                shutil.rmtree(self._open / one.id, ignore_errors=True)
                gone += 1
        for path in self._taken.glob("*.json"):
            if time.time() - path.stat().st_mtime > self.keep_s:
                path.unlink(missing_ok=True)
        for path in self._open.glob("*.lock"):
            if not (self._open / path.stem).exists() and time.time() - path.stat().st_mtime > self.keep_s:
                path.unlink(missing_ok=True)
        return {"uploads_taken": done, "uploads_abandoned": gone}

    # -- parts

    def _ended(self, identifier: str) -> Upload | None:
        path = self._taken / f"{identifier}.json"
        try:
            said, changed = json.loads(path.read_bytes()), path.stat().st_mtime
        except FileNotFoundError:
            return None
        wanted = _wanted(said["wanted"])
        return Upload(id=identifier, wanted=wanted, state=said["state"], there_bytes=wanted.size_bytes,
                      changed_at=datetime.fromtimestamp(changed, UTC), result=said["result"])  # fmt: skip

    def _standing(self, identifier: str, *, with_tail: bool = False) -> Upload:
        folder = self._open / identifier
        wanted = _read(folder / "about.json")
        path = _file_of(folder, wanted)
        status = path.stat()
        whole = status.st_size == wanted.size_bytes
        is_active = time.time() - status.st_ctime < ACTIVE_S
        tail = min(TAIL_BYTES, status.st_size) if with_tail else 0
        return Upload(
            id=identifier, wanted=wanted, state="whole" if whole else "sending" if is_active else "interrupted",
            there_bytes=status.st_size, changed_at=datetime.fromtimestamp(status.st_ctime, UTC), tail_bytes=tail,
            tail_crc32=_crc32_at(path, status.st_size - tail) if with_tail else 0,
        )  # fmt: skip

    def _require_room(self, wanted: Wanted) -> None:
        """Room for the file, for its copy in the vault, and for what others have announced."""
        self._open.mkdir(parents=True, exist_ok=True)
        others = self.unfinished()
        if sum(one.wanted.person == wanted.person for one in others) >= OPEN_MAX:
            raise TryAgain(
                f"{OPEN_MAX} of your uploads wait to be continued: finish or discard some",
                zh=f"您有 {OPEN_MAX} 个上传未完成，请先继续或放弃一部分",
            )
        announced = sum(2 * one.wanted.size_bytes - one.there_bytes for one in others)
        usage = shutil.disk_usage(self._open)
        free = usage.free - int(usage.total * self._reserve_share) - announced
        if free < 2 * wanted.size_bytes:
            left, needed = max(free, 0) >> 20, (2 * wanted.size_bytes) >> 20
            raise TryAgain(
                f"There is not enough room: {left} MiB are free for handing in, this file needs {needed} MiB. "
                "Keep it where it is and tell the operators",
                zh=f"空间不足：可用于接收的空间还有 {left} MiB，该文件需要 {needed} MiB。请保留原文件并告知运维人员",
                room=True,
            )

    @contextlib.contextmanager
    def _alone(self, identifier: str) -> Iterator[None]:
        self._open.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._open / f"{identifier}.lock", timeout=5.0):
                yield
        except Timeout as error:
            raise TryAgain("Another window is at work on this file", zh="另一个窗口正在处理该文件") from error


def _says_more(now: Stated, before: Stated) -> bool:
    return now not in (before, Stated())


def _id_of(wanted: Wanted, *, stated: bool = False) -> str:
    parts = [wanted.person, wanted.folder, wanted.name, wanted.size_bytes, wanted.modified_ms, wanted.sample]
    parts += [asdict(wanted.stated)] if stated else []
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _require_names(wanted: Wanted) -> None:
    """Every part of the name is one name on this disk and leads nowhere else."""
    for part in [wanted.name, *([] if not wanted.folder else wanted.folder.split("/"))]:
        raw = part.encode("utf-8", "surrogatepass")
        odd = not part.isprintable() or any(sign in part for sign in "/\\\0") or part in ("", ".", "..")
        if odd or len(raw) > NAME_BYTES:
            raise BadInput(f"{part!r} cannot be the name of a file", zh=f"{part!r} 不能作为文件名")
    if len(wanted.folder.encode()) > 2048:
        raise BadInput("The folders are nested too deep", zh="文件夹层级过深")


def _file_of(folder: Path, wanted: Wanted) -> Path:
    return folder / "files" / wanted.folder / wanted.name


def _append(path: Path, at: int, piece: bytes) -> None:
    """The piece is on the disk behind what is there; where the disk does not take it, nothing of it is."""
    with disk.failing_writes(path.parent):
        fd = os.open(path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        try:
            os.lseek(fd, at, os.SEEK_SET)
            try:
                disk.write_all(fd, piece)
                os.fsync(fd)
            except OSError:
                os.ftruncate(fd, at)
                raise
        finally:
            os.close(fd)


def _crc32_at(path: Path, offset: int) -> int:
    with path.open("rb") as stream:
        stream.seek(offset)
        return zlib.crc32(stream.read(TAIL_BYTES))


def _wanted(data: dict[str, Any]) -> Wanted:
    return Wanted(**{**data, "stated": Stated(**data["stated"])})


def _read(path: Path) -> Wanted:
    return _wanted(json.loads(path.read_bytes()))


def _write(path: Path, wanted: Wanted) -> None:
    disk.write_whole(path, json.dumps(asdict(wanted)).encode())


def _absent(identifier: str) -> BadInput:
    return BadInput("There is no such upload", zh="没有此上传", found=identifier)

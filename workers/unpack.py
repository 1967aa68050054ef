"""Takes the files out of an archive in custody and lays them into the inbox, from where each goes the usual way.

The archive itself stays as it is. Reading happens in the cage, under numbers; the names are given here, once all of
it is whole. The folder appears in the inbox by one rename, after the event that says who and why is durable.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipeline.custody.receipts import safe_name
from pipeline.edges.caged import archives
from pipeline.edges.confinement.cage import Limits
from pipeline.edges.host import disk
from pipeline.edges.tools import Tools
from pipeline.errors import BadInput, Unreadable
from workers.bootstrap import Home

SLOW_BYTES_S: Final = 4 << 20  # what an old disk and processor unpack in a second


@dataclass(frozen=True)
class Unpacked:
    """What came of it. folder: in the inbox. skipped: (name, why) of what stays in the archive."""

    folder: Path
    names: tuple[str, ...]
    size_bytes: int
    skipped: tuple[tuple[str, str], ...]


def unpack(home: Home, original_id: str, reason: str, tools: Tools) -> Unpacked:
    """The archive's files lie in a fresh folder of the inbox. Raises BadInput where it is no ZIP or breaks a limit.

    Where anything fails nothing is left behind, and the log says that it was tried.
    """
    known = home.catalog.known_of(original_id)
    if known.original.format != "zip":
        raise BadInput(
            f"{known.original.name} is not a ZIP archive ({known.original.format})",
            zh=f"{known.original.name} 不是 ZIP 压缩包（{known.original.format}）",
            found=original_id,
        )
    settings = home.settings.drops
    bytes_max = int(settings.unpack_gib * (1 << 30))
    work = disk.OwnedFolder(home.vault.staging.root)
    try:
        flat, tree = work.new(), work.new()
        with home.vault.opened(known.original.sha256) as path:
            size = min(bytes_max, int(known.original.size_bytes * settings.unpack_ratio) + archives.GRACE_BYTES)
            disk.require_room(
                home.vault.staging.root, min(size, _promised(tools, path)), home.settings.vault.reserve_share
            )
            wall_s = 60.0 + size / SLOW_BYTES_S
            limits = Limits(
                wall_s=wall_s, cpu_s=int(wall_s), memory_bytes=1 << 30, file_bytes=size + archives.GRACE_BYTES
            )
            told = tools.call(
                archives.unpack, str(path), str(flat), settings.unpack_files, bytes_max, settings.unpack_ratio,
                limits=limits, reads=[path], writes=[flat],
            )  # fmt: skip
        names = _lay_out(flat, tree, told, ZoneInfo(home.settings.time.zone))
        folder = _place(home.settings.inbox, f"{safe_name(Path(known.original.name).stem)} [{original_id[-8:]}]")
        skipped = tuple((row[1], row[4]) for row in told if row[4])
        made = Unpacked(folder, tuple(names), sum(row[2] for row in told if row[0] is not None), skipped)
        home.tell("archive.unpacked", original=original_id, facts=_facts(made, reason))
        tree.rename(folder)
        disk.sync_folder(folder.parent)
        return made
    except Unreadable as error:
        facts = {"reason": reason, "why": error.sentence}
        home.tell("archive.unpacked", original=original_id, outcome="refused", facts=facts)
        raise BadInput(
            f"{known.original.name} was not unpacked: {error.sentence}",
            zh=f"{known.original.name} 未解包：{error.zh or error.sentence}",
            found=original_id,
        ) from error
    finally:
        work.close()


def _promised(tools: Tools, path: Path) -> int:
    return int(tools.call(promised_bytes, str(path), limits=Limits(memory_bytes=1 << 30), reads=[path]))


def promised_bytes(path: str) -> int:
    """How many bytes the archive says that it holds; called in the cage."""
    return sum(entry.size_bytes for _, entry in archives.entries_of(path))


def _lay_out(flat: Path, tree: Path, told: Sequence[Sequence[Any]], zone: ZoneInfo) -> list[str]:
    """Gives the numbered files their names; of two with one name the later gets a number."""
    names: list[str] = []
    for number, name, _, modified, _ in told:
        if number is None:
            continue
        target = _free(tree / name)
        target.parent.mkdir(parents=True, exist_ok=True)
        (flat / str(number)).rename(target)
        try:
            at = datetime(*modified).replace(tzinfo=zone).timestamp()  # noqa: DTZ001  # the archive names no zone
            os.utime(target, (at, at))
        except (ValueError, OverflowError):
            pass  # a date that no calendar has: the file keeps the time of its unpacking
        names.append(target.relative_to(tree).as_posix())
    return names


def _free(path: Path) -> Path:
    number, wanted = 2, path
    while path.exists() or any(above.is_file() for above in path.parents):
        path = wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
        if any(above.is_file() for above in path.parents):
            raise Unreadable(
                f"The archive uses {wanted.parent.name} as a file and as a folder",
                zh=f"压缩包中 {wanted.parent.name} 既是文件又是文件夹",
            )
        number += 1
    return path


def _place(inbox: Path, name: str) -> Path:
    number, folder = 2, inbox / name
    while folder.exists():
        folder, number = inbox / f"{name} ({number})", number + 1
    return folder


def _facts(made: Unpacked, reason: str) -> dict[str, Any]:
    return {
        "reason": reason, "folder": made.folder.name, "files": len(made.names), "size_bytes": made.size_bytes,
        "skipped": len(made.skipped), "skipped_first": [list(one) for one in made.skipped[:20]],
    }  # fmt: skip

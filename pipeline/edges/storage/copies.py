"""Objects copied from one storage root to another, and a damaged one put together again from good copies.

Every file is digested while it is read, synced, read back from the disk and compared, before it counts. A copied
object is complete in staging before one rename makes it visible; one that grew since gets its new versions, and its
inventory last. Nothing is ever a hard link or a shared block of the vault's own file: damage to one is not damage to
the other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pipeline.edges import failpoint
from pipeline.edges.host import copying, disk
from pipeline.edges.storage import ocfl
from pipeline.errors import CustodyBroken

PIECE_BYTES: Final = 1 << 20
Moved = Callable[[int], None]


def copy_proved(source: Path, target: Path, sha256: str, moved: Moved = lambda _: None) -> bool:
    """Whether the target now holds, on the disk, bytes with this digest; where not, it is not there.

    Raises OSError where the target cannot be written or the source cannot be read.
    """
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    out = os.open(target, disk.OPEN_NEW, disk.READ_ONLY_BITS)
    try:
        with disk.opened(source) as fd:
            while piece := os.read(fd, PIECE_BYTES):
                digest.update(piece)
                disk.write_all(out, piece)
                moved(len(piece))
        os.fsync(out)
    except BaseException:
        target.unlink()
        raise
    finally:
        os.close(out)
    if digest.hexdigest() == sha256 and copying.digests_on_disk(target, False, lambda _: None)[0] == sha256:
        return True
    target.unlink()
    return False


def copy_object(source: Path, target: Path, staging: Path, moved: Moved = lambda _: None) -> int:
    """Bytes copied until the target's object is at the version of the source's; 0 where it already was.

    staging: an empty folder on the target's file system. Raises CustodyBroken naming what does not hold.
    """
    if _sidecar(target) is not None and _sidecar(target) == _sidecar(source):
        return 0
    data = _proved_inventory(source)
    inventory = json.loads(data)
    if not target.exists():
        copied = sum(
            _copy_or_raise(source / path, staging / "object" / path, digest, moved)
            for path, digest in _content(inventory)
        )
        _write_inventories(source, staging / "object", inventory, data)
        _place(staging / "object", target)
        return copied
    before = json.loads(_proved_inventory(target))
    ocfl.settle(target, lambda: staging / "aside", lambda: _new(staging / "settled"))
    before = json.loads(_proved_inventory(target))
    if any(inventory["versions"].get(name) != version for name, version in before["versions"].items()):
        raise CustodyBroken(
            f"{target.name} has another history there", zh=f"{target.name} 在那里另有一段历史", path=str(target)
        )
    copied = 0
    for number in range(ocfl.number_of(before) + 1, ocfl.number_of(inventory) + 1):
        made = staging / f"v{number}"
        made.mkdir()
        copied += sum(
            _copy_or_raise(source / path, staging / path, digest, moved)
            for path, digest in _content(inventory) if path.startswith(f"v{number}/")
        )  # fmt: skip
        ocfl.write_pair(made, _proved_inventory(source / made.name), sync=True)
        _sync_below(made)
        made.rename(target / made.name)
        disk.sync_folder(target)
        failpoint.at("backup.version")
        ocfl.make_head(target, (target / made.name / ocfl.INVENTORY).read_bytes(), _new(staging / f"head{number}"))
    return copied


def whole_object(
    made: Path, identifier: str, places: Sequence[Path], loose: Mapping[str, Sequence[Path]], moved: Moved
) -> list[str]:
    """A whole object lies in the new folder, put together from good files; returns what the first place lacked.

    places: folders of the object, the first is the damaged one. loose: digest -> other files with those bytes.
    Raises CustodyBroken where some content is good in none of them.
    """
    known = [(place, one) for place in places if (one := ocfl.best_inventory(place)) and one.get("id") == identifier]
    if not known:
        raise CustodyBroken(
            f"No copy has an inventory of {identifier} that holds",
            zh=f"没有任何副本保有 {identifier} 的完好清单",
            path=str(places[0]),
        )
    newest, inventory = max(known, key=lambda pair: ocfl.number_of(pair[1]))
    wrong = []
    for path, digest in _content(inventory):
        where = [place / path for place in places] + list(loose.get(digest, ()))
        for number, file in enumerate(where):
            with contextlib.suppress(OSError):
                if copy_proved(file, made / path, digest, moved):
                    wrong += [path] if number else []
                    break
        else:
            raise CustodyBroken(
                f"No copy has a good {path} of {identifier}",
                zh=f"没有任何副本保有 {identifier} 的完好 {path}",
                expected=digest,
            )
    head = inventory["head"]
    data = next(
        data for place in (newest, newest / head) if (data := ocfl.proved(place)) and json.loads(data)["head"] == head
    )
    _write_inventories(newest, made, inventory, data, others=places)
    faults = list(ocfl.faults(made, identifier, identifier, ocfl.digest_of))
    if faults:
        raise CustodyBroken(faults[0], path=str(made))
    own = [f"{place}{ocfl.INVENTORY}" for place in ("", *(f"{name}/" for name in inventory["versions"]))]
    wrong += [name for name in own if ocfl.proved((places[0] / name).parent) != ocfl.proved((made / name).parent)]
    return sorted(wrong)


def _write_inventories(
    source: Path, made: Path, inventory: ocfl.Inventory, data: bytes, others: Sequence[Path] = ()
) -> None:
    """Each version's own inventory, the object's, its mark; all of it synced."""
    for name in inventory["versions"]:
        (made / name).mkdir(parents=True, exist_ok=True)
        if name == inventory["head"]:
            ocfl.write_pair(made / name, data, sync=True)
            continue
        for place in (source, *others):
            found = ocfl.proved(place / name)
            if found is not None and json.loads(found).get("head") == name:
                ocfl.write_pair(made / name, found, sync=True)
                break
        else:
            raise CustodyBroken(
                f"No copy has a good inventory of {name} of {inventory['id']}",
                zh=f"没有任何副本保有 {inventory['id']} 的 {name} 的完好清单",
            )
    ocfl.write_pair(made, data, sync=True)
    disk.write_new(made / ocfl.NAMASTE, ocfl.NAMASTE_BYTES, sync=True)
    _sync_below(made)


def _content(inventory: ocfl.Inventory) -> Iterator[tuple[str, str]]:
    """(path, digest) of every content file."""
    return ((path, digest) for digest, paths in inventory["manifest"].items() for path in paths)


def _copy_or_raise(source: Path, target: Path, digest: str, moved: Moved) -> int:
    try:
        if copy_proved(source, target, digest, moved):
            return target.stat().st_size
    except FileNotFoundError as error:
        raise CustodyBroken(
            f"{source.name} of {source.parents[2].name} is missing",
            zh=f"{source.parents[2].name} 缺少 {source.name}",
            path=str(source),
        ) from error
    raise CustodyBroken(
        f"{source.name} of {source.parents[2].name} does not have its digest",
        zh=f"{source.parents[2].name} 的 {source.name} 校验值不符",
        path=str(source),
    )


def _place(made: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    failpoint.at("backup.object")
    made.rename(target)
    for folder in (target.parent, *list(target.parents)[1:4]):
        disk.sync_folder(folder)


def _proved_inventory(folder: Path) -> bytes:
    data = ocfl.proved(folder)
    if data is None:
        raise CustodyBroken(
            f"The inventory of {folder.name} does not have its digest",
            zh=f"{folder.name} 的清单校验值不符",
            path=str(folder),
        )
    return data


def _sidecar(folder: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        return (folder / ocfl.SIDECAR).read_bytes()
    return None


def _new(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _sync_below(folder: Path) -> None:
    for place, _, _ in os.walk(folder, topdown=False):
        disk.sync_folder(Path(place))

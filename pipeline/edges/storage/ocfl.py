"""One object of an OCFL 1.1 storage root: its inventories, its versions, and what is wrong with it.

    0=ocfl_object_1.1  inventory.json  inventory.json.sha256      of the head version
    v1/inventory.json  v1/inventory.json.sha256  v1/content/...   as the object was then
    v2/...                                                        only what came to it

A version is complete and synced in staging before one rename puts it into the object; then the object's inventory
and its sidecar are replaced, in this order, each by a rename. Dying between them leaves the object at the old
version with a version folder too many, or at the new one with the old sidecar: `settle` tells both from damage.
Source: OCFL 1.1, sections 3.5 (inventory), 3.5.3 (manifest, forward delta), implementation notes on new versions.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pipeline.edges import failpoint
from pipeline.edges.host import disk
from pipeline.errors import CustodyBroken

NAMASTE: Final = "0=ocfl_object_1.1"
NAMASTE_BYTES: Final = b"ocfl_object_1.1\n"
INVENTORY: Final = "inventory.json"
SIDECAR: Final = "inventory.json.sha256"
TYPE: Final = "https://ocfl.io/1.1/spec/#inventory"
VERSION: Final = re.compile(r"v[1-9][0-9]*")

Inventory = dict[str, Any]


# -- making


def first_inventory(identifier: str, sums: Mapping[str, str], *, message: str, address: str) -> Inventory:
    """The inventory of an object's first version. sums: content name -> digest."""
    return {
        "id": identifier,
        "type": TYPE,
        "digestAlgorithm": "sha256",
        "head": "v1",
        "manifest": {digest: [f"v1/content/{name}"] for name, digest in sums.items()},
        "versions": {"v1": _version(sums, message, "casereel", address)},
    }


def next_inventory(before: Inventory, sums: Mapping[str, str], *, message: str, actor: str) -> Inventory:
    """The inventory of the version after: what was there, and these names with these digests.

    Content that some version already holds is not stored again.
    """
    head = f"v{number_of(before) + 1}"
    manifest = {digest: list(paths) for digest, paths in before["manifest"].items()}
    for name, digest in sums.items():
        manifest.setdefault(digest, [f"{head}/content/{name}"])
    state = {**names_of(before), **sums}
    versions = {**before["versions"], head: _version(state, message, actor, f"urn:casereel:{_quoted(actor)}")}
    return {**before, "head": head, "manifest": manifest, "versions": versions}


def _version(sums: Mapping[str, str], message: str, actor: str, address: str) -> dict[str, Any]:
    state: dict[str, list[str]] = {}
    for name, digest in sums.items():
        state.setdefault(digest, []).append(name)
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "message": message,
        "user": {"name": actor, "address": address},
        "state": state,
    }


def number_of(inventory: Inventory) -> int:
    """The number of its head version."""
    return int(inventory["head"][1:])


def names_of(inventory: Inventory, version: str | None = None) -> dict[str, str]:
    """Name -> digest of what a version holds; of the head where none is named."""
    state = inventory["versions"][version or inventory["head"]]["state"]
    return {name: digest for digest, names in state.items() for name in names}


def as_bytes(data: Mapping[str, Any]) -> bytes:
    """JSON as every file of an object is written."""
    return (json.dumps(data, sort_keys=True, indent=1) + "\n").encode()


def sidecar_of(inventory: bytes) -> bytes:
    """The line beside an inventory."""
    return f"{hashlib.sha256(inventory).hexdigest()}  {INVENTORY}\n".encode()


def write_pair(folder: Path, inventory: bytes, *, sync: bool) -> None:
    """The folder holds this inventory and its sidecar, both new."""
    disk.write_new(folder / INVENTORY, inventory, sync=sync)
    disk.write_new(folder / SIDECAR, sidecar_of(inventory), sync=sync)


def write_first(folder: Path, identifier: str, sums: Mapping[str, str], *, message: str, address: str, sync: bool) -> (
    None
):  # fmt: skip
    """The folder, whose `v1/content` is written, is a whole object of one version."""
    inventory = as_bytes(first_inventory(identifier, sums, message=message, address=address))
    for place in (folder / "v1", folder):
        write_pair(place, inventory, sync=sync)
    disk.write_new(folder / NAMASTE, NAMASTE_BYTES, sync=sync)
    if sync:
        for place in (folder / "v1" / "content", folder / "v1", folder, folder.parent):
            disk.sync_folder(place)


def add_version(
    folder: Path, files: Mapping[str, bytes], staging: Path, *, message: str, actor: str
) -> int:  # fmt: skip
    """The number of the version that holds these files; no new one where the head holds them already.

    staging: an empty folder on the same file system. The caller keeps others from changing the object.
    """
    before = read(folder)
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    if sums.items() <= names_of(before).items():
        return number_of(before)
    after = next_inventory(before, sums, message=message, actor=actor)
    head, inventory = str(after["head"]), as_bytes(after)
    made = staging / head
    (made / "content").mkdir(parents=True)
    for path in after["manifest"].values():
        version, _, name = path[0].partition("/content/")
        if version == head:
            disk.write_new(made / "content" / name, files[name], sync=True)
    if not any((made / "content").iterdir()):
        (made / "content").rmdir()
    write_pair(made, inventory, sync=True)
    for place in (made / "content", made):
        if place.is_dir():
            disk.sync_folder(place)
    failpoint.at("version.staged")
    made.rename(folder / head)
    disk.sync_folder(folder)
    failpoint.at("version.placed")
    make_head(folder, inventory, staging)
    return number_of(after)


def make_head(folder: Path, inventory: bytes, staging: Path) -> None:
    """The object's own inventory and sidecar are these."""
    write_pair(staging, inventory, sync=True)
    (staging / INVENTORY).replace(folder / INVENTORY)
    disk.sync_folder(folder)
    failpoint.at("version.inventory")
    (staging / SIDECAR).replace(folder / SIDECAR)
    disk.sync_folder(folder)
    failpoint.at("version.sidecar")


# -- reading


def read(folder: Path) -> Inventory:
    """The object's inventory, proved by its sidecar. Raises CustodyBroken where it is not."""
    data = proved(folder)
    if data is None:
        raise CustodyBroken(
            f"The inventory of {folder.name} does not have its digest",
            zh=f"{folder.name} 的清单校验值不符",
            path=str(folder),
        )
    return dict(json.loads(data))


def proved(folder: Path) -> bytes | None:
    """The folder's inventory where its sidecar says the same, and it is one."""
    try:
        data, sidecar = (folder / INVENTORY).read_bytes(), (folder / SIDECAR).read_bytes()
        return data if sidecar == sidecar_of(data) and isinstance(json.loads(data), dict) else None
    except (OSError, ValueError):
        return None


def versions_in(folder: Path) -> list[str]:
    """The version folders that lie in the object, oldest first."""
    with contextlib.suppress(OSError):
        names = [one.name for one in folder.iterdir() if VERSION.fullmatch(one.name) and one.is_dir()]
        return sorted(names, key=lambda name: int(name[1:]))
    return []


def best_inventory(folder: Path) -> Inventory | None:
    """The newest inventory of the object that its sidecar proves, its own first."""
    for place in (folder, *(folder / name for name in reversed(versions_in(folder)))):
        data = proved(place)
        if data is not None:
            return dict(json.loads(data))
    return None


# -- dying in the middle of a new version


def settle(folder: Path, aside: Callable[[], Path], staging: Callable[[], Path]) -> str | None:
    """What was found half-made and what became of it, in a sentence; None where nothing was, or it is damage.

    A version folder that is whole becomes the head, as it was about to; one that is not is moved aside.
    aside: a new place for it. staging: an empty folder on the same file system.
    """
    inside = versions_in(folder)
    own = proved(folder)
    if own is not None:
        head = str(json.loads(own)["head"])
        newer = [name for name in inside if int(name[1:]) > int(head[1:])]
        if not newer:
            return None
        if len(newer) == 1 and _follows(folder / newer[0], own, folder):
            make_head(folder, (folder / newer[0] / INVENTORY).read_bytes(), staging())
            return f"{newer[0]} of {folder.name} was complete and became its head"
        for name in newer:
            (folder / name).rename(aside())
        disk.sync_folder(folder)
        return f"{', '.join(newer)} of {folder.name} was half-made and was moved aside"
    if len(inside) < 2:
        return None
    newest, before = (proved(folder / name) for name in (inside[-1], inside[-2]))
    with contextlib.suppress(OSError):
        if (
            newest is not None and before is not None
            and (folder / INVENTORY).read_bytes() == newest and (folder / SIDECAR).read_bytes() == sidecar_of(before)
        ):  # fmt: skip
            make_head(folder, newest, staging())
            return f"{inside[-1]} of {folder.name} lacked only its sidecar and became its head"
    return None


def _follows(made: Path, before: bytes, folder: Path) -> bool:
    """Whether the version folder is whole and goes on from the inventory before."""
    data = proved(made)
    if data is None:
        return False
    after, old = json.loads(data), json.loads(before)
    if after.get("head") != made.name or {k: after["versions"].get(k) for k in old["versions"]} != old["versions"]:
        return False
    wanted = [(digest, path) for digest, paths in after["manifest"].items() for path in paths]
    fresh = [(digest, path) for digest, path in wanted if path.startswith(f"{made.name}/")]
    try:
        return {path for _, path in wanted} >= {path for paths in old["manifest"].values() for path in paths} and all(
            hashlib.sha256((folder / path).read_bytes()).hexdigest() == digest for digest, path in fresh
        )
    except OSError:
        return False


# -- checking


def faults(folder: Path, identifier: str, who: str, digest_of: Callable[[Path], str]) -> Iterator[str]:
    """Everything about the object that is not as OCFL and its inventory say, a sentence each.

    who: what to call it in them. digest_of: the SHA-256 of a file's bytes.
    """
    try:
        files, folders, strange = _what_lies_in(folder)
    except OSError as error:
        yield f"The object {who} cannot be read: {error}"
        return
    yield from (f"{name} of {who} is neither a file nor a folder" for name in strange)
    if NAMASTE not in files or (folder / NAMASTE).read_bytes() != NAMASTE_BYTES:
        yield f"{NAMASTE} of {who} is not what it must be"
    inventories = {place: proved(folder / place) for place in ("", *versions_in(folder))}
    yield from (
        f"The inventory of {who}{f' in {place}' if place else ''} does not have its digest"
        for place, data in inventories.items() if data is None
    )  # fmt: skip
    inventory = best_inventory(folder)
    if inventory is None:
        yield f"The object {who} has no inventory that holds"
        return
    try:
        yield from _inventory_faults(inventory, inventories, identifier, who)
        manifest = {path: digest for digest, paths in inventory["manifest"].items() for path in paths}
        expected = {NAMASTE, *manifest}
        for place in ("", *(f"{name}/" for name in inventory["versions"])):
            expected |= {place + INVENTORY, place + SIDECAR}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield f"The inventory of {who} lacks what it must hold: {error}"
        return
    yield from (f"{name} of {who} is missing" for name in sorted(expected - files))
    yield from (f"{name} of {who} does not belong there" for name in sorted(files - expected))
    yield from (f"{name} of {who} does not belong there" for name in sorted(folders - _parents(expected)))
    for path in sorted(files & set(manifest)):
        try:
            if digest_of(folder / path) != manifest[path]:
                yield f"{path} of {who} does not have its digest"
        except OSError as error:
            yield f"{path} of {who} cannot be read: {error.strerror or error}"


def _inventory_faults(
    inventory: Inventory, found: Mapping[str, bytes | None], identifier: str, who: str
) -> Iterator[str]:  # fmt: skip
    if (inventory["id"], inventory["type"], inventory["digestAlgorithm"]) != (identifier, TYPE, "sha256"):
        yield f"The inventory of {who} is that of another object"
    versions = inventory["versions"]
    if list(_numbers(versions)) != list(range(1, number_of(inventory) + 1)):
        yield f"The inventory of {who} does not name its versions one after the other"
    if found.get("") is not None and found.get(inventory["head"], found[""]) != found[""]:
        yield f"The inventory of {who} and that of its head version differ"
    named = {digest for version in versions.values() for digest in version["state"]}
    if named != set(inventory["manifest"]):
        yield f"The inventory of {who} names content that no version holds, or lacks content that one does"
    for name, data in found.items():
        if data is None or name in ("", inventory["head"]):
            continue
        if name not in versions:
            yield f"{name} of {who} is not in its inventory"
            continue
        old = json.loads(data)
        known = {key: version for key, version in versions.items() if int(key[1:]) <= int(name[1:])}
        paths = {path for some in old["manifest"].values() for path in some}
        if (old["id"], old["head"], old["versions"]) != (identifier, name, known) or not paths <= {
            path for some in inventory["manifest"].values() for path in some
        }:
            yield f"The inventory of {who} in {name} is not the one that the head goes on from"


def _numbers(versions: Iterable[str]) -> Iterator[int]:
    return iter(sorted(int(name[1:]) for name in versions))


def _parents(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        while "/" in path:
            path = path.rpartition("/")[0]
            found.add(path)
    return found


def _what_lies_in(folder: Path) -> tuple[set[str], set[str], list[str]]:
    """(files, folders, anything else) below the folder, by their paths in it."""
    files, folders, strange = set(), set(), []
    waiting = [(folder, "")]
    while waiting:
        place, before = waiting.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                name = before + os.fsencode(entry.name).decode("utf-8", "backslashreplace")
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    folders.add(name)
                    waiting.append((place / entry.name, f"{name}/"))
                elif stat.S_ISREG(mode):
                    files.add(name)
                else:
                    strange.append(name)
    return files, folders, strange


def _quoted(text: str) -> str:
    return "".join(one if one.isascii() and one.isalnum() else f"%{ord(one):02x}" for one in text)


def digest_of(path: Path) -> str:
    """The SHA-256 of the file's bytes, through the system's memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

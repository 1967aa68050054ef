"""The vault: originals under their digests, in an OCFL 1.1 storage root, and derivatives apart from it.

    vault/0=ocfl_1.1  ocfl_layout.json  extensions/0003-.../config.json
    vault/a1b/2c3/d4e/urn%3acasereel%3asha256%3a<digest>/
        0=ocfl_object_1.1  inventory.json  inventory.json.sha256
        v1/inventory.json  v1/inventory.json.sha256
        v1/content/original  record.json  SHA256SUMS  [SM3SUMS]
    staging/    on the same file system; what lies there was never acknowledged
    derived/    may be deleted at any time

One object a digest. A new object is complete and synced before one rename makes it visible.
Sources: OCFL 1.1; layout extension 0003 (hash and identifier n-tuple).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pipeline.edges import disk, failpoint
from pipeline.edges.staging import MANY, Staged, Staging
from pipeline.errors import CustodyBroken

LAYOUT: Final = "0003-hash-and-id-n-tuple-storage-layout"
PIECE_BYTES: Final = 1 << 20


class Vault:
    """The vault of one home."""

    def __init__(self, home: Path, *, sm3: bool = False, reserve_share: float = 0.05) -> None:
        self.root = home / "vault"
        self.staging = Staging(home / "staging", sm3=sm3, reserve_share=reserve_share)
        self.derived_root = home / "derived"

    def create(self) -> None:
        """The storage root exists; called on an existing one it changes nothing."""
        for folder in (self.root, self.staging.root, self.derived_root):
            folder.mkdir(parents=True, exist_ok=True)
        config = self.root / "extensions" / LAYOUT
        config.mkdir(parents=True, exist_ok=True)
        settings = {"extensionName": LAYOUT, "digestAlgorithm": "sha256", "tupleSize": 3, "numberOfTuples": 3}
        about = {
            "extension": LAYOUT,
            "description": "Hashed n-tuple trees with the encoded identifier as the last folder",
        }
        for path, data in (
            (config / "config.json", _json(settings)),
            (self.root / "ocfl_layout.json", _json(about)),
            (self.root / "0=ocfl_1.1", b"ocfl_1.1\n"),
        ):
            with contextlib.suppress(FileExistsError):
                disk.write_new(path, data, sync=True)
        for folder in (config, config.parent, self.root, self.root.parent):
            disk.sync_folder(folder)

    # -- reading

    def has(self, sha256: str) -> bool:
        """Whether an object with this digest is complete in the vault."""
        return (self._object(sha256) / "inventory.json.sha256").exists()

    @contextlib.contextmanager
    def opened(self, sha256: str) -> Iterator[Path]:
        """The path of the original's bytes, for reading only, while the block runs.

        Raises CustodyBroken where they are gone.
        """
        path = self._object(sha256) / "v1" / "content" / "original"
        if not path.is_file():
            raise CustodyBroken(f"The original {sha256} is not in the vault", path=str(path), expected=sha256)
        yield path

    def digests(self) -> Iterator[str]:
        """The digest of every object, found by walking the root and not from any list."""
        for folder, subfolders, files in os.walk(self.root):
            subfolders.sort()
            if "0=ocfl_object_1.1" in files:
                subfolders.clear()
                yield Path(folder).name.rpartition("%3a")[2]

    def placed_at(self, sha256: str) -> float:
        """When the object was written, in seconds since 1970 by the file system's word."""
        return (self._object(sha256) / "inventory.json").stat().st_mtime

    def record(self, sha256: str) -> dict[str, Any]:
        """The intake facts kept with the original. Raises CustodyBroken where they do not hold together."""
        folder = self._object(sha256)
        faults = self.faults(sha256, content=False)
        if faults:
            raise CustodyBroken(faults[0], path=str(folder))
        return dict(json.loads((folder / "v1" / "content" / "record.json").read_bytes()))

    def faults(self, sha256: str, *, content: bool = True, moved: Callable[[int], None] = lambda _: None) -> list[str]:
        """Everything about this object that is not what it must be, a sentence each; none when it holds.

        content: recompute the original's digest too (reads all of it). moved: told of bytes read.
        """
        folder = self._object(sha256)
        if not folder.is_dir():
            return [f"The original {sha256} is not in the vault"]
        try:
            inventory = (folder / "inventory.json").read_bytes()
            stated = (folder / "inventory.json.sha256").read_text().split()[0]
            if hashlib.sha256(inventory).hexdigest() != stated:
                return [f"The inventory of {sha256} does not have its digest"]
            manifest = json.loads(inventory)["manifest"]
        except (OSError, ValueError, IndexError, KeyError) as error:
            return [f"The object {sha256} is not whole: {error}"]
        found = []
        if "v1/content/original" not in manifest.get(sha256, ()):
            found.append(f"The inventory of {sha256} does not name its original")
        for digest, paths in manifest.items():
            for name in paths:
                path = folder / name
                if not path.is_file():
                    found.append(f"{name} of {sha256} is missing")
                elif (content or not name.endswith("/original")) and _digest(path, "sha256", moved) != digest:
                    found.append(f"{name} of {sha256} does not have its digest")
        return found

    # -- taking in

    def commit(self, staged: Sequence[Staged], records: Mapping[str, Mapping[str, Any]]) -> None:
        """The staged copies are objects of the vault, durable; the folders of those already there are dropped.

        records: digest -> intake facts. Several at once share two syncs of the file system.
        Raises CustodyBroken where an object with this digest is there and damaged.
        """
        assert all(one.proved for one in staged), "only proved copies become objects"
        fresh = {one.sha256: one for one in staged if not self.has(one.sha256)}
        together = len(fresh) >= MANY and disk.capabilities()["syncfs"]
        for one in fresh.values():
            _write_object(one, records[one.sha256], sync=not together)
        failpoint.at("object.written")
        if together:
            disk.sync_file_system(self.staging.root)
        parents = {parent for one in fresh.values() if (parent := self._place(one)) is not None}
        failpoint.at("object.renamed")
        if together:
            disk.sync_file_system(self.root)
        else:
            for parent in parents:
                for folder in (parent, *list(parent.parents)[:3]):
                    disk.sync_folder(folder)
        failpoint.at("object.synced")
        self.staging.discard(one for one in staged if one.folder.exists())
        for one in staged:
            if one not in fresh.values() and (faults := self.faults(one.sha256)):
                raise CustodyBroken(faults[0], expected=one.sha256)

    def _place(self, one: Staged) -> Path | None:
        target = self._object(one.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            one.folder.rename(target)
        except OSError as error:
            # Another process placed the same bytes at this moment.
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.EACCES) and self.has(one.sha256):
                return None
            raise
        return target.parent

    def _object(self, sha256: str) -> Path:
        identifier = object_id(sha256)
        spread = hashlib.sha256(identifier.encode()).hexdigest()
        return self.root / spread[0:3] / spread[3:6] / spread[6:9] / identifier.replace(":", "%3a")

    # -- derivatives

    def keep_derivative(self, sha256: str, role: str, path: Path) -> tuple[str, str, int]:
        """Moves a made file to its place; returns its path below `derived`, its digest and its size.

        The name is made from its own digest, so making the same file again changes nothing.
        """
        digest = _digest(path, "sha256")
        place = Path(sha256[:2]) / sha256 / f"{role}-{digest[:16]}{path.suffix}"
        target = self.derived_root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        size = path.stat().st_size
        path.replace(target)
        return place.as_posix(), digest, size

    def derivative_path(self, place: str) -> Path:
        """Where the derivative with this recorded path lies."""
        return self.derived_root / place

    def derivative_files(self, sha256: str) -> list[str]:
        """The recorded-path form of every file that lies among this original's derivatives."""
        folder = self.derived_root / sha256[:2] / sha256
        return [path.relative_to(self.derived_root).as_posix() for path in folder.glob("*")] if folder.is_dir() else []

    def drop_derivative(self, place: str) -> None:
        """The file is gone; derivatives can always be made again."""
        (self.derived_root / place).unlink(missing_ok=True)


def object_id(sha256: str) -> str:
    """The identifier of the object that holds these bytes."""
    return f"urn:casereel:sha256:{sha256}"


def _write_object(staged: Staged, record: Mapping[str, Any], *, sync: bool) -> None:
    content = staged.folder / "v1" / "content"
    files = {"record.json": _json(record)}
    sums = {"original": staged.sha256, "record.json": hashlib.sha256(files["record.json"]).hexdigest()}
    files["SHA256SUMS"] = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()
    if staged.sm3:
        files["SM3SUMS"] = f"{staged.sm3}  original\n".encode()
    for name, data in files.items():
        sums[name] = hashlib.sha256(data).hexdigest()
        disk.write_new(content / name, data, sync=sync)
    inventory = _json(_inventory(staged.sha256, sums))
    sidecar = f"{hashlib.sha256(inventory).hexdigest()}  inventory.json\n".encode()
    for folder in (staged.folder / "v1", staged.folder):
        disk.write_new(folder / "inventory.json", inventory, sync=sync)
        disk.write_new(folder / "inventory.json.sha256", sidecar, sync=sync)
    disk.write_new(staged.folder / "0=ocfl_object_1.1", b"ocfl_object_1.1\n", sync=sync)
    if sync:
        for folder in (content, content.parent, staged.folder, staged.folder.parent):
            disk.sync_folder(folder)


def _inventory(sha256: str, sums: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": object_id(sha256),
        "type": "https://ocfl.io/1.1/spec/#inventory",
        "digestAlgorithm": "sha256",
        "head": "v1",
        "manifest": {digest: [f"v1/content/{name}"] for name, digest in sums.items()},
        "versions": {
            "v1": {
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "message": "taken into custody",
                "user": {"name": "casereel", "address": "urn:casereel:intake"},
                "state": {digest: [name] for name, digest in sums.items()},
            }
        },
    }


def _digest(path: Path, algorithm: str, moved: Callable[[int], None] = lambda _: None) -> str:
    digest = hashlib.new(algorithm)
    with path.open("rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            digest.update(piece)
            moved(len(piece))
    return digest.hexdigest()


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, sort_keys=True, indent=1) + "\n").encode()

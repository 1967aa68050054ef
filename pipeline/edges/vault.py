"""The vault: originals under their digests, in an OCFL 1.1 storage root, and derivatives apart from it.

    vault/0=ocfl_1.1  ocfl_layout.json  extensions/0003-.../config.json
    vault/a1b/2c3/d4e/urn%3acasereel%3asha256%3a<digest>/
        0=ocfl_object_1.1  inventory.json  inventory.json.sha256
        v1/inventory.json  v1/inventory.json.sha256
        v1/content/original  record.json  SHA256SUMS  [SM3SUMS]
        v2/content/<name>.json      what came to be known later; v1 never changes
    staging/      on the same file system; what lies there was never acknowledged
    disposing/    objects on their way out, until their bytes are unlinked
    quarantine/   damaged objects that a repair replaced, and half-made versions; never deleted by itself
    derived/      may be deleted at any time

One object a digest. A new object is complete and synced before one rename makes it visible. What was disposed of
leaves a tombstone under the same identifier: `v1/content/tombstone.json` in the place of the original.
Sources: OCFL 1.1; layout extension 0003 (hash and identifier n-tuple).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from filelock import FileLock
from ulid import ULID

from pipeline.edges import failpoint
from pipeline.edges.host import copying, disk
from pipeline.edges.storage import copies as copies_of
from pipeline.edges.storage import ocfl
from pipeline.edges.storage.staging import MANY, Staged, Staging
from pipeline.errors import BadInput, CustodyBroken

LAYOUT: Final = "0003-hash-and-id-n-tuple-storage-layout"
PIECE_BYTES: Final = 1 << 20
LATER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}\.json")
FIRST_NAMES: Final = frozenset({"original", "record.json", "tombstone.json"})
ORIGINAL: Final = "v1/content/original"
TOMBSTONE: Final = "v1/content/tombstone.json"


class Vault:
    """The vault of one home."""

    def __init__(self, home: Path, *, sm3: bool = False, reserve_share: float = 0.05, root: Path | None = None) -> None:
        """root: where the objects lie, if not in the home; the vault of a backup is looked at so."""
        self.root = root or home / "vault"
        self.staging = Staging(home / "staging", sm3=sm3, reserve_share=reserve_share)
        self.derived_root = home / "derived"
        self._disposing, self._quarantine = home / "disposing", home / "quarantine"
        self._changing = FileLock(home / ".vault.lock")

    def create(self) -> None:
        """The storage root exists; called on an existing one it changes nothing."""
        for folder in (self.root, self.staging.root, self.derived_root):
            folder.mkdir(parents=True, exist_ok=True)
        config = self.root / "extensions" / LAYOUT
        config.mkdir(parents=True, exist_ok=True)
        for name, data in _root_files().items():
            with contextlib.suppress(FileExistsError):
                disk.write_new(self.root / name, data, sync=True)
        for folder in (config, config.parent, self.root, self.root.parent):
            disk.sync_folder(folder)

    # -- reading

    def has(self, sha256: str) -> bool:
        """Whether an object with this digest is complete in the vault."""
        folder = self._object(sha256)
        return (folder / ocfl.SIDECAR).exists() and not (folder / TOMBSTONE).exists()

    def holds(self, sha256: str) -> bool:
        """Whether there is an object with this digest, be it the original or its tombstone."""
        return (self._object(sha256) / ocfl.SIDECAR).exists()

    @contextlib.contextmanager
    def opened(self, sha256: str) -> Iterator[Path]:
        """The path of the original's bytes, for reading only, while the block runs.

        Raises CustodyBroken where they are gone.
        """
        path = self._object(sha256) / ORIGINAL
        if not path.is_file():
            raise CustodyBroken(
                f"The original {sha256} is not in the vault",
                zh=f"原件 {sha256} 不在保管库中",
                path=str(path),
                expected=sha256,
            )
        yield path

    def digests(self) -> Iterator[str]:
        """The digest of every object that holds an original, found by walking the root and not from any list."""
        return (sha256 for sha256, is_tombstone in self._objects() if not is_tombstone)

    def tombstones(self) -> Iterator[str]:
        """The digest of every original that was disposed of."""
        return (sha256 for sha256, is_tombstone in self._objects() if is_tombstone)

    def _objects(self) -> Iterator[tuple[str, bool]]:
        for folder, subfolders, files in os.walk(self.root):
            subfolders.sort()
            if ocfl.NAMASTE in files:
                subfolders.clear()
                yield Path(folder).name.rpartition("%3a")[2], (Path(folder) / TOMBSTONE).exists()

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

        A tombstone holds where it is whole. content: recompute the original's digests too (reads all of it, past
        the system's memory). moved: told of bytes read.
        """
        found = self._faults(sha256, content, moved)
        if found:
            # Somebody may be changing the object at this moment: what counts is how it stands once they are done.
            with contextlib.suppress(OSError), self._changing:
                found = self._faults(sha256, content, moved)
        return found

    def _faults(self, sha256: str, content: bool, moved: Callable[[int], None]) -> list[str]:
        folder = self._object(sha256)
        if not folder.is_dir():
            return [f"The original {sha256} is not in the vault"]
        sm3: list[str | None] = []

        def digest_of(path: Path) -> str:
            if path.name != "original":
                return _digest(path, "sha256")
            if not content:
                return sha256
            digest, also = copying.digests_on_disk(path, (path.parent / "SM3SUMS").exists(), moved)
            sm3.append(also)
            return digest

        found = list(ocfl.faults(folder, object_id(sha256), sha256, digest_of))
        inventory = ocfl.best_inventory(folder)
        if inventory is not None and not (folder / TOMBSTONE).exists():
            if ORIGINAL not in inventory.get("manifest", {}).get(sha256, ()):
                found.append(f"The inventory of {sha256} does not name its original")
            found += _list_faults(folder / "v1" / "content", sha256, sm3[0] if sm3 else None)
        return found

    def strays(self) -> Iterator[str]:
        """What lies in the vault and is neither one of its objects nor the root's own, a sentence each."""
        own = {self.root / name: data for name, data in _root_files().items()}
        for path, data in own.items():
            if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
                yield f"{path.relative_to(self.root).as_posix()} of the vault is not what it must be"
        extensions = {path.parent for path in own} | {self.root / "extensions"}
        for folder, subfolders, files in os.walk(self.root):
            place = Path(folder)
            yield from (
                f"{_shown(place / one, self.root)} in the vault is a link"
                for one in subfolders
                if (place / one).is_symlink()
            )
            for name in files:
                if place / name not in own and ocfl.NAMASTE not in files:
                    yield f"{_shown(place / name, self.root)} in the vault belongs to no object"
            if place.name.startswith("urn") or ocfl.NAMASTE in files:
                subfolders.clear()
                if self._object(place.name.rpartition("%3a")[2]) != place:
                    yield f"{_shown(place, self.root)} in the vault is an object at a place that is not its own"
                elif ocfl.NAMASTE not in files:
                    yield f"{_shown(place, self.root)} in the vault lacks the mark of an object"
            elif not subfolders and not files and place not in extensions and place != self.root:
                yield f"{_shown(place, self.root)} in the vault is empty"
            subfolders.sort()

    # -- taking in

    def commit(self, staged: Sequence[Staged], records: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """The staged copies are objects of the vault, durable; the folders of those already there are dropped.

        records: digest -> intake facts. Several at once share two syncs of the file system.
        Returns the digests whose objects, with their records, were made now; where a tombstone lies it stays.
        Raises CustodyBroken where an object with this digest is there and damaged.
        """
        assert all(one.proved for one in staged), "only proved copies become objects"
        fresh: dict[str, Staged] = {}
        for one in staged:
            if one.sha256 not in fresh and not self.holds(one.sha256):
                fresh[one.sha256] = one
        together = len(fresh) >= MANY and disk.capabilities()["syncfs"]
        for one in fresh.values():
            _write_object(one, records[one.sha256], sync=not together)
        failpoint.at("object.written")
        if together:
            disk.sync_file_system(self.staging.root)
        failpoint.at("object.before_rename")
        placed = {one.sha256 for one in fresh.values() if self._place(one)}
        failpoint.at("object.renamed")
        self.make_lasting({one.sha256 for one in staged})
        failpoint.at("object.synced")
        self.staging.discard(one for one in staged if one.folder.exists())
        for one in staged:
            if one.sha256 not in placed and (faults := self.faults(one.sha256)):
                raise CustodyBroken(faults[0], expected=one.sha256)
        failpoint.at("object.compared")
        return placed

    def make_lasting(self, digests: Iterable[str]) -> None:
        """The names of these objects are on the disk.

        Also of those that were there before: whoever placed one may have died before syncing its folders, and then
        it is only in the system's memory.
        """
        parents = {self._object(one).parent for one in digests}
        if not (len(parents) >= MANY and disk.sync_file_system(self.root)):
            for folder in sorted({folder for parent in parents for folder in (parent, *list(parent.parents)[:3])}):
                disk.sync_folder(folder)

    def _place(self, one: Staged) -> bool:
        """Whether it became the object; not where another process placed the same bytes, or a tombstone, meanwhile."""
        target = self._object(one.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            one.folder.rename(target)
        except OSError as error:
            if not (error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.EACCES) and self.holds(one.sha256)):
                raise
            return False
        return True

    # -- later facts

    def add_version(self, sha256: str, files: Mapping[str, bytes], *, message: str, actor: str) -> int:
        """The number of the object's version that holds these files, durable; none new where its head does already.

        files: name -> bytes of JSON objects; a name given before is replaced in the new version and stays in the
        old one. Raises BadInput where a name is not one, CustodyBroken where the object does not hold together.
        """
        for name in files:
            if not LATER_NAME.fullmatch(name) or name in FIRST_NAMES:
                raise BadInput(
                    f"'{name}' is no name for a later fact: small letters, digits and -, ending in .json",
                    zh=f"“{name}”不能作为后续事实的名称：只用小写字母、数字和 -，以 .json 结尾",
                )
        with self._changing:
            self._settle(sha256)
            if faults := self._faults(sha256, False, lambda _: None):
                raise CustodyBroken(faults[0], path=str(self._object(sha256)))
            if not self.has(sha256):
                raise CustodyBroken(
                    f"The original {sha256} was disposed of", zh=f"原件 {sha256} 已按保管期限处置", expected=sha256
                )
            with self._passing() as staging:
                return ocfl.add_version(self._object(sha256), files, staging, message=message, actor=actor)

    def later_facts(self, sha256: str) -> list[dict[str, Any]]:
        """What came to be known after intake, oldest first.

        Each: `version` (2 and on), `created` (as written), `actor`, `message`, `name`, `facts` (the JSON object).
        Raises CustodyBroken where they do not hold.
        """
        folder = self._object(sha256)
        if faults := self.faults(sha256, content=False):
            raise CustodyBroken(faults[0], path=str(folder))
        inventory, found = ocfl.read(folder), []
        for number in range(2, ocfl.number_of(inventory) + 1):
            before, said = ocfl.names_of(inventory, f"v{number - 1}"), inventory["versions"][f"v{number}"]
            for name, digest in sorted(ocfl.names_of(inventory, f"v{number}").items()):
                if before.get(name) != digest:
                    facts = json.loads((folder / inventory["manifest"][digest][0]).read_bytes())
                    found.append({
                        "version": number, "created": said["created"], "actor": said["user"]["name"],
                        "message": said["message"], "name": name, "facts": facts,
                    })  # fmt: skip
        return found

    def settle(self) -> list[str]:
        """Ends what a dead process left half-made in objects; a sentence each on what became of it."""
        return [said for sha256, _ in self._objects() if (said := self.settle_one(sha256))]

    def settle_one(self, sha256: str) -> str | None:
        """The same for one object."""
        if len(ocfl.versions_in(self._object(sha256))) < 2:
            return None
        with self._changing:
            return self._settle(sha256)

    def _settle(self, sha256: str) -> str | None:
        with contextlib.ExitStack() as stack:
            return ocfl.settle(
                self._object(sha256),
                lambda: self._aside(f"{sha256}-version"),
                lambda: stack.enter_context(self._passing()),
            )

    # -- disposal

    def purge(self, sha256: str, tombstone: Mapping[str, Any], *, last_look: Callable[[], None] = lambda: None) -> None:
        """The object is replaced by a tombstone object with these facts, and its bytes are unlinked; durable.

        tombstone: `reason`, `approvals` and what else is to be kept; digest and size are added. Called again after
        it was cut off it goes on where that ended. last_look: called at the last moment before the bytes are
        unlinked; where it raises, the object is back at its place. Raises CustodyBroken where there is no object.
        """
        with self._changing:
            out, place = self._disposing / sha256, self._object(sha256)
            if not (out / "object").exists():
                if (place / TOMBSTONE).exists():
                    shutil.rmtree(out, ignore_errors=True)
                    return
                self._prepare_tombstone(sha256, tombstone, out)
                failpoint.at("purge.prepared")
                place.rename(out / "object")
                disk.sync_folder(out)
                disk.sync_folder(place.parent)
            failpoint.at("purge.moved")
            try:
                if (out / "object" / ORIGINAL).exists():
                    last_look()
            except BaseException:
                self._put_back(sha256)
                raise
            if (out / "tombstone").exists():
                self._place_tombstone(out, place)
            failpoint.at("purge.placed")
            # The original first: where it is still there, so is all of the object, and can be put back.
            (out / "object" / ORIGINAL).unlink(missing_ok=True)
            failpoint.at("purge.unlinked")
            shutil.rmtree(out)
            disk.sync_folder(self._disposing)

    def _place_tombstone(self, out: Path, place: Path) -> None:
        """The tombstone lies in the object's place; the same bytes taken in again meanwhile go with the others."""
        while not (place / TOMBSTONE).exists():
            if place.exists():
                place.rename(out / f"again-{ULID()}")
            try:
                (out / "tombstone").rename(place)
            except OSError:
                if not place.exists():
                    raise
        disk.sync_folder(place.parent)
        disk.sync_folder(out)

    def _prepare_tombstone(self, sha256: str, facts: Mapping[str, Any], out: Path) -> None:
        """A whole tombstone object lies ready, synced."""
        original = self._object(sha256) / ORIGINAL
        if not original.is_file():
            raise CustodyBroken(
                f"The original {sha256} is not in the vault", zh=f"原件 {sha256} 不在保管库中", expected=sha256
            )
        shutil.rmtree(out, ignore_errors=True)
        content = out / "tombstone" / "v1" / "content"
        content.mkdir(parents=True)
        said = ocfl.as_bytes({**facts, "sha256": sha256, "size_bytes": original.stat().st_size})
        sums = {"tombstone.json": hashlib.sha256(said).hexdigest()}
        disk.write_new(content / "tombstone.json", said, sync=True)
        ocfl.write_first(
            out / "tombstone", object_id(sha256), sums,
            message="disposed of", address="urn:casereel:disposal", sync=True,
        )  # fmt: skip
        for folder in (out, self._disposing, self._disposing.parent):
            disk.sync_folder(folder)

    def unfinished_purges(self) -> list[str]:
        """The digests of originals whose purge was cut off before their bytes were unlinked."""
        if not self._disposing.is_dir():
            return []
        return sorted(one.name for one in self._disposing.iterdir() if (one / "object").exists())

    def take_back(self, sha256: str) -> bool:
        """Whether the original is at its place again after a purge that was cut off; False where it is too late."""
        with self._changing:
            return self._put_back(sha256)

    def _put_back(self, sha256: str) -> bool:
        out, place = self._disposing / sha256, self._object(sha256)
        if not (out / "object" / ORIGINAL).exists():
            return False
        if place.exists():
            place.rename(out / "withdrawn")
        (out / "object").rename(place)
        disk.sync_folder(place.parent)
        shutil.rmtree(out)
        disk.sync_folder(self._disposing)
        return True

    def tombstone(self, sha256: str) -> dict[str, Any] | None:
        """The facts that a disposed original left; None where it was not disposed of. Raises CustodyBroken."""
        path = self._object(sha256) / TOMBSTONE
        if not path.exists():
            return None
        if faults := self.faults(sha256):
            raise CustodyBroken(faults[0], path=str(path))
        return dict(json.loads(path.read_bytes()))

    # -- copies

    def take_over(self, other: Vault, sha256: str, moved: Callable[[int], None] = lambda _: None) -> int:
        """Bytes copied until the object is here as it is in the other vault; every file proved by its digest.

        Raises CustodyBroken naming what does not hold there, or here.
        """
        with self._passing() as staging:
            return copies_of.copy_object(other._object(sha256), self._object(sha256), staging, moved)

    def tombstone_is_there(self, sha256: str) -> bool:
        """Whether a tombstone, whole or not, lies in the place of this original."""
        return (self._object(sha256) / TOMBSTONE).exists()

    def summary(self) -> Iterator[tuple[str, str, int]]:
        """(digest, digest of its inventory as its sidecar says, bytes of its original) of every object."""
        for sha256, is_tombstone in self._objects():
            folder = self._object(sha256)
            try:
                sidecar = (folder / ocfl.SIDECAR).read_text(errors="replace").partition(" ")[0]
                yield sha256, sidecar, 0 if is_tombstone else (folder / ORIGINAL).stat().st_size
            except OSError:
                yield sha256, "", 0

    # -- repair

    def mend(self, sha256: str, copies: Sequence[Path], moved: Callable[[int], None] = lambda _: None) -> list[str]:
        """The object is whole again; returns the paths in it that were not.

        What is good of it stays, the rest comes from the copies: storage roots elsewhere, or files with the
        original's bytes. The damaged object is kept in quarantine. Raises CustodyBroken where no copy has what is
        needed, and then nothing has changed.
        """
        with self._changing:
            place = self._object(sha256)
            kept = sorted(self._quarantine.glob(f"{sha256}-object-*")) if self._quarantine.is_dir() else []
            roots = [one / place.relative_to(self.root) for one in copies if one.is_dir()]
            with self._passing() as folder:
                made = folder / "object"
                wrong = copies_of.whole_object(
                    made, object_id(sha256), [place, *roots, *kept],
                    {sha256: [one for one in copies if one.is_file()]}, moved,
                )  # fmt: skip
                failpoint.at("repair.built")
                if place.exists():
                    place.rename(self._aside(f"{sha256}-object"))
                    disk.sync_folder(self._quarantine)
                place.parent.mkdir(parents=True, exist_ok=True)
                failpoint.at("repair.moved")
                made.rename(place)
                for one in (place.parent, *list(place.parents)[1:4]):
                    disk.sync_folder(one)
                failpoint.at("repair.placed")
            return wrong

    @contextlib.contextmanager
    def _passing(self) -> Iterator[Path]:
        with disk.passing_folder(self.staging.own_folder()) as folder:
            yield folder

    def _aside(self, name: str) -> Path:
        self._quarantine.mkdir(exist_ok=True)
        return self._quarantine / f"{name}-{ULID()}"

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
    files = {"record.json": ocfl.as_bytes(record)}
    sums = {"original": staged.sha256, "record.json": hashlib.sha256(files["record.json"]).hexdigest()}
    files["SHA256SUMS"] = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()
    if staged.sm3:
        files["SM3SUMS"] = f"{staged.sm3}  original\n".encode()
    for name, data in files.items():
        sums[name] = hashlib.sha256(data).hexdigest()
        disk.write_new(content / name, data, sync=sync)
    ocfl.write_first(
        staged.folder, object_id(staged.sha256), sums,
        message="taken into custody", address="urn:casereel:intake", sync=sync,
    )  # fmt: skip


def _list_faults(content: Path, sha256: str, sm3: str | None) -> list[str]:
    """What the plain checksum lists say otherwise than the bytes. sm3: recomputed, where it was."""
    found = []
    with contextlib.suppress(OSError):
        if f"{sha256}  original" not in (content / "SHA256SUMS").read_text(errors="replace").splitlines():
            found.append(f"SHA256SUMS of {sha256} does not name its original")
        if sm3 is not None and (content / "SM3SUMS").read_text(errors="replace") != f"{sm3}  original\n":
            found.append(f"SM3SUMS of {sha256} is not the digest of its original")
    return found


def _root_files() -> dict[str, bytes]:
    """The storage root's own files: path -> bytes."""
    settings = {"extensionName": LAYOUT, "digestAlgorithm": "sha256", "tupleSize": 3, "numberOfTuples": 3}
    about = {
        "extension": LAYOUT,
        "description": "Hashed n-tuple trees with the encoded identifier as the last folder",
    }
    return {
        f"extensions/{LAYOUT}/config.json": ocfl.as_bytes(settings),
        "ocfl_layout.json": ocfl.as_bytes(about),
        "0=ocfl_1.1": b"ocfl_1.1\n",
    }


def _digest(path: Path, algorithm: str, moved: Callable[[int], None] = lambda _: None) -> str:
    digest = hashlib.new(algorithm)
    with path.open("rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            digest.update(piece)
            moved(len(piece))
    return digest.hexdigest()


def _shown(path: Path, root: Path) -> str:
    return os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace")

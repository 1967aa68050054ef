"""Export packages: what of a case goes out, sealed so that an outsider can check it with standard tools.

    request -> approve            where `export.approval` is on: by a person of another unit than the one that filmed it
    begun                         the event is durable before the first byte is copied
    copied, read back             each file against the digest it was taken in under
    sealed                        the event names the payload manifest's digest; the log's head is signed over it
    proved, placed                proofs and signature go in; one rename gives the package its name
    finished, received            events too

What dies on the way leaves a hidden `.partial` folder and a row that the next export, or the patrol, clears away. An
approval lets one package out: where one died before anybody could take it, the same may be written once more. Who
writes shows signs of life in the catalog, so that no other host takes its package for dead; one that was taken for
dead all the same tells nothing more of it and gives it no name.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from filelock import FileLock, Timeout
from ulid import ULID

from config.settings import Settings
from indexer import access
from indexer.access import Reviewer
from indexer.exporting import listing, printed, proofs, report, selection
from indexer.exporting.approving import APPROVED_D, Approvals, login, nothing_of, purpose_of
from indexer.exporting.listing import Held, Way
from indexer.exporting.selection import Missing, Part, Selection, What
from pipeline.edges import failpoint
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import exports
from pipeline.edges.database.exports import Export
from pipeline.edges.host import disk
from pipeline.edges.log.attested import Attested
from pipeline.edges.log.checkpoints import Checkpoints
from pipeline.edges.log.keys import Signer
from pipeline.edges.storage.bag import MANIFEST, TAG_MANIFEST, Bag, pack, partial_of, read_back
from pipeline.edges.vault import Vault
from pipeline.edges.work import living
from pipeline.edges.work.living import Living
from pipeline.errors import BadInput, CasereelError, CustodyBroken, NotAllowed, Superseded, TryAgain
from pipeline.records import Words

logger = logging.getLogger(__name__)

# Where packages lie that are taken through the pages, below the home.
FOLDER: Final = "packages"
_UNDER_WAY: Final = ("writing", "sealed")
PAYLOAD_ROOM: Final = 8 << 20  # beside the originals: list, report with its font, records, proofs


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person wants exported. request: the approved request it fulfils."""

    case: str
    to: Path
    purpose: str
    request: str | None = None
    with_proposed: bool = False
    with_proxies: bool = False
    as_zip: bool = False
    lang: str = "zh"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A finished package. heads: those that a second party stands for, and over how many of the originals they are."""

    export: str
    bag: Path
    archive: Path | None
    files: int
    size_bytes: int
    missing: tuple[Missing, ...]
    manifest: str
    key: str
    heads: tuple[Attested, ...] = ()
    attested: int = 0

    @property
    def broken(self) -> bool:
        """Whether anything in the vault is not what it must be."""
        return any(one.what in ("broken", "gone") for one in self.missing)


@dataclass
class _Work:
    """One export on its way. alive: raises Superseded in a transaction where others took its writer for dead."""

    id: str
    asked: Asked
    chosen: Selection
    bag: Bag
    way: Way
    approved: Export | None
    alive: Callable[[sa.Connection], None]
    began_at: datetime
    held: list[Held] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    copies: list[tuple[str, str]] = field(default_factory=list)
    lines: dict[str, str] = field(default_factory=dict)
    heads: list[Attested] = field(default_factory=list)

    @property
    def attested(self) -> int:
        """How many of the originals were in the log when a second party signed for it."""
        newest = max((head.size for head in self.heads), default=0)
        return sum(json.loads(line)["seq"] <= newest for line in self.lines.values())


class Exporter(Approvals):
    """Makes the packages of one home, and knows what was approved."""

    def __init__(
        self, settings: Settings, vault: Vault, catalog: Catalog, audit: AuditLog, checkpoints: Checkpoints,
        units: Callable[[], Mapping[str, str]], sign_of_life: Callable[[], Living],
    ) -> None:  # fmt: skip
        super().__init__(catalog, audit, vault, units)
        self._settings, self._checkpoints, self._sign_of_life = settings, checkpoints, sign_of_life
        self._locks = settings.home / "scratch"

    # -- making

    def make(self, reviewer: Reviewer, asked: Asked, moved: Callable[[int], None] = lambda _: None) -> Made:
        """The package lies at its place, durable, and the log says so.

        moved: told of bytes copied. Raises NotAllowed, BadInput, TryAgain where the disk refuses; then nothing of it
        is left. An original that does not have its digest is left out and named.
        """
        access.require(reviewer, "export")
        self.clear()
        chosen = self._chosen(reviewer, asked)
        if not chosen.parts:
            raise nothing_of(chosen)
        approved = self._approved(reviewer, asked, chosen)
        self._drop_unfinished_zips(_folder(asked.to))
        copies = 2 if asked.as_zip else 1
        disk.require_room(_folder(asked.to), copies * chosen.size_bytes + PAYLOAD_ROOM, 0.0)
        identifier = approved.id if approved else str(ULID())
        with self._owned(identifier), self._living(identifier) as alive:
            return self._make(reviewer, identifier, asked, chosen, approved, alive, moved)

    def _chosen(self, reviewer: Reviewer, asked: Asked) -> Selection:
        """What goes into it. What was approved with unconfirmed links need not be asked for with them once more."""
        chosen = self._with(reviewer, asked, asked.with_proposed)
        found = exports.found(self._catalog, asked.request.strip().upper()) if asked.request else None
        if found is None or asked.with_proposed or found.selection == chosen.digest:
            return chosen
        more = self._with(reviewer, asked, with_proposed=True)
        return more if found.selection == more.digest else chosen

    def _with(self, reviewer: Reviewer, asked: Asked, with_proposed: bool) -> Selection:
        return self._selected(reviewer, asked.case, with_proposed=with_proposed, with_proxies=asked.with_proxies)

    def _make(
        self, reviewer: Reviewer, identifier: str, asked: Asked, chosen: Selection, approved: Export | None,
        alive: Callable[[sa.Connection], None], moved: Callable[[int], None],
    ) -> Made:  # fmt: skip
        final = asked.to.absolute() / f"export-{identifier}"
        facts = self._asked_facts(identifier, chosen, approved.purpose if approved else purpose_of(asked.purpose))
        self._tell_as(reviewer.name, "export.begun", {**facts, "folder": str(final)}, first=alive)
        failpoint.at("export.begun")
        # Of one that was taken for dead and went on all the same.
        shutil.rmtree(partial_of(final), ignore_errors=True)
        try:
            work = _Work(
                id=identifier, asked=asked, chosen=chosen, bag=Bag(final), approved=approved, alive=alive,
                began_at=self._catalog.now(),
                way=Way(asked.lang, ZoneInfo(self._settings.time.zone)), missing=list(chosen.missing),
            )  # fmt: skip
            made = self._written(reviewer, work, facts["purpose"], moved)
        except BaseException as error:
            # Else what lies there may be another's by now.
            with self._catalog.snapshot() as connection:
                alive(connection)
            shutil.rmtree(partial_of(final), ignore_errors=True)
            # Where its place is away, or it has its name, what became of it is for `clear` to see.
            if final.parent.is_dir() and not final.exists():
                stands = approved is not None and not partial_of(final).exists()
                self._fail(reviewer.name, identifier, error, stands=stands, first=alive)
            raise
        failpoint.at("export.finished")
        if not asked.as_zip:
            return made
        archive = final.with_name(f"{final.name}.zip")
        pack(final, archive)
        return replace(made, archive=archive)

    def _written(self, reviewer: Reviewer, work: _Work, purpose: str, moved: Callable[[int], None]) -> Made:
        # A checkpoint before anything is copied: a home that cannot sign says so at once.
        self._checkpoints.sign_head()
        key = proofs.signing_key(self._settings)
        for part in work.chosen.parts:
            self._add(work, part, moved)
            failpoint.at("export.copied")
        if not work.held:
            raise CustodyBroken(
                "None of the case's originals has its digest; nothing was exported",
                zh="本案原件的校验值均不符，未导出任何内容",
            )
        if work.asked.with_proxies:
            self._add_copies(work)
        work.lines = {held.number: self._accepted(held) for held in work.held}
        work.heads = proofs.heads_over(self._checkpoints, self._catalog, self._settings, work.lines)
        work.bag.write("data/list.csv", listing.as_csv(work.held, work.way))
        told = self._told(reviewer, work, purpose, key)
        page = report.report_of(told, work.held, work.missing, work.copies, work.way)
        work.bag.write("data/report.html", report.as_html(page))
        work.bag.write("data/report.pdf", printed.as_pdf(page, work.began_at))
        manifest = work.bag.close_payload()
        failpoint.at("export.payload")
        self._seal(reviewer, work, manifest)
        failpoint.at("export.sealed")
        self._prove(work)
        self._sign(work, _info(told, key), key)
        failpoint.at("export.signed")
        work.bag.finish()
        finished = {"export": work.id, "bag": str(work.bag.final)}
        self._tell_as(reviewer.name, "export.finished", finished, first=work.alive, last=work.bag.place)
        return Made(
            export=work.id, bag=work.bag.final, archive=None, files=len(work.held), manifest=manifest,
            size_bytes=sum(held.part.known.original.size_bytes for held in work.held), missing=tuple(work.missing),
            key=key.key.fingerprint, heads=tuple(work.heads), attested=work.attested,
        )  # fmt: skip

    def _add(self, work: _Work, part: Part, moved: Callable[[int], None]) -> None:
        """The part and its record are in the bag; a part that is not what it must be is named as missing instead."""
        original, place = part.known.original, f"data/{part.name}"
        try:
            record = self._record(original.sha256)
            with self._vault.opened(original.sha256) as source:
                digest = work.bag.copy(place, source, moved)
            if digest != original.sha256:
                work.bag.drop(place)
                raise CustodyBroken(
                    f"{original.name} does not have its digest",
                    zh=f"{original.name} 的校验值不符",
                    expected=original.sha256,
                    found=digest,
                )
        except CustodyBroken as error:
            what: What = "broken" if self._vault.has(original.sha256) else "gone"
            named = Missing(
                what=what, name=original.name, original=original.id, sha256=original.sha256, detail=str(error)
            )
            work.missing.append(named)
            return
        work.bag.write(f"data/records/{part.number}.json", record)
        facts = proofs.facts_of(part, original_place=place)
        work.bag.write(f"data/records/{part.number}.facts.json", facts)
        if later := self._vault.later_facts(original.sha256):
            work.bag.write(f"data/records/{part.number}.later.json", proofs.as_json(later))
        work.held.append(Held(part=part, sha256=digest))

    def _record(self, sha256: str) -> bytes:
        """The intake record as it lies in the vault, byte by byte. Raises CustodyBroken where it does not hold."""
        self._vault.record(sha256)
        with self._vault.opened(sha256) as source:
            return (source.parent / "record.json").read_bytes()

    def _add_copies(self, work: _Work) -> None:
        for held in work.held:
            copy = selection.proxy_of(held.part.known)
            if copy is None:
                continue
            source = self._vault.derivative_path(copy.path)
            name = f"data/viewing_copies/{held.number}_{copy.role}_not_the_original{source.suffix.lower()}"
            if not source.is_file() or work.bag.copy(name, source) != copy.sha256:
                if name in work.bag.digests:
                    work.bag.drop(name)
                original = held.part.known.original
                work.missing.append(Missing(what="no_proxy", name=original.name, original=original.id))
                continue
            work.copies.append((name, held.number))

    def _seal(self, reviewer: Reviewer, work: _Work, manifest: str) -> None:
        """The log says what the payload is, and that each original was copied out."""
        copied = [
            NewEvent(
                type=exports.COPIED, actor=reviewer.name, original=held.part.known.original.id,
                facts={"export": work.id, "sha256": held.sha256, "name": f"data/{held.part.name}"},
            )
            for held in work.held
        ]  # fmt: skip
        facts = {
            "export": work.id, "case": work.chosen.case.printed, "manifest": manifest, "files": len(work.held),
            "size_bytes": sum(held.part.known.original.size_bytes for held in work.held),
            "missing": len(work.missing), "second_party": [head.size for head in work.heads],
        }  # fmt: skip
        sealed = NewEvent(type="export.sealed", actor=reviewer.name, facts=facts)
        exports.tell(self._catalog, self._audit, [*copied, sealed], work.alive)

    def _prove(self, work: _Work) -> None:
        """Event lines, their proofs, the checkpoint, keys and the means to check are in the bag."""
        [sealed] = [
            line
            for line in self._catalog.events_of_type(["export.sealed"], holding=[work.id])
            if json.loads(line)["facts"]["export"] == work.id
        ][-1:]
        lines = {**work.lines, "export": sealed}
        proved = proofs.prove(self._checkpoints, lines, work.heads)
        for name, line in lines.items():
            work.bag.write(f"verify/events/{name}.jsonl", f"{line}\n".encode())
            work.bag.write(f"verify/proofs/{name}.tlog-proof", proved.proofs[name].encode())
        work.bag.write("verify/checkpoint.note", proved.note.encode())
        for name, data in proofs.head_files(work.heads, proved.growth, self._settings):
            work.bag.write(name, data)
        for name, data in proofs.sm2_files(self._settings, proved.note):
            work.bag.write(name, data)
        work.bag.write("verify/keys/log.pem", proofs.signing_key(self._settings).public_pem.encode())
        sums = proofs.sm3_sums(work.held)
        if sums:
            work.bag.write("verify/SM3SUMS", sums)
        for name, data in proofs.means().items():
            work.bag.write(f"verify/{name}", data)

    def _sign(self, work: _Work, info: dict[str, str], key: Signer) -> None:
        """Tag files are listed; the list is signed by the key that signs the log, and by SM2 where it does too."""
        tags = work.bag.close_tags(info)
        work.bag.write("verify/tagmanifest.ed25519.sig", key.sign(tags))
        if proofs.SM2_KEY in work.bag.digests:
            work.bag.write("verify/tagmanifest.sm2.sig", proofs.sm2_signature(self._settings, tags))

    def _accepted(self, held: Held) -> str:
        """The line of the log that tells how this original was taken in."""
        original = held.part.known.original
        for line in self._catalog.events_of(original.id):
            if json.loads(line)["type"] == "arrival.accepted":
                return line
        raise CustodyBroken(
            f"The log does not tell how {original.name} was taken in",
            zh=f"日志没有记载 {original.name} 如何入库",
            found=original.id,
        )

    def _told(self, reviewer: Reviewer, work: _Work, purpose: str, key: Any) -> report.Told:
        way = work.way
        return report.Told(
            export=work.id, case=work.chosen.case.printed, purpose=purpose, by=f"{reviewer.name} ({login()})",
            at=work.began_at, approved=report.approval_of(work.approved, way),
            software=f"casereel {version('casereel')}",
            key=key.key.fingerprint, heads=work.heads, attested=work.attested,
        )  # fmt: skip

    # -- afterwards

    def size_of(self, reviewer: Reviewer, asked: Asked) -> int:
        """Bytes of originals that an export would copy now."""
        return self._chosen(reviewer, asked).size_bytes

    def receive(self, reviewer: Reviewer, bag: Path, by: str) -> Export:
        """The hand-over of this package to a person is an event. Raises BadInput where it is not one of ours."""
        access.require(reviewer, "export")
        if not by.strip():
            raise BadInput("Say with --by who received the package", zh="请用 --by 写明导出包的接收人")
        given = self._found(bag.name.removeprefix("export-").removesuffix(".zip"))
        if given.state != "finished" or not (bag / TAG_MANIFEST).is_file():
            raise BadInput(
                f"{bag} is not a finished package: name the folder export-...",
                zh=f"{bag} 不是已完成的导出包：请指明 export-... 文件夹",
                path=str(bag),
                found=given.state,
            )
        if read_back(bag / MANIFEST) != given.manifest:
            raise CustodyBroken(
                f"{bag} is not the package that was sealed: its manifest was changed",
                zh=f"{bag} 不是当时封存的导出包：清单已被改动",
                path=str(bag),
            )
        self._tell("export.received", reviewer, {"export": given.id, "by": by.strip(), "login": login()})
        return self._found(given.id)

    def clear(self) -> list[str]:
        """Packages whose export died are finished where they lie whole, else gone and told as failed; their numbers."""
        cleared = []
        for one in exports.listed(self._catalog, states=_UNDER_WAY):
            try:
                with self._owned(one.id):
                    # Whoever held it until now may have gone on with it.
                    now = self._found(one.id)
                    if now.state in _UNDER_WAY and not self._is_written(one.id) and self._clear(now):
                        cleared.append(one.id)
            except (Timeout, TryAgain):
                continue
            except OSError as error:
                # A bad disk with one package keeps nobody from the others.
                logger.warning("the package %s of the export %s cannot be read: %s", one.folder, one.id, error)
        return cleared

    def _clear(self, one: Export) -> bool:
        """What became of it is told, where that can be seen. Raises TryAgain where somebody went on with it."""
        final = Path(one.folder or "")

        def still(connection: sa.Connection) -> None:
            if one.id in living.are_written(connection):
                raise TryAgain(f"The export {one.id} is being written again", zh=f"申请 {one.id} 正在重新生成")

        if one.manifest and (final / TAG_MANIFEST).is_file():
            if read_back(final / MANIFEST) == one.manifest:
                facts = {"export": one.id, "bag": str(final), "late": True}
                self._tell_as("casereel", "export.finished", facts, first=still)
                return True
        elif not final.parent.is_dir() and self._catalog.now() - (one.decided_at or one.asked_at) < timedelta(
            days=APPROVED_D
        ):
            # Its disk is not here, or it is another host's: whether it lies there whole is not known.
            return False
        stands = one.decided_by is not None and self._is_untaken(one, final)
        shutil.rmtree(partial_of(final), ignore_errors=True)
        self._tell_failed("casereel", one.id, Words("it was cut off", "写入中断"), stands=stands, first=still)
        return True

    def _is_untaken(self, one: Export, final: Path) -> bool:
        """Whether nobody can have taken it whole: it lies here without its name, just as far as it got; or it was for
        our own folder, where it is given to nobody before it is finished."""
        if final.exists() or not final.parent.is_dir():
            return False
        if final.is_relative_to(self._settings.home.absolute() / FOLDER) or not one.manifest:
            return True
        with contextlib.suppress(OSError):
            return read_back(partial_of(final) / MANIFEST) == one.manifest
        return False

    def _drop_unfinished_zips(self, folder: Path) -> None:
        for partial in folder.glob(".export-*.zip.partial"):
            its = partial.name[len(".export-") : -len(".zip.partial")]
            with contextlib.suppress(Timeout), self._owned(its):
                if not self._is_written(its):
                    partial.unlink(missing_ok=True)

    # -- what all of them need

    def _approved(self, reviewer: Reviewer, asked: Asked, chosen: Selection) -> Export | None:
        """The approval that this export uses; None where none is asked for. Raises NotAllowed."""
        if asked.request:
            found = self._found(asked.request)
            if found.state in _UNDER_WAY:
                raise NotAllowed(
                    f"The export {found.id} was begun and did not end yet. Where it was cut off, connect the disk of "
                    f"{found.folder} again; or ask anew with `casereel export request`",
                    zh=f"导出 {found.id} 已开始生成，尚未结束。如已中断，请重新连接 {found.folder} 所在磁盘，"
                    "或用 casereel export request 重新申请", found=found.state,
                )  # fmt: skip
            if found.state != "approved":
                raise NotAllowed(
                    f"The export {found.id} is not approved: it is {found.state}",
                    zh=f"导出 {found.id} 未获批准：{found.state}",
                    found=found.state,
                )
            if not self.is_in_time(found):
                raise NotAllowed(
                    f"What {found.decided_by} approved had to be used within {APPROVED_D} days: ask again with "
                    "`casereel export request`",
                    zh=f"批准后 {APPROVED_D} 天内有效，现已过期：请重新申请", found=found.id,
                )  # fmt: skip
            if (found.case_key, found.selection) != (chosen.case.key, chosen.digest):
                raise NotAllowed(
                    f"What {found.decided_by} approved is not what the case holds now: ask again with "
                    "`casereel export request`",
                    zh=f"{found.decided_by} 批准的内容与案卷现状不符：请用 casereel export request 重新申请",
                    expected=found.selection, found=chosen.digest,
                )  # fmt: skip
            return found
        if not self._settings.export.approval:
            return None
        for one in exports.listed(self._catalog, states=("approved",)):
            is_for_it = (one.case_key, one.selection, one.asked_by) == (chosen.case.key, chosen.digest, reviewer.name)
            if is_for_it and self.is_in_time(one):
                return one
        raise NotAllowed(
            "An export needs a second person's approval here (export.approval): ask with `casereel export request`, "
            "then another person runs `casereel export approve`",
            zh="此处导出须经第二人批准（export.approval）：请先用 casereel export request 申请，再用 --request 导出",
        )

    def _fail(
        self, actor: str, identifier: str, error: BaseException, *, stands: bool, first: Callable[[sa.Connection], None]
    ) -> None:
        name = type(error).__name__
        why = Words(error.sentence, error.zh) if isinstance(error, CasereelError) else Words(name, name)
        with contextlib.suppress(CasereelError):
            self._tell_failed(actor, identifier, why, stands=stands, first=first)

    def _tell_failed(
        self, actor: str, identifier: str, why: Words, *, stands: bool, first: Callable[[sa.Connection], None]
    ) -> None:
        said = {"why": why.en, "why_zh": why.zh}
        facts = {"export": identifier, **said, **({exports.STANDS: True} if stands else {})}
        self._tell_as(actor, "export.failed", facts, outcome="failed", first=first)

    def _is_written(self, identifier: str) -> bool:
        """Whether a process on whatever host writes it, and nobody took that for dead."""
        with self._catalog.snapshot() as connection:
            return identifier in living.are_written(connection)

    @contextlib.contextmanager
    def _living(self, identifier: str) -> Iterator[Callable[[sa.Connection], None]]:
        """While the block runs, every host sees that this process works on this export.

        Gives what raises Superseded, in a transaction that holds the log's head, where one took it for dead.
        """
        sign = self._sign_of_life()

        def alive(connection: sa.Connection) -> None:
            if not sign.is_alive(connection):
                raise Superseded(
                    "This process stood still for so long that another took its package for cut off: export it anew",
                    zh="本程序停顿过久，其导出包已按中断处理：请重新导出", found=identifier,
                )  # fmt: skip

        sign.show(**{living.EXPORT: identifier})
        try:
            yield alive
        finally:
            sign.end()

    @contextlib.contextmanager
    def _owned(self, identifier: str) -> Iterator[None]:
        """While the block runs, nobody else works on this export. Raises Timeout where somebody does."""
        self._locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._locks / f"export-{identifier}.lock")
        with lock.acquire(timeout=0):
            yield
        Path(lock.lock_file).unlink(missing_ok=True)


def _folder(folder: Path) -> Path:
    """The folder packages go into, made where only it is missing; a mistyped disk is not made up."""
    if not folder.is_dir():
        if not folder.parent.is_dir():
            raise BadInput(
                f"There is no folder {folder.parent}: is the disk connected?",
                zh=f"没有文件夹 {folder.parent}：磁盘是否已连接？",
                path=str(folder),
            )
        try:
            folder.mkdir()
        except FileExistsError as error:
            raise BadInput(
                f"{folder} is no folder: name another with --to",
                zh=f"{folder} 不是文件夹：请用 --to 另行指定",
                path=str(folder),
            ) from error
    return folder


def _info(told: report.Told, key: Any) -> dict[str, str]:
    return {
        "Bag-Software-Agent": told.software,
        "Bagging-Date": told.at.astimezone(UTC).date().isoformat(),
        "External-Identifier": f"export-{told.export}",
        "External-Description": told.case,
        "Internal-Sender-Description": told.purpose,
        "Signing-Key-SHA256": key.key.fingerprint,
    }

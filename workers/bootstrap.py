"""Builds the parts from the settings; the only module that knows all of them."""

from __future__ import annotations

import contextlib
import getpass
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.settings import Settings
from pipeline.case_numbers import comparable
from pipeline.edges.audit import AuditLog
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import accounts
from pipeline.edges.host import disk
from pipeline.edges.host.disk import OwnedFolder
from pipeline.edges.vault import Vault
from pipeline.errors import BadInput

if TYPE_CHECKING:
    from indexer.access import Reviewer
    from indexer.asking.alerting import Saved
    from indexer.asking.finding import Finder
    from indexer.casework.assigning import Assigning
    from indexer.document import Document
    from indexer.export import Exporter
    from indexer.exporting.approving import Approvals
    from indexer.exporting.packages import Packages
    from indexer.follower import Follower
    from indexer.match import InFiles
    from indexer.persons.accounts import Accounts
    from indexer.persons.oidc import OidcSignIns
    from indexer.persons.sight import Sight
    from indexer.persons.unnamed import Unnamed
    from pipeline.acts.isolating import Isolating
    from pipeline.clock import Reading
    from pipeline.custody.accession import Accession, Receipt
    from pipeline.custody.disposal import Retention
    from pipeline.edges.jobs import Jobs
    from pipeline.edges.log.checkpoints import Checkpoints
    from pipeline.edges.log.log_check import LogReport
    from pipeline.edges.storage.uploads import Uploads
    from pipeline.records import Known, Stated
    from pipeline.stage import Context


@dataclass(frozen=True)
class Home:
    """The parts that every command and page may use, as one person may use them.

    actor: who deeds are done by. signed_in: the person of a page; None for who sits at this keyboard.
    """

    settings: Settings
    vault: Vault
    catalog: Catalog
    audit: AuditLog
    actor: str
    signed_in: Reviewer | None = None

    def of(self, person: Reviewer) -> Home:
        """The same home as this person may use it."""
        return replace(self, actor=person.name, signed_in=person)

    @property
    def reviewer(self) -> Reviewer:
        """Who uses it, with what they may do and see."""
        from indexer.access import at_keyboard

        if self.signed_in is not None:
            return self.signed_in
        return at_keyboard(self.actor, self.settings.access.roles, self.settings.access.units)

    def reviewer_named(self, name: str | None) -> Reviewer:
        """This person, or who sits at this keyboard where none is named. Raises NotAllowed for one without a role."""
        from indexer.access import person_of

        return person_of(name, *self.roles_and_units()) if name else self.reviewer

    def roles_and_units(self) -> tuple[dict[str, str], dict[str, str]]:
        """Role and unit by person: of the open accounts, and over them what the settings say."""
        with self.catalog.snapshot() as connection:
            held = [one for one in accounts.listed(connection) if one.closed_at is None]
        said = self.settings.access
        roles = {one.name: one.role for one in held} | dict(said.roles)
        return roles, {one.name: one.unit for one in held if one.unit} | dict(said.units)

    def seen(self, ids: Sequence[str]) -> list[str]:
        """Those of these originals that the person at this keyboard may know of."""
        return self.sight().seen(ids)

    def sight(self) -> Sight:
        """What the person at this keyboard may know of, from now on until it is asked for again; of a page's person as
        it stands when the page first asks."""
        from indexer.persons.sight import Sight

        return Sight(self.catalog, self.reviewer) if self.signed_in is None else self._sight

    @cached_property
    def _sight(self) -> Sight:
        from indexer.persons.sight import Sight

        return Sight(self.catalog, self.reviewer)

    def seen_by(self, name: str, role: str, ids: Sequence[str]) -> list[str]:
        """Those of these originals that this person may know of; one who has no role any more as one of no unit."""
        from indexer.access import person_of
        from indexer.persons.sight import Sight

        roles, units = self.roles_and_units()
        return Sight(self.catalog, person_of(name, {name: role} | roles, units)).seen(ids)

    def hidden_originals(self) -> frozenset[str]:
        """Originals that the person at this keyboard may not know of; of the restricted ones alone it is asked."""
        return self.sight().unseen

    def find_original(self, said: str) -> str:
        """As the catalog's; what the person at this keyboard may not know of is not there."""
        return self.catalog.find_original(said, self.seen)

    def is_case_seen(self, number: str) -> bool:
        """Whether the person at this keyboard may know of the case with this number."""
        return not self.hidden_cases() & {comparable(number)}

    def hidden_cases(self) -> frozenset[str]:
        """The numbers, as they are compared, of cases that the person at this keyboard may not know of."""
        return self.sight().hidden_cases

    def known_as_seen(self, original: str) -> Known:
        """What is known of it without originals and cases that the person may not know of."""
        [known] = self.sight().as_seen([self.catalog.known_of(original)])
        return known

    def unnamed(self) -> Unnamed:
        """What texts must not name before the person at this keyboard."""
        return self.sight().unnamed

    @property
    def checkpoints(self) -> Checkpoints:
        """The signed heads of the audit log."""
        from pipeline.edges.log.checkpoints import Checkpoints

        return Checkpoints(self.settings, self.catalog, self.audit, self.actor)

    def check_log(self, *, grace_s: float | None = None) -> LogReport:
        """Everything that can be said of the log; nobody signs meanwhile. grace_s: as in AuditLog.check."""
        from pipeline.edges.audit import GRACE_S
        from pipeline.edges.log.log_check import check_log
        from pipeline.edges.log.tokens import roots_of

        checkpoints = self.checkpoints
        with checkpoints.alone():
            grace_s = GRACE_S if grace_s is None else grace_s
            return check_log(self.audit, checkpoints.log, grace_s=grace_s, roots=roots_of(self.settings))

    def tell(
        self, type: str, *, actor: str | None = None, original: str | None = None, outcome: str = "done",
        facts: Any = None,
    ) -> None:  # fmt: skip
        """The deed is an event, durable when this returns: before the first byte of evidence is shown.

        actor: who did it; None for who sits at this keyboard.
        """
        from pipeline.edges.audit import NewEvent

        event = NewEvent(type=type, actor=actor or self.actor, original=original, outcome=outcome, facts=facts or {})
        with self.catalog.transaction() as connection:
            [seq] = self.audit.record(connection, [event])
        self.audit.make_durable(seq)

    def uploads(self) -> Uploads:
        """Files that browsers send, on their way."""
        from pipeline.edges.storage.uploads import Uploads

        web = self.settings.web
        return Uploads(
            self.settings.home / "uploads", reserve_share=self.settings.vault.reserve_share,
            max_bytes=int(web.upload_max_gib * (1 << 30)), keep_s=web.upload_keep_h * 3600,
        )  # fmt: skip

    def take_in(self, path: Path, root: Path, source: str, stated: Stated | None = None) -> Receipt:
        """The file is in custody, or its receipt says why not."""
        from pipeline.custody.accession import Candidate
        from pipeline.records import Stated

        jobs = build_jobs(self)
        try:
            candidate = Candidate(path=path, root=root, source=source, stated=stated or Stated())
            [receipt] = build_accession(self, jobs).take([candidate])
            return receipt
        finally:
            jobs.close()

    def look_anew(self, originals: Sequence[str], *, times_too: bool = False) -> None:
        """These are indexed anew, for a person changed their links, and what shows the same footage is linked anew.

        times_too: a person changed when they were recorded, so they are linked anew themselves.
        """
        from pipeline.neighbours import Neighbours

        relatives = {one.original for known in self.catalog.known_of_many(originals) for one in known.relatives}
        relatives |= Neighbours(self.catalog).among(originals)
        jobs = build_jobs(self)
        try:
            with self.catalog.transaction() as connection:
                for one in originals:
                    stages = ("timestamps", "link", "index") if times_too else ("index",)
                    jobs.again(connection, one, "light", stages)
                for one in sorted(relatives - set(originals)):
                    jobs.again(connection, one, "light", ("link", "index"))
        finally:
            jobs.close()

    def approvals(self) -> Approvals:
        """What persons ask to copy out, and who approves it."""
        from indexer.exporting.approving import Approvals

        return Approvals(self.catalog, self.audit, self.vault, lambda: self.roles_and_units()[1])

    def exporter(self) -> Exporter:
        """What writes packages."""
        return build_exporter(self)

    def assigning(self) -> Assigning:
        """Which reviewer has which case before it is decided."""
        from indexer.casework.assigning import Assigning

        return Assigning(self.catalog, self.audit, self.roles_and_units)

    @contextlib.contextmanager
    def isolating(self) -> Iterator[Isolating]:
        """What isolates originals and releases them; when the block ends, searches no longer hold them, or do again."""
        from pipeline.acts.isolating import Isolating

        jobs = build_jobs(self)
        try:
            yield Isolating(self.catalog, self.audit, jobs)
        finally:
            jobs.close()
        build_follower(self).follow()

    def at_intake(self) -> list[dict[str, Any]]:
        """What every living process says of the folders it watches and of the files it waits for."""
        return [one for one in build_jobs(self).living.workers() if one.get("watchers")]

    def close(self) -> None:
        """Nothing of it is open."""
        self.vault.staging.close()
        self.catalog.close()


def actor_of(settings: Settings) -> str:
    """The name that events carry for deeds at this keyboard."""
    if settings.access.person:
        return settings.access.person
    with contextlib.suppress(OSError, KeyError):
        return getpass.getuser()
    return "unknown"


def build_home(settings: Settings, *, check: bool = True) -> Home:
    """The home's parts. check: also that it was made by this version. Raises BadInput with the remedy."""
    if check and not settings.inbox.parent.is_dir():
        raise BadInput(
            f"There is no home at {settings.home}: run `casereel init` first",
            zh=f"{settings.home} 处没有资料库：请先运行 casereel init",
            path=str(settings.home),
        )
    catalog = Catalog(settings.catalog_url)
    if check:
        catalog.require_current()
    return Home(
        settings=settings,
        vault=Vault(settings.home, sm3=settings.vault.sm3, reserve_share=settings.vault.reserve_share),
        catalog=catalog,
        audit=AuditLog(settings.home / "log", catalog.reading),
        actor=actor_of(settings),
    )


@contextlib.contextmanager
def home(settings: Settings) -> Iterator[Home]:
    """The home's parts while the block runs."""
    built = build_home(settings)
    try:
        yield built
    finally:
        built.close()


def build_jobs(home: Home, role: str = "client") -> Jobs:
    """The jobs, as this process's role sees them."""
    from pipeline.edges.jobs import Jobs

    return Jobs(home.catalog, home.settings.work, role=role)


def build_accession(home: Home, jobs: Jobs, actor: str | None = None) -> Accession:
    """What takes files into custody."""
    from pipeline.custody.accession import Accession
    from pipeline.stages import ORDER

    return Accession(home.settings, home.vault, home.catalog, home.audit, jobs, turns=ORDER, actor=actor or home.actor)


def build_retention(home: Home, actor: str | None = None, read: Callable[[], Reading] | None = None) -> Retention:
    """What keeps originals and lets them go. read: another reader of the clocks than the machine's."""
    from pipeline.clock import Limits
    from pipeline.custody.disposal import Retention
    from pipeline.custody.retention_rules import rules_of
    from pipeline.edges.database.clockwatch import ClockWatch, read_clocks

    rules = rules_of(home.settings.home)
    limits = Limits(off_s=rules.off_days * 86400.0, cooling_s=rules.cooling_h * 3600.0)
    watch = ClockWatch(home.catalog, home.audit, limits, actor=actor or home.actor, read=read or read_clocks)
    return Retention(home.vault, home.catalog, home.audit, watch, rules, checkpoint=lambda: _signed_head(home))


def _signed_head(home: Home) -> str | None:
    signed = home.checkpoints.sign_head()
    return None if signed is None else signed.note


def build_follower(home: Home) -> Follower:
    """The index as a follower of the catalog."""
    from indexer.follower import Follower

    def hear(documents: Sequence[Document]) -> None:
        from indexer.asking.alerting import Alerts

        Alerts(home.catalog, home.settings.time.zone).hear(documents)

    return Follower(
        home.catalog, home.settings.home / "index", home.settings.index.backend,
        database=home.settings.catalog_url, hear=hear,
    )  # fmt: skip


def build_saved(home: Home) -> Saved:
    """The saved searches and their alerts."""
    from indexer.asking.alerting import Saved

    return Saved(home.catalog, home.audit, home.settings.time.zone)


def build_finder(home: Home) -> Finder:
    """What people ask the index through."""
    from indexer.asking.finding import Finder

    return Finder(lambda: build_follower(home), home.catalog, home.tell, home.settings.time.zone)


def build_accounts(home: Home) -> Accounts:
    """Who signs in to the pages."""
    from indexer.persons.accounts import Accounts

    web = home.settings.web
    return Accounts(home.catalog, home.audit, idle_min=web.idle_min, session_h=web.session_h)


def build_oidc(home: Home) -> OidcSignIns | None:
    """Who comes in by the bureau's sign-in service; None where none is set. Raises BadInput."""
    if not home.settings.oidc.issuer:
        return None
    from indexer.persons.oidc import OidcSignIns

    return OidcSignIns(home.settings.oidc, build_accounts(home), home.catalog.now)


def first_administrator(home: Home) -> tuple[str, str] | None:
    """The name and one-time password of the first account, where the home has none yet."""
    accounts = build_accounts(home)
    if accounts.listed():
        return None
    account, password = accounts.add(home.actor, home.actor, "administrator")
    return account.name, password


def build_marked(home: Home) -> InFiles:
    """What files are compared with: the indexes for matching."""
    from indexer.match import InFiles

    return InFiles(home.catalog, home.settings.home / "index" / "matching")


def build_exporter(home: Home) -> Exporter:
    """What makes export packages."""
    from indexer.export import Exporter
    from pipeline.edges.work.living import EXPORT

    return Exporter(
        home.settings, home.vault, home.catalog, home.audit, home.checkpoints, lambda: home.roles_and_units()[1],
        lambda: build_jobs(home, role=EXPORT).living,
    )  # fmt: skip


def build_packages(home: Home) -> Packages:
    """The packages that persons take in their browser."""
    from indexer.export import FOLDER
    from indexer.exporting.packages import Packages

    return Packages(home.settings.home / FOLDER, home.settings.vault.reserve_share)


def build_context(home: Home, *, at_once: bool = False) -> tuple[Context, OwnedFolder]:
    """What stages may use, and the scratch folder to close at the end.

    at_once: registers are read once for thousands of originals.
    """
    from indexer.matching.relatives import relatives_of
    from pipeline.edges.log.cards import Cards
    from pipeline.edges.tools import Tools
    from pipeline.neighbours import Neighbours
    from pipeline.registers.keeping import Registers
    from pipeline.registers.places import places_in
    from pipeline.stage import Context

    scratch = OwnedFolder(home.settings.home / "scratch")
    tools = Tools(home.settings.media.ffmpeg, home.settings.media.cage)
    tools.start()
    marked = build_marked(home)
    context = Context(
        settings=home.settings,
        vault=home.vault,
        catalog=home.catalog,
        audit=home.audit,
        tools=tools,
        index=build_follower(home),
        scratch=scratch.path,
        relatives=lambda known: relatives_of(known, home.catalog, marked),
        around=Registers(
            home.catalog, home.audit, Cards(home.settings), places_in(home.settings.home), at_once=at_once
        ).around,
        neighbours=Neighbours(home.catalog, at_once=at_once).of,
        history=home.catalog.history_of,
    )
    return context, scratch


def make_home(settings: Settings) -> bool:
    """The home's folders, tables and log exist; whether they were made just now."""
    from pipeline.edges.audit import NewEvent
    from pipeline.edges.database.engines import migrate
    from pipeline.edges.jobs import Jobs

    fresh = not settings.inbox.is_dir()
    made = [one for one in settings.home.absolute().parents if not one.exists()]
    for folder in (settings.home, settings.inbox, settings.home / "log", settings.home / "index"):
        folder.mkdir(parents=True, exist_ok=True)
    settings.home.chmod(0o750)
    migrate(settings.catalog_url)
    built = build_home(settings)
    try:
        built.vault.create()
        jobs = Jobs(built.catalog, settings.work)
        jobs.queue.prepare()
        if fresh:
            with built.catalog.transaction() as connection:
                [seq] = built.audit.record(connection, [NewEvent(type="home.made", actor=built.actor)])
            built.audit.make_durable(seq)
        jobs.close()
    finally:
        built.close()
    for folder in (settings.home.absolute(), *made):
        # The vault syncs the home and what lies in it; without this the home's own name could be lost with the power.
        with contextlib.suppress(PermissionError):
            disk.sync_folder(folder.parent)
    return fresh


def set_up_logging(level: str) -> None:
    """The operators' log goes to standard error; evidence content never does."""
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("dbos", "alembic", "watchdog", "PIL", "exifread"):
        logging.getLogger(noisy).setLevel(logging.ERROR if level != "DEBUG" else logging.INFO)


def scratch_of(settings: Settings) -> Path:
    """Where derivatives on their way lie."""
    return settings.home / "scratch"

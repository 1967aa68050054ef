"""What a page has at hand: the home's parts as one signed-in person may use them, and the person's language.

Built anew for each request (`visits.py`). A page asks `visit.require` before it answers, and `visit.desk` for the rest;
what the person may not do or know of is absent: 404.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from indexer import access
from indexer.access import Reviewer
from indexer.asking.finding import Finder
from indexer.naming import Lang
from indexer.persons.accounts import Accounts, SignedIn
from indexer.web import words
from pipeline.errors import CasereelError, NotAllowed

if TYPE_CHECKING:
    from config.settings import Settings
    from indexer.casework.assigning import Assigning
    from indexer.export import Exporter
    from indexer.exporting.approving import Approvals
    from indexer.exporting.packages import Packages
    from indexer.match import Answer
    from indexer.persons.oidc import OidcSignIns
    from indexer.persons.sight import Sight
    from indexer.persons.unnamed import Unnamed
    from pipeline.acts.isolating import Isolating
    from pipeline.custody.accession import Receipt
    from pipeline.edges.audit import AuditLog
    from pipeline.edges.catalog import Catalog
    from pipeline.edges.log.checkpoints import Checkpoints
    from pipeline.edges.log.log_check import LogReport
    from pipeline.edges.storage.uploads import Uploads
    from pipeline.edges.vault import Vault
    from pipeline.records import Known, Stated


class Desk(Protocol):
    """The home as one person may use it; `workers.bootstrap.Home` is one."""

    @property
    def settings(self) -> Settings: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def checkpoints(self) -> Checkpoints: ...
    @property
    def actor(self) -> str: ...
    @property
    def reviewer(self) -> Reviewer: ...

    def seen(self, ids: Sequence[str]) -> list[str]: ...
    def seen_by(self, name: str, role: str, ids: Sequence[str]) -> list[str]: ...
    def find_original(self, said: str) -> str: ...
    def is_case_seen(self, number: str) -> bool: ...
    def hidden_cases(self) -> frozenset[str]: ...
    def sight(self) -> Sight: ...
    def hidden_originals(self) -> frozenset[str]: ...
    def unnamed(self) -> Unnamed: ...
    def known_as_seen(self, original: str) -> Known: ...
    def uploads(self) -> Uploads: ...
    def take_in(self, path: Path, root: Path, source: str, stated: Stated | None = None) -> Receipt: ...
    def look_anew(self, originals: Sequence[str], *, times_too: bool = False) -> None: ...
    def approvals(self) -> Approvals: ...
    def exporter(self) -> Exporter: ...
    def assigning(self) -> Assigning: ...
    def isolating(self) -> AbstractContextManager[Isolating]: ...
    def at_intake(self) -> list[dict[str, Any]]: ...
    def check_log(self) -> LogReport: ...
    def tell(
        self, type: str, *, actor: str | None = None, original: str | None = None, outcome: str = "done",
        facts: Any = None,
    ) -> None: ...  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class House:
    """The application's parts, the same for everybody. desk_of: the home as this person may use it; standing: as
    `status --json` prints it; counters: of jobs, by stage; match: where a file comes from, for this
    person; packages: of cases, on their way into browsers; oidc: None where no sign-in service is set."""

    accounts: Accounts
    finder: Finder
    desk_of: Callable[[Reviewer], Desk]
    standing: Callable[[], dict[str, Any]]
    counters: Callable[[], dict[str, dict[str, float]]]
    packages: Packages
    match: Callable[[Reviewer, BinaryIO, str, int], Answer]
    oidc: OidcSignIns | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request of a person who has signed in, or of nobody yet."""

    request: Request
    house: House
    signed: SignedIn | None
    lang: Lang

    @property
    def here(self) -> SignedIn:
        """Who has signed in. Raises NotAllowed where nobody has."""
        if self.signed is None:
            raise NotAllowed("Sign in first", zh="请先登录")
        return self.signed

    @property
    def person(self) -> Reviewer:
        return self.here.person

    @cached_property
    def desk(self) -> Desk:
        return self.house.desk_of(self.person)

    @property
    def zone(self) -> str:
        return self.desk.settings.time.zone

    @property
    def csrf_field(self) -> Markup:
        """What every form carries, so that no other site can send it."""
        sign = self.signed.session.csrf if self.signed else ""
        return Markup('<input type="hidden" name="csrf" value="{}">').format(sign)

    def may(self, action: str) -> bool:
        """Whether this person may do this at all."""
        return self.signed is not None and access.may(self.signed.person, action)

    def require(self, action: str) -> None:
        """Raises NotAllowed, which is answered as if the page did not exist."""
        access.require(self.person, action)

    def say(self, text: str, **values: Any) -> str:
        """The sentence in this person's language; `text` is the English one, `{name}` what is put in."""
        said = words.translations(self.lang).gettext(text)
        return said.format(**values) if values else said

    def words_of(self, error: CasereelError) -> str:
        """The error's sentence in this person's language, English where it has no other."""
        return error.zh if self.lang == "zh" and error.zh else error.sentence

    @property
    def today(self) -> date:
        """The day in the bureau's zone, by the catalog's clock."""
        return self.desk.catalog.now().astimezone(ZoneInfo(self.zone)).date()

    def time(self, at: datetime | None) -> str:
        """In the bureau's zone, with its offset."""
        return words.time(at, self.zone)

    def page(self, template: str, /, status: int = 200, **values: Any) -> HTMLResponse:
        """The template with this visit and these values."""
        page = words.templates(self.lang).get_template(template)
        return HTMLResponse(page.render(visit=self, path=self.request.url.path, **values), status_code=status)

    def go(self, to: str) -> Response:
        """Sends the browser on after something was done."""
        return RedirectResponse(to, status_code=303)


def own_path(to: str) -> str:
    """The path where it is one of this site, else the beginning: nobody is sent elsewhere."""
    parts = urlsplit(to)
    is_own = not parts.scheme and not parts.netloc and to.startswith("/") and not to.startswith(("//", "/\\"))
    return to if is_own else "/"

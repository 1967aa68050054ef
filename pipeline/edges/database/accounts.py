"""Accounts of persons who sign in to the pages, their sessions and looks, in the catalog.

An account is told by its events but for its password, so a lost catalog gets back who had which role (`replay`), and
everybody needs a new password. Sessions and looks are not replayed. Everything here runs inside a transaction of the
caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from pipeline.edges.database import tables as t

MADE, CHANGED, CLOSED = "account.made", "account.changed", "account.closed"
# A new password opens a closed account again.
RENEWED: Final = "account.password_renewed"
EVENTS: Final = (MADE, CHANGED, CLOSED, RENEWED)
_Row = TypeVar("_Row")


@dataclass(frozen=True, kw_only=True)
class Account:
    """A person who may sign in. password: as argon2 writes it, None until set; must_change: at the next sign-in.

    subject: who the person is at the bureau's sign-in service, its issuer and their `sub` with a space between; such an
    account has no password. None for a local account.
    """

    id: str
    name: str
    role: str
    unit: str | None
    made_at: datetime
    closed_at: datetime | None = None
    password: str | None = None
    must_change: bool = True
    failed_count: int = 0
    locked_until_at: datetime | None = None
    subject: str | None = None


@dataclass(frozen=True, kw_only=True)
class Session:
    """One sign-in. token: the SHA-256 of what the browser holds; purpose: why its person looks, '' until said."""

    token: str
    account: str
    csrf: str
    purpose: str
    begun_at: datetime
    seen_at: datetime
    ended_at: datetime | None = None


def listed(connection: sa.Connection) -> list[Account]:
    """All accounts, by name, closed ones too."""
    return [_account(row) for row in connection.execute(sa.select(t.account).order_by(t.account.c.name))]


def named(connection: sa.Connection, name: str) -> Account | None:
    """The account of this name."""
    row = connection.execute(sa.select(t.account).where(t.account.c.name == name)).first()
    return None if row is None else _account(row)


def of_subject(connection: sa.Connection, subject: str) -> Account | None:
    """The account of this person of the sign-in service."""
    row = connection.execute(sa.select(t.account).where(t.account.c.subject == subject)).first()
    return None if row is None else _account(row)


def add(connection: sa.Connection, account: Account) -> None:
    """The account exists."""
    connection.execute(sa.insert(t.account).values(**vars(account)))


def change(connection: sa.Connection, identifier: str, **values: Any) -> None:
    """These values of the account are so now."""
    connection.execute(sa.update(t.account).where(t.account.c.id == identifier).values(**values))


def begin(connection: sa.Connection, session: Session) -> None:
    """The session is open."""
    connection.execute(sa.insert(t.session).values(**vars(session)))


def session_with(connection: sa.Connection, token: str) -> tuple[Session, Account] | None:
    """The session of this token that nobody ended, with its account where that is not closed."""
    query = (
        sa.select(t.session, t.account)
        .join(t.account, t.account.c.id == t.session.c.account)
        .where(t.session.c.token == token, t.session.c.ended_at.is_(None), t.account.c.closed_at.is_(None))
    )
    row = connection.execute(query).first()
    return None if row is None else (_read(Session, row), _account(row))


def touch(connection: sa.Connection, token: str, **values: Any) -> None:
    """These values of the session are so now."""
    connection.execute(sa.update(t.session).where(t.session.c.token == token).values(**values))


def end_all(connection: sa.Connection, account: str, at: datetime, but: str = "") -> None:
    """Every open session of the account ends, but for this one."""
    its = (t.session.c.account == account, t.session.c.ended_at.is_(None), t.session.c.token != but)
    connection.execute(sa.update(t.session).where(*its).values(ended_at=at))


def begin_look(
    connection: sa.Connection, identifier: str, session: str, person: str, original: str, purpose: str, at: datetime
) -> None:
    """The person looks at the original."""
    connection.execute(
        sa.insert(t.look).values(
            id=identifier, session=session, person=person, original=original, purpose=purpose, begun_at=at,
            watched_s=0.0,
        )
    )  # fmt: skip


def looks_at(connection: sa.Connection, session: str, original: str) -> bool:
    """Whether this session has begun a look at the original."""
    its = (t.look.c.session == session, t.look.c.original == original)
    return connection.execute(sa.select(t.look.c.id).where(*its).limit(1)).first() is not None


def look_begun_at(connection: sa.Connection, session: str, original: str) -> datetime | None:
    """When this session first looked at the original; None where it never did."""
    its = (t.look.c.session == session, t.look.c.original == original)
    return connection.execute(sa.select(t.look.c.begun_at).where(*its).order_by(t.look.c.begun_at).limit(1)).scalar()


def purpose_of_look(connection: sa.Connection, session: str, original: str) -> str:
    """Why this session looks at the original, by its latest look; '' where it has begun none."""
    its = (t.look.c.session == session, t.look.c.original == original)
    latest = sa.select(t.look.c.purpose).where(*its).order_by(t.look.c.id.desc()).limit(1)
    return connection.execute(latest).scalar() or ""


def add_watched(connection: sa.Connection, session: str, original: str, seconds: float) -> None:
    """So much more of the original was watched in the latest look of this session."""
    its = (t.look.c.session == session, t.look.c.original == original)
    latest = sa.select(sa.func.max(t.look.c.id)).where(*its).scalar_subquery()
    connection.execute(sa.update(t.look).where(t.look.c.id == latest).values(watched_s=t.look.c.watched_s + seconds))


def watched(connection: sa.Connection, person: str) -> dict[str, float]:
    """Original -> seconds that this person has watched of it, 0 where it was only opened."""
    query = (
        sa.select(t.look.c.original, sa.func.sum(t.look.c.watched_s))
        .where(t.look.c.person == person)
        .group_by(t.look.c.original)
    )
    return {original: float(seconds) for original, seconds in connection.execute(query)}


def told(account: Account) -> dict[str, Any]:
    """The account as plain JSON data for its event: everything but its password and its failures."""
    return {
        "id": account.id, "name": account.name, "role": account.role, "unit": account.unit,
        "made_at": account.made_at.isoformat(),
        "closed_at": account.closed_at.isoformat() if account.closed_at else None, "subject": account.subject,
    }  # fmt: skip


def replay(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """The account is again as this event of the log tells, without a password."""
    values = dict(event["facts"]["account"])
    for name in ("made_at", "closed_at"):
        values[name] = values[name] and datetime.fromisoformat(values[name])
    if connection.execute(sa.select(t.account.c.id).where(t.account.c.id == values["id"])).first():
        change(connection, values.pop("id"), **values)
    else:
        add(connection, Account(**values))


def dump(connection: sa.Connection) -> list[dict[str, Any]]:
    """Every account as its events tell it."""
    return [told(account) for account in sorted(listed(connection), key=lambda one: one.id)]


def _account(row: Any) -> Account:
    return _read(Account, row)


def _read(kind: type[_Row], row: Any) -> _Row:
    return kind(**{name: getattr(row, name) for name in kind.__annotations__})

"""Who signs in to the pages: accounts, passwords, sessions, and the looks that a session has begun.

Passwords are kept as argon2id writes them (RFC 9106). A one-time password is told once and must be changed at the first
sign-in. After `FAILURES` wrong passwords in a row an account is locked for `LOCKED_MIN` minutes. The browser holds a
random token; the catalog holds its digest alone.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from ulid import ULID

from indexer.access import Reviewer, Role
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import accounts, watched
from pipeline.edges.database.accounts import Account, Session
from pipeline.errors import BadInput, NotAllowed
from pipeline.watched import Stretch, as_data, length_s, within

if TYPE_CHECKING:
    import sqlalchemy as sa
    from argon2 import PasswordHasher

    from pipeline.edges.audit import AuditLog
    from pipeline.edges.catalog import Catalog

FAILURES: Final = 5
LOCKED_MIN: Final = 15
PASSWORD_SHORTEST: Final = 10
# What a telling of what was played may come late or early by: browsers tell of it every 30 s.
PLAYED_SLACK: Final = timedelta(seconds=5)
# Less than this between what was told and what is kept is rounding.
_ROUNDED_S: Final = 0.01
# Of so many sessions and originals it is known when they last told; of others, when the look began.
_TELLERS_MOST: Final = 10_000
# A session's last sign of life is written at most so often: pages and pictures ask for it many times a second.
_TOUCHED_EVERY: Final = timedelta(seconds=60)
# Without letters that are taken for others.
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A person with an open session. must_change: nothing else is answered before the password is changed;
    from_outside: they have no password here, for the bureau's sign-in service says who they are."""

    person: Reviewer
    session: Session
    must_change: bool
    from_outside: bool = False


class Accounts:
    """The accounts of one home. idle_min, session_h: when a session ends by itself."""

    def __init__(self, catalog: Catalog, audit: AuditLog, *, idle_min: float, session_h: float) -> None:
        self._catalog, self._audit = catalog, audit
        self._idle, self._longest = timedelta(minutes=idle_min), timedelta(hours=session_h)
        # Session and original -> until when what was played is told, the latest last.
        self._told_until: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._telling = Lock()

    def listed(self) -> list[Account]:
        """All accounts, by name, closed ones too."""
        with self._catalog.snapshot() as connection:
            return accounts.listed(connection)

    def add(self, by: str, name: str, role: str, unit: str | None = None) -> tuple[Account, str]:
        """A new account and its one-time password. Raises BadInput for a name that is taken and an unknown role."""
        name = " ".join(name.split())
        if not name or len(name) > 100:
            raise BadInput("A name has 1 to 100 letters", zh="姓名应为 1 至 100 个字")
        _require_role(role)
        password = one_time_password()
        account = Account(
            id=str(ULID()), name=name, role=role, unit=unit or None, made_at=self._catalog.now(),
            password=_hasher().hash(password),
        )  # fmt: skip
        with self._audit.alone(self._catalog) as connection:
            if accounts.named(connection, name):
                raise BadInput(f"There is an account '{name}' already", zh=f"已有名为“{name}”的账户", found=name)
            accounts.add(connection, account)
            seq = self._tell(connection, accounts.MADE, by, account)
        self._audit.make_durable(seq)
        return account, password

    def change(self, by: str, name: str, role: str, unit: str | None) -> Account:
        """The person has this role and unit from now on. Raises BadInput."""
        _require_role(role)
        self._require_local(name)
        return self._change(by, accounts.CHANGED, name, role=role, unit=unit or None)

    def close(self, by: str, name: str) -> Account:
        """Nobody signs in by this account any more; its sessions end. Raises BadInput."""
        return self._change(by, accounts.CLOSED, name, closed_at=self._catalog.now())

    def renew_password(self, by: str, name: str) -> str:
        """A one-time password; the old one holds no more, a lock is undone, and sessions end. Raises BadInput."""
        self._require_local(name)
        password = one_time_password()
        self._change(
            by, accounts.RENEWED, name,
            password=_hasher().hash(password), must_change=True, failed_count=0, locked_until_at=None, closed_at=None,
        )  # fmt: skip
        return password

    def open_again(self, by: str, name: str) -> Account:
        """A closed account of the sign-in service is open again. Raises BadInput for any other."""
        with self._catalog.snapshot() as connection:
            account = accounts.named(connection, name)
        if account is None or account.subject is None:
            raise BadInput(
                "A local account is opened again by a new password", zh="本地账户须通过重置密码重新启用", found=name
            )
        return self._change(by, accounts.CHANGED, name, closed_at=None)

    def _require_local(self, name: str) -> None:
        with self._catalog.snapshot() as connection:
            account = accounts.named(connection, name)
        if account is not None and account.subject is not None:
            raise BadInput(
                f"'{name}' signs in by the bureau's sign-in service: password, role and unit are changed there",
                zh=f"“{name}”通过统一身份认证登录：密码、角色和单位须在统一身份认证中变更", found=name,
            )  # fmt: skip

    def _change(self, by: str, type: str, name: str, **values: Any) -> Account:
        with self._audit.alone(self._catalog) as connection:
            account = accounts.named(connection, name)
            if account is None:
                raise BadInput(f"There is no account '{name}'", zh=f"没有名为“{name}”的账户", found=name)
            accounts.change(connection, account.id, **values)
            accounts.end_all(connection, account.id, self._catalog.now())
            changed = replace(account, **values)
            seq = self._tell(connection, type, by, changed)
        self._audit.make_durable(seq)
        return changed

    def sign_in(self, name: str, password: str) -> tuple[SignedIn, str]:
        """The session and the token for the browser. Raises NotAllowed in the same words whatever was wrong but a lock.

        A failure and a lock are events.
        """
        now, name = self._catalog.now(), " ".join(name.split())
        with self._catalog.snapshot() as connection:
            account = accounts.named(connection, name)
        if account is not None and account.locked_until_at and account.locked_until_at > now:
            raise NotAllowed(
                f"Too many wrong passwords: wait {LOCKED_MIN} minutes, or ask an administrator for a new password",
                zh=f"密码多次错误：请等待 {LOCKED_MIN} 分钟，或请管理员重置密码",
            )
        # The same work for names that do not exist, so that the time it takes tells nothing.
        fits = _fits((account and account.password) or _nobody_s(), password)
        if account is None or account.password is None or account.closed_at or not fits:
            self._fail(account)
            raise NotAllowed("This name and password do not belong together", zh="姓名或密码不正确")
        session, token = _session(account, now)
        with self._audit.alone(self._catalog) as connection:
            accounts.change(connection, account.id, failed_count=0, locked_until_at=None)
            accounts.begin(connection, session)
            [seq] = self._audit.record(connection, [NewEvent(type="session.begun", actor=account.name)])
        self._audit.make_durable(seq)
        return _signed_in(session, account), token

    def enter(self, subject: str, name: str, role: str, unit: str | None) -> tuple[SignedIn, str]:
        """As `sign_in`, for a person whom the sign-in service vouches for, in the role and unit that it says.

        subject: who they are there. Their account is made at their first sign-in, under this name, and keeps it. Raises
        NotAllowed, with `reason` among its fields, where it is closed or the name is another's here.
        """
        now, name = self._catalog.now(), " ".join(name.split())
        with self._audit.alone(self._catalog) as connection:
            account, types = accounts.of_subject(connection, subject), [accounts.CHANGED]
            if account is None:
                _require_free(name, accounts.listed(connection))
                types = [accounts.MADE]
                account = Account(
                    id=str(ULID()), name=name, role=role, unit=unit, made_at=now, must_change=False, subject=subject
                )
                accounts.add(connection, account)
            elif account.closed_at:
                raise _closed(account.name)
            elif (account.role, account.unit) == (role, unit):
                types = []
            else:
                accounts.end_all(connection, account.id, now)
            values: dict[str, Any] = {"role": role, "unit": unit, "must_change": False, "locked_until_at": None}
            accounts.change(connection, account.id, failed_count=0, **values)
            account = replace(account, **values)
            for type in types:
                self._tell(connection, type, account.name, account)
            session, token = _session(account, now)
            accounts.begin(connection, session)
            event = NewEvent(type="session.begun", actor=account.name, facts={"by": "oidc"})
            [seq] = self._audit.record(connection, [event])
        self._audit.make_durable(seq)
        return _signed_in(session, account), token

    def refuse(self, name: str, facts: dict[str, Any]) -> None:
        """That somebody did not come in by the sign-in service is an event."""
        with self._audit.alone(self._catalog) as connection:
            event = NewEvent(type="session.refused", actor=name, outcome="failed", facts={"by": "oidc", **facts})
            self._audit.record(connection, [event])

    def _fail(self, account: Account | None) -> None:
        if account is None:
            return
        with self._audit.alone(self._catalog) as connection:
            its = accounts.named(connection, account.name) or account
            count = its.failed_count + 1
            locked = self._catalog.now() + timedelta(minutes=LOCKED_MIN) if count >= FAILURES else None
            accounts.change(connection, its.id, failed_count=0 if locked else count, locked_until_at=locked)
            event = NewEvent(
                type="account.locked" if locked else "session.refused", actor=its.name, outcome="failed",
                facts={"failures": count},
            )  # fmt: skip
            self._audit.record(connection, [event])

    def signed_in(self, token: str) -> SignedIn | None:
        """Who holds this token, where the session is open; its last sign of life is now."""
        if not token:
            return None
        now = self._catalog.now()
        with self._catalog.snapshot() as connection:
            found = accounts.session_with(connection, digest_of(token))
        if found is None:
            return None
        session, account = found
        if now - session.seen_at > self._idle or now - session.begun_at > self._longest:
            with self._catalog.transaction() as connection:
                accounts.touch(connection, session.token, ended_at=now)
            return None
        if now - session.seen_at > _TOUCHED_EVERY:
            with self._catalog.transaction() as connection:
                accounts.touch(connection, session.token, seen_at=now)
        return _signed_in(session, account)

    def sign_out(self, signed: SignedIn) -> None:
        """The session is over."""
        with self._audit.alone(self._catalog) as connection:
            accounts.touch(connection, signed.session.token, ended_at=self._catalog.now())
            self._audit.record(connection, [NewEvent(type="session.ended", actor=signed.person.name)])

    def change_password(self, signed: SignedIn, old: str, new: str) -> None:
        """The person's own password; other sessions end. Raises BadInput with what is wrong with the new one."""
        with self._audit.alone(self._catalog) as connection:
            account = accounts.named(connection, signed.person.name)
            if account is None or not account.password or not _fits(account.password, old):
                raise BadInput("The present password is not right", zh="当前密码不正确")
            _require_good(account.name, old, new)
            accounts.change(connection, account.id, password=_hasher().hash(new), must_change=False)
            accounts.end_all(connection, account.id, self._catalog.now(), but=signed.session.token)
            event = NewEvent(type="account.password_changed", actor=account.name)
            [seq] = self._audit.record(connection, [event])
        self._audit.make_durable(seq)

    def say_purpose(self, signed: SignedIn, purpose: str) -> None:
        """Why this person looks from now on, in this session."""
        with self._catalog.transaction() as connection:
            accounts.touch(connection, signed.session.token, purpose=purpose.strip()[:500])

    def looks_at(self, signed: SignedIn, original: str) -> bool:
        """Whether a look at this original was begun in this session, so that its bytes may be shown."""
        with self._catalog.snapshot() as connection:
            return accounts.looks_at(connection, signed.session.token, original)

    def purpose_of_look(self, signed: SignedIn, original: str) -> str:
        """Why this person looks at the original, as it was said or filled in when the look began; '' without one."""
        with self._catalog.snapshot() as connection:
            return accounts.purpose_of_look(connection, signed.session.token, original)

    def begin_look(self, signed: SignedIn, original: str, purpose: str, **facts: Any) -> None:
        """The look is an event with its purpose, durable before a byte is shown. Raises BadInput without a purpose.

        facts: what the event says besides, where an assignment gave the purpose.
        """
        purpose = purpose.strip()[:500]
        if not purpose:
            raise BadInput("Say why you look", zh="请写明查看事由")
        with self._audit.alone(self._catalog) as connection:
            accounts.begin_look(
                connection, str(ULID()), signed.session.token, signed.person.name, original, purpose,
                self._catalog.now(),
            )  # fmt: skip
            event = NewEvent(
                type="view.original", actor=signed.person.name, original=original, facts={"purpose": purpose, **facts}
            )
            [seq] = self._audit.record(connection, [event])
        self._audit.make_durable(seq)

    def add_watched(
        self, signed: SignedIn, original: str, seconds: float, stretches: Sequence[Stretch] = ()
    ) -> tuple[Stretch, ...]:
        """So many seconds of the original were played in this session's look, and it was these; what was repeated is
        in the seconds alone. No more is kept than can have played since the look began or it was last told; the event
        says how much was told and how much of it was kept. All that this person has played of it."""
        now, person, token, seq = self._catalog.now(), signed.person.name, signed.session.token, 0
        with self._telling:
            since = self._told_since(token, original, now)
            most_s = (now + PLAYED_SLACK - since).total_seconds()
            told_s = max(seconds, length_s(stretches))
            stretches = within(stretches, most_s)
            fastest = max((one.rate for one in stretches), default=1.0)
            seconds = min(max(seconds, 0.0), 3600.0, most_s * fastest)
            kept_s = max(seconds, length_s(stretches))
            is_cut = told_s - kept_s > _ROUNDED_S
            # Only what is written to the log needs its head.
            with self._audit.alone(self._catalog) if stretches or is_cut else self._catalog.transaction() as connection:
                accounts.add_watched(connection, token, original, seconds)
                found = watched.add(connection, person, original, stretches)
                if stretches or is_cut:
                    facts: dict[str, Any] = {"seconds": round(seconds, 3), "stretches": as_data(stretches)}
                    if is_cut:
                        facts |= {"told_s": round(told_s, 3), "kept_s": round(kept_s, 3)}
                    event = NewEvent(type=watched.WATCHED, actor=person, original=original, facts=facts)
                    [seq] = self._audit.record(connection, [event])
            took_s = max(sum((one.to_s - one.from_s) / one.rate for one in stretches), seconds / fastest)
            # The slack is given once, not with every telling anew.
            self._told_until[token, original] = max(now, since + timedelta(seconds=took_s))
            self._told_until.move_to_end((token, original))
            if len(self._told_until) > _TELLERS_MOST:
                self._told_until.popitem(last=False)
        if seq:
            self._audit.make_durable(seq)
        return found

    def _told_since(self, token: str, original: str, now: datetime) -> datetime:
        """From when what was played is not told yet; a moment that a clock set back has made one to come is none."""
        with self._catalog.snapshot() as connection:
            begun_at = accounts.look_begun_at(connection, token, original)
        known = (begun_at, self._told_until.get((token, original)))
        return max((one for one in known if one and one <= now + PLAYED_SLACK), default=now)

    def stretches(self, person: str, original: str | None = None) -> dict[str, tuple[Stretch, ...]]:
        """Original -> what this person has played of it, in all sessions; of this original alone where one is named."""
        with self._catalog.snapshot() as connection:
            return watched.by(connection, person, original)

    def watched(self, person: str) -> dict[str, float]:
        """Original -> seconds that this person has watched of it, 0 where it was only opened."""
        with self._catalog.snapshot() as connection:
            return accounts.watched(connection, person)

    def _tell(self, connection: sa.Connection, type: str, by: str, account: Account) -> int:
        facts = {"account": accounts.told(account)}
        [seq] = self._audit.record(connection, [NewEvent(type=type, actor=by, facts=facts)])
        return seq


def one_time_password() -> str:
    """Four groups of four letters, about 79 bits, easily read out."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def digest_of(token: str) -> str:
    """What the catalog holds of a browser's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _require_role(role: str) -> None:
    if role not in get_args(Role):
        raise BadInput(
            f"A role is one of {', '.join(get_args(Role))}, not '{role}'",
            zh=f"角色应为 {'、'.join(get_args(Role))} 之一，不能是“{role}”",
            found=role,
        )


def _require_good(name: str, old: str, new: str) -> None:
    if len(new) < PASSWORD_SHORTEST:
        raise BadInput(
            f"A password has at least {PASSWORD_SHORTEST} letters", zh=f"密码至少 {PASSWORD_SHORTEST} 个字符"
        )
    if new == old or name.casefold() in new.casefold() or len(set(new)) < 5:
        raise BadInput(
            "The new password is the old one, holds your name, or is too simple",
            zh="新密码与旧密码相同、含有姓名或过于简单",
        )


def _require_free(name: str, known: Iterable[Account]) -> None:
    """Raises NotAllowed for a name that is none, or that an account has or could be taken for."""
    if not name or len(name) > 100 or not name.isprintable():
        raise NotAllowed(
            "The sign-in service does not say a name that can be used here: tell an administrator",
            zh="统一身份认证没有提供可用的姓名：请告知管理员", reason="name",
        )  # fmt: skip
    for account in known:
        if _comparable(account.name) != _comparable(name):
            continue
        if account.closed_at:
            raise _closed(name)
        if account.subject is None:
            raise NotAllowed(
                f"There is a local account '{name}' already: sign in by its password, or ask an administrator",
                zh=f"本系统已有名为“{name}”的本地账户：请用其密码登录，或联系管理员", reason="local account",
            )  # fmt: skip
        raise NotAllowed(
            f"Another person of the sign-in service is called '{name}' here already: ask an administrator",
            zh=f"统一身份认证中的另一人已在本系统使用姓名“{name}”：请联系管理员", reason="another person",
        )  # fmt: skip


def _comparable(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _closed(name: str) -> NotAllowed:
    return NotAllowed(
        f"The account '{name}' is closed: ask an administrator", zh=f"账户“{name}”已停用：请联系管理员", reason="closed"
    )


def _session(account: Account, now: datetime) -> tuple[Session, str]:
    """A session that begins now, and the token for the browser."""
    token = secrets.token_urlsafe(32)
    session = Session(
        token=digest_of(token), account=account.id, csrf=secrets.token_urlsafe(24), purpose="", begun_at=now,
        seen_at=now,
    )  # fmt: skip
    return session, token


def _signed_in(session: Session, account: Account) -> SignedIn:
    person = Reviewer(name=account.name, role=cast(Role, account.role), unit=account.unit)
    is_outside = account.subject is not None
    must_change = account.must_change and not is_outside
    return SignedIn(person=person, session=session, must_change=must_change, from_outside=is_outside)


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobody_s() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))


def _fits(held: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(held, password[:1024])
    except (VerificationError, InvalidHashError):
        return False

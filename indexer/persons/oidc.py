"""Signing in by the bureau's own service (OpenID Connect), as an option beside the accounts with passwords.

A sign-in that has begun is kept in this process, for one process serves the pages: its state, nonce and PKCE verifier
never leave it but for what the service must see. It holds for a few minutes, once, and in the browser where it began.
What the service claims of a person gives their role and unit anew at each sign-in. Who signs out here signs out there
too, where the service names an address for that; for this its ID token is kept as long as the process. Source: OpenID
Connect Core 1.0, 3.1; RFC 7636; RFC 9700 (state bound to the browser, exact issuer); RP-Initiated Logout 1.0, 2.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args
from urllib.parse import urlencode

from indexer.access import Role
from pipeline.edges import provider
from pipeline.edges.provider import Provider, Untrue
from pipeline.errors import BadInput, CasereelError, NotAllowed, TryAgain

if TYPE_CHECKING:
    from config.settings import OidcSettings
    from indexer.persons.accounts import Accounts

BACK: Final = "/sign-in/oidc/back"
HOLDS: Final = timedelta(minutes=10)
# So many may have begun at a time; who began first is forgotten.
KNOWN: Final = 10_000
# Of so many sessions it is known how they end at the service; of others it is asked without their ID token.
SESSIONS: Final = 1_000
# What the service gives back with a browser that signed out there.
LEFT: Final = "left"
# Whom an event names where nobody is known yet.
NOBODY: Final = "oidc"
UNTRUE: Final = {
    "form": ("it cannot be read", "无法识别"), "signature": ("it is not signed by that service", "签名不属于该服务"),
    "issuer": ("it comes from another service", "来自其他服务"),
    "audience": ("it was given for another system", "签发给其他系统"),
    "time": ("it has expired, or the clocks differ", "已过期，或两端时钟不一致"),
    "nonce": ("it belongs to another sign-in", "属于另一次登录"), "subject": ("it names nobody", "未指明人员"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A sign-in whose person is at the service. browser: the digest of what their browser holds; next: where to."""

    provider: Provider
    browser: str
    nonce: str
    verifier: str
    redirect: str
    next: str
    until_at: datetime


class OidcSignIns:
    """The sign-ins by this service. Raises BadInput where a setting cannot be used; asks nobody before `begin`."""

    def __init__(self, settings: OidcSettings, accounts: Accounts, now: Callable[[], datetime]) -> None:
        _require_usable(settings)
        self._settings, self._accounts, self._now = settings, accounts, now
        self._begun: OrderedDict[str, Begun] = OrderedDict()
        # Digest of a session's token -> where it ends at the service, and the ID token.
        self._there: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, base: str, next: str) -> tuple[str, str]:
        """(where to send the person, what their browser keeps until they come back).

        base: the address under which their browser sees these pages; next: the path they are going to. Raises TryAgain
        where the service does not answer; that is an event.
        """
        said = self._settings
        try:
            found = provider.discover(said.issuer, said.ca)
        except TryAgain as error:
            raise self._refused(NOBODY, "service", error, **error.fields) from error
        state, browser, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        begun = Begun(
            provider=found, browser=_digest(browser), nonce=secrets.token_urlsafe(32), verifier=verifier,
            redirect=self._back(base), next=next, until_at=self._now() + HOLDS,
        )  # fmt: skip
        with self._lock:
            self._begun[_digest(state)] = begun
            while len(self._begun) > KNOWN:
                self._begun.popitem(last=False)
        asked = {
            "response_type": "code", "client_id": said.client_id, "redirect_uri": begun.redirect,
            "scope": " ".join(dict.fromkeys(["openid", *said.scope.split()])), "state": state, "nonce": begun.nonce,
            "code_challenge": _challenge(verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        return _with(found.authorization, asked), browser

    def finish(self, answer: Mapping[str, str], browser: str) -> tuple[str, str]:
        """(the session's token, where the person was going). answer: what the service gave their browser.

        Raises NotAllowed saying why they do not come in, TryAgain where the service does not answer; each is an event.
        """
        begun = self._take(answer.get("state", ""), browser)
        code = self._code(answer)
        try:
            id_token, claims = self._claims(begun, code)
        except TryAgain as error:
            raise self._refused(NOBODY, "service", error, **error.fields) from error
        except Untrue as error:
            en, zh = UNTRUE[error.what]
            refusal = NotAllowed(
                f"What the sign-in service said of you does not hold, {en}: tell an administrator",
                zh=f"统一身份认证的应答不可信（{zh}）：请告知管理员",
            )  # fmt: skip
            raise self._refused(NOBODY, error.what, refusal, detail=str(error)) from error
        name = " ".join(" ".join(_texts(claims, self._settings.name_claim)[:1]).split())
        try:
            role, unit = self._role(claims), self._unit(claims)
            _, token = self._accounts.enter(f"{begun.provider.issuer} {claims['sub']}", name, role, unit)
        except NotAllowed as error:
            raise self._refused(name[:100] or NOBODY, str(error.fields.get("reason", "")), error) from error
        with self._lock:
            self._there[_digest(token)] = begun.provider.end_session, id_token
            while len(self._there) > SESSIONS:
                self._there.popitem(last=False)
        return token, begun.next

    def leave(self, token: str, base: str) -> str | None:
        """Where the browser of this session goes to sign out at the service too; None where the service names no such
        address, or does not answer. token: the session's; base: as for `begin`."""
        said = self._settings
        with self._lock:
            where, id_token = self._there.pop(_digest(token), ("", ""))
        if not id_token:
            # Of a session that began before this process did.
            with contextlib.suppress(TryAgain):
                where = provider.discover(said.issuer, said.ca).end_session
        if not where:
            return None
        asked = {
            **({"id_token_hint": id_token} if id_token else {}), "client_id": said.client_id,
            "post_logout_redirect_uri": self._back(base), "state": LEFT,
        }  # fmt: skip
        return _with(where, asked)

    def _back(self, base: str) -> str:
        return (self._settings.address or base).rstrip("/") + BACK

    def _take(self, state: str, browser: str) -> Begun:
        with self._lock:
            begun = self._begun.pop(_digest(state), None)
        is_same = begun is not None and secrets.compare_digest(begun.browser, _digest(browser))
        if begun is None or not is_same or begun.until_at < self._now():
            refusal = NotAllowed(
                "This sign-in is too old, was used already, or began in another browser: begin again",
                zh="本次登录已过期、已使用过，或不是在此浏览器中开始的：请重新登录",
            )  # fmt: skip
            raise self._refused(NOBODY, "state", refusal)
        return begun

    def _code(self, answer: Mapping[str, str]) -> str:
        # Whoever makes the link writes the error: only a code of the standard's form is kept.
        error = answer.get("error", "")
        # An answer that names its service names ours (RFC 9207).
        if error or not answer.get("code") or answer.get("iss", self._settings.issuer) != self._settings.issuer:
            refusal = NotAllowed(
                "The bureau's sign-in service did not let you in: begin again, or ask an administrator",
                zh="统一身份认证未予登录：请重新登录，或联系管理员",
            )  # fmt: skip
            detail = error if re.fullmatch(r"[a-z_]{1,40}", error) else "no code of this service"
            raise self._refused(NOBODY, "answer", refusal, detail=detail)
        return answer["code"]

    def _claims(self, begun: Begun, code: str) -> tuple[str, dict[str, Any]]:
        said = self._settings
        fields = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": begun.redirect,
            "code_verifier": begun.verifier,
        }  # fmt: skip
        token = provider.id_token_for(begun.provider, fields, said.client_id, self._secret(), said.ca)
        keys = provider.keys_of(begun.provider, said.ca)
        claims = provider.claims_in(
            token, keys, issuer=begun.provider.issuer, client=said.client_id, nonce=begun.nonce,
            now_s=self._now().timestamp(),
        )  # fmt: skip
        return token, claims

    def _secret(self) -> str:
        if not self._settings.client_secret_file:
            return ""
        try:
            return Path(self._settings.client_secret_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise TryAgain(
                "The secret agreed with the sign-in service cannot be read here: tell an administrator",
                zh="无法读取与统一身份认证约定的密钥：请告知管理员", detail=f"oidc.client_secret_file: {error}",
            ) from error  # fmt: skip

    def _role(self, claims: Mapping[str, Any]) -> str:
        table = self._settings.roles
        found = {table[one] for one in _texts(claims, self._settings.role_claim) if one in table}
        if not found:
            raise NotAllowed(
                "Your account at the sign-in service has no role in this system: ask an administrator for one",
                zh="您在统一身份认证中的账户没有本系统的角色：请联系管理员授予", reason="no role",
            )  # fmt: skip
        if len(found) > 1:
            # Roles are kept apart on purpose; none of them is the higher one.
            raise NotAllowed(
                "Your account at the sign-in service has several roles in this system: ask an administrator for one",
                zh="您在统一身份认证中的账户对应本系统的多个角色：请联系管理员只保留一个", reason="several roles",
            )  # fmt: skip
        return found.pop()

    def _unit(self, claims: Mapping[str, Any]) -> str | None:
        if not self._settings.unit_claim:
            return None
        found = {" ".join(one.split()) for one in _texts(claims, self._settings.unit_claim)} - {""}
        if len(found) > 1 or any(len(one) > 100 for one in found):
            raise NotAllowed(
                "The sign-in service does not say which one unit you belong to: ask an administrator",
                zh="统一身份认证未指明您所属的唯一单位：请联系管理员", reason="unit",
            )  # fmt: skip
        return found.pop() if found else None

    def _refused(self, name: str, reason: str, error: CasereelError, **facts: Any) -> CasereelError:
        """The error, after it is an event."""
        more = {key: str(value)[:300] for key, value in facts.items()}
        self._accounts.refuse(name, {"reason": reason, **more})
        return error


def _require_usable(settings: OidcSettings) -> None:
    for name, url in (("oidc.issuer", settings.issuer), ("oidc.address", settings.address)):
        if url and not provider.is_allowed(url):
            raise BadInput(
                f"'{name}' must be an https address; http goes to this machine alone. It is '{url}'",
                zh=f"“{name}”须为 https 地址（仅本机可用 http），现为“{url}”", found=url,
            )  # fmt: skip
    if not settings.client_id:
        raise BadInput(
            "'oidc.issuer' is set: set 'oidc.client_id' too", zh="已设置 oidc.issuer，还须设置 oidc.client_id"
        )
    wrong = sorted(set(settings.roles.values()) - set(get_args(Role)))
    if wrong:
        raise BadInput(
            f"In [oidc.roles] a role is one of {', '.join(get_args(Role))}, not '{wrong[0]}'",
            zh=f"[oidc.roles] 中的角色须为 {'、'.join(get_args(Role))} 之一，而不是“{wrong[0]}”", found=wrong[0],
        )  # fmt: skip


def _with(address: str, asked: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"


def _texts(claims: Mapping[str, Any], name: str) -> list[str]:
    """What the claim says: one text or a list of them; a dot in its name goes one level deeper where it is no name."""
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

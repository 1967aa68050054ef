"""The bureau's sign-in service, asked over HTTP: what it says of itself, tokens for a code, and whether they hold.

OpenID Connect, authorisation code flow with PKCE. Nothing is asked before somebody signs in, and nothing is kept: keys
are fetched for each sign-in, so a service that changes its keys needs no care here. No redirect is followed. Addresses
are https, or http on this machine. Not covered: encrypted ID tokens, the userinfo endpoint, sessions that end there.

Source: OpenID Connect Core 1.0, 3.1; OpenID Connect Discovery 1.0, 4; RFC 7636 (PKCE); RFC 8725 (algorithms by our
choice and not the token's); RFC 6749, 2.3.1 (how the client says who it is); OpenID Connect RP-Initiated Logout 1.0.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import math
import secrets
import ssl
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from pipeline.errors import TryAgain

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

TIMEOUT_S: Final = 10.0
MOST_BYTES: Final = 1 << 20
# By the service's own key pair alone: `none` and the HS family, whose key is known to both sides, are never taken.
ALGORITHMS: Final = {"RS256": "RSA", "ES256": "EC"}
RSA_SHORTEST_BITS: Final = 2048
# The two clocks may differ by so much.
LEEWAY_S: Final = 60.0


class Untrue(Exception):
    """The token does not hold. what: `form`, `signature`, `issuer`, `audience`, `time`, `nonce` or `subject`."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__(detail)
        self.what = what


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What a sign-in service says of itself. auth: how clients may say who they are at its token endpoint;
    end_session: where a browser goes to sign out there, '' where it names no address for that."""

    issuer: str
    authorization: str
    token: str
    keys: str
    auth: tuple[str, ...]
    end_session: str = ""


def is_allowed(url: str) -> bool:
    """Whether it is an address to send secrets to: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def discover(issuer: str, ca: str = "") -> Provider:
    """What the service says of itself. ca: PEM file of the certificates its own must lead to, '' for the system's.

    Raises TryAgain where it does not answer, or says something that cannot be used.
    """
    said = _ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration", ca)
    if said.get("issuer") != issuer:
        raise _unusable(f"it calls itself {str(said.get('issuer'))[:200]!r} and not {issuer!r}")
    addresses = [str(said.get(name, "")) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    for address in addresses:
        if not is_allowed(address):
            raise _unusable(f"{address[:200]!r} is no https address")
    auth, ending = said.get("token_endpoint_auth_methods_supported"), str(said.get("end_session_endpoint", ""))
    return Provider(
        issuer=issuer, authorization=addresses[0], token=addresses[1], keys=addresses[2],
        auth=tuple(map(str, auth)) if isinstance(auth, list) else ("client_secret_basic",),
        end_session=ending if is_allowed(ending) else "",
    )  # fmt: skip


def id_token_for(provider: Provider, fields: Mapping[str, str], client: str, secret: str, ca: str = "") -> str:
    """The ID token that the service gives for these fields of a token request. secret: '' for a client without one.

    Raises TryAgain where it does not answer or gives none.
    """
    headers, body = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}, dict(fields)
    if not secret:
        body["client_id"] = client
    elif "client_secret_basic" in provider.auth:
        both = f"{quote(client, safe='')}:{quote(secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"
    elif "client_secret_post" in provider.auth:
        body |= {"client_id": client, "client_secret": secret}
    else:
        raise _unusable(f"it takes no client secret, only {', '.join(provider.auth)[:200]}")
    said = _ask(provider.token, ca, urlencode(body).encode(), headers)
    if not isinstance(said.get("id_token"), str):
        raise _unusable("it gives no ID token")
    return str(said["id_token"])


def keys_of(provider: Provider, ca: str = "") -> list[dict[str, Any]]:
    """The keys it signs with, as it publishes them now. Raises TryAgain."""
    said = _ask(provider.keys, ca).get("keys")
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []


def claims_in(
    token: str, keys: Iterable[Mapping[str, Any]], *, issuer: str, client: str, nonce: str, now_s: float
) -> dict[str, Any]:
    """What the ID token claims, where it holds: signed by one of these keys, from this issuer, for this client, now and
    for this sign-in. now_s: seconds since 1970. Raises Untrue.

    Source: OpenID Connect Core 1.0, 3.1.3.7.
    """
    claims = _signed(token, list(keys))
    if claims.get("iss") != issuer:
        raise Untrue("issuer", f"iss is {str(claims.get('iss'))[:200]!r}")
    audience = claims.get("aud")
    several = audience if isinstance(audience, list) else [audience]
    if client not in several or (len(several) > 1 and "azp" not in claims) or claims.get("azp", client) != client:
        raise Untrue("audience", f"aud is {str(audience)[:200]!r}, azp {str(claims.get('azp'))[:200]!r}")
    expires, issued, begins = (_seconds(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None:
        raise Untrue("time", "exp or iat is absent")
    if expires + LEEWAY_S <= now_s or issued - LEEWAY_S > now_s or (begins is not None and begins - LEEWAY_S > now_s):
        raise Untrue("time", f"exp {expires:.0f}, iat {issued:.0f}, nbf {begins}, and it is {now_s:.0f}")
    if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise Untrue("nonce", "the nonce is another sign-in's")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise Untrue("subject", "sub is absent")
    return claims


def _signed(token: str, keys: list[Mapping[str, Any]]) -> dict[str, Any]:
    from joserfc import jwt
    from joserfc.errors import JoseError

    header = _header(token)
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise Untrue("signature", f"alg is {str(algorithm)[:40]!r}")
    fitting = [
        one for one in keys
        if one.get("kty") == ALGORITHMS[algorithm] and one.get("use", "sig") == "sig"
        and one.get("alg", algorithm) == algorithm and header.get("kid") in (None, one.get("kid"))
    ]  # fmt: skip
    # A token without the name of its key is for services that have one; a try of all would be slow and tell nothing.
    for one in fitting[:4]:
        try:
            if (key := _key(one)) is not None:
                return dict(jwt.decode(token, key, algorithms=[algorithm]).claims)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    raise Untrue("signature", f"none of {len(fitting)} fitting keys signed it")


def _header(token: str) -> dict[str, Any]:
    try:
        first = token.split(".")[0]
        header = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except ValueError as error:
        raise Untrue("form", "it is no signed token") from error
    if not isinstance(header, dict) or not isinstance(header.get("alg"), str):
        raise Untrue("form", "it does not say how it is signed")
    return header


def _key(said: Mapping[str, Any]) -> RSAKey | ECKey | None:
    """The public key, None where it is too short."""
    from joserfc.jwk import ECKey, RSAKey

    public = {name: said[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in said}
    if said.get("kty") == "EC":
        return ECKey.import_key(public) if said.get("crv") == "P-256" else None
    modulus = str(said.get("n", ""))
    # Before joserfc sees it, which only warns of a short one.
    size_bits = int.from_bytes(base64.urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()
    return RSAKey.import_key(public) if size_bits >= RSA_SHORTEST_BITS else None


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    # json reads NaN and Infinity, which would never expire.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Untrue("time", f"{name} is no time")
    return float(value)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: whoever is sent elsewhere does not go; it ends as an error with the status of the redirect."""


def _ask(url: str, ca: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    if not is_allowed(url):
        raise _unusable(f"{url[:200]!r} is no https address")
    try:
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if url.startswith("https"):
            handlers.append(urllib.request.HTTPSHandler(context=_trusting(ca)))
        else:
            handlers.append(urllib.request.ProxyHandler({}))  # this machine itself
        asked = urllib.request.Request(url, body, dict(headers or {}))
        with urllib.request.build_opener(*handlers).open(asked, timeout=TIMEOUT_S) as answer:
            read = answer.read(MOST_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unusable(f"{url}: {error}") from error
    try:
        said = json.loads(read) if len(read) <= MOST_BYTES else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise _unusable(f"{url} does not answer in JSON")
    return said


def _trusting(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(Path(ca)) if ca else None)
    except OSError as error:
        raise _unusable(f"oidc.ca: {ca}: {error}") from error


def _unusable(detail: str) -> TryAgain:
    return TryAgain(
        "The bureau's sign-in service does not answer as it should: try again, or tell an administrator",
        zh="统一身份认证服务没有正常响应：请重试，或告知管理员", detail=detail,
    )  # fmt: skip


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

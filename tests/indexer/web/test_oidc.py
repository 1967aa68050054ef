"""Persons come in by the bureau's sign-in service, a real small one on loopback, and by nothing that it did not say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import escape, unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.testclient import TestClient

from config.settings import load
from indexer.persons.oidc import KNOWN, OidcSignIns
from pipeline.edges.provider import Untrue, claims_in, is_allowed
from pipeline.errors import BadInput
from tests.homes import make_home
from tests.indexer.web.asking import OWN, Asking, nobody, person
from workers.bootstrap import Home, build_accounts, build_home
from workers.rebuild import rebuild_catalog

CLIENT, SECRET, GROUP = "casereel-pages", "gé heim:7%", "执法记录审核"
RSA, OTHER = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))
EC = ECKey.generate_key("P-256", {"kid": "two"})


class Service:
    """A sign-in service as OpenID Connect Core 3.1 has it. claims: what it says of the next person, over what is due;
    sign: how it signs; broken: what its token endpoint answers instead."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.claims: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = by_rsa
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.methods = ["client_secret_basic"]
        self.names_itself = ""
        self.ends = False
        self.broken: tuple[int, str] | None = None
        handler = type("Handler", (_Handler,), {"service": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        # Another site than the pages, which are asked for at 127.0.0.1.
        self.issuer = f"http{'s' if tls else ''}://localhost:{self.server.server_address[1]}/realm"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def reset(self) -> None:
        self.__dict__.update(
            claims={},
            sign=by_rsa,
            asked=[],
            codes={},
            methods=["client_secret_basic"],
            names_itself="",
            broken=None,
            ends=False,
        )

    def authorize(self, url: str) -> str:
        """What a browser does there: its person signs in, and it is sent back to this address."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        given = {name: value for name, [value] in parse_qs(parts.query).items()}
        assert (given["response_type"], given["code_challenge_method"]) == ("code", "S256")
        assert (given["client_id"], given["scope"]) == (CLIENT, "openid profile")
        code = f"code-{len(self.codes)}"
        self.codes[code] = given
        return f"{given['redirect_uri']}?{urlencode({'code': code, 'state': given['state']})}"


class _Handler(BaseHTTPRequestHandler):
    service: Service

    def do_GET(self) -> None:
        its, issuer = self.service, self.service.issuer
        its.asked.append(self.path)
        if self.path == "/realm/.well-known/openid-configuration":
            self.say({
                "issuer": its.names_itself or issuer, "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token", "jwks_uri": f"{issuer}/keys",
                "token_endpoint_auth_methods_supported": its.methods,
                **({"end_session_endpoint": f"{issuer}/leave?realm=1"} if its.ends else {}),
            })  # fmt: skip
        elif self.path.startswith("/realm/leave?"):
            given = {name: value for name, [value] in parse_qs(urlsplit(self.path).query).items()}
            self.say("", 303, f"{given['post_logout_redirect_uri']}?{urlencode({'state': given['state']})}")
        elif self.path == "/realm/keys":
            self.say({"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]})
        elif self.path.startswith("/realm/authorize?"):
            self.say(
                '<!doctype html><title>The service</title><form method="post" action="/realm/password">'
                f'<input type="hidden" name="to" value="{escape(issuer + self.path.removeprefix("/realm"))}">'
                '<input name="name" autofocus><button>Sign in</button></form>'
            )
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        its = self.service
        its.asked.append(self.path)
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: value for name, [value] in parse_qs(sent).items()}
        if self.path == "/realm/password":
            self.say("", 303, its.authorize(form["to"]))
            return
        if its.broken:
            self.say(its.broken[1], its.broken[0])
            return
        if its.methods == ["client_secret_basic"]:
            # RFC 6749, 2.3.1: both are form-encoded before they are joined.
            both = "casereel-pages:g%C3%A9%20heim%3A7%25"
            is_known = self.headers["Authorization"] == f"Basic {base64.b64encode(both.encode()).decode()}"
        else:
            is_known = (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)
        begun = its.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if (
            not is_known or begun is None or begun["redirect_uri"] != form["redirect_uri"]
            or base64.urlsafe_b64encode(digest).decode().rstrip("=") != begun["code_challenge"]
        ):  # fmt: skip
            self.say({"error": "invalid_grant"}, 400)
            return
        now = int(time.time())
        claims = {
            "iss": its.issuer, "aud": CLIENT, "sub": "u-17", "iat": now, "exp": now + 300, "nonce": begun["nonce"],
            "preferred_username": "韩雪", "groups": {"casereel": [GROUP, "食堂"]}, "dept": "法制科", **its.claims,
        }  # fmt: skip
        self.say({"access_token": "x", "token_type": "Bearer", "id_token": its.sign(claims)})

    def say(self, what: Any, status: int = 200, to: str = "") -> None:
        data = what.encode() if isinstance(what, str) else json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if what and isinstance(what, str) and what.startswith("<"):
            self.send_header("Content-Type", "text/html; charset=utf-8")
        if status in (302, 303):
            self.send_header("Location", to or f"{self.service.issuer}/elsewhere")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Silent."""


def by_rsa(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSA)


def by_ec(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "ES256", "kid": "two"}, claims, EC)


def by_another(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, OTHER)


def by_none(claims: dict[str, Any]) -> str:
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def by_the_public_key(claims: dict[str, Any]) -> str:
    """The classic confusion: HMAC with what everybody can read."""
    return _by_hmac(RSA.as_pem(private=False), claims)


def by_the_secret(claims: dict[str, Any]) -> str:
    return _by_hmac(SECRET.encode(), claims)


def _by_hmac(key: bytes, claims: dict[str, Any]) -> str:
    said = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(claims)}"
    digest = hmac.digest(key, said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def changed(claims: dict[str, Any]) -> str:
    head, _, signature = by_rsa(claims).split(".")
    return f"{head}.{_part({**claims, 'sub': 'u-1'})}.{signature}"


def _part(data: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, service: Service) -> Iterator[Home]:
    home = home_by(service, tmp_path_factory.mktemp("oidc"))
    yield home
    home.close()


def home_by(service: Service, folder: Path, ca: str = "") -> Home:
    """A new home below the folder where persons come in by this service. ca: as the setting has it."""
    (folder / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    (folder / "settings.toml").write_text(
        f'[web]\nsign_ins_min = 0\n[oidc]\nissuer = "{service.issuer}"\nclient_id = "{CLIENT}"\n'
        f'client_secret_file = "{folder / "secret"}"\nrole_claim = "groups.casereel"\nunit_claim = "dept"\n'
        f'ca = "{ca}"\n'
        f'[oidc.roles]\n"{GROUP}" = "reviewer"\n"督察" = "auditor"\n',
        encoding="utf-8",
    )
    settings = load(folder / "home", {}, folder / "settings.toml")
    make_home(settings)
    return build_home(settings)


@pytest.fixture(autouse=True)
def _anew(service: Service) -> None:
    service.reset()


def begun(client: TestClient, service: Service, next: str = "/cases") -> str:
    """The address that the service sends the browser back to."""
    answer = client.get("/sign-in/oidc", params={"next": next}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=lax", "path=/sign-in/oidc", "max-age=600"))
    return service.authorize(answer.headers["location"])


def came(home: Home, service: Service, sign: Callable[[dict[str, Any]], str] = by_rsa, **claims: Any) -> Any:
    service.claims, service.sign = claims, sign
    client = nobody(home)
    return client, client.get(begun(client, service), follow_redirects=False)


def events(home: Home, *types: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in home.catalog.events_of_type(types)]


def refused(home: Home) -> tuple[str, dict[str, Any]]:
    last = events(home, "session.refused")[-1]
    assert last["outcome"] == "failed"
    return last["actor"], {name: value for name, value in last["facts"].items() if name != "detail"}


def said(answer: Any) -> str:
    found = re.search(r'<p class="alarm" role="alert">⚠ (.*?)</p>', answer.text)
    assert found is not None, answer.text
    return found[1]


def test_somebody_comes_in_where_they_were_going_with_role_and_unit_of_their_claims(
    home: Home, service: Service
) -> None:
    form = nobody(home).get("/sign-in?next=/cases").text
    assert 'href="/sign-in/oidc?next=/cases"' in form
    assert service.asked == []
    client, answer = came(home, service, sub="happy", preferred_username=" 谢  敏 ")
    assert answer.status_code == 200
    assert 'content="0; url=/cases"' in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    cookies = [line.lower() for line in answer.headers.get_list("set-cookie")]
    assert any(line.startswith("casereel=") and "httponly" in line and "samesite=strict" in line for line in cookies)
    assert any(line.startswith("casereel-oidc=") and "max-age=0" in line for line in cookies)
    signed = build_accounts(home).signed_in(client.cookies["casereel"])
    assert signed is not None
    assert (signed.person.name, signed.person.role, signed.person.unit) == ("谢 敏", "reviewer", "法制科")
    assert client.get("/cases", follow_redirects=False).status_code == 200
    assert [one["facts"] for one in events(home, "session.begun") if one["actor"] == "谢 敏"] == [{"by": "oidc"}]
    [made] = [one for one in events(home, "account.made") if one["actor"] == "谢 敏"]
    assert made["facts"]["account"]["subject"] == f"{service.issuer} happy"


def test_an_account_from_there_has_no_password_here(home: Home, service: Service) -> None:
    client, _ = came(home, service, sub="p", preferred_username="方文")
    for password in ("", "x", SECRET):
        assert nobody(home).post("/sign-in", data={"name": "方文", "password": password}).status_code == 403
    accounts = build_accounts(home)
    for act in (
        lambda: accounts.renew_password("管理", "方文"), lambda: accounts.change("管理", "方文", "auditor", None),
    ):  # fmt: skip
        with pytest.raises(BadInput, match="sign-in service"):
            act()
    page = client.get("/password").text
    assert "密码须在统一身份认证中修改" in page
    assert 'name="old"' not in page
    assert Asking(client, "方文").send("/password", old="", new=OWN, again=OWN).status_code == 400
    listed = person(home, "administrator", "管理员甲").page("/people")
    assert "通过统一身份认证登录" in listed


def test_role_and_unit_are_those_of_the_latest_sign_in(home: Home, service: Service) -> None:
    before, _ = came(home, service, sub="moves", preferred_username="何宁")
    # The name at the service may change; who they are there does not, and their account keeps its name.
    after, answer = came(
        home, service, by_ec, sub="moves", preferred_username="何凝", groups={"casereel": "督察"}, dept=["督察科"]
    )
    assert answer.status_code == 200
    accounts = build_accounts(home)
    assert accounts.signed_in(before.cookies["casereel"]) is None
    signed = accounts.signed_in(after.cookies["casereel"])
    assert signed is not None
    assert (signed.person.name, signed.person.role, signed.person.unit) == ("何宁", "auditor", "督察科")
    [told] = [one["facts"]["account"] for one in events(home, "account.changed") if one["actor"] == "何宁"]
    assert (told["role"], told["unit"]) == ("auditor", "督察科")
    assert "何凝" not in [one.name for one in accounts.listed()]


NOT_TRUE: dict[str, tuple[str, Any, dict[str, Any], str]] = {
    "another nonce": ("nonce", by_rsa, {"nonce": "x"}, "属于另一次登录"),
    "no nonce": ("nonce", by_rsa, {"nonce": None}, "属于另一次登录"),
    "another key": ("signature", by_another, {}, "签名不属于该服务"),
    "alg none": ("signature", by_none, {}, "签名不属于该服务"),
    "HMAC with the public key": ("signature", by_the_public_key, {}, "签名不属于该服务"),
    "HMAC with the secret": ("signature", by_the_secret, {}, "签名不属于该服务"),
    "claims changed": ("signature", changed, {}, "签名不属于该服务"),
    "no token": ("form", lambda _: "x", {}, "无法识别"),
    "expired": ("time", by_rsa, {"exp": 1_700_000_000}, "已过期"),
    "never expires": ("time", by_rsa, {"exp": float("inf")}, "已过期"),
    "expires at no time": ("time", by_rsa, {"exp": None}, "已过期"),
    "of tomorrow": ("time", by_rsa, {"iat": time.time() + 86400}, "已过期"),
    "another audience": ("audience", by_rsa, {"aud": "mail"}, "签发给其他系统"),
    "several audiences": ("audience", by_rsa, {"aud": [CLIENT, "mail"]}, "签发给其他系统"),
    "another party": ("audience", by_rsa, {"azp": "mail"}, "签发给其他系统"),
    "another issuer": ("issuer", by_rsa, {"iss": "https://id.example"}, "来自其他服务"),
    "nobody": ("subject", by_rsa, {"sub": ""}, "未指明人员"),
}


@pytest.mark.parametrize("case", NOT_TRUE)
def test_what_the_service_did_not_say_so_is_refused_in_words(home: Home, service: Service, case: str) -> None:
    reason, sign, claims, words = NOT_TRUE[case]
    client, answer = came(home, service, sign, **claims)
    assert (answer.status_code, refused(home)) == (403, ("oidc", {"by": "oidc", "reason": reason}))
    assert words in said(answer)
    assert "casereel" not in client.cookies
    assert "韩雪" not in [one.name for one in build_accounts(home).listed()]


NOT_LET_IN: dict[str, tuple[str, dict[str, Any], str]] = {
    "no role": ("no role", {"groups": {"casereel": ["食堂"]}}, "没有本系统的角色"),
    "no claim": ("no role", {"groups": 7}, "没有本系统的角色"),
    "two roles": ("several roles", {"groups": {"casereel": [GROUP, "督察"]}}, "多个角色"),
    "two units": ("unit", {"dept": ["法制科", "督察科"]}, "唯一单位"),
    "no name": ("name", {"preferred_username": None}, "没有提供可用的姓名"),
    "a name of signs": ("name", {"preferred_username": "韩\u202e雪"}, "没有提供可用的姓名"),
    "a local account": ("local account", {"preferred_username": "Local Person"}, "已有名为"),
    "nearly a local account": ("local account", {"preferred_username": "ｌocal person"}, "已有名为"),
    "a closed local account": ("closed", {"preferred_username": "Closed Person"}, "已停用"),
    "another person's": ("another person", {"preferred_username": "Outside Person"}, "另一人"),
}


def test_whom_no_account_or_role_lets_in_is_told_why(home: Home, service: Service) -> None:
    accounts = build_accounts(home)
    for name in ("Local Person", "Closed Person"):
        accounts.add("管理", name, "clerk")
    accounts.close("管理", "Closed Person")
    came(home, service, sub="first", preferred_username="Outside Person")
    known = [(one.name, one.role) for one in accounts.listed()]
    for case, (reason, claims, words) in NOT_LET_IN.items():
        client, answer = came(home, service, sub="second", **claims)
        assert answer.status_code == 403, case
        assert words in said(answer), case
        name = " ".join((claims.get("preferred_username", "韩雪") or "oidc").split())
        assert refused(home) == (name, {"by": "oidc", "reason": reason}), case
        assert "casereel" not in client.cookies, case
    assert [(one.name, one.role) for one in accounts.listed()] == known


def test_a_closed_account_stays_out_until_it_is_opened_again(home: Home, service: Service) -> None:
    client, _ = came(home, service, sub="closed", preferred_username="江平")
    admin = person(home, "administrator", "管理员乙")
    assert admin.send("/people", name="江平", act="close").status_code == 200
    assert client.get("/cases", follow_redirects=False).status_code == 303
    client, answer = came(home, service, sub="closed", preferred_username="江平")
    assert (answer.status_code, refused(home)) == (403, ("江平", {"by": "oidc", "reason": "closed"}))
    assert "账户“江平”已停用" in said(answer)
    assert admin.send("/people", name="江平", act="open").status_code == 200
    assert came(home, service, sub="closed", preferred_username="江平")[1].status_code == 200
    assert admin.send("/people", name="管理员乙", act="open").status_code == 400


def test_an_answer_counts_once_in_the_browser_where_it_was_asked_for(
    home: Home, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = nobody(home)
    back = begun(client, service)
    kept = client.cookies["casereel-oidc"]
    assert client.get(back).status_code == 200

    def fails(address: str, cookie: str) -> None:
        # The same application, for it is the one that knows what has begun.
        headers = {"Cookie": f"casereel-oidc={cookie}"} if cookie else {}
        answer = TestClient(client.app, headers={"Accept-Language": "zh"}).get(address, headers=headers)
        assert (answer.status_code, refused(home)) == (403, ("oidc", {"by": "oidc", "reason": "state"}))
        assert "请重新登录" in said(answer)

    asked = list(service.asked)
    fails(back, kept)
    fails("/sign-in/oidc/back?code=x&state=x", kept)
    fails("/sign-in/oidc/back", kept)
    assert service.asked == asked
    client.cookies.clear()
    other = begun(client, service)
    fails(other, "")
    # Who tried it elsewhere has used it up.
    fails(other, client.cookies["casereel-oidc"])
    late = begun(client, service)
    now = home.catalog.now
    signs = client.app.state.house.oidc  # type: ignore[attr-defined]
    monkeypatch.setattr(signs, "_now", lambda: now() + timedelta(minutes=11))
    fails(late, client.cookies["casereel-oidc"])


def test_what_the_service_says_instead_of_a_code_is_not_repeated(home: Home, service: Service) -> None:
    for more, detail in (
        ({"error": "access_denied", "error_description": "call 555"}, "access_denied"),
        ({"error": "<b>call 555"}, "no code of this service"), ({}, "no code of this service"),
        ({"code": "x", "iss": "https://id.example"}, "no code of this service"),
    ):  # fmt: skip
        client = nobody(home)
        state = parse_qs(urlsplit(begun(client, service)).query)["state"][0]
        answer = client.get(f"/sign-in/oidc/back?{urlencode({'state': state, **more})}")
        assert answer.status_code == 403
        assert "统一身份认证未予登录" in said(answer)
        assert "555" not in answer.text
        assert events(home, "session.refused")[-1]["facts"] == {"by": "oidc", "reason": "answer", "detail": detail}


def test_a_service_that_does_not_answer_is_told_and_passwords_still_hold(home: Home, service: Service) -> None:
    for broken in ((500, "{}"), (200, "no json"), (200, "[]"), (200, "{}"), (302, "{}"), (200, "[" * 100_000)):
        service.broken = broken
        _, answer = came(home, service)
        assert answer.status_code == 503, broken
        assert "没有正常响应" in said(answer)
        assert refused(home) == ("oidc", {"by": "oidc", "reason": "service"})
    assert "/realm/elsewhere" not in service.asked
    service.names_itself = "https://id.example"
    answer = nobody(home).get("/sign-in/oidc", follow_redirects=False)
    assert answer.status_code == 503
    assert "没有正常响应" in said(answer)
    assert person(home, "clerk", "有密码的人").client.get("/hand-in").status_code == 200


def test_the_secret_may_go_in_the_form_where_the_service_wants_it_there(home: Home, service: Service) -> None:
    service.methods = ["client_secret_post"]
    assert came(home, service, sub="post", preferred_username="邱实")[1].status_code == 200
    service.methods = ["private_key_jwt"]
    assert came(home, service, sub="post", preferred_username="邱实")[1].status_code == 503


@pytest.mark.parametrize("next", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example"])
def test_nobody_is_sent_to_another_site(home: Home, service: Service, next: str) -> None:
    client = nobody(home)
    answer = client.get(begun(client, service, next))
    assert 'content="0; url=/"' in answer.text
    assert "evil" not in answer.text


def test_without_a_service_there_is_nothing_and_nobody_is_asked(tmp_path: Path, service: Service) -> None:
    settings = load(tmp_path / "home", {"CASEREEL_OIDC_CLIENT_ID": CLIENT})
    make_home(settings)
    home = build_home(settings)
    client = nobody(home)
    for path in ("/sign-in/oidc", "/sign-in/oidc/back", "/sign-in/oidc/back?code=x&state=y"):
        assert client.get(path, follow_redirects=False).status_code == 404
    assert "oidc" not in client.get("/sign-in").text
    assert service.asked == []
    assert events(home, "session.refused") == []
    home.close()


def test_tries_are_counted_and_what_has_begun_is_bounded(home: Home) -> None:
    from indexer.web.limits import kind_of

    assert {kind_of("GET", path) for path in ("/sign-in/oidc", "/sign-in/oidc/back")} == {"sign_in"}
    signs = nobody(home).app.state.house.oidc  # type: ignore[attr-defined]
    signs._begun.update((str(number), None) for number in range(KNOWN))
    signs.begin("http://testserver", "/")
    assert len(signs._begun) == KNOWN


def test_addresses_are_https_but_on_this_machine() -> None:
    yes = ("https://id.example/realm", "http://127.0.0.1:8080", "http://localhost/x", "http://[::1]:9/")
    no = ("http://id.example", "http://10.0.0.1", "http://127.0.0.1.example", "ftp://id.example", "file:///etc/passwd",
          "https://", "https://name:word@id.example", "https://id.example/#x", "http://[::1", "")  # fmt: skip
    assert [is_allowed(url) for url in (*yes, *no)] == [True] * len(yes) + [False] * len(no)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ISSUER": "http://id.example"}, "https"), ({"ISSUER": "https://id.example"}, "client_id"),
        ({"ISSUER": "https://id.example", "CLIENT_ID": "x", "ROLES": "甲=chief"}, "not 'chief'"),
        ({"ISSUER": "https://id.example", "CLIENT_ID": "x", "ADDRESS": "http://pages.example"}, "oidc.address"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_before_anybody_comes(
    home: Home, tmp_path: Path, more: dict[str, str], said: str
) -> None:
    settings = load(tmp_path, {f"CASEREEL_OIDC_{name}": value for name, value in more.items()})
    with pytest.raises(BadInput, match=said):
        OidcSignIns(settings.oidc, build_accounts(home), home.catalog.now)


def test_a_key_that_is_too_short_or_for_something_else_signs_nothing() -> None:
    now = time.time()
    claims = {"iss": "i", "aud": "c", "sub": "s", "nonce": "n", "iat": now, "exp": now + 60}

    def holds(key: Any, **more: Any) -> bool:
        algorithm = "ES256" if key is EC else "RS256"
        token = jwt.encode({"alg": algorithm}, claims, key)
        keys = [{"kty": "oct", "k": "eA"}, {"kty": "RSA"}, {**key.as_dict(private=False), **more}]
        try:
            return bool(claims_in(token, keys, issuer="i", client="c", nonce="n", now_s=now))
        except Untrue as error:
            return error.what != "signature"

    with pytest.warns(UserWarning, match="2048"):
        short = RSAKey.generate_key(1024)
    assert not holds(short)
    found = [holds(RSA), holds(EC), holds(RSA, use="enc"), holds(RSA, alg="RS512"), holds(EC, crv="P-384")]
    assert found == [True, True, False, False, False]


def test_a_catalog_that_was_lost_knows_again_who_comes_from_there(home: Home, service: Service) -> None:
    came(home, service, sub="again", preferred_username="陶然")
    before = [one for one in build_accounts(home).listed() if one.subject]
    home.close()
    rebuild_catalog(home.settings, lambda _: None)
    home = build_home(home.settings)
    found = {one.name: one for one in build_accounts(home).listed()}
    assert [(found[one.name].subject, found[one.name].role, found[one.name].unit) for one in before] == [
        (one.subject, one.role, one.unit) for one in before
    ]
    assert came(home, service, sub="again", preferred_username="陶然")[1].status_code == 200
    home.close()


def left(client: TestClient) -> tuple[str, dict[str, str]]:
    """Where the browser goes after signing out here, and what it says there."""
    sign = re.search(r'name="csrf" value="([^"]+)"', client.get("/cases").text)
    assert sign is not None
    answer = client.post("/sign-out", data={"csrf": sign[1]}, follow_redirects=False)
    assert client.get("/cases", follow_redirects=False).status_code == 303, "the session is over"
    if answer.status_code == 303:
        return answer.headers["location"], {}
    there = re.search(r'content="0; url=([^"]+)"', answer.text)
    assert there is not None
    where, _, query = unescape(there[1]).partition("&")
    return where, {name: value for name, [value] in parse_qs(query).items()}


def test_signing_out_ends_the_session_at_the_service_where_it_says_how(home: Home, service: Service) -> None:
    service.ends = True
    client, _ = came(home, service, sub="leaves", preferred_username="离开")
    where, asked = left(client)
    assert where == f"{service.issuer}/leave?realm=1"
    hint = asked.pop("id_token_hint")
    assert jwt.decode(hint, RSA).claims["sub"] == "leaves"
    back = {"post_logout_redirect_uri": "http://testserver/sign-in/oidc/back", "state": "left"}
    assert asked == {"client_id": CLIENT, **back}
    for more in ("", f"&iss={service.issuer}&session_state=1"):
        answer = client.get(f"/sign-in/oidc/back?state=left{more}", follow_redirects=False)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/sign-in")
    assert client.get("/sign-in/oidc/back?state=left&code=1", follow_redirects=False).status_code == 403


def test_a_session_older_than_the_process_ends_there_without_its_token_and_none_where_nothing_is_said(
    home: Home, service: Service
) -> None:
    for ends, then in ((True, f"{service.issuer}/leave?realm=1"), (False, "/sign-in?left=service")):
        client, _ = came(home, service, sub="older", preferred_username="旧人")
        service.ends = ends
        later = nobody(home)
        later.cookies = client.cookies
        where, asked = left(later)
        assert where == then
        assert "id_token_hint" not in asked

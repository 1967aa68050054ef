"""Signing in by the bureau's service in a real Chromium: another site, with a form of its own, over http and https."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browsing import chromium
from tests.indexer.web.asking import served
from tests.indexer.web.test_oidc import Service, events, home_by, refused
from workers.bootstrap import Home

# A bureau's own authority, and the certificate that it gives its service.
CERTIFICATES = """
req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Bureau -keyout ca.key -out ca.pem -addext keyUsage=keyCertSign
req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout own.key -out own.csr
x509 -req -in own.csr -CA ca.pem -CAkey ca.key -days 2 -extfile names -out own.pem
"""


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ca.pem`, and `own.pem` and `own.key` that lead to it."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "names").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:false\n", encoding="utf-8")
    for words in CERTIFICATES.strip().splitlines():
        subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def service(certified: Path) -> Iterator[Service]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified / "own.pem", certified / "own.key")
    service = Service(context)
    yield service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium("localhost") as found:
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, certified: Path, service: Service) -> Iterator[Home]:
    home = home_by(service, tmp_path_factory.mktemp("browsed"), str(certified / "ca.pem"))
    yield home
    home.close()


@pytest.fixture(scope="module")
def address(home: Home) -> Iterator[str]:
    with served(home) as address:
        yield address


def opened(browser: Any, lang: str = "zh-CN") -> Any:
    """A page of a person who was never here. What the browser thinks of the certificate is the bureau's own matter."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale=lang, ignore_https_errors=True)
    return context.new_page()


def comes(page: Any, service: Service, *, ends: bool = False, **claims: Any) -> None:
    """The person goes over to the service, by keys alone, and signs in there. ends: it says where sessions end."""
    service.reset()
    service.ends = ends
    service.claims = claims
    page.locator("a[href^='/sign-in/oidc']").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{service.issuer}/authorize**")
    page.wait_for_function("document.activeElement.tagName === 'INPUT'")
    page.keyboard.type(claims.get("preferred_username", ""))
    page.keyboard.press("Enter")


def alarm(page: Any) -> str:
    return str(page.locator("[role=alert]").inner_text())


def journey(page: Any, address: str, service: Service) -> None:
    """From a page that nobody sees unsigned over the sign-in service to that page as this person, and out again."""
    page.goto(f"{address}/cases")
    comes(page, service, sub="browsed", preferred_username="谢敏")
    page.wait_for_url(f"{address}/cases")
    assert "谢敏 · 审核员" in page.locator("header.top .who").inner_text()
    page.reload()
    assert page.url == f"{address}/cases"
    kept = {one["name"]: one for one in page.context.cookies() if one["domain"] == "127.0.0.1"}
    assert kept["casereel"]["httpOnly"]
    assert kept["casereel"]["sameSite"] == "Strict"
    assert "casereel-oidc" not in kept
    page.locator("form[action='/sign-out'] button").click()
    page.wait_for_url("**/sign-in?left=service")
    assert "在统一身份认证中可能仍处于登录状态" in page.locator("[role=status]").inner_text()
    page.goto(f"{address}/cases")
    assert page.url == f"{address}/sign-in?next=/cases"


def test_a_person_signs_in_at_the_service_of_the_bureau_s_own_authority_and_out_again(
    browser: Any, home: Home, address: str, service: Service
) -> None:
    page = opened(browser)
    journey(page, address, service)
    assert [one["facts"] for one in events(home, "session.begun")][-1:] == [{"by": "oidc"}]
    # Who goes on later where they are still signed in there comes in without a word of leaving.
    comes(page, service, sub="browsed", preferred_username="谢敏")
    page.wait_for_url(f"{address}/cases")
    page.context.close()


def test_who_signs_out_here_signs_out_at_the_service_too_and_comes_back(
    browser: Any, address: str, service: Service
) -> None:
    page = opened(browser)
    page.goto(f"{address}/cases")
    comes(page, service, ends=True, sub="leaving", preferred_username="离开")
    page.wait_for_url(f"{address}/cases")
    page.locator("form[action='/sign-out'] button").click()
    page.wait_for_url(f"{address}/sign-in")
    assert service.asked[-1].startswith("/realm/leave?realm=1&id_token_hint=")
    assert page.locator("[role=status]").count() == 0
    page.goto(f"{address}/cases")
    assert page.url == f"{address}/sign-in?next=/cases"
    page.context.close()


def test_it_goes_the_same_way_over_http_on_this_machine(browser: Any, tmp_path: Path) -> None:
    service = Service()
    home = home_by(service, tmp_path)
    with served(home) as address:
        page = opened(browser)
        journey(page, address, service)
        page.context.close()
    home.close()
    service.server.shutdown()
    service.server.server_close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_who_does_not_come_in_is_told_what_to_do_next_and_can_do_it(
    browser: Any, home: Home, address: str, service: Service, lang: str, tmp_path: Path
) -> None:
    page = opened(browser, {"zh": "zh-CN", "en": "en-GB"}[lang])
    page.goto(f"{address}/sign-in/oidc/back?code=x&state=made-up")
    assert {"zh": "请重新登录", "en": "begin again"}[lang] in alarm(page)
    assert refused(home) == ("oidc", {"by": "oidc", "reason": "state"})
    comes(page, service, sub="guest", preferred_username="来客", groups={"casereel": ["食堂"]})
    page.wait_for_url(f"{address}/sign-in/oidc/back**")
    assert {"zh": "请联系管理员", "en": "ask an administrator"}[lang] in alarm(page)
    assert refused(home) == ("来客", {"by": "oidc", "reason": "no role"})
    page.screenshot(path=tmp_path / f"{lang}.png")
    # The other language does not ask the service's answer to count twice.
    page.locator("form[action='/language'] button").click()
    page.wait_for_url(f"{address}/sign-in")
    assert page.locator("[role=alert]").count() == 0
    assert refused(home) == ("来客", {"by": "oidc", "reason": "no role"})
    comes(page, service, sub=f"known-{lang}", preferred_username=f"Known {lang}")
    page.wait_for_url(lambda url: url.startswith(address) and "/sign-in" not in url)
    assert f"Known {lang}" in page.locator("header.top .who").inner_text()
    page.context.close()


def test_without_its_authority_the_service_is_not_believed(browser: Any, service: Service, tmp_path: Path) -> None:
    for ca, why in (("", "CERTIFICATE_VERIFY_FAILED"), (str(tmp_path / "none.pem"), "oidc.ca")):
        folder = tmp_path / (ca and "ca")
        folder.mkdir(exist_ok=True)
        home = home_by(service, folder, ca)
        with served(home) as address:
            page = opened(browser)
            page.goto(f"{address}/sign-in")
            page.locator("a[href^='/sign-in/oidc']").click()
            page.wait_for_url(f"{address}/sign-in/oidc?next=/")
            assert "请重试，或告知管理员" in alarm(page)
            assert why in events(home, "session.refused")[-1]["facts"]["detail"]
            page.context.close()
        home.close()

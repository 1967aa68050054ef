"""Persons of every role who ask a home's pages, without a network between."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from indexer.web.app import create_app
from workers.bootstrap import Home, build_accounts
from workers.serve import house_of, serve

OWN = "gut gehütet 7"
ROLES = ("clerk", "reviewer", "operator", "auditor", "administrator")


@dataclass(frozen=True)
class Asking:
    """A person's browser."""

    client: TestClient
    name: str

    def page(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path, follow_redirects=False)
        assert answer.status_code == status, answer.text
        return answer.text

    def sign(self) -> str:
        """The session's own sign, as it stands on every page."""
        found = re.search(r'name="csrf" content="([^"]+)"', self.client.get("/password").text)
        assert found is not None
        return found[1]

    def send(self, path: str, **fields: Any) -> Any:
        return self.client.post(path, data={"csrf": self.sign(), **fields}, follow_redirects=False)


def nobody(home: Home) -> TestClient:
    return TestClient(create_app(house_of(home)), raise_server_exceptions=False, headers={"Accept-Language": "zh"})


def person(home: Home, role: str, name: str = "", unit: str | None = None) -> Asking:
    """Someone of this role, signed in with a password of their own."""
    accounts, name = build_accounts(home), name or f"某{role}"
    _, once = accounts.add("管理", name, role, unit)
    client = nobody(home)
    client.post("/sign-in", data={"name": name, "password": once})
    signed, _ = accounts.sign_in(name, once)
    accounts.change_password(signed, once, OWN)
    client.post("/sign-in", data={"name": name, "password": OWN})
    return Asking(client, name)


def later(home: Home, monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """The home's clock goes ahead by so much."""
    now = home.catalog.now
    monkeypatch.setattr(type(home.catalog), "now", lambda _: now() + by)


def stop(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home's clock stands still."""
    at = home.catalog.now()
    monkeypatch.setattr(type(home.catalog), "now", lambda _: at)


@contextlib.contextmanager
def served(home: Home) -> Iterator[str]:
    """The address of the home's web server, on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    stop = threading.Event()
    server = threading.Thread(target=serve, args=(home, stop, "127.0.0.1", port))
    server.start()
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        stop.wait(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        server.join(timeout=60)

"""The status page as a browser asks for it: what an operator must see stands on it."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.custody.accession import Candidate
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_jobs
from workers.keeping import build_fixity
from workers.serve import serve


@pytest.fixture
def address(sqlite_home: Home) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    stop = threading.Event()
    server = threading.Thread(target=serve, args=(sqlite_home, stop, "127.0.0.1", port))
    server.start()
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        stop.wait(0.05)
    yield f"http://127.0.0.1:{port}"
    stop.set()
    server.join(timeout=10)


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.status == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return str(answer.read().decode())


def test_the_page_says_what_is_not_proved_without_a_second_party(address: str) -> None:
    page = read(f"{address}/")
    assert "没有第二方见证" in page
    assert "tamper-evident against outsiders only" in page


def test_broken_custody_and_a_missing_backup_stand_on_the_page(sqlite_home: Home, address: str, tmp_path: Path) -> None:
    path = making.photo(tmp_path / "card" / "现场.jpg", 1)
    taking = build_accession(sqlite_home, build_jobs(sqlite_home))
    [receipt] = taking.take([Candidate(path=path, root=path.parent, source="inbox")])
    with sqlite_home.vault.opened(receipt.sha256 or "") as held:
        held.chmod(0o600)
        held.write_bytes(b"other bytes")
    assert "字节不符" not in read(f"{address}/")
    fixity = build_fixity(sqlite_home)
    fixity.check(fixity.due(sqlite_home.catalog.now(), days=0.0))
    page = read(f"{address}/")
    assert f"字节不符：现场.jpg（{receipt.original}）" in page
    assert "⚠ 没有 none" in page
    [incident] = json.loads(read(f"{address}/api/status"))["incidents"]
    assert incident["original"] == receipt.original
    assert incident["opened_at"].endswith("Z")

"""Timestamps against a server of our own on loopback whose answers openssl makes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from pipeline.edges.log import tokens
from pipeline.errors import TryAgain
from tests.homes import make_home
from tests.timestamping import Server
from workers.bootstrap import build_home
from workers.cli.status import second_party
from workers.patrol import round_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed; on Debian: apt-get install openssl")
    made = Server(tmp_path_factory.mktemp("tsa"))
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize("digest", ["sha256", "sm3"])
def test_a_signed_head_gets_a_timestamp_that_openssl_accepts_and_that_is_missed_when_it_goes(
    server: Server, make_settings: Callable[..., Settings], digest: str
) -> None:
    settings = make_settings(
        audit_timestamp_url=server.url,
        audit_timestamp_ca=str(server.folder / "tsa.pem"),
        audit_timestamp_digest=digest,
    )
    make_home(settings)
    home = build_home(settings)
    round_of(home, grace_s=0.0)
    latest = home.checkpoints.latest()
    assert latest is not None
    token = latest.path.with_name(f"{latest.path.name}.tsr")
    words = ["openssl", "ts", "-verify", "-data", latest.path, "-in", token, "-CAfile", server.folder / "tsa.pem"]
    assert "Verification: OK" in subprocess.run(words, capture_output=True, text=True).stdout
    assert home.check_log(grace_s=0.0).faults == ()
    assert second_party(home)["by"] == {"timestamp": latest.size}
    asked = server.asked
    round_of(home, grace_s=0.0)
    assert server.asked == asked
    data = token.read_bytes()
    token.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert any("is not the one that the log tells of" in fault for fault in home.check_log(grace_s=0.0).faults)
    token.unlink()
    assert any(f"{token} is missing" in fault for fault in home.check_log(grace_s=0.0).faults)
    home.close()


def test_a_server_that_does_not_answer_stops_nothing_and_is_told_by_status(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(audit_timestamp_url="http://127.0.0.1:9/", audit_timestamp_ca=str(tmp_path / "none.pem"))
    make_home(settings)
    home = build_home(settings)
    assert round_of(home, grace_s=0.0)["log_signed_up_to"] == 2
    assert "127.0.0.1:9/ does not answer" in second_party(home)["trouble"]
    assert home.check_log(grace_s=0.0).faults == ()
    home.close()


@pytest.mark.parametrize("spoil", [lambda _: b"", lambda answer: answer[:-20], lambda answer: answer[:-1] + b"\0"])
def test_an_answer_that_does_not_hold_is_refused(server: Server, spoil: Callable[[bytes], bytes]) -> None:
    server.spoil = spoil
    try:
        with pytest.raises(TryAgain, match="does not hold"):
            tokens.ask(server.url, b"data", "sha256", server.folder / "tsa.pem")
    finally:
        server.spoil = lambda answer: answer


def test_a_token_over_something_else_or_of_somebody_else_is_refused(server: Server, tmp_path: Path) -> None:
    response, _ = tokens.ask(server.url, b"data", "sha256", server.folder / "tsa.pem")
    with pytest.raises(ValueError, match="something else"):
        tokens.time_of(response, b"other", server.folder / "tsa.pem")
    stranger = Server(tmp_path)
    with pytest.raises(ValueError, match=r"."):
        tokens.time_of(response, b"data", tmp_path / "tsa.pem")
    stranger.server.shutdown()
    stranger.server.server_close()

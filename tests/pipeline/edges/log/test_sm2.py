from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from config.settings import Settings
from pipeline.edges import failpoint
from pipeline.edges.log import sm2
from pipeline.errors import BadInput, TryAgain
from tests.homes import make_home
from workers.bootstrap import build_home
from workers.cli import run
from workers.patrol import round_of


def test_a_head_is_also_signed_with_sm2_as_openssl_sees_it_and_a_missing_or_changed_one_is_found(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(audit_sm2="true")
    make_home(settings)
    home = build_home(settings)
    signed = home.checkpoints.sign_head()
    assert signed is not None
    assert home.check_log().faults == ()
    signature = signed.path.with_name(f"{signed.path.name}.sm2.sig")
    [key] = (home.checkpoints.log / "keys").glob("sm2-*.pem")
    words = ["openssl", "dgst", "-sm3", "-verify", key, "-sigopt", "distid:1234567812345678", "-signature", signature]
    assert "Verified OK" in subprocess.run([*words, signed.path], capture_output=True, text=True).stdout
    private = home.settings.home.with_name("home-keys") / "sm2.pem"
    read = subprocess.run(["openssl", "pkey", "-in", private, "-pubout"], capture_output=True, text=True)
    assert read.stdout == key.read_text()
    data = signature.read_bytes()
    for place in (0, 3, 10, len(data) - 1):
        signature.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert any("does not hold" in fault for fault in home.check_log().faults), place
    signature.unlink()
    assert any("is missing" in fault for fault in home.check_log().faults)
    home.close()


def test_an_old_head_is_checked_as_the_newest_is(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(audit_sm2="true")
    make_home(settings)
    home = build_home(settings)
    for _ in range(25):
        home.tell("search")
        home.checkpoints.sign_head()
    first = home.checkpoints.folder / f"{home.checkpoints.sizes()[0]}.note.sm2.sig"
    assert home.check_log().faults == ()
    data = first.read_bytes()
    first.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert home.check_log().faults == (f"The SM2 signature {first} does not hold",)
    home.close()


def test_a_key_that_has_signed_is_never_replaced_silently(
    make_settings: Callable[..., Settings], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(audit_sm2="true")
    make_home(settings)
    home = build_home(settings)
    monkeypatch.setenv("CASEREEL_AUDIT_SM2", "true")
    command = ["--home", str(settings.home)]

    def sentences() -> list[str]:
        capsys.readouterr()
        assert run([*command, "--json", "status"]) == 0
        told = json.loads(capsys.readouterr().out)["health"]
        return [one["zh"] + one["fix_zh"] for one in told if one["level"] == "alarm" and one["about"] == "log"]

    with pytest.raises(BadInput, match="first one makes the key"):
        home.checkpoints.rotate_sm2("x", lost=True)
    first = home.checkpoints.sign_head()
    assert first is not None
    assert sentences() == []
    private = settings.home.with_name("home-keys") / "sm2.pem"
    kept = private.read_bytes()
    another = private.parent.with_name("another")
    sm2.make(another)
    for bytes_, said in ((None, f"密钥不在 {private}"), ((another / "sm2.pem").read_bytes(), "请放回原密钥")):
        private.unlink(missing_ok=True)
        if bytes_ is not None:
            private.write_bytes(bytes_)
        home.tell("search")
        with pytest.raises((TryAgain, BadInput)):
            home.checkpoints.sign_head()
        round_of(home, grace_s=0.0)  # the patrol goes on with all else
        assert home.checkpoints.sizes() == [first.size]
        [alarm] = sentences()
        assert said in alarm
        assert "log rotate-key --sm2 --lost" in alarm
    # It was only away.
    private.write_bytes(kept)
    second = home.checkpoints.sign_head()
    assert second is not None
    assert sentences() == []
    assert second.head.extension("sm2") == first.head.extension("sm2")
    # It is lost for good: a deed with a reason, an event, another key from here on.
    private.unlink()
    assert run([*command, "log", "rotate-key", "--sm2", "--lost"]) == 2
    assert run([*command, "log", "rotate-key", "--sm2", "--lost", "--reason", "硬盘损坏"]) == 0
    third = home.checkpoints.latest()
    assert third is not None
    [told] = [json.loads(line)["facts"] for line in home.catalog.events_of_type(["log.sm2_key"])]
    assert (told["why"], told["reason"]) == ("lost", "硬盘损坏")
    assert (told["before"], told["fingerprint"]) == (first.head.extension("sm2"), third.head.extension("sm2"))
    assert told["before"] != told["fingerprint"]
    # Cut off after its word and before its place: the next head is signed by the one that was told of.
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(failpoint, "at", lambda name: stop() if name == "key.told" else None)
        home.checkpoints.rotate_sm2("每年更换")
    home.tell("search")
    fourth = home.checkpoints.sign_head()
    assert fourth is not None
    told = json.loads(home.catalog.events_of_type(["log.sm2_key"])[-1])["facts"]
    assert told["fingerprint"] == fourth.head.extension("sm2")
    assert sorted(path.name for path in private.parent.glob("sm2*")) == ["sm2.pem"]
    assert home.check_log().faults == ()
    home.close()


def stop() -> None:
    raise KeyboardInterrupt

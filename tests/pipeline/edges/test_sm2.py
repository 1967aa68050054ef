from __future__ import annotations

import subprocess
from collections.abc import Callable

from config.settings import Settings
from tests.homes import make_home
from workers.bootstrap import build_home


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

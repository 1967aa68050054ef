from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from gmalg import SM2

from indexer.exporting.package import verify
from pipeline.custody.sm2_curve import IDENTITY, N, Sm2Key, sm3
from pipeline.edges.log import sm2

# GB/T 32918.5, annex A.2: the public key of the example.
EXAMPLE = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA


def test_the_published_signature_holds_and_no_other() -> None:
    key = Sm2Key(EXAMPLE)
    assert key.signed(R, S, b"message digest")
    assert not key.signed(R, S, b"message digest ")
    for r, s in ((R + 1, S), (R, S + 1), (S, R), (R, N - S), (R + N, S), (0, S), (R, 0), (R, N - R)):
        assert not key.signed(r, s, b"message digest")


# GB/T 32905, annex A.1.
def test_the_published_digest() -> None:
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@pytest.mark.parametrize("wrong", [EXAMPLE[:-1], b"\2" + EXAMPLE[1:], EXAMPLE[:-1] + b"\0", b"\4" + bytes(64)])
def test_what_is_no_point_of_the_curve_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="not a point"):
        Sm2Key(wrong)
    assert not verify.is_signed_by_sm2(wrong, b"", b"")


def test_signatures_are_judged_as_openssl_and_another_library_judge_them(tmp_path: Path) -> None:
    chance = random.Random(32918)
    public = sm2.make(tmp_path)
    assert sm2.public_of(tmp_path) == public
    key = Sm2Key(public)
    (tmp_path / "key.pem").write_bytes(sm2.public_pem(public))
    for number in range(4):
        data = chance.randbytes(number * 41)
        signature = sm2.sign(tmp_path, data)
        (tmp_path / "data").write_bytes(data)
        (tmp_path / "signature").write_bytes(signature)
        words = ["openssl", "dgst", "-sm3", "-verify", "key.pem", "-sigopt", "distid:1234567812345678"]
        ended = subprocess.run([*words, "-signature", "signature", "data"], cwd=tmp_path, capture_output=True)
        assert ended.returncode == 0
        for changed in (signature, _flipped(signature, chance), signature + b"\0", signature[:-1]):
            holds = changed == signature
            assert sm2.is_signed(key, changed, data) == holds
            assert verify.is_signed_by_sm2(public, changed, data) == holds
        assert not sm2.is_signed(key, signature, data + b"x")
        r, s = SM2(pk=public, uid=IDENTITY, sk=_secret(tmp_path)).sign(data)
        assert key.signed(int.from_bytes(r), int.from_bytes(s), data)


def _flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ chance.randrange(1, 256)]) + data[place + 1 :]


def _secret(folder: Path) -> bytes:
    text = subprocess.run(
        ["openssl", "pkey", "-in", folder / "sm2.pem", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    return text[text.index(b"\4\x20") + 2 :][:32]

"""A package in the hands of an outsider: checked with Python alone, and with sh, coreutils and openssl alone."""

from __future__ import annotations

import ast
import base64
import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.settings import load
from indexer.export import Made
from indexer.exporting import printed
from indexer.exporting.package import verify
from pipeline.edges.log import keys, sm2, tokens
from pipeline.edges.log.witness import Witness
from pipeline.errors import CustodyBroken
from tests.conftest import QUICK
from tests.indexer.packages import make, stamped, with_photo, with_photos, witnessed
from tests.timestamping import Server
from workers.bootstrap import Home, build_home, make_home

# How many changed packages are tried; the full count of the promise is 3,000.
MUTATIONS = 3000 if os.environ.get("CASEREEL_TEST_COUNTS") == "full" else 150
BY_SHELL = 8
PACKAGE = Path(verify.__file__).parent


def exported(folder: Path, count: int, **settings: str) -> Made:
    """A package of so many photos from a home of its own, without a real PDF."""
    with home_in(folder, **settings) as home:
        with_photos(home, folder / "card", count)
        return packed(home, folder / "out")


@contextlib.contextmanager
def home_in(folder: Path, **settings: str) -> Iterator[Home]:
    """A home below the folder while the block runs."""
    chosen = load(folder / "home", {**QUICK, **settings})
    make_home(chosen)
    home = build_home(chosen)
    yield home
    home.close()


def packed(home: Home, to: Path) -> Made:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(printed, "as_pdf", lambda *_: b"%PDF-1.4\n")
        return make(home, to)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    given = Server(folder)
    yield given
    given.server.shutdown()
    given.server.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A timestamp server on loopback."""
    with serving(tmp_path_factory.mktemp("tsa")) as given:
        yield given


@dataclass(frozen=True)
class Attested:
    """A package of three files, with SM2 and SM3: two witnesses saw the first, a timestamp is over the second too."""

    made: Made
    keys: Path
    witnessed: int
    stamped: int


def stamping(server: Server) -> dict[str, str]:
    """Settings of a home that asks this server."""
    return {
        "CASEREEL_AUDIT_TIMESTAMP_URL": server.url, "CASEREEL_AUDIT_TIMESTAMP_CA": str(server.folder / "tsa.pem"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def attested(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Attested:
    folder = tmp_path_factory.mktemp("made")
    settings = {"CASEREEL_VAULT_SM3": "true", "CASEREEL_AUDIT_SM2": "true", **stamping(server)}
    with home_in(folder, **settings) as home:
        with_photo(home, folder / "card", 0)
        seen = witnessed(home, folder / "witness").size
        (home.checkpoints.log / "checkpoint").write_text(home.checkpoints.at(seen).note, "utf-8")
        assert Witness(folder / "other").visit(home.checkpoints.log, accept=_key(home)).cosignature.size == seen
        with_photo(home, folder / "card", 1)
        size = stamped(home)
        with_photo(home, folder / "card", 2)
        return Attested(packed(home, folder / "out"), keys.keys_folder(home.settings), seen, size)


def _key(home: Home) -> str:
    return home.checkpoints.key_changes()[-1].key.fingerprint


@pytest.fixture(scope="module")
def made(attested: Attested) -> Made:
    """The package with second parties."""
    return attested.made


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A package of one file of another home, that nobody else signed anything of."""
    return exported(tmp_path_factory.mktemp("plain"), 1)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A timestamp server of the same name as the bureau's, with a key of its own."""
    with serving(tmp_path_factory.mktemp("stranger")) as given:
        yield given


@pytest.fixture
def bag(made: Made, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    copy = tmp_path / made.bag.name
    shutil.copytree(made.bag, copy)
    for path in copy.rglob("*"):
        path.chmod(0o750 if path.is_dir() else 0o640)
    return copy


def by_shell(bag: Path, *arguments: str, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shell, str(bag / "verify/verify.sh"), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )


def by_python(bag: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The package's own verify.py, which sees no package and no setting of this Python."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(bag / "verify/verify.py"), *arguments],
        capture_output=True, text=True, encoding="utf-8", timeout=120, cwd="/",
    )  # fmt: skip


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_the_shell_says_that_it_is_whole(made: Made, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    ended = by_shell(made.bag, made.key, shell=shell)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (ended.stdout.splitlines()[-1], ended.stderr) == ("WHOLE / 完整", "")
    assert "ok    SM3" in ended.stdout


def test_busybox_says_that_it_is_whole(made: Made, tmp_path: Path) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed; on Debian: apt-get install busybox-static")
    (tmp_path / "bin").mkdir()
    subprocess.run([busybox, "--install", "-s", str(tmp_path / "bin")], check=True)
    openssl = shutil.which("openssl")
    assert openssl is not None
    (tmp_path / "bin/openssl").unlink(missing_ok=True)
    (tmp_path / "bin/openssl").symlink_to(openssl)
    ended = subprocess.run(
        [busybox, "sh", str(made.bag / "verify/verify.sh"), made.key],
        capture_output=True, text=True, encoding="utf-8", timeout=120, env={"PATH": str(tmp_path / "bin")},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["WHOLE / 完整"]), ended.stdout + ended.stderr


def test_python_alone_says_that_it_is_whole(made: Made) -> None:
    ended = by_python(made.bag, "--key", made.key)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert made.key in ended.stdout


def test_the_travelling_python_is_understood_by_python_3_6() -> None:
    source = (PACKAGE / "verify.py").read_text("utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {"base64", "binascii", "csv", "hashlib", "io", "json", "os", "re", "stat", "sys", "time"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def test_signatures_are_judged_as_another_library_judges_them() -> None:
    chance = random.Random(8032)
    for number in range(6):
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        data = chance.randbytes(number * 37)
        signature = private.sign(data)
        assert verify.is_signed(public, signature, data)
        assert not verify.is_signed(public, signature, data + b"\0")
        other = (int.from_bytes(signature[32:], "little") + verify.L).to_bytes(32, "little")
        assert not verify.is_signed(public, signature[:32] + other, data)


# RFC 8032, 7.1, test 3.
def test_the_published_signature_holds() -> None:
    public = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    signature = bytes.fromhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    assert verify.is_signed(public, signature, bytes.fromhex("af82"))


# -- every change is found


Change = Callable[[Path, random.Random], str]


def _some_file(bag: Path, chance: random.Random) -> Path:
    """Any file; every other time one of what second parties and SM2 signed."""
    files = sorted(path for path in bag.rglob("*") if path.is_file())
    if chance.random() < 0.5:
        files = [path for path in files if path.parent.name in ("heads", "keys") or path.name.endswith(".sm2.sig")]
    return chance.choice(files)


def change_a_byte(bag: Path, chance: random.Random) -> str:
    path = _some_file(bag, chance)
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    data[place] ^= chance.randrange(1, 256)
    path.write_bytes(data)
    return f"byte {place} of {path.relative_to(bag)}"


def cut(bag: Path, chance: random.Random) -> str:
    path = _some_file(bag, chance)
    path.write_bytes(path.read_bytes()[:-1])
    return f"cut {path.relative_to(bag)}"


def lengthen(bag: Path, chance: random.Random) -> str:
    path = _some_file(bag, chance)
    path.write_bytes(path.read_bytes() + chance.choice([b"\n", b" ", b"\0", b"x"]))
    return f"lengthened {path.relative_to(bag)}"


def remove(bag: Path, chance: random.Random) -> str:
    path = _some_file(bag, chance)
    path.unlink()
    return f"removed {path.relative_to(bag)}"


def rename(bag: Path, chance: random.Random) -> str:
    path = _some_file(bag, chance)
    path.rename(path.with_name(f"{path.name}{chance.choice(['x', ' ', '.bak'])}"))
    return f"renamed {path.relative_to(bag)}"


def exchange(bag: Path, chance: random.Random) -> str:
    files = sorted(path for path in bag.rglob("*") if path.is_file())
    one = chance.choice(files)
    other = chance.choice([path for path in files if path.read_bytes() != one.read_bytes()])
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return f"exchanged {one.relative_to(bag)} and {other.relative_to(bag)}"


def add(bag: Path, chance: random.Random) -> str:
    folder = chance.choice(sorted(path for path in bag.rglob("*") if path.is_dir()))
    path = folder / chance.choice(["new.txt", ".hidden", "0001_more.jpg", "new\nline", "manifest-sha256.txt", "-x"])
    if chance.random() < 0.2:
        path.mkdir()
    elif chance.random() < 0.2:
        path.symlink_to("/etc/hostname")
    else:
        path.write_bytes(b"x")
    return f"added {path.relative_to(bag)!s}"


def reorder(bag: Path, chance: random.Random) -> str:
    texts = [
        path
        for path in bag.rglob("*")
        if path.is_file() and path.suffix in (".txt", ".csv", ".tlog-proof", ".json", ".note", ".consistency", ".pem")
    ]
    while True:
        path = chance.choice(sorted(texts))
        lines = path.read_bytes().splitlines(keepends=True)
        mixed = list(lines)
        match chance.randrange(3):
            case 0:
                chance.shuffle(mixed)
            case 1:
                mixed.insert(chance.randrange(len(mixed) + 1), chance.choice(lines))
            case _:
                mixed.pop(chance.randrange(len(mixed)))
        if b"".join(mixed) != b"".join(lines):
            path.write_bytes(b"".join(mixed))
            return f"lines of {path.relative_to(bag)}"


CHANGES: tuple[Change, ...] = (change_a_byte, change_a_byte, cut, lengthen, remove, rename, exchange, add, reorder)


def spoiled(made: Made, folder: Path, count: int, seed: int) -> Iterator[tuple[str, Path]]:
    """Copies of the package, each with one change, one after another."""
    chance = random.Random(seed)
    for number in range(count):
        bag = folder / "bag"
        shutil.copytree(made.bag, bag)
        for path in bag.rglob("*"):
            path.chmod(0o750 if path.is_dir() else 0o640)
        said = CHANGES[number % len(CHANGES)](bag, chance)
        yield said, bag
        shutil.rmtree(bag)


def test_every_change_is_found_by_python(made: Made, tmp_path: Path) -> None:
    unseen = [said for said, bag in spoiled(made, tmp_path, MUTATIONS, 10) if verify.check(str(bag), made.key).whole]
    assert unseen == []


def test_every_change_is_found_by_the_shell(made: Made, tmp_path: Path) -> None:
    # The outsider's own copy of the script, as VERIFY.en.txt advises.
    own = shutil.copy(made.bag / "verify/verify.sh", tmp_path / "verify.sh")

    def code(bag: Path) -> int:
        return subprocess.run(["sh", own, made.key, str(bag)], capture_output=True, timeout=120).returncode

    assert code(made.bag) == 0
    count = BY_SHELL * max(1, MUTATIONS // 1000)
    unseen = [said for said, bag in spoiled(made, tmp_path, count, 11) if code(bag) == 0]
    assert unseen == []


def test_a_list_signed_again_with_another_key_is_found(bag: Path) -> None:
    """Whoever changes a file and its digests, and signs with a key of their own, cannot sign the bureau's log."""
    held = next((bag / "data").glob("0001_*"))
    before = subprocess.run(["sha256sum", held], capture_output=True, text=True, check=True).stdout.split()[0]
    held.write_bytes(held.read_bytes() + b"x")
    _renew(bag, "manifest-sha256.txt", before, held)
    _sign_again(bag)
    found = verify.check(str(bag))
    assert {code for code, _ in found.faults} >= {"head"}
    assert by_shell(bag).returncode == 1


def _renew(bag: Path, name: str, before: str, changed: Path) -> None:
    after = subprocess.run(["sha256sum", changed], capture_output=True, text=True, check=True).stdout.split()[0]
    for path in bag.rglob("*"):
        if path.is_file() and before.encode() in path.read_bytes():
            path.write_bytes(path.read_bytes().replace(before.encode(), after.encode()))
    assert after in (bag / name).read_text()


def _sign_again(bag: Path) -> None:
    private = Ed25519PrivateKey.generate()
    (bag / "verify/keys/log.pem").write_bytes(_pem_of(private))
    _list_again(bag, private)


def _pem_of(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip


def _list_again(bag: Path, private: Ed25519PrivateKey) -> bytes:
    """Every tag file is listed with the digest it has now, and the list signed with this key."""
    names = sorted(
        path.relative_to(bag).as_posix() for path in bag.rglob("*")
        if path.is_file() and not path.relative_to(bag).as_posix().startswith(("data/", "tagmanifest", "verify/tagm"))
    )  # fmt: skip
    listed = subprocess.run(["sha256sum", *names], cwd=bag, capture_output=True, check=True).stdout
    (bag / "tagmanifest-sha256.txt").write_bytes(listed)
    (bag / "verify/tagmanifest.ed25519.sig").write_bytes(private.sign(listed))
    return listed


def test_a_whole_package_of_another_log_is_told_by_its_key_only(made: Made, plain: Made) -> None:
    """What nobody can find without a fingerprint: everything rewritten and signed by another log's key."""
    forged = plain
    assert verify.check(str(forged.bag)).whole
    assert verify.check(str(forged.bag), made.key).faults == [("other_key", forged.key)]
    assert by_shell(forged.bag).returncode == 0
    assert by_shell(forged.bag, made.key).returncode == 1
    assert by_python(forged.bag, "--key", made.key).returncode == 1


def test_an_original_exchanged_for_another_of_the_bureau_is_found(bag: Path) -> None:
    """Numbers exchanged in list and manifest do not agree with the events that were signed for."""
    for name in ("0001", "0002"):
        assert (bag / f"verify/events/{name}.jsonl").is_file()
    one, other = bag / "verify/events/0001.jsonl", bag / "verify/events/0002.jsonl"
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    codes = {code for code, _ in verify.check(str(bag)).faults}
    assert {"digest", "proof"} <= codes


def test_a_hundred_files_are_checked_within_a_minute_with_sh_coreutils_and_openssl_alone(
    tmp_path: Path, server: Server
) -> None:
    if shutil.which("bwrap") is None:
        if os.environ.get("CI"):
            pytest.fail("bwrap is not installed; on Debian: apt-get install bubblewrap")
        pytest.skip("bwrap is not installed; on Debian: apt-get install bubblewrap")
    with home_in(tmp_path, CASEREEL_AUDIT_SM2="true", **stamping(server)) as home:
        with_photos(home, tmp_path / "card", 100)
        stamped(home)
        witnessed(home, tmp_path / "witness")
        made = packed(home, tmp_path / "out")
    ended = subprocess.run(
        [*_bare_room(made.bag), "/bin/sh", "/bag/verify/verify.sh", made.key],
        capture_output=True, text=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    if "setting up uid map" in ended.stderr or "No permissions" in ended.stderr:
        pytest.skip("this container may not make rooms with bwrap")
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["WHOLE / 完整"]), ended.stdout + ended.stderr
    assert "100 originals and this export are in the log" in ended.stdout
    assert ended.stdout.count("; 100 of the 100 originals were in it") == 2


def _bare_room(bag: Path) -> list[str]:
    """A room with sh, the programs of coreutils and openssl, their libraries, the package, and no network."""
    tools = (
        "basename",
        "cat",
        "comm",
        "cut",
        "head",
        "ls",
        "mktemp",
        "od",
        "rm",
        "sha256sum",
        "sort",
        "tail",
        "tr",
        "wc",
    )
    binds = ["--ro-bind", str(bag), "/bag", "--tmpfs", "/tmp", "--dir", "/bin", "--dev", "/dev"]
    for name in ("sh", "openssl", "base64", *tools):
        found = shutil.which(name)
        assert found is not None, name
        binds += ["--ro-bind", str(Path(found).resolve()), f"/bin/{name}"]
    for folder in ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ssl/openssl.cnf", "/usr/lib/ssl"):
        if Path(folder).exists():
            binds += ["--ro-bind", str(Path(folder).resolve()), folder]
    return ["bwrap", "--unshare-all", "--clearenv", "--setenv", "PATH", "/bin", *binds, "--chdir", "/bag"]


# -- second parties


def test_both_say_who_else_signed_the_log_and_for_which_originals(attested: Attested) -> None:
    bag, first, second = attested.made.bag, attested.witnessed, attested.stamped
    by = by_shell(bag, attested.made.key).stdout
    assert by.count(f"signed for the first {first} entries of the log at ") == 2
    assert by.count("; 1 of the 3 originals were in it") == by.count("本包 3 件原始文件中有 1 件在其中") == 2
    assert f"ok    a timestamp server signed for the first {second} entries of the log at " in by
    assert "; 2 of the 3 originals were in it" in by
    assert "note  1 originals were taken in later: for them only this bureau's own key proves it" in by
    assert by.count("ok    SM2 signature of ") == 2
    found = verify.check(str(bag), attested.made.key)
    assert [en.partition(" at ")[0].partition(" signed ")[2] for _, en in found.parties] == [
        f"for the first {first} entries of the log"
    ] * 2
    notes = "\n".join(en for _, en in found.notes)
    assert "for 2 originals no witness signed" in notes
    assert f"verify/heads/{second}.note.tsr: not checked here, use verify.sh" in notes
    assert "the SM2 signatures hold" in notes
    assert len(found.keys) == 2
    assert all(key[:64] in by for key, _ in found.keys)


def test_both_say_when_nobody_else_signed(plain: Made) -> None:
    assert not (plain.bag / "verify/heads").exists()
    by = by_shell(plain.bag).stdout
    for said in (by, by_python(plain.bag).stdout):
        assert "no second party has signed: only this bureau's own key proves" in said
    assert "没有第二方签名" in by
    assert "SM2" not in by


def test_the_report_says_in_one_line_who_else_signed(attested: Attested, plain: Made) -> None:
    page = (attested.made.bag / "data/report.html").read_text("utf-8")
    [line] = [line for line in page.splitlines() if "<th>第二方</th>" in line]
    assert line.count(f"为日志前 {attested.witnessed} 条签名") == 2
    assert "时间戳服务器于 20" in line
    assert f"为日志前 {attested.stamped} 条签名；其后入库的 1 件只由本单位自己的密钥证明" in line
    page = (plain.bag / "data/report.html").read_text("utf-8")
    assert "无：没有第二方为日志签名，只由本单位自己的密钥证明" in page


def test_openssl_alone_accepts_the_timestamp_on_the_head_as_it_lies_there(attested: Attested) -> None:
    head = f"verify/heads/{attested.stamped}.note"
    words = ["openssl", "ts", "-verify", "-data", head, "-in", f"{head}.tsr", "-CAfile", "verify/keys/timestamp-ca.pem"]
    said = subprocess.run(words, cwd=attested.made.bag, capture_output=True, text=True)
    assert "Verification: OK" in said.stdout, said.stderr


def seal(bag: Path, attested: Attested) -> None:
    """The bureau itself lists and signs the package again with its own keys, as it lies there now."""
    [path] = attested.keys.glob("ed25519-*.pem")
    private = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    listed = _list_again(bag, private)
    (bag / "verify/tagmanifest.sm2.sig").write_bytes(sm2.sign(attested.keys, listed))


Forge = Callable[[Path, Attested, Path, Server], None]


def head_of(bag: Path, size: int, suffix: str = "note") -> Path:
    return bag / f"verify/heads/{size}.{suffix}"


def no_head(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    for path in (bag / "verify/heads").glob(f"{of.witnessed}.*"):
        path.unlink()


def no_text(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    head_of(bag, of.witnessed).unlink()


def no_proof(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    head_of(bag, of.stamped, "consistency").unlink()


def no_cosignature(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    head_of(bag, of.witnessed, "cosigned.note").unlink()


def no_lines(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    shutil.copy(head_of(bag, of.witnessed), head_of(bag, of.witnessed, "cosigned.note"))


def no_token(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    head_of(bag, of.stamped, "note.tsr").unlink()


def no_witness_key(bag: Path, _: Attested, __: Path, *_others: Server) -> None:
    min((bag / "verify/keys").glob("witness-*")).unlink()


def another_witness_key(bag: Path, _: Attested, __: Path, *_others: Server) -> None:
    min((bag / "verify/keys").glob("witness-*")).write_bytes(_pem_of(Ed25519PrivateKey.generate()))


def the_other_witness_key(bag: Path, _: Attested, __: Path, *_others: Server) -> None:
    one, other = sorted((bag / "verify/keys").glob("witness-*"))
    shutil.copy(one, other)


def swapped_heads(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    one, other = head_of(bag, of.witnessed), head_of(bag, of.stamped)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def swapped_proofs(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    one, other = head_of(bag, of.witnessed, "consistency"), head_of(bag, of.stamped, "consistency")
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def another_size(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    for path in (bag / "verify/heads").glob(f"{of.witnessed}.*"):
        path.rename(path.with_name(f"{of.witnessed + 1}.{path.name.partition('.')[2]}"))


def one_head_more(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    shutil.copy(head_of(bag, of.witnessed), head_of(bag, of.witnessed + 1))


def a_later_time(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    path = head_of(bag, of.witnessed, "cosigned.note")
    *before, last = path.read_text("utf-8").splitlines()
    start, _, encoded = last.rpartition(" ")
    data = bytearray(base64.b64decode(encoded))
    data[11] ^= 1
    path.write_text("\n".join([*before, f"{start} {base64.b64encode(data).decode()}", ""]), "utf-8")


def another_text(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    for suffix in ("note", "cosigned.note"):
        path = head_of(bag, of.witnessed, suffix)
        path.write_bytes(path.read_bytes().replace(b"previous 0", b"previous 1"))


def of_another_log(bag: Path, of: Attested, folder: Path, *_others: Server) -> None:
    """A head of the same size of a log that the same witness saw too, with all that belongs to it."""
    with home_in(folder / "else") as home:
        with_photo(home, folder / "card", 8)
        given = witnessed(home, of.keys.parent / "witness")
        with_photo(home, folder / "card", 9)
        home.checkpoints.sign_head()
        assert given.size == of.witnessed
        note, grown = home.checkpoints.at(given.size), home.checkpoints.growth(given.size)
        head_of(bag, given.size).write_text(note.note, "utf-8")
        cosigned = home.checkpoints.log / "witness" / given.file_name
        shutil.copy(cosigned, head_of(bag, given.size, "cosigned.note"))
        head_of(bag, given.size, "consistency").write_text(grown, "utf-8")


def hashes_of_another_log(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    path = head_of(bag, of.stamped, "consistency")
    top, gap, note = path.read_text("utf-8").partition("\n\n")
    old, *hashes = top.split("\n")
    strange = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in hashes]
    path.write_text("\n".join([old, *strange]) + gap + note, "utf-8")


def token_over_something_else(bag: Path, of: Attested, __: Path, stranger: Server) -> None:
    given = stamp_by(stranger, b"something else")
    head_of(bag, of.stamped, "note.tsr").write_bytes(given)
    shutil.copy(stranger.folder / "tsa.pem", bag / "verify/keys/timestamp-ca.pem")


def no_sm2_key(bag: Path, _: Attested, __: Path, *_others: Server) -> None:
    (bag / "verify/keys/log-sm2.pem").unlink()


def another_sm2_key(bag: Path, _: Attested, folder: Path, *_others: Server) -> None:
    public = sm2.make(folder / "sm2")
    (bag / "verify/keys/log-sm2.pem").write_bytes(sm2.public_pem(public))
    note = (bag / "verify/checkpoint.note").read_bytes()
    (bag / "verify/checkpoint.note.sm2.sig").write_bytes(sm2.sign(folder / "sm2", note))


def sm2_over_something_else(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    (bag / "verify/checkpoint.note.sm2.sig").write_bytes(sm2.sign(of.keys, b"something else"))


def no_certificate(bag: Path, _: Attested, __: Path, *_others: Server) -> None:
    (bag / "verify/keys/timestamp-ca.pem").unlink()


# What only openssl sees, and so the shell's check alone.


def token_of_a_stranger(bag: Path, of: Attested, __: Path, stranger: Server) -> None:
    """Over the right head, by somebody of the same name."""
    given = stamp_by(stranger, head_of(bag, of.stamped).read_bytes())
    head_of(bag, of.stamped, "note.tsr").write_bytes(given)


def signature_of_the_token(bag: Path, of: Attested, _: Path, *_others: Server) -> None:
    path = head_of(bag, of.stamped, "note.tsr")
    data = path.read_bytes()
    path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])


def certificate_of_a_stranger(bag: Path, _: Attested, __: Path, stranger: Server) -> None:
    shutil.copy(stranger.folder / "tsa.pem", bag / "verify/keys/timestamp-ca.pem")


def stamp_by(stranger: Server, data: bytes) -> bytes:
    """The answer of this timestamp server about the data."""
    return tokens.ask(stranger.url, data, "sha256", stranger.folder / "tsa.pem")[0]


BOTH_SEE: tuple[Forge, ...] = (
    no_head, no_text, no_proof, no_cosignature, no_lines, no_token, no_witness_key, another_witness_key,
    the_other_witness_key, swapped_heads, swapped_proofs, another_size, one_head_more, a_later_time, another_text,
    of_another_log, hashes_of_another_log, token_over_something_else, no_certificate, no_sm2_key, another_sm2_key,
    sm2_over_something_else,
)  # fmt: skip
SHELL_SEES: tuple[Forge, ...] = (token_of_a_stranger, signature_of_the_token, certificate_of_a_stranger)


@pytest.mark.parametrize("forge", [*BOTH_SEE, *SHELL_SEES], ids=lambda forge: forge.__name__)
def test_what_the_bureau_itself_forges_of_others_signatures_is_found(
    attested: Attested, bag: Path, tmp_path: Path, forge: Forge, stranger: Server
) -> None:
    """The package is listed and signed anew with the real keys; only what others signed stands against it."""
    forge(bag, attested, tmp_path, stranger)
    seal(bag, attested)
    found = verify.check(str(bag), attested.made.key)
    assert bool(found.faults) == (forge in BOTH_SEE), found.faults
    assert not {code for code, _ in found.faults} & {"digest", "signature", "lost"} or forge is no_certificate
    ended = by_shell(bag, attested.made.key)
    assert ended.returncode == 1, ended.stdout
    assert "ok    signature of tagmanifest-sha256.txt" in ended.stdout


def test_a_package_sealed_again_as_it_was_is_whole(attested: Attested, bag: Path) -> None:
    """So that what the other tests find is not the sealing."""
    seal(bag, attested)
    assert verify.check(str(bag), attested.made.key).whole
    assert by_shell(bag, attested.made.key).returncode == 0


def test_every_flipped_byte_of_what_others_signed_is_found_though_the_bureau_signed_it_again(
    attested: Attested, bag: Path
) -> None:
    chance, unseen = random.Random(14), []
    own = shutil.copy(bag / "verify/verify.sh", bag.parent / "verify.sh")
    files = sorted([*(bag / "verify/heads").iterdir(), bag / "verify/checkpoint.note.sm2.sig"])
    for path in files:
        data = path.read_bytes()
        for number in range(max(2, MUTATIONS // 100)):
            place = chance.randrange(len(data))
            path.write_bytes(data[:place] + bytes([data[place] ^ chance.randrange(1, 256)]) + data[place + 1 :])
            seal(bag, attested)
            if path.suffix != ".tsr" and verify.check(str(bag)).whole:
                unseen.append((path.name, place, "python"))
            if number == 1 and path.suffix != ".tsr":
                ended = subprocess.run(["sh", own, attested.made.key, str(bag)], capture_output=True, timeout=120)
                if ended.returncode == 0:
                    unseen.append((path.name, place, "shell"))
        path.write_bytes(data)
    assert unseen == []


def test_a_timestamp_is_judged_by_the_time_it_was_given(tmp_path: Path) -> None:
    """The server's certificate ran out since; as of the time it states it was valid, and that is what counts."""
    if shutil.which("faketime") is None:
        if os.environ.get("CI"):
            pytest.fail("faketime is not installed; on Debian: apt-get install faketime")
        pytest.skip("faketime is not installed; on Debian: apt-get install faketime")
    (tmp_path / "tsa").mkdir()
    server = Server(tmp_path / "tsa", days=1)
    with home_in(tmp_path, **stamping(server)) as home:
        with_photo(home, tmp_path / "card", 0)
        stamped(home)
        made = packed(home, tmp_path / "out")
    server.server.shutdown()
    server.server.server_close()
    ended = subprocess.run(
        ["faketime", "-f", "+400d", "sh", made.bag / "verify/verify.sh", made.key], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout
    assert "a timestamp server signed for the first" in ended.stdout


def test_the_earliest_head_of_each_second_party_is_chosen(tmp_path: Path, server: Server) -> None:
    with home_in(tmp_path, **stamping(server)) as home:
        with_photo(home, tmp_path / "card", 0)
        first = stamped(home)
        later = witnessed(home, tmp_path / "witness").size
        home.tell("search")
        stamped(home)
        witnessed(home, tmp_path / "witness")
        made = packed(home, tmp_path / "out")
        assert [head.size for head in made.heads] == [first, later]
        assert (made.attested, verify.check(str(made.bag)).faults) == (1, [])
        home.checkpoints.rotate("yearly")
        made = packed(home, tmp_path / "more")
        assert [head.size for head in made.heads] == [first, later]
        assert verify.check(str(made.bag)).whole
        assert by_shell(made.bag, made.key).returncode == 0


def test_a_head_that_others_signed_and_that_the_log_does_not_begin_with_stops_the_export(tmp_path: Path) -> None:
    with home_in(tmp_path) as home, home_in(tmp_path / "else") as other:
        with_photo(home, tmp_path / "card", 0)
        with_photo(other, tmp_path / "card", 7)
        given = witnessed(other, tmp_path / "witness")
        assert witnessed(home, tmp_path / "mine").size == given.size
        home.checkpoints.sign_head()
        theirs, ours = other.checkpoints.log, home.checkpoints.log
        for name in (
            f"witness/{given.file_name}",
            f"witness/{given.key.id.hex()}.vkey",
            f"checkpoints/{given.size}.note",
        ):
            shutil.copy(theirs / name, ours / name)
        with pytest.raises(CustodyBroken, match="not the beginning of this log"):
            packed(home, tmp_path / "out")
        assert list((tmp_path / "out").iterdir()) == []


def test_timestamps_count_only_where_it_is_set_whose_are_believed(tmp_path: Path, server: Server) -> None:
    with home_in(tmp_path, **stamping(server)) as home:
        with_photo(home, tmp_path / "card", 0)
        stamped(home)
    unset = build_home(load(tmp_path / "home", QUICK))
    made = packed(unset, tmp_path / "out")
    unset.close()
    assert (made.heads, verify.check(str(made.bag)).faults) == ((), [])


def test_what_does_not_hold_is_no_second_party(tmp_path: Path, server: Server) -> None:
    with home_in(tmp_path, **stamping(server)) as home:
        with_photo(home, tmp_path / "card", 0)
        size = stamped(home)
        token = home.checkpoints.folder / f"{size}.note.tsr"
        token.write_bytes(token.read_bytes()[:-9])
        given = witnessed(home, tmp_path / "witness")
        path = home.checkpoints.log / "witness" / given.file_name
        path.write_bytes(path.read_bytes()[:-12] + b"AAAAAAAAAA==\n")
        assert packed(home, tmp_path / "out").heads == ()

"""A package in the hands of an outsider: checked with Python alone, and with sh, coreutils and openssl alone."""

from __future__ import annotations

import ast
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.settings import load
from indexer.export import Made
from indexer.exporting import printed
from indexer.exporting.package import verify
from tests.conftest import QUICK
from tests.indexer.packages import make, with_photos
from workers.bootstrap import build_home, make_home

# How many changed packages are tried; the full count of the promise is 3,000.
MUTATIONS = int(os.environ.get("EXPORT_MUTATIONS", "150"))
BY_SHELL = 8
PACKAGE = Path(verify.__file__).parent


def exported(folder: Path, count: int, **settings: str) -> Made:
    """A package of so many photos from a home of its own, without a real PDF."""
    chosen = load(folder / "home", {**QUICK, **settings})
    make_home(chosen)
    home = build_home(chosen)
    with_photos(home, folder / "card", count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(printed, "as_pdf", lambda *_: b"%PDF-1.4\n")
        made = make(home, folder / "out")
    home.close()
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A package of three files, with SM3."""
    return exported(tmp_path_factory.mktemp("made"), 3, CASEREEL_VAULT_SM3="true")


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
    assert imported <= {"base64", "binascii", "csv", "hashlib", "io", "json", "os", "re", "stat", "sys"}
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
    return chance.choice(sorted(path for path in bag.rglob("*") if path.is_file()))


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
        path for path in bag.rglob("*") if path.is_file() and path.suffix in (".txt", ".csv", ".tlog-proof", ".json")
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
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    (bag / "verify/keys/log.pem").write_bytes(pem)
    names = sorted(
        path.relative_to(bag).as_posix() for path in bag.rglob("*")
        if path.is_file() and not path.relative_to(bag).as_posix().startswith(("data/", "tagmanifest", "verify/tagm"))
    )  # fmt: skip
    listed = subprocess.run(["sha256sum", *names], cwd=bag, capture_output=True, check=True).stdout
    (bag / "tagmanifest-sha256.txt").write_bytes(listed)
    (bag / "verify/tagmanifest.ed25519.sig").write_bytes(private.sign(listed))
    assert verify.is_signed(private.public_key().public_bytes_raw(), private.sign(listed), listed)


def test_a_whole_package_of_another_log_is_told_by_its_key_only(made: Made, tmp_path: Path) -> None:
    """What nobody can find without a fingerprint: everything rewritten and signed by another log's key."""
    forged = exported(tmp_path, 1)
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


def test_a_hundred_files_are_checked_within_a_minute_with_sh_coreutils_and_openssl_alone(tmp_path: Path) -> None:
    if shutil.which("bwrap") is None:
        if os.environ.get("CI"):
            pytest.fail("bwrap is not installed; on Debian: apt-get install bubblewrap")
        pytest.skip("bwrap is not installed; on Debian: apt-get install bubblewrap")
    made = exported(tmp_path, 100)
    ended = subprocess.run(
        [*_bare_room(made.bag), "/bin/sh", "/bag/verify/verify.sh", made.key],
        capture_output=True, text=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    if "setting up uid map" in ended.stderr or "No permissions" in ended.stderr:
        pytest.skip("this container may not make rooms with bwrap")
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["WHOLE / 完整"]), ended.stdout + ended.stderr
    assert "100 originals and this export are in the log" in ended.stdout


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

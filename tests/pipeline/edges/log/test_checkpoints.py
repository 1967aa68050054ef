from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import Settings
from pipeline.custody import notes
from pipeline.custody.tree import Tree, leaf_hash, verify_consistency, verify_inclusion
from pipeline.edges.log import keys
from pipeline.edges.log.checkpoints import Checkpoint
from pipeline.errors import BadInput, CustodyBroken, TryAgain
from tests.homes import make_home
from workers.bootstrap import Home, build_home


def grow(home: Home, count: int = 1) -> None:
    for number in range(count):
        home.tell("search", facts={"query": f"拆除 {number}"})


def signed(home: Home) -> Checkpoint:
    checkpoint = home.checkpoints.sign_head()
    assert checkpoint is not None
    return checkpoint


def leaves(home: Home) -> list[bytes]:
    return [leaf_hash(line.encode()) for line in home.audit.lines()]


def test_a_signed_head_is_over_every_line_and_openssl_accepts_its_signature(home: Home, tmp_path: Path) -> None:
    grow(home, 3)
    checkpoint = signed(home)
    assert checkpoint.size == len(leaves(home)) == 5  # made, three searches, the key
    assert checkpoint.root == Tree(leaves(home)).root()
    note = notes.read_note(checkpoint.path.read_bytes())
    (tmp_path / "text").write_text(note.text)
    (tmp_path / "signature").write_bytes(note.signatures[0].data)
    [pem] = (home.settings.home / "log" / "keys").glob("*.pem")
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", pem, "-rawin", "-in", tmp_path / "text"]
    ended = subprocess.run([*command, "-sigfile", tmp_path / "signature"], capture_output=True, text=True)
    assert "Verified Successfully" in ended.stdout
    assert (home.settings.home / "log" / "checkpoint").read_text() == checkpoint.note


def test_nothing_new_is_not_signed_again(home: Home) -> None:
    first = signed(home)
    assert signed(home) == first
    grow(home)
    assert signed(home).size == first.size + 1
    assert [one.size for one in home.checkpoints.all()] == [first.size, first.size + 1]


def test_the_private_key_lies_apart_from_the_home_and_only_its_owner_reads_it(sqlite_home: Home) -> None:
    signed(sqlite_home)
    folder = sqlite_home.settings.home.with_name("home-keys")
    [file] = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "PRIVATE" in file.read_text()
    inside = [path for path in sqlite_home.settings.home.rglob("*") if path.is_file()]
    assert not [path for path in inside if b"PRIVATE KEY" in path.read_bytes()]


def test_a_proof_leads_from_a_line_to_the_signed_root(home: Home) -> None:
    grow(home, 9)
    checkpoint = signed(home)
    lines = list(home.audit.lines())
    for seq in range(1, checkpoint.size + 1):
        index, path, note = notes.read_proof(home.checkpoints.proof(seq))
        assert (index, note.whole) == (seq - 1, checkpoint.note)
        assert verify_inclusion(leaf_hash(lines[index].encode()), index, checkpoint.size, path, checkpoint.root)
    with pytest.raises(BadInput):
        home.checkpoints.proof(checkpoint.size + 1)


def test_signing_reads_tiles_and_grows_them_over_their_bounds(sqlite_home: Home) -> None:
    home = sqlite_home
    roots = {}
    for count in (250, 4, 1, 1, 300, 260):
        with home.catalog.transaction() as connection:
            from pipeline.edges.audit import NewEvent

            numbers = home.audit.record(connection, [NewEvent(type="search", actor="t")] * count)
        home.audit.make_durable(numbers[-1])
        roots[signed(home).size] = signed(home).root
    tree = Tree(leaves(home))
    assert {size: tree.root(size) for size in roots} == roots
    assert list(roots) == [252, 256, 257, 258, 558, 818]
    old = 257
    assert verify_consistency(old, roots[old], 818, roots[818], home.checkpoints.consistency(old))
    found = {
        path.relative_to(home.settings.home / "log" / "tile").as_posix() for path in home.checkpoints.tiles.files()
    }
    assert found == {"0/000", "0/001", "0/002", "0/003.p/50", "1/000.p/1", "1/000.p/2", "1/000.p/3"}


def test_a_damaged_tile_is_made_again_and_never_signed_for(sqlite_home: Home) -> None:
    grow(sqlite_home, 5)
    signed(sqlite_home)
    for tile in sqlite_home.checkpoints.tiles.files():
        tile.write_bytes(os.urandom(32) + tile.read_bytes()[32:])
    grow(sqlite_home)
    checkpoint = signed(sqlite_home)
    assert checkpoint.root == Tree(leaves(sqlite_home)).root()


@pytest.mark.parametrize("how", ["changed", "cut"])
def test_a_rewritten_log_is_not_signed(make_settings: Callable[..., Settings], how: str) -> None:
    settings = make_settings()
    make_home(settings)
    home = build_home(settings)
    grow(home, 4)
    signed(home)
    grow(home)
    [file] = home.audit.files()
    lines = file.read_bytes().splitlines(keepends=True)
    if how == "changed":
        lines[2] = lines[2].replace(b"search", b"nought")
        file.write_bytes(b"".join(lines))
        for tile in home.checkpoints.tiles.files():
            tile.unlink()
    else:
        home.catalog.close()
        file.write_bytes(b"".join(lines[:3]))
    home = build_home(settings)
    home.audit.make_durable = lambda _: None  # type: ignore[method-assign]
    with pytest.raises(CustodyBroken):
        home.checkpoints.sign_head()
    home.close()


def test_a_rotated_key_is_vouched_for_by_the_old_one_which_is_gone(sqlite_home: Home) -> None:
    first = signed(sqlite_home)
    old = keys.signer(sqlite_home.settings)
    second = sqlite_home.checkpoints.rotate("yearly")
    new = keys.signer(sqlite_home.settings)
    assert new.key != old.key
    assert second.parsed.signatures[0].key_id == new.key.id
    assert first.parsed.signatures[0].key_id == old.key.id
    told = sqlite_home.checkpoints.key_changes()[-1]
    assert told.signature is not None
    assert keys.is_signed(old.key, told.signature, keys.statement(new.key, "rotation", "yearly"))
    [left] = keys.keys_folder(sqlite_home.settings).iterdir()
    assert new.key.id.hex() in left.name


def test_a_lost_key_is_named_with_what_to_do_and_replaced_only_with_a_reason(sqlite_home: Home) -> None:
    signed(sqlite_home)
    [private] = keys.keys_folder(sqlite_home.settings).iterdir()
    private.unlink()
    grow(sqlite_home)
    with pytest.raises(TryAgain, match="rotate-key --lost"):
        sqlite_home.checkpoints.sign_head()
    with pytest.raises(BadInput):
        sqlite_home.checkpoints.rotate("", lost=True)
    sqlite_home.checkpoints.rotate("the stick broke", lost=True)
    told = json.loads(sqlite_home.catalog.events_of_type(["log.key"])[-1])
    assert (told["facts"]["why"], told["facts"]["reason"]) == ("lost", "the stick broke")
    assert told["facts"]["signature"] is None
    assert signed(sqlite_home).parsed.signatures[0].key_id == keys.signer(sqlite_home.settings).key.id


def test_a_signed_note_of_another_maker_is_read_and_its_key_has_the_published_id() -> None:
    """The example of C2SP signed-note."""
    key = notes.read_key("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    text = (
        "This is an example message.\n\n\u2014 example.com/foo "
        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    )
    note = notes.read_note(text.encode())
    assert note.signatures[0].key_id == key.id
    assert keys.is_signed(key, note.signatures[0].data, note.text.encode())
    assert not keys.is_signed(key, note.signatures[0].data, b"This is another message.\n")


@pytest.mark.parametrize("spoil", [
    lambda text: text[:-1], lambda text: text.replace("\n\n", "\n"), lambda text: text.replace("aQM=", "aQN="),
    lambda text: text.replace("\u2014", "-"), lambda text: text + "more\n", lambda text: "\t" + text,
], ids=["no newline", "no gap", "other spelling", "no dash", "more", "control"])  # fmt: skip
def test_what_is_not_written_as_a_note_is_refused(spoil: Callable[[str], str]) -> None:
    text = f"text\n\n\u2014 a {base64.b64encode(bytes(66) + bytes([3]))[:-4].decode()}aQM=\n"
    assert notes.read_note(text.encode()).text == "text\n"
    with pytest.raises(ValueError, match=r"it|line"):
        notes.read_note(spoil(text).encode())

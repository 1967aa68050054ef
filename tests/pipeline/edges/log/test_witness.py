"""G12: an administrator who holds key and disk rewrites history and signs it again; the witness finds it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, load
from pipeline.custody import notes
from pipeline.custody.notes import ED25519, Head, Note, PublicKey, Signature
from pipeline.custody.tree import Tree, leaf_hash
from pipeline.edges.log import keys
from pipeline.edges.log.countersigning import Countersignature
from pipeline.edges.log.keys import Signer
from pipeline.edges.log.tiles import Tiles
from pipeline.edges.log.witness import Visit, Witness
from pipeline.errors import CasereelError, CustodyBroken, NotAllowed, TryAgain
from tests.conftest import QUICK
from tests.homes import make_home
from workers.bootstrap import Home, build_home
from workers.rebuild import rebuild_catalog

FORGERIES = 1_000 if os.environ.get("CASEREEL_TEST_COUNTS") == "full" else 100


def grow(home: Home, count: int) -> None:
    from pipeline.edges.audit import NewEvent

    with home.catalog.transaction() as connection:
        events = [NewEvent(type="search", actor="t", facts={"query": f"拆除 {n}"}) for n in range(count)]
        numbers = home.audit.record(connection, events)
    home.audit.make_durable(numbers[-1])


def fingerprint(home: Home) -> str:
    return home.checkpoints.key_changes()[-1].key.fingerprint


def first_visit(home: Home, folder: Path) -> Visit:
    home.checkpoints.sign_head()
    return Witness(folder).visit(home.checkpoints.log, accept=fingerprint(home))


@dataclass(frozen=True)
class Seen:
    """A log that a witness saw whole, and that grew since. witness: its folder; size: what it saw."""

    home: Home
    witness: Path
    size: int

    @property
    def signer(self) -> Signer:
        return keys.signer(self.home.settings)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.home.audit.lines()]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("seen")
    settings = load(folder / "home", QUICK)
    make_home(settings)
    home = build_home(settings)
    grow(home, 40)
    visit = first_visit(home, folder / "witness")
    grow(home, 20)
    home.checkpoints.sign_head()
    yield Seen(home, folder / "witness", visit.cosignature.size)
    home.close()


def forge(log: Path, lines: list[dict[str, Any]], signer: Signer) -> Signer:
    """A log of these entries, chained, hashed and signed anew with the real key: whole in itself."""
    written, previous = [], "0" * 64
    for number, line in enumerate(lines, 1):
        if number == 2:
            signer = Signer(PublicKey(keys.name_of_log(written[0]), ED25519, signer.key.public), signer.private)
        if line["type"] == "log.key":
            line = {**line, "facts": {**line["facts"], "key": signer.key.text}}
        text = json.dumps({**line, "seq": number, "prev": previous}, sort_keys=True, separators=(",", ":")).encode()
        written.append(text)
        previous = hashlib.sha256(text + b"\n").hexdigest()
    shutil.rmtree(log, ignore_errors=True)
    log.mkdir(parents=True)
    (log / "events-000001.jsonl").write_bytes(b"".join(line + b"\n" for line in written))
    leaves = [leaf_hash(line) for line in written]
    Tiles(log / "tile").extend(0, leaves)
    head = Head(signer.name, len(leaves), Tree(leaves).root())
    note = Note(head.text, (Signature(signer.name, signer.key.id, signer.sign(head.text.encode())),))
    (log / "checkpoint").write_text(note.whole, encoding="utf-8")
    return signer


def change(lines: list[dict[str, Any]], place: int, chance: random.Random) -> None:
    lines[place] = {**lines[place], "actor": f"nobody {chance.random()}"}


def drop(lines: list[dict[str, Any]], place: int, _: random.Random) -> None:
    del lines[place]


def insert(lines: list[dict[str, Any]], place: int, chance: random.Random) -> None:
    lines.insert(place, {**chance.choice(lines), "type": "export"})


def reorder(lines: list[dict[str, Any]], place: int, chance: random.Random) -> None:
    other = chance.choice([n for n in range(len(lines)) if n != place])
    lines[place], lines[other] = lines[other], lines[place]


def test_every_forged_history_is_found_and_the_first_forged_entry_named(seen: Seen, tmp_path: Path) -> None:
    chance, unforged, unfound = random.Random(12), [], []
    for number in range(FORGERIES):
        lines = seen.lines
        how = chance.choice((change, drop, insert, reorder))
        # The entry that tells of the key has to stay what it is, or the forger could not sign.
        place = chance.choice([n for n in range(seen.size) if lines[n]["type"] != "log.key"])
        before = list(lines)
        how(lines, place, chance)
        if not any(line["type"] == "log.key" for line in lines):
            continue
        expected = next(n for n, line in enumerate(before) if n >= len(lines) or line != lines[n])
        log = tmp_path / "log"
        signer = forge(log, lines, seen.signer)
        # Nothing in itself shows the forgery: a witness that never saw the log takes it for whole.
        if Witness(tmp_path / f"stranger{number}").visit(log, accept=signer.key.fingerprint).before != 0:
            unforged.append((number, how.__name__, place))
        shutil.rmtree(log / "witness")
        witness = tmp_path / "witness"
        shutil.copytree(seen.witness, witness, dirs_exist_ok=True)
        try:
            Witness(witness).visit(log)
        except CustodyBroken as error:
            if error.fields.get("first_changed") != expected + 1:
                unfound.append((number, how.__name__, place, str(error)))
        except NotAllowed as error:
            if expected != 0 or "rewritten" not in str(error):
                unfound.append((number, how.__name__, place, str(error)))
        else:
            unfound.append((number, how.__name__, place, "accepted"))
        if list((log / "witness").glob("*")):
            unfound.append((number, how.__name__, place, "signed"))
    assert (unforged, unfound) == ([], [])


def test_an_honest_log_that_grew_is_signed_for(seen: Seen, tmp_path: Path) -> None:
    shutil.copytree(seen.witness, tmp_path / "witness")
    shutil.copytree(seen.home.checkpoints.log, tmp_path / "log")
    visit = Witness(tmp_path / "witness").visit(tmp_path / "log")
    assert visit.before == seen.size < visit.cosignature.size
    assert visit.cosignature.holds_for(notes.read_note(visit.note.encode()).text)


def test_a_cut_log_is_named(seen: Seen, tmp_path: Path) -> None:
    shutil.copytree(seen.witness, tmp_path / "witness")
    shutil.copytree(seen.home.checkpoints.log, tmp_path / "log")
    size = Witness(tmp_path / "witness").visit(tmp_path / "log").cosignature.size
    forge(tmp_path / "log", seen.lines[: size - 5], seen.signer)
    with pytest.raises(CustodyBroken, match=f"has {size - 5} entries, and {size} were seen"):
        Witness(tmp_path / "witness").visit(tmp_path / "log")


def test_an_older_head_is_named(seen: Seen, tmp_path: Path) -> None:
    shutil.copytree(seen.witness, tmp_path / "witness")
    shutil.copytree(seen.home.checkpoints.log, tmp_path / "log")
    Witness(tmp_path / "witness").visit(tmp_path / "log")
    shutil.copy(tmp_path / "log" / "checkpoints" / f"{seen.size}.note", tmp_path / "log" / "checkpoint")
    with pytest.raises(CustodyBroken, match="an older one was put in its place"):
        Witness(tmp_path / "witness").visit(tmp_path / "log")


def test_a_whole_home_forged_with_its_catalog_rebuilt_holds_for_verify_and_not_for_the_witness(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings()
    make_home(settings)
    home = build_home(settings)
    grow(home, 5)
    first_visit(home, tmp_path / "witness")
    lines, signer, log = [json.loads(line) for line in home.audit.lines()], keys.signer(settings), home.checkpoints.log
    home.close()
    lines[2]["actor"] = "nobody"
    forge(log, lines, signer)
    rebuild_catalog(settings)
    home = build_home(settings)
    home.checkpoints.sign_head()
    (log / "checkpoint").write_bytes(next(home.checkpoints.all()).path.read_bytes())
    assert home.check_log(grace_s=0.0).faults == ()
    with pytest.raises(CustodyBroken, match="entry 3 is not the one that was seen"):
        Witness(tmp_path / "witness").visit(log)
    home.close()


def test_a_log_seen_for_the_first_time_needs_a_person_to_vouch_for_its_key(sqlite_home: Home, tmp_path: Path) -> None:
    log = sqlite_home.checkpoints.log
    with pytest.raises(TryAgain, match="no signed log"):
        Witness(tmp_path / "witness").visit(log)
    sqlite_home.checkpoints.sign_head()
    for wrong in ("", "0" * 64):
        with pytest.raises(NotAllowed, match=fingerprint(sqlite_home)):
            Witness(tmp_path / "witness").visit(log, accept=wrong)
    assert not (log / "witness").exists()
    Witness(tmp_path / "witness").visit(log, accept=fingerprint(sqlite_home))


def test_a_rotated_key_is_followed_and_a_replaced_one_needs_a_person(sqlite_home: Home, tmp_path: Path) -> None:
    home, witness = sqlite_home, Witness(tmp_path / "witness")
    first_visit(home, tmp_path / "witness")
    home.checkpoints.rotate("yearly")
    witness.visit(home.checkpoints.log)
    home.checkpoints.rotate("the stick broke", lost=True)
    with pytest.raises(NotAllowed, match="the stick broke"):
        witness.visit(home.checkpoints.log)
    witness.visit(home.checkpoints.log, accept=fingerprint(home))


def test_a_damaged_memory_is_no_memory(seen: Seen, tmp_path: Path) -> None:
    shutil.copytree(seen.witness, tmp_path / "witness")
    [leaves] = (tmp_path / "witness").glob("*/leaves")
    leaves.write_bytes(b"\0" * leaves.stat().st_size)
    with pytest.raises(CasereelError, match="damaged"):
        Witness(tmp_path / "witness").visit(seen.home.checkpoints.log)


def test_the_published_cosignature_is_read_and_its_message_is_the_published_one() -> None:
    """The example of C2SP tlog-cosignature."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    line = "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA=="
    note = notes.read_note(f"{text}\n\u2014 witness.example.com/w1 {line}\n".encode())
    at_s, signature = notes.read_cosignature(note.signatures[0].data)
    assert at_s == 1679315147
    assert notes.cosigned_message(note.text, at_s) == f"cosignature/v1\ntime 1679315147\n{text}".encode()
    key = PublicKey("witness.example.com/w1", notes.COSIGNATURE, bytes(32))
    assert Countersignature(20852163, key, at_s, signature).line.data == note.signatures[0].data

"""`log` and `witness` as a person runs them: results, exit codes, refusals in both languages."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.custody import notes
from pipeline.custody.tree import Tree, leaf_hash, verify_inclusion
from tests.conftest import QUICK
from workers.bootstrap import Home
from workers.cli import run

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def at(sqlite_home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs a command of that home in this process: (exit code, what it printed, what it said beside)."""
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CASEREEL_HOME", str(sqlite_home.settings.home))

    def ran(*arguments: object) -> tuple[int, str, str]:
        code = run([str(one) for one in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def test_the_head_is_signed_shown_proved_and_signed_for_by_a_witness(
    sqlite_home: Home, casereel: Run, at: Callable[..., Any], tmp_path: Path
) -> None:
    shown = casereel("log", "head", "--json")
    assert (shown.returncode, shown.stderr) == (0, "")
    told = json.loads(shown.stdout)
    lines = [line.encode() for line in sqlite_home.audit.lines()]
    assert (told["size"], told["root"]) == (len(lines), Tree(map(leaf_hash, lines)).root().hex())
    assert (told["second_party"]["up_to"], told["faults"]) == (0, [])
    [key] = told["keys"]

    code, proved, _ = at("log", "proof", "1")
    index, path, note = notes.read_proof(proved)
    head = notes.read_head(note.text)
    assert code == 0
    assert verify_inclusion(leaf_hash(lines[0]), index, head.size, path, head.root)

    code, out, err = at("witness", tmp_path / "stick")
    assert (code, out) == (5, "")
    assert f"--accept {key['fingerprint']}" in err
    seen = casereel("witness", tmp_path / "stick", "--accept", key["fingerprint"], "--name", "市局督察", "--json")
    assert seen.returncode == 0, seen.stderr
    given = json.loads(seen.stdout)
    assert (given["witness"], given["seen_before"], given["size"]) == ("市局督察", 0, told["size"])
    again = json.loads(at("log", "head", "--json")[1])
    assert [(one["by"], one["size"]) for one in again["countersigned"]] == [("市局督察", told["size"])]
    assert again["second_party"]["up_to"] == told["size"]


def test_the_printed_head_names_size_root_and_key(sqlite_home: Home, at: Callable[..., Any], tmp_path: Path) -> None:
    code, out, _ = at("log", "print", "--to", tmp_path / "head.svg", "--json")
    told = json.loads(out)
    latest = sqlite_home.checkpoints.latest()
    assert latest is not None
    assert (code, told["size"], told["root"]) == (0, latest.size, latest.root.hex())
    assert told["fingerprint"] == sqlite_home.checkpoints.key_changes()[-1].key.fingerprint
    assert (tmp_path / "head.svg").read_bytes().startswith(b"<?xml")
    code, out, _ = at("log", "print", "--lang", "zh")
    assert code == 0
    assert "密钥指纹" in out
    assert "▄" in out


def test_the_key_is_changed_and_a_lost_one_needs_a_reason(sqlite_home: Home, at: Callable[..., Any]) -> None:
    at("log", "head")
    first = sqlite_home.checkpoints.key_changes()[-1].key.fingerprint
    code, out, _ = at("log", "rotate-key", "--reason", "每年更换", "--json")
    told = json.loads(out)
    assert (code, told["why"]) == (0, "rotation")
    assert told["fingerprint"] != first
    assert [one.reason for one in sqlite_home.checkpoints.key_changes()] == ["", "每年更换"]
    code, _, err = at("log", "rotate-key", "--lost", "--lang", "zh")
    assert (code, err) == (2, "casereel: 没有旧密钥签名而更换密钥，须说明理由：--reason\n")
    code, out, _ = at("log", "rotate-key", "--lost", "--reason", "U盘丢失", "--lang", "zh")
    assert code == 0
    assert "起使用新密钥" in out
    code, out, _ = at("log", "head", "--lang", "zh")
    assert "丢失后更换" in out
    assert "because that one was lost: U盘丢失" in out


@pytest.mark.parametrize(
    ("lang", "sentence"), [("zh", "第 99 条尚未签名"), ("en", "Entry 99 is not under a checkpoint yet")]
)
def test_a_proof_of_what_is_not_there_is_refused(
    sqlite_home: Home, at: Callable[..., Any], lang: str, sentence: str
) -> None:
    code, out, err = at("log", "proof", "99", "--lang", lang)
    assert (code, out) == (2, "")
    assert err.startswith(f"casereel: {sentence}")
    assert sqlite_home.checkpoints.sizes()


@pytest.mark.parametrize(
    ("lang", "sentences"),
    [
        ("zh", ("本见证人从未见过日志", "日志被重写过：第 1 条已不是", "中没有已签名的日志")),
        (
            "en",
            ("This witness has never seen the log", "rewritten: entry 1 is not", "There is no signed log"),
        ),
    ],
)
def test_a_witness_says_why_it_refuses(
    sqlite_home: Home, at: Callable[..., Any], tmp_path: Path, lang: str, sentences: tuple[str, str, str]
) -> None:
    stick = tmp_path / "stick"
    code, _, err = at("--lang", lang, "witness", stick)
    assert (code, sentences[0] in err) == (5, True), err
    key = sqlite_home.checkpoints.key_changes()[-1].key.fingerprint
    assert at("--lang", lang, "witness", stick, "--accept", key)[0] == 0
    [leaves] = stick.glob("*/leaves")
    seen = next(stick.glob("*/seen.json"))
    forget_first(leaves, seen)
    code, _, err = at("--lang", lang, "witness", stick)
    assert (code, sentences[1] in err) == (4, True), err
    (tmp_path / "empty").mkdir()
    code, _, err = at("--lang", lang, "witness", stick, "--log", tmp_path / "empty")
    assert (code, sentences[2] in err) == (3, True), err


def forget_first(leaves: Path, seen: Path) -> None:
    """What the witness keeps is of a log whose first line was another one, under that log's own root."""
    data = leaf_hash(b"another first line") + leaves.read_bytes()[32:]
    told = json.loads(seen.read_text("utf-8"))
    note = notes.read_note(told["checkpoint"].encode())
    head = notes.read_head(note.text)
    tree = Tree(data[at : at + 32] for at in range(0, len(data), 32))
    changed = notes.Head(head.origin, head.size, tree.root(), head.extensions)
    told["checkpoint"] = notes.Note(changed.text, note.signatures).whole
    seen.write_text(json.dumps(told), "utf-8")
    leaves.write_bytes(data)

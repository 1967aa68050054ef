"""What is named in code is named in the docs, and what the docs name is there."""

from __future__ import annotations

import hashlib
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from config.settings import Settings, load
from indexer.contract import Backend
from pipeline import stage
from pipeline.stages import ORDER
from workers.bootstrap import Home
from workers.cli import CASEREEL, EXIT_CODES

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.zh.md")
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
KINDS = {
    "pipeline/extractors": ("EXTRACTOR", stage.Extractor),
    "pipeline/time_sources": ("TIME_SOURCE", stage.TimeSource),
    "pipeline/linkers": ("LINKER", stage.Linker),
    "pipeline/derivers": ("DERIVER", stage.Deriver),
    "pipeline/fingerprinters": ("FINGERPRINTER", stage.Fingerprinter),
    "indexer/backends": ("BACKEND", Backend),
}


def read(name: str | Path) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands() -> Iterator[str]:
    context = click.Context(CASEREEL)
    for name in CASEREEL.list_commands(context):
        command = CASEREEL.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {below}" for below in command.list_commands(context))
        else:
            yield name


def settings() -> Iterator[str]:
    for section, table in tomllib.loads(read("config/defaults.toml")).items():
        yield from (f"{section}.{name}" for name in table)


def rows_of(readme: str) -> set[str]:
    """The commands of the README's table, as they stand in its first column."""
    return set(re.findall(r"^\| `([a-z -]+)` \|", read(readme), re.MULTILINE))


def named(text: str, word: str) -> bool:
    return f"`{word}`" in text


@pytest.mark.parametrize("readme", READMES)
def test_every_command_has_its_row_and_no_other(readme: str) -> None:
    assert rows_of(readme) == set(commands())


def test_both_readmes_name_the_same_commands() -> None:
    assert rows_of("README.md") == rows_of("README.zh.md")


def test_both_readmes_give_the_same_examples() -> None:
    english, chinese = (
        [line.split("#")[0].strip() for line in re.findall(r"^(?:scripts/|casereel |\.venv|py ).*$", read(one), re.M)]
        for one in READMES
    )
    assert english == chinese
    examples = [re.findall(r"`(casereel [^`]+)`", read(one)) for one in READMES]
    assert set(examples[0]) == set(examples[1])


@pytest.mark.parametrize("page", [*READMES, "docs/operating.md"])
def test_every_setting_is_named(page: str) -> None:
    text = read(page)
    assert [name for name in settings() if not named(text, name)] == []


@pytest.mark.parametrize("page", [*READMES, "docs/operating.md"])
def test_no_page_names_a_setting_that_is_none(page: str) -> None:
    sections = "|".join(field.name for field in fields(Settings) if field.name not in ("home", "origins"))
    found = set(re.findall(rf"`((?:{sections})\.[a-z0-9_]+)", read(page)))
    assert found - set(settings()) == set()


def test_every_stage_is_named() -> None:
    text = read("docs/add-a-kind.md")
    assert [name for _, name in ORDER if not named(text, name)] == []


@pytest.mark.parametrize("folder", KINDS)
def test_every_kind_is_named(folder: str) -> None:
    text = read("docs/add-a-kind.md")
    modules = [name for _, name, _ in pkgutil.iter_modules([str(ROOT / folder)])]
    row = next(line for line in text.splitlines() if f"| `{folder}/` |" in line)
    assert [name for name in modules if not named(row, name)] == []
    assert named(row, KINDS[folder][0])


@pytest.mark.parametrize("readme", READMES)
def test_every_file_a_readme_names_exists(readme: str) -> None:
    text = read(readme)
    scripts = set(re.findall(r"scripts[/\\]([a-z_]+(?:\.py)?)", text))
    links = set(re.findall(r"\]\(([^)#:]+)\)", text))
    assert scripts >= {"run", "demo", "test", "check", "format", "bench"}
    assert [name for name in scripts if not (ROOT / "scripts" / name).is_file()] == []
    assert [name for name in links if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_a_page_names_exists(page: Path) -> None:
    found = set(re.findall(r"`((?:pipeline|indexer|workers|config|tests|docs|scripts)/[A-Za-z0-9_/.-]*)`", read(page)))
    examples = {"tests/pipeline/extractors/test_x.py", "indexer/backends/NAME_index.py", "workers/cli/NAME.py"}
    assert [name for name in sorted(found - examples) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("readme", READMES)
def test_every_exit_code_is_told(readme: str) -> None:
    [paragraph] = re.findall(r"^(?:Exit codes: |退出码：)(.+?)\n\n", read(readme), re.MULTILINE | re.DOTALL)
    assert {str(code) for _, code in EXIT_CODES} <= set(re.findall(r"\d+", paragraph))


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", read(page), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", blocks("docs/add-a-kind.md"))
def test_every_example_of_a_kind_loads_and_exports_it(block: str) -> None:
    space: dict[str, object] = {"__name__": "example"}
    exec(compile(block, "docs/add-a-kind.md", "exec"), space)
    wanted = {**dict(KINDS.values()), "COMMAND": click.Command}
    exported = [name for name in wanted if name in space]
    assert len(exported) == 1
    assert isinstance(space[exported[0]], wanted[exported[0]])


def test_there_is_an_example_of_every_kind() -> None:
    text = "".join(blocks("docs/add-a-kind.md"))
    assert [name for name, _ in KINDS.values() if f"{name} = " not in text] == []


def checked_by_hand(folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """The ten lines of docs/custody.md, run on a log."""
    [script] = blocks("docs/custody.md")
    (tmp_path / "chain.py").write_text(script, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(tmp_path / "chain.py"), str(folder)], capture_output=True, text=True, check=False
    )


def test_the_documented_script_agrees_with_the_log_and_finds_a_changed_line(sqlite_home: Home, tmp_path: Path) -> None:
    for number in range(3):
        sqlite_home.tell("search", facts={"query": f"拆除 {number}"})
    state = sqlite_home.audit.check()
    folder = sqlite_home.settings.home / "log"

    ended = checked_by_hand(folder, tmp_path)
    assert ended.stdout.split() == [str(state.entries), "entries", "hold;", "head", state.head]

    [file] = sqlite_home.audit.files()
    file.write_bytes(file.read_bytes().replace(b"\\u62c6\\u9664 1", b"\\u62c6\\u9664 9"))
    assert checked_by_hand(folder, tmp_path).returncode != 0


def shell(page: str, holding: str) -> str:
    [found] = [block for block in re.findall(r"^```sh?\n(.*?)^```", read(page), re.M | re.DOTALL) if holding in block]
    return found


@pytest.mark.parametrize("spoil", ["", "entry", "proof", "another entry", "another key"])
def test_the_documented_script_proves_an_entry_and_nothing_else(sqlite_home: Home, tmp_path: Path, spoil: str) -> None:
    from pipeline.edges.log import keys

    for number in range(9):
        sqlite_home.tell("search", facts={"query": f"拆除 {number}"})
    sqlite_home.checkpoints.sign_head()
    entry, proof, key = tmp_path / "entry", tmp_path / "proof", tmp_path / "key.pem"
    lines, said = list(sqlite_home.audit.lines()), sqlite_home.checkpoints.proof(6)
    entry.write_text(lines[5] + "\n" if spoil != "entry" else lines[5].replace("search", "export"))
    entry.write_text(lines[6]) if spoil == "another entry" else None
    proof.write_text(said.replace("index 5", "index 4") if spoil == "proof" else said)
    signer = keys.make(tmp_path / "other", "x") if spoil == "another key" else keys.signer(sqlite_home.settings)
    key.write_text(signer.public_pem)
    script = tmp_path / "check-proof.sh"
    script.write_text(shell("docs/custody.md", 'openssl pkeyutl -verify -pubin -inkey "$key"'))
    ended = subprocess.run(["sh", script, entry, proof, key], capture_output=True, text=True)
    assert (ended.returncode == 0) == (spoil == ""), ended.stdout + ended.stderr
    if not spoil:
        assert ended.stdout == "the entry is under this head of 11 entries, and the head is signed\n"


def test_the_documented_lines_check_a_cosignature(sqlite_home: Home, tmp_path: Path) -> None:
    from pipeline.edges.log.witness import Witness

    sqlite_home.checkpoints.sign_head()
    [change] = sqlite_home.checkpoints.key_changes()
    Witness(tmp_path / "witness").visit(sqlite_home.checkpoints.log, accept=change.key.fingerprint)
    folder = sqlite_home.checkpoints.log / "witness"
    [note], [key] = folder.glob("*.note"), folder.glob("*.vkey")
    [block] = re.findall(r"^```\n(note=.*?)^```", read("docs/custody.md"), re.M | re.DOTALL)
    script = block.replace("casereel-home/log/witness/6-4f70ddf5-1795372758.note", str(note))
    script = script.replace("casereel-home/log/witness/4f70ddf5.vkey", str(key))
    ended = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert "Verified Successfully" in ended.stdout, ended.stderr
    note.write_text(note.read_text().replace("previous 0", "previous 1"))
    assert subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True).returncode != 0


def test_the_documented_log_line_is_written_as_the_log_writes_and_has_the_documented_hash() -> None:
    text = read("docs/custody.md")
    [line] = re.findall(r"^\{.*\}$", text, re.MULTILINE)
    [following] = re.findall(r'`"prev":"([0-9a-f]{64})"`', text)
    assert json.dumps(json.loads(line), sort_keys=True, ensure_ascii=True, separators=(",", ":")) == line
    assert hashlib.sha256(f"{line}\n".encode()).hexdigest() == following


def test_a_page_of_settings_can_be_loaded(tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"echo '(\[.*?)' >>", read("README.md"), re.DOTALL)):
        file = tmp_path / f"{number}.toml"
        file.write_text(block, encoding="utf-8")
        assert load(tmp_path, {}, file).catalog.url.startswith("postgresql://")

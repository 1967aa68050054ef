"""The contract of the command line: fields, exit codes, where results go."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from pipeline.marks import sounds
from pipeline.stages import ORDER
from tests.samples import making
from workers.cli import CASEREEL, run

Run = Callable[..., subprocess.CompletedProcess[str]]
CASE = "平商务罚字〔2021〕第3号"


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a photo, a film, a sound, a duplicate and a broken file, worked through."""
    import os
    import sys

    from tests.conftest import QUICK
    from tests.flows.running import ROOT

    folder = tmp_path_factory.mktemp("cli")
    card = folder / CASE
    making.photo(card / "IMG_20210803_101010.jpg", 1)
    making.photo(card / "copy.jpg", 1)
    making.film(card / "VID_20210803_102000.mp4", 2, length_s=6, pattern="mandelbrot")
    making.sound(card / "录音_20210803_103000.wav", 3, length_s=6)
    (card / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 500)
    base = [sys.executable, "-m", "workers", "--home", str(folder / "home")]
    for command in (["init"], ["ingest", str(card), "--wait"]):
        done = subprocess.run(
            [*base, *command], cwd=ROOT, env={**os.environ, **QUICK}, capture_output=True, text=True
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def at_home(casereel: Run, taken: Path) -> Callable[..., Any]:
    """Runs a command with --json on that home; the objects it printed."""

    def run(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
        done = casereel(*arguments, "--json", environ={"CASEREEL_HOME": str(taken / "home")})
        assert done.returncode == code, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_init_tells_where_everything_is(casereel: Run) -> None:
    done = casereel("init", "--json")
    [told] = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"home", "inbox", "admin"} <= set(told)
    assert Path(told["inbox"]).is_dir()
    assert casereel("init", "--json").returncode == 0


def test_ingest_has_a_line_an_arrival(at_home: Callable[..., Any], taken: Path) -> None:
    lines = at_home("ingest", str(taken / CASE))
    assert len(lines) == 5
    assert all({"path", "status", "original", "sha256", "size", "reason", "state"} <= set(line) for line in lines)
    assert {line["status"] for line in lines} == {"duplicate"}


def test_search_finds_by_case_by_words_and_by_time(at_home: Callable[..., Any]) -> None:
    fields = {
        "original", "name", "kind", "start", "end", "time_uncertainty_s", "cases", "device", "officer", "duration_s",
        "score", "snippet",
    }  # fmt: skip
    by_case = at_home("search", "--case", "平商务罚字[2021]3号")
    assert len(by_case) == 4
    assert all(fields <= set(hit) for hit in by_case)
    assert {tuple(hit["cases"]) for hit in by_case} == {(CASE,)}
    assert [hit["name"] for hit in at_home("search", "录音")] == ["录音_20210803_103000.wav"]
    in_time = at_home("search", "--from", "2021-08-03 10:15", "--to", "2021-08-03 10:25")
    assert "VID_20210803_102000.mp4" in {hit["name"] for hit in in_time}
    assert at_home("search", "没有这样的词语") == []


def test_match_finds_the_source_of_a_clip(at_home: Callable[..., Any], taken: Path) -> None:
    film = taken / CASE / "VID_20210803_102000.mp4"
    hits = at_home("match", str(film))
    fields = {"original", "name", "offset_s", "query_offset_s", "length_s", "score", "by", "transform"}
    assert hits
    assert all(fields <= set(hit) for hit in hits)
    assert hits[0]["name"] == film.name
    other = making.photo(taken / "other.jpg", 99)
    assert at_home("match", str(other)) == []


def test_marks_of_another_version_are_taken_anew(at_home: Callable[..., Any], taken: Path) -> None:
    """Two originals have marks of sound; one of them gets an older version, as from before an update."""
    catalog = f"{taken / 'home' / 'catalog.sqlite3'}"
    [before] = at_home("rebuild", "marks")
    with contextlib.closing(sqlite3.connect(catalog)) as opened, opened:
        opened.execute("UPDATE cr_fingerprint SET version = 0 WHERE method = 'sound' AND original = "
                       "(SELECT id FROM cr_original WHERE kind = 'audio')")  # fmt: skip
    [queued] = at_home("rebuild", "marks")
    assert queued["originals"] == before["originals"] + 1
    at_home("ingest", str(taken / CASE), "--wait")
    with contextlib.closing(sqlite3.connect(catalog)) as opened:
        versions = opened.execute("SELECT version FROM cr_fingerprint WHERE method = 'sound'").fetchall()
    assert versions == [(sounds.VERSION,)] * 2


def test_show_tells_all_that_is_known(at_home: Callable[..., Any]) -> None:
    [shown] = at_home("show", "VID_20210803_102000.mp4")
    fields = {
        "original", "name", "sha256", "sm3", "size", "kind", "state", "properties", "time_claims", "time",
        "derivatives", "links", "caveats", "arrivals", "events",
    }  # fmt: skip
    assert fields <= set(shown)
    assert {"start", "end", "uncertainty_s", "method", "why", "zone_known"} <= set(shown["time"])
    assert {one["role"] for one in shown["derivatives"]} >= {"proxy", "poster", "sprites", "waveform"}
    assert shown["time"]["start"].endswith("+08:00")
    assert [event["type"] for event in shown["events"]][:2] == ["arrival.accepted", "stage.probe"]
    assert shown["events"][-1]["type"] == "view.record"


def test_show_takes_a_digest_too(at_home: Callable[..., Any], casereel: Run, taken: Path) -> None:
    [shown] = at_home("show", "IMG_20210803_101010.jpg")
    [again] = at_home("show", shown["sha256"][:10])
    assert again["original"] == shown["original"]
    done = casereel("show", "nothing-of-this-name", environ={"CASEREEL_HOME": str(taken / "home")})
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing-of-this-name" in done.stderr


def test_explain_says_why_and_what_to_do(at_home: Callable[..., Any], tmp_path: Path) -> None:
    [broken] = at_home("explain", "broken.mp4")
    assert {"state", "why", "do"} <= set(broken)
    assert broken["state"] == "attention"
    assert "safe" in broken["why"]
    [unknown] = at_home("explain", str(tmp_path / "nowhere.mp4"))
    assert "no such file" in unknown["why"]


def test_status_and_verify_have_their_fields(at_home: Callable[..., Any]) -> None:
    [status] = at_home("status")
    assert {"originals", "queued", "running", "failed", "workers", "watchers", "index", "vault"} <= set(status)
    assert status["originals"] == 4
    [verified] = at_home("verify")
    assert {"checked", "broken", "missing", "audit"} <= set(verified)
    assert {"ok", "entries", "head", "signed_heads"} <= set(verified["audit"])
    assert (verified["checked"], verified["audit"]["ok"]) == (4, True)


def test_jobs_are_listed_with_their_fields_and_unknown_ones_named(at_home: Callable[..., Any]) -> None:
    rows = at_home("jobs", "list", "--all")
    assert len(rows) == 4 * len(ORDER)
    fields = {"job", "original", "stage", "state", "attempts", "waiting_s", "running_s", "reason"}
    assert all(fields <= set(row) for row in rows)
    assert at_home("jobs", "retry", "no-such-job", code=1) == []


def test_failed_jobs_are_grouped_by_reason_and_tried_again_however_many_they_are(
    casereel: Run, taken: Path, tmp_path: Path
) -> None:
    shutil.copytree(taken / "home", tmp_path / "home")
    with contextlib.closing(sqlite3.connect(tmp_path / "home" / "catalog.sqlite3")) as catalog, catalog:
        why = "'No room for “' || original || '.mp4”'"
        catalog.execute(f"UPDATE cr_job SET state='failed', reason={why} WHERE stage='derive'")
        [columns] = zip(*catalog.execute("SELECT name FROM pragma_table_info('cr_job')"), strict=True)
        other = {"id": "id || n", "stage": "'s' || n", "reason": "'Stopped.'"}
        chosen = ", ".join(other.get(one, one) for one in columns)
        catalog.execute(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1100) INSERT INTO cr_job "
            f"SELECT {chosen} FROM c, (SELECT * FROM cr_job WHERE stage='derive' LIMIT 1)"
        )

    def said(*arguments: str, lang: str = "zh") -> str:
        environ = {"CASEREEL_HOME": str(tmp_path / "home"), "CASEREEL_LANG": lang}
        done = casereel("jobs", *arguments, environ=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    rows = [json.loads(line) for line in said("list", "--by-reason", "--json").splitlines()]
    counts = {one["stage"]: (one["reason"], one["count"]) for one in rows if one["state"] == "failed"}
    assert counts.pop("derive") == ("No room for …", 4)
    assert set(counts.values()) == {("Stopped.", 1)}
    assert len(counts) == 1100
    assert "    4 × 生成预览 失败: No room for …" in said("list", "--by-reason")
    assert "    4 × derive failed: No room for …" in said("list", "--by-reason", lang="en")
    again = said("retry", "--reason", "No room for …").splitlines()
    assert [one.rpartition("-")[2] for one in again] == ["derive  等待"] * 4


def test_rebuild_index_finds_the_same(at_home: Callable[..., Any]) -> None:
    before = {hit["original"] for hit in at_home("search", "--case", CASE)}
    [done] = at_home("rebuild", "index")
    assert {"originals", "documents"} <= set(done)
    assert {hit["original"] for hit in at_home("search", "--case", CASE)} == before


def test_doctor_checks_the_surroundings(at_home: Callable[..., Any]) -> None:
    checks = at_home("doctor")
    assert all({"check", "ok", "found", "fix"} <= set(one) for one in checks)
    assert {"ffmpeg", "catalog", "index", "disk", "cage", "watching"} <= {one["check"] for one in checks}
    assert [one for one in checks if not one["ok"]] == []


def test_config_shows_where_each_value_came_from(at_home: Callable[..., Any]) -> None:
    origins = {one["setting"]: one["origin"] for one in at_home("config", "show")}
    assert origins["settle.quiet_s"] == "environment"
    assert origins["vault.sm3"] == "default"


@pytest.mark.parametrize(
    ("arguments", "environ", "code"),
    [
        (["no-such-command"], {}, 2),
        (["ingest", "no-such-file"], {}, 2),
        (["status"], {"CASEREEL_HOME": "no-such-home"}, 2),
        (["config", "check"], {"CASEREEL_SETTLE_QUIT_S": "3"}, 2),
        (["status"], {"CASEREEL_CATALOG_URL": "postgresql://nobody@127.0.0.1:1/none"}, 2),
    ],
)
def test_wrong_use_ends_with_two_and_a_sentence(
    casereel: Run, taken: Path, arguments: list[str], environ: dict[str, str], code: int
) -> None:
    done = casereel(*arguments, environ={"CASEREEL_HOME": str(taken / "home"), **environ})
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_ingest_tells_in_chinese_how_it_went(taken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--home", str(taken / "home"), "ingest", str(taken / CASE), "--lang", "zh", "--no-progress"]) == 0
    said = capsys.readouterr().out
    assert "重复" in said
    assert "内容相同" in said
    assert "duplicate" not in said
    assert "same bytes" not in said


def test_a_broken_original_ends_with_four(casereel: Run, tmp_path: Path) -> None:
    making.photo(tmp_path / "card" / "a.jpg", 1)
    assert casereel("init").returncode == 0
    assert casereel("ingest", tmp_path / "card").returncode == 0
    [path] = (tmp_path / "home" / "vault").rglob("original")
    path.chmod(0o640)
    path.write_bytes(b"tampered")
    done = casereel("verify", "--json")
    assert done.returncode == 4
    told = json.loads(done.stdout)
    assert len(told["broken"]) == 1
    assert casereel("verify").returncode == 4


def test_every_command_has_help_with_an_example() -> None:
    commands = list(commands_of(CASEREEL, ("casereel",)))
    assert len(commands) > 40
    for names, one in commands:
        said = one.get_help(click.Context(one, info_name=" ".join(names)))
        assert "Example:" in said, names
        assert isinstance(one, click.Group) or "--json" in said, names


def commands_of(command: click.Command, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below this one, with the words that call it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield (*names, name), below
            yield from commands_of(below, (*names, name))


def test_what_may_not_be_seen_takes_no_place_among_the_rows_of_match(at_home: Callable[..., Any], taken: Path) -> None:
    photo = taken / CASE / "IMG_20210803_101010.jpg"
    shutil.copy(photo, taken / "again.jpg")
    with (taken / "again.jpg").open("ab") as opened:
        opened.write(b"other bytes of the same picture")
    at_home("ingest", str(taken / "again.jpg"), "--wait")
    [first] = at_home("match", "--limit", "1", str(photo))
    assert first["name"] == photo.name
    at_home("isolate", "report", first["original"])
    assert [hit["name"] for hit in at_home("match", "--limit", "1", str(photo))] == ["again.jpg"]

"""Every real recording, from the folder to rest: one run that several questions are asked of."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import load
from pipeline.edges import tables
from tests.flows.running import ROOT
from workers.bootstrap import Home, build_home

pytestmark = [pytest.mark.corpus, pytest.mark.slow]
NAMED = {"ready", "attention"}
# Longest any one file may keep a worker busy; a hostile one costs no more than this. Transcodes of honest films are
# allowed their length times media.wall_factor, which no file of the corpus comes near.
LONGEST_JOB_S = 150

# Zero samples, chapters without sound, or a fault of a reader: its tool says valid, and there is nothing to show.
NOTHING_TO_SHOW = frozenset((
    "pypi__mutagen/data/2822400-1ch-0s-silence.dff", "pypi__mutagen/data/with-id3.dsf",
    "pypi__mutagen/data/nero-chapters.m4b", "pypi__pillow/decompression_bomb.ico",
    # pi_heif 1.4 crashes on this one's metadata.
    "pypi__pillow_heif/heif_special/invalid_metadata_type.heic",
))  # fmt: skip


@pytest.fixture(scope="module")
def taken(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, list[dict[str, str]]]]:
    """A home with the whole corpus ingested through the command line, and what it printed."""
    folder = tmp_path_factory.mktemp("corpus") / "home"
    base = [sys.executable, "-m", "workers", "--home", str(folder), "--json"]
    subprocess.run([*base, "init"], cwd=ROOT, check=True, capture_output=True)
    done = subprocess.run(
        [*base, "ingest", str(corpus), "--wait"], cwd=ROOT, capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    home = build_home(load(folder, {}))
    yield home, [json.loads(line) for line in done.stdout.splitlines()]
    home.close()


@pytest.fixture(scope="module")
def media(manifest: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows of the manifest that were handed in: all but its own description."""
    return manifest


def test_every_file_ends_in_a_named_state(
    taken: tuple[Home, list[dict[str, str]]], media: list[dict[str, str]], corpus: Path
) -> None:
    home, receipts = taken
    by_path = {one["path"]: one for one in receipts}
    states = Counter(by_path[str(corpus / row["path"])]["state"] for row in media)
    print(f"\n{len(media)} files: {dict(states)}")
    assert set(states) <= NAMED
    assert set(home.catalog.counts()) <= NAMED


def test_every_original_in_the_vault_has_the_digest_that_others_computed(
    taken: tuple[Home, list[dict[str, str]]], media: list[dict[str, str]], corpus: Path
) -> None:
    home, receipts = taken
    by_path = {one["path"]: one for one in receipts}
    assert [row["path"] for row in media if by_path[str(corpus / row["path"])]["sha256"] != row["sha256"]] == []
    assert [sha256 for sha256 in home.vault.digests() if home.vault.faults(sha256)] == []
    assert {row["sha256"] for row in media} <= set(home.vault.digests())


def test_the_same_bytes_are_one_original(
    taken: tuple[Home, list[dict[str, str]]], media: list[dict[str, str]], corpus: Path
) -> None:
    _, receipts = taken
    by_path = {one["path"]: one for one in receipts}
    originals: dict[str, set[str]] = {}
    for row in media:
        originals.setdefault(row["sha256"], set()).add(by_path[str(corpus / row["path"])]["original"])
    assert all(len(found) == 1 for found in originals.values())


def test_what_decodes_is_ready_and_what_does_not_says_so(
    taken: tuple[Home, list[dict[str, str]]], media: list[dict[str, str]]
) -> None:
    home, _ = taken
    ids = home.catalog.digests()
    known = {one.original.sha256: one for one in home.catalog.known_of_many(sorted(ids.values()))}
    decodable = [row for row in media if row["valid"] == "yes" and row["opens"] == "yes"]
    not_ready = [row for row in decodable if known[row["sha256"]].original.state != "ready"]
    print(f"\n{len(decodable) - len(not_ready)} of {len(decodable)} decodable files are ready")
    for row in not_ready:
        print("  not ready:", row["path"], [caveat.code for caveat in known[row["sha256"]].caveats])
    silent = [one.original.name for one in known.values() if one.original.state == "attention" and not one.caveats]
    assert silent == []
    assert all(known[row["sha256"]].caveats for row in not_ready)
    assert {row["path"] for row in not_ready} <= NOTHING_TO_SHOW


def test_no_file_costs_more_than_its_limits_and_none_fails_a_worker(
    taken: tuple[Home, list[dict[str, str]]],
) -> None:
    home, _ = taken
    with home.catalog.snapshot() as connection:
        rows = connection.execute(
            sa.select(tables.job.c.stage, tables.job.c.state, tables.job.c.deaths, tables.job.c.started_at,
                      tables.job.c.ended_at, tables.job.c.reason, tables.original.c.name)
            .join(tables.original, tables.original.c.id == tables.job.c.original)
        ).all()  # fmt: skip
    longest = sorted(((row.ended_at - row.started_at).total_seconds(), row.stage, row.name) for row in rows)[-8:]
    print("\nlongest:", *(f"{seconds:.1f} s {stage} {name}" for seconds, stage, name in reversed(longest)), sep="\n  ")
    assert [(row.stage, row.name, row.reason) for row in rows if row.state != "done"] == []
    assert [row.name for row in rows if row.deaths] == []
    assert longest[-1][0] < LONGEST_JOB_S


def test_the_log_is_whole_and_the_index_is_level(taken: tuple[Home, list[dict[str, str]]]) -> None:
    from workers.bootstrap import build_follower

    home, _ = taken
    assert home.audit.check(grace_s=0.0).faults == ()
    state = build_follower(home).state()
    assert (state["behind"], state["documents"]) == (0, len(home.catalog.digests()))

"""Homes with the recordings of a case, at rest, and packages exported from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from indexer.access import Reviewer
from indexer.export import Asked, Made
from pipeline.custody.accession import Candidate
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import knowledge, tables
from pipeline.edges.log import countersigning, tokens
from pipeline.edges.log.countersigning import Countersignature
from pipeline.edges.log.witness import Witness
from pipeline.records import CaseLink, Facts, Stated
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_exporter, build_jobs

CASE, KEY = "平商务罚字〔2021〕第3号", "平商务罚-2021-3"
CLERK = Reviewer(name="张三", role="reviewer")
SECOND = Reviewer(name="李四", role="reviewer")


def take(
    home: Home, paths: Sequence[Path], *, officer: str | None = None, device: str | None = None
) -> list[str]:  # fmt: skip
    """The files are originals, and nothing of their work waits any more."""
    jobs = build_jobs(home)
    stated = Stated(case=CASE, officer=officer, device=device)
    given = [Candidate(path=one, root=one.parent, source="inbox", stated=stated) for one in paths]
    receipts = build_accession(home, jobs).take(given)
    jobs.close()
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.job).values(state="done"))
        connection.execute(sa.update(tables.original).values(state="ready"))
    return [one.original or "" for one in receipts]


def link(
    home: Home, original: str, status: str = "confirmed", *, case: str = CASE, key: str = KEY, **facts: Any
) -> None:
    """The original is linked to the case; facts: what else was found out about it."""
    found = CaseLink(
        case=case, case_key=key, method="stated", score=1.0, why="the clerk said so", by="clerk", status=status
    )  # fmt: skip
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="stage.link", actor="test", original=original)])
        knowledge.record(connection, original, "light-link", Facts(links=(found,), **facts), seq)


def with_photos(home: Home, folder: Path, count: int = 2, **stated: str) -> list[str]:
    """A case with so many photos under Chinese names. stated: `officer` or `device`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [making.photo(folder / f"现场{number}.jpg", number, size=(32, 24)) for number in range(count)]
    originals = take(home, paths, **stated)
    for one in originals:
        link(home, one)
    return originals


def with_photo(home: Home, folder: Path, seed: int) -> str:
    """One photo more in the case, unlike those of another seed."""
    folder.mkdir(parents=True, exist_ok=True)
    [original] = take(home, [making.photo(folder / f"现场{seed}.jpg", seed, size=(32, 24))])
    link(home, original)
    return original


def witnessed(home: Home, folder: Path) -> Countersignature:
    """A witness whose folder this is signed for all there is, as `casereel witness` does it."""
    home.checkpoints.sign_head()
    accept = home.checkpoints.key_changes()[-1].key.fingerprint
    given = Witness(folder).visit(home.checkpoints.log, accept=accept).cosignature
    home.tell(countersigning.EVENT, facts=given.facts())
    return given


def stamped(home: Home) -> int:
    """The timestamp server of the settings signed for all there is; how many entries that are."""
    signed = home.checkpoints.sign_head()
    assert signed is not None
    tokens.stamp(home.settings, signed, home.tell)
    return signed.size


def make(home: Home, to: Path, **choices: Any) -> Made:
    """A package of the case below the folder."""
    to.mkdir(parents=True, exist_ok=True)
    return build_exporter(home).make(CLERK, Asked(case=CASE, to=to, purpose="行政复议答复", **choices))

"""What the patrol does slowly beside its rounds: reading every object again, and mending what a copy can mend."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pipeline.custody.fixity import BATCH_BYTES, SLACK, Checked, Due, Fixity, Pace
from pipeline.errors import CasereelError, CustodyBroken
from workers.bootstrap import Home, build_jobs

logger = logging.getLogger(__name__)

IDLE_S: Final = 60.0


def build_fixity(home: Home, actor: str | None = None) -> Fixity:
    """The fixity of this home."""
    return Fixity(home.vault, home.catalog, home.audit, actor or home.actor)


def fixity_round(
    home: Home, stopped: Callable[[], bool] = lambda: False, moved: Callable[[int], None] = lambda _: None
) -> Checked:
    """One batch of what is due, oldest first, and the repair of what the second copy has; empty where none is due."""
    fixity = build_fixity(home, "patrol")
    due = fixity.due(home.catalog.now(), home.settings.fixity.every_days * SLACK)
    checked = fixity.check(_of_size(due), moved=moved, stopped=stopped)
    for original in checked.opened:
        logger.critical("%s: %s; run `casereel status`", original, "; ".join(checked.broken[original][:3]))
    mend_from_target(home, fixity, list(checked.opened))
    return checked


def mend_from_target(home: Home, fixity: Fixity, originals: list[str]) -> list[str]:
    """Those of the originals that the second copy made whole again. Each repair is an event."""
    target = Path(home.settings.backup.target) / "vault"
    if not home.settings.backup.target or not originals or not target.is_dir():
        return []
    mended, jobs = [], build_jobs(home)
    try:
        for original in originals:
            try:
                fixity.repair(original, [target], jobs)
                mended.append(original)
                logger.warning("%s was repaired from %s", original, target)
            except CustodyBroken as error:
                logger.critical("%s cannot be repaired from %s: %s", original, target, error)
    finally:
        jobs.close()
    return mended


def keep_fixity(home: Home, stop: threading.Event) -> None:
    """Batches at the pace of the settings until told to stop; a fault of one does not end the next."""
    pace = Pace(home.settings.fixity.share, stop.wait)
    try:
        # Once a start: a walk over every object is too dear for each round, and a check settles what it meets.
        for said in home.vault.settle():
            logger.warning("vault: %s", said)
        fixity = build_fixity(home, "patrol")
        mend_from_target(home, fixity, [one["original"] for one in fixity.incidents()])
    except CasereelError as error:
        logger.warning("fixity: %s", error)
    while not stop.is_set():
        try:
            if fixity_round(home, stop.is_set, pace).whole:
                continue
        except CasereelError as error:
            logger.warning("fixity: %s", error)
        stop.wait(IDLE_S)


def _of_size(due: list[Due]) -> list[Due]:
    """As many as are read within a while, so that a batch is soon recorded; at least one."""
    batch: list[Due] = []
    size = 0
    for one in due:
        if batch and size + one.size_bytes > BATCH_BYTES:
            break
        batch.append(one)
        size += one.size_bytes
    return batch

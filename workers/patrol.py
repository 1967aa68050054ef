"""Scheduled care: leftovers of dead processes, lost work, unrecorded originals, log, index, queue.

What it finds it mends or names; it never deletes an original, and never anything whose owner may still live.
"""

from __future__ import annotations

import logging
import threading

from pipeline.custody.recovery import GRACE_S, recover
from pipeline.edges import disk, exports
from pipeline.errors import CasereelError, TryAgain
from pipeline.stages import ORDER
from workers.bootstrap import Home, build_exporter, build_follower, build_jobs, scratch_of
from workers.keeping import keep_fixity

logger = logging.getLogger(__name__)

EVERY_S = 60.0


def round_of(home: Home, *, grace_s: float = GRACE_S) -> dict[str, int]:
    """One round; returns how much of each kind there was to do.

    grace_s: younger leftovers and objects are left alone, for they may belong to somebody at work.
    """
    jobs = build_jobs(home)
    try:
        swept = disk.sweep(home.vault.staging.root, grace_s=min(grace_s, 5.0))
        swept += disk.sweep(scratch_of(home.settings), grace_s=min(grace_s, 5.0))
        for said in home.vault.settle():
            logger.warning("vault: %s", said)
        recovered = recover(home.vault, home.catalog, home.audit, jobs, "patrol", turns=ORDER, grace_s=grace_s)
        queued_again = jobs.queue_stranded(waiting_s=grace_s)
        home.audit.make_durable(home.catalog.last_event())
        signed = _sign(home, 0.0 if grace_s == 0.0 else home.settings.audit.sign_every_s)
        follower = build_follower(home)
        behind = follower.state()["behind"]
        follower.follow()
        return {
            "leftovers_removed": len(swept),
            "originals_recovered": len(recovered),
            "lanes_queued_again": queued_again,
            "log_signed_up_to": signed,
            "exports_cleared": _clear_exports(home),
            "derivatives_dropped": _drop_unrecorded_derivatives(home),
            "index_was_behind": behind,
            "queue_entries_pruned": jobs.prune(home.settings.work.keep_done_days),
        }
    finally:
        jobs.close()


def _sign(home: Home, every_s: float) -> int:
    """Signs the log's head when it is due; how many entries are under a signed head. A missing key stops nothing."""
    checkpoints = home.checkpoints
    if checkpoints.is_due(every_s):
        try:
            checkpoints.sign_head()
        except TryAgain as error:
            logger.warning("patrol: %s", error)
    return checkpoints.sizes()[-1] if checkpoints.sizes() else 0


def _clear_exports(home: Home) -> int:
    """Packages whose export died are finished where they lie whole, else gone and told as failed."""
    if not exports.listed(home.catalog, states=("writing", "sealed")):
        return 0
    return len(build_exporter(home).clear())


def _drop_unrecorded_derivatives(home: Home) -> int:
    """Files that a dead worker made and never recorded, of originals that nobody works on."""
    dropped = 0
    digests = home.catalog.digests()
    for folder in sorted(home.vault.derived_root.glob("??/*")):
        original = digests.get(folder.name)
        if original is None or home.catalog.at_work([original]):
            continue
        recorded = home.catalog.derivative_paths(original)
        for path in home.vault.derivative_files(folder.name):
            if path not in recorded:
                home.vault.drop_derivative(path)
                dropped += 1
    return dropped


def patrol(home: Home, stop: threading.Event) -> None:
    """A round at every interval until told to stop; a fault of one round does not end the next."""
    jobs = build_jobs(home, "patrol")
    jobs.show_life()
    slow = threading.Thread(target=keep_fixity, args=(home, stop), daemon=True)
    slow.start()
    try:
        while not stop.is_set():
            try:
                jobs.said = {"last": round_of(home)}
            except CasereelError as error:
                logger.warning("patrol: %s", error)
                jobs.said = {"trouble": error.sentence}
            stop.wait(EVERY_S)
        slow.join(timeout=20)
    finally:
        jobs.close()

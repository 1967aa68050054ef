"""Scheduled care: leftovers of dead processes, lost work, unrecorded originals, log, index, queue.

What it finds it mends or names; it never deletes an original, and never anything whose owner may still live.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.custody.recovery import GRACE_S, recover
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import exports
from pipeline.edges.host import disk
from pipeline.errors import BadInput, CasereelError, TryAgain
from pipeline.stages import ORDER
from workers.bootstrap import (
    Home,
    build_exporter,
    build_follower,
    build_jobs,
    build_packages,
    build_retention,
    scratch_of,
)
from workers.keeping import keep_fixity

if TYPE_CHECKING:
    from pipeline.custody.disposal import Retention
    from pipeline.edges.jobs import Jobs
    from pipeline.edges.storage.uploads import Upload

logger = logging.getLogger(__name__)

EVERY_S = 60.0
GLANCE_S = 1.0
# Every object and every derivative is looked up so often, and when the patrol begins: what a crash left lies there.
WALK_EVERY_S = 3600.0
PLANNED_AT_ONCE, PLANNED_A_WALK = 100, 5000


def round_of(
    home: Home,
    *,
    grace_s: float = GRACE_S,
    kept: Retention | None = None,
    walks: bool = True,
    builds: bool = True,
) -> dict[str, int]:
    """One round; returns how much of each kind there was to do.

    grace_s: younger leftovers and objects are left alone, for they may belong to somebody at work. kept: the home's
    retention where the caller has it already. walks: vault and derivatives are gone through file by file as well, and
    the index document by document. builds: an index that must be built anew is built in this round.
    """
    jobs = build_jobs(home)
    try:
        swept = disk.sweep(home.vault.staging.root, grace_s=min(grace_s, 5.0))
        swept += disk.sweep(scratch_of(home.settings), grace_s=min(grace_s, 5.0))
        done = {"leftovers_removed": len(swept)}
        if walks:
            recovered = recover(home.vault, home.catalog, home.audit, jobs, "patrol", turns=ORDER, grace_s=grace_s)
            done |= {"originals_recovered": len(recovered), "derivatives_dropped": drop_unrecorded_derivatives(home)}
            done["originals_planned_anew"] = plan_missing(home, jobs)
            done["originals_decided_anew"] = plan_older(home, jobs)
        done["lanes_queued_again"] = jobs.queue_stranded(waiting_s=grace_s)
        home.catalog.doubt_the_dead()
        home.audit.make_durable(home.catalog.last_event())
        done["originals_disposed"] = _look_after_retention(home, kept)
        done |= _look_after_index(home, thorough=walks, builds=builds)
        done |= look_after_uploads(home)
        done["exports_cleared"] = _clear_exports(home)
        done["queue_entries_pruned"] = jobs.prune(home.settings.work.keep_done_days)
        # Last, for a log that does not hold ends the round.
        done["log_signed_up_to"] = _sign(home, 0.0 if grace_s == 0.0 else home.settings.audit.sign_every_s)
        return done
    finally:
        jobs.close()


def plan_missing(home: Home, jobs: Jobs) -> int:
    """Originals of before an update are given the turns that it brought; how many were, at most PLANNED_A_WALK."""
    planned = 0
    while planned < PLANNED_A_WALK:
        with home.catalog.transaction() as connection:
            found = jobs.plan_missing(connection, ORDER, limit=PLANNED_AT_ONCE)
            if not found:
                break
            event = NewEvent(type="jobs.planned", actor="patrol", facts={"originals": found})
            home.audit.record(connection, [event])
        planned += len(found)
    return planned


def plan_older(home: Home, jobs: Jobs) -> int:
    """Times and links that an older version of their stage decided wait to be decided anew; originals of formats that a
    newer version reads otherwise, or with which an older one failed, wait to be read again; behind all other work and
    only when there is none. Of how many originals, at most PLANNED_A_WALK."""
    from pipeline.stages import derive, link, probe, timestamps

    if jobs.unfinished().keys() & {"waiting", "running"}:
        return 0
    versions = {one.name: one.version for one in (timestamps.STAGE, link.STAGE)}
    read_anew = {one.STAGE.name: one.READ_ANEW for one in (probe, derive)}
    tried_anew = {one.STAGE.name: one.TRIED_ANEW for one in (probe, derive)}
    # A preview is what it was: of what is heavy the links alone are made anew, but for what is read anew.
    after = {lane: [stage for other, stage in ORDER if other == lane] for lane in ("light", "heavy")}
    told = versions | {one.STAGE.name: one.STAGE.version for one in (probe, derive)}
    planned = 0
    while planned < PLANNED_A_WALK:
        with home.catalog.transaction() as connection:
            found = jobs.plan_older(
                connection, versions, after, limit=PLANNED_AT_ONCE, read_anew=read_anew, tried_anew=tried_anew
            )
            if not found:
                break
            event = NewEvent(type="jobs.planned", actor="patrol", facts={"originals": found, "versions": told})
            home.audit.record(connection, [event])
        planned += len(found)
    return planned


def _sign(home: Home, every_s: float) -> int:
    """Signs the log's head when it is due; how many entries are under a signed head. A missing key stops nothing."""
    checkpoints = home.checkpoints
    if checkpoints.is_due(every_s):
        try:
            checkpoints.sign_head()
        except (TryAgain, BadInput) as error:
            logger.warning("patrol: %s", error)
    _timestamp(home)
    return checkpoints.sizes()[-1] if checkpoints.sizes() else 0


def _look_after_index(home: Home, *, thorough: bool, builds: bool) -> dict[str, int]:
    """How many originals the index was behind by, and how many documents it had lost; it has them now."""
    follower = build_follower(home)
    try:
        if not builds and follower.must_be_built():
            return {"index_was_behind": follower.state()["behind"], "index_restored": 0}
        healed = follower.heal(thorough=thorough)
    finally:
        follower.close()
    if healed["missing"]:
        logger.warning("%s originals were missing in the search index and are in it again", healed["missing"])
    return {"index_was_behind": healed["behind"], "index_restored": healed["missing"]}


def _build_index(home: Home, stop: threading.Event) -> None:
    """A missing or damaged index is built anew beside the rounds, for that may take many minutes."""
    while not stop.wait(EVERY_S / 4):
        follower = build_follower(home)
        try:
            if follower.must_be_built():
                follower.follow()
        except CasereelError as error:
            logger.warning("the search index cannot be built yet: %s", error)
        finally:
            follower.close()


def _clear_exports(home: Home) -> int:
    """Packages whose export died are finished where they lie whole, else gone and told as failed; old ones are gone."""
    cleared = build_packages(home).clear(home.catalog)
    if not exports.listed(home.catalog, states=("writing", "sealed")):
        return cleared
    return cleared + len(build_exporter(home).clear())


def look_after_uploads(home: Home) -> dict[str, int]:
    """Uploads that are whole are in custody though their page is gone; what nobody went on with is told and gone."""
    from indexer.web.receiving import source_of, take_with

    def abandoned(one: Upload) -> None:
        facts = {
            "upload": one.id, "source": source_of(one.wanted.person), "name": one.wanted.name,
            "there_bytes": one.there_bytes, "size_bytes": one.wanted.size_bytes,
        }  # fmt: skip
        home.tell("upload.abandoned", actor="patrol", facts=facts)

    return home.uploads().look_after(take_with(home), abandoned)


def _look_after_retention(home: Home, kept: Retention | None) -> int:
    """The clock is looked at, and disposals that are due are done; how many originals went.

    A doubtful clock or unusable rules hold up disposals and nothing else.
    """
    try:
        kept = kept or build_retention(home, "patrol")
        kept.look_at_clock()
        kept.note_in_vault("patrol")
        return sum(one.ended == "done" for one in kept.run("patrol"))
    except (TryAgain, BadInput) as error:
        logger.warning("retention: %s", error)
        return 0


def _timestamp(home: Home) -> None:
    """Asks the timestamp server about the last signed head, where one is set; what goes wrong is told by `status`."""
    if not home.settings.audit.timestamp_url:
        return
    from pipeline.edges.log import tokens

    trouble = home.settings.home / "log" / tokens.TROUBLE
    try:
        tokens.stamp(home.settings, home.checkpoints.latest(), home.tell)
        trouble.unlink(missing_ok=True)
    except CasereelError as error:
        logger.warning("patrol: %s", error)
        trouble.write_text(error.sentence, encoding="utf-8")


def drop_unrecorded_derivatives(home: Home) -> int:
    """Files that a dead worker made and never recorded, of originals that nobody works on; how many went."""
    dropped, originals = 0, home.catalog.digests()
    for shelf in sorted(home.vault.derived_root.glob("??")):
        held = {originals[folder.name]: folder.name for folder in shelf.iterdir() if folder.name in originals}
        busy = home.catalog.at_work(sorted(held))
        recorded = home.catalog.derivative_paths(sorted(held))
        for original in sorted(held.keys() - busy):
            for path in set(home.vault.derivative_files(held[original])) - recorded:
                # Asked anew, in this order: work may have begun or ended since.
                if home.catalog.at_work([original]) or path in home.catalog.derivative_paths([original]):
                    continue
                home.vault.drop_derivative(path)
                dropped += 1
    return dropped


def patrol(home: Home, stop: threading.Event) -> None:
    """A round at every interval until told to stop; a fault of one round does not end the next."""
    jobs = build_jobs(home, "patrol")
    jobs.living.show()
    slow = threading.Thread(target=_lasting, args=(keep_fixity, home, stop), daemon=True)
    slow.start()
    threading.Thread(target=_lasting, args=(_build_index, home, stop), daemon=True).start()
    kept, walked_s = _retention_of(home), -WALK_EVERY_S
    try:
        while not stop.is_set():
            walks = time.monotonic() - walked_s >= WALK_EVERY_S
            try:
                jobs.living.said = {"last": round_of(home, kept=kept, walks=walks, builds=False)}
                walked_s = time.monotonic() if walks else walked_s
            except CasereelError as error:
                logger.warning("patrol: %s", error)
                jobs.living.said = {"trouble": error.sentence}
            except Exception as error:  # a fault of ours in one round must not end the care for everything else
                logger.exception("patrol: a round stumbled; the next one begins in time")
                jobs.living.said = {"trouble": f"{type(error).__name__}: {error}"}
            _watch_clock(kept, stop)
        slow.join(timeout=20)
    finally:
        jobs.close()


def _lasting(deed: Callable[[Home, threading.Event], None], home: Home, stop: threading.Event) -> None:
    """Does what lasts until told to stop; a fault of ours is told, and it is begun again."""
    while not stop.is_set():
        try:
            deed(home, stop)
        except Exception:
            logger.exception("patrol: %s stumbled; it is begun again", deed.__name__.strip("_"))
            stop.wait(EVERY_S)


def _retention_of(home: Home) -> Retention | None:
    try:
        return build_retention(home, "patrol")
    except BadInput as error:
        logger.warning("retention: %s", error)
        return None


def _watch_clock(kept: Retention | None, stop: threading.Event) -> None:
    """Until the next round: a clock that was set is in the log within seconds."""
    until_s = time.monotonic() + EVERY_S
    while time.monotonic() < until_s and not stop.wait(GLANCE_S):
        if kept is None or not kept.clock_moved():
            continue
        try:
            if kept.look_at_clock().doubt:
                logger.warning("the clock was set; nothing is released until it is confirmed")
        except CasereelError as error:
            logger.warning("the clock's jump could not be noted yet: %s", error)

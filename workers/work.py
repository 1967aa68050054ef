"""A worker: takes lanes from the queues and advances originals until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.advance import advance
from pipeline.edges.confinement.trial import prove
from pipeline.stages import stages
from workers.bootstrap import Home, build_context, build_jobs

if TYPE_CHECKING:
    from pipeline.edges.jobs import Jobs

# Of this account and not of a home: it is about the system.
TRIALS: Final = Path("~/.cache/casereel")

logger = logging.getLogger(__name__)


def concurrency(home: Home) -> dict[str, int]:
    """Lane -> how many originals this worker advances side by side."""
    return {"light": home.settings.work.light, "heavy": home.settings.work.heavy or os.cpu_count() or 1}


@contextlib.contextmanager
def working(home: Home) -> Iterator[Jobs]:
    """A worker takes work while the block runs; at its end it finishes or leaves what it holds to others."""
    jobs = build_jobs(home, "work")
    context, scratch = build_context(home)
    turns = stages()

    def on_lane(original_id: str, lane: str) -> None:
        try:
            advance(turns, original_id, lane, context, jobs)
        except Exception:  # the one catch-all: a fault outside every stage must leave a trace and no dead queue
            logger.exception("lane %s of %s could not be advanced", lane, original_id)
            raise

    try:
        prove(context.tools, TRIALS.expanduser())
        jobs.launch(concurrency(home), on_lane)
        yield jobs
    finally:
        jobs.close()
        context.tools.close()
        scratch.close()


def work(home: Home, stop: threading.Event) -> None:
    """Works until told to stop."""
    with working(home):
        stop.wait()

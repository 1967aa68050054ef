"""The queue under the work: the only module that knows DBOS.

The library gives queues, claims with exactly one runner, recovery and delays, on SQLite and PostgreSQL. What is
queued is a lane of an original, by the name of its run; what it finds there to do, and what counts as done, is for
`jobs` to say.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.catalog import Catalog
from pipeline.edges.database.engines import make_engine

logger = logging.getLogger(__name__)
# Where DBOS finds no handler it adds one that holds on to the standard error of that moment, even when that is closed.
logging.getLogger("dbos").addHandler(logging.NullHandler())

# Raised only when the new code could not go on with running work; work of another generation is not touched.
GENERATION: Final = "lanes-1"
APPLICATION: Final = "casereel"
WORKFLOW: Final = "lane"
# Both would connect to somebody else's service; they are taken out of the environment.
UNWANTED_VARIABLES: Final = ("DBOS__CLOUD", "DBOS__CONDUCTOR_URL", "DBOS__CONDUCTOR_KEY")


class Queue:
    """The queue of one catalog, seen from one process."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._client: Any = None
        self._engine: sa.Engine | None = None
        self.runs = False

    def prepare(self) -> None:
        """Its own tables exist in the catalog's database."""
        from dbos import DBOS

        level = logging.getLogger("dbos").level
        logging.getLogger("dbos").setLevel(logging.ERROR)
        with contextlib.redirect_stdout(sys.stderr):
            DBOS.migrate(_dbos_url(self._catalog.url))
        logging.getLogger("dbos").setLevel(level)

    # -- adding, inside a transaction of the caller's

    def put(
        self, connection: sa.Connection, workflow: str, original_id: str, lane: str, *, priority: int, delay_s: float
    ) -> None:
        """This run of the lane is queued when the transaction commits; the same name twice is queued once."""
        options: dict[str, Any] = {
            "workflow_name": WORKFLOW,
            "queue_name": lane,
            "workflow_id": workflow,
            "priority": priority,
            "app_version": GENERATION,
        }
        if delay_s:
            options["delay_seconds"] = delay_s
        self._asked().enqueue_in_transaction(connection, options, original_id, lane)

    def priority_of(self, connection: sa.Connection, workflow: str) -> int | None:
        """The priority of a run that still waits; None where it does not."""
        # Read within the transaction: the library's own connection would wait for it.
        schema = "dbos" if connection.dialect.name == "postgresql" else None
        entry = sa.table(
            "workflow_status", sa.column("workflow_uuid"), sa.column("status"), sa.column("priority"), schema=schema
        )
        waits = (entry.c.workflow_uuid == workflow, entry.c.status.in_(["ENQUEUED", "DELAYED"]))
        return connection.execute(sa.select(entry.c.priority).where(*waits)).scalar()

    # -- running

    def run(
        self, worker: str, lanes: Mapping[str, int], on_run: Callable[[str, str, str], str], *, poll_s: float,
        first: Callable[[], None],
    ) -> None:  # fmt: skip
        """This process takes runs and calls on_run(workflow, original, lane) for each.

        lanes: lane -> how many side by side. first: done once the queue is set up and before anything is claimed.
        """
        from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

        _unset_unwanted()
        self._engine = make_engine(self._catalog.url, writes=True)
        DBOS(
            config=DBOSConfig(
                name=APPLICATION,
                system_database_url=_dbos_url(self._catalog.url),
                system_database_engine=self._engine,
                executor_id=worker,
                application_version=GENERATION,
                serializer=DBOSPortableJSONSerializer(),
                log_level="CRITICAL" if not logger.isEnabledFor(logging.INFO) else "WARNING",
                run_migrations=False,
                # Its thread sleeps so long and is waited for at the end.
                notification_listener_polling_interval_sec=0.5,
                use_listen_notify=False,
            )
        )

        def lane_of_original(original_id: str, lane: str) -> str:
            return on_run(str(DBOS.workflow_id), original_id, lane)

        DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1000)(lane_of_original)
        DBOS.listen_queues(list(lanes))
        first()
        DBOS.launch()
        for lane, count in lanes.items():
            DBOS.register_queue(lane, worker_concurrency=count, polling_interval_sec=poll_s)
        self.runs = True

    def stop(self, drain_s: int) -> None:
        """Nothing is taken any more; what runs has so many seconds to end."""
        if self.runs:
            from dbos import DBOS

            DBOS.destroy(workflow_completion_timeout_sec=drain_s)
            self.runs = False

    def close(self) -> None:
        """Its connections end."""
        if self._client is not None:
            self._client.destroy()
            self._client = None
        if self._engine is not None:
            self._engine.dispose()

    # -- care

    def alive(self, workflows: Sequence[str]) -> set[str]:
        """Those of these runs that wait, run or are put off."""
        listed = self._listed(workflow_ids=list(workflows), status=["PENDING", "ENQUEUED", "DELAYED"])
        return {one.workflow_id for one in listed}

    def claimed_by(self, workers: Sequence[str]) -> dict[str, str]:
        """Run -> worker, of what these workers claimed and did not end, of this generation."""
        listed = self._listed(status="PENDING", executor_id=list(workers), app_version=GENERATION)
        return {one.workflow_id: one.executor_id for one in listed}

    def take_over(self, workers: list[str]) -> None:
        """What these claimed and did not end is taken by this worker."""
        from dbos import DBOS

        if hasattr(DBOS, "_recover_pending_workflows"):
            DBOS._recover_pending_workflows(workers)
        else:  # the same with public calls, should the private one go
            DBOS.resume_workflows(list(self.claimed_by(workers)))

    def give_back(self, workflow: str) -> None:
        """A claimed run waits again."""
        from dbos import DBOS

        DBOS.resume_workflow(workflow)

    def shorten_delays(self, longest_s: float) -> None:
        """Nothing is put off for longer: not for years, where the clock was set back since."""
        latest_ms = (time.time() + longest_s) * 1000
        for one in self._listed(status="DELAYED"):
            if (one.delay_until_epoch_ms or 0) > latest_ms:
                self._asked().set_workflow_delay(one.workflow_id, delay_seconds=longest_s)

    def prune(self, keep_days: int) -> int:
        """Entries that ended longer ago are gone; how many there were."""
        dropped = 0
        before = datetime.fromtimestamp(time.time() - keep_days * 86400, UTC).isoformat()
        ended = ["SUCCESS", "ERROR", "CANCELLED"]
        while ids := [one.workflow_id for one in self._listed(status=ended, completed_before=before, limit=500)]:
            self._asked().delete_workflows(ids)
            dropped += len(ids)
        return dropped

    def _listed(self, **wanted: Any) -> list[Any]:
        return list(self._asked().list_workflows(**wanted, load_input=False, load_output=False))

    def _asked(self) -> Any:
        if self._client is None:
            from dbos import DBOSClient, DBOSPortableJSONSerializer

            _unset_unwanted()
            self._client = DBOSClient(
                system_database_url=_dbos_url(self._catalog.url),
                system_database_engine=self._engine or self._catalog.engine,
                application_name=APPLICATION,
                serializer=DBOSPortableJSONSerializer(),
                lazy=True,
            )
        return self._client


def _unset_unwanted() -> None:
    for name in UNWANTED_VARIABLES:
        os.environ.pop(name, None)


def _dbos_url(url: str) -> str:
    address = sa.make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    return address.render_as_string(hide_password=False)

"""What operators do with the pipeline's work: try again, cancel. Each deed is an event, and no original is touched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.jobs import Jobs
from pipeline.errors import BadInput

if TYPE_CHECKING:
    from config.settings import WorkSettings
    from pipeline.edges.catalog import Catalog

Verb = Literal["retry", "cancel"]


class Operating:
    """The operators' verbs on one home's jobs."""

    def __init__(self, catalog: Catalog, audit: AuditLog, settings: WorkSettings) -> None:
        self._catalog, self._audit, self._settings = catalog, audit, settings

    def act(self, by: str, verb: Verb, names: Iterable[str]) -> tuple[list[str], list[BadInput]]:
        """(jobs of which it is so now, why it could not be with the others); the events are durable."""
        jobs = Jobs(self._catalog, self._settings)
        done, refused, last = list[str](), list[BadInput](), 0
        try:
            for name in names:
                try:
                    last = self._act(jobs, by, verb, name)
                    done.append(name)
                except BadInput as error:
                    refused.append(error)
        finally:
            jobs.close()
        self._audit.make_durable(last)
        return done, refused

    def _act(self, jobs: Jobs, by: str, verb: Verb, name: str) -> int:
        with self._catalog.transaction() as connection:
            (jobs.retry if verb == "retry" else jobs.cancel)(connection, name)
            event = NewEvent(type=f"job.{verb}", actor=by, original=name.partition("-")[0], facts={"job": name})
            [seq] = self._audit.record(connection, [event])
        return seq

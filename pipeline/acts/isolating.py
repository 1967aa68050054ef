"""Stop and isolate: what to do where a state secret is suspected in an original.

This system is none in which state secrets may be kept (保守国家秘密法 art. 31), so secrecy is no label here. Whoever
suspects one says so: at once the original is there for nobody, and no work on it goes on. Nothing is deleted: the bytes
stay in custody for the secrecy office, which is told by word of mouth. Another person releases it, with a reason, where
the office found that it is none.
"""

from __future__ import annotations

from dataclasses import replace

from ulid import ULID

from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import families, isolations
from pipeline.edges.database.isolations import Isolation
from pipeline.edges.jobs import Jobs
from pipeline.errors import BadInput, NotAllowed
from pipeline.records import Person


class Isolating:
    """The isolations of one home."""

    def __init__(self, catalog: Catalog, audit: AuditLog, jobs: Jobs) -> None:
        self._catalog, self._audit, self._jobs = catalog, audit, jobs

    def report(self, person: Person, original: str) -> Isolation:
        """The original and what belongs to it are there for nobody, and no work on them goes on.

        The event names its identifier and the deed alone.
        """
        record = Isolation(id=str(ULID()), original=original, by=person.name, begun_at=self._catalog.now())
        with self._catalog.transaction() as connection:
            family = list(connection.execute(families.of([original])).scalars())
            # Before the log's head is locked, as everywhere.
            self._jobs.stand(connection, family, isolations.REASON)
            isolations.put(connection, record)
            event = NewEvent(
                type=isolations.BEGUN, actor=person.name, original=original, facts={"isolation": record.id}
            )
            [seq] = self._audit.record(connection, [event])
            families.touch(connection, [record.original], seq)
        self._audit.make_durable(seq)
        return record

    def release(self, person: Person, identifier: str, reason: str) -> Isolation:
        """The original is there again, and the work on it goes on.

        Raises BadInput without a reason and where it was released before, NotAllowed for the person who reported it.
        """
        if not reason.strip():
            raise BadInput("Give a reason", zh="请说明理由")
        with self._catalog.transaction() as connection:
            record = isolations.one(connection, identifier)
            if record.ended_at is not None:
                raise BadInput(f"The isolation {record.id} has ended already", zh="该隔离已解除", found=record.id)
            if record.by == person.name:
                raise NotAllowed(
                    f"{person.name} reported it; another person must release it", zh="上报人不能自行解除隔离",
                    found=record.id,
                )  # fmt: skip
            record = replace(record, ended_by=person.name, ended_why=reason.strip(), ended_at=self._catalog.now())
            isolations.put(connection, record)
            family = list(connection.execute(families.of([record.original])).scalars())
            if not isolations.among(connection, family):
                self._jobs.stir(connection, family, isolations.REASON)
            facts = {"isolation": record.id, "reason": record.ended_why}
            event = NewEvent(type=isolations.ENDED, actor=person.name, original=record.original, facts=facts)
            [seq] = self._audit.record(connection, [event])
            families.touch(connection, [record.original], seq)
        self._audit.make_durable(seq)
        return record

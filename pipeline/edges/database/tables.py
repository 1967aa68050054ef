"""The catalog's tables: the nouns of `records.py`, and the engine's workers.

One set for SQLite and PostgreSQL. Our names start with `cr_`, for the work queue keeps tables of its own beside
them. Instants are text in UTC with microseconds, so that they sort as they are and read the same everywhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from pipeline.states import (
    ARRIVAL_STATUSES,
    DEVICE_ARTS,
    DISPOSAL_STATES,
    DROP_STATES,
    EXPORT_STATES,
    FIXITY_OUTCOMES,
    HOLD_KINDS,
    JOB_STATES,
    KINDS,
    LANES,
    LINK_STATUSES,
    ORIGINAL_STATES,
    RESTRICTION_KINDS,
)

PREFIX = "cr_"
metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware datetime, kept as `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""

    impl = sa.String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromisoformat(value)


def _one_of(column: str, names: Any) -> sa.CheckConstraint:
    listed = ", ".join(f"'{name}'" for name in names)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.String(26), primary_key=True)


def _original(nullable: bool = False) -> sa.Column[Any]:
    return sa.Column("original", sa.String(26), sa.ForeignKey("cr_original.id"), nullable=nullable, index=True)


def _text(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _at(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Instant, nullable=nullable)


def _finder() -> sa.Column[str]:
    return sa.Column("finder", sa.String(80), nullable=False)


def _turn() -> sa.Column[str]:
    """The turn (lane and stage) whose facts these are: running it again replaces exactly them."""
    return sa.Column("turn", sa.String(40), nullable=False)


original = sa.Table(
    "cr_original",
    metadata,
    _id(),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("sm3", sa.String(64)),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("format", sa.String(40), nullable=False),
    _text("name"),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    _at("accepted_at"),
    sa.Column("parent", sa.String(26), sa.ForeignKey("cr_original.id")),
    sa.Column("changed_seq", sa.BigInteger, nullable=False, index=True),
    # How much came in lately, and what was never read again since.
    sa.Index("ix_cr_original_accepted_at", "accepted_at", "id", "size_bytes"),
    _one_of("state", ORIGINAL_STATES),
    _one_of("kind", KINDS),
)
# Most have none, and a database that counted them would rather read all.
_BELONGS = original.c.parent.is_not(None)
sa.Index("ix_cr_original_parent", original.c.parent, sqlite_where=_BELONGS, postgresql_where=_BELONGS)
_BROKEN = original.c.state.in_(["failed_custody"])
sa.Index("ix_cr_original_broken", original.c.id, sqlite_where=_BROKEN, postgresql_where=_BROKEN)

arrival = sa.Table(
    "cr_arrival",
    metadata,
    _id(),
    _original(nullable=True),
    _text("source"),
    _text("path"),
    _text("folder"),
    _text("name"),
    sa.Column("stem", sa.Text, nullable=False),
    sa.Column("path_raw", sa.LargeBinary, nullable=False),
    sa.Column("name_raw", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    _text("reason", nullable=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sa.Column("device_number", sa.Numeric(20, 0), nullable=False),
    sa.Column("inode", sa.Numeric(20, 0), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    _at("taken_at"),
    _text("stated_case", nullable=True),
    _text("stated_activity", nullable=True),
    _text("stated_device", nullable=True),
    _text("stated_officer", nullable=True),
    sa.Column("place_key", sa.String(64), nullable=False),
    sa.UniqueConstraint("place_key", "sha256"),
    sa.Index("ix_cr_arrival_stem", "source", "folder", "stem"),
    _one_of("status", ARRIVAL_STATUSES),
)

property_ = sa.Table(
    "cr_property",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    _original(),
    _turn(),
    sa.Column("name", sa.String(120), nullable=False),
    _text("found"),
    sa.Column("value", sa.JSON(none_as_null=True)),
    _finder(),
)
# What recordings teach of their devices is looked up by its text; other texts are too long for an index.
_TAUGHT = property_.c.name.in_(["clock.lesson", "clock.open"])
sa.Index("ix_cr_property_taught", property_.c.name, property_.c.found, sqlite_where=_TAUGHT, postgresql_where=_TAUGHT)

time_claim = sa.Table(
    "cr_time_claim",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    _original(),
    _turn(),
    sa.Column("source", sa.String(80), nullable=False),
    _text("found"),
    _at("at", nullable=True),
    _at("end_at", nullable=True),
    sa.Column("zone_known", sa.Boolean, nullable=False),
    sa.Column("offset_min", sa.Integer),
    sa.Column("marks", sa.String(10), nullable=False),
    sa.Column("precision_s", sa.Float, nullable=False),
    sa.Column("trust", sa.Integer, nullable=False),
    _text("note"),
    _finder(),
)

decided_time = sa.Table(
    "cr_decided_time",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    _original(),
    _turn(),
    _at("start_at"),
    _at("end_at"),
    sa.Column("uncertainty_s", sa.Float, nullable=False),
    sa.Column("method", sa.String(80), nullable=False),
    _text("why"),
    sa.Column("zone_known", sa.Boolean, nullable=False),
    sa.Column("source", sa.String(80), nullable=False),
    sa.Column("losers", sa.JSON, nullable=False),
    _finder(),
    sa.Column("by_rules", sa.JSON(none_as_null=True)),
    sa.Column("why_zh", sa.Text, nullable=False, server_default=""),
    # What was recorded of some days, and what lies near a recording in time.
    sa.Index("ix_cr_decided_time_start_at", "start_at", "end_at", "original"),
)

time_correction = sa.Table(
    "cr_time_correction",
    metadata,
    sa.Column("original", sa.String(26), sa.ForeignKey("cr_original.id"), primary_key=True),
    _at("start_at"),
    _at("end_at", nullable=True),
    sa.Column("uncertainty_s", sa.Float, nullable=False),
    _text("reason"),
    _text("by"),
)

device = sa.Table(
    "cr_device",
    metadata,
    _id(),
    sa.Column("code", sa.String(80), nullable=False, unique=True),
    _text("name"),
    sa.Column("art", sa.String(20), nullable=False),
    _text("serial", nullable=True),
    sa.Column("aliases", sa.JSON, nullable=False),
    _text("unit", nullable=True),
    _text("zone", nullable=True),
    _text("place", nullable=True),
    _text("review_41", nullable=True),
    _one_of("art", DEVICE_ARTS),
)

custodian = sa.Table(
    "cr_custodian",
    metadata,
    _id(),
    sa.Column("code", sa.String(80), nullable=False, unique=True),
    _text("name"),
    _text("unit", nullable=True),
    sa.Column("aliases", sa.JSON, nullable=False),
)

ledger_entry = sa.Table(
    "cr_ledger_entry",
    metadata,
    _id(),
    sa.Column("device", sa.String(26), sa.ForeignKey("cr_device.id"), nullable=False, index=True),
    sa.Column("custodian", sa.String(26), sa.ForeignKey("cr_custodian.id"), nullable=False, index=True),
    _at("from_at"),
    _at("to_at", nullable=True),
    _text("note", nullable=True),
    sa.UniqueConstraint("device", "custodian", "from_at"),
)

clock_offset = sa.Table(
    "cr_clock_offset",
    metadata,
    _id(),
    sa.Column("device", sa.String(26), sa.ForeignKey("cr_device.id"), nullable=False, index=True),
    sa.Column("offset_s", sa.Float, nullable=False),
    sa.Column("uncertainty_s", sa.Float, nullable=False),
    _at("from_at"),
    _at("to_at", nullable=True),
    _text("how"),
    _text("by"),
)

case = sa.Table(
    "cr_case",
    metadata,
    _id(),
    _text("title"),
    sa.Column("opened_on", sa.String(10)),
    sa.Column("decision_due_on", sa.String(10)),
    sa.Column("registered", sa.Boolean, nullable=False, server_default=sa.false()),
)

case_number = sa.Table(
    "cr_case_number",
    metadata,
    sa.Column("key", sa.String(160), primary_key=True),
    sa.Column("case", sa.String(26), sa.ForeignKey("cr_case.id"), nullable=False, index=True),
    _text("printed"),
    sa.Column("kind", sa.String(20)),
    sa.Column("place", sa.Integer, nullable=False, server_default="0"),
)

party = sa.Table(
    "cr_party",
    metadata,
    _id(),
    sa.Column("case", sa.String(26), sa.ForeignKey("cr_case.id"), nullable=False, index=True),
    _text("name"),
    _text("identifier", nullable=True),
    sa.UniqueConstraint("case", "name"),
)

activity = sa.Table(
    "cr_activity",
    metadata,
    _id(),
    sa.Column("code", sa.String(200), nullable=False, unique=True),
    sa.Column("case", sa.String(26), sa.ForeignKey("cr_case.id"), index=True),
    _text("printed", nullable=True),
    sa.Column("step", sa.String(80), nullable=False),
    _text("place", nullable=True),
    sa.Column("people", sa.JSON, nullable=False),
    _at("from_at", nullable=True),
    _at("to_at", nullable=True),
    sa.Index("ix_cr_activity_from_at_to_at", "from_at", "to_at"),
)

document = sa.Table(
    "cr_document",
    metadata,
    _id(),
    sa.Column("case", sa.String(26), sa.ForeignKey("cr_case.id"), index=True),
    _original(nullable=True),
    sa.Column("art", sa.String(80), nullable=False),
    _text("text", nullable=True),
)

case_link = sa.Table(
    "cr_case_link",
    metadata,
    _id(),
    _original(),
    sa.Column("case", sa.String(26), sa.ForeignKey("cr_case.id"), nullable=False, index=True),
    sa.Column("activity", sa.String(26)),
    sa.Column("case_key", sa.String(160), nullable=False, index=True),
    _text("printed"),
    sa.Column("method", sa.String(40), nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    _text("why"),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("from_s", sa.Float),
    sa.Column("to_s", sa.Float),
    _text("by", nullable=True),
    _finder(),
    sa.Column("why_zh", sa.Text, nullable=False, server_default=""),
    sa.UniqueConstraint("original", "case_key"),
    _one_of("status", LINK_STATUSES),
)
_PROPOSED = case_link.c.status.in_(["proposed"])
sa.Index("ix_cr_case_link_proposed", case_link.c.original, sqlite_where=_PROPOSED, postgresql_where=_PROPOSED)

recording = sa.Table(
    "cr_recording",
    metadata,
    _id(),
    sa.Column("device", sa.String(26), sa.ForeignKey("cr_device.id"), index=True),
    sa.Column("parts", sa.JSON, nullable=False),
    sa.Column("gaps", sa.JSON, nullable=False),
)

derivative = sa.Table(
    "cr_derivative",
    metadata,
    _id(),
    _original(),
    _turn(),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("mime", sa.String(80), nullable=False),
    _text("path"),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    _text("tool"),
    sa.Column("parameters", sa.JSON, nullable=False),
    _finder(),
)

fingerprint = sa.Table(
    "cr_fingerprint",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    _original(),
    _turn(),
    sa.Column("method", sa.String(20), nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    _finder(),
)

relation = sa.Table(
    "cr_relation",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    _original(),
    _turn(),
    sa.Column("other", sa.String(26), sa.ForeignKey("cr_original.id"), nullable=False, index=True),
    sa.Column("relation", sa.String(20), nullable=False),
    sa.Column("offset_s", sa.Float, nullable=False),
    sa.Column("own_offset_s", sa.Float, nullable=False),
    sa.Column("length_s", sa.Float, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.UniqueConstraint("original", "other"),
)

caveat = sa.Table(
    "cr_caveat",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    _original(),
    _turn(),
    sa.Column("code", sa.String(40), nullable=False, index=True),
    _text("text"),
    _text("text_zh"),
    _finder(),
)

drop = sa.Table(
    "cr_drop",
    metadata,
    _id(),
    _text("source"),
    _text("folder"),
    _text("name"),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("manifest", sa.String(26), sa.ForeignKey("cr_original.id", name="fk_cr_drop_manifest")),
    sa.Column("listed", sa.Integer, nullable=False),
    _at("stated_at"),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("told", sa.JSON, nullable=False),
    sa.Index("ix_cr_drop_folder", "source", "folder"),
    _one_of("state", DROP_STATES),
)

rejection = sa.Table(
    "cr_rejection",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    _text("path"),
    sa.Column("path_raw", sa.LargeBinary, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("ctime_ns", sa.BigInteger, nullable=False),
    sa.Column("inode", sa.Numeric(20, 0), nullable=False),
    _text("reason"),
    _at("at"),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

told = sa.Table(
    "cr_told",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

event = sa.Table(
    "cr_event",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    _at("at"),
    sa.Column("type", sa.String(40), nullable=False),
    sa.Column("actor", sa.String(80), nullable=False),
    sa.Column("original", sa.String(26)),
    _text("line"),
    sa.Column("hash", sa.String(64), nullable=False),
    # Whoever reads the log narrows it by one of these and wants the latest first.
    sa.Index("ix_cr_event_at", "at", "seq"),
    sa.Index("ix_cr_event_type", "type", "at", "seq"),
    sa.Index("ix_cr_event_actor", "actor", "at", "seq"),
    sa.Index("ix_cr_event_original", "original", "at", "seq"),
)

log_head = sa.Table(
    "cr_log_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

retained = sa.Table(
    "cr_retained",
    metadata,
    _id(),
    _original(nullable=True),
    sa.Column("case", sa.String(26), sa.ForeignKey("cr_case.id"), index=True),
    sa.Column("case_key", sa.String(160)),
    _text("printed", nullable=True),
    sa.Column("code", sa.String(40), nullable=False),
    sa.Column("from_on", sa.String(10)),
    _text("reason"),
    _text("by"),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("rules", sa.String(80), nullable=False),
    _at("decided_at"),
    _at("ended_at", nullable=True),
    _text("ended_by", nullable=True),
    _text("ended_why", nullable=True),
)

hold = sa.Table(
    "cr_hold",
    metadata,
    _id(),
    _original(nullable=True),
    sa.Column("case", sa.String(26), sa.ForeignKey("cr_case.id"), index=True),
    sa.Column("case_key", sa.String(160)),
    _text("printed", nullable=True),
    sa.Column("kind", sa.String(12), nullable=False),
    _text("reason"),
    _text("by"),
    sa.Column("role", sa.String(20), nullable=False),
    _at("from_at"),
    _text("release_asked_by", nullable=True),
    _at("release_asked_at", nullable=True),
    _text("release_reason", nullable=True),
    _text("released_by", nullable=True),
    _at("released_at", nullable=True),
    _one_of("kind", HOLD_KINDS),
)

restriction = sa.Table(
    "cr_restriction",
    metadata,
    _id(),
    _original(nullable=True),
    sa.Column("case_key", sa.String(160), index=True),
    _text("printed", nullable=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("units", sa.JSON, nullable=False),
    sa.Column("persons", sa.JSON, nullable=False),
    _text("reason"),
    _text("by"),
    sa.Column("role", sa.String(20), nullable=False),
    _at("from_at"),
    _text("lifted_by", nullable=True),
    _text("lifted_why", nullable=True),
    _at("lifted_at", nullable=True),
    _one_of("kind", RESTRICTION_KINDS),
)

isolation = sa.Table(
    "cr_isolation",
    metadata,
    _id(),
    _original(),
    _text("by"),
    _at("begun_at"),
    _text("ended_by", nullable=True),
    _text("ended_why", nullable=True),
    _at("ended_at", nullable=True),
)

# Which reviewer weighs which case before it is decided.
assignment = sa.Table(
    "cr_assignment",
    metadata,
    _id(),
    sa.Column("case_key", sa.String(160), nullable=False, index=True),
    _text("printed"),
    sa.Column("person", sa.String(120), nullable=False),
    _text("by"),
    _at("assigned_at"),
    _text("ended_by", nullable=True),
    _at("ended_at", nullable=True),
)

disposal = sa.Table(
    "cr_disposal",
    metadata,
    _id(),
    _original(),
    sa.Column("state", sa.String(10), nullable=False, index=True),
    _text("reason"),
    sa.Column("code", sa.String(40), nullable=False),
    _at("until_at"),
    sa.Column("rules", sa.String(80), nullable=False),
    _text("proposed_by"),
    sa.Column("proposed_role", sa.String(20), nullable=False),
    _at("proposed_at"),
    _text("approved_by", nullable=True),
    sa.Column("approved_role", sa.String(20)),
    _at("approved_at", nullable=True),
    _at("begun_at", nullable=True),
    _at("ended_at", nullable=True),
    _text("ended_by", nullable=True),
    _text("ended_why", nullable=True),
    sa.Column("certificate", sa.JSON(none_as_null=True)),
    _one_of("state", DISPOSAL_STATES),
)

clock = sa.Table(
    "cr_clock",
    metadata,
    sa.Column("host", sa.String(120), primary_key=True),
    _at("wall_at"),
    sa.Column("ticks_s", sa.Float, nullable=False),
    sa.Column("boot", sa.String(40), nullable=False),
    _at("sure_at"),
    sa.Column("doubt", sa.Boolean, nullable=False),
    sa.Column("agreed_s", sa.Float, nullable=False),
)

export = sa.Table(
    "cr_export",
    metadata,
    _id(),
    _original(nullable=True),
    sa.Column("case_key", sa.String(160), nullable=False, index=True),
    _text("printed"),
    _text("purpose"),
    sa.Column("state", sa.String(12), nullable=False, index=True),
    sa.Column("selection", sa.String(64), nullable=False),
    sa.Column("files", sa.Integer, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("missing", sa.Integer, nullable=False),
    _text("folder", nullable=True),
    sa.Column("manifest", sa.String(64)),
    _text("asked_by"),
    _text("asked_login"),
    _at("asked_at"),
    _text("decided_by", nullable=True),
    _text("decided_login", nullable=True),
    _at("decided_at", nullable=True),
    _at("ended_at", nullable=True),
    _text("received_by", nullable=True),
    _at("received_at", nullable=True),
    _one_of("state", EXPORT_STATES),
)

job = sa.Table(
    "cr_job",
    metadata,
    sa.Column("id", sa.String(80), primary_key=True),
    _original(),
    sa.Column("lane", sa.String(10), nullable=False),
    sa.Column("stage", sa.String(20), nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("deaths", sa.Integer, nullable=False),
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("token", sa.String(40)),
    sa.Column("worker", sa.String(120)),
    _at("waiting_since", nullable=True),
    _at("started_at", nullable=True),
    _at("ended_at", nullable=True),
    _text("reason", nullable=True),
    _text("detail", nullable=True),
    sa.Column("stage_version", sa.Integer),
    sa.UniqueConstraint("original", "lane", "stage"),
    sa.Index("ix_cr_job_state", "state", "stage", "lane", "ended_at"),
    _one_of("state", JOB_STATES),
    _one_of("lane", LANES),
)

worker = sa.Table(
    "cr_worker",
    metadata,
    sa.Column("id", sa.String(120), primary_key=True),
    sa.Column("role", sa.String(20), nullable=False),
    _text("host"),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("generation", sa.String(20), nullable=False),
    sa.Column("started_s", sa.Float, nullable=False),
    sa.Column("seen_s", sa.Float, nullable=False, index=True),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("said", sa.JSON, nullable=False),
)

lock = sa.Table(
    "cr_lock",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("holder", sa.String(120), nullable=False),
    sa.Column("until_s", sa.Float, nullable=False),
)

fixity = sa.Table(
    "cr_fixity",
    metadata,
    sa.Column("original", sa.String(26), sa.ForeignKey("cr_original.id"), primary_key=True),
    sa.Column("checked_at", Instant, nullable=False, index=True),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Index("ix_cr_fixity_original", "original", "checked_at"),
    _one_of("outcome", FIXITY_OUTCOMES),
)

incident = sa.Table(
    "cr_incident",
    metadata,
    _id(),
    _original(),
    _at("opened_at"),
    sa.Column("faults", sa.JSON, nullable=False),
    _at("closed_at", nullable=True),
    sa.Column("closed_by", sa.String(80)),
    _text("how", nullable=True),
)

saved_search = sa.Table(
    "cr_saved_search",
    metadata,
    _id(),
    sa.Column("owner", sa.String(120), nullable=False, index=True),
    _text("name"),
    _text("text"),
    sa.Column("filters", sa.JSON, nullable=False),
    _text("purpose"),
    _at("saved_at"),
    _at("ended_at", nullable=True),
)

alert = sa.Table(
    "cr_alert",
    metadata,
    sa.Column("search", sa.String(26), sa.ForeignKey("cr_saved_search.id"), primary_key=True),
    sa.Column("original", sa.String(26), sa.ForeignKey("cr_original.id"), primary_key=True, index=True),
    _at("raised_at"),
    _at("seen_at", nullable=True),
)

annotation = sa.Table(
    "cr_annotation",
    metadata,
    _id(),
    _original(),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("at_s", sa.Float, nullable=False),
    sa.Column("to_s", sa.Float),
    sa.Column("pts", sa.BigInteger),
    sa.Column("to_pts", sa.BigInteger),
    sa.Column("pts_unit", sa.String(40)),
    _at("corrected_at", nullable=True),
    sa.Column("uncertainty_s", sa.Float),
    _text("text"),
    sa.Column("shared", sa.Boolean, nullable=False),
    sa.Column("by", sa.String(120), nullable=False),
    _at("made_at"),
    sa.Column("beside", sa.String(26)),
    sa.Column("offset_s", sa.Float),
    _at("withdrawn_at", nullable=True),
    _one_of("kind", ("bookmark", "note", "nudge")),
)

# Persons who sign in to the pages. password: as argon2 writes it, None until one was set; never in the log.
account = sa.Table(
    "cr_account",
    metadata,
    _id(),
    sa.Column("name", sa.String(120), nullable=False, unique=True),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("unit", sa.String(120)),
    _at("made_at"),
    _at("closed_at", nullable=True),
    _text("password", nullable=True),
    sa.Column("must_change", sa.Boolean, nullable=False),
    sa.Column("failed_count", sa.Integer, nullable=False),
    _at("locked_until_at", nullable=True),
    _text("subject", nullable=True),
)

# token: the SHA-256 of what the browser holds. purpose: why its person looks, until they say another.
session = sa.Table(
    "cr_session",
    metadata,
    sa.Column("token", sa.String(64), primary_key=True),
    sa.Column("account", sa.String(26), sa.ForeignKey("cr_account.id"), nullable=False, index=True),
    sa.Column("csrf", sa.String(64), nullable=False),
    _text("purpose"),
    _at("begun_at"),
    _at("seen_at"),
    _at("ended_at", nullable=True),
)

# One person's look at one original, in one session: its event stands in the log, its seconds are added here.
look = sa.Table(
    "cr_look",
    metadata,
    _id(),
    sa.Column("session", sa.String(64), nullable=False),
    sa.Column("person", sa.String(120), nullable=False),
    _original(),
    _text("purpose"),
    _at("begun_at"),
    sa.Column("watched_s", sa.Float, nullable=False),
    sa.Index("ix_cr_look_session", "session", "original"),
    sa.Index("ix_cr_look_person", "person", "original", "watched_s"),
)

# What one person has played of one original, over all their looks: seconds from and to, and the speed.
watched = sa.Table(
    "cr_watched",
    metadata,
    sa.Column("person", sa.String(120), primary_key=True),
    sa.Column("original", sa.String(26), sa.ForeignKey("cr_original.id"), primary_key=True),
    sa.Column("stretches", sa.JSON, nullable=False),
)

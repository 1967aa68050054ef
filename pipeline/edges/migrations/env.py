"""How the numbered changes are run: on our own engine, leaving the work queue's tables alone."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context

from pipeline.edges.database import tables
from pipeline.edges.database.engines import make_engine


def is_ours(_thing: Any, name: str | None, type_: str, _reflected: bool, _compare_to: Any) -> bool:
    """Whether a table found in the database is one of the catalog's."""
    return type_ != "table" or (name or "").startswith(tables.PREFIX)


engine = make_engine(context.config.attributes["url"], writes=True)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=tables.metadata,
        version_table="cr_version",
        include_object=is_ours,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
        user_module_prefix="tables.",
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(727010)"))
        context.run_migrations()
engine.dispose()

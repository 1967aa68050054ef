"""The databases under the catalog, SQLite or PostgreSQL, with what each needs to keep its word; and its migrations."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from pipeline.errors import TryAgain

BUSY_MS: Final = 30_000
# Nor longer does PostgreSQL keep a writing session open whose process stands still within a transaction. Below a lease.
IDLE_MS: Final = 30_000
# The last of the numbered steps in `migrations/`.
REVISION: Final = "0021"


def make_engine(url: str, *, writes: bool) -> sa.Engine:
    """An engine with what each database needs to keep its word.

    SQLite: WAL and synchronous FULL (NORMAL loses acknowledged rows in a power cut), and for writing an
    immediate transaction. PostgreSQL: the psycopg driver, and for writing an end of sessions that stand still.
    """
    address = sa.make_url(url)
    if address.get_backend_name() == "postgresql":
        return _make_postgres_engine(address.set(drivername="postgresql+psycopg"), writes=writes)
    engine = sa.create_engine(address, pool_size=10, max_overflow=20, connect_args={"timeout": BUSY_MS / 1000})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        if sqlite3.sqlite_version_info < (3, 42):
            # DBOS 3.4 asks for Python 3.12 where it means SQLite 3.42, and gets NULL from unixepoch('subsec').
            connection.create_function("unixepoch", 1, lambda _: time.time())
        for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_postgres_engine(address: sa.URL, *, writes: bool) -> sa.Engine:
    engine = sa.create_engine(address, pool_size=10, max_overflow=10, pool_pre_ping=True)
    if writes:

        @sa.event.listens_for(engine, "connect")
        def _limit(connection: Any, _: Any) -> None:
            connection.execute(f"SET idle_in_transaction_session_timeout = {IDLE_MS}")
            connection.commit()

    return engine


def migrate(url: str) -> None:
    """The tables are those of this version. Numbered steps, each in a transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.attributes["url"] = url
    command.upgrade(config, "head")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raises TryAgain, in words, where the database within the block is locked, full or away."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        # A session that PostgreSQL ended for standing still comes as an internal error over a lost connection.
        if isinstance(error, sa.exc.OperationalError) or error.connection_invalidated:
            raise TryAgain(
                f"The catalog's database does not answer as it should: {error.orig}",
                zh=f"目录数据库没有正常响应：{error.orig}",
            ) from error
        raise

"""Homes for the tests: made once a process and database, then copied, for the suite needs some thousand of them.

Only what tests say of making a home itself, or of a disk while it is made, needs `workers.bootstrap.make_home`.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from config.settings import Settings, load
from workers import bootstrap

_MADE: dict[str, Path] = {}


def make_home(settings: Settings) -> bool:
    """As `workers.bootstrap.make_home`: the home's folders, tables and log exist; whether they were made just now.

    A catalog on PostgreSQL takes the place of the database of that name, if there is one.
    """
    if settings.home.exists() or settings.inbox != settings.home / "inbox":
        return bootstrap.make_home(settings)
    url = make_url(settings.catalog_url)
    on_server = url.get_backend_name() == "postgresql"
    template = _template(_maintenance(url) if on_server else None)
    shutil.copytree(template, settings.home)
    if on_server:
        _copy_database(url)
    return True


def _template(server: URL | None) -> Path:
    key = "" if server is None else server.render_as_string(hide_password=False)
    if key not in _MADE:
        folder = Path(tempfile.mkdtemp(prefix="casereel-homes-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        overrides: dict[str, str] = {}
        if server is not None:
            with _administering(server) as connection:
                connection.execute(sa.text(f"CREATE DATABASE {_name(server)}"))
            made = server.set(drivername="postgresql", database=_name(server))
            overrides["CASEREEL_CATALOG_URL"] = made.render_as_string(hide_password=False)
        bootstrap.make_home(load(folder / "home", overrides))
        _MADE[key] = folder / "home"
    return _MADE[key]


def _copy_database(url: URL) -> None:
    server = _maintenance(url)
    with _administering(server) as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {url.database}"))
        connection.execute(sa.text(f"CREATE DATABASE {url.database} TEMPLATE {_name(server)}"))


def _maintenance(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg", database="postgres")


def _name(server: URL) -> str:
    return f"made_for_{server.port}"


def _administering(server: URL) -> sa.Connection:
    return sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool).connect()

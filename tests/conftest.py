"""What the tests share: homes on SQLite and PostgreSQL, made samples, the folder of real recordings."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from config.settings import Settings, load
from tests.corpus_home import Taken, taken_in
from tests.homes import make_home
from workers.bootstrap import Home, build_home
from workers.rebuild import rebuild_catalog

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
QUICK = {
    "CASEREEL_SETTLE_QUIET_S": "0.3",
    "CASEREEL_SETTLE_QUIET_NO_LEASE_S": "0.6",
    "CASEREEL_SETTLE_UNFINISHED_S": "2",
    "CASEREEL_WATCH_RESCAN_S": "1",
    "CASEREEL_WATCH_POLL_S": "0.2",
    "CASEREEL_WORK_POLL_S": "0.1",
    "CASEREEL_WORK_HEARTBEAT_S": "0.5",
    "CASEREEL_WORK_LEASE_S": "5",
    "CASEREEL_VAULT_RESERVE_SHARE": "0.0",
}


# Files that take over a minute, the longest first: whoever begins with them is not waited for at the end. The first
# takes in the real recordings; others who read them come when that is done.
LONGEST_FIRST = (
    "test_corpus", "test_kill", "test_zombie", "test_faults", "test_demo", "test_disposal_interleavings",
    "test_hostile", "test_cli", "test_registers", "test_sources", "test_power_cut", "test_steps", "test_clock_jumps",
    "test_disposal_kills", "test_match", "test_promptness", "test_in_step", "test_network", "test_agreement",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pictures", metavar="DIR", type=Path, help="where pictures of pages go; else beside the tests' other files"
    )


@pytest.fixture(scope="session")
def pictures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for pictures of pages, for people to look at."""
    folder: Path = request.config.getoption("--pictures") or tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files stand first; `scripts/test` has them handed out in this order."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real recordings beside the checkout."""
    if not (CORPUS / "manifest.csv").exists():
        pytest.skip("the folder of real recordings is not beside the checkout")
    return CORPUS


@pytest.fixture(scope="session")
def taken(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    """A home with the whole folder of real recordings in it; to be read only."""
    found = taken_in(corpus, tmp_path_factory)
    yield found
    found.home.close()


@pytest.fixture(scope="session")
def manifest(corpus: Path) -> list[dict[str, str]]:
    """What tools that are not ours said of each real recording."""
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _postgres_bin() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of this session's own, on loopback."""
    programs = _postgres_bin()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed; on Debian: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    folder = tmp_path_factory.mktemp("postgres")
    as_whom: dict[str, str] = {}
    if os.name == "posix" and os.geteuid() == 0:
        # PostgreSQL refuses to run as root; its Debian package made this user.
        as_whom = {"user": "postgres", "group": "postgres"}
        folder = Path(tempfile.gettempdir()) / f"casereel-postgres-{os.getpid()}"
        folder.mkdir(mode=0o700)
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "data", _free_port()
    subprocess.run(
        [programs / "initdb", "-D", data, "-A", "trust", "-U", "casereel", "-E", "UTF8", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **as_whom,
    )  # fmt: skip
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", str(folder),
         "-c", "fsync=off"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **as_whom,
    )  # fmt: skip
    url = f"postgresql+psycopg://casereel@127.0.0.1:{port}/postgres"
    try:
        for _ in range(600):
            try:
                with create_engine(url).connect():
                    break
            except Exception:
                time.sleep(0.1)
        yield url
    finally:
        # Its data goes too, so it waits for no client and writes nothing out.
        server.send_signal(signal.SIGQUIT)
        server.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh_database(postgres: str) -> Callable[[], str]:
    """Makes an empty PostgreSQL database and gives its address."""

    def make() -> str:
        url = _unused_name(postgres)
        engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {url.rpartition('/')[2]}"))
        engine.dispose()
        return url

    return make


def _unused_name(server: str) -> str:
    return server.rpartition("/")[0].replace("+psycopg", "") + f"/case{time.monotonic_ns()}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def catalog_url(request: pytest.FixtureRequest) -> str:
    """Where `make_home` shall make a catalog: in the home, then on PostgreSQL. Tests that take it run on both."""
    return "" if request.param == "sqlite" else _unused_name(request.getfixturevalue("postgres"))


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a home in the test's folder, quick to settle; keywords override, as environment names."""

    def make(name: str = "home", **overrides: str) -> Settings:
        return load(tmp_path / name, {**QUICK, **{f"CASEREEL_{k.upper()}": v for k, v in overrides.items()}})

    return make


@pytest.fixture
def home(make_settings: Callable[..., Settings], catalog_url: str) -> Iterator[Home]:
    """A made home, on both databases."""
    settings = make_settings(catalog_url=catalog_url) if catalog_url else make_settings()
    make_home(settings)
    built = build_home(settings)
    yield built
    built.close()


@pytest.fixture
def by_log_alone(make_settings: Callable[..., Settings], request: pytest.FixtureRequest) -> Callable[[Home], Home]:
    """Closes a home and gives it back as its log and vault alone make it again; the caller closes that."""

    def again(home: Home) -> Home:
        settings = home.settings
        if home.catalog.engine.dialect.name == "postgresql":
            settings = make_settings(catalog_url=request.getfixturevalue("fresh_database")())
        home.close()
        rebuild_catalog(settings)
        return build_home(settings)

    return again


@pytest.fixture
def sqlite_home(make_settings: Callable[..., Settings]) -> Iterator[Home]:
    """A made home on SQLite."""
    settings = make_settings()
    make_home(settings)
    built = build_home(settings)
    yield built
    built.close()


@pytest.fixture
def printed(casereel: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., list[dict[str, Any]]]:
    """Runs the command line with --json and requires its exit code; the objects it printed."""

    def run(*arguments: Any, code: int = 0) -> list[dict[str, Any]]:
        done = casereel(*arguments, "--json")
        assert done.returncode == code, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def casereel(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line as a process of its own."""

    def run(
        *arguments: str | Path, environ: dict[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "workers", *map(str, arguments)],
            capture_output=True, text=True, timeout=timeout, cwd=Path(__file__).resolve().parents[1],
            env={**os.environ, **QUICK, "CASEREEL_HOME": str(tmp_path / "home"), **(environ or {})},
        )  # fmt: skip

    return run

"""Checks the surroundings and says the exact fix."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from config.settings import Settings
from pipeline.errors import CasereelError
from workers.cli import NOT_FIT, app_of

Check = tuple[str, bool, str, str]
WHOOSH_COMFORTABLE, WHOOSH_LIMIT = 30_000, 100_000


@click.command(short_help="Check the surroundings and say the exact fix.")
def doctor() -> int:
    """Checks Python, ffmpeg, disk, catalog, index, watchers and cage; each failing line says what to do.

    Example: casereel doctor --json
    """
    app = app_of()
    bad = 0
    for check, ok, found, fix in _checks(app.settings):
        bad += not ok
        app.emit(
            {"check": check, "ok": ok, "found": found, "fix": "" if ok else fix},
            f"{'ok ' if ok else '!! '} {check:16} {found}" + ("" if ok else f"\n    -> {fix}"),
        )
    return NOT_FIT if bad else 0


def _checks(settings: Settings) -> Iterator[Check]:
    yield "python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or newer"
    yield _safely("home", lambda: _home(settings), "run `casereel init`")
    yield _safely("disk", lambda: _disk(settings), "make room, or move the home to a larger disk")
    yield _safely("catalog", lambda: _catalog(settings), "run `casereel init`; for PostgreSQL check catalog.url")
    yield (
        "sqlite",
        sqlite3.sqlite_version_info >= (3, 35),
        sqlite3.sqlite_version,
        "use a Python with SQLite 3.35 or newer",
    )
    yield from _media(settings)
    yield _safely("index", lambda: _index(settings), "run `casereel rebuild index`")
    yield _safely(
        "watching", _watching, "sysctl -w fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=1024"
    )
    yield _safely("fixity", lambda: _fixity(settings), "see `casereel status`; `casereel repair ID --from BACKUP`")
    yield _safely("sm3", lambda: _sm3(settings), "set vault.sm3 = false, or use a Python with OpenSSL 1.1.1 or newer")
    yield "clock", True, _clock(), ""


def _safely(check: str, look: Callable[[], tuple[bool, str]], fix: str) -> Check:
    try:
        ok, found = look()
    except (CasereelError, OSError, ImportError, ValueError) as error:
        return check, False, str(error), fix
    return check, ok, found, fix


def _home(settings: Settings) -> tuple[bool, str]:
    probe = settings.home / ".casereel-probe"
    probe.write_bytes(b"")
    probe.unlink()
    same = (settings.home / "staging").stat().st_dev == (settings.home / "vault").stat().st_dev
    from workers.watching.mounts import is_network_mount

    where = "a network share" if is_network_mount(settings.home) else "a local disk"
    return same and where == "a local disk", f"{settings.home} on {where}" + (
        "" if same else ", staging on another disk"
    )


def _disk(settings: Settings) -> tuple[bool, str]:
    usage = shutil.disk_usage(settings.home)
    reserve = int(usage.total * settings.vault.reserve_share)
    return (
        usage.free > reserve,
        f"{usage.free >> 30} of {usage.total >> 30} GiB free, {reserve >> 30} GiB kept in reserve",
    )


def _catalog(settings: Settings) -> tuple[bool, str]:
    from pipeline.edges.catalog import Catalog

    catalog = Catalog(settings.catalog_url)
    try:
        catalog.require_current()
        count = sum(catalog.counts().values())
        return True, f"{catalog.engine.dialect.name}, {count} originals"
    finally:
        catalog.close()


def _media(settings: Settings) -> Iterator[Check]:
    from pipeline.edges.cage import CAN_FORK, is_without_network
    from pipeline.edges.tools import Tools

    tools = Tools(settings.media.ffmpeg)
    try:
        able = tools.capabilities()
        whole = {"libx264", "aac"} <= set(able.encoders) and not able.demuxers_missing
        missing = f", cannot read {', '.join(able.demuxers_missing)}" if able.demuxers_missing else ""
        found = f"{able.version} ({settings.media.ffmpeg}: {able.path}), writes {', '.join(able.encoders)}{missing}"
        yield "ffmpeg", whole, found, 'set media.ffmpeg = "bundled"'
        closed = CAN_FORK and tools.call(is_without_network)
        cage = "limits of time and memory" if CAN_FORK else "limits of time only (weaker: no fork on this system)"
        yield "cage", True, f"{cage}, {'no network' if closed else 'network not taken away (weaker)'}", ""
    except CasereelError as error:
        yield "ffmpeg", False, str(error), 'set media.ffmpeg = "bundled"'
    finally:
        tools.close()
    import av

    yield "probe", True, f"PyAV {av.__version__}", ""


def _index(settings: Settings) -> tuple[bool, str]:
    from workers.bootstrap import build_follower, home

    with home(settings) as built:
        state: dict[str, Any] = build_follower(built).state()
    said = f"{state['backend']}, {state['documents']} documents, {state['behind']} behind"
    if state["backend"] == "whoosh":
        said += f'; comfortable to {WHOOSH_COMFORTABLE}, {WHOOSH_LIMIT} at most: then index.backend = "tantivy"'
        return state["documents"] <= WHOOSH_LIMIT, said
    return True, said


def _fixity(settings: Settings) -> tuple[bool, str]:
    from pipeline.custody.fixity import Fixity
    from workers.bootstrap import home

    with home(settings) as built:
        state = Fixity(built.vault, built.catalog, built.audit, built.actor).standing(
            built.catalog.now(), settings.fixity.every_days
        )
    said = (
        f"{state['incidents']} incidents, {state['overdue']} overdue, the oldest read {state['oldest_days']} days ago"
    )
    return not state["incidents"] and not state["overdue"], said


def _watching() -> tuple[bool, str]:
    from pipeline.edges.disk import capabilities

    able = capabilities()
    lease = (
        "the kernel says who writes" if able["read_lease"] else "quiet time only (weaker: no read lease on this system)"
    )
    from workers.watching.ears import limits

    have = limits()
    if not have:
        return True, lease
    said = ", ".join(f"fs.inotify.{name} = {value}" for name, value in have.items())
    return have.get("max_user_watches", 0) >= 8192 and have.get("max_user_instances", 0) >= 64, f"{lease}; {said}"


def _sm3(settings: Settings) -> tuple[bool, str]:
    import hashlib

    there = "sm3" in hashlib.algorithms_available
    state = "on" if settings.vault.sm3 else "off"
    return there or not settings.vault.sm3, f"{'available' if there else 'not available'}, {state}"


def _clock() -> str:
    from datetime import datetime

    return datetime.now().astimezone().isoformat(timespec="seconds")


COMMAND = doctor

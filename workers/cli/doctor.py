"""Checks the surroundings and says the exact fix."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click

from config.settings import Settings
from pipeline.errors import CasereelError
from workers.cli import NOT_FIT, app_of

if TYPE_CHECKING:
    from pipeline.edges.tools import Caging

Check = tuple[str, bool, str, str]
# Documents with a minute of speech each; measured with Whoosh 2.7.4 (`scripts/bench search`): at the first figure a
# common word takes a tenth of a second of the processor, one of three characters a third, the beginning of a number
# one, and building the index five minutes; all of it grows with the documents.
WHOOSH_COMFORTABLE, WHOOSH_LIMIT = 10_000, 30_000


@click.command(short_help="Check the surroundings and say the exact fix.")
def doctor() -> int:
    """Checks Python, ffmpeg, disk, catalog, index, watchers and cage; each failing line says what to do.

    Example: casereel doctor --json
    """
    app = app_of()
    bad = 0
    for check, ok, found, fix in _checks(app.settings, app.in_words):
        bad += not ok
        app.emit(
            {"check": check, "ok": ok, "found": found, "fix": "" if ok else fix},
            f"{'ok ' if ok else '!! '} {check:16} {found}" + ("" if ok else f"\n    -> {fix}"),
        )
    return NOT_FIT if bad else 0


def _checks(settings: Settings, in_words: Callable[[str, str], str]) -> Iterator[Check]:
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
    yield from _media(settings, in_words)
    yield _index(settings, in_words)
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


def _media(settings: Settings, in_words: Callable[[str, str], str]) -> Iterator[Check]:
    from pipeline.edges.tools import Tools

    tools = Tools(settings.media.ffmpeg)
    try:
        able = tools.capabilities()
        whole = {"libx264", "aac"} <= set(able.encoders) and not able.demuxers_missing
        missing = f", cannot read {', '.join(able.demuxers_missing)}" if able.demuxers_missing else ""
        found = f"{able.version} ({settings.media.ffmpeg}: {able.path}), writes {', '.join(able.encoders)}{missing}"
        yield "ffmpeg", whole, found, 'set media.ffmpeg = "bundled"'
        caging = tools.caging
        enough = caging.level == "full" or settings.media.cage != "full"
        yield "cage", enough, _cage_in_words(caging, in_words), in_words(*REMEDY_OF_A_LESSER_CAGE)
    except CasereelError as error:
        yield "ffmpeg", False, str(error), 'set media.ffmpeg = "bundled"'
    finally:
        tools.close()
    import av

    yield "probe", True, f"PyAV {av.__version__}", ""
    yield "ocr", True, _ocr(settings, in_words), ""


REMEDY_OF_A_LESSER_CAGE = (
    '请照此处理，或设置 media.cage = "best"，文件将在较弱的隔离中读取',
    'do that, or set media.cage = "best": files are then read in the lesser cage',
)


def _ocr(settings: Settings, in_words: Callable[[str, str], str]) -> str:
    from pipeline.edges.caged.ocr import is_there

    if not is_there():
        return in_words("本系统无法识别扫描件上的文字", "text of scans cannot be recognised on this system")
    return f"RapidOCR {version('rapidocr')}, ONNX Runtime {version('onnxruntime')}; media.ocr = {settings.media.ocr}"


def _cage_in_words(caging: Caging, in_words: Callable[[str, str], str]) -> str:
    """What a hostile file could still do, and for each thing that is missing what brings it."""
    from pipeline.edges.tools import REMEDIES

    said = {
        "full": in_words(
            "完整：媒体程序只能看到证据文件和自身，没有网络，只能使用列出的系统调用",
            "full: a media program sees the evidence file and itself, has no network, makes only listed system calls",
        ),
        "reduced": in_words(
            "降级：媒体程序只能打开证据文件和自身，没有网络，但能看到其他文件的名称和大小以及其他进程",
            "reduced: a media program opens only the evidence file and itself and has no network, but can see the "
            "names and sizes of other files, and other processes",
        ),
        "limits": in_words(
            "仅限制时间和内存：被攻破的媒体程序可以读取该账户能读取的一切",
            "limits of time and memory only: a media program that is taken over can read all that this account can",
        ),
    }[caging.level]
    if not caging.network:
        said += in_words("；网络未断开", "; the network is not taken away")
    lacking = [in_words(*LACKING[name]) + " -> " + in_words(*REMEDIES[name]) for name in caging.lacking]
    return "; ".join([said, *lacking])


LACKING = {
    "bwrap": ("没有 bubblewrap", "bubblewrap is missing"),
    "namespaces": ("bubblewrap 被系统拒绝", "the system refuses bubblewrap"),
    "sight": ("内核不支持 Landlock", "the kernel offers no Landlock"),
    "calls": ("系统调用未过滤", "system calls are not filtered"),
}


def _index(settings: Settings, in_words: Callable[[str, str], str]) -> Check:
    """Whether searches are answered by a whole index of the kind that the settings ask for, and of a fit size."""
    from workers.bootstrap import build_follower, home

    rebuild = in_words("运行 casereel rebuild index", "run `casereel rebuild index`")
    try:
        with home(settings) as built:
            state: dict[str, Any] = build_follower(built).state()
    except (CasereelError, OSError, ImportError) as error:
        return "index", False, str(error), rebuild
    found = in_words(
        f"{state['backend']}，{state['documents']} 条，落后 {state['behind']} 条",
        f"{state['backend']}, {state['documents']} documents, {state['behind']} behind",
    )
    if state["fault"] and state["behind"]:
        return "index", False, f"{found}; {state['fault']}", rebuild
    if state["wanted"] != state["backend"]:
        found += in_words(f"；设置要求 {state['wanted']}", f"; the settings ask for {state['wanted']}")
        return "index", False, found, rebuild
    if state["backend"] != "whoosh":
        return "index", True, found, ""
    found += in_words(
        f"；{WHOOSH_COMFORTABLE} 条以内顺畅，最多 {WHOOSH_LIMIT} 条",
        f"; comfortable to {WHOOSH_COMFORTABLE} documents, {WHOOSH_LIMIT} at most",
    )
    fix = in_words(
        '设置 index.backend = "tantivy"，再运行 casereel rebuild index',
        'set index.backend = "tantivy", then run `casereel rebuild index`',
    )
    return "index", state["documents"] <= WHOOSH_LIMIT, found, fix


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
    from pipeline.edges.host.disk import capabilities
    from pipeline.edges.host.handles import BY_HANDLE

    able = capabilities()
    lease = "quiet time and reading twice only (weaker: no read lease on this system)"
    if able["read_lease"]:
        lease = "the kernel says who writes"
    elif able["share_modes"]:
        lease = "the share mode keeps writers out while a file is read"
    if not BY_HANDLE:
        lease += "; folders are reached by path and compared before and after (weaker: no handles of folders)"
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

"""Signing the log's head: killed at every named step, and by several processes at once."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

import pytest

from config.settings import Settings
from pipeline.custody.tree import Tree, leaf_hash
from pipeline.errors import CustodyBroken
from tests.flows.running import ROOT
from tests.homes import make_home
from workers.bootstrap import Home, build_home

STEPS = (
    "key.told", "tiles.written", "checkpoint.before", "checkpoint.pending", "checkpoint.current", "checkpoint.after",
)  # fmt: skip


def grow(home: Home, count: int) -> None:
    for number in range(count):
        home.tell("search", facts={"n": number})


def in_child(work: Callable[[], object], **environ: str) -> int:
    """Runs the work in a process of its own; its number."""
    child = os.fork()
    if child == 0:
        os.environ.update(environ)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    """The exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("is_first", [True, False], ids=["first head", "later head"])
def test_dying_at_any_step_of_signing_leaves_a_log_that_holds_and_is_signed_next(
    make_settings: Callable[..., Settings], step: str, is_first: bool
) -> None:
    if step == "key.told" and not is_first:
        pytest.skip("the key is told of at the first head only")
    settings = make_settings()
    make_home(settings)
    home = build_home(settings)
    grow(home, 2)
    if not is_first:
        home.checkpoints.sign_head()
        grow(home, 2)
    home.close()

    def sign() -> None:
        build_home(settings).checkpoints.sign_head()

    assert ended(in_child(sign, CASEREEL_FAILPOINT=step)) == -signal.SIGKILL
    home = build_home(settings)
    assert home.check_log(grace_s=0.0).faults == ()
    grow(home, 1)
    signed = home.checkpoints.sign_head()
    assert signed is not None
    assert signed.root == Tree(leaf_hash(line.encode()) for line in home.audit.lines()).root()
    report = home.check_log(grace_s=0.0)
    assert report.faults == ()
    assert report.signed_heads == len(home.checkpoints.sizes())
    assert not list((settings.home / "log" / "checkpoints").glob("*.new"))
    home.close()


def test_processes_that_record_and_sign_at_once_make_one_log(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    make_home(settings)

    def work() -> None:
        home = build_home(settings)
        for _ in range(4):
            grow(home, 2)
            home.checkpoints.sign_head()
        home.close()

    assert [ended(child) for child in [in_child(work) for _ in range(3)]] == [0, 0, 0]
    home = build_home(settings)
    report = home.check_log(grace_s=0.0)
    assert report.faults == ()
    assert report.entries == 1 + 1 + 3 * 4 * 2  # the home's making, one key, the searches
    assert report.signed_heads == len(home.checkpoints.sizes()) >= 4
    home.close()


def test_every_step_of_signing_is_tried() -> None:
    names: set[str] = set()
    for path in (ROOT / "pipeline").rglob("*.py"):
        names |= set(re.findall(r'failpoint\.at\("([^"]+)"\)', path.read_text(encoding="utf-8")))
    assert {name for name in names if name.partition(".")[0] in ("checkpoint", "tiles", "key")} == set(STEPS)


def test_a_torn_checkpoint_is_named_and_nothing_is_signed_over_it(sqlite_home: Home) -> None:
    signed = sqlite_home.checkpoints.sign_head()
    assert signed is not None
    signed.path.write_bytes(signed.path.read_bytes()[:40])
    assert any("damaged" in fault for fault in sqlite_home.check_log().faults)
    with pytest.raises(CustodyBroken, match="damaged"):
        sqlite_home.checkpoints.sign_head()

"""Processes for tests of what several of them do at once, or of one that dies: forked from a clean one, in a moment."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

# What every child needs is imported once.
_LOADED = ("tests.indexer.test_follower", "tests.contracts.test_backends")


def child(target: Callable[..., None], *args: Any) -> BaseProcess:
    """A started process that runs this function of a module."""
    if sys.platform == "win32":
        process: BaseProcess = multiprocessing.get_context("spawn").Process(target=target, args=args)
    else:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_LOADED))
        process = context.Process(target=target, args=args)
    process.start()
    return process

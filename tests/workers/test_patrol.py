"""The patrol goes on whatever one round, or one of the deeds beside its rounds, stumbles over."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.flows.running import wait_until
from workers import patrol
from workers.bootstrap import Home


@pytest.mark.parametrize("name", ["round_of", "keep_fixity", "_build_index"])
def test_what_stumbles_is_begun_again(sqlite_home: Home, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    begun, stop = list[int](), threading.Event()

    def stumbles(*_: Any, **__: Any) -> dict[str, int]:
        begun.append(1)
        raise OSError("the disk says no")

    def waits(*_: Any, **__: Any) -> dict[str, int]:
        stop.wait(0.01)
        return {}

    stumbles.__name__ = waits.__name__ = name
    monkeypatch.setattr(patrol, "EVERY_S", 0.01)
    for one in ("round_of", "keep_fixity", "_build_index"):
        monkeypatch.setattr(patrol, one, stumbles if one == name else waits)
    thread = threading.Thread(target=patrol.patrol, args=(sqlite_home, stop))
    thread.start()
    try:
        wait_until(lambda: len(begun) > 2, 60, "it is begun again")
    finally:
        stop.set()
        thread.join(timeout=60)
    assert not thread.is_alive()

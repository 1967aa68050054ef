"""Originals with just the properties and arrivals that a time source reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, load
from pipeline.kinds import kinds_in
from pipeline.records import Arrival, Known, Original, Property, TimeClaim

TAKEN_AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The shipped settings of an empty home."""
    return load(tmp_path, {})


def make_known(
    properties: dict[str, Any] | None = None,
    *,
    name: str = "a.mp4",
    folder: str = "",
    name_raw: bytes | None = None,
    mtimes_ns: tuple[int, ...] = (),
    format_name: str = "mp4",
    sidecars: tuple[Known, ...] = (),
) -> Known:
    """An original of that name; its properties are found and understood as given; one arrival for each mtime."""
    original = Original(
        id="1", sha256="0" * 64, sm3=None, size_bytes=1, kind="video", format=format_name, name=name,
        state="accepted", accepted_at=TAKEN_AT,
    )  # fmt: skip
    arrivals = tuple(
        Arrival(
            id=str(number), original="1", path=f"/{folder}/{name}", folder=folder, name=name,
            name_raw=name_raw if name_raw is not None else name.encode(), source="inbox", status="accepted",
            reason=None, size_bytes=1, mtime_ns=mtime_ns, taken_at=TAKEN_AT,
        )
        for number, mtime_ns in enumerate(mtimes_ns or (0,))
    )  # fmt: skip
    found = {key: Property(name=key, found=str(value), value=value) for key, value in (properties or {}).items()}
    return Known(original=original, arrivals=arrivals, properties=found, sidecars=sidecars)


@pytest.fixture
def known() -> Callable[..., Known]:
    """Makes an original: see make_known."""
    return make_known


@pytest.fixture
def claims(settings: Settings, request: pytest.FixtureRequest) -> Callable[[Known], list[TimeClaim]]:
    """The claims of the source that the test module is named after."""
    wanted = request.module.__name__.rpartition("test_")[2]
    (source,) = (one for one in kinds_in("pipeline.time_sources", "TIME_SOURCE") if one.name == wanted)
    return lambda known: list(source.claims(known, settings))

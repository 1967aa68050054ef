"""Originals with just the names, folders, words and sidecars that linkers read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pipeline.kinds import kinds_in
from pipeline.records import Arrival, CaseLink, Known, Original, Property, Stated

TAKEN_AT = datetime(2026, 11, 22, tzinfo=UTC)


def make_known(
    name: str = "a.mp4",
    *,
    folder: str = "",
    stated: Stated | None = None,
    sidecar_case: str | None = None,
    sidecars: tuple[Known, ...] = (),
    links: tuple[CaseLink, ...] = (),
    parent: str | None = None,
) -> Known:
    """An original of that name with one arrival in that folder."""
    original = Original(
        id="1", sha256="0" * 64, sm3=None, size_bytes=1, kind="video", format="mp4", name=name,
        state="accepted", accepted_at=TAKEN_AT, parent=parent,
    )  # fmt: skip
    arrival = Arrival(
        id="1", original="1", path=f"/in/{folder}/{name}", folder=folder, name=name, name_raw=name.encode(),
        source="inbox", status="accepted", reason=None, size_bytes=1, mtime_ns=0, taken_at=TAKEN_AT,
        stated=stated or Stated(),
    )  # fmt: skip
    found = {}
    if sidecar_case is not None:
        found["sidecar.case"] = Property(name="sidecar.case", found=sidecar_case, value=sidecar_case)
    return Known(original=original, arrivals=(arrival,), properties=found, sidecars=sidecars, links=links)


@pytest.fixture
def known() -> Callable[..., Known]:
    """Makes an original: see make_known."""
    return make_known


@pytest.fixture
def propose(request: pytest.FixtureRequest) -> Callable[[Known], list[CaseLink]]:
    """The proposals of the linker that the test module is named after."""
    wanted = request.module.__name__.rpartition("test_")[2]
    (linker,) = (one for one in kinds_in("pipeline.linkers", "LINKER") if one.name == wanted)
    return lambda known: list(linker.propose(known))

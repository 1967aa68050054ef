"""Probing a file where it lies: the stage with a vault of just this file and a catalog that answers as told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pipeline.custody.sniff import END_BYTES, sniff
from pipeline.edges.tools import Tools
from pipeline.records import Facts, Known, Original
from pipeline.stage import Context
from pipeline.stages.probe import STAGE


class VaultOf:
    """A vault whose every original is this file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def opened(self, sha256: str) -> Iterator[Path]:
        assert sha256
        yield self._path


def original_of(path: Path, name: str | None = None) -> Original:
    """The file as accession would describe it."""
    with path.open("rb") as stream:
        head = stream.read(END_BYTES)
        size = stream.seek(0, 2)
        stream.seek(max(0, size - END_BYTES))
        tail = stream.read()
    sniffed = sniff(head, tail, name or path.name)
    return Original(
        id="01", sha256="0" * 64, sm3=None, size_bytes=size, kind=sniffed.kind, format=sniffed.format,
        name=name or path.name, state="in_custody", accepted_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def probe(path: Path, tools: Tools, name: str | None = None, parent: str | None = None) -> tuple[Original, Facts]:
    """What the stage finds in the file. parent: what the catalog answers to who a sidecar belongs to."""
    original = original_of(path, name)
    parts: Any = SimpleNamespace(
        vault=VaultOf(path),
        catalog=SimpleNamespace(parent_for=lambda _: parent),
        tools=tools,
        still_wanted=lambda: None,
    )
    return original, STAGE.run(Known(original=original), cast(Context, parts))


def values(facts: Facts) -> dict[str, Any]:
    """Understood values by the properties' names."""
    return {one.name: one.value for one in facts.properties}


def codes(facts: Facts) -> set[str]:
    """The codes of the caveats."""
    return {caveat.code for caveat in facts.caveats}

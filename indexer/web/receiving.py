"""How a file that a browser sent comes into custody: as one that lay in a folder, from the person who sent it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.edges.storage.uploads import Take, Upload

if TYPE_CHECKING:
    from indexer.web.desk import Desk

UPLOAD: Final = "upload:"


def source_of(person: str) -> str:
    """The way in of what this person sends."""
    return f"{UPLOAD}{person}"


def take_with(desk: Desk) -> Take:
    """What takes a whole upload into custody, and says of it what the sender is told."""

    def take(path: Path, root: Path, upload: Upload) -> dict[str, Any]:
        receipt = desk.take_in(path, root, source_of(upload.wanted.person), upload.wanted.stated)
        return {
            "status": receipt.status, "original": receipt.original, "sha256": receipt.sha256,
            "reason": receipt.reason, "again": receipt.again,
        }  # fmt: skip

    return take

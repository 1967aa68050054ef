"""One look at a file in a watched folder: what `settle` decides over."""

from __future__ import annotations

import stat

from pipeline.custody import wholeness
from pipeline.custody.settle import Look
from pipeline.edges import failpoint
from pipeline.edges.host.handles import Identity, OpenFolder, SourceChanged

TAIL_BYTES = 4096


def look_at(folder: OpenFolder, name: bytes, now_s: float) -> Look:
    """What lies under this raw name below the folder, whether somebody writes, whether its end is in doubt.

    Raises OSError where it cannot be looked at, NotTaken where the way to it is a link or leads to another disk.
    """
    status = folder.status(name)
    failpoint.at("look.before_open")
    if not stat.S_ISREG(status.st_mode):
        return Look(now_s, Identity.of(status), is_regular=False)
    try:
        with folder.opened(name) as file:
            size = file.identity.size_bytes
            tail = file.read_at(max(0, size - TAIL_BYTES), TAIL_BYTES) if size else b""
            look = Look(
                now_s,
                file.identity,
                is_regular=True,
                written=file.written(),
                zero_tail=len(tail) == TAIL_BYTES and not any(tail),
                holes=file.has_holes(),
                unfinished=size > 0 and wholeness.is_unfinished(file.read_at, size),
            )
    except SourceChanged:  # replaced at this moment, or opened by its writer
        return Look(now_s, Identity.of(status), is_regular=True, written=True)
    failpoint.at("look.done")
    return look

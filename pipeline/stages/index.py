"""The original can be found: the index has followed the catalog past its last change.

The one stage whose deed is not a fact: the put into the index is the index's own, and repeatable.
"""

from __future__ import annotations

from pipeline.errors import TryAgain
from pipeline.records import Facts, Known
from pipeline.stage import Context, Stage


def run(known: Known, context: Context) -> Facts:
    """No facts; returns once searches see this original. Raises TryAgain where the index stays behind."""
    wanted = context.catalog.changed_seq(known.original.id)
    seen = context.index.follow()
    if seen < wanted:
        raise TryAgain(
            f"The index has followed to {seen} and not yet to {wanted}",
            zh=f"索引已跟进到 {seen}，尚未到 {wanted}",
            expected=wanted,
            found=seen,
        )
    return Facts()


STAGE = Stage(name="index", version=1, run=run)

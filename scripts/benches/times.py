"""How the decided times of real recordings agree with what an outside tool reads from them, as a table.

Rows: `kind` (the tag that the tool's answer came from), how many `files`, how many `agree` within the stated
uncertainty, how many within the tool's own second, the `uncertainty_s` in the middle; then the contradictions that the
tool names, and the decided times that cannot be. A file that differs is a row of its own.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from config.settings import load
from pipeline.edges.tools import Tools
from tests.pipeline.timing.agreement import MANIFEST, Judged, judged_by_extractors, rows


def measure() -> Iterator[dict[str, Any]]:
    """Rows of the table; none where the folder of real recordings is not beside the checkout."""
    if not MANIFEST.exists():
        return
    tools = Tools()
    tools.start()
    try:
        with tempfile.TemporaryDirectory() as home:
            found = list(judged_by_extractors(load(Path(home), {}), rows(), tools))
    finally:
        tools.close()
    yield from _table(found)


def _table(found: Sequence[Judged]) -> Iterator[dict[str, Any]]:
    by_tag: dict[str, list[Judged]] = defaultdict(list)
    for one in found:
        if one.answer is not None:
            by_tag["doubted by the tool itself" if one.answer.doubted else one.tag.split(" (")[0]].append(one)
    for tag, listed in sorted(by_tag.items()):
        yield _row(tag, listed)
    yield _row("all", [one for one in found if one.answer is not None])
    conflicts = [(one, conflict) for one in found for conflict in one.conflicts]
    yield {
        "kind": "contradictions", "files": len({one.path for one, _ in conflicts}), "contradictions": len(conflicts),
        "noticed": sum(one.notices(conflict) for one, conflict in conflicts),
        "right_side": sum(one.is_right for one in {one.path: one for one, _ in conflicts}.values()),
    }  # fmt: skip
    yield {"kind": "impossible", "files": len(found), "impossible": sum(bool(one.impossible) for one in found)}
    for one in found:
        if not one.is_right or one.impossible:
            yield {
                "kind": "differs", "path": one.path, "apart_s": one.apart_s, "impossible": one.impossible,
                "why": one.decided.why if one.decided else None, "caveats": list(one.codes),
            }  # fmt: skip


def _row(tag: str, listed: Sequence[Judged]) -> dict[str, Any]:
    exact = [one for one in listed if one.apart_s is not None and one.answer is not None
             and abs(one.apart_s) <= max(1.0, one.answer.precision_s)]  # fmt: skip
    stated = [one.decided.uncertainty_s for one in listed if one.decided]
    return {
        "kind": tag, "files": len(listed), "right": sum(one.is_right for one in listed), "agree":
        sum(one.agrees for one in listed), "within_1_s": len(exact),
        "uncertainty_s": round(statistics.median(stated), 2) if stated else None,
    }  # fmt: skip

"""The places where a test may end the process, read from the code: a step without one, or one untried, is seen."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("pipeline", "indexer", "workers")

# The numbered steps of the intake algorithm (RELIABILITY 2.3) and where each may be cut short. 17, the release of
# the source, does nothing: a source stays where it is.
NUMBERED: Final[dict[str, tuple[str, ...]]] = {
    "1 discover": ("scan.found",),
    "2 regular files only": ("look.before_open", "open.looked"),
    "3 quiet": ("look.done", "take.before"),
    "4 lease": ("stage.before_lease",),
    "5 room": ("stage.before_room",),
    "6 stage": ("stage.made", "stage.reserved"),
    "7 copy": ("copy.middle",),
    "8 sync the copy": ("copy.before_sync", "copy.synced", "prove.before_sync", "prove.synced"),
    "9 source unchanged": ("stage.unchanged",),
    "10 read back, read twice": ("prove.verified", "stage.read_twice"),
    "4 lease once more": ("take.unwritten",),
    "11 record and inventory": ("object.written", "object.before_rename"),
    "12 the same object again": ("object.compared",),
    "13 rename": ("object.renamed", "object.synced"),
    "15 one transaction": ("record.before", "record.middle", "record.committed"),
    "14 the log's line": ("log.before_write", "log.after_sync"),
    "16 receipt": ("receipt.before",),
}
INTAKE: Final = tuple(name for names in NUMBERED.values() for name in names)

# A disposal's run, and every deed of retention: tried in test_disposal_kills.py.
RUN: Final = ("disposal", "purge")
DEEDS: Final = ("retention", "hold")
# The other places, by the word before their dot, have tests beside what they belong to.
ELSEWHERE: Final = frozenset(("worker", "version", "repair", "checkpoint", "tiles", "key", "backup", "export", "index"))


def every() -> dict[str, str]:
    """Name of each place in the code -> the file it stands in."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _is_place(node.func) and isinstance(node.args[0], ast.Constant):
                    found[str(node.args[0].value)] = path.relative_to(ROOT).as_posix()
    return found


def of(*areas: str) -> list[str]:
    """The places of these areas (the word before the dot), in alphabetical order."""
    return sorted(name for name in every() if name.partition(".")[0] in areas)


def _is_place(called: ast.expr) -> bool:
    return (
        isinstance(called, ast.Attribute)
        and called.attr == "at"
        and isinstance(called.value, ast.Name)
        and called.value.id == "failpoint"
    )

"""Every value that people read has a name in both languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from indexer.naming import NAMES
from indexer.web.pages.log import GROUPS
from pipeline.edges.database.clockwatch import EVENTS as CLOCK_EVENTS
from pipeline.stages import ORDER

ROOT = Path(__file__).resolve().parents[2]
EVENTS = NAMES["event"]
FAMILIES = {name.partition(".")[0] for name in EVENTS if "." in name}
CHINESE = re.compile("[一-鿿]")
# Names of files, and what is told apart from events by the function that it is given to.
FILES = (".html", ".toml", ".json", ".txt", ".db", ".py", ".jpg", ".png")
OTHERWISE = {"at", "value", "get", "_by", "Property", "_property"}
# Properties, settings and files that begin as events do.
NO_EVENTS = {
    *(f"archive.{one}" for one in ("entries", "listing", "ratio", "size_bytes")), "catalog.dump", "catalog.url",
    "clock.lesson", "clock.open", "register.device", "register.officer",
    *(f"device.{one}" for one in ("camera", "host", "lens", "make", "model", "serial", "software")),
}  # fmt: skip


def written() -> Iterator[tuple[str, str]]:
    """Every text of the code that reads like a type of event, with where it stands."""
    for room in ("pipeline", "indexer", "workers"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.name == "naming.py":
                continue
            tree = ast.parse(path.read_text())
            other = {
                id(one)
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and _called(node) in OTHERWISE
                for one in ast.walk(node)
            }
            texts = (one for one in ast.walk(tree) if isinstance(one, ast.Constant) and id(one) not in other)
            for one in texts:
                if re.fullmatch(r"[a-z]+\.[a-z_]+", said := str(one.value)) and not said.endswith(FILES):
                    yield said, f"{path.relative_to(ROOT)}:{one.lineno}"


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def test_every_event_that_the_code_can_write_has_a_name() -> None:
    of_events = {what: where for what, where in written() if what.partition(".")[0] in FAMILIES - {"stage", "record"}}
    unnamed = {what: where for what, where in of_events.items() if what not in EVENTS and what not in NO_EVENTS}
    assert unnamed == {}
    dynamic = {*CLOCK_EVENTS, *(f"stage.{name}" for _, name in ORDER), "job.retry", "job.cancel"}
    assert dynamic <= EVENTS.keys()


def test_every_name_is_in_both_languages_and_tells_its_value_from_the_others() -> None:
    for group, names in NAMES.items():
        for value, (zh, en) in names.items():
            assert CHINESE.search(zh) or zh in ("SHA-256",), (group, value)
            assert not CHINESE.search(en), (group, value)
    for place in (0, 1):
        names = [pair[place] for pair in EVENTS.values()]
        assert sorted(names) == sorted(set(names))


def test_acts_leave_out_just_what_the_program_notes_of_its_own_steps() -> None:
    left_out = EVENTS.keys() - set(GROUPS["acts"])
    assert {"stage.probe", "jobs.planned", "fixity.batch"} <= left_out
    assert {"view.original", "fixity.broken", "job.failed", "arrival.rejected"} <= set(GROUPS["acts"])

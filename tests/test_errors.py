"""What people are told when something fails: one sentence in English, and the same in Chinese beside it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pipeline.errors
from pipeline.errors import CasereelError

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("pipeline", "indexer", "workers")
ERRORS = vars(pipeline.errors).items()
NAMES = {name for name, one in ERRORS if isinstance(one, type) and issubclass(one, CasereelError)}
CHINESE = re.compile("[一-鿿]")


def told() -> Iterator[tuple[str, ast.Call]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_what_a_person_may_mend_is_told_in_chinese_too() -> None:
    """Refusals of pages are all answered alike, and a sentence that is no text here is made elsewhere."""
    english = [
        where
        for where, call in told()
        if getattr(call.func, "id", "") in ("BadInput", "NotAllowed", "TryAgain", "CustodyBroken")
        and call.args
        and isinstance(call.args[0], ast.Constant | ast.JoinedStr)
        and not any(one.arg == "zh" for one in call.keywords)
        and not where.startswith("indexer/web/pages/")
    ]
    assert english == []


def test_no_sentence_holds_both_languages() -> None:
    both = [where for where, call in told() if call.args and CHINESE.search(ast.unparse(call.args[0]))]
    assert both == [], "the Chinese belongs into zh="

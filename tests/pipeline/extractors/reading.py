"""Reading an extractor's answer in a test."""

from __future__ import annotations

from typing import Any


def found(answer: dict[str, Any]) -> dict[str, str]:
    """Texts as they stood in the file, by name."""
    return {name: text for name, text, _ in answer["properties"]}


def understood(answer: dict[str, Any]) -> dict[str, Any]:
    """What was understood, by name."""
    return {name: value for name, _, value in answer["properties"]}


def warned(answer: dict[str, Any]) -> set[str]:
    """The codes of the caveats."""
    return {code for code, _, _ in answer["caveats"]}

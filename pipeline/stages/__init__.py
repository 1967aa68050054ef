"""The order of the stages. A photo's light turns never wait behind a film's heavy ones.

The list is a function, for building it imports every stage with its readers, and the web process must not.
"""

from __future__ import annotations

from pipeline.records import Lane
from pipeline.stage import Turn

# (lane, stage), for whoever needs the order without the stages.
ORDER: tuple[tuple[Lane, str], ...] = (
    ("light", "probe"),
    ("light", "timestamps"),
    ("light", "link"),
    ("light", "index"),
    ("heavy", "derive"),
    ("heavy", "fingerprint"),
    # Once more: by their marks originals are related, and a case that one belongs to is proposed for the other.
    ("heavy", "link"),
    ("heavy", "index"),
)


def stages() -> tuple[Turn, ...]:
    """STAGES: every stage at its turn."""
    from importlib import import_module

    return tuple(Turn(lane, import_module(f"pipeline.stages.{name}").STAGE) for lane, name in ORDER)

"""Marks of the sound of a recording, with or without pictures."""

from __future__ import annotations

from pathlib import Path

from pipeline.edges.media import mono_samples
from pipeline.footage import has_sound, limits_for
from pipeline.marks import sounds
from pipeline.records import Fingerprint, Known
from pipeline.stage import Context, Fingerprinter


def fingerprint(source: Path, known: Known, context: Context) -> Fingerprint | None:
    """The marks; None for silence. Raises Unreadable where no sound decodes."""
    marker = sounds.Marker()
    mono_samples(
        context.tools, source, known.original.format, marker.add, rate_hz=sounds.RATE_HZ,
        limits=limits_for(known, context.settings), still_wanted=context.still_wanted,
    )  # fmt: skip
    marks = marker.marks()
    return Fingerprint(method="sound", version=sounds.VERSION, data=sounds.packed(marks)) if len(marks) else None


FINGERPRINTER = Fingerprinter(name="sound", version=sounds.VERSION, wants=has_sound, fingerprint=fingerprint)

"""Marks of the sound of a recording, with or without pictures."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.edges.caged.media import Branch, Decoded, Sink, samples
from pipeline.footage import has_sound
from pipeline.marks import sounds
from pipeline.records import Facts, Fingerprint, Known
from pipeline.stage import Context, Fingerprinter, Listener


class _Marked(Listener):
    """Listens to the samples and takes their marks; none of silence."""

    def __init__(self) -> None:
        self._marker = sounds.Marker()
        self._branch = samples(rate_hz=sounds.RATE_HZ)

    def heard(self) -> Sequence[tuple[Branch, Sink]]:
        return [(self._branch, self._marker.add)]

    def end(self, decoded: Decoded) -> Facts:
        """The marks. Raises Unreadable where no sound decoded."""
        decoded.require(self._branch, "sound")
        data = sounds.packed(self._marker.marks())
        return Facts(fingerprints=(Fingerprint(method="sound", version=sounds.VERSION, data=data),))


def listen(known: Known, context: Context) -> Listener:  # noqa: ARG001  # a fingerprinter's
    """Listens for the marks of the sound."""
    return _Marked()


FINGERPRINTER = Fingerprinter(name="sound", version=sounds.VERSION, wants=has_sound, listen=listen)

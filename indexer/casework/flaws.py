"""What a recording lacks, and where in it that shows: at its ends by the files before and after it, inside by what its
viewing copy could not take over. Pure.

Black, still and silent stretches and lost pictures are told by the files of the viewing copy itself. Not covered:
faults whose place was not kept, which stand as caveats alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from indexer.document import duration_of
from pipeline.recordings import CLOCK_STEPS, Recording, Seam, clock_steps_of, is_hole
from pipeline.records import Known

FlawKind = Literal["missing", "gap", "clock_step", "overlap", "unknown", "broken_off", "undecoded", "soundless"]
# A switch of files is no flaw.
_SEAMS: Final[dict[str, FlawKind]] = {
    "missing": "missing", "gap": "gap", "clock_step": "clock_step", "overlap": "overlap", "unknown": "unknown",
}  # fmt: skip
_REMARKS: Final[dict[str, FlawKind]] = {"first_missing": "missing", "may_go_on": "unknown"}
# A caveat whose place is the recording's end.
_AT_END: Final = "truncated"


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """at_s, to_s: seconds of the original; to_s None for a place. other: the file that lies beyond, where one does."""

    kind: FlawKind
    at_s: float
    to_s: float | None = None
    why: str
    why_zh: str
    other: str | None = None


def flaws_of(known: Known, recording: Recording | None) -> list[Flaw]:
    """Everything whose place is known, as it lies in the file. recording: that it belongs to, as far as whoever asks
    may know of its files."""
    end_s = duration_of(known) or 0.0
    found = [*_beside(known.original.id, recording, end_s), *_within(known, end_s)]
    return sorted(found, key=lambda one: (one.at_s, one.kind))


def _beside(original: str, recording: Recording | None, end_s: float) -> Iterator[Flaw]:
    if recording is None:
        return
    place, last = recording.place_of(original), len(recording.segments) - 1
    if place > 0:
        yield from _of_seam(recording.seams[place - 1], 0.0, recording.seams[place - 1].before)
    if place < last:
        yield from _of_seam(recording.seams[place], end_s, recording.seams[place].after)
    for one in recording.remarks:
        at_s = {"first_missing": 0.0 if place == 0 else None, "may_go_on": end_s if place == last else None}
        if (at := at_s.get(one.code)) is not None:
            yield Flaw(kind=_REMARKS[one.code], at_s=at, why=one.text, why_zh=one.text_zh)


def _of_seam(seam: Seam, at_s: float, other: str) -> Iterator[Flaw]:
    if seam.kind in _SEAMS:
        yield Flaw(kind=_SEAMS[seam.kind], at_s=at_s, why=seam.why, why_zh=seam.why_zh, other=other)


def _within(known: Known, end_s: float) -> Iterator[Flaw]:
    for caveat in known.caveats:
        if caveat.code == _AT_END:
            yield Flaw(kind="broken_off", at_s=end_s, why=caveat.text, why_zh=caveat.text_zh)
    for at_s, by_s in clock_steps_of(known.value(CLOCK_STEPS)):
        yield Flaw(
            kind="clock_step", at_s=at_s, to_s=at_s + by_s if is_hole(by_s) else None,
            why=f"Its clock steps by {by_s:+.1f} s inside the file: data were lost, parts joined, or the clock was set",
            why_zh=f"文件内部时间码跳变 {by_s:+.1f} 秒：数据丢失、多段拼接，或设备校过时",
        )  # fmt: skip
    about = next((one.parameters for one in known.derivatives if one.role == "proxy"), {})
    texts = {one.code: (one.text, one.text_zh) for one in known.caveats}
    if "proxy_shorter" in texts:
        why, why_zh = texts["proxy_shorter"]
        short_s = float(about.get("short_by_s") or 0.0)
        yield Flaw(kind="undecoded", at_s=max(0.0, end_s - short_s), to_s=end_s, why=why, why_zh=why_zh)
    if "sound_begins_late" in texts:
        why, why_zh = texts["sound_begins_late"]
        late_s = float(about.get("sound_begins_s") or 0.0)
        yield Flaw(kind="soundless", at_s=0.0, to_s=late_s, why=why, why_zh=why_zh)

"""What was said, line by line, from subtitles beside a recording: SubRip (`.srt`) and WebVTT (`.vtt`).

`transcript.lines` are [from second, to second, text]. Telemetry that drones write as subtitles, cues that are JSON, and
marks of style are left out. Not covered: the words of speakers' tags (`<v 李建国>`) as persons; subtitles within the
recording's own container.
Sources: WebVTT (W3C, 4.1 cue timings, 4.2.2 cue text); SubRip as its own program writes it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any, Final

from pipeline.custody.sniff import text_of
from pipeline.edges.caged.reading import answer, start_of
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

TEXT_MAX_BYTES: Final = 16 << 20
# Eight hours of speech have some ten thousand lines; more are no speech.
LINES_MAX, LINE_MAX_CHARS = 20_000, 1000

_TIME: Final = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_CUE: Final = re.compile(rf"^[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}[^\n]*$", re.MULTILINE)
_STYLE: Final = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,100}\}")
# A cue's number, or its name in WebVTT, stands alone before its times.
_NUMBER: Final = re.compile(r"\n[ \t]*\n[^\n]*\s*\Z")
_TELEMETRY: Final = re.compile(
    r"\[\s*(?:iso|latitude|longt?itude|shutter|fnum|focal_len)\b|\bGPS\s*\(|\bHOME\s*\(|\bFrameCnt\b|\brel_alt\b", re.I
)


def extract(path: str) -> dict[str, Any]:
    """The lines in order. Raises Unreadable where the file is no text."""
    text = text_of(start_of(path, TEXT_MAX_BYTES))
    if text is None:
        raise Unreadable("The subtitles are no text", zh="字幕文件不是文本")
    lines = []
    for line in _lines(text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")):
        lines.append(line)
        if len(lines) == LINES_MAX:
            break
    return answer([("transcript.lines", " ".join(line[2] for line in lines), lines)] if lines else [])


def _lines(text: str) -> Iterator[tuple[float, float, str]]:
    cues = list(_CUE.finditer(text))
    for at, cue in enumerate(cues):
        last = at + 1 == len(cues)
        said = text[cue.end() : len(text) if last else cues[at + 1].start()]
        said = said.strip().partition("\n\n")[0] if last else _NUMBER.sub("", said)
        if _TELEMETRY.search(said) or said.lstrip().startswith(("{", "NOTE")):
            continue
        plain = " ".join(html.unescape(_STYLE.sub("", said)).split())[:LINE_MAX_CHARS]
        if plain:
            yield _seconds(*cue.groups()[:4]), _seconds(*cue.groups()[4:]), plain


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(f"{seconds}.{fraction}")


def _reads(original: Original) -> bool:
    return original.format in ("srt", "vtt")


EXTRACTOR = Extractor(name="subtitles", version=1, reads=_reads, extract=extract)

"""What makers' and docks' companions state of a recording: case, officer, device, when it ran, where.

Read: Motorola (WatchGuard) `.json` with `DataPoints[].Time` and `.vtt` whose cues are JSON (`officer`,
`gpsCoordinates`), and any JSON or `key: value` text whose keys are among those below. Not covered: XML exports,
encrypted manifests.
Sources: a published reader of Motorola V300 exports; the element names of record rules (记录要素).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from pipeline.custody.sniff import sniff, text_of
from pipeline.edges.caged.reading import Row, answer, ends_of, start_of
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

TEXT_MAX_BYTES: Final = 64 << 20
DEPTH_MAX, NODES_MAX = 12, 500_000
STATED_MAX_CHARS: Final = 200  # longer texts are remarks, not numbers or names

# Keys in lower case without spaces and marks.
_STATED: Final[dict[str, str]] = {
    "sidecar.case": "case casenumber caseno caseid incidentnumber 案件编号 案号 案件号 立案号 立案编号 案件文号",
    "sidecar.officer": "officer officername officerid username operator "
    "执法人员 执法人员姓名 执法证号 警号 警员 "
    "警员编号 使用人 使用人员",
    "sidecar.device": "device deviceid deviceserial deviceserialnumber devicenumber serialnumber cameraid "
    "cameraserialnumber 设备编号 设备号 执法仪编号 记录仪编号 产品序号 序列号",
    "sidecar.start": "start starttime startdate begintime recordingstart recordingstarttime recordstart "
    "开始时间 拍摄时间 录制时间 起始时间",
    "sidecar.end": "end endtime stoptime recordingend recordingendtime recordend 结束时间",
}
KEYS: Final[dict[str, str]] = {key: name for name, keys in _STATED.items() for key in keys.split()}
_SAMPLE_TIMES: Final = frozenset(("time", "timestamp", "datetime", "utctime"))
_COORDINATES: Final = re.compile(r"\s*([NSns])\s*(\d+(?:\.\d+)?)[\s,]+([EWew])\s*(\d+(?:\.\d+)?)\s*$")
_LINE: Final = re.compile(
    r"^[ \t]*([^\s:：=][^:：=\n]{0,40}?)[ \t]*[:：=][ \t]*(\S[^\n]{0,300}?)[ \t\r]*$", re.MULTILINE
)
_MOMENT: Final = re.compile(
    r"(\d{4})[-/.年](\d\d?)[-/.月](\d\d?)日?[T ]*(\d\d?)[:时](\d\d)(?:[:分](\d\d(?:\.\d+)?))?秒?\s*(Z|[+-]\d\d:?\d\d)?$"
)


def extract(path: str) -> dict[str, Any]:
    """What the companion states; nothing stated is no fault. Raises Unreadable for JSON that is none."""
    head, tail = ends_of(path)
    format_name = sniff(head, tail, "").format
    text = text_of(start_of(path, TEXT_MAX_BYTES))
    if text is None:
        raise Unreadable("The companion is no text", zh="附属文件不是文本")
    match format_name:
        case "json":
            pairs = list(_pairs(_parsed(text)))
        case "vtt":
            pairs = [pair for cue in _cues(text) for pair in _pairs(cue)]
        case _:
            pairs = [(match.group(1), match.group(2)) for match in _LINE.finditer(text)]
    return answer([*_stated_rows(pairs), *_sample_rows(pairs, format_name), *_place_rows(pairs)])


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Unreadable(f"The JSON is not well-formed: {error}", zh=f"JSON 格式有误：{error}") from error


def _cues(text: str) -> Iterator[Any]:
    """The cues of a WebVTT that are JSON."""
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        _, brace, inside = block.partition("{")
        if brace:
            try:
                yield json.loads("{" + inside)
            except ValueError:
                continue


def _pairs(data: Any) -> Iterator[tuple[str, str]]:
    """Keys with their plain values, nearest to the surface first."""
    level: list[tuple[str, Any]] = [("", data)]
    seen = 0
    for _ in range(DEPTH_MAX):
        below: list[tuple[str, Any]] = []
        for key, value in level:
            seen += 1
            if isinstance(value, dict):
                below += [(str(name), inner) for name, inner in value.items()]
            elif isinstance(value, list):
                below += [(key, inner) for inner in value]
            elif value is not None and not isinstance(value, bool):
                yield key, str(value)
        level = below
        if seen + len(level) > NODES_MAX:
            return


def _stated_rows(pairs: list[tuple[str, str]]) -> Iterator[Row]:
    for key, text in pairs:
        name = KEYS.get(_plain(key))
        if name is not None and text.strip() and len(text) <= STATED_MAX_CHARS:
            yield name, text, _iso(text) if name in ("sidecar.start", "sidecar.end") else text.strip()


def _sample_rows(pairs: list[tuple[str, str]], format_name: str) -> Iterator[Row]:
    """First and last of a list of moments, where the file holds samples; stated times come before these."""
    if format_name not in ("json", "vtt"):
        return
    moments = sorted((iso, text) for key, text in pairs if _plain(key) in _SAMPLE_TIMES and (iso := _iso(text)))
    if moments:
        yield "sidecar.start", moments[0][1], moments[0][0]
        yield "sidecar.end", moments[-1][1], moments[-1][0]
        yield "sidecar.samples", str(len(moments)), len(moments)


def _place_rows(pairs: list[tuple[str, str]]) -> Iterator[Row]:
    for key, text in pairs:
        match = _COORDINATES.match(text) if _plain(key) in ("gpscoordinates", "coordinates", "gps") else None
        if match:
            lat, lon = float(match.group(2)), float(match.group(4))
            if lat <= 90 and lon <= 180 and (lat or lon):
                yield "place.lat", text, -lat if match.group(1) in "Ss" else lat
                yield "place.lon", text, -lon if match.group(3) in "Ww" else lon
                return


def _plain(key: str) -> str:
    return re.sub(r"[\W_]", "", key).lower()


def _iso(text: str) -> str | None:
    match = _MOMENT.match(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    return f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute}:{second or '00'}{zone or ''}"


def _reads(original: Original) -> bool:
    return original.kind == "sidecar" and original.format in ("json", "vtt", "text")


EXTRACTOR = Extractor(name="vendor_json", version=1, reads=_reads, extract=extract)

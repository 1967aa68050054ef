"""All that is known of one original."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from workers.cli import App, app_of, times

if TYPE_CHECKING:
    from pipeline.records import Arrival, CaseLink, Derivative, Known, Property, Relative
    from workers.bootstrap import Home

# Letters of a property's value on the page.
LONGEST: Final = 300


@click.command(short_help="Show all that is known of one original.")
@click.argument("id")
def show(id: str) -> None:
    """ID is an identifier, a digest or its first eight digits, a file's name or its path.

    Example: casereel show 01KAMZ5V2W
    """
    from indexer.access import require
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        original = built.find_original(id)
        require(built.reviewer, "view")
        built.tell("view.record", original=original)
        known = built.known_as_seen(original)
        data = described(known, built.settings.time.zone, built.catalog.events_of(original))
        data["events"] = _events_as_seen(built, known, data["events"])
        data["recording"] = _recording(built, original)
        if known.original.state == "disposed":
            data["tombstone"] = built.vault.tombstone(known.original.sha256)
        app.emit(data, lambda: _page(app, data))


def described(known: Known, zone: str, events: list[str]) -> dict[str, Any]:
    """The original as `show --json` gives it."""
    original = known.original
    return {
        "original": original.id,
        "name": original.name,
        "sha256": original.sha256,
        "sm3": original.sm3,
        "size": original.size_bytes,
        "kind": original.kind,
        "format": original.format,
        "state": original.state,
        "accepted_at": times(original.accepted_at, zone),
        "parent": original.parent,
        "properties": {name: _value_of(one) for name, one in sorted(known.properties.items())},
        "time_claims": [
            {**asdict(one), "at": times(one.at, zone), "end_at": times(one.end_at, zone)} for one in known.time_claims
        ],
        "time": time_of(known, zone),
        "derivatives": [_derivative(one) for one in known.derivatives],
        "fingerprints": [{"method": one.method, "version": one.version} for one in known.fingerprints],
        "links": [_link(one) for one in known.links],
        "caveats": [asdict(one) for one in known.caveats],
        "arrivals": [_arrival(one, zone) for one in known.arrivals],
        "relations": [
            {name: value for name, value in asdict(one).items() if name != "links"} for one in known.relatives
        ],
        "sidecars": [{"original": one.original.id, "name": one.original.name} for one in known.sidecars],
        "events": [_event(line) for line in events],
    }


def _recording(built: Home, original: str) -> dict[str, Any] | None:
    """Its place in the logical recording, and what lies before and after it; None for what is no recording."""
    from pipeline.edges.database import segments
    from pipeline.recordings import recording_with, recordings_of
    from workers.cli._recordings import seam_of

    with built.catalog.snapshot() as connection:
        near = segments.near(connection, original)
    seen = set(built.seen([one.original for one in near]))
    found = recording_with(recordings_of([one for one in near if one.original in seen]), original)
    if found is None:
        return None
    at = found.place_of(original)
    names = {one.original: one.name for one in found.segments}
    beside: dict[str, Any] = {"before": None, "after": None}
    if at > 0:
        seam = seam_of(found.seams[at - 1])
        beside["before"] = {"original": seam["before"], "name": names[seam["before"]], "seam": seam}
    if at < len(found.seams):
        seam = seam_of(found.seams[at])
        beside["after"] = {"original": seam["after"], "name": names[seam["after"]], "seam": seam}
    remarks = [{"code": one.code, "text": one.text, "text_zh": one.text_zh} for one in found.remarks]
    return {"recording": found.id, "place": at + 1, "members": len(found.segments), **beside, "remarks": remarks}


def _events_as_seen(built: Home, known: Known, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events without the facts of those that tell of what the person may not know of."""
    sight = built.sight()
    if not sight.unseen and not sight.hidden_cases:
        return events
    own = json.dumps(known.original.name, ensure_ascii=False)
    texts = [json.dumps(one["facts"], ensure_ascii=False).replace(own, "") for one in events]
    return [{**one, "facts": {}} if sight.unnamed.tells(text) else one for one, text in zip(events, texts, strict=True)]


def _short(value: Any) -> str:
    """On one line of a page; a document's whole text stands in --json alone."""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _value_of(one: Property) -> Any:
    return one.value if one.value is not None else one.found


def _derivative(one: Derivative) -> dict[str, Any]:
    names = ("role", "mime", "path", "sha256", "tool", "parameters")
    return {**{name: getattr(one, name) for name in names}, "size": one.size_bytes}


def _link(one: CaseLink) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("case", "method", "score", "status", "why", "why_zh", "by")}


def _relation(one: Relative) -> dict[str, Any]:
    """offset_s: in the other; own_offset_s: in this one."""
    return {name: value for name, value in asdict(one).items() if name != "links"}


def _arrival(one: Arrival, zone: str) -> dict[str, Any]:
    names = ("path", "status", "source", "reason")
    stated = {name: value for name, value in asdict(one.stated).items() if value}
    return {**{name: getattr(one, name) for name in names}, "taken_at": times(one.taken_at, zone), "stated": stated}


def time_of(known: Known, zone: str) -> dict[str, Any] | None:
    """The decided time as `show --json` gives it; None where there is none. by_rules: only where a person corrected."""
    time = known.time
    if time is None:
        return None
    return {
        "start": times(time.start_at, zone), "end": times(time.end_at, zone), "uncertainty_s": time.uncertainty_s,
        "method": time.method, "why": time.why, "why_zh": time.why_zh, "zone_known": time.zone_known,
        "source": time.source, "by_rules": _by_rules(time.by_rules, zone),
        "losers": [[source, reason] for source, reason, _ in time.losers],
        "losers_zh": [[source, zh or reason] for source, reason, zh in time.losers],
    }  # fmt: skip


def _by_rules(told: Mapping[str, Any] | None, zone: str) -> dict[str, Any] | None:
    if not told:
        return None
    named = {"start_at": "start", "end_at": "end"}
    return {
        named.get(name, name): times(datetime.fromisoformat(value), zone) if name in named else value
        for name, value in told.items()
    }


def _event(line: str) -> dict[str, Any]:
    event = json.loads(line)
    return {name: event[name] for name in ("seq", "at", "type", "actor", "outcome", "facts")}


_RELATIONS = {"same recording": "同一录制", "part of the other": "一方是另一方的一部分", "shares a part": "有相同片段",
              "same picture": "同一画面", "same sound": "同一声音"}  # fmt: skip


def _page(app: App, data: dict[str, Any]) -> str:
    from indexer.naming import named

    time = data["time"]
    lines = [
        f"{data['name']}",
        f"  {data['original']}  {named(app.lang, 'kind', data['kind'])} ({data['format']})  "
        f"{named(app.lang, 'state', data['state'])}",
        f"  sha256 {data['sha256']}  {data['size']} B",
    ]
    if tombstone := data.get("tombstone"):
        said = ", ".join(f"{one['by']} ({one['role']}) {one['at']}" for one in tombstone["approvals"])
        lines.append(
            f"  {app.in_words('已处置', 'disposed of')}: {tombstone['reason']}  {said}  {tombstone['disposal']}"
        )
    if time:
        lines += [f"  {time['start']} .. {time['end']}  ±{time['uncertainty_s']:g} s", f"    {_why(app, time)}"]
    lines += [
        f"  {app.in_words('案件', 'case')}: {one['case']} ({named(app.lang, 'link', one['status'])}) {_why(app, one)}"
        for one in data["links"]
    ]
    lines += [
        f"  {app.in_words(_RELATIONS[one['relation']], one['relation'])}: {one['original']}  "
        f"{one['own_offset_s']:g}-{one['own_offset_s'] + one['length_s']:g} s = {one['offset_s']:g} s  {one['name']}"
        for one in data["relations"]
    ]
    lines += _recording_lines(app, data["recording"])
    lines += [
        f"  ! {one['text_zh'] if app.lang == 'zh' and one['text_zh'] else one['text']}" for one in data["caveats"]
    ]
    lines += [f"  {one['role']}: {one['path']}" for one in data["derivatives"]]
    lines += [f"  {name} = {_short(value)}" for name, value in data["properties"].items()]
    lines += [f"  {one['status']}: {one['path']}  {one['taken_at']}" for one in data["arrivals"]]
    return "\n".join(lines)


def _why(app: App, told: Mapping[str, Any]) -> str:
    return str(app.in_words(told["why_zh"] or told["why"], told["why"]))


def _recording_lines(app: App, data: dict[str, Any] | None) -> list[str]:
    from workers.cli._recordings import seam_line

    if data is None or (data["members"] == 1 and not data["remarks"]):
        return []
    place = f"{data['place']}/{data['members']}"
    lines = [
        app.in_words(f"  同一次记录的第 {place} 段：{data['recording']}", f"  file {place} of {data['recording']}")
    ]
    for word_zh, word in (("前", "before"), ("后", "after")):
        if one := data[word]:
            lines.append(f"    {app.in_words(word_zh, word)}: {one['name']}  {seam_line(app, one['seam'])}")
    return lines + [f"  ! {one['text_zh'] if app.lang == 'zh' else one['text']}" for one in data["remarks"]]


COMMAND = show

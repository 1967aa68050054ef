"""Names of files as commands handle them: profiles proposed from samples, unknown names, missing numbers."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.persons.masking import masked
from workers.cli import SOME_FAILED, App, app_of, times
from workers.cli._persons import allowed

if TYPE_CHECKING:
    from pipeline.holes import Hole, Numbered
    from pipeline.recordings import Segment
    from pipeline.records import Known
    from pipeline.rules import NameProfile
    from pipeline.timing.learning import Proposal
    from workers.bootstrap import Home

EXAMPLES = 3
# A profile that says no device knows only that digits are a time; a person may have typed them.
NO_DEVICE = frozenset({"", "未知设备"})


def propose(samples: tuple[str, ...], name: str, write: bool, as_: str | None) -> int:
    """Prints the proposed profile and what it reads of each sample, and writes it where asked; the exit code."""
    from pipeline.errors import BadInput
    from pipeline.rules import name_profiles
    from pipeline.timing.learning import proposed
    from workers.bootstrap import home

    app = app_of()
    if not name.isidentifier():
        raise BadInput(f"'{name}' is no name of a profile: letters, digits and _",
                       zh=f"“{name}”不能作为规则名称：请用字母、数字和下划线", found=name)  # fmt: skip
    made = proposed(samples, name)
    profile, changed = _checked(made), 0
    if write:
        with home(app.settings) as built:
            allowed(built, as_, "register") if as_ else None
            if any(one.name == name for one in name_profiles(built.settings.home)):
                raise BadInput(f"There is a profile '{name}' already; choose another --name",
                               zh=f"已有名为“{name}”的规则，请用 --name 另取名称", found=name)  # fmt: skip
            changed = _written(app, built, made)
    data = {
        "profile": made.toml(), "parts": [{"meaning": one.meaning, "seen": one.seen} for one in made.parts],
        "samples": [_read(profile, one) for one in made.samples], "unlike": [masked(one) for one in made.unlike],
        "written": write, "decided_anew": changed,
    }  # fmt: skip
    app.emit(data, lambda: _proposal(app, data))
    return SOME_FAILED if made.unlike else 0


def _checked(made: Proposal) -> NameProfile:
    """The profile as a home would read it, which must know its own samples."""
    from pipeline.rules import FILENAMES, read_profiles

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILENAMES
        path.write_text(made.toml(), encoding="utf-8")
        [profile] = read_profiles(path)
    return profile


def _read(profile: NameProfile, sample: str) -> dict[str, Any]:
    from pipeline.timing.names import read_name

    reading = read_name("", sample, (profile,))
    start = reading.start if reading else None
    return {"name": masked(sample), "shows": start and start.strftime("%Y-%m-%d %H:%M:%S"),
            "marks": dict(reading.marks) if reading else {}}  # fmt: skip


def _written(app: App, built: Home, made: Proposal) -> int:
    """How many originals have other times or links, now that the home's profiles know their names."""
    from pipeline.edges.host.disk import write_whole
    from pipeline.rules import FILENAMES, name_profiles
    from pipeline.timing.names import places_of, read_name
    from workers.cli._registers import looked_at_anew

    path = built.settings.home / FILENAMES
    before = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    # Whole or as before: cut off in the middle, the bureau's other profiles would be gone.
    write_whole(path, f"{before}{chr(10) if before else ''}{made.toml()}".encode())
    built.tell("profile.learned", facts={"profile": made.name, "pattern": made.pattern})
    profiles = name_profiles(built.settings.home)

    def is_known(one: Known) -> bool:
        readings = (read_name(folder, name, profiles) for folder, name in places_of(one))
        return any(reading is not None and reading.profile.name == made.name for reading in readings)

    ids = sorted(built.catalog.digests().values())
    known = (one for at in range(0, len(ids), 500) for one in built.catalog.known_of_many(ids[at : at + 500]))
    return looked_at_anew(app, built, [one.original.id for one in known if is_known(one)], times_too=True)


def _proposal(app: App, data: dict[str, Any]) -> str:
    lines = [data["profile"]]
    lines += [f"# {one['meaning']:16} {'  '.join(one['seen'])}" for one in data["parts"] if one["meaning"] != "fixed"]
    lines += [f"# {one['name']}  {one['shows'] or '-'}  {one['marks']}" for one in data["samples"]]
    lines += [
        f"# {app.in_words('构成不同，请另学', 'built otherwise, learn it apart')}: {one}" for one in data["unlike"]
    ]
    if not data["written"]:
        lines.append(app.in_words("# 核对后加 --write 写入，或粘贴到 filenames.toml",
                                  "# check it, then add --write, or paste it into filenames.toml"))  # fmt: skip
    return "\n".join(lines)


def list_names(unknown: bool) -> None:
    """Prints how many files each profile knows; unknown: names without a device, by how they are built."""
    from pipeline.edges.database import registers
    from pipeline.rules import name_profiles
    from pipeline.timing.learning import shape_of
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        devices = {one.name: one.device for one in name_profiles(built.settings.home)}
        with built.catalog.snapshot() as connection:
            named = registers.named(connection)
        unseen = built.hidden_originals()
        found = [one for one in named if one[0] not in unseen]
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for _, name, profile in found:
        if not unknown:
            grouped[profile or "", ""].append(name)
        elif devices.get(profile or "", "") in NO_DEVICE:
            grouped[profile or "", shape_of(name)].append(name)
    for (profile, shape), listed in sorted(grouped.items(), key=lambda one: -len(one[1])):
        data = {"profile": profile or None, "device": devices.get(profile) or None, "files": len(listed),
                "examples": [masked(one) for one in listed[:EXAMPLES]]}  # fmt: skip
        if unknown:
            data["shape"] = masked(shape)
        said = profile or app.in_words("未知", "unknown")
        app.emit(data, f"{len(listed):6}  {said:24}  {'  '.join(masked(one) for one in listed[:EXAMPLES])}")


def list_findings(code: str | None, *, holes: bool, late: bool) -> None:
    """Prints what is missing in the numbers of devices, and what was handed in after the deadline."""
    from pipeline.edges.database import registers, segments
    from pipeline.holes import holes as holes_of
    from pipeline.holes import numbers_of
    from pipeline.rules import name_profiles
    from pipeline.timing.lateness import CODE
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        with built.catalog.snapshot() as connection:
            found = segments.segments(connection)
            profiles = name_profiles(built.settings.home)
            gone = set(numbers_of(segments.disposed(connection), profiles)) if holes else set()
            told = registers.told_of(connection, CODE) if late else []
        zone, unseen = built.settings.time.zone, built.hidden_originals()
    devices = {one.original: one.device for one in found}
    for hole in holes_of(found, gone) if holes else ():
        # What one may not know of accounts for its number, and stands beside no hole.
        if not unseen.isdisjoint({hole.before.original, hole.after.original}):
            continue
        if code is None or hole.device == code:
            data = _hole(hole, zone)
            app.emit(data, _hole_line(app, data))
    for original, name, text, text_zh in (one for one in told if one[0] not in unseen):
        device = devices.get(original)
        if code is None or device == code:
            data = {"finding": "late_upload", "device": device, "original": original, "name": masked(name),
                    "text": text, "text_zh": text_zh}  # fmt: skip
            app.emit(data, f"{device or '-':20}  {original}  {masked(name)}  {app.in_words(text_zh, text)}")


def _hole(hole: Hole, zone: str) -> dict[str, Any]:
    device = hole.device.replace("\n", " ")
    return {
        "finding": "number_hole", "device": device, "profile": hole.profile, "missing": list(hole.missing),
        "before": _beside(hole.before, zone), "after": _beside(hole.after, zone),
    }  # fmt: skip


def _beside(one: Segment | Numbered, zone: str) -> dict[str, Any]:
    return {"original": one.original, "name": masked(one.name), "number": one.number,
            "start": times(one.start_at, zone)}  # fmt: skip


def _hole_line(app: App, data: dict[str, Any]) -> str:
    first, last = data["missing"][0], data["missing"][-1]
    numbers = f"{first}" if first == last else f"{first}..{last}"
    words = app.in_words(
        f"缺号 {numbers}（共 {len(data['missing'])} 个）", f"missing {numbers} ({len(data['missing'])})"
    )
    return f"{data['device']:20}  {words}  {data['before']['name']} | {data['after']['name']}"

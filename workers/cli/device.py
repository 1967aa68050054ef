"""Devices, the people who carry them, and the ledger of who carried what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import IO

import click

from workers.cli import app_of, times
from workers.cli._moments import moment_of
from workers.cli._persons import allowed, as_person

ARTS = {
    "body_worn": "执法记录仪", "camera": "照相摄像", "recorder": "录音设备", "cctv": "视频监控", "drone": "无人机",
    "vehicle": "车载", "phone": "手机", "other": "其他",
}  # fmt: skip


@click.group(short_help="Devices, people, who carried what, clocks, and file names.")
def device() -> None:
    """Keeps the register of devices and people, and the ledger.

    Example: casereel device list
    """


@device.command("list", short_help="List the registered devices.")
def list_() -> None:
    """Lists devices with who carries them now.

    Example: casereel device list --json
    """
    from pipeline.edges.database import registers
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        now = built.catalog.now()
        with built.catalog.snapshot() as connection:
            found, entries = registers.devices(connection), registers.ledger(connection)
            people = {one.code: one for one in registers.custodians(connection)}
        carried = {one.device: one for one in entries if one.from_at <= now and (one.to_at is None or one.to_at > now)}
        for one in found:
            entry = carried.get(one.code)
            person = people[entry.custodian] if entry else None
            data = {
                "device": one.code, "name": one.name, "art": one.art, "serial": one.serial, "aliases": one.aliases,
                "unit": one.unit, "zone": one.zone, "place": one.place, "review_41": one.review_41,
                "custodian": person and person.code, "custodian_name": person and person.name,
                "since": times(entry.from_at if entry else None, built.settings.time.zone),
            }  # fmt: skip
            with_whom = person.name if person else "-"
            art = app.in_words(ARTS[one.art], one.art)
            review = app.in_words("第四十一条审核", "art. 41 review") if one.art == "cctv" or one.review_41 else ""
            told = one.review_41 or app.in_words("未登记", "not registered")
            app.emit(
                data,
                f"{one.code:20}  {art:10}  {with_whom}  {one.place or one.unit or ''}  {one.name}"
                + (f"  {review}: {told}" if review else ""),
            )


@device.command("import", short_help="Take in a table of devices, people, or who carried what.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--register", type=click.Choice(["devices", "persons", "ledger"]), help="What the table is, if unclear.")
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@as_person
def import_(file: Path, register: str | None, dry_run: bool, as_: str | None) -> int:
    """FILE is CSV, XLSX, XLS, ODS or JSON with a header row; `registers.toml` in the home names other headers.

    Example: casereel device import 设备台账.xlsx --dry-run
    """
    from workers.cli._registers import take_in

    return take_in(file, register, ("devices", "persons", "ledger"), dry_run, as_)


@device.command(short_help="Note how far a device's clock is off, or that it was set.")
@click.argument("code")
@click.option("--shows", help="What its clock shows, in its own zone.")
@click.option("--at", "at_", help="The true time then; now where it is left out.")
@click.option("--uncertainty", "uncertainty_s", type=click.FloatRange(0), default=1.0, show_default=True,
              help="Seconds the reading may be wrong by.")  # fmt: skip
@click.option("--set", "was_set", is_flag=True, help="Its clock was set right at this moment.")
@click.option("--filmed", metavar="ID", help="By the clock card that this original shows, whose ever it is.")
@click.option("--gps", metavar="ID", help="By the time of the satellites in this original.")
@click.option("--same", nargs=2, metavar="OWN OTHER", help="By a moment that OTHER, of a known time, recorded too.")
@as_person
def measure(
    code: str, shows: str | None, at_: str | None, uncertainty_s: float, was_set: bool, filmed: str | None,
    gps: str | None, same: tuple[str, str] | None, as_: str | None,
) -> None:  # fmt: skip
    """Recordings of the device get their times anew at once; what was decided before stays in the log.

    Example: casereel device measure ZF-001 --shows "2021-08-03 10:12:05" --at "2021-08-03 10:10:00" --as 赵管理
    """
    from pipeline.errors import BadInput
    from pipeline.records import ClockOffset
    from pipeline.registers.keeping import Registers
    from pipeline.timing.claiming import zone_of
    from workers.bootstrap import home
    from workers.cli._clocks import by_card, by_other, by_satellites, zone_of_device
    from workers.cli._registers import looked_at_anew

    app = app_of()
    with home(app.settings) as built:
        actor = allowed(built, as_, "register").name if as_ else built.actor
        zone, now = zone_of(built.settings), built.catalog.now()
        at = now if at_ is None else moment_of(at_, zone, "--at")
        if sum((shows is not None or was_set, *(one is not None for one in (filmed, gps, same)))) != 1:
            raise BadInput(
                "Say one of: what its clock shows (--shows), that it was set (--set), what filmed a clock card "
                "(--filmed), what heard satellites (--gps), or what two devices recorded (--same)",
                zh="请写明其一：--shows 设备显示的时间，--set 已校时，--filmed 拍到时钟卡的原件，"
                "--gps 带卫星定位时间的原件，--same 两台设备录到同一时刻的原件",
            )
        if filmed is not None:
            offset = by_card(built, code, filmed, actor)
        elif gps is not None:
            offset = by_satellites(built, code, gps, actor)
        elif same is not None:
            offset = by_other(built, code, *same, actor)
        else:
            shown = at if shows is None else moment_of(shows, zone_of_device(built, code), "--shows")
            offset = ClockOffset(
                device=code, at=at, offset_s=(shown - at).total_seconds(), uncertainty_s=uncertainty_s,
                how="set" if was_set else "measured", by=actor,
            )  # fmt: skip
        kept = Registers(built.catalog, built.audit)
        kept.note_offset(actor, offset)
        changed = looked_at_anew(app, built, kept.made_by(code), times_too=True)
        app.emit(
            {"device": code, "at": times(offset.at, built.settings.time.zone), "offset_s": offset.offset_s,
             "uncertainty_s": offset.uncertainty_s, "how": offset.how, "decided_anew": changed},
            app.in_words(f"{code}：偏差 {offset.offset_s:+.1f} 秒，重新判定 {changed} 份原件的时间或关联",
                         f"{code}: {offset.offset_s:+.1f} s off; {changed} originals have other times or links"),
        )  # fmt: skip


@device.command("clock-card", short_help="Make the card that shows the time as a code, to be filmed.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="A .html file; .svg or .png: one moment.")
@click.option("--at", "at_", help="The moment that a .svg or .png shows; now where it is left out.")
@as_person
def clock_card(to: Path | None, at_: str | None, as_: str | None) -> None:
    """A page for any browser, without a network: film it for 5 seconds, and the recorder's clock is measured.

    Whoever holds the page can make it show any time; its number stays with it, and the log names who made it.

    Example: casereel device clock-card --to clock-card.html --as 赵管理
    """
    from indexer.cards.clock import page_of, picture_of
    from pipeline.codes import clock_text
    from pipeline.edges.log.cards import Cards
    from pipeline.errors import BadInput
    from pipeline.timing.claiming import zone_of
    from workers.bootstrap import home

    app, to = app_of(), to or Path("clock-card.html")
    if to.suffix.lower() not in (".html", ".svg", ".png") or (to.suffix.lower() == ".html" and at_ is not None):
        raise BadInput("The card is a .html file; with --at a .svg or .png file of that moment",
                       zh="时钟卡为 .html 文件；使用 --at 时为该时刻的 .svg 或 .png 文件")  # fmt: skip
    with home(app.settings) as built:
        actor = allowed(built, as_, "register").name if as_ else built.actor
        zone = zone_of(built.settings)
        at = built.catalog.now() if at_ is None else moment_of(at_, zone, "--at")
        card, secret = Cards(built.settings).new()
        if to.suffix.lower() == ".html":
            made = page_of(card, secret, actor).encode()
        else:
            made = picture_of(clock_text(at.astimezone(zone), card, secret), to.suffix.lower())
        built.tell("card.made", facts={"card": card, "kind": "clock", "for": actor, "form": to.suffix.lower()[1:]})
    to.write_bytes(made)
    to.chmod(0o600)
    app.emit(
        {"card": card, "kind": "clock", "file": str(to)},
        app.in_words(f"时钟卡 {card}：{to}（请先校准显示它的电脑的时钟）",
                     f"clock card {card}: {to} (first set the clock of the machine that shows it)"),
    )  # fmt: skip


@device.command(short_help="Show what is known of a device's clock, as numbers and as a plot.")
@click.argument("code")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write the plot to this SVG file.")
def calibrate(code: str, plot: Path | None) -> None:
    """Lists the measurements of a device's clock and how far it is taken to be off now.

    Example: casereel device calibrate ZF-001 --plot ZF-001.svg
    """
    from pipeline.edges.database import registers
    from pipeline.errors import BadInput
    from pipeline.timing.clocks import HOW_ZH, DeviceClock
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        zone, now = built.settings.time.zone, built.catalog.now()
        with built.catalog.snapshot() as connection:
            known = {one.code for one in registers.devices(connection)}
            offsets = registers.offsets(connection, device=code)
        # What measured it may be a recording that not everybody may know of.
        said = built.unnamed().said
        offsets = [replace(one, by=said(one.by)) for one in offsets]
    if code not in known:
        raise BadInput(f"No device is registered as {code}", zh=f"未登记的设备：{code}", found=code)
    clock = DeviceClock(offsets)
    off = clock.off_at(now)
    listed = [
        {"at": times(one.at, zone), "offset_s": one.offset_s, "uncertainty_s": one.uncertainty_s, "how": one.how,
         "by": one.by}
        for one in offsets
    ]  # fmt: skip
    if plot is not None and offsets:
        from indexer.figures.clock_plot import drawn

        plot.write_text(drawn(code, offsets, now), encoding="utf-8")
    data = {
        "device": code, "measurements": listed, "offset_s": off and round(off.offset_s, 3),
        "uncertainty_s": off and round(off.uncertainty_s, 3), "why": off.because if off else None,
    }  # fmt: skip
    lines = [
        f"{one['at']}  {one['offset_s']:+10.1f} s  ±{one['uncertainty_s']:g}  "
        f"{app.in_words(HOW_ZH[str(one['how'])], str(one['how']))}  {one['by']}"
        for one in listed
    ]
    nothing = app.in_words("没有测量记录：用 casereel device measure 登记", "never measured: casereel device measure")
    now_words = app.in_words("现在", "now")
    lines.append(f"{now_words}  {off.offset_s:+.1f} s  ±{off.uncertainty_s:.1f}" if off else nothing)
    app.emit(data, "\n".join(lines))


@device.command(short_help="Propose a profile for the file names of a device, from samples.")
@click.argument("samples", nargs=-1)
@click.option("--from", "listed", type=click.File(encoding="utf-8"), help="A file with one name a line; - reads stdin.")
@click.option("--name", default="own_recorder", show_default=True, help="What the profile is called.")
@click.option("--write", is_flag=True, help="Add it to filenames.toml in the home, and read the names there anew.")
@as_person
def learn(samples: tuple[str, ...], listed: IO[str] | None, name: str, write: bool, as_: str | None) -> int:
    """SAMPLES are file names of one device, the more the better. Check what each part is taken for before you write it.

    Example: casereel device learn --from names.txt --name zf_recorder --write
    """
    from workers.cli._names import propose

    told = [one.strip() for one in (listed or ()) if one.strip()]
    return propose((*samples, *told), name, write, as_)


@device.command(short_help="List how the files in custody are named, by profile.")
@click.option("--unknown", is_flag=True, help="Only names that no profile of a device knows, by how they are built.")
def names(unknown: bool) -> None:
    """Unknown names give no time and no device: `device learn` makes a profile of them.

    Example: casereel device names --unknown
    """
    from workers.cli._names import list_names

    list_names(unknown)


@device.command(short_help="List missing numbers of devices, and recordings handed in after the deadline.")
@click.option("--device", "code", help="Of this device only: its registered code, or as files name it.")
@click.option("--holes", is_flag=True, help="Only missing numbers.")
@click.option("--late", is_flag=True, help="Only what was handed in late.")
def findings(code: str | None, holes: bool, late: bool) -> None:
    """A missing number is a file that was not handed in, or was deleted; the deadline is time.upload_deadline_h.

    Example: casereel device findings --holes --json
    """
    from workers.cli._names import list_findings

    list_findings(code, holes=holes or not late, late=late or not holes)


COMMAND = device

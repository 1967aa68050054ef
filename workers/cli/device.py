"""Devices, the people who carry them, and the ledger of who carried what."""

from __future__ import annotations

from pathlib import Path

import click

from workers.cli import app_of, times
from workers.cli._persons import as_person


@click.group(short_help="Devices, people, and who carried what: list, import.")
def device() -> None:
    """Keeps the register of devices and people, and the ledger.

    Example: casereel device list
    """


@device.command("list", short_help="List the registered devices.")
def list_() -> None:
    """Lists devices with who carries them now.

    Example: casereel device list --json
    """
    from pipeline.edges import registers
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
            app.emit(data, f"{one.code:20}  {one.art:10}  {with_whom}  {one.place or one.unit or ''}  {one.name}")


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


COMMAND = device

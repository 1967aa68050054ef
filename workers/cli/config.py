"""Every setting, its value and where it came from."""

from __future__ import annotations

import click

from workers.cli import app_of


@click.group(short_help="Show or check the settings.")
def config() -> None:
    """Shows every setting with its value and where it came from, or only checks them.

    Example: casereel config show
    """


@config.command(short_help="Every setting, its value and where it came from.")
def show() -> None:
    """Prints every setting, its value and where it came from; values with passwords are masked.

    Example: casereel config show --json
    """
    app = app_of()
    for name, value, origin in app.settings.items():
        shown = _masked(name, value)
        app.emit({"setting": name, "value": shown, "origin": origin}, f"{name:28} {shown!r:30} {origin}")


@config.command(short_help="Check the settings file and the environment.")
def check() -> None:
    """Ends with 0 where every key is known and has the right type; names the nearest key otherwise.

    Example: casereel config check
    """
    app = app_of()
    count = len(app.settings.items())
    app.emit({"ok": True, "settings": count}, app.in_words(f"{count} 项设置无误", f"{count} settings are well"))


def _masked(name: str, value: object) -> object:
    if name != "catalog.url" or not value:
        return value
    from sqlalchemy import make_url

    return make_url(str(value)).render_as_string(hide_password=True)


COMMAND = config

"""Makes a home."""

from __future__ import annotations

import click

from workers.cli import app_of


@click.command(short_help="Make a home: inbox, vault, catalog, index, settings.")
def init() -> None:
    """Makes a home: inbox, vault, catalog, index, settings file; brings the tables of an existing one up to date.

    Example: casereel --home /srv/casereel init
    """
    from config.settings import CONFIG_NAME
    from workers.bootstrap import actor_of, make_home

    app = app_of()
    settings = app.settings
    fresh = make_home(settings)
    config = settings.home / CONFIG_NAME
    if not config.exists():
        config.write_text(
            "# Settings of this home; `casereel config show` lists all of them with their defaults.\n", encoding="utf-8"
        )
    data = {"home": str(settings.home), "inbox": str(settings.inbox), "admin": actor_of(settings), "fresh": fresh}
    app.emit(
        data,
        app.in_words(
            f"已就绪：{settings.home}\n把文件放进：{settings.inbox}\n接着运行：casereel up",
            f"The home is at {settings.home}\nDrop files into  {settings.inbox}\nNext: casereel up",
        ),
    )


COMMAND = init

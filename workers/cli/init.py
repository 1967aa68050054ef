"""Makes a home."""

from __future__ import annotations

import click

from workers.cli import App, app_of


@click.command(short_help="Make a home: inbox, vault, catalog, index, settings.")
def init() -> None:
    """Makes a home: inbox, vault, catalog, index, settings file; brings the tables of an existing one up to date.

    Example: casereel --home /srv/casereel init
    """
    from config.settings import CONFIG_NAME
    from workers.bootstrap import actor_of, first_administrator, make_home
    from workers.bootstrap import home as opened

    app = app_of()
    settings = app.settings
    fresh = make_home(settings)
    config = settings.home / CONFIG_NAME
    if not config.exists():
        config.write_text(
            "# Settings of this home; `casereel config show` lists all of them with their defaults.\n", encoding="utf-8"
        )
    with opened(settings) as built:
        first = first_administrator(built)
    data = {"home": str(settings.home), "inbox": str(settings.inbox), "admin": actor_of(settings), "fresh": fresh}
    if first is not None:
        data |= {"admin": first[0], "password": first[1]}
    app.emit(
        data,
        app.in_words(
            f"已就绪：{settings.home}\n把文件放进：{settings.inbox}\n接着运行：casereel up",
            f"The home is at {settings.home}\nDrop files into  {settings.inbox}\nNext: casereel up",
        )
        + told_of_first(app, first),
    )


def told_of_first(app: App, first: tuple[str, str] | None) -> str:
    """Lines with the first account's name and password; nothing where there is one already."""
    if first is None:
        return ""
    return app.in_words(
        f"\n网页登录：{first[0]}  一次性密码：{first[1]}（仅显示这一次）",
        f"\nSign in to the pages as {first[0]} with the one-time password {first[1]} (shown once)",
    )


COMMAND = init

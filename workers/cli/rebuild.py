"""Makes again what can be made again: the catalog from vault and log, index and marks from catalog and originals."""

from __future__ import annotations

import click

from workers.cli import CUSTODY_BROKEN, app_of


@click.group(short_help="Make the catalog, an index or the marks of copies anew.")
def rebuild() -> None:
    """Makes again what can be made again; originals and the log are only read.

    Example: casereel rebuild index
    """


@rebuild.command(short_help="The catalog, from the vault and the log alone.")
def catalog() -> int:
    """Makes the catalog anew from the vault and the log alone; the old one is kept beside it. Stop all workers first.

    Example: casereel rebuild catalog
    """
    from workers.rebuild import rebuild_catalog

    app = app_of()
    with app.progress(0, app.in_words("重建", "rebuilding")) as moved:
        done = rebuild_catalog(app.settings, moved)
    app.emit(
        done,
        app.in_words(
            f"已恢复 {done['originals']} 个原始文件",
            f"{done['originals']} originals are back; their facts are being read again by the workers",
        ),
    )
    if done["missing"]:
        app.note(
            app.in_words(
                f"日志记载的 {done['missing']} 个原始文件不在存储中；见 casereel status，用 casereel repair 修复",
                f"{done['missing']} originals that the log tells of are not in the vault: see `casereel status`, "
                "then `casereel repair`",
            )
        )
    return CUSTODY_BROKEN if done["missing"] else 0


@rebuild.command(short_help="The index, from the catalog.")
def index() -> None:
    """Makes the search index anew from the catalog; the old one answers meanwhile.

    Example: casereel rebuild index
    """
    from workers.bootstrap import build_follower, home

    app = app_of()
    with home(app.settings) as built:
        follower = build_follower(built)
        with app.progress(sum(built.catalog.counts().values()), app.in_words("重建", "rebuilding")) as moved:
            before = 0

            def told(done: int, _: int) -> None:
                nonlocal before
                moved(done - before)
                before = done

            documents = follower.rebuild(told)
        app.emit({"originals": sum(built.catalog.counts().values()), "documents": documents}, f"{documents} documents")


@rebuild.command(short_help="The indexes for matching, from the catalog.")
def matching() -> None:
    """Makes the indexes in which `match` looks anew from the marks in the catalog.

    Example: casereel rebuild matching
    """
    from workers.bootstrap import build_marked, home

    app = app_of()
    with home(app.settings) as built:
        counts = {name: kept.rebuild() for name, kept in build_marked(built).kept.items()}
        app.emit(
            counts,
            app.in_words(
                f"可比对的画面 {counts['pictures']} 件，声音 {counts['sounds']} 件",
                f"pictures of {counts['pictures']} originals and sounds of {counts['sounds']} can be compared",
            ),
        )


@rebuild.command(short_help="The marks by which copies are found, from the originals.")
def marks() -> None:
    """Queues every original that lacks marks of the present version; the workers take them, and `jobs list` shows how
    far they are. What has its marks is left alone.

    Example: casereel rebuild marks
    """
    from workers.bootstrap import home
    from workers.rebuild import rebuild_marks

    app = app_of()
    with home(app.settings) as built:
        with app.progress(sum(built.catalog.counts().values()), app.in_words("检查", "looking")) as moved:
            queued = rebuild_marks(built, moved)
        app.emit(
            {"originals": queued},
            app.in_words(
                f"{queued} 个原件排队重新提取特征", f"{queued} originals are queued to have their marks taken"
            ),
        )


COMMAND = rebuild

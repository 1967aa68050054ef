"""Puts the home as a whole on a second disk."""

from __future__ import annotations

from pathlib import Path

import click

from workers.cli import CUSTODY_BROKEN, app_of


@click.command(short_help="Put vault, log, catalog and settings on a second disk.")
@click.option("--to", "target", type=click.Path(path_type=Path), help="The folder; else the setting backup.target.")
@click.option("--with-keys", is_flag=True, help="The log's private keys too: whoever has the copy can sign.")
def backup(target: Path | None, with_keys: bool) -> int:
    """Copies what is new since the last time, compares every file, and signs what the copy holds.

    Casereel may run meanwhile. Private keys stay out of the copy unless --with-keys is given.

    Example: casereel backup --to /mnt/backup
    """
    from pipeline.errors import BadInput
    from workers.backup import back_up
    from workers.bootstrap import home

    app = app_of()
    chosen = target or (Path(app.settings.backup.target) if app.settings.backup.target else None)
    if chosen is None:
        raise BadInput(
            "Where to? Give --to DIR, or set backup.target", zh="备份到哪里？请给出 --to 文件夹，或设置 backup.target"
        )
    with home(app.settings) as built:
        size = built.catalog.size_of(list(built.catalog.digests().values()))
        with app.progress(size, app.in_words("备份", "backing up")) as moved:
            done = back_up(built, chosen, with_keys=with_keys, moved=moved)
    data = {
        "target": str(chosen), "objects": done.objects, "bytes": done.size_bytes, "copied": done.copied_objects,
        "copied_bytes": done.copied_bytes, "failed": done.failed, "signed_by": done.signed_by, "with_keys": with_keys,
    }  # fmt: skip
    lines = [
        app.in_words(
            f"备份含 {done.objects} 个对象，{done.size_bytes >> 20} MiB；本次新增 {done.copied_objects} 个",
            f"the copy holds {done.objects} objects, {done.size_bytes >> 20} MiB; {done.copied_objects} are new",
        ),
        app.in_words(
            "私钥在备份中，请妥善保管" if with_keys else "备份不含私钥；请另行保存",
            "the private keys are in the copy: keep it locked away"
            if with_keys
            else "the private keys are not in the copy: keep them elsewhere, or use --with-keys",
        ),
    ]
    if done.signed_by is None:
        lines.append(app.in_words("未签名：私钥不在此处", "not signed: the private key is not here"))
    lines += done.failed.values()
    app.emit(data, "\n".join(lines))
    return CUSTODY_BROKEN if done.failed else 0


COMMAND = backup

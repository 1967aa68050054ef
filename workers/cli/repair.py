"""Makes a damaged object whole again, from a good copy."""

from __future__ import annotations

from pathlib import Path

import click

from workers.cli import app_of


@click.command(short_help="Make a damaged original whole again from a good copy.")
@click.argument("id")
@click.option(
    "--from", "source", type=click.Path(path_type=Path, exists=True),
    help="A backup's folder, a storage root, or a file with the same bytes; else the setting backup.target.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do it; without, only show what does not hold.")
def repair(id: str, source: Path | None, yes: bool) -> int:
    """Replaces what does not hold of one original by the same bytes of a good copy, compared before and after.

    The damaged object is kept in the home's folder `quarantine`. Without --yes it only shows what does not hold.

    Example: casereel repair 01KAMZ5V2W --from /mnt/backup --yes
    """
    from pipeline.errors import BadInput
    from workers.bootstrap import build_jobs, home
    from workers.keeping import build_fixity

    app = app_of()
    with home(app.settings) as built:
        fixity = build_fixity(built)
        original = built.find_original(id)
        known = built.catalog.known_of(original).original
        found = fixity.faults(original, known.sha256)
        data = {"original": original, "sha256": known.sha256, "faults": found, "replaced": [], "repaired": False}
        chosen = source or (Path(app.settings.backup.target) if app.settings.backup.target else None)
        if not yes:
            shown = "\n".join(found) or app.in_words("该原始文件完好", "this original is whole")
            app.emit(data, shown)
            app.note(app.in_words("加 --yes 才会修复", "add --yes to repair it"))
            return 0
        if found and chosen is None:
            raise BadInput(
                "From where? Give --from BACKUP or FILE, or set backup.target",
                zh="从哪里修复？请给出 --from 备份或文件，或设置 backup.target",
            )
        size = known.size_bytes * 2
        jobs = build_jobs(built)
        try:
            with app.progress(size, app.in_words("修复", "repairing")) as moved:
                replaced = fixity.repair(original, [_root(chosen)] if chosen else [], jobs, moved=moved)
        finally:
            jobs.close()
        data |= {"replaced": replaced, "repaired": True}
        app.emit(
            data,
            app.in_words(
                f"{known.name} 已修复，更换了：{'、'.join(replaced) or '无'}",
                f"{known.name} is whole again; replaced: {', '.join(replaced) or 'nothing'}",
            ),
        )
        return 0


def _root(source: Path) -> Path:
    """A backup keeps its storage root in the folder `vault`."""
    return source / "vault" if (source / "vault").is_dir() else source


COMMAND = repair

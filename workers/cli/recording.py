"""Logical recordings: the files that one device wrote as one act, with what is missing between them."""

from __future__ import annotations

import click

from workers.cli import app_of


@click.group(short_help="Logical recordings: their files, gaps, overlaps, missing files.")
def recording() -> None:
    """Files of one device that belong together, in order. Nothing is joined: originals stay as they are.

    Example: casereel recording list --case AJ2021-0042
    """


@recording.command("list", short_help="List recordings of several files, and those with something missing.")
@click.option("--case", "number", help="Of this case, in any writing of its number.")
@click.option("--device", help="Of this registered device.")
@click.option("--all", "everything", is_flag=True, help="Recordings of one file too.")
@click.option(
    "--faulty", is_flag=True, help="Only those with a gap, a missing file or a doubtful clock, inside a file too."
)
def list_(number: str | None, device: str | None, everything: bool, faulty: bool) -> None:
    """A recording is named by the file of it that was taken in first.

    Example: casereel recording list --device ZF-001 --faulty --json
    """
    from indexer.access import require
    from pipeline.case_numbers import comparable
    from pipeline.edges.database import registers, segments
    from pipeline.recordings import recordings_of
    from workers.bootstrap import home
    from workers.cli._recordings import described, in_one_line

    app = app_of()
    with home(app.settings) as built:
        require(built.reviewer, "view")
        built.tell("view.recordings", facts={"case": number, "device": device})
        with built.catalog.snapshot() as connection:
            every = segments.segments(connection)
            seen = set(built.seen([one.original for one in every]))
            found = recordings_of([one for one in every if one.original in seen])
            linked = number and {one for one, *_ in registers.linked_to(connection, comparable(number))}
        for one in found:
            if len(one.segments) == 1 and one.is_whole and not everything:
                continue
            if (faulty and one.is_whole) or (device and one.segments[0].device != device):
                continue
            if linked is not None and not any(part.original in linked for part in one.segments):
                continue
            data = described(one, built.settings.time.zone)
            app.emit(data, in_one_line(app, data))


@recording.command(short_help="Show the recording that a file belongs to.")
@click.argument("id")
def show(id: str) -> None:
    """ID is any file of the recording, named as for `show`.

    Example: casereel recording show GX010034.MP4
    """
    from indexer.access import require
    from pipeline.edges.database import segments
    from pipeline.errors import BadInput
    from pipeline.recordings import recording_with, recordings_of
    from workers.bootstrap import home
    from workers.cli._recordings import described, page

    app = app_of()
    with home(app.settings) as built:
        original = built.find_original(id)
        require(built.reviewer, "view")
        built.tell("view.recording", original=original)
        with built.catalog.snapshot() as connection:
            every = segments.segments(connection)
            seen = set(built.seen([one.original for one in every]))
            found = recording_with(recordings_of([one for one in every if one.original in seen]), original)
        if found is None:
            raise BadInput(f"{id} is neither video nor sound", zh=f"“{id}”不是录像或录音", found=original)
        data = described(found, built.settings.time.zone)
        app.emit(data, lambda: page(app, data))


COMMAND = recording

"""What a turn ran is noted with its very command, for the operator's page of the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.edges.confinement.cage import Limits
from pipeline.edges.tools import Tools
from pipeline.errors import Unreadable


def nothing_readable(name: str) -> None:
    raise Unreadable(f"{name} is odd")


def test_commands_are_noted_within_the_block_alone(tmp_path: Path) -> None:
    tools = Tools()
    source = tmp_path / "empty.mp4"
    source.write_bytes(b"no film")
    tools.start()
    try:
        with tools.noting() as ran:
            output = tools.input(source, "mp4").output("pipe:3", format="null")
            tools.run(output, limits=Limits(), pipes={3: lambda _: None})
            with pytest.raises(Unreadable):
                tools.call(nothing_readable, "it")
        tools.run(output, limits=Limits(), pipes={3: lambda _: None})
    finally:
        tools.close()
    assert [one.code for one in ran] == [ran[0].code, None]
    assert ran[0].code
    assert "-f mov" in ran[0].command
    assert "moov atom not found" in ran[0].stderr
    assert ran[1].command.endswith("nothing_readable")
    assert ran[1].told().endswith("it is odd")

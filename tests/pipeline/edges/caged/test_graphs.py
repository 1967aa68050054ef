from __future__ import annotations

from typing import Any

import ffmpeg

from pipeline.edges.caged.graphs import by, filtered, one_graph_a_stream, usual_light


def _arguments(*outputs: Any) -> list[str]:
    return one_graph_a_stream(ffmpeg.compile(ffmpeg.merge_outputs(*outputs)))


def test_pictures_and_sound_have_a_graph_each() -> None:
    source = ffmpeg.input("file:a", f="mov")
    seen, heard = source["V:0"].filter_multi_output("split", 2), source["a:0"].filter_multi_output("asplit", 2)
    large = filtered(seen[0], [by("scale", w="min(2,iw)", h=2), by("setsar", 1)])
    said = _arguments(
        ffmpeg.output(large, heard[0], "file:b"),
        ffmpeg.output(filtered(seen[1], [by("fps", 2)]), "pipe:3"),
        ffmpeg.output(filtered(heard[1], [by("ametadata", file="pipe:4")]), "null4"),
    )
    graphs = [said[at + 1] for at, one in enumerate(said) if one == "-filter_complex"]
    pictures, sound = sorted(graphs, key=lambda one: "asplit" in one)
    assert pictures.startswith("[0:V:0]split=2[")
    assert {one.partition("]")[2].partition("[")[0] for one in pictures.split(";")} == {
        "split=2", "scale=h=2:w=min(2\\,iw)", "setsar=1", "fps=2",
    }  # fmt: skip
    assert sound.startswith("[0:a:0]asplit=2[")
    assert "ametadata=file=pipe\\\\:4" in sound
    assert len(graphs) == 2


def test_what_lies_over_the_picture_is_in_the_pictures_graph() -> None:
    source, strip = ffmpeg.input("file:a"), ffmpeg.input("file:strip.png")
    laid = ffmpeg.filter([source["V:0"].filter("setsar", 1), strip["v:0"]], "overlay", "W-w", "H-h")
    said = _arguments(
        ffmpeg.output(laid, "file:b"),
        ffmpeg.output(source["a:0"].filter("anull"), "pipe:3"),
    )
    assert said.count("-filter_complex") == 2


def test_a_lone_stream_without_a_filter_stays_as_it_is() -> None:
    said = _arguments(
        ffmpeg.output(ffmpeg.input("file:a")["a:0"], "pipe:3"), ffmpeg.output(ffmpeg.input("file:a")["V:0"], "pipe:4")
    )
    assert "-filter_complex" not in said


def test_usual_light_and_an_ffmpeg_without_the_filters_need_none() -> None:
    have = frozenset(("zscale", "tonemap"))
    assert usual_light(None, have) == ()
    assert usual_light("HLG", frozenset(("zscale",))) == ()
    assert [one.name for one in usual_light("HLG", have)] == ["zscale", "format", "zscale", "tonemap", "zscale"]
    assert str(usual_light("PQ", have)[0]).startswith("zscale=tin=smpte2084:pin=bt2020")

from __future__ import annotations

from pipeline.edges.graphs import one_graph_a_stream

FRONT = ["ffmpeg", "-f", "mov", "-i", "file:a"]


def test_outputs_that_filter_one_stream_share_a_graph() -> None:
    copy = ["-map", "0:V:0", "-map", "0:a:0?", "-vf", "scale=2:2,setsar=1", "-af", "aresample", "-crf", "25", "file:b"]
    small = ["-map", "0:V:0", "-vf", "fps=2", "-f", "rawvideo", "pipe:3"]
    heard = ["-map", "0:a:0", "-ac", "1", "pipe:4"]
    assert one_graph_a_stream([*FRONT, *copy, *small, *heard]) == [
        *FRONT,
        "-filter_complex", "[0:V:0]split=2[vin0][vin1];[vin0]scale=2:2,setsar=1[v0];[vin1]fps=2[v1]",
        "-filter_complex", "[0:a:0]asplit=2[ain0][ain1];[ain0]aresample[a0];[ain1]anull[a1]",
        "-map", "[v0]", "-map", "[a0]", "-crf", "25", "file:b",
        "-map", "[v1]", "-f", "rawvideo", "pipe:3",
        "-map", "[a1]", "-ac", "1", "pipe:4",
    ]  # fmt: skip


def test_a_lone_output_a_copy_and_a_stream_that_may_be_missing_stay_as_they_are() -> None:
    kept = [*FRONT, "-map", "0:V:0", "-map", "0:a:0", "-c", "copy", "file:b", "-map", "0:V:0", "-vf", "fps=2", "pipe:3"]
    assert one_graph_a_stream(kept) == kept
    unsure = [*FRONT, "-map", "0:a:0?", "file:b", "-map", "0:a:0?", "-af", "aresample", "pipe:3"]
    assert one_graph_a_stream(unsure) == unsure

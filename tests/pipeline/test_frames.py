from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from pipeline import frames
from pipeline.derivers import proxy
from pipeline.frames import ABSENT, matched
from tests.pipeline.filming import film, heard_by, of_role

MS, TICK = Fraction(1, 1000), Fraction(1, 90_000)


def _stamps(*values):
    return np.array(values, np.int64)


def test_as_many_pictures_on_both_sides_are_the_same_in_order():
    times = matched(_stamps(120, 80, 40), MS, _stamps(7200, 0, 3600), TICK, 0.04)
    assert [times.copy_seconds(n) for n in range(3)] == [0.0, 0.04, 0.08]
    assert [times.number_in_copy(s) for s in (0.0, 0.039, 0.04, 0.05, 9.0)] == [0, 0, 1, 1, 2]
    assert times.seconds(2) == 0.08


def test_pictures_that_the_copy_lacks_are_known_by_their_times():
    pts = np.arange(0, 4000, 40, dtype=np.int64) + 10_000
    gone = [0, 1, 2, 30, 31, 60]
    copy = np.delete(np.arange(0, 4000, 40, dtype=np.int64) * 90, gone)
    times = matched(pts, MS, copy, TICK, 10.0)
    assert np.flatnonzero(times.copy_pts == ABSENT).tolist() == gone
    assert times.copy_seconds(3) == 0.12
    assert times.copy_seconds(0) is None
    assert times.number_in_copy(0.0) == 3


def test_a_copy_whose_clock_begins_elsewhere_is_laid_where_it_fits():
    pts = np.cumsum(np.random.default_rng(5).integers(20, 60, 300)).astype(np.int64)
    copy = (np.delete(pts, [0, 1, 77]) - pts[2]) * 90
    times = matched(pts, MS, copy, TICK, 123.4)
    assert np.flatnonzero(times.copy_pts == ABSENT).tolist() == [0, 1, 77]
    assert times.copy_seconds(2) == 0.0


def test_the_table_comes_back_as_it_was_and_a_cut_one_is_refused():
    times = matched(_stamps(-5, 3, 1 << 60), MS, _stamps(0, 9), TICK, 0.0)
    back = frames.unpacked(frames.packed(times))
    assert (back.pts.tolist(), back.copy_pts.tolist()) == (times.pts.tolist(), times.copy_pts.tolist())
    assert (back.unit, back.copy_unit) == (MS, TICK)
    with pytest.raises((ValueError, frames.zlib.error)):
        frames.unpacked(frames.packed(times)[:-9])


def test_e20_each_picture_of_the_original_is_shown_by_the_copy_where_the_table_says(tmp_path):
    """Uneven times, B-frames, a beginning that is not 0: the picture's own number is burnt in as a block code."""
    coded = "geq=lum='if(lt(Y,40),255*mod(floor(N/pow(2,floor(X/32))),2),128)':cb=128:cr=128"
    source = film(
        tmp_path / "a.mkv", f"color=gray:size={{size}}:rate={{rate}},{coded}", seconds=5, fps_mode="vfr",
        vf="select='not(eq(mod(n,7),3))',setpts=PTS+1.48/TB", bf=3, **{"c:v": "mpeg4", "q:v": 2},
    )  # fmt: skip
    made = heard_by(proxy.DERIVER, source, tmp_path).made
    times = frames.unpacked(of_role(made, "frame_times").path.read_bytes())
    shown, original = _numbers(of_role(made, "proxy").path), _numbers(source)
    assert len(times) == len(original) > 90
    for number, (_, code) in enumerate(original):
        at_s = times.copy_seconds(number)
        assert at_s is not None
        assert [c for s, c in shown if s <= at_s + 1e-4][-1] == code
        assert times.number_in_copy(at_s) == number
    assert times.seconds(len(times) - 1) == pytest.approx(original[-1][0] - original[0][0], abs=0.0015)


def _numbers(path):
    """(second, number burnt in) of each picture in order."""
    with av.open(str(path)) as container:
        found = []
        for frame in container.decode(video=0):
            bits = frame.to_ndarray(format="gray")[20, 16 : 16 + 8 * 32 : 32] > 190
            found.append((frame.time, int(sum(1 << n for n, bit in enumerate(bits) if bit))))
        return found

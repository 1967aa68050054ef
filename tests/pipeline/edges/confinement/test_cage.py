from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.edges.confinement import cage as cage_module
from pipeline.edges.confinement.cage import Cage, Limits
from pipeline.edges.tools import Reports
from pipeline.errors import Superseded, TryAgain, Unreadable
from tests.flows.running import family, wait_until

PYTHON = sys.executable


@pytest.fixture
def cage() -> Iterator[Cage]:
    made = Cage()
    yield made
    made.close()


def run(cage: Cage, code: str, **limits: float) -> cage_module.Ended:
    return cage.run([PYTHON, "-c", code], limits=Limits(**limits))  # type: ignore[arg-type]


def test_a_function_answers_with_plain_data(cage: Cage) -> None:
    assert cage.call(os.path.basename, "/a/现场.mp4", limits=Limits()) == "现场.mp4"


def test_many_short_calls_from_many_threads_all_answer(cage: Cage) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: cage.call(abs_of, number, limits=Limits()), range(-100, 0)))
    assert answers == list(range(100, 0, -1))


def abs_of(number: int) -> int:
    return abs(number)


def raise_it(name: str) -> None:
    raise {"exit": SystemExit, "memory": MemoryError, "value": ValueError}[name]("said")


def kill_myself() -> None:
    os.kill(os.getpid(), 11)


def end_myself() -> None:
    os.kill(os.getpid(), 9)


def eat_memory() -> int:
    return len(bytearray(3 << 30))


def never_end() -> None:
    while True:
        pass


@pytest.mark.parametrize("name", ["exit", "memory", "value"])
def test_whatever_a_reader_raises_is_unreadable(cage: Cage, name: str) -> None:
    with pytest.raises(Unreadable):
        cage.call(raise_it, name, limits=Limits())


def test_a_crash_is_unreadable_and_the_next_call_works(cage: Cage) -> None:
    with pytest.raises(Unreadable, match="crashed"):
        cage.call(kill_myself, limits=Limits())
    assert cage.call(abs_of, -1, limits=Limits()) == 1


def test_work_that_was_ended_from_outside_says_nothing_of_the_file(cage: Cage) -> None:
    """By the system that ran out of memory, by an operator, by anybody: it is tried again."""
    with pytest.raises(TryAgain):
        cage.call(end_myself, limits=Limits())
    with pytest.raises(TryAgain):
        cage.run([PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"], limits=Limits())
    assert cage.call(abs_of, -1, limits=Limits()) == 1


def test_work_goes_on_when_the_keeper_was_ended(cage: Cage) -> None:
    cage.start()
    assert cage._keeper is not None
    cage._keeper.kill()
    cage._keeper.wait()
    try:
        assert cage.call(abs_of, -1, limits=Limits()) == 1
    except TryAgain:
        assert cage.call(abs_of, -1, limits=Limits()) == 1


def test_too_much_memory_is_unreadable(cage: Cage) -> None:
    with pytest.raises(Unreadable, match="memory"):
        cage.call(eat_memory, limits=Limits(memory_bytes=1 << 30))


def test_too_much_time_is_unreadable(cage: Cage) -> None:
    started = time.monotonic()
    with pytest.raises(Unreadable, match="too long"):
        cage.call(never_end, limits=Limits(wall_s=1.0))
    with pytest.raises(Unreadable, match="too long"):
        cage.call(never_end, limits=Limits(wall_s=120.0, cpu_s=1))
    assert time.monotonic() - started < 120  # the second ended by its processor time, long before its wall time


def test_e14_a_program_that_says_much_does_not_block(cage: Cage) -> None:
    """ffmpeg with a megabyte on standard error once stood still on a full pipe."""
    ended = run(cage, "import sys; sys.stderr.write('x' * 1_000_000); print('done')", wall_s=30)
    assert (ended.code, ended.stdout) == (0, b"done\n")
    assert len(ended.stderr) == cage_module.STDERR_KEPT_BYTES


def test_e14_a_program_that_shows_no_progress_is_ended(cage: Cage) -> None:
    ended = cage.run([PYTHON, "-c", "import time; time.sleep(60)"], limits=Limits(wall_s=60, stall_s=1.0))
    assert ended.why == "stalled"


def test_e14_one_that_only_says_that_it_lives_counts_as_hung(cage: Cage) -> None:
    """ffmpeg reports once a second also where it stands still: what counts is how far it came."""
    reached: list[float] = []
    code = r"while true; do printf 'out_time_us=2000000\nprogress=continue\n' >&3; sleep .2; done"
    limits = Limits(wall_s=60, stall_s=5.0)  # even a shell may need a second to begin on a loaded machine
    ended = cage.run(["/bin/sh", "-c", code], limits=limits, pipes={3: Reports(reached.append)})
    assert ended.why == "stalled"
    assert reached == [2.0]


def test_reports_tell_how_far_the_program_came_whatever_pieces_they_come_in() -> None:
    reached: list[float] = []
    reports = Reports(reached.append)
    text = b"frame=1\nout_time_us=N/A\nframe=30\nout_time_us=1000000\nframe=60\nout_time_us=2500000\nprogress=end\n"
    moved = [reports(text[at : at + 7]) for at in range(0, len(text), 7)]
    assert reached == [1.0, 2.5]
    assert any(moved)
    assert not reports(b"frame=60\nout_time_us=2500000\n")


def test_a_file_larger_than_allowed_is_not_written(cage: Cage, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'f')!r}, 'wb').write(b'x' * 10_000_000)"
    ended = cage.run([PYTHON, "-c", code], limits=Limits(file_bytes=1_000_000))
    assert ended.code != 0
    assert (tmp_path / "f").stat().st_size <= 1_000_000


def test_e14_a_job_that_is_no_longer_wanted_is_ended_with_all_it_started(cage: Cage, tmp_path: Path) -> None:
    mark = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(mark)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(60)"
    )

    def wanted() -> None:
        if mark.exists():
            raise Superseded("not wanted")

    with pytest.raises(Superseded):
        cage.run([PYTHON, "-c", code], limits=Limits(), still_wanted=wanted)
    for pid in map(int, mark.read_text().split()):
        wait_until(lambda pid=pid: is_gone(pid), 10, "the process ended")  # type: ignore[misc]


def test_everything_ends_with_the_worker() -> None:
    """The worker is ended by SIGKILL in the middle of a program's work."""
    import subprocess

    code = (
        "import sys, threading\n"
        "from pipeline.edges.confinement.cage import Cage, Limits\n"
        "cage = Cage()\n"
        "cage.start()\n"
        "print('up', flush=True)\n"
        "cage.run([sys.executable, '-c', 'import time; time.sleep(60)'], limits=Limits(wall_s=100))"
    )
    worker = subprocess.Popen([PYTHON, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).resolve().parents[4])
    assert worker.stdout is not None
    worker.stdout.readline()
    wait_until(lambda: len(family(worker.pid)) >= 4, 20, "the program runs")
    below = family(worker.pid)[1:]
    worker.kill()
    worker.wait()
    for pid in below:
        wait_until(lambda pid=pid: is_gone(pid), 10, "the process ended")  # type: ignore[misc]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True

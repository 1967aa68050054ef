"""Runs the readers of hostile files and the media programs as limited children.

A keeper process, started once and single-threaded, forks one supervisor a job; the supervisor limits itself,
forks the work and reports how it ended. When the worker dies its socket closes, the keeper ends, and the
kernel ends the supervisors and their work (PR_SET_PDEATHSIG), so nothing outlives its worker.

`confining` says how a child limits itself. Where `fork` is missing (Windows) the same jobs run in a fresh interpreter
each, with a time limit only. Source of the limits: the measurements of bombs and playlists kept with the tests.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from pipeline.edges.confinement.confining import (
    CODE,
    Box,
    adopt,
    become,
    become_reader,
    box_of,
    die_with_parent,
    get_ready,
    leave_network,
    limit,
)  # fmt: skip
from pipeline.errors import CasereelError, TryAgain, Unreadable

RESULT_MAX_BYTES: Final = 16 << 20
STDERR_KEPT_BYTES: Final = 8 << 10
PRELOADED: Final = (
    "json", "exifread", "PIL.Image", "PIL.ImageOps", "PIL.ImageCms", "pi_heif", "av", "numpy", "zxingcpp",
    "pipeline.stage", "pipeline.edges.tools", "pipeline.edges.caged.reading", "pipeline.edges.caged.pictures",
    "pipeline.custody.sniff",
)  # fmt: skip
# How one ended that was ended, in words.
REASONS: Final = {
    "time": "took too long", "memory": "needed too much memory", "stalled": "stood still", "space": "wrote too much",
}  # fmt: skip
REASONS_ZH: Final = {"time": "超过时限", "memory": "内存不足", "stalled": "停滞不前", "space": "写出过多"}
# What stands on standard error where a program never began: from `_work`, and from bubblewrap.
NOT_STARTED: Final = ("cannot start ", "bwrap: ")
CAN_FORK: Final = hasattr(os, "fork") and hasattr(socket, "send_fds")


@dataclass(frozen=True)
class Limits:
    """What one job may use; going over ends it. nice: 0 for work somebody waits for, 10 for heavy work.

    stall_s: seconds without any sign of progress (bytes on a pipe or in its folder) after which it counts as hung.
    file_bytes: of one file, and of all in the folder it writes to.
    """

    wall_s: float = 30.0
    cpu_s: int = 20
    memory_bytes: int = 2 << 30
    file_bytes: int = 8 << 30
    nice: int = 0
    stall_s: float | None = None

    def scaled(self, factor: float) -> Limits:
        """The same limits with `factor` times the time."""
        return replace(self, wall_s=self.wall_s * factor, cpu_s=max(1, int(self.cpu_s * factor)))


@dataclass(frozen=True)
class Ended:
    """How a program ended: evidence for a verdict on its output, never the verdict.

    code: exit code, negative for a signal. stderr: its last lines. why: `time`, `memory`, `stalled`, `space` or ''.
    cpu_s, peak_bytes: what it and its children used, the largest of them, where that is told.
    """

    code: int
    stdout: bytes
    stderr: str
    why: str = ""
    cpu_s: float = 0.0
    peak_bytes: int = 0


class Cage:
    """The client side: one per process, safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self.used_s, self.peak_bytes = 0.0, 0  # CPU seconds of all jobs so far, memory of the largest

    def start(self) -> None:
        """The keeper runs; called once more it does nothing."""
        with self._lock:
            if self._keeper is None and CAN_FORK:
                self._control = self._start_keeper()

    def close(self) -> None:
        """The keeper and everything it started have ended."""
        with self._lock:
            if self._control is not None:
                self._control.close()
            if self._keeper is not None:
                self._keeper.wait(timeout=10)
            self._control = self._keeper = None

    def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        limits: Limits,
        reads: Sequence[Path] = (),
        writes: Sequence[Path] = (),
        still_wanted: Callable[[], None] = lambda: None,
    ) -> Any:
        """What the function returns, computed in a limited child; arguments and result are plain JSON data.

        reads, writes: the only files it can open and the only folders it can write to; their paths are not in what
        it says. Raises Unreadable where it says so, breaks a limit or crashes; Superseded where the job is not
        wanted; TryAgain where it was ended from outside.
        """
        order = {
            "call": [function.__module__, function.__qualname__],
            "arguments": list(arguments),
            "reads": [str(path) for path in reads],
            "writes": [str(path) for path in writes],
        }
        ended = self._run(order, limits, still_wanted, {})
        answer = _parsed(ended.stdout)
        if answer is None:
            raise Unreadable(
                f"{function.__module__.rsplit('.', 1)[-1]} {REASONS.get(ended.why, 'crashed on this file')}",
                zh=f"读取程序{REASONS_ZH.get(ended.why, '因该文件异常终止')}",
                code=ended.code,
                stderr=ended.stderr[-500:],
            )
        if "unreadable" in answer:
            raise Unreadable(answer["unreadable"], zh=answer.get("zh", ""))
        return answer["result"]

    def run(
        self,
        argv: Sequence[str],
        *,
        limits: Limits,
        box: Box | None = None,
        still_wanted: Callable[[], None] = lambda: None,
        pipes: dict[int, Callable[[bytes], Any]] | None = None,
    ) -> Ended:
        """Runs a program with stdin closed; stdout is kept up to 16 MiB, stderr its last 8 KiB.

        box: what it may see; without one its resources alone are limited. pipes: file descriptor number in the
        program (3 and up) -> called with each piece it writes there, from a thread of its own; False says that the
        piece shows no progress.
        Raises TryAgain where it could not be started.
        """
        order = {"exec": list(argv), "box": box.plain() if box else None}
        return self._run(order, limits, still_wanted, pipes or {})

    # -- inside

    def _start_keeper(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CASEREEL_")}
        self._keeper = subprocess.Popen(
            # -P: a module in the folder that happens to be current is none of ours.
            [
                sys.executable,
                "-P",
                "-c",
                "from pipeline.edges.confinement import cage; cage.keep()",
                str(theirs.fileno()),
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={
                **environment,
                "PYTHONPATH": os.pathsep.join([*(p for p in sys.path if p), str(CODE)]),
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
            start_new_session=True,
        )
        theirs.close()
        return ours

    def _run(
        self,
        order: dict[str, Any],
        limits: Limits,
        still_wanted: Callable[[], None],
        pipes: dict[int, Callable[[bytes], Any]],
    ) -> Ended:
        if not CAN_FORK:
            return _run_fresh(order, limits)
        self.start()
        reads, writes = {}, {}
        for name in ("stdout", "stderr", "status", *pipes):
            reads[name], writes[name] = os.pipe()
        try:
            # Larger orders than a packet go through a pipe of their own.
            order = {**order, "limits": asdict(limits), "pipes": sorted(pipes)}
            order_read, order_write = os.pipe()
            feeder = threading.Thread(target=_feed, args=(order_write, json.dumps(order).encode()), daemon=True)
            feeder.start()
            fds = [order_read, writes["stdout"], writes["stderr"], writes["status"]]
            fds += [writes[number] for number in sorted(pipes)]
            self._send(fds)
        finally:
            for fd in (*writes.values(), order_read):
                os.close(fd)
        written = (order.get("box") or {}).get("writes")
        ended = _watch(reads, pipes, limits, still_wanted, Path(written) if written else None)
        with self._lock:
            self.used_s += ended.cpu_s
            self.peak_bytes = max(self.peak_bytes, ended.peak_bytes)
        return ended

    def _send(self, fds: list[int]) -> None:
        with self._lock:
            for attempt in (1, 2):
                if self._keeper is None or self._control is None:
                    self._control = self._start_keeper()
                try:
                    socket.send_fds(self._control, [b"job"], fds)
                    return
                except OSError as error:
                    self._keeper = None
                    if attempt == 2:
                        raise TryAgain(
                            "The keeper of the media programs does not answer", zh="媒体程序的守护进程没有响应"
                        ) from error


class _Drain(threading.Thread):
    """Reads one pipe to its end. moved: called for each piece, unless the sink says False: it told of no progress."""

    def __init__(self, fd: int, sink: Callable[[bytes], Any], moved: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.fd, self.sink, self.moved = fd, sink, moved
        self.start()

    def run(self) -> None:
        with os.fdopen(self.fd, "rb", buffering=0) as stream:
            while piece := stream.read(1 << 18):
                if self.sink(piece) is not False:
                    self.moved()


def _watch(
    reads: dict[Any, int],
    pipes: dict[int, Callable[[bytes], Any]],
    limits: Limits,
    still_wanted: Callable[[], None],
    written: Path | None,
) -> Ended:
    out, err, status = bytearray(), bytearray(), bytearray()
    moved_at = [time.monotonic()]

    def moved() -> None:
        moved_at[0] = time.monotonic()

    def keep_out(piece: bytes) -> None:
        if len(out) < RESULT_MAX_BYTES:
            out.extend(piece)

    def keep_err(piece: bytes) -> None:
        err.extend(piece)
        del err[:-STDERR_KEPT_BYTES]

    drains = [
        _Drain(reads["stdout"], keep_out, moved),
        _Drain(reads["stderr"], keep_err, lambda: None),
        _Drain(reads["status"], status.extend, lambda: None),
    ]
    drains += [_Drain(reads[number], pipes[number], moved) for number in pipes]
    started, asked, why, grown = time.monotonic(), time.monotonic(), "", 0
    try:
        while reading := next((drain for drain in drains if drain.is_alive()), None):
            reading.join(0.02 if time.monotonic() - started < 1 else 0.2)
            now = time.monotonic()
            if now - started > limits.wall_s:
                why = "time"
            elif limits.stall_s is not None and now - moved_at[0] > limits.stall_s:
                why = "stalled"
            if why:
                break
            if now - asked > 1.0:
                asked = now
                still_wanted()
                if written is not None and (size := _bytes_in(written)) != grown:
                    moved()
                    grown = size
                    if size > limits.file_bytes:
                        why = "space"
                        break
    except BaseException:
        _kill(status)
        raise
    if why:
        _kill(status)
        for drain in drains:
            drain.join(5)
    return _ended(bytes(out), bytes(err), bytes(status), why, limits)


def _bytes_in(folder: Path) -> int:
    """What the plain files in it take up; the limit of one file says nothing of a thousand."""
    with contextlib.suppress(OSError):
        return sum(one.stat(follow_symlinks=False).st_blocks * 512 for one in os.scandir(folder))
    return 0


def _kill(status: bytearray) -> None:
    lines = bytes(status).split(b"\n")
    if lines and lines[0].isdigit() and len(lines) < 5:  # the group exists until its end is reported
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(int(lines[0]), signal.SIGKILL)


def _ended(out: bytes, err: bytes, status: bytes, why: str, limits: Limits) -> Ended:
    """Raises TryAgain where neither the work nor its limits ended it: it tells nothing of the file."""
    lines = status.split(b"\n")
    told = (int(lines[1]), float(lines[2]), int(lines[3])) if len(lines) > 4 else (-signal.SIGKILL, 0.0, 0)
    code, cpu_s, peak_bytes = told
    # ffmpeg takes SIGXCPU for a wish to stop, and ends with 255 and a file that looks whole.
    if not why and (code == -signal.SIGXCPU or (code != 0 and cpu_s >= limits.cpu_s)):
        why = "time"
    if not why and code == -signal.SIGKILL:
        raise TryAgain(
            "A reader or media program was ended from outside; it is tried again", zh="读取程序被外部终止，将自动重试"
        )
    said = err.decode("utf-8", "replace")
    if code != 0 and said.startswith(NOT_STARTED):
        raise TryAgain(
            f"A media program could not be started in its cage: {said.strip()[:300]}",
            zh=f"无法在隔离环境中启动媒体程序：{said.strip()[:300]}",
            code=code,
        )
    return Ended(code, out, said, why, cpu_s, peak_bytes)


def _parsed(out: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(out)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and ("result" in answer or "unreadable" in answer) else None


def _feed(fd: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(fd, "wb") as pipe:
        pipe.write(data)


# -- the other side of the fork


def keep() -> None:
    """The keeper's life: forks a supervisor for each order until its socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    get_ready()
    while True:
        try:
            message, fds, _, _ = socket.recv_fds(control, 16, 64)
        except OSError:
            return
        if not message:
            return
        if os.fork() == 0:
            control.close()
            _supervise(fds)
        for fd in fds:
            os.close(fd)


def _supervise(fds: list[int]) -> None:
    """Limits itself, forks the work, reports its process group and then its exit code; never returns."""
    order_fd, out, err, status, *extra = fds
    die_with_parent()
    os.setsid()
    os.write(status, f"{os.getpid()}\n".encode())
    with os.fdopen(order_fd, "rb") as pipe:
        order = json.loads(pipe.read())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    in_bubble = bool((order.get("box") or {}).get("bwrap"))
    if in_bubble:
        adopt()  # bubblewrap ends before its innermost child is counted
    child = os.fork()
    if child == 0:
        os.close(status)
        _work(order, out, err, extra)
    for fd in (out, err, *extra):
        os.close(fd)
    _, how, used = os.wait4(child, 0)
    code, cpu_s, peak = os.waitstatus_to_exitcode(how), used.ru_utime + used.ru_stime, used.ru_maxrss
    if in_bubble:
        if 128 < code <= 128 + signal.NSIG:
            code = 128 - code  # bubblewrap tells a signal as a shell does
        with contextlib.suppress(ChildProcessError):
            while True:
                used = os.wait4(-1, 0)[2]
                cpu_s += used.ru_utime + used.ru_stime
                peak = max(peak, used.ru_maxrss)
    with contextlib.suppress(BrokenPipeError):
        os.write(status, f"{code}\n{cpu_s:.3f}\n{peak * (1 if sys.platform == 'darwin' else 1024)}\n".encode())
    os._exit(0)


def _work(order: dict[str, Any], out: int, err: int, extra: list[int]) -> None:
    die_with_parent()
    limits = Limits(**order["limits"])
    wanted = order["pipes"]
    # Out of the way of the numbers the program wants, then into place.
    moved = [os.dup2(fd, 100 + index) for index, fd in enumerate([out, err, *extra])]
    null = os.open(os.devnull, os.O_RDWR)
    for target, source in zip([0, 1, 2, *wanted], [null, *moved], strict=True):
        os.dup2(source, target)
    os.closerange(3 if not wanted else max(wanted) + 1, 256)
    if "exec" in order:
        for number in wanted:
            os.set_inheritable(number, True)
        _start(order, limits)
    with contextlib.suppress(ImportError):  # our own code, loaded while the disk can be seen
        importlib.import_module(order["call"][0])
    _limit(limits)
    become_reader(order["reads"], order["writes"])
    os.write(1, _masked(json.dumps(_answer(order)), [*order["reads"], *order["writes"]]).encode())
    os._exit(0)


def _start(order: dict[str, Any], limits: Limits) -> None:
    argv = order["exec"]
    _limit(limits)
    try:
        if order["box"]:
            become(argv, box_of(order["box"]))
        leave_network()
        os.execv(argv[0], argv)
    except OSError as error:
        os.write(2, f"cannot start {argv[0]}: {error}".encode())
    os._exit(127)


def _limit(limits: Limits) -> None:
    limit(cpu_s=limits.cpu_s, memory_bytes=limits.memory_bytes, file_bytes=limits.file_bytes, nice=limits.nice)


def _masked(answer: str, paths: list[str]) -> str:
    """The answer without the places of the files: libraries name them in their errors, and caveats are shown."""
    for path in sorted(paths, key=len, reverse=True):
        answer = answer.replace(json.dumps(path)[1:-1], "…")
    return answer


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    module, name = order["call"]
    try:
        return {"result": getattr(importlib.import_module(module), name)(*order["arguments"])}
    except CasereelError as error:
        return {"unreadable": error.sentence, "zh": error.zh}
    except MemoryError:
        return {"unreadable": f"{module.rsplit('.', 1)[-1]} needed too much memory"}
    except BaseException as error:  # a hostile file may raise anything, even SystemExit
        return {"unreadable": f"{module.rsplit('.', 1)[-1]} cannot read it: {type(error).__name__}: {error}"[:300]}


def _run_fresh(order: dict[str, Any], limits: Limits) -> Ended:
    """Without fork: a new process for the job, with the time limit only."""
    argv = order.get("exec")
    if argv is None:
        argv = [sys.executable, "-c", "from pipeline.edges.confinement import cage; cage.answer_once()"]
    try:
        done = subprocess.run(argv, input=json.dumps(order).encode(), capture_output=True, timeout=limits.wall_s)
    except subprocess.TimeoutExpired as late:
        return Ended(-9, late.stdout or b"", (late.stderr or b"").decode("utf-8", "replace"), "time")
    return Ended(done.returncode, done.stdout, done.stderr[-STDERR_KEPT_BYTES:].decode("utf-8", "replace"))


def answer_once() -> None:
    """One caged call read from stdin and answered on stdout."""
    order = json.load(sys.stdin)
    sys.stdout.write(_masked(json.dumps(_answer(order)), [*order["reads"], *order["writes"]]))


__all__ = ["CAN_FORK", "Cage", "Ended", "Limits"]

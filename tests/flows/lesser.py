"""Runs our code with less than root has: as an ordinary user, or where the system refuses namespaces.

Started as a program it gives up what it is told to and becomes Python again: `python lesser.py ORDER`, ORDER being
JSON. Folders that an ordinary user cannot reach (a checkout below /root) are shown elsewhere, in a view of its own.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
NOBODY: Final = 65534
CANNOT: Final = 77
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000


def run(
    arguments: list[str], folder: Path, *, ordinary: bool, namespaces: bool, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Python with these arguments and the whole environment given; its code is CANNOT where that is not to be had.

    folder: where it may write, reachable for everybody. ordinary: as nobody. namespaces: whether it may make some.
    """
    order = {"arguments": arguments, "folder": str(folder), "ordinary": ordinary, "namespaces": namespaces}
    return subprocess.run(
        [sys.executable, __file__, json.dumps(order)], capture_output=True, text=True, timeout=120, check=False,
        cwd=folder, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(folder), **(environ or {})},
    )  # fmt: skip


def main(order: dict[str, Any]) -> None:
    folder = Path(order["folder"])
    code = [str(ROOT), *(path for path in sys.path if path.endswith("-packages"))]
    python, places, libraries = Path(sys.executable), code, {}
    sys.path.insert(0, str(ROOT))
    from pipeline.edges.confinement import seccomp  # while it can be reached

    processor = seccomp.machine()
    try:
        if order["ordinary"] and os.geteuid() == 0:
            python, places = _shown(Path(sys.base_prefix), code, folder)
            # Its own, not one of the system's that is called alike.
            libraries = {"LD_LIBRARY_PATH": str(python.parents[1] / "lib")}
            os.chown(folder, NOBODY, NOBODY)
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        if not order["namespaces"]:
            if processor is None:
                raise OSError("no filter is made for this processor")
            seccomp.enter(_without_namespaces(processor))
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(CANNOT)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(places), **libraries}
    os.execve(python, [str(python), *order["arguments"]], environ)


def _shown(prefix: Path, code: list[str], folder: Path) -> tuple[Path, list[str]]:
    """The interpreter and the folders of code as everybody reaches them, in a view that this process alone has."""
    _checked(LIBC.unshare(CLONE_NEWNS))
    _checked(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    program = f"bin/python{sys.version_info.major}.{sys.version_info.minor}"
    return _reachable(prefix, folder / "python") / program, [
        str(_reachable(Path(path), folder / f"code{number}")) for number, path in enumerate(code)
    ]


def _reachable(path: Path, elsewhere: Path) -> Path:
    path = path.resolve()
    if all(one.stat().st_mode & stat.S_IXOTH for one in (path, *path.parents)):
        return path
    elsewhere.mkdir(exist_ok=True)
    _checked(LIBC.mount(os.fsencode(path), os.fsencode(elsewhere), None, MS_BIND, None))
    return elsewhere


def _without_namespaces(processor: str) -> bytes:
    """A filter such as containers have: no new namespace by any call, everything else as before."""
    from pipeline.edges.confinement import seccomp

    unshare, clone, clone3 = {"x86_64": (272, 56, 435), "aarch64": (97, 220, 435)}[processor]
    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06
    refuse = seccomp.ERRNO | errno.EPERM
    steps = [
        (load, 0, 0, 0),
        (equal, 0, 1, unshare), (answer, 0, 0, refuse),
        (equal, 0, 1, clone3), (answer, 0, 0, seccomp.ERRNO | errno.ENOSYS),
        (equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 0, 1, seccomp.CLONE_NEW), (answer, 0, 0, refuse),
        (answer, 0, 0, seccomp.ALLOW),
    ]  # fmt: skip
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), "no view of its own can be had")


if __name__ == "__main__":
    LIBC = ctypes.CDLL(None, use_errno=True)
    main(json.loads(sys.argv[1]))

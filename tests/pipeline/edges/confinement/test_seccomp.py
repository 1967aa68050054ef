"""The filter's decisions, reckoned by an interpreter of our own; its numbers, compared with the system's headers."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from pipeline.edges.confinement import seccomp
from pipeline.edges.confinement.seccomp import ALLOW, CALLS, ERRNO, KILL, PROGRAM, READER, program_for

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
REFUSED, UNKNOWN = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
PROCESSORS = sorted(AUDIT)


def verdict(program: bytes, processor: str, number: int, *arguments: int) -> int:
    """What classic BPF says of this call (linux/filter.h; linux/seccomp.h)."""
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=iIQ6Q", number, AUDIT.get(processor, 0), 0, *given)
    at, held = 0, 0
    for _ in range(4096):
        code, skip, skip_else, value = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        match code:
            case 0x20:
                (held,) = struct.unpack_from("=I", data, value)
            case 0x15:
                at += skip if held == value else skip_else
            case 0x25:
                at += skip if held > value else skip_else
            case 0x45:
                at += skip if held & value else skip_else
            case 0x54:
                held &= value
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"no such instruction: {code:#x}")
    raise AssertionError("the program does not end")


def numbers_in_headers() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for processor, place, pattern in (
        ("x86_64", "x86_64-linux-gnu/asm/unistd_64.h", r"#define __NR_(\w+) (\d+)"),
        ("aarch64", "asm-generic/unistd.h", r"#define __NR(?:3264)?_(\w+)\s+(\d+)"),
    ):
        header = Path("/usr/include") / place
        if header.exists():
            found[processor] = {name: int(number) for name, number in re.findall(pattern, header.read_text())}
    return found


def test_every_number_is_the_systems_own() -> None:
    headers = numbers_in_headers()
    if not headers:
        pytest.skip("the kernel's headers are not installed; on Debian: apt-get install linux-libc-dev")
    for column, processor in enumerate(AUDIT):
        known = headers.get(processor)
        if known is None:
            continue
        known.setdefault("newfstatat", known.get("fstatat", -1))
        ours = {name: numbers[column] for name, numbers in CALLS.items()}
        assert {name: known.get(name) for name in ours} == ours


@pytest.mark.parametrize("processor", PROCESSORS)
def test_listed_calls_pass_and_no_other(processor: str) -> None:
    column = list(AUDIT).index(processor)
    program = program_for(READER, processor, own_pid=77)
    allowed = {numbers[column] for name, numbers in CALLS.items() if name in READER} - {None}
    judged = {CALLS[name][column] for name in set(CALLS) - PROGRAM}
    for number in range(600):
        if number in judged:
            continue
        expected = ALLOW if number in allowed else UNKNOWN if number > 462 else REFUSED
        assert verdict(program, processor, number) == expected, number


# From the man pages: what takes over, reaches out, hides or outlives. x86_64, aarch64.
HARMFUL = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "ptrace": (101, 117), "mount": (165, 40),
    "umount2": (166, 39), "unshare": (272, 97), "setns": (308, 268), "keyctl": (250, 219), "bpf": (321, 280),
    "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "perf_event_open": (298, 241), "kexec_load": (246, 104),
    "init_module": (175, 105), "process_vm_writev": (311, 271), "open_by_handle_at": (304, 265),
    "symlinkat": (266, 36), "linkat": (265, 37), "mknodat": (259, 33), "mkdirat": (258, 34), "chroot": (161, 51),
    "pivot_root": (155, 41), "setuid": (105, 146), "memfd_create": (319, 279), "execveat": (322, 281),
    "pidfd_open": (434, 434), "fork": (57, None), "vfork": (58, None), "fchmodat": (268, 53), "setxattr": (188, 5),
}  # fmt: skip


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("allowed", [READER, PROGRAM])
def test_harmful_calls_are_refused(processor: str, allowed: frozenset[str]) -> None:
    program = program_for(allowed, processor)
    for name, numbers in HARMFUL.items():
        number = numbers[list(AUDIT).index(processor)]
        if number is not None:
            assert verdict(program, processor, number) == REFUSED, name


@pytest.mark.parametrize("processor", PROCESSORS)
def test_arguments_are_judged(processor: str) -> None:
    column = list(AUDIT).index(processor)

    def said(name: str, *arguments: int) -> int:
        number = CALLS[name][column]
        assert number is not None
        return verdict(program_for(PROGRAM, processor, own_pid=77), processor, number, *arguments)

    thread, process, container = 0x3D0F00, 17, 0x3D0F00 | 0x10000000
    assert [said("clone", flags) for flags in (thread, process, container)] == [ALLOW, REFUSED, REFUSED]
    assert said("clone3") == UNKNOWN
    assert [said("tgkill", pid) for pid in (77, 1)] == [ALLOW, REFUSED]
    assert [said("kill", pid) for pid in (77, 2**32 - 1)] == [ALLOW, REFUSED]
    types_into_a_terminal = 0x5412
    assert [said("ioctl", 0, one) for one in (0x5401, types_into_a_terminal)] == [ALLOW, REFUSED]
    assert [said("mmap", 0, 4096, prot) for prot in (1, 3, 5, 7)] == [ALLOW, ALLOW, ALLOW, REFUSED]
    assert [said("prlimit64", pid) for pid in (0, 1)] == [ALLOW, REFUSED]


def test_calls_of_another_kind_of_processor_end_the_process() -> None:
    program = program_for(READER, "x86_64")
    assert verdict(program, "aarch64", 0) == KILL
    assert verdict(program, "x86_64", 0x40000000) == KILL


def test_only_programs_may_start_a_program() -> None:
    assert verdict(program_for(READER, "x86_64"), "x86_64", 59) == REFUSED
    assert verdict(program_for(PROGRAM, "x86_64"), "x86_64", 59) == ALLOW


def test_this_machine_is_known_or_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp.platform, "machine", lambda: "riscv64")
    assert seccomp.machine() is None

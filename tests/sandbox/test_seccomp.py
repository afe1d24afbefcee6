"""The filter over system calls: its decisions in a simulation of both architectures, and its effect on this one."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import re
import resource
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.sandbox import seccomp

from .conftest import as_ordinary_user, in_fork, outcome

PID = 4321
THREAD_FLAGS = 0x003D0F00  # what libc passes to clone for a thread
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, REFUSE, NO_SUCH_CALL = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
CALLS = {
    "x86_64": {
        **{"read": 0, "write": 1, "mmap": 9, "munmap": 11, "brk": 12, "futex": 202, "exit_group": 231},
        **{
            "getrandom": 318,
            "openat": 257,
            "newfstatat": 262,
            "sched_getaffinity": 204,
            "sched_yield": 24,
            "socketpair": 53,
        },
        **{"clone": 56, "clone3": 435, "kill": 62, "tgkill": 234, "prlimit64": 302, "fcntl": 72, "ioctl": 16},
    },
    "aarch64": {
        **{"read": 63, "write": 64, "mmap": 222, "munmap": 215, "brk": 214, "futex": 98, "exit_group": 94},
        **{"openat": 56, "newfstatat": 79, "sched_getaffinity": 123, "sched_yield": 124, "getrandom": 278},
        **{"clone": 220, "clone3": 435, "kill": 129, "tgkill": 131, "prlimit64": 261, "fcntl": 25, "ioctl": 29},
    },
}
SPECIAL = ("clone", "clone3", "kill", "tgkill", "prlimit64", "fcntl", "ioctl")


def decide(machine: str, call: int, *arguments: int, architecture: int = 0) -> int:
    """What the filter for `machine` answers; this interprets the few instructions of classic BPF that it uses."""
    data = struct.pack("<iIQ6Q", call, architecture or ARCHITECTURES[machine], 0, *(*arguments, *[0] * 6)[:6])
    program = list(struct.iter_unpack("<HBBI", seccomp.build_filter(machine, PID)))
    place = accumulator = 0
    while True:
        code, if_true, if_false, value = program[place]
        place += 1
        if code == 0x20:  # load a word
            accumulator = int.from_bytes(data[value : value + 4], "little")
        elif code == 0x06:  # return
            return int(value)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            place += if_true if holds else if_false


both = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])


class TestDecisions:
    @both
    def test_ordinary_calls_are_allowed(self, machine: str) -> None:
        for name, number in CALLS[machine].items():
            if name not in SPECIAL:
                assert decide(machine, number, 1, 2, 3) == ALLOW, name

    @both
    @pytest.mark.parametrize("name", sorted(seccomp._REFUSED["aarch64"]))
    def test_refused_calls(self, machine: str, name: str) -> None:
        assert decide(machine, seccomp._REFUSED[machine][name], PID, PID) == REFUSE

    @both
    def test_both_architectures_refuse_the_same(self, machine: str) -> None:
        only_old = {"fork", "vfork", "inotify_init", "iopl", "ioperm", "modify_ldt"}  # x86 has them beside newer ones
        assert set(seccomp._REFUSED[machine]) - only_old == set(seccomp._REFUSED["aarch64"])

    @both
    def test_threads_and_no_processes(self, machine: str) -> None:
        clone = CALLS[machine]["clone"]
        assert decide(machine, clone, THREAD_FLAGS) == ALLOW
        for flags in (0, signal.SIGCHLD, 0x4100 | signal.SIGCHLD, 0x10000000 | signal.SIGCHLD):
            assert decide(machine, clone, flags) == REFUSE
        assert decide(machine, CALLS[machine]["clone3"], 1 << 40) == NO_SUCH_CALL

    @both
    @pytest.mark.threat(25)
    def test_one_table_of_files_for_all_threads(self, machine: str) -> None:
        assert decide(machine, CALLS[machine]["clone"], THREAD_FLAGS & ~0x400) == REFUSE  # CLONE_FILES
        for flags in (0, 4):  # CLOSE_RANGE_CLOEXEC
            assert decide(machine, 436, 3, 9, flags) == ALLOW
        for flags in (2, 6):  # CLOSE_RANGE_UNSHARE
            assert decide(machine, 436, 9999, 9999, flags) == REFUSE

    @both
    @pytest.mark.parametrize("name", ["kill", "tgkill"])
    def test_signals_to_itself_alone(self, machine: str, name: str) -> None:
        number = CALLS[machine][name]
        assert decide(machine, number, PID, 9) == ALLOW
        for other in (0, 1, PID + 1, 2**32 - 1, 2**64 - 1, 2**32 - PID):
            assert decide(machine, number, other, 9) == REFUSE, other

    @both
    def test_limits_of_itself_alone(self, machine: str) -> None:
        number = CALLS[machine]["prlimit64"]
        assert [decide(machine, number, pid) for pid in (0, PID)] == [ALLOW, ALLOW]
        assert {decide(machine, number, pid) for pid in (1, PID - 1, PID + 1)} == {REFUSE}

    @both
    def test_no_descriptor_that_signals_another_process(self, machine: str) -> None:
        for command in (fcntl.F_SETOWN, 10, 15):  # F_SETSIG, F_SETOWN_EX
            assert decide(machine, CALLS[machine]["fcntl"], 3, command) == REFUSE
        for command in (0x8901, 0x8902):  # FIOSETOWN, SIOCSPGRP
            assert decide(machine, CALLS[machine]["ioctl"], 3, command) == REFUSE
        for command in (fcntl.F_GETFD, fcntl.F_SETFL, fcntl.F_DUPFD_CLOEXEC):
            assert decide(machine, CALLS[machine]["fcntl"], 8, command) == ALLOW
        for command in (0x5401, 0x5413, 0x5421):  # what isatty, the size of a window and non-blocking files need
            assert decide(machine, CALLS[machine]["ioctl"], 0x8901, command) == ALLOW

    @both
    def test_calls_of_another_architecture(self, machine: str) -> None:
        other = next(value for name, value in ARCHITECTURES.items() if name != machine)
        for architecture in (other, 0x40000003):  # and 32-bit x86
            assert decide(machine, CALLS[machine]["read"], architecture=architecture) == KILL

    @both
    def test_the_other_numbering_of_x86(self, machine: str) -> None:
        for number in (0x40000000, 0x40000000 + 41, -1):
            assert decide(machine, number) == REFUSE


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")),
        ("aarch64", Path("/usr/include/asm-generic/unistd.h")),
    ],
)
def test_numbers_are_those_of_the_kernel(machine: str, header: Path) -> None:
    if not header.exists():
        pytest.skip("the kernel's headers are not installed")
    numbers = {name: int(n) for name, n in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())}
    for name, number in {**seccomp._REFUSED[machine], **CALLS[machine]}.items():
        assert numbers.get(name, number) == number, name


def test_unknown_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(seccomp.SeccompError, match="no filter for riscv64"):
        seccomp.apply_filter()


def behind_filter(action: Callable[[], Any]) -> str:
    """Outcome of an action; this process keeps the filter."""
    seccomp._libc.prctl(38, 1, 0, 0, 0)  # no new privileges
    seccomp.apply_filter()
    return outcome(action)


def filtered(action: Callable[[], Any]) -> tuple[str, str]:
    """Outcome of an action before the filter and behind it, each in a process of its own."""
    return in_fork(outcome, action), in_fork(behind_filter, action)


def fork_and_wait() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def own_a_pipe(pid: int) -> None:
    fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, pid)


def in_a_thread() -> None:
    done: list[int] = []
    thread = threading.Thread(target=done.append, args=(1,))
    thread.start()
    thread.join()
    assert done == [1]


class TestEffect:
    @pytest.mark.threat(14, 15, 23)
    @pytest.mark.parametrize(
        "action",
        [
            lambda: socket.socket(socket.AF_INET).close(),
            lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close(),
            lambda: socket.socket(socket.AF_UNIX).close(),
            lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
            fork_and_wait,
            lambda: os.kill(os.getppid(), 0),
            lambda: os.kill(0, 0),
            lambda: os.killpg(os.getpgid(0), 0),
            lambda: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE),
            lambda: own_a_pipe(os.getppid()),
            lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
            lambda: os.setpriority(os.PRIO_PROCESS, 0, 19),
            lambda: os.close(os.memfd_create("x")),
            lambda: subprocess.run(["/bin/true"], check=True),
        ],
        ids=[
            *("inet", "inet6", "unix", "netlink", "fork", "parent", "group", "group by name", "limits of the parent"),
            *("signals of a descriptor", "processors", "priority", "memory file", "program"),
        ],
    )
    def test_refuses(self, action: Callable[[], Any]) -> None:
        assert filtered(action) == ("done", "EPERM")

    @pytest.mark.parametrize(
        "action",
        [
            lambda: os.kill(os.getpid(), 0),
            lambda: signal.raise_signal(signal.SIGCONT),
            lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
            lambda: open(os.devnull, "w").close(),
            lambda: os.pipe(),
            in_a_thread,
        ],
        ids=["signal 0 to itself", "raise", "own limits", "files", "pipes", "threads"],
    )
    def test_allows(self, action: Callable[[], Any]) -> None:
        assert filtered(action) == ("done", "done")

    def test_a_process_does_not_become_another_program(self) -> None:
        assert in_fork(behind_filter, lambda: os.execv("/bin/true", ["true"])) == "EPERM"

    def test_it_is_not_to_be_had_while_privileges_can_be_gained(self) -> None:
        assert as_ordinary_user(outcome, seccomp.apply_filter) == "EACCES"

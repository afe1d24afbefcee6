"""Seccomp: a filter over system calls that a process cannot take off again (Linux, no privileges needed).

Refused with EPERM: sockets, looking into, signalling or slowing other processes, starting programs and processes
(threads are allowed), memory that no limit counts, namespaces and mounts, and kernel interfaces with which these can be
had by another way. Source: the kernel's
documentation, userspace-api/seccomp_filter; numbers are those of the unistd.h of each architecture.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06  # load word, jump if ==, >=, &; return
# offsets in struct seccomp_data; low words of the arguments (little endian)
_NR, _ARCH, _ARG0, _ARG1, _ARG2 = 0, 4, 16, 24, 32
_CLONE_THREAD, _CLONE_FILES = 0x00010000, 0x00000400
_X32_BIT = 0x40000000

_REFUSED = {
    "x86_64": {
        "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "sendmsg": 46, "bind": 49, "listen": 50,
        "accept4": 288, "sendmmsg": 307, "fork": 57, "vfork": 58, "execve": 59, "execveat": 322,
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_open": 434,
        "pidfd_getfd": 438, "pidfd_send_signal": 424, "process_madvise": 440, "rt_sigqueueinfo": 129,
        "rt_tgsigqueueinfo": 297, "tkill": 200, "unshare": 272, "setns": 308, "mount": 165, "umount2": 166,
        "pivot_root": 155, "chroot": 161, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431,
        "fsmount": 432, "fspick": 433, "mount_setattr": 442, "bpf": 321, "perf_event_open": 298,
        "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
        "add_key": 248, "request_key": 249, "keyctl": 250, "init_module": 175, "finit_module": 313,
        "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320, "reboot": 169, "swapon": 167,
        "swapoff": 168, "settimeofday": 164, "clock_settime": 227, "sethostname": 170, "setdomainname": 171,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "inotify_init": 253, "inotify_init1": 294,
        "fanotify_init": 300, "shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240, "quotactl": 179,
        "acct": 163, "syslog": 103, "iopl": 172, "ioperm": 173, "modify_ldt": 154, "memfd_create": 319,
        "memfd_secret": 447, "setpriority": 141, "ioprio_set": 251, "sched_setparam": 142, "sched_setscheduler": 144,
        "sched_setattr": 314, "sched_setaffinity": 203, "migrate_pages": 256, "move_pages": 279,
    },
    "aarch64": {
        "socket": 198, "connect": 203, "accept": 202, "sendto": 206, "sendmsg": 211, "bind": 200, "listen": 201,
        "accept4": 242, "sendmmsg": 269, "execve": 221, "execveat": 281, "ptrace": 117, "process_vm_readv": 270,
        "process_vm_writev": 271, "kcmp": 272, "pidfd_open": 434, "pidfd_getfd": 438, "pidfd_send_signal": 424,
        "process_madvise": 440, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240, "tkill": 130, "unshare": 97,
        "setns": 268, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "open_tree": 428,
        "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
        "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "io_uring_setup": 425, "io_uring_enter": 426,
        "io_uring_register": 427, "add_key": 217, "request_key": 218, "keyctl": 219, "init_module": 105,
        "finit_module": 273, "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294, "reboot": 142,
        "swapon": 224, "swapoff": 225, "settimeofday": 170, "clock_settime": 112, "sethostname": 161,
        "setdomainname": 162, "name_to_handle_at": 264, "open_by_handle_at": 265, "inotify_init1": 26,
        "fanotify_init": 262, "shmget": 194, "msgget": 186, "semget": 190, "mq_open": 180, "quotactl": 60,
        "acct": 89, "syslog": 116, "memfd_create": 279, "memfd_secret": 447, "setpriority": 140, "ioprio_set": 30,
        "sched_setparam": 118, "sched_setscheduler": 119, "sched_setattr": 274, "sched_setaffinity": 122,
        "migrate_pages": 238, "move_pages": 239,
    },
}  # fmt: skip
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_CLOSE_RANGE, _CLOSE_RANGE_UNSHARE = 436, 2
_SIGNALS = {"x86_64": (62, 234), "aarch64": (129, 131)}  # kill, tgkill: allowed to the process itself
_PRLIMIT = {"x86_64": 302, "aarch64": 261}  # the same, where 0 stands for itself
_FCNTL = {"x86_64": 72, "aarch64": 25}
_IOCTL = {"x86_64": 16, "aarch64": 29}
_SEND_SIGNALS = {
    "fcntl": (8, 10, 15),
    "ioctl": (0x8901, 0x8902),
}  # F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP

_libc = ctypes.CDLL(None, use_errno=True)


class SeccompError(OSError):
    """The filter is not to be had here; the message says why."""


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value & 0xFFFFFFFF)


def build_filter(machine: str, pid: int) -> bytes:
    """The BPF program for processes of `machine` ("x86_64" or "aarch64"); `pid` may signal itself only."""
    refuse = _instruction(_RET, _ERRNO | errno.EPERM)
    allow = _instruction(_RET, _ALLOW)
    program = [
        _instruction(_LD, _ARCH),
        _instruction(_JEQ, _AUDIT_ARCH[machine], 1, 0),
        _instruction(_RET, _KILL),
        _instruction(_LD, _NR),
        _instruction(_JGE, _X32_BIT, 0, 1),
        refuse,
        # clone3 hides its flags behind a pointer: "no such call" makes libc fall back to clone
        _instruction(_JEQ, _CLONE3, 0, 1),
        _instruction(_RET, _ERRNO | errno.ENOSYS),
        # threads, which share their table of files: of one of its own the watch over the disk would not know
        _instruction(_JEQ, _CLONE[machine], 0, 5),
        _instruction(_LD, _ARG0),
        _instruction(_JSET, _CLONE_THREAD, 0, 2),
        _instruction(_JSET, _CLONE_FILES, 0, 1),
        allow,
        refuse,
        _instruction(_JEQ, _CLOSE_RANGE, 0, 4),
        _instruction(_LD, _ARG2),
        _instruction(_JSET, _CLOSE_RANGE_UNSHARE, 0, 1),
        refuse,
        allow,
    ]
    for number in _SIGNALS[machine]:
        program += [
            _instruction(_JEQ, number, 0, 4),
            _instruction(_LD, _ARG0),
            _instruction(_JEQ, pid, 0, 1),
            allow,
            refuse,
        ]
    program += [
        _instruction(_JEQ, _PRLIMIT[machine], 0, 5),
        _instruction(_LD, _ARG0),
        _instruction(_JEQ, 0, 1, 0),
        _instruction(_JEQ, pid, 0, 1),
        allow,
        refuse,
    ]
    for number, commands in ((_FCNTL[machine], _SEND_SIGNALS["fcntl"]), (_IOCTL[machine], _SEND_SIGNALS["ioctl"])):
        program += [_instruction(_JEQ, number, 0, 2 * len(commands) + 2), _instruction(_LD, _ARG1)]
        for command in commands:
            program += [_instruction(_JEQ, command, 0, 1), refuse]
        program.append(allow)
    for number in sorted(_REFUSED[machine].values()):
        program += [_instruction(_JEQ, number, 0, 1), refuse]
    return b"".join([*program, allow])


def apply_filter() -> None:
    """Install the filter in this process; needs no_new_privs.

    Raises:
        SeccompError: unknown architecture, or the kernel refused.
    """
    machine = platform.machine()
    if machine not in _REFUSED:
        raise SeccompError(errno.ENOSYS, f"no filter for {machine}")
    code = build_filter(machine, os.getpid())
    instructions = ctypes.create_string_buffer(code)
    program = struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(instructions))
    if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.create_string_buffer(program), 0, 0) != 0:
        number = ctypes.get_errno()
        raise SeccompError(number, os.strerror(number))

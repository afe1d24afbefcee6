"""Landlock: a process gives up the file system except for what is listed (Linux >= 5.13, no privileges needed).

Source: the kernel's documentation, userspace-api/landlock. Constants are those of linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_CREATE_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_READING = _EXECUTE | _READ_FILE | _READ_DIR
_DEVICES = 1 << 6 | 1 << 11  # making character and block devices: nobody needs it, and root could open them
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15
_FS_RIGHTS_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_NET_RIGHTS = 0b11  # bind and connect TCP, from ABI 4
_SCOPES = 0b11  # abstract unix sockets and signals, from ABI 6

_libc = ctypes.CDLL(None, use_errno=True)


class LandlockError(OSError):
    """Landlock is not to be had here; the message says why."""


def _syscall(number: int, *arguments: object) -> int:
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise LandlockError(code, os.strerror(code))
    return int(result)


def abi_version() -> int:
    """Version of Landlock that the kernel offers.

    Raises:
        LandlockError: none.
    """
    return _syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_CREATE_VERSION))


def make_ruleset(readable: Iterable[Path], writable: Iterable[Path]) -> int:
    """File descriptor of a ruleset: read and execute beneath `readable`, all but devices beneath `writable`.

    Paths that do not exist are passed over. Where the kernel can, TCP and signals to processes outside are refused too.

    Raises:
        LandlockError: the kernel has no Landlock.
    """
    abi = abi_version()
    handled = _FS_RIGHTS_OF_ABI[min(abi, 5)]
    ruleset = _create(handled, _NET_RIGHTS if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    for paths, rights in ((readable, _READING), (writable, handled & ~_DEVICES)):
        for path in paths:
            _allow(ruleset, path, rights & handled)
    return ruleset


def make_write_ruleset(writable: Iterable[Path]) -> int:
    """File descriptor of a ruleset that forbids nothing but changes outside `writable`.

    Raises:
        LandlockError: the kernel has no Landlock.
    """
    handled = _FS_RIGHTS_OF_ABI[min(abi_version(), 5)] & ~_READING
    ruleset = _create(handled, 0, 0)
    for path in writable:
        _allow(ruleset, path, handled & ~_DEVICES)
    return ruleset


def _create(handled: int, net: int, scopes: int) -> int:
    # a kernel takes no field that it does not know, and leaving the last ones out is the same as zero
    size = 24 if scopes else 16 if net else 8
    attributes = ctypes.create_string_buffer(struct.pack("<QQQ", handled, net, scopes))
    return _syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= _FILE_RIGHTS
        rule = ctypes.create_string_buffer(struct.pack("<Qi", rights, opened))
        _syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(opened)


def restrict_self(ruleset: int) -> None:
    """Apply the ruleset to this thread and all that it starts; needs no_new_privs or CAP_SYS_ADMIN.

    Raises:
        LandlockError: the kernel refused.
    """
    _syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))

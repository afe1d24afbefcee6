"""Finding and ending processes: what a child leaves behind is adopted, killed and waited for."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_END_SECONDS = 10.0


def adopt_orphans() -> None:
    """Become the parent of whatever a child leaves behind, so that it can be found and ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that comes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def own_children() -> list[int]:
    """Process ids of the children of this process, adopted ones and those that wait to be reaped included."""
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(word) for word in listing.read_text().split()] if listing.exists() else []


def kill_all(pids: list[int], uid: int | None) -> None:
    """Kill these processes, and with a `uid` every process of that user."""
    if uid is not None:  # one call that no fork bomb can outrun: everything that the user may signal
        killer = os.fork()
        if killer == 0:
            try:
                os.setresuid(uid, uid, uid)
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)
        os.waitpid(killer, 0)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def end_children(uid: int | None) -> bool:
    """Kill and reap all children, and whatever of theirs is adopted meanwhile; with a `uid` all of that user as well.

    Returns:
        Whether none is left. One that sits in the kernel and cannot be killed is waited for, but not for ever.
    """
    ends = time.monotonic() + _END_SECONDS
    while left := own_children():
        kill_all(left, uid)
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > ends:
            return False
        time.sleep(0.001)
    return True

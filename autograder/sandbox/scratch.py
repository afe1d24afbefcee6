"""The folder that a child may write into: how much is in it, and its end. A stranger made what it holds.

Neither function follows a link, recurses, or builds a path longer than the system takes: a few thousand folders inside
each other would end the grader with a RecursionError.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

_MAX_ENTRIES = 10_000
_BLOCK = 512
_MAPPED = 4  # so many files of unknown size that are only mapped count as too much


def holds_more_than(limit: int, folder: Path, pid: int) -> bool:
    """Whether more than `limit` bytes are on disk beneath `folder` or in deleted files that `pid` still keeps.

    More than 10,000 entries, and folders that cannot be listed (too deep, closed), count as more.
    """
    with _as_its_owner(folder):
        opened = _deleted_but_open(pid)
        mapped = _deleted_but_mapped(pid, folder) - opened.keys()
    total = sum(opened.values()) + len(mapped) * limit // _MAPPED
    waiting, entries = [str(folder)], 0
    while waiting:
        try:
            with os.scandir(waiting.pop()) as listing:
                for entry in listing:
                    entries += 1
                    with contextlib.suppress(FileNotFoundError):
                        total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    if total > limit or entries > _MAX_ENTRIES:
                        return True
        except (FileNotFoundError, NotADirectoryError):  # the child works on it at the same time
            continue
        except OSError:
            return True
    return total > limit


@contextlib.contextmanager
def _as_its_owner(folder: Path) -> Iterator[None]:
    """Look at files with the eyes of the folder's user: /proc is closed to a root that may not trace (as in Docker)."""
    owner = os.stat(folder).st_uid if folder.exists() else 0
    if sys.platform != "linux" or os.geteuid() != 0 or owner == 0:
        yield
        return
    libc, group = ctypes.CDLL(None), os.getegid()
    libc.setfsgid(owner)
    libc.setfsuid(owner)
    try:
        yield
    finally:
        libc.setfsuid(0)
        libc.setfsgid(group)


def _deleted_but_open(pid: int) -> dict[int, int]:
    """Inode -> size on disk of such files, where the system lets this process see them."""
    sizes = {}
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as listing:
        for entry in listing:
            with contextlib.suppress(OSError):
                found = os.stat(entry.path)
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 0:
                    sizes[found.st_ino] = found.st_blocks * _BLOCK
    return sizes


def _deleted_but_mapped(pid: int, folder: Path) -> set[int]:
    """Inodes of deleted files of `folder` that are in the memory of `pid`, whether open or not."""
    inodes = set()
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", errors="surrogateescape") as maps:
        for line in maps:
            parts = line.rstrip("\n").split(maxsplit=5)
            if len(parts) == 6 and parts[5].startswith(f"{folder}/") and parts[5].endswith(" (deleted)"):
                inodes.add(int(parts[4]))
    return inodes


def remove(folder: Path) -> None:
    """Remove `folder` and all that is in it, whatever its depth and permissions; nothing may be using it any more.

    Folders are moved up to the top before they are emptied, so that each has a short path.
    """
    prefix, numbers = secrets.token_hex(8), itertools.count()
    if not folder.is_dir() or folder.is_symlink():
        folder.unlink(missing_ok=True)
        return
    folder.chmod(0o700)
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        waiting = ["."]
        while waiting:
            name = waiting.pop()
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            try:
                with os.scandir(inner) as listing:
                    entries = list(listing)
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        moved = f"{prefix}{next(numbers)}"
                        os.chmod(entry.name, 0o700, dir_fd=inner)
                        os.rename(entry.name, moved, src_dir_fd=inner, dst_dir_fd=top)
                        waiting.append(moved)
                    else:
                        os.unlink(entry.name, dir_fd=inner)
            finally:
                os.close(inner)
            if name != ".":
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    folder.rmdir()

"""Writing files so that nothing is ever lost: complete or not at all, and what was there before is kept."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

BACKUP = "backup"
"""The folder beside the files that keeps what they held before."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, for `path`, which holds what it held before until the new content is complete on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def replace(path: Path, content: bytes) -> None:
    """Write `content` to `path`, completely or not at all."""
    with replacing(path) as file:
        file.write(content)


def keep(path: Path) -> Path:
    """Copy `path` into the folder of backups, under a number of its own, and return the copy; an equal one will do."""
    content, number = path.read_bytes(), 1
    while True:
        copy = path.parent / BACKUP / f"{path.stem}.{number}{path.suffix}"
        if not copy.exists():
            replace(copy, content)
            return copy
        if copy.read_bytes() == content:
            return copy
        number += 1

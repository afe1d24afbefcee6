"""Zip files whose bytes follow from what they hold, whenever and wherever they are made."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from autograder.release.folder import STAMP, joined

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
READABLE = 0o644


def zip_bytes(files: Mapping[str, bytes], mode: Callable[[str], int] = lambda name: READABLE) -> bytes:
    """A zip whose bytes depend on the files alone: sorted, with a fixed time, and compressed.

    Args:
        files: name and content of each.
        mode: the rights of a file, by its name.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.create_system = 3  # Unix: the rights below count
            entry.external_attr = (stat.S_IFREG | mode(name)) << 16
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def write_zip(assignment_id: str, folders: Mapping[Path, Iterable[Path]], dest: Path) -> Path:
    """Write `dest/<id>.zip`, what an instructor hands out: all files in one folder named `<id>`, without the stamps.

    Args:
        assignment_id: id of the assignment.
        folders: folder that a release has written -> the paths of its files.
        dest: folder of the zip.

    Raises:
        ReleaseError: two of the folders have a file of the same name.
    """
    files: dict[str, bytes] = {}
    for folder, paths in folders.items():
        names = {path: path.relative_to(folder).as_posix() for path in paths}
        files = joined(files, {name: path.read_bytes() for path, name in names.items() if name != STAMP})
    target = dest / f"{assignment_id}.zip"
    dest.mkdir(parents=True, exist_ok=True)
    target.write_bytes(zip_bytes({f"{assignment_id}/{name}": content for name, content in files.items()}))
    return target

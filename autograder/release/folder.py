"""A folder that a release makes as a whole: never edited by hand, complete or unchanged."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

STAMP = ".genlab-release"
"""The file that tells a folder made by release from any other one."""

# What Python and its tools leave in a folder whose modules are imported, tested or linted.
_CACHES = frozenset({"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".ipynb_checkpoints"})

_Content = TypeVar("_Content", str, bytes)


class ReleaseError(ValueError):
    """The assignment cannot be released; the message names the file and says what to do."""


def read_text(path: Path) -> str:
    """Text of a source, with LF line ends however it was checked out.

    Raises:
        ReleaseError: it is missing or is not text.
    """
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ReleaseError(f"{path} is missing, and the manifest names it") from error
    except UnicodeDecodeError as error:
        raise ReleaseError(f"{path} is not UTF-8 text, and a release is made of text only") from error


def joined(files: dict[str, _Content], more: Mapping[str, _Content]) -> dict[str, _Content]:
    """Both groups of files.

    Raises:
        ReleaseError: a file is in both.
    """
    if doubled := sorted(files.keys() & more.keys()):
        raise ReleaseError(f"{', '.join(doubled)}: a release makes this file itself; name yours differently")
    return {**files, **more}


def stamp(assignment_id: str) -> dict[str, str]:
    """The file that marks a folder as made by a release."""
    return {STAMP: f"`genlab release {assignment_id}` makes this folder anew each time: change the masters instead.\n"}


def write_folder(target: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write `files`, one of which is the stamp, to `target`, in place of what an earlier release put there.

    The folder is complete or unchanged: it is made beside the old one, then put in its place.

    Returns:
        The paths of all files of the folder, sorted.

    Raises:
        ReleaseError: `target` exists and was not made by a release.
    """
    if target.is_symlink() or (target.exists() and not (target / STAMP).is_file()):
        raise ReleaseError(f"{target} was not made by a release; move it away or choose another destination")
    dest = target.parent
    dest.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=dest) as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        for name, content in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(content)
        try:
            if target.exists():
                target.rename(old)
            new.rename(target)
        except BaseException:
            if old.exists() and not target.exists():
                old.rename(target)
            raise
    return sorted(target / name for name in files)


def differences(target: Path, files: Mapping[str, bytes]) -> list[str]:
    """Say where `target` is not what `write_folder` would make it: `missing: NAME`, `differs: NAME`, `extra: NAME`."""
    present = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
    extra = {name for name in present - set(files) if not _CACHES.intersection(Path(name).parts)}
    differs = {name for name in present & set(files) if (target / name).read_bytes() != files[name]}
    found = {"missing": set(files) - present, "differs": differs, "extra": extra}
    return [f"{what}: {name}" for what, names in found.items() for name in sorted(names)]

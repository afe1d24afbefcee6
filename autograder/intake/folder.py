"""Reading a folder or single files: links are never followed, and only regular files are opened."""

from __future__ import annotations

import io
import os
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from autograder.assignment import Limits
from autograder.intake.naming import is_junk
from autograder.intake.upload import Budget, Upload, Wanted, path_problem
from autograder.language import N_, _

_LINK = N_("not taken, because it is a link; put the file itself into its place")


def open_regular(path: Path) -> io.FileIO:
    """Open the regular file `path` for reading; neither a link nor a named pipe can divert or block it.

    Raises:
        OSError: it is a link, is no regular file, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = io.FileIO(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path} is not a regular file")
    return file


def file_problem(path: Path) -> str:
    """Why `path` is not taken as an uploaded file; empty if it is a regular file."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return _("not taken, because there is no such file; check the name and upload again")
    if stat.S_ISLNK(mode):
        return _(_LINK)
    if stat.S_ISDIR(mode):
        return _("not taken, because it is a folder; upload the folder alone, or the files in it")
    if not stat.S_ISREG(mode):
        return _("not taken, because it is a device or a pipe and not a file; put a real file into its place")
    return ""


def read_folder(folder: Path, wanted: Wanted, limits: Limits) -> Upload:
    """Read the files below `folder` that are `wanted` by their relative path; name all others.

    Raises:
        UploadRefused: there are more files or bytes than the limits allow.
    """
    upload = Upload()
    budget = Budget(folder.name, limits)

    def unreadable(error: OSError) -> None:
        where = Path(error.filename).relative_to(folder)
        upload.rejected.append((where.as_posix(), _("not taken, because the folder cannot be opened; upload it again")))

    for here, folders, names in os.walk(folder, onerror=unreadable):
        below = Path(here).relative_to(folder)
        folders[:] = sorted(name for name in folders if not is_junk(name))
        names = sorted(name for name in names if not is_junk(name))
        budget.count_entries(len(folders) + len(names))
        for name in list(folders):
            path = (below / name).as_posix()
            reason = _(_LINK) if os.path.islink(os.path.join(here, name)) else path_problem(f"{path}/file")
            if reason:
                folders.remove(name)
                upload.rejected.append((path, reason))
        for name in names:
            _take(Path(here, name), (below / name).as_posix(), wanted, budget, upload)
    return upload


def read_files(paths: Sequence[Path], wanted: Wanted, limits: Limits) -> Upload:
    """Read single files that were uploaded side by side, as if they lay in one folder.

    Raises:
        UploadRefused: there are more files or bytes than the limits allow.
    """
    upload = Upload()
    budget = Budget(paths[0].name if len(paths) == 1 else _("the upload"), limits)
    budget.count_entries(len(paths))
    times = Counter(path.name for path in paths)
    for path in paths:
        if times[path.name] == 1:
            _take(path, path.name, wanted, budget, upload)
    for name, number in times.items():
        if number > 1:
            reason = _("uploaded {n} times, so none was taken; upload the one that counts, and only that")
            upload.rejected.append((name, reason.format(n=number)))
    return upload


def _take(path: Path, name: str, wanted: Wanted, budget: Budget, upload: Upload) -> None:
    """Put the file `path`, called `name` in the upload, where it belongs in `upload`."""
    reason = path_problem(name) or file_problem(path)
    if not reason:
        try:
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                budget.count_bytes(size)
                limit = wanted(name)
                if limit is None:
                    upload.others.append(name)
                    return
                reason = limit.problem(size)
                if not reason:
                    upload.files[name] = file.read(size)
        except OSError:
            reason = _("not taken, because it cannot be read; upload it again")
    if reason:
        upload.rejected.append((name, reason))

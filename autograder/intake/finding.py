"""Which uploaded file is meant by which file of the manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from autograder.assignment import Assignment
from autograder.intake.display import listed, shown
from autograder.intake.upload import Upload, Wanted

_ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")

# How browsers and file managers name a second copy, in English and French.
_NUMBER = r"\d{1,3}"
_COPY_SUFFIX = (
    rf" ?\({_NUMBER}\)|[- ]{_NUMBER}| ?-? ?(?:copy|copie)(?: ?\(?{_NUMBER}\)?)?| ?\((?:copy|copie)(?: {_NUMBER})?\)"
)


class Match(IntEnum):
    """How well a name fits; the lower, the better."""

    EXACT = 0
    WRONG_CASE = 1
    COPY = 2
    TEXT_EXTENSION = 3


@dataclass
class Findings:
    """What was found.

    Attributes:
        chosen: file of the manifest -> path in the upload.
        ambiguous: file of the manifest -> why none of several candidates was taken, a sentence.
        notes: sentences on what was chosen although its name or its place is not as asked.
    """

    chosen: dict[str, str] = field(default_factory=dict)
    ambiguous: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def match(path: str, name: str) -> Match | None:
    """How the uploaded `path` fits the file `name` of the manifest, in whatever folder it lies; None if it does not."""
    *folders, base = path.split("/")
    *wanted_folders, wanted_base = name.split("/")
    inner = folders[len(folders) - len(wanted_folders) :] if wanted_folders else []
    if [part.lower() for part in inner] != [part.lower() for part in wanted_folders]:
        return None
    if base == wanted_base:
        return Match.EXACT if inner == wanted_folders else Match.WRONG_CASE
    lower = base.strip().lower()
    if lower == wanted_base.lower():
        return Match.WRONG_CASE
    copies = _copies(wanted_base)
    if copies.fullmatch(lower):
        return Match.COPY
    return Match.TEXT_EXTENSION if copies.fullmatch(lower.removesuffix(".txt")) else None


@lru_cache(maxsize=256)
def _copies(base: str) -> re.Pattern[str]:
    stem, dot, extension = base.lower().rpartition(".")
    return re.compile(
        rf"(?:copy of |copie de )?{re.escape(stem)}(?:{_COPY_SUFFIX})?{re.escape(dot + extension)}", re.IGNORECASE
    )


def wanted_by(assignment: Assignment) -> Wanted:
    """A test whether a path of an upload may be one of the files that the assignment asks for."""
    names = [file.name for file in assignment.files]
    return lambda path: any(_candidate(path, name, assignment) is not None for name in names)


def _candidate(path: str, name: str, assignment: Assignment) -> Match | None:
    """As `match`, but a file that is exactly another one of the assignment is no copy of this one."""
    found = match(path, name)
    if found in (Match.COPY, Match.TEXT_EXTENSION):
        known = (*assignment.files, *assignment.support, *assignment.extras)
        if any(match(path, file.name) == Match.EXACT for file in known if file.name != name):
            return None
    return found


def find_files(upload: Upload, assignment: Assignment) -> Findings:
    """Choose at most one file of `upload` for each file of the manifest.

    The best name wins, and of equal names the one in the fewest folders. Several that are equally good are one file
    if their bytes are the same, and ambiguous otherwise.
    """
    findings = Findings()
    for name in (file.name for file in assignment.files):
        ranks: dict[str, tuple[Match, int]] = {}
        for path in sorted(upload.files):
            kind = _candidate(path, name, assignment)
            if kind is not None:
                ranks[path] = (kind, path.count("/"))
        if not ranks:
            continue
        best = min(ranks.values())
        finalists = [path for path, rank in ranks.items() if rank == best]
        if len({upload.files[path] for path in finalists}) > 1:
            findings.ambiguous[name] = (
                f"{name}: {listed(finalists)} differ and none of them comes first, so none was taken; "
                f"upload only the right one, named {name}."
            )
            continue
        chosen = findings.chosen[name] = finalists[0]
        rejected = [path for path, _ in upload.rejected if _candidate(path, name, assignment) is not None]
        unused = list(dict.fromkeys([*(path for path in ranks if path != chosen), *rejected]))
        not_from = f" and not from {listed(unused)}" if unused else ""
        rename = "" if best[0] is Match.EXACT else f"; please name the file {name} next time"
        if not_from or rename:
            findings.notes.append(f"{name}: taken from {shown(chosen)}{not_from}{rename}.")
    return findings


def left_out(paths: Iterable[str], assignment: Assignment) -> list[str]:
    """Sentences on the files that are not taken, one for each reason; given scripts need none."""
    reasons: dict[str, list[str]] = {}
    for path in paths:
        if any(match(path, file.name) is Match.EXACT for file in assignment.extras):
            continue
        if any(match(path, file.name) is Match.EXACT for file in assignment.support):
            reason = "the course's own version is used instead"
        elif is_notebook(path):
            reason = "notebooks are not graded, only the .py files count"
        elif path.lower().endswith(_ARCHIVES):
            reason = "archives inside an upload are not opened, so unpack them first if they hold your work"
        else:
            reason = "the assignment does not ask for it"
        reasons.setdefault(reason, []).append(path)
    return [f"{listed(paths)}: left out; {reason}." for reason, paths in reasons.items()]


def is_notebook(path: str) -> bool:
    """Whether `path` is named like a Jupyter notebook."""
    return path.lower().endswith(".ipynb")

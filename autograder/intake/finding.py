"""Which uploaded file is meant by which file of the manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from autograder.assignment import Assignment, Checkpoint, SourceFile
from autograder.intake.display import listed, shown
from autograder.intake.naming import NOTEBOOK, Match, is_notebook, match
from autograder.intake.sizes import SizeLimit, checkpoint_limit, source_limit
from autograder.intake.upload import Upload, Wanted
from autograder.language import _

_ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")


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


def wanted_by(assignment: Assignment) -> Wanted:
    """What gives the size limit of a path of an upload that may be one of the files that the assignment asks for."""
    limits: list[tuple[SourceFile | Checkpoint, SizeLimit]] = [
        (file, source_limit(assignment.limits.file_kb)) for file in assignment.files
    ]
    limits += [(file, checkpoint_limit(file.size_mb)) for file in assignment.checkpoints]

    def limit_of(path: str) -> SizeLimit | None:
        return next((limit for file, limit in limits if _candidate(path, file, assignment) is not None), None)

    return limit_of


def _candidate(path: str, file: SourceFile | Checkpoint, assignment: Assignment) -> tuple[bool, Match] | None:
    """How the uploaded `path` fits `file`: whether it lies in a wrong folder, and `match`; None if it does not.

    Only checkpoints may lie elsewhere: a source in another folder is another module. And a file that is exactly
    another one of the assignment is no copy of this one. Where exports of notebooks are handed in, the notebook itself
    will do.
    """
    elsewhere, found = False, match(path, file.name)
    if found is None and assignment.exported and isinstance(file, SourceFile) and is_notebook(path):
        source = path[: -len(NOTEBOOK)] + PurePosixPath(file.name).suffix
        found = Match.NOTEBOOK if match(source, file.name) is not None else None
    if found is None and isinstance(file, Checkpoint):
        elsewhere, found = True, match(path, PurePosixPath(file.name).name)
    if found is None:
        return None
    if found in (Match.COPY, Match.TEXT_EXTENSION):
        groups = (assignment.files, assignment.support, assignment.extras, assignment.checkpoints)
        others = {other.name for group in groups for other in group} - {file.name}
        if any(match(path, other) == Match.EXACT for other in others):
            return None
    return elsewhere, found


def is_candidate(path: str, file: SourceFile | Checkpoint, assignment: Assignment) -> bool:
    """Whether the uploaded `path` may be meant as `file`."""
    return _candidate(path, file, assignment) is not None


def find_files(upload: Upload, assignment: Assignment) -> Findings:
    """Choose at most one file of `upload` for each file of the manifest.

    The right folder wins, then the best name, and of equal names the one in the fewest folders. Several that are
    equally good are one file if their bytes are the same, and ambiguous otherwise.
    """
    findings = Findings()
    files: list[SourceFile | Checkpoint] = [*assignment.files, *assignment.checkpoints]
    for file in files:
        name = file.name
        ranks: dict[str, tuple[tuple[bool, Match], int]] = {}
        for path in sorted(upload.files):
            kind = _candidate(path, file, assignment)
            if kind is not None:
                ranks[path] = (kind, path.count("/"))
        if not ranks:
            continue
        best = min(ranks.values())
        finalists = [path for path, rank in ranks.items() if rank == best]
        if len({upload.files[path] for path in finalists}) > 1:
            findings.ambiguous[name] = _(
                "{name}: {candidates} differ and none of them comes first, so none was taken; "
                "upload only the right one, named {name}."
            ).format(name=name, candidates=listed(finalists))
            continue
        chosen = findings.chosen[name] = finalists[0]
        rejected = [path for path, _ in upload.rejected if is_candidate(path, file, assignment)]
        unused = list(dict.fromkeys([*(path for path in ranks if path != chosen), *rejected]))
        misnamed = best[0] != (False, Match.EXACT)
        if unused or misnamed:
            note = _taken_from(misnamed, bool(unused))
            findings.notes.append(note.format(name=name, chosen=shown(chosen), unused=listed(unused)))
    return findings


def _taken_from(misnamed: bool, others: bool) -> str:
    if misnamed and others:
        return _("{name}: taken from {chosen} and not from {unused}; please name the file {name} next time.")
    if misnamed:
        return _("{name}: taken from {chosen}; please name the file {name} next time.")
    return _("{name}: taken from {chosen} and not from {unused}.")


def left_out(paths: Iterable[str], assignment: Assignment) -> list[str]:
    """Sentences on the files that are not taken, one for each reason; given scripts and assets need none."""
    reasons: dict[str, list[str]] = {}
    given = [file.name for group in (assignment.extras, assignment.assets) for file in group]
    for path in paths:
        if any(match(path, name) is Match.EXACT for name in given):
            continue
        if any(match(path, file.name) is Match.EXACT for file in assignment.support):
            reason = _("the course's own version is used instead")
        elif is_notebook(path):
            reason = _("notebooks are not graded, only the .py files count")
        elif path.lower().endswith(_ARCHIVES):
            reason = _("archives inside an upload are not opened, so unpack them first if they hold your work")
        else:
            reason = _("the assignment does not ask for it")
        reasons.setdefault(reason, []).append(path)
    said = _("{names}: left out; {reason}.")
    return [said.format(names=listed(paths), reason=reason) for reason, paths in reasons.items()]

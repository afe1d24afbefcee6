"""From what a student uploaded to the sources and checkpoints that are graded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from autograder.assignment import Assignment, Checkpoint, SourceFile
from autograder.intake.archive import read_zip
from autograder.intake.cleaning import SourceRefused, clean
from autograder.intake.display import listed, shown
from autograder.intake.finding import Findings, find_files, is_candidate, is_notebook, left_out, wanted_by
from autograder.intake.folder import file_problem, open_regular, read_files, read_folder
from autograder.intake.signatures import HEAD_BYTES, is_zip, recognise
from autograder.intake.upload import Upload, UploadRefused, Wanted


@dataclass(frozen=True)
class Submission:
    """What is graded. Either there are sources, or there is a refusal; never both.

    Attributes:
        name: name of the upload, safe to show.
        digest: SHA-256, in hex, of names, cleaned sources and checkpoints; the same work has the same digest, however
            it was packed.
        sources: file of the manifest -> its cleaned text.
        checkpoints: checkpoint of the manifest -> its bytes as they were uploaded; nobody has looked into them.
        missing: files of the manifest that are not among the sources, in the manifest's order.
        missing_checkpoints: checkpoints of the manifest that are not among the checkpoints, in the manifest's order.
        notes: sentences for the student on what was changed, chosen or left out, safe to show.
        refusal: one sentence why nothing could be taken; empty if something was.
    """

    name: str
    digest: str
    sources: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refusal: str = ""
    checkpoints: dict[str, bytes] = field(default_factory=dict)
    missing_checkpoints: list[str] = field(default_factory=list)


def read_submission(paths: Sequence[Path], assignment: Assignment) -> Submission:
    """Read one zip, one folder, one `.py` file, or several files that were uploaded side by side.

    Whatever is wrong with the upload stands in the result, as a refusal or as notes; nothing is executed.
    """
    paths = [path.absolute() for path in paths]
    name = shown(paths[0].name) if paths else ""
    if len(paths) > 1:
        name = f"{name} and {len(paths) - 1} more"
    wanted = wanted_by(assignment)
    try:
        upload = _read(paths, wanted, assignment)
    except UploadRefused as refused:
        return _refused(name, assignment, [], str(refused))

    findings = find_files(upload, assignment)
    sources: dict[str, str] = {}
    notes = list(findings.notes)
    problems = list(findings.ambiguous.values())
    for file in assignment.files:
        if file.name in findings.chosen:
            try:
                cleaned = clean(upload.files[findings.chosen[file.name]], file.name)
            except SourceRefused as refused:
                problems.append(str(refused))
            else:
                sources[file.name] = cleaned.text
                notes += cleaned.notes

    rejections = upload.rejections(first=wanted)
    absent = _absent(assignment.files, upload, findings, assignment)
    absent_files = _said_of_files(absent, upload)
    notes += [*problems, *rejections, *absent_files]
    if not sources:
        if any(wanted(path) is not None for path, _ in upload.rejected) or not upload.others:
            problems += rejections
        notes += left_out(sorted(upload.others), assignment)
        reason = " ".join([f"Nothing could be taken from {name}.", *(problems or absent_files)[:1]])
        return _refused(name, assignment, notes, reason)
    notes += _said_of_checkpoints(_absent(assignment.checkpoints, upload, findings, assignment), assignment)
    notes += left_out(sorted(upload.others), assignment)
    checkpoints = {
        file.name: upload.files[findings.chosen[file.name]]
        for file in assignment.checkpoints
        if file.name in findings.chosen
    }
    return Submission(
        name,
        digest_of(sources, checkpoints),
        sources,
        [file.name for file in assignment.files if file.name not in sources],
        notes,
        checkpoints=checkpoints,
        missing_checkpoints=[file.name for file in assignment.checkpoints if file.name not in checkpoints],
    )


def digest_of(sources: Mapping[str, str], checkpoints: Mapping[str, bytes] | None = None) -> str:
    """SHA-256, in hex, over the sorted names and texts, then those of the checkpoints, each preceded by its length.

    Lengths count bytes; texts are in UTF-8.
    """
    digest = hashlib.sha256()
    for part in (part for item in sorted(sources.items()) for part in item):
        _add(digest, part.encode("utf-8"))
    for name, content in sorted((checkpoints or {}).items()):
        _add(digest, name.encode("utf-8"))
        _add(digest, content)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, part: bytes) -> None:
    digest.update(b"%d:" % len(part))
    digest.update(part)


def _refused(name: str, assignment: Assignment, notes: list[str], refusal: str) -> Submission:
    return Submission(
        name,
        digest_of({}),
        missing=[file.name for file in assignment.files],
        notes=notes,
        refusal=refusal,
        missing_checkpoints=[file.name for file in assignment.checkpoints],
    )


def _read(paths: Sequence[Path], wanted: Wanted, assignment: Assignment) -> Upload:
    if not paths:
        raise UploadRefused(f"Nothing was uploaded; hand in {_all_of([file.name for file in assignment.files])}.")
    if len(paths) > 1:
        return read_files(paths, wanted, assignment.limits)
    path = paths[0]
    if os.path.isdir(path):
        upload = read_folder(path, wanted, assignment.limits)
        lone = _lone_zip(upload)
        # Course platforms often put the zip that was handed in into a folder of its own.
        return _read_archive(path / lone, wanted, assignment) if lone else upload
    problem = file_problem(path)
    if problem:
        raise UploadRefused(f"{shown(path.name)}: {problem}.")
    return (
        _read_archive(path, wanted, assignment) if _is_archive(path) else read_files(paths, wanted, assignment.limits)
    )


def _read_archive(path: Path, wanted: Wanted, assignment: Assignment) -> Upload:
    try:
        upload = read_zip(path, wanted, assignment.limits)
    except OSError:
        raise UploadRefused(f"{shown(path.name)} cannot be read; upload it again.") from None
    inner = _lone_zip(upload)
    if inner:
        raise UploadRefused(
            f"{shown(path.name)} holds nothing but {shown(inner)}; unpack that one and zip the files themselves."
        )
    return upload


def _is_archive(path: Path) -> bool:
    """Whether `path` is meant as an archive, by its name or by its first bytes."""
    if path.suffix.lower() == ".zip":
        return True
    try:
        with open_regular(path) as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    signature = recognise(head)
    return is_zip(head) or bool(signature and signature.archive)


def _lone_zip(upload: Upload) -> str:
    """Path of the zip that is all the upload holds; empty if it holds anything else."""
    if upload.files or upload.rejected or len(upload.others) != 1:
        return ""
    return upload.others[0] if upload.others[0].lower().endswith(".zip") else ""


def _all_of(names: Sequence[str]) -> str:
    """Names of the manifest, none of which may be dropped."""
    return listed(names, limit=len(names))


def _absent(
    files: Sequence[SourceFile] | Sequence[Checkpoint], upload: Upload, findings: Findings, assignment: Assignment
) -> list[str]:
    """Names of those `files` for which the upload holds nothing, not even something refused."""
    return [
        file.name
        for file in files
        if file.name not in findings.chosen
        and file.name not in findings.ambiguous
        and not any(is_candidate(path, file, assignment) for path, _ in upload.rejected)
    ]


def _said_of_checkpoints(absent: list[str], assignment: Assignment) -> list[str]:
    """A sentence on the absent checkpoints; those that only a bonus needs are no reason for alarm."""
    needed = [name for name in absent if not _is_for_bonus(name, assignment)]
    bonus = [name for name in absent if name not in needed]
    if not absent:
        return []
    if not needed:
        return [f"{_all_of(bonus)}: not in the upload; only the bonus needs {'it' if len(bonus) == 1 else 'them'}."]
    model = "this model" if len(absent) == 1 else "these models"
    calm = f" ({_all_of(bonus)} would be for the bonus alone)" if bonus else ""
    return [f"{_all_of(absent)}: not in the upload, so the samples of {model} cannot be scored{calm}."]


def _is_for_bonus(checkpoint: str, assignment: Assignment) -> bool:
    """Whether the model that the checkpoint is named after occurs in the units of bonus parts only."""
    model = PurePosixPath(checkpoint).stem
    parts = [
        part
        for part in assignment.parts
        for question in part.questions
        for unit in question.units
        if model in unit.name.split(".")
    ]
    return bool(parts) and all(part.bonus for part in parts)


def _said_of_files(names: list[str], upload: Upload) -> list[str]:
    """A sentence on the absent source files."""
    if not names:
        return []
    notebooks = sorted(path for path in upload.others if is_notebook(path))
    if notebooks:
        return [
            f"{_all_of(names)}: not in the upload, and notebooks are not graded; save the cells of "
            f"{listed(notebooks)} that belong there as {_all_of(names)}, and upload that."
        ]
    what = "it under exactly this name" if len(names) == 1 else "them under exactly these names"
    return [f"{_all_of(names)}: not in the upload; add {what}."]

"""From what a student uploaded to the sources that are graded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.assignment import Assignment
from autograder.intake.archive import read_zip
from autograder.intake.cleaning import SourceRefused, clean
from autograder.intake.display import listed, shown
from autograder.intake.finding import Findings, find_files, is_notebook, left_out, match, wanted_by
from autograder.intake.folder import file_problem, open_regular, read_files, read_folder
from autograder.intake.signatures import HEAD_BYTES, is_zip, recognise
from autograder.intake.upload import Upload, UploadRefused, Wanted


@dataclass(frozen=True)
class Submission:
    """What is graded. Either there are sources, or there is a refusal; never both.

    Attributes:
        name: name of the upload, safe to show.
        digest: SHA-256, in hex, of the file names and cleaned sources; the same code has the same digest, however it
            was packed.
        sources: file of the manifest -> its cleaned text.
        missing: files of the manifest that are not among the sources, in the manifest's order.
        notes: sentences for the student on what was changed, chosen or left out, safe to show.
        refusal: one sentence why nothing could be taken; empty if something was.
    """

    name: str
    digest: str
    sources: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refusal: str = ""


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
        everything = [file.name for file in assignment.files]
        return Submission(name, digest_of({}), missing=everything, refusal=str(refused))

    findings = find_files(upload, assignment)
    sources: dict[str, str] = {}
    notes = list(findings.notes)
    problems = list(findings.ambiguous.values())
    for file_name, path in findings.chosen.items():
        try:
            cleaned = clean(upload.files[path], file_name)
        except SourceRefused as refused:
            problems.append(str(refused))
        else:
            sources[file_name] = cleaned.text
            notes += cleaned.notes

    rejections = upload.rejections(first=wanted)
    missing = [file.name for file in assignment.files if file.name not in sources]
    absent = _absent(upload, findings, assignment)
    notes += [*problems, *rejections, *absent, *left_out(sorted(upload.others), assignment)]
    refusal = ""
    if not sources:
        if any(wanted(path) for path, _ in upload.rejected) or not upload.others:
            problems += rejections
        refusal = " ".join([f"Nothing could be taken from {name}.", *(problems or absent)[:1]])
    return Submission(name, digest_of(sources), sources, missing, notes, refusal)


def digest_of(sources: Mapping[str, str]) -> str:
    """SHA-256, in hex, over the sorted names and texts, each preceded by its length in bytes."""
    digest = hashlib.sha256()
    for text in (part for item in sorted(sources.items()) for part in item):
        encoded = text.encode("utf-8")
        digest.update(b"%d:" % len(encoded) + encoded)
    return digest.hexdigest()


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


def _absent(upload: Upload, findings: Findings, assignment: Assignment) -> list[str]:
    """A sentence on the files of the manifest for which the upload holds nothing, not even something refused."""
    names = [
        file.name
        for file in assignment.files
        if file.name not in findings.chosen
        and file.name not in findings.ambiguous
        and not any(match(path, file.name) is not None for path, _ in upload.rejected)
    ]
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

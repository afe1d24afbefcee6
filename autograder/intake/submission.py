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
from autograder.intake.exported import Exported, slice_files
from autograder.intake.finding import Findings, find_files, is_candidate, left_out, wanted_by
from autograder.intake.folder import file_problem, open_regular, read_files, read_folder
from autograder.intake.naming import is_notebook
from autograder.intake.signatures import HEAD_BYTES, is_zip, recognise
from autograder.intake.signs import signs_of
from autograder.intake.upload import Upload, UploadRefused, Wanted
from autograder.language import _, plural, speaking


@dataclass(frozen=True)
class Submission:
    """What is graded. Either there are sources, or there is a refusal; never both.

    Attributes:
        name: name of the upload, safe to show.
        digest: SHA-256, in hex, of names, cleaned sources and checkpoints; the same work has the same digest, however
            it was packed.
        sources: file of the manifest -> its cleaned text; where the assignment's files are exported notebooks, without
            what need not run.
        checkpoints: checkpoint of the manifest -> its bytes as they were uploaded; nobody has looked into them.
        missing: files of the manifest that are not among the sources, in the manifest's order.
        missing_checkpoints: checkpoints of the manifest that are not among the checkpoints, in the manifest's order.
        stand_ins: modules that have to have stand-ins when the sources are imported.
        signs: sentences for the instructor alone on what is unusual in the sources, safe to show.
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
    stand_ins: tuple[str, ...] = ()
    signs: list[str] = field(default_factory=list)


def read_submission(paths: Sequence[Path], assignment: Assignment) -> Submission:
    """Read one zip, one folder, one `.py` file, or several files that were uploaded side by side.

    Whatever is wrong with the upload stands in the result, as a refusal or as notes, in the language of the
    assignment; nothing is executed.
    """
    with speaking(assignment.language):
        return _read_submission(paths, assignment)


def _read_submission(paths: Sequence[Path], assignment: Assignment) -> Submission:
    paths = [path.absolute() for path in paths]
    name = shown(paths[0].name) if paths else ""
    if len(paths) > 1:
        name = plural("{names} and {n} more", "{names} and {n} more", len(paths) - 1, names=name)
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
        nothing = _("Nothing could be taken from {name}.").format(name=name)
        reason = " ".join([nothing, *(problems or absent_files)[:1]])
        return _refused(name, assignment, notes, reason)
    notes += _said_of_checkpoints(_absent(assignment.checkpoints, upload, findings, assignment), assignment)
    notes += left_out(sorted(upload.others), assignment)
    checkpoints = {
        file.name: upload.files[findings.chosen[file.name]]
        for file in assignment.checkpoints
        if file.name in findings.chosen
    }
    exported = slice_files(sources, assignment) if assignment.exported else Exported(sources)
    return Submission(
        name,
        digest_of(sources, checkpoints),
        exported.sources,
        [file.name for file in assignment.files if file.name not in sources],
        [*notes, *exported.notes],
        stand_ins=exported.stand_ins,
        checkpoints=checkpoints,
        missing_checkpoints=[file.name for file in assignment.checkpoints if file.name not in checkpoints],
        signs=signs_of(sources, _own_modules(assignment)),
    )


def _own_modules(assignment: Assignment) -> set[str]:
    return {file.module for group in (assignment.files, assignment.support, assignment.extras) for file in group}


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
        asked = _all_of([file.name for file in assignment.files])
        raise UploadRefused(_("Nothing was uploaded; hand in {names}.").format(names=asked))
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
        raise UploadRefused(_("{names}: {reason}.").format(names=shown(path.name), reason=problem))
    return (
        _read_archive(path, wanted, assignment) if _is_archive(path) else read_files(paths, wanted, assignment.limits)
    )


def _read_archive(path: Path, wanted: Wanted, assignment: Assignment) -> Upload:
    try:
        upload = read_zip(path, wanted, assignment.limits)
    except OSError:
        unreadable = _("{name} cannot be read; upload it again.").format(name=shown(path.name))
        raise UploadRefused(unreadable) from None
    inner = _lone_zip(upload)
    if inner:
        nested = _("{name} holds nothing but {inner}; unpack that one and zip the files themselves.")
        raise UploadRefused(nested.format(name=shown(path.name), inner=shown(inner)))
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
    needed = [name for name in absent if not is_for_bonus(name, assignment)]
    bonus = [name for name in absent if name not in needed]
    if not absent:
        return []
    if not needed:
        return [
            plural(
                "{names}: not in the upload; only the bonus needs it.",
                "{names}: not in the upload; only the bonus needs them.",
                len(bonus),
                names=_all_of(bonus),
            )
        ]
    calm = _(" ({names} would be for the bonus alone)").format(names=_all_of(bonus)) if bonus else ""
    return [
        plural(
            "{names}: not in the upload, so the samples of this model cannot be scored{calm}.",
            "{names}: not in the upload, so the samples of these models cannot be scored{calm}.",
            len(absent),
            names=_all_of(absent),
            calm=calm,
        )
    ]


def is_for_bonus(checkpoint: str, assignment: Assignment) -> bool:
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
        export = _(
            "{names}: not in the upload, and notebooks are not graded; save the cells of {notebooks} that belong "
            "there as {names}, and upload that."
        )
        return [export.format(names=_all_of(names), notebooks=listed(notebooks))]
    return [
        plural(
            "{names}: not in the upload; add it under exactly this name.",
            "{names}: not in the upload; add them under exactly these names.",
            len(names),
            names=_all_of(names),
        )
    ]

"""What the fuzzer feeds: functions from bytes to the class of their outcome. They raise for nothing but a mistake."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from hypothesis import strategies as st

from autograder.assignment import Assignment
from autograder.gradescope.metadata import FILE as METADATA_FILE
from autograder.gradescope.metadata import read_metadata
from autograder.grading.expectation import expect
from autograder.grading.outcomes import CheckFailed, describe_error
from autograder.intake import Submission, read_submission
from autograder.intake.archive import read_zip
from autograder.intake.finding import wanted_by
from autograder.intake.slicing import slice_source
from autograder.intake.upload import UploadRefused
from autograder.sandbox import wire
from autograder.sandbox.errors import SubmissionError
from autograder.sandbox.proxy import Student, fetch, parameter_names, value_and_gradients
from autograder.sandbox.session import Session, SessionLimits
from autograder.scoring.checkpoint import CheckpointError, as_file, carried_images, mismatch, read_checkpoint
from autograder.scoring.checkpoint_format import format_problem
from tests.intake.builders import DDPM, VAE, checkpoint_assignment
from tests.scoring.checkpoint_files import SOUND

from . import corpus
from .hostile_checkpoints import hostile_checkpoints
from .hostile_frames import hostile_frames
from .hostile_metadata import hostile_metadata
from .hostile_sources import exported_sources, notebooks, sources
from .hostile_zips import hostile_zips
from .oracles import (
    require_report,
    require_sentence,
    require_sound_submission,
    require_sound_upload,
    require_views,
)
from .scripted import ScriptedZygote
from .workshop import Workshop

ASSIGNMENT = checkpoint_assignment(upload_mb=1, upload_entries=20, file_kb=50)
EXPORTED = ASSIGNMENT.model_copy(update={"exported": True, "language": "fr", "imports": ("torch", "numpy")})
ROOTS = ("log_mean_exp", "models")

_CHECKPOINT = "checkpoints/DDPM.pt"
_CHECKPOINT_MB = 2
_NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
_SECOND_FILE = ("q2_ddpm.py", DDPM.encode())


@dataclass(frozen=True)
class Target:
    """Something that reads what a stranger made.

    Attributes:
        run: takes an input; gives the class of the outcome.
        seeds: inputs to start from.
        structured: inputs that are made to a plan, if there is one.
        bounded: how many changed and how many structured inputs the tests try.
        seconds: processor time that one input may take, children included.
        megabytes: memory of Python objects that one input may take in this process; None: not measured, which is
            twice as fast.
    """

    run: Callable[[bytes, Workshop], str]
    seeds: Callable[[], Sequence[bytes]]
    structured: Callable[[], st.SearchStrategy[bytes]] | None = None
    bounded: tuple[int, int] = (200, 100)
    seconds: float = 2.0
    megabytes: float | None = None


def _archive(content: bytes, workshop: Workshop) -> str:
    path = workshop.upload("hw.zip", content)
    try:
        upload = read_zip(path, wanted_by(ASSIGNMENT), ASSIGNMENT.limits)
    except UploadRefused as refused:
        require_sentence(str(refused))
        return "refused"
    require_sound_upload(upload, ASSIGNMENT)
    return "members rejected" if upload.rejected else "read"


def _submission(workshop: Workshop, assignment: Assignment, *uploads: tuple[str, bytes]) -> str:
    submission = read_submission([workshop.upload(*upload) for upload in uploads], assignment)
    require_sound_submission(submission, assignment)
    require_report(assignment, submission)
    if submission.refusal:
        return "refused"
    graded = assignment.files[0].name
    if graded not in submission.sources:
        return "file refused"
    return "taken" if _parsed(submission.sources[graded]) else "taken, does not parse"


def _zip(content: bytes, workshop: Workshop) -> str:
    return _submission(workshop, ASSIGNMENT, ("hw.zip", content))


def _notebook(content: bytes, workshop: Workshop) -> str:
    return _submission(workshop, EXPORTED, ("q1_vae.ipynb", content), _SECOND_FILE)


def _source(content: bytes, workshop: Workshop) -> str:
    return _submission(workshop, ASSIGNMENT, ("q1_vae.py", content))


def _exported(content: bytes, workshop: Workshop) -> str:
    return _submission(workshop, EXPORTED, ("q1_vae.py", content), _SECOND_FILE)


def _file_name(content: bytes, workshop: Workshop) -> str:
    name = content.decode("utf-8", "replace").translate({ord("/"): "_", 0: "_"}).strip(".")
    while len(name.encode()) > 200:
        name = name[: len(name) // 2]
    return _submission(workshop, ASSIGNMENT, (name or "_", VAE.encode()))


def _slice(content: bytes, workshop: Workshop) -> str:
    text = content.decode("utf-8", "replace").replace("\r", "\n")
    tree = _parsed(text)
    if tree is None:
        return "does not parse"
    sliced = slice_source(text, "q1_vae.py", ROOTS, ("torch", "numpy"))
    left = _parsed(sliced.text)
    assert left is not None
    assert _compiles(sliced.text) or not _compiles(text)
    assert sliced.text.count("\n") == text.count("\n")
    assert _defined(tree) & set(ROOTS) <= _bound(left)
    for note in sliced.notes:
        require_sentence(note)
    return "left as it is" if sliced.text == text else "sliced"


def _parsed(text: str) -> ast.Module | None:
    """Syntax tree of `text`; None if it does not parse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except _NO_PYTHON:
            return None


def _compiles(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "q1_vae.py", "exec", dont_inherit=True)
        except _NO_PYTHON:
            return False
    return True


def _defined(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}


def _bound(tree: ast.Module) -> set[str]:
    """Names that something in the module binds or deletes."""
    found = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        for alias in getattr(node, "names", [])
        if isinstance(alias, ast.alias)
    }
    found |= {
        node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    return found | {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }


def _frame(content: bytes, workshop: Workshop) -> str:
    prefix, body = content[: wire.PREFIX.size].ljust(wire.PREFIX.size, b"\0"), content[wire.PREFIX.size :]
    try:
        size = wire.frame_size(prefix)
    except wire.WireError:
        size = len(body)
    try:
        value = wire.decode(prefix, body[:size])
    except wire.WireError as error:
        require_sentence(str(error))
        return "refused"
    wire.encode(value)
    return "value"


def _answer(content: bytes, workshop: Workshop) -> str:
    """What a child answers to the calls of a check, as the check, the student and the report see it."""
    zygote: Any = ScriptedZygote(wire.encode({"value": None}) + content, workshop.folder)
    submission = Submission("hw.zip", "0" * 64)
    prices = torch.ones(3)
    with Session(zygote, {}) as session:
        student = Student(lambda: session)
        shop = student.shop
        try:
            expect(shop.total(prices), "the total").close_to(torch.ones(2, 3))
            expect(value_and_gradients(shop.total, prices)[0]).equal_to([1, 2])
            parameter_names(shop.total)
            expect(fetch(shop.rate)).tensor((2,))
        except CheckFailed as failed:
            outcome, message = "judged wrong", str(failed)
        except SubmissionError as error:
            outcome, message = type(error).__name__, str(describe_error(error, "total"))
        else:
            return "judged right"
    assert len(message) < 3000
    require_report(ASSIGNMENT, submission, message)
    return outcome


def _announcement(content: bytes, workshop: Workshop) -> str:
    """What the child that reads checkpoints answers; the file itself is sound."""
    zygote: Any = ScriptedZygote(content, workshop.folder)

    def start(source: str, files: Mapping[str, bytes]) -> Session:
        return Session(zygote, {}, source, files=files)

    return _checkpoint_outcome(SOUND, start)


def _checkpoint(content: bytes, workshop: Workshop) -> str:
    def start(source: str, files: Mapping[str, bytes]) -> Session:
        return Session(workshop.zygote, {}, source, 0, SessionLimits(), inf, files=files)

    if format_problem(content, _CHECKPOINT_MB):
        return "refused unopened"
    return _checkpoint_outcome(content, start)


def _checkpoint_outcome(content: bytes, start: Any) -> str:
    try:
        found = read_checkpoint(content, _CHECKPOINT, start, _CHECKPOINT_MB)
    except CheckpointError as refused:
        require_sentence(str(refused))
        return "refused"
    for tensor in found.tensors.values():
        assert type(tensor) is torch.Tensor
        assert tensor.is_contiguous()
        assert not tensor.is_floating_point() or bool(tensor.isfinite().all())
    assert found.tensors
    assert sum(tensor.nbytes for tensor in found.tensors.values()) <= _CHECKPOINT_MB << 20
    for said in (*found.notes, *filter(None, [mismatch({"network.weight": (3, 4)}, found, _CHECKPOINT)])):
        require_sentence(said)
    carried_images(found)
    assert as_file(found)
    return "weights"


def _checkpoint_format(content: bytes, workshop: Workshop) -> str:
    problem = format_problem(content, _CHECKPOINT_MB)
    if problem:
        require_sentence(problem)
    return "refused" if problem else "to be opened"


def _metadata(content: bytes, workshop: Workshop) -> str:
    found, problems = read_metadata(workshop.upload(METADATA_FILE, content))
    for problem in problems:
        require_sentence(problem)
    assert found.late_by is None or found.late_by.total_seconds() > 0
    assert found.after_late_due_date in (True, False)
    again = found.next_judged(2)
    assert again is None or (found.created_at is not None and again > found.created_at)
    assert len(found.earlier) <= len(found.previous_submissions)
    return "read in part" if problems else "read"


def _graded(content: bytes, workshop: Workshop) -> str:
    """A solution that really runs, in the jail, and is judged by the checks of the small assignment."""
    assignment = workshop.engine.assignment
    till = assignment.folder / "till.py"
    submission = read_submission([workshop.upload("shop.py", content), till], assignment)
    require_sound_submission(submission, assignment)
    report = workshop.engine.grade(submission, seed=1)
    require_views(report)
    assert not report.run.problem, report.run.problem
    assert [len(unit.checks) for unit in report.units] == [1, 1, 1]
    assert all(0 <= unit.earned <= unit.points for unit in report.units)
    assert report.units[-1].earned == report.units[-1].points  # the other file is right, whatever this one does
    return "/".join(unit.status.value for unit in report.units[:-1])


TARGETS: dict[str, Target] = {
    "archive": Target(_archive, corpus.zips, hostile_zips, (600, 200), megabytes=12.0),
    "zip": Target(_zip, corpus.zips, hostile_zips, (25, 25)),
    "notebook": Target(_notebook, corpus.notebooks, notebooks, (10, 10)),
    "source": Target(_source, corpus.sources, sources, (15, 15)),
    "exported": Target(_exported, corpus.exported_sources, exported_sources, (8, 8)),
    "slice": Target(_slice, corpus.exported_sources, exported_sources, (100, 100), seconds=5.0, megabytes=200.0),
    "file_name": Target(_file_name, corpus.file_names, None, (40, 0)),
    "frame": Target(_frame, corpus.frames, hostile_frames, (1500, 120), megabytes=8.0),
    "answer": Target(_answer, corpus.frames, hostile_frames, (80, 50)),
    "announcement": Target(_announcement, corpus.announcements, hostile_frames, (80, 60)),
    "checkpoint_format": Target(_checkpoint_format, corpus.checkpoints, hostile_zips, (600, 100), megabytes=8.0),
    "checkpoint": Target(_checkpoint, corpus.checkpoints, hostile_checkpoints, (25, 15), seconds=5.0),
    "metadata": Target(_metadata, corpus.metadata, hostile_metadata, (200, 150)),
    "graded": Target(_graded, corpus.shops, exported_sources, (5, 3), seconds=30.0),
}

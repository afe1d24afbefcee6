"""The process that grades one upload in Gradescope's container; `run` starts it, watches it and ends it."""

from __future__ import annotations

import contextlib
import secrets
import sys
import time
import traceback
from pathlib import Path

from rich.console import Console

from autograder.assignment import Assignment
from autograder.gradescope.results import gradescope_results
from autograder.gradescope.task import DONE, INTERIM, Task
from autograder.grading.engine import Engine
from autograder.grading.report import Report
from autograder.intake import read_submission
from autograder.report.terminal import print_report
from autograder.report.writing import as_json, write_atomically

_GRADER_MB = 450  # of the container's memory that the grader itself takes: measured 340 to 450
_LEAST_MB = 256
_FIRST_TO_GO, _LAST_TO_GO = "1000", "0"
_WIDTH = 100


def grade(task: Task) -> None:
    """Grade the upload: keep the journal, and print the report for the instructor.

    Raises:
        NotIsolatedError: this machine cannot keep the submission from the answers.
        ChecksError: the checks do not agree with the manifest.
        OSError: the journal cannot be written.
    """
    assignment = in_memory(task.assignment)
    # where memory runs out, the kernel is to end a process of the submission and not the grader
    _when_memory_runs_out(_FIRST_TO_GO)
    with Engine(assignment) as engine:
        _when_memory_runs_out(_LAST_TO_GO)
        submission = read_submission([task.root / "submission"], assignment)
        seed = upload_seed(course_secret(task.secret), submission.digest, task.metadata.id)
        engine.assignment = in_time(assignment, task.ends - time.monotonic())
        report = engine.grade(submission, seed, on_progress=lambda report: _keep(task, report))
    _write(task, report, DONE)
    with contextlib.suppress(OSError):
        print_report(report, Console(file=sys.stdout, width=_WIDTH))


def upload_seed(secret: bytes, digest: str, upload: int | None) -> int:
    """Seed of an upload: fresh for each, so that nobody can feel for the inputs, and the same for its regrade."""
    from autograder.grading.seeds import derive_seed

    return derive_seed(secret, digest if upload is None else f"{digest}/{upload}")


def course_secret(path: Path) -> bytes:
    """The secret of the course; without one, a regrade meets other inputs, which is said."""
    with contextlib.suppress(OSError):
        content = path.read_bytes()
        if content:
            return content
    print(f"no secret in {path.name}: a regrade will meet other random inputs, the seed in extra_data tells these")
    return secrets.token_bytes(32)


def in_memory(assignment: Assignment) -> Assignment:
    """The manifest with the memory of a child cut to what the container has beside the grader."""
    room = max(assignment.gradescope.memory_mb - _GRADER_MB, _LEAST_MB)
    limits = assignment.limits.model_copy(update={"memory_mb": min(assignment.limits.memory_mb, room)})
    return assignment.model_copy(update={"limits": limits})


def in_time(assignment: Assignment, seconds: float) -> Assignment:
    """The manifest with budgets that are cut to the time that is left: as much for each model as for the rest."""
    budget = min(assignment.limits.budget_seconds, max(seconds, 0.0))
    share = budget / (len(assignment.checkpoints) + 1)
    limits = assignment.limits.model_copy(update={"budget_seconds": budget})
    generation = assignment.generation.model_copy(
        update={"budget_seconds": min(assignment.generation.budget_seconds, share)}
    )
    return assignment.model_copy(update={"limits": limits, "generation": generation})


def _when_memory_runs_out(order: str) -> None:
    """Say how readily the kernel ends this process and those that it forks from now on."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(order)


def _keep(task: Task, report: Report) -> None:
    try:
        _write(task, report, INTERIM)
    except OSError:  # the journal is a precaution; grading goes on without it
        traceback.print_exc(limit=1, file=sys.stdout)


def _write(task: Task, report: Report, name: str) -> None:
    results = gradescope_results(report, task.assignment.gradescope, task.remarks)
    write_atomically(task.journal / name, as_json(results))

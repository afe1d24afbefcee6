"""Grades submissions of one assignment: a warm sandbox, the reference, the checks.

The order in which an engine is made is part of the protection: what submissions import is imported, then the zygote is
forked, and only then are the reference and the checks loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import datetime
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from autograder.assignment import Assignment
from autograder.grading.probe_source import probe_source
from autograder.grading.report import (
    CheckResult,
    PartResult,
    QuestionResult,
    Report,
    RubricItem,
    RunInfo,
    Status,
    SubmissionInfo,
    UnitResult,
)
from autograder.intake import Submission
from autograder.language import plural, speaking
from autograder.sandbox.jail import ISOLATING, LAYERS, ON, JailSettings
from autograder.sandbox.preload import preload, quiet_environment

if TYPE_CHECKING:
    from autograder.grading.plugin import GenerationOptions

_PYTEST_OPTIONS = (
    *("-s", "--import-mode=importlib", "--assert=plain", "--noconftest", "-c", os.devnull),
    *(f"-pno:{name}" for name in ("cacheprovider", "logging", "warnings", "unraisableexception", "threadexception")),
    *(f"-pno:{name}" for name in ("terminal", "faulthandler", "doctest", "junitxml", "stepwise", "pastebin", "tmpdir")),
)


class NotIsolatedError(Exception):
    """This machine cannot keep a submission from the answers."""


class Engine:
    """Grades any number of submissions of one assignment, one after the other."""

    def __init__(
        self, assignment: Assignment, *, trust: bool = False, layers: tuple[str, ...] = LAYERS, gpu: bool = False
    ) -> None:
        """Warm up. `quiet_environment` has to be called before torch is imported for the first time.

        Args:
            assignment: its manifest.
            trust: grade also where no layer keeps the submission from the answers.
            layers: layers of the jail to apply where the machine offers them.
            gpu: let submissions reach the machine's NVIDIA GPUs.

        Raises:
            NotIsolatedError: neither Landlock nor a user of its own is to be had, and `trust` was not given.
        """
        quiet_environment()
        preload(assignment.imports)
        from autograder.sandbox.session import Session
        from autograder.sandbox.zygote import Zygote

        limits = assignment.limits
        settings = JailSettings(memory_mb=limits.memory_mb, disk_mb=limits.disk_mb, layers=layers, gpu=gpu)
        self.assignment = assignment
        self._zygote = Zygote(settings, assignment.scratch_dirs)
        try:
            with Session(self._zygote, {}) as session:
                self.layers = session.layers
            if not trust and not any(self.layers[layer] == ON for layer in ISOLATING):
                raise NotIsolatedError(
                    "this machine offers no layer that keeps a submission from the answers; "
                    "grade here only code that you trust, with --trust"
                )
            self._load_answers()
        except BaseException:
            self._zygote.close()
            raise

    def _load_answers(self) -> None:
        from autograder.grading.reference import load_reference, support_sources

        self._support = support_sources(self.assignment)
        self._probes = probe_source(self.assignment.checks)
        self._reference = load_reference(self.assignment)

    def grade(
        self,
        submission: Submission,
        seed: int,
        *,
        only: Iterable[str] = (),
        generation: GenerationOptions | None = None,
        on_result: Callable[[CheckResult], None] = lambda result: None,
        on_progress: Callable[[Report], None] | None = None,
    ) -> Report:
        """Run the checks on a submission.

        Args:
            submission: from intake; a refused one gets its report as well.
            seed: of the random inputs.
            only: names of units, to run the checks of these alone.
            generation: how samples of trained models are scored, where the assignment has such.
            on_result: called after every check.
            on_progress: called before the first check and after every one with what the report is if grading stops now.

        Returns:
            The report. It always comes, whatever the submission does.

        Raises:
            ChecksError: the checks do not agree with the manifest.
        """
        import pytest

        from autograder.grading.plugin import ChecksError, GenerationOptions, GradingPlugin, Job
        from autograder.sandbox.session import Session, SessionLimits

        started, clock = datetime.datetime.now(datetime.timezone.utc), time.monotonic()
        limits = self.assignment.limits
        session_limits = SessionLimits(
            limits.import_seconds,
            limits.call_seconds,
            limits.output_kb << 10,
            limits.output_max_mb << 20,
            limits.disk_mb << 20,
        )
        given = {**submission.sources, **self._support}

        deadline = clock + limits.budget_seconds

        def start_session(child_seed: int) -> Session:
            return Session(
                self._zygote,
                given,
                self._probes,
                child_seed,
                session_limits,
                deadline,
                classes=self.assignment.classes,
                stand_ins=submission.stand_ins,
            )

        def start_long(
            seed: int, *, probes: str, files: Mapping[str, bytes], seconds: float, sources: bool, threads: int
        ) -> Session:
            own = dataclasses.replace(session_limits, call_seconds=seconds)
            return Session(
                self._zygote,
                given if sources else {},
                probes,
                seed,
                own,
                deadline,
                classes=self.assignment.classes,
                stand_ins=submission.stand_ins,
                files=files,
                threads=threads,
            )

        def report_of(results: list[tuple[str, CheckResult]]) -> Report:
            processors = plural("{n} CPUs", "{n} CPUs", os.cpu_count() or 1)
            run = RunInfo(
                seed=seed,
                started=started.isoformat(timespec="seconds"),
                seconds=round(time.monotonic() - clock, 2),
                python=platform.python_version(),
                torch=_torch_version(),
                machine=f"{platform.system()} {platform.machine()}, {processors}",
                layers=self.layers,
                problem="\n".join(plugin.problems),
            )
            return build_report(self.assignment, submission, results, run)

        job = Job(
            assignment=self.assignment,
            reference=self._reference,
            seed=seed,
            start_session=start_session,
            start_long=start_long,
            checkpoints=submission.checkpoints,
            generation=generation or GenerationOptions(),
            missing=tuple(submission.missing),
            only=frozenset(only),
            on_result=on_result,
            on_progress=lambda: on_progress(report_of(plugin.so_far())) if on_progress else None,
        )
        plugin = GradingPlugin(job)
        checks = [str(path) for path in sorted(self.assignment.checks.glob("test_*.py"))]
        with _quiet_pytest(), speaking(self.assignment.language):
            code = pytest.main([*_PYTEST_OPTIONS, f"--rootdir={self.assignment.checks}", *checks], plugins=[plugin])
            report = report_of(plugin.results)
        _return_memory()
        if plugin.fatal is not None:
            raise plugin.fatal
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise ChecksError(f"pytest could not run the checks of {self.assignment.id}: exit code {int(code)}")
        return report

    def close(self) -> None:
        """End the sandbox."""
        self._zygote.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def build_report(
    assignment: Assignment, submission: Submission, results: list[tuple[str, CheckResult]], run: RunInfo
) -> Report:
    """Put the results of the checks under the questions of the manifest."""

    def unit_result(unit: Any) -> UnitResult:
        checks = [result for name, result in results if name == unit.name]
        share = sum(check.earned_share for check in checks)
        return UnitResult(
            name=unit.name,
            file=unit.file,
            points=unit.points,
            earned=round(unit.points * min(share, 1.0), 6),
            status=_worst([check.status for check in checks]),
            checks=checks,
        )

    parts = [
        PartResult(
            id=part.id,
            title=part.title,
            points=part.points,
            bonus=part.bonus,
            questions=[
                QuestionResult(
                    id=question.id,
                    title=question.title,
                    kind=question.kind,
                    points=question.points,
                    units=[unit_result(unit) for unit in question.units],
                    rubric=[RubricItem(points=line.points, text=line.text) for line in question.rubric],
                )
                for question in part.questions
            ],
        )
        for part in assignment.parts
    ]
    return Report(
        assignment=assignment.id,
        title=assignment.title,
        language=assignment.language,
        submission=SubmissionInfo(
            name=submission.name,
            digest=submission.digest,
            files=list(submission.sources),
            missing=list(submission.missing),
            notes=list(submission.notes),
            refusal=submission.refusal,
            signs=list(submission.signs),
        ),
        parts=parts,
        run=run,
    )


def _worst(statuses: list[Status]) -> Status:
    for status in (Status.FAILED, Status.UNGRADABLE, Status.SKIPPED, Status.PASSED):
        if status in statuses:
            return status
    return Status.UNGRADABLE


def _torch_version() -> str:
    import torch

    return str(torch.__version__)


def _return_memory() -> None:
    """Give freed memory back to the system: glibc keeps it, in pieces; a class of hundreds would take gigabytes."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        trim(0)


@contextlib.contextmanager
def _quiet_pytest() -> Any:
    """Keep plugins of other packages and options of the environment away from the checks."""
    names = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

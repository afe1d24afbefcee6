"""The pytest plugin that runs the checks of one submission.

A check is a pytest function with `@points("q1_vae.log_mean_exp")`, which says what unit of the manifest it is of, and
fixtures `student`, `reference`, `draw` and `remark`. Points stand in the manifest, not here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pytest

from autograder.assignment import Assignment, Unit
from autograder.grading.carry import knowing
from autograder.grading.outcomes import CheckFailed, CheckSkipped, CheckUngradable, describe_error
from autograder.grading.reference import Reference
from autograder.grading.report import CheckResult, GenerationResult, Status
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.errors import ChildEnded, SandboxError, SubmissionError, SubmissionRaised
from autograder.sandbox.proxy import Student
from autograder.sandbox.session import Session

Check = TypeVar("Check", bound=Callable[..., None])
_UNIT = pytest.StashKey[str]()  # name of the unit of a check


def points(unit: str, share: float | None = None) -> Callable[[Check], Check]:
    """The check is one of `unit`. `share` is its part of the unit's points; by default the checks share equally."""
    return pytest.mark.genlab_points(unit, share)


def public(check: Check) -> Check:
    """The check may be shown: students get it as data, with inputs of its own, and the report has what it prints."""
    marked: Check = pytest.mark.genlab_public(check)
    return marked


def needs(*units: str) -> Callable[[Check], Check]:
    """The check is skipped unless all checks of `units`, which come before it, have passed."""
    return pytest.mark.genlab_needs(*units)


class ChecksError(Exception):
    """The checks of an assignment do not agree with its manifest."""


class StartSession(Protocol):
    """Starts a jailed child for a part of the work that is not one quick call."""

    def __call__(
        self, seed: int, *, probes: str, files: Mapping[str, bytes], seconds: float, sources: bool, threads: int
    ) -> Session:
        """Start it.

        Args:
            seed: for the child's generators.
            probes: source of the probes' module.
            files: what lies in its working folder.
            seconds: for everything that it does.
            sources: whether the submission's sources are in it.
            threads: that torch computes with.
        """
        ...


@dataclass(frozen=True)
class GenerationOptions:
    """What an instructor may change about the scoring of samples.

    Attributes:
        samples: samples of one evaluation; None: as the manifest says.
        device: where the submission's networks compute: `cpu`, `cuda`, `mps`.
        data_root: folder with the real images, to look for copies among the samples; None: nobody looks.
        threads: that the submission's networks compute with; None: as many as the machine grants.
    """

    samples: int | None = None
    device: str = "cpu"
    data_root: str | None = None
    threads: int | None = None


@dataclass
class Workplace:
    """What a check needs that draws and scores samples of a trained model.

    Attributes:
        assignment: the manifest.
        checkpoints: name of the manifest -> bytes that were handed in.
        start: starts a child.
        options: see `GenerationOptions`.
        memory: what a check keeps for the checks after it.
        credit: set by the check: fraction of its points that was earned.
        result: set by the check: what the report shows.
    """

    assignment: Assignment
    checkpoints: Mapping[str, bytes]
    start: StartSession
    options: GenerationOptions
    memory: dict[str, Any]
    credit: float | None = None
    result: GenerationResult | None = None


@dataclass
class Job:
    """What the checks of one submission need."""

    assignment: Assignment
    reference: Reference
    seed: int
    start_session: Callable[[int], Session]
    start_long: StartSession
    checkpoints: Mapping[str, bytes] = field(default_factory=dict)
    generation: GenerationOptions = GenerationOptions()
    missing: tuple[str, ...] = ()
    only: frozenset[str] = frozenset()
    on_result: Callable[[CheckResult], None] = lambda result: None
    on_progress: Callable[[], None] = lambda: None


@dataclass
class GradingPlugin:
    """Collects one `CheckResult` for every check. Registered with pytest for one run."""

    job: Job
    results: list[tuple[str, CheckResult]] = field(default_factory=list)
    fatal: ChecksError | None = None
    problems: list[str] = field(default_factory=list)
    _broken: dict[str, str] = field(default_factory=dict)
    _unimplemented: set[str] = field(default_factory=set)
    _causes: dict[tuple[Any, ...], str] = field(default_factory=dict)
    _remarks: dict[str, list[str]] = field(default_factory=dict)
    _memory: dict[str, Any] = field(default_factory=dict)
    _carried: set[str] = field(default_factory=set)

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the markers known, and tracebacks short: nobody reads them, and pytest's own take their time."""
        config.option.tbstyle = "native"
        for name in ("genlab_points", "genlab_public", "genlab_needs"):
            config.addinivalue_line("markers", f"{name}: see autograder.grading.plugin")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Check that checks and manifest agree, and put the checks into the order of the manifest."""
        try:
            if self.fatal is None:
                self._arrange(items)
        except ChecksError as error:
            self.fatal = error
        if self.fatal is not None:
            items.clear()
        else:
            self.job.on_progress()

    def so_far(self) -> list[tuple[str, CheckResult]]:
        """What stood in the report if grading stopped now: the results, and that the other checks were not judged."""
        judged = {result.name for _unit, result in self.results}
        waiting = [
            CheckResult(
                name=_name(item),
                title=_title(item),
                status=Status.UNGRADABLE,
                share=_share(item, self._items),
                message=_("Not judged: grading was stopped before this check was finished."),
            )
            for item in self._items
        ]
        units = map(_unit_name, self._items)
        return [*self.results, *(pair for pair in zip(units, waiting, strict=True) if pair[1].name not in judged)]

    def _right(self) -> set[str]:
        """Names of the units whose checks were all made, and passed with nothing carried forward."""
        unfinished = {_unit_name(item) for item in self._items[len(self.results) :]}
        failed = {unit for unit, result in self.results if result.status is not Status.PASSED}
        return {unit for unit, _result in self.results} - unfinished - failed - self._carried

    def _arrange(self, items: list[pytest.Item]) -> None:
        units = {unit.name: position for position, unit in enumerate(self.job.assignment.units)}
        names = [item.name for item in items]
        for item in items:
            item.stash[_UNIT] = self.job.assignment.submitted_unit(_marked_unit(item))
        for item in items:
            if _unit_name(item) not in units:
                raise ChecksError(f"{item.name}: the manifest has no unit {_unit_name(item)!r}")
            if names.count(item.name) > 1:
                raise ChecksError(f"{item.name}: two checks have this name")
        items.sort(key=lambda item: units[_unit_name(item)])
        for unit in units:
            shares = [_share(item, items) for item in items if _unit_name(item) == unit]
            if not shares:
                raise ChecksError(f"no check for {unit}")
            if abs(sum(shares) - 1) > 1e-9 or min(shares) < 0:
                given = sum(share for share in shares if share > 0)
                raise ChecksError(f"the checks of {unit} give {given:g} of its points")
        if self.job.only:
            items[:] = [item for item in items if _unit_name(item) in self.job.only]
        self._items = items

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why a file of checks cannot be imported."""
        if report.failed:
            self.fatal = ChecksError(str(report.longrepr))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Judge one check."""
        started = time.monotonic()
        self._call: pytest.CallInfo[None] | None = None
        self._student: Student | None = None
        self._workplace: Workplace | None = None
        with knowing(self._right()) as known:
            result = yield
        if known.carried:
            self._carried.add(_unit_name(item))
        status, message, trace = self._judge(item)
        outcome = CheckResult(
            name=_name(item),
            title=_title(item),
            status=status,
            share=_share(item, self._items),
            message="\n".join([message, *self._remarks.get(item.name, [])]).strip(),
            traceback=trace,
            printed=self._printed() if item.get_closest_marker("genlab_public") else "",
            public=item.get_closest_marker("genlab_public") is not None,
            seconds=round(time.monotonic() - started, 3),
            credit=self._workplace.credit if self._workplace else None,
            generation=self._workplace.result if self._workplace else None,
        )
        self.results.append((_unit_name(item), outcome))
        self.job.on_result(outcome)
        self.job.on_progress()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Keep how the check ended."""
        if call.excinfo is not None and self._call is None:
            self._call = call
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip what cannot pass: the file is not there or does not import, or a unit that is needed failed."""
        unit = self._unit(item)
        if unit.file in self.job.missing:
            raise CheckSkipped(_("{file} is not in the submission.").format(file=unit.file))
        module = unit.file.removesuffix(".py").replace("/", ".")
        if module in self._broken:
            where = _("{file} cannot be imported; see the message of {check}.")
            raise CheckSkipped(where.format(file=unit.file, check=self._broken[module]))
        if unit.name in self._unimplemented:
            raise CheckSkipped(_("not implemented yet."))
        needed = item.get_closest_marker("genlab_needs")
        for name in map(self.job.assignment.submitted_unit, needed.args if needed else ()):
            verdicts = [outcome.status for of, outcome in self.results if of == name]
            if not verdicts and not self.job.only:
                raise ChecksError(f"{item.name} needs {name}, which has no check before it")
            if any(status is not Status.PASSED for status in verdicts):
                raise CheckSkipped(_("this needs {unit}, which is not right yet.").format(unit=name))

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest, draw: Draw) -> Iterator[Student]:
        """The submission, in a fresh child."""
        names = self.job.assignment.shared_modules
        self._student = student = Student(lambda: self.job.start_session(draw.child_seed), names)
        yield student
        student.close()

    @pytest.fixture
    def reference(self) -> Reference:
        """The reference solution."""
        return self.job.reference

    @pytest.fixture
    def draw(self, request: pytest.FixtureRequest) -> Draw:
        """Random inputs: fresh for each submission, repeated by the seed of its report."""
        return Draw(self.job.seed, request.node.name)

    @pytest.fixture
    def workplace(self) -> Workplace:
        """For a check that draws and scores samples of a trained model."""
        job = self.job
        self._workplace = Workplace(job.assignment, job.checkpoints, job.start_long, job.generation, self._memory)
        return self._workplace

    @pytest.fixture
    def remark(self, request: pytest.FixtureRequest) -> Callable[[str], None]:
        """Says something to the student that costs nothing."""
        return self._remarks.setdefault(request.node.name, []).append

    def _unit(self, item: pytest.Item) -> Unit:
        return next(unit for unit in self.job.assignment.units if unit.name == _unit_name(item))

    def _printed(self) -> str:
        started = self._student is not None and self._student.started
        output = self._student.session.output if started and self._student else b""
        return _on_a_screen(output.decode("utf-8", "replace"))

    def _judge(self, item: pytest.Item) -> tuple[Status, str, str]:
        if self._call is None or self._call.excinfo is None:
            return Status.PASSED, "", ""
        error = self._call.excinfo.value
        if isinstance(error, CheckFailed):
            return Status.FAILED, str(error), ""
        if isinstance(error, (CheckSkipped, pytest.skip.Exception)):
            return Status.SKIPPED, str(error), ""
        if isinstance(error, CheckUngradable):
            return Status.UNGRADABLE, str(error), ""
        if isinstance(error, ChildEnded) and error.reason == "budget":
            return Status.UNGRADABLE, _("Not run: the time for the whole submission was used up."), ""
        if isinstance(error, SubmissionError):
            return self._judge_error(item, error)
        if isinstance(error, SandboxError):
            self.problems.append(f"{item.name}: {error}")
            return Status.UNGRADABLE, _("The grader could not run this check; your instructor can see why."), ""
        self.problems.append(f"{item.name}: {self._call.excinfo.getrepr(style='short')}")
        return Status.UNGRADABLE, _("This check is broken; your instructor can see why."), ""

    def _judge_error(self, item: pytest.Item, error: SubmissionError) -> tuple[Status, str, str]:
        unit = self._unit(item)
        name = unit.name.rpartition(".")[2]
        message = str(describe_error(error, name))
        trace = "\n".join(map(str, error.lines)) if isinstance(error, SubmissionRaised) else ""
        if error.importing:
            self._broken[error.importing] = item.name.removeprefix("test_")
            lines = [message, *_advice(error)] if self.job.assignment.exported else [message]
            return Status.FAILED, "\n".join([_("{file} cannot be imported.").format(file=unit.file), *lines]), trace
        blamed = self._blamed(error, unit)
        if blamed:
            needed = _("This needs {unit}, which does not work yet.").format(unit=blamed)
            return Status.SKIPPED, f"{needed}\n{message}", trace
        if isinstance(error, SubmissionRaised):
            if error.type == "NotImplementedError":
                self._unimplemented.add(unit.name)
            cause = (error.type, error.message, *error.lines[-1:])
            first = self._causes.setdefault(cause, _title(item))
            if first != _title(item):
                same = _("This is the same error as in the check '{check}'.").format(check=first)
                return Status.SKIPPED, f"{same}\n{message}", trace
        return Status.FAILED, message, trace

    def _blamed(self, error: SubmissionError, unit: Unit) -> str:
        """Another unit of the same file in which the error arose."""
        if not isinstance(error, SubmissionRaised):
            return ""
        units = [other for other in self.job.assignment.units if other.file == unit.file]
        functions = [line.function for line in error.lines if line.file == unit.file]
        inner = [other for function in functions if (other := _unit_of(function, units))]
        if not inner or inner[-1] is unit:
            return ""
        verdicts = [result.status for name, result in self.results if name == inner[-1].name]
        passed = verdicts and all(status is Status.PASSED for status in verdicts)
        return "" if passed else inner[-1].qualified


def _advice(error: SubmissionError) -> list[str]:
    """What helps where a line at module level stops an import."""
    lines = [line for line in getattr(error, "lines", []) if line.function == "<module>"]
    if not lines:
        return []
    advice = _(
        "It stops at line {number} of {file}. If what is graded does not need this line, move it under "
        "`if __name__ == '__main__':`; if it does, let it work without data, training and GPU."
    )
    return [advice.format(number=lines[-1].number, file=lines[-1].file)]


def _unit_of(function: str, units: list[Unit]) -> Unit | None:
    """The unit that a function of a traceback is, or is of: that of the method before that of the class."""
    fitting = [unit for unit in units if f"{function}.".startswith(f"{unit.qualified}.")]
    # units may be named without their class, and so are the functions of tracebacks before Python 3.11
    fitting = fitting or [unit for unit in units if unit.qualified.rpartition(".")[2] == function.rpartition(".")[2]]
    return max(fitting, key=lambda unit: len(unit.qualified), default=None)


def _on_a_screen(text: str) -> str:
    """What is left to see of printed text: of a progress bar its last state, and nothing of one that was wiped."""
    lines = text.split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2].rstrip() if "\r" in line else line for line in lines)


def _name(item: pytest.Item) -> str:
    return item.name.removeprefix("test_")


def _unit_name(item: pytest.Item) -> str:
    return item.stash[_UNIT]


def _marked_unit(item: pytest.Item) -> str:
    marker = item.get_closest_marker("genlab_points")
    if marker is None:
        raise ChecksError(f"{item.name} has no @points")
    return str(marker.args[0])


def _share(item: pytest.Item, items: list[pytest.Item]) -> float:
    siblings = [other.get_closest_marker("genlab_points") for other in items if _unit_name(other) == _unit_name(item)]
    marker = item.get_closest_marker("genlab_points")
    assert marker is not None
    given = [other.args[1] for other in siblings if other is not None and other.args[1] is not None]
    if marker.args[1] is not None:
        return float(marker.args[1])
    return (1 - sum(given)) / (len(siblings) - len(given))


def title_of(function: Any, name: str) -> str:
    """What a check looks at: the first line of its docstring, in the language that is spoken."""
    lines = (getattr(function, "__doc__", None) or name.removeprefix("test_").replace("_", " ")).splitlines()
    return _(lines[0].strip())


def _title(item: pytest.Item) -> str:
    return title_of(getattr(item, "function", None), item.name)

"""Whole submissions that use up time, memory, disk, output or processes: one check fails with one sentence, in time."""

from __future__ import annotations

import dataclasses
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status, UnitResult
from autograder.sandbox import scratch
from autograder.sandbox.jail import LAYERS

from ..conftest import MakeSubmission
from ..sandbox.conftest import public_folder  # noqa: F401
from .conftest import left_behind
from .resource_attacks import (
    AT_IMPORT,
    BACKGROUND,
    DISK_MB,
    ENDED,
    LONG,
    MEMORY_MB,
    OUTPUT_MB,
    REFUSED,
    SHORT,
    TIME,
    TOOLS,
)

ATTACKED, OTHER = "q2_ddpm.q_xt_x0", "q3_cfg_diffusion.alpha_lambda"  # one check each
SLOW = ("alpha_lambda", "sigma_lambda", "q_sample", "sigma_q", "sigma_q_x", "mu_p_theta")
PATIENCE = 30.0  # seconds for a whole grading on a busy machine; none of the attacks ends by itself in less
WRAPPER = """
honest = DenoiseDiffusion.q_xt_x0


def attack():
{body}


def attacked(self, x0, t):
    return honest(self, x0, t) if attack() else (x0 * 0, x0 * 0)


DenoiseDiffusion.q_xt_x0 = attacked
"""


class Plant(Protocol):
    """Grades a submission with code planted in it; see the fixture."""

    def __call__(self, engine: Engine, code: str, stand_ins: tuple[str, ...] = (), **limits: float) -> Report: ...


def limited(assignment: Assignment, **changes: float) -> Assignment:
    """The assignment with other limits."""
    return assignment.model_copy(update={"limits": assignment.limits.model_copy(update=changes)})


def make_engine(assignment: Assignment, without: tuple[str, ...] = ()) -> Engine:
    small = limited(assignment, memory_mb=MEMORY_MB, disk_mb=DISK_MB, output_max_mb=OUTPUT_MB)
    return Engine(small, layers=tuple(name for name in LAYERS if name not in without))


@pytest.fixture(scope="module")
def engine(h25: Assignment) -> Iterator[Engine]:
    """An engine with small limits."""
    with make_engine(h25) as made:
        yield made
    assert not made._zygote.scratch_root.exists()


@pytest.fixture(scope="module")
def without_filter(h25: Assignment) -> Iterator[Engine]:
    """The same where the kernel has no seccomp: processes can really be started."""
    with make_engine(h25, ("seccomp",)) as made:
        yield made
    assert not made._zygote.scratch_root.exists()


@pytest.fixture
def plant(masters: dict[str, str], make_submission: MakeSubmission) -> Plant:
    """`plant(engine, code, call_seconds=0.5)`: code at the end of q2_ddpm.py, graded with these limits.

    Whatever the code does, the report comes in time, the other unit has its points, and nothing is left behind.
    """

    def grade(engine: Engine, code: str, stand_ins: tuple[str, ...] = (), **limits: float) -> Report:
        text = f"{masters['q2_ddpm.py']}\n{TOOLS}\n{code}\n"
        compile(text, "q2_ddpm.py", "exec")
        submission = dataclasses.replace(make_submission({"q2_ddpm.py": text}), stand_ins=stand_ins)
        patient, engine.assignment = engine.assignment, limited(engine.assignment, **limits)
        started = time.monotonic()
        try:
            report = engine.grade(submission, 5, only=[ATTACKED, OTHER])
        finally:
            engine.assignment = patient
        assert time.monotonic() - started < PATIENCE
        assert report.run.problem == ""
        assert left_behind(engine) == []
        assert (unit(report, OTHER).earned, unit(report, OTHER).points) == (2, 2)
        return report

    return grade


def unit(report: Report, name: str) -> UnitResult:
    return next(found for found in report.units if found.name == name)


def in_a_call(body: str) -> str:
    """Code that runs `body` whenever the method is called; it returns whether the right values are to be returned."""
    return WRAPPER.format(body=textwrap.indent(textwrap.dedent(body).strip("\n"), "    "))


def marked(table: dict[str, Any]) -> list[Any]:
    """The rows of a table of attacks; the last item of each holds the numbers of the threats."""
    return [pytest.param(*row[:-1], id=name, marks=pytest.mark.threat(*row[-1])) for name, row in table.items()]


def assert_failed(report: Report, sentence: str) -> None:
    """The attacked unit earned nothing, and its check says why."""
    [check] = unit(report, ATTACKED).checks
    assert unit(report, ATTACKED).earned == 0
    assert check.status is Status.FAILED
    assert sentence in check.message


@pytest.mark.parametrize(("body", "sentence"), marked(ENDED))
def test_a_limit_ends_the_check_alone(
    engine: Engine, plant: Plant, monkeypatch: pytest.MonkeyPatch, body: str, sentence: str
) -> None:
    monkeypatch.setattr(scratch, "_MAX_ENTRIES", 500)  # ten thousand take a busy machine long
    seconds = SHORT if sentence in (TIME, "the check was ended") else LONG
    assert_failed(plant(engine, in_a_call(body), call_seconds=seconds), sentence)


@pytest.mark.parametrize("body", marked(REFUSED))
def test_what_is_refused_gains_nothing(engine: Engine, plant: Plant, body: str) -> None:
    report = plant(engine, in_a_call(body), call_seconds=LONG)
    assert unit(report, ATTACKED).earned == 3, unit(report, ATTACKED).checks


@pytest.mark.parametrize(("code", "sentence"), marked(AT_IMPORT))
@pytest.mark.parametrize("stand_ins", [(), ("google.colab",)], ids=["a file", "a notebook"])
def test_at_import(engine: Engine, plant: Plant, code: str, sentence: str, stand_ins: tuple[str, ...]) -> None:
    seconds = SHORT if sentence == TIME else LONG
    report = plant(engine, code, stand_ins, import_seconds=seconds)
    slow = stand_ins and "BaseException" not in code  # there the child itself ends it, and can name the line
    assert_failed(report, "the import takes too long" if slow and sentence == TIME else sentence)
    assert "q2_ddpm.py cannot be imported" in unit(report, ATTACKED).checks[0].message


@pytest.mark.threat(3, 4, 14, 23)
@pytest.mark.parametrize("name", BACKGROUND)
def test_no_process_outlives_its_check(
    without_filter: Engine,
    plant: Plant,
    public_folder: Path,  # noqa: F811
    name: str,
) -> None:
    results = public_folder / "results.json"
    results.write_text("")
    results.chmod(0o666)
    report = plant(without_filter, f"RESULTS = {str(results)!r}\n{in_a_call(BACKGROUND[name])}", call_seconds=LONG)
    assert unit(report, ATTACKED).earned == 3, unit(report, ATTACKED).checks
    results.write_text('{"score": 0}')
    time.sleep(0.02)
    assert results.read_text() == '{"score": 0}'


@pytest.mark.threat(27)
def test_slow_checks_end_at_the_budget(
    engine: Engine, masters: dict[str, str], make_submission: MakeSubmission
) -> None:
    text = masters["q3_cfg_diffusion.py"] + "\nimport time\ntime.sleep(0.4)\n"
    patient, engine.assignment = engine.assignment, limited(engine.assignment, budget_seconds=1.5)
    started = time.monotonic()
    try:
        units = [f"q3_cfg_diffusion.{name}" for name in SLOW]
        report = engine.grade(make_submission({"q3_cfg_diffusion.py": text}), 5, only=[*units, ATTACKED])
    finally:
        engine.assignment = patient
    assert time.monotonic() - started < PATIENCE
    checks = [check for found in report.units for check in found.checks]
    ran = [check for check in checks if check.status is Status.PASSED]
    rest = [check for check in checks if check.status is Status.UNGRADABLE]
    assert len(ran) + len(rest) == len(checks) == 7
    assert 1 <= len(ran) <= 4
    assert {check.message for check in rest} == {"Not run: the time for the whole submission was used up."}
    assert unit(report, ATTACKED).earned == 3
    assert left_behind(engine) == []

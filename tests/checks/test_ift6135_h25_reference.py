"""The two ends of the scale: the reference solution, and submissions that hold no solution."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status
from autograder.intake import read_submission
from autograder.release import release_files

from ..conftest import MakeSubmission


@pytest.mark.parametrize("seed", [0, 1, 2025, 2**31, 2**53 - 1])
def test_the_reference_gets_everything_and_is_told_nothing(
    engine: Engine, make_submission: MakeSubmission, seed: int
) -> None:
    report = engine.grade(make_submission(), seed)
    assert report.earned == report.auto_points == 87
    for check in (check for unit in report.units for check in unit.checks):
        assert check.status is Status.PASSED, check
        assert check.message == check.traceback == check.printed == ""
    assert report.run.problem == ""
    assert report.ungradable_points == 0


@pytest.fixture(scope="module")
def stubs(h25: Assignment, engine: Engine, make_submission: MakeSubmission) -> Report:
    """The report of the files as students get them."""
    released = release_files(h25)
    return engine.grade(make_submission({file.name: released[file.name] for file in h25.files}), 1)


def test_the_unfilled_stubs_get_nothing(stubs: Report) -> None:
    assert stubs.earned == 0
    assert stubs.ungradable_points == 0
    assert stubs.run.problem == ""


def test_every_unit_of_the_stubs_is_said_to_be_unfilled(stubs: Report) -> None:
    for unit in stubs.units:
        name = unit.name.rpartition(".")[2]
        said = "\n".join(check.message for check in unit.checks)
        if unit.name == "q1_train_vae.loss_function":  # its own functions come first
            assert {check.message for check in unit.checks} == {
                "this needs q1_vae.log_likelihood_bernoulli, which is not right yet."
            }
        else:
            assert f"{name} is not implemented yet" in said
            assert unit.status is Status.FAILED


def test_an_unfilled_unit_is_told_once(stubs: Report) -> None:
    for unit in stubs.units:
        first, *others = unit.checks
        assert "not implemented" in first.message or first.status is Status.SKIPPED
        assert {check.status for check in others} <= {Status.SKIPPED}


def test_one_filled_unit_of_a_stub_gets_its_points(
    h25: Assignment, engine: Engine, make_submission: MakeSubmission, masters: dict[str, str]
) -> None:
    stub = release_files(h25)["q1_vae.py"]
    filled = stub.replace(
        'raise NotImplementedError("question 1.3: log_mean_exp")', "lme = y.logsumexp(1) - math.log(y.size(1))"
    )
    assert filled != stub
    report = engine.grade(
        make_submission({"q1_vae.py": filled}), 1, only={u.name for u in h25.units if u.file == "q1_vae.py"}
    )
    assert {unit.name: unit.earned for unit in report.units if unit.earned} == {"q1_vae.log_mean_exp": 8}


@pytest.mark.parametrize("kind", ["empty zip", "text", "nothing", "zip of other files"])
def test_an_upload_that_holds_no_solution_gets_a_report(
    engine: Engine, h25: Assignment, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "work.zip"
    if kind == "text":
        path.write_text("this is not an archive\n")
    elif kind == "nothing":
        path.write_bytes(b"")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            if kind == "zip of other files":
                archive.writestr("notes.txt", "nothing to grade\n")
    report = engine.grade(read_submission([path], h25), 1)
    assert report.submission.refusal
    assert report.submission.missing == [file.name for file in h25.files]
    assert report.earned == 0
    for unit in report.units:
        assert unit.status is Status.SKIPPED
        assert {check.message for check in unit.checks} == {f"{unit.file} is not in the submission."}
    assert report.run.problem == ""


def test_a_zip_of_the_masters_gets_everything(
    engine: Engine, h25: Assignment, masters: dict[str, str], tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "work.zip", "w") as archive:
        for name, text in masters.items():
            archive.writestr(f"my homework/{name}", text)
    submission = read_submission([tmp_path / "work.zip"], h25)
    assert submission.missing == []
    report = engine.grade(submission, 3, only={"q1_vae.log_mean_exp", "q3_trainer_cfg.sample"})
    assert report.earned == 18

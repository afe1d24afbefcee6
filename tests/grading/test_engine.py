"""The engine: a report always comes, and nothing is graded where the answers are not safe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from autograder.assignment import Limits
from autograder.grading.engine import Engine, NotIsolatedError
from autograder.grading.plugin import ChecksError
from autograder.grading.report import CheckResult, Report, Status
from autograder.intake import Submission
from autograder.sandbox.jail import LAYERS, ON

from ..threat_marks import marked
from .conftest import CHECKS, SHOP, Course, check_of, unit_of

NO_ISOLATION = tuple(layer for layer in LAYERS if layer not in ("uid", "landlock"))


def statuses(report: Report) -> list[Status]:
    return [unit.status for unit in report.units]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- isolation ------------------------------------------------------------------------------------------------------


def test_a_machine_without_isolation_is_refused(course: Course) -> None:
    with pytest.raises(NotIsolatedError, match="--trust"):
        Engine(course.assignment(), layers=NO_ISOLATION)


def test_trusted_code_is_graded_without_isolation_and_the_report_says_so(course: Course) -> None:
    engine = course.engine(layers=NO_ISOLATION, trust=True)
    report = engine.grade(course.submission(), 1)
    assert report.earned == 9
    assert report.run.layers["uid"] == report.run.layers["landlock"] == "switched off"
    assert report.run.layers["environment"] == ON


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="a user of its own needs root")
def test_one_isolating_layer_is_enough(course: Course) -> None:
    engine = course.engine(layers=(*NO_ISOLATION, "uid"))
    assert engine.layers["uid"] == ON
    assert engine.layers["landlock"] == "switched off"


@pytest.mark.threat(2)
def test_a_submission_finds_neither_the_masters_nor_the_checks(course: Course) -> None:
    engine = course.engine()
    folder = engine.assignment.folder
    peeking = f"import os\n\nfor path in ({str(folder)!r}, {str(engine.assignment.checks)!r}):\n    os.listdir(path)\n"
    report = engine.grade(course.submission({"shop.py": peeking + SHOP}), 1)
    assert statuses(report) == [Status.FAILED, Status.SKIPPED, Status.PASSED]
    assert "PermissionError" in check_of(report, "total").message


PEEKING = """
import gc
import sys

found = [name for name in sys.modules if "checks" in name or name in ("till", "test_all")]
found += [type(thing).__name__ for thing in gc.get_objects() if type(thing).__name__ in ("Reference", "Draw")]
print("found", found)
"""


@pytest.mark.threat(1)
def test_the_answers_are_loaded_after_the_sandbox_was_made(course: Course) -> None:
    """In a process of its own: this one has loaded them for other tests."""
    public = CHECKS.replace("@points", "@public\n@points")
    script = f"""
from pathlib import Path

from tests.grading.conftest import Course

course = Course(Path({str(course.folder)!r}))
engine = course.engine({public!r})
report = engine.grade(course.submission({{"shop.py": {PEEKING + SHOP!r}}}), 1)
print(report.units[0].checks[0])
course.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=100)
    assert "printed='found []" in done.stdout


# --- the life of an engine ------------------------------------------------------------------------------------------


def test_an_engine_ends_its_sandbox(course: Course) -> None:
    with Engine(course.assignment()) as engine:
        pid, scratch = engine._zygote.pid, engine._zygote.scratch_root
        assert is_running(pid)
        assert scratch.is_dir()
    assert not is_running(pid)
    assert not scratch.exists()


def test_an_engine_that_cannot_load_the_answers_leaves_nothing_behind(course: Course) -> None:
    assignment = course.assignment()
    (assignment.folder / "shop.py").write_text("raise ValueError('a broken master')\n")
    children = set(_children())
    with pytest.raises(ValueError, match="a broken master"):
        Engine(assignment)
    assert set(_children()) == children


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_one_engine_grades_many_submissions(course: Course) -> None:
    engine = course.engine()
    broken = {"shop.py": "import no_such_package\n"}
    earned = [engine.grade(course.submission(changes), 1).earned for changes in ({}, broken, {}, {"till.py": None}, {})]
    assert earned == [9, 4, 9, 5, 9]


def test_two_engines_live_side_by_side(course: Course) -> None:
    first, second = course.engine(), course.engine(CHECKS.replace("paid - price)", "price - paid)"))
    assert first.grade(course.submission(), 1).earned == 9
    assert second.grade(course.submission(), 1).earned == 5
    assert first.grade(course.submission(), 1).earned == 9


def test_the_environment_of_pytest_does_not_reach_the_checks(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only --no-such-option")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    assert course.grade().earned == 9
    assert os.environ["PYTEST_ADDOPTS"] == "--collect-only --no-such-option"
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ


@pytest.mark.threat(10)
def test_a_conftest_or_a_setting_beside_the_checks_does_not_matter(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError\n")
    monkeypatch.chdir(tmp_path)
    assert course.grade().earned == 9


def test_errors_of_the_checks_are_raised_every_time(course: Course) -> None:
    engine = course.engine(CHECKS.replace("shop.mean", "shop.median"))
    for _ in range(2):
        with pytest.raises(ChecksError, match=r"shop\.median"):
            engine.grade(course.submission(), 1)


# --- a report always comes ------------------------------------------------------------------------------------------


def test_results_are_told_while_they_come(course: Course) -> None:
    seen: list[CheckResult] = []
    report = course.grade(on_result=seen.append)
    assert seen == [check for unit in report.units for check in unit.checks]


def test_the_report_says_how_it_was_graded(course: Course) -> None:
    report = course.grade(seed=12345)
    assert report.run.seed == 12345
    assert report.run.seconds > 0
    assert report.run.started.endswith("+00:00")
    assert report.run.torch.startswith("2.")
    assert set(report.run.layers) == set(LAYERS)
    assert report.run.problem == ""
    assert (report.assignment, report.title, report.language) == ("small", "A small assignment", "en")
    assert report.submission.name == "submission"
    assert report.submission.files == ["shop.py", "till.py"]


def test_a_refused_submission_gets_a_report_with_the_reason(course: Course) -> None:
    refused = Submission("work.rar", "0" * 64, missing=["shop.py", "till.py"], refusal="work.rar is not a zip.")
    report = course.engine().grade(refused, 1)
    assert statuses(report) == 3 * [Status.SKIPPED]
    assert report.earned == 0
    assert report.submission.refusal == "work.rar is not a zip."


DEEDS = {
    "exit": "exit()",
    "os._exit": "import os\nos._exit(0)",
    "SystemExit": "raise SystemExit(3)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "BaseException": "raise BaseException",
    "an exception without words": "class Odd(Exception):\n    def __str__(self):\n        return 1 / 0\nraise Odd",
    "killing itself": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "stopping itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "a segmentation fault": "import ctypes\nctypes.string_at(0)",
    "endless recursion": "return total(prices)",
    "a large list": "return [0] * 10**12",
    "a large tensor": "return torch.zeros(10**12)",
    "a list in itself": "found = []\nfound.append(found)\nreturn found",
    "closing the channel": "import os\nos.closerange(3, 60)\nreturn prices.sum()",
    "writing to the channel": """
        import os
        for descriptor in range(3, 60):
            try:
                os.write(descriptor, b"GLW1" + bytes(60))
            except OSError:
                pass
        """,
    "endless printing": "while True:\n    print('x' * 10**6)",
    "an odd object": "return type('Odd', (), {'__getattr__': lambda s, n: 1 / 0, '__repr__': lambda s: 1 / 0})()",
    "a subclass of the tensor, of another shape": "return type('Odd', (torch.Tensor,), {})(torch.ones(3))",
    "a function": "return lambda: 1",
    "a number beyond all floats": "return 10**400",
    "a long double": "import numpy\nreturn numpy.ones((), dtype=numpy.longdouble)",
}


@pytest.mark.parametrize(
    "name",
    marked(
        DEEDS,
        {
            5: ["exit", "os._exit", "SystemExit", "killing itself", "a segmentation fault"],
            8: ["a subclass of the tensor, of another shape", "an odd object"],
            11: ["writing to the channel"],
            12: ["closing the channel", "writing to the channel"],
            21: ["stopping itself"],
            24: ["a large list", "a large tensor"],
            26: ["endless printing"],
        },
    ),
)
def test_whatever_a_function_does_its_check_fails_and_the_others_run(course: Course, name: str) -> None:
    body = textwrap.indent(textwrap.dedent(DEEDS[name]).strip(), "    ").lstrip()
    limits = Limits(call_seconds=2, output_max_mb=1)
    report = course.grade(changes={"shop.py": SHOP.replace("return prices.sum()", body)}, limits=limits)
    assert check_of(report, "total").status is Status.FAILED
    assert check_of(report, "total").message.startswith(("Got: ", "Expected: "))
    assert unit_of(report, "till.change").earned == 4
    assert report.run.problem == ""


# --- the sandbox is lost --------------------------------------------------------------------------------------------


def test_a_sandbox_that_is_lost_between_checks_leaves_a_report(course: Course) -> None:
    engine = course.engine()

    def lose(result: CheckResult) -> None:
        if result.name == "total":
            os.kill(engine._zygote.pid, signal.SIGKILL)
            os.waitid(os.P_PID, engine._zygote.pid, os.WEXITED | os.WNOWAIT)

    report = engine.grade(course.submission(), 1, on_result=lose)
    assert statuses(report) == [Status.PASSED, Status.UNGRADABLE, Status.UNGRADABLE]
    assert check_of(report, "mean").message == "The grader could not run this check; your instructor can see why."
    assert "test_mean: the sandbox" in report.run.problem
    assert report.earned == 2
    assert report.ungradable_points == 7


def test_a_sandbox_that_is_lost_during_a_check_leaves_a_report(course: Course) -> None:
    engine = course.engine()
    threading.Timer(0.7, os.kill, (engine._zygote.pid, signal.SIGKILL)).start()
    slow = {"shop.py": SHOP.replace("return prices.sum()", "import time; time.sleep(2)\n    return prices.sum()")}
    report = engine.grade(course.submission(slow), 1)
    assert statuses(report) == 3 * [Status.UNGRADABLE]
    assert report.earned == 0
    assert report.run.problem != ""

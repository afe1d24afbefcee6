"""Records done with a student's modules: what passes, and what a student reads otherwise."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from autograder.sandbox.probes import Probe
from autograder.student.failures import failure
from autograder.student.records import PublicCheck, as_tensor

NUMBERS = itertools.count()
TENSORS = {
    "x": np.array([[1.0, 2.0], [3.0, 5.0]], np.float32),
    "mean": np.array([1.5, 4.0], np.float32),
    "zero": np.zeros(2, np.float32),
    "one": np.ones(2, np.float32),
}
MEAN = """
def mean(x):
    return x.mean(1)
"""


class Counter(Probe):
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def step(self, t: int) -> int:
        self.calls.append(t)
        return t + 1


PROBES: Any = SimpleNamespace(Counter=Counter)
Says = Callable[..., str]


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """What a student reads whose file has this text: `says(text, *steps)`; WORK in a step is the file's module."""
    monkeypatch.syspath_prepend(tmp_path)

    def run(text: str, *steps: dict[str, Any], function: str = "mean", probes: Any = ()) -> str:
        module = f"work_{next(NUMBERS)}"
        (tmp_path / f"{module}.py").write_text(text, "utf-8")
        named = [_with_module(step, module) for step in steps]
        check = PublicCheck("1.2", "a title", function, f"{module}.py", list(probes), named, TENSORS)
        return failure(check, PROBES, tmp_path, [f"{module}.py"]).replace(module, "work")

    return run


def _with_module(item: Any, module: str) -> Any:
    if isinstance(item, dict):
        return {key: _with_module(part, module) for key, part in item.items()}
    if isinstance(item, list):
        return [_with_module(part, module) for part in item]
    return module if item == "WORK" else item


def call(name: str = "mean", *args: Any, gives: int = 0, **more: Any) -> dict[str, Any]:
    target = {"module": "WORK", "path": [name]}
    return {
        "do": "call",
        "target": target,
        "args": list(args or [{"tensor": "x"}]),
        "kwargs": {},
        "gives": gives,
        **more,
    }


def demand(to: str, *at: Any, of: int = 0, kind: str = "value", **demands: Any) -> dict[str, Any]:
    value = {"result": of, "at": [kind, *at]}
    return {"do": "expect", "value": value, "what": "the mean", "to": to, "demands": demands}


CLOSE = demand("close_to", expected={"tensor": "mean"}, shape="(batch,)")


def test_a_right_function_passes(says: Says) -> None:
    assert says(MEAN, call(), CLOSE) == ""


def test_a_wrong_value_has_a_message_without_value_and_without_hint(says: Says) -> None:
    assert says("def mean(x):\n    return x.sum(1)\n", call(), CLOSE) == (
        "Expected: the right values for the mean.\nGot: the shape (2,) is right, but 2 of 2 values are not."
    )


def test_a_wrong_shape_has_three_parts(says: Says) -> None:
    assert says("def mean(x):\n    return x.mean()\n", call(), CLOSE) == (
        "Expected: the mean has the shape (2,) = (batch,).\nGot: the shape ().\n"
        "Hint: everything was summed or averaged into one number."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "def mean(x):\n    raise NotImplementedError('question 1.2: mean')\n",
            "question 1.2: mean: not implemented yet",
        ),
        (
            "def mean(x):\n    return total(x) / 2\n\n\ndef total(x):\n    raise NotImplementedError\n",
            "question 1.2: mean needs total, which is not implemented yet",
        ),
        ("raise NotImplementedError('question 1.1')\n", "question 1.2: mean: not implemented yet"),
    ],
)
def test_what_is_not_implemented_is_one_line(says: Says, text: str, said: str) -> None:
    assert says(text, call(), CLOSE) == said


def test_an_error_comes_with_the_students_own_line(says: Says) -> None:
    assert says("def mean(x):\n    y = x @ x[:, :1].T\n    return y\n", call(), CLOSE).splitlines()[1:] == [
        "work.py, line 2, in mean",
        "    y = x @ x[:, :1].T",
    ]


def test_a_call_that_does_not_fit_says_so(says: Says) -> None:
    said = says("def mean(x, axis):\n    return x.mean(axis)\n", call(), CLOSE)
    assert said == "Got: your code raised TypeError: mean() missing 1 required positional argument: 'axis'."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def mean(x)\n    return 1\n", "work.py cannot be imported: line 1 raises SyntaxError: expected ':'"),
        ("import math\n1 / 0\n", "work.py cannot be imported: line 2 raises ZeroDivisionError: division by zero"),
        ("import no_such_thing\n", "work.py cannot be imported: line 1 raises ModuleNotFoundError: No module named"),
        ("import sys\nsys.exit(2)\n", "work.py cannot be imported: line 2 raises SystemExit: 2"),
    ],
)
def test_a_file_that_does_not_import_is_one_sentence(says: Says, text: str, said: str) -> None:
    found = says(text, call(), CLOSE)
    assert found.startswith(said)
    assert "\n" not in found


def test_a_function_or_a_file_that_is_not_there_is_named(says: Says, tmp_path: Path) -> None:
    assert says("", call(), CLOSE) == "Got: work.py has no mean."
    check = PublicCheck("1", "title", "mean", "gone.py", [], [], {})
    assert failure(check, PROBES, tmp_path, ["gone.py"]) == "gone.py is not in this folder."


def test_arguments_that_are_changed_in_place_are_named_and_change_nothing_else(says: Says) -> None:
    said = says("def mean(x):\n    x *= 0\n    return x[0]\n", call(), CLOSE)
    assert said.startswith("Expected: mean leaves its arguments as they are.\nGot: the values of x were changed")
    assert as_tensor(TENSORS["x"]).tolist() == [[1.0, 2.0], [3.0, 5.0]]


class TestGradients:
    ASKED = call(wrt=["0"])
    JUDGED = demand("close_to", [0, 1], kind="grads", expected=0.5, or_shapes=[{"tuple": [2, 2]}])

    def test_are_judged(self, says: Says) -> None:
        assert says(MEAN, self.ASKED, self.JUDGED) == ""

    def test_that_are_missing_are_told(self, says: Says) -> None:
        said = says("def mean(x):\n    return x.detach().mean(1)\n", self.ASKED, self.JUDGED)
        assert said.startswith("Expected: a result of mean through which gradients flow back")
        assert "look for .detach()" in said


class TestSeveralValues:
    FIRST = demand("tensor", [0, 2], shape={"tuple": [2]})

    def test_are_taken_apart(self, says: Says) -> None:
        assert says("def mean(x):\n    return x.mean(1), x\n", call(), self.FIRST) == ""

    @pytest.mark.parametrize(("result", "got"), [("x", "something"), ("(x, x, x)", "3 values."), ("None", "some")])
    def test_that_are_not_so_many_are_told(self, says: Says, result: str, got: str) -> None:
        said = says(f"def mean(x):\n    return {result}\n", call(), self.FIRST)
        assert said.startswith(f"Expected: mean gives 2 values.\nGot: {got}")


class TestStandIns:
    STEPS = (
        call("run", {"probe": 0}),
        {"do": "fetch", "target": {"probe": 0, "path": ["calls"]}, "gives": 1},
        demand("equal_to", [-1], of=1, expected=4),
    )
    MADE = ({"class": "Counter", "args": [], "kwargs": {}},)

    @pytest.mark.parametrize("times", ["4", "2, 4"])
    def test_remember_their_last_call(self, says: Says, times: str) -> None:
        text = f"def run(counter):\n    return [counter.step(t) for t in ({times},)]\n"
        assert says(text, *self.STEPS, probes=self.MADE) == ""

    def test_that_are_never_called_are_told(self, says: Says) -> None:
        said = says("def run(counter):\n    return 4\n", *self.STEPS, probes=self.MADE)
        assert said == "Expected: your code calls what it was given (Counter).\nGot: it is never called."


def test_objects_of_the_student_stay_what_they_are(says: Says) -> None:
    steps = [
        call("Walk", 3),
        {"do": "assign", "target": {"result": 0, "at": ["value"], "path": ["stride"]}, "value": 2},
        {"do": "call", "target": {"result": 0, "at": ["value"], "path": ["far"]}, "args": [], "kwargs": {}, "gives": 1},
        demand("equal_to", of=1, expected=6),
    ]
    walk = "class Walk:\n    def __init__(self, n):\n        self.n = n\n\n    def far(self):\n        return {}\n"
    assert says(walk.format("self.n * self.stride"), *steps) == ""
    assert says(walk.format("self.n"), *steps) == "Expected: the right the mean.\nGot: another the mean."


def test_what_is_assigned_to_a_module_is_as_before_afterwards(says: Says) -> None:
    assign = {"do": "assign", "target": {"module": "WORK", "path": ["SIZE"]}, "value": 7}
    read = demand("equal_to", of=1, expected=7)
    fetch = {"do": "fetch", "target": {"module": "WORK", "path": ["SIZE"]}, "gives": 1}
    text = "SIZE = 5\n"
    assert says(text, assign, fetch, read) == ""
    assert sys.modules[f"work_{next(NUMBERS) - 1}"].SIZE == 5


def test_random_results_are_the_same_every_time(says: Says) -> None:
    text = "import torch\n\n\ndef mean(x):\n    return torch.rand(2)\n"
    torch.manual_seed(0)
    same = demand("close_to", expected={"tuple": torch.rand(2).tolist()})
    torch.manual_seed(1)
    assert says(text, call(), same) == ""
    assert says(text, call(), call(gives=1), demand("close_to", expected={"result": 1, "at": ["value"]})) != ""


def test_normal_samples_are_judged_by_their_moments(says: Says) -> None:
    text = "import torch\n\n\ndef mean(x):\n    return torch.randn(2, 4000) * {}\n"
    judged = demand("normal", mean={"tensor": "zero"}, std={"tensor": "one"})
    assert says(text.format(1), call(), judged) == ""
    assert says(text.format(2), call(), judged).startswith("Expected: the right values for the standard deviation")


def test_a_file_is_imported_where_it_lies_and_called_elsewhere(
    says: Says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / "scale.txt").write_text("0.5", "utf-8")
    text = (
        "SCALE = float(open('scale.txt').read())\n\n\ndef mean(x):\n    open('made.txt', 'w').close()\n"
        "    return x.sum(1) * SCALE\n"
    )
    assert says(text, call(), CLOSE) == ""
    assert (elsewhere / "made.txt").exists()
    assert Path(os.getcwd()) == elsewhere

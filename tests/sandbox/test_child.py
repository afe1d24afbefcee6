"""The child's side of a call: what it operates on, what it says of an error, which gradients it takes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autograder.sandbox.calling import gradient_inputs, gradients
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import Remote, assign, fetch, parameter_names
from autograder.sandbox.wire import Opaque

from .conftest import Room


def raised(room: Room, source: str, *args: Any) -> SubmissionRaised:
    """The exception of `f` in `source`."""
    with pytest.raises(SubmissionRaised) as caught:
        room.call(source, *args)
    return caught.value


class TestErrors:
    def test_own_lines_and_the_librarys_text(self, room: Room) -> None:
        source = "import torch\ndef inner(x):\n    return x @ torch.ones(5, 2)\ndef f(x):\n    return inner(x)\n"
        error = raised(room, source, torch.ones(2, 3))
        assert error.type == "RuntimeError"
        assert "cannot be multiplied" in error.message
        assert "2x3" in error.message
        assert not error.own
        assert [(line.file, line.number, line.function, line.text) for line in error.lines] == [
            ("work.py", 5, "f", "return inner(x)"),
            ("work.py", 3, "inner", "return x @ torch.ones(5, 2)"),
        ]

    def test_lines_of_libraries_are_left_out(self, room: Room) -> None:
        source = """
import torch
class Net(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.linear(x, torch.ones(7, 7))
def f(x):
    return torch.nn.Sequential(torch.nn.ReLU(), Net())(x)
"""
        error = raised(room, source, torch.ones(1, 3))
        assert [line.function for line in error.lines] == ["f", "Net.forward"]
        assert {line.file for line in error.lines} == {"work.py"}

    @pytest.mark.parametrize(
        "body",
        [
            "from torch import nothing_of_this_name",
            "open('images/none.txt')",
            "import os; open(os.path.abspath('none.txt'))",
            "import torch; torch.load('none.pt')",
            "import numpy; numpy.load('/none.npy')",
        ],
    )
    def test_no_text_names_a_folder_of_this_machine(self, room: Room, body: str) -> None:
        error = raised(room, f"def f():\n    {body}")
        assert error.message
        text = str(error) + "".join(map(str, error.lines)).replace(body, "")
        for folder in ("site-packages", "/lib/", "/tmp", "/root", "/home", "genlab"):
            assert folder not in text

    @pytest.mark.threat(16)
    @pytest.mark.parametrize(
        "body",
        [
            "raise ValueError(f'the input is {x}')",
            "if x: raise ValueError(f'the input is {x}')",
            "a = 1; raise ValueError(x)",
            "raise ValueError(\n        'the input is '\n        + str(x)\n    )",
            "assert x is None, f'the input is {x}'",
            "error = RuntimeError(x); raise error from None",
            "try:\n        1 / 0\n    except ZeroDivisionError as error:\n        raise KeyError(x) from error",
            "import sys; sys.exit(f'the input is {x}')",
            "raise type('Own', (Exception,), {})(x)",
            "list(map(inner, [x]))",
        ],
    )
    def test_the_text_of_an_own_raise_is_not_told(self, room: Room, body: str) -> None:
        source = f"def inner(x):\n    raise ValueError(x)\ndef f(x):\n    {body}"
        error = raised(room, source, "hidden-7193")
        assert error.own
        assert error.message == ""
        assert "hidden-7193" not in str(error) + "".join(map(str, error.lines))
        assert error.lines

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("return {}['key']", "'key'"),
            ("return 1 / 0", "division by zero"),
            ("import not_installed_anywhere", "No module named 'not_installed_anywhere'"),
            ("try:\n        return int('x')\n    except ValueError:\n        raise", "invalid literal"),
            ("return (1).missing", "has no attribute 'missing'"),
        ],
    )
    def test_the_text_of_any_other_is(self, room: Room, body: str, message: str) -> None:
        error = raised(room, f"def f():\n    {body}")
        assert not error.own
        assert message in error.message

    def test_a_stub(self, room: Room) -> None:
        error = raised(room, "def f():\n    raise NotImplementedError('the course wrote this')")
        assert (error.type, error.message, error.lines[-1].function) == ("NotImplementedError", "", "f")

    def test_endless_recursion(self, room: Room) -> None:
        error = raised(room, "def f(): return f()")
        assert error.type == "RecursionError"
        assert len(error.lines) == 6

    @pytest.mark.threat(9, 60)
    @pytest.mark.parametrize(
        "text", ["raise RuntimeError('again')", "import os; os.listdir(3)", "return 7", "return 'x' * 10**6"]
    )
    def test_an_exception_with_a_will_of_its_own(self, room: Room, text: str) -> None:
        source = (
            f"class Odd(Exception):\n    def __str__(self):\n        {text}\ndef f():\n    (_ for _ in ()).throw(Odd)"
        )
        error = raised(room, source)
        assert error.type == "Odd"
        assert len(error.message) <= 2000

    def test_the_search_path_may_hold_anything(self, room: Room) -> None:
        source = "import pathlib, sys\nsys.path += [pathlib.Path('/data'), 3]\ndef f():\n    return 1 / 0"
        assert raised(room, source).message == "division by zero"

    @pytest.mark.parametrize("name", ["KeyboardInterrupt", "GeneratorExit", "BaseException", "StopIteration"])
    def test_exceptions_that_programs_do_not_catch(self, room: Room, name: str) -> None:
        assert raised(room, f"def f():\n    raise {name}").type == name

    @pytest.mark.threat(56)
    def test_syntax_errors(self, room: Room) -> None:
        student = room.student({"work.py": "import broken", "broken.py": "x = 1\nif x\n    y = 2\n"})
        with pytest.raises(SubmissionRaised) as caught:
            _ = student.work
        assert caught.value.type == "SyntaxError"
        assert caught.value.importing == "work"
        assert not caught.value.own
        places = [(line.file, line.number, line.text) for line in caught.value.lines]
        assert places == [("work.py", 1, "import broken"), ("broken.py", 2, "if x")]

    @pytest.mark.threat(56)
    def test_mixed_tabs(self, room: Room) -> None:
        with pytest.raises(SubmissionRaised) as caught:
            _ = room.student("def f():\n        x = 1\n\treturn x\n").work
        assert caught.value.type == "TabError"
        assert caught.value.lines[-1].number == 3


class TestOperations:
    SOURCE = """
import torch
class Net(torch.nn.Module):
    count = 0
    def __init__(self, size, *, bias=True):
        super().__init__()
        self.layer = torch.nn.Linear(size, 1, bias=bias)
        self.inner = None
    def forward(self, x, scale=1.0):
        return scale * self.layer(x)
    @property
    def size(self):
        return self.layer.in_features
    def make(self):
        return {"nets": [self, Net(2)], "f": self.forward}
def use(net, x):
    return net(x)
def both(nets):
    return [net.size for net in nets]
def adder(n):
    return lambda x: x + n
def numbers():
    yield 1
def plain(a, b=1, /, c=2, *rest, d, e=3, **options): ...
limit = 10
"""

    def test_attributes_of_modules_and_objects(self, room: Room) -> None:
        student = room.student(self.SOURCE)
        net = student.work.Net(3, bias=False)
        assert fetch(student.work.limit) == 10
        assert fetch(net.size) == 3
        assert fetch(net.layer.weight).shape == (1, 3)
        assert fetch(net.layer.weight).requires_grad
        assert fetch(net.layer.bias) is None
        assert fetch(net.training) is True
        net.eval()
        assert fetch(net.training) is False

    def test_assignments(self, room: Room) -> None:
        student = room.student(self.SOURCE)
        net = student.work.Net(2)
        assign(student.work.limit, [1, torch.ones(1)])
        assert fetch(student.work.limit) == [1, torch.ones(1)]
        assign(net.layer.weight.data, torch.ones(1, 2))
        assign(net.layer.bias.data, torch.zeros(1))
        assert float(net(torch.ones(1, 2), scale=2.0).detach()) == 4.0
        other = student.work.Net(5)
        assign(net.inner, other)
        assert fetch(net.inner.size) == 5
        with pytest.raises(SubmissionRaised, match="AttributeError"):
            assign(net.nothing.deeper, 1)

    def test_objects_stay_and_can_be_handed_back(self, room: Room) -> None:
        student = room.student(self.SOURCE)
        net = student.work.Net(2)
        assert isinstance(net, Remote)
        assert repr(net) == "<Net of the submission>"
        made = net.make()
        assert isinstance(made["f"], Remote)
        assert student.work.both(made["nets"]) == [2, 2]
        x = torch.ones(1, 2)
        assert torch.equal(student.work.use(made["nets"][0], x), made["f"](x))
        assert student.work.both([net, student.work.Net(7)]) == [2, 7]

    def test_functions_that_return_functions(self, room: Room) -> None:
        assert room.student(self.SOURCE).work.adder(4)(3) == 7

    def test_what_is_neither_a_value_nor_an_object_of_interest(self, room: Room) -> None:
        assert room.student(self.SOURCE).work.numbers() == Opaque("generator")

    def test_signatures(self, room: Room) -> None:
        student = room.student(self.SOURCE)
        assert parameter_names(student.work.plain) == (["a", "b", "c", "d", "e"], ["a", "d"])
        assert parameter_names(student.work.Net) == (["size", "bias"], ["size"])
        assert parameter_names(student.work.Net(1).forward) == (["x", "scale"], ["x"])
        with pytest.raises(SubmissionRaised, match="TypeError"):
            parameter_names(student.work.limit)

    def test_missing_names(self, room: Room) -> None:
        student = room.student(self.SOURCE)
        with pytest.raises(SubmissionRaised, match="module 'work' has no attribute 'nothing'"):
            student.work.nothing(1)
        with pytest.raises(SubmissionRaised, match="ModuleNotFoundError: No module named 'other'") as caught:
            _ = student.other
        assert caught.value.importing == "other"


class TestGradients:
    def test_weighted_by_the_cotangent(self) -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        weights = torch.tensor([3.0, 5.0], dtype=torch.float64)
        found = gradients(x**2, [x], weights)
        assert found is not None
        assert found[0].tolist() == [6.0, 20.0]

    def test_of_what_it_does_not_depend_on(self) -> None:
        x, y = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
        found = gradients(x.sum(), [x, y], None)
        assert found is not None
        assert [grad.tolist() for grad in found] == [[1, 1], [0, 0, 0]]

    @pytest.mark.parametrize("value", [None, 1.0, "x", torch.ones(2), [torch.ones(2, requires_grad=True)]])
    def test_of_what_carries_none(self, value: Any) -> None:
        assert gradients(value, [torch.ones(1, requires_grad=True)], None) is None

    def test_inputs(self) -> None:
        x, layer = torch.ones(2), torch.nn.Linear(2, 1)
        found = gradient_inputs([x, layer])
        assert found[0] is x
        assert x.requires_grad
        assert found[1:] == [layer.weight, layer.bias]

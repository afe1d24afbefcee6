"""`student.module.function(...)` reads like a local call, also where it takes gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autograder.sandbox.errors import BadAnswer, SubmissionRaised
from autograder.sandbox.modules import SourceFinder
from autograder.sandbox.proxy import Remote, Student, fetch, parameter_names, value_and_gradients
from autograder.sandbox.wire import Ref

from .conftest import Room

SOURCE = """
import torch
scale = torch.nn.Parameter(torch.tensor(2.0))
def product(x, y, *, weight=1.0):
    return weight * x * y.sum()
def losses(x, steps):
    return {"loss": (x ** 2).sum(), "steps": steps}
def constant(x):
    return torch.ones(2)
def detached(x):
    return (x * 2).detach()
def whole(x):
    return x.sum() * 0 + 3
class Pair:
    def __init__(self, left):
        self.left = left
    def both(self):
        return [self, {"me": self, "t": (self,)}, 1]
"""


@pytest.fixture
def local() -> Any:
    """The same functions in this process."""
    finder = SourceFinder({"gl_work.py": SOURCE})
    finder.install()
    import gl_work  # type: ignore[import-not-found]

    yield gl_work
    finder.uninstall()


class TestStudent:
    def test_starts_at_the_first_use(self, room: Room) -> None:
        starts: list[int] = []

        def start() -> Any:
            starts.append(1)
            return room.session(SOURCE)

        student = Student(start)
        assert not student.started
        assert not hasattr(student, "_private")
        assert not hasattr(student, "__array__")
        student.close()
        assert starts == []
        assert student.work.constant(1).tolist() == [1, 1]
        assert student.work.constant(1).tolist() == [1, 1]
        assert (starts, student.started) == ([1], True)
        student.close()
        assert student.session.exit is not None

    def test_an_import_happens_once(self, room: Room) -> None:
        student = room.student(
            "import random\ndrawn = random.random()\ncount = []\ndef f():\n    count.append(1)\n    return len(count)"
        )
        assert [student.work.f(), student.work.f(), student.work.f()] == [1, 2, 3]


class TestRemote:
    def test_names_a_path(self, room: Room) -> None:
        remote = room.student(SOURCE).work.Pair.both
        assert isinstance(remote, Remote)
        assert remote.__genlab_ref__() == Ref({"module": "work"}, ("Pair", "both"))
        assert repr(remote) == "<Pair.both of the submission>"

    def test_special_names_stay_local(self, room: Room) -> None:
        remote = room.student(SOURCE).work.product
        for name in ("__array__", "__len__", "__torch_function__", "__iter__"):
            with pytest.raises(AttributeError):
                getattr(remote, name)

    def test_objects_inside_answers(self, room: Room) -> None:
        pair = room.student(SOURCE).work.Pair(left=4)
        me, rest, number = pair.both()
        assert number == 1
        assert type(rest["t"]) is tuple
        for found in (me, rest["me"], rest["t"][0]):
            assert repr(found) == "<Pair of the submission>"
            assert fetch(found.left) == 4


class TestGradients:
    @pytest.mark.parametrize("wrt", [(0,), (1,), (0, 1), (1, 0)])
    @pytest.mark.parametrize("weights", [None, torch.tensor([1.0, -2.0, 0.5])])
    def test_remote_equals_local(self, room: Room, local: Any, wrt: tuple[int, ...], weights: Any) -> None:
        x, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 4.0])
        remote = room.student(SOURCE).work.product
        found, grads = value_and_gradients(remote, x, y, wrt=wrt, cotangent=weights, weight=3.0)
        wanted, own = value_and_gradients(local.product, x, y, wrt=wrt, cotangent=weights, weight=3.0)
        assert torch.equal(found.detach(), wanted)
        assert grads is not None
        assert own is not None
        assert len(grads) == len(own) == len(wrt)
        assert all(map(torch.equal, grads, own))
        assert not x.requires_grad
        assert not y.requires_grad

    def test_keyword_arguments(self, room: Room, local: Any) -> None:
        arguments = {"x": torch.ones(2), "y": torch.ones(3), "weight": torch.tensor(2.0)}
        for function in (room.student(SOURCE).work.product, local.product):
            value, grads = value_and_gradients(function, **arguments, wrt=("weight", "x"))
            assert value.tolist() == [6.0, 6.0]
            assert [grad.tolist() for grad in grads or []] == [6.0, [6.0, 6.0]]

    def test_none_where_the_value_carries_none(self, room: Room, local: Any) -> None:
        student = room.student(SOURCE)
        for name in ("constant", "detached"):
            assert value_and_gradients(getattr(student.work, name), torch.ones(2))[1] is None
            assert value_and_gradients(getattr(local, name), torch.ones(2))[1] is None
        value, grads = value_and_gradients(student.work.losses, torch.ones(2), 4)
        assert value["steps"] == 4
        assert grads is None

    def test_zero_where_the_value_does_not_depend_on_it(self, room: Room) -> None:
        _, grads = value_and_gradients(room.student(SOURCE).work.product, torch.ones(2), torch.zeros(1))
        assert grads is not None
        assert grads[0].tolist() == [0, 0]

    def test_of_parameters_that_stay_in_the_child(self, room: Room) -> None:
        source = "import torch\nnet = torch.nn.Linear(2, 1, bias=False)\ndef f(x): return net(x)"
        student = room.student(source)
        _, grads = value_and_gradients(student.work.f, torch.tensor([[3.0, 4.0]]), wrt=(student.work.net,))
        assert grads is not None
        assert grads[0].tolist() == [[3.0, 4.0]]

    def test_arguments_that_do_not_fit(self, room: Room) -> None:
        with pytest.raises(SubmissionRaised, match="TypeError"):
            value_and_gradients(room.student(SOURCE).work.product, torch.ones(1), wrt=(0,))


@pytest.mark.threat(11, 12)
class TestForgedAnswers:
    SOURCE = """
import os, sys
def forge(answer):
    from autograder.sandbox import wire
    for descriptor in range(3, 256):
        try:
            os.write(descriptor, wire.encode(answer))
        except OSError:
            continue
    os._exit(0)
"""

    @pytest.mark.parametrize("grads", ["text", 3, [1], [None], {"a": 1}, [[]]])
    def test_gradients_are_tensors_or_nothing(self, room: Room, grads: Any) -> None:
        forge = room.student(self.SOURCE).work.forge
        with pytest.raises(BadAnswer):
            value_and_gradients(forge, {"value": 1, "grads": grads}, wrt=())

    @pytest.mark.parametrize("value", [None, 3, [], {}, {"names": "ab", "required": []}, {"names": []}])
    def test_names_are_lists(self, room: Room, value: Any) -> None:
        late = """
class Late:
    def __call__(self): ...
    @property
    def __signature__(self):
        forge({"value": VALUE})
late = Late()
"""
        student = room.student(self.SOURCE + late.replace("VALUE", repr(value)))
        with pytest.raises(BadAnswer):
            parameter_names(student.work.late)

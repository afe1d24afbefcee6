"""Probes: made twice from the same arguments, and read back from the child."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autograder.sandbox.modules import SourceFinder
from autograder.sandbox.probes import Probe, snapshot
from autograder.sandbox.proxy import fetch, value_and_gradients

from .conftest import Room

PROBES = """
import torch
from torch import nn
from autograder.sandbox.probes import Probe, snapshot

class Net(Probe, nn.Module):
    def __init__(self, gain, *, shift=0.0):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.shift = shift
        self.calls = []

    def forward(self, x, t):
        self.calls.append({"x": snapshot(x), "t": snapshot(t), "grad": torch.is_grad_enabled()})
        return self.gain * x + self.shift

class Settings(Probe, dict):
    def __init__(self, **values):
        super().__init__(values)
    def __getattr__(self, name):
        if name in self:
            return self[name]
        raise AttributeError(name)

class Table(Probe):
    def __init__(self, rows, scale):
        self.rows, self.scale = rows, scale
    def scaled(self):
        return self.rows * self.scale
"""
SOURCE = """
import torch
def step(net, x):
    return net(x, torch.zeros(2)) + net(x, 3)
def change(net, x):
    net.shift = 5.0
    return net(x, 0)
def read(settings):
    return settings.steps, settings["rate"], isinstance(settings, dict)
def rows(table):
    return table.scaled()
def same(a, b):
    return a is b
"""


@pytest.fixture
def probes() -> Any:
    """The probes' classes on the grader's side."""
    finder = SourceFinder({"gl_probes.py": PROBES})
    finder.install()
    import gl_probes  # type: ignore[import-not-found]

    yield gl_probes
    finder.uninstall()


def test_remembers_how_it_was_made(probes: Any) -> None:
    first, second = probes.Net(2.0, shift=1.0), probes.Net(2.0)
    assert first.probe_spec == ("Net", [2.0], {"shift": 1.0})
    assert second.probe_spec == ("Net", [2.0], {})
    assert first.probe_key != second.probe_key
    assert isinstance(first, Probe)


def test_snapshots_are_copies() -> None:
    tensor = torch.ones(2, requires_grad=True)
    items = [tensor * 2, (1, tensor), "x", None, object(), {"a": 1}]
    copy = snapshot(items)
    with torch.no_grad():
        tensor.zero_()
        items[0].zero_()  # type: ignore[attr-defined]
    assert torch.equal(copy[0], torch.full((2,), 2.0))
    assert not copy[0].requires_grad
    assert torch.equal(copy[1][1], torch.ones(2))
    assert copy[1][0] == 1
    assert copy[2:] == ["x", None, "object", "dict"]


class TestInAChild:
    def test_the_child_makes_its_own_and_records(self, room: Room, probes: Any) -> None:
        student = room.student(SOURCE, probes=PROBES)
        net, x = probes.Net(2.0, shift=1.0), torch.arange(3.0)
        assert torch.equal(student.work.step(net, x).detach(), 4 * x + 2)
        assert net.calls == []
        calls = fetch(student.copy_of(net).calls)
        assert len(calls) == 2
        assert torch.equal(calls[0]["x"], x)
        assert torch.equal(calls[0]["t"], torch.zeros(2))
        assert calls[1]["t"] == 3
        assert calls[0]["grad"] is True

    def test_one_probe_is_one_object_there(self, room: Room, probes: Any) -> None:
        student = room.student(SOURCE, probes=PROBES)
        net = probes.Net(2.0)
        assert student.work.same(net, net) is True
        assert student.work.same(net, probes.Net(2.0)) is False
        student.work.change(net, torch.ones(1))
        assert fetch(student.copy_of(net).shift) == 5.0
        assert net.shift == 0.0
        assert float(student.work.step(net, torch.ones(1)).detach()) == 14.0

    def test_the_records_of_one_not_used_are_empty(self, room: Room, probes: Any) -> None:
        assert fetch(room.student(SOURCE, probes=PROBES).copy_of(probes.Net(1.0)).calls) == []

    def test_a_probe_that_is_a_dictionary(self, room: Room, probes: Any) -> None:
        settings = probes.Settings(steps=4, rate=0.5)
        assert room.student(SOURCE, probes=PROBES).work.read(settings) == (4, 0.5, True)

    def test_arguments_may_be_tensors(self, room: Room, probes: Any) -> None:
        table = probes.Table(torch.arange(4.0), scale=0.5)
        assert torch.equal(room.student(SOURCE, probes=PROBES).work.rows(table), torch.arange(4.0) / 2)

    def test_gradients_of_its_parameters(self, room: Room, probes: Any) -> None:
        student = room.student(SOURCE, probes=PROBES)
        net, x = probes.Net(2.0), torch.tensor([1.0, 2.0])
        value, grads = value_and_gradients(student.work.step, net, x, wrt=(net, 1))
        finder = SourceFinder({"gl_work.py": SOURCE})
        finder.install()
        import gl_work  # type: ignore[import-not-found]

        finder.uninstall()
        own_value, own_grads = value_and_gradients(gl_work.step, net, x, wrt=(net, 1))
        assert torch.equal(value.detach(), own_value)
        assert grads is not None
        assert own_grads is not None
        assert [grad.tolist() for grad in grads] == [grad.tolist() for grad in own_grads] == [6.0, [4.0, 4.0]]

    def test_a_submission_may_be_as_clever_as_it_likes_with_its_copy(self, room: Room, probes: Any) -> None:
        source = "def f(net, x):\n    net.calls = 'never called'\n    return x"
        student = room.student(source, probes=PROBES)
        net = probes.Net(1.0)
        student.work.f(net, torch.ones(1))
        assert fetch(student.copy_of(net).calls) == "never called"


def test_a_probe_that_is_gone_is_not_mistaken_for_a_later_one() -> None:
    keys = {Probe().probe_key for _ in range(100)}
    assert len(keys) == 100

"""What real submissions do when they are imported does no harm here, and changed arguments are noticed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from autograder.sandbox.calling import unchanged
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.zygote import Zygote

from .conftest import Room, in_fork

NAMES = ("MNIST", "FashionMNIST", "KMNIST", "SVHN", "CIFAR10")


class TestDataSets:
    @pytest.mark.parametrize("name", NAMES)
    def test_are_generated_in_their_own_shape(self, room: Room, name: str) -> None:
        source = """
import torchvision
from torchvision import datasets, transforms
def f(name):
    kind = getattr(datasets, name)
    split = {"split": "train"} if name == "SVHN" else {"train": True}
    data = kind(root="../data", download=True, transform=transforms.ToTensor(), **split)
    image, label = data[5]
    plain = kind("../data")[5][0]
    shifted = kind("../data", target_transform=lambda label: label + 100)[5][1]
    return len(data), image, label, plain.mode, plain.size, shifted, kind.__name__
"""
        size, image, label, mode, pixels, shifted, called = room.call(source, name)
        colour = name in ("SVHN", "CIFAR10")
        side = 32 if colour else 28
        assert size >= 10
        assert image.shape == (3 if colour else 1, side, side)
        assert 0 <= image.min() < image.max() <= 1
        assert (mode, pixels) == ("RGB" if colour else "L", (side, side))
        assert (label, shifted, called) == (5, 105, name)

    def test_are_there_when_the_module_is_imported(self, room: Room) -> None:
        source = """
import torch
from torchvision.datasets import MNIST
from torchvision.transforms import Compose, Lambda, ToTensor
transform = Compose([ToTensor(), Lambda(lambda x: x * 2 - 1)])
loader = torch.utils.data.DataLoader(MNIST("data", train=True, transform=transform), batch_size=8, shuffle=True)
first = next(iter(loader))
def f(): return first[0], first[1].dtype == torch.int64, sum(len(y) for _, y in loader) == len(loader.dataset)
"""
        images, integers, complete = room.call(source)
        assert images.shape == (8, 1, 28, 28)
        assert -1 <= images.min() < 0 < images.max() <= 1
        assert integers
        assert complete


class TestSurroundings:
    @pytest.mark.threat(54)
    def test_nobody_is_asked(self, room: Room) -> None:
        source = "answer = input('Which device? ')\ndef f(): return answer, input()"
        assert room.call(source) == ("", "")

    def test_no_command_line(self, room: Room) -> None:
        source = """
import argparse, sys
parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=7)
options = parser.parse_args()
def f(): return options.steps, len(sys.argv)
"""
        assert room.call(source) == (7, 1)

    @pytest.mark.threat(28)
    def test_one_thread(self, room: Room) -> None:
        assert room.call("import torch\ndef f(): return torch.get_num_threads()") == 1
        assert in_fork(threads_of_a_child) == [2, 1]


def threads_of_a_child() -> list[int]:
    """Threads of this grader and of its child."""
    torch.set_num_threads(2)
    with Zygote() as zygote:
        return [torch.get_num_threads(), Room(zygote).call("import torch\ndef f(): return torch.get_num_threads()")]


class TestFolders:
    SOURCE = """
import os, pathlib
os.makedirs("/content/drive/MyDrive/results", exist_ok=True)
os.makedirs("../results", exist_ok=True)
pathlib.Path("/kaggle/working").mkdir(parents=True, exist_ok=True)
if not os.path.exists("/results"):
    os.mkdir("/results")
os.makedirs("figures/vae", exist_ok=True)
pathlib.Path("figures/ddpm").mkdir()
pathlib.Path("figures/runs/first").mkdir(parents=True)
def f():
    return [os.path.exists(path) for path in ("/content", "../results", "/kaggle", "/results", "figures/vae/.")]
def again():
    os.mkdir("figures")
def inside():
    open("figures/vae/x.txt", "w").write("x")
    return sorted(os.listdir("figures")), os.listdir("figures/vae")
def elsewhere():
    open("/content/x.txt", "w")
"""

    @pytest.mark.threat(54)
    def test_outside_they_are_not_made_and_nobody_is_told(self, room: Room) -> None:
        assert room.call(self.SOURCE) == [False, False, False, False, True]

    def test_inside_they_are(self, room: Room) -> None:
        student = room.student(self.SOURCE)
        assert student.work.inside() == (["ddpm", "runs", "vae"], ["x.txt"])
        with pytest.raises(SubmissionRaised, match="FileExistsError"):
            student.work.again()

    @pytest.mark.threat(3)
    def test_files_outside_are_refused(self, room: Room) -> None:
        with pytest.raises(SubmissionRaised) as caught:
            room.student(self.SOURCE).work.elsewhere()
        assert caught.value.type in ("PermissionError", "FileNotFoundError")


class TestSeeds:
    SOURCE = """
import random, numpy as np, torch
{at_import}
def f():
    return random.random(), float(np.random.rand()), torch.randn(3)
"""

    def drawn(self, room: Room, seed: int, at_import: str = "") -> Any:
        return room.student(self.SOURCE.replace("{at_import}", at_import), seed=seed).work.f()

    @pytest.mark.threat(49, 58)
    def test_what_an_import_draws_or_seeds_does_not_matter(self, room: Room) -> None:
        plain = self.drawn(room, 5)
        for at_import in (
            "torch.manual_seed(42); np.random.seed(42); random.seed(42)",
            "torch.randn(100); np.random.rand(3); random.random()",
        ):
            other = self.drawn(room, 5, at_import)
            assert other[:2] == plain[:2]
            assert torch.equal(other[2], plain[2])

    def test_another_seed_gives_other_numbers(self, room: Room) -> None:
        first, second = self.drawn(room, 5), self.drawn(room, 6)
        assert first[0] != second[0]
        assert first[1] != second[1]
        assert not torch.equal(first[2], second[2])

    def test_large_seeds(self, room: Room) -> None:
        assert len(self.drawn(room, 2**63 - 1)) == 3


CHANGES: dict[str, Callable[[torch.Tensor], Any]] = {
    "arithmetic": lambda x: x.add_(1),
    "one entry": lambda x: x.__setitem__((0, 0), 9),
    "a view": lambda x: x.view(-1)[1:2].fill_(9),
    "its shape": lambda x: x.resize_(1, 2),
    "its data": lambda x: setattr(x, "data", torch.full((2, 2), 7.0)),
    "its dtype": lambda x: setattr(x, "data", x.data.double()),
}


class TestUnchanged:
    @pytest.mark.threat(57)
    @pytest.mark.parametrize("name", CHANGES)
    def test_names_what_changed(self, name: str) -> None:
        values = {"x": torch.ones(2, 2), "y": torch.ones(2, 2), "n": 3, "items": [1]}
        changed: list[str] = []
        with unchanged(values, changed):
            CHANGES[name](values["x"])  # type: ignore[arg-type]
        assert changed == ["x"]

    @pytest.mark.parametrize(
        "tensor",
        [
            torch.tensor([math.nan, math.inf, 1.0]),
            torch.tensor([True, False]),
            torch.tensor([1, 2], dtype=torch.uint8),
            torch.tensor([1j, complex(math.nan, 1)]),
            torch.tensor([1.0], dtype=torch.bfloat16),
            torch.empty(0, 3),
            torch.tensor(2.0, requires_grad=True),
        ],
        ids=lambda tensor: str(tensor.dtype),
    )
    def test_tensors_of_every_kind_can_stay_as_they_are(self, tensor: torch.Tensor) -> None:
        changed: list[str] = []
        with unchanged({"x": tensor}, changed):
            _ = tensor + 0 if tensor.dtype is not torch.bool else ~tensor
        assert changed == []

    @pytest.mark.threat(57)
    def test_not_a_number_that_becomes_one(self) -> None:
        tensor = torch.tensor([math.nan, 1.0])
        changed: list[str] = []
        with unchanged({"x": tensor}, changed):
            tensor.nan_to_num_()
        assert changed == ["x"]

    def test_an_error_passes(self) -> None:
        changed: list[str] = []
        with pytest.raises(ValueError, match="own"), unchanged({"x": torch.ones(1)}, changed):
            raise ValueError("own")
        assert changed == []

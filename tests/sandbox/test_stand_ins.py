"""Modules that are not there are imported quietly, in a real child and here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import fetch
from autograder.sandbox.session import SessionLimits
from autograder.sandbox.stand_ins import Base, StandIn, StandInFinder, TinyTable, load_dataset
from autograder.sandbox.wire import Opaque

from .conftest import Room

NAMES = ("wandb", "google.colab", "utils.func_tool", "model", "datasets")


@pytest.fixture
def quiet() -> Iterator[None]:
    """The names above stand in this process for quiet modules."""
    before = dict(sys.modules)
    finder = StandInFinder(NAMES)
    finder.install()
    yield
    sys.meta_path.remove(finder)
    for name in set(sys.modules) - set(before):
        del sys.modules[name]
    sys.modules.update(before)


def run(source: str) -> dict[str, Any]:
    """Names that `source` leaves."""
    namespace: dict[str, Any] = {"__name__": "work"}
    exec(source, namespace)
    return namespace


class TestInAChild:
    @pytest.mark.threat(54)
    def test_helpers_and_loggers_are_imported(self, room: Room) -> None:
        source = """
import wandb
from google.colab import drive
from utils.func_tool import save_logs
from model import Unet
import google.colab.drive as again
wandb.init(project="vae", config={"lr": 1})
wandb.config.lr = 3
drive.mount("/content/drive")
with wandb.init() as run:
    run.log({"loss": 1})
def f(x): save_logs("log", x); return x + 1
"""
        assert room.student(source, stand_ins=NAMES).work.f(1) == 2

    def test_without_them_the_import_fails(self, room: Room) -> None:
        with pytest.raises(SubmissionRaised, match="ModuleNotFoundError"):
            _ = room.student("import utils.func_tool\n").work

    def test_one_that_is_returned_is_opaque(self, room: Room) -> None:
        student = room.student("import wandb\ndef f(): return wandb.log, [wandb]\nx = wandb.run", stand_ins=NAMES)
        value = student.work.f()
        assert value[0] == Opaque("StandIn")
        assert fetch(student.work.x) == Opaque("StandIn")

    def test_files_of_the_submission_come_first(self, room: Room) -> None:
        sources = {"model.py": "def g(): return 5", "work.py": "from model import g\ndef f(): return g()"}
        assert room.student(sources, stand_ins=NAMES).work.f() == 5

    def test_they_do_not_confuse_einops_and_isinstance(self, room: Room) -> None:
        source = """
import tensorflow as tf
import torch
from einops import rearrange
def f(x): return rearrange(x, "a b -> b a"), isinstance(x, tf.Tensor)
"""
        pytest.importorskip("einops")
        value, alike = room.student(source, stand_ins=("tensorflow",)).work.f(torch.zeros(2, 3))
        assert value.shape == (3, 2)
        assert alike is False

    def test_what_is_in_use_stays(self, room: Room) -> None:
        source = """
import numpy, autograder.sandbox
import numpy.no_such_part
def f(x): return numpy.asarray(x).sum(), numpy.no_such_part.g(1)
"""
        names = ("numpy", "numpy.no_such_part", "autograder.sandbox")
        total, other = room.student(source, stand_ins=names).work.f(torch.ones(3))
        assert float(total) == 3
        assert other == Opaque("StandIn")

    def test_hugging_face_data(self, room: Room) -> None:
        source = """
from datasets import load_dataset
from torch.utils.data import DataLoader
from torchvision.transforms import Compose, Lambda, Resize, ToTensor
transform = Compose([Resize((32, 32)), ToTensor(), Lambda(lambda t: t * 2 - 1)])
def transforms_examples(examples):
    key = "image" if "image" in examples else "img"
    examples["pixel_values"] = [transform(image) for image in examples[key]]
    del examples[key]
    return examples
dataset = load_dataset("svhn", "cropped_digits", cache_dir="./data")
transformed = dataset.with_transform(transforms_examples).remove_columns("label")
loader = DataLoader(transformed["train"], batch_size=8, shuffle=True, drop_last=True)
def f(): return [batch["pixel_values"] for batch in loader]
"""
        batches = room.student(source, stand_ins=NAMES).work.f()
        assert [tuple(batch.shape) for batch in batches] == [(8, 3, 32, 32)] * 2
        assert -1 <= batches[0].min() < batches[0].max() <= 1

    @pytest.mark.threat(29)
    def test_an_import_without_end_names_its_line(self, room: Room) -> None:
        source = "x = 1\nwhile True:\n    x += 1\n"
        student = room.student(source, stand_ins=NAMES, limits=SessionLimits(import_seconds=2.0))
        with pytest.raises(SubmissionRaised, match="TimeoutError") as caught:
            _ = student.work
        assert caught.value.lines[-1].number in (2, 3)
        assert caught.value.importing == "work"

    def test_a_call_after_an_import_is_not_interrupted(self, room: Room) -> None:
        source = "import time\ndef f(): time.sleep(2.2); return 1"
        assert room.student(source, stand_ins=NAMES, limits=SessionLimits(import_seconds=1.0)).work.f() == 1


@pytest.mark.usefixtures("quiet")
class TestObjects:
    def test_decorators_give_the_function_back(self) -> None:
        space = run(
            "import wandb\n@wandb.a\ndef f(): return 1\n@wandb.b(x=1)\ndef g(): return 2\n@wandb.c\nclass C: y = 3"
        )
        assert (space["f"](), space["g"](), space["C"].y) == (1, 2, 3)

    @pytest.mark.parametrize(
        "bases",
        [
            "model.A",
            "model.A, model.B",
            "torch.nn.Module, model.A",
            "model.A, torch.nn.Module",
            "Own, model.A",
            "model.A, Own",
        ],
    )
    def test_base_classes(self, bases: str) -> None:
        source = f"""
import torch, model
class Own(model.Z): pass
class C({bases}):
    def __init__(self):
        super().__init__()
        self.x = 4
"""
        assert run(source)["C"]().x == 4

    def test_a_base_takes_any_arguments_and_has_any_method(self) -> None:
        space = run(
            "import model\nclass C(model.A):\n    def __init__(self): super().__init__(1, k=2)\nc = C()\nc.log(3)"
        )
        assert isinstance(space["c"], Base)

    def test_protocols(self) -> None:
        space = run(
            "import wandb\na = wandb.x[1]['b'].c(2)\nwandb.config['a'] = 1\nn = [1 for _ in wandb.y]\nk = 1 in wandb.z"
        )
        assert isinstance(space["a"], StandIn)
        assert (space["n"], space["k"], len(space["a"]), bool(space["a"])) == ([], False, 0, False)
        assert "wandb.x" in repr(space["a"])

    def test_star_imports_give_nothing(self) -> None:
        assert set(run("from utils.func_tool import *")) == {"__name__", "__builtins__"}

    def test_errors_pass_through_a_with_block(self) -> None:
        with pytest.raises(ValueError, match="mine"):
            run("import wandb\nwith wandb.init():\n    raise ValueError('mine')")

    def test_no_other_module_is_touched(self) -> None:
        with pytest.raises(ModuleNotFoundError):
            run("import no_such_module_at_all")


class TestTables:
    @pytest.mark.parametrize(
        ("path", "column", "size", "mode"),
        [("svhn", "image", 32, "RGB"), ("ufldl-stanford/svhn", "image", 32, "RGB"), ("cifar10", "img", 32, "RGB"),
         ("mnist", "image", 28, "L"), ("zalando-datasets/fashion_mnist", "image", 28, "L")],
    )  # fmt: skip
    def test_images_of_each_set(self, path: str, column: str, size: int, mode: str) -> None:
        row = load_dataset(path, split="train")[3]
        assert (row[column].size, row[column].mode, row["label"]) == ((size, size), mode, 3)

    def test_splits(self) -> None:
        assert set(load_dataset("svhn")) >= {"train", "test"}
        assert isinstance(load_dataset("svhn", split="train[:10%]"), TinyTable)
        assert len(load_dataset("svhn", split=["train", "test"])) == 2
        with pytest.raises(AttributeError):
            load_dataset("svhn").no_such_thing  # noqa: B018

    def test_rows_and_columns(self) -> None:
        table = load_dataset("svhn")["train"]
        assert len(table) == len(list(table)) == len(table["label"]) == 16
        assert table[2:5]["label"] == [2, 3, 4]
        assert table[[7, 1]]["label"] == [7, 1]
        assert table.column_names == ["image", "label"]
        assert table.rename_column("label", "y").remove_columns(["image"]).column_names == ["y"]
        assert len(table.select(range(5)).shuffle(seed=1)) == 5
        with pytest.raises(IndexError):
            table[16]

    def test_maps_and_transforms(self) -> None:
        table = load_dataset("svhn")["train"]
        assert table.map(lambda row: {"twice": 2 * row["label"]})["twice"][4] == 8
        assert table.map(lambda rows: {"n": [len(rows["label"])] * 16}, batched=True)["n"][0] == 16
        table.set_transform(lambda rows: {"y": [-label for label in rows["label"]]})
        assert table[3] == {"y": -3}

"""What the warm process imports, and what it leaves until somebody asks."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.sandbox import preload as preloading
from autograder.sandbox.preload import preload, quiet_environment

from .conftest import Room


def test_quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setenv("MKL_NUM_THREADS", "2")
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    quiet_environment()
    wanted = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    assert {name: os.environ[name] for name in wanted} == wanted


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package `gl_lazy` with a module `heavy` and a broken one."""
    folder = tmp_path / "gl_lazy"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "heavy.py").write_text("weight = 7\ndef lift(): return weight")
    (folder / "broken.py").write_text("import gl_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("gl_lazy")
    yield "gl_lazy"
    for name in [name for name in sys.modules if name.partition(".")[0] == "gl_lazy"]:
        del sys.modules[name]


def test_what_cannot_be_imported_is_named(package: str) -> None:
    failed = preload(["math", "gl_lazy.heavy", "gl_lazy.broken", "gl_nowhere"])
    assert set(failed) == {"gl_lazy.broken", "gl_nowhere"}
    assert "gl_not_there" in failed["gl_lazy.broken"]
    assert "gl_lazy.heavy" in sys.modules


def test_the_standard_library_is_there() -> None:
    preload([])
    for name in ("cProfile", "csv", "pdb", "sqlite3", "xml.etree.ElementTree", "urllib.request", "zipfile"):
        assert name in sys.modules, name
    assert "antigravity" not in sys.modules  # it opens a browser
    assert "this" not in sys.modules  # it prints


def test_parts_that_packages_import_later(room: Room) -> None:
    for name in ("torch.optim.lr_scheduler", "torch.distributions", "matplotlib.backends.backend_agg", "tqdm.auto"):
        assert name in sys.modules, name


class TestPlaceholders:
    def test_the_first_use_imports_the_real_module(self, package: str) -> None:
        preloading._defer(["gl_lazy.heavy"])
        placeholder = sys.modules["gl_lazy.heavy"]
        import gl_lazy.heavy as found  # type: ignore[import-not-found]

        assert found is placeholder
        assert "lift" not in vars(placeholder)
        assert found.lift() == 7
        assert sys.modules["gl_lazy.heavy"] is not placeholder
        assert placeholder.weight == 7
        from gl_lazy.heavy import lift  # type: ignore[import-not-found]

        assert lift is sys.modules["gl_lazy.heavy"].lift

    def test_a_look_at_it_imports_nothing(self, package: str) -> None:
        preloading._defer(["gl_lazy.heavy"])
        placeholder = sys.modules["gl_lazy.heavy"]
        assert not hasattr(placeholder, "__file__")
        inspect.getmodule(test_quiet_environment)
        assert sys.modules["gl_lazy.heavy"] is placeholder

    def test_a_missing_attribute_is_an_ordinary_error(self, package: str) -> None:
        preloading._defer(["gl_lazy.heavy"])
        with pytest.raises(AttributeError, match="nothing"):
            _ = sys.modules["gl_lazy.heavy"].nothing

    def test_what_is_loaded_already_stays(self, package: str) -> None:
        import gl_lazy.heavy as loaded  # type: ignore[import-not-found]

        preloading._defer(["gl_lazy.heavy"])
        assert sys.modules["gl_lazy.heavy"] is loaded


def test_an_optimizer_does_not_load_the_compiler() -> None:
    source = """
import sys
from autograder.sandbox.preload import preload, quiet_environment
quiet_environment()
preload(["torch"])
import torch
for kind in ("Adam", "SGD", "AdamW", "RMSprop"):
    layer = torch.nn.Linear(2, 1, bias=False)
    optimizer = getattr(torch.optim, kind)(layer.parameters(), lr=0.5)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    optimizer.zero_grad()
    layer(torch.ones(1, 2)).sum().backward()
    before = layer.weight.detach().clone()
    optimizer.step()
    scheduler.step()
    print(kind, bool((layer.weight < before).all()), optimizer.param_groups[0]["lr"])
print("torch._dynamo.convert_frame" in sys.modules)
"""
    made = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    *steps, compiler = made.stdout.splitlines()
    assert steps == [f"{kind} True 0.05" for kind in ("Adam", "SGD", "AdamW", "RMSprop")]
    assert compiler == "False"


def test_bars_of_notebooks_need_no_widgets() -> None:
    preload(["tqdm.notebook"])
    from tqdm.notebook import tqdm, tqdm_notebook, trange

    assert [*tqdm([1, 2], disable=True), *tqdm_notebook([3], disable=True), *trange(1)] == [1, 2, 3, 0]


class TestInAChild:
    def test_what_submissions_import(self, room: Room) -> None:
        source = """
import cProfile, copy, math, os, pathlib, random, sys, time, typing, dataclasses
import matplotlib.pyplot as plt, numpy as np, torch, torch.nn.functional as F, torchvision
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets, transforms
from torchvision.utils import make_grid, save_image
from tqdm.auto import tqdm
from easydict import EasyDict
from PIL import Image
def f():
    figure = plt.figure()
    plt.imshow(np.zeros((4, 4)))
    plt.title("loss")
    plt.savefig("images/figure.png")
    plt.show()
    plt.close(figure)
    save_image(make_grid(torch.zeros(4, 1, 8, 8)), "images/grid.png")
    batches = sum(1 for _ in tqdm(DataLoader(TensorDataset(torch.zeros(10, 2)), batch_size=4)))
    return batches, EasyDict(a={"b": 1}).a.b, sorted(os.listdir("images")), Image.open("images/grid.png").size
"""
        assert room.call(source) == (3, 1, ["figure.png", "grid.png"], (42, 12))

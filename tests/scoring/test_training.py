from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from autograder.cli import app
from autograder.scoring import processors, training
from autograder.scoring.data import fashion_mnist
from autograder.scoring.training import RECIPES


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """Ten classes that a network learns at once: a bright bar at a place of its own, on noise."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "data" / "fashion_mnist"
    folder.mkdir(parents=True)
    for split, count in (("train", 500), ("test", 200)):
        labels = np.arange(count) % 10
        images = generator.integers(0, 40, (count, 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label + 4 : 2 * label + 6] = 255
        np.savez(folder / f"{split}.npz", images=images, labels=labels.astype(np.uint8))
    return tmp_path / "data"


def test_images_are_moved_and_mirrored_but_not_changed() -> None:
    torch.manual_seed(0)
    images = torch.zeros(64, 1, 32, 32)
    images[:, :, 10:14, 5:12] = torch.rand(4, 7)
    moved = training._augment(images, 0.0)
    assert torch.equal(moved.flatten(1).sort(dim=1).values, images.flatten(1).sort(dim=1).values)
    places = {tuple(int(n) for n in image[0].nonzero().amin(dim=0)) for image in moved}
    assert len(places) > 20  # 5 x 5 places, on two sides
    assert all(8 <= row <= 12 for row, _ in places)


@pytest.mark.parametrize("which", list(RECIPES))
def test_a_training_writes_weights_and_card(
    which: str, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors, "granted", lambda: 1)
    command = ["classifier", "train", which, "--data-root", str(data_root), "--epochs", "1", "--seed", "3"]
    done = [CliRunner().invoke(app, [*command, "-o", str(tmp_path / name)]) for name in ("first", "second")]
    assert [result.exit_code for result in done] == [0, 0], done[0].output
    first, second = ((tmp_path / name / RECIPES[which].file).read_bytes() for name in ("first", "second"))
    assert first == second
    card = (tmp_path / "first" / RECIPES[which].file).with_suffix(".md").read_text("utf-8")
    assert f"genlab classifier train {which} --epochs 1 --seed 3" in card
    assert "200 test images" in card
    if which == "classifier":
        real = json.loads((tmp_path / "first" / "real_images.json").read_text())
        assert len(real["ceiling"]) == len(real["spread"]) == 10
        assert real["copy_distance"] > 0


def test_a_network_learns(data_root: Path) -> None:
    model = training.train(RECIPES["classifier"], epochs=12, seed=1, data_root=str(data_root))
    assert not model.training
    confusion = training.confusion_matrix(model, *fashion_mnist("test", data_root))
    assert confusion.sum() == 200
    assert confusion.diag().sum() > 100  # chance is 20


def test_bad_input_gets_a_sentence(tmp_path: Path) -> None:
    unknown = CliRunner().invoke(app, ["classifier", "train", "third"])
    assert unknown.exit_code == 2
    assert "choose one of" in unknown.output
    nothing = CliRunner().invoke(app, ["classifier", "train", "--data-root", str(tmp_path), "--epochs", "1"])
    assert nothing.exit_code == 2
    assert "train.npzismissing" in "".join(nothing.output.split())

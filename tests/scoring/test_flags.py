from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from autograder.scoring.classifier import CLASSES, load_classifier
from autograder.scoring.flags import classifier_inside, look_at, nearest_distances, pairwise_spread
from autograder.scoring.real_images import RealImages

REAL = RealImages(ceiling=(0.95,) * 10, spread=(10.0,) * 10, copy_distance=3.0)
LABELS = torch.arange(100) % 10


@pytest.fixture
def pixels() -> torch.Tensor:
    """Noise: any two of these images are about 13 apart."""
    return torch.rand(100, 1, 32, 32, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def data_root(tmp_path: Path, pixels: torch.Tensor) -> str:
    """Training images: the first fifty of these pictures without their border, and noise."""
    (tmp_path / "fashion_mnist").mkdir()
    own = (pixels[:50, 0, 2:-2, 2:-2] * 255).round().to(torch.uint8).numpy()
    other = np.random.default_rng(1).integers(0, 255, (200, 28, 28), dtype=np.uint8)
    images = np.concatenate([own, other])
    np.savez(tmp_path / "fashion_mnist" / "train.npz", images=images, labels=np.zeros(250, dtype=np.uint8))
    return str(tmp_path)


def flags(pixels: torch.Tensor, root: str | None = None, second: float = 0.9, carried: list[str] | None = None) -> str:
    return "\n".join(look_at(pixels, LABELS, 0.9, second, carried or [], REAL, root))


def test_nothing_is_said_about_honest_samples(pixels: torch.Tensor, data_root: str) -> None:
    other = torch.rand(100, 1, 32, 32, generator=torch.Generator().manual_seed(6))
    assert flags(other, data_root) == ""


@pytest.mark.threat(42)
def test_classifiers_that_disagree(pixels: torch.Tensor, data_root: str) -> None:
    assert "The second classifier gives 79.0%" in flags(pixels, second=0.79)
    assert "second classifier" not in flags(pixels, second=0.81)
    assert "second classifier" not in flags(pixels, second=1.0)


@pytest.mark.threat(41)
def test_one_image_repeated(pixels: torch.Tensor) -> None:
    repeated = pixels.clone()
    repeated[LABELS == 4] = pixels[4] + 0.01 * pixels[LABELS == 4]
    said = flags(repeated)
    assert "Little diversity" in said
    assert CLASSES[4] in said
    assert CLASSES[5] not in said


@pytest.mark.threat(41)
def test_two_images_by_turns(pixels: torch.Tensor) -> None:
    repeated = pixels.clone()
    own = (LABELS == 4).nonzero().flatten()
    repeated[own] = pixels[own[:2]].repeat(len(own) // 2, 1, 1, 1) + 0.001 * pixels[own]
    said = flags(repeated)
    assert f"have a twin: {CLASSES[4]}." in said
    assert "Little diversity" not in said


@pytest.mark.threat(43)
def test_weights_of_the_classifier_in_a_checkpoint() -> None:
    weights = load_classifier().state_dict()
    name = max(weights, key=lambda key: weights[key].numel())
    honest = {"network.conv.weight": torch.randn_like(weights[name])}
    assert classifier_inside(honest, weights) == []
    hidden = {**honest, "network.buffer": weights[name].half().reshape(-1, 1)}
    [sentence] = classifier_inside(hidden, weights)
    assert "network.buffer" in sentence
    assert "network.conv" not in sentence


@pytest.mark.threat(44)
def test_copies_of_training_images(pixels: torch.Tensor, data_root: str) -> None:
    black = torch.zeros_like(pixels)
    black[:, :, 2:-2, 2:-2] = pixels[:, :, 2:-2, 2:-2]
    assert "50% of the samples lie closer to a training image" in flags(black, data_root)
    assert "Not compared with the training images" in flags(black)
    assert "Not compared with the training images: " in flags(black, "/nowhere")


@pytest.mark.threat(38)
def test_images_in_the_checkpoint(pixels: torch.Tensor) -> None:
    assert "bank" in flags(pixels, carried=["bank"])


def test_distances() -> None:
    pair = torch.zeros(2, 1, 32, 32)
    pair[1, 0, 0, :4] = 1.0
    assert pairwise_spread(pair) == pytest.approx(2.0)
    assert pairwise_spread(pair[:1]) == 0.0
    training = torch.zeros(3, 1, 32, 32, dtype=torch.uint8)
    training[2, 0, 0, 0] = 255
    assert nearest_distances(pair, training).tolist() == pytest.approx([0.0, 3**0.5])

"""The frozen classifier of FashionMNIST that scores class-conditional samples."""

import hashlib
import math
from pathlib import Path

import torch
from safetensors.torch import load as load_safetensors
from torch import nn

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

RANGES = {"DDPM": (-1, 1), "DDIM": (-1, 1), "VAE": (0, 1), "LDDPM": (0, 1)}
"""The values of black and white in the samples of each model."""

Z = 1.959963984540054
"""97.5% quantile of the standard normal distribution."""

WEIGHTS = Path(__file__).with_name("classifier.safetensors")
SHA256 = "2e0bf45fe92379dab3e939b9ec9f9d9b63279e5d6a72e0bcfb2a2bc273e2cd16"
"""Of the file with the weights: no other is loaded."""


class ClassifierError(RuntimeError):
    """The frozen classifier cannot be used; the message says why."""


class Block(nn.Module):
    """Two convolutions with a shortcut (He et al. 2016, "Identity mappings in deep residual networks")."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (B, in_channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        h = torch.relu(self.norm1(x))
        h = self.conv1(h)
        return self.shortcut(x) + self.conv2(torch.relu(self.norm2(h)))


class Classifier(nn.Module):
    """A small residual network for images of clothes.

    Images are 32 x 32 pixels, of which the border of two is black; it is cut off.
    """

    def __init__(self, widths: tuple[int, int, int] = (24, 48, 112), num_classes: int = 10):
        """Make an untrained network with these numbers of channels at 28, 14 and 7 pixels."""
        super().__init__()
        w1, w2, w3 = widths
        self.stem = nn.Conv2d(1, w1, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(
            Block(w1, w1, 1), Block(w1, w2, 2), Block(w2, w2, 1), Block(w2, w3, 2), Block(w3, w3, 1)
        )
        self.norm = nn.BatchNorm2d(w3)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(w3, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the classes; in eval mode the mean of those of the image and of its mirror image.

        Args:
            x: images in [0, 1]; (B, 1, 32, 32).

        Returns:
            Logits; (B, num_classes).
        """
        return self._logits(x) if self.training else (self._logits(x) + self._logits(x.flip(3))) / 2

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        h = self.blocks(self.stem(x[:, :, 2:-2, 2:-2]))  # (B, w3, 7, 7)
        h = torch.relu(self.norm(h)).mean(dim=(2, 3))  # (B, w3)
        return self.head(self.dropout(h))


def as_pixels(samples: torch.Tensor, model: str) -> torch.Tensor:
    """Samples of a model as images in [0, 1]: scaled from the model's range, and clamped.

    Args:
        samples: what `generate_sample` returned; (B, 1, 32, 32).
        model: name of the model's class, a key of `RANGES`.

    Returns:
        float32; (B, 1, 32, 32).
    """
    low, high = RANGES[model]
    return ((samples.float() - low) / (high - low)).clamp(0, 1)


def calc_acc(predictions: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Accuracy of predictions, and the score that it earns: 75% and less 0, 85% and more 1, linear between.

    Args:
        predictions: logits; (B, num_classes).
        labels: the classes that the images should show, int64; (B,).

    Returns:
        Accuracy and score, both between 0 and 1.
    """
    accuracy = (predictions.argmax(dim=1) == labels).float().mean().item()
    return accuracy, min(max(round((accuracy - 0.75) / 0.1, 3), 0.0), 1.0)


def wilson(correct: int, count: int) -> tuple[float, float]:
    """The 95% interval of a proportion (Wilson 1927, "Probable inference, the law of succession").

    Args:
        correct: number of successes.
        count: number of trials, at least one.
    """
    share, weight = correct / count, Z**2 / count
    middle = (share + weight / 2) / (1 + weight)
    half = Z / (1 + weight) * math.sqrt(share * (1 - share) / count + weight / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def read_weights(path: Path, digest: str) -> dict[str, torch.Tensor]:
    """Weights of a network that ships with the course.

    Raises:
        ClassifierError: the file is missing, or it is not the one whose SHA-256 is `digest`.
    """
    if not path.is_file():
        raise ClassifierError(f"the classifier's weights {path.name} are missing; unpack the course's files again")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ClassifierError(f"{path.name} is not the frozen classifier: its SHA-256 differs; unpack it again")
    return load_safetensors(content)


def load_classifier(device: torch.device | str = "cpu", path: Path = WEIGHTS) -> Classifier:
    """The frozen classifier, in eval mode.

    Args:
        device: where it shall compute.
        path: the file with the weights.

    Raises:
        ClassifierError: see `read_weights`.
    """
    classifier = Classifier()
    classifier.load_state_dict(read_weights(path, SHA256))
    return classifier.to(device).eval().requires_grad_(False)

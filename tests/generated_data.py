"""Generated images in the layout of a data root, for tests that train and draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SHAPES = {"mnist": (28, 28), "fashion_mnist": (28, 28), "svhn": (32, 32, 3), "cifar10": (32, 32, 3)}


def write_data_root(root: Path, *names: str, count: int = 40) -> Path:
    """Write `count` images of noise, labelled 0 to 9 by turns, as both splits of each data set; return `root`."""
    generator = np.random.default_rng(0)
    for name in names:
        (root / name).mkdir(parents=True)
        for split in ("train", "test"):
            images = generator.integers(0, 256, (count, *SHAPES[name]), dtype=np.uint8)
            np.savez(root / name / f"{split}.npz", images=images, labels=(np.arange(count) % 10).astype(np.uint8))
    return root

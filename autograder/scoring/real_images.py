"""What real images are like: the numbers that samples are compared with, made once from the data."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

PATH = Path(__file__).with_name("real_images.json")


class RealImages(BaseModel):
    """Statistics of FashionMNIST's test images; lists have one entry for each class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ceiling: tuple[float, ...]
    """Recall of the frozen classifier."""

    spread: tuple[float, ...]
    """Mean Euclidean distance between two images of the class, pixels in [0, 1]."""

    copy_distance: float
    """1% quantile of the Euclidean distance of a test image to the nearest training image."""


def load_real_images(path: Path = PATH) -> RealImages:
    """Read the numbers that ship."""
    return RealImages.model_validate_json(path.read_text("utf-8"))

"""Image data sets as one uint8 tensor each, and batches of them by index, on the device where the training runs.

The data sets of the course fit in the memory of any GPU: there is no need for worker processes.
"""

import os
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

ROOT_VARIABLE = "GENLAB_DATA"
DOWNLOADS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "svhn": "SVHN", "cifar10": "CIFAR10"}
SPLITS = ("train", "test")


class DataError(RuntimeError):
    """A data set cannot be had; the message says which, and what to do."""


def load(
    name: str, split: str, data_root: str | Path | None = None, limit: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Read a data set from a data root, or let torchvision download it into the folder `data`.

    A data root is a folder with files NAME/train.npz and NAME/test.npz, each with the arrays `images`, uint8
    (N, H, W) or (N, H, W, 3), and `labels`, uint8 (N,).

    Args:
        name: `mnist`, `fashion_mnist`, `svhn` or `cifar10`.
        split: `train` or `test`.
        data_root: the data root; default: the environment variable GENLAB_DATA; if that is empty too: download.
        limit: keep only the first so many images.

    Returns:
        Images, uint8 (N, C, H, W), and labels, int64 (N,).

    Raises:
        DataError: there is no such data set or split, or its file is missing or not what it should be.
    """
    if name not in DOWNLOADS:
        raise DataError(f"there is no data set {name!r}; choose one of {', '.join(DOWNLOADS)}")
    if split not in SPLITS:
        raise DataError(f"there is no split {split!r}; choose train or test")
    if limit is not None and limit < 1:
        raise DataError(f"the limit must be at least one image, not {limit}")
    root = data_root or os.environ.get(ROOT_VARIABLE)
    images, labels = _read(Path(root) / name / f"{split}.npz") if root else _download(name, split)
    pixels = torch.from_numpy(images[:limit])
    pixels = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()
    return pixels, torch.from_numpy(labels[:limit]).long()


def resize(images: torch.Tensor, size: int) -> torch.Tensor:
    """Scale uint8 images (N, C, H, W) to (N, C, size, size), bilinearly."""
    scaled = [
        F.interpolate(chunk.float(), size=(size, size), mode="bilinear", antialias=True).round().to(torch.uint8)
        for chunk in images.split(4096)
    ]
    return torch.cat(scaled)


def pad(images: torch.Tensor, size: int) -> torch.Tensor:
    """Put a black border around uint8 images (N, C, H, W), equally on opposite sides: (N, C, size, size)."""
    height, width = size - images.shape[-2], size - images.shape[-1]
    return F.pad(images, (width // 2, width - width // 2, height // 2, height - height // 2))


class Batches:
    """Batches of a data set that lies in memory; every iteration over it is one epoch.

    Yields images, float32 in [0, 1], (B, C, H, W); with labels: pairs of images and labels, int64 (B,).

    Attributes:
        n_images: number of images that one epoch yields.
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor | None = None,
        *,
        batch_size: int,
        device: str = "cpu",
        shuffle: bool = False,
        drop_last: bool = False,
    ):
        """Move the data to the device.

        Args:
            images: uint8; (N, C, H, W).
            labels: int64; (N,); None if only images are wanted.
            batch_size: images of a batch.
            device: where the data is kept and the batches are.
            shuffle: draw a new order for every epoch, from torch's default generator.
            drop_last: leave out the last batch if it is not full.

        Raises:
            DataError: there is not a single batch.
        """
        if batch_size < 1:
            raise DataError(f"a batch needs at least one image, not {batch_size}; choose a larger batch size")
        self.images = images.to(device)
        self.labels = None if labels is None else labels.to(device)
        self.batch_size = batch_size
        self.shuffle = shuffle
        count = len(images)
        self.n_images = count - count % batch_size if drop_last else count
        if self.n_images == 0:
            raise DataError(f"{count} images do not fill one batch of {batch_size}; choose a smaller batch size")

    def __len__(self) -> int:
        """Number of batches of one epoch."""
        return -(-self.n_images // self.batch_size)

    def __iter__(self):
        """One epoch."""
        count = len(self.images)
        order = torch.randperm(count) if self.shuffle else torch.arange(count)
        for index in order[: self.n_images].to(self.images.device).split(self.batch_size):
            batch = self.images[index].float() / 255  # (B, C, H, W)
            yield batch if self.labels is None else (batch, self.labels[index])


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if not path.is_file():
        raise DataError(
            f"{path} is missing; name another data root with --data-root or {ROOT_VARIABLE}, "
            "or leave both out to download the data"
        )
    try:
        with np.load(path) as file:
            images, labels = file["images"], file["labels"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged, or has no arrays 'images' and 'labels'; make it again") from error
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or labels.shape != images.shape[:1]:
        raise DataError(f"{path} must hold uint8 images (N, H, W) or (N, H, W, 3), and N labels; make it again")
    return images, labels


def _download(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    from torchvision import datasets  # slow to import, and needless where a data root is named

    kind = getattr(datasets, DOWNLOADS[name])
    try:
        if name == "svhn":
            data = kind("data", split=split, download=True)
            return data.data.transpose(0, 2, 3, 1), np.asarray(data.labels)
        data = kind("data", train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} could not be downloaded ({' '.join(str(error).split())}); try again, "
            f"or name a data root with --data-root or {ROOT_VARIABLE}"
        ) from error
    return np.asarray(data.data), np.asarray(data.targets)

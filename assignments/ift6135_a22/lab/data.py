"""Jeux d'images, chacun dans un seul tenseur uint8, et leurs lots pris par indice, sur l'appareil de l'entraînement.

Les jeux de données du cours tiennent dans la mémoire de tout GPU : nul besoin de processus auxiliaires.
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
    """Un jeu de données est introuvable ou inutilisable ; le message dit lequel, et que faire."""


def load(
    name: str, split: str, data_root: str | Path | None = None, limit: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lit un jeu de données dans une racine des données, ou laisse torchvision le télécharger dans le dossier `data`.

    Une racine des données est un dossier avec les fichiers NOM/train.npz et NOM/test.npz, chacun avec les tableaux
    `images`, uint8 (N, H, W) ou (N, H, W, 3), et `labels`, uint8 (N,).

    Args:
        name: `mnist`, `fashion_mnist`, `svhn` ou `cifar10`.
        split: `train` ou `test`.
        data_root: la racine des données ; par défaut, la variable d'environnement GENLAB_DATA ; si elle est vide
            elle aussi, téléchargement.
        limit: ne garder que ce nombre d'images, les premières.

    Returns:
        Les images, uint8 (N, C, H, W), et leurs classes, int64 (N,).

    Raises:
        DataError: ce jeu ou cette partie n'existe pas, ou son fichier manque ou n'est pas ce qu'il devrait être.
    """
    if name not in DOWNLOADS:
        raise DataError(f"il n'y a pas de jeu de données {name!r} ; choisissez parmi {', '.join(DOWNLOADS)}")
    if split not in SPLITS:
        raise DataError(f"il n'y a pas de partie {split!r} ; choisissez train ou test")
    if limit is not None and limit < 1:
        raise DataError(f"la limite doit être d'au moins une image, et non {limit}")
    root = data_root or os.environ.get(ROOT_VARIABLE)
    images, labels = _read(Path(root) / name / f"{split}.npz") if root else _download(name, split)
    pixels = torch.from_numpy(images[:limit])
    pixels = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()
    return pixels, torch.from_numpy(labels[:limit]).long()


def resize(images: torch.Tensor, size: int) -> torch.Tensor:
    """Redimensionne des images uint8 (N, C, H, W) en (N, C, size, size), de façon bilinéaire."""
    scaled = [
        F.interpolate(chunk.float(), size=(size, size), mode="bilinear", antialias=True).round().to(torch.uint8)
        for chunk in images.split(4096)
    ]
    return torch.cat(scaled)


def pad(images: torch.Tensor, size: int) -> torch.Tensor:
    """Entoure de noir des images uint8 (N, C, H, W), autant sur les côtés opposés : (N, C, size, size)."""
    height, width = size - images.shape[-2], size - images.shape[-1]
    return F.pad(images, (width // 2, width - width // 2, height // 2, height - height // 2))


class Batches:
    """Lots d'un jeu de données gardé en mémoire ; chaque parcours est une époque.

    Donne des images, float32 dans [0, 1], (B, C, H, W) ; avec `labels`, des couples d'images et de classes, int64 (B,).

    Attributes:
        n_images: nombre d'images que donne une époque.
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
        """Met les données sur l'appareil.

        Args:
            images: uint8 ; (N, C, H, W).
            labels: int64 ; (N,) ; None si l'on ne veut que les images.
            batch_size: nombre d'images d'un lot.
            device: où les données sont gardées et où se trouvent les lots.
            shuffle: tirer un nouvel ordre à chaque époque, avec le générateur par défaut de torch.
            drop_last: laisser de côté le dernier lot s'il n'est pas plein.

        Raises:
            DataError: il n'y a pas un seul lot.
        """
        if batch_size < 1:
            raise DataError(f"un lot compte au moins une image, et non {batch_size} ; choisissez des lots plus grands")
        self.images = images.to(device)
        self.labels = None if labels is None else labels.to(device)
        self.batch_size = batch_size
        self.shuffle = shuffle
        count = len(images)
        self.n_images = count - count % batch_size if drop_last else count
        if self.n_images == 0:
            raise DataError(f"{count} images ne remplissent pas un lot de {batch_size} ; choisissez des lots plus "
                            f"petits")

    def __len__(self) -> int:
        """Nombre de lots d'une époque."""
        return -(-self.n_images // self.batch_size)

    def __iter__(self):
        """Une époque."""
        count = len(self.images)
        order = torch.randperm(count) if self.shuffle else torch.arange(count)
        for index in order[: self.n_images].to(self.images.device).split(self.batch_size):
            batch = self.images[index].float() / 255  # (B, C, H, W)
            yield batch if self.labels is None else (batch, self.labels[index])


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if not path.is_file():
        raise DataError(
            f"{path} manque ; indiquez une autre racine des données par --data-root ou {ROOT_VARIABLE}, ou omettez "
            f"les deux pour télécharger les données"
        )
    try:
        with np.load(path) as file:
            images, labels = file["images"], file["labels"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} est endommagé, ou sans tableaux « images » et « labels » ; refaites-le") from error
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or labels.shape != images.shape[:1]:
        raise DataError(f"{path} doit contenir des images uint8 (N, H, W) ou (N, H, W, 3), et N classes ; refaites-le")
    return images, labels


def _download(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    from torchvision import datasets  # lent à importer, et inutile si une racine des données est indiquée

    kind = getattr(datasets, DOWNLOADS[name])
    try:
        if name == "svhn":
            data = kind("data", split=split, download=True)
            return data.data.transpose(0, 2, 3, 1), np.asarray(data.labels)
        data = kind("data", train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} n'a pas pu être téléchargé ({' '.join(str(error).split())}) ; réessayez, ou indiquez une "
            f"racine des données par --data-root ou {ROOT_VARIABLE}"
        ) from error
    return np.asarray(data.data), np.asarray(data.targets)

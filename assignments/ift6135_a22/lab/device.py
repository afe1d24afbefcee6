"""Le choix de l'appareil sur lequel se fait un entraînement."""

import torch


def choose_device(cuda: bool = True, mps: bool = True) -> str:
    """Nom de l'appareil permis le plus rapide de cette machine : `cuda`, `mps` (GPU d'un Mac) ou `cpu`."""
    if cuda and torch.cuda.is_available():
        return "cuda"
    if mps and torch.backends.mps.is_available():
        return "mps"
    return "cpu"

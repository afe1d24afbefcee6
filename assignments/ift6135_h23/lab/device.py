"""The choice of the device that a training runs on."""

import torch


def choose_device(cuda: bool = True, mps: bool = True) -> str:
    """Name of the fastest device of this machine that is allowed: `cuda`, `mps` (GPU of a Mac) or `cpu`."""
    if cuda and torch.cuda.is_available():
        return "cuda"
    if mps and torch.backends.mps.is_available():
        return "mps"
    return "cpu"

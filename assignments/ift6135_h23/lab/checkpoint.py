"""Checkpoints: everything that a training needs to go on as if it had not been interrupted."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn


class CheckpointError(RuntimeError):
    """A checkpoint cannot be used; the message names the file and says what to do."""


def save(path: str | Path, **state: Any) -> None:
    """Write a checkpoint.

    An interruption leaves either the old file or the new one, never half of it.

    Args:
        path: the file; its folder is made if it is missing.
        state: tensors, numbers, strings, and lists and dictionaries of them, such as state dictionaries.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: str | Path, *entries: str) -> dict[str, Any]:
    """Read a checkpoint; its tensors come on the CPU. Code in the file is not run.

    Args:
        path: the file.
        entries: what has to be in it, such as `model_state_dict`.

    Raises:
        CheckpointError: the file is missing, is not a checkpoint, or lacks an entry.
    """
    if not Path(path).is_file():
        raise CheckpointError(f"there is no checkpoint {path}; train without --resume first, or name another file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and pickle raise many kinds of errors for a broken file
        raise CheckpointError(
            f"{path} is not a checkpoint of this course, or it is damaged; remove it and train again"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, not a checkpoint; remove it and train again")
    missing = [entry for entry in entries if entry not in state]
    if missing:
        raise CheckpointError(f"{path} has no {', '.join(missing)}; name a file that a training script has saved")
    return state


def load_weights(eps_model: nn.Module, PATH: str | Path) -> bool:
    """Fill a network with the weights of a checkpoint and put it into evaluation mode.

    Args:
        eps_model: the network; unchanged if there is no such file.
        PATH: a checkpoint with `model_state_dict`.

    Returns:
        Whether weights were loaded.

    Raises:
        CheckpointError: the file is there, but it is damaged or belongs to another network.
    """
    if not Path(PATH).is_file():
        print(f"There is no file {PATH}: the network keeps the weights that it has.")
        return False
    fill(eps_model, load(PATH, "model_state_dict"), PATH)
    eps_model.eval()
    return True


def fill(model: nn.Module, state: dict[str, Any], path: str | Path) -> None:
    """Fill a network with the weights of a checkpoint that is already read.

    Args:
        model: the network.
        state: the checkpoint, with `model_state_dict`.
        path: its file, for messages.

    Raises:
        CheckpointError: the weights are those of another network.
    """
    try:
        model.load_state_dict(state["model_state_dict"])
    except RuntimeError as error:
        raise CheckpointError(f"the weights in {path} belong to another network; name another file") from error


def rng_state() -> dict[str, Any]:
    """States of torch's random generators on all devices in use."""
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def set_rng_state(state: dict[str, Any]) -> None:
    """Restore what `rng_state` returned, as far as this machine has the devices."""
    torch.set_rng_state(state["cpu"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    if state["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])

"""The reference solution of an assignment as modules of this process, for figures: in float32, with trained weights."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from autograder.assignment import Assignment
from autograder.sandbox.modules import SourceFinder


class PlotError(ValueError):
    """A figure cannot be drawn; the message says why, and what to do."""


@dataclass(frozen=True)
class Settings:
    """What the command line says about a figure.

    Attributes:
        checkpoint: trained weights; None: those that the assignment ships, if it ships any.
        data_root: folder with NAME/train.npz; None: the environment variable GENLAB_DATA, or a download.
        seed: of torch's generator.
        limit: how many images are drawn, of the data set or of each model.
        csv: files with the curves of trainings.
    """

    checkpoint: Path | None = None
    data_root: Path | None = None
    seed: int = 1
    limit: int = 4
    csv: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Masters:
    """The modules of the reference solution, and what the command line says.

    Attributes:
        assignment: whose solution it is.
        settings: what the command line says.
    """

    assignment: Assignment
    settings: Settings

    def module(self, name: str) -> Any:
        """A module by its name in the student's folder; one that assignments share by the name of its master."""
        return importlib.import_module(self.assignment.shared_modules.get(name, name))

    def images(self, name: str) -> torch.Tensor:
        """The first training images of a data set, in [0, 1]; (limit, C, H, W)."""
        root = self.settings.data_root
        pixels, _ = self.module("lab.data").load(name, "train", root and str(root), self.settings.limit)
        return pixels.float() / 255

    def weights(self, made_by: str, *entries: str) -> tuple[dict[str, Any], Path]:
        """The checkpoint that --checkpoint names, and its path.

        Args:
            made_by: the command that makes such a file, and the file.
            entries: what has to be in it.

        Raises:
            PlotError: none is named.
            RuntimeError: the file is missing or is another kind of file.
        """
        path = self.settings.checkpoint
        if path is None:
            raise PlotError(f"this figure needs trained weights: name them with --checkpoint ({made_by})")
        return self.module("lab.checkpoint").load(path, *entries), path


@contextmanager
def masters(assignment: Assignment, settings: Settings) -> Iterator[Masters]:
    """The reference solution, importable under its own names for as long as the context lasts.

    Raises:
        PlotError: data or weights cannot be had, in the words of the modules that the students have too.
    """
    files = [*assignment.files, *assignment.support, *assignment.extras]
    sources = {file.name: assignment.master(file).read_text("utf-8") for file in files}
    finder = SourceFinder(sources)
    finder.install()
    try:
        found = Masters(assignment, settings)
        expected = (found.module("lab.data").DataError, found.module("lab.checkpoint").CheckpointError)
        try:
            yield found
        except expected as error:
            raise PlotError(str(error)) from error
    finally:
        finder.uninstall()


@contextmanager
def watched(network: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """The images that a network gets, call by call: the steps of a sampler that does not keep them."""
    seen: list[torch.Tensor] = []
    handle = network.register_forward_pre_hook(lambda _network, inputs: seen.append(inputs[0].detach().clone()))
    try:
        yield seen
    finally:
        handle.remove()

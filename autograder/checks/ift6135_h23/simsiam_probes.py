"""A small backbone, a stand-in similarity, and a workbench that traces where the gradients of SimSiam go."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from autograder.sandbox.probes import Probe


class Backbone(nn.Module):
    """A network with a linear layer `fc` at its end, as those of torchvision have."""

    def __init__(self, pixels: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.body = nn.Linear(pixels, width)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, num_classes), or what has taken the place of `fc` makes of the features."""
        features: torch.Tensor = self.fc(torch.relu(self.body(x.flatten(1))))
        return features


class BackboneMaker(Probe):
    """What SimSiam gets for `base_encoder`.

    Args:
        pixels: values of an image.
        width: features before the last layer.
    """

    def __init__(self, pixels: int, width: int) -> None:
        self.pixels, self.width = pixels, width

    def __call__(self, num_classes: int = 1000, zero_init_residual: bool = False, **_: Any) -> Backbone:
        """A backbone with `num_classes` outputs."""
        return Backbone(self.pixels, self.width, num_classes)


class StandInSimilarity(nn.Module):
    """Some symmetric function of two directions, and not a usual one."""

    def forward(self, x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
        """(B, D) twice -> (B,)."""
        first, second = nn.functional.normalize(x1, dim=1), nn.functional.normalize(x2, dim=1)
        return (first - second).abs().sum(1) - 0.7 * torch.sin((first + second).sum(1))


class SimilarityMaker(Probe):
    """Stands in for a similarity class that is wrong."""

    def __call__(self, *args: Any, **kwargs: Any) -> StandInSimilarity:
        """A similarity, whatever the settings are."""
        return StandInSimilarity()


class Tracer(Probe):
    """Runs the submission's SimSiam, and the networks in it."""

    def settle(self, model: Any, x1: torch.Tensor, x2: torch.Tensor) -> None:
        """Let the batch normalisations see both views once; then evaluation mode, in which each image is for itself."""
        norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm1d)]
        for layer in norms:
            layer.momentum = 1.0
        model.train()
        with torch.no_grad():
            model.predictor(model.encoder(torch.cat([x1, x2])))
        model.eval()

    def networks(self, model: Any, x1: torch.Tensor, x2: torch.Tensor) -> dict[str, torch.Tensor]:
        """What encoder and predictor make of each view, called by themselves: `e1`, `e2`, `h1`, `h2`, `hh1`, `hh2`."""
        with torch.no_grad():
            encoded = {"1": model.encoder(x1), "2": model.encoder(x2)}
            once = {view: model.predictor(code) for view, code in encoded.items()}
            twice = {view: model.predictor(code) for view, code in once.items()}
        named = (("e", encoded), ("h", once), ("hh", twice))
        return {f"{name}{view}": value for name, codes in named for view, value in codes.items()}

    def reaches(self, model: Any, x1: torch.Tensor, x2: torch.Tensor, output: int, network: str) -> bool:
        """Whether a gradient of that output of `forward` reaches that network."""
        return _reaches(model.forward(x1, x2)[output], getattr(model, network))

    def is_constant(self, model: Any, x1: torch.Tensor, x2: torch.Tensor, output: int) -> bool:
        """Whether no gradient of that output of `forward` reaches the networks."""
        return not any(self.reaches(model, x1, x2, output, network) for network in ("encoder", "predictor"))


def _reaches(value: torch.Tensor, network: nn.Module) -> bool:
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not value.requires_grad or not parameters:
        return False
    weights = torch.randn(value.shape, generator=torch.Generator().manual_seed(0))
    found = torch.autograd.grad((value * weights).sum(), parameters, allow_unused=True, retain_graph=True)
    return any(grad is not None and bool((grad != 0).any()) for grad in found)

"""Networks, an optimizer and a criterion that record how the functions of a GAN use them."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from autograder.sandbox.probes import Probe, snapshot

MARK = 5.0  # gradient that every parameter of the toy discriminator has before the call
PIXELS = 3 * 32 * 32
NETWORKS = ("discriminator", "generator")


def _weights(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(11))


class ToyDiscriminator(Probe, nn.Module):
    """A discriminator with two parameters: logits are a linear function of the pixels; counts its calls.

    Args:
        gain: spread of the logits, for pixels with a variance of one.
        bias: their mean.
    """

    def __init__(self, gain: float, bias: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.bias = nn.Parameter(torch.tensor(bias))
        for parameter in (self.gain, self.bias):
            parameter.grad = torch.tensor(MARK)
        self.pattern = _weights(PIXELS) / PIXELS**0.5
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, 32, 32) -> logits, (B, 1, 1, 1)."""
        self.calls += 1
        level = x.reshape(len(x), -1) @ self.pattern.to(x.dtype)
        return (self.gain.to(x.dtype) * level + self.bias.to(x.dtype)).view(-1, 1, 1, 1)

    def state(self) -> dict[str, list[float]]:
        """Values of the parameters, and their gradients; a gradient that is not there counts as 0."""
        parameters = (self.gain, self.bias)
        grads = [0.0 if parameter.grad is None else parameter.grad.item() for parameter in parameters]
        return {"values": [parameter.item() for parameter in parameters], "grads": grads}


class ToyGenerator(Probe, nn.Module):
    """A generator of one layer; keeps the noise that it gets.

    Args:
        z_dim: values of the noise.
    """

    def __init__(self, z_dim: int) -> None:
        super().__init__()
        self.z_dim = z_dim
        layer = nn.ConvTranspose2d(z_dim, 3, 32, bias=False)
        layer.weight.data = _weights(z_dim, 3, 32, 32) / z_dim**0.5
        self.model = nn.Sequential(layer, nn.Tanh())
        self.calls: list[Any] = []

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """(B, z_dim, 1, 1) -> images in [-1, 1], (B, 3, 32, 32)."""
        self.calls.append(snapshot(z))
        images: torch.Tensor = self.model(z)
        return images


class OptimizerRecorder(Probe):
    """Stands in for an optimizer; keeps the names of the methods that are called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def zero_grad(self, *args: Any, **kwargs: Any) -> None:
        """Recorded; nothing happens."""
        self.calls.append("zero_grad")

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Recorded; nothing happens."""
        self.calls.append("step")


class StandInCriterion(Probe):
    """A criterion for a submission whose own one is wrong: some function of logits and targets, and not a usual one."""

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Logits and targets of the same shape -> one number."""
        logits, targets = [*args, *(kwargs[name] for name in sorted(kwargs))][:2]  # input, target
        return (0.3 * (logits - 2.5 * targets + 0.8) ** 2 + 0.4 * torch.cos(logits)).mean()


class Workbench(Probe):
    """Says what kind of objects the submission has made."""

    def kind(self, module: Any, name: str) -> str:
        """`none`, `class`, `callable` or `other`, for what `name` is in the module."""
        made = getattr(module, name, None)
        if made is None:
            return "none"
        if inspect.isclass(made):
            return "class"
        return "callable" if callable(made) else "other"

    def optimizer(self, module: Any, name: str) -> dict[str, Any]:
        """What the optimizer `name` is, how it is set, and whose parameters it has.

        Returns:
            `kind`, see above; `type`, its name; `adam`, whether it is one; `groups`, the settings of each group;
            `holds`: for each network of the module, whether each of its parameters is in a group; `others`, how many
            parameters are of neither network.
        """
        made = getattr(module, name, None)
        groups = getattr(made, "param_groups", None) or []
        held = {id(parameter) for group in groups for parameter in group["params"]}
        networks = {key: list(getattr(module, key).parameters()) for key in NETWORKS if hasattr(module, key)}
        known = {id(parameter) for parameters in networks.values() for parameter in parameters}
        return {
            "kind": self.kind(module, name),
            "type": type(made).__name__,
            "adam": isinstance(made, (torch.optim.Adam, torch.optim.AdamW)),
            "groups": [_settings(group) for group in groups],
            "holds": {key: [id(p) in held for p in parameters] for key, parameters in networks.items()},
            "others": len(held - known),
        }


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: float(group.get(name, 0.0)) for name in ("lr", "weight_decay")}
    flags = {name: bool(group.get(name, False)) for name in ("maximize", "amsgrad")}
    return {**numbers, **flags, "betas": [float(beta) for beta in group.get("betas", ())]}

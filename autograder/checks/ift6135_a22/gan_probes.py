"""Networks, an optimizer and a criterion that record how the functions of a GAN use them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from autograder.sandbox.probes import Probe, snapshot

MARK = 5.0  # gradient that every parameter of the toy discriminator has before the call
PIXELS = 3 * 32 * 32
NETWORKS = ("discriminator", "generator")
SWITCHES = ("weight_decay", "maximize", "amsgrad")  # settings that Adam leaves switched off


def in_blocks(tiles: torch.Tensor) -> torch.Tensor:
    """(..., 4, 4) -> (..., 32, 32), each value as a square of 8 x 8 pixels."""
    return tiles.repeat_interleave(8, -1).repeat_interleave(8, -2)


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
        self.pattern = _weights(PIXELS).sign() / PIXELS**0.5
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
    """A generator of one layer, of images that are made of squares; keeps the noise that it gets.

    Args:
        z_dim: values of the noise.
    """

    def __init__(self, z_dim: int) -> None:
        super().__init__()
        self.z_dim = z_dim
        layer = nn.ConvTranspose2d(z_dim, 3, 32, bias=False)
        layer.weight.data = in_blocks(_weights(z_dim, 3, 4, 4)) / z_dim**0.5
        self.model = nn.Sequential(layer, nn.Tanh())
        self.calls: list[Any] = []

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """(B, z_dim, 1, 1) -> images in [-1, 1], (B, 3, 32, 32)."""
        self.calls.append(snapshot(z))
        images: torch.Tensor = self.model(z)
        return images

    def made(self) -> torch.Tensor:
        """The images of all the noise that came, in its order; (n, 3, 32, 32)."""
        with torch.no_grad():
            return torch.cat([torch.zeros(0, 3, 32, 32), *(self.model(z).reshape(-1, 3, 32, 32) for z in self.calls)])

    def noise(self, rows: int) -> torch.Tensor:
        """The noise that came, one after the other in so many rows."""
        return torch.cat([z.flatten() for z in self.calls]).view(rows, -1)


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

    def generator(self, module: Any) -> ToyGenerator:
        """A generator for noise as long as the module's `z_dim`, or 32 values."""
        z_dim = getattr(module, "z_dim", None)
        return ToyGenerator(z_dim if isinstance(z_dim, int) and 1 <= z_dim <= 1000 else 32)

    def is_adam(self, module: Any, name: str) -> bool:
        """Whether the optimizer `name` is one of torch's Adam."""
        return isinstance(getattr(module, name, None), (torch.optim.Adam, torch.optim.AdamW))

    def settings(self, module: Any, name: str, rate: str) -> dict[str, list[Any]]:
        """How the optimizer `name` is set, each value once, whatever its groups are.

        Returns:
            `rates`: learning rates other than the module's number `rate`; `betas`; `switched on`: names of settings.
        """
        groups = [_settings(group) for group in getattr(getattr(module, name, None), "param_groups", None) or []]
        own = getattr(module, rate, None)
        named = [_rounded(own)] if isinstance(own, (int, float)) else []
        return {
            "rates": _once(group["lr"] for group in groups if group["lr"] not in named),
            "betas": _once(group["betas"] for group in groups),
            "switched on": _once(key for group in groups for key in SWITCHES if group[key]),
        }

    def optimizer(self, module: Any, name: str) -> dict[str, Any]:
        """What the optimizer `name` is, and whose parameters it has.

        Returns:
            `kind`, see above; `type`, its name; `groups`, their number; `holds`: for each network of the module,
            whether each of its parameters is in a group; `others`, how many parameters are of neither network.
        """
        made = getattr(module, name, None)
        groups = getattr(made, "param_groups", None) or []
        held = {id(parameter) for group in groups for parameter in group["params"]}
        networks = {key: list(getattr(module, key).parameters()) for key in NETWORKS if hasattr(module, key)}
        known = {id(parameter) for parameters in networks.values() for parameter in parameters}
        return {
            "kind": self.kind(module, name),
            "type": type(made).__name__,
            "groups": len(groups),
            "holds": {key: [id(p) in held for p in parameters] for key, parameters in networks.items()},
            "others": len(held - known),
        }


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    switches = {name: bool(group.get(name, False)) for name in SWITCHES}
    betas = [_rounded(beta) for beta in group.get("betas", ())]
    return {"lr": _rounded(group.get("lr", 0.0)), "betas": betas, **switches}


def _rounded(number: Any) -> float:
    return float(f"{float(number):.6g}")


def _once(values: Iterable[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if value not in kept:
            kept.append(value)
    return kept

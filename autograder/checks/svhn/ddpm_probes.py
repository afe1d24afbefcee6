"""Stand-ins for the network and the functions of a DDPM. None of their formulas is one of the assignment's."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from autograder.sandbox.probes import Probe, snapshot


def in_order(names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """The arguments of a call in the order of `names`; None for those that are not given."""
    return [args[i] if i < len(args) else kwargs.get(name) for i, name in enumerate(names)]


class NoiseNet(Probe, nn.Module):
    """A network eps(x, t) with one parameter, each of whose outputs depends on its own x and t.

    Args:
        gain: size of the part that depends on x.
        shift: size of the part that depends on t.
        steps: number of times.
    """

    def __init__(self, gain: float, shift: float, steps: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.shift, self.steps = shift, steps
        self.calls: list[dict[str, Any]] = []

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, C, H, W) and (B,) -> (B, C, H, W)."""
        x, t = args[0] if args else kwargs.pop("x"), None
        rest = [*args[1:], *kwargs.values()]
        if rest:
            t = rest[0]
        self.calls.append({"x": snapshot(x), "t": snapshot(t)})
        time = torch.as_tensor(0 if t is None else t).to(x.dtype).reshape(-1, 1, 1, 1) / self.steps
        return self.gain.to(x.dtype) * torch.sin(x) + self.shift * torch.cos(3 * time)


class NoisingRecorder(Probe):
    """In the place of `q_sample`: keeps what it gets, and gives something that can be told apart."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, C, H, W), (B,) and (B, C, H, W) -> (B, C, H, W)."""
        x, t, noise = in_order(("x_start", "t", "noise"), args, kwargs)
        out = torch.cos(2 * x)
        if isinstance(noise, torch.Tensor):
            out = out - 0.5 * torch.sin(3 * noise)
        self.calls.append({"x": snapshot(x), "t": snapshot(t), "noise": snapshot(noise), "out": snapshot(out)})
        return out


class StepRecorder(Probe):
    """In the place of `p_sample`: keeps what it gets, and gives something that can be told apart."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """A network, (B, C, H, W), (B,) and a number -> (B, C, H, W)."""
        model, x, t, t_index = in_order(("model", "x", "t", "t_index"), args, kwargs)
        out = 0.8 * x + 0.1
        call = {"x": x, "t": t, "t_index": t_index, "out": out}
        self.calls.append({**{name: snapshot(value) for name, value in call.items()}, "model": callable(model)})
        return out

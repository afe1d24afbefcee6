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


class LinearNet(Probe, nn.Module):
    """A network that is `slope * x + offset` at each of its times, plus a parameter that is 0.

    Args:
        known: its times; any other one counts as the nearest of them.
        slope: (N,), for the N times.
        offset: (N, ...).
    """

    def __init__(self, known: list[int], slope: torch.Tensor, offset: torch.Tensor) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))
        self.known, self.slope, self.offset = torch.tensor(known), slope, offset
        self.times: list[Any] = []

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, C, H, W) and (B,) -> (B, C, H, W)."""
        [t] = [torch.as_tensor(item) for item in (*args, *kwargs.values())][:1] or [torch.zeros(1)]
        self.times.append(t.tolist())
        nearest = (t.reshape(-1, 1) - self.known).abs().argmin(1)
        slope = self.slope[nearest].reshape(-1, 1, 1, 1)
        return slope.to(x.dtype) * x + self.offset[nearest].to(x.dtype) + self.shift.to(x.dtype)


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


class HalvingStep(Probe):
    """In the place of `p_sample`: asks the network, and gives half of x and one of its levels.

    Args:
        levels: (N,), for the times 0 .. N - 1; a later time has the last of them.
    """

    def __init__(self, levels: torch.Tensor) -> None:
        self.levels = levels

    def __call__(self, model: Any, x: torch.Tensor, t: torch.Tensor, t_index: Any) -> torch.Tensor:
        """A network, (B, C, H, W), (B,) and a number -> (B, C, H, W)."""
        model(x, t)
        return 0.5 * x + self.levels[min(int(t_index), len(self.levels) - 1)]


class RightNoising(Probe):
    """In the place of a wrong `q_sample`.

    Args:
        signal: (B, 1, 1, 1), factor of the images.
        spread: (B, 1, 1, 1), factor of the noise.
    """

    def __init__(self, signal: torch.Tensor, spread: torch.Tensor) -> None:
        self.signal, self.spread = signal, spread

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, C, H, W), (B,) and (B, C, H, W) -> (B, C, H, W)."""
        x, _t, noise = in_order(("x_start", "t", "noise"), args, kwargs)
        return self.signal * x + self.spread * (torch.randn_like(x) if noise is None else noise)


class DrawnTimes(Probe):
    """Calls a function that draws times, and sums up what it gives."""

    def form(self, t_sample: Any, timesteps: int, batch_size: int) -> list[Any]:
        """Type and shape of the times."""
        times = t_sample(timesteps, batch_size)
        if not isinstance(times, torch.Tensor):
            return [type(times).__name__]
        return [str(times.dtype), *times.shape]

    def shares(self, t_sample: Any, timesteps: int, batch_size: int) -> torch.Tensor:
        """How often each time from -1 to `timesteps` was drawn, as a part of all; float32 (timesteps + 2,)."""
        times = torch.as_tensor(t_sample(timesteps, batch_size))
        return torch.stack([(times == time).float().mean() for time in range(-1, timesteps + 1)])

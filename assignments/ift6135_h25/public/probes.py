"""Stand-ins that the public checks hand to your code: networks, diffusions, settings."""


from __future__ import annotations


from typing import Any


import torch


from torch import nn


from tools.probes import Probe, snapshot


class TimeNet(Probe, nn.Module):
    """A network eps(x, t) with one parameter, each of whose outputs depends on its own x and t."""

    def __init__(self, gain: float, steps: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.steps = steps
        self.calls: list[dict[str, Any]] = []

    def forward(self, x: torch.Tensor, t: Any) -> torch.Tensor:
        """(B, C, H, W) and (B,) -> (B, C, H, W)."""
        self.calls.append({"x": snapshot(x), "t": snapshot(t)})
        time = torch.as_tensor(t).to(x.dtype).reshape(-1, 1, 1, 1) / self.steps
        return self.gain * torch.sin(x) + torch.cos(3 * time)


class LabelNet(Probe, nn.Module):
    """A network eps(z, labels) with one parameter; without labels its output is another one."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.calls: list[dict[str, Any]] = []

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        """(B, C, H, W) and (B,) or None -> (B, C, H, W)."""
        self.calls.append({"z": snapshot(x), "labels": snapshot(y)})
        shift = x.new_tensor(-0.7) if y is None else 0.3 * y.to(x.dtype).reshape(-1, 1, 1, 1)
        return self.gain * torch.sin(x) + shift * torch.cos(x)


class ReverseStub(Probe):
    """A stand-in for DenoiseDiffusion that maps x_t to a known x_{t-1} without noise, and records the times.

    Of the noise at the start, less and less is left with each step.
    """

    def __init__(self, net: TimeNet, steps: int, gain: float = 0.1) -> None:
        self.eps_model = net
        self.n_steps = steps
        self.gain = gain
        self.times: list[Any] = []
        self.reverse: list[dict[str, Any]] = []
        self.forward_calls = 0

    def p_sample(self, xt: torch.Tensor, t: torch.Tensor, set_seed: bool = False) -> torch.Tensor:
        """One reverse step."""
        self.reverse.append({"x": snapshot(xt), "t": snapshot(t), "grad": torch.is_grad_enabled()})
        self.times.append(torch.as_tensor(t).tolist())
        return 0.8 * xt + self.gain * (torch.as_tensor(t).to(xt.dtype).reshape(-1, 1, 1, 1) + 1)

    def p_xt_prev_xt(self, xt: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean of the reverse step; its variance is zero."""
        mean = self.p_sample(xt, t)
        return mean, torch.zeros(mean.shape[0], 1, 1, 1)

    def q_sample(self, x0: torch.Tensor, t: torch.Tensor, eps: torch.Tensor | None = None) -> torch.Tensor:
        """The wrong direction: counted."""
        self.forward_calls += 1
        return x0 + 1


class GuidanceStub(Probe):
    """A stand-in for CFGDiffusion with a log-SNR, factors and reverse step of its own, all without noise."""

    def __init__(self, net: LabelNet, steps: int) -> None:
        self.eps_model = net
        self.n_steps = steps
        self.lambda_min, self.lambda_max = -20, 20
        self.times: list[Any] = []
        self.reverse: list[dict[str, Any]] = []

    def get_lambda(self, t: torch.Tensor) -> torch.Tensor:
        """Falls with t, and is finite at t = -1 as well; (B, 1, 1, 1)."""
        self.times.append(snapshot(t))
        return (3.0 - 0.5 * torch.as_tensor(t)).reshape(-1, 1, 1, 1)

    def alpha_lambda(self, lambda_t: torch.Tensor) -> torch.Tensor:
        """Factor of the image."""
        return 0.8 + 0.1 * torch.tanh(lambda_t)

    def sigma_lambda(self, lambda_t: torch.Tensor) -> torch.Tensor:
        """Factor of the noise."""
        return 0.4 - 0.1 * torch.tanh(lambda_t)

    def p_sample(
        self,
        z_lambda_t: torch.Tensor,
        lambda_t: torch.Tensor,
        lambda_t_prim: torch.Tensor,
        x_t: torch.Tensor,
        set_seed: bool = False,
    ) -> torch.Tensor:
        """One reverse step; the last one gives x_t."""
        self.reverse.append(
            {
                "z": snapshot(z_lambda_t),
                "lambda": snapshot(lambda_t),
                "lambda_prim": snapshot(lambda_t_prim),
                "x": snapshot(x_t),
                "grad": torch.is_grad_enabled(),
            }
        )
        last = torch.as_tensor(lambda_t) >= 2.999
        return torch.where(last, x_t, 0.6 * z_lambda_t + 0.4 * x_t)


class ForgetfulGuidance(GuidanceStub):
    """A stand-in for CFGDiffusion whose reverse step gives a z that follows from lambda' alone; the last gives x_t."""

    def p_sample(
        self,
        z_lambda_t: torch.Tensor,
        lambda_t: torch.Tensor,
        lambda_t_prim: torch.Tensor,
        x_t: torch.Tensor,
        set_seed: bool = False,
    ) -> torch.Tensor:
        """One reverse step."""
        position = torch.arange(z_lambda_t[0].numel(), dtype=x_t.dtype).reshape(z_lambda_t[0].shape)
        fixed = torch.sin(position + torch.as_tensor(lambda_t_prim).to(x_t.dtype)).expand_as(x_t)
        return torch.where(torch.as_tensor(lambda_t) >= 2.999, x_t, fixed)


class Settings(Probe, dict):
    """`args` of a Trainer: keys that are attributes as well."""

    def __getattr__(self, name: str) -> Any:
        """The value of a key."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a key."""
        self[name] = value

"""An exponential moving average of a network's weights."""

import torch
from torch import nn


def one_param(m: nn.Module) -> nn.Parameter:
    """The first parameter of a network, to ask for its device and dtype."""
    return next(m.parameters())


class EMA:
    """Keeps a second network whose weights follow the trained ones slowly.

    Attributes:
        beta: the part of an averaged weight that stays in one update.
        step: number of calls of `step_ema` so far.
    """

    def __init__(self, beta: float):
        """Make an average with this `beta`."""
        self.beta = beta
        self.step = 0

    @torch.no_grad()
    def update_model_average(self, ma_model: nn.Module, current_model: nn.Module) -> None:
        """Move all weights of `ma_model` towards those of `current_model`, in place."""
        for averaged, current in zip(ma_model.parameters(), current_model.parameters(), strict=True):
            averaged.copy_(self.update_average(averaged, current))

    def update_average(self, old: torch.Tensor | None, new: torch.Tensor) -> torch.Tensor:
        """beta * old + (1 - beta) * new; `new` if there is no old value."""
        return new if old is None else self.beta * old + (1 - self.beta) * new

    def step_ema(self, ema_model: nn.Module, model: nn.Module, step_start_ema: int = 2000) -> None:
        """Call after each step of the optimizer: copies the weights at first, averages from `step_start_ema` on."""
        if self.step < step_start_ema:
            self.reset_parameters(ema_model, model)
        else:
            self.update_model_average(ema_model, model)
        self.step += 1

    def reset_parameters(self, ema_model: nn.Module, model: nn.Module) -> None:
        """Copy all weights of `model` to `ema_model`."""
        ema_model.load_state_dict(model.state_dict())

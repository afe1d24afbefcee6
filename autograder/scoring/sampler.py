"""The child's end of scoring samples: it loads weights into the submission's model, times it, and draws.

The source of this module is sent into the jail. Everything here runs beside the submission's code and is not trusted:
what it returns are samples to be judged, and durations that only plan the grader's own time.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from autograder.sandbox.probes import Probe


class _Enough(BaseException):
    """Ends a generation that was only started to be timed."""


class Sampler(Probe):
    """Works with one model of the submission on one device."""

    def __init__(self, device: str):
        """Samples are drawn on `device`."""
        self.device = torch.device(device)

    def shapes(self, model: Any) -> dict[str, list[int]]:
        """Name and shape of each tensor of the model's state."""
        return {str(name): list(tensor.shape) for name, tensor in model.state_dict().items()}

    def load(self, model: Any, path: str) -> None:
        """Fill the model with the weights of a file, and make it ready to generate."""
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        model.to(self.device)
        model.eval()

    def count_calls(self, model: Any, labels: torch.Tensor) -> int:
        """Number of times that generating one batch calls the model's network; 0 where it has none."""
        network = getattr(model, "network", None)
        if not isinstance(network, torch.nn.Module):
            return 0
        calls = 0

        def count(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            nonlocal calls
            calls += 1
            return torch.zeros_like(x)

        network.forward = count
        try:
            self._generate(model, labels)
        finally:
            del network.forward
        return calls

    def seconds_per_call(self, model: Any, labels: torch.Tensor) -> float:
        """Seconds from one call of the network to the next, in a generation that is broken off after three."""
        network, forward = model.network, model.network.forward
        ends: list[float] = []

        def timed(*args: Any, **kwargs: Any) -> torch.Tensor:
            if len(ends) == 3:
                raise _Enough
            result: torch.Tensor = forward(*args, **kwargs)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            ends.append(time.perf_counter())
            return result

        network.forward = timed
        try:
            self._generate(model, labels)
        except _Enough:
            pass
        finally:
            del network.forward
        return (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else 0.0

    def sample(self, model: Any, labels: torch.Tensor) -> Any:
        """What the model generates for these labels."""
        samples = self._generate(model, labels)
        return samples.detach().cpu() if isinstance(samples, torch.Tensor) else samples

    def _generate(self, model: Any, labels: torch.Tensor) -> Any:
        return model.generate_sample(len(labels), device=self.device, labels=labels.to(self.device))

"""Stand-ins for networks and steps that record how they are called.

A submission may read attributes of its own network, so a stand-in replaces only the network's `forward`:
`assign(model.network.forward, probe)`. Probes for this are plain callables; a module could not be set there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from autograder.sandbox.probes import Probe, snapshot

# --- diffusion in the space of the images


class PlainNet(Probe, nn.Module):
    """A network for a submission whose own one cannot be made; its `forward` is replaced before it is called."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.in_channels = 1
        self.layer = nn.Conv2d(1, 1, 1)


def named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """x, time and labels of a call; names of keywords are the submission's own, their order is not."""
    given = list(args)
    rest = dict(kwargs)
    if not given:
        given.append(rest.pop("x", None))
    if len(given) < 2:
        time = next((name for name in rest if name.startswith("t")), None)
        given.append(rest.pop(time) if time else None)
    if len(given) < 3:
        given.append(next(iter(rest.values()), None))
    return given[0], given[1], given[2]


class NoiseRecorder(Probe):
    """`forward` of a noise predictor with one parameter; keeps what it gets and gives."""

    def __init__(self, gain: float) -> None:
        self.gain = nn.Parameter(torch.tensor(gain))
        self.calls: list[dict[str, Any]] = []

    def parameters(self) -> list[torch.Tensor]:
        """What gradients are taken of."""
        return [self.gain]

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, C, H, W), (B,) and (B,) -> (B, C, H, W)."""
        x, time, labels = named(args, kwargs)
        out = self.gain.to(x.dtype) * torch.sin(x)
        self.calls.append({"x": snapshot(x), "t": snapshot(time), "labels": snapshot(labels), "out": snapshot(out)})
        return out


class Stopped(Exception):
    """Ends a loop whose rest is of no interest."""


class Oracle(Probe):
    """`forward` of a noise predictor that knows the image: one grey value. Keeps a summary of every call.

    Args:
        bars: the products of the alphas; float64 (T,).
        image: the grey value.
        stop_after: raise `Stopped` after so many calls; 0: never.
    """

    def __init__(self, bars: torch.Tensor, image: float, stop_after: int = 0) -> None:
        self.image_part = bars.sqrt() * image
        self.noise_part = (1 - bars).sqrt()
        self.stop_after = stop_after
        self.times: list[list[int]] = []  # different times of each call
        self.shapes: list[list[int]] = []
        self.stds: list[float] = []  # of the noise in x_t, given the image
        self.means: list[float] = []
        self.largest: list[float] = []
        self.start: Any = None
        self.labels: Any = None
        self.labels_change = False
        self.grad = False
        self.device = torch.device("cpu")

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, C, H, W), (B,) and (B,) -> the noise, (B, C, H, W)."""
        x, time, labels = named(args, kwargs)
        t = torch.as_tensor(time).detach().long().reshape(-1)
        if not self.times:
            self.start, self.labels = snapshot(x), snapshot(labels)
        self.labels_change = self.labels_change or not same(self.labels, labels)
        self.grad = self.grad or torch.is_grad_enabled()
        self.times.append(sorted(set(t.tolist())))
        self.shapes.append(list(x.shape))
        at = t.clamp(0, len(self.noise_part) - 1)
        noise = (x - self.image_part[at].view(-1, 1, 1, 1)) / self.noise_part[at].view(-1, 1, 1, 1)
        std, mean = torch.std_mean(noise.detach())
        self.stds.append(float(std))
        self.means.append(float(mean))
        self.largest.append(float(x.detach().abs().max()))
        if len(self.times) == self.stop_after:
            raise Stopped("the check has seen enough")
        return noise.to(x.dtype)


def same(first: Any, second: Any) -> bool:
    """Whether two labels are equal; tensors in values and shape."""
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return first.shape == second.shape and bool((first == second).all())
    return bool(type(first) is type(second) and first == second)


class KnownNoise(Probe):
    """`forward` of a noise predictor that knows the images, each of one value, and so finds the noise in x_t.

    What it gives is off by errors that are known. Keeps times and labels, and the size of the noise.

    Args:
        factors: of the images and of the noise at each time; (T, 2).
        levels: value of each image (B,), or of all (1,).
        errors: what is added to each image's noise (B,), or to that of all (1,).
        gain: what these are multiplied with; a parameter.
    """

    def __init__(self, factors: torch.Tensor, levels: torch.Tensor, errors: torch.Tensor, gain: float) -> None:
        self.factors, self.levels, self.errors = factors, levels, errors
        self.gain = nn.Parameter(torch.tensor(gain))
        self.times: list[Any] = []
        self.stds: list[float] = []
        self.labels: Any = None

    def parameters(self) -> list[torch.Tensor]:
        """What gradients are taken of."""
        return [self.gain]

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, ...), (B,) and (B,) -> the noise, (B, ...)."""
        x, time, labels = named(args, kwargs)
        t = torch.as_tensor(time).detach().long().reshape(-1)
        ones = [1] * (x.dim() - 1)
        image, scale = (column.view(-1, *ones) for column in self.factors[t.clamp(0, len(self.factors) - 1)].unbind(1))
        noise = (x - image * self.levels.view(-1, *ones)) / scale
        self.times.append(int(t[0]) if bool((t == t[0]).all()) else t.tolist())
        self.stds.append(float(noise.detach().std()))
        self.labels = snapshot(labels)
        return (noise + self.gain * self.errors.view(-1, *ones)).to(x.dtype)

    def spread(self) -> torch.Tensor:
        """Least and largest standard deviation of the noise, in units of the right one; (2,)."""
        return torch.tensor([min(self.stds), max(self.stds)])

    def falls(self, steps: int) -> bool:
        """Whether the times fall from one of the last to one of the first."""
        return (
            all(isinstance(time, int) for time in self.times)
            and all(late > early for late, early in zip(self.times, self.times[1:]))  # noqa: B905
            and len(self.times) > 1
            and 0.75 * steps <= self.times[0] < steps
            and 0 <= self.times[-1] < 0.25 * steps
        )


class ModelStep(Probe):
    """A right `recover_sample` for a loop that visits `times` in this order; goes from each time to the next one.

    Args:
        bars: the products of the alphas; float64 (T,).
        times: the times of the loop.
        stochastic: with the noise of the posterior.
    """

    def __init__(self, bars: torch.Tensor, times: list[int], stochastic: bool) -> None:
        self.bars = torch.cat([bars, bars.new_ones(1)])  # at -1: the image
        self.after = dict(zip(times, [*times[1:], -1]))  # noqa: B905  (one longer on purpose)
        self.stochastic = stochastic
        self.calls = 0

    def __call__(self, noisy: torch.Tensor, noise: torch.Tensor, time: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, C, H, W) twice, and one time -> (B, C, H, W)."""
        self.calls += 1
        t = int(torch.as_tensor(time).reshape(-1)[0])
        bar, before = float(self.bars[t]), float(self.bars[self.after.get(t, -1)])
        variance = (1 - before) / (1 - bar) * (1 - bar / before) if self.stochastic else 0.0
        image = (noisy - (1 - bar) ** 0.5 * noise) / bar**0.5
        mean = before**0.5 * image + max(1 - before - variance, 0.0) ** 0.5 * noise
        return mean + variance**0.5 * torch.randn_like(mean)


# --- networks, VAE, latent diffusion


class Bench(Probe):
    """Runs networks of the submission: with a known seed, without gradients, in evaluation mode."""

    def settle(self, module: nn.Module, seed: int, *inputs: torch.Tensor) -> None:
        """Make an untrained network behave as a trained one does, as far as its structure shows.

        Parameters that start at zero, such as those of a zero-initialised last layer, get small random values; layers
        with running statistics see one batch, `inputs`. Then the network goes into evaluation mode.
        """
        generator = torch.Generator().manual_seed(seed)
        for parameter in module.parameters():
            _wake(parameter, generator)
        norms = [layer for layer in module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
        if norms:
            before = [layer.momentum for layer in norms]
            for layer in norms:
                layer.momentum = 1.0
            module.train()
            torch.manual_seed(seed)
            with torch.no_grad():
                module(*inputs)
            for layer, momentum in zip(norms, before):  # noqa: B905
                layer.momentum = momentum
        module.eval()

    def run(self, module: nn.Module, method: str, seed: int, *inputs: torch.Tensor) -> Any:
        """What `method` returns."""
        torch.manual_seed(seed)
        with torch.no_grad():
            return getattr(module, method)(*inputs)

    def extremes(self, module: nn.Module, method: str, seed: int, *inputs: torch.Tensor) -> list[float]:
        """Least and largest finite value of what `method` returns (first, if several), with ever larger weights."""
        generator = torch.Generator().manual_seed(seed)
        least, largest = float("inf"), float("-inf")
        for _ in range(3):
            for parameter in module.parameters():
                if parameter.dim() > 1:
                    parameter.data = 1.5 * parameter.data
                else:
                    parameter.data = parameter.data + torch.randn(parameter.shape, generator=generator)
            try:
                out = self.run(module, method, seed, *inputs)
            except ValueError:  # torch.distributions refuses what has overflown
                break
            out = out[0] if isinstance(out, (tuple, list)) else out
            if isinstance(out, torch.Tensor) and bool(out.isfinite().any()):
                finite = out[out.isfinite()]
                least, largest = min(least, float(finite.min())), max(largest, float(finite.max()))
        return [least, largest]

    def reached(self, module: nn.Module, seed: int, *inputs: torch.Tensor) -> float | None:
        """Fraction of the trainable values that a gradient of the output reaches; None: it carries no gradient."""
        torch.manual_seed(seed)
        parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        hit = _hit(module(*inputs), parameters)
        if hit is None:
            return None
        sizes = [parameter.numel() for parameter in parameters]
        return sum(size for size, found in zip(sizes, hit) if found) / max(1, sum(sizes))  # noqa: B905

    def reached_in_vae(self, vae: Any, seed: int, images: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
        """For each parameter, whether gradients of mean, logvar, out and a decoded constant reach it; None: of none."""
        torch.manual_seed(seed)
        parameters = list(vae.parameters())
        out, mean, logvar = vae(images, labels)
        found = {"out": out, "mean": mean, "logvar": logvar, "decoded": vae.decode(torch.randn_like(mean), labels)}
        return {name: _hit(value, parameters) for name, value in found.items()}

    def generate(self, model: Any, seed: int, num_samples: int, labels: Any = None) -> Any:
        """What `generate_sample` returns, called as the training does; None where an oracle stopped it."""
        torch.manual_seed(seed)
        given = {} if labels is None else {"labels": labels}
        try:
            return model.generate_sample(num_samples, torch.device("cpu"), **given)
        except Stopped:
            return None


def _wake(parameter: torch.Tensor, generator: torch.Generator) -> None:
    """New values for a parameter that is practically zero; others keep theirs."""
    largest = float(parameter.detach().abs().max())
    scale = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.2
    if largest < (0.1 * scale if parameter.dim() > 1 else 1e-3):
        noise = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
        parameter.data = scale * noise + (0.5 if parameter.dim() == 0 else 0.0)


def _hit(value: torch.Tensor, parameters: Sequence[torch.Tensor]) -> list[bool] | None:
    """Which of the parameters a gradient of the value reaches."""
    if not value.requires_grad:
        return None
    weights = torch.randn(value.shape, generator=torch.Generator().manual_seed(0))
    wanted = [parameter for parameter in parameters if parameter.requires_grad]
    found = iter(torch.autograd.grad((value * weights).sum(), wanted, allow_unused=True, retain_graph=True))
    grads = [next(found) if parameter.requires_grad else None for parameter in parameters]
    return [grad is not None and bool((grad != 0).any()) for grad in grads]


class Decoder(Probe):
    """A stand-in for a VAE's `decode`: keeps what it gets, and makes images of it that can be told apart."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, ...) and (B,) -> (B, 1, 32, 32)."""
        sample, labels, *_ = [*args, *kwargs.values(), None]
        self.calls.append({"sample": snapshot(sample), "labels": snapshot(labels), "grad": torch.is_grad_enabled()})
        return self.picture(sample, labels)

    def picture(self, sample: torch.Tensor, labels: Any) -> torch.Tensor:
        """Images of a latent and a class, in [0, 1]."""
        level = sample.flatten(1).mean(1)
        if isinstance(labels, torch.Tensor) and labels.shape == level.shape:
            level = level + 0.3 * labels
        grey = torch.linspace(0.1, 0.9, 32, dtype=sample.dtype)
        return torch.sigmoid(level).view(-1, 1, 1, 1) * (grey.view(-1, 1) * grey.flip(0)).sqrt()


class StandInVae(Probe, nn.Module):
    """A VAE for losses and steps in its latent space, which have no use for it; counts its uses."""

    def __init__(self, latent: list[int], num_classes: int) -> None:
        super().__init__()
        size = [1, 1, *latent][-2:] if len(latent) > 1 else [4, 4]
        self.latent_dim, self.num_classes, self.mid_size = latent[0], num_classes, [8, *size]
        self.in_channels, self.height, self.width = 1, 32, 32
        self.weight = nn.Parameter(torch.ones(1))
        self.uses: list[str] = []

    def forward(self, x: torch.Tensor, label: Any = None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Counted; nothing is encoded."""
        self.uses.append("forward")
        return x, x * self.weight, x * self.weight

    def reparameterize(self, mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
        """Counted."""
        self.uses.append("reparameterize")
        return mean

    def decode(self, sample: torch.Tensor, labels: Any = None) -> torch.Tensor:
        """Counted."""
        self.uses.append("decode")
        return sample * self.weight


class LatentNet(PlainNet):
    """A network for latents of so many channels; its `forward` is replaced before it is called."""

    def __init__(self, num_classes: int, channels: int) -> None:
        super().__init__(num_classes)
        self.in_channels = channels


class LatentOracle(Oracle):
    """`forward` of a noise predictor that knows the latents: one number for each class.

    Args:
        bars: the products of the alphas; float64 (T,).
        targets: the number of each class; float64 (num_classes,).
        stop_after: raise `Stopped` after so many calls; 0: never.
    """

    def __init__(self, bars: torch.Tensor, targets: torch.Tensor, stop_after: int = 0) -> None:
        super().__init__(bars, 1.0, stop_after)
        self.targets = targets

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, ...), (B,) and (B,) -> the noise, (B, ...)."""
        x, time, labels = named(args, kwargs)
        t = torch.as_tensor(time).detach().long().reshape(-1)
        if not self.times:
            self.start, self.labels = snapshot(x), snapshot(labels)
        self.labels_change = self.labels_change or not same(self.labels, labels)
        self.grad = self.grad or torch.is_grad_enabled()
        self.times.append(sorted(set(t.tolist())))
        self.shapes.append(list(x.shape))
        ones = [1] * (x.dim() - 1)
        at = t.clamp(0, len(self.noise_part) - 1)
        known = isinstance(labels, torch.Tensor) and not labels.is_floating_point() and labels.numel() == len(x)
        target = self.targets[labels.detach().reshape(-1)] if known else self.targets.new_zeros(1)
        image = self.image_part[at].view(-1, *ones) * target.view(-1, *ones)
        noise = (x.detach() - image) / self.noise_part[at].view(-1, *ones)
        std, mean = torch.std_mean(noise)
        self.stds.append(float(std))
        self.means.append(float(mean))
        self.largest.append(float(x.detach().abs().max()))
        if len(self.times) == self.stop_after:
            raise Stopped("the check has seen enough")
        return noise.to(x.dtype)

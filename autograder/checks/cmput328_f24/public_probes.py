"""What the public checks measure networks, latents and mixtures with; students get this source, too.

The networks and the shape of the latents are those that their author chose, so what is measured holds for all of them.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import nn

from autograder.sandbox.probes import Probe, snapshot

CHANGED = 1e-4  # of the outputs' spread: less is rounding


def change(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Largest difference in each element of a batch, relative to the spread of the values; (B,)."""
    spread = torch.cat([first, second]).std() + 1e-12
    return (first - second).flatten(1).abs().amax(1) / spread


def parts_of(
    mixed: torch.Tensor, first: torch.Tensor, second: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """a and b with mixed = a first + b second, by least squares for each element of a batch.

    Returns:
        a (B,), b (B,), and what is neither of them, (B, values).
    """
    rows = [item.double().flatten(1) for item in (mixed, first, second)]
    pair = torch.stack(rows[1:], dim=2)  # (B, values, 2)
    factors = torch.linalg.pinv(pair) @ rows[0].unsqueeze(2)  # (B, 2, 1)
    rest = rows[0] - (pair @ factors).squeeze(2)
    return factors[:, 0, 0], factors[:, 1, 0], rest


class Measure(Probe):
    """Numbers that say what a result is made of."""

    def factors(self, mixed: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> list[torch.Tensor]:
        """Factors of `first` and `second` in a sum of both, and the largest difference from such a sum; (B,) each."""
        a, b, rest = parts_of(mixed, first, second)
        return [a, b, rest.abs().amax(1)]

    def shares(self, mixed: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> list[torch.Tensor]:
        """Factor of `first` (B,) in a whole batch (B, ...); squares of both (- for b < 0) and of the rest, added."""
        rows = mixed.flatten(1)
        whole = [item.reshape(1, -1) for item in (rows, *(one.view(-1, 1).expand_as(rows) for one in (first, second)))]
        a, b, rest = parts_of(*whole)
        return [a[0], (a**2 + b * b.abs() + rest.square().mean(1))[0]]

    def ordered(self, rows: torch.Tensor) -> torch.Tensor:
        """The values of each row, the least first; (B, dim) both."""
        return rows.sort(dim=1).values

    def lengths(self, rows: torch.Tensor) -> torch.Tensor:
        """Squares of the values of each row, added up; (B, dim) -> (B,)."""
        return rows.square().sum(1)

    def tells_apart(self, rows: torch.Tensor) -> bool:
        """Whether each row differs visibly from the one before."""
        return bool(((rows[1:] - rows[:-1]).abs().amax(1) > 0.2).all())

    def drift(self, rows: torch.Tensor) -> torch.Tensor:
        """By how much each product of two rows differs from that of the two rows before; (B, dim) -> (B - 1, B - 1)."""
        products = rows @ rows.T
        return products[1:, 1:] - products[:-1, :-1]


class Makers(Probe):
    """Makes models as assignment.py says; where another part of one is missing, by the class alone."""

    def network(self, assignment: Any, unet: Any) -> Any:
        """The network of `prepare_ddpm()`, or `UNet()`."""
        try:
            return assignment.prepare_ddpm().network
        except Exception:
            return unet()  # raises by itself where the network is what is missing

    def vae(self, assignment: Any, vae: Any) -> Any:
        """What `prepare_vae()` makes, or `VAE(in_channels=1)`."""
        try:
            return assignment.prepare_vae()
        except Exception:
            return vae(in_channels=1)

    def any_vae(self, assignment: Any) -> Any:
        """What `prepare_vae()` makes, or a VAE that only says how large its latents are."""
        try:
            return assignment.prepare_vae()
        except Exception:
            return LatentStandIn()


class Traits(Probe):
    """What holds for the outputs of a network, whatever its layers are."""

    def changes(self, module: Any, method: str, inputs: Any, others: Any, seed: int = 1, other_seed: int = 1) -> bool:
        """Whether other inputs, or other noise, change every element of the (first) output."""
        return bool(
            (change(_run(module, method, seed, inputs), _run(module, method, other_seed, others)) > CHANGED).all()
        )

    def within(self, module: Any, method: str, inputs: Any) -> bool:
        """Whether the (first) output lies in [0, 1], for three times larger weights as well."""
        values = [_run(module, method, 1, inputs)]
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(3.0)
            with contextlib.suppress(ValueError):  # torch.distributions refuses what has overflown
                values.append(_run(module, method, 1, inputs).nan_to_num(0.5, 0.5, 0.5))
            for parameter in module.parameters():
                parameter.div_(3.0)
        return all(float(each.min()) >= -1e-6 and float(each.max()) <= 1 + 1e-6 for each in values)

    def alike_in_shape(self, first: Any, second: Any, batch: int) -> bool:
        """Whether two tensors have one shape, that of a batch."""
        shapes = [tuple(item.shape) if isinstance(item, torch.Tensor) else () for item in (first, second)]
        return shapes[0] == shapes[1] and len(shapes[0]) >= 2 and shapes[0][0] == batch


def _run(module: Any, method: str, seed: int, inputs: Any) -> torch.Tensor:
    """The first output, without gradients."""
    torch.manual_seed(seed)
    with torch.no_grad():
        out = getattr(module, method)(*inputs)
    first: torch.Tensor = out[0] if isinstance(out, (tuple, list)) else out
    return first.detach().clone()


class Latents(Probe):
    """Latents in the shape that a VAE's author chose."""

    def normal(self, vae: Any, count: int, seed: int) -> torch.Tensor:
        """Normal ones; (count, *latent)."""
        return torch.randn(count, *_latent_of(vae), generator=torch.Generator().manual_seed(seed))

    def filled(self, vae: Any, levels: torch.Tensor, values: int) -> torch.Tensor:
        """Latents of one value each; each of the levels (K,) takes its turn until it fills so many values."""
        shape = _latent_of(vae)
        repeats = -(-values // max(1, torch.Size(shape).numel()))
        return levels.repeat(repeats).view(-1, *[1] * len(shape)).expand(-1, *shape).contiguous()

    def by_level(self, latents: Any, levels: int) -> Any:
        """All values of one level as a row; (levels, values)."""
        if not isinstance(latents, torch.Tensor) or latents.dim() == 0 or len(latents) % levels:
            return latents
        return latents.reshape(-1, levels, latents[0].numel()).transpose(0, 1).reshape(levels, -1)

    def moments(self, latents: Any, levels: int) -> Any:
        """Mean and standard deviation of each level; (levels,) each."""
        rows = self.by_level(latents, levels)
        return [rows.mean(1), rows.std(1)] if isinstance(rows, torch.Tensor) and rows.dim() == 2 else [rows, rows]

    def extremes(self, latents: Any) -> Any:
        """Least and largest value; (2,)."""
        return torch.stack([latents.min(), latents.max()]) if isinstance(latents, torch.Tensor) else latents


def _latent_of(vae: Any) -> tuple[int, ...]:
    """Shape of one latent, as forward's mean has it; where forward is not written yet, as the attributes say."""
    vae.eval()
    try:
        with torch.no_grad():
            mean = vae(torch.zeros(2, 1, 32, 32), torch.tensor([0, 1]))[1]
        return tuple(mean.shape[1:])
    except Exception:
        return (vae.latent_dim, *vae.mid_size[1:])


class LatentStandIn(Probe, nn.Module):
    """A VAE with latents of 4 x 4 x 4 for those who have none yet."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim, self.num_classes, self.mid_size = 4, 10, [8, 4, 4]
        self.weight = nn.Parameter(torch.ones(1))


class LabelDecoder(Probe):
    """A stand-in for a VAE's `decode`: grey images that say only which class was asked for. Keeps what it gets."""

    def __init__(self) -> None:
        self.samples: list[Any] = []
        self.labels: list[Any] = []

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(B, ...) and (B,) -> (B, 1, 32, 32)."""
        sample, labels, *_ = [*args, *kwargs.values(), None]
        self.samples.append(snapshot(sample))
        self.labels += torch.as_tensor(labels).reshape(-1).tolist()
        return (torch.as_tensor(labels).to(sample.dtype) / 10).view(-1, 1, 1, 1).expand(-1, 1, 32, 32).clone()

    def rows(self) -> torch.Tensor:
        """All latents in two rows; (2, values)."""
        return torch.cat([sample.flatten(1) for sample in self.samples]).reshape(2, -1)

    def extremes(self) -> torch.Tensor:
        """Least and largest value of the latents; (2,)."""
        rows = self.rows()
        return torch.stack([rows.min(), rows.max()])


class StepTaker(Probe):
    """Calls a denoising step with the kind of timestep that it takes.

    That is one time for each image, else a tensor of one element, else a number.
    """

    def take(self, step: Any, noisy_sample: torch.Tensor, estimated_noise: torch.Tensor, time: int) -> Any:
        """What the step gives; all images have the same time."""
        errors: list[Exception] = []
        odd: list[Any] = []
        for kind in (torch.full((len(noisy_sample),), time), torch.tensor([time]), time):
            try:
                result = step(noisy_sample, estimated_noise, kind)
            except NotImplementedError:
                raise
            except Exception as error:
                errors.append(error)
                continue
            if isinstance(result, torch.Tensor) and result.shape == noisy_sample.shape:
                return result
            odd.append(result)
        if odd:
            return odd[0]
        raise errors[min(1, len(errors) - 1)]

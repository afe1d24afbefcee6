"""Stand-ins for the networks of a VAE and for methods of its distributions, that run in the child.

Their densities are torch's; none of the assignment's formulas is written here.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from autograder.sandbox.probes import Probe, snapshot


class Gaussians(Probe):
    """Makes distributions of the submission's class and calls one of their methods, so that gradients can be taken."""

    def sample(self, kind: Any, mean: torch.Tensor, logvar: torch.Tensor | None = None) -> Any:
        """One sample."""
        return kind(mean, logvar).sample()

    def two_samples(self, kind: Any, mean: torch.Tensor) -> Any:
        """Two samples of the same object, whose variances are 1."""
        made = kind(mean)
        return made.sample(), made.sample()

    def kl(self, kind: Any, mean: torch.Tensor, logvar: torch.Tensor | None = None) -> Any:
        """The divergence."""
        return kind(mean, logvar).kl()

    def nll(self, kind: Any, mean: torch.Tensor, logvar: torch.Tensor, sample: torch.Tensor, *dims: Any) -> Any:
        """The negative log-density."""
        return kind(mean, logvar).nll(sample, *dims)

    def mode(self, kind: Any, mean: torch.Tensor, logvar: torch.Tensor) -> Any:
        """The mode."""
        return kind(mean, logvar).mode()


class VaeBench(Probe):
    """Calls methods of a VAE and picks one of the things that they return."""

    def posterior(self, vae: Any, x: torch.Tensor, part: str) -> Any:
        """Attribute `part` of what encode returns."""
        return getattr(vae.encode(x), part)

    def likelihood(self, vae: Any, z: torch.Tensor, part: str) -> Any:
        """Attribute `part` of what decode returns."""
        return getattr(vae.decode(z), part)

    def log_variances(self, vae: Any, z: torch.Tensor) -> Any:
        """The log-variance of what decode returns, for each number of the mean; unchanged where it does not fit."""
        made = vae.decode(z)
        try:
            return torch.broadcast_to(made.logvar, made.mean.shape)
        except (RuntimeError, TypeError, AttributeError):
            return made.logvar

    def forward(self, vae: Any, x: torch.Tensor, position: int) -> Any:
        """What forward returns at `position`."""
        return vae(x)[position]


class Affine(Probe):
    """`forward` of a network that is affine, with a parameter, its bias; keeps what it gets.

    Args:
        weight: (outputs, inputs); or (inputs,), a factor for each of them.
        bias: (outputs,).
        shape: of one output; () for a vector.
        bent: the sine of it, which is not affine any more.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, shape: Sequence[int] = (), bent: bool = False) -> None:
        self.weight = weight
        self.bias = bias.clone().requires_grad_()
        self.shape = list(shape) or [len(bias)]
        self.bent = bent
        self.calls: list[Any] = []

    def parameters(self) -> list[torch.Tensor]:
        """What gradients are taken of."""
        return [self.bias]

    def __call__(self, x: torch.Tensor, *_args: Any, **_kwargs: Any) -> torch.Tensor:
        """(B, ...) -> (B, *shape)."""
        self.calls.append(snapshot(x))
        weight = self.weight.to(x.dtype)
        rows = x if x.shape[-1] == weight.shape[-1] else x.flatten(1)
        out = (rows * weight if weight.dim() == 1 else rows @ weight.T) + self.bias.to(x.dtype)
        return (out.sin() if self.bent else out).reshape(-1, *self.shape)


class Encoding(Probe):
    """A stand-in for a VAE's `encode`, made of stand-ins for its networks."""

    def __init__(self, kind: Any, features: Affine, mean: Affine, logvar: Affine) -> None:
        self.kind, self.features, self.mean, self.logvar = kind, features, mean, logvar

    def __call__(self, x: torch.Tensor, *_args: Any, **_kwargs: Any) -> Any:
        """Images to a distribution of latents."""
        h = self.features(x)
        return self.kind(self.mean(h), self.logvar(h))


class Decoding(Probe):
    """A stand-in for a VAE's `decode`, made of a stand-in for its network."""

    def __init__(self, kind: Any, image: Affine) -> None:
        self.kind, self.image = kind, image

    def __call__(self, z: torch.Tensor, *_args: Any, **_kwargs: Any) -> Any:
        """Latents to a distribution of images."""
        return self.kind(self.image(z))


class RightMethod(Probe):
    """Stands for the method `name` of the submission's distributions; it is put into the class, and so it binds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, made: Any, kind: Any = None) -> Any:
        """The method of the distribution `made`."""
        return self if made is None else partial(getattr(self, self.name), made)

    def sample(self, made: Any, *_args: Any, **_kwargs: Any) -> torch.Tensor:
        """One sample."""
        return self._normal(made).rsample()

    def kl(self, made: Any, *_args: Any, **_kwargs: Any) -> torch.Tensor:
        """The divergence of each row."""
        prior = torch.distributions.Normal(torch.zeros_like(made.mean), torch.ones_like(made.mean))
        return torch.distributions.kl_divergence(self._normal(made), prior).sum(1)

    def nll(self, made: Any, sample: torch.Tensor, dims: Any = (1, 2, 3), *_args: Any, **_kwargs: Any) -> torch.Tensor:
        """The negative log-density."""
        return -self._normal(made).log_prob(sample).sum(dims)

    def mode(self, made: Any, *_args: Any, **_kwargs: Any) -> torch.Tensor:
        """The mode."""
        return self._normal(made).mode

    def _normal(self, made: Any) -> torch.distributions.Normal:
        mean, std = torch.broadcast_tensors(made.mean, made.std)
        return torch.distributions.Normal(mean, std, validate_args=False)

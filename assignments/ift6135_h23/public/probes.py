"""Stand-ins that the public checks hand to your code: networks, diffusions, settings."""


from __future__ import annotations


from typing import Any


import torch


from torch import nn


from tools.probes import Probe


class Backbone(nn.Module):
    """A network with a linear layer `fc` at its end, as those of torchvision have."""

    def __init__(self, pixels: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.body = nn.Linear(pixels, width)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, num_classes), or what has taken the place of `fc` makes of the features."""
        features: torch.Tensor = self.fc(torch.relu(self.body(x.flatten(1))))
        return features


class BackboneMaker(Probe):
    """What SimSiam gets for `base_encoder`.

    Args:
        pixels: values of an image.
        width: features before the last layer.
    """

    def __init__(self, pixels: int, width: int) -> None:
        self.pixels, self.width = pixels, width

    def __call__(self, num_classes: int = 1000, zero_init_residual: bool = False, **_: Any) -> Backbone:
        """A backbone with `num_classes` outputs."""
        return Backbone(self.pixels, self.width, num_classes)


class Tracer(Probe):
    """Runs the submission's SimSiam, and the networks in it."""

    def settle(self, model: Any, x1: torch.Tensor, x2: torch.Tensor) -> None:
        """Let the batch normalisations see both views once; then evaluation mode, in which each image is for itself."""
        norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm1d)]
        for layer in norms:
            layer.momentum = 1.0
        model.train()
        with torch.no_grad():
            model.predictor(model.encoder(torch.cat([x1, x2])))
        model.eval()

    def networks(self, model: Any, x1: torch.Tensor, x2: torch.Tensor) -> dict[str, torch.Tensor]:
        """What encoder and predictor make of each view, called by themselves: `e1`, `e2`, `h1`, `h2`, `hh1`, `hh2`."""
        with torch.no_grad():
            encoded = {"1": model.encoder(x1), "2": model.encoder(x2)}
            once = {view: model.predictor(code) for view, code in encoded.items()}
            twice = {view: model.predictor(code) for view, code in once.items()}
        named = (("e", encoded), ("h", once), ("hh", twice))
        return {f"{name}{view}": value for name, codes in named for view, value in codes.items()}

    def reaches(self, model: Any, x1: torch.Tensor, x2: torch.Tensor, output: int, network: str) -> bool:
        """Whether a gradient of that output of `forward` reaches that network."""
        return _reaches(model.forward(x1, x2)[output], getattr(model, network))

    def is_constant(self, model: Any, x1: torch.Tensor, x2: torch.Tensor, output: int) -> bool:
        """Whether no gradient of that output of `forward` reaches the networks."""
        return not any(self.reaches(model, x1, x2, output, network) for network in ("encoder", "predictor"))


def _reaches(value: torch.Tensor, network: nn.Module) -> bool:
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not value.requires_grad or not parameters:
        return False
    weights = torch.randn(value.shape, generator=torch.Generator().manual_seed(0))
    found = torch.autograd.grad((value * weights).sum(), parameters, allow_unused=True, retain_graph=True)
    return any(grad is not None and bool((grad != 0).any()) for grad in found)


from tools.probes import Probe, snapshot


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


from collections.abc import Sequence


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

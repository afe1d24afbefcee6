"""Stand-ins that the public checks hand to your code: networks, diffusions, settings."""


from __future__ import annotations


import inspect


from collections.abc import Iterable


from typing import Any


import torch


from torch import nn


from tools.probes import Probe, snapshot


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

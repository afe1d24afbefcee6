"""Networks that estimate the noise in images, given the time: one of the published size, and a small one.

`Unet` has the parts of Ho, Jain & Abbeel 2020, appendix B: residual blocks with group normalisation that are told the
time (Vaswani et al. 2017, section 3.5), attention at the lowest resolution, and linear attention (Katharopoulos et al.
2020, "Transformers are RNNs") at the others.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from lab.unet_blocks import SteeredUNet


class SinusoidalPositionEmbeddings(nn.Module):
    """Sines and cosines of the time at geometrically spaced frequencies: from (B,) to (B, dim)."""

    def __init__(self, dim: int):
        """Make embeddings with `dim` values, an even number."""
        super().__init__()
        self.dim = dim

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        """Embed times (B,)."""
        half = self.dim // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=time.device) / (half - 1))
        angles = time[:, None] * frequencies  # (B, dim / 2)
        return torch.cat([angles.sin(), angles.cos()], dim=1)


class Residual(nn.Module):
    """A layer with a shortcut around it, and a normalisation before it."""

    def __init__(self, channels: int, layer: nn.Module):
        """Put a shortcut around `layer`, which keeps the shape (B, channels, H, W)."""
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (B, channels, H, W) to the same shape."""
        return x + self.layer(self.norm(x))


class ResnetBlock(nn.Module):
    """Two convolutions with a shortcut; the time is added between them."""

    def __init__(self, c_in: int, c_out: int, c_time: int | None, groups: int):
        """Make a block from `c_in` to `c_out` channels; `c_time` None: without time."""
        super().__init__()
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(c_time, c_out)) if c_time else None
        self.first = nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.GroupNorm(groups, c_out), nn.SiLU())
        self.second = nn.Sequential(nn.Conv2d(c_out, c_out, 3, padding=1), nn.GroupNorm(groups, c_out), nn.SiLU())
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x: torch.Tensor, time: torch.Tensor | None) -> torch.Tensor:
        """From x (B, c_in, H, W) and the embedded time (B, c_time) to (B, c_out, H, W)."""
        h = self.first(x)
        if self.time is not None and time is not None:
            h = h + self.time(time)[:, :, None, None]
        return self.second(h) + self.shortcut(x)


class Attention(nn.Module):
    """Every position looks at all others."""

    def __init__(self, channels: int, heads: int = 4, head_channels: int = 32):
        """Make attention between positions of `channels` values."""
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv2d(channels, 3 * heads * head_channels, 1, bias=False)
        self.out = nn.Conv2d(heads * head_channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (B, channels, H, W) to the same shape."""
        q, k, v = _split(self.qkv(x), self.heads)  # (B, heads, head_channels, H W) each
        y = F.scaled_dot_product_attention(q.mT, k.mT, v.mT).mT
        return self.out(y.flatten(1, 2).unflatten(-1, x.shape[-2:]))


class LinearAttention(nn.Module):
    """Attention whose cost grows linearly with the number of positions."""

    def __init__(self, channels: int, heads: int = 4, head_channels: int = 32):
        """Make attention between positions of `channels` values."""
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv2d(channels, 3 * heads * head_channels, 1, bias=False)
        self.out = nn.Sequential(nn.Conv2d(heads * head_channels, channels, 1), nn.GroupNorm(1, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (B, channels, H, W) to the same shape."""
        q, k, v = _split(self.qkv(x), self.heads)  # (B, heads, head_channels, H W) each
        context = k.softmax(dim=-1) @ v.mT  # (B, heads, head_channels, head_channels)
        y = context.mT @ q.softmax(dim=-2) / math.sqrt(q.shape[-2])  # (B, heads, head_channels, H W)
        return self.out(y.flatten(1, 2).unflatten(-1, x.shape[-2:]))


class Unet(nn.Module):
    """The network of the published size."""

    def __init__(
        self,
        dim: int,
        init_dim: int | None = None,
        out_dim: int | None = None,
        dim_mults: Sequence[int] = (1, 2, 4, 8),
        channels: int = 3,
        with_time_emb: bool = True,
        resnet_block_groups: int = 8,
    ):
        """Make a network with random weights.

        Args:
            dim: channels at the full resolution.
            init_dim: channels of the first layer; default: two thirds of `dim`.
            out_dim: channels of the result; default: `channels`.
            dim_mults: channels at each resolution, as multiples of `dim`.
            channels: channels of the images.
            with_time_emb: tell the network the time.
            resnet_block_groups: groups of the group normalisations.
        """
        super().__init__()
        widths = [init_dim or dim // 3 * 2, *(dim * mult for mult in dim_mults)]
        c_time = 4 * dim if with_time_emb else None
        self.time_mlp: Callable[[torch.Tensor], torch.Tensor] | None = None
        if c_time:
            self.time_mlp = nn.Sequential(
                SinusoidalPositionEmbeddings(dim), nn.Linear(dim, c_time), nn.GELU(), nn.Linear(c_time, c_time)
            )
        self.init_conv = nn.Conv2d(channels, widths[0], 7, padding=3)
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        steps = list(pairwise(widths))
        for number, (above, below) in enumerate(steps, 1):
            last = number == len(steps)
            shrink = nn.Identity() if last else nn.Conv2d(below, below, 4, stride=2, padding=1)
            self.downs.append(_stage(above, below, c_time, resnet_block_groups, shrink))
        deep = widths[-1]
        self.mid1 = ResnetBlock(deep, deep, c_time, resnet_block_groups)
        self.mid_attention = Residual(deep, Attention(deep))
        self.mid2 = ResnetBlock(deep, deep, c_time, resnet_block_groups)
        for above, below in reversed(steps[1:]):
            grow = nn.ConvTranspose2d(above, above, 4, stride=2, padding=1)
            self.ups.append(_stage(2 * below, above, c_time, resnet_block_groups, grow))
        self.final_block = ResnetBlock(dim * dim_mults[0], dim, None, resnet_block_groups)
        self.final_conv = nn.Conv2d(dim, out_dim or channels, 1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Estimate the noise.

        Args:
            x: noised images; (B, channels, H, W), H and W divisible by 2 for each resolution but the last.
            time: t, int64; (B,).

        Returns:
            The estimate; (B, out_dim, H, W).
        """
        t = self.time_mlp(time) if self.time_mlp is not None else None
        h = self.init_conv(x)
        skips = []
        for stage in self.downs:
            h = _run(stage, h, t)
            skips.append(h)
            h = stage["resize"](h)
        h = self.mid2(self.mid_attention(self.mid1(h, t)), t)
        for stage in self.ups:
            h = stage["resize"](_run(stage, torch.cat([h, skips.pop()], dim=1), t))
        return self.final_conv(self.final_block(h, None))


class SmallUnet(nn.Module):
    """A network that a processor without GPU trains: the images are folded first, 2 x 2 pixels to a position.

    The mean of the image has a way of its own to the estimate: group normalisations remove it, and in nearly pure noise
    it has to come through exactly. What is missing there grows 157 fold on the way to x_0, to black or white images.
    """

    def __init__(self, channels: int = 3, time_dim: int = 128, widths: tuple[int, int, int] = (48, 96, 128)):
        """Make a network with random weights; `time_dim` values of the embedded time, `widths` as in SteeredUNet."""
        super().__init__()
        self.time_mlp = nn.Sequential(
            SinusoidalPositionEmbeddings(time_dim),
            nn.Linear(time_dim, time_dim),
            nn.SiLU(),
            nn.Linear(time_dim, time_dim),
        )
        self.unet = SteeredUNet(channels, channels, time_dim, widths, deep=2)
        self.mean_factor = nn.Linear(time_dim, channels)
        nn.init.zeros_(self.mean_factor.weight)
        nn.init.zeros_(self.mean_factor.bias)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Estimate the noise in x (B, channels, H, W), H and W divisible by 8, at times (B,); same shape as x."""
        t = self.time_mlp(time)
        mean = x.mean((2, 3), keepdim=True)  # (B, channels, 1, 1)
        return self.unet(x, t) + self.mean_factor(t)[:, :, None, None] * mean


def _stage(c_in: int, c_out: int, c_time: int | None, groups: int, resize: nn.Module) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "block1": ResnetBlock(c_in, c_out, c_time, groups),
            "block2": ResnetBlock(c_out, c_out, c_time, groups),
            "attention": Residual(c_out, LinearAttention(c_out)),
            "resize": resize,
        }
    )


def _run(stage: nn.ModuleDict, h: torch.Tensor, t: torch.Tensor | None) -> torch.Tensor:
    return stage["attention"](stage["block2"](stage["block1"](h, t), t))


def _split(qkv: torch.Tensor, heads: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values, (B, heads, head_channels, H W) each."""
    q, k, v = qkv.flatten(2).unflatten(1, (3, heads, -1)).unbind(1)
    return q, k, v

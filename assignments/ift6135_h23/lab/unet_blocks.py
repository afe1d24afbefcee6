"""A small U-Net for images, steered by an embedding; the blocks and the whole.

The design aims at speed: the input is folded first, so that each position holds a patch of 2 x 2 pixels and all work
is done at half the resolution and below. Ronneberger et al. 2015 for the shape, Ho et al. 2020, appendix B, for
residual blocks with group normalisation and an embedding.
"""

import torch
from torch import nn
from torch.nn import functional as F


class ResBlock(nn.Module):
    """Two convolutions with a shortcut; the embedding scales and shifts the channels in between."""

    def __init__(self, c_in: int, c_out: int, c_emb: int):
        """Make a block from `c_in` to `c_out` channels, steered by `c_emb` values."""
        super().__init__()
        self.norm1 = nn.GroupNorm(8, c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.emb = nn.Linear(c_emb, 2 * c_out)
        self.norm2 = nn.GroupNorm(8, c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()
        nn.init.zeros_(self.conv2.weight)  # the block starts as its shortcut
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """From x (B, c_in, H, W) and emb (B, c_emb) to (B, c_out, H, W)."""
        h = self.conv1(F.silu(self.norm1(x)))  # (B, c_out, H, W)
        scale, shift = self.emb(F.silu(emb))[:, :, None, None].chunk(2, dim=1)  # (B, c_out, 1, 1) each
        h = self.norm2(h) * (1 + scale) + shift
        return self.shortcut(x) + self.conv2(F.silu(h))


class SelfAttention(nn.Module):
    """Every position looks at all others (Vaswani et al. 2017), with a shortcut."""

    def __init__(self, channels: int, heads: int = 4):
        """Make attention between positions of `channels` values."""
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (B, C, H, W) to the same shape."""
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x)).view(b, 3, self.heads, c // self.heads, h * w).transpose(-1, -2)
        y = F.scaled_dot_product_attention(qkv[:, 0], qkv[:, 1], qkv[:, 2])  # (B, heads, H W, C / heads)
        return x + self.out(y.transpose(-1, -2).reshape(b, c, h, w))


class SteeredUNet(nn.Module):
    """U-Net on three resolutions: 1/2, 1/4 and 1/8 of the image's.

    The sides of the images have to be divisible by 8.
    """

    def __init__(self, c_in: int, c_out: int, c_emb: int, widths: tuple[int, int, int], deep: int):
        """Make a network.

        Args:
            c_in: channels of the images.
            c_out: channels of the result.
            c_emb: values of the embedding.
            widths: channels at the three resolutions, each divisible by 8.
            deep: number of residual blocks at the lowest resolution.
        """
        super().__init__()
        w1, w2, w3 = widths
        self.stem = nn.Conv2d(4 * c_in, w1, 3, padding=1)
        self.enc1 = ResBlock(w1, w1, c_emb)
        self.down1 = nn.Conv2d(w1, w2, 3, stride=2, padding=1)
        self.enc2 = ResBlock(w2, w2, c_emb)
        self.down2 = nn.Conv2d(w2, w3, 3, stride=2, padding=1)
        self.deep = nn.ModuleList(ResBlock(w3, w3, c_emb) for _ in range(deep))
        self.attention = SelfAttention(w3)
        self.up2 = nn.Conv2d(w3, w2, 1)
        self.dec2 = ResBlock(2 * w2, w2, c_emb)
        self.up1 = nn.Conv2d(w2, w1, 1)
        self.dec1 = ResBlock(2 * w1, w1, c_emb)
        self.norm = nn.GroupNorm(8, w1)
        self.head = nn.Conv2d(w1, 4 * c_out, 3, padding=1)

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """From images (B, c_in, H, W) and emb (B, c_emb) to (B, c_out, H, W).

        Raises:
            ValueError: the sides of the images are not divisible by 8.
        """
        if x.shape[-2] % 8 or x.shape[-1] % 8:
            raise ValueError(
                f"the U-Net needs sides divisible by 8, got {tuple(x.shape[-2:])}: pad or resize the images"
            )
        h1 = self.enc1(self.stem(F.pixel_unshuffle(x, 2)), emb)  # (B, w1, H/2, W/2)
        h2 = self.enc2(self.down1(h1), emb)  # (B, w2, H/4, W/4)
        h = self.down2(h2)  # (B, w3, H/8, W/8)
        for number, block in enumerate(self.deep):
            h = block(h, emb)
            if number == 0:
                h = self.attention(h)
        h = F.interpolate(self.up2(h), scale_factor=2.0)  # (B, w2, H/4, W/4)
        h = self.dec2(torch.cat([h, h2], dim=1), emb)
        h = F.interpolate(self.up1(h), scale_factor=2.0)  # (B, w1, H/2, W/2)
        h = self.dec1(torch.cat([h, h1], dim=1), emb)
        return F.pixel_shuffle(self.head(F.silu(self.norm(h))), 2)  # (B, c_out, H, W)

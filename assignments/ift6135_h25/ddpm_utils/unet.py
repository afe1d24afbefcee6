"""The network of question 2.1: estimates the noise in images, given the time."""

import math

import torch
from lab.checkpoint import load_weights  # noqa: F401  (published as part of this module)
from lab.unet_blocks import SteeredUNet
from torch import nn


class UNet(nn.Module):
    """A U-Net that is told the time."""

    def __init__(self, c_in=3, c_out=3, time_dim=128, remove_deep_conv=False):
        """Make a network with random weights.

        Args:
            c_in: channels of the images.
            c_out: channels of the result.
            time_dim: values of the embedding of the time; even.
            remove_deep_conv: leave out one of the two blocks at the lowest resolution.
        """
        super().__init__()
        self.time_dim = time_dim
        self.embed_time = nn.Sequential(nn.Linear(time_dim, time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim))
        self.unet = SteeredUNet(c_in, c_out, time_dim, widths=(64, 96, 192), deep=1 if remove_deep_conv else 2)

    def pos_encoding(self, t):
        """Sines and cosines of the time at many frequencies (Vaswani et al. 2017): from (B,) to (B, time_dim)."""
        half = self.time_dim // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=t.device) / half)  # (time_dim / 2,)
        angles = t[:, None] * frequencies  # (B, time_dim / 2)
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    def forward(self, x, t):
        """Estimate the noise.

        Args:
            x: noised images, float; (B, c_in, H, W), H and W divisible by 8.
            t: times, int64; (B,).

        Returns:
            The estimate; (B, c_out, H, W).
        """
        return self.unet(x, self.embed_time(self.pos_encoding(t)))

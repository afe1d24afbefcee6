"""The network of question 2.2: estimates the noise in images, with or without being told their class."""

import torch
from lab.checkpoint import load_weights  # noqa: F401  (published as part of this module)
from lab.ema import EMA, one_param  # noqa: F401  (published as part of this module)
from lab.unet_blocks import SteeredUNet
from torch import nn
from torch.nn import functional as F


def noise_level(x):
    """Estimate the standard deviation of white noise in images (after Donoho & Johnstone 1994).

    The diagonal differences of neighbouring pixels hold little but noise wherever the picture is smooth, and their
    median is not moved by the few places where it is not.

    Args:
        x: noised images, float; (B, C, H, W), H and W even.

    Returns:
        One estimate for each image, at least 1e-5; (B, 1, 1, 1).
    """
    top_left, top_right, bottom_left, bottom_right = F.pixel_unshuffle(x.float(), 2).unflatten(1, (-1, 4)).unbind(2)
    diagonal = (top_left - top_right - bottom_left + bottom_right) / 2  # (B, C, H/2, W/2), as noisy as x
    sigma = diagonal.abs().flatten(1).median(dim=1).values / 0.6745  # (B,), the median of |N(0, 1)| is 0.6745
    return sigma.clamp(min=1e-5).view(-1, 1, 1, 1)


class UNet(nn.Module):
    """A U-Net that finds out by itself how noisy the images are.

    It sees the images twice: as they are, and in units of the noise that was estimated in them. All blocks are told
    the estimate, and how the images look in its units.
    """

    def __init__(self, c_in=3, c_out=3, c_emb_dim=64, remove_deep_conv=False):
        """Make a network with random weights.

        Args:
            c_in: channels of the images.
            c_out: channels of the result.
            c_emb_dim: values of the embedding of the class.
            remove_deep_conv: leave out one of the two blocks at the lowest resolution.
        """
        super().__init__()
        self.filters = nn.Conv2d(c_in, 32, 3, padding=1)
        self.embed_noise = nn.Sequential(nn.Linear(33, c_emb_dim), nn.SiLU(), nn.Linear(c_emb_dim, c_emb_dim))
        self.unet = SteeredUNet(2 * c_in, c_out, c_emb_dim, widths=(48, 80, 128), deep=1 if remove_deep_conv else 2)

    def forward(self, x, emb=None):
        """Estimate the noise.

        Args:
            x: noised images, float; (B, c_in, H, W), H and W divisible by 8.
            emb: embedding of the class; (B, c_emb_dim); None: any class.

        Returns:
            The estimate; (B, c_out, H, W).
        """
        sigma = noise_level(x)  # (B, 1, 1, 1)
        scaled = (x / sigma).asinh()  # (B, c_in, H, W), linear for noise, a logarithm where the picture is far above it
        response = self.filters(scaled).tanh().square().mean(dim=(2, 3))  # (B, 32)
        noise = self.embed_noise(torch.cat([response, sigma.log().flatten(1)], dim=1))  # (B, c_emb_dim)
        return self.unet(torch.cat([x, scaled], dim=1), noise if emb is None else noise + emb)


class UNet_conditional(UNet):  # noqa: N801  (the published name)
    """The U-Net that can be told the class."""

    def __init__(self, c_in=3, c_out=3, c_emb_dim=64, num_classes=None, **kwargs):
        """Make a network with random weights.

        Args:
            c_in: channels of the images.
            c_out: channels of the result.
            c_emb_dim: values of the embedding of the class.
            num_classes: number of classes; None: a network without labels.
            kwargs: further arguments of `UNet`.
        """
        super().__init__(c_in, c_out, c_emb_dim, **kwargs)
        if num_classes is not None:
            self.label_emb = nn.Embedding(num_classes, c_emb_dim)

    def forward(self, x, y=None):
        """Estimate the noise.

        Args:
            x: noised images, float; (B, c_in, H, W), H and W divisible by 8.
            y: classes, int64, 0 .. num_classes - 1; (B,); None: any class.

        Returns:
            The estimate; (B, c_out, H, W).
        """
        return super().forward(x, None if y is None else self.label_emb(y))

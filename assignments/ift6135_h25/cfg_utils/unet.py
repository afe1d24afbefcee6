"""The network of question 2.2: estimates the noise in images, with or without being told their class."""

from lab.checkpoint import load_weights  # noqa: F401  (published as part of this module)
from lab.ema import EMA, one_param  # noqa: F401  (published as part of this module)
from lab.unet_blocks import SteeredUNet
from torch import nn


class UNet(nn.Module):
    """A U-Net that finds out by itself how noisy the images are.

    Normalisation hides the scale of the noise from the blocks. So the strength of several local differences is
    measured in the picture itself, and all blocks are told.
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
        self.embed_noise = nn.Sequential(nn.Linear(32, c_emb_dim), nn.SiLU(), nn.Linear(c_emb_dim, c_emb_dim))
        self.unet = SteeredUNet(c_in, c_out, c_emb_dim, widths=(48, 80, 128), deep=1 if remove_deep_conv else 2)

    def forward(self, x, emb=None):
        """Estimate the noise.

        Args:
            x: noised images, float; (B, c_in, H, W), H and W divisible by 8.
            emb: embedding of the class; (B, c_emb_dim); None: any class.

        Returns:
            The estimate; (B, c_out, H, W).
        """
        strength = self.filters(x).square().mean(dim=(2, 3)).add(1e-6).log()  # (B, 32)
        noise = self.embed_noise(strength)  # (B, c_emb_dim)
        return self.unet(x, noise if emb is None else noise + emb)


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

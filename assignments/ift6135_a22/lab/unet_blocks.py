"""Un petit U-Net pour des images, piloté par un plongement ; ses blocs et l'ensemble.

Il est fait pour la vitesse : l'entrée est d'abord repliée, de sorte que chaque position porte un carré de 2 x 2
pixels et que tout le travail se fait à la moitié de la résolution ou moins. Ronneberger et coll. 2015 pour la
forme, Ho et coll. 2020, annexe B, pour les blocs résiduels avec normalisation par groupes et plongement.
"""

import torch
from torch import nn
from torch.nn import functional as F


class ResBlock(nn.Module):
    """Deux convolutions avec une connexion résiduelle ; entre elles, le plongement dilate et décale les canaux."""

    def __init__(self, c_in: int, c_out: int, c_emb: int):
        """Construit un bloc de `c_in` à `c_out` canaux, piloté par `c_emb` valeurs."""
        super().__init__()
        self.norm1 = nn.GroupNorm(8, c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.emb = nn.Linear(c_emb, 2 * c_out)
        self.norm2 = nn.GroupNorm(8, c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()
        nn.init.zeros_(self.conv2.weight)  # au début, le bloc se réduit à sa connexion résiduelle
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """De x (B, c_in, H, W) et emb (B, c_emb) à (B, c_out, H, W)."""
        h = self.conv1(F.silu(self.norm1(x)))  # (B, c_out, H, W)
        scale, shift = self.emb(F.silu(emb))[:, :, None, None].chunk(2, dim=1)  # chacun (B, c_out, 1, 1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.shortcut(x) + self.conv2(F.silu(h))


class SelfAttention(nn.Module):
    """Chaque position regarde toutes les autres (Vaswani et coll. 2017), avec une connexion résiduelle."""

    def __init__(self, channels: int, heads: int = 4):
        """Construit l'attention entre des positions de `channels` valeurs."""
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """De (B, C, H, W) à la même forme."""
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x)).view(b, 3, self.heads, c // self.heads, h * w).transpose(-1, -2)
        y = F.scaled_dot_product_attention(qkv[:, 0], qkv[:, 1], qkv[:, 2])  # (B, heads, H W, C / heads)
        return x + self.out(y.transpose(-1, -2).reshape(b, c, h, w))


class SteeredUNet(nn.Module):
    """U-Net à trois résolutions : 1/2, 1/4 et 1/8 de celle de l'image.

    Les côtés des images doivent être divisibles par 8.
    """

    def __init__(self, c_in: int, c_out: int, c_emb: int, widths: tuple[int, int, int], deep: int):
        """Construit un réseau.

        Args:
            c_in: nombre de canaux des images.
            c_out: nombre de canaux du résultat.
            c_emb: nombre de valeurs du plongement.
            widths: nombre de canaux aux trois résolutions, chacun divisible par 8.
            deep: nombre de blocs résiduels à la résolution la plus basse.
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
        """D'images (B, c_in, H, W) et emb (B, c_emb) à (B, c_out, H, W).

        Raises:
            ValueError: les côtés des images ne sont pas divisibles par 8.
        """
        if x.shape[-2] % 8 or x.shape[-1] % 8:
            raise ValueError(
                f"le U-Net demande des côtés divisibles par 8, et non {tuple(x.shape[-2:])} : complétez ou "
                f"redimensionnez les images"
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

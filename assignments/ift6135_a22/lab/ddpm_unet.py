"""Réseaux qui estiment le bruit dans des images, le temps étant donné : un de la taille publiée, et un petit.

`Unet` a les éléments de Ho, Jain et Abbeel 2020, annexe B : des blocs résiduels avec normalisation par groupes, qui
reçoivent le temps (Vaswani et coll. 2017, section 3.5), l'attention à la résolution la plus basse, et l'attention
linéaire (Katharopoulos et coll. 2020, « Transformers are RNNs ») aux autres.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from lab.unet_blocks import SteeredUNet


class SinusoidalPositionEmbeddings(nn.Module):
    """Sinus et cosinus du temps, de fréquences en progression géométrique : de (B,) à (B, dim)."""

    def __init__(self, dim: int):
        """Construit des plongements de `dim` valeurs, un nombre pair."""
        super().__init__()
        self.dim = dim

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        """Renvoie le plongement de temps (B,)."""
        half = self.dim // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=time.device) / (half - 1))
        angles = time[:, None] * frequencies  # (B, dim / 2)
        return torch.cat([angles.sin(), angles.cos()], dim=1)


class Residual(nn.Module):
    """Une couche précédée d'une normalisation, avec une connexion résiduelle autour d'elle."""

    def __init__(self, channels: int, layer: nn.Module):
        """Met une connexion résiduelle autour de `layer`, qui garde la forme (B, channels, H, W)."""
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """De (B, channels, H, W) à la même forme."""
        return x + self.layer(self.norm(x))


class ResnetBlock(nn.Module):
    """Deux convolutions avec une connexion résiduelle ; le temps est ajouté entre elles."""

    def __init__(self, c_in: int, c_out: int, c_time: int | None, groups: int):
        """Construit un bloc de `c_in` à `c_out` canaux ; `c_time` None : sans le temps."""
        super().__init__()
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(c_time, c_out)) if c_time else None
        self.first = nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.GroupNorm(groups, c_out), nn.SiLU())
        self.second = nn.Sequential(nn.Conv2d(c_out, c_out, 3, padding=1), nn.GroupNorm(groups, c_out), nn.SiLU())
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x: torch.Tensor, time: torch.Tensor | None) -> torch.Tensor:
        """De x (B, c_in, H, W) et du temps plongé (B, c_time) à (B, c_out, H, W)."""
        h = self.first(x)
        if self.time is not None and time is not None:
            h = h + self.time(time)[:, :, None, None]
        return self.second(h) + self.shortcut(x)


class Attention(nn.Module):
    """Chaque position regarde toutes les autres."""

    def __init__(self, channels: int, heads: int = 4, head_channels: int = 32):
        """Construit l'attention entre des positions de `channels` valeurs."""
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv2d(channels, 3 * heads * head_channels, 1, bias=False)
        self.out = nn.Conv2d(heads * head_channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """De (B, channels, H, W) à la même forme."""
        q, k, v = _split(self.qkv(x), self.heads)  # chacun (B, heads, head_channels, H W)
        y = F.scaled_dot_product_attention(q.mT, k.mT, v.mT).mT
        return self.out(y.flatten(1, 2).unflatten(-1, x.shape[-2:]))


class LinearAttention(nn.Module):
    """Attention dont le coût croît linéairement avec le nombre de positions."""

    def __init__(self, channels: int, heads: int = 4, head_channels: int = 32):
        """Construit l'attention entre des positions de `channels` valeurs."""
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv2d(channels, 3 * heads * head_channels, 1, bias=False)
        self.out = nn.Sequential(nn.Conv2d(heads * head_channels, channels, 1), nn.GroupNorm(1, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """De (B, channels, H, W) à la même forme."""
        q, k, v = _split(self.qkv(x), self.heads)  # chacun (B, heads, head_channels, H W)
        context = k.softmax(dim=-1) @ v.mT  # (B, heads, head_channels, head_channels)
        y = context.mT @ q.softmax(dim=-2) / math.sqrt(q.shape[-2])  # (B, heads, head_channels, H W)
        return self.out(y.flatten(1, 2).unflatten(-1, x.shape[-2:]))


class Unet(nn.Module):
    """Le réseau de la taille publiée."""

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
        """Construit un réseau aux poids aléatoires.

        Args:
            dim: nombre de canaux à la pleine résolution.
            init_dim: nombre de canaux de la première couche ; par défaut, les deux tiers de `dim`.
            out_dim: nombre de canaux du résultat ; par défaut, `channels`.
            dim_mults: nombre de canaux à chaque résolution, en multiples de `dim`.
            channels: nombre de canaux des images.
            with_time_emb: donner le temps au réseau.
            resnet_block_groups: nombre de groupes des normalisations par groupes.
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
        """Estime le bruit.

        Args:
            x: images bruitées ; (B, channels, H, W), H et W divisibles par 2 pour chaque résolution sauf la dernière.
            time: t, int64 ; (B,).

        Returns:
            L'estimation ; (B, out_dim, H, W).
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
    """Un réseau qu'un processeur sans GPU peut entraîner : les images sont d'abord pliées, 2 x 2 pixels par position.

    La moyenne de l'image a son propre chemin vers l'estimation : les normalisations par groupes l'enlèvent, et dans un
    bruit presque pur, elle doit passer exactement. Ce qui y manque est multiplié par 157 en route vers x_0, jusqu'à des
    images noires ou blanches.
    """

    def __init__(self, channels: int = 3, time_dim: int = 128, widths: tuple[int, int, int] = (48, 96, 128)):
        """Construit un réseau ; `time_dim` valeurs du temps plongé, `widths` comme dans SteeredUNet."""
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
        """Estime le bruit de x (B, channels, H, W), H et W multiples de 8, aux temps (B,) ; de la forme de x."""
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
    """Requêtes, clés et valeurs, de forme (B, heads, head_channels, H W) chacune."""
    q, k, v = qkv.flatten(2).unflatten(1, (3, heads, -1)).unbind(1)
    return q, k, v

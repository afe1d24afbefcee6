"""Class-conditional generative models of images: DDPM, DDIM, VAE and diffusion in the VAE's latent space.

The diffusion models follow Ho, Jain & Abbeel 2020, "Denoising Diffusion Probabilistic Models" (DDPM), and Song, Meng &
Ermon 2021, "Denoising Diffusion Implicit Models" (DDIM). Notation:

    paper        here                  meaning
    x_0          x                     images, float (B, C, H, W), in the range of the training
    x_t          noisy_sample          images after t + 1 noising steps, same shape
    t            time_step, timestep   time, int64 (B,): 0 .. num_steps - 1 (the DDPM paper counts from 1)
    T            num_steps             number of noising steps
    beta_t       betas[t]              variance of the noise that step t adds
    alpha_t      alphas[t]             1 - beta_t
    alpha-bar_t  alpha_bars[t]         product of alpha_0 .. alpha_t: what is left of the image's variance
    epsilon      noise                 standard normal noise, same shape as the images
    eps_theta    estimated_noise       what the network finds: network(x_t, t, label)
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F


class VarianceScheduler:
    """How much noise each step adds, and the noising itself.

    Attributes:
        num_steps: T, the number of noising steps.
        betas: variance of the noise that a step adds; float32 (T,).
    """

    def __init__(
        self,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        num_steps: int = 1000,
        interpolation: str = "linear",
    ) -> None:
        """Make a schedule.

        Args:
            beta_start: variance of the first step.
            beta_end: variance of the last step.
            num_steps: T, the number of noising steps.
            interpolation: `linear`: the betas lie at equal distances; `quadratic`: their square roots do.

        Raises:
            ValueError: there is no such interpolation.
        """
        self.num_steps = num_steps

        if interpolation == "linear":
            # BEGIN SOLUTION 1.3 betas of the linear schedule
            self.betas = torch.linspace(beta_start, beta_end, num_steps, dtype=torch.float64)  # (T,)
            # END SOLUTION
        elif interpolation == "quadratic":
            # BEGIN SOLUTION 1.3 betas of the quadratic schedule
            roots = torch.linspace(math.sqrt(beta_start), math.sqrt(beta_end), num_steps, dtype=torch.float64)
            self.betas = roots**2  # (T,)
            # END SOLUTION
        else:
            raise ValueError(f"[!] Error: invalid beta interpolation {interpolation!r}; choose linear or quadratic")

        # Anything else that you want to compute once: alphas, their products, ...
        # BEGIN SOLUTION 1.3 statistics of the schedule
        self.alphas = (1 - self.betas).float()  # (T,)
        self.alpha_bars = torch.cumprod(1 - self.betas, dim=0).float()  # (T,)
        self.betas = self.betas.float()  # a product of a thousand factors wants float64; all else does not
        # END SOLUTION

    def add_noise(self, x: torch.Tensor, time_step: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sample x_t ~ q(x_t | x_0) (DDPM Eq. 4).

        Args:
            x: images x_0; (B, C, H, W).
            time_step: t of each image, int64; (B,).

        Returns:
            The noisy images and the standard normal noise in them; (B, C, H, W) each.
        """
        # BEGIN SOLUTION 1.3 add_noise
        alpha_bar = _at(self.alpha_bars, time_step, x)  # (B, 1, 1, 1)
        noise = torch.randn_like(x)  # (B, C, H, W)
        noisy_input = alpha_bar.sqrt() * x + (1 - alpha_bar).sqrt() * noise  # (B, C, H, W)
        # END SOLUTION
        return noisy_input, noise


# BEGIN SOLUTION 1.3 entries of a schedule
def _at(schedule: torch.Tensor, time_step: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Entries of a schedule (T,) at times (B,), on the device of x and shaped to be multiplied with it."""
    return schedule.to(x.device)[time_step].view(-1, 1, 1, 1)  # (B, 1, 1, 1)


# END SOLUTION


class SinusoidalPositionEmbeddings(nn.Module):
    """Sines and cosines of the time at geometrically spaced frequencies (Vaswani et al. 2017, section 3.5)."""

    def __init__(self, dim: int) -> None:
        """Make embeddings with `dim` values, an even number."""
        super().__init__()
        self.dim = dim

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        """Embed times.

        Args:
            time: t, int64; (B,).

        Returns:
            The embeddings, float32; (B, dim).
        """
        # BEGIN SOLUTION 1.1 SinusoidalPositionEmbeddings.forward
        half = self.dim // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=time.device) / half)  # (dim / 2,)
        angles = time[:, None].float() * frequencies  # (B, dim / 2)
        embeddings = torch.cat([angles.sin(), angles.cos()], dim=1)  # (B, dim)
        # END SOLUTION
        return embeddings


# BEGIN SOLUTION 1.2 building blocks
class ResBlock(nn.Module):
    """Two convolutions with a shortcut; an embedding scales and shifts the channels between them."""

    def __init__(self, in_channels: int, out_channels: int, emb_dim: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.scale_shift = nn.Linear(emb_dim, 2 * out_channels)
        self.norm2 = nn.GroupNorm(8, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """From x (B, in_channels, H, W) and emb (B, emb_dim) to (B, out_channels, H, W)."""
        h = self.conv1(F.silu(self.norm1(x)))  # (B, out_channels, H, W)
        scale, shift = self.scale_shift(emb)[:, :, None, None].chunk(2, dim=1)  # (B, out_channels, 1, 1) each
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return self.shortcut(x) + h


# END SOLUTION


class UNet(nn.Module):
    """Estimates the noise in a noisy image, given its time and its class (Ronneberger et al. 2015; DDPM, appendix B).

    Attributes:
        num_classes: number of classes; None for a network without classes.
    """

    def __init__(
        self,
        in_channels: int = 1,
        down_channels: Sequence[int] = (48, 96, 128),
        up_channels: Sequence[int] = (128, 96, 48),
        time_emb_dim: int = 128,
        num_classes: int = 10,
        patch: int = 2,
    ) -> None:
        """Make a network; all arguments but `num_classes` are yours to change.

        Args:
            in_channels: C, channels of the images.
            down_channels: channels on the way down, one number for each resolution.
            up_channels: channels on the way up, again one for each resolution.
            time_emb_dim: values of the embedding of time and class.
            num_classes: number of classes.
            patch: side of the squares of pixels that are folded into channels first, for speed.
        """
        super().__init__()
        self.num_classes = num_classes

        # BEGIN SOLUTION 1.2 embeddings of time and class
        self.time_mlp = nn.Sequential(
            SinusoidalPositionEmbeddings(time_emb_dim),
            nn.Linear(time_emb_dim, time_emb_dim),
            nn.SiLU(),
            nn.Linear(time_emb_dim, time_emb_dim),
        )
        self.class_emb = nn.Embedding(num_classes, time_emb_dim)
        # END SOLUTION

        # BEGIN SOLUTION 1.2 the layers
        self.patch = patch
        widths, up_widths = list(down_channels), list(up_channels)
        self.stem = nn.Conv2d(in_channels * patch**2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(ResBlock(width, width, time_emb_dim) for width in widths)
        self.shrink = nn.ModuleList(
            nn.Conv2d(above, below, 3, stride=2, padding=1) for above, below in pairwise(widths)
        )
        self.middle = ResBlock(widths[-1], up_widths[0], time_emb_dim)
        self.grow = nn.ModuleList(nn.Conv2d(below, above, 1) for below, above in pairwise(up_widths))
        self.up = nn.ModuleList(
            ResBlock(width + skip, width, time_emb_dim)
            for width, skip in zip(up_widths[1:], widths[-2::-1], strict=True)
        )
        self.norm = nn.GroupNorm(8, up_widths[-1])
        self.head = nn.Conv2d(up_widths[-1], in_channels * patch**2, 3, padding=1)
        # END SOLUTION

    def forward(self, x: torch.Tensor, timestep: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        """Estimate the noise in x.

        Args:
            x: noisy images; (B, C, H, W).
            timestep: t of each image, int64; (B,).
            label: class of each image, int64; (B,).

        Returns:
            The estimated noise; same shape as x.
        """
        # BEGIN SOLUTION 1.2 UNet.forward
        emb = self.time_mlp(timestep)  # (B, time_emb_dim)
        if label is not None:
            emb = emb + self.class_emb(label)
        emb = F.silu(emb)

        h = self.stem(F.pixel_unshuffle(x, self.patch))  # (B, widths[0], H / patch, W / patch)
        skips = []
        for block, shrink in zip(self.down, [*self.shrink, None], strict=True):
            h = block(h, emb)
            if shrink is not None:
                skips.append(h)
                h = shrink(h)  # half as high and wide
        h = self.middle(h, emb)
        for block, grow in zip(self.up, self.grow, strict=True):
            h = F.interpolate(grow(h), scale_factor=2.0)  # twice as high and wide
            h = block(torch.cat([h, skips.pop()], dim=1), emb)
        out = F.pixel_shuffle(self.head(F.silu(self.norm(h))), self.patch)  # (B, C, H, W)
        # END SOLUTION
        return out


class VAE(nn.Module):
    """A class-conditional variational autoencoder (Kingma & Welling 2014; Sohn et al. 2015).

    The latent is a map of `latent_dim` channels, as high and wide as `mid_size` says, so that a U-Net can work on it.

    Attributes:
        latent_dim: channels of the latent.
        num_classes: number of classes.
        mid_size: channels, height and width of what the encoder makes.
    """

    def __init__(
        self,
        in_channels: int,
        height: int = 32,
        width: int = 32,
        mid_channels: Sequence[int] = (32, 32, 32),
        latent_dim: int = 32,
        num_classes: int = 10,
    ) -> None:
        """Make a network.

        Args:
            in_channels: channels of the images.
            height: of the images, in pixels.
            width: of the images, in pixels.
            mid_channels: channels at each resolution of the encoder; from one to the next, height and width halve.
            latent_dim: channels of the latent.
            num_classes: number of classes.
        """
        super().__init__()
        self.height = height
        self.width = width
        self.in_channels = in_channels
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        halvings = 2 ** (len(mid_channels) - 1)
        self.mid_size = [mid_channels[-1], height // halvings, width // halvings]

        # BEGIN SOLUTION 3.1 the embedding of the class
        emb_dim = 64
        self.class_emb = nn.Embedding(num_classes, emb_dim)
        # END SOLUTION

        # BEGIN SOLUTION 3.1 the encoder
        widths = list(mid_channels)
        self.stem = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList()
        for above, below in pairwise(widths):
            self.encoder.append(nn.Conv2d(above, below, 4, stride=2, padding=1))
            self.encoder.append(ResBlock(below, below, emb_dim))
        # END SOLUTION

        # BEGIN SOLUTION 3.1 mean and log-variance
        self.mean_net = nn.Conv2d(widths[-1], latent_dim, 1)
        self.logvar_net = nn.Conv2d(widths[-1], latent_dim, 1)
        # END SOLUTION

        # BEGIN SOLUTION 3.1 the decoder
        _, rows, columns = self.mid_size
        self.spread = nn.Linear(latent_dim * rows * columns, math.prod(self.mid_size))  # every place sees all
        self.decoder = nn.ModuleList([ResBlock(widths[-1], widths[-1], emb_dim)])
        for below, above in zip(widths[::-1], widths[-2::-1], strict=False):
            self.decoder.append(nn.ConvTranspose2d(below, above, 4, stride=2, padding=1))
            self.decoder.append(ResBlock(above, above, emb_dim))
        self.head = nn.Conv2d(widths[0], in_channels, 3, padding=1)
        # END SOLUTION

    def forward(self, x: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode images, draw a latent for each, and decode it.

        Args:
            x: images in [0, 1]; (B, in_channels, height, width).
            label: classes, int64; (B,).

        Returns:
            The reconstruction, in [0, 1], same shape as x; mean and log-variance of the latent, same shape each.
        """
        # BEGIN SOLUTION 3.2 VAE.forward
        emb = self.class_emb(label)  # (B, emb_dim)
        out = _run(self.encoder, self.stem(x), emb)  # (B, *mid_size)
        # END SOLUTION
        mean = self.mean_net(out)
        logvar = self.logvar_net(out)
        sample = self.reparameterize(mean, logvar)
        out = self.decode(sample, label)
        return out, mean, logvar

    def reparameterize(self, mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
        """Draw from N(mean, exp(logvar)) such that gradients flow to both (Kingma & Welling 2014, section 2.4)."""
        # BEGIN SOLUTION 3.3 VAE.reparameterize
        sample = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
        # END SOLUTION
        return sample

    @staticmethod
    def reconstruction_loss(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Binary cross-entropy of images in [0, 1], summed over the batch; no dimensions."""
        return F.binary_cross_entropy(pred, target, reduction="sum")

    @staticmethod
    def kl_loss(mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
        """KL(N(mean, exp(logvar)) || N(0, I)), summed over the batch (Kingma & Welling 2014, appendix B)."""
        return 0.5 * (logvar.exp() + mean**2 - 1 - logvar).sum()

    @torch.no_grad()
    def generate_sample(
        self,
        num_samples: int,
        device: torch.device | str = "cuda",
        labels: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Generate images from latents drawn from N(0, I).

        Args:
            num_samples: number of images.
            device: where the network is.
            labels: class of each image, int64 (num_samples,); default: drawn at random.

        Returns:
            Images in [0, 1]; (num_samples, in_channels, height, width).
        """
        if labels is None:
            labels = torch.randint(0, self.num_classes, (num_samples,), device=device)
        else:
            assert len(labels) == num_samples, "one label for each image, please"
            labels = labels.to(device)
        # BEGIN SOLUTION 3.4 VAE.generate_sample
        noise = torch.randn(num_samples, self.latent_dim, *self.mid_size[1:], device=device)
        out = self.decode(noise, labels)
        # END SOLUTION
        return out

    def decode(self, sample: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Make images from latents and classes.

        Args:
            sample: latents, in the shape that `reparameterize` returns.
            labels: classes, int64; (B,).

        Returns:
            Images in [0, 1]; (B, in_channels, height, width).
        """
        # BEGIN SOLUTION 3.2 VAE.decode
        emb = self.class_emb(labels)  # (B, emb_dim)
        h = self.spread(sample.flatten(1)).view(-1, *self.mid_size)  # (B, *mid_size)
        out = torch.sigmoid(self.head(_run(self.decoder, h, emb)))  # (B, in_channels, height, width)
        # END SOLUTION
        return out


# BEGIN SOLUTION 3.2 running the layers
def _run(layers: nn.ModuleList, h: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
    """Layers one after the other; residual blocks get the embedding too."""
    for layer in layers:
        h = layer(h, emb) if isinstance(layer, ResBlock) else layer(h)
    return h


# END SOLUTION


class LDDPM(nn.Module):
    """A DDPM in the latent space of a VAE (Rombach et al. 2022)."""

    def __init__(self, network: nn.Module, vae: VAE, var_scheduler: VarianceScheduler) -> None:
        """Keep the network, a trained VAE, which is not trained further, and the schedule."""
        super().__init__()
        self.var_scheduler = var_scheduler
        self.vae = vae
        self.network = network
        self.vae.requires_grad_(False)

    def forward(self, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Loss of the estimated noise at one random time for each latent (DDPM Eq. 14, Algorithm 1).

        Args:
            x: latents of images; the training encodes them.
            label: classes, int64; (B,).

        Returns:
            A tensor without dimensions.
        """
        # BEGIN SOLUTION 4.1 LDDPM.forward
        time_step = torch.randint(0, self.var_scheduler.num_steps, (len(x),), device=x.device)  # (B,)
        noisy_input, noise = self.var_scheduler.add_noise(x, time_step)
        estimated_noise = self.network(noisy_input, time_step, label)
        # END SOLUTION
        loss = F.mse_loss(estimated_noise, noise)
        return loss

    @torch.no_grad()
    def recover_sample(
        self, noisy_sample: torch.Tensor, estimated_noise: torch.Tensor, timestep: torch.Tensor
    ) -> torch.Tensor:
        """One denoising step, from x_t to x_{t-1}, as in `DDPM.recover_sample`."""
        # BEGIN SOLUTION 4.2 LDDPM.recover_sample
        sample = ancestral_step(self.var_scheduler, noisy_sample, estimated_noise, timestep)
        # END SOLUTION
        return sample

    @torch.no_grad()
    def generate_sample(
        self,
        num_samples: int,
        device: torch.device | str = "cuda",
        labels: torch.Tensor | None = None,
        clamp: bool = False,
    ) -> torch.Tensor:
        """Generate latents from noise, and decode them.

        Args:
            num_samples: number of images.
            device: where the networks are.
            labels: class of each image, int64 (num_samples,); default: drawn at random.
            clamp: has no effect; there for callers that pass it.

        Returns:
            Images in [0, 1]; (num_samples, C, H, W).
        """
        if labels is None:
            labels = torch.randint(0, self.vae.num_classes, (num_samples,), device=device)
        else:
            assert len(labels) == num_samples, "one label for each image, please"
            labels = labels.to(device)
        # BEGIN SOLUTION 4.3 LDDPM.generate_sample
        sample = torch.randn(num_samples, self.vae.latent_dim, *self.vae.mid_size[1:], device=device)
        for time_step in reversed(range(self.var_scheduler.num_steps)):
            timestep = torch.full((num_samples,), time_step, device=device)  # (B,)
            estimated_noise = self.network(sample, timestep, labels)
            sample = self.recover_sample(sample, estimated_noise, timestep)
        # END SOLUTION
        sample = self.vae.decode(sample, labels)
        return sample


class DDPM(nn.Module):
    """Denoising diffusion probabilistic model."""

    def __init__(self, network: nn.Module, var_scheduler: VarianceScheduler) -> None:
        """Keep the network and the schedule."""
        super().__init__()
        self.var_scheduler = var_scheduler
        self.network = network

    def forward(self, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Loss of the estimated noise at one random time for each image (DDPM Eq. 14, Algorithm 1).

        Args:
            x: images in [-1, 1]; (B, C, H, W).
            label: classes, int64; (B,).

        Returns:
            A tensor without dimensions.
        """
        # BEGIN SOLUTION 1.4 DDPM.forward
        time_step = torch.randint(0, self.var_scheduler.num_steps, (len(x),), device=x.device)  # (B,)
        noisy_input, noise = self.var_scheduler.add_noise(x, time_step)
        estimated_noise = self.network(noisy_input, time_step, label)
        # END SOLUTION
        loss = F.mse_loss(estimated_noise, noise)  # F.l1_loss will do as well
        return loss

    @torch.no_grad()
    def recover_sample(
        self, noisy_sample: torch.Tensor, estimated_noise: torch.Tensor, timestep: torch.Tensor
    ) -> torch.Tensor:
        """One denoising step: x_{t-1} from x_t (DDPM, the body of the loop of Algorithm 2).

        Args:
            noisy_sample: x_t; (B, C, H, W).
            estimated_noise: what the network finds in it; same shape.
            timestep: t of each image, int64; (B,).

        Returns:
            x_{t-1}, same shape; the images themselves where t = 0.
        """
        # BEGIN SOLUTION 1.5 DDPM.recover_sample
        sample = ancestral_step(self.var_scheduler, noisy_sample, estimated_noise, timestep)
        # END SOLUTION
        return sample

    @torch.no_grad()
    def generate_sample(
        self,
        num_samples: int,
        device: torch.device | str = "cuda",
        labels: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Generate images from noise, all at once (DDPM Algorithm 2).

        Args:
            num_samples: number of images.
            device: where the network is.
            labels: class of each image, int64 (num_samples,); default: drawn at random.

        Returns:
            Images, in [-1, 1] but for what the network overshoots; (num_samples, C, H, W).
        """
        if labels is not None:
            assert len(labels) == num_samples, "one label for each image, please"
            labels = labels.to(device)
        elif self.network.num_classes is not None:
            labels = torch.randint(0, self.network.num_classes, (num_samples,), device=device)
        # BEGIN SOLUTION 1.6 DDPM.generate_sample
        sample = torch.randn(num_samples, 1, 32, 32, device=device)
        for time_step in reversed(range(self.var_scheduler.num_steps)):
            timestep = torch.full((num_samples,), time_step, device=device)  # (B,)
            estimated_noise = self.network(sample, timestep, labels)
            sample = self.recover_sample(sample, estimated_noise, timestep)
        # END SOLUTION
        return sample


# BEGIN SOLUTION 1.5 the step itself
def ancestral_step(
    schedule: VarianceScheduler, noisy_sample: torch.Tensor, estimated_noise: torch.Tensor, timestep: torch.Tensor
) -> torch.Tensor:
    """x_{t-1} from x_t, with sigma_t^2 = beta_t (DDPM Eq. 11 and Algorithm 2); no noise is added where t = 0."""
    beta = _at(schedule.betas, timestep, noisy_sample)  # (B, 1, 1, 1)
    alpha = _at(schedule.alphas, timestep, noisy_sample)
    alpha_bar = _at(schedule.alpha_bars, timestep, noisy_sample)
    mean = (noisy_sample - beta / (1 - alpha_bar).sqrt() * estimated_noise) / alpha.sqrt()  # (B, C, H, W)
    noisy = (timestep > 0).view(-1, 1, 1, 1)  # (B, 1, 1, 1)
    return mean + noisy * beta.sqrt() * torch.randn_like(mean)


# END SOLUTION


class DDIM(nn.Module):
    """Denoising diffusion implicit model: the network of a DDPM, sampled in fewer steps."""

    def __init__(self, network: nn.Module, var_scheduler: VarianceScheduler) -> None:
        """Keep the network and the schedule."""
        super().__init__()
        self.var_scheduler = var_scheduler
        self.network = network

    def forward(self, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Loss of the estimated noise at one random time for each image: that of the DDPM (DDIM, theorem 1).

        Args:
            x: images in [-1, 1]; (B, C, H, W).
            label: classes, int64; (B,).

        Returns:
            A tensor without dimensions.
        """
        # BEGIN SOLUTION 2.1 DDIM.forward
        time_step = torch.randint(0, self.var_scheduler.num_steps, (len(x),), device=x.device)  # (B,)
        noisy_input, noise = self.var_scheduler.add_noise(x, time_step)
        estimated_noise = self.network(noisy_input, time_step, label)
        # END SOLUTION
        loss = F.mse_loss(estimated_noise, noise)  # F.l1_loss will do as well
        return loss

    @torch.no_grad()
    def recover_sample(
        self,
        noisy_sample: torch.Tensor,
        estimated_noise: torch.Tensor,
        timestep: torch.Tensor,
        previous: torch.Tensor | None = None,
        eta: float = 0.0,
    ) -> torch.Tensor:
        """One denoising step: x_{t-1} from x_t (DDIM Eq. 12, with the sigma of Eq. 16).

        Args:
            noisy_sample: x_t; (B, C, H, W).
            estimated_noise: what the network finds in it; same shape.
            timestep: t of each image, int64; (B,).
            previous: the time to step to, int64 (B,), -1 for the images themselves; default: t - 1.
            eta: 0 for a step without noise, 1 for as much noise as a DDPM adds.

        Returns:
            x at the time `previous`, same shape; the images themselves where t = 0.
        """
        # BEGIN SOLUTION 2.2 DDIM.recover_sample
        if previous is None:
            previous = timestep - 1
        alpha_bar = _at(self.var_scheduler.alpha_bars, timestep, noisy_sample)  # (B, 1, 1, 1)
        alpha_bar_previous = _at(self.var_scheduler.alpha_bars, previous.clamp(min=0), noisy_sample)
        alpha_bar_previous = torch.where(previous.view(-1, 1, 1, 1) < 0, 1.0, alpha_bar_previous)
        x0 = (noisy_sample - (1 - alpha_bar).sqrt() * estimated_noise) / alpha_bar.sqrt()  # (B, C, H, W)
        variance = eta**2 * (1 - alpha_bar_previous) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_previous)
        direction = (1 - alpha_bar_previous - variance).sqrt() * estimated_noise  # towards x_t
        sample = alpha_bar_previous.sqrt() * x0 + direction + variance.sqrt() * torch.randn_like(x0)
        # END SOLUTION
        return sample

    @torch.no_grad()
    def generate_sample(
        self,
        num_samples: int,
        device: torch.device | str = "cuda",
        labels: torch.Tensor | None = None,
        steps: int = 50,
        eta: float = 1.0,
    ) -> torch.Tensor:
        """Generate images from noise, all at once, in few steps (DDIM, section 4.2).

        Noise in the steps makes up for what a small network gets wrong in the steps before; a better one needs none.

        Args:
            num_samples: number of images.
            device: where the network is.
            labels: class of each image, int64 (num_samples,); default: drawn at random.
            steps: number of denoising steps; they lie at equal distances between T - 1 and the image.
            eta: noise of the steps, see `recover_sample`.

        Returns:
            Images, in [-1, 1] but for what the network overshoots; (num_samples, C, H, W).
        """
        if labels is not None:
            assert len(labels) == num_samples, "one label for each image, please"
            labels = labels.to(device)
        elif self.network.num_classes is not None:
            labels = torch.randint(0, self.network.num_classes, (num_samples,), device=device)
        # BEGIN SOLUTION 2.3 DDIM.generate_sample
        sample = torch.randn(num_samples, 1, 32, 32, device=device)
        last = self.var_scheduler.num_steps - 1
        times = torch.linspace(last, -1, min(steps, last + 1) + 1).round().long().tolist()
        for time_step, time_before in pairwise(times):
            timestep = torch.full((num_samples,), time_step, device=device)  # (B,)
            previous = torch.full((num_samples,), time_before, device=device)  # (B,)
            estimated_noise = self.network(sample, timestep, labels)
            sample = self.recover_sample(sample, estimated_noise, timestep, previous, eta)
        # END SOLUTION
        return sample

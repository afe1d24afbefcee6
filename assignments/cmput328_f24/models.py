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
            # TODO 1.3 betas of the linear schedule: write your code here and remove the next line.
            raise NotImplementedError("question 1.3: betas of the linear schedule")
        elif interpolation == "quadratic":
            # TODO 1.3 betas of the quadratic schedule: write your code here and remove the next line.
            raise NotImplementedError("question 1.3: betas of the quadratic schedule")
        else:
            raise ValueError(f"[!] Error: invalid beta interpolation {interpolation!r}; choose linear or quadratic")

        # Anything else that you want to compute once: alphas, their products, ...
        # TODO 1.3 statistics of the schedule: write your code here and remove the next line.
        raise NotImplementedError("question 1.3: statistics of the schedule")

    def add_noise(self, x: torch.Tensor, time_step: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sample x_t ~ q(x_t | x_0) (DDPM Eq. 4).

        Args:
            x: images x_0; (B, C, H, W).
            time_step: t of each image, int64; (B,).

        Returns:
            The noisy images and the standard normal noise in them; (B, C, H, W) each.
        """
        # TODO 1.3 add_noise: write your code here and remove the next line.
        raise NotImplementedError("question 1.3: add_noise")
        return noisy_input, noise


# TODO 1.3 entries of a schedule: room for classes and functions of your own.


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
        # TODO 1.1 SinusoidalPositionEmbeddings.forward: write your code here and remove the next line.
        raise NotImplementedError("question 1.1: SinusoidalPositionEmbeddings.forward")
        return embeddings


# TODO 1.2 building blocks: room for classes and functions of your own.


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

        # TODO 1.2 embeddings of time and class: write your code here and remove the next line.
        raise NotImplementedError("question 1.2: embeddings of time and class")

        # TODO 1.2 the layers: write your code here and remove the next line.
        raise NotImplementedError("question 1.2: the layers")

    def forward(self, x: torch.Tensor, timestep: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        """Estimate the noise in x.

        Args:
            x: noisy images; (B, C, H, W).
            timestep: t of each image, int64; (B,).
            label: class of each image, int64; (B,).

        Returns:
            The estimated noise; same shape as x.
        """
        # TODO 1.2 UNet.forward: write your code here and remove the next line.
        raise NotImplementedError("question 1.2: UNet.forward")
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

        # TODO 3.1 the embedding of the class: write your code here and remove the next line.
        raise NotImplementedError("question 3.1: the embedding of the class")

        # TODO 3.1 the encoder: write your code here and remove the next line.
        raise NotImplementedError("question 3.1: the encoder")

        # TODO 3.1 mean and log-variance: write your code here and remove the next line.
        raise NotImplementedError("question 3.1: mean and log-variance")

        # TODO 3.1 the decoder: write your code here and remove the next line.
        raise NotImplementedError("question 3.1: the decoder")

    def forward(self, x: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode images, draw a latent for each, and decode it.

        Args:
            x: images in [0, 1]; (B, in_channels, height, width).
            label: classes, int64; (B,).

        Returns:
            The reconstruction, in [0, 1], same shape as x; mean and log-variance of the latent, same shape each.
        """
        # TODO 3.2 VAE.forward: write your code here and remove the next line.
        raise NotImplementedError("question 3.2: VAE.forward")
        mean = self.mean_net(out)
        logvar = self.logvar_net(out)
        sample = self.reparameterize(mean, logvar)
        out = self.decode(sample, label)
        return out, mean, logvar

    def reparameterize(self, mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
        """Draw from N(mean, exp(logvar)) such that gradients flow to both (Kingma & Welling 2014, section 2.4)."""
        # TODO 3.3 VAE.reparameterize: write your code here and remove the next line.
        raise NotImplementedError("question 3.3: VAE.reparameterize")
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
        # TODO 3.4 VAE.generate_sample: write your code here and remove the next line.
        raise NotImplementedError("question 3.4: VAE.generate_sample")
        return out

    def decode(self, sample: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Make images from latents and classes.

        Args:
            sample: latents, in the shape that `reparameterize` returns.
            labels: classes, int64; (B,).

        Returns:
            Images in [0, 1]; (B, in_channels, height, width).
        """
        # TODO 3.2 VAE.decode: write your code here and remove the next line.
        raise NotImplementedError("question 3.2: VAE.decode")
        return out


# TODO 3.2 running the layers: room for classes and functions of your own.


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
        # TODO 4.1 LDDPM.forward: write your code here and remove the next line.
        raise NotImplementedError("question 4.1: LDDPM.forward")
        loss = F.mse_loss(estimated_noise, noise)
        return loss

    @torch.no_grad()
    def recover_sample(
        self, noisy_sample: torch.Tensor, estimated_noise: torch.Tensor, timestep: torch.Tensor
    ) -> torch.Tensor:
        """One denoising step, from x_t to x_{t-1}, as in `DDPM.recover_sample`."""
        # TODO 4.2 LDDPM.recover_sample: write your code here and remove the next line.
        raise NotImplementedError("question 4.2: LDDPM.recover_sample")
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
        # TODO 4.3 LDDPM.generate_sample: write your code here and remove the next line.
        raise NotImplementedError("question 4.3: LDDPM.generate_sample")
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
        # TODO 1.4 DDPM.forward: write your code here and remove the next line.
        raise NotImplementedError("question 1.4: DDPM.forward")
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
        # TODO 1.5 DDPM.recover_sample: write your code here and remove the next line.
        raise NotImplementedError("question 1.5: DDPM.recover_sample")
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
        # TODO 1.6 DDPM.generate_sample: write your code here and remove the next line.
        raise NotImplementedError("question 1.6: DDPM.generate_sample")
        return sample


# TODO 1.5 the step itself: room for classes and functions of your own.


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
        # TODO 2.1 DDIM.forward: write your code here and remove the next line.
        raise NotImplementedError("question 2.1: DDIM.forward")
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
        # TODO 2.2 DDIM.recover_sample: write your code here and remove the next line.
        raise NotImplementedError("question 2.2: DDIM.recover_sample")
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
        # TODO 2.3 DDIM.generate_sample: write your code here and remove the next line.
        raise NotImplementedError("question 2.3: DDIM.generate_sample")
        return sample

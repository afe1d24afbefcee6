"""A variational autoencoder for the house numbers of SVHN.

    python vae_solution.py                        trains; writes checkpoint, curves, clock and samples to results/vae
    python vae_solution.py --small                the same with a small network, for a computer without GPU
    python vae_solution.py --resume               goes on where an interrupted training stopped
    python vae_solution.py --figures              makes the figures of the report from the checkpoint

Kingma & Welling 2014, "Auto-Encoding Variational Bayes"; Burda, Grosse & Salakhutdinov 2016, "Importance Weighted
Autoencoders", for the estimate of the log-likelihood. Notation:

    paper        here                       meaning
    x            x                          images in [-1, 1], float (B, 3, 32, 32)
    z            z                          latents, float (B, z_dim)
    p(z)         N(0, I)                    prior
    q(z|x)       model.encode(x)            approximate posterior, a normal distribution for each image
    p(x|z)       model.decode(z)            likelihood, N(mean, I) for each latent
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from lab import data, epochs, vae_figures
from torch import nn

device = "cuda" if torch.cuda.is_available() else "cpu"

z_dim = 32
input_channels = 3
image_size = 32
lr = 1e-4


class Encoder(nn.Module):
    """Four convolutions, each of which halves height and width."""

    def __init__(self, nc: int, nef: int, nz: int, isize: int, device: torch.device | str):
        """Make an encoder of images with `nc` channels and `isize` pixels a side; `nef` features in the first layer."""
        super().__init__()
        self.device = device
        widths = [nc, nef, 2 * nef, 4 * nef, 8 * nef]
        layers: list[nn.Module] = []
        for above, below in pairwise(widths):
            layers += [nn.Conv2d(above, below, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True), nn.BatchNorm2d(below)]
        self.encoder = nn.Sequential(*layers)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """From images (B, nc, isize, isize) to features (B, 8 nef (isize / 16)^2)."""
        return self.encoder(inputs).flatten(1)


class Decoder(nn.Module):
    """A dense layer, and four times: double height and width, then a convolution."""

    def __init__(self, nc: int, ndf: int, nz: int, isize: int):
        """Make a decoder from `nz` latent values to images; `ndf` features in the last layer but one."""
        super().__init__()
        self.ndf = ndf
        self.out_size = isize // 16
        self.decoder_dense = nn.Sequential(nn.Linear(nz, 8 * ndf * self.out_size**2), nn.ReLU(inplace=True))
        widths = [8 * ndf, 4 * ndf, 2 * ndf, ndf, nc]
        layers: list[nn.Module] = []
        for below, above in pairwise(widths):
            layers += [nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(below, above, 3, 1, 1), nn.LeakyReLU(0.2)]
        self.decoder_conv = nn.Sequential(*layers[:-1])

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """From latents (B, nz) to images (B, nc, isize, isize)."""
        h = self.decoder_dense(inputs).view(-1, 8 * self.ndf, self.out_size, self.out_size)
        return self.decoder_conv(h)


class DiagonalGaussianDistribution:
    """Normal distributions with diagonal covariance, one for each element of a batch.

    Attributes:
        mean: the means; (B, ...).
        logvar: logarithms of the variances, between -30 and 20; same shape.
        std: standard deviations; same shape.
        var: variances; same shape.
    """

    def __init__(self, mean: torch.Tensor, logvar: torch.Tensor | None = None):
        """Keep mean and log-variance; without a log-variance all variances are 1."""
        super().__init__()
        self.mean = mean
        self.logvar = torch.clamp(torch.zeros_like(mean) if logvar is None else logvar, -30.0, 20.0)
        self.std = torch.exp(0.5 * self.logvar)
        self.var = torch.exp(self.logvar)

    def sample(self) -> torch.Tensor:
        """Draw one sample of each distribution, such that gradients reach mean and variance (section 2.4).

        Returns:
            The samples; shape of the mean.
        """
        # TODO 1.1 DiagonalGaussianDistribution.sample: write your code here and remove the next line.
        raise NotImplementedError("question 1.1: DiagonalGaussianDistribution.sample")
        return sample

    def kl(self) -> torch.Tensor:
        """KL(N(mean, var) || N(0, I)) in nats (appendix B), of distributions over vectors (B, D).

        Returns:
            One number for each distribution, summed over its D dimensions; (B,).
        """
        # TODO 1.1 DiagonalGaussianDistribution.kl: write your code here and remove the next line.
        raise NotImplementedError("question 1.1: DiagonalGaussianDistribution.kl")
        return kl

    def nll(self, sample: torch.Tensor, dims: Sequence[int] = (1, 2, 3)) -> torch.Tensor:
        """Negative log-density of samples in nats, with its constant: -log N(sample; mean, var).

        Args:
            sample: one for each distribution; shape of the mean.
            dims: dimensions to sum over, as `torch.sum` takes them; the default is for images (B, C, H, W).

        Returns:
            One number for each distribution; (B,).
        """
        # TODO 1.1 DiagonalGaussianDistribution.nll: write your code here and remove the next line.
        raise NotImplementedError("question 1.1: DiagonalGaussianDistribution.nll")
        return nll

    def mode(self) -> torch.Tensor:
        """The most probable value of each distribution; shape of the mean."""
        # TODO 1.1 DiagonalGaussianDistribution.mode: write your code here and remove the next line.
        raise NotImplementedError("question 1.1: DiagonalGaussianDistribution.mode")
        return mode


class VAE(nn.Module):
    """A variational autoencoder with a normal posterior and a normal likelihood of variance 1.

    Attributes:
        z_dim: dimension of the latent space.
        encoder: from images to features.
        mean: from features to the means of q(z|x).
        logvar: from features to the log-variances of q(z|x).
        decoder: from latents to the means of p(x|z).
    """

    def __init__(
        self,
        in_channels: int = 3,
        decoder_features: int = 32,
        encoder_features: int = 32,
        z_dim: int = 100,
        input_size: int = 32,
        device: torch.device | str = device,
    ):
        """Make a network; `device` is where its latents are drawn, move it there yourself."""
        super().__init__()
        self.z_dim = z_dim
        self.in_channels = in_channels
        self.device = device
        self.encoder = Encoder(in_channels, encoder_features, z_dim, input_size, device)
        features = 8 * encoder_features * (input_size // 16) ** 2
        self.mean = nn.Linear(features, z_dim)
        self.logvar = nn.Linear(features, z_dim)
        self.decoder = Decoder(in_channels, decoder_features, z_dim, input_size)

    def encode(self, x: torch.Tensor) -> DiagonalGaussianDistribution:
        """The posterior q(z|x) of images (B, 3, 32, 32), a distribution over (B, z_dim)."""
        # TODO 1.2 VAE.encode: write your code here and remove the next line.
        raise NotImplementedError("question 1.2: VAE.encode")
        return posterior

    def decode(self, z: torch.Tensor) -> DiagonalGaussianDistribution:
        """The likelihood p(x|z) of latents (B, z_dim), a distribution of variance 1 over (B, 3, 32, 32)."""
        # TODO 1.2 VAE.decode: write your code here and remove the next line.
        raise NotImplementedError("question 1.2: VAE.decode")
        return likelihood

    def sample(self, batch_size: int) -> torch.Tensor:
        """Draw latents from the prior, and decode them.

        Args:
            batch_size: number of images.

        Returns:
            The mode of p(x|z) for each latent; (batch_size, 3, 32, 32).
        """
        # TODO 1.2 VAE.sample: write your code here and remove the next line.
        raise NotImplementedError("question 1.2: VAE.sample")
        return samples

    def log_likelihood(self, x: torch.Tensor, K: int = 100) -> torch.Tensor:
        """Estimate log p(x) by importance sampling from the posterior (Burda et al. 2016, Eq. 8).

            log p(x) ~ log 1/K sum_k p(x, z_k) / q(z_k|x),  z_k ~ q(z|x)

        Args:
            x: images; (B, 3, 32, 32).
            K: number of latents for each image.

        Returns:
            One number for each image, in nats; (B,).
        """
        posterior = self.encode(x)
        prior = DiagonalGaussianDistribution(torch.zeros_like(posterior.mean))

        log_likelihood = torch.zeros(x.shape[0], K).to(self.device)
        for i in range(K):
            # TODO 1.2 VAE.log_likelihood weight: write your code here and remove the next line.
            raise NotImplementedError("question 1.2: VAE.log_likelihood weight")
        # TODO 1.2 VAE.log_likelihood mean: write your code here and remove the next line.
        raise NotImplementedError("question 1.2: VAE.log_likelihood mean")
        return ll

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode images, draw a latent for each, decode it, and return what the ELBO is made of.

        Args:
            x: images; (B, 3, 32, 32).

        Returns:
            Reconstructions, (B, 3, 32, 32); -log p(x|z), (B,); KL(q(z|x) || p(z)), (B,).
        """
        # TODO 1.2 VAE.forward: write your code here and remove the next line.
        raise NotImplementedError("question 1.2: VAE.forward")
        return recon.mode(), recon.nll(x), posterior.kl()


def interpolate(model: VAE, z_1: torch.Tensor, z_2: torch.Tensor, n_samples: int) -> torch.Tensor:
    """Decode points at equal distances on the straight line between two latents.

    Args:
        model: the VAE.
        z_1: the first point; (1, z_dim).
        z_2: the last point; (1, z_dim).
        n_samples: number of points, both ends included.

    Returns:
        One image for each point; (n_samples, 3, 32, 32).
    """
    lengths = torch.linspace(0.0, 1.0, n_samples).unsqueeze(1).to(z_1.device)  # (n_samples, 1)
    # TODO 1.2 interpolate: write your code here and remove the next line.
    raise NotImplementedError("question 1.2: interpolate")
    return model.decode(z).mode()


def main() -> None:
    """Train, or make the figures of the report."""
    run = epochs.read_run(epochs.make_parser("Train a VAE on SVHN.", "results/vae", epochs=30, batch_size=64))
    features, learning_rate = (16, 1e-3) if run.small else (32, lr)
    with epochs.plain_errors():
        images, labels = data.load("svhn", "train", run.data_root, run.limit)
        test_images, _ = data.load("svhn", "test", run.data_root, run.limit)
        model = VAE(input_channels, features, features, z_dim, image_size, run.device).to(run.device)
        if run.figures:
            epochs.load_parts(run, {"model": model})
            vae_figures.make_all(model.eval(), interpolate, images, labels, test_images, run)
            return
        optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)

        def step(batch: torch.Tensor) -> dict[str, torch.Tensor]:
            _, nll, kl = model(batch * 2 - 1)
            loss = (nll + kl).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return {"loss": loss.detach(), "kl": kl.detach().mean()}

        batches = data.Batches(images, batch_size=run.batch_size, device=run.device, shuffle=True, drop_last=True)
        held_out = test_images[:32].to(run.device).float() / 127.5 - 1
        epochs.train(
            run,
            {"model": model, "optimizer": optimizer},
            batches,
            step,
            draw=lambda: torch.cat([held_out, model(held_out)[0], model.sample(32)]),
        )


if __name__ == "__main__":
    main()

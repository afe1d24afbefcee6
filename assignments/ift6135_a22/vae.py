"""Un autoencodeur variationnel (VAE) pour les numéros de maison de SVHN.

    python vae.py              entraîne ; écrit point de contrôle, courbes, temps et échantillons dans results/vae
    python vae.py --small      la même chose avec un petit réseau, pour un ordinateur sans GPU
    python vae.py --resume     reprend là où un entraînement interrompu s'est arrêté
    python vae.py --figures    fait les figures du rapport à partir du point de contrôle

Kingma et Welling 2014, « Auto-Encoding Variational Bayes » ; Burda, Grosse et Salakhutdinov 2016, « Importance
Weighted Autoencoders », pour l'estimation de la log-vraisemblance. Notation :

    article      ici                        sens
    x            x                          images dans [-1, 1], float (B, 3, 32, 32)
    z            z                          latents, float (B, z_dim)
    p(z)         N(0, I)                    loi a priori
    q(z|x)       model.encode(x)            loi a posteriori approchée, une loi normale pour chaque image
    p(x|z)       model.decode(z)            vraisemblance, N(moyenne, I) pour chaque latent
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
    """Quatre convolutions, dont chacune divise par deux la hauteur et la largeur."""

    def __init__(self, nc: int, nef: int, nz: int, isize: int, device: torch.device | str):
        """Construit un encodeur d'images à `nc` canaux, de côté `isize` ; `nef` canaux à la première couche."""
        super().__init__()
        self.device = device
        widths = [nc, nef, 2 * nef, 4 * nef, 8 * nef]
        layers: list[nn.Module] = []
        for above, below in pairwise(widths):
            layers += [nn.Conv2d(above, below, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True), nn.BatchNorm2d(below)]
        self.encoder = nn.Sequential(*layers)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """D'images (B, nc, isize, isize) à des caractéristiques (B, 8 nef (isize / 16)^2)."""
        return self.encoder(inputs).flatten(1)


class Decoder(nn.Module):
    """Une couche dense puis, quatre fois, le doublement de la hauteur et de la largeur et une convolution."""

    def __init__(self, nc: int, ndf: int, nz: int, isize: int):
        """Construit un décodeur de `nz` valeurs latentes à des images ; `ndf` canaux à l'avant-dernière couche."""
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
        """De latents (B, nz) à des images (B, nc, isize, isize)."""
        h = self.decoder_dense(inputs).view(-1, 8 * self.ndf, self.out_size, self.out_size)
        return self.decoder_conv(h)


class DiagonalGaussianDistribution:
    """Lois normales à covariance diagonale, une pour chaque élément d'un lot.

    Attributes:
        mean: moyennes ; (B, ...).
        logvar: logarithmes des variances, entre -30 et 20 ; de même forme.
        std: écarts types ; de même forme.
        var: variances ; de même forme.
    """

    def __init__(self, mean: torch.Tensor, logvar: torch.Tensor | None = None):
        """Garde la moyenne et le logarithme de la variance ; sans ce dernier, toutes les variances valent 1."""
        super().__init__()
        self.mean = mean
        self.logvar = torch.clamp(torch.zeros_like(mean) if logvar is None else logvar, -30.0, 20.0)
        self.std = torch.exp(0.5 * self.logvar)
        self.var = torch.exp(self.logvar)

    def sample(self) -> torch.Tensor:
        """Fait un tirage de chaque loi, de sorte que les gradients atteignent moyenne et variance (section 2.4).

        Returns:
            Les tirages ; de la forme de la moyenne.
        """
        # TODO 1.1 DiagonalGaussianDistribution.sample: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 1.1 : DiagonalGaussianDistribution.sample")
        return sample

    def kl(self) -> torch.Tensor:
        """KL(N(mean, var) || N(0, I)) en nats (annexe B), pour des lois sur des vecteurs (B, D).

        Returns:
            Un nombre pour chaque loi, sommé sur ses D dimensions ; (B,).
        """
        # TODO 1.1 DiagonalGaussianDistribution.kl: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 1.1 : DiagonalGaussianDistribution.kl")
        return kl

    def nll(self, sample: torch.Tensor, dims: Sequence[int] = (1, 2, 3)) -> torch.Tensor:
        """Opposé de la log-densité d'échantillons en nats, avec sa constante : -log N(sample ; mean, var).

        Args:
            sample: un échantillon de chaque loi ; de la forme de la moyenne.
            dims: dimensions sur lesquelles sommer, comme pour `torch.sum` ; par défaut, pour des images (B, C, H, W).

        Returns:
            Un nombre pour chaque loi ; (B,).
        """
        # TODO 1.1 DiagonalGaussianDistribution.nll: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 1.1 : DiagonalGaussianDistribution.nll")
        return nll

    def mode(self) -> torch.Tensor:
        """La valeur la plus probable de chaque loi ; de la forme de la moyenne."""
        # TODO 1.1 DiagonalGaussianDistribution.mode: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 1.1 : DiagonalGaussianDistribution.mode")
        return mode


class VAE(nn.Module):
    """Un autoencodeur variationnel avec une loi a posteriori normale et une vraisemblance normale de variance 1.

    Attributes:
        z_dim: dimension de l'espace latent.
        encoder: des images aux caractéristiques.
        mean: des caractéristiques aux moyennes de q(z|x).
        logvar: des caractéristiques aux logarithmes des variances de q(z|x).
        decoder: des latents aux moyennes de p(x|z).
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
        """Construit un réseau ; ses latents sont tirés sur `device`, mettez-y vous-même le réseau."""
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
        """La loi a posteriori q(z|x) d'images (B, 3, 32, 32), une loi sur (B, z_dim)."""
        # TODO 1.2 VAE.encode: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 1.2 : VAE.encode")
        return posterior

    def decode(self, z: torch.Tensor) -> DiagonalGaussianDistribution:
        """La vraisemblance p(x|z) de latents (B, z_dim), une loi de variance 1 sur (B, 3, 32, 32)."""
        # TODO 1.2 VAE.decode: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 1.2 : VAE.decode")
        return likelihood

    def sample(self, batch_size: int) -> torch.Tensor:
        """Tire des latents selon la loi a priori, et les décode.

        Args:
            batch_size: nombre d'images.

        Returns:
            Le mode de p(x|z) pour chaque latent ; (batch_size, 3, 32, 32).
        """
        # TODO 1.2 VAE.sample: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 1.2 : VAE.sample")
        return samples

    def log_likelihood(self, x: torch.Tensor, K: int = 100) -> torch.Tensor:
        """Estime log p(x) par échantillonnage préférentiel, avec la loi a posteriori (Burda et coll. 2016, éq. 8).

            log p(x) ~ log 1/K sum_k p(x, z_k) / q(z_k|x),  z_k ~ q(z|x)

        Args:
            x: images ; (B, 3, 32, 32).
            K: nombre de latents pour chaque image.

        Returns:
            Un nombre pour chaque image, en nats ; (B,).
        """
        posterior = self.encode(x)
        prior = DiagonalGaussianDistribution(torch.zeros_like(posterior.mean))

        log_likelihood = torch.zeros(x.shape[0], K).to(self.device)
        for i in range(K):
            # TODO 1.2 VAE.log_likelihood weight: écrivez votre code ici et supprimez la ligne suivante.
            raise NotImplementedError("question 1.2 : VAE.log_likelihood weight")
        # TODO 1.2 VAE.log_likelihood mean: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 1.2 : VAE.log_likelihood mean")
        return ll

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode des images, tire un latent pour chacune, le décode, et renvoie ce dont l'ELBO est faite.

        Args:
            x: images ; (B, 3, 32, 32).

        Returns:
            Reconstructions, (B, 3, 32, 32) ; -log p(x|z), (B,) ; KL(q(z|x) || p(z)), (B,).
        """
        # TODO 1.2 VAE.forward: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 1.2 : VAE.forward")
        return recon.mode(), recon.nll(x), posterior.kl()


def interpolate(model: VAE, z_1: torch.Tensor, z_2: torch.Tensor, n_samples: int) -> torch.Tensor:
    """Décode des points également espacés sur le segment entre deux latents.

    Args:
        model: le VAE.
        z_1: le premier point ; (1, z_dim).
        z_2: le dernier point ; (1, z_dim).
        n_samples: nombre de points, extrémités comprises.

    Returns:
        Une image pour chaque point ; (n_samples, 3, 32, 32).
    """
    lengths = torch.linspace(0.0, 1.0, n_samples).unsqueeze(1).to(z_1.device)  # (n_samples, 1)
    # TODO 1.2 interpolate: écrivez votre code ici et supprimez la ligne suivante.
    raise NotImplementedError("question 1.2 : interpolate")
    return model.decode(z).mode()


def main() -> None:
    """Entraîne, ou fait les figures du rapport."""
    run = epochs.read_run(epochs.make_parser("Entraîne un VAE sur SVHN.", "results/vae", epochs=30, batch_size=64))
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

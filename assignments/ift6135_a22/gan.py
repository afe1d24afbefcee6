"""Question 2 : un réseau antagoniste génératif (GAN) sur SVHN.

    python gan.py                         25 époques du jeu de données entier, pour un GPU
    python gan.py --small                 plus d'époques sur moins d'images : des tailles pour un CPU
    python gan.py --resume --epochs 40    reprend là où le dernier entraînement s'est terminé
    python gan.py --figures               échantillons et interpolations du générateur entraîné

Un générateur transforme du bruit en images, et un discriminateur les distingue des vraies ; ils sont entraînés l'un
contre l'autre (Goodfellow et coll. 2014, « Generative Adversarial Networks »). Les réseaux sont ceux de Radford et
coll. 2016, « Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks »
(DCGAN), pour des images de 32 x 32 pixels. Notation :

    article      ici                         sens
    x            real_samples                vraies images dans [-1, 1], float (B, 3, 32, 32)
    z            z                           bruit de loi N(0, I), (B, z_dim, 1, 1)
    G(z)         fake_samples, generator(z)  images générées dans [-1, 1], (B, 3, 32, 32)
    D(x)         sigmoid(discriminator(x))   probabilité que x soit vraie ; le réseau renvoie le logit, (B, 1, 1, 1)
"""

import torch
from lab.data import Batches, load
from lab.device import choose_device
from lab.epochs import Run, load_parts, make_parser, plain_errors, read_run, show_images, train
from torch import nn
from torch.optim import Adam

gen_lr = 1e-4
disc_lr = 1e-4
batch_size = 64
epochs = 25
z_dim = 32
image_size = 32
input_channels = 3
device = choose_device()


def weights_init(m):
    """Tire les poids comme DCGAN (section 4) : N(0, 0.02^2), et N(1, 0.02^2) dans une normalisation par lot.

    Args:
        m: une couche ; celles qui ne sont ni une convolution ni une normalisation par lot restent telles quelles.
    """
    name = type(m).__name__
    if name.startswith("Conv"):
        nn.init.normal_(m.weight, 0.0, 0.02)
    elif name.startswith("BatchNorm"):
        nn.init.normal_(m.weight, 1.0, 0.02)
        nn.init.zeros_(m.bias)


class Generator(nn.Module):
    """G : fait des images à partir de bruit, par convolutions transposées."""

    def __init__(self, z_dim, channels, generator_features=32):
        """Construit un générateur.

        Args:
            z_dim: nombre de valeurs du bruit.
            channels: nombre de canaux des images.
            generator_features: nombre de canaux avant la dernière couche ; le double et le quadruple dans les
                couches qui précèdent.
        """
        super().__init__()
        g = generator_features
        self.model = nn.Sequential(
            nn.ConvTranspose2d(z_dim, 4 * g, 4, 1, 0, bias=False),  # (B, 4g, 4, 4)
            nn.BatchNorm2d(4 * g),
            nn.ReLU(),
            nn.ConvTranspose2d(4 * g, 2 * g, 4, 2, 1, bias=False),  # (B, 2g, 8, 8)
            nn.BatchNorm2d(2 * g),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * g, g, 4, 2, 1, bias=False),  # (B, g, 16, 16)
            nn.BatchNorm2d(g),
            nn.ReLU(),
            nn.ConvTranspose2d(g, channels, 4, 2, 1, bias=False),  # (B, channels, 32, 32)
            nn.Tanh(),
        )
        self.apply(weights_init)

    def forward(self, z):
        """D'un bruit (B, z_dim, 1, 1) à des images dans [-1, 1], (B, channels, 32, 32)."""
        return self.model(z)


class Discriminator(nn.Module):
    """D : dit à quel point il est probable qu'une image soit vraie."""

    def __init__(self, channels, discriminator_features=32):
        """Construit un discriminateur.

        Args:
            channels: nombre de canaux des images.
            discriminator_features: nombre de canaux après la première couche ; le double et le quadruple dans les
                couches suivantes.
        """
        super().__init__()
        d = discriminator_features
        self.model = nn.Sequential(
            nn.Conv2d(channels, d, 4, 2, 1, bias=False),  # (B, d, 16, 16)
            nn.LeakyReLU(0.2),
            nn.Conv2d(d, 2 * d, 4, 2, 1, bias=False),  # (B, 2d, 8, 8)
            nn.BatchNorm2d(2 * d),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * d, 4 * d, 4, 2, 1, bias=False),  # (B, 4d, 4, 4)
            nn.BatchNorm2d(4 * d),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * d, 1, 4, 1, 0, bias=False),  # (B, 1, 1, 1)
        )
        self.apply(weights_init)

    def forward(self, x):
        """D'images (B, channels, 32, 32) à des logits, des réels quelconques ; (B, 1, 1, 1)."""
        return self.model(x)


generator = Generator(z_dim, input_channels).to(device)
discriminator = Discriminator(input_channels).to(device)

# Deux optimiseurs, un pour chaque réseau : Adam avec les taux d'apprentissage ci-dessus et les betas (0.5, 0.999).
# TODO 2.1 discriminator_optimizer: écrivez votre code à la place de chaque None.
discriminator_optimizer = None
# TODO 2.1 generator_optimizer: écrivez votre code à la place de chaque None.
generator_optimizer = None

# La perte des logits (B, 1, 1, 1) que renvoie le discriminateur, pour des cibles égales à un ou à zéro : une moyenne.
# TODO 2.1 criterion: écrivez votre code à la place de chaque None.
criterion = None


def discriminator_train(discriminator, generator, real_samples, fake_samples):
    """Perte du discriminateur (Goodfellow et coll. 2014, algorithme 1) : cible un pour le vrai, zéro pour le généré.

    Ne fait que calculer la perte : le gradient et le pas de l'optimiseur reviennent à la boucle d'entraînement.

    Args:
        discriminator: D ; renvoie des logits (B, 1, 1, 1).
        generator: G ; présent pour les appels qui le passent.
        real_samples: vraies images ; (B, 3, 32, 32).
        fake_samples: images générées ; (B, 3, 32, 32).

    Returns:
        La moyenne du critère sur les vraies images plus sa moyenne sur les images générées ; sans dimension.
    """
    # TODO 2.1 discriminator_train: écrivez votre code ici et supprimez la ligne suivante.
    raise NotImplementedError("question 2.1 : discriminator_train")
    return loss


def generator_train(discriminator, generator, fake_samples):
    """Perte du générateur, qui veut que ses images passent pour vraies.

    Il maximise log D(G(z)) au lieu de minimiser log(1 - D(G(z))), dont le gradient s'annule là où le discriminateur
    est sûr de lui (Goodfellow et coll. 2014, section 3).

    Args:
        discriminator: D ; renvoie des logits (B, 1, 1, 1).
        generator: G ; présent pour les appels qui le passent.
        fake_samples: images générées, avec le graphe de calcul qui remonte au générateur ; (B, 3, 32, 32).

    Returns:
        La moyenne du critère sur le lot ; sans dimension.
    """
    # TODO 2.1 generator_train: écrivez votre code ici et supprimez la ligne suivante.
    raise NotImplementedError("question 2.1 : generator_train")
    return loss


def sample(generator, num_samples):
    """Génère des images à partir d'un bruit z ~ N(0, I), sans graphe de calcul.

    Args:
        generator: G.
        num_samples: nombre d'images.

    Returns:
        Images dans [-1, 1] ; (num_samples, 3, 32, 32).
    """
    # TODO 2.1 sample: écrivez votre code ici et supprimez la ligne suivante.
    raise NotImplementedError("question 2.1 : sample")
    return samples


def interpolate(generator, z_1, z_2, n_samples):
    """Génère les images de points également espacés entre deux points du bruit, sans graphe de calcul.

    Args:
        generator: G.
        z_1: là où commence le segment : la première image est celle de ce point ; (1, z_dim, 1, 1).
        z_2: là où il finit : la dernière image est celle de ce point ; (1, z_dim, 1, 1).
        n_samples: nombre d'images, extrémités comprises.

    Returns:
        Images dans [-1, 1] ; (n_samples, 3, 32, 32).
    """
    # TODO 2.1 interpolate: écrivez votre code ici et supprimez la ligne suivante.
    raise NotImplementedError("question 2.1 : interpolate")
    return images


def train_step(real_samples):
    """Entraîne les deux réseaux sur un lot : un pas du discriminateur, puis un pas du générateur.

    Args:
        real_samples: vraies images dans [-1, 1] ; (B, 3, 32, 32).

    Returns:
        Les deux pertes, par nom ; sans dimension.
    """
    z = torch.randn(len(real_samples), z_dim, 1, 1, device=real_samples.device)
    fake_samples = generator(z)

    discriminator_loss = discriminator_train(discriminator, generator, real_samples, fake_samples.detach())
    discriminator_optimizer.zero_grad()
    discriminator_loss.backward()
    discriminator_optimizer.step()

    generator_loss = generator_train(discriminator, generator, fake_samples)
    generator_optimizer.zero_grad()
    generator_loss.backward()
    generator_optimizer.step()
    return {"discriminator": discriminator_loss.detach(), "generator": generator_loss.detach()}


def draw_figures(run: Run):
    """Enregistre des échantillons et des interpolations dans l'espace du bruit et, au-dessous, entre les pixels."""
    generator.eval()
    show_images(sample(generator, 64), run.output / "samples.png", "échantillons du GAN")
    rows = []
    weight = torch.linspace(0, 1, 10, device=run.device).view(-1, 1, 1, 1)
    for _ in range(4):
        z_1, z_2 = torch.randn(2, 1, z_dim, 1, 1, device=run.device)  # chacun (1, z_dim, 1, 1)
        with torch.no_grad():
            first, last = generator(torch.cat([z_1, z_2])).split(1)  # (1, 3, 32, 32) each
        rows += [interpolate(generator, z_1, z_2, 10), (1 - weight) * first + weight * last]
    title = "interpolation : lignes impaires, bruit ; lignes paires, pixels"
    show_images(torch.cat(rows), run.output / "interpolation.png", title, nrow=10)


def main():
    """Entraîne les réseaux, ou fait les figures : ce que dit la ligne de commande."""
    global device
    parser = make_parser("Entraîne un GAN sur SVHN.", "results/gan", epochs, batch_size)
    run = read_run(parser, small={"epochs": 100, "limit": 8000})
    device = run.device
    parts = {
        "generator": generator.apply(weights_init).to(device),  # nouveau tirage, avec la graine de ce lancement
        "discriminator": discriminator.apply(weights_init).to(device),
        "generator_optimizer": generator_optimizer,
        "discriminator_optimizer": discriminator_optimizer,
    }
    with plain_errors():
        if run.figures:
            load_parts(run, parts)
            draw_figures(run)
            return
        images, _ = load("svhn", "train", run.data_root, run.limit)  # uint8 (N, 3, 32, 32)
        batches = Batches(images, batch_size=run.batch_size, device=device, shuffle=True, drop_last=True)
        # Le même bruit à chaque fois, pour que l'on voie évoluer ses images.
        z = torch.randn(64, z_dim, 1, 1, generator=torch.Generator().manual_seed(run.seed)).to(device)
        train(run, parts, batches, lambda images: train_step(2 * images - 1), draw=lambda: generator(z))


if __name__ == "__main__":
    main()

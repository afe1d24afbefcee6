"""Question 2: a generative adversarial network (GAN) on SVHN.

    python gan.py                     25 epochs of the whole data set, for a GPU
    python gan.py --small             more epochs of fewer images: sizes for a processor
    python gan.py --resume --epochs 40                        goes on where the last run ended
    python gan.py --figures           samples and interpolations of the trained generator

A generator turns noise into images, and a discriminator tells them from real ones; each is trained against the other
(Goodfellow et al. 2014, "Generative Adversarial Networks"). The networks are those of Radford et al. 2016,
"Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks" (DCGAN), for images of
32 x 32 pixels. Notation:

    paper        here                          meaning
    x            real_samples                  real images in [-1, 1], float (B, 3, 32, 32)
    z            z                             noise from N(0, I), (B, z_dim, 1, 1)
    G(z)         fake_samples, generator(z)    generated images in [-1, 1], (B, 3, 32, 32)
    D(x)         sigmoid(discriminator(x))     probability that x is real; the network returns the logit, (B, 1, 1, 1)
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
    """Draw the weights of a layer as DCGAN does (section 4): N(0, 0.02^2), and N(1, 0.02^2) in a batch normalisation.

    Args:
        m: a layer; those that are neither a convolution nor a batch normalisation stay as they are.
    """
    name = type(m).__name__
    if name.startswith("Conv"):
        nn.init.normal_(m.weight, 0.0, 0.02)
    elif name.startswith("BatchNorm"):
        nn.init.normal_(m.weight, 1.0, 0.02)
        nn.init.zeros_(m.bias)


class Generator(nn.Module):
    """G: makes images from noise by transposed convolutions."""

    def __init__(self, z_dim, channels, generator_features=32):
        """Make a generator.

        Args:
            z_dim: values of the noise.
            channels: channels of the images.
            generator_features: channels before the last layer; twice and four times as many in the layers before.
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
        """From noise (B, z_dim, 1, 1) to images in [-1, 1], (B, channels, 32, 32)."""
        return self.model(z)


class Discriminator(nn.Module):
    """D: finds how likely it is that an image is real."""

    def __init__(self, channels, discriminator_features=32):
        """Make a discriminator.

        Args:
            channels: channels of the images.
            discriminator_features: channels after the first layer; twice and four times as many in the next layers.
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
        """From images (B, channels, 32, 32) to logits, any real numbers; (B, 1, 1, 1)."""
        return self.model(x)


generator = Generator(z_dim, input_channels).to(device)
discriminator = Discriminator(input_channels).to(device)

# Two optimizers, one for each network: Adam with the learning rates above and betas of (0.5, 0.999).
# BEGIN SOLUTION 2.1 discriminator_optimizer
discriminator_optimizer = Adam(discriminator.parameters(), lr=disc_lr, betas=(0.5, 0.999))
# END SOLUTION
# BEGIN SOLUTION 2.1 generator_optimizer
generator_optimizer = Adam(generator.parameters(), lr=gen_lr, betas=(0.5, 0.999))
# END SOLUTION

# The loss of logits (B, 1, 1, 1), as the discriminator returns them, against targets of ones and zeros: a mean.
# BEGIN SOLUTION 2.1 criterion
criterion = nn.BCEWithLogitsLoss()
# END SOLUTION


def discriminator_train(discriminator, generator, real_samples, fake_samples):
    """Loss of the discriminator (Goodfellow et al. 2014, Algorithm 1): real images are ones, generated ones zeros.

    Only computes the loss: the gradient and the step of the optimizer are up to the training loop.

    Args:
        discriminator: D; returns logits (B, 1, 1, 1).
        generator: G; there for callers that pass it.
        real_samples: real images; (B, 3, 32, 32).
        fake_samples: generated images; (B, 3, 32, 32).

    Returns:
        The mean of the criterion over the real images plus its mean over the generated ones; no dimensions.
    """
    # BEGIN SOLUTION 2.1 discriminator_train
    real_logits = discriminator(real_samples)  # (B, 1, 1, 1)
    fake_logits = discriminator(fake_samples)  # (B, 1, 1, 1)
    real_loss = criterion(real_logits, torch.ones_like(real_logits))
    fake_loss = criterion(fake_logits, torch.zeros_like(fake_logits))
    loss = real_loss + fake_loss  # ()
    # END SOLUTION
    return loss


def generator_train(discriminator, generator, fake_samples):
    """Loss of the generator, which wants its images to be taken for real ones.

    It maximises log D(G(z)) instead of minimising log(1 - D(G(z))), whose gradient vanishes where the discriminator
    is sure of itself (Goodfellow et al. 2014, section 3).

    Args:
        discriminator: D; returns logits (B, 1, 1, 1).
        generator: G; there for callers that pass it.
        fake_samples: generated images, with the graph that leads back to the generator; (B, 3, 32, 32).

    Returns:
        The mean of the criterion over the batch; no dimensions.
    """
    # BEGIN SOLUTION 2.1 generator_train
    fake_logits = discriminator(fake_samples)  # (B, 1, 1, 1)
    loss = criterion(fake_logits, torch.ones_like(fake_logits))  # ()
    # END SOLUTION
    return loss


def sample(generator, num_samples):
    """Generate images from noise z ~ N(0, I), without a graph for gradients.

    Args:
        generator: G.
        num_samples: number of images.

    Returns:
        Images in [-1, 1]; (num_samples, 3, 32, 32).
    """
    # BEGIN SOLUTION 2.1 sample
    with torch.no_grad():
        z = torch.randn(num_samples, z_dim, 1, 1, device=device)
        samples = generator(z)  # (num_samples, 3, 32, 32)
    # END SOLUTION
    return samples


def interpolate(generator, z_1, z_2, n_samples):
    """Images of points at equal distances on the line between two points of the noise, without a graph.

    Args:
        generator: G.
        z_1: where the line starts: the first image is that of this point; (1, z_dim, 1, 1).
        z_2: where it ends: the last image is that of this point; (1, z_dim, 1, 1).
        n_samples: number of images, both ends included.

    Returns:
        Images in [-1, 1]; (n_samples, 3, 32, 32).
    """
    # BEGIN SOLUTION 2.1 interpolate
    with torch.no_grad():
        lengths = torch.linspace(0, 1, n_samples, device=z_1.device).view(-1, 1, 1, 1)
        z = (1 - lengths) * z_1 + lengths * z_2  # (n_samples, z_dim, 1, 1)
        images = generator(z)  # (n_samples, 3, 32, 32)
    # END SOLUTION
    return images


def train_step(real_samples):
    """Train both networks on one batch: one step of the discriminator, then one of the generator.

    Args:
        real_samples: real images in [-1, 1]; (B, 3, 32, 32).

    Returns:
        Both losses, by name; no dimensions.
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
    """Save samples of the generator, and interpolations in the space of the noise above those in that of pixels."""
    generator.eval()
    show_images(sample(generator, 64), run.output / "samples.png", "samples of the GAN")
    rows = []
    weight = torch.linspace(0, 1, 10, device=run.device).view(-1, 1, 1, 1)
    for _ in range(4):
        z_1, z_2 = torch.randn(2, 1, z_dim, 1, 1, device=run.device)  # (1, z_dim, 1, 1) each
        with torch.no_grad():
            first, last = generator(torch.cat([z_1, z_2])).split(1)  # (1, 3, 32, 32) each
        rows += [interpolate(generator, z_1, z_2, 10), (1 - weight) * first + weight * last]
    title = "interpolation: odd rows in the noise, even rows in the pixels"
    show_images(torch.cat(rows), run.output / "interpolation.png", title, nrow=10)


def main():
    """Train the networks, or make the figures: what the command line says."""
    global device
    parser = make_parser("Train a GAN on SVHN.", "results/gan", epochs, batch_size)
    run = read_run(parser, small={"epochs": 100, "limit": 8000})
    device = run.device
    parts = {
        "generator": generator.apply(weights_init).to(device),  # drawn again: now from the seed of this run
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
        # The same noise for every picture, so that one sees how its images change.
        z = torch.randn(64, z_dim, 1, 1, generator=torch.Generator().manual_seed(run.seed)).to(device)
        train(run, parts, batches, lambda images: train_step(2 * images - 1), draw=lambda: generator(z))


if __name__ == "__main__":
    main()

# %% [markdown]
# # GAN : versions successives

# %%
import random

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from datasets import load_dataset
from pathlib import Path
from torch import nn
from torch.optim import Adam
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.transforms import CenterCrop, Compose, Lambda, Resize, ToPILImage, ToTensor
from torchvision.utils import make_grid, save_image
from tqdm.auto import tqdm


def fix_experiment_seed(seed=0):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


fix_experiment_seed()
Path("./results").mkdir(exist_ok=True)
device = "cuda" if torch.cuda.is_available() else "cpu"

import wandb
from outils.journal import noter

# %%
gen_lr = 1e-4
disc_lr = 1e-4
batch_size = 64

# %%
image_size = 32
input_channels = 3

transform = Compose([
    Resize((image_size, image_size)),
    ToTensor(),
    Lambda(lambda t: (t * 2) - 1),
])


def transforms_examples(examples):
    name = "image" if "image" in examples else "img"
    examples["pixel_values"] = [transform(image) for image in examples[name]]
    del examples[name]
    return examples

# %%
def get_dataloaders():
    dataset = load_dataset("svhn", "cropped_digits", cache_dir="./data")
    transformed = dataset.with_transform(transforms_examples).remove_columns("label")
    train_loader = DataLoader(transformed["train"], batch_size=batch_size, shuffle=True, drop_last=True)
    test_loader = DataLoader(transformed["test"], batch_size=batch_size)
    return train_loader, test_loader


def visualize():
    train_loader, _ = get_dataloaders()
    images = next(iter(train_loader))["pixel_values"]
    save_image((images + 1) * 0.5, "./results/orig.png")
    plt.imshow(make_grid((images + 1) * 0.5).permute(1, 2, 0))
    plt.show()

# %%
def weights_init(m):
    name = m.__class__.__name__
    if name.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif name.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Generator(nn.Module):
    def __init__(self, z_dim, channels, generator_features=32):
        super(Generator, self).__init__()
        g = generator_features
        self.model = nn.Sequential(
            nn.ConvTranspose2d(z_dim, g * 4, 4, 1, 0, bias=False), nn.BatchNorm2d(g * 4), nn.ReLU(True),
            nn.ConvTranspose2d(g * 4, g * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(g * 2), nn.ReLU(True),
            nn.ConvTranspose2d(g * 2, g, 4, 2, 1, bias=False), nn.BatchNorm2d(g), nn.ReLU(True),
            nn.ConvTranspose2d(g, channels, 4, 2, 1, bias=False), nn.Tanh(),
        )
        self.apply(weights_init)

    def forward(self, input):
        return self.model(input)


class Discriminator(nn.Module):
    def __init__(self, channels, discriminator_features=32):
        super(Discriminator, self).__init__()
        d = discriminator_features
        self.model = nn.Sequential(
            nn.Conv2d(channels, d, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(d, d * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(d * 2), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(d * 2, d * 4, 4, 2, 1, bias=False), nn.BatchNorm2d(d * 4), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(d * 4, 1, 4, 1, 0, bias=False),
        )
        self.apply(weights_init)

    def forward(self, input):
        return self.model(input)

# %%
if __name__ == "__main__":
    z_dim = 32
    visualize()

# %%
generator = Generator(z_dim, input_channels).to(device)
discriminator = Discriminator(input_channels).to(device)

# %% [markdown]
# Version 1 : la perte ne baisse pas

# %%
discriminator_optimizer = torch.optim.SGD(discriminator.parameters(), lr=1e-2)
generator_optimizer = torch.optim.SGD(generator.parameters(), lr=1e-2)
criterion = nn.BCELoss()


def discriminator_train(discriminator, generator, real_samples, fake_samples):
    vrai = discriminator(real_samples)
    return criterion(vrai, torch.zeros_like(vrai))


def generator_train(discriminator, generator, fake_samples):
    logits = discriminator(fake_samples)
    return criterion(logits, torch.ones_like(logits))


def sample(generator, num_samples):
    return generator(torch.rand(num_samples, z_dim, 1, 1))

# %%
def une_epoque(chargeur):
    for lot in chargeur:
        vraies = lot["pixel_values"].to(device)
        fausses = generator(torch.randn(len(vraies), z_dim, 1, 1, device=device))
        perte_d = discriminator_train(discriminator, generator, vraies, fausses.detach())
        discriminator_optimizer.zero_grad()
        perte_d.backward()
        discriminator_optimizer.step()
        perte_g = generator_train(discriminator, generator, fausses)
        generator_optimizer.zero_grad()
        perte_g.backward()
        generator_optimizer.step()
        wandb.log({"D": perte_d.item(), "G": perte_g.item()})
        noter(perte_d, perte_g)


chargeur = get_dataloaders()[0]
for _ in range(25):
    une_epoque(chargeur)

# %% [markdown]
# Version 2 : Adam et les logits

# %%
reglages = {"betas": (0.5, 0.999)}
discriminator_optimizer = Adam(discriminator.parameters(), lr=disc_lr, **reglages)
generator_optimizer = Adam(generator.parameters(), lr=gen_lr, **reglages)
criterion = lambda logits, cibles: F.binary_cross_entropy_with_logits(logits, cibles)


def discriminator_train(discriminator, generator, real_samples, fake_samples):
    vrai, faux = discriminator(real_samples), discriminator(fake_samples)
    return criterion(vrai, torch.ones_like(vrai)) + criterion(faux, torch.zeros_like(faux))


@torch.no_grad()
def sample(generator, num_samples):
    return generator(torch.randn(num_samples, z_dim, 1, 1, device=device))


for _ in range(25):
    une_epoque(chargeur)
wandb.finish()

# %% [markdown]
# Version 3 : la perte de l'énoncé original, pour voir

# %%
def generator_train(discriminator, generator, fake_samples):
    logits = discriminator(fake_samples)
    return -criterion(logits, torch.zeros_like(logits))

# %%
def interpolate(generator, z_1, z_2, n_samples):
    t = torch.linspace(0, 1, n_samples, device=z_1.device)[:, None, None, None]
    with torch.no_grad():
        return generator(z_1 + t * (z_2 - z_1))


plt.imshow(make_grid(interpolate(generator, torch.randn(1, z_dim, 1, 1), torch.randn(1, z_dim, 1, 1), 8)).permute(1, 2, 0))
plt.show()

# %% [markdown]
# # Question 1 : autoencodeur variationnel
# Binôme : nous avons tout fait ensemble.

# %%
!pip install -q datasets

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

# %%
# Hyperparamètres
batch_size = 64
z_dim = 32
lr = 1e-4
epochs = 25
appareil = "cuda:0"

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
visualize()  # quelques images

# %%
class Encoder(nn.Module):
    def __init__(self, nc, nef, nz, isize, device):
        super(Encoder, self).__init__()
        self.device = device
        layers, before = [], nc
        for width in (nef, nef * 2, nef * 4, nef * 8):
            layers += [nn.Conv2d(before, width, 4, 2, padding=1), nn.LeakyReLU(0.2, True), nn.BatchNorm2d(width)]
            before = width
        self.encoder = nn.Sequential(*layers)

    def forward(self, inputs):
        hidden = self.encoder(inputs)
        return hidden.view(inputs.size(0), -1)


class Decoder(nn.Module):
    def __init__(self, nc, ndf, nz, isize):
        super(Decoder, self).__init__()
        self.ndf = ndf
        self.out_size = isize // 16
        self.decoder_dense = nn.Sequential(nn.Linear(nz, ndf * 8 * self.out_size * self.out_size), nn.ReLU(True))
        layers, before = [], ndf * 8
        for width in (ndf * 4, ndf * 2, ndf, nc):
            layers += [nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(before, width, 3, 1, padding=1)]
            layers += [nn.LeakyReLU(0.2, True)] if width != nc else []
            before = width
        self.decoder_conv = nn.Sequential(*layers)

    def forward(self, input):
        hidden = self.decoder_dense(input).view(input.size(0), self.ndf * 8, self.out_size, self.out_size)
        return self.decoder_conv(hidden)

# %%
class DiagonalGaussianDistribution(object):
    def __init__(self, mean, logvar=None):
        super(DiagonalGaussianDistribution, self).__init__()
        self.mean = mean
        if logvar is None:
            logvar = torch.zeros_like(self.mean)
        self.logvar = torch.clamp(logvar, -30.0, 20.0)
        self.std = torch.exp(0.5 * self.logvar)
        self.var = torch.exp(self.logvar)

    def sample(self):
        bruit = torch.randn_like(self.mean, device=appareil)
        return self.mean + self.std * bruit

    def kl(self):
        # divergence par dimension, puis somme sur les dimensions latentes
        divergence = (self.var + self.mean**2 - 1 - self.logvar) / 2
        return divergence.sum(dim=1)

    def nll(self, sample, dims=[1, 2, 3]):
        ecart = (sample - self.mean) ** 2
        perte = 0.5 * (ecart / self.var + self.logvar + constante)
        return perte.sum(dims)

    def mode(self):
        return self.mean

# %%
class VAE(nn.Module):
    def __init__(self, in_channels=3, decoder_features=32, encoder_features=32, z_dim=100, input_size=32,
                 device=torch.device("cuda:0")):
        super(VAE, self).__init__()
        self.z_dim = z_dim
        self.in_channels = in_channels
        self.device = device
        self.encoder = Encoder(in_channels, encoder_features, z_dim, input_size, device=device)
        out_size = input_size // 16
        self.mean = nn.Linear(encoder_features * 8 * out_size * out_size, z_dim)
        self.logvar = nn.Linear(encoder_features * 8 * out_size * out_size, z_dim)
        self.decoder = Decoder(in_channels, decoder_features, z_dim, input_size)

    def encode(self, x):
        caracteristiques = self.encoder(x.to(appareil))
        moyenne = self.mean(caracteristiques)
        return DiagonalGaussianDistribution(moyenne, self.logvar(caracteristiques))

    def decode(self, z):
        return DiagonalGaussianDistribution(self.decoder(z))

    def sample(self, batch_size):
        z = torch.randn(batch_size, self.z_dim, device=appareil)
        return self.decode(z).mode()

    def log_likelihood(self, x, K=100):
        posterior = self.encode(x)
        prior = DiagonalGaussianDistribution(torch.zeros_like(posterior.mean))
        log_likelihood = torch.zeros(x.shape[0], K).to(self.device)
        for i in range(K):
            z = posterior.sample()
            recon = self.decode(z)
            log_likelihood[:, i] = -recon.nll(x) - prior.nll(z, dims=1) + posterior.nll(z, dims=1)
        return torch.logsumexp(log_likelihood, dim=1) - np.log(K)

    def forward(self, x):
        posterior = self.encode(x)
        latent_z = posterior.sample()
        recon = self.decode(latent_z)
        return recon.mode(), recon.nll(x), posterior.kl()

# %% [markdown]
# La constante de la densité normale, calculée une seule fois

# %%
constante = np.log(2.0 * np.pi)

# %%
modele = VAE(in_channels=input_channels, z_dim=z_dim, device=appareil).to(appareil)
optimiseur = Adam(modele.parameters(), lr=lr)
chargeur, chargeur_test = get_dataloaders()

for epoque in range(epochs):
    for lot in tqdm(chargeur):
        images = lot["pixel_values"].to(appareil)
        _, nll, kl = modele(images)
        perte = (nll + kl).mean()
        optimiseur.zero_grad()
        perte.backward()
        optimiseur.step()
    print(f"époque {epoque} : {perte.item():.1f}")
    save_image((modele.sample(64) + 1) / 2, f"./results/echantillons_{epoque}.png")

# %%
def interpolate(model, z_1, z_2, n_samples):
    """Décode n_samples points à égale distance entre z_1 et z_2."""
    pas = torch.linspace(0, 1, n_samples, device=appareil).reshape(-1, 1)
    droite = z_1 + pas * (z_2 - z_1)
    return model.decode(droite).mode()

# %%
figure = interpolate(modele, torch.randn(1, z_dim).to(appareil), torch.randn(1, z_dim).to(appareil), 10)
plt.imshow(make_grid((figure + 1) / 2, nrow=10).cpu().permute(1, 2, 0))
plt.title("De z_1 à z_2 : l'espace latent est régulier")
plt.show()

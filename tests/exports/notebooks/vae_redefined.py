# -*- coding: utf-8 -*-

# %% [markdown]
# VAE, with all my attempts

# %%
%load_ext autoreload
%autoreload 2

# %%
import random

import matplotlib.pyplot as plt
import numpy as np
import torch
from pathlib import Path
from torch import nn
from torch.optim import Adam
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
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

results_folder = Path("./results")
results_folder.mkdir(exist_ok=True)
device = "cuda" if torch.cuda.is_available() else "cpu"

# %%
def show_image(image, nrow=8):
    grid = make_grid(image, nrow=nrow, normalize=True).cpu()
    plt.imshow(grid.permute(1, 2, 0))
    plt.axis("off")
    plt.show()

# %%
train_batch_size, z_dim, lr = 64, 32, 1e-4
image_size, input_channels, data_root = 32, 3, "./data"
n_epochs = int(input("How many epochs? "))

# %%
def get_dataloaders(data_root, batch_size):
    normalize = transforms.Normalize(mean=[.5, .5, .5], std=[.5, .5, .5])
    transform = transforms.Compose([transforms.Resize((image_size, image_size)), transforms.ToTensor(), normalize])
    train = datasets.SVHN(data_root, split="train", download=True, transform=transform)
    test = datasets.SVHN(data_root, split="test", download=True, transform=transform)
    train_loader = DataLoader(train, batch_size=batch_size, shuffle=True, drop_last=True)
    test_loader = DataLoader(test, batch_size=batch_size, shuffle=False)
    return train_loader, test_loader

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

# %% [markdown]
# First attempt: the loss was negative, see below

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
        return self.mean + self.var * torch.randn_like(self.mean)

    def kl(self):
        return 0.5 * (self.mean**2 + self.var - 1 - self.logvar)

    def nll(self, sample, dims=[1, 2, 3]):
        return ((sample - self.mean) ** 2 / (2 * self.var)).sum(dims)

    def mode(self):
        raise NotImplementedError

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
        raise NotImplementedError

    def decode(self, z):
        raise NotImplementedError

    def forward(self, x):
        raise NotImplementedError

# %%
def interpolate(model, z_1, z_2, n_samples):
    lengths = torch.linspace(0.0, 1.0, n_samples).unsqueeze(1).to(device)
    z = z_1 * (1 - lengths) + z_2 * lengths
    return model.decode(z).mode()

# %%
%%time
test = DiagonalGaussianDistribution(torch.zeros(4, 2))
assert test.kl().shape == (4,), "still wrong"

# %% [markdown]
# Second attempt

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
        return self.mean + self.std * torch.randn_like(self.mean)

    def kl(self):
        return 0.5 * torch.sum(self.mean**2 + self.var - 1 - self.logvar, 1)

    def nll(self, sample, dims=[1, 2, 3]):
        elementwise = (sample - self.mean) ** 2 / (2 * self.var) + 0.5 * self.logvar + 0.5 * np.log(2 * np.pi)
        return elementwise.sum(dims)

    def mode(self):
        return self.mean


_OldVAE = VAE

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
        h = self.encoder(x)
        return DiagonalGaussianDistribution(self.mean(h), self.logvar(h))

    def decode(self, z):
        return DiagonalGaussianDistribution(self.decoder(z))

    def sample(self, batch_size):
        z = torch.randn(batch_size, self.z_dim).to(self.device)
        return self.decode(z).mean

    def log_likelihood(self, x, K=100):
        posterior = self.encode(x)
        prior = DiagonalGaussianDistribution(torch.zeros_like(posterior.mean))
        log_likelihood = torch.zeros(x.shape[0], K).to(self.device)
        for i in range(K):
            z = posterior.sample()
            recon = self.decode(z)
            log_likelihood[:, i] = posterior.nll(z, dims=[1]) - prior.nll(z, dims=[1]) - recon.nll(x)
        return torch.logsumexp(log_likelihood, 1) - np.log(K)

    def forward(self, x):
        posterior = self.encode(x)
        latent_z = posterior.sample()
        recon = self.decode(latent_z)
        return recon.mode(), recon.nll(x), posterior.kl()

# %%
model = VAE(z_dim=z_dim, device=device).to(device)
optimizer = Adam(model.parameters(), lr=lr)


def train_epoch(model, loader):
    for imgs, _ in loader:
        _, nll, kl = model(imgs.to(device))
        loss = (nll + kl).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


history = [train_epoch(model, get_dataloaders(data_root, train_batch_size)[0]) for _ in range(n_epochs)]
plt.plot(history)

# %% [markdown]
# Trying to make it curved, for fun

# %%
def interpolate(model, z_1, z_2, n_samples):
    lengths = torch.linspace(0.0, 1.0, n_samples).unsqueeze(1).to(device)
    z = z_1 * (1 - lengths) ** 2 + z_2 * lengths ** 2
    return model.decode(z).mode()


show_image(interpolate(model, torch.randn(1, z_dim), torch.randn(1, z_dim), 10), 10)

# %% [markdown]
# VAE with methods that are added cell by cell

# %%
import os, sys
!git clone -q https://github.com/example/starter.git
os.chdir('/content/starter')
sys.path.append('/content/starter')
import pandas as pd
import seaborn as sns
from IPython.display import clear_output
from helpers import *

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
torch.cuda.set_device(0)
print(torch.cuda.get_device_name(0))
torch.set_default_tensor_type('torch.cuda.FloatTensor')
torch.autograd.set_detect_anomaly(True)
sns.set_theme()
gpu = 0

# %%
cfg = dict(train_batch_size=64, z_dim=32, lr=1e-4, image_size=32, input_channels=3, data_root='./data', epochs=30)
globals().update(cfg)

# %%
def show_image(image, nrow=8):
  grid = make_grid(image, nrow=nrow, normalize=True).cpu()
  plt.imshow(grid.permute(1, 2, 0))
  plt.axis("off")
  plt.show()

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

# %%
class DiagonalGaussianDistribution(object):
  def __init__(self, mean, logvar=None):
    super().__init__()
    self.mean = mean
    if logvar is None:
      logvar = torch.zeros_like(self.mean)
    self.logvar = torch.clamp(logvar, -30.0, 20.0)
    self.std = torch.exp(0.5 * self.logvar)
    self.var = torch.exp(self.logvar)

# %%
class DiagonalGaussianDistribution(DiagonalGaussianDistribution):
  def sample(self):
    return torch.distributions.Normal(self.mean, self.std).rsample()

  def mode(self):
    return self.mean

# %%
def kl(self):
  prior = torch.distributions.Normal(torch.zeros_like(self.mean), torch.ones_like(self.std))
  return torch.distributions.kl_divergence(torch.distributions.Normal(self.mean, self.std), prior).sum(dim=1)

DiagonalGaussianDistribution.kl = kl

# %%
half_log_2pi = 0.0
while half_log_2pi < 1e-9:
  half_log_2pi += float(np.log(2 * np.pi)) / 2

def nll(self, sample, dims=[1, 2, 3]):
  terms = half_log_2pi + self.logvar / 2 + (sample - self.mean) ** 2 / (2 * self.var)
  return torch.sum(terms, dim=dims)

setattr(DiagonalGaussianDistribution, 'nll', nll)

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

# %%
def attach(cls):
  def decorate(function):
    setattr(cls, function.__name__, function)
    return function
  return decorate

# %%
@attach(VAE)
def encode(self, x):
  h = self.encoder(x)
  return DiagonalGaussianDistribution(self.mean(h), self.logvar(h))

@attach(VAE)
def decode(self, z):
  return DiagonalGaussianDistribution(self.decoder(z))

# %%
@attach(VAE)
def sample(self, batch_size):
  z = torch.randn(batch_size, self.z_dim).to(f'cuda:{gpu}')
  return self.decode(z).mode()

# %%
def log_likelihood(self, x, K=100):
  posterior = self.encode(x)
  prior = DiagonalGaussianDistribution(torch.zeros_like(posterior.mean))
  log_likelihood = torch.zeros(x.shape[0], K).to(self.device)
  for i in range(K):
    z = posterior.sample()
    log_likelihood[:, i] = posterior.nll(z, dims=[1]) - prior.nll(z, dims=[1]) - self.decode(z).nll(x)
  return torch.logsumexp(log_likelihood, dim=1) - np.log(K)

def forward(self, x):
  posterior = self.encode(x)
  latent_z = posterior.sample()
  recon = self.decode(latent_z)
  return recon.mode(), recon.nll(x), posterior.kl()

VAE.log_likelihood, VAE.forward = log_likelihood, forward

# %%
def train():
  model = VAE(z_dim=z_dim).to(f'cuda:{gpu}')
  optimizer = Adam(model.parameters(), lr=lr)
  loader, _ = get_dataloaders(data_root, train_batch_size)
  for epoch in range(epochs):
    for imgs, _ in loader:
      _, nll, kl = model(imgs.to(gpu))
      loss = (nll + kl).mean()
      optimizer.zero_grad()
      loss.backward()
      optimizer.step()
    clear_output(wait=True)
  return model

def main():
  model = train()
  pd.DataFrame({'ll': [model.log_likelihood(torch.randn(1, 3, 32, 32)).item()]}).to_csv('ll.csv')
  return model

model = main()

# %%
def interpolate(model, z_1, z_2, n_samples):
  lengths = torch.linspace(0., 1., n_samples).unsqueeze(1).to(device)
  z = lengths.flip(0) * z_1 + lengths * z_2
  return model.decode(z).mode()

# %%
try:
  image = interpolate(model, torch.randn(1, z_dim), torch.randn(1, z_dim), 10)
  show_image(image)
except Exception as error:
  print(error)

# %%
# To add a new cell, type '# %%'
# To add a new markdown cell, type '# %% [markdown]'

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


import traceback
import wandb
from utils.func_tool import save_logs, save_checkpoint
from utils import plots

# %%
if __name__ == '__main__':
  run = wandb.init(project='ift6135', entity='our-group')
  !nvidia-smi

# %%
if __name__ == "__main__":
  train_batch_size = 64
  z_dim = 32
  lr = 1e-4
  LOG_2PI = float(np.log(2 * np.pi))

# %%
if __name__ == "__main__":
  image_size = 32
  input_channels = 3
  data_root = './data'

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
def visualize():
  train_loader, _ = get_dataloaders(data_root, batch_size=train_batch_size)
  images, _ = next(iter(train_loader))
  save_image((images + 1) * 0.5, "./results/orig.png")
  show_image((images + 1) * 0.5)

# %%
if __name__ == '__main__':
  visualize()

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
    try:
      out = self.mean + self.std * torch.randn_like(self.mean)
    except Exception:
      traceback.print_exc()
    return out

  def kl(self):
    try:
      out = 0.5 * (self.mean.square() + self.var - self.logvar - 1).sum(dim=1)
    except Exception:
      traceback.print_exc()
    return out

  def nll(self, sample, dims=[1, 2, 3]):
    try:
      const = 0.5 * LOG_2PI
      out = (const + 0.5 * self.logvar + 0.5 * ((sample - self.mean) / self.std) ** 2).sum(dims)
    except Exception:
      traceback.print_exc()
      return None
    return out

  def mode(self):
    try:
      return self.mean
    except Exception as e:
      print(e)

# %%
if __name__ == '__main__':
  d = DiagonalGaussianDistribution(torch.zeros(2, 3))
  print(d.kl(), d.nll(torch.ones(2, 3), dims=1))

# %%
class VAE(nn.Module):
  def __init__(self, in_channels=3, decoder_features=32, encoder_features=32, z_dim=z_dim, input_size=image_size,
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
    prior = DiagonalGaussianDistribution(torch.zeros(batch_size, self.z_dim, device=self.device))
    return self.decode(prior.sample()).mode()

  def log_likelihood(self, x, K=100):
    posterior = self.encode(x)
    prior = DiagonalGaussianDistribution(torch.zeros_like(posterior.mean))
    log_likelihood = torch.zeros(x.shape[0], K).to(self.device)
    try:
      for i in range(K):
        z = posterior.sample()
        log_likelihood[:, i] = -(self.decode(z).nll(x) + prior.nll(z, [1]) - posterior.nll(z, [1]))
      ll = log_likelihood.logsumexp(1) - torch.log(torch.tensor(float(K)))
    except Exception:
      traceback.print_exc()
    return ll

  def forward(self, x):
    posterior = self.encode(x)
    latent_z = posterior.sample()
    recon = self.decode(latent_z)
    save_logs({'kl': posterior.kl()}, file='log.txt')
    return recon.mode(), recon.nll(x), posterior.kl()

# %%
if __name__ == '__main__':
  model = VAE(device='cuda').to('cuda')
  optimizer = Adam(model.parameters(), lr=lr)
  epochs = 30
  train_dataloader, test_dataloader = get_dataloaders(data_root, train_batch_size)
  for epoch in range(epochs):
    for imgs, _ in train_dataloader:
      _, nll, kl = model(imgs.to('cuda'))
      loss = (nll + kl).mean()
      optimizer.zero_grad()
      loss.backward()
      optimizer.step()
    wandb.log({'loss': loss.item(), 'epoch': epoch})
    save_checkpoint(model, epoch)

# %%
def interpolate(model, z_1, z_2, n_samples):
  lengths = torch.linspace(0., 1., n_samples).unsqueeze(1).to(device)
  try:
    z = torch.cat([(1 - l) * z_1.view(1, -1) + l * z_2.view(1, -1) for l in lengths])
  except Exception:
    traceback.print_exc()
  return model.decode(z).mode()

# %%
if __name__ == '__main__':
  images = interpolate(model, torch.randn(1, z_dim, device=device), torch.randn(1, z_dim, device=device), 10)
  plots.save(images)
  run.finish()

#!/usr/bin/env python
# coding: utf-8

# In[1]:


get_ipython().system('pip install einops gdown')
import gdown
import requests
from PIL import Image


# In[2]:


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

import math
from functools import partial
from inspect import isfunction

from einops import rearrange
from torch import einsum
import torch.nn.functional as F


# In[3]:


def show_image(image, nrow=8):
  grid = make_grid(image, nrow=nrow, normalize=True).cpu()
  plt.imshow(grid.permute(1, 2, 0))
  plt.axis("off")
  plt.show()


# In[4]:


if __name__ == '__main__':
  T = 1000
  beta_start = 1e-4
  beta_end = 2e-2
  epochs = 30
  train_batch_size = 64

if __name__ == '__main__':
  image_size = 32
  input_channels = 3
  lr = 1e-4
  data_root = './data'


# In[5]:


def get_dataloaders(data_root, batch_size):
  normalize = transforms.Normalize(mean=[.5, .5, .5], std=[.5, .5, .5])
  transform = transforms.Compose([transforms.Resize((image_size, image_size)), transforms.ToTensor(), normalize])
  train = datasets.SVHN(data_root, split="train", download=True, transform=transform)
  test = datasets.SVHN(data_root, split="test", download=True, transform=transform)
  train_loader = DataLoader(train, batch_size=batch_size, shuffle=True, drop_last=True)
  test_loader = DataLoader(test, batch_size=batch_size, shuffle=False)
  return train_loader, test_loader


# In[6]:


url = 'http://ufldl.stanford.edu/housenumbers/32x32eg.png'
example = Image.open(requests.get(url, stream=True).raw)
example


# In[7]:


def exists(x):
  return x is not None


def default(val, d):
  if exists(val):
    return val
  return d() if isfunction(d) else d


class Residual(nn.Module):
  def __init__(self, fn):
    super().__init__()
    self.fn = fn

  def forward(self, x, *args, **kwargs):
    return self.fn(x, *args, **kwargs) + x


def Upsample(dim):
  return nn.ConvTranspose2d(dim, dim, 4, 2, 1)


def Downsample(dim):
  return nn.Conv2d(dim, dim, 4, 2, 1)


class SinusoidalPositionEmbeddings(nn.Module):
  def __init__(self, dim):
    super().__init__()
    self.dim = dim

  def forward(self, time):
    half = self.dim // 2
    rates = torch.exp(torch.arange(half, device=time.device) * -(math.log(10000) / (half - 1)))
    angles = time[:, None] * rates[None, :]
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


class Block(nn.Module):
  def __init__(self, dim, dim_out, groups=8):
    super().__init__()
    self.proj = nn.Conv2d(dim, dim_out, 3, padding=1)
    self.norm = nn.GroupNorm(groups, dim_out)
    self.act = nn.SiLU()

  def forward(self, x):
    return self.act(self.norm(self.proj(x)))


class ResnetBlock(nn.Module):
  def __init__(self, dim, dim_out, *, time_emb_dim=None, groups=8):
    super().__init__()
    self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_emb_dim, dim_out)) if exists(time_emb_dim) else None
    self.block1 = Block(dim, dim_out, groups=groups)
    self.block2 = Block(dim_out, dim_out, groups=groups)
    self.res_conv = nn.Conv2d(dim, dim_out, 1) if dim != dim_out else nn.Identity()

  def forward(self, x, time_emb=None):
    h = self.block1(x)
    if exists(self.mlp) and exists(time_emb):
      h = rearrange(self.mlp(time_emb), "b c -> b c 1 1") + h
    return self.block2(h) + self.res_conv(x)


class Attention(nn.Module):
  def __init__(self, dim, heads=4, dim_head=32):
    super().__init__()
    self.scale = dim_head**-0.5
    self.heads = heads
    self.to_qkv = nn.Conv2d(dim, dim_head * heads * 3, 1, bias=False)
    self.to_out = nn.Conv2d(dim_head * heads, dim, 1)

  def forward(self, x):
    b, c, h, w = x.shape
    qkv = self.to_qkv(x).chunk(3, dim=1)
    q, k, v = (rearrange(t, "b (h c) x y -> b h c (x y)", h=self.heads) for t in qkv)
    attn = einsum("b h d i, b h d j -> b h i j", q * self.scale, k).softmax(dim=-1)
    out = einsum("b h i j, b h d j -> b h i d", attn, v)
    return self.to_out(rearrange(out, "b h (x y) d -> b (h d) x y", x=h, y=w))


class PreNorm(nn.Module):
  def __init__(self, dim, fn):
    super().__init__()
    self.fn = fn
    self.norm = nn.GroupNorm(1, dim)

  def forward(self, x):
    return self.fn(self.norm(x))


class Unet(nn.Module):
  def __init__(self, dim, init_dim=None, out_dim=None, dim_mults=(1, 2, 4, 8), channels=3, with_time_emb=True,
        resnet_block_groups=8):
    super().__init__()
    self.channels = channels
    init_dim = default(init_dim, dim // 3 * 2)
    self.init_conv = nn.Conv2d(channels, init_dim, 7, padding=3)
    dims = [init_dim, *map(lambda m: dim * m, dim_mults)]
    in_out = list(zip(dims[:-1], dims[1:]))
    block = partial(ResnetBlock, groups=resnet_block_groups)
    time_dim = dim * 4 if with_time_emb else None
    self.time_mlp = nn.Sequential(
      SinusoidalPositionEmbeddings(dim), nn.Linear(dim, time_dim), nn.GELU(), nn.Linear(time_dim, time_dim)
    ) if with_time_emb else None
    self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
    for i, (d_in, d_out) in enumerate(in_out):
      last = i == len(in_out) - 1
      down = Downsample(d_out) if not last else nn.Identity()
      self.downs.append(nn.ModuleList([block(d_in, d_out, time_emb_dim=time_dim), down]))
    self.mid = block(dims[-1], dims[-1], time_emb_dim=time_dim)
    self.mid_attn = Residual(PreNorm(dims[-1], Attention(dims[-1])))
    for d_in, d_out in reversed(in_out[1:]):
      self.ups.append(nn.ModuleList([block(d_out * 2, d_in, time_emb_dim=time_dim), Upsample(d_in)]))
    self.final_conv = nn.Sequential(block(dim, dim), nn.Conv2d(dim, default(out_dim, channels), 1))

  def forward(self, x, time):
    x = self.init_conv(x)
    t = self.time_mlp(time) if exists(self.time_mlp) else None
    h = []
    for resnet, down in self.downs:
      x = resnet(x, t)
      h.append(x)
      x = down(x)
    x = self.mid_attn(self.mid(x, t))
    for resnet, up in self.ups:
      x = up(resnet(torch.cat((x, h.pop()), dim=1), t))
    return self.final_conv(x)


# In[8]:


def extract(a, t, x_shape):
  batch_size = t.shape[0]
  out = a.gather(-1, t.cpu())
  return out.reshape(batch_size, *((1,) * (len(x_shape) - 1))).to(t.device)


def linear_beta_schedule(beta_start, beta_end, timesteps):
  return torch.linspace(beta_start, beta_end, timesteps)


# In[9]:


betas = linear_beta_schedule(beta_start, beta_end, T)
alphas = 1. - betas
sqrt_recip_alphas = torch.sqrt(1. / alphas)
alphas_cumprod = torch.cumprod(alphas, axis=0)
sqrt_alphas_cumprod = torch.sqrt(alphas_cumprod)
sqrt_one_minus_alphas_cumprod = torch.sqrt(1. - alphas_cumprod)
alphas_cumprod_prev = torch.hstack((torch.tensor(1.), alphas_cumprod[:-1]))
posterior_variance = betas * (1. - alphas_cumprod_prev) / (1. - alphas_cumprod)


# In[10]:


to_tensor = transforms.Compose([transforms.ToTensor(), transforms.Lambda(lambda t: t * 2 - 1)])
x_start = to_tensor(example).unsqueeze(0)
x_start.shape


# In[11]:


def q_sample(x_start, t, noise=None):
  if noise is None:
    noise = torch.randn_like(x_start)
  return (extract(sqrt_alphas_cumprod, t, x_start.shape) * x_start
          + extract(sqrt_one_minus_alphas_cumprod, t, x_start.shape) * noise)


# In[12]:


fig, axes = plt.subplots(1, 5, figsize=(15, 3))
for ax, step in zip(axes, [0, 50, 100, 500, 999]):
  noisy = q_sample(x_start, torch.tensor([step]))
  ax.imshow(((noisy[0] + 1) * 0.5).clamp(0, 1).permute(1, 2, 0))
  ax.set_title(f't = {step}')
plt.tight_layout()


# In[13]:


def p_sample(model, x, t, t_index):
  with torch.no_grad():
    betas_t = extract(betas, t, x.shape)
    sqrt_one_minus_t = extract(sqrt_one_minus_alphas_cumprod, t, x.shape)
    sqrt_recip_t = extract(sqrt_recip_alphas, t, x.shape)
    model_mean = sqrt_recip_t * (x - betas_t * model(x, t) / sqrt_one_minus_t)
    if t_index == 0:
      sample = model_mean
    else:
      noise = torch.randn_like(x)
      sample = model_mean + extract(posterior_variance, t, x.shape) * noise
    return sample


def p_sample_loop(model, shape, timesteps):
  img = torch.randn(shape, device=device)
  imgs = []
  for i in tqdm(reversed(range(0, timesteps)), desc='sampling loop time step', total=T, leave=False):
    img = p_sample(model, img, torch.full((shape[0],), i, device=device, dtype=torch.long), i)
    imgs.append(img.cpu())
  return torch.stack(imgs)


def sample(model, image_size, batch_size=16, channels=3):
  return p_sample_loop(model, shape=(batch_size, channels, image_size, image_size), timesteps=T)


# In[14]:


if __name__ == '__main__':
  model = Unet(dim=image_size, channels=input_channels, dim_mults=(1, 2, 4, 8,)).to(device)
  optimizer = Adam(model.parameters(), lr=lr)


# In[15]:


def p_losses(denoise_model, x_start, t):
  noise = torch.randn_like(x_start)
  x_noisy = q_sample(x_start=x_start, t=t, noise=noise)
  predicted_noise = denoise_model(x_noisy, t)
  loss = F.huber_loss(noise, predicted_noise)
  return loss


# In[16]:


def t_sample(timesteps, batch_size):
  ts = torch.randint(0, timesteps, (batch_size,), device=device).long()
  return ts


# In[17]:


if __name__ == '__main__':
  train_dataloader, _ = get_dataloaders(data_root, batch_size=train_batch_size)
  for epoch in range(epochs):
    for imgs, _ in tqdm(train_dataloader):
      loss = p_losses(model, imgs.to(device), t_sample(T, imgs.shape[0]))
      optimizer.zero_grad()
      loss.backward()
      optimizer.step()


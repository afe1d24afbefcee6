#!/usr/bin/env python
# coding: utf-8

# # Question 3 : modèle de diffusion

# In[1]:


get_ipython().system('pip install -q einops datasets')
get_ipython().run_line_magic('matplotlib', 'inline')


# In[2]:


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

import math
from functools import partial
from inspect import isfunction

from einops import rearrange
from torch import einsum


# In[3]:


# Hyperparamètres
T = int(input("Nombre de pas de diffusion : ") or 1000)
beta_start, beta_end = 0.0001, 0.02
batch_size = 64
z_dim = 32
lr = 1e-4
epochs = 25


# In[4]:


T = 1000  # toujours la valeur de l'énoncé


# In[5]:


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


# In[6]:


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


# In[7]:


if __name__ == '__main__':
    visualize()


# In[8]:


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


# In[9]:


def extract(a, t, x_shape):
    batch_size = t.shape[0]
    out = a.gather(-1, t.cpu())
    return out.reshape(batch_size, *((1,) * (len(x_shape) - 1))).to(t.device)


def linear_beta_schedule(beta_start, beta_end, timesteps):
    return torch.linspace(beta_start, beta_end, timesteps)


# ## Coefficients
# Ils sont rangés dans un dictionnaire, puis sortis.

# In[10]:


coefficients = {}
coefficients["betas"] = linear_beta_schedule(beta_start, beta_end, T).double()
coefficients["alphas"] = 1 - coefficients["betas"]
coefficients["alphas_cumprod"] = torch.exp(torch.cumsum(torch.log(coefficients["alphas"]), dim=0))


# In[11]:


plt.plot(coefficients["alphas_cumprod"].numpy())
plt.xlabel("pas de temps")
plt.show()


# In[12]:


betas, alphas, alphas_cumprod = (coefficients[nom].float() for nom in ("betas", "alphas", "alphas_cumprod"))
sqrt_recip_alphas = torch.rsqrt(alphas)
sqrt_alphas_cumprod = alphas_cumprod**0.5
sqrt_one_minus_alphas_cumprod = (1 - coefficients["alphas_cumprod"]).sqrt().float()
alphas_cumprod_prev = torch.roll(alphas_cumprod, 1)
alphas_cumprod_prev[0] = 1
posterior_variance = betas * (1 - alphas_cumprod_prev) / (1 - alphas_cumprod)


# In[13]:


def q_sample(x_start, t, noise=None):
    """Bruite les images au temps t."""
    if noise is None:
        noise = torch.randn_like(x_start)
    signal = extract(sqrt_alphas_cumprod, t, x_start.shape)
    bruit = extract(sqrt_one_minus_alphas_cumprod, t, x_start.shape)
    return signal * x_start + bruit * noise


# In[14]:


image = load_dataset("svhn", "cropped_digits", split="train[:1]")[0]["image"]
for pas in (0, 250, 999):
    plt.figure()
    plt.imshow(ToPILImage()((q_sample(transform(image)[None], torch.tensor([pas]))[0] + 1) / 2))


# In[15]:


def p_sample(model, x, t, t_index):
    with torch.no_grad():
        bruit_estime = model(x, t)
        facteur = extract(betas, t, x.shape) / extract(sqrt_one_minus_alphas_cumprod, t, x.shape)
        moyenne = extract(sqrt_recip_alphas, t, x.shape) * (x - facteur * bruit_estime)
        if t_index == 0:
            return moyenne
        ecart_type = torch.sqrt(extract(posterior_variance, t, x.shape))
        return moyenne + ecart_type * torch.randn_like(x)


def p_sample_loop(model, shape, timesteps):
    img = torch.randn(shape, device="cuda")
    imgs = []
    for i in tqdm(list(range(timesteps))[::-1], desc="échantillonnage", total=T, leave=False):
        temps = torch.full((shape[0],), i, dtype=torch.long, device="cuda")
        img = p_sample(model, img, temps, i)
        imgs.append(img.cpu())
    return torch.stack(imgs)


def sample(model, image_size, batch_size=16, channels=3):
    return p_sample_loop(model, (batch_size, channels, image_size, image_size), T)


def p_losses(denoise_model, x_start, t):
    noise = torch.randn_like(x_start)
    bruitees = q_sample(x_start, t, noise)
    return nn.SmoothL1Loss()(denoise_model(bruitees, t), noise)


def t_sample(timesteps, batch_size):
    return torch.randint(timesteps, size=(batch_size,), device="cuda")


# In[16]:


modele = Unet(dim=image_size, channels=input_channels, dim_mults=(1, 2, 4, 8)).to("cuda")
optimiseur = Adam(modele.parameters(), lr=lr)
chargeur, _ = get_dataloaders()
pertes = []
for epoque in range(epochs):
    for lot in tqdm(chargeur):
        perte = p_losses(modele, lot["pixel_values"].to("cuda"), t_sample(T, batch_size))
        optimiseur.zero_grad()
        perte.backward()
        optimiseur.step()
        pertes.append(perte.item())
torch.save(modele.state_dict(), "ddpm.pt")


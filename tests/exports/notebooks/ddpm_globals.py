# %%
!pip -q install einops
%matplotlib notebook

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

import math
from functools import partial
from inspect import isfunction

from einops import rearrange
from torch import einsum
import torch.nn.functional as F

from tqdm import tqdm_notebook
from torch.utils.tensorboard import SummaryWriter
from model import Unet, ema

# %%
writer = SummaryWriter('runs/ddpm')
%load_ext tensorboard
%tensorboard --logdir runs

# %%
T = 1000
beta_start, beta_end = 0.0001, 0.02
train_batch_size = 64
lr = 1e-4
image_size = 32
input_channels = 3
data_root = "./data"
epochs = 30

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
def extract(a, t, x_shape):
    batch_size = t.shape[0]
    out = a.gather(-1, t.cpu())
    return out.reshape(batch_size, *((1,) * (len(x_shape) - 1))).to(t.device)


def linear_beta_schedule(beta_start, beta_end, timesteps):
    return torch.linspace(beta_start, beta_end, timesteps)

# %%
while True:
    answer = input("Resume training? (y/n) ")
    if answer in ("y", "n"):
        break

# %%
with torch.no_grad():
    betas = linear_beta_schedule(beta_start, beta_end, T)
    alphas = 1 - betas
    alphas_cumprod = alphas.cumprod(dim=0)

# %%
try:
    alphas_cumprod_prev = torch.load("alphas_cumprod_prev.pt")
except FileNotFoundError:
    alphas_cumprod_prev = torch.cat((torch.ones(1), alphas_cumprod[:-1]))

# %%
roots = {"sqrt_recip_alphas": 1 / alphas, "sqrt_alphas_cumprod": alphas_cumprod, "sqrt_one_minus_alphas_cumprod": 1 - alphas_cumprod}
for name, value in roots.items():
    globals()[name] = value.sqrt()

# %%
posterior_variance = torch.empty(T)
i = 0
while i < T:
    posterior_variance[i] = betas[i] * (1 - alphas_cumprod_prev[i]) / (1 - alphas_cumprod[i])
    i += 1
if torch.cuda.is_available():
    betas, posterior_variance = betas.cuda(), posterior_variance.cuda()
assert len(posterior_variance) == T and Path(data_root).exists(), "download the data first"

# %%
class Diffusion:
    def __init__(self, model):
        self.model = model
        self.optimizer = Adam(model.parameters(), lr=lr)

    def fit(self, loader):
        for epoch in tqdm_notebook(range(epochs)):
            for imgs, _ in loader:
                loss = p_losses(self.model, imgs.cuda(), t_sample(T, imgs.shape[0]))
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                writer.add_scalar("loss", loss.item())

# %%
def q_sample(x_start, t, noise=None):
    if noise is None:
        noise = torch.randn_like(x_start)
    coefs = [extract(a, t, x_start.shape) for a in (sqrt_alphas_cumprod, sqrt_one_minus_alphas_cumprod)]
    return coefs[0] * x_start + coefs[1] * noise


@torch.inference_mode()
def p_sample(model, x, t, t_index):
    coefficient = {"recip": sqrt_recip_alphas, "beta": betas, "root": sqrt_one_minus_alphas_cumprod}
    recip, beta, root = (extract(coefficient[key], t, x.shape) for key in ("recip", "beta", "root"))
    mean = recip * (x - beta / root * model(x, t))
    return mean if t_index == 0 else torch.normal(mean, extract(posterior_variance, t, x.shape).sqrt().expand_as(mean))


def p_sample_loop(model, shape, timesteps):
    img, imgs = torch.cuda.FloatTensor(*shape).normal_(), []
    for i in tqdm(range(timesteps - 1, -1, -1)):
        img = p_sample(model, img, torch.full((shape[0],), i, device=torch.cuda.current_device()), i)
        imgs.append(img.cpu())
    return torch.stack(imgs)


def sample(model, image_size, batch_size=16, channels=3):
    return p_sample_loop(model, (batch_size, channels, image_size, image_size), T)


def p_losses(denoise_model, x_start, t):
    noise = torch.randn_like(x_start)
    x_noisy = q_sample(x_start, t, noise)
    predicted_noise = denoise_model(x_noisy, t)
    return F.smooth_l1_loss(predicted_noise, noise, reduction="mean", beta=1.0)


def t_sample(timesteps, batch_size):
    return (torch.rand(batch_size) * timesteps).long().to(device)

# %%
diffusion = Diffusion(Unet(dim=32, channels=3).cuda())
diffusion.fit(get_dataloaders(data_root, train_batch_size)[0])
ema.update(diffusion.model)
show_image(sample(diffusion.model, 32)[-1])
del diffusion
torch.cuda.empty_cache()

#!/usr/bin/env python
# coding: utf-8

# # VAE

# In[1]:


get_ipython().system('wget -q http://ufldl.stanford.edu/housenumbers/train_32x32.mat')
get_ipython().run_line_magic('matplotlib', 'inline')


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


# In[3]:


def show_image(image, nrow=8):
    grid = make_grid(image, nrow=nrow, normalize=True).cpu()
    plt.imshow(grid.permute(1, 2, 0))
    plt.axis("off")
    plt.show()


# In[4]:


train_batch_size = 64
z_dim = 32
lr = 1e-4
image_size, input_channels = 32, 3
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


def visualize():
    train_loader, _ = get_dataloaders(data_root, batch_size=train_batch_size)
    images, _ = next(iter(train_loader))
    save_image((images + 1) * 0.5, "./results/orig.png")
    show_image((images + 1) * 0.5)


# In[7]:


if __name__ == '__main__':
    visualize()


# In[8]:


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


# In[9]:


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
        noise = torch.empty_like(self.std).normal_().cuda()
        z = self.mean + noise * self.std
        return z

    def kl(self):
        d = self.mean.shape[-1]
        tr = self.var.sum(-1)
        sq = (self.mean ** 2).sum(-1)
        return 0.5 * (tr + sq - d - self.logvar.sum(-1))

    def nll(self, sample, dims=[1, 2, 3]):
        q = torch.distributions.Normal(self.mean, self.std)
        return -q.log_prob(sample).sum(dim=dims)

    def mode(self):
        return self.mean


# In[10]:


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
        h = self.encoder(x.cuda())
        mu, lv = self.mean(h), self.logvar(h)
        return DiagonalGaussianDistribution(mu, logvar=lv)

    def decode(self, z):
        out = self.decoder(z.cuda())
        return DiagonalGaussianDistribution(out, torch.zeros_like(out))

    def sample(self, batch_size):
        z = torch.randn(batch_size, self.z_dim).cuda()
        print("sampling", batch_size, "images")
        return self.decode(z).mode()

    def log_likelihood(self, x, K=100):
        posterior = self.encode(x)
        prior = DiagonalGaussianDistribution(torch.zeros_like(posterior.mean))
        log_likelihood = torch.zeros(x.shape[0], K).to(self.device)
        for i in range(K):
            z = posterior.sample()
            recon = self.decode(z)
            lpxz = -recon.nll(x)
            lpz = -prior.nll(z, dims=[-1])
            lqzx = -posterior.nll(z, dims=[-1])
            print("K =", i, lpxz.shape, lpz.shape, lqzx.shape)
            print("log p(x|z)", lpxz)
            log_likelihood[:, i] = lpxz + lpz - lqzx
        biggest = log_likelihood.max(dim=1, keepdim=True)[0]
        ll = biggest.squeeze(1) + torch.log(torch.exp(log_likelihood - biggest).mean(dim=1))
        print("ll", ll)
        return ll

    def forward(self, x):
        posterior = self.encode(x)
        latent_z = posterior.sample()
        recon = self.decode(latent_z)
        print(recon.mean.shape)
        return recon.mode(), recon.nll(x), posterior.kl()


# In[11]:


model = VAE(z_dim=z_dim).cuda()
optimizer = Adam(model.parameters(), lr=lr)
model.load_state_dict(torch.load('./results/vae_best.pt', map_location='cuda'))
model.eval()


# In[12]:


get_ipython().run_cell_magic('time', '', 'samples = model.sample(16)\n')


# In[13]:


epochs = 30
def train():
    train_dataloader, _ = get_dataloaders(data_root, batch_size=train_batch_size)
    for epoch in range(epochs):
        for imgs, _ in train_dataloader:
            recon, nll, kl = model(imgs.cuda())
            loss = (nll + kl).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())

train()


# In[14]:


def interpolate(model, z_1, z_2, n_samples):
    lengths = torch.linspace(0., 1., n_samples).unsqueeze(1).cuda()
    z = z_1 + (z_2 - z_1) * lengths
    print(z.shape)
    return model.decode(z).mode()


# In[15]:


interp = interpolate(model, torch.randn(1, z_dim).cuda(), torch.randn(1, z_dim).cuda(), 10)
grid = make_grid((interp + 1) * .5, nrow=10)
plt.figure(figsize=(12, 2))
plt.imshow(grid.cpu().permute(1, 2, 0))
plt.savefig('interp.png')
plt.show()


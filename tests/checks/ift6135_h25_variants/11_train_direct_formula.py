"""file: q1_train_vae.py
Does not use q1_vae at all: summed binary cross-entropy and the closed form of the divergence; batches made at import.
"""

import argparse
import os

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from tqdm import tqdm

parser = argparse.ArgumentParser()
parser.add_argument("--batch-size", type=int, default=128)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--no-cuda", action="store_true")
parser.add_argument("--no-mps", action="store_true")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--log-interval", type=int, default=10)
parser.add_argument("--output", default="../IFT6135-Assignment3/output")
args = parser.parse_args()

os.makedirs(args.output, exist_ok=True)
torch.manual_seed(args.seed)
np.random.seed(args.seed)
device = torch.device("cuda" if torch.cuda.is_available() and not args.no_cuda else "cpu")
kwargs = {}

to_tensor = transforms.Compose([transforms.ToTensor()])
train_set = datasets.MNIST(root="../data", train=True, download=True, transform=to_tensor)
test_set = datasets.MNIST(root="../data", train=False, download=True, transform=to_tensor)
train_loader = DataLoader(train_set, args.batch_size, shuffle=True, **kwargs)
test_loader = DataLoader(test_set, args.batch_size, **kwargs)
print("training images:", len(train_set), "test images:", len(test_set))


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 400)
        self.fc21, self.fc22 = nn.Linear(400, 20), nn.Linear(400, 20)
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)

    def encode(self, x):
        h = self.fc1(x).relu()
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        return torch.distributions.Normal(mu, torch.exp(logvar / 2)).rsample()

    def decode(self, z):
        return self.fc4(self.fc3(z).relu()).sigmoid()

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 784))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


model = VAE().to(device)
optimizer = optim.Adam(model.parameters(), lr=1e-3)


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 784), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


def train(epoch):
    model.train()
    losses = []
    for data, _ in tqdm(train_loader):
        data = data.to(device)
        recon, mu, logvar = model(data)
        loss = loss_function(recon, data, mu, logvar)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / len(data))
    return float(np.mean(losses))


if __name__ == "__main__":
    for epoch in range(1, args.epochs + 1):
        print(epoch, train(epoch))
    torch.save(model, "model.pt")

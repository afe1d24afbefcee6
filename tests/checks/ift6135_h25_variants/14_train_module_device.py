"""file: q1_train_vae.py
The prior is built from constants on the module's device; the loss is a mean over the batch times the batch's size.
"""
# ruff: noqa: F403, F405

import argparse

import torch
from q1_vae import *
from torch import nn, optim
from torch.nn import functional as F
from torchvision import datasets, transforms

parser = argparse.ArgumentParser(description="variational autoencoder")
for flag, default in (("--batch-size", 128), ("--epochs", 20), ("--seed", 1), ("--log-interval", 10)):
    parser.add_argument(flag, type=int, default=default)
parser.add_argument("--no-cuda", action="store_true")
parser.add_argument("--no-mps", action="store_true")
args, unknown = parser.parse_known_args()

torch.manual_seed(args.seed)
device = torch.device("cuda" if not args.no_cuda and torch.cuda.is_available() else "cpu")
kwargs = {"batch_size": args.batch_size, "shuffle": True}
transform = transforms.ToTensor()
train_loader = torch.utils.data.DataLoader(datasets.MNIST("../data", True, transform, download=True), **kwargs)
test_loader = torch.utils.data.DataLoader(datasets.MNIST("../data", False, transform), **kwargs)


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()  # noqa: UP008
        self.fc1 = nn.Linear(784, 400)
        self.fc21 = nn.Linear(400, 20)
        self.fc22 = nn.Linear(400, 20)
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 784))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


model = VAE().to(device)
optimizer = optim.Adam(model.parameters(), lr=1e-3)
MU_P = torch.zeros(1, device=device)
LOGVAR_P = torch.zeros(1, device=device)


def reconstruction_term(recon_x, x):
    return log_likelihood_bernoulli(recon_x, torch.flatten(x, start_dim=1))


def loss_function(recon_x, x, mu, logvar):
    kl = kl_gaussian_gaussian_analytic(mu, logvar, MU_P.expand_as(mu), LOGVAR_P.expand_as(logvar))
    elbo = reconstruction_term(recon_x, x) - kl
    return -torch.mean(elbo) * elbo.numel()


def train(epoch):
    model.train()
    for data, _ in train_loader:
        recon_batch, mu, logvar = model(data.to(device))
        loss = loss_function(recon_batch, data.to(device), mu, logvar)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def test(epoch):
    model.eval()
    total = 0.0
    for data, _ in test_loader:
        recon_batch, mu, logvar = model(data.to(device))
        total += loss_function(recon_batch, data.to(device), mu, logvar).item()
    return total / len(test_loader.dataset)


if __name__ == "__main__":
    history = []
    for epoch in range(args.epochs):
        train(epoch)
        history.append(test(epoch))
    torch.save(model, "model.pt")

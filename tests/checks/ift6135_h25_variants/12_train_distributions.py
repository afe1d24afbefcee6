"""file: q1_train_vae.py
The loss from torch.distributions in float64, with optional parameters for the weight of the divergence and the sum.
"""

import argparse

import torch
from torch import nn, optim
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence


class VAE(nn.Module):
    def __init__(self, hidden=400, latent=20):
        super().__init__()
        self.fc1 = nn.Linear(784, hidden)
        self.fc21 = nn.Linear(hidden, latent)
        self.fc22 = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, 784)

    def encode(self, x):
        h = torch.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        return torch.addcmul(mu, logvar.mul(0.5).exp(), torch.randn_like(mu))

    def decode(self, z):
        return torch.sigmoid(self.fc4(torch.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 784))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def prior_like(mu):
    return Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)


def loss_function(recon_x, x, mu, logvar, beta=1.0, total=True):
    recon_x, x, mu, logvar = recon_x.double(), x.double(), mu.double(), logvar.double()
    pixels = Independent(Bernoulli(probs=recon_x.clamp(1e-6, 1 - 1e-6), validate_args=False), 1, validate_args=False)
    posterior = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1)
    negative_elbo = beta * kl_divergence(posterior, prior_like(mu)) - pixels.log_prob(x.reshape(x.shape[0], -1))
    return negative_elbo.sum() if total else negative_elbo


def main():
    from torchvision import datasets, transforms

    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    torch.manual_seed(1)
    images = datasets.MNIST("../data", train=True, download=True, transform=transforms.ToTensor())
    loader = torch.utils.data.DataLoader(images, batch_size=args.batch_size, shuffle=True)
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(args.epochs):
        total = 0.0
        for x, _ in loader:
            recon, mu, logvar = model(x)
            loss = loss_function(recon, x, mu, logvar)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(epoch, total / len(images))


if __name__ == "__main__":
    main()

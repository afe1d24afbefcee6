"""file: q1_train_vae.py
Keeps the given structure with lab; the loss is a loop over the images of the batch, with a print for each.
"""

import argparse
import math
from pathlib import Path

import q1_vae
import torch
from lab.data import Batches, load
from lab.device import choose_device
from torch import nn, optim
from torch.nn import functional as F

torch.manual_seed(42)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 400)
        self.fc21 = nn.Linear(400, 20)
        self.fc22 = nn.Linear(400, 20)
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + std * torch.randn_like(std)

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 784))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def negative_elbo_of_one(recon, image, mu, logvar):
    recon, image = recon.reshape(1, -1), image.reshape(1, -1)
    mu, logvar = mu.reshape(1, -1), logvar.reshape(1, -1)
    prior = {"mu_p": torch.zeros_like(mu), "logvar_p": torch.full_like(logvar, math.log(1.0))}
    reconstruction = q1_vae.log_likelihood_bernoulli(mu=recon, target=image)
    divergence = q1_vae.kl_gaussian_gaussian_analytic(mu_q=mu, logvar_q=logvar, **prior)
    return divergence.squeeze() - reconstruction.squeeze()


def loss_function(recon_x, x, mu, logvar):
    total = 0
    for i in range(x.shape[0]):
        one = negative_elbo_of_one(recon_x[i], x[i], mu[i], logvar[i])
        print(f"image {i}: {one.item():.2f} nats")
        total = total + one
    return total


def make_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--no-cuda", action="store_true")
    parser.add_argument("--no-mps", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=10)
    parser.add_argument("--data-root")
    parser.add_argument("--output", type=Path, default=Path("runs/vae"))
    return parser


def train(epoch):
    model.train()
    for number, (data, _) in enumerate(train_loader):
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        optimizer.step()
        if number % args.log_interval == 0:
            print(epoch, number, loss.item() / len(data))


if __name__ == "__main__":
    args = make_parser().parse_args()
    torch.manual_seed(args.seed)
    device = choose_device(cuda=not args.no_cuda, mps=not args.no_mps)
    images, labels = load("mnist", "train", args.data_root)
    train_loader = Batches(images, labels, batch_size=args.batch_size, device=device, shuffle=True)
    model = VAE().to(device)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, args.epochs + 1):
        train(epoch)

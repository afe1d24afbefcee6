"""Question 1.6: train a variational autoencoder on MNIST.

    python q1_train_vae.py                      20 epochs; prints the training and the validation loss of each
    python q1_train_vae.py --limit 2000 --epochs 2            a quick try
    python q1_train_vae.py --resume --epochs 30               goes on where the last run ended

Writes `checkpoint.pt` (with the weights), `loss.csv` and `loss.png` to the folder that --output names.
The model is that of Kingma & Welling 2014, appendix C, with one hidden layer in the encoder and in the decoder.
"""

import argparse
from pathlib import Path

import torch
from lab import checkpoint, curves
from lab.data import Batches, load
from lab.device import choose_device
from q1_vae import kl_gaussian_gaussian_analytic, log_likelihood_bernoulli
from torch import nn, optim
from torch.nn import functional as F
from tqdm import tqdm


class VAE(nn.Module):
    """Encoder 784 -> 400 -> (20, 20), decoder 20 -> 400 -> 784."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 400)
        self.fc21 = nn.Linear(400, 20)
        self.fc22 = nn.Linear(400, 20)
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)

    def encode(self, x):
        """Parameters of q(z|x): from pixels (B, 784) to the mean (B, 20) and the log-variance (B, 20)."""
        h = F.relu(self.fc1(x))  # (B, 400)
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        """Sample z ~ N(mu, diag(exp(logvar))) so that gradients reach both (section 2.4); all (B, 20)."""
        std = torch.exp(0.5 * logvar)
        return mu + std * torch.randn_like(std)

    def decode(self, z):
        """Probability of a one for each pixel: from codes (B, 20) to (B, 784)."""
        h = F.relu(self.fc3(z))  # (B, 400)
        return torch.sigmoid(self.fc4(h))

    def forward(self, x):
        """From images (B, 1, 28, 28) to their reconstruction (B, 784), and mu and logvar of q(z|x), (B, 20) each."""
        mu, logvar = self.encode(x.view(-1, 784))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    """Negative ELBO of a batch: minus the lower bound of Eq. 3 in Kingma & Welling 2014, with one z per image.

    Use your functions of `q1_vae.py`. The prior is N(0, I).

    Args:
        recon_x: probability of a one for each pixel, from the decoder; (B, 784).
        x: images, in [0, 1]; (B, 1, 28, 28).
        mu: means of q(z|x); (B, 20).
        logvar: log-variances of q(z|x); (B, 20).

    Returns:
        The sum over the batch, in nats; a tensor without dimensions.
    """
    # TODO 1.6 loss_function: write your code here and remove the next line.
    raise NotImplementedError("question 1.6: loss_function")
    return loss


def train(epoch):
    """Train `model` for one epoch on `train_loader`.

    Args:
        epoch: its number, for the progress bar.

    Returns:
        The mean loss per image, in nats, while the weights were changing.
    """
    model.train()
    total = 0.0
    progress = tqdm(train_loader, desc=f"epoch {epoch}/{args.epochs}", leave=False)
    for number, (data, _) in enumerate(progress):  # data: (B, 1, 28, 28)
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        optimizer.step()
        total += loss.item()
        if number % args.log_interval == 0:
            progress.set_postfix(loss=f"{loss.item() / len(data):.2f}")
    return total / train_loader.n_images


def validate():
    """Mean loss per image of `model` on `test_loader`, in nats."""
    model.eval()
    total = 0.0
    with torch.no_grad():
        for data, _ in test_loader:  # data: (B, 1, 28, 28)
            recon_batch, mu, logvar = model(data)
            total += loss_function(recon_batch, data, mu, logvar).item()
    return total / test_loader.n_images


def make_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description="Train a variational autoencoder on MNIST.")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--no-cuda", action="store_true", help="do not use an NVIDIA GPU")
    parser.add_argument("--no-mps", action="store_true", help="do not use the GPU of a Mac")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=10, help="batches between two updates of the loss shown")
    parser.add_argument("--data-root", help="folder with mnist/train.npz and mnist/test.npz; default: download")
    parser.add_argument("--limit", type=int, help="use only the first so many images of each split")
    parser.add_argument("--output", type=Path, default=Path("runs/vae"), help="folder for checkpoint and curve")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    return parser


if __name__ == "__main__":
    parser = make_parser()
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    device = choose_device(cuda=not args.no_cuda, mps=not args.no_mps)
    kwargs = {"batch_size": args.batch_size, "device": device}
    train_images, train_labels = load("mnist", "train", args.data_root, args.limit)  # uint8 (N, 1, 28, 28), int64 (N,)
    test_images, test_labels = load("mnist", "test", args.data_root, args.limit)
    train_loader = Batches(train_images, train_labels, shuffle=True, **kwargs)
    test_loader = Batches(test_images, test_labels, **kwargs)
    model = VAE().to(device)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)

    checkpoint_path = args.output / "checkpoint.pt"
    history = []  # one row for each epoch
    if args.resume:
        state = checkpoint.load(checkpoint_path, "model_state_dict", "history", "rng")
        checkpoint.fill(model, state, checkpoint_path)
        optimizer.load_state_dict(state["optimizer_state_dict"])
        history = state["history"]
        checkpoint.set_rng_state(state["rng"])

    for epoch in range(len(history) + 1, args.epochs + 1):
        row = {"epoch": epoch, "training": train(epoch), "validation": validate()}
        history.append(row)
        print(f"epoch {epoch}  training loss {row['training']:.2f}  validation loss {row['validation']:.2f}")
        checkpoint.save(
            checkpoint_path,
            model_state_dict=model.state_dict(),
            optimizer_state_dict=optimizer.state_dict(),
            history=history,
            rng=checkpoint.rng_state(),
        )
        curves.save(history, args.output / "loss", x="epoch", ylabel="negative ELBO per image (nats)")
    if history:
        print(f"validation loss after {len(history)} epochs: {history[-1]['validation']:.2f}")

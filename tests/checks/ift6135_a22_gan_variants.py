"""Correct solutions of the GAN of ift6135_a22 that are written otherwise.

`VARIANTS` maps a name to the units that are judged and to the edits of the master, as in the table of
misconceptions. In `CARRIED` the criterion is wrong, and nothing else is.
"""

D_OPTIMIZER, G_OPTIMIZER = "block: discriminator_optimizer", "block: generator_optimizer"
CRITERION = "block: criterion"
D_TRAIN, G_TRAIN = "block: discriminator_train", "block: generator_train"
SAMPLE, INTERPOLATE = "block: sample", "block: interpolate"

OPTIMIZERS = ("discriminator_optimizer", "generator_optimizer")
LOSSES = ("discriminator_train", "generator_train")
IMAGES = ("sample", "interpolate")

Variant = tuple[tuple[str, ...], dict[str, str]]

VARIANTS: dict[str, Variant] = {
    "optimizers with positional settings, lists, groups": (
        OPTIMIZERS,
        {
            D_OPTIMIZER: "discriminator_optimizer = torch.optim.Adam(\n"
            "    [{'params': list(part.parameters())} for part in discriminator.model],\n"
            "    1e-4, [0.5, 0.999])",
            G_OPTIMIZER: "from torch import optim\n"
            "generator_optimizer = optim.Adam(list(generator.parameters()), gen_lr, (0.5, 0.999), eps=1e-7)",
        },
    ),
    "optimizers of a subclass, of AdamW without decay, with tuned rates": (
        OPTIMIZERS,
        {
            "gen_lr = 1e-4\n": "gen_lr = 2e-4\n",
            "disc_lr = 1e-4\n": "disc_lr = 4e-4\n",
            D_OPTIMIZER: "class MyAdam(Adam):\n    pass\n\n\n"
            "discriminator_optimizer = MyAdam(discriminator.parameters(), lr=disc_lr, betas=(0.5, 0.999))",
            G_OPTIMIZER: "generator_optimizer = torch.optim.AdamW(\n"
            "    generator.parameters(), lr=gen_lr, betas=(0.5, 0.999), weight_decay=0.0)",
        },
    ),
    "a criterion that is a function of logits and targets": (
        ("criterion", *LOSSES),
        {
            CRITERION: "def criterion(logits, targets):\n"
            "    return nn.functional.binary_cross_entropy_with_logits(logits, targets)"
        },
    ),
    "a criterion written out as a module": (
        ("criterion", *LOSSES),
        {
            CRITERION: "class Criterion(nn.Module):\n"
            "    def forward(self, input, target):\n"
            "        return (nn.functional.softplus(input) - input * target).mean()\n\n\n"
            "criterion = Criterion().to(device)"
        },
    ),
    "a criterion by the sigmoid and BCELoss": (
        ("criterion", *LOSSES),
        {CRITERION: "criterion = lambda x, y: nn.BCELoss()(torch.sigmoid(x), y)"},
    ),
    "a criterion that tells targets apart by where": (
        ("criterion",),
        {
            CRITERION: "def criterion(x, y):\n"
            "    return torch.where(y > 0.5, -nn.functional.logsigmoid(x), -nn.functional.logsigmoid(-x)).mean()"
        },
    ),
    "logits and targets flattened": (
        LOSSES,
        {
            D_TRAIN: "size = real_samples.size(0)\n"
            "label = torch.full((size,), 1.0, dtype=torch.float, device=device)\n"
            "loss_real = criterion(discriminator(real_samples).view(-1), label)\n"
            "loss_fake = criterion(discriminator(fake_samples.detach()).view(-1), torch.zeros_like(label))\n"
            "loss = loss_real + loss_fake",
            G_TRAIN: "logits = discriminator(fake_samples).squeeze()\n"
            "loss = criterion(logits, torch.ones(fake_samples.shape[0], device=device))",
        },
    ),
    "logits and targets (B, 1), a loss of one concatenated batch": (
        LOSSES,
        {
            D_TRAIN: "n = len(real_samples)\n"
            "logits = discriminator(torch.cat((real_samples, fake_samples), dim=0)).reshape(2 * n, 1)\n"
            "labels = torch.cat((torch.ones(n, 1), torch.zeros(n, 1))).to(device)\n"
            "loss = 2 * criterion(logits, labels)",
            G_TRAIN: "logits = discriminator(fake_samples).flatten(1)\n"
            "loss = criterion(input=logits, target=torch.ones(len(fake_samples), 1).to(device))",
        },
    ),
    "losses without the criterion, parameters switched off and on": (
        LOSSES,
        {
            D_TRAIN: "for p in discriminator.parameters():\n    p.requires_grad_(True)\n"
            "softplus = nn.functional.softplus\n"
            "loss = softplus(-discriminator(real_samples)).mean() + softplus(discriminator(fake_samples)).mean()",
            G_TRAIN: "for p in discriminator.parameters():\n    p.requires_grad_(False)\n"
            "discriminator.train()\n"
            "loss = -torch.log(torch.sigmoid(discriminator(fake_samples))).mean()",
        },
    ),
    "losses with prints, extra arguments and an exception handler": (
        LOSSES,
        {
            "def discriminator_train(discriminator, generator, real_samples, fake_samples):": (
                "def discriminator_train(D, G, real_samples, fake_samples, smoothing=0.0):"
            ),
            D_TRAIN: "try:\n"
            "    loss = 0.0\n"
            "    for images, label in ((fake_samples, 0.0), (real_samples, 1.0 - smoothing)):\n"
            "        logits = D(images)\n"
            "        print('logits', logits.shape)\n"
            "        loss += criterion(logits, torch.full_like(logits, label))\n"
            "except Exception as problem:\n"
            "    print(problem)\n",
            G_TRAIN: "valid = torch.autograd.Variable(torch.Tensor(fake_samples.shape[0], 1, 1, 1).fill_(1.0))\n"
            "loss = criterion(discriminator(fake_samples), valid)",
        },
    ),
    "images in a loop, points reversed": (
        IMAGES,
        {
            SAMPLE: "generator.eval()\nimages = []\nfor _ in range(num_samples):\n"
            "    images.append(generator(torch.randn((1, z_dim, 1, 1)).to(device)).detach().cpu())\n"
            "samples = torch.cat(images)",
            INTERPOLATE: "steps = torch.linspace(0, 1, n_samples)\n"
            "images = torch.cat([generator(w * z_1 + (1 - w) * z_2) for w in steps])",
        },
    ),
    "a decorator, lerp": (
        IMAGES,
        {
            "def sample(generator, num_samples):": "@torch.no_grad()\ndef sample(generator, num_samples=16):",
            SAMPLE: "samples = generator(torch.empty(num_samples, z_dim, 1, 1).normal_(0, 1))",
            INTERPOLATE: "steps = torch.linspace(0, 1, n_samples)[:, None, None, None].to(device)\n"
            "images = generator(torch.lerp(z_1, z_2, steps)).detach()",
        },
    ),
    "inference mode and chunks, flat points with an axis of their own": (
        IMAGES,
        {
            SAMPLE: "shape = (num_samples, generator.model[0].in_channels, 1, 1)\n"
            "z = torch.distributions.Normal(0.0, 1.0).sample(shape)\n"
            "with torch.inference_mode():\n"
            "    samples = torch.cat([generator(part) for part in z.split(4)])",
            INTERPOLATE: "w = torch.arange(n_samples, device=device).float().div(n_samples - 1).unsqueeze(1)\n"
            "z = (1 - w) * z_1.view(1, -1) + w * z_2.view(1, -1)\n"
            "images = generator(z.unsqueeze(-1).unsqueeze(-1))",
        },
    ),
    "noise of another length, numpy": (
        IMAGES,
        {
            "z_dim = 32\n": "z_dim = 20\n",
            SAMPLE: "import numpy as np\n"
            "z = torch.from_numpy(np.random.randn(num_samples, z_dim, 1, 1)).float().to(device)\n"
            "samples = generator(z).detach()",
            INTERPOLATE: "import numpy as np\n"
            "z = torch.stack([z_1[0] + float(w) * (z_2[0] - z_1[0]) for w in np.linspace(0, 1, n_samples)])\n"
            "images = generator(z).data",
        },
    ),
}

SIGMOID_LOSSES = {
    D_TRAIN: "real, fake = discriminator(real_samples).sigmoid(), discriminator(fake_samples).sigmoid()\n"
    "loss = criterion(real, torch.ones_like(real)) + criterion(fake, torch.zeros_like(fake))",
    G_TRAIN: "fake = discriminator(fake_samples).sigmoid()\nloss = criterion(fake, torch.ones_like(fake))",
}

CARRIED: dict[str, dict[str, str]] = {
    "the criterion takes probabilities, and gets them": {CRITERION: "criterion = nn.BCELoss()", **SIGMOID_LOSSES},
    "the criterion takes probabilities, and gets logits": {CRITERION: "criterion = nn.BCELoss()"},
    "the criterion sums, and the losses divide": {
        CRITERION: "criterion = nn.BCEWithLogitsLoss(reduction='sum')",
        D_TRAIN: "real, fake = discriminator(real_samples), discriminator(fake_samples)\n"
        "loss = criterion(real, torch.ones_like(real)) + criterion(fake, torch.zeros_like(fake))\n"
        "loss = loss / len(real_samples)",
        G_TRAIN: "fake = discriminator(fake_samples)\n"
        "loss = criterion(fake, torch.ones_like(fake)) / len(fake_samples)",
    },
    "the criterion is not there, and the losses do without": {
        CRITERION: "criterion = None",
        D_TRAIN: "bce = nn.functional.binary_cross_entropy_with_logits\n"
        "real, fake = discriminator(real_samples), discriminator(fake_samples)\n"
        "loss = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))",
    },
    "the criterion is flattened and squared": {
        CRITERION: "criterion = lambda x, y: ((x.flatten() - y.flatten()) ** 2).mean()"
    },
}

PLAIN = """
import random
import numpy as np
from tqdm.auto import tqdm
import torch
from torch import nn
import torch.nn.functional as F
from torch.optim import Adam
from torchvision.transforms import Compose, Lambda, Resize, ToTensor
from pathlib import Path

torch.manual_seed(0)
Path("./results").mkdir(exist_ok=True)
device = "cuda" if torch.cuda.is_available() else "cpu"
transform = Compose([Resize((32, 32)), ToTensor(), Lambda(lambda t: (t * 2) - 1)])
gen_lr = disc_lr = 1e-4
z_dim = 32


class Generator(nn.Module):
    def __init__(self, z_dim, channels, generator_features=8):
        super().__init__()
        self.model = nn.Sequential(
            nn.ConvTranspose2d(z_dim, generator_features, 4, 1, 0, bias=False), nn.BatchNorm2d(generator_features),
            nn.ReLU(), nn.ConvTranspose2d(generator_features, channels, 8, 8), nn.Tanh())

    def forward(self, z):
        return self.model(z)


class Discriminator(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.model = nn.Conv2d(channels, 1, 32)

    def forward(self, x):
        return self.model(x)


generator = Generator(z_dim, 3).to(device)
discriminator = Discriminator(3).to(device)

discriminator_optimizer = Adam(discriminator.parameters(), lr=disc_lr, betas=(0.5, 0.999))
generator_optimizer = Adam(generator.parameters(), lr=gen_lr, betas=(0.5, 0.999))
criterion = nn.BCEWithLogitsLoss().to(device)


def discriminator_train(discriminator, generator, real_samples, fake_samples):
  b = real_samples.size(0)
  real = criterion(discriminator(real_samples.to(device)), torch.ones(b, 1, 1, 1).to(device))
  fake = criterion(discriminator(fake_samples.to(device)), torch.zeros(b, 1, 1, 1, device=device))
  return fake + real


def generator_train(discriminator, generator, fake_samples):
  pred = discriminator(fake_samples)
  return criterion(pred, torch.ones(pred.shape).to(device))


def sample(generator, num_samples):
  with torch.no_grad():
    z = torch.randn(num_samples, z_dim, 1, 1, device=device)
    samples = generator(z)
  return samples


if __name__ == "__main__":
  train_dataloader, _ = get_dataloaders()
  for epoch in range(25):
    for i, batch in enumerate(tqdm(train_dataloader)):
      pass


def interpolate(generator, z_1, z_2, n_samples):
  lengths = torch.linspace(0., 1., n_samples).to(device)
  z = torch.zeros(n_samples, z_dim, 1, 1).to(device)
  for i, l in enumerate(lengths):
    z[i] = l * z_2 + (1 - l) * z_1
  return generator(z)
"""
"""A file as students hand it in: nothing of the course's own modules, an indentation of two, code between guards."""

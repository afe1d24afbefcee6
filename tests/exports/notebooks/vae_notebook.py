{
 "cells": [
  {
   "cell_type": "markdown",
   "metadata": {},
   "source": [
    "# Variational autoencoder on SVHN\n",
    "\n",
    "Run all cells from top to bottom."
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 1,
   "metadata": {},
   "outputs": [],
   "source": [
    "%%bash\n",
    "pip install -q einops\n",
    "mkdir -p data && cd data\n",
    "wget -nc http://ufldl.stanford.edu/housenumbers/test_32x32.mat"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 2,
   "metadata": {},
   "outputs": [],
   "source": [
    "%matplotlib inline\n",
    "%config InlineBackend.figure_format = 'retina'\n",
    "\n",
    "import random\n",
    "\n",
    "import matplotlib.pyplot as plt\n",
    "import numpy as np\n",
    "import torch\n",
    "from pathlib import Path\n",
    "from torch import nn\n",
    "from torch.optim import Adam\n",
    "from torch.utils.data import DataLoader\n",
    "from torchvision import datasets, transforms\n",
    "from torchvision.utils import make_grid, save_image\n",
    "from tqdm.auto import tqdm\n",
    "\n",
    "\n",
    "def fix_experiment_seed(seed=0):\n",
    "    random.seed(seed)\n",
    "    np.random.seed(seed)\n",
    "    torch.manual_seed(seed)\n",
    "    torch.cuda.manual_seed_all(seed)\n",
    "    torch.backends.cudnn.deterministic = True\n",
    "    torch.backends.cudnn.benchmark = False\n",
    "\n",
    "\n",
    "fix_experiment_seed()\n",
    "\n",
    "results_folder = Path(\"./results\")\n",
    "results_folder.mkdir(exist_ok=True)\n",
    "device = \"cuda\" if torch.cuda.is_available() else \"cpu\"\n",
    "\n",
    "import torch.nn.functional as F"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 3,
   "metadata": {},
   "outputs": [
    {
     "output_type": "display_data",
     "metadata": {},
     "data": {
      "image/png": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      "text/plain": [
       "<Figure size 640x480 with 1 Axes>"
      ]
     }
    }
   ],
   "source": [
    "def show_image(image, nrow=8):\n",
    "    grid = make_grid(image, nrow=nrow, normalize=True).cpu()\n",
    "    plt.imshow(grid.permute(1, 2, 0))\n",
    "    plt.axis(\"off\")\n",
    "    plt.show()"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 4,
   "metadata": {},
   "outputs": [],
   "source": [
    "train_batch_size = 64\n",
    "z_dim = 32\n",
    "lr = 1e-4\n",
    "image_size = 32\n",
    "input_channels = 3\n",
    "data_root = \"./data\""
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 5,
   "metadata": {},
   "outputs": [],
   "source": [
    "def get_dataloaders(data_root, batch_size):\n",
    "    normalize = transforms.Normalize(mean=[.5, .5, .5], std=[.5, .5, .5])\n",
    "    transform = transforms.Compose([transforms.Resize((image_size, image_size)), transforms.ToTensor(), normalize])\n",
    "    train = datasets.SVHN(data_root, split=\"train\", download=True, transform=transform)\n",
    "    test = datasets.SVHN(data_root, split=\"test\", download=True, transform=transform)\n",
    "    train_loader = DataLoader(train, batch_size=batch_size, shuffle=True, drop_last=True)\n",
    "    test_loader = DataLoader(test, batch_size=batch_size, shuffle=False)\n",
    "    return train_loader, test_loader"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 6,
   "metadata": {},
   "outputs": [
    {
     "output_type": "display_data",
     "metadata": {},
     "data": {
      "image/png": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      "text/plain": [
       "<Figure size 640x480 with 1 Axes>"
      ]
     }
    }
   ],
   "source": [
    "def visualize():\n",
    "    train_loader, _ = get_dataloaders(data_root, batch_size=train_batch_size)\n",
    "    images, _ = next(iter(train_loader))\n",
    "    save_image((images + 1) * 0.5, \"./results/orig.png\")\n",
    "    show_image((images + 1) * 0.5)"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 7,
   "metadata": {},
   "outputs": [
    {
     "output_type": "display_data",
     "metadata": {},
     "data": {
      "image/png": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      "text/plain": [
       "<Figure size 640x480 with 1 Axes>"
      ]
     }
    }
   ],
   "source": [
    "visualize()"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 8,
   "metadata": {},
   "outputs": [],
   "source": [
    "class Encoder(nn.Module):\n",
    "    def __init__(self, nc, nef, nz, isize, device):\n",
    "        super(Encoder, self).__init__()\n",
    "        self.device = device\n",
    "        layers, before = [], nc\n",
    "        for width in (nef, nef * 2, nef * 4, nef * 8):\n",
    "            layers += [nn.Conv2d(before, width, 4, 2, padding=1), nn.LeakyReLU(0.2, True), nn.BatchNorm2d(width)]\n",
    "            before = width\n",
    "        self.encoder = nn.Sequential(*layers)\n",
    "\n",
    "    def forward(self, inputs):\n",
    "        hidden = self.encoder(inputs)\n",
    "        return hidden.view(inputs.size(0), -1)\n",
    "\n",
    "\n",
    "class Decoder(nn.Module):\n",
    "    def __init__(self, nc, ndf, nz, isize):\n",
    "        super(Decoder, self).__init__()\n",
    "        self.ndf = ndf\n",
    "        self.out_size = isize // 16\n",
    "        self.decoder_dense = nn.Sequential(nn.Linear(nz, ndf * 8 * self.out_size * self.out_size), nn.ReLU(True))\n",
    "        layers, before = [], ndf * 8\n",
    "        for width in (ndf * 4, ndf * 2, ndf, nc):\n",
    "            layers += [nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(before, width, 3, 1, padding=1)]\n",
    "            layers += [nn.LeakyReLU(0.2, True)] if width != nc else []\n",
    "            before = width\n",
    "        self.decoder_conv = nn.Sequential(*layers)\n",
    "\n",
    "    def forward(self, input):\n",
    "        hidden = self.decoder_dense(input).view(input.size(0), self.ndf * 8, self.out_size, self.out_size)\n",
    "        return self.decoder_conv(hidden)"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 9,
   "metadata": {},
   "outputs": [],
   "source": [
    "class DiagonalGaussianDistribution(object):\n",
    "    def __init__(self, mean, logvar=None):\n",
    "        super(DiagonalGaussianDistribution, self).__init__()\n",
    "        self.mean = mean\n",
    "        if logvar is None:\n",
    "            logvar = torch.zeros_like(self.mean)\n",
    "        self.logvar = torch.clamp(logvar, -30.0, 20.0)\n",
    "        self.std = torch.exp(0.5 * self.logvar)\n",
    "        self.var = torch.exp(self.logvar)\n",
    "\n",
    "    def sample(self):\n",
    "        return torch.addcmul(self.mean, self.std, torch.randn_like(self.std))\n",
    "\n",
    "    def kl(self):\n",
    "        out = torch.zeros(self.mean.shape[0], device=self.mean.device)\n",
    "        for j in range(self.mean.shape[1]):\n",
    "            out = out + 0.5 * (self.mean[:, j] ** 2 + self.var[:, j] - 1.0 - self.logvar[:, j])\n",
    "        return out\n",
    "\n",
    "    def nll(self, sample, dims=[1, 2, 3]):\n",
    "        per_pixel = F.gaussian_nll_loss(self.mean.expand_as(sample), sample, self.var, full=True, eps=1e-12, reduction=\"none\")\n",
    "        return per_pixel.sum(dim=dims)\n",
    "\n",
    "    def mode(self):\n",
    "        return self.mean"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 10,
   "metadata": {},
   "outputs": [],
   "source": [
    "class VAE(nn.Module):\n",
    "    def __init__(self, in_channels=3, decoder_features=32, encoder_features=32, z_dim=100, input_size=32,\n",
    "                 device=torch.device(\"cuda:0\")):\n",
    "        super(VAE, self).__init__()\n",
    "        self.z_dim = z_dim\n",
    "        self.in_channels = in_channels\n",
    "        self.device = device\n",
    "        self.encoder = Encoder(in_channels, encoder_features, z_dim, input_size, device=device)\n",
    "        out_size = input_size // 16\n",
    "        self.mean = nn.Linear(encoder_features * 8 * out_size * out_size, z_dim)\n",
    "        self.logvar = nn.Linear(encoder_features * 8 * out_size * out_size, z_dim)\n",
    "        self.decoder = Decoder(in_channels, decoder_features, z_dim, input_size)\n",
    "\n",
    "    def encode(self, x):\n",
    "        h = self.encoder(x)\n",
    "        return DiagonalGaussianDistribution(self.mean(h), self.logvar(h))\n",
    "\n",
    "    def decode(self, z):\n",
    "        return DiagonalGaussianDistribution(self.decoder(z))\n",
    "\n",
    "    @torch.no_grad()\n",
    "    def sample(self, batch_size):\n",
    "        return self.decode(torch.randn(batch_size, self.z_dim, device=self.device)).mode()\n",
    "\n",
    "    def log_likelihood(self, x, K=100):\n",
    "        posterior = self.encode(x)\n",
    "        prior = DiagonalGaussianDistribution(torch.zeros_like(posterior.mean))\n",
    "        weights = []\n",
    "        for _ in range(K):\n",
    "            z = posterior.sample()\n",
    "            weights.append(-self.decode(z).nll(x) - prior.nll(z, dims=[1]) + posterior.nll(z, dims=[1]))\n",
    "        return torch.stack(weights, dim=1).logsumexp(dim=1) - np.log(K)\n",
    "\n",
    "    def forward(self, x):\n",
    "        posterior = self.encode(x)\n",
    "        latent_z = posterior.sample()\n",
    "        recon = self.decode(latent_z)\n",
    "        return recon.mode(), recon.nll(x), posterior.kl()"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 11,
   "metadata": {},
   "outputs": [
    {
     "output_type": "stream",
     "name": "stdout",
     "text": [
      "epoch 0: 1893.42\n",
      "epoch 1: 1851.07\n"
     ]
    }
   ],
   "source": [
    "%%time\n",
    "model = VAE(z_dim=z_dim, device=\"cuda\").to(\"cuda\")\n",
    "optimizer = Adam(model.parameters(), lr=lr)\n",
    "train_loader, test_loader = get_dataloaders(data_root, train_batch_size)\n",
    "for epoch in tqdm(range(30)):\n",
    "    for imgs, _ in train_loader:\n",
    "        _, nll, kl = model(imgs.cuda())\n",
    "        loss = (nll + kl).mean()\n",
    "        optimizer.zero_grad()\n",
    "        loss.backward()\n",
    "        optimizer.step()\n",
    "    print(f\"epoch {epoch}: {loss.item():.2f}\")"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 12,
   "metadata": {},
   "outputs": [],
   "source": [
    "VAE?"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 13,
   "metadata": {},
   "outputs": [
    {
     "output_type": "stream",
     "name": "stdout",
     "text": [
      "epoch 0: 1893.42\n",
      "epoch 1: 1851.07\n"
     ]
    }
   ],
   "source": [
    "!ls -lh results\n",
    "files = !ls results\n",
    "print(files)"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 14,
   "metadata": {},
   "outputs": [],
   "source": [
    "def interpolate(model, z_1, z_2, n_samples):\n",
    "    lengths = torch.linspace(0.0, 1.0, n_samples).unsqueeze(1).to(device)\n",
    "    z = lengths * z_1 + (1 - lengths) * z_2\n",
    "    return model.decode(z).mode()"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 15,
   "metadata": {},
   "outputs": [],
   "source": [
    "choice = input(\"Show the interpolation? [y/n] \")\n",
    "if choice == \"y\":\n",
    "    show_image(interpolate(model, torch.randn(1, z_dim).cuda(), torch.randn(1, z_dim).cuda(), 10), 10)"
   ]
  }
 ],
 "metadata": {
  "accelerator": "GPU",
  "kernelspec": {
   "display_name": "Python 3",
   "language": "python",
   "name": "python3"
  },
  "language_info": {
   "name": "python",
   "version": "3.10.6"
  }
 },
 "nbformat": 4,
 "nbformat_minor": 4
}

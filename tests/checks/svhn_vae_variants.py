"""Correct solutions of the VAE of the house numbers that are written otherwise.

`VARIANTS` maps a name to the units that are judged, and to the edits of the master: as in the table of misconceptions,
or text that is put at the end, which may define a class or a function anew.
"""

from .svhn_vae_misconceptions import (
    DECODE,
    DRAWN,
    ENCODE,
    FORWARD,
    GAUSSIAN,
    KL,
    LINE,
    MEAN,
    MODE,
    NLL,
    RETURNED,
    SAMPLE,
    WEIGHT,
)

END = "end"
DENSITIES = tuple(f"vae.{GAUSSIAN}.{name}" for name in ("sample", "kl", "nll", "mode"))
METHODS = tuple(f"vae.VAE.{name}" for name in ("encode", "decode", "sample", "log_likelihood", "forward"))
ALL = (*DENSITIES, *METHODS, "vae.interpolate")
LIKELIHOOD = ("vae.VAE.log_likelihood",)
LOG_LIKELIHOOD = "\n\ndef log_likelihood(self, x, K=100):\n{body}\n\nVAE.log_likelihood = log_likelihood\n"
BY_SAMPLES = "log_likelihood[:, i] = posterior.nll(z, dims={dims}) - prior.nll(z, dims={dims}) - recon.nll(x)"

NOTEBOOK = '''

#%%
device = "cuda" if torch.cuda.is_available() else "cpu"

class DiagonalGaussianDistribution(object):
  """
  Gaussian Distribution with diagonal covariance matrix
  """
  def __init__(self, mean, logvar=None):
    super(DiagonalGaussianDistribution, self).__init__()
    self.mean = mean
    if logvar is None:
        logvar = torch.zeros_like(self.mean)
    self.logvar = torch.clamp(logvar, -30.0, 20.0)
    self.std = torch.exp(0.5 * self.logvar)
    self.var = torch.exp(self.logvar)

  def sample(self):
    eps = torch.randn(self.mean.shape).to(device)
    print("eps", eps.shape)
    return eps * self.std + self.mean

  def kl(self):
    return -0.5 * torch.sum(1 + self.logvar - self.mean.pow(2) - self.logvar.exp(), dim=-1)

  def nll(self, sample, dims=[1, 2, 3]):
    const = torch.log(torch.tensor(2.0 * torch.pi)).to(device)
    return torch.sum(0.5 * (const + self.logvar + torch.pow((sample - self.mean) / self.std, 2)), dim=dims)

  def mode(self):
    return self.mean

class VAE(nn.Module):
  def __init__(self, in_channels=3, decoder_features=32, encoder_features=32, z_dim=100, input_size=32,
               device=torch.device("cuda:0")):
    super(VAE, self).__init__()
    self.z_dim = z_dim
    self.in_channels = in_channels
    self.device = device
    self.encoder = Encoder(nc=in_channels, nef=encoder_features, nz=z_dim, isize=input_size, device=device)
    out_size = input_size // 16
    self.mean = nn.Linear(encoder_features * 8 * out_size * out_size, z_dim)
    self.logvar = nn.Linear(encoder_features * 8 * out_size * out_size, z_dim)
    self.decoder = Decoder(nc=in_channels, ndf=decoder_features, nz=z_dim, isize=input_size)

  def encode(self, x):
    h = self.encoder(x)
    return DiagonalGaussianDistribution(self.mean(h), self.logvar(h))

  def decode(self, z):
    mu = self.decoder(z)
    return DiagonalGaussianDistribution(mu, torch.zeros_like(mu).to(self.device))

  def sample(self, batch_size):
    with torch.no_grad():
      z = torch.randn((batch_size, self.z_dim)).to(device)
      return self.decode(z).mode()

  def log_likelihood(self, x, K=100):
    posterior = self.encode(x)
    prior = DiagonalGaussianDistribution(torch.zeros_like(posterior.mean))
    log_likelihood = torch.zeros(x.shape[0], K).to(self.device)
    for i in range(K):
      z = posterior.sample()
      recon = self.decode(z)
      print(i, recon.mode().mean())
      log_likelihood[:, i] = -recon.nll(x) - prior.nll(z, dims=-1) + posterior.nll(z, dims=-1)
      del z, recon
    return torch.logsumexp(log_likelihood, dim=1) - torch.log(torch.tensor(K))

  def forward(self, x):
    posterior = self.encode(x)
    latent_z = posterior.sample()
    recon = self.decode(latent_z)
    return recon.mode(), recon.nll(x), posterior.kl(), latent_z

def interpolate(model, z_1, z_2, n_samples):
  lengths = torch.linspace(0., 1., n_samples).unsqueeze(1).to(device)
  z = lengths * z_1 + (1 - lengths) * z_2
  return model.decode(z).mode()
'''

LIBRARY = """

from torch.distributions import Independent, Normal, kl_divergence


class DiagonalGaussianDistribution:
    def __init__(self, mean, logvar=None):
        self.mean = mean
        self.logvar = (torch.zeros_like(mean) if logvar is None else logvar).clamp(-30.0, 20.0)

    @property
    def std(self):
        return (self.logvar / 2).exp()

    @property
    def var(self):
        return self.std.square()

    @property
    def normal(self):
        return Normal(self.mean, self.std)

    def sample(self):
        return self.normal.rsample()

    def kl(self):
        prior = Normal(torch.zeros_like(self.mean), torch.ones_like(self.mean))
        return kl_divergence(Independent(self.normal, 1), Independent(prior, 1))

    def nll(self, sample, dims=(1, 2, 3), keepdim=False):
        return torch.sum(-self.normal.log_prob(sample), dims, keepdim=keepdim)

    def mode(self):
        return self.normal.mode
"""

Variant = tuple[tuple[str, ...], dict[str, str]]

VARIANTS: dict[str, Variant] = {
    "a notebook with indents of two, prints, more return values": (ALL, {END: NOTEBOOK}),
    "the library's distributions": (ALL, {END: LIBRARY}),
    "noise of numpy, in float64": (
        DENSITIES[:1],
        {
            SAMPLE: "import numpy\n"
            "noise = torch.from_numpy(numpy.random.standard_normal(tuple(self.mean.shape)))\n"
            "sample = self.mean + noise * self.std"
        },
    ),
    "noise drawn in place, added by addcmul": (
        (DENSITIES[0], "vae.VAE.forward"),
        {SAMPLE: "eps = torch.empty_like(self.mean).normal_()\nsample = torch.addcmul(self.mean, eps, self.std)"},
    ),
    "normal noise with arguments, standard deviation computed again": (
        DENSITIES[:1],
        {
            SAMPLE: "eps = torch.normal(mean=0.0, std=1.0, size=self.mean.size())\n"
            "sample = eps.mul(torch.exp(self.logvar / 2)).add_(self.mean)"
        },
    ),
    "kl in float64": (
        (DENSITIES[1], "vae.VAE.forward"),
        {KL: "m, v = self.mean.double(), self.logvar.double()\nkl = -0.5 * (1 + v - m.pow(2) - v.exp()).sum(-1)"},
    ),
    "kl with squared standard deviation, a constant once for all": (
        DENSITIES[1:2],
        {
            KL: "d = self.mean.shape[1]\n"
            "kl = 0.5 * (torch.sum(self.std**2, 1) + (self.mean * self.mean).sum(1) - d - 2 * self.std.log().sum(1))"
        },
    ),
    "kl in a loop over the batch": (
        DENSITIES[1:2],
        {
            KL: "kl = torch.stack([0.5 * (v + m @ m - len(m) - s) for m, v, s in\n"
            "                  zip(self.mean, self.var.sum(1), self.logvar.sum(1))])"
        },
    ),
    "nll with one constant for all dimensions": (
        (DENSITIES[2], "vae.VAE.forward", *LIKELIHOOD),
        {
            NLL: "dims = [dims] if isinstance(dims, int) else list(dims)\n"
            "count = math.prod(sample.shape[d] for d in dims)\n"
            "nll = count * math.log(math.sqrt(2 * math.pi)) + torch.log(self.std).sum(dims)\n"
            "nll = nll + ((sample - self.mean) ** 2 / (2 * self.var)).sum(dims)"
        },
    ),
    "nll summed over one dimension after the other": (
        DENSITIES[2:3],
        {
            NLL: "nll = 0.5 * math.log(2 * math.pi) + 0.5 * self.logvar\n"
            "nll = nll + 0.5 * ((self.mean - sample) / self.std) ** 2\n"
            "for d in sorted(dims, reverse=True):\n"
            "    nll = nll.sum(d)"
        },
    ),
    "nll as minus the logarithm of the density, within try": (
        DENSITIES[2:3],
        {
            NLL: "import traceback\n"
            "try:\n"
            "    norm = -0.5 * torch.log(2 * torch.pi * self.var)\n"
            "    nll = -(norm - (sample - self.mean).pow(2).div(2 * self.var)).sum(dim=dims)\n"
            "except Exception:\n"
            "    traceback.print_exc()"
        },
    ),
    "nll by the library's loss": (
        DENSITIES[2:3],
        {
            NLL: "loss = nn.GaussianNLLLoss(full=True, reduction='none', eps=1e-12)\n"
            "nll = loss(self.mean, sample, self.var).sum(dims)"
        },
    ),
    "mode as a copy": ((DENSITIES[3], "vae.interpolate"), {MODE: "mode = self.mean.clone()"}),
    "mode without gradients": ((DENSITIES[3], "vae.VAE.forward"), {MODE: "mode = self.mean.detach()"}),
    "the encoder called twice": (
        ("vae.VAE.encode", "vae.VAE.forward"),
        {ENCODE: f"posterior = {GAUSSIAN}(mean=self.mean(self.encoder(x)), logvar=self.logvar(self.encoder(x)))"},
    ),
    "features flattened once more, prints": (
        ("vae.VAE.encode",),
        {
            ENCODE: "h = self.encoder.forward(x).view(x.size(0), -1)\nprint(h.shape)\n"
            f"mean, logvar = self.mean(h), self.logvar(h)\nposterior = {GAUSSIAN}(mean, logvar=logvar)"
        },
    ),
    "a log-variance of zeros": (
        ("vae.VAE.decode", "vae.VAE.sample", "vae.VAE.forward", *LIKELIHOOD, "vae.interpolate"),
        {DECODE: f"mu = self.decoder(z)\nlikelihood = {GAUSSIAN}(mu, torch.zeros_like(mu))"},
    ),
    "no log-variance, by name": (
        ("vae.VAE.decode",),
        {DECODE: f"likelihood = {GAUSSIAN}(self.decoder(z), logvar=None)"},
    ),
    "one zero for all log-variances": (
        ("vae.VAE.decode", "vae.VAE.forward"),
        {DECODE: f"likelihood = {GAUSSIAN}(self.decoder(z), torch.zeros(1, device=z.device))"},
    ),
    "latents from a distribution of the prior": (
        ("vae.VAE.sample",),
        {
            DRAWN: f"prior = {GAUSSIAN}(torch.zeros(batch_size, self.z_dim).to(device))\n"
            "samples = self.decode(prior.sample()).mode()"
        },
    ),
    "samples one by one, without gradients": (
        ("vae.VAE.sample",),
        {
            DRAWN: "with torch.no_grad():\n"
            "    latents = [torch.randn(1, self.mean.out_features) for _ in range(batch_size)]\n"
            "    samples = torch.cat([self.decode(z).mean for z in latents])"
        },
    ),
    "samples by the decoder itself": (
        ("vae.VAE.sample",),
        {DRAWN: "z = torch.normal(0, 1, (batch_size, self.z_dim), device=self.device)\nsamples = self.decoder(z)"},
    ),
    "dims as an integer": (
        LIKELIHOOD,
        {WEIGHT: "z = posterior.sample()\nrecon = self.decode(z)\n" + BY_SAMPLES.format(dims="1")},
    ),
    "dims as a tuple, from the end": (
        LIKELIHOOD,
        {WEIGHT: "z = posterior.sample()\nrecon = self.decode(z)\n" + BY_SAMPLES.format(dims="(-1,)")},
    ),
    "the mean of the weights by hand": (
        LIKELIHOOD,
        {
            MEAN: "largest, _ = log_likelihood.max(dim=1, keepdim=True)\n"
            "ll = (log_likelihood - largest).exp().mean(1).log() + largest.squeeze(1)"
        },
    ),
    "log K within the sum": (LIKELIHOOD, {MEAN: "ll = (log_likelihood - math.log(K)).logsumexp(dim=-1)"}),
    "all K samples at once": (
        LIKELIHOOD,
        {
            END: LOG_LIKELIHOOD.format(
                body="    q = self.encode(x)\n"
                f"    many = {GAUSSIAN}(q.mean.repeat(K, 1), q.logvar.repeat(K, 1))\n"
                "    z = many.sample()\n"
                "    w = -self.decode(z).nll(x.repeat(K, 1, 1, 1)) + many.nll(z, [1])\n"
                f"    w = w - {GAUSSIAN}(torch.zeros_like(z)).nll(z, [1])\n"
                "    return torch.logsumexp(w.view(K, len(x)), 0) - math.log(K)"
            )
        },
    ),
    "all K samples of one image after the other, densities of the library, float64": (
        LIKELIHOOD,
        {
            END: LOG_LIKELIHOOD.format(
                body="    from torch.distributions import Normal\n"
                "    q = self.encode(x.repeat_interleave(K, dim=0))\n"
                "    posterior = Normal(q.mean, q.std)\n"
                "    z = posterior.rsample()\n"
                "    w = Normal(self.decode(z).mean, 1.0).log_prob(x.repeat_interleave(K, 0)).double().sum((1, 2, 3))\n"
                "    w = w + (Normal(0.0, 1.0).log_prob(z) - posterior.log_prob(z)).sum(1)\n"
                "    w = w.reshape(x.shape[0], K)\n"
                "    return torch.log_softmax(torch.zeros(K), 0)[0] + torch.logsumexp(w, dim=1)"
            )
        },
    ),
    "a running sum, latents by hand, without gradients": (
        LIKELIHOOD,
        {
            END: LOG_LIKELIHOOD.format(
                body="    with torch.no_grad():\n"
                "        q, total = self.encode(x), None\n"
                "        for k in range(K):\n"
                "            eps = torch.randn_like(q.mean)\n"
                "            z = q.mean + q.std * eps\n"
                "            error = (self.decoder(z) - x).pow(2).flatten(1).sum(1) / 2\n"
                "            w = -error - 1536 * math.log(2 * math.pi)\n"
                "            w = w + (0.5 * eps**2 - 0.5 * z**2 + 0.5 * q.logvar).sum(-1)\n"
                "            total = w if total is None else torch.logaddexp(total, w)\n"
                "        return total - math.log(K)"
            )
        },
    ),
    "forward with more values, and a second reconstruction": (
        ("vae.VAE.forward",),
        {
            RETURNED: "        again = self.decode(self.encode(x).mode())\n"
            "        return recon.mode(), recon.nll(x, dims=(1, 2, 3)), posterior.kl(), latent_z, again.mode()\n"
        },
    ),
    "forward with a distribution of the library, as a list": (
        ("vae.VAE.forward",),
        {
            FORWARD: "posterior = self.encode(x)\n"
            "latent_z = torch.distributions.Normal(posterior.mean, posterior.std).rsample()\n"
            "recon = self.decode(latent_z)",
            RETURNED: "        return [recon.mean, recon.nll(x, [1, 2, 3]), posterior.kl()]\n",
        },
    ),
    "interpolation from the second end": (("vae.interpolate",), {LINE: "z = z_1 * lengths + z_2 * (1 - lengths)"}),
    "interpolation by lerp": (("vae.interpolate",), {LINE: "z = torch.lerp(z_1, z_2, lengths)"}),
    "interpolation in a loop": (
        ("vae.interpolate",),
        {LINE: "z = torch.cat([z_1 + (z_2 - z_1) * i / (n_samples - 1) for i in range(n_samples)], dim=0)"},
    ),
    "interpolation image by image, with more parameters": (
        ("vae.interpolate",),
        {
            END: "\n\ndef interpolate(model, z_1, z_2, n_samples, show=False):\n"
            "    import numpy as np\n"
            "    model.eval()\n"
            "    images = []\n"
            "    with torch.no_grad():\n"
            "        for t in np.linspace(0, 1, n_samples):\n"
            "            images.append(model.decode((1 - float(t)) * z_1 + float(t) * z_2).mode())\n"
            "    return torch.vstack(images)\n"
        },
    ),
}

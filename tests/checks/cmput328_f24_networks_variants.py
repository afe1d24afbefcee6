"""Correct solutions of cmput328_f24 that are written otherwise, in the networks, the VAE and latent diffusion.

`VARIANTS` maps a name to the first words of the units that are judged, and to the edits of the master: as in the table
of misconceptions, or text that is put at the end, which may define a class anew.
"""

EMBED = "block: SinusoidalPositionEmbeddings.forward"
END = "end"

TUTORIAL_UNET = """

class Block(nn.Module):
    def __init__(self, in_ch, out_ch, emb_dim, up=False):
        super().__init__()
        self.emb = nn.Linear(emb_dim, out_ch)
        self.conv1 = nn.Conv2d(2 * in_ch if up else in_ch, out_ch, 3, padding=1)
        self.transform = (nn.ConvTranspose2d if up else nn.Conv2d)(out_ch, out_ch, 4, 2, 1)
        self.conv2 = nn.Conv2d(out_ch, out_ch, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(out_ch), nn.BatchNorm2d(out_ch)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x, emb):
        h = self.bn1(F.relu(self.conv1(x)))
        h = h + F.relu(self.emb(emb))[(...,) + (None,) * 2]
        h = self.dropout(self.bn2(F.relu(self.conv2(h))))
        return self.transform(h)


class UNet(nn.Module):
    def __init__(self, in_channels=1, num_classes=10, time_emb_dim=32, **_):
        super().__init__()
        down_channels, up_channels = (16, 32, 64), (64, 32, 16)
        self.num_classes = num_classes
        self.time_mlp = nn.Sequential(
            SinusoidalPositionEmbeddings(time_emb_dim), nn.Linear(time_emb_dim, time_emb_dim), nn.ReLU()
        )
        self.class_emb = nn.Embedding(num_classes, time_emb_dim)
        self.conv0 = nn.Conv2d(in_channels, down_channels[0], 3, padding=1)
        self.downs = nn.ModuleList(
            Block(a, b, time_emb_dim) for a, b in zip(down_channels[:-1], down_channels[1:])
        )
        self.ups = nn.ModuleList(
            Block(a, b, time_emb_dim, up=True) for a, b in zip(up_channels[:-1], up_channels[1:])
        )
        self.unused = nn.Linear(64, 64)
        self.output = nn.Conv2d(up_channels[-1], in_channels, 1)

    def forward(self, x, time, labels):
        emb = self.time_mlp(time) + self.class_emb(labels)
        x = self.conv0(x)
        skips = []
        for down in self.downs:
            x = down(x, emb)
            skips.append(x)
        for up in self.ups:
            x = up(torch.cat((x, skips.pop()), dim=1), emb)
        return self.output(x)
"""

ATTENTION_UNET = '''

from einops import rearrange


class UNet(nn.Module):
    """Patches with attention in the middle; the class is one more channel; the last layer starts at zero."""

    def __init__(self, in_channels=1, num_classes=10, **_):
        super().__init__()
        torch.manual_seed(42)
        self.num_classes = num_classes
        self.class_emb = nn.Embedding(num_classes, 32 * 32)
        self.embed = SinusoidalPositionEmbeddings(64)
        self.film = nn.Linear(64, 64)
        self.down = nn.Conv2d(in_channels + 1, 64, 4, 4)
        self.norm = nn.GroupNorm(4, 64)
        self.attention = nn.MultiheadAttention(64, 4, batch_first=True)
        self.gate = nn.Parameter(torch.zeros(1))
        self.up = nn.ConvTranspose2d(64, 16, 4, 4)
        self.final = nn.Conv2d(16 + in_channels, in_channels, 3, padding=1)
        nn.init.zeros_(self.final.weight)
        nn.init.zeros_(self.final.bias)

    def forward(self, x, timestep, class_idx):
        plane = rearrange(self.class_emb(class_idx), "b (h w) -> b 1 h w", h=32)
        h = self.down(torch.cat([x, plane], dim=1))
        h = h + self.film(self.embed(timestep))[:, :, None, None]
        rows = rearrange(self.norm(h), "b c h w -> b (h w) c")
        rows = self.attention(rows, rows, rows, need_weights=False)[0]
        h = h + self.gate * rearrange(rows, "b (h w) c -> b c h w", h=8)
        return self.final(torch.cat([F.silu(self.up(h)), x], dim=1))
'''

VECTOR_VAE = '''

class VAE(nn.Module):
    """A vector for a latent; the encoder does not see the class; BatchNorm, Dropout."""

    def __init__(self, in_channels, height=32, width=32, mid_channels=(8, 16, 32), latent_dim=12, num_classes=10):
        super().__init__()
        self.in_channels, self.height, self.width = in_channels, height, width
        self.latent_dim, self.num_classes = latent_dim, num_classes
        halvings = 2 ** (len(mid_channels) - 1)
        self.mid_size = (mid_channels[-1], height // halvings, width // halvings)
        layers = [nn.Conv2d(in_channels, mid_channels[0], 3, padding=1)]
        for a, b in zip(mid_channels[:-1], mid_channels[1:]):
            layers += [nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(), nn.Dropout(0.1)]
        self.encoder = nn.Sequential(*layers, nn.Flatten())
        flat = math.prod(self.mid_size)
        self.mean_net, self.logvar_net = nn.Linear(flat, latent_dim), nn.Linear(flat, latent_dim)
        self.decoder_in = nn.Linear(latent_dim + num_classes, flat)
        layers = []
        for a, b in zip(mid_channels[:0:-1], mid_channels[-2::-1]):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU()]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(mid_channels[0], in_channels, 3, padding=1), nn.Sigmoid())

    def forward(self, x, label):
        features = self.encoder(x)
        mean, logvar = self.mean_net(features), self.logvar_net(features)
        sample = self.reparameterize(mean, logvar)
        return self.decode(sample, label), mean, logvar

    def reparameterize(self, mean, logvar):
        return torch.distributions.Normal(mean, torch.exp(logvar / 2)).rsample()

    @staticmethod
    def reconstruction_loss(pred, target):
        return F.binary_cross_entropy(pred, target, reduction="sum")

    @staticmethod
    def kl_loss(mean, logvar):
        mean, logvar = torch.flatten(mean, 1), torch.flatten(logvar, 1)
        return 0.5 * torch.sum(torch.exp(logvar) + mean**2 - 1 - logvar)

    @torch.no_grad()
    def generate_sample(self, num_samples, device=torch.device("cuda"), labels=None):
        if labels is not None:
            assert len(labels) == num_samples
            labels = labels.to(device)
        else:
            labels = torch.randint(0, self.num_classes, [num_samples], device=device)
        return self.decode(sample=torch.randn(num_samples, self.latent_dim).to(device), labels=labels)

    def decode(self, sample, labels):
        joined = torch.cat([sample, F.one_hot(labels, self.num_classes).to(sample.dtype)], dim=1)
        return self.decoder(self.decoder_in(joined).unflatten(1, self.mid_size))
'''

MAP_VAE = '''

class VAE(VAE):
    """One net for mean and log-variance; forward decodes without calling decode; noise and class joined as planes."""

    def __init__(self, in_channels=1, latent_dim=2, num_classes=10, **_):
        nn.Module.__init__(self)
        torch.manual_seed(0)
        self.latent_dim, self.num_classes, self.mid_size = latent_dim, num_classes, [16, 8, 8]
        self.plane = nn.Embedding(num_classes, 64)
        self.encoder = nn.Sequential(nn.Conv2d(1, 16, 4, 4), nn.SiLU(), nn.Conv2d(16, 2 * latent_dim, 1))
        self.layers = nn.Sequential(
            nn.Conv2d(latent_dim + 1, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, 16, 1), nn.PixelShuffle(4)
        )

    def forward(self, x, labels=None):
        mean, logvar = self.encoder(x).chunk(2, dim=1)
        return self._images(self.reparameterize(mean, logvar), labels), mean, logvar

    def reparameterize(self, mean, logvar):
        std = torch.exp(0.5 * logvar)
        return torch.normal(torch.zeros_like(std), 1.0).mul(std).add(mean)

    def _images(self, sample, labels):
        plane = self.plane(labels).view(-1, 1, 8, 8)
        return 0.5 * torch.tanh(self.layers(torch.cat([sample, plane], dim=1))) + 0.5

    def decode(self, sample, labels):
        return self._images(sample.view(-1, self.latent_dim, 8, 8), labels)
'''

ANY_RANK = {
    "return schedule.to(x.device)[time_step].view(-1, 1, 1, 1)  # (B, 1, 1, 1)": (
        "return schedule.to(x.device)[time_step].view(-1, *[1] * (x.dim() - 1))"
    ),
    "block: the step itself": (
        "def ancestral_step(schedule, noisy_sample, estimated_noise, timestep):\n"
        "    beta, alpha, bar = (\n"
        "        _at(item, timestep, noisy_sample) for item in (schedule.betas, schedule.alphas, schedule.alpha_bars)\n"
        "    )\n"
        "    mean = (noisy_sample - beta / (1 - bar).sqrt() * estimated_noise) / alpha.sqrt()\n"
        "    if timestep[0] == 0:\n"
        "        return mean\n"
        "    return mean + beta.sqrt() * torch.randn_like(mean)\n"
    ),
    "block: LDDPM.generate_sample": (
        "sample = torch.randn(num_samples, self.vae.latent_dim, device=device)\n"
        "for time_step in range(self.var_scheduler.num_steps - 1, -1, -1):\n"
        "    timestep = torch.full((num_samples,), time_step, device=device)\n"
        "    sample = self.recover_sample(sample, self.network(sample, timestep, labels), timestep)\n"
    ),
}

POSTERIOR = {
    "block: LDDPM.forward": (
        "t = torch.randint(self.var_scheduler.num_steps, (x.size(0),)).to(x.device)\n"
        "noise = torch.randn_like(x)\n"
        "bar = self.var_scheduler.alpha_bars[t][:, None, None, None]\n"
        "noisy = bar.sqrt() * x + (1 - bar).sqrt() * noise\n"
        "return F.l1_loss(self.network(noisy, t, label), noise)\n"
    ),
    "block: LDDPM.recover_sample": (
        "t, s = timestep, self.var_scheduler\n"
        "before = s.alpha_bars[t - 1] if t > 0 else torch.tensor(1.0)\n"
        "bar, beta, alpha = s.alpha_bars[t], s.betas[t], s.alphas[t]\n"
        "x0 = (noisy_sample - (1 - bar) ** 0.5 * estimated_noise) / bar**0.5\n"
        "mean = (before.sqrt() * beta * x0 + alpha.sqrt() * (1 - before) * noisy_sample) / (1 - bar)\n"
        "std = ((1 - before) / (1 - bar) * beta).sqrt()\n"
        "sample = mean + std * torch.randn_like(mean) if t > 0 else mean\n"
    ),
    "block: LDDPM.generate_sample": (
        "sample = torch.randn(num_samples, self.vae.latent_dim, *self.vae.mid_size[1:], device=device)\n"
        "for t in reversed(range(1000)):\n"
        "    timestep = torch.full((num_samples,), t, dtype=torch.long, device=device)\n"
        "    noise = self.network(x=sample, timestep=timestep, label=labels)\n"
        "    sample = self.recover_sample(sample, noise, t)\n"
    ),
}

STRIDES = {
    "block: LDDPM.recover_sample": (
        "bars, t, x = self.var_scheduler.alpha_bars, timestep, noisy_sample\n"
        "previous = t - getattr(self, 'stride', 1)\n"
        "bar = _at(bars, t, x)\n"
        "before = torch.where((previous < 0).view(-1, 1, 1, 1), torch.ones(()), _at(bars, previous.clamp(min=0), x))\n"
        "x0 = (x - (1 - bar).sqrt() * estimated_noise) / bar.sqrt()\n"
        "sample = before.sqrt() * x0 + (1 - before).sqrt() * estimated_noise\n"
    ),
    "block: LDDPM.generate_sample": (
        "self.stride = 20\n"
        "sample = torch.randn(num_samples, self.vae.latent_dim, *self.vae.mid_size[1:], device=device)\n"
        "for time_step in range(999, -1, -20):\n"
        "    timestep = torch.full((num_samples,), time_step, device=device)\n"
        "    sample = self.recover_sample(sample, self.network(sample, timestep, labels), timestep)\n"
        "self.stride = 1\n"
    ),
}

Variant = tuple[tuple[str, ...], dict[str, str]]
EMBEDDINGS, UNET, VAE, LDDPM = "models.SinusoidalPositionEmbeddings", "models.UNet", "models.VAE", "models.LDDPM"

VARIANTS: dict[str, Variant] = {
    "embeddings interleaved, half - 1": (
        (EMBEDDINGS, UNET),
        {
            EMBED: "half = self.dim // 2\n"
            "frequencies = torch.exp(torch.arange(half, device=time.device) * -(math.log(10000.0) / (half - 1)))\n"
            "angles = time.unsqueeze(1) * frequencies.unsqueeze(0)\n"
            "embeddings = torch.zeros(len(time), self.dim, device=time.device)\n"
            "embeddings[:, 0::2], embeddings[:, 1::2] = angles.sin(), angles.cos()\n"
        },
    ),
    "embeddings with cosines first and another base": (
        (EMBEDDINGS, UNET),
        {
            EMBED: "powers = torch.arange(0, self.dim, 2, device=time.device) / self.dim\n"
            "angles = torch.outer(time.double(), 1000.0 ** -powers)\n"
            "embeddings = torch.hstack([torch.cos(angles), torch.sin(angles)]).float()\n"
        },
    ),
    "embeddings of complex numbers": (
        (EMBEDDINGS,),
        {
            EMBED: "half = self.dim // 2\n"
            "angles = time[:, None] / 10000 ** (torch.arange(half) / half)\n"
            "embeddings = torch.view_as_real(torch.polar(torch.ones_like(angles), angles)).flatten(1)\n"
        },
    ),
    "U-Net of a tutorial: BatchNorm, Dropout, unused layers, other names": ((UNET,), {END: TUTORIAL_UNET}),
    "U-Net with attention, einops, the class as a channel, a last layer of zeros": ((UNET,), {END: ATTENTION_UNET}),
    "U-Net whose last layer starts at zero": (
        (UNET,),
        {
            "        self.head = nn.Conv2d(up_widths[-1], in_channels * patch**2, 3, padding=1)\n": (
                "        self.head = nn.Conv2d(up_widths[-1], in_channels * patch**2, 3, padding=1)\n"
                "        nn.init.zeros_(self.head.weight)\n"
                "        nn.init.zeros_(self.head.bias)\n"
            )
        },
    ),
    "U-Net whose blocks and classes start at zero": (
        (UNET,),
        {
            "        self.class_emb = nn.Embedding(num_classes, time_emb_dim)\n": (
                "        self.class_emb = nn.Embedding(num_classes, time_emb_dim)\n"
                "        nn.init.zeros_(self.class_emb.weight)\n"
            ),
            "        self.norm2 = nn.GroupNorm(8, out_channels)\n": (
                "        self.norm2 = nn.GroupNorm(8, out_channels)\n"
                "        nn.init.zeros_(self.norm2.weight)\n"
                "        nn.init.zeros_(self.scale_shift.weight)\n"
                "        nn.init.zeros_(self.scale_shift.bias)\n"
            ),
        },
    ),
    "VAE with vectors for latents, and diffusion of vectors": ((VAE, LDDPM), {END: VECTOR_VAE, **ANY_RANK}),
    "VAE with one net for both moments, decode not called by forward": ((VAE, LDDPM), {END: MAP_VAE}),
    "VAE whose output is clamped instead of squashed": (
        ("models.VAE.forward", "models.VAE.decode"),
        {
            "torch.sigmoid(self.head(_run(self.decoder, h, emb)))": (
                "(0.5 + self.head(_run(self.decoder, h, emb))).clamp(0, 1)"
            )
        },
    ),
    "VAE that draws samples with a loop": (
        ("models.VAE.reparameterize", "models.VAE.generate_sample"),
        {
            "block: VAE.reparameterize": (
                "rows = [m + s * torch.randn(m.shape) for m, s in zip(mean, logvar.mul(0.5).exp())]\n"
                "sample = torch.stack(rows)\n"
            ),
            "block: VAE.generate_sample": (
                "shape = (1, self.latent_dim, *self.mid_size[1:])\n"
                "out = torch.cat([self.decode(torch.randn(shape, device=device), label[None]) for label in labels])\n"
            ),
        },
    ),
    "latent DDPM with the posterior's variance, L1, times as numbers": ((LDDPM,), POSTERIOR),
    "latent DDIM in strides": ((LDDPM,), STRIDES),
    "latent DDPM with a clamp that is off unless asked for, times of one element": (
        (LDDPM,),
        {
            "block: LDDPM.generate_sample": (
                "sample = torch.randn((num_samples, self.vae.latent_dim, *self.vae.mid_size[1:])).to(device)\n"
                "for t in range(self.var_scheduler.num_steps - 1, -1, -1):\n"
                "    t = torch.tensor([t], device=device)\n"
                "    sample = self.recover_sample(sample, self.network(sample, t.repeat(num_samples), labels), t)\n"
                "    if clamp:\n"
                "        sample = sample.clamp(-1, 1)\n"
            ),
            "block: LDDPM.recover_sample": (
                "s = self.var_scheduler\n"
                "mean = noisy_sample - s.betas[timestep] / torch.sqrt(1 - s.alpha_bars[timestep]) * estimated_noise\n"
                "sample = mean / torch.sqrt(s.alphas[timestep])\n"
                "if timestep.item() > 0:\n"
                "    sample += torch.sqrt(s.betas[timestep]) * torch.randn_like(sample)\n"
            ),
        },
    ),
    "another schedule, used alike everywhere": (
        (LDDPM,),
        {
            "block: betas of the quadratic schedule": (
                "self.betas = torch.linspace(beta_start, 0.8 * beta_end, num_steps, dtype=torch.float64)\n"
            )
        },
    ),
    "a seed when the file is imported and when the VAE is made": (
        (VAE, LDDPM),
        {
            END: "torch.manual_seed(42)\n\n_init = VAE.__init__\n\n\ndef _seeded(self, *args, **kwargs):\n"
            "    torch.manual_seed(7)\n    _init(self, *args, **kwargs)\n\n\nVAE.__init__ = _seeded\n"
        },
    ),
}

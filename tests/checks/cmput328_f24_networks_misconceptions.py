"""Misconceptions about networks, VAE and latent diffusion, as students may write them into cmput328_f24.

`PLANTED` maps a unit to rows: some words of the message, and the edits of the master that bring it out. The key of an
edit is a text that stands in the master once, or `block: LABEL`, the solution that is labelled so.
"""

ANGLES = (
    "half = self.dim // 2\n"
    "frequencies = torch.exp(-math.log(10000) * torch.arange(half) / half)\n"
    "angles = time[:, None].float() * frequencies\n"
)
BOTH = "embeddings = torch.cat([angles.sin(), angles.cos()], dim=1)\n"
EMBED = "block: SinusoidalPositionEmbeddings.forward"
TIME = "emb = self.time_mlp(timestep)  # (B, time_emb_dim)"
LABEL = "emb = emb + self.class_emb(label)"
STEM = "self.stem(F.pixel_unshuffle(x, self.patch))"
HEAD = "out = F.pixel_shuffle(self.head(F.silu(self.norm(h))), self.patch)  # (B, C, H, W)"
GIVEN_SAMPLE = "        sample = self.reparameterize(mean, logvar)\n        out = self.decode(sample, label)\n"
GIVEN_END = "        return out, mean, logvar\n"
KL = "0.5 * (logvar.exp() + mean**2 - 1 - logvar).sum()"
BCE = 'F.binary_cross_entropy(pred, target, reduction="sum")'
REPARAMETERIZE = "block: VAE.reparameterize"
STD, NOISE = "std = (0.5 * logvar).exp()\n", "noise = torch.randn_like(mean)\n"
DECODE = "block: VAE.decode"
DECODED = "emb = self.class_emb({labels})\nh = self.spread({sample}.flatten(1)).view(-1, *self.mid_size)\nout = {end}\n"
LOGITS = "self.head(_run(self.decoder, h, emb))"
GENERATE = "block: VAE.generate_sample"
LATENTS = "noise = torch.randn(num_samples, self.latent_dim, *self.mid_size[1:], device=device)\n"
LDDPM_LOSS = "block: LDDPM.forward"
TIMES = "time_step = torch.randint(0, self.var_scheduler.num_steps, (len(x),), device=x.device)\n"
NOISED = "noisy_input, noise = self.var_scheduler.add_noise(x, time_step)\n"
ESTIMATED = "estimated_noise = self.network(noisy_input, time_step, label)\n"
STEP = "block: LDDPM.recover_sample"
SCHEDULE = (
    "s, t = self.var_scheduler, timestep\n"
    "beta, alpha, bar = (_at(item, t, noisy_sample) for item in (s.betas, s.alphas, s.alpha_bars))\n"
    "mean = (noisy_sample - beta / (1 - bar).sqrt() * estimated_noise) / alpha.sqrt()\n"
    "noise = torch.randn_like(mean) * (timestep > 0).view(-1, 1, 1, 1)\n"
)
LOOP = "block: LDDPM.generate_sample"
LOOPED = (
    "sample = {start}(num_samples, self.vae.latent_dim, *self.vae.mid_size[1:], device=device)\n"
    "for time_step in {times}:\n"
    "    timestep = torch.full((num_samples,), time_step, device=device)\n"
    "    estimated_noise = self.network(sample, {at}, {labels})\n"
    "    sample = self.recover_sample(sample, estimated_noise, timestep){after}\n"
)
RIGHT_LOOP = {
    "start": "torch.randn",
    "times": "reversed(range(self.var_scheduler.num_steps))",
    "at": "timestep",
    "labels": "labels",
    "after": "",
}
TAIL = "        sample = self.vae.decode(sample, labels)\n        return sample\n"


def looped(**changes: str) -> str:
    """The loop of `LDDPM.generate_sample` with some of its parts changed."""
    return LOOPED.format(**{**RIGHT_LOOP, **changes})


def decoded(labels: str = "labels", sample: str = "sample", end: str = f"torch.sigmoid({LOGITS})") -> str:
    """The body of `VAE.decode` with some of its parts changed."""
    return DECODED.format(labels=labels, sample=sample, end=end)


Row = tuple[str, dict[str, str]]

PLANTED: dict[str, list[Row]] = {
    "models.SinusoidalPositionEmbeddings": [
        ("half of the values are sines", {EMBED: ANGLES + "embeddings = torch.cat([angles.sin()] * 2, dim=1)"}),
        (
            "half of the values are sines",
            {EMBED: ANGLES + "embeddings = torch.cat([angles.sin(), (angles / 2).cos()], dim=1)"},
        ),
        (
            "the frequencies are spaced geometrically",
            {EMBED: ANGLES.replace("torch.arange(half)", "torch.ones(half)") + BOTH},
        ),
        (
            "the frequencies are spaced geometrically",
            {EMBED: ANGLES.replace("[:, None].float() *", "[:, None].float() +") + BOTH},
        ),
        ("look at the sign and the base", {EMBED: ANGLES.replace("-math.log", "math.log") + BOTH}),
        ("look at the sign and the base", {EMBED: ANGLES.replace("10000", "2") + BOTH}),
        ("the fastest angle is about the time itself", {EMBED: ANGLES.replace("float()", "float() / 1000") + BOTH}),
        ("values from -1 to 1", {EMBED: ANGLES + "embeddings = torch.cat([angles, angles.cos()], dim=1)"}),
        (
            "rows that depend on their own time alone",
            {EMBED: ANGLES + "angles = angles[:1].expand_as(angles)\n" + BOTH},
        ),
        ("time and frequencies are multiplied", {EMBED: ANGLES.replace("float() *", "float() ** 1.5 *") + BOTH}),
        ("has the shape (7, 32)", {EMBED: ANGLES + "embeddings = angles.sin()"}),
        ("an embedding that depends on the time", {EMBED: ANGLES + "angles = 0 * angles\n" + BOTH}),
        ("placeholder", {EMBED: "embeddings = ..."}),
        ("not implemented yet", {EMBED: "raise NotImplementedError"}),
    ],
    "models.UNet": [
        ("ignores the time", {TIME: "emb = self.time_mlp(torch.zeros_like(timestep))"}),
        ("ignores the class", {LABEL: "emb = emb + self.class_emb(torch.zeros_like(label))"}),
        ("ignores the class", {LABEL: "self.class_emb(label)"}),
        ("ignores the image", {STEM: "self.stem(F.pixel_unshuffle(torch.zeros_like(x), self.patch))"}),
        ("changes with the classes of the others", {LABEL: "emb = emb + self.class_emb(label[:1])"}),
        ("changes with the times of the others", {TIME: "emb = self.time_mlp(timestep).mean(0, keepdim=True)"}),
        ("changes with the images of the others", {HEAD: HEAD + "\n        out = out - out.mean(0)"}),
        (
            "changes with the images of the others",
            {"torch.cat([h, skips.pop()], dim=1)": "torch.cat([h, skips.pop().roll(1, 0)], dim=1)"},
        ),
        ("has the shape (4, 1, 32, 32)", {HEAD: HEAD + "\n        out = F.avg_pool2d(out, 2)"}),
        ("has the shape (4, 1, 32, 32)", {HEAD: HEAD + "\n        out = out.squeeze()"}),
        ("an output without gradients", {HEAD: HEAD + "\n        out = out.detach()"}),
        ("of the weights never get a gradient", {HEAD: HEAD.replace("self.norm(h)", "self.norm(h.detach())")}),
        (
            "an attribute num_classes",
            {
                "self.num_classes = num_classes\n\n        # BEGIN SOLUTION 1.2": (
                    "self.num_classes = None\n        # BEGIN SOLUTION 1.2"
                )
            },
        ),
        ("is finite", {HEAD: HEAD + "\n        out = out / (out - out)"}),
        ("ellipsis", {"block: embeddings of time and class": "self.time_mlp = ...\nself.class_emb = ..."}),
        ("placeholder", {"block: UNet.forward": "out = ..."}),
        ("not implemented yet", {"block: UNet.forward": "raise NotImplementedError"}),
    ],
    "models.VAE": [
        (
            "an attribute num_classes, an integer of 10",
            {
                "        self.latent_dim = latent_dim\n        self.num_classes = num_classes\n": (
                    "        self.latent_dim = latent_dim\n        self.num_classes = 2\n"
                )
            },
        ),
        (
            "an attribute latent_dim",
            {"        self.latent_dim = latent_dim\n": "        self.latent_dim = [latent_dim]\n"},
        ),
        ("summed", {KL: KL.replace(".sum()", ".mean()")}),
        ("summed", {KL: KL.replace(".sum()", ".flatten(1).sum(1).mean()")}),
        ("the sign of the loss is wrong", {KL: "-" + KL}),
        ("a factor is missing", {KL: KL.removeprefix("0.5 * ")}),
        ("summed", {BCE: "F.binary_cross_entropy(pred, target)"}),
        ("the right values for reconstruction_loss", {BCE: 'F.mse_loss(pred, target, reduction="sum")'}),
    ],
    "models.VAE.forward": [
        ("decode a sample of the latent, not its mean", {GIVEN_SAMPLE: "        out = self.decode(mean, label)\n"}),
        ("returns three tensors", {GIVEN_END: "        return out, mean\n"}),
        ("the image that forward returns has the shape", {GIVEN_END: "        return mean, logvar, out\n"}),
        (
            "pass label on to decode",
            {GIVEN_SAMPLE: GIVEN_SAMPLE.replace("(sample, label)", "(sample, torch.zeros_like(label))")},
        ),
        (
            "gradients of the image reach the encoder",
            {GIVEN_SAMPLE: GIVEN_SAMPLE.replace("(sample, label)", "(sample.detach(), label)")},
        ),
        (
            "gradients of the image reach the layers of the log-variance",
            {GIVEN_SAMPLE: GIVEN_SAMPLE.replace("self.reparameterize(mean, logvar)", "mean + torch.randn_like(mean)")},
        ),
        (
            "sample = self.reparameterize(mean, logvar)",
            {
                GIVEN_SAMPLE: GIVEN_SAMPLE.replace(
                    "self.reparameterize(mean, logvar)", "self.reparameterize(mean, logvar + 1)"
                )
            },
        ),
        (
            "another image each call".replace("another image each call", "without noise"),
            {GIVEN_END: "        return out, sample, logvar\n"},
        ),
        ("an image alone and in a batch", {GIVEN_SAMPLE: "        mean = mean - mean.mean(0)\n" + GIVEN_SAMPLE}),
        (
            "a mean that depends on the image",
            {"_run(self.encoder, self.stem(x), emb)": "_run(self.encoder, self.stem(0 * x), emb)"},
        ),
        ("mean and log-variance have the same shape", {GIVEN_END: "        return out, mean, logvar.flatten(1)\n"}),
        ("placeholder", {GIVEN_END: "        out = ...\n" + GIVEN_END}),
        ("ellipsis", {"block: mean and log-variance": "self.mean_net = ...\nself.logvar_net = ..."}),
        ("not implemented yet", {"block: VAE.forward": "raise NotImplementedError"}),
    ],
    "models.VAE.decode": [
        ("end the decoder with a sigmoid", {DECODE: decoded(end=LOGITS)}),
        ("end the decoder with a sigmoid", {DECODE: decoded(end=f"torch.tanh({LOGITS})")}),
        ("end the decoder with a sigmoid", {DECODE: decoded(end=f"F.relu({LOGITS})")}),
        ("an image that ignores the class", {DECODE: decoded(labels="torch.zeros_like(labels)")}),
        ("an image that ignores the latent", {DECODE: decoded(sample="torch.zeros_like(sample)")}),
        ("noise belongs into reparameterize", {DECODE: decoded(sample="(sample + torch.randn_like(sample))")}),
        ("a latent alone and in a batch", {DECODE: decoded(sample="(sample - sample.mean(0))")}),
        ("a latent alone and in a batch", {DECODE: decoded(labels="labels[:1].expand_as(labels)")}),
        ("has the shape (3, 1, 32, 32)", {DECODE: decoded(end=f"F.avg_pool2d(torch.sigmoid({LOGITS}), 2)")}),
        (
            "it joins the two itself",
            {
                DECODE: "h = self.spread(sample.flatten(1)[:, : -self.class_emb.embedding_dim])\n"
                "emb = sample.flatten(1)[:, -self.class_emb.embedding_dim :]\n"
                "h = h.view(-1, *self.mid_size)\n"
                f"out = torch.sigmoid({LOGITS})",
                "self.decode(sample, label)": (
                    "self.decode(torch.cat([sample.flatten(1), self.class_emb(label)], 1), label)"
                ),
            },
        ),
        ("placeholder", {DECODE: "out = ..."}),
        ("not implemented yet", {DECODE: "raise NotImplementedError"}),
    ],
    "models.VAE.reparameterize": [
        (
            "the variance instead of the standard deviation",
            {REPARAMETERIZE: NOISE + "sample = mean + logvar.exp() * noise"},
        ),
        ("multiplied by logvar itself", {REPARAMETERIZE: NOISE + "sample = mean + logvar * noise"}),
        ("no noise is added", {REPARAMETERIZE: "sample = mean + 0 * logvar"}),
        ("uniform on [0, 1)", {REPARAMETERIZE: STD + "sample = mean + std * torch.rand_like(mean)"}),
        ("uniform on [-1, 1)", {REPARAMETERIZE: STD + "sample = mean + std * (2 * torch.rand_like(mean) - 1)"}),
        ("the noise is not scaled", {REPARAMETERIZE: NOISE + "sample = mean + noise + 0 * logvar"}),
        ("the sign of logvar", {REPARAMETERIZE: NOISE + "sample = mean + (-0.5 * logvar).exp() * noise"}),
        ("the square root is taken twice", {REPARAMETERIZE: STD + NOISE + "sample = mean + std.sqrt() * noise"}),
        ("the factor 1/2 stands outside", {REPARAMETERIZE: NOISE + "sample = mean + 0.5 * logvar.exp() * noise"}),
        ("the mean is not added", {REPARAMETERIZE: STD + NOISE + "sample = std * noise + 0 * mean"}),
        ("the noise is multiplied by the mean", {REPARAMETERIZE: STD + NOISE + "sample = std + mean * noise"}),
        (
            "changed places",
            {REPARAMETERIZE: NOISE + "sample = logvar + (0.5 * mean).exp() * noise"},
        ),
        ("the same noise for all of them", {REPARAMETERIZE: STD + "sample = mean + std * torch.randn_like(mean[:1])"}),
        (
            "one number for the whole latent",
            {REPARAMETERIZE: STD + "sample = mean + std * torch.randn(len(mean), *[1] * (mean.dim() - 1))"},
        ),
        (
            "fresh noise at every call",
            {REPARAMETERIZE: "torch.manual_seed(0)\n" + STD + NOISE + "sample = mean + std * noise"},
        ),
        ("rsample() keeps them", {REPARAMETERIZE: STD + "sample = torch.distributions.Normal(mean, std).sample()"}),
        ("gradients that reach logvar", {REPARAMETERIZE: STD + NOISE + "sample = mean + std.detach() * noise"}),
        ("gradients that reach mean", {REPARAMETERIZE: STD + NOISE + "sample = mean.detach() + std * noise"}),
        ("placeholder", {REPARAMETERIZE: "sample = ..."}),
        ("not implemented yet", {REPARAMETERIZE: "raise NotImplementedError"}),
    ],
    "models.VAE.generate_sample": [
        ("decode gets other labels", {GENERATE: LATENTS + "out = self.decode(noise, torch.zeros_like(labels))"}),
        ("decode gets other labels", {GENERATE: LATENTS + "out = self.decode(noise, labels.sort().values)"}),
        ("uniform on [0, 1)", {GENERATE: LATENTS.replace("randn", "rand") + "out = self.decode(noise, labels)"}),
        ("the same latent for all", {GENERATE: LATENTS + "out = self.decode(noise[:1].expand_as(noise), labels)"}),
        ("the same latents again", {GENERATE: "torch.manual_seed(1)\n" + LATENTS + "out = self.decode(noise, labels)"}),
        ("return what decode returns", {GENERATE: LATENTS + "out = 2 * self.decode(noise, labels) - 1"}),
        ("the right values", {GENERATE: LATENTS + "out = self.decode(noise, labels).flip(0)"}),
        (
            "the standard deviation of many samples",
            {GENERATE: LATENTS + "out = self.decode(0.5 * noise, labels)"},
        ),
        ("decode gets latents of the shape", {GENERATE: LATENTS + "out = self.decode(noise[:, :1], labels)"}),
        (
            "decode is never called",
            {GENERATE: "out = torch.rand(num_samples, self.in_channels, self.height, self.width)"},
        ),
        (
            "classes among 400 samples",
            {
                "            labels = torch.randint(0, self.num_classes, (num_samples,), device=device)\n": (
                    "            labels = torch.zeros(num_samples, dtype=torch.long, device=device)\n"
                )
            },
        ),
        ("placeholder", {GENERATE: "out = ..."}),
        ("not implemented yet", {GENERATE: "raise NotImplementedError"}),
    ],
    "models.LDDPM.forward": [
        (
            "x is a latent already",
            {LDDPM_LOSS: "_, x, _ = self.vae(x, label)\n" + TIMES + NOISED + ESTIMATED},
        ),
        (
            "one time for the whole batch",
            {
                LDDPM_LOSS: TIMES.replace("(len(x),)", "(1,)")
                + "time_step = time_step.expand(len(x))\n"
                + NOISED
                + ESTIMATED
            },
        ),
        ("times are counted from 0 here", {LDDPM_LOSS: TIMES.replace("(0,", "(1,") + NOISED + ESTIMATED}),
        (
            "the upper end of torch.randint",
            {LDDPM_LOSS: TIMES.replace("num_steps,", "num_steps - 1,") + NOISED + ESTIMATED},
        ),
        ("the network gets the labels", {LDDPM_LOSS: TIMES + NOISED + ESTIMATED.replace(", label)", ", None)")}),
        (
            "compared with the image instead of the noise",
            {LDDPM_LOSS: TIMES + NOISED + ESTIMATED + "noise = x\n"},
        ),
        (
            "the network sees the clean images",
            {LDDPM_LOSS: TIMES + NOISED + ESTIMATED.replace("noisy_input", "x")},
        ),
        (
            "a loss without a gradient",
            {LDDPM_LOSS: TIMES + NOISED + ESTIMATED + "estimated_noise = estimated_noise.detach()"},
        ),
        ("keep self.vae.requires_grad_(False)", {"        self.vae.requires_grad_(False)\n": ""}),
        ("placeholder", {LDDPM_LOSS: "return ..."}),
        ("Ellipsis".lower(), {LDDPM_LOSS: "estimated_noise, noise = ..."}),
        ("not implemented yet", {LDDPM_LOSS: "raise NotImplementedError"}),
    ],
    "models.LDDPM.recover_sample": [
        (
            "the last step, t = 0, adds no noise",
            {STEP: SCHEDULE + "sample = mean + beta.sqrt() * torch.randn_like(mean)"},
        ),
        ("no noise is added", {STEP: SCHEDULE + "sample = mean"}),
        ("variance instead of the standard deviation", {STEP: SCHEDULE + "sample = mean + beta * noise"}),
        ("clamped", {STEP: SCHEDULE + "sample = (mean + beta.sqrt() * noise).clamp(-1, 1)"}),
        (
            "1 / sqrt(alpha_t) is missing",
            {STEP: SCHEDULE + "sample = mean * alpha.sqrt() + beta.sqrt() * noise"},
        ),
        ("the noise is not scaled", {STEP: SCHEDULE + "sample = mean + noise"}),
        (
            "the noise is added instead of subtracted",
            {
                STEP: SCHEDULE.replace("noisy_sample - beta", "noisy_sample + beta")
                + "sample = mean + beta.sqrt() * noise"
            },
        ),
        (
            "without the square root",
            {STEP: SCHEDULE.replace("(1 - bar).sqrt()", "(1 - bar)") + "sample = mean + beta.sqrt() * noise"},
        ),
        (
            "no noise is added",
            {STEP: SCHEDULE.replace("timestep > 0", "timestep > 1") + "sample = mean + beta.sqrt() * noise"},
        ),
        ("placeholder", {STEP: "sample = ..."}),
        ("not implemented yet", {STEP: "raise NotImplementedError"}),
    ],
    "models.LDDPM.generate_sample": [
        ("the last step, t = 0, is missing", {LOOP: looped(times="range(self.var_scheduler.num_steps - 1, 0, -1)")}),
        ("the loop runs forward in time", {LOOP: looped(times="range(self.var_scheduler.num_steps)")}),
        ("x_t is clamped in every step", {LOOP: looped(after=".clamp(-1, 1)")}),
        ("the network gets the labels", {LOOP: looped(labels="None")}),
        ("the network gets the labels", {LOOP: looped(labels="torch.zeros_like(labels)")}),
        ("decode gets the labels", {TAIL: TAIL.replace("labels)", "torch.zeros_like(labels))")}),
        ("rand instead of randn", {LOOP: looped(start="torch.rand")}),
        ("standard normal noise", {LOOP: looped().replace("\nfor", "\nsample = 0.5 * sample\nfor")}),
        ("samples that share their noise", {LOOP: looped(start="torch.zeros")}),
        (
            "as forward's mean",
            {LOOP: looped().replace("self.vae.latent_dim, *self.vae.mid_size[1:]", "1, 32, 32")},
        ),
        (
            "need not be generated one by one",
            {
                LOOP: "rows = []\n"
                "for label in labels:\n"
                "    sample = torch.randn(1, self.vae.latent_dim, *self.vae.mid_size[1:], device=device)\n"
                "    for time_step in reversed(range(self.var_scheduler.num_steps)):\n"
                "        timestep = torch.full((1,), time_step, device=device)\n"
                "        estimated_noise = self.network(sample, timestep, label[None])\n"
                "        sample = self.recover_sample(sample, estimated_noise, timestep)\n"
                "    rows.append(sample)\n"
                "sample = torch.cat(rows)"
            },
        ),
        ("0 calls of decode", {TAIL: "        return sample\n"}),
        ("mapped to another range", {TAIL: TAIL.replace("return sample", "return 2 * sample - 1")}),
        (
            "adds too much".replace("adds too much", "too much noise in x_t"),
            {LOOP: looped(after=" + 0.1 * torch.randn_like(sample)")},
        ),
        ("nothing is scaled or clamped", {TAIL: TAIL.replace("decode(sample,", "decode(0.5 * sample,")}),
        ("the same noise twice", {LOOP: "torch.manual_seed(0)\n" + looped()}),
        (
            "samples that share their noise",
            {LOOP: looped().replace("\nfor", "\nsample = sample[:1].repeat(num_samples, 1, 1, 1)\nfor")},
        ),
        (
            "other classes",
            {"torch.randint(0, self.vae.num_classes, (num_samples,)": "torch.randint(0, 3, (num_samples,)"},
        ),
        ("times of the loop".replace("times of the loop", "sequence of times t"), {LOOP: looped(at="timestep + 1")}),
        ("placeholder", {LOOP: "return ..."}),
        ("ellipsis", {LOOP: "sample = ..."}),
        ("not implemented yet", {LOOP: "raise NotImplementedError"}),
    ],
}

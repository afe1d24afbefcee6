"""Misconceptions about the VAE of the house numbers, as students may write them.

`PLANTED` maps a unit to rows: some words of the message, and the edits of the master that bring it out. The key of an
edit is a text that stands in the master once, or `block: LABEL`, the solution that is labelled so.
"""

GAUSSIAN = "DiagonalGaussianDistribution"
SAMPLE = f"block: {GAUSSIAN}.sample"
KL = f"block: {GAUSSIAN}.kl"
NLL = f"block: {GAUSSIAN}.nll"
MODE = f"block: {GAUSSIAN}.mode"
ENCODE, DECODE, DRAWN = "block: VAE.encode", "block: VAE.decode", "block: VAE.sample"
WEIGHT, MEAN = "block: VAE.log_likelihood weight", "block: VAE.log_likelihood mean"
FORWARD, LINE = "block: VAE.forward", "block: interpolate"
RETURNED = "        return recon.mode(), recon.nll(x), posterior.kl()\n"
IMAGES_OUT = "    return model.decode(z).mode()\n"
MODE_OUT = "samples = self.decode(z).mode()\n"

Row = tuple[str, dict[str, str]]


def _sample(value: str) -> dict[str, str]:
    return {SAMPLE: f"sample = {value}"}


def _kl(terms: str, end: str = ".sum(dim=1)") -> dict[str, str]:
    return {KL: f"kl = ({terms}){end}"}


def _nll(
    constant: str = "math.log(2 * math.pi)",
    logvar: str = "self.logvar",
    square: str = "(sample - self.mean) ** 2 / self.var",
    end: str = "0.5 * terms.sum(dim=dims)",
) -> dict[str, str]:
    return {NLL: f"terms = {constant} + {logvar} + {square}\nnll = {end}"}


def _encoded(mean: str = "self.mean(h)", logvar: str = "self.logvar(h)", h: str = "self.encoder(x)") -> dict[str, str]:
    return {ENCODE: f"h = {h}\nposterior = {GAUSSIAN}({mean}, {logvar})"}


def _decoded(arguments: str) -> dict[str, str]:
    return {DECODE: f"likelihood = {GAUSSIAN}({arguments})"}


def _drawn(z: str, end: str = MODE_OUT) -> dict[str, str]:
    return {DRAWN: f"z = {z}\n{end}"}


def _weight(terms: str, z: str = "posterior.sample()") -> dict[str, str]:
    """The weight in the words q, p and r, the three negative log-densities."""
    return {
        WEIGHT: f"z = {z}\nrecon = self.decode(z)\n"
        "q, p, r = posterior.nll(z, dims=[1]), prior.nll(z, dims=[1]), recon.nll(x)\n"
        f"log_likelihood[:, i] = {terms}"
    }


def _passed(z: str, recon: str = "self.decode(latent_z)") -> dict[str, str]:
    return {FORWARD: f"posterior = self.encode(x)\nlatent_z = {z}\nrecon = {recon}"}


NOISE = "torch.randn_like(self.mean)"
PRIOR_Z = "torch.randn(batch_size, self.z_dim, device=self.device)"

PLANTED: dict[str, list[Row]] = {
    f"vae.{GAUSSIAN}.sample": [
        ("by the variance instead of the standard deviation", _sample(f"self.mean + self.var * {NOISE}")),
        ("by the variance instead of the standard deviation", _sample(f"self.mean + self.logvar.exp() * {NOISE}")),
        ("the noise is multiplied by logvar itself", _sample(f"self.mean + self.logvar * {NOISE}")),
        ("the noise is not scaled", _sample(f"self.mean + {NOISE}")),
        ("the mean is not added", _sample(f"self.std * {NOISE}")),
        ("no noise is added", _sample("self.mean")),
        ("without noise", _sample("self.mean + self.std")),
        ("uniform on [0, 1)", _sample("self.mean + self.std * torch.rand_like(self.mean)")),
        ("the sum of mean and noise is scaled", _sample(f"(self.mean + {NOISE}) * self.std")),
        ("the exponential is taken twice", _sample(f"self.mean + torch.exp(self.std) * {NOISE}")),
        ("share their noise", _sample("self.mean + self.std * torch.randn(self.mean.shape[1:])")),
        ("noise of its own for every number", _sample("self.mean + self.std * torch.randn(len(self.mean), 1)")),
        ("the same sample again", _sample(f"(torch.manual_seed(0), self.mean + self.std * {NOISE})[1]")),
        ("gradients that reach mean", _sample("torch.normal(self.mean, self.std)")),
        ("a result without gradients", _sample("torch.distributions.Normal(self.mean, self.std).sample()")),
        ("gradients that reach logvar", _sample(f"self.mean + self.std.detach() * {NOISE}")),
        ("changed in place", {SAMPLE: f"sample = self.mean.data.add_(self.std.data * {NOISE})"}),
        ("not implemented yet", {SAMPLE: "raise NotImplementedError"}),
    ],
    f"vae.{GAUSSIAN}.kl": [
        ("the factor 1/2 is missing", _kl("self.mean**2 + self.var - 1 - self.logvar")),
        ("the sign of the result is wrong", _kl("-0.5 * (self.mean**2 + self.var - 1 - self.logvar)")),
        ("the sum runs over the batch", _kl("0.5 * (self.mean**2 + self.var - 1 - self.logvar)", ".sum(dim=0)")),
        ("has the shape (5,)", _kl("0.5 * (self.mean**2 + self.var - 1 - self.logvar)", "")),
        (
            "it looks as if the sum runs over the batch",
            _kl("0.5 * (self.mean**2 + self.var - 1 - self.logvar)", ".sum()"),
        ),
        ("averaged over the dimensions", _kl("0.5 * (self.mean**2 + self.var - 1 - self.logvar)", ".mean(dim=1)")),
        ("the -1 (one for every dimension) is missing", _kl("0.5 * (self.mean**2 + self.var - self.logvar)")),
        ("once instead of once per dimension", _kl("0.5 * (self.mean**2 + self.var - self.logvar)", ".sum(1) - 0.5")),
        ("the mean is not squared", _kl("0.5 * (self.mean + self.var - 1 - self.logvar)")),
        ("the squared mean is missing", _kl("0.5 * (self.var - 1 - self.logvar)")),
        ("the logarithm of the variance has the wrong sign", _kl("0.5 * (self.mean**2 + self.var - 1 + self.logvar)")),
        ("the logarithm of the variance is missing", _kl("0.5 * (self.mean**2 + self.var - 1)")),
        ("the standard deviation stands in the place", _kl("0.5 * (self.mean**2 + self.std - 1 - self.logvar)")),
        ("the logarithm of the standard deviation", _kl("0.5 * (self.mean**2 + self.var - 1 - self.std.log())")),
        ("the variance is squared", _kl("0.5 * (self.mean**2 + self.var**2 - 1 - self.logvar)")),
        ("have changed places", _kl("0.5 * ((1 + self.mean**2) / self.var - 1 + self.logvar)")),
        ("a result without gradients", _kl("0.5 * (self.mean**2 + self.var - 1 - self.logvar).detach()")),
        ("gradients that reach logvar", _kl("0.5 * (self.mean**2 + (self.var - 1 - self.logvar).detach())")),
        ("has the shape (1,)", _kl("0.5 * (self.mean**2 + self.var - 1 - self.logvar)", ".sum(dim=1).squeeze()")),
        ("not implemented yet", {KL: "raise NotImplementedError"}),
    ],
    f"vae.{GAUSSIAN}.nll": [
        ("the constant with 2 pi is missing", _nll(constant="0")),
        ("once instead of once per dimension", _nll("0", end="0.5 * (terms.sum(dim=dims) + math.log(2 * math.pi))")),
        ("in front of log 2 pi", _nll(constant="2 * math.log(2 * math.pi)")),
        ("the constant with 2 pi has the wrong sign", _nll(constant="-math.log(2 * math.pi)")),
        ("the factor 1/2 is missing", _nll(end="terms.sum(dim=dims)")),
        ("the term with logvar is missing", _nll(logvar="0")),
        ("the terms with logvar and with 2 pi are missing", _nll(constant="0", logvar="0")),
        ("in front of logvar", _nll(logvar="2 * self.logvar")),
        ("logvar has the wrong sign", _nll(logvar="-self.logvar")),
        ("the variance itself is added", _nll(logvar="self.var")),
        ("is not divided by the variance", _nll(square="(sample - self.mean) ** 2")),
        ("the variance is taken for 1", _nll("0", "0", "(sample - self.mean) ** 2")),
        ("divided by the standard deviation", _nll(square="(sample - self.mean) ** 2 / self.std")),
        ("multiplied by the variance", _nll(square="(sample - self.mean) ** 2 * self.var")),
        ("divided by the variance twice", _nll(square="((sample - self.mean) / self.var) ** 2")),
        ("in front of the squared distance", _nll(square="2 * (sample - self.mean) ** 2 / self.var")),
        ("the right values", _nll(square="(sample - self.mean) / self.var")),
        ("nll is minus the log-density", _nll(end="-0.5 * terms.sum(dim=dims)")),
        ("averaged over the dimensions", _nll(end="0.5 * terms.mean(dim=dims)")),
        ("the sum runs over the batch", _nll(end="0.5 * terms.sum()")),
        ("an axis that should be summed", _nll(end="0.5 * terms.sum(dim=1)")),
        ("it looks as if dims is ignored", _nll(end="0.5 * terms.flatten(1).sum(dim=1)")),
        ("a result without gradients", _nll(end="0.5 * terms.sum(dim=dims).detach()")),
        ("gradients that reach mean", _nll(square="(sample - self.mean.detach()) ** 2 / self.var")),
        ("not implemented yet", {NLL: "raise NotImplementedError"}),
    ],
    f"vae.{GAUSSIAN}.mode": [
        ("a sample is returned, with noise", {MODE: f"mode = self.mean + self.std * {NOISE}"}),
        ("a sample is returned, with noise", {MODE: "mode = self.sample()"}),
        ("the standard deviation is added", {MODE: "mode = self.mean + self.std"}),
        ("the height of the density", {MODE: "mode = 1 / (self.std * math.sqrt(2 * math.pi))"}),
        ("over the dimensions or over the batch", {MODE: "mode = self.mean.mean(dim=0)"}),
        ("over the dimensions or over the batch", {MODE: "mode = self.mean.mean()"}),
        ("integer division or .long()", {MODE: "mode = self.mean.long()"}),
        ("is a float tensor", {MODE: "mode = torch.mode(self.mean, dim=1)"}),
        ("the right values for the mode", {MODE: "mode = torch.tanh(self.mean)"}),
        ("a function without a return statement", {"        return mode\n": "        mode\n"}),
        ("not implemented yet", {MODE: "raise NotImplementedError"}),
    ],
    "vae.VAE.encode": [
        ("self.mean and self.logvar have changed places", _encoded("self.logvar(h)", "self.mean(h)")),
        ("all variances are 1", {ENCODE: f"h = self.encoder(x)\nposterior = {GAUSSIAN}(self.mean(h))"}),
        ("the mean stands in the place of the log-variance", _encoded(logvar="self.mean(h)")),
        ("instead of its logarithm", _encoded(logvar="self.logvar(h).exp()")),
        ("instead of its logarithm", _encoded(logvar="(0.5 * self.logvar(h)).exp()")),
        ("instead of its logarithm", _encoded(logvar="nn.functional.softplus(self.logvar(h))")),
        ("halved or doubled", _encoded(logvar="2 * self.logvar(h)")),
        ("a function is applied to the mean", _encoded(mean="torch.tanh(self.mean(h))")),
        ("a tensor", {ENCODE: "posterior = self.encoder(x)"}),
        ("a tuple of length 2", {ENCODE: "h = self.encoder(x)\nposterior = self.mean(h), self.logvar(h)"}),
        ("a tensor", {ENCODE: f"h = self.encoder(x)\nposterior = {GAUSSIAN}(self.mean(h), self.logvar(h)).sample()"}),
        ("returns a DiagonalGaussianDistribution", {ENCODE: "posterior = torch.distributions.Normal(0.0, 1.0)"}),
        ("reach encoder; training needs them", _encoded(h="self.encoder(x).detach()")),
        ("gradients of the log-variance", _encoded(logvar="self.logvar(h).detach()")),
        ("not implemented yet", {ENCODE: "raise NotImplementedError"}),
    ],
    "vae.VAE.decode": [
        ("it has no output non-linearity", _decoded("torch.tanh(self.decoder(z))")),
        ("it has no output non-linearity", _decoded("torch.sigmoid(self.decoder(z))")),
        ("another range", _decoded("(self.decoder(z) + 1) * 0.5")),
        ("the variance 1 is handed over", _decoded("self.decoder(z), torch.ones_like(self.decoder(z))")),
        ("the image stands in the place of the log-variance", _decoded("self.decoder(z), self.decoder(z)")),
        ("returns a DiagonalGaussianDistribution", {DECODE: "likelihood = self.decoder(z)"}),
        ("returns a DiagonalGaussianDistribution", {DECODE: f"likelihood = {GAUSSIAN}(self.decoder(z)).mode()"}),
        ("reach decoder; training needs them", _decoded("self.decoder(z).detach()")),
        ("reach z; training needs them", _decoded("self.decoder(z.detach())")),
        ("the mean of the likelihood has the shape", _decoded("self.decoder(z).flatten(1)")),
        ("not implemented yet", {DECODE: "raise NotImplementedError"}),
    ],
    "vae.VAE.sample": [
        ("number of features is taken for z_dim", _drawn("torch.randn(batch_size, self.decoder.ndf)")),
        ("the width of the latents is self.z_dim", _drawn("torch.randn(batch_size, z_dim)")),
        ("noise is added to the mode", _drawn(PRIOR_Z, "samples = self.decode(z).sample()")),
        ("uniform on [0, 1)", _drawn("torch.rand(batch_size, self.z_dim)")),
        ("uniform on [-1, 1)", _drawn("2 * torch.rand(batch_size, self.z_dim) - 1")),
        ("the same latent for all of them", _drawn("torch.randn(1, self.z_dim).expand(batch_size, -1)")),
        ("one number for the whole latent", _drawn("torch.randn(batch_size, 1).expand(-1, self.z_dim)")),
        ("the same latent for all of them", _drawn("torch.zeros(batch_size, self.z_dim)")),
        ("the same latents again", _drawn(f"(torch.manual_seed(1), {PRIOR_Z})[1]")),
        ("the standard deviation of many samples", _drawn(f"3 * {PRIOR_Z}")),
        ("has the shape (6, 3, 32, 32)", _drawn("torch.randn(1, self.z_dim)")),
        ("moved to another range", _drawn(PRIOR_Z, "samples = (self.decode(z).mode() + 1) / 2")),
        ("the decoder is never called", {DRAWN: "samples = torch.randn(batch_size, 3, 32, 32)"}),
        ("an object", _drawn(PRIOR_Z, "samples = self.decode(z)")),
        ("not implemented yet", {DRAWN: "raise NotImplementedError"}),
    ],
    "vae.VAE.log_likelihood": [
        ("drawn from the prior instead of the posterior", _weight("q - p - r", z="prior.sample()")),
        ("the mean of q(z|x) is decoded", _weight("q - p - r", z="posterior.mode()")),
        ("log q(z|x) has the wrong sign", _weight("-q - p - r")),
        ("log p(z) has the wrong sign", _weight("q + p - r")),
        ("log p(x|z) has the wrong sign", _weight("q - p + r")),
        ("all log-densities have the wrong sign", _weight("p + r - q")),
        ("both have the wrong sign", _weight("p - q - r")),
        ("log p(z) is missing", _weight("q - r")),
        ("log q(z|x) is missing", _weight("-p - r")),
        ("only log p(x|z) is there", _weight("-r")),
        ("log p(x|z) is missing", _weight("q - p")),
        ("log K is not subtracted", {MEAN: "ll = torch.logsumexp(log_likelihood, dim=1)"}),
        ("log K is added", {MEAN: "ll = torch.logsumexp(log_likelihood, dim=1) + math.log(K)"}),
        ("K itself is subtracted", {MEAN: "ll = torch.logsumexp(log_likelihood, dim=1) - K"}),
        ("K itself is subtracted or divided by", {MEAN: "ll = torch.logsumexp(log_likelihood, dim=1) / K"}),
        ("the logarithms are averaged", {MEAN: "ll = log_likelihood.mean(dim=1)"}),
        ("the logarithms of the weights are summed", {MEAN: "ll = log_likelihood.sum(dim=1)"}),
        ("the largest weight alone", {MEAN: "ll = log_likelihood.max(dim=1).values"}),
        ("one of the K weights alone", {MEAN: "ll = log_likelihood[:, -1]"}),
        ("the negative log-likelihood", {MEAN: "ll = math.log(K) - torch.logsumexp(log_likelihood, dim=1)"}),
        ("look for log(0)", {MEAN: "ll = log_likelihood.exp().mean(dim=1).log()"}),
        ("has the shape (3,)", {MEAN: "ll = torch.logsumexp(log_likelihood, dim=0) - math.log(K)"}),
        ("everything was summed", {MEAN: "ll = (torch.logsumexp(log_likelihood, dim=1) - math.log(K)).mean()"}),
        ("has the shape (3,)", {MEAN: "ll = log_likelihood"}),
        (
            "one latent is decoded K times",
            {"for i in range(K):\n": "z = posterior.sample()\n        for i in range(K):\n"}
            | _weight("q - p - r", z="z"),
        ),
        ("the log-likelihood", {"for i in range(K):": "for i in range(K - 1):"}),
        ("the log-likelihood", {"for i in range(K):": "for i in range(1, K):"}),
        ("not implemented yet", {WEIGHT: "raise NotImplementedError"}),
        ("not implemented yet", {MEAN: "raise NotImplementedError"}),
    ],
    "vae.VAE.forward": [
        ("the mean of the posterior, without noise", _passed("posterior.mode()")),
        ("the mean of the posterior, without noise", _passed("posterior.mean")),
        ("drawn from the prior", _passed("torch.randn_like(posterior.mean)")),
        ("with another mean or spread", _passed("posterior.sample() + torch.randn_like(posterior.mean)")),
        ("reach mean; training needs them", _passed("posterior.sample().detach()")),
        (
            "has the shape (64, 3, 32, 32)",
            {FORWARD: "posterior = self.encode(x)\nrecon = self.decode(posterior.sample()[:1])"},
        ),
        (
            "nll and kl have changed places",
            {RETURNED: "        return recon.mode(), posterior.kl(), recon.nll(x)\n"},
        ),
        ("the sign of nll is wrong", {RETURNED: "        return recon.mode(), -recon.nll(x), posterior.kl()\n"}),
        ("the sign of kl is wrong", {RETURNED: "        return recon.mode(), recon.nll(x), -posterior.kl()\n"}),
        (
            "everything was summed",
            {RETURNED: "        return recon.mode(), recon.nll(x).mean(), posterior.kl().mean()\n"},
        ),
        (
            "nll is that of the latent",
            {RETURNED: "        return recon.mode(), posterior.nll(latent_z, [1]), posterior.kl()\n"},
        ),
        ("noise is added to the mode", {RETURNED: "        return recon.sample(), recon.nll(x), posterior.kl()\n"}),
        ("forward returns three things", {RETURNED: "        return (recon.nll(x) + posterior.kl()).mean()\n"}),
        (
            "nll is that of the reconstruction itself",
            {RETURNED: "        return recon.mode(), recon.nll(recon.mode()), posterior.kl()\n"},
        ),
        (
            "training needs them",
            {
                FORWARD: "with torch.no_grad():\n    posterior = self.encode(x)\n"
                "    recon = self.decode(posterior.sample())"
            },
        ),
        ("not implemented yet", {FORWARD: "raise NotImplementedError"}),
    ],
    "vae.interpolate": [
        (
            "the images at the ends are mixed",
            {
                IMAGES_OUT: "    t = lengths.view(-1, 1, 1, 1)\n"
                "    return (1 - t) * model.decode(z_1).mode() + t * model.decode(z_2).mode()\n"
            },
        ),
        ("itself is added", {LINE: "z = z_1 + lengths * z_2"}),
        ("the points lead away", {LINE: "z = z_1 + lengths * (z_1 - z_2)"}),
        ("the points lead away", {LINE: "z = (1 - lengths) * z_1 - lengths * z_2"}),
        (
            "an end is left out",
            {
                LINE: "lengths = torch.arange(n_samples).unsqueeze(1) / n_samples\n"
                "z = (1 - lengths) * z_1 + lengths * z_2"
            },
        ),
        ("all points are the same", {LINE: "z = ((z_1 + z_2) / 2).expand(n_samples, -1)"}),
        (
            "the points lie on an arc",
            {
                LINE: "a = torch.acos(nn.functional.cosine_similarity(z_1, z_2))\n"
                "z = (((1 - lengths) * a).sin() * z_1 + (lengths * a).sin() * z_2) / a.sin()"
            },
        ),
        ("the distances between the points are not equal", {LINE: "z = z_1 + lengths**2 * (z_2 - z_1)"}),
        ("noise is added to the mode", {IMAGES_OUT: "    return model.decode(z).sample()\n"}),
        (
            "has the shape (7, 3, 32, 32)",
            {
                LINE: "lengths = torch.linspace(0, 1, n_samples + 1).unsqueeze(1)\n"
                "z = (1 - lengths) * z_1 + lengths * z_2"
            },
        ),
        ("has the shape (7, 3, 32, 32)", {LINE: "z = (z_1 + z_2) / 2"}),
        ("itself is added", {LINE: "z = lengths * (z_1 + z_2)"}),
        ("the right values", {LINE: "z = (1 - lengths) * z_1 + lengths * z_2 + 0.1 * torch.randn(n_samples, 1)"}),
        ("not implemented yet", {LINE: "raise NotImplementedError"}),
    ],
}
"""Unit -> mistakes in it."""

DEPENDENTS = {
    f"vae.{GAUSSIAN}.sample": ["vae.VAE.forward", "vae.VAE.log_likelihood"],
    f"vae.{GAUSSIAN}.kl": ["vae.VAE.forward"],
    f"vae.{GAUSSIAN}.nll": ["vae.VAE.forward", "vae.VAE.log_likelihood"],
    f"vae.{GAUSSIAN}.mode": ["vae.VAE.sample", "vae.VAE.forward", "vae.interpolate"],
    "vae.VAE.encode": ["vae.VAE.forward", "vae.VAE.log_likelihood"],
    "vae.VAE.decode": ["vae.VAE.sample", "vae.VAE.forward", "vae.VAE.log_likelihood", "vae.interpolate"],
}
"""Unit -> the units that use it, and which a mistake in it must not cost."""

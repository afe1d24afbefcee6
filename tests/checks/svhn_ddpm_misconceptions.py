"""Mistakes in the DDPM of the house numbers, as students may make them.

`COEFFICIENTS` and `FUNCTIONS` map a unit to rows: words of a hint (or of what a message says), and what stands in the
place of the coefficient's value or of the function's solution. An empty hint means that the mistake only has to cost
points. `GIVEN` has mistakes in given lines: the unit, the words, the line and what stands in its place.
"""

Rows = list[tuple[str, str]]

COEFFICIENTS: dict[str, Rows] = {
    "betas": [
        ("beta_start and beta_end have changed places", "linear_beta_schedule(beta_end, beta_start, T)"),
        ("these are the alphas", "1 - linear_beta_schedule(beta_start, beta_end, T)"),
        ("the square roots grow linearly", "torch.linspace(beta_start**0.5, beta_end**0.5, T) ** 2"),
        ("the square root is taken", "torch.linspace(beta_start, beta_end, T).sqrt()"),
        ("there is one value too many", "torch.linspace(beta_start, beta_end, T + 1)"),
        ("the shape (999,)", "torch.linspace(beta_start, beta_end, T)[1:]"),
        ("all values are equal", "torch.full((T,), beta_end)"),
        ("the logarithms grow linearly", "torch.logspace(-4, -1.69897, T)"),
        ("not implemented yet", "..."),
        ("a float tensor", "[beta_start] * T"),
    ],
    "alphas": [
        ("beta_t is added", "1 + betas"),
        ("these are the betas", "betas"),
        ("these are products of the alphas", "torch.cumprod(1 - betas, 0)"),
        ("the square root is taken", "(1 - betas).sqrt()"),
        ("the time is off by one", "1 - F.pad(betas[:-1], (1, 0), value=beta_start)"),
        ("not implemented yet", "None"),
        ("", "1 - betas**2"),
    ],
    "sqrt_recip_alphas": [
        ("the square root is missing", "1 / alphas"),
        ("the reciprocal is missing", "torch.sqrt(alphas)"),
        ("alpha_bar_t stands where alpha_t belongs", "(1 / torch.cumprod(alphas, 0)).sqrt()"),
        ("beta_t stands where alpha_t belongs", "torch.rsqrt(betas)"),
        ("these are the alphas", "torch.sqrt(alphas**2)"),
        ("the shape ()", "(1 / alphas.prod()).sqrt()"),
    ],
    "alphas_cumprod": [
        ("summed instead of multiplied", "torch.cumsum(alphas, 0)"),
        ("not their products", "alphas"),
        ("the betas are multiplied", "torch.cumprod(betas, 0)"),
        ("alpha_t itself is missing", "F.pad(torch.cumprod(alphas, 0)[:-1], (1, 0), value=1.0)"),
        ("the square root is taken", "torch.cumprod(alphas, 0).sqrt()"),
        ("one number", "alphas.prod()"),
        ("from the last time to the first", "torch.cumprod(alphas.flip(0), 0)"),
        ("to the power t", "alphas ** torch.arange(1, T + 1)"),
        ("it is 1 - alpha_bar_t", "1 - torch.cumprod(alphas, 0)"),
    ],
    "sqrt_alphas_cumprod": [
        ("the square root is missing", "alphas_cumprod"),
        ("alpha_t stands where alpha_bar_t belongs", "alphas.sqrt()"),
        ("of 1 - alpha_bar_t", "(1 - alphas_cumprod).sqrt()"),
        ("the square is taken", "alphas_cumprod**2"),
        ("the square root is taken twice", "alphas_cumprod.sqrt().sqrt()"),
        ("the reciprocal is taken", "torch.rsqrt(alphas_cumprod)"),
    ],
    "sqrt_one_minus_alphas_cumprod": [
        ("the square root is missing", "1 - alphas_cumprod"),
        ("before the subtraction", "1 - alphas_cumprod.sqrt()"),
        ("it is the square root of alpha_bar_t", "alphas_cumprod.sqrt()"),
        ("alpha_t stands where alpha_bar_t belongs", "(1 - alphas).sqrt()"),
        ("is finite", "(alphas_cumprod - 1).sqrt()"),
        ("the time is off by one", "(1 - F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)).sqrt()"),
    ],
    "alphas_cumprod_prev": [
        ("not that of the time before", "alphas_cumprod"),
        ("of the time after", "F.pad(alphas_cumprod[1:], (0, 1), value=1.0)"),
        ("the first value is 0", "F.pad(alphas_cumprod[:-1], (1, 0))"),
        ("the first value is the last alpha_bar", "torch.roll(alphas_cumprod, 1)"),
        ("the first value is the first alpha_bar", "torch.cat([alphas_cumprod[:1], alphas_cumprod[:-1]])"),
        ("the first value is missing", "alphas_cumprod[:-1]"),
        ("the last value is not cut off", "F.pad(alphas_cumprod, (1, 0), value=1.0)"),
        ("alpha_t stands where alpha_bar_t belongs", "F.pad(alphas[:-1], (1, 0), value=1.0)"),
    ],
    "posterior_variance": [
        ("the square root is taken", "(betas * (1 - alphas_cumprod_prev) / (1 - alphas_cumprod)).sqrt()"),
        ("these are the betas", "betas"),
        ("the factor beta_t is missing", "(1 - alphas_cumprod_prev) / (1 - alphas_cumprod)"),
        ("is finite", "betas * (1 - alphas_cumprod) / (1 - alphas_cumprod_prev)"),
        ("alpha_t stands where beta_t belongs", "alphas * (1 - alphas_cumprod_prev) / (1 - alphas_cumprod)"),
        ("where 1 - alpha_bar belongs", "betas * alphas_cumprod_prev / alphas_cumprod"),
        (
            "the roots of 1 - alpha_bar are divided",
            "betas * ((1 - alphas_cumprod_prev) / (1 - alphas_cumprod)).sqrt()",
        ),
        ("is not divided by", "betas * (1 - alphas_cumprod_prev)"),
        ("not implemented yet", "None"),
    ],
}

UNUSABLE = (
    "not implemented yet",
    "a float tensor",
    "one number",
    "the first value is missing",
    "the last value is not cut off",
)
"""Hints of values with which the other coefficients cannot be computed."""

SIGNAL = "signal = extract({}, t, x_start.shape)\n"
SPREAD = "spread = extract({}, t, x_start.shape)\n"
FACTORS = SIGNAL.format("sqrt_alphas_cumprod") + SPREAD.format("sqrt_one_minus_alphas_cumprod")
MIX = "x_noisy = signal * x_start + spread * noise"

STEP = (
    "beta, root, var = (extract(a, t, x.shape) for a in (betas, sqrt_one_minus_alphas_cumprod, posterior_variance))\n"
    "recip, bar = extract(sqrt_recip_alphas, t, x.shape), extract(alphas_cumprod, t, x.shape)\n"
)
ESTIMATE = "eps = model(x, t)\n"
MEAN = "mean = recip * (x - beta / root * eps)\n"
LAST = "if t_index == 0:\n    sample = mean\nelse:\n    "
NOISE = "sample = mean + var.sqrt() * torch.randn_like(x)"
FULL = "torch.full((shape[0],), {}, device=device)"
TAKE = "img = p_sample(model, img, {}, {})"
NOISED = "x_noisy = q_sample(x_start, t, noise)\n"
PREDICTED = "predicted_noise = denoise_model(x_noisy, t)\n"
LOSS = "loss = F.smooth_l1_loss(predicted_noise, noise)"
DRAWN = "ts = torch.randint({}, {}, (batch_size,))"


def step(mean: str = MEAN, end: str = LAST + NOISE, estimate: str = ESTIMATE) -> str:
    """A p_sample with some of its parts changed."""
    return STEP + estimate + mean + end


FUNCTIONS: dict[str, Rows] = {
    "q_sample": [
        ("alpha_bar is used without its square root", FACTORS.replace("sqrt_alphas", "alphas") + MIX),
        (
            "alpha_bar is used without its square root",
            SIGNAL.format("alphas_cumprod") + SPREAD.format("1 - alphas_cumprod") + MIX,
        ),
        (
            "1 - alpha_bar is used without its square root",
            SIGNAL.format("sqrt_alphas_cumprod") + SPREAD.format("1 - alphas_cumprod") + MIX,
        ),
        ("x_start is left out", FACTORS + "x_noisy = signal + spread * noise"),
        ("x_start is not scaled", FACTORS + "x_noisy = x_start + spread * noise"),
        ("the noise is not scaled", FACTORS + "x_noisy = signal * x_start + noise"),
        ("the noise is left out", FACTORS + "x_noisy = signal * x_start"),
        ("the noise is subtracted", FACTORS + MIX.replace("+", "-")),
        ("have changed their factors", FACTORS + "x_noisy = spread * x_start + signal * noise"),
        (
            "the noise that was passed in is not used",
            FACTORS + "x_noisy = signal * x_start + spread * torch.randn_like(x_start)",
        ),
        (
            "alpha_t is used in the place of alpha_bar_t",
            SIGNAL.format("alphas.sqrt()") + SPREAD.format("betas.sqrt()") + MIX,
        ),
        (
            "alpha_bar of the time before",
            "b = alphas_cumprod_prev[t].view(-1, 1, 1, 1)\n"
            + MIX.replace("signal", "b.sqrt()").replace("spread", "(1 - b).sqrt()"),
        ),
        ("the time is off by one", FACTORS.replace(", t,", ", (t + 1).clamp(max=T - 1),") + MIX),
        ("one time is used for the whole batch", FACTORS.replace(", t,", ", t[:1],") + MIX),
        (
            "your code raised RuntimeError",
            "x_noisy = sqrt_alphas_cumprod * x_start + sqrt_one_minus_alphas_cumprod * noise",
        ),
        ("None", FACTORS + MIX + "\nreturn"),
        ("changed in place", FACTORS + "x_noisy = x_start.mul_(signal) + spread * noise"),
    ],
    "p_sample": [
        ("the variance is used as the standard deviation", step(end=LAST + NOISE.replace("var.sqrt()", "var"))),
        (
            "beta_t stands where the posterior variance belongs",
            step(end=LAST + NOISE.replace("var.sqrt()", "beta.sqrt()")),
        ),
        ("the noise is not scaled", step(end=LAST + NOISE.replace("var.sqrt() * ", ""))),
        ("the standard deviation sqrt(1 - alpha_bar)", step(end=LAST + NOISE.replace("var.sqrt()", "root"))),
        ("no noise is added", step(end="sample = mean")),
        ("no noise is added", step(end=LAST.replace("==", "!=") + NOISE)),
        ("images with noise in them", step(end=NOISE.replace("var.sqrt()", "beta.sqrt()"))),
        ("images with noise in them", step(end="var = var.clamp(min=1e-4)\n" + NOISE)),
        ("share their noise", step(end=LAST + NOISE.replace("randn_like(x)", "randn_like(x[:1])"))),
        ("", step(end=LAST + NOISE.replace("randn_like", "rand_like"))),
        ("the factor 1 / sqrt(alpha_t) is missing", step("mean = x - beta / root * eps\n")),
        ("added instead of subtracted", step(MEAN.replace(" - ", " + "))),
        ("without its factor", step("mean = recip * (x - eps)\n")),
        ("1 - alpha_bar_t stands without its square root", step(MEAN.replace("root", "root**2"))),
        ("the division by sqrt(1 - alpha_bar_t) is missing", step("mean = recip * (x - beta * eps)\n")),
        ("sqrt(alpha_bar_t) stands where", step(MEAN.replace("root", "bar.sqrt()"))),
        ("alpha_t stands where beta_t belongs", step(MEAN.replace("beta", "(1 - beta)"))),
        ("alpha_t stands where alpha_bar_t belongs", step(MEAN.replace("root", "beta.sqrt()"))),
        ("the posterior variance stands where beta_t belongs", step(MEAN.replace("beta", "var"))),
        ("this is an estimate of x_0", step("mean = (x - root * eps) / bar.sqrt()\n")),
        ("divided by sqrt(alpha_bar_t)", step("mean = (x - beta / root * eps) / bar.sqrt()\n")),
        ("divided by alpha_t without the square root", step(MEAN.replace("recip", "recip**2"))),
        ("multiplied by sqrt(alpha_t)", step(MEAN.replace("recip *", "1 / recip *"))),
        ("only x is divided", step("mean = recip * x - beta / root * eps\n")),
        ("the factor of the noise is upside down", step(MEAN.replace("beta / root", "root / beta"))),
        ("have changed places", step("mean = recip * (eps - beta / root * x)\n")),
        ("the mean is clamped", step(MEAN + "mean = mean.clamp(-1, 1)\n")),
        ("the network's estimate is left out", step("mean = recip * x\n")),
        ("the network is never called", step("mean = recip * x\n", estimate="")),
        ("off by one", step(estimate="eps = model(x, t + 1)\n")),
        ("other times", step(estimate="eps = model(x, torch.zeros_like(t))\n")),
        ("other times", step(estimate="eps = model(x, t / T)\n")),
        (
            "a result that carries them",
            "with torch.enable_grad():\n    eps = model(x, t)\n"
            + STEP.replace("beta, root", "beta, root")
            + "with torch.enable_grad():\n    "
            + MEAN
            + "    sample = mean + (t_index > 0) * var.sqrt() * torch.randn_like(x)",
        ),
        ("of another time", step(end=LAST + NOISE.replace("var.sqrt()", "posterior_variance[t_index - 1].sqrt()"))),
        ("", step(end="sample = mean + posterior_variance.sqrt() * torch.randn_like(x)")),
        ("not implemented yet", "raise NotImplementedError"),
    ],
    "p_sample_loop": [
        ("the loop runs forward in time", "i = timesteps - 1 - i\n" + TAKE.format(FULL.format("i"), "i")),
        ("all times are too large by one", TAKE.format(FULL.format("i + 1"), "i + 1")),
        ("the last step, t = 0, is missing", "if i == 0:\n    break\n" + TAKE.format(FULL.format("i"), "i")),
        ("t is the same in every step", TAKE.format(FULL.format("timesteps - 1"), "i")),
        ("as t_index", TAKE.format(FULL.format("i"), "timesteps - 1 - i")),
        ("as t_index", TAKE.format(FULL.format("i"), FULL.format("i"))),
        ("the times as they are", TAKE.format("i", "i")),
        ("a tensor of dtype float32", TAKE.format(FULL.format("float(i)"), "i")),
        ("a tensor of shape (3,)", TAKE.format("torch.full((shape[1],), i)", "i")),
        (
            "starts from the noise again",
            "if i == timesteps - 1:\n    start = img\n"
            + TAKE.format(FULL.format("i"), "i").replace("model, img", "model, start"),
        ),
        ("gets as x", TAKE.format(FULL.format("i"), "i").replace("model, img", "model, torch.randn(shape)")),
        ("p_sample gets the network first", TAKE.format(FULL.format("i"), "i").replace("model, img", "img, img")),
        ("no step", "img = 0.9 * img"),
        (
            "rand instead of randn",
            "if i == timesteps - 1:\n    img = torch.rand(shape)\n" + TAKE.format(FULL.format("i"), "i"),
        ),
        (
            "a start from something else",
            "if i == timesteps - 1:\n    img = torch.zeros(shape)\n" + TAKE.format(FULL.format("i"), "i"),
        ),
        (
            "share their noise",
            "if i == timesteps - 1:\n    img = torch.randn(1, *shape[1:]).expand(shape)\n"
            + TAKE.format(FULL.format("i"), "i"),
        ),
        (
            "the same noise twice",
            "if i == timesteps - 1:\n    torch.manual_seed(0)\n    img = torch.randn(shape)\n"
            + TAKE.format(FULL.format("i"), "i"),
        ),
        (
            "with another mean or spread",
            "with torch.no_grad():\n    img = img - 0.1 * model(img, " + FULL.format("i") + ")",
        ),
    ],
    "p_losses": [
        ("summed instead of averaged", NOISED + PREDICTED + LOSS.replace("noise)", 'noise, reduction="sum")')),
        ("the shape (6, 3, 16, 20)", NOISED + PREDICTED + LOSS.replace("noise)", 'noise, reduction="none")')),
        (
            "summed over each image",
            NOISED + PREDICTED + LOSS.replace("noise)", 'noise, reduction="none").flatten(1).sum(1).mean()'),
        ),
        ("it is the squared error", NOISED + PREDICTED + LOSS.replace("smooth_l1", "mse")),
        ("it is the absolute error", NOISED + PREDICTED + LOSS.replace("smooth_l1", "l1")),
        ("beta is not 1", NOISED + PREDICTED + LOSS.replace("noise)", "noise, beta=0.5)")),
        (
            "beta is not 1",
            NOISED + PREDICTED + LOSS.replace("smooth_l1", "huber").replace("noise)", "noise, delta=0.1)"),
        ),
        ("compared with the images", NOISED + PREDICTED + LOSS.replace("noise)", "x_start)")),
        ("compared with x_t", NOISED + PREDICTED + LOSS.replace("noise, noise)", "noise, x_noisy)")),
        ("without the network", NOISED + PREDICTED + LOSS.replace("predicted_noise", "x_noisy")),
        ("the sign is wrong", NOISED + PREDICTED + LOSS.replace("F.", "-F.")),
        ("the square root is taken", NOISED + PREDICTED + LOSS + ".sqrt()"),
        ("no noise, so that it draws other noise", NOISED.replace(", noise)", ")") + PREDICTED + LOSS),
        ("the images without noise", NOISED + PREDICTED.replace("x_noisy", "x_start") + LOSS),
        ("it sees the noise", NOISED + PREDICTED.replace("x_noisy", "noise") + LOSS),
        ("the images without noise", "x_noisy = x_start\n" + PREDICTED + LOSS),
        ("the noise without the images", "x_noisy = noise\n" + PREDICTED + LOSS),
        (
            "times at which its input was noised",
            FACTORS.replace("sqrt_alphas", "alphas") + MIX + "\n" + PREDICTED + LOSS,
        ),
        ("off by one", NOISED + PREDICTED.replace("t)", "t + 1)") + LOSS),
        ("other times", NOISED.replace(" t,", " t.flip(0),") + PREDICTED + LOSS),
        ("other times", NOISED + PREDICTED.replace("t)", "t / T)") + LOSS),
        ("the network is never called", NOISED + "predicted_noise = x_noisy\n" + LOSS),
        ("a loss without a gradient", NOISED + PREDICTED + LOSS + ".detach()"),
        ("a loss without a gradient", NOISED + "with torch.no_grad():\n    " + PREDICTED + LOSS),
        ("rand instead of randn", "noise = torch.rand_like(x_start)\n" + NOISED + PREDICTED + LOSS),
        (
            "the same noise twice",
            "torch.manual_seed(0)\nnoise = torch.randn_like(x_start)\n" + NOISED + PREDICTED + LOSS,
        ),
        ("share their noise", "noise = torch.randn_like(x_start[:1]).expand_as(x_start)\n" + NOISED + PREDICTED + LOSS),
        ("None", NOISED + PREDICTED + LOSS + "\nreturn None"),
    ],
    "t_sample": [
        ("counted from 1", DRAWN.format(1, "timesteps + 1")),
        ("left out already", DRAWN.format(0, "timesteps - 1")),
        ("left out already", DRAWN.format(0, "timesteps + 1")),
        ("the first time, 0, never occurs", DRAWN.format(1, "timesteps")),
        ("times outside", DRAWN.format(0, "T")),
        ("one time for the whole batch", "ts = torch.randint(0, timesteps, (1,)).expand(batch_size)"),
        ("the shape (1,)", "ts = torch.randint(0, timesteps, (1,))"),
        ("the shape (6000, 1)", "ts = torch.randint(0, timesteps, (batch_size, 1))"),
        ("a tensor of dtype float32", "ts = torch.rand(batch_size) * timesteps"),
        ("a tensor of dtype int32", DRAWN.format(0, "timesteps") + ".int()"),
        ("more likely than others", "ts = (torch.rand(batch_size) ** 1.2 * timesteps).long()"),
        (
            "more likely than others",
            "ts = (torch.randn(batch_size).abs() * timesteps / 3).long().clamp(0, timesteps - 1)",
        ),
        ("depend on each other", "ts = torch.arange(batch_size).roll(int(torch.randint(99, ()))) % timesteps"),
        ("the same ones twice", "torch.manual_seed(0)\n" + DRAWN.format(0, "timesteps")),
        ("a value of type int", "ts = int(torch.randint(0, timesteps, ()))"),
    ],
}

GIVEN: list[tuple[str, str, str, str]] = [
    ("p_sample_loop", "the images of one step only", "    return torch.stack(imgs)\n", "    return img\n"),
    ("p_sample_loop", "a list of length", "    return torch.stack(imgs)\n", "    return imgs\n"),
    ("p_sample_loop", "stand at the front", "    return torch.stack(imgs)\n", "    return torch.stack(imgs[::-1])\n"),
    ("p_sample_loop", "runs forward in time", "reversed(range(0, timesteps))", "range(0, timesteps)"),
    (
        "p_sample_loop",
        "the last step, t = 0, is missing",
        "reversed(range(0, timesteps))",
        "reversed(range(1, timesteps))",
    ),
    ("p_sample_loop", "the first step", "reversed(range(0, timesteps))", "reversed(range(0, timesteps - 1))"),
    ("p_sample_loop", "starts at timesteps", "reversed(range(0, timesteps))", "reversed(range(0, timesteps + 1))"),
    ("p_sample_loop", "T steps instead of timesteps", "reversed(range(0, timesteps))", "reversed(range(0, T))"),
    ("p_sample_loop", "rand instead of randn", "img = torch.randn(shape", "img = torch.rand(shape"),
    (
        "q_sample",
        "rand instead of randn",
        "    if noise is None:\n        noise = torch.randn_",
        "    if noise is None:\n        noise = torch.rand_",
    ),
    (
        "q_sample",
        "share their noise",
        "    if noise is None:\n        noise = torch.randn_like(x_start)",
        "    if noise is None:\n        noise = torch.randn_like(x_start[:1])",
    ),
]

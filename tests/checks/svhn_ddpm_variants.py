"""Right solutions of the DDPM of the house numbers that are written otherwise.

`VARIANTS` maps a name to edits of the master: `block: LABEL` is the solution that is labelled so, any other key a text
that stands there once; what stands under `END` is added at the end of the file.
"""

END = "end"
COEFFICIENTS = "block: coefficients"
NAMES = (
    "betas",
    "alphas",
    "sqrt_recip_alphas",
    "alphas_cumprod",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "alphas_cumprod_prev",
    "posterior_variance",
)
RIGHT = (
    "betas = linear_beta_schedule(beta_start, beta_end, T)\nalphas = 1 - betas\n"
    "sqrt_recip_alphas = torch.rsqrt(alphas)\nalphas_cumprod = alphas.cumprod(0)\n"
    "sqrt_alphas_cumprod = alphas_cumprod**0.5\nsqrt_one_minus_alphas_cumprod = (1 - alphas_cumprod) ** 0.5\n"
    "alphas_cumprod_prev = torch.cat([torch.ones(1), alphas_cumprod[:-1]])\n"
    "posterior_variance = betas * (1 - alphas_cumprod_prev) / (1 - alphas_cumprod)\n"
)
STEP = "block: p_sample"
NOISE = "block: q_sample"
LOSS = "block: p_losses"
LOOP = "block: p_sample_loop"
TIMES = "block: t_sample"
BUFFERS = (
    "class Schedule(nn.Module):\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.register_buffer('betas', torch.linspace(beta_start, beta_end, T))\n"
    "        self.register_buffer('bar', torch.cumprod(1.0 - self.betas, dim=-1))\n\n"
    "schedule = Schedule()\n"
)
FROM_BUFFERS = {
    NOISE: (
        "bar = schedule.bar[t].reshape(-1, 1, 1, 1)\n"
        "x_noisy = torch.sqrt(bar) * x_start + torch.sqrt(1.0 - bar) * noise\n"
    ),
    STEP: (
        "beta, bar = schedule.betas[t_index], schedule.bar[t_index]\n"
        "mean = (x - beta / torch.sqrt(1 - bar) * model(x, t)) / torch.sqrt(1 - beta)\n"
        "if t_index > 0:\n"
        "    var = beta * (1 - schedule.bar[t_index - 1]) / (1 - bar)\n"
        "    sample = mean + torch.sqrt(var) * torch.randn(x.shape)\n"
        "else:\n"
        "    sample = mean\n"
    ),
}
CLASS = """

class Diffusion:
    def __init__(self):
        self.b = torch.linspace(beta_start, beta_end, T, dtype=torch.float64)
        self.bar = (1 - self.b).cumprod(0)

    def q_sample(self, x_start, t, noise=None):
        noise = torch.randn_like(x_start) if noise is None else noise
        bar = self.bar[t][:, None, None, None]
        return (bar.sqrt() * x_start + (1 - bar).sqrt() * noise).float()

    @torch.no_grad()
    def p_sample(self, model, x, t, t_index):
        b, bar = self.b[t_index], self.bar[t_index]
        out = (x - b / (1 - bar).sqrt() * model(x, t)) / (1 - b).sqrt()
        if t_index:
            out = out + (b * (1 - self.bar[t_index - 1]) / (1 - bar)).sqrt() * torch.randn_like(x)
        return out.float()

    def p_sample_loop(self, model, shape, timesteps):
        imgs = [torch.randn(*shape)]
        for i in range(timesteps)[::-1]:
            imgs.append(self.p_sample(model, imgs[-1], torch.full((shape[0],), i), i))
        return torch.stack(imgs[1:])

    def p_losses(self, model, x_start, t):
        noise = torch.randn_like(x_start)
        return nn.HuberLoss()(model(self.q_sample(x_start, t, noise), t), noise)


diffusion = Diffusion()
q_sample, p_sample = diffusion.q_sample, diffusion.p_sample
p_sample_loop, p_losses = diffusion.p_sample_loop, diffusion.p_losses
"""
WRAPPED = """

def _told(function):
    def run(*args, **kwargs):
        print("calling", function.__name__)
        try:
            result = function(*args, **kwargs)
            print(result)
        except Exception:
            import traceback

            traceback.print_exc()
        return result

    return run


q_sample, p_sample, p_losses, t_sample = _told(q_sample), _told(p_sample), _told(p_losses), _told(t_sample)
torch.manual_seed(0)
"""

VARIANTS: dict[str, dict[str, str]] = {
    "coefficients in float64": {
        COEFFICIENTS: RIGHT.replace(
            "linear_beta_schedule(beta_start, beta_end, T)",
            "torch.linspace(beta_start, beta_end, T, dtype=torch.float64)",
        ).replace("torch.ones(1)", "torch.ones(1, dtype=torch.float64)")
    },
    "coefficients made by numpy": {
        COEFFICIENTS: "import numpy as np\n"
        "b = np.linspace(beta_start, beta_end, T)\nbar = np.cumprod(1 - b)\nprev = np.append(1.0, bar[:-1])\n"
        "betas, alphas, sqrt_recip_alphas, alphas_cumprod = map(torch.from_numpy, (b, 1 - b, (1 - b) ** -0.5, bar))\n"
        "sqrt_alphas_cumprod = torch.tensor(np.sqrt(bar), dtype=torch.float32)\n"
        "sqrt_one_minus_alphas_cumprod = torch.as_tensor(np.sqrt(1 - bar)).float()\n"
        "alphas_cumprod_prev = torch.FloatTensor(prev)\n"
        "posterior_variance = torch.from_numpy(b * (1 - prev) / (1 - bar)).to(device)\n"
    },
    "coefficients made by a loop": {
        COEFFICIENTS: "step = (beta_end - beta_start) / (T - 1)\n"
        "betas = torch.tensor([beta_start + step * i for i in range(T)])\n"
        "alphas = torch.ones_like(betas) - betas\nsqrt_recip_alphas = torch.pow(alphas, -0.5)\n"
        "products, product = [], 1.0\n"
        "for alpha in alphas.tolist():\n    product *= alpha\n    products.append(product)\n"
        "alphas_cumprod = torch.tensor(products)\n"
        "sqrt_alphas_cumprod = torch.exp(0.5 * torch.log(alphas_cumprod))\n"
        "sqrt_one_minus_alphas_cumprod = torch.sqrt(-torch.expm1(torch.log(alphas_cumprod)))\n"
        "alphas_cumprod_prev = alphas_cumprod / alphas\n"
        "posterior_variance = torch.zeros(T)\n"
        "for i in range(1, T):\n"
        "    posterior_variance[i] = betas[i] * (1 - alphas_cumprod[i - 1]) / (1 - alphas_cumprod[i])\n"
    },
    "coefficients in a dictionary": {
        COEFFICIENTS: RIGHT + "C = {name: globals()[name].clone() for name in (" + ", ".join(map(repr, NAMES)) + ")}\n",
        NOISE: (
            "x_noisy = (extract(C['sqrt_alphas_cumprod'], t, x_start.shape) * x_start\n"
            "    + extract(C['sqrt_one_minus_alphas_cumprod'], t, x_start.shape) * noise)\n"
        ),
        STEP: (
            "at = {name: extract(values, t, x.shape) for name, values in C.items()}\n"
            "mean = at['betas'] * model(x, t) / at['sqrt_one_minus_alphas_cumprod']\n"
            "mean = at['sqrt_recip_alphas'] * (x - mean)\n"
            "noise = torch.zeros_like(x) if t_index == 0 else torch.randn_like(x)\n"
            "sample = mean + at['posterior_variance'] ** 0.5 * noise\n"
        ),
    },
    "coefficients as buffers, and the globals besides": {COEFFICIENTS: RIGHT + BUFFERS, **FROM_BUFFERS},
    "coefficients computed again inside of the functions": {
        NOISE: (
            "beta = torch.linspace(0.0001, 0.02, 1000)\n"
            "bar = torch.cumprod(1 - beta, 0).gather(0, t).view(-1, *[1] * (x_start.dim() - 1))\n"
            "x_noisy = bar.sqrt() * x_start + (1 - bar).sqrt() * noise\n"
        ),
        STEP: (
            "beta = torch.linspace(0.0001, 0.02, 1000)\nbar = torch.cumprod(1 - beta, 0)\n"
            "var = torch.cat((torch.zeros(1), beta[1:] * (1 - bar[:-1]) / (1 - bar[1:])))\n"
            "at = lambda v: v[t].view(-1, 1, 1, 1)\n"
            "sample = 1 / at(1 - beta).sqrt() * (x - at(beta) * model(x, t) / (1 - at(bar)).sqrt())\n"
            "sample = sample + at(var).sqrt() * torch.randn_like(x)\n"
        ),
    },
    "another number of steps, as in the optional question": {"T = 1000\n": "T = 500\n"},
    "the number of steps written out, while T was changed later": {
        "linear_beta_schedule(beta_start, beta_end, T)": "linear_beta_schedule(beta_start, beta_end, 1000)",
        END: "T = 500\n",
    },
    "Huber loss, arguments the other way round": {
        LOSS: "x_noisy = q_sample(x_start=x_start, t=t, noise=noise)\n"
        "predicted_noise = denoise_model(x_noisy, t)\nloss = F.huber_loss(noise, predicted_noise)\n"
    },
    "a Huber loss object, q_sample written out": {
        LOSS: "a = sqrt_alphas_cumprod[t].view(-1, 1, 1, 1)\nb = sqrt_one_minus_alphas_cumprod[t].view(-1, 1, 1, 1)\n"
        "loss = nn.HuberLoss(delta=1.0)(denoise_model(a * x_start + b * noise, t), noise)\n"
    },
    "a smooth L1 loss object, times by keyword, noise drawn again": {
        LOSS: "noise = torch.normal(0.0, 1.0, size=x_start.shape)\n"
        "loss = nn.SmoothL1Loss()(denoise_model(q_sample(x_start, t, noise), time=t), noise)\n"
    },
    "a smooth L1 loss by hand": {
        LOSS: "d = denoise_model(q_sample(x_start, t, noise=noise), t) - noise\n"
        "loss = torch.where(d.abs() < 1, 0.5 * d * d, d.abs() - 0.5).mean()\n"
    },
    "p_losses with further parameters and other losses": {
        'x_start: torch.Tensor, t: torch.Tensor) -> torch.Tensor:\n    """Smooth': (
            'x_start: torch.Tensor, t: torch.Tensor, noise=None, loss_type=\'huber\') -> torch.Tensor:\n    """Smooth'
        ),
        LOSS: "x_noisy = q_sample(x_start=x_start, t=t, noise=noise)\npredicted_noise = denoise_model(x_noisy, t)\n"
        "if loss_type == 'l1':\n    loss = F.l1_loss(noise, predicted_noise)\n"
        "else:\n    loss = F.smooth_l1_loss(noise, predicted_noise)\n",
    },
    "a step for all times by torch.where": {
        STEP: (
            "mean = extract(sqrt_recip_alphas, t, x.shape) * (\n"
            "    x - extract(betas, t, x.shape) * model(x, t) / extract(sqrt_one_minus_alphas_cumprod, t, x.shape))\n"
            "std = extract(posterior_variance, t, x.shape).sqrt()\n"
            "sample = torch.where(t.view(-1, 1, 1, 1) == 0, mean, mean + std * torch.randn_like(mean))\n"
        )
    },
    "a step with a mask and numbers instead of extract": {
        STEP: (
            "i = t_index\nz = torch.randn_like(x) * float(i > 0)\n"
            "eps_theta = model(x, t)\n"
            "sample = sqrt_recip_alphas[i] * (x - betas[i] / sqrt_one_minus_alphas_cumprod[i] * eps_theta)\n"
            "sample += math.sqrt(posterior_variance[i]) * z\n"
        ),
        "import torch\nfrom torch import nn": "import math\n\nimport torch\nfrom torch import nn",
    },
    "a step with torch.normal, the network asked twice": {
        STEP: (
            "eps = (model(x, t) + model(x, t)) / 2\nbeta = betas[t_index].item()\nalpha = 1.0 - beta\n"
            "mean = x / alpha**0.5 - (1 - alpha) / ((1 - alphas_cumprod[t_index]) * alpha) ** 0.5 * eps\n"
            "std = posterior_variance[t_index].sqrt().expand_as(mean)\n"
            "sample = mean if t_index == 0 else torch.normal(mean, std)\n"
        )
    },
    "noising of each image in a loop": {
        NOISE: (
            "rows = [sqrt_alphas_cumprod[int(i)] * x + sqrt_one_minus_alphas_cumprod[int(i)] * e\n"
            "        for i, x, e in zip(t, x_start, noise)]\n"
            "x_noisy = torch.stack(rows)\n"
        )
    },
    "noising in float64": {
        NOISE: (
            "bar = torch.cumprod(1 - torch.linspace(beta_start, beta_end, T).double(), 0)[t][(...,) + (None,) * 3]\n"
            "x_noisy = torch.sqrt(bar) * x_start.double() + torch.sqrt(1 - bar) * noise.double()\n"
        )
    },
    "a loop whose steps have times of one element": {
        LOOP: "img = p_sample(model, img, torch.tensor([i], device=device), i)\n"
    },
    "a loop with keywords and times of repeated numbers": {
        LOOP: "t = torch.tensor([i] * shape[0], dtype=torch.long, device=device)\n"
        "img = p_sample(model=model, x=img, t=t, t_index=torch.tensor(i))\n"
    },
    "a loop with its steps written out": {
        LOOP: (
            "with torch.no_grad():\n"
            "    t = torch.full((shape[0],), i, dtype=torch.int64)\n"
            "    img = sqrt_recip_alphas[i] * (img - betas[i] / sqrt_one_minus_alphas_cumprod[i] * model(img, t))\n"
            "    if i > 0:\n"
            "        img = img + posterior_variance[i].sqrt() * torch.randn(shape)\n"
        )
    },
    "a loop that gives an array": {"    return torch.stack(imgs)\n": "    return torch.stack(imgs).numpy()\n"},
    "a network that gets its times as floats": {
        LOSS: "loss = F.smooth_l1_loss(denoise_model(q_sample(x_start, t, noise), t.float()), noise)\n"
    },
    "times from random numbers": {TIMES: "ts = torch.floor(torch.rand(batch_size) * timesteps).long()\n"},
    "times by the random_ of a tensor": {
        TIMES: "ts = torch.empty(batch_size, dtype=torch.long).random_(0, timesteps).to(device)\n"
    },
    "times by numpy": {
        TIMES: "import numpy as np\nts = torch.from_numpy(np.random.randint(0, timesteps, batch_size))\n"
    },
    "all functions as methods of one object": {COEFFICIENTS: RIGHT, END: CLASS},
    "functions that print, within try and except": {END: WRAPPED},
}

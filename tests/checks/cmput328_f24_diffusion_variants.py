"""Right solutions of schedule, DDPM and DDIM of cmput328_f24 that are written otherwise.

Each variant changes the texts of the reference's models.py and assignment.py.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from .planting import replaced, with_solution

Variant = Callable[[str, str], tuple[str, str]]

STEP = "DDPM.recover_sample"
JUMP = "DDIM.recover_sample"
LOOP = "DDIM.generate_sample"
NUMBERS = """
s, t = self.var_scheduler, timestep
beta, alpha, bar = s.betas[t], s.alphas[t], s.alpha_bars[t]
before = s.alpha_bars[t - 1] if t > 0 else torch.tensor(1.0)
"""
EARLIER = """
s, t = self.var_scheduler, timestep
bar = s.alpha_bars[t].view(-1, 1, 1, 1)
before = torch.where(t > 0, s.alpha_bars[(t - 1).clamp(min=0)], 1.0).view(-1, 1, 1, 1)
x0 = (noisy_sample - (1 - bar).sqrt() * estimated_noise) / bar.sqrt()
"""
EVERY_TIME = """
sample = torch.randn(num_samples, 1, 32, 32).to(device)
for t in range(self.var_scheduler.num_steps - 1, -1, -1):
    times = torch.tensor([t] * num_samples, dtype=torch.long, device=device)
    sample = self.recover_sample(sample, self.network(sample, times, labels), {})
"""


def _joined(head: str, body: str) -> str:
    return head + textwrap.dedent(body)


def _models(change: Callable[[str], str]) -> Variant:
    return lambda models, assignment: (change(models), assignment)


def _step(body: str) -> Variant:
    return _models(lambda text: with_solution(text, STEP, body))


def _jump(body: str, loop: str = "times") -> Variant:
    return _models(lambda text: with_solution(with_solution(text, JUMP, body), LOOP, EVERY_TIME.format(loop)))


def _scheduler(text: str, base: str = "nn.Module", kept: str = "self.register_buffer('{}', {})") -> str:
    text = replaced(text, "class VarianceScheduler:", f"class VarianceScheduler({base}):")
    text = replaced(
        text, "        self.num_steps = num_steps\n", "        super().__init__()\n        self.num_steps = num_steps\n"
    )
    text = with_solution(
        text, "betas of the linear schedule", "betas = torch.linspace(beta_start, beta_end, num_steps)"
    )
    text = with_solution(
        text,
        "betas of the quadratic schedule",
        "betas = torch.linspace(beta_start**0.5, beta_end**0.5, num_steps).square()",
    )
    names = (("betas", "betas"), ("alphas", "1 - betas"), ("alpha_bars", "(1 - betas).cumprod(0)"))
    return with_solution(text, "statistics of the schedule", "\n".join(kept.format(*pair) for pair in names))


def _absolute_losses(text: str) -> str:
    return text.replace("F.mse_loss(estimated_noise, noise)", "F.l1_loss(estimated_noise, noise)")


def _inline_loss(text: str) -> str:
    for name in ("DDPM", "DDIM"):
        text = with_solution(
            text,
            f"{name}.forward",
            """
            b = x.size(0)
            time_step = torch.randint(self.var_scheduler.num_steps, size=(b,)).to(x.device).long()
            noise = torch.normal(0.0, 1.0, x.shape)
            bar = self.var_scheduler.alpha_bars[time_step][:, None, None, None]
            noisy_input = torch.sqrt(bar) * x + torch.sqrt(1 - bar) * noise
            estimated_noise = self.network(noisy_input, time_step, label=label)
            """,
        )
    return text


def _inline_sampling(text: str) -> str:
    return with_solution(
        text,
        "DDPM.generate_sample",
        """
        x, s = torch.randn((num_samples, 1, 32, 32), device=device), self.var_scheduler
        for i in range(s.num_steps)[::-1]:
            t = torch.tensor([i], device=device).expand(num_samples)
            e = self.network(x, timestep=t, label=labels)
            x = (x - s.betas[i] / torch.sqrt(1 - s.alpha_bars[i]) * e) / torch.sqrt(1 - s.betas[i])
            if i:
                x = x + torch.sqrt(s.betas[i]) * torch.randn_like(x)
        sample = x
        """,
    )


def _strides(text: str) -> str:
    text = with_solution(
        text,
        JUMP,
        """
        stride = 20 if previous is None else int(previous)
        t = int(timestep.reshape(-1)[0])
        bar = self.var_scheduler.alpha_bars[t]
        before = self.var_scheduler.alpha_bars[t - stride] if t >= stride else torch.ones(())
        x0 = ((noisy_sample - (1 - bar).sqrt() * estimated_noise) / bar.sqrt()).clamp(-1, 1)
        sample = before.sqrt() * x0 + (1 - before).sqrt() * estimated_noise
        """,
    )
    return with_solution(
        text,
        LOOP,
        """
        sample = torch.randn(num_samples, 1, 32, 32, device=device)
        for t in range(self.var_scheduler.num_steps - 20, -1, -20):
            times = torch.full((num_samples,), t, device=device)
            sample = self.recover_sample(sample, self.network(sample, times, labels), times)
        """,
    )


def _leading_strides(text: str) -> str:
    return with_solution(
        text,
        LOOP,
        """
        sample = torch.randn(num_samples, 1, 32, 32, device=device)
        times = list(range(0, self.var_scheduler.num_steps, self.var_scheduler.num_steps // 100))
        for now, then in zip(times[::-1], [*times[-2::-1], -1]):
            now, then = (torch.full((num_samples,), t, device=device) for t in (now, then))
            sample = self.recover_sample(sample, self.network(sample, now, labels), now, then)
        """,
    )


def _stochastic_strides(text: str) -> str:
    text = with_solution(
        text,
        JUMP,
        """
        s, eta = self.var_scheduler, 1.0
        previous = timestep - 1 if previous is None else previous
        bar = _at(s.alpha_bars, timestep, noisy_sample)
        bars = torch.cat([s.alpha_bars, torch.ones(1)])  # at -1: the image
        before = _at(bars, previous, noisy_sample)
        sigma = eta * ((1 - before) / (1 - bar) * (1 - bar / before)).sqrt()
        x0 = (noisy_sample - (1 - bar).sqrt() * estimated_noise) / bar.sqrt()
        sample = before.sqrt() * x0 + (1 - before - sigma**2).clamp(min=0).sqrt() * estimated_noise
        sample = sample + sigma * torch.randn_like(sample)
        """,
    )
    return _leading_strides(text)


def _broken_network(models: str, assignment: str) -> tuple[str, str]:
    return replaced(
        models,
        "        self.num_classes = num_classes\n\n        # BEGIN SOLUTION 1.2",
        "        self.num_classes = classes\n\n        # BEGIN SOLUTION 1.2",
    ), assignment


def _other_settings(models: str, assignment: str) -> tuple[str, str]:
    usual = 'num_steps=1000, interpolation="quadratic"'
    return models, assignment.replace(usual, 'num_steps=400, interpolation="linear"')


VARIANTS: dict[str, Variant] = {
    "absolute losses": _models(_absolute_losses),
    "a schedule that is a module with buffers": _models(_scheduler),
    "a schedule of parameters": _models(
        lambda text: _scheduler(text, kept="self.{} = nn.Parameter({}, requires_grad=False)")
    ),
    "a schedule in float64": _models(lambda text: _scheduler(text, "object", "self.{} = ({}).double()")),
    "other names of attributes": _models(
        lambda text: (
            text.replace("alpha_bars", "alphas_cumprod")
            .replace(".alphas,", ".one_minus_beta,")
            .replace("self.alphas =", "self.one_minus_beta =")
        )
    ),
    "noise written in place": _models(
        lambda text: with_solution(
            text,
            "add_noise",
            "noise = torch.empty_like(x).normal_()\n"
            "root = torch.sqrt(self.alpha_bars).gather(0, time_step).reshape(len(x), 1, 1, 1)\n"
            "noisy_input = x * root + noise * torch.sqrt(1 - root**2)",
        )
    ),
    "a loss that noises by itself": _models(_inline_loss),
    "sampling without recover_sample": _models(_inline_sampling),
    "posterior variance": _step(
        _joined(
            EARLIER,
            """
        beta = s.betas[t].view(-1, 1, 1, 1)
        mean = (noisy_sample - beta / (1 - bar).sqrt() * estimated_noise) / (1 - beta).sqrt()
        sigma = ((1 - before) / (1 - bar) * beta).sqrt()
        sample = mean + sigma * torch.randn_like(mean)
        """,
        )
    ),
    "the mean from a clamped image": _step(
        _joined(
            EARLIER,
            """
        beta = s.betas[t].view(-1, 1, 1, 1)
        x0 = x0.clamp(-1, 1)
        mean = before.sqrt() * beta / (1 - bar) * x0 + (1 - beta).sqrt() * (1 - before) / (1 - bar) * noisy_sample
        noise = torch.randn_like(mean) if t[0] > 0 else torch.zeros_like(mean)
        sample = mean + beta.sqrt() * noise
        """,
        )
    ),
    "a step that branches on one time": _models(
        lambda text: with_solution(
            with_solution(
                text,
                STEP,
                _joined(
                    NUMBERS,
                    """
                sample = (noisy_sample - beta / torch.sqrt(1 - bar) * estimated_noise) / torch.sqrt(alpha)
                if t > 0:
                    sample = sample + torch.sqrt(beta) * torch.randn_like(sample)
                """,
                ),
            ),
            "DDPM.generate_sample",
            EVERY_TIME.format("torch.tensor([t])"),
        )
    ),
    "a step that takes a number": _models(
        lambda text: with_solution(
            with_solution(
                text,
                STEP,
                """
                b = [float(v) for v in self.var_scheduler.betas]
                bar = math.prod(1 - v for v in b[: timestep + 1])
                z = torch.randn(noisy_sample.shape) if timestep != 0 else 0
                sample = (noisy_sample - b[timestep] / math.sqrt(1 - bar) * estimated_noise) / math.sqrt(
                    1 - b[timestep]
                ) + math.sqrt(b[timestep]) * z
                """,
            ),
            "DDPM.generate_sample",
            EVERY_TIME.format("t"),
        )
    ),
    "DDIM in all steps": _jump(EARLIER + "sample = before.sqrt() * x0 + (1 - before).sqrt() * estimated_noise"),
    "DDIM from a clamped image": _jump(
        EARLIER + "sample = before.sqrt() * x0.clamp(-1, 1) + (1 - before).sqrt() * estimated_noise"
    ),
    "DDIM with the noise of a DDPM": _jump(
        _joined(
            EARLIER,
            """
        variance = (1 - before) / (1 - bar) * (1 - bar / before)
        sample = before.sqrt() * x0 + (1 - before - variance).clamp(min=0).sqrt() * estimated_noise
        sample = sample + variance.sqrt() * torch.randn_like(sample)
        """,
        )
    ),
    "DDIM whose last step changes nothing": _jump(
        _joined(
            EARLIER,
            """
        before = torch.where(t > 0, before.flatten(), bar.flatten()).view(-1, 1, 1, 1)
        sample = before.sqrt() * x0 + (1 - before).sqrt() * estimated_noise
        """,
        )
    ),
    "DDIM that takes a number": _jump(
        _joined(
            NUMBERS,
            """
        x0 = (noisy_sample - (1 - bar) ** 0.5 * estimated_noise) / bar**0.5
        sample = before**0.5 * x0 + (1 - before) ** 0.5 * estimated_noise
        """,
        ),
        "t",
    ),
    "DDIM in strides of its own": _models(_strides),
    "DDIM in strides from a lower start": _models(_leading_strides),
    "DDIM in strides with noise": _models(_stochastic_strides),
    "a network that cannot be made": _broken_network,
    "another schedule": _other_settings,
    "no functions that make models": lambda models, assignment: (models, "models = None\n"),
    "a seed in a constructor": _models(
        lambda text: text.replace(
            "        self.network = network\n", "        self.network = network\n        torch.manual_seed(42)\n"
        )
    ),
}

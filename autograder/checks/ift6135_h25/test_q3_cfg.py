"""Question 2.2.3: the diffusion for classifier-free guidance."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from autograder.checks.ift6135_h25.probes import LabelNet
from autograder.grading import expect, points, public
from autograder.grading.carry import follows, own
from autograder.grading.reference import Reference
from autograder.grading.sampling import expect_normal
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Remote, Student

STEPS = 30
IMAGE = (3, 5, 6)
NAMES = "(batch, channels, height, width)"
ONE_EACH = "(batch, 1, 1, 1)"
STD_RTOL, STD_ATOL = 5e-3, 2e-5  # room for 1 - sigmoid in float32 and for floors under variances


def column(*values: float) -> torch.Tensor:
    """Log-SNRs as (B, 1, 1, 1)."""
    return torch.tensor(values).view(-1, 1, 1, 1)


def far_pairs(draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs (lambda, lambda') far apart, where the variances differ by more than a percent; each (4, 1, 1, 1)."""
    low = column(-9.0, -0.5, 6.0, -3.0) + draw.uniform(-0.4, 0.4, 4, 1, 1, 1)
    return low, low + column(3.0, 2.0, 3.0, 4.0)


def make(student: Student, reference: Reference) -> tuple[Remote, Any]:
    """A diffusion of the submission, and one of the reference."""
    net = LabelNet(0.5)
    return student.q3_cfg_diffusion.CFGDiffusion(net, STEPS, "cpu"), reference.q3_cfg_diffusion.CFGDiffusion(
        net, STEPS, "cpu"
    )


@public
@points("q3_cfg_diffusion.get_lambda", 0.6)
def test_cfg_get_lambda(student: Student, reference: Reference, draw: Draw) -> None:
    """get_lambda: the log-SNR of every time"""
    cfg, ref = make(student, reference)
    t = torch.arange(1, STEPS)
    right = ref.get_lambda(t)
    u = t.double() / STEPS
    edge = torch.tensor([-10.0], dtype=torch.float64).exp().atan()
    span = torch.tensor([10.0], dtype=torch.float64).exp().atan() - edge

    def schedule(u: torch.Tensor, factor: float = -2.0) -> torch.Tensor:
        return (factor * (span * u + edge).tan().log()).view(-1, 1, 1, 1)

    expect(cfg.get_lambda(t), "lambda").close_to(
        right,
        ONE_EACH,
        rtol=1e-4,
        atol=2e-3,
        mistakes={
            "time runs the wrong way: t = 0 is the clean end, where lambda is largest": [
                schedule(1 - u),
                -right,
            ],
            "the factor 2 is missing": schedule(u, -1.0),
            "t is divided by n_steps - 1 instead of n_steps": schedule(t.double() / (STEPS - 1)),
            "the time is off by one": [schedule(u + 1 / STEPS), schedule(u - 1 / STEPS)],
            "lambda falls on a straight line instead of the cosine schedule": (20 - 40 * u).view(-1, 1, 1, 1),
            "the shape (batch,) has to become (batch, 1, 1, 1)": right.view(-1),
        },
    )


@points("q3_cfg_diffusion.get_lambda", 0.2)
def test_cfg_get_lambda_noisy_end(student: Student, reference: Reference, draw: Draw) -> None:
    """get_lambda: the noisiest of 1000 times, where a wrong edge of the schedule shows most"""
    net = LabelNet(0.5)
    t = torch.arange(990, 1000)
    expect(student.q3_cfg_diffusion.CFGDiffusion(net, 1000, "cpu").get_lambda(t), "lambda").close_to(
        reference.q3_cfg_diffusion.CFGDiffusion(net, 1000, "cpu").get_lambda(t), ONE_EACH, rtol=1e-4, atol=2e-3
    )


@points("q3_cfg_diffusion.get_lambda", 0.2)
def test_cfg_get_lambda_clean_end(student: Student, reference: Reference, draw: Draw) -> None:
    """get_lambda: close to lambda_max at t = 0"""
    cfg, _ = make(student, reference)
    value = expect(cfg.get_lambda(torch.zeros(2, dtype=torch.long)), "lambda at t = 0").tensor((2, 1, 1, 1), ONE_EACH)
    expect(bool(((value > 19.4) & (value < 20.01)).all())).true(
        expected="lambda at t = 0 is lambda_max = 20 (the cleanest image).",
        got="another value.",
        hint="it looks as if time runs the wrong way." if bool((value < 0).all()) else "",
    )


@public
@points("q3_cfg_diffusion.alpha_lambda")
def test_cfg_alpha_lambda(student: Student, reference: Reference, draw: Draw) -> None:
    """alpha_lambda: the factor of the image"""
    cfg, ref = make(student, reference)
    lam = torch.cat([column(-12.0, 12.0), draw.uniform(-8, 8, 6, 1, 1, 1)])
    square = lam.double().sigmoid()
    expect(cfg.alpha_lambda(lam), "alpha").close_to(
        ref.alpha_lambda(lam),
        ONE_EACH,
        rtol=1e-3,
        atol=2e-5,
        mistakes={
            "it is alpha squared: the square root is missing": square,
            "the square root is taken twice": square**0.25,
            "lambda has the wrong sign: this is sigma": (1 - square).sqrt(),
            "lambda is taken for log(alpha / sigma) instead of log(alpha^2 / sigma^2)": (2 * lam.double())
            .sigmoid()
            .sqrt(),
        },
    )


@public
@points("q3_cfg_diffusion.sigma_lambda")
def test_cfg_sigma_lambda(student: Student, reference: Reference, draw: Draw) -> None:
    """sigma_lambda: the factor of the noise"""
    cfg, ref = make(student, reference)
    lam = torch.cat([column(-12.0, 9.0), draw.uniform(-8, 8, 6, 1, 1, 1)])
    square = (-lam.double()).sigmoid()
    alpha = own("q3_cfg_diffusion.alpha_lambda", lambda: cfg.alpha_lambda(lam), lambda: ref.alpha_lambda(lam))
    expect(cfg.sigma_lambda(lam), "sigma").close_to(
        ref.sigma_lambda(lam),
        ONE_EACH,
        rtol=STD_RTOL,
        atol=STD_ATOL,
        or_values=follows(lambda a: (1 - a**2).sqrt(), alpha),
        mistakes={
            "it is sigma squared: the square root is missing": square,
            "it is alpha": (1 - square).sqrt(),
            "sigma = 1 - alpha, but it is the squares that add up to 1": [
                1 - (1 - square).sqrt(),
                (1 - (1 - square).sqrt()).sqrt(),
            ],
        },
    )


@public
@points("q3_cfg_diffusion.q_sample")
def test_cfg_q_sample(student: Student, reference: Reference, draw: Draw) -> None:
    """q_sample: the noised image"""
    cfg, ref = make(student, reference)
    x, noise, lam = draw.normal(5, *IMAGE), draw.normal(5, *IMAGE), draw.uniform(-5, 5, 5, 1, 1, 1)
    alpha, sigma = ref.alpha_lambda(lam), ref.sigma_lambda(lam)
    result = cfg.q_sample(x, lam, noise)
    expect(result, "z").close_to(
        ref.q_sample(x, lam, noise),
        NAMES,
        rtol=1e-3,
        atol=1e-3,
        or_values=follows(
            lambda a, s: a * x + s * noise,
            own("q3_cfg_diffusion.alpha_lambda", lambda: cfg.alpha_lambda(lam), lambda: ref.alpha_lambda(lam)),
            own("q3_cfg_diffusion.sigma_lambda", lambda: cfg.sigma_lambda(lam), lambda: ref.sigma_lambda(lam)),
        ),
        mistakes={
            "alpha and sigma have changed places": sigma * x + alpha * noise,
            "the factors are the squares of alpha and sigma": [alpha**2 * x + sigma**2 * noise],
            "the noise has the variance as its factor instead of the standard deviation": alpha * x + sigma**2 * noise,
            "the noise is not scaled": alpha * x + noise,
            "the noise is missing": alpha * x,
            "the noise is subtracted": alpha * x - sigma * noise,
        },
    )


@public
@points("q3_cfg_diffusion.sigma_q")
def test_cfg_sigma_q(student: Student, reference: Reference, draw: Draw) -> None:
    """sigma_q: standard deviation of one noising step"""
    _expect_step_std(student, reference, draw, "sigma_q", "sigma_q_x", own_at=0)


@public
@points("q3_cfg_diffusion.sigma_q_x")
def test_cfg_sigma_q_x(student: Student, reference: Reference, draw: Draw) -> None:
    """sigma_q_x: standard deviation of one noising step undone"""
    _expect_step_std(student, reference, draw, "sigma_q_x", "sigma_q", own_at=1)


def _expect_step_std(student: Student, reference: Reference, draw: Draw, name: str, other: str, own_at: int) -> None:
    cfg, ref = make(student, reference)
    pair = far_pairs(draw)
    right = getattr(ref, name)(*pair)
    ratio = (pair[0] - pair[1]).double().exp()
    sigma = ref.sigma_lambda(pair[own_at])
    expect(getattr(cfg, name)(*pair), name).close_to(
        right,
        ONE_EACH,
        rtol=STD_RTOL,
        atol=STD_ATOL,
        or_values=follows(
            lambda s: (1 - ratio).sqrt() * s,
            own("q3_cfg_diffusion.sigma_lambda", lambda: cfg.sigma_lambda(pair[own_at])),
        ),
        mistakes={
            "it is the variance: the square root is missing": right**2,
            f"it is {other}: the sigma in it is that of the other log-SNR": getattr(ref, other)(*pair),
            "the factor 1 - exp(lambda - lambda') is missing": sigma,
            "sigma is missing": (1 - ratio).sqrt(),
            "exp(lambda - lambda') is there without the 1 -": ratio.sqrt() * sigma,
            "sigma is used where sigma squared belongs": ((1 - ratio) * sigma).sqrt(),
            "1 - exp(lambda - lambda') stands outside the square root": (1 - ratio) * sigma,
            "alpha is used in the place of sigma": (1 - ratio).sqrt() * ref.alpha_lambda(pair[own_at]),
        },
    )


@public
@points("q3_cfg_diffusion.mu_p_theta")
def test_cfg_mu_p_theta(student: Student, reference: Reference, draw: Draw) -> None:
    """mu_p_theta: mean of the reverse step"""
    cfg, ref = make(student, reference)
    lam, prim = far_pairs(draw)
    z, x = draw.normal(4, *IMAGE), draw.normal(4, *IMAGE)
    ratio = (lam - prim).double().exp()
    alpha, alpha_prim = ref.alpha_lambda(lam), ref.alpha_lambda(prim)

    def mean(a: torch.Tensor, a_prim: torch.Tensor) -> torch.Tensor:
        return ratio * (a_prim / a) * z + (1 - ratio) * a_prim * x

    expect(cfg.mu_p_theta(z, x, lam, prim), "the mean").close_to(
        ref.mu_p_theta(z, x, lam, prim),
        NAMES,
        rtol=2e-3,
        atol=1e-3,
        or_values=follows(
            mean,
            own("q3_cfg_diffusion.alpha_lambda", lambda: cfg.alpha_lambda(lam), lambda: ref.alpha_lambda(lam)),
            own("q3_cfg_diffusion.alpha_lambda", lambda: cfg.alpha_lambda(prim), lambda: ref.alpha_lambda(prim)),
        ),
        mistakes={
            "z and x have changed places": ratio * (alpha_prim / alpha) * x + (1 - ratio) * alpha_prim * z,
            "lambda and lambda' have changed places": [
                (1 / ratio) * (alpha / alpha_prim) * z + (1 - 1 / ratio) * alpha * x,
                ratio * (alpha / alpha_prim) * z + (1 - ratio) * alpha * x,
            ],
            "the ratio of the alphas is upside down": ratio * (alpha / alpha_prim) * z + (1 - ratio) * alpha_prim * x,
            "the ratio of the alphas is missing": ratio * z + (1 - ratio) * alpha_prim * x,
            "the alpha in front of x is that of lambda instead of lambda'": ratio * (alpha_prim / alpha) * z
            + (1 - ratio) * alpha * x,
            "the alpha in front of x is missing": ratio * (alpha_prim / alpha) * z + (1 - ratio) * x,
            "the term with x is missing": ratio * (alpha_prim / alpha) * z,
        },
    )


@public
@points("q3_cfg_diffusion.var_p_theta")
def test_cfg_var_p_theta(student: Student, reference: Reference, draw: Draw) -> None:
    """var_p_theta: variance of the reverse step, for several v"""
    cfg, ref = make(student, reference)
    pair = far_pairs(draw)
    noising, undone = ref.sigma_q(*pair) ** 2, ref.sigma_q_x(*pair) ** 2
    own_noising, own_undone = (
        own("q3_cfg_diffusion.sigma_q", lambda: cfg.sigma_q(*pair), lambda: ref.sigma_q(*pair)),
        own("q3_cfg_diffusion.sigma_q_x", lambda: cfg.sigma_q_x(*pair), lambda: ref.sigma_q_x(*pair)),
    )
    for v in (None, 0.0, 0.3, 0.7, 1.0):
        result = cfg.var_p_theta(*pair) if v is None else cfg.var_p_theta(*pair, v)
        w = 0.3 if v is None else v
        expect(result, "the variance" + (" with the default v" if v is None else f" with v = {v}")).close_to(
            undone ** (1 - w) * noising**w,
            ONE_EACH,
            rtol=1e-2,
            atol=1e-7,
            or_values=follows(partial(_mixed, w), own_undone, own_noising),
            mistakes={
                "it is the standard deviation, not the variance": undone ** ((1 - w) / 2) * noising ** (w / 2),
                "v and 1 - v have changed places": undone**w * noising ** (1 - w),
                "the two variances are mixed linearly instead of in their logarithms": (1 - w) * undone + w * noising,
                "v is left out of account": [undone, noising, undone * noising, undone**0.7 * noising**0.3],
                "the square of a variance is taken": (undone ** (1 - w) * noising**w) ** 2,
            },
        )


def _mixed(v: float, undone: torch.Tensor, noising: torch.Tensor) -> torch.Tensor:
    """The variance that follows from two standard deviations."""
    return (undone**2) ** (1 - v) * (noising**2) ** v


@public
@points("q3_cfg_diffusion.p_sample")
def test_cfg_p_sample(student: Student, reference: Reference, draw: Draw) -> None:
    """p_sample: mean and spread of the reverse step"""
    cfg, ref = make(student, reference)
    lam, prim = far_pairs(draw)
    z, x = (draw.uniform(-1.5, 1.5, 4, 1, 1, 1).expand(4, 3, 128, 128).contiguous() for _ in range(2))
    samples = expect(cfg.p_sample(z, lam, prim, x), "the sample").tensor(tuple(z.shape), NAMES)

    def row(value: torch.Tensor) -> torch.Tensor:
        return value.flatten(1).mean(1)

    mean, var = row(ref.mu_p_theta(z, x, lam, prim)), row(ref.var_p_theta(lam, prim))
    own_mean, own_var = (
        own(
            "q3_cfg_diffusion.mu_p_theta",
            lambda: cfg.mu_p_theta(z, x, lam, prim),
            lambda: ref.mu_p_theta(z, x, lam, prim),
        ),
        own("q3_cfg_diffusion.var_p_theta", lambda: cfg.var_p_theta(lam, prim), lambda: ref.var_p_theta(lam, prim)),
    )
    usable = [
        m.shape == z.shape and v.numel() == 4 and bool((v > 0).all()) for m, v in zip(own_mean, own_var, strict=False)
    ]
    carried = [(row(own_mean[0]), own_var[0].flatten().sqrt())] if usable == [True] else []
    expect_normal(
        samples,
        mean,
        var.sqrt(),
        slack=5e-3,
        or_moments=carried,
        mean_mistakes={
            "x and z have changed places": row(ref.mu_p_theta(x, z, lam, prim)),
            "the noise is not centred: it is uniform on [0, 1)": mean + var.sqrt() / 2,
        },
        std_mistakes={
            "the noise is multiplied by the variance instead of the standard deviation": var,
            "the noise is not scaled": torch.ones_like(var),
            "the noise has the deviation sigma_q": row(ref.sigma_q(lam, prim)),
            "the noise has the deviation sigma_q_x": row(ref.sigma_q_x(lam, prim)),
        },
    )

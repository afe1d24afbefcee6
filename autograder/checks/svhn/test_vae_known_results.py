"""The VAE's images and losses where every number of an image has a latent number of its own.

There are so many of these that sums over them hardly depend on what is drawn.
"""

from __future__ import annotations

import torch

from autograder.checks.svhn.vae_networks import BENCH, IMAGE, IMAGES, LOG_2PI, METHODS, PIXELS, PixelwiseVae
from autograder.grading import expect, points, public
from autograder.grading.reference import Reference
from autograder.grading.sampling import SIGMAS, expect_normal
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.proxy import Student


@public
@points("vae.VAE.sample", 0)
def test_vae_sample_pixels(student: Student, reference: Reference, draw: Draw) -> None:
    """VAE.sample: mean and spread of the images, where every pixel shows a number of the latent"""
    networks, count = PixelwiseVae(student, draw), 6
    networks.put_right(reference, "decode", "mode", "sample")
    images, _latents = networks.sampled(count)
    level = torch.full((count,), networks.level, dtype=torch.float64)
    std = torch.full((count,), networks.gain, dtype=torch.float64)
    expect_normal(
        expect(images, _("the images")).tensor((count, *IMAGE), "(batch_size, 3, 32, 32)"),
        level,
        std,
        mean_mistakes={_("the latents are uniform on [0, 1) instead of normal"): level + std / 2},
        std_mistakes={
            _("noise is added to the mode of p(x|z)"): (std**2 + 1).sqrt(),
            _("the latents are uniform on [-1, 1) instead of normal"): std / 3**0.5,
        },
    )


@public
@points("vae.VAE.forward", 0)
def test_vae_forward_pixels(student: Student, reference: Reference, draw: Draw) -> None:
    """VAE.forward: reconstruction, nll and kl of grey images, where every pixel has a latent number of its own"""
    networks = PixelwiseVae(student, draw)
    networks.put_right(reference, *METHODS, "encode", "decode")
    x = torch.tensor([-0.8, 0.1, 0.9]) + draw.uniform(-0.1, 0.1, 3)
    images = x.view(-1, 1, 1, 1).expand(-1, *IMAGE).contiguous()
    mean, logvar = (values[:, 0] for values in networks.posterior(images))
    level = networks.gain * mean + networks.level
    std = networks.gain * (0.5 * logvar).exp()
    results = [student.copy_of(BENCH).forward(networks.vae, images, position) for position in range(3)]
    expect_normal(
        expect(results[0], _("the reconstruction")).tensor((3, *IMAGE), IMAGES),
        level,
        std,
        mean_mistakes={
            _("the latent is drawn from the prior N(0, I)"): torch.full_like(mean, networks.level),
        },
        std_mistakes={_("noise is added to the mode of p(x|z)"): (std**2 + 1).sqrt()},
    )
    distance = x.double() - level
    # a sum over pixels of halved squares of normal numbers, and constants
    right = PIXELS * 0.5 * (distance**2 + std**2 + LOG_2PI)
    spread = (PIXELS * (distance**2 * std**2 + 0.5 * std**4)).sqrt()
    divergence = PIXELS * 0.5 * (mean**2 + logvar.exp() - 1 - logvar)
    expect(results[1], _("nll (the second value)")).close_to(
        right,
        "(batch,)",
        rtol=1e-4,
        atol=SIGMAS * spread,
        mistakes={
            _("nll and kl have changed places"): divergence,
            _("the sign of nll is wrong"): -right,
            _("nll is that of the reconstruction itself, instead of that of the images x"): torch.full_like(
                right, PIXELS * 0.5 * LOG_2PI
            ),
        },
    )
    expect(results[2], _("kl (the third value)")).close_to(
        divergence, "(batch,)", rtol=1e-3, mistakes={_("the sign of kl is wrong"): -divergence}
    )

"""The accuracy of the samples: 80% of each task's points."""

from __future__ import annotations

from collections.abc import Callable

from autograder.grading import points
from autograder.grading.plugin import Workplace
from autograder.grading.seeds import Draw
from autograder.scoring.generation import judge_samples


@points("assignment.prepare_ddpm")
def test_ddpm_samples(workplace: Workplace, draw: Draw, remark: Callable[[str], None]) -> None:
    """Samples of the trained DDPM, judged by the frozen classifier."""
    judge_samples(workplace, draw, remark, "DDPM", "prepare_ddpm")


@points("assignment.prepare_ddim")
def test_ddim_samples(workplace: Workplace, draw: Draw, remark: Callable[[str], None]) -> None:
    """Samples of the trained DDIM, judged by the frozen classifier."""
    judge_samples(workplace, draw, remark, "DDIM", "prepare_ddim")


@points("assignment.prepare_vae")
def test_vae_samples(workplace: Workplace, draw: Draw, remark: Callable[[str], None]) -> None:
    """Samples of the trained VAE, judged by the frozen classifier."""
    judge_samples(workplace, draw, remark, "VAE", "prepare_vae")


@points("assignment.prepare_lddpm")
def test_lddpm_samples(workplace: Workplace, draw: Draw, remark: Callable[[str], None]) -> None:
    """Samples of the trained latent DDPM, judged by the frozen classifier."""
    judge_samples(workplace, draw, remark, "LDDPM", "prepare_lddpm")

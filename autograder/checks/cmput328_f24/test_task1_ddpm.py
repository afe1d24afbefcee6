"""Task 1: loss, denoising step and sampling of the DDPM."""

from __future__ import annotations

from autograder.checks.cmput328_f24.denoising_steps import (
    early_times,
    expect_on_any,
    judge_ddpm,
    last_time,
    late_times,
)
from autograder.checks.cmput328_f24.noise_estimation import expect_noise_loss, expect_random_times
from autograder.checks.cmput328_f24.own_models import coarse_model, diffusion_model
from autograder.checks.cmput328_f24.sampling_loops import (
    expect_all_times,
    expect_calls,
    expect_fresh_samples,
    expect_trajectory,
    expect_wrong_labels_are_refused,
    walk,
)
from autograder.checks.cmput328_f24.schedules import own_schedules
from autograder.grading import points
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Student


@points("models.DDPM.forward", 0.7)
def test_ddpm_loss(student: Student, draw: Draw) -> None:
    """forward: the network's output at x_t is compared with the noise in x_t"""
    expect_noise_loss(student, diffusion_model(student, "DDPM"), draw)


@points("models.DDPM.forward", 0.3)
def test_ddpm_loss_times(student: Student, draw: Draw) -> None:
    """forward: a random time for every image, from 0 to num_steps - 1"""
    expect_random_times(student, diffusion_model(student, "DDPM"), draw)


@points("models.DDPM.recover_sample", 0.4)
def test_ddpm_step_late_times(student: Student, draw: Draw) -> None:
    """recover_sample: one step where x_t is mostly noise"""
    expect_on_any(coarse_model(student, "DDPM"), draw, judge_ddpm, late_times)
    expect_on_any(diffusion_model(student, "DDPM"), draw, judge_ddpm, late_times)


@points("models.DDPM.recover_sample", 0.4)
def test_ddpm_step_early_times(student: Student, draw: Draw) -> None:
    """recover_sample: one step where x_t is nearly the image"""
    expect_on_any(diffusion_model(student, "DDPM"), draw, judge_ddpm, early_times)


@points("models.DDPM.recover_sample", 0.2)
def test_ddpm_step_last_time(student: Student, draw: Draw) -> None:
    """recover_sample: the last step, t = 0"""
    expect_on_any(diffusion_model(student, "DDPM"), draw, judge_ddpm, last_time)


@points("models.DDPM.generate_sample", 0.35)
def test_ddpm_generate_calls(student: Student, draw: Draw) -> None:
    """generate_sample: the times of the loop, all samples at once, with their labels"""
    model = diffusion_model(student, "DDPM")
    schedule, samples = own_schedules(model.var_scheduler)[0], 3
    labels = draw.integers(0, 10, samples)
    made = walk(student, model, schedule, samples, labels)
    expect_calls(made, samples, labels)
    expect_all_times(made.order, schedule.steps)


@points("models.DDPM.generate_sample", 0.35)
def test_ddpm_generate_trajectory(student: Student, draw: Draw) -> None:
    """generate_sample: from noise to the image, with the right noise in x_t all the way"""
    model = diffusion_model(student, "DDPM")
    expect_trajectory(student, model, draw, judge_ddpm, stochastic=True, final_error=2e-3)


@points("models.DDPM.generate_sample", 0.3)
def test_ddpm_generate_fresh_samples(student: Student) -> None:
    """generate_sample: new noise in every call; labels are drawn, or have to be as many as the samples"""
    model = diffusion_model(student, "DDPM")
    expect_fresh_samples(student, model)
    expect_wrong_labels_are_refused(student, model)

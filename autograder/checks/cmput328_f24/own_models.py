"""The submission's own models, networks and latents, in the sizes that its author chose.

`assignment.py` says how the models are made. Where it cannot be used, because it does not import or because another
part of a model is not written yet, the class itself is taken: a unit is judged by what is its own.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from autograder.checks.cmput328_f24.probes import Bench, PlainNet
from autograder.checks.cmput328_f24.public_probes import Makers
from autograder.grading import fail, fetch
from autograder.grading.outcomes import CheckSkipped
from autograder.grading.seeds import Draw
from autograder.sandbox.errors import ChildEnded, SubmissionError
from autograder.sandbox.proxy import Remote, Student

IMAGE = (1, 32, 32)
IMAGES = "(batch, 1, 32, 32)"
CLASSES = 10
_PLAIN_NET = PlainNet(10)
BENCH = Bench()
MAKERS = Makers()


def assignment_of(student: Student) -> Any:
    """assignment.py; where it cannot be imported, a number, which has no functions that make models."""
    try:
        return student.assignment
    except ChildEnded:
        raise
    except SubmissionError:
        return 0


def own_network(student: Student) -> Remote:
    """The U-Net of `prepare_ddpm()`, or `UNet()` where there is none."""
    try:
        model = student.assignment.prepare_ddpm()
        network = fetch(model.network) if isinstance(model, Remote) else None
    except ChildEnded:
        raise
    except SubmissionError:
        network = None
    return network if isinstance(network, Remote) else _object(student.models.UNet(), "UNet()")


def own_vae(student: Student) -> Remote:
    """The VAE of `prepare_vae()`, or `VAE(in_channels=1)` where there is none."""
    try:
        vae = student.assignment.prepare_vae()
    except ChildEnded:
        raise
    except SubmissionError:
        vae = None
    return vae if isinstance(vae, Remote) else _object(student.models.VAE(in_channels=1), "VAE(in_channels=1)")


def made_vae(student: Student) -> Remote:
    """The same by one call, which a public check can make as well."""
    return _object(student.copy_of(MAKERS).vae(assignment_of(student), student.models.VAE), "VAE(in_channels=1)")


def diffusion_model(student: Student, name: str) -> Remote:
    """The model `name`, DDPM or DDIM, made by the submission.

    A network or an assignment.py that does not work costs its own points: the model then gets a network of the grader.
    """
    try:
        made = getattr(student.assignment, f"prepare_{name.lower()}")()
    except SubmissionError:
        made = None
    if isinstance(made, Remote):
        return made
    return plain_model(student, name)


def coarse_model(student: Student, name: str) -> Remote:
    """The model `name` with a dozen large steps, in which small differences between formulas show."""
    return _made(student, name, 0.4, 12)


def plain_model(student: Student, name: str) -> Remote:
    """The model `name` with the usual thousand steps and a network of the grader."""
    return _made(student, name, 0.02, 1000)


def _made(student: Student, name: str, beta_end: float, steps: int) -> Remote:
    scheduler = student.models.VarianceScheduler(
        beta_start=1e-4, beta_end=beta_end, num_steps=steps, interpolation="quadratic"
    )
    model: Remote = getattr(student.models, name)(_PLAIN_NET, scheduler)
    return model


def _object(made: Any, what: str) -> Remote:
    if not isinstance(made, Remote):
        fail(f"{what} makes a network.", f"a value of type {type(made).__name__}.")
    return made


def batch_of(draw: Draw, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images in [0, 1] (B, 1, 32, 32), and classes that differ from one image to the next (B,)."""
    return draw.uniform(0.0, 1.0, batch, *IMAGE), draw.distinct(0, CLASSES, batch)


def settled_vae(student: Student, draw: Draw) -> Remote:
    """The submission's VAE in evaluation mode, none of whose weights is zero; see `Bench.settle`."""
    vae = own_vae(student)
    student.copy_of(BENCH).settle(vae, draw.child_seed, *batch_of(draw, 4))
    return vae


def latent_shape(student: Student, vae: Remote) -> tuple[int, ...]:
    """Shape of one latent of the VAE, without the batch: that of the mean that its forward returns.

    Where forward does not work yet, the shape that decode takes.

    Raises:
        CheckSkipped: neither of them works.
    """
    images, labels = torch.zeros(2, *IMAGE), torch.tensor([0, 1])
    try:
        vae.eval()
        result = vae(images, labels)
    except ChildEnded:
        raise
    except SubmissionError:
        result = None
    if isinstance(result, (tuple, list)) and len(result) == 3:
        mean = result[1]
        if isinstance(mean, torch.Tensor) and mean.dim() >= 2 and mean.shape[0] == 2 and mean.numel() > 0:
            return tuple(mean.shape[1:])
    for shape in _announced_shapes(vae):
        try:
            made = vae.decode(torch.zeros(2, *shape), labels)
        except ChildEnded:
            raise
        except SubmissionError:
            continue
        if isinstance(made, torch.Tensor):
            return shape
    raise CheckSkipped("this needs the VAE's forward or decode, which do not work yet.")


def _announced_shapes(vae: Remote) -> list[tuple[int, ...]]:
    """A map and a vector, in the sizes that `latent_dim` and `mid_size` say."""
    try:
        dim, size = fetch(vae.latent_dim), fetch(vae.mid_size)
    except SubmissionError:
        return []
    numbers = [dim, *size] if isinstance(size, (list, tuple)) and len(size) == 3 else []
    if not numbers or not all(type(number) is int and 0 < number < 4096 for number in numbers):
        return []
    return [(dim, size[1], size[2]), (dim,)]


def latents_of(student: Student) -> tuple[int, ...]:
    """Shape of one latent of the submission's VAE; that of a small map where it has no VAE that works."""
    try:
        return latent_shape(student, own_vae(student))
    except ChildEnded:
        raise
    except (SubmissionError, CheckSkipped, AssertionError):
        return (4, 4, 4)


def repeats_for(shape: tuple[int, ...], values: int) -> int:
    """How many latents hold about `values` numbers together."""
    return max(4, -(-values // math.prod(shape)))


def spread_over(settings: torch.Tensor, repeats: int, shape: tuple[int, ...]) -> torch.Tensor:
    """One constant latent for each setting (K,), `repeats` times over: (repeats * K, *shape)."""
    return settings.repeat(repeats).view(-1, *(1 for _ in shape)).expand(-1, *shape).contiguous()


def by_setting(values: torch.Tensor, settings: int) -> torch.Tensor:
    """The inverse: (repeats * K, *shape) -> (K, all values of the setting)."""
    return values.reshape(-1, settings, values[0].numel()).transpose(0, 1).reshape(settings, -1)

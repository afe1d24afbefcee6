"""The diffusion models of a submission, as its own `prepare_...` functions make them."""

from __future__ import annotations

from autograder.checks.cmput328_f24.probes import PlainNet
from autograder.sandbox.errors import SubmissionError
from autograder.sandbox.proxy import Remote, Student

_PLAIN_NET = PlainNet(10)  # kept, since a probe is known to the child by its id


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
    return _made(student, name, 0.02, 1000)


def coarse_model(student: Student, name: str) -> Remote:
    """The model `name` with a dozen large steps, in which small differences between formulas show."""
    return _made(student, name, 0.4, 12)


def _made(student: Student, name: str, beta_end: float, steps: int) -> Remote:
    scheduler = student.models.VarianceScheduler(
        beta_start=1e-4, beta_end=beta_end, num_steps=steps, interpolation="quadratic"
    )
    model: Remote = getattr(student.models, name)(_PLAIN_NET, scheduler)
    return model

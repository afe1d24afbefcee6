"""The coefficients of a DDPM: the right ones, a submission's own, and judging a function that uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch.nn import functional as F

from autograder.grading import assign, fetch
from autograder.grading.outcomes import CheckFailed
from autograder.grading.reference import Reference
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import Student

Result = TypeVar("Result")
RTOL, ATOL = 1e-3, 2e-7  # float32 is off by 1.6e-4 (posterior_variance), and by 6e-8 where the value is 0
NEAR_ONE = ("alphas", "sqrt_recip_alphas", "alphas_cumprod", "alphas_cumprod_prev")  # what counts is what lacks to 1
MOST_STEPS = 10_000


class Coefficients(NamedTuple):
    """The eight coefficients of all times, float64 (T,) each (Ho et al. 2020, section 2)."""

    betas: torch.Tensor
    alphas: torch.Tensor
    sqrt_recip_alphas: torch.Tensor
    alphas_cumprod: torch.Tensor
    sqrt_alphas_cumprod: torch.Tensor
    sqrt_one_minus_alphas_cumprod: torch.Tensor
    alphas_cumprod_prev: torch.Tensor
    posterior_variance: torch.Tensor

    def at(self, t: torch.Tensor) -> Coefficients:
        """Those of the times t, (B, 1, 1, 1) each."""
        return Coefficients(*(values[t].view(-1, 1, 1, 1) for values in self))


Own = Mapping[str, torch.Tensor]
_Formula = Callable[..., torch.Tensor]
_FORMULAS: dict[str, tuple[tuple[str, ...], _Formula]] = {
    "alphas": (("betas",), lambda beta: 1 - beta),
    "sqrt_recip_alphas": (("alphas",), lambda alpha: (1 / alpha).sqrt()),
    "alphas_cumprod": (("alphas",), lambda alpha: alpha.cumprod(0)),
    "sqrt_alphas_cumprod": (("alphas_cumprod",), lambda bar: bar.sqrt()),
    "sqrt_one_minus_alphas_cumprod": (("alphas_cumprod",), lambda bar: (1 - bar).sqrt()),
    "alphas_cumprod_prev": (("alphas_cumprod",), lambda bar: F.pad(bar[:-1], (1, 0), value=1.0)),
    "posterior_variance": (
        ("betas", "alphas_cumprod", "alphas_cumprod_prev"),
        lambda beta, bar, before: beta * (1 - before) / (1 - bar),
    ),
}


def made_of(betas: torch.Tensor) -> Coefficients:
    """All coefficients of a schedule; (T,) -> (T,) each."""
    found = {"betas": betas}
    for name, (parents, formula) in _FORMULAS.items():
        found[name] = formula(*(found[parent] for parent in parents))
    return Coefficients(**found)


def following(name: str, own: Own) -> list[torch.Tensor]:
    """What a coefficient is, given others of the submission's own, or what follows from these in turn."""
    if name not in _FORMULAS:
        return []
    parents, formula = _FORMULAS[name]
    options = [[*([own[parent]] if parent in own else []), *following(parent, own)] for parent in parents]
    chosen = (values for values in product(*options) if len({value.shape for value in values}) == 1)
    return [formula(*values) for values in chosen]


def own_coefficients(student: Student) -> dict[str, torch.Tensor]:
    """Those of the eight that the submission has, as far as they are one-dimensional float tensors; in float64."""
    module, found = student.ddpm, {}
    for name in Coefficients._fields:
        try:
            value = fetch(getattr(module, name))
        except SubmissionRaised:  # the name is not there: its own check says so
            continue
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            value = torch.from_numpy(value.astype(np.float64))
        if isinstance(value, torch.Tensor) and value.is_floating_point() and value.dim() == 1:
            found[name] = value.detach().double()
    return found


def number_of_steps(student: Student, reference: Reference) -> int:
    """How many times there are: T, which a submission may have changed, or as many as it has betas for a T it knows."""
    usual = int(reference.ddpm.T)
    module = student.ddpm
    try:
        steps = fetch(module.T)
    except SubmissionRaised:
        steps = usual
    if type(steps) is not int or not 20 <= steps <= MOST_STEPS:
        return usual
    betas = own_coefficients(student).get("betas")
    return usual if betas is not None and len(betas) == usual else steps


def right_coefficients(reference: Reference, steps: int) -> Coefficients:
    """The assignment's own schedule with so many steps."""
    ddpm = reference.ddpm
    return made_of(ddpm.linear_beta_schedule(ddpm.beta_start, ddpm.beta_end, steps))


def tolerance(name: str, right: torch.Tensor) -> tuple[float, float | torch.Tensor]:
    """Relative and absolute tolerance of a coefficient with the value `right`, (T,)."""
    if name not in NEAR_ONE:
        return RTOL, ATOL
    return 1e-6, RTOL * torch.minimum(right.abs(), (1 - right).abs()) + 5e-7


def within_tolerance(value: torch.Tensor, other: torch.Tensor, name: str) -> bool:
    """Whether two values of the coefficient `name` are equal within its tolerance; NaN is equal to NaN."""
    if value.shape != other.shape:
        return False
    rtol, atol = tolerance(name, other)
    close = (value - other).abs() <= atol + rtol * other.abs()
    return bool((close | (value == other) | (value.isnan() & other.isnan())).all())


def put_in_place(student: Student, coefficients: Coefficients) -> None:
    """Give the submission's globals these values, in float32."""
    module = student.ddpm
    for name, values in coefficients._asdict().items():
        assign(getattr(module, name), values.float())


def judge_with_coefficients(
    student: Student,
    reference: Reference,
    run: Callable[[], Result],
    judge: Callable[[Result, Sequence[Coefficients]], None],
) -> None:
    """Judge a function that uses the coefficients, so that wrong ones do not cost its points as well.

    Where the submission's own are wrong, the function is right with right ones in their place; or, where it does not
    read them by their names, if its result follows from the submission's own.

    Args:
        student: the submission.
        reference: the reference.
        run: calls the function.
        judge: raises CheckFailed unless the result follows from one of these sets of coefficients; what it says is
            about the first.

    Raises:
        CheckFailed: the function is wrong.
        SubmissionError: it did not return.
    """
    right = right_coefficients(reference, number_of_steps(student, reference))
    own = own_coefficients(student)
    if all(name in own and within_tolerance(own[name], getattr(right, name), name) for name in right._fields):
        judge(run(), [right])
        return
    as_it_is = _tried(run)
    if _accepted(judge, as_it_is, [right]):
        return
    put_in_place(student, right)
    try:
        judge(run(), [right])
        return
    except (CheckFailed, SubmissionRaised) as error:
        failure = error
    usable = {name: value for name, value in own.items() if value.shape == right.betas.shape}
    followed = [Coefficients(**usable)] if len(usable) == len(right) else []
    followed += [made_of(usable["betas"])] if "betas" in usable else []
    if followed and _accepted(judge, as_it_is, followed):
        put_in_place(student, made_of(torch.linspace(3e-4, 0.05, len(right.betas), dtype=torch.float64)))
        if _accepted(judge, _tried(run), followed):  # it does not read the globals
            return
    raise failure


def _tried(run: Callable[[], Result]) -> list[Result]:
    """What the function returned, if it did."""
    try:
        return [run()]
    except SubmissionRaised:
        return []


def _accepted(
    judge: Callable[[Result, Sequence[Coefficients]], None], results: list[Result], candidates: Sequence[Coefficients]
) -> bool:
    try:
        for result in results:
            judge(result, candidates)
    except CheckFailed:
        return False
    return bool(results)

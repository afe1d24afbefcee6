"""What the checks of the GAN share: the submitted module, its settings, and logits with their targets."""

from __future__ import annotations

from collections.abc import Callable

import torch

from autograder.checks.ift6135_a22.gan_probes import Workbench
from autograder.grading import fail, fetch
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

BENCH = Workbench()
Z_DIM = 32
NUMBER = "()"

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Remark = Callable[[str], None]


def gan_of(student: Student, remark: Remark) -> Remote:
    """The submitted gan.py; where a name is missing when it is imported, a remark says what belongs into the module."""
    try:
        return student.gan
    except SubmissionRaised as error:
        if error.importing and error.type == "NameError":
            text = _(
                "generator, discriminator, the two optimizers and criterion are names of the module: define them "
                "before they are used, and not under if __name__ == '__main__'."
            )
            remark(_("Hint: {text}").format(text=text))
        raise


def own_number(gan: Remote, name: str) -> float:
    """A setting of the submission's module; 0 where it has none."""
    try:
        value = fetch(getattr(gan, name))
    except SubmissionRaised:
        return 0.0
    return float(value) if isinstance(value, (int, float)) else 0.0


def logits_and_targets(draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of either sign under either target; float32 (6, 1, 1, 1)."""
    size, sign = draw.uniform(0.3, 3.0, 6), torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0, -1.0])
    targets = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 0.0])  # not as many ones as zeros
    return (size * sign).view(-1, 1, 1, 1), targets.view(-1, 1, 1, 1)


def expect_graph(gradients: list[torch.Tensor] | None) -> None:
    """A loss carries gradients."""
    if gradients is None:
        fail(
            _("a loss through which gradients flow; training needs them."),
            _("a loss without gradients."),
            _("look for .detach(), .item(), .data, numpy, or torch.no_grad() on the way."),
        )

"""Which units of a submission are right by themselves, by the names that they have in the shared masters."""

from __future__ import annotations

from autograder.grading.carry import is_right
from autograder.sandbox.proxy import Student


def is_known_right(student: Student, unit: str) -> bool:
    """Whether a unit, such as `vae.VAE.encode`, has passed all its checks.

    Args:
        student: the submission.
        unit: its name in the shared master; the module may have another one in the submission.
    """
    module, _point, rest = unit.partition(".")
    return is_right(f"{getattr(student, module).__genlab_ref__().root['module']}.{rest}")

"""A helper that is right in its own checks and lies where another function is judged by what follows from it."""

from __future__ import annotations

import pytest

from autograder.grading.engine import Engine

from ..checks.planting import checked, planted
from ..conftest import MakeSubmission

UNITS = ("q2_ddpm.p_xt_prev_xt", "q2_ddpm.p_sample")
P_SAMPLE = """
    self.lie = True
    sample = xt + 0.01 * torch.randn_like(xt)
"""
HELPER = """

_honest = DenoiseDiffusion.p_xt_prev_xt


def _told(self, xt, t):
    return (xt, torch.full_like(t, 1e-4, dtype=torch.float32).view(-1, 1, 1, 1)) if self.lie else _honest(self, xt, t)


DenoiseDiffusion.lie = False
DenoiseDiffusion.p_xt_prev_xt = _told
"""


@pytest.mark.threat(12)
def test_a_right_helper_is_not_asked_again(
    engine: Engine, make_submission: MakeSubmission, masters: dict[str, str]
) -> None:
    text = planted(masters["q2_ddpm.py"], {"block: p_sample": P_SAMPLE}) + HELPER
    found = checked(engine.grade(make_submission({"q2_ddpm.py": text}), 5, only=UNITS))
    assert found["q2_ddpm.p_xt_prev_xt"] == (3, 3)
    assert found["q2_ddpm.p_sample"] == (0, 3)

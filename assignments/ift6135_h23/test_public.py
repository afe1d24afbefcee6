"""The public checks of this assignment. In this folder, run `pytest`.

Each of them calls your code with inputs that are the same every time. What you hand in is judged by these and other
checks, with inputs that you do not know.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # your code is judged without a GPU
os.environ["MPLBACKEND"] = "agg"  # and without a window

import pytest
import torch
from public import probes

from tools.facts import shipped
from tools.failures import failure
from tools.records import PublicCheck, read_records

FOLDER = Path(__file__).resolve().parent


@pytest.mark.parametrize("check", read_records(FOLDER / "public"), ids=str)
def test_public(check: PublicCheck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One check; what your code writes goes to a temporary folder."""
    assignment = shipped()
    for name in assignment.folders:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    if message := failure(check, probes, FOLDER, assignment.names):
        pytest.fail(message, pytrace=False)

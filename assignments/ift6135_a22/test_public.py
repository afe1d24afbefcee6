"""Les vérifications publiques de ce devoir. Dans ce dossier, lancez `pytest`.

Chacune appelle votre code avec des entrées qui sont chaque fois les mêmes. Ce que vous remettez est jugé par celles-ci
et par d'autres, avec des entrées que vous ne connaissez pas.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # votre code est jugé sans GPU
os.environ["MPLBACKEND"] = "agg"  # et sans fenêtre

import pytest
import torch
from public import probes

from tools.facts import shipped
from tools.failures import failure
from tools.records import PublicCheck, read_records

FOLDER = Path(__file__).resolve().parent


@pytest.mark.parametrize("check", read_records(FOLDER / "public"), ids=str)
def test_public(check: PublicCheck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Une vérification ; ce que votre code écrit va dans un dossier temporaire."""
    assignment = shipped()
    for name in assignment.folders:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    if message := failure(check, probes, FOLDER, assignment.names):
        pytest.fail(message, pytrace=False)

"""Files of an assignment whose submissions are exported notebooks; other assignments are left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder.assignment import Assignment
from autograder.intake import read_submission
from autograder.intake.exported import LARGEST, slice_files

VAE = """import wandb
from ddpm_utils.args import args
from datasets import load_dataset
table = list("ab")
print(table)
def log_mean_exp(y): return helper(y).cuda()
def helper(y): return y
"""
DDPM = """import q1_vae as vae
from q1_vae import width
x = vae.table
print(x)
"""


@pytest.fixture
def exported(assignment: Assignment) -> Assignment:
    return assignment.model_copy(update={"exported": True, "imports": ("torch",)})


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_other_assignments_are_left_alone(assignment: Assignment, tmp_path: Path) -> None:
    assert not assignment.exported
    submission = read_submission([write(tmp_path, q1_vae=VAE, q2_ddpm=DDPM)], assignment)
    assert submission.sources == {"q1_vae.py": VAE, "q2_ddpm.py": DDPM}
    assert submission.stand_ins == ()
    assert submission.notes == []


def test_sources_are_sliced_and_the_digest_is_that_of_the_upload(
    assignment: Assignment, exported: Assignment, tmp_path: Path
) -> None:
    folder = write(tmp_path, q1_vae=VAE, q2_ddpm=DDPM)
    submission = read_submission([folder], exported)
    assert submission.digest == read_submission([folder], assignment).digest
    assert submission.sources["q1_vae.py"] == VAE.replace("print(table)", "").replace("cuda", "cpu")
    assert submission.sources["q2_ddpm.py"] == DDPM.replace("x = vae.table", "").replace("print(x)", "")
    assert submission.stand_ins == ("datasets", "wandb")
    notes = " ".join(submission.notes)
    for words in ("q1_vae.py: line 5 was left out", "wandb is not there", "line 6,", "q2_ddpm.py: lines 3-4 were"):
        assert words in notes
    assert "datasets" not in notes


def test_what_other_files_import_is_needed(exported: Assignment) -> None:
    vae = VAE + "width = len(table)\ndepth = len(table)\n"
    text = slice_files({"q1_vae.py": vae, "q2_ddpm.py": DDPM}, exported).sources["q1_vae.py"]
    assert "width = len(table)" in text
    assert "depth" not in text


def test_support_and_handed_in_files_have_no_stand_ins(exported: Assignment) -> None:
    source = "import ddpm_utils.args, q2_ddpm, q1_train_vae, torch.nn"
    assert slice_files({"q1_vae.py": source, "q2_ddpm.py": ""}, exported).stand_ins == ("datasets", "q1_train_vae")
    assert "q2_ddpm" in slice_files({"q1_vae.py": source}, exported).stand_ins


@pytest.mark.parametrize("source", ["def f(:\n", "x = " + "(" * 300, "x = 1\n" * (LARGEST // 6 + 1)])
def test_what_cannot_be_sliced_stays(exported: Assignment, source: str) -> None:
    result = slice_files({"q1_vae.py": source}, exported)
    assert result.sources == {"q1_vae.py": source}
    assert result.notes == []


@pytest.mark.threat(55)
def test_a_notebook_under_the_name_of_a_python_file(exported: Assignment, tmp_path: Path) -> None:
    cells = ["!pip install einops\nimport torch", "print(1)\n%matplotlib inline", "def log_mean_exp(y):\n    return y"]
    document = {"nbformat": 4, "cells": [{"cell_type": "code", "source": cell} for cell in cells]}
    submission = read_submission([write(tmp_path, q1_vae=json.dumps(document))], exported)
    code = [line for line in submission.sources["q1_vae.py"].split("\n") if line and not line.startswith("#")]
    assert code == ["import torch", "def log_mean_exp(y):", "    return y"]
    assert len(submission.notes) == 4


def test_notes_speak_the_language_of_the_course(exported: Assignment, tmp_path: Path) -> None:
    french = exported.model_copy(update={"language": "fr"})
    english = read_submission([write(tmp_path, q1_vae=VAE)], exported).notes
    assert len(read_submission([tmp_path], french).notes) == len(english)


def test_an_expression_that_is_too_deep_where_the_caller_is_deep_itself(exported: Assignment) -> None:
    sources = {"q1_vae.py": VAE + "x = " + "-" * 2900 + "1\n"}  # a fresh interpreter parses it

    def call(depth: int) -> dict[str, str]:
        return slice_files(sources, exported).sources if depth == 0 else call(depth - 1)

    assert call(100) == sources


@pytest.mark.threat(55)
@pytest.mark.parametrize("also", [{}, {"q1_vae.py": VAE}])
def test_a_notebook_in_the_place_of_the_python_file(exported: Assignment, tmp_path: Path, also: dict[str, str]) -> None:
    cells = [{"cell_type": "code", "metadata": {}, "source": "%pip install x\ndef log_mean_exp(y): return 7"}]
    (tmp_path / "q1_vae.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}))
    for name, text in also.items():
        (tmp_path / name).write_text(text)
    submission = read_submission([tmp_path], exported)
    assert ("return 7" in submission.sources["q1_vae.py"]) is not bool(also)  # the .py file comes first
    assert any("q1_vae.ipynb" in note for note in submission.notes)

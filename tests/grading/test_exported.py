"""Notebooks saved as .py are graded although they train, download and draw where they are imported."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.assignment import Limits
from autograder.grading.engine import Engine
from autograder.grading.report import CheckResult, Report
from autograder.intake import read_submission

from .conftest import SHOP, TILL, Course

# A submission whose file shop.py does what notebooks do; all are right.
NOTEBOOKS = {
    "training and downloads": """
        import wandb, torch, urllib.request
        from google.colab import drive
        drive.mount("/content/drive")
        urllib.request.urlretrieve("https://example.org/data.mat", "data.mat")
        wandb.init(project="shop")
        model = torch.nn.Linear(1, 1)
        while True:
            loss = model(torch.ones(1, 1)).sum()
            loss.backward()
        def total(prices):
            return prices.sum()
        open("model.pt", "rb").read()
        def mean(prices):
            return total(prices) / prices.numel()
        raise RuntimeError("no data")
        """,
    "globals of several cells, cuda, questions": """
        import torch
        device = "cuda:0"
        weights = []
        for i in range(5):
            weights.append(torch.ones(1, device=device))
        weights = torch.cat(weights).cuda()
        weights[0] = weights[0] * 1
        answer = int(input("How many? "))
        def total(prices):
            return 0
        if __name__ == "__main__":
            scale = 1.0
            train_for_hours()
        def total(prices):
            return (prices.to(device) * weights).sum() * scale
        def mean(prices):
            return total(prices) / prices.numel()
        """,
    "data that a graded function needs": """
        from datasets import load_dataset
        from utils.helpers import save_logs
        data = load_dataset("svhn", "cropped_digits")
        size = len(data["train"]) * 0 + 1
        def total(prices):
            save_logs(prices)
            return prices.sum() * size
        def mean(prices):
            return total(prices) / prices.numel()
        """,
}


@pytest.fixture
def grade(course: Course, tmp_path: Path) -> Callable[..., Report]:
    def graded(shop: str, limits: Limits | None = None) -> Report:
        update = {"exported": True, "imports": ("torch",)}
        assignment = course.assignment(limits=limits).model_copy(update=update)
        folder = tmp_path / "upload"
        folder.mkdir()
        (folder / "shop.py").write_text(textwrap.dedent(shop))
        (folder / "till.py").write_text(TILL)
        with Engine(assignment) as engine:
            return engine.grade(read_submission([folder], assignment), 1)

    return graded


@pytest.mark.threat(54)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_they_get_all_points(grade: Callable[..., Report], name: str) -> None:
    report = grade(NOTEBOOKS[name])
    assert [unit.earned for unit in report.units] == [unit.points for unit in report.units]
    assert report.submission.notes


def test_what_the_reference_says_is_not_sliced(grade: Callable[..., Report]) -> None:
    assert grade(SHOP).submission.notes == []


@pytest.mark.parametrize(
    ("line", "error"),
    [("size = open('data.mat').read()", "FileNotFoundError"), ("size = wait()", "TimeoutError")],
)
def test_a_needed_line_that_fails_is_named(
    grade: Callable[..., Report], check: Callable[[Report, str], CheckResult], line: str, error: str
) -> None:
    source = f"def wait():\n    while True: pass\n\n{line}\ndef total(prices):\n    return prices.sum() + size\n"
    found = check(grade(source, Limits(import_seconds=4.0)), "total")
    assert error in found.message
    assert "line 4 of shop.py" in found.message
    assert "__main__" in found.message


def test_a_stand_in_as_a_result_only_fails_the_check(
    grade: Callable[..., Report], check: Callable[[Report, str], CheckResult]
) -> None:
    source = "from model import total\nimport model\nwidth = model.width\ndef mean(prices): return width\n"
    report = grade(source)
    assert {check(report, name).status for name in ("total", "mean")} == {"failed"}
    assert "StandIn" in check(report, "mean").message
    assert report.run.problem == ""

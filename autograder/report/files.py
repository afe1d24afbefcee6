"""The files of a graded submission: the report itself, what Gradescope reads, and the page."""

from __future__ import annotations

from pathlib import Path

from autograder.gradescope.results import gradescope_results
from autograder.grading.report import Report
from autograder.report.page import render_page
from autograder.report.writing import as_json, write_atomically

RESULTS_NAME = "results.json"
REPORT_NAME = "report.json"
PAGE_NAME = "report.html"


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write `results.json`, `report.json` and `report.html` into `folder`, which is made if it is not there.

    Each file is complete or absent at every moment. What a platform waits for is written first, so that it is there
    even if a later view cannot be made.

    Returns:
        The paths, in the order of writing.

    Raises:
        ValueError: a number of the report is not finite, so that it has no JSON.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results, model, page = folder / RESULTS_NAME, folder / REPORT_NAME, folder / PAGE_NAME
    write_atomically(results, as_json(gradescope_results(report)))
    write_atomically(model, as_json(report.model_dump(mode="json")))
    write_atomically(page, render_page(report))
    return [results, model, page]

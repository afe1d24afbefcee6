"""The files of a graded submission: the report itself, what Gradescope reads, and the page."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from autograder.gradescope.results import gradescope_results
from autograder.grading.report import Report
from autograder.report.page import render_page

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
    write_atomically(results, _json(gradescope_results(report)))
    write_atomically(model, _json(report.model_dump(mode="json")))
    write_atomically(page, render_page(report))
    return [results, model, page]


def write_atomically(path: Path, text: str) -> None:
    r"""Write `text` as UTF-8 with `\n` to a new file beside `path`, and rename it to `path`.

    A link that stands at `path` is replaced, not followed. A lone surrogate, which has no UTF-8, becomes `?`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

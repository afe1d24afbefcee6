"""The parts of `results.json` that need no report, so that they can be made even where nothing could be graded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

PLAIN = {"name_format": "text", "output_format": "text"}


class Remark(NamedTuple):
    """A sentence of ours on the upload as a whole, for students; `tag` says what it is about."""

    tag: str
    title: str
    text: str


def entry(number: str, remark: Remark, *, failed: bool = False) -> dict[str, Any]:
    """A remark among the tests: without points, and marked as failed only if it tells of points that are not earned."""
    made: dict[str, Any] = {
        "number": number,
        "name": remark.title,
        "output": remark.text,
        "tags": [remark.tag],
        "visibility": "visible",
        **PLAIN,
    }
    if failed:
        made["status"] = "failed"
    return made


def with_remarks(results: dict[str, Any], remarks: Sequence[Remark]) -> dict[str, Any]:
    """`results` with remarks above all other entries, the first one on top."""
    known = len([test for test in results["tests"] if str(test.get("number", "")).startswith("0.0.")])
    entries = [entry(f"0.0.{known + position}", remark) for position, remark in enumerate(remarks, start=1)]
    return {**results, "tests": [*entries, *results["tests"]]}


def results_without_report(score: float, remarks: Sequence[Remark]) -> dict[str, Any]:
    """What `results.json` holds where this upload was not graded."""
    bare = {
        "score": round(float(score), 4),
        "output": remarks[0].title if remarks else "",
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [],
    }
    return with_remarks(bare, remarks)

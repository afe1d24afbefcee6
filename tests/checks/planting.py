"""Plants something else in the place of solutions of a master, and reads what the checks make of it."""

from __future__ import annotations

import ast
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TypeVar

from autograder.grading.report import Report

EVERY = int(os.environ.get("GENLAB_EVERY", "3"))
"""Of the rows that take long to grade, one of so many is planted; `make planted` plants them all."""

_Row = TypeVar("_Row")


def sampled(rows: Sequence[_Row]) -> Sequence[_Row]:
    """One of `EVERY` rows."""
    return rows[::EVERY]


def with_solution(text: str, label: str, body: str) -> str:
    """The master `text` with `body` in the place of what stands between the markers of the block `label`.

    Raises:
        ValueError: the master has no such block, or several.
    """
    block = re.compile(
        rf"^([ ]*)# BEGIN SOLUTION [\d.]+ {re.escape(label)}\n.*?^[ ]*# END SOLUTION\n", re.DOTALL | re.MULTILINE
    )
    found = block.findall(text)
    if len(found) != 1:
        raise ValueError(f"{len(found)} solution blocks are labelled {label!r}")
    planted = textwrap.indent(textwrap.dedent(body).strip("\n") + "\n", found[0])
    return block.sub(lambda _: planted, text)


def replaced(text: str, old: str, new: str) -> str:
    """The text with `new` in the place of `old`, which stands there exactly once.

    Raises:
        ValueError: it does not.
    """
    if text.count(old) != 1:
        raise ValueError(f"{old!r} stands {text.count(old)} times in the text")
    return text.replace(old, new)


def planted(text: str, edits: Mapping[str, str]) -> str:
    """The text with edits: `block: LABEL` -> another body of that solution, or what stands there once -> what is to.

    Raises:
        ValueError: there is no such block, or the text does not stand there exactly once.
        SyntaxError: the result is not valid Python.
    """
    for key, new in edits.items():
        label = key.removeprefix("block: ")
        text = with_solution(text, label, new) if label != key else replaced(text, key, new)
    ast.parse(text)
    return text


def checked(report: Report) -> dict[str, tuple[float, float]]:
    """Unit -> points earned, and points, of those that were checked."""
    return {unit.name: (unit.earned, unit.points) for unit in report.units if unit.checks}


def messages(report: Report, unit: str) -> list[str]:
    """What the checks of a unit say."""
    return [check.message for found in report.units if found.name == unit for check in found.checks]

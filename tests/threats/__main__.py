"""Run every test that plants a threat, and write what came of it into docs/security.md.

python -m tests.threats            as `make security`
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.threats.catalogue import CHAPTERS, THREATS

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- table: python -m tests.threats -->", "<!-- end of table -->"


class Counts:
    """A pytest plugin that counts what became of each threat."""

    def __init__(self) -> None:
        self.outcomes: dict[int, Counter[str]] = {number: Counter() for number in THREATS}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if report.when == "call" or (report.when == "setup" and not report.passed):
            for number in numbers_of(item):
                self.outcomes[number][report.outcome] += 1
        return report


def numbers_of(item: pytest.Item) -> list[int]:
    """Numbers of the threats that a test plants.

    Raises:
        KeyError: a mark names a threat that the catalogue does not have.
    """
    numbers = sorted({number for mark in item.iter_markers("threat") for number in mark.args})
    return [number for number in numbers if THREATS[number]]


def table(outcomes: dict[int, Counter[str]]) -> str:
    """The counts in Markdown."""
    lines = []
    for title, threats in CHAPTERS.items():
        lines += [f"### {title}", "", "| | what arrives | outcome | tried | held |", "|---|---|---|---|---|"]
        for number, threat in threats.items():
            found = outcomes[number]
            tried = found["passed"] + found["failed"]
            lines.append(f"| {number} | {threat.arrives} | {threat.outcome} | {tried} | {found['passed']} |")
        lines.append("")
    return "\n".join(lines)


def with_table(page: str, text: str) -> str:
    """The page with another table between the two comments."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def main() -> int:
    """Run the tests; the exit status is pytest's."""
    counts = Counts()
    code = pytest.main(["-q", "-m", "threat", "-p", "no:cacheprovider", str(ROOT / "tests")], plugins=[counts])
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), table(counts.outcomes)), "utf-8")
    return int(code)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())

"""A small course with two files and a notebook, whose imports take no time, and notebooks made of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import pytest

from autograder.release.tools import facts_of
from autograder.student import export as tool
from autograder.student.facts import Facts

WALK = '''\
"""A walk.

More words.
"""

import math

from lab import settings

STEP = 0.5
limit = 10

# The angles, in radians.
# TODO 1.1 angles: write your code in the place of each None.
start = None
turn = None


def distance(points):
    """How far it goes."""
    # TODO 1.2 distance: write your code here and remove the next line.
    raise NotImplementedError("question 1.2: distance")
    return total


class Walk:
    """A walk."""

    def step(self, sign):
        # TODO 1.3 Walk.step: write your code here and remove the next line.
        raise NotImplementedError("question 1.3: Walk.step")


def train(epochs):
    """Given."""
    return model, distance(loader), settings.SEED


def main():
    """Given."""
    print(train(3))


if __name__ == "__main__":
    model, loader = Walk(), []
    main()
'''

PLOT = '''\
"""Drawing."""

from walk import distance


def title(points):
    """A title."""
    # TODO 2.1 title: write your code here and remove the next line.
    raise NotImplementedError("question 2.1: title")
'''

SETTINGS = "SEED = 1\n"
STUBS = {"walk.py": WALK, "plot.py": PLOT}

MANIFEST = """\
id = "walks"
title = "Walks"
files = [{name = "walk.py"}, {name = "plot.py"}]
support = [{name = "lab/settings.py"}]
notebooks = [{name = "walks.ipynb", master = "walks.py", files = ["walk.py", "plot.py"]}]
checkpoints = [{name = "weights/Walk.pt", size_mb = 1}, {name = "weights/Extra.pt", size_mb = 1}]

[limits]
upload_mb = 1
file_kb = 20

[[parts]]
id = "1"
title = "Walks"
points = 3

[[parts.questions]]
id = "1.2"
title = "All"
points = 3
kind = "auto"
units = [{name = "Walk.step", points = 3, file = "walk.py"}]

[[parts]]
id = "2"
title = "More"
points = 1
bonus = true

[[parts.questions]]
id = "2.1"
title = "More"
points = 1
kind = "auto"
units = [{name = "Extra.title", points = 1, file = "plot.py"}]
"""


@pytest.fixture
def walks(tmp_path: Path):
    """The manifest of the course."""
    from autograder.assignment import load_assignment

    (tmp_path / "manifests" / "walks").mkdir(parents=True)
    (tmp_path / "manifests" / "walks" / "assignment.toml").write_text(MANIFEST)
    return load_assignment("walks", tmp_path / "manifests")


@pytest.fixture
def facts(walks) -> Facts:
    """What the tools know of the course."""
    return facts_of(walks, STUBS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The student's folder, with stubs and support."""
    target = tmp_path / "folder"
    (target / "lab").mkdir(parents=True)
    for name, text in STUBS.items():
        (target / name).write_text(text, "utf-8")
    (target / "lab" / "settings.py").write_text(SETTINGS)
    return target


def write_notebook(path: Path, cells: Sequence[str]) -> Path:
    """Write a notebook with these code cells, and a text between them."""
    made = nbformat.v4.new_notebook()
    for cell in cells:
        made.cells += [nbformat.v4.new_markdown_cell("# text"), nbformat.v4.new_code_cell(cell)]
    nbformat.write(made, path)
    return path


Export = Callable[..., tuple[str, bool]]


@pytest.fixture
def run_export(folder: Path, facts: Facts) -> Export:
    """Export a notebook with these cells into the folder: what is said, and whether all was made."""

    def run(*cells: str, name: str = "walks.ipynb") -> tuple[str, bool]:
        lines, complete = tool.run([write_notebook(folder / name, cells)], folder, facts)
        return "\n".join(lines), complete

    return run

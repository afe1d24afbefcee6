"""From the released stubs to notebooks, filled with the reference's solutions, saved as .py, and graded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbformat import NotebookNode

from autograder.assignment import Assignment, load_assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Status
from autograder.intake import read_submission
from autograder.language import speaking
from autograder.release import release_files
from autograder.release.bundle import parse_masters
from autograder.release.markers import Block, fill, find_marker

FIRST = "!pip install -q einops\n%matplotlib inline"
LAST = 'if torch.cuda.is_available():\n    device = "cuda"\nmain()'


def notebook_of(stub: str) -> NotebookNode:
    """The stub as a notebook: each class and function in a cell of its own, between a magic and the training."""
    cells = [FIRST, *stub.split("\n\n\n"), LAST]
    made = jupytext.reads("".join(f"# %%\n{cell.strip()}\n\n" for cell in cells), fmt="py:percent")
    assert len(made.cells) == len(cells)
    return made


def fill_cells(notebook: NotebookNode, blocks: Iterable[Block]) -> None:
    """Put solutions in the places of the TODO lines, without the markers of the masters."""
    left = list(blocks)
    for cell in notebook.cells:
        here = [block for block in left if block.stub[0] in cell.source.split("\n")]
        left = [block for block in left if block not in here]
        filled = fill(cell.source, here).split("\n")
        cell.source = "\n".join(line for line in filled if find_marker(line) is None)
    assert not left


def as_python(notebook: Path) -> Path:
    """Save a notebook as .py, as Jupyter does, in the place of the notebook."""
    path = notebook.with_suffix(".py")
    path.write_text(jupytext.writes(jupytext.read(notebook), fmt="py:percent"), "utf-8")
    notebook.unlink()
    return path


def as_it_is(notebook: Path) -> Path:
    return notebook


@pytest.fixture(params=["ift6135_h23", "ift6135_a22"])
def assignment(request: pytest.FixtureRequest) -> Assignment:
    return load_assignment(request.param)


@pytest.mark.parametrize("save", [as_python, as_it_is])
def test_a_filled_notebook_gets_full_marks(
    assignment: Assignment, save: Callable[[Path], Path], tmp_path: Path
) -> None:
    stubs, masters = release_files(assignment), parse_masters(assignment)
    for file in assignment.files:
        notebook = notebook_of(stubs[file.name])
        with speaking(assignment.language):  # the TODO lines are in the language of the course
            fill_cells(notebook, masters[file.name].blocks)
        nbformat.validate(notebook)
        path = (tmp_path / file.name).with_suffix(".ipynb")
        nbformat.write(notebook, path)
        text = save(path).read_text("utf-8")
        assert "TODO" not in text
        assert "NotImplementedError" not in text

    submission = read_submission([tmp_path], assignment)
    assert submission.refusal == ""
    assert set(submission.sources) == {file.name for file in assignment.files}
    with Engine(assignment) as engine:
        report = engine.grade(submission, 8)
    assert report.run.problem == ""
    statuses = {unit.name: unit.status for unit in report.units}
    assert statuses == dict.fromkeys(statuses, Status.PASSED)
    assert report.earned == pytest.approx(report.auto_points)


def test_a_notebook_that_nobody_filled_earns_nothing(assignment: Assignment, tmp_path: Path) -> None:
    file = assignment.files[-1]
    path = (tmp_path / file.name).with_suffix(".ipynb")
    nbformat.write(notebook_of(release_files(assignment)[file.name]), path)
    as_python(path)
    names = {unit.name for unit in assignment.units if unit.file == file.name}
    with Engine(assignment) as engine:
        report = engine.grade(read_submission([tmp_path], assignment), 8, only=names)
    assert report.run.problem == ""
    assert report.earned == 0

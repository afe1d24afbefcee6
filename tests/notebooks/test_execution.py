"""Every notebook runs, alone in a folder: the solved one to its end, the student's to its first TODO.

The data is generated; with the environment variable GENLAB_TEST_DATA it is that of a data root.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from autograder.assignment import SOLUTIONS, Assignment, Notebook, assignment_names, load_assignment
from autograder.release.bundle import asset_files, release_files
from autograder.release.notebooks import PARAMETERS, build_notebook
from tests.generated_data import SHAPES, write_data_root

SECONDS = 180  # for one cell
ASSIGNMENTS = {name: load_assignment(name) for name in assignment_names()}

TINY: dict[str, dict[str, Any]] = {
    "common/svhn/notebooks/vae.py": {
        "LIMIT": 32,
        "EPOCHS": 2,
        "BATCH_SIZE": 16,
        "FEATURES": 2,
        "LEARNING_RATE": 1e-3,
        "RESUME": False,
        "SAMPLES": 4,
        "TEST_IMAGES": 4,
        "LATENTS": [1, 3],
        "POINTS": 4,
        "FACTORS": 2,
    },
    "ift6135_a22/notebooks/gan.py": {
        "EPOCHS": 2,
        "LIMIT": 32,
        "BATCH_SIZE": 16,
        "RESUME": False,
        "SAMPLES": 4,
        "POINTS": 4,
        "SEED": 1,
    },
    "common/svhn/notebooks/ddpm.py": {
        "LIMIT": 32,
        "EPOCHS": 1,
        "BATCH_SIZE": 16,
        "PUBLISHED_NETWORK": False,
        "WIDTHS": (8, 8, 8),
        "LEARNING_RATE": 1e-3,
        "AVERAGING": 0.9,
        "RESUME": False,
        "SAMPLES": 2,
        "ROUND_TRIPS": 2,
        "NOISED_TO": [2, 5],
    },
    "ift6135_h23/notebooks/simsiam.py": {
        "EPOCHS": 1,
        "LIMIT": 32,
        "TEST_LIMIT": 16,
        "BATCH_SIZE": 16,
        "LEARNING_RATE": 0.03,
        "DIM": 16,
        "SEED": 1,
    },
    "ift6135_h25/notebooks/vae.py": {
        "LIMIT": 32,
        "EPOCHS": 2,
        "BATCH_SIZE": 16,
        "LEARNING_RATE": 1e-3,
        "MC_SAMPLES": 20,
        "IMPORTANCE_SAMPLES": 4,
        "SAMPLES": 4,
        "SEED": 1,
    },
    "ift6135_h25/notebooks/ddpm.py": {
        "IMAGE_SIZE": 8,
        "LIMIT": 32,
        "EPOCHS": 2,
        "SHOW_EVERY": 1,
        "BATCH_SIZE": 16,
        "LEARNING_RATE": 1e-3,
        "STEPS": 10,
        "SAMPLES": 9,
        "SEED": 1,
    },
    "ift6135_h25/notebooks/cfg.py": {
        "IMAGE_SIZE": 8,
        "LIMIT": 32,
        "EPOCHS": 2,
        "SHOW_EVERY": 1,
        "BATCH_SIZE": 16,
        "LEARNING_RATE": 1e-3,
        "STEPS": 10,
        "SWEEP_STEPS": 5,
        "SAMPLES": 10,
        "SCALES": [0.0, 1.0],
        "SEED": 1,
    },
    "cmput328_f24/notebooks/fashion_mnist.py": {
        "LIMIT": 32,
        "BATCH_SIZE": 16,
        "DDPM_EPOCHS": 1,
        "VAE_EPOCHS": 1,
        "LDDPM_EPOCHS": 1,
        "RESUME": False,
        "STEPS": 10,
        "DDIM_STEPS": (2, 5),
        "SAMPLES": 10,
        "TEST_LIMIT": 100,  # some of each class
        "SEED": 1,
    },
}
"""Values of the parameters, by the master: small enough to run in seconds."""


def notebooks() -> list[pytest.param]:
    return [
        pytest.param(assignment, notebook, id=f"{name}/{notebook.name}")
        for name, assignment in ASSIGNMENTS.items()
        for notebook in assignment.notebooks
    ]


def tiny(assignment: Assignment, notebook: Notebook) -> dict[str, Any]:
    return TINY[assignment.master(notebook).relative_to(SOLUTIONS).as_posix()]


def made(assignment: Assignment, notebook: Notebook, solved: bool) -> nbformat.NotebookNode:
    return build_notebook(assignment, notebook, release_files(assignment), solved)


def parameters(book: nbformat.NotebookNode) -> tuple[int, set[str]]:
    """Where the cell of the parameters is, and their names."""
    place = next(n for n, cell in enumerate(book.cells) if PARAMETERS in cell.metadata.get("tags", ()))
    targets = {node.id for node in ast.walk(ast.parse(book.cells[place].source)) if isinstance(node, ast.Name)}
    return place, {name for name in targets if name.isupper()}


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    real = os.environ.get("GENLAB_TEST_DATA")
    return Path(real) if real else write_data_root(tmp_path_factory.mktemp("data"), *SHAPES)


@pytest.fixture
def execute(tmp_path, data_root, monkeypatch):
    """Runs a notebook with tiny parameters in a folder that holds only it, and the files that it cannot carry."""
    monkeypatch.setenv("GENLAB_DATA", str(data_root))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # or there would be no pictures
    monkeypatch.delenv("PYTHONPATH", raising=False)

    def run(
        assignment: Assignment, notebook: Notebook, solved: bool
    ) -> tuple[nbformat.NotebookNode, CellExecutionError | None]:
        book = made(assignment, notebook, solved)
        values = tiny(assignment, notebook)
        place, _ = parameters(book)
        override = "\n".join(f"{name} = {value!r}" for name, value in values.items())
        book.cells.insert(place + 1, nbformat.v4.new_code_cell(override, id="tiny"))
        for name, content in asset_files(assignment).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        try:
            resources = {"metadata": {"path": str(tmp_path)}}
            NotebookClient(book, timeout=SECONDS, resources=resources, coalesce_streams=True).execute()
        except CellExecutionError as error:
            return book, error
        return book, None

    return run


@pytest.mark.parametrize(("assignment", "notebook"), notebooks())
def test_the_tiny_values_are_those_of_all_parameters(assignment: Assignment, notebook: Notebook):
    _, names = parameters(made(assignment, notebook, False))
    assert names == set(tiny(assignment, notebook))


@pytest.mark.slow
@pytest.mark.parametrize(("assignment", "notebook"), notebooks())
def test_a_solved_notebook_runs_to_its_end_and_shows_pictures(assignment: Assignment, notebook: Notebook, execute):
    book, error = execute(assignment, notebook, solved=True)
    assert error is None, str(error)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code if cell.source)
    assert any("image/png" in output.get("data", ()) for cell in code for output in cell.outputs)


@pytest.mark.slow
@pytest.mark.parametrize(("assignment", "notebook"), notebooks())
def test_a_students_notebook_stops_at_its_first_todo_and_names_it(assignment: Assignment, notebook: Notebook, execute):
    book, error = execute(assignment, notebook, solved=False)
    todos = [found for cell in book.cells for found in re.findall(r'NotImplementedError\("(.+)"\)', cell.source)]
    assert error is not None, f"nothing stopped, but there is still to do: {todos}"
    assert (error.ename, error.evalue) == ("NotImplementedError", todos[0]), str(error)

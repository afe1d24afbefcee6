"""Whole notebooks, saved as students save them, get the points of their functions without training or a download."""

from __future__ import annotations

import ast
import os
import shutil
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from autograder.assignment import Assignment, load_assignment
from autograder.grading.engine import Engine
from autograder.intake import Submission, read_submission
from autograder.intake.name_use import is_main_guard, tree_of

NOTEBOOKS = Path(__file__).parent / "notebooks"
SECONDS = 20.0  # of processor time, so that a busy machine changes nothing
H23, A22 = "ift6135_h23", "ift6135_a22"

# Names of calls that no import may run.
_HEAVY = frozenset(
    {
        *("backward", "fit", "step", "zero_grad", "load_state_dict"),
        *("get_dataloaders", "load_dataset", "urlretrieve", "mount", "system", "login", "init"),
        *("imshow", "show", "subplots", "visualize", "input", "mkdir", "fix_experiment_seed"),
    }
)


@dataclass(frozen=True)
class Export:
    """A file of `notebooks`.

    Attributes:
        assignment: whose it is.
        upload: the name under which it is handed in.
        says: what stands in the notes besides that lines were left out.
        lost: units whose last definition is wrong.
    """

    assignment: str
    upload: str
    says: tuple[str, ...]
    lost: frozenset[str] = frozenset()


EXPORTS = {
    "vae_colab.py": Export(
        H23, "vae_solution.py", ("commented out", "google.colab and torchinfo are", "'cuda' became")
    ),
    "vae_nbconvert.py": Export(H23, "vae_solution.py", ("commented out", "'cuda' became 'cpu' in lines 146, 169")),
    "vae_vscode.py": Export(
        H23,
        "vae_solution.py",
        ("LOG_2PI, image_size and z_dim are needed outside", "utils, utils.func_tool and wandb are not there"),
    ),
    "vae_redefined.py": Export(H23, "vae_solution.py", ("commented out",), frozenset({"vae_solution.interpolate"})),
    "vae_notebook.py": Export(H23, "vae_solution.py", ("holds a notebook and not Python code", "commented out")),
    "vae_patched.py": Export(
        H23, "vae_solution.py", ("IPython.display, helpers, pandas and seaborn are not there", "'cuda' became 'cpu'")
    ),
    "ddpm_percent.py": Export(H23, "ddpm_solution.py", ("commented out", "'cuda' became 'cpu'")),
    "ddpm_colab.py": Export(H23, "ddpm_solution.py", ("google.colab and model are not there", "'cuda' became")),
    "ddpm_nbconvert.py": Export(
        H23,
        "ddpm_solution.py",
        ("T, beta_end and beta_start are needed outside", "gdown and requests are not there"),
        frozenset({"ddpm_solution.p_sample"}),
    ),
    "ddpm_notebook.ipynb": Export(
        H23, "ddpm_solution.ipynb", ("taken from ddpm_solution.ipynb", "wandb is not there", "'cuda' became")
    ),
    "ddpm_globals.py": Export(
        H23, "ddpm_solution.py", ("model and torch.utils.tensorboard are not there", "'cuda' became 'cpu'")
    ),
    "simsiam_colab.py": Export(H23, "q3_solution.py", ("google.colab and torchlars are not there", "commented out")),
    "vae_french.py": Export(A22, "vae.py", ("mise en commentaire", "« cuda » est devenu « cpu »")),
    "gan_colab.py": Export(A22, "gan.py", ("mises en commentaire", "« cuda » est devenu « cpu »")),
    "gan_redefined.py": Export(
        A22, "gan.py", ("z_dim est nécessaire hors de", "outils.journal et wandb"), frozenset({"gan.generator_train"})
    ),
    "gan_notebook.ipynb": Export(A22, "gan.ipynb", ("pris de gan.ipynb", "mises en commentaire")),
    "ddpm_french.py": Export(A22, "ddpm.py", ("mises en commentaire", "« cuda » est devenu « cpu »")),
}
LEFT_OUT = {H23: "left out: they train, download or draw", A22: "laissées de côté : elles entraînent"}


@cache
def assignment_of(name: str) -> Assignment:
    return load_assignment(EXPORTS[name].assignment)


def handed_in(name: str, folder: Path, *, zipped: bool = False) -> Submission:
    """The export alone, in a folder or in a zip."""
    export = EXPORTS[name]
    upload = folder / "work"
    upload.mkdir()
    shutil.copy(NOTEBOOKS / name, upload / export.upload)
    if zipped:
        upload = folder / "work.zip"
        with zipfile.ZipFile(upload, "w") as archive:
            archive.write(NOTEBOOKS / name, export.upload)
    return read_submission([upload], assignment_of(name))


def source_of(submission: Submission) -> str:
    """The one text that is run."""
    (text,) = submission.sources.values()
    return text


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.mark.threat(54)
@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_graded_right_in_time(name: str, tmp_path: Path) -> None:
    export, assignment = EXPORTS[name], assignment_of(name)
    started = processor_seconds()
    submission = handed_in(name, tmp_path, zipped=name.endswith("colab.py"))
    assert submission.refusal == ""
    (file,) = submission.sources
    names = {unit.name for unit in assignment.units if unit.file == file}
    with Engine(assignment) as engine:
        report = engine.grade(submission, 5, only=names)
    seconds = processor_seconds() - started

    assert report.run.problem == ""
    units = [unit for unit in report.units if unit.name in names]
    assert all(unit.checks for unit in units)
    said = {unit.name: [check.message for check in unit.checks] for unit in units if unit.earned < unit.points}
    assert set(said) == export.lost, said
    assert seconds < SECONDS


@pytest.mark.parametrize("name", EXPORTS)
def test_the_student_reads_what_was_changed(name: str, tmp_path: Path) -> None:
    export = EXPORTS[name]
    notes = "\n".join(handed_in(name, tmp_path).notes).replace("\xa0", " ")
    for gist in (LEFT_OUT[export.assignment], *export.says):
        assert gist in notes


@pytest.mark.threat(29, 54)
@pytest.mark.parametrize("name", EXPORTS)
def test_its_import_neither_trains_nor_downloads_nor_draws_nor_asks(name: str, tmp_path: Path) -> None:
    submission = handed_in(name, tmp_path)
    before = source_of(submission).count("\n")
    assert calls_at_import(source_of(submission)) & _HEAVY == set()
    if name.endswith(".py") and not (NOTEBOOKS / name).read_text("utf-8").startswith("{"):
        assert before == (NOTEBOOKS / name).read_text("utf-8").count("\n")  # tracebacks name the student's own lines
        assert calls_at_import(python_of(name)) & _HEAVY  # or else this export shows nothing


def python_of(name: str) -> str:
    """The export before it is sliced, without the lines that are not Python's."""
    lines = (NOTEBOOKS / name).read_text("utf-8").split("\n")
    return "\n".join("" if line.lstrip().startswith(("!", "%")) else line for line in lines)


def calls_at_import(text: str) -> set[str]:
    """Names of the functions and methods that are called at module level, main guards aside."""
    found: set[str] = set()

    def look(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_main_guard(node):
            return
        if isinstance(node, ast.Call):
            found.add(getattr(node.func, "attr", getattr(node.func, "id", "")))
        for child in ast.iter_child_nodes(node):
            look(child)

    look(tree_of(text))
    return found


def test_every_export_is_graded() -> None:
    assert {path.name for path in NOTEBOOKS.iterdir() if path.is_file()} == set(EXPORTS)
    assert len(EXPORTS) >= 14
    assert sum(bool(export.lost) for export in EXPORTS.values()) >= 2

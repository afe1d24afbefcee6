"""Notebooks of an assignment, made from masters in jupytext's percent format and the masters of the submitted files.

A code cell of a master is an experiment; or it names a submitted file and pieces of it, and has no body:

    # %% file="q1_vae.py" take="imports, log_mean_exp"

Students get these pieces as they stand in the stub, solved notebooks as they stand in the master. A code cell with
`solved="your figure for question 1.8"` stays as it is in the solved notebook; students get the words as a comment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import jupytext
import nbformat
from nbformat.notebooknode import NotebookNode

from autograder.assignment import Assignment, Notebook, SourceFile
from autograder.intake.ipython import ipython_spans
from autograder.language import _, masters_catalogue, speaking
from autograder.release.bundle import parse_masters, refuse_leaks, release_files
from autograder.release.folder import ReleaseError, differences, read_text, stamp, write_folder
from autograder.release.markers import Master, find_marker
from autograder.release.pieces import Piece, pieces
from autograder.release.setup_cell import METADATA, setup_code
from autograder.release.translation import phrases, translated

PARAMETERS = "parameters"
"""Tag of the cell that holds the sizes of the experiments."""

EXPORT = "#| export"
"""First words of a cell whose code belongs to a submitted file, whose name follows."""

_CELL = re.compile(r"^# ?%%", re.MULTILINE)
_KEYS = frozenset({"file", "take", "tags", "solved"})
_OF_JUPYTEXT = frozenset({"lines_to_next_cell"})

_QUESTION = re.compile(r"\b([Qq]uestions? )([\w.]*\w)")

_METADATA = {
    "accelerator": "GPU",  # Colab then starts with one
    "colab": {"provenance": []},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True)
class MasterCell:
    """A cell of a notebook's master.

    Attributes:
        kind: `code` or `markdown`.
        source: its text.
        metadata: what stands behind its `# %%`.
        place: `file:line` of its `# %%`.
    """

    kind: str
    source: str
    metadata: dict[str, Any]
    place: str


def read_cells(path: Path) -> list[MasterCell]:
    """The cells of a notebook's master.

    Raises:
        ReleaseError: it is missing, has a solution marker, text before its first cell, or metadata without a meaning.
    """
    text = read_text(path)
    if (line := find_marker(text)) is not None:
        problem = "a solution marker in the master of a notebook; solutions stand in the submitted files"
        raise ReleaseError(f"{path}:{line}: {problem}")
    cells = jupytext.reads(text, fmt="py:percent").cells
    lines = [text.count("\n", 0, match.start()) + 1 for match in _CELL.finditer(text)]
    if len(lines) != len(cells):
        problem = "each cell begins with a line `# %%`, the first one too, and no other line begins so"
        raise ReleaseError(f"{path}: {len(cells)} cells, but {len(lines)} lines with `# %%`; {problem}")
    found = []
    for cell, line in zip(cells, lines, strict=True):
        place, metadata = f"{path}:{line}", {k: v for k, v in cell.metadata.items() if k not in _OF_JUPYTEXT}
        if unknown := sorted(set(metadata) - _KEYS):
            raise ReleaseError(f"{place}: {', '.join(unknown)}: no such key; there are {', '.join(sorted(_KEYS))}")
        if cell.cell_type == "raw" or (cell.cell_type == "markdown" and set(metadata) - {"tags"}):
            raise ReleaseError(
                f"{place}: a cell is code or [markdown], and only code has the keys file, take and solved"
            )
        if ("file" in metadata) != ("take" in metadata):
            raise ReleaseError(f"{place}: a cell that is filled has both keys, `file` and `take`")
        if "take" in metadata and cell.source.strip():
            raise ReleaseError(f"{place}: a cell with `take` has no code of its own; put it into a cell behind it")
        found.append(MasterCell(cell.cell_type, cell.source, metadata, place))
    parameters = [cell for cell in found if PARAMETERS in cell.metadata.get("tags", ())]
    if len(parameters) != 1:
        problem = f'{len(parameters)} cells with tags=["{PARAMETERS}"]; one holds all sizes of the experiments'
        raise ReleaseError(f"{path}: {problem}")
    return found


class _Sources:
    """The pieces of a notebook's files; remembers which ones were taken."""

    def __init__(self, assignment: Assignment, notebook: Notebook, masters: dict[str, Master], solved: bool) -> None:
        files = [file for file in assignment.files if file.name in notebook.files]
        self._files = {name: file for file in files for name in (PurePosixPath(file.master_path).name, file.name)}
        modules = {name.removesuffix(".py") for name in self._files} | {file.module for file in files}
        self._pieces = {file.name: pieces(masters[file.name], solved, modules) for file in files}
        self._assignment = assignment
        self._taken: dict[tuple[str, str], str] = {}

    def take(self, cell: MasterCell) -> tuple[SourceFile, list[Piece]]:
        """The file that a cell names, and its pieces."""
        name = cell.metadata["file"]
        if name not in self._files:
            problem = f"{name!r} is not one of the notebook's files: {', '.join(sorted(self._files))}"
            raise ReleaseError(f"{cell.place}: {problem}")
        file = self._files[name]
        taken = []
        for key in (key.strip() for key in cell.metadata["take"].split(",")):
            piece = next((piece for piece in self._pieces[file.name] if piece.key == key), None)
            if piece is None:
                raise ReleaseError(f"{cell.place}: {self._unknown(file.name, key)}")
            if before := self._taken.get((file.name, key)):
                raise ReleaseError(f"{cell.place}: {key} of {file.name} is taken in {before} already")
            self._taken[file.name, key] = cell.place
            taken.append(piece)
        return file, taken

    def _unknown(self, file: str, key: str) -> str:
        for piece in self._pieces[file]:
            if key in piece.names:
                return f"{key} comes with {piece.key!r}; take that"
        return f"{file} has no piece {key!r}; it has {', '.join(piece.key for piece in self._pieces[file])}"

    def refuse_untaken(self, master: Path) -> None:
        """Refuse a notebook that lacks a graded unit, or a place where students write."""
        units = {(unit.file, unit.qualified.partition(".")[0]) for unit in self._assignment.units}
        for file, found in self._pieces.items():
            for piece in found:
                graded = bool(piece.blocks) or any((file, name) in units for name in piece.names)
                if graded and (file, piece.key) not in self._taken:
                    problem = "it is graded or has a solution, and no cell of the notebook takes it"
                    raise ReleaseError(f"{master}: {piece.key} of {file}: {problem}")


def build_notebook(
    assignment: Assignment, notebook: Notebook, released: dict[str, str], solved: bool = False
) -> NotebookNode:
    """One notebook.

    Args:
        assignment: the manifest.
        notebook: one of its notebooks.
        released: what `release_files` gives, for the first cell.
        solved: with the solutions.

    Raises:
        ReleaseError: the master is missing or wrong, it names what there is not, or it shows a solution.
        MarkerError: a master has a wrong marker.
    """
    path = assignment.master(notebook)
    cells, masters = read_cells(path), parse_masters(assignment)
    texts = _Words(assignment, notebook)
    stem = re.sub(r"[^\w-]", "-", PurePosixPath(notebook.name).stem, flags=re.ASCII)[:40]
    built = []

    def code(source: str, position: str, metadata: dict[str, Any]) -> None:
        built.append(nbformat.v4.new_code_cell(source, id=f"{stem}-{position}", metadata=metadata))

    with speaking(assignment.language):
        sources = _Sources(assignment, notebook, masters, solved)
        contents = {name: text.encode() for name, text in released.items()}
        code(setup_code(contents, [asset.name for asset in assignment.assets]), "setup", METADATA | {"tags": ["setup"]})
        for number, cell in enumerate(cells, 1):
            metadata = {"tags": list(cell.metadata["tags"])} if "tags" in cell.metadata else {}
            if cell.kind == "markdown":
                source = texts.of_narration(cell.source)
                built.append(nbformat.v4.new_markdown_cell(source, id=f"{stem}-{number:02}", metadata=metadata))
            elif "take" in cell.metadata:
                file, taken = sources.take(cell)
                source = texts.of_code(_joined(taken), cell.place)
                code(f"{EXPORT} {file.name}\n{source}", f"{number:02}", metadata)
                if not solved and (guard := _guard(taken)):
                    code(guard, f"{number:02}-todo", {})
            elif "solved" in cell.metadata and not solved:
                code(f"# {texts.of_narration(cell.metadata['solved'])}", f"{number:02}", metadata)
            else:
                code(texts.of_experiment(cell.source, cell.place), f"{number:02}", metadata)
    sources.refuse_untaken(path)
    made = nbformat.v4.new_notebook(cells=built, metadata=_METADATA)
    nbformat.validate(made)
    if not solved:
        shown = {f"{notebook.name}, cell {number}": cell.source for number, cell in enumerate(made.cells)}
        refuse_leaks(assignment, masters, {str(path): _without_solved(path, cells)})
        refuse_leaks(assignment, masters, shown)
    return made


def _without_solved(path: Path, cells: list[MasterCell]) -> str:
    """The text of a master without the code that students do not get, in as many lines."""
    lines = read_text(path).split("\n")
    starts = [int(cell.place.rpartition(":")[2]) for cell in cells] + [len(lines) + 1]
    for cell, start, end in zip(cells, starts[:-1], starts[1:], strict=True):
        if "solved" in cell.metadata:
            lines[start : end - 1] = [""] * (end - 1 - start)
    return "\n".join(lines)


def _joined(taken: list[Piece]) -> str:
    text = taken[0].text
    for before, piece in pairwise(taken):
        text += ("\n" if before.kind == piece.kind == "assignment" else "\n\n\n") + piece.text
    return text


def _guard(taken: list[Piece]) -> str:
    """A cell that stops where names still have no value; it belongs to no file."""
    rows = []
    for block in (block for piece in taken for block in piece.blocks if block.names):
        names = ", ".join(block.names) + ("," if len(block.names) == 1 else "")
        rows += [
            f"if any(value is None for value in ({names})):",
            f'    raise NotImplementedError("{block.message}")',
        ]
    comment = _("The notebook goes on from here when the cell above is filled in.")
    return "\n".join([f"# {comment}", *rows]) if rows else ""


class _Words:
    """The words of a notebook: in the language of the assignment, with its names of files and its question ids."""

    def __init__(self, assignment: Assignment, notebook: Notebook) -> None:
        self._language = assignment.language
        self._catalogue = masters_catalogue(assignment.language).gettext
        names = {PurePosixPath(file.master_path).name: PurePosixPath(file.name).name for file in assignment.files}
        names |= {PurePosixPath(it.master).with_suffix(".ipynb").name: it.name for it in assignment.notebooks}
        self._names = {old: new for old, new in names.items() if old != new}
        files = [file for file in assignment.files if file.name in notebook.files]
        self._questions = {old: new for file in files for old, new in file.renumber.items()}

    def of_narration(self, text: str) -> str:
        """Words that are one message of the catalogue."""
        return self._numbered(self._named(self._catalogue(text)))

    def of_experiment(self, text: str, place: str) -> str:
        """Code of the notebook's own."""
        return self._numbered(self.of_code(text, place))

    def of_code(self, text: str, place: str) -> str:
        """Code of a submitted file, which names its questions as this assignment does."""
        if self._language != "en" and not ipython_spans(text):
            try:
                text = translated(text, self._catalogue)
            except SyntaxError as error:
                raise ReleaseError(
                    f"{place}: line {error.lineno} of the cell is not valid Python: {error.msg}"
                ) from error
        return self._named(text)

    def _named(self, text: str) -> str:
        for old, new in self._names.items():
            text = re.sub(rf"\b{re.escape(old)}\b", new, text)
        return text

    def _numbered(self, text: str) -> str:
        return _QUESTION.sub(lambda match: match[1] + self._questions.get(match[2], match[2]), text)


def notebook_words(assignment: Assignment) -> dict[str, list[str]]:
    """All that is translated of each notebook but the code of the submitted files, by the name of the notebook.

    Raises:
        ReleaseError: a master is missing or wrong.
    """
    found: dict[str, list[str]] = {}
    for notebook in assignment.notebooks:
        words = found.setdefault(notebook.name, [])
        for cell in read_cells(assignment.master(notebook)):
            if cell.kind == "markdown":
                words.append(cell.source)
            elif "take" not in cell.metadata and not ipython_spans(cell.source):
                words += [phrase.message for phrase in phrases(cell.source)]
            if "solved" in cell.metadata:
                words.append(cell.metadata["solved"])
    return found


def notebook_files(assignment: Assignment, solved: bool = False) -> dict[str, bytes]:
    """Name and content of each file of the folder of notebooks; empty where the assignment has none.

    Raises:
        ReleaseError: as `build_notebook`.
        MarkerError: a master has a wrong marker.
    """
    if not assignment.notebooks:
        return {}
    released = release_files(assignment)
    files = {}
    for notebook in assignment.notebooks:
        made = build_notebook(assignment, notebook, released, solved)
        files[notebook.name] = f"{nbformat.writes(made, version=4, sort_keys=True, indent=1)}\n".encode()
    return files | {name: text.encode() for name, text in stamp(assignment.id).items()}


def release_notebooks(assignment: Assignment, dest: Path, solved: bool = False) -> list[Path]:
    """Write the notebooks to `dest/<id>/`, in place of what an earlier release put there.

    Returns:
        The paths of all files of the folder, sorted; none where the assignment has no notebooks.

    Raises:
        ReleaseError: as `build_notebook`; also where `dest/<id>` exists and was not made by a release.
        MarkerError: a master has a wrong marker.
    """
    files = notebook_files(assignment, solved)
    return write_folder(dest / assignment.id, files) if files else []


def stale_notebooks(assignment: Assignment, dest: Path) -> list[str]:
    """Say where `dest/<id>/` is not what `release_notebooks` would write now, as `bundle.stale` does."""
    return differences(dest / assignment.id, notebook_files(assignment))

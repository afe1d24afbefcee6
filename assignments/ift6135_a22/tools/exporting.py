"""From a notebook to the files to hand in, as texts: nothing is written here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.display import listed, shown
from tools.naming import match
from tools.notebook import cells_of_notebook
from tools.words import _
from tools.assembly import assemble
from tools.cells import Cell, read_cells
from tools.facts import Facts, FileFacts
from tools.gaps import gaps_in
from tools.pieces import Piece, cut
from tools.selection import Selection, select


class ExportError(Exception):
    """The notebook cannot be exported. The message is a sentence for the student."""


@dataclass
class Made:
    """A file as the notebook makes it.

    Attributes:
        name: of the file.
        text: what it becomes; empty if it cannot be made.
        before: what lies in the folder; None if nothing does.
        selection: what is taken from the notebook.
        changed: names that are taken and that the file had in another form, or not at all.
        gaps: what is still to do.
        absent: names of the stub that are missing in a file that is made without one.
        broken: cells that cannot be read and that seem to belong to it.
        problem: a sentence on why the file cannot be made, or on what is wrong with the one in the folder.
    """

    name: str
    text: str = ""
    before: str | None = None
    selection: Selection = field(default_factory=Selection)
    changed: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    broken: list[Cell] = field(default_factory=list)
    problem: str = ""


@dataclass
class Export:
    """What a notebook makes.

    Attributes:
        files: the files that it holds.
        cells: its code cells.
        left_out: how many of them no file takes anything from.
    """

    files: list[Made]
    cells: list[Cell]
    left_out: int


def export(notebook: Path, folder: Path, facts: Facts) -> Export:
    """Make the files that `notebook` holds, each from the one of its name in `folder`, if there is one.

    Raises:
        ExportError: it cannot be read, is no notebook, or holds nothing of the assignment.
    """
    cells = read_cells(_sources(notebook), facts.names)
    names = _held_by(notebook.name, cells, facts)
    files = [_made(facts.file(name), facts, names, cells, folder, notebook.name) for name in names]
    used = {piece.cell for made in files for piece in made.selection.taken}
    used |= {cell.number for cell in cells if cell.file or cell.line or not cell.pieces}
    return Export(files, cells, len(cells) - len(used))


def _sources(notebook: Path) -> list[str]:
    try:
        text = notebook.read_text("utf-8-sig")
    except FileNotFoundError:
        missing = _("{name}: there is no such file; check the name, and start this in the folder of the notebook.")
        raise ExportError(missing.format(name=shown(str(notebook)))) from None
    except (OSError, UnicodeDecodeError):
        unreadable = _("{name} cannot be read; save the notebook again.")
        raise ExportError(unreadable.format(name=shown(str(notebook)))) from None
    sources = cells_of_notebook(text)
    if sources is None:
        other = _("{name} is no notebook, or is damaged; download or save it again as .ipynb.")
        raise ExportError(other.format(name=shown(notebook.name)))
    return sources


def _held_by(name: str, cells: Sequence[Cell], facts: Facts) -> list[str]:
    """Names of the files whose code the notebook holds: by its name, its marks, or what it defines.

    Raises:
        ExportError: it holds nothing of the assignment.
    """
    marked = {cell.file for cell in cells if cell.file}
    named = [notebook for notebook in facts.notebooks if match(name, notebook.name) is not None]
    if named or marked:
        found = {file for notebook in named for file in notebook.files}
        found |= {file for notebook in facts.notebooks if marked & set(notebook.files) for file in notebook.files}
        found |= marked
    else:
        defined = {one for cell in cells for piece in cell.pieces if piece.defines for one in piece.use.binds}
        groups = [notebook.files for notebook in facts.notebooks] or [(file,) for file in facts.names]
        scores = [len(defined & {one for file in group for one in facts.file(file).names}) for group in groups]
        found = set(groups[scores.index(max(scores))]) if any(scores) else set()
    if not found:
        nothing = _("{name} holds no code of {id}; the notebooks of this assignment are {names}.")
        names = listed([notebook.name for notebook in facts.notebooks], limit=len(facts.notebooks))
        raise ExportError(nothing.format(name=shown(name), id=facts.id, names=names))
    return [file for file in facts.names if file in found]


def _made(
    file: FileFacts, facts: Facts, together: Sequence[str], cells: Sequence[Cell], folder: Path, notebook: str
) -> Made:
    made = Made(file.name)
    base, tail = _read_base(folder / file.name, made)
    made.broken = [
        cell for cell in cells if cell.line and (cell.file == file.name or cell.defined.intersection(file.names))
    ]
    if made.broken:
        return made
    made.selection = select(file, facts, together, cells, base)
    title = _("{file}, exported from {notebook}.").format(file=file.name, notebook=shown(notebook))
    text = assemble(base, tail, made.selection.taken, made.selection.imports, title.replace('"', "'"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, file.name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None) or 1
        place = next((piece.cell for piece in made.selection.taken if piece.text in text.split("\n", line - 1)[-1]), 0)
        invalid = _("what the notebook gives is not valid Python ({error}); look at code cell {cell}.")
        made.problem = invalid.format(error=getattr(error, "msg", None) or str(error), cell=place)
        return made
    made.text = text
    had = {piece.text for piece in base}
    new = {name for piece in made.selection.taken if piece.text not in had for name in piece.use.binds}
    made.changed = [name for name in made.selection.names if name in new]
    pieces, _tail = cut(text)
    made.gaps = gaps_in([node for piece in pieces for node in piece.nodes], file.unset)
    bound = {name for piece in pieces for name in piece.use.binds}
    made.absent = [] if base else [name for name in file.names if name not in bound]
    return made


def _read_base(path: Path, made: Made) -> tuple[list[Piece], str]:
    """The pieces of the file in the folder, if there is one that can be used; and what follows the last of them."""
    if not path.is_file():
        return [], ""
    try:
        made.before = path.read_text("utf-8-sig")
        return cut(made.before)
    except UnicodeDecodeError:
        made.before = path.read_text("latin-1")
        made.problem = _("the file in the folder is not UTF-8 text, so a new one was made from the notebook alone.")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        invalid = _(
            "line {line} of the file in the folder is not valid Python, so a new one was made from the notebook alone."
        )
        made.problem = invalid.format(line=getattr(error, "lineno", None) or 1)
    return [], ""

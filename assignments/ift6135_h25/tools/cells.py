"""The code cells of a notebook: what they are marked for, and their statements."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

from tools.ipython import comment_out, ipython_spans
from tools.name_use import tree_of
from tools.pieces import Piece, cut

_MARK = re.compile(r"#\|[ \t]*exports?[ \t]+(\S+)[ \t]*", re.IGNORECASE)
_DEFINED = re.compile(r"^(?:async[ \t]+def|def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE)


@dataclass
class Cell:
    """A code cell.

    Attributes:
        number: its place among the code cells, from 1.
        mark: what stands behind `#| export`; empty if nothing does.
        file: the file of the assignment that the mark names; empty if it names none.
        pieces: its statements; none if it is not valid Python.
        line: the line of the error, from 1; 0 if it is valid Python.
        error: what the parser says.
        text: its first line that is neither blank nor a mark, to recognise it by.
        defined: the names that a broken cell seems to define.
    """

    number: int
    mark: str = ""
    file: str = ""
    pieces: list[Piece] = field(default_factory=list)
    line: int = 0
    error: str = ""
    text: str = ""
    defined: frozenset[str] = frozenset()


def read_cells(sources: Sequence[str], files: Sequence[str]) -> list[Cell]:
    """The code cells with these texts; `files` are the names of the files of the assignment."""
    return [_read(number, source.replace("\r\n", "\n"), files) for number, source in enumerate(sources, 1)]


def _read(number: int, source: str, files: Sequence[str]) -> Cell:
    cell = Cell(number)
    rows = source.split("\n")
    for row in rows:
        if marked := _MARK.match(row.strip()):
            cell.mark = marked[1]
            cell.file = next((name for name in files if cell.mark.removesuffix(".py") == name.removesuffix(".py")), "")
        elif row.strip() and not row.lstrip().startswith(("#", "%")):
            break
    cell.text = next((row.strip() for row in rows if row.strip() and not _MARK.match(row.strip())), "")
    try:
        text = _python(source)
        cell.pieces, _ = cut(text)
    except SyntaxError as error:
        cell.line, cell.error = error.lineno or 1, error.msg
    except (ValueError, RecursionError, MemoryError) as error:
        cell.line, cell.error = 1, str(error) or type(error).__name__
    if cell.line:
        cell.defined = frozenset(name for pair in _DEFINED.findall(source) for name in pair if name)
    for piece in cell.pieces:
        piece.cell, piece.file = number, cell.file
    return cell


def _python(source: str) -> str:
    """The text without what only IPython understands; no line changes its number.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: what is left cannot be parsed.
    """
    try:
        tree = tree_of(source)
    except SyntaxError:
        spans = ipython_spans(source)
        rows = comment_out(source, spans).split("\n")
        for number in (number for first, last in spans for number in range(first, last + 1)):
            rows[number - 1] = rows[number - 1].partition("#")[0].rstrip()  # the `pass` of an indented one stays
        source = "\n".join(rows)
        tree = tree_of(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile(tree, "cell", "exec", dont_inherit=True, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)  # finds a stray `return`
    return source

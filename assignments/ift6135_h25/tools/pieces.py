"""A source, cut into its top-level statements, each with the comments directly above it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tools.name_use import Use, is_main_guard, tree_of, use_of

DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORT = (ast.Import, ast.ImportFrom)


@dataclass(eq=False)
class Piece:
    """A top-level statement, or several that share a line.

    Attributes:
        nodes: its syntax trees.
        text: its lines, comments directly above it included.
        gap: the lines between it and the piece before, with their ends: blank ones, and comments that stand alone.
        use: the names that it binds and looks up.
        cell: number of its code cell, from 1; 0 in a file.
        file: the file that its cell is marked for; empty if for none.
    """

    nodes: tuple[ast.stmt, ...]
    text: str
    gap: str
    use: Use
    cell: int = 0
    file: str = ""

    @property
    def defines(self) -> bool:
        """Whether it consists of functions and classes."""
        return all(isinstance(node, DEFINITION) for node in self.nodes)

    @property
    def imports(self) -> bool:
        """Whether it does nothing but import, perhaps in a `try`."""
        return all(_imports(node) for node in self.nodes)

    @property
    def guard(self) -> bool:
        """Whether it is the part for `__name__ == "__main__"`."""
        return any(is_main_guard(node) for node in self.nodes)

    @property
    def changed(self) -> set[str]:
        """Names whose values it changes, or perhaps changes, in place."""
        return self.use.changes | self.use.acts_on


def _imports(node: ast.stmt) -> bool:
    if isinstance(node, ast.Try):
        blocks = [node.body, node.orelse, node.finalbody, *(handler.body for handler in node.handlers)]
        inner = [statement for block in blocks for statement in block]
        return any(isinstance(it, _IMPORT) for it in inner) and all(
            isinstance(it, (*_IMPORT, ast.Pass)) for it in inner
        )
    return isinstance(node, _IMPORT)


def cut(text: str) -> tuple[list[Piece], str]:
    """The pieces of a source, and what follows the last of them.

    Raises:
        SyntaxError, ValueError: it is not valid Python.
        RecursionError, MemoryError: it is nested too deeply for the parser.
    """
    lines = text.split("\n")
    pieces: list[Piece] = []
    done = 0  # lines that belong to pieces so far
    for nodes in _by_line(tree_of(text).body):
        top, last = _first_line(nodes[0]) - 1, nodes[-1].end_lineno or 0
        while top > done and lines[top - 1].startswith("#") and not lines[top - 1].startswith("#|"):
            top -= 1
        if isinstance(nodes[-1], DEFINITION):
            last = _with_comments(lines, last)
        gap = "".join(f"{line}\n" for line in lines[done:top])
        pieces.append(Piece(nodes, "\n".join(lines[top:last]), gap, use_of(*nodes)))
        done = last
    return pieces, "\n".join(lines[done:])


def _by_line(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, ...]]:
    """The statements, those together that share a line."""
    group: list[ast.stmt] = []
    for node in body:
        if group and _first_line(node) > (group[-1].end_lineno or 0):
            yield tuple(group)
            group = []
        group.append(node)
    if group:
        yield tuple(group)


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def _with_comments(lines: list[str], last: int) -> int:
    """The last line of a definition, with the indented comments at its end."""
    for number in range(last, len(lines)):
        line = lines[number]
        if line.strip():
            if not (line[0] in " \t" and line.lstrip().startswith("#")):
                break
            last = number + 1
    return last

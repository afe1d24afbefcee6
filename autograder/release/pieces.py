"""The top-level pieces of a submitted file, of which the cells of notebooks are made.

A piece is the imports at the head of the file, a class, a function, an assignment, or a solution block at module level;
the comment lines directly above belong to it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from autograder.release.folder import ReleaseError
from autograder.release.markers import Block, Master

IMPORTS = "imports"
"""What a cell calls the import statements at the head of a file."""


@dataclass(frozen=True)
class Piece:
    """One piece of a file, as students get it or as it is solved.

    Attributes:
        key: what a cell calls it: `imports`, the name that it defines, the first name of a solution block that
            assigns, or the label of a solution block that defines.
        kind: what it is; assignments are set closely.
        text: its lines, without a line end behind the last one.
        names: what it defines; empty for imports.
        blocks: the solutions that stand in it.
    """

    key: str
    kind: Literal["imports", "assignment", "definition"]
    text: str
    names: tuple[str, ...]
    blocks: tuple[Block, ...]


def pieces(master: Master, solved: bool, present: Collection[str] = ()) -> list[Piece]:
    """All pieces of a file, in their order.

    Args:
        master: the parsed master.
        solved: whether the solutions stand in it, without their markers, or what students get in their place.
        present: modules whose names are there already; what is imported from them is left out.

    Raises:
        ReleaseError: two pieces have the same name, or an import from a module of `present` gives it another name.
    """
    lines, spans = _lines(master, solved)
    found = list(_pieces(lines, spans, master.file, present))
    keys = [piece.key for piece in found]
    if doubled := sorted({key for key in keys if keys.count(key) > 1}):
        raise ReleaseError(f"{master.file}: {', '.join(doubled)}: defined twice at top level; a notebook takes it once")
    return found


@dataclass(frozen=True)
class _Span:
    """Where a block's lines stand in a text: the first and the last one, counted from 1."""

    block: Block
    first: int
    last: int

    @property
    def at_top_level(self) -> bool:
        return self.block.definitions or bool(self.block.names)


def _lines(master: Master, solved: bool) -> tuple[list[str], list[_Span]]:
    lines: list[str] = []
    spans = []
    for piece in master.pieces:
        if isinstance(piece, str):
            lines.append(piece)
        else:
            first = len(lines) + 1
            lines += piece.body if solved else piece.stub
            spans.append(_Span(piece, first, len(lines)))
    return lines, spans


def _pieces(lines: list[str], spans: list[_Span], file: str, present: Collection[str]) -> Iterator[Piece]:
    top = [span for span in spans if span.at_top_level]
    head: list[ast.stmt] = []
    in_head = True
    for node in ast.parse("\n".join(lines)).body:
        while top and top[0].last < node.lineno:
            yield _of_block(top.pop(0), lines)
        if top and top[0].first <= node.lineno <= top[0].last:
            in_head = False
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            if in_head:
                head.append(node)
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not head:
            continue  # the docstring of the module
        if in_head and head:
            yield Piece(IMPORTS, "imports", _imports(head, lines, file, present), (), ())
        in_head = False
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield _piece("definition", (node.name,), first, node.end_lineno or first, lines, spans)
        elif names := _assigned(node):
            yield _piece("assignment", names, node.lineno, node.end_lineno or node.lineno, lines, spans)
    if in_head and head:
        yield Piece(IMPORTS, "imports", _imports(head, lines, file, present), (), ())
    for span in top:
        yield _of_block(span, lines)


def _of_block(span: _Span, lines: list[str]) -> Piece:
    block = span.block
    text = "\n".join(_with_comment(lines, span.first, span.last)).rstrip()
    if block.names:
        return Piece(block.names[0], "assignment", text, block.names, (block,))
    names = [getattr(node, "name", "") for node in ast.parse("\n".join(block.body)).body]
    return Piece(block.label, "definition", text, tuple(names), (block,))


def _piece(
    kind: Literal["assignment", "definition"],
    names: tuple[str, ...],
    first: int,
    last: int,
    lines: list[str],
    spans: list[_Span],
) -> Piece:
    inside = tuple(span.block for span in spans if first <= span.first <= last)
    return Piece(names[0], kind, "\n".join(_with_comment(lines, first, last)), names, inside)


def _with_comment(lines: list[str], first: int, last: int) -> list[str]:
    while first > 1 and lines[first - 2].startswith("#") and not lines[first - 2].startswith("# TODO "):
        first -= 1
    return lines[first - 1 : last]


def _assigned(node: ast.stmt) -> tuple[str, ...]:
    """The plain names that a statement assigns."""
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return ()
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return tuple(it.id for target in targets for it in ast.walk(target) if isinstance(it, ast.Name))


def _imports(head: list[ast.stmt], lines: list[str], file: str, present: Collection[str]) -> str:
    left_out: set[int] = set()
    for node in head:
        modules = [node.module] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]  # type: ignore[attr-defined]
        if not set(modules) & set(present):
            continue
        if isinstance(node, ast.Import) or any(name.asname for name in node.names):  # type: ignore[attr-defined]
            problem = "a notebook holds both files in one namespace; write `from module import name`, without `as`"
            raise ReleaseError(f"{file}:{node.lineno}: {problem}")
        left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    first, last = head[0].lineno, head[-1].end_lineno or head[-1].lineno
    kept = [lines[row - 1] for row in range(first, last + 1) if row not in left_out]
    return "\n".join(kept).strip("\n")

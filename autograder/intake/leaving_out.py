"""Takes statements out of a source without moving a line, so that tracebacks stay right."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_ELSE = re.compile(rb"^[ \t\f]*(else)[ \t\f]*(?:\\\n[ \t\f]*)?:", re.MULTILINE)
_Edit = tuple[int, int, bytes]


@dataclass(frozen=True)
class Removal:
    """What is to be done to a tree.

    Attributes:
        kept: ids of the statements that stay.
        opened: ids of main guards whose bodies are to run.
        closed: ids of the other main guards, whose bodies stay as they are.
    """

    kept: set[int] = field(default_factory=set)
    opened: set[int] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)


def is_elif(node: ast.stmt, lines: Sequence[bytes]) -> bool:
    """Whether `node` is the `elif` of an `if`; `lines` are those of the source, in UTF-8."""
    return isinstance(node, ast.If) and lines[node.lineno - 1].startswith(b"elif", node.col_offset)


def leave_out(text: str, tree: ast.Module, removal: Removal) -> str:
    """`text` without the statements of `tree` that are not kept; every other line stays where it is."""
    source = Source(text)
    edits: list[_Edit] = []
    for block, node in _left_out(tree, removal):
        edits.append(_without(source, node, last=not any(id(other) in removal.kept for other in block)))
    guards = [node for node in ast.walk(tree) if isinstance(node, ast.If) and id(node) in removal.opened]
    for guard in guards:
        edits += _opened(source, guard)
    return source.edited(edits)


def left_out_lines(text: str, tree: ast.Module, removal: Removal) -> list[tuple[int, int]]:
    """First and last lines of what is left out, bodies of main guards aside; only blanks and comments join them."""
    lines = text.split("\n")
    spans: list[tuple[int, int]] = []
    source = Source(text)
    nodes = [node for _, node in _left_out(tree, removal, into_guards=False)]
    for first, last in sorted((source.first_line(node), node.end_lineno or node.lineno) for node in nodes):
        between = lines[spans[-1][1] : first - 1] if spans else ["x"]
        if spans and all(not line.strip() or line.lstrip().startswith("#") for line in between):
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        else:
            spans.append((first, last))
    return spans


class Source:
    """A text and the places of syntax tree nodes in it, as offsets in its UTF-8 bytes."""

    def __init__(self, text: str) -> None:
        self.raw = text.encode("utf-8")
        self.lines = self.raw.split(b"\n")
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Where `node` begins, with its decorators, and ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        first, column = self.first_line(node), node.col_offset
        if first != node.lineno:
            line = self.lines[first - 1]
            column = len(line) - len(line.lstrip())
        return self._starts[first - 1] + column, self._starts[node.end_lineno - 1] + node.end_col_offset

    def first_line(self, node: ast.expr | ast.stmt) -> int:
        """The line in which `node`, or its first decorator, begins."""
        decorators = getattr(node, "decorator_list", [])
        if not decorators:
            return node.lineno
        line: int = decorators[0].lineno
        while not self.lines[line - 1].lstrip().startswith(b"@"):
            line -= 1
        return line

    def stands_alone(self, start: int, end: int) -> bool:
        """Whether nothing but a comment shares the lines of a statement."""
        before = self.raw[self.raw.rfind(b"\n", 0, start) + 1 : start]
        line_end = self.raw.find(b"\n", end)
        after = self.raw[end : line_end if line_end >= 0 else len(self.raw)].strip()
        continued = self.raw[: start - len(before)].endswith(b"\\\n")
        return not before.strip() and (not after or after.startswith(b"#")) and not continued

    def edited(self, edits: list[_Edit]) -> str:
        """The text with other bytes in some places; where two edits lie in one another, the outer one counts."""
        parts, position = [], 0
        for start, end, new in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
            if start >= position:
                parts += [self.raw[position:start], new]
                position = end
        return b"".join([*parts, self.raw[position:]]).decode("utf-8")


def _left_out(
    tree: ast.AST, removal: Removal, *, into_guards: bool = True
) -> Iterator[tuple[list[ast.stmt], ast.stmt]]:
    """Statements that do not stay, each with its block."""
    for name in ("body", "orelse", "finalbody", "handlers"):
        block = getattr(tree, name, [])
        if name == "body" and (id(tree) in removal.closed or (id(tree) in removal.opened and not into_guards)):
            continue
        for node in block:
            if isinstance(node, ast.ExceptHandler):
                yield from _left_out(node, removal, into_guards=into_guards)
            elif id(node) not in removal.kept:
                yield block, node
            elif isinstance(node, (ast.If, ast.With, ast.AsyncWith)) or hasattr(node, "handlers"):
                yield from _left_out(node, removal, into_guards=into_guards)


def _without(source: Source, node: ast.stmt, *, last: bool) -> _Edit:
    """The edit that removes `node`; `last`: nothing else is in its block.

    An empty tuple fills several lines wherever a statement may stand.
    """
    start, end = source.span(node)
    newlines = source.raw.count(b"\n", start, end)
    if not source.stands_alone(start, end):
        return start, end, b"(" + b"\n" * newlines + b")" if newlines else b"pass"
    return start, end, (b"pass" if last else b"") + b"\n" * newlines


def _opened(source: Source, node: ast.If) -> list[_Edit]:
    """The edits that let the body of a main guard run, and its `else` too."""
    start, end = source.span(node.test)
    newlines = source.raw.count(b"\n", start, end)
    edits: list[_Edit] = [(start, end, b"(True" + b"\n" * newlines + b")" if newlines else b"True")]
    if node.orelse:
        first = node.orelse[0]
        if is_elif(first, source.lines):
            position = source.span(first)[0]
            edits.append((position, position + len(b"elif"), b"if"))
        else:
            found = _ELSE.search(source.raw, source.span(node.body[-1])[1], source.span(first)[0] + 1)
            assert found is not None
            edits.append((found.start(1), found.end(1), b"if 1"))
    return edits

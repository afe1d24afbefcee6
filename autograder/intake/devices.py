"""A GPU that is written into a source becomes the CPU, because submissions are checked without one."""

from __future__ import annotations

import ast
import re

from autograder.intake.leaving_out import Source
from autograder.intake.name_use import is_main_guard, tree_of

_CUDA = re.compile(r"cuda(?::\d+)?")
# These take the name of a device and compute in another precision where it is "cpu".
_BY_DEVICE = frozenset({"autocast", "GradScaler"})
_GPU_TENSOR = re.compile(r"torch\.cuda\.(\w*Tensor)")
_ON_STRINGS = frozenset({"startswith", "endswith", "find", "index", "replace", "split", "partition", "count"})


def on_cpu(text: str) -> tuple[str, list[int]]:
    """`text` with "cpu" for every "cuda" that is used as a device and `.cpu()` for `.cuda()`, and the changed lines.

    The tensor types of `torch.cuda` become those of `torch`, and its `current_device()` becomes "cpu".

    Left as they are: comparisons, docstrings, keys, main guards, and choices that ask whether there is a GPU.
    No line moves.
    """
    source = Source(text)
    finder = _Finder(source)
    finder.visit(tree_of(text))
    lines = sorted({source.raw.count(b"\n", 0, start) + 1 for start, _, _ in finder.edits})
    return source.edited(finder.edits), lines


class _Finder(ast.NodeVisitor):
    def __init__(self, source: Source) -> None:
        self.edits: list[tuple[int, int, bytes]] = []
        self._source = source

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        if isinstance(node, ast.If) and is_main_guard(node):
            for statement in node.orelse:
                self.visit(statement)
        elif not any(isinstance(part, ast.Attribute) and part.attr == "is_available" for part in ast.walk(node.test)):
            self.generic_visit(node)

    visit_IfExp = visit_If  # noqa: N815

    def visit_Compare(self, node: ast.Compare) -> None:
        """A comparison asks; it puts nothing on a device."""

    def visit_MatchValue(self, node: ast.MatchValue) -> None:
        """So does a pattern."""

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_Dict(self, node: ast.Dict) -> None:
        for value in node.values:
            self.visit(value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in _BY_DEVICE:
            return
        if isinstance(node.func, ast.Attribute) and name == "cuda":
            start, end = self._source.span(node.func)[1], self._source.span(node)[1]
            newlines = self._source.raw.count(b"\n", start, end)
            self.edits.append((start - len(b"cuda"), end, b"cpu(" + b"\n" * newlines + b")"))
        if _of_torch_cuda(node.func) == "current_device":
            self._replace(node, '"cpu"')
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        self.visit(node.func)
        for argument in arguments if name not in _ON_STRINGS else []:
            self.visit(argument)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if (name := _of_torch_cuda(node)).endswith("Tensor"):
            self._replace(node, f"torch.{name}")
        else:
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str):
            return
        if _CUDA.fullmatch(node.value):
            self._replace(node, '"cpu"')
        elif found := _GPU_TENSOR.fullmatch(node.value):
            self._replace(node, f'"torch.{found[1]}"')

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        first = node.values[0] if node.values else None
        if isinstance(first, ast.Constant) and str(first.value) == "cuda:":
            self._replace(node, '"cpu"')

    def _replace(self, node: ast.expr, new: str) -> None:
        if node.lineno == node.end_lineno:
            start, end = self._source.span(node)
            self.edits.append((start, end, new.encode()))


def _of_torch_cuda(node: ast.expr) -> str:
    """Name of what `node` takes from `torch.cuda`; empty if it is something else."""
    match node:
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="torch"), attr="cuda"), attr=name):
            return name
    return ""

"""What a source still leaves to do: lines that raise NotImplementedError for a question, and names without a value."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Collection, Iterator

_QUESTION = re.compile(r"question\b")  # what a stub's error begins with, in English and in French


def gaps_in(nodes: Collection[ast.stmt], unset: Collection[str] = ()) -> list[str]:
    """Names of the functions and methods that are still a TODO, and of the values of `unset` that are None."""
    found = [place for node in nodes for place in _unwritten(node, "")]
    values: dict[str, bool] = {}
    for node in nodes:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            none = isinstance(node.value, ast.Constant) and node.value.value is None
            names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
            values |= {name: none for name in names if name in unset}
    return list(dict.fromkeys([*found, *(name for name, none in values.items() if none)]))


def _unwritten(node: ast.AST, place: str) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        place = f"{place}.{node.name}" if place else node.name
    if isinstance(node, ast.Raise) and place and _of_a_question(node.exc):
        yield place
    for child in ast.iter_child_nodes(node):
        yield from _unwritten(child, place)


def without_gaps(node: ast.stmt) -> ast.stmt:
    """The statement with nothing in the functions that are still a TODO: names in them may not be theirs yet."""
    return _Emptied().visit(copy.deepcopy(node)) if gaps_in([node]) else node


class _Emptied(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if any(isinstance(part, ast.Raise) and _of_a_question(part.exc) for part in ast.walk(node)):
            node.body = [ast.copy_location(ast.Pass(), node)]
        return node


def _of_a_question(error: ast.expr | None) -> bool:
    if not (isinstance(error, ast.Call) and isinstance(error.func, ast.Name) and error.args):
        return False
    message = error.args[0]
    text = message.value if isinstance(message, ast.Constant) else None
    return error.func.id == "NotImplementedError" and isinstance(text, str) and bool(_QUESTION.match(text))

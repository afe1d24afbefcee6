"""Which values of a notebook may go along with the code that needs them: constants, and no data or trained models."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection, Sequence

from tools.pieces import Piece

_FORBIDDEN = frozenset(
    {"open", "input", "print", "exec", "eval", "compile", "__import__", "breakpoint", "help", "exit"}
)
_BUILTINS = frozenset(dir(builtins)) - _FORBIDDEN
_PACKAGES = sys.stdlib_module_names | {"torch", "numpy", "einops", "easydict"}
_MODULES = frozenset({"lab.device"})
_READS = frozenset({"load", "save", "hub", "datasets", "urlopen", "urlretrieve", "open", "system", "run", "loadtxt"})


class Constants:
    """Asks of the pieces of a notebook whether they only name a value that any import may compute anew.

    Args:
        pieces: of the notebook.
        values: names that have their values in the file anyway.
    """

    def __init__(self, pieces: Sequence[Piece], values: Collection[str] = ()) -> None:
        self._values = values
        self._binders: dict[str, Piece] = {}
        for piece in pieces:
            self._binders |= dict.fromkeys(piece.use.binds, piece)
        self._asked: dict[int, bool] = {}

    def is_constant(self, piece: Piece) -> bool:
        """Whether `piece` assigns to names, or chooses between such assignments, and nothing it needs is data."""
        if id(piece) not in self._asked:
            self._asked[id(piece)] = False  # what needs itself is none
            self._asked[id(piece)] = all(self._assigns(node) for node in piece.nodes)
        return self._asked[id(piece)]

    def _assigns(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.If):
            return self._is_safe(node.test) and all(self._assigns(inner) for inner in (*node.body, *node.orelse))
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            return False
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        plain = all(isinstance(part, (ast.Name, ast.Tuple, ast.Store)) for it in targets for part in ast.walk(it))
        return plain and self._is_safe(node.value)

    def _is_safe(self, value: ast.expr) -> bool:
        for node in ast.walk(value):
            if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom)):
                return False
            if isinstance(node, ast.Attribute) and node.attr in _READS:
                return False
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and not self._is_safe_name(node.id, value):
                return False
        return True

    def _is_safe_name(self, name: str, value: ast.expr) -> bool:
        if any(name in _bound(node) for node in ast.walk(value)):
            return True
        binder = self._binders.get(name)
        if binder is None:
            return name in _BUILTINS
        if binder.imports:
            return any(_module_of(node, name) for node in binder.nodes)
        if binder.defines:
            return not binder.use.training
        return name in self._values or self.is_constant(binder)


def _bound(node: ast.AST) -> set[str]:
    """Names that belong to a comprehension or a lambda within an expression."""
    if isinstance(node, ast.comprehension):
        return {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)}
    if isinstance(node, ast.Lambda):
        return {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
    return set()


def _module_of(node: ast.AST, name: str) -> bool:
    """Whether `node` imports `name` from a module whose functions compute and do not read data."""
    for part in ast.walk(node):
        if isinstance(part, ast.Import):
            modules = [alias.name for alias in part.names if (alias.asname or _package(alias.name)) == name]
        elif isinstance(part, ast.ImportFrom) and name in {alias.asname or alias.name for alias in part.names}:
            originals = {alias.name for alias in part.names if (alias.asname or alias.name) == name}
            modules = [part.module or ""] if not originals & _READS else []
        else:
            continue
        if any(module in _MODULES or _package(module) in _PACKAGES for module in modules):
            return True
    return False


def _package(module: str) -> str:
    """The package that a dotted module name begins with."""
    return module.partition(".")[0]

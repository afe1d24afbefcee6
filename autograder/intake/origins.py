"""What the names of a source stand for: which of them are Python's own, imported, or the file's. Nothing is executed.

Only the standard library is imported here.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator

Bindings = dict[str, list["str | ast.expr"]]
"""Name -> dotted names that imports give it, and expressions that may be such; empty: the file's own."""

Scopes = tuple[tuple[bool, Bindings], ...]
"""From the outermost: whether it is a class's, and what it binds."""

IMPORTING = frozenset({"builtins.__import__", "importlib.import_module"})

_CHAIN = 8  # attributes in a row that are followed
_DEPTH = 2  # names of names that are followed
_VALUES = 4  # that one name may have, the last ones in the source
_LOOKING_UP = frozenset({"getattr", "__import__", "import_module"})
_WITH_STAR = frozenset(
    {"os", "sys", "gc", "inspect", "signal", "builtins", "marshal", "subprocess", "ctypes", "socket"}
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def dotted_names(node: ast.AST, scopes: Scopes, depth: int = 0) -> list[str]:
    """What an expression such as `np.linalg` or `getattr(np, "linalg")` may stand for, such as `numpy.linalg`.

    What Python itself binds begins with `builtins`. Empty if it is the file's own, or no chain of names.
    """
    parts: list[str] = []
    while len(parts) < _CHAIN and depth <= _DEPTH:
        match node:
            case ast.Attribute():
                parts.append(node.attr)
                node = node.value
            case ast.Name():
                return [".".join([origin, *reversed(parts)]) for origin in _origins(node.id, scopes, depth)]
            case ast.Call(func=ast.Name(id="getattr"), args=[value, name, *_]) if (text := text_of(name)) is not None:
                parts.append(text)
                node = value
            case ast.Call(args=[name, *_]) if (text := text_of(name)) is not None:
                imported = IMPORTING.intersection(dotted_names(node.func, scopes, depth + 1))
                return [".".join([text, *reversed(parts)])] if imported else []
            case _:
                return []
    return []


def _origins(name: str, scopes: Scopes, depth: int) -> list[str]:
    for is_class, bindings in reversed(scopes):
        if name in bindings and (not is_class or bindings is scopes[-1][1]):
            found: dict[str, None] = {}
            for value in bindings[name]:
                found.update(
                    dict.fromkeys([value] if isinstance(value, str) else dotted_names(value, scopes, depth + 1))
                )
            return list(found)
    if name == "__builtins__":
        return ["builtins"]
    return [f"builtins.{name}"] if hasattr(builtins, name) else []


def text_of(node: ast.AST) -> str | None:
    """The string that `node` is: a literal, or literals that are added up."""
    pieces = [item.value if isinstance(item, ast.Constant) else None for item in operands(node)]
    texts = [piece for piece in pieces if isinstance(piece, str)]
    return "".join(texts) if len(texts) == len(pieces) else None


def operands(node: ast.AST) -> list[ast.AST]:
    """What is added up in `node`, from the left; `node` alone if it is no sum."""
    found: list[ast.AST] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        found.append(node.right)
        node = node.left
    return [node, *reversed(found)]


def children(node: ast.AST, scopes: Scopes) -> Iterator[tuple[ast.AST, Scopes]]:
    """The nodes directly below `node`, and the scopes in which their names are looked up."""
    body: list[ast.AST] = []
    inner = scopes
    if isinstance(node, _FUNCTIONS):
        body = list(node.body) if isinstance(node.body, list) else [node.body]
        inner = (*(scope for scope in scopes if not scope[0]), (False, bindings_of(body, node.args)))
    elif isinstance(node, ast.ClassDef):
        body = list(node.body)
        inner = (*scopes, (True, bindings_of(body)))
    within = {id(part) for part in body}
    for child in ast.iter_child_nodes(node):
        yield child, inner if id(child) in within else scopes


def bindings_of(body: Iterable[ast.AST], arguments: ast.arguments | None = None) -> Bindings:
    """What a scope binds; functions, classes and comprehensions in it have scopes of their own."""
    found: Bindings = {}
    if arguments is not None:
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        found.update({argument.arg: [] for argument in every if argument is not None})
    pending = list(body)
    while pending:
        node = pending.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                found.setdefault(name, [])
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.setdefault(node.name, [])
                continue
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                continue
            case ast.Import() | ast.ImportFrom():
                for name, origin in _imported(node):
                    _add(found, name, origin)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _may_be_foreign(value):
                _add(found, name, value)
        pending.extend(ast.iter_child_nodes(node))
    return found


def _add(bindings: Bindings, name: str, value: str | ast.expr) -> None:
    values = bindings.setdefault(name, [])
    if len(values) < _VALUES and value not in values:
        values.append(value)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that an import binds, and what they stand for."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            top = alias.name.partition(".")[0]
            yield alias.asname or top, alias.name if alias.asname else top
        elif node.module and not node.level:
            starred = alias.name == "*"
            for name in dir(__import__(node.module)) if starred and node.module in _WITH_STAR else [alias.name]:
                yield alias.asname or name, f"{node.module}.{name}"


def _may_be_foreign(value: ast.expr) -> bool:
    """Whether `value` may be a module or a part of one: a name, an attribute, or a look-up by a name."""
    if isinstance(value, ast.Call):
        function = value.func
        return getattr(function, "attr", getattr(function, "id", "")) in _LOOKING_UP
    return isinstance(value, (ast.Name, ast.Attribute))

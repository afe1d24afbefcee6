"""Finds signs in a syntax tree: what an instructor may want to look at. Nothing is executed.

Only the standard library is imported here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from autograder.intake import sign_rules as rules
from autograder.intake.encoded import is_codes, looks_encoded
from autograder.intake.origins import IMPORTING, Scopes, bindings_of, children, dotted_names, operands, text_of

_ARGUMENTS = 2_000  # nodes in the arguments of a call that are looked at
_PIECE_CHARS = 60  # of the strings in a list that are one text, cut into lines
_RUNNING = frozenset({"builtins.eval", "builtins.exec", "builtins.compile"})
_BY_NAME = frozenset({"builtins.getattr", "builtins.setattr", "builtins.delattr"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class _Finder(ast.NodeVisitor):
    """Visits every node of a tree, without recursion, which a deep one would exhaust.

    Attributes:
        found: kind of a sign and what is named -> the lines where it is seen.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.found: dict[tuple[str, str], set[int]] = {}
        self._done: set[int] = set()  # ids of nodes that are judged already, as parts of others
        pending: list[tuple[ast.AST, Scopes]] = [(tree, ((False, bindings_of(tree.body)),))]
        while pending:
            node, self._scopes = pending.pop()
            if id(node) not in self._done:
                self.visit(node)
            pending.extend(children(node, self._scopes))

    def generic_visit(self, node: ast.AST) -> None:
        """Do nothing: the nodes below wait their turn."""

    def _sign(self, kind: str, node: ast.AST, name: str = "") -> None:
        self.found.setdefault((kind, name), set()).add(node.lineno)  # type: ignore[attr-defined]

    def _names(self, node: ast.AST) -> list[str]:
        return dotted_names(node, self._scopes)

    # ---- names

    def visit_Name(self, node: ast.Name | ast.Attribute) -> None:
        if rules.FRAME_ATTRIBUTE.fullmatch(_own_name(node)):
            self._sign("frames", node, _own_name(node))
        if isinstance(node.ctx, ast.Load):
            self._used(node, self._names(node))
            self._leave_out_inner(node)
        elif isinstance(node, ast.Attribute):
            self._replaced(node, self._names(node))

    visit_Attribute = visit_Name  # noqa: N815

    def _used(self, node: ast.AST, names: Iterable[str]) -> None:
        for dotted in names:
            for kind, pattern in rules.USES:
                if used := pattern.match(dotted):
                    self._sign(kind, node, used[0].removeprefix("builtins."))
            if dotted.endswith(".__dict__") and dotted.count(".") == 1 and rules.is_shared(dotted):
                self._sign("lookup", node, dotted)

    def _replaced(self, node: ast.expr, names: Iterable[str]) -> None:
        for dotted in filter(rules.is_shared, names):
            self._sign("patch", node, dotted)

    def _leave_out_inner(self, node: ast.AST) -> None:
        """The names in a chain of attributes are no uses of their own; what leads to frames counts wherever it is."""
        while isinstance(node, ast.Attribute):
            node = node.value
            if not isinstance(node, (ast.Name, ast.Attribute)) or rules.FRAME_ATTRIBUTE.fullmatch(_own_name(node)):
                return  # it is visited itself, and goes on from there
            self._done.add(id(node))

    def _leave_out(self, node: ast.AST) -> None:
        self._done.add(id(node))
        self._leave_out_inner(node)

    # ---- imports

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and not node.level:
            self._imported(node, node.module)
            if node.names[0].name == "*":
                self._used(node, [node.module])

    def _imported(self, node: ast.AST, module: str) -> None:
        kind = rules.kind_of_import(module)
        if kind:
            self._sign(kind, node, module if kind == "reference" else module.partition(".")[0])

    # ---- calls, and questions that anybody may ask

    def visit_Call(self, node: ast.Call) -> None:
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        first = text_of(node.args[0]) if node.args else None
        for name in self._names(node.func):
            if name in _RUNNING and _decodes(arguments):
                self._sign("packed", node, name.removeprefix("builtins."))
                self._leave_out(node.func)
            elif name in _BY_NAME and len(node.args) > 1:
                self._by_name(node, name)
            elif name in IMPORTING and first is not None:
                self._imported(node, first)
            elif name == "importlib.import_module":
                self._sign("lookup", node, name)
            elif name == "builtins.vars" and _guarded(n for a in arguments for n in self._names(a)):
                self._sign("lookup", node, "vars")
            elif rules.ENVIRONMENT_METHODS.fullmatch(name):
                self._variable(node, first)
                self._leave_out(node.func)
            elif name in ("builtins.bytes", "builtins.bytearray") and any(map(is_codes, _parts(arguments))):
                self._sign("literal", node)
            elif (name == "os.system" or name.startswith("subprocess.")) and _installs(arguments):
                self._sign("pip", node, name)
                self._leave_out(node.func)

    def _by_name(self, node: ast.Call, function: str) -> None:
        """`getattr` and its like."""
        owners = self._names(node.args[0])
        text = text_of(node.args[1])
        if function != "builtins.getattr":
            self._replaced(node, [f"{owner}.{text or '*'}" for owner in owners])
        elif isinstance(node.args[1], ast.BinOp) if text is not None else _guarded(owners):
            self._sign("lookup", node, "getattr")
        if text is not None:
            self._used(node, self._names(node))
            if rules.FRAME_ATTRIBUTE.fullmatch(text):
                self._sign("frames", node, text)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        names = self._names(node.value)
        if "os.environ" in names:
            self._variable(node, text_of(node.slice) if isinstance(node.ctx, ast.Load) else None)
            self._leave_out(node.value)
        elif "sys.modules" in names and isinstance(node.slice, ast.Name) and node.slice.id == "__name__":
            self._leave_out(node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        """`"google.colab" in sys.modules` is how a notebook asks where it runs."""
        if not isinstance(node.ops[0], (ast.In, ast.NotIn)):
            return
        names = self._names(node.comparators[0])
        if "os.environ" in names:
            self._variable(node, text_of(node.left))
        if "os.environ" in names or "sys.modules" in names:
            self._leave_out(node.comparators[0])

    def _variable(self, node: ast.AST, name: str | None) -> None:
        if name is not None and rules.GRADER_VARIABLE.search(name):
            self._sign("environment", node, name)

    # ---- classes that answer for themselves

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        bases = [dotted for base in node.bases for dotted in self._names(base)]
        is_value = any(rules.VALUES.fullmatch(dotted) for dotted in bases)
        for part in node.body:
            for name in _bound(part):
                if rules.ANSWER.fullmatch(name) or (
                    rules.COMPARISON.fullmatch(name) and (is_value or _returns_true(part))
                ):
                    self._sign("answers", part, name)

    # ---- literals

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):  # a docstring, or text of a notebook
            self._done.add(id(node.value))

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, (str, bytes)):
            self._literal(node, node.value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Literals that are added up are one text; each of them is looked at on its own as well."""
        inner: ast.AST = node
        while isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Add):
            self._done.add(id(inner))
            inner = inner.left
        texts = [text_of(part) if isinstance(part, ast.Constant) else None for part in operands(node)]
        for is_text, run in groupby(texts, key=lambda text: text is not None):
            if is_text:
                self._literal(node, "".join(text or "" for text in run))

    def visit_List(self, node: ast.List | ast.Tuple) -> None:
        pieces = [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        if len(pieces) == len(node.elts) > 1 and all(len(piece) > _PIECE_CHARS for piece in pieces[:-1]):
            self._literal(node, "".join(pieces))

    visit_Tuple = visit_List  # noqa: N815

    def visit_GeneratorExp(self, node: ast.GeneratorExp | ast.ListComp) -> None:
        names = {part.id for part in _parts([node.elt]) if isinstance(part, ast.Name)}
        if "chr" in names and is_codes(node.generators[0].iter):
            self._sign("literal", node)

    visit_ListComp = visit_GeneratorExp  # noqa: N815

    def _literal(self, node: ast.expr, value: str | bytes) -> None:
        if isinstance(value, str) and (path := rules.PATH.search(value)):
            self._sign("files", node, path[0])
        if looks_encoded(value):
            self._sign("literal", node)


def _own_name(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _bound(node: ast.stmt) -> list[str]:
    """Names that a statement of a class gives methods."""
    if isinstance(node, _FUNCTIONS):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _returns_true(node: ast.stmt) -> bool:
    """Whether this is a function that does nothing but `return True`."""
    match node:
        case ast.FunctionDef(body=[ast.Return(value=ast.Constant(value=True))]):
            return True
    return False


def _parts(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    return islice((part for node in nodes for part in ast.walk(node)), _ARGUMENTS)


def _decodes(arguments: Iterable[ast.AST]) -> bool:
    """Whether something is unpacked or decoded in these arguments."""
    functions = [part.func for part in _parts(arguments) if isinstance(part, ast.Call)]
    names = [getattr(function, "attr", getattr(function, "id", "")) for function in functions]
    return any(map(rules.DECODER.fullmatch, names))


def _guarded(names: Iterable[str]) -> bool:
    return any(map(rules.GUARDED.fullmatch, names))


def _installs(arguments: Iterable[ast.AST]) -> bool:
    texts = (part.value for part in _parts(arguments) if isinstance(part, ast.Constant))
    return any(isinstance(text, str) and rules.INSTALLING.fullmatch(text) for text in texts)


def examine(source: bytes) -> dict[str, object]:
    """`{"signs": [[kind, name, lines], ...]}`, or `{}` where the source is nested too deeply or too large.

    A source that does not parse has no signs: it cannot run.
    """
    try:
        try:
            tree = ast.parse(source.decode("utf-8"))
        except (SyntaxError, ValueError):
            return {"signs": []}
        found = _Finder(tree).found
    except (MemoryError, RecursionError, SystemError):
        return {}
    return {"signs": [[kind, name, sorted(lines)] for (kind, name), lines in found.items()]}

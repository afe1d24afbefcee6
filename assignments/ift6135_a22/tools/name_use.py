"""Which module-level names a statement binds, changes and looks up, and when it looks them up."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

# Methods whose call as a statement trains, loads weights or switches a mode: nothing that a definition needs.
_NO_CHANGE = frozenset({"backward", "step", "zero_grad", "load_state_dict", "fit", "train", "eval", "show"})
_TRAINS = frozenset({"backward", "step", "zero_grad", "fit"})
_BY_STRING = frozenset({"globals", "vars", "locals", "eval", "exec"})
_OF_DEVICES = frozenset({"is_available", "device"})
# Functions of torch that change what later lines compute.
_SETTINGS = frozenset({"set_default_dtype", "set_default_device", "set_grad_enabled"})

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass
class Use:
    """Names of a statement, or of the header of a compound statement.

    Attributes:
        binds: plainly bound (assigned, imported, defined).
        changes: changed in place: `x[0] = 1`, `x.y = 1`, `x += 1`, `del x`.
        acts_on: perhaps changed, by a call whose result is not used: `x.append(1)`, `nn.init.zeros_(x)`.
        now: looked up when the statement runs.
        later: looked up when what it binds is called: in bodies of functions and lambdas.
        sets_globals: bound by a `global` statement of a function that is defined here.
        calls: names that are called when the statement runs.
        trains: runs backward passes or steps of an optimizer when the statement runs.
        training: the function defined here does so when it is called.
        dynamic: calls exec, globals or the like, and may bind anything.
        star: imports `*`.
    """

    binds: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    acts_on: set[str] = field(default_factory=set)
    now: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    sets_globals: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    trains: bool = False
    training: bool = False
    dynamic: bool = False
    star: bool = False


def tree_of(text: str) -> ast.Module:
    """Syntax tree of `text`, without Python's warnings about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def use_of(*nodes: ast.AST | None) -> Use:
    """The names of these nodes, which run one after the other at module level."""
    scan = _Scan()
    for node in nodes:
        if node is not None:
            scan.visit(node)
    scan.use.binds -= scan.use.changes - scan.plain
    return scan.use


def is_main_guard(node: ast.AST) -> bool:
    """Whether `node` is `if __name__ == "__main__":`, alone or with further conditions."""
    return isinstance(node, ast.If) and _says_main(node.test)


def _says_main(test: ast.expr) -> bool:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_says_main(value) for value in test.values)
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = (test.left, test.comparators[0])
    return any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides) and any(
        isinstance(side, ast.Constant) and side.value == "__main__" for side in sides
    )


def is_harmless(node: ast.stmt) -> bool:
    """Whether `node` is a docstring, `pass`, or names constants or a device: nothing that could fail or take time."""
    if isinstance(node, (ast.Pass, ast.Global)):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Name) for target in node.targets) and _is_literal(node.value)
    return False


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and _is_literal(node.operand)
    if isinstance(node, ast.IfExp):  # "cuda" if torch.cuda.is_available() else "cpu"
        return all(_is_literal(part) for part in (node.test, node.body, node.orelse))
    if isinstance(node, ast.Call):
        named = isinstance(node.func, ast.Attribute) and node.func.attr in _OF_DEVICES and base_name(node) == "torch"
        return named and not node.keywords and all(_is_literal(item) for item in node.args)
    return isinstance(node, (ast.Tuple, ast.List)) and all(_is_literal(item) for item in node.elts)


def base_name(node: ast.AST) -> str:
    """The name that an expression such as `a.b[0].c()` begins with; empty if it begins with none."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call, ast.Starred)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _changed_by_call(call: ast.Call) -> set[str]:
    """Names that a call changes whose result is not used."""
    if isinstance(call.func, ast.Name):
        return {base_name(call.args[0])} if call.func.id in ("setattr", "delattr") and call.args else set()
    if not isinstance(call.func, ast.Attribute) or call.func.attr in _NO_CHANGE:
        return set()
    changed = {base_name(call.func.value)}
    if call.func.attr.endswith("_") or call.func.attr == "shuffle":  # nn.init.normal_(weight), random.shuffle(order)
        changed |= {base_name(argument) for argument in call.args}
    return changed


class _Scan(ast.NodeVisitor):
    """Collects the names of one scope; values are visited before what they are bound to."""

    def __init__(self, in_class: bool = False) -> None:
        self.use = Use()
        self.plain: set[str] = set()
        self.declared: set[str] = set()
        self.nonlocals: set[str] = set()
        self._in_class = in_class

    def _bind(self, name: str) -> None:
        self.use.binds.add(name)
        self.plain.add(name)

    def _change(self, names: Iterable[str]) -> None:
        self.use.changes.update(name for name in names if name)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id)
        elif isinstance(node.ctx, ast.Del):
            self.use.binds.add(node.id)
            self._change([node.id])
            self.use.now.add(node.id)
        elif not (self._in_class and node.id in self.plain):
            self.use.now.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._change([base_name(node)])
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._change([base_name(node)])
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._visit_all([node.value, *node.targets])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_all([node.annotation])
        if node.value is not None:
            self._visit_all([node.value, node.target])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        self._change([base_name(node.target)])
        if isinstance(node.target, ast.Name):
            self.use.now.add(node.target.id)
            self.use.binds.add(node.target.id)
        else:
            self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._visit_all([node.value, node.target])

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self._visit_all([node.iter, node.target, *node.body, *node.orelse])

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.use.acts_on |= _changed_by_call(node.value) - {""}
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name):
            self.use.calls.add(node.func.id)
            self.use.dynamic |= node.func.id in _BY_STRING
        elif isinstance(node.func, ast.Attribute):
            self.use.trains |= node.func.attr in _TRAINS
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.use.star = True
            else:
                self._bind(alias.asname or alias.name.partition(".")[0])

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_Global(self, node: ast.Global) -> None:
        self.declared.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.nonlocals.update(node.names)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs  # noqa: N815

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self._bind(node.rest)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_all([*node.decorator_list, node.args, node.returns])
        self._define(node)
        self._bind(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self.use.now |= self._define(node)

    def visit_arguments(self, node: ast.arguments) -> None:
        arguments = [*node.posonlyargs, *node.args, *node.kwonlyargs, node.vararg, node.kwarg]
        annotations = [argument.annotation for argument in arguments if argument is not None]
        self._visit_all([*node.defaults, *node.kw_defaults, *annotations])

    def _define(self, node: Function) -> set[str]:
        """Take over what the body of a function looks up outside itself, and return it."""
        inner = _Scan()
        inner.plain |= _argument_names(node.args)
        for statement in node.body if isinstance(node.body, list) else [node.body]:
            inner.visit(statement)
        local = (inner.use.binds | inner.plain) - inner.declared - inner.nonlocals
        looked_up = (inner.use.now | inner.use.later | inner.nonlocals) - local
        if inner.use.dynamic or "globals" in looked_up:
            looked_up |= _identifiers(node)
        self.use.later |= looked_up
        self.use.sets_globals |= (inner.use.binds & inner.declared) | inner.use.sets_globals
        self.use.training |= inner.use.trains or inner.use.training
        return looked_up

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        inner = _Scan(in_class=True)
        for statement in node.body:
            inner.visit(statement)
        self.use.now |= inner.use.now
        self.use.later |= inner.use.later
        self.use.calls |= inner.use.calls
        self.use.sets_globals |= inner.use.sets_globals
        self._bind(node.name)

    def _visit_comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        inner = _Scan()
        for part in node.generators:
            inner._visit_all([part.iter, part.target, *part.ifs])
        own = {name for part in node.generators for name in use_of(part.target).binds}
        inner._visit_all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self.use.now |= inner.use.now - own
        self.use.later |= inner.use.later - own
        self.use.calls |= inner.use.calls
        self.use.trains |= inner.use.trains
        self.use.dynamic |= inner.use.dynamic
        for name in inner.plain - own:  # `:=` binds outside the comprehension
            self._bind(name)

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _visit_comprehension  # noqa: N815

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)


def _argument_names(arguments: ast.arguments) -> set[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {argument.arg for argument in every if argument is not None}


def _identifiers(node: ast.AST) -> set[str]:
    """String constants that could be names, in a function that looks names up by strings."""
    strings = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
    return {text for text in strings if isinstance(text, str) and text.isidentifier()}


def is_setting(node: ast.stmt) -> bool:
    """Whether `node` is a call such as `torch.set_default_dtype(torch.float64)`."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr in _SETTINGS
    )

"""Operators: each plants one mistake that students make.

An operator takes a node of a master's syntax tree and yields what could stand in its place. It never changes the node
itself: parts that stay are shared with the replacement, so that the generator can find the smallest changed part.
Whether a replacement makes sense at its place (names that exist, code that needs gradients) is decided there too.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Callable, Iterator

Operator = Callable[[ast.AST], Iterator[ast.AST]]

_ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Div: ast.Mult}
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_REDUCTIONS = {"sum": "mean", "mean": "sum", "max": "min", "min": "max"}
_ELEMENTWISE = frozenset({"atan", "clamp", "exp", "log", "sigmoid", "sqrt", "tan"})
_TIMES = frozenset({"t", "t_", "step"})

# Names that mean the same kind of thing; each may stand where the other one does.
_ROLES = (
    ("mu_q", "mu_p"),
    ("logvar_q", "logvar_p"),
    ("log_q", "log_p"),
    ("mu", "logvar"),
    ("mu", "z"),
    ("mu", "target"),
    ("prior_mu", "prior_logvar"),
    ("prior_mu", "logvar"),
    ("recon_x", "x"),
    ("alpha", "alpha_bar"),
    ("alpha", "alpha_prim"),
    ("mean", "var"),
    ("x0", "xt"),
    ("x0", "noise"),
    ("x0", "z"),
    ("lambda_t", "lambda_t_prim"),
    ("alpha_lambda", "sigma_lambda"),
    ("sigma_q", "sigma_q_x"),
    ("lambda_min", "lambda_max"),
    ("z_lambda_t", "x"),
    ("z_lambda_t", "x_t"),
    ("z_t", "x_t"),
    ("z_t", "x"),
    ("a", "b"),
    ("eps_model", "ema_model"),
)


def swap_arithmetic(node: ast.AST) -> Iterator[ast.AST]:
    """`a + b` as `a - b`, `a - b` as `a + b`, `a / b` as `a * b`."""
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield _with(node, op=_ARITHMETIC[type(node.op)]())


def swap_operands(node: ast.AST) -> Iterator[ast.AST]:
    """`a / b` as `b / a`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        yield _with(node, left=node.right, right=node.left)


def drop_power(node: ast.AST) -> Iterator[ast.AST]:
    """`a ** b` as `a`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield node.left


def drop_term(node: ast.AST) -> Iterator[ast.AST]:
    """`a + b` as `a` and as `b`; `a - b` as `a`, and as `-b` unless `a` is a number."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.Add, ast.Sub)):
        return
    yield node.left
    if isinstance(node.op, ast.Add):
        yield node.right
    elif not _is_number(node.left):
        yield _negated(node.right)


def drop_factor(node: ast.AST) -> Iterator[ast.AST]:
    """`a * b` as `a` and as `b`, `a / b` as `a`; no number remains alone, except where pi is dropped."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.Mult, ast.Div)):
        return
    if not _is_number(node.left) or ast.unparse(node.right) == "math.pi":
        yield node.left
    if isinstance(node.op, ast.Mult) and not _is_number(node.right):
        yield node.right


def flip_sign(node: ast.AST) -> Iterator[ast.AST]:
    """`-a` as `a`; a reduction, and what `exp` or `sigmoid` is taken of, with a minus."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    name, argument = _elementwise(node)
    if name in ("exp", "sigmoid") and not isinstance(argument, ast.UnaryOp):
        yield _applied(node, _negated(argument))
    if _method(node) in ("sum", "mean") and _method(node.func.value) not in ("sum", "mean"):
        yield _negated(node)


def change_constant(node: ast.AST) -> Iterator[ast.AST]:
    """Another number as a term; `-0.5` and `-2` as `-1`. (`drop_factor` and `drop_power` have the other numbers.)"""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        for side in ("left", "right"):
            if isinstance(getattr(node, side), ast.Constant):
                yield _with(node, **{side: ast.Constant(getattr(node, side).value + 1)})
    if isinstance(node, ast.UnaryOp) and _is_number(node) and node.operand.value != 1:
        yield _negated(ast.Constant(1))


def change_reduction(node: ast.AST) -> Iterator[ast.AST]:
    """`a.sum(...)` as `a.mean(...)` and as `a`; `max` as `min`; and back."""
    name = _method(node)
    if name in _REDUCTIONS:
        yield _renamed(node, _REDUCTIONS[name])
        if name in ("sum", "mean"):
            yield node.func.value


def change_dim(node: ast.AST) -> Iterator[ast.AST]:
    """A reduction over another dimension, or one that keeps its dimension."""
    if not isinstance(node, ast.Call) or _method(node) not in _REDUCTIONS:
        return
    for place, keyword in enumerate(node.keywords):
        if keyword.arg != "dim":
            continue
        if isinstance(keyword.value, ast.Constant):
            other = keyword.value.value - 1 if keyword.value.value > 0 else keyword.value.value + 1
            keywords = [*node.keywords]
            keywords[place] = _with(keyword, value=ast.Constant(other))
            yield _with(node, keywords=keywords)
        if all(keyword.arg != "keepdim" for keyword in node.keywords):
            yield _with(node, keywords=[*node.keywords, ast.keyword("keepdim", ast.Constant(True))])


def swap_arguments(node: ast.AST) -> Iterator[ast.AST]:
    """`f(a, b)` as `f(b, a)`, for each pair of neighbours that have the same role."""
    if not isinstance(node, ast.Call):
        return
    for place, (first, second) in enumerate(itertools.pairwise(node.args)):
        if isinstance(first, ast.Name) and isinstance(second, ast.Name) and second.id in _same_role(first.id):
            yield _with(node, args=[*node.args[:place], second, first, *node.args[place + 2 :]])


def drop_argument(node: ast.AST) -> Iterator[ast.AST]:
    """A call without one of its keyword arguments (other than `dtype` and `device`)."""
    if not isinstance(node, ast.Call):
        return
    for keyword in node.keywords:
        if keyword.arg not in ("dtype", "device"):
            yield _with(node, keywords=[other for other in node.keywords if other is not keyword])


def swap_names(node: ast.AST) -> Iterator[ast.AST]:
    """A name that is read, or an attribute of `self`, as another one of the same role."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from (_with(node, id=other) for other in _same_role(node.id))
    if isinstance(node, ast.Attribute) and _is_name(node.value, "self") and isinstance(node.ctx, ast.Load):
        yield from (_with(node, attr=other) for other in _same_role(node.attr))


def drop_function(node: ast.AST) -> Iterator[ast.AST]:
    """`a.sqrt()` and `torch.sqrt(a)` as `a`; likewise for the other elementwise functions."""
    name, argument = _elementwise(node)
    if name:
        yield argument


def replace_function(node: ast.AST) -> Iterator[ast.AST]:
    """The root of `exp(a)`, as if `a` were a log-variance; the decimal logarithm for the natural one."""
    name, _ = _elementwise(node)
    if name == "exp" and not _is_name(node.func.value, "math"):
        yield ast.Call(ast.Attribute(node, "sqrt", ast.Load()), [], [])
    if name == "log":
        yield _renamed(node, "log10")


def shift_time(node: ast.AST) -> Iterator[ast.AST]:
    """A time that is read as the one after it and the one before it."""
    if isinstance(node, ast.Name) and node.id in _TIMES and isinstance(node.ctx, ast.Load):
        yield ast.BinOp(node, ast.Add(), ast.Constant(1))
        yield ast.BinOp(node, ast.Sub(), ast.Constant(1))


def change_comparison(node: ast.AST) -> Iterator[ast.AST]:
    """`>` as `>=` and as its opposite; likewise for the other comparisons."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _COMPARISONS[type(node.ops[0])]:
            yield _with(node, ops=[other()])


def change_model_call(node: ast.AST) -> Iterator[ast.AST]:
    """A network that is called without its labels, with labels it should not have, or always at time 0."""
    if not isinstance(node, ast.Call) or _method(node) != "eps_model" or len(node.args) != 2:
        return
    sample, condition = node.args
    if _is_name(condition, "labels"):
        yield _with(node, args=[sample, ast.Constant(None)])
    if _is_name(condition, "t"):
        zeros = ast.Attribute(ast.Name("torch", ast.Load()), "zeros_like", ast.Load())
        yield _with(node, args=[sample, ast.Call(zeros, [condition], [])])
    if isinstance(condition, ast.Constant) and condition.value is None:
        yield _with(node, args=[sample, ast.Name("labels", ast.Load())])


def change_noise(node: ast.AST) -> Iterator[ast.AST]:
    """Normal noise as uniform noise, as none, and as one draw that all images of the batch share."""
    if not isinstance(node, ast.Call) or _method(node) != "randn_like":
        return
    yield _renamed(node, "rand_like")
    yield _renamed(node, "zeros_like")
    first = ast.Subscript(node.args[0], ast.Slice(None, ast.Constant(1)), ast.Load())
    yield _with(node, args=[first])


def detach(node: ast.AST) -> Iterator[ast.AST]:
    """An assigned value, and the output of a network, without its gradient."""
    if isinstance(node, ast.Assign) and isinstance(node.value, (ast.BinOp, ast.Call, ast.UnaryOp)):
        yield _with(node, value=_detached(node.value))
    if isinstance(node, ast.Call) and _method(node) == "eps_model":
        yield _detached(node)


OPERATORS: dict[str, Operator] = {
    operator.__name__.replace("_", "-"): operator
    for operator in (
        swap_arithmetic,
        swap_operands,
        drop_power,
        drop_term,
        drop_factor,
        flip_sign,
        change_constant,
        change_reduction,
        change_dim,
        swap_arguments,
        drop_argument,
        swap_names,
        drop_function,
        replace_function,
        shift_time,
        change_comparison,
        change_model_call,
        change_noise,
        detach,
    )
}
"""Name -> operator, in the order in which mutants are made."""


def _with(node: ast.AST, **changes: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def _renamed(call: ast.Call, name: str) -> ast.AST:
    return _with(call, func=_with(call.func, attr=name))


def _negated(node: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.USub(), node)


def _detached(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(node, "detach", ast.Load()), [], [])


def _method(node: ast.AST) -> str:
    """`sum` for `a.sum(...)`; empty for anything else."""
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


def _elementwise(node: ast.AST) -> tuple[str, ast.expr | None]:
    """Function and argument, for `a.exp()` as for `torch.exp(a)`."""
    name = _method(node)
    if name not in _ELEMENTWISE:
        return "", None
    owner = node.func.value
    if _is_name(owner, "torch") or _is_name(owner, "math"):
        return name, node.args[0]
    return name, owner


def _applied(call: ast.Call, argument: ast.expr) -> ast.AST:
    """The elementwise function of `call`, of another argument."""
    if call.args:
        return _with(call, args=[argument, *call.args[1:]])
    return _with(call, func=_with(call.func, value=argument))


def _same_role(name: str) -> list[str]:
    return [other for pair in _ROLES if name in pair for other in pair if other != name]


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_number(node: ast.AST) -> bool:
    """Whether this is a number, with or without a minus."""
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)

"""Makes mutants: the masters of an assignment, each with exactly one place of one solution block changed.

What stands outside the changed expression stays byte for byte, comments included. The order is deterministic, and a
mutant's id names the file, the solution block, the operator, and its number among those of that operator there.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from autograder.assignment import Assignment
from autograder.release.markers import Block, parse_master

from .operators import OPERATORS

# Training differentiates these; the others run without gradients, where a detached value changes nothing.
NEED_GRADIENTS = frozenset(
    {
        "log_likelihood_bernoulli",
        "log_likelihood_normal",
        "log_mean_exp",
        "kl_gaussian_gaussian_analytic",
        "kl_gaussian_gaussian_mc",
        "loss_function",
        "loss",
        "VAE.forward",
        "VAE.decode",
        "VAE.reparameterize",
        "LDDPM.forward",
        "DiagonalGaussianDistribution.sample",
        "DiagonalGaussianDistribution.kl",
        "DiagonalGaussianDistribution.nll",
        "VAE.encode",
        "p_losses",
        "discriminator_train",
        "generator_train",
        "SimSiam.forward",
        "SimSiam.loss",
        "CosineSimilarity.forward",
        "DDPM.forward",
        "DDIM.forward",
    }
)
# The architecture of a network is the student's: there a change is another design, not a mistake.
FREE = {"cmput328_f24": frozenset({"1.1", "1.2", "3.1"})}

# Files whose masters are mutated with another assignment, which shares them.
ELSEWHERE = {"ift6135_a22": frozenset({"vae.py", "ddpm.py"})}

# Blocks that only pass values on, where no operator applies; tests/checks plants mistakes in them by hand.
BY_HAND = {
    "cmput328_f24": frozenset(
        {
            "betas of the linear schedule",
            "running the layers",
            "VAE.generate_sample",
            "DDPM.recover_sample",
            "DDPM.generate_sample",
            "LDDPM.recover_sample",
            "LDDPM.generate_sample",
        }
    ),
    "ift6135_h23": frozenset({"VAE.sample", "p_sample_loop", "t_sample", "SimSiam.forward"}),
    "ift6135_a22": frozenset({"criterion", "sample"}),
}

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Mutant:
    """A master with one change.

    Attributes:
        id: such as `q1_vae.py:1.3 log_mean_exp:drop-term:2`.
        file: the submitted file.
        block: the solution block that holds the change.
        old: the changed lines of the master, without comments.
        new: the same lines of the mutant.
        source: the whole text of the mutant.
    """

    id: str
    file: str
    block: Block
    old: str
    new: str
    source: str

    @property
    def diff(self) -> str:
        """The change in one line."""
        return f"{self.old}  ->  {self.new}"


def assignment_mutants(assignment: Assignment) -> list[Mutant]:
    """The mutants of all masters, in the order of the manifest, without those of free questions."""
    questions = [question.id for question in assignment.questions]
    free = FREE.get(assignment.id, frozenset())
    return [
        mutant
        for file in assignment.files
        if file.name not in ELSEWHERE.get(assignment.id, ())
        for mutant in mutants(assignment.master(file).read_text("utf-8"), file.name, questions)
        if mutant.block.question not in free
    ]


def mutants(text: str, file: str, questions: Collection[str]) -> list[Mutant]:
    """The mutants of one master, without those whose text another one has already.

    Raises:
        MarkerError: the solution markers of the master are wrong.
    """
    master = _Master(text)
    numbers: Counter[str] = Counter()
    seen = {text}
    found = []
    for block in parse_master(text, file, questions).blocks:
        for node in master.nodes_of(block):
            for name, operator in OPERATORS.items():
                if name == "detach" and block.label not in NEED_GRADIENTS:
                    continue
                for replacement in operator(node):
                    change = master.change(node, replacement)
                    if change is None:
                        continue
                    kind = f"{file}:{block.question} {block.label}:{name}"
                    numbers[kind] += 1
                    source, old, new = change
                    if source not in seen:
                        seen.add(source)
                        found.append(Mutant(f"{kind}:{numbers[kind]}", file, block, old, new, source))
    return found


class _Master:
    """A parsed source, with what is needed to replace one of its nodes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tree = ast.parse(text)
        self._parents = {child: node for node in ast.walk(self._tree) for child in ast.iter_child_nodes(node)}

    def nodes_of(self, block: Block) -> list[ast.AST]:
        """The nodes between the markers of a block, outer ones first, in the order of the text."""
        first, last = block.line + 1, block.line + len(block.body)
        inside = [node for node in self._positioned if first <= node.lineno and node.end_lineno <= last]
        return sorted(inside, key=lambda node: (node.lineno, node.col_offset, -node.end_lineno, -node.end_col_offset))

    def change(self, node: ast.AST, replacement: ast.AST) -> tuple[str, str, str] | None:
        """The text with `replacement` in the place of `node`, and the changed lines of both texts.

        Returns:
            None where the replacement changes nothing or uses a name that does not exist there.
        """
        if not self._known_names(node, replacement):
            return None
        node, replacement = _smallest(node, replacement)
        scope = self._scope_of(node)
        intended = ast.dump(_replaced(scope, node, replacement))
        if intended == ast.dump(scope):
            return None
        for source in self._candidates(node, ast.unparse(replacement)):
            if _parses_as(source, getattr(scope, "lineno", 0), intended):
                extra = source.count("\n") - self._text.count("\n")
                old = _lines(self._text, node.lineno, node.end_lineno)
                return source, old, _lines(source, node.lineno, node.end_lineno + extra)
        raise AssertionError(f"line {node.lineno}: {ast.unparse(replacement)!r} does not fit into its place")

    @cached_property
    def _positioned(self) -> list[ast.AST]:
        return [node for node in ast.walk(self._tree) if isinstance(node, (ast.expr, ast.stmt))]

    def _ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self._parents:
            node = self._parents[node]
            yield node

    def _scope_of(self, node: ast.AST) -> _Function | ast.Module:
        """The function around a node, or the module where it stands in none."""
        return next((above for above in self._ancestors(node) if isinstance(above, _Function)), self._tree)

    def _known_names(self, node: ast.AST, replacement: ast.AST) -> bool:
        """Whether each name and each attribute of `self` that is new in `replacement` exists at the place of `node`."""
        names = _names(replacement) - _names(node)
        attributes = _own_attributes(replacement) - _own_attributes(node)
        owner = next((above for above in self._ancestors(node) if isinstance(above, ast.ClassDef)), None)
        return names <= self._bound(node) and (not attributes or _has_attributes(owner, attributes))

    def _bound(self, node: ast.AST) -> set[str]:
        scope = self._scope_of(node)
        bound = set()
        if isinstance(scope, _Function):
            arguments = scope.args
            bound |= {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        bound |= {
            name.id
            for name in ast.walk(scope)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store) and name.lineno < node.lineno
        }
        for statement in self._tree.body:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                bound |= {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
        return bound | set(dir(builtins))

    def _candidates(self, node: ast.AST, written: str) -> Iterator[str]:
        """The text with `written` where `node` stands: without the parentheses around it, as it is, with new ones."""
        data = self._text.encode()  # columns of nodes count bytes
        lines = data.splitlines(keepends=True)
        start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
        end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
        before, after = data[:start].decode(), data[end:].decode()
        if before.endswith("(") and after.startswith(")"):
            yield before[:-1] + written + after[1:]
        yield before + written + after
        yield f"{before}({written}){after}"


def _parses_as(source: str, line: int, intended: str) -> bool:
    """Whether the function that starts in this line, or the module (0), has the intended syntax tree."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return False
    scope = next((node for node in ast.walk(tree) if isinstance(node, _Function) and node.lineno == line), tree)
    return ast.dump(scope) == intended


def _replaced(tree: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    """A copy of `tree` with `new` in the place of `old`, which `new` may hold."""
    if tree is old:
        return new
    clone = copy.copy(tree)
    for field, value in ast.iter_fields(tree):
        if isinstance(value, ast.AST):
            setattr(clone, field, _replaced(value, old, new))
        elif isinstance(value, list):
            setattr(clone, field, [_replaced(v, old, new) if isinstance(v, ast.AST) else v for v in value])
    return clone


def _smallest(old: ast.AST, new: ast.AST) -> tuple[ast.AST, ast.AST]:
    """The innermost expression of `old` that holds all that differs, and its counterpart in `new`."""
    while type(old) is type(new):
        before, after = list(_fields(old)), list(_fields(new))
        if len(before) != len(after):
            break
        changed = [(a, b) for a, b in zip(before, after, strict=True) if a is not b and a != b]
        if len(changed) != 1 or not all(isinstance(item, (ast.expr, ast.keyword)) for item in changed[0]):
            break
        old, new = changed[0]
    return old, new


def _fields(node: ast.AST) -> Iterator[object]:
    for _, value in ast.iter_fields(node):
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _names(node: ast.AST) -> set[str]:
    return {item.id for item in ast.walk(node) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Load)}


def _own_attributes(node: ast.AST, context: type[ast.expr_context] = ast.Load) -> set[str]:
    """Names of the attributes of `self` in this node."""
    return {
        item.attr
        for item in ast.walk(node)
        if isinstance(item, ast.Attribute)
        and isinstance(item.ctx, context)
        and isinstance(item.value, ast.Name)
        and item.value.id == "self"
    }


def _has_attributes(owner: ast.ClassDef | None, attributes: set[str]) -> bool:
    """Whether the class has these attributes; what its bases define is not known here, and trusted."""
    if owner is None:
        return False
    methods = {item.name for item in owner.body if isinstance(item, _Function)}
    return bool(owner.bases) or attributes <= methods | _own_attributes(owner, ast.Store)


def _lines(text: str, first: int, last: int) -> str:
    """Lines `first` to `last` as one, without their comments and surplus space."""
    lines = text.split("\n")[first - 1 : last]
    return " ".join(line.partition("  #")[0].strip() for line in lines)

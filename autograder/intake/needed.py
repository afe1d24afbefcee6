"""Which statements of a module its graded names need: a backward slice over names.

From the names, the statements of the module are walked backwards: one that gives a needed name its value is needed, and
so is what it looks up. What a function looks up in its body counts at the end of the module, and also where a statement
at module level uses the function. Nothing is executed.

M. Weiser, Program Slicing (IEEE Transactions on Software Engineering 10 (4), 1984).
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from autograder.intake.leaving_out import Removal, is_elif
from autograder.intake.name_use import Use, base_name, is_harmless, is_main_guard, is_setting, use_of
from autograder.intake.reachability import union_of_reachable

TRY: tuple[type[ast.stmt], ...] = (ast.Try, ast.TryStar) if sys.version_info >= (3, 11) else (ast.Try,)

_BUILTINS = frozenset({*dir(builtins), "__name__", "__file__", "__doc__", "__spec__", "__package__"})
_IMPORT = (ast.Import, ast.ImportFrom)
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_LOOPING = (ast.For, ast.AsyncFor, ast.While, ast.Match)  # kept or left out as a whole

_Live = int  # a set of names, as bits: a module of thousands of functions is walked in seconds


@dataclass(frozen=True)
class _Atom:
    """A statement or a header, and where it stands."""

    node: ast.stmt
    use: Use
    conditional: bool
    guarded: bool


class Slicer:
    """One run over a module.

    Attributes:
        removal: the result.
        hoisted: names that only such a body binds, and that are needed.
    """

    def __init__(self, tree: ast.Module, text: str, roots: Collection[str]) -> None:
        self.tree = tree
        self.removal = Removal()
        self.hoisted: set[str] = set()
        self._lines = text.encode("utf-8").split(b"\n")
        self._roots = frozenset(roots)
        self._uses: dict[int, Use] = {}
        self._names: list[str] = []
        self._bits: dict[str, int] = {}
        self._unbound: _Live = 0
        self._atoms_in_order = atoms = list(self._atoms(tree.body))
        self._complete(atoms)
        self._guarded = {name for atom in atoms if atom.guarded for name in atom.use.binds}
        self._guarded -= {name for atom in atoms if not atom.guarded for name in atom.use.binds}
        self._modules = {name for atom in atoms if isinstance(atom.node, _IMPORT) for name in atom.use.binds}
        self._modules -= {name for atom in atoms if not isinstance(atom.node, _IMPORT) for name in atom.use.binds}
        self._without_training = self._set(
            name for atom in atoms if not atom.use.trains for name in self._visible(atom, atom.use.binds)
        )
        self._reach = self._reached()

    def _visible(self, atom: _Atom, names: set[str]) -> set[str]:
        """Those of `names` that count: of a main guard only what nothing outside gives a value."""
        return names & self._guarded if atom.guarded else names

    def _bit(self, name: str) -> int:
        if name not in self._bits:
            self._bits[name] = len(self._names)
            self._names.append(name)
        return self._bits[name]

    def _set(self, names: Iterable[str]) -> _Live:
        found = 0
        for name in names:
            found |= 1 << self._bit(name)
        return found

    def _members(self, names: _Live) -> Iterator[str]:
        while names:
            lowest = names & -names
            yield self._names[lowest.bit_length() - 1]
            names ^= lowest

    # ---- what the statements use

    def _use(self, node: ast.AST, *parts: ast.AST | None) -> Use:
        """Use of a statement, or of the `parts` that are its header."""
        if id(node) not in self._uses:
            self._uses[id(node)] = use_of(*(parts or (node,)))
        return self._uses[id(node)]

    def _header(self, node: ast.stmt) -> Use:
        if isinstance(node, ast.If):
            return self._use(node, node.test)
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return self._use(node, *node.items)
        return self._use(node)

    def _atoms(self, block: Iterable[ast.stmt], conditional: bool = False, guarded: bool = False) -> Iterator[_Atom]:
        """Statements and headers in their order."""
        for node in block:
            if isinstance(node, ast.If):
                guard = self._is_guard(node)
                yield _Atom(node, self._header(node), conditional, guarded or guard)
                yield from self._atoms(node.body, conditional or not guard, guarded or guard)
                yield from self._atoms(node.orelse, conditional or not guard, guarded)
            elif isinstance(node, (ast.With, ast.AsyncWith)):
                yield _Atom(node, self._header(node), conditional, guarded)
                yield from self._atoms(node.body, conditional, guarded)
            elif isinstance(node, TRY):
                handlers = [inner for handler in node.handlers for inner in handler.body]  # type: ignore[attr-defined]
                yield from self._atoms([*node.body, *node.orelse], True, guarded)  # type: ignore[attr-defined]
                yield from self._atoms(handlers, True, guarded)
                yield from self._atoms(node.finalbody, conditional, guarded)  # type: ignore[attr-defined]
            else:
                yield _Atom(node, self._use(node), conditional or isinstance(node, _LOOPING), guarded)

    def _complete(self, atoms: list[_Atom]) -> None:
        """Add what follows from calls of functions that the module defines: training, and `global` names."""
        # A function that only mentions one that trains is taken to train: what is left out for it are calls in loops.
        functions = [(atom.use, atom.use.binds) for atom in atoms if isinstance(atom.node, _FUNCTION)]
        training = {name for use, names in functions if use.training for name in names}
        while more := {name for use, names in functions if use.later & training for name in names} - training:
            training |= more
        writers = {name: atom.use.sets_globals for atom in atoms for name in atom.use.binds if atom.use.sets_globals}
        for atom in atoms:
            use = atom.use
            use.trains |= bool(use.calls & training)
            for function in use.calls & writers.keys():
                use.changes |= writers[function]

    def _is_guard(self, node: ast.stmt) -> bool:
        return is_main_guard(node) and not is_elif(node, self._lines)

    def _changed(self, use: Use) -> set[str]:
        return use.changes | (use.acts_on - self._modules)

    # ---- what is looked up through a name

    def _reached(self) -> list[_Live]:
        """For the bit of every name, the names that may be looked up when its value is called."""
        edges: dict[int, set[int]] = {}
        later: dict[int, _Live] = {}
        for atom in self._atoms_in_order:
            use = atom.use
            successors = {self._bit(name) for name in use.later | use.now}
            looked_up = self._set(use.later)
            for name in self._visible(atom, use.binds | self._changed(use)):
                edges.setdefault(self._bit(name), set()).update(successors)
                later[self._bit(name)] = later.get(self._bit(name), 0) | looked_up
        every = range(len(self._names))
        return union_of_reachable([sorted(edges.get(bit, ())) for bit in every], [later.get(bit, 0) for bit in every])

    def _through(self, names: Iterable[str]) -> _Live:
        """Names that may be looked up when the values of `names` are called."""
        found = 0
        for name in names:
            bit = self._bit(name)
            found |= self._reach[bit] if bit < len(self._reach) else 0
        return found

    def _all_of(self, names: Iterable[str]) -> _Live:
        """Names and what may be looked up through them."""
        names = list(names)
        return self._set(names) | self._through(names)

    def _at_end(self) -> _Live:
        """Names that must have their values at the end of the module."""
        final: dict[str, list[Use]] = {}
        closed: set[str] = set()
        for atom in reversed(self._atoms_in_order):
            names = self._visible(atom, (atom.use.binds | self._changed(atom.use)) - closed)
            for name in names:
                final.setdefault(name, []).append(atom.use)
            if not atom.conditional:
                closed |= names & atom.use.binds
        wanted, todo = self._set(self._roots), list(self._roots)
        while todo:
            for use in final.get(todo.pop(), ()):
                more = (self._set(use.later) | self._through(use.now)) & ~wanted
                wanted |= more
                todo += self._members(more)
        return wanted

    # ---- the walk

    def run(self) -> None:
        """Decide for every statement whether it stays."""
        end = self._at_end()
        start = self._block(self.tree.body, end, free=True)
        bound = self._set(name for atom in self._atoms_in_order for name in self._visible(atom, atom.use.binds))
        self._unbound = start & ~bound & ~self._set(_BUILTINS)
        if self._unbound and any(atom.use.dynamic for atom in self._atoms_in_order):
            self._block(self.tree.body, end, free=True)
        self._keep_harmless()

    def _block(self, block: list[ast.stmt], live: _Live, *, free: bool = False, hoisting: bool = False) -> _Live:
        """Walk a block backwards.

        Args:
            block: its statements.
            live: names that are needed after it.
            free: imports stay whether needed or not.
            hoisting: it is of a main guard, so that only names which nothing else binds are looked for.

        Returns:
            The names that are needed before it.
        """
        for node in reversed(block):
            if self._is_guard(node):
                live = self._guard(node, live, free=free)  # type: ignore[arg-type]
            elif isinstance(node, ast.If):
                live = self._if(node, live, hoisting=hoisting)
            elif isinstance(node, (ast.With, ast.AsyncWith)):
                live = self._with(node, live, hoisting=hoisting)
            elif isinstance(node, TRY):
                live = self._try(node, live, free=free, hoisting=hoisting)  # type: ignore[arg-type]
            else:
                live = self._plain(node, live, free=free, hoisting=hoisting)
        return live

    def _any_kept(self, *blocks: list[ast.stmt]) -> bool:
        return any(id(node) in self.removal.kept for block in blocks for node in block)

    def _guard(self, node: ast.If, live: _Live, *, free: bool) -> _Live:
        live = self._block(node.orelse, live, free=free)
        live = self._block(node.body, live, hoisting=True)
        self.removal.kept.add(id(node))
        self.removal.closed.add(id(node))
        if self._any_kept(node.body):
            self.removal.closed.remove(id(node))
            self.removal.opened.add(id(node))
        return live

    def _if(self, node: ast.If, live: _Live, *, hoisting: bool) -> _Live:
        body = self._block(node.body, live, hoisting=hoisting)
        orelse = self._block(node.orelse, live, hoisting=hoisting)
        use = self._header(node)
        if not (self._any_kept(node.body, node.orelse) or self._wanted(use.binds, live, hoisting)):
            return live
        self.removal.kept.add(id(node))
        tests = [use, *self._keep_rest_of_chain(node)]
        return body | orelse | self._all_of(name for test in tests for name in test.now)

    def _keep_rest_of_chain(self, node: ast.If) -> Iterator[Use]:
        """Keep the `elif` branches of a kept `if`, whose tests run as well; give their uses."""
        while node.orelse and is_elif(node.orelse[0], self._lines):
            branch = node.orelse[0]
            assert isinstance(branch, ast.If)
            node = branch
            self.removal.kept.add(id(node))
            yield self._header(node)

    def _with(self, node: ast.With | ast.AsyncWith, live: _Live, *, hoisting: bool) -> _Live:
        before = self._block(node.body, live, hoisting=hoisting)
        use = self._header(node)
        if not (self._any_kept(node.body) or self._wanted(use.binds, before, hoisting)):
            return live
        self.removal.kept.add(id(node))
        return (before & ~self._set(use.binds)) | self._all_of(use.now)

    def _try(self, node: ast.Try, live: _Live, *, free: bool, hoisting: bool) -> _Live:
        after = self._block(node.finalbody, live, free=free, hoisting=hoisting)
        handlers: _Live = 0
        for handler in node.handlers:
            own = self._set([handler.name] if handler.name else [])
            handlers |= self._block(handler.body, after, free=free, hoisting=hoisting) & ~own
        orelse = self._block(node.orelse, after, free=free, hoisting=hoisting)
        body = self._block(node.body, orelse | handlers, free=free, hoisting=hoisting)
        inner = [statement for handler in node.handlers for statement in handler.body]
        if not self._any_kept(node.body, node.orelse, node.finalbody, inner):
            return live
        self.removal.kept.add(id(node))
        types = [handler.type for handler in node.handlers if handler.type is not None]
        return body | handlers | self._all_of(use_of(*types).now)

    def _plain(self, node: ast.stmt, live: _Live, *, free: bool, hoisting: bool) -> _Live:
        use = self._use(node)
        looping = isinstance(node, _LOOPING)
        wanted = self._wanted(use.binds, live, hoisting)
        changed = self._wanted(self._changed(use), live, hoisting)
        if use.trains:  # only for what nothing else gives a value
            if hoisting:
                return live
            wanted = wanted & ~self._without_training if looping else wanted
            changed = 0 if looping else changed & ~self._without_training
        if use.dynamic and not hoisting:
            changed |= live & self._unbound
        if not (wanted or changed or (free and (isinstance(node, _IMPORT) or is_setting(node)))):
            return live
        self.removal.kept.add(id(node))
        if hoisting:
            self.hoisted.update(self._members(wanted))
        killed = 0 if looping else wanted if hoisting else self._set(use.binds)
        return (live & ~killed) | self._all_of(use.now)

    def _wanted(self, names: Iterable[str], live: _Live, hoisting: bool) -> _Live:
        return live & self._set(self._guarded.intersection(names) if hoisting else names)

    # ---- what may stay although nothing needs it

    def _to_define(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> _Live:
        """Names that are looked up when a definition runs."""
        use = self._use(node)
        called = use.calls.union(map(base_name, node.decorator_list))
        return self._set(use.now) | self._through(called)

    def _keep_harmless(self) -> None:
        """Keep constants, and definitions whose decorators, defaults and bases have all that they need."""
        bound = self._set(_BUILTINS)
        anything = False
        for node in self.tree.body:
            if id(node) not in self.removal.kept and (
                is_harmless(node)
                or (isinstance(node, (*_FUNCTION, ast.ClassDef)) and (anything or not self._to_define(node) & ~bound))
            ):
                self.removal.kept.add(id(node))
            if id(node) in self.removal.kept:
                atoms = list(self._atoms([node]))
                bound |= self._set(name for atom in atoms for name in self._visible(atom, atom.use.binds))
                anything |= any(atom.use.star for atom in atoms)

"""Which statements of a notebook belong to a file to hand in.

What counts for a name is its last definition that is no TODO. Functions and classes count wherever they stand; values
count first where a cell is marked for the file, since cells without a mark try things out. What these need and the
file lacks goes along: imports, functions, classes and constants, but no data and no trained model.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from tools.name_use import use_of
from tools.cells import Cell
from tools.constants import Constants
from tools.facts import Facts, FileFacts
from tools.gaps import gaps_in, without_gaps
from tools.pieces import Piece

_BUILTINS = frozenset({*dir(builtins), "__name__", "__file__", "__doc__", "__spec__", "__package__"})


@dataclass
class Selection:
    """What a file gets from a notebook.

    Attributes:
        taken: statements other than imports, in the order of the notebook.
        imports: lines to add to the file's imports.
        names: what is taken that the file or its stub defines, in the notebook's order.
        helpers: what is taken besides.
        repeated: name -> numbers of the cells that define it, the one that counts last.
        tried: name -> numbers of later cells without a mark that give it another value, which does not count.
        kept: names that are a TODO in the notebook and written in the file, which stay.
        left: names that the code needs and that hold data, a model or the like -> the cell that gives them a value.
        unknown: names that the code needs and that nothing gives a value.
    """

    taken: list[Piece] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    helpers: list[str] = field(default_factory=list)
    repeated: dict[str, list[int]] = field(default_factory=dict)
    tried: dict[str, list[int]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def select(
    file: FileFacts, facts: Facts, together: Collection[str], cells: Sequence[Cell], base: list[Piece]
) -> Selection:
    """Choose the statements of `file`.

    Args:
        file: what its stub defines.
        facts: the assignment.
        together: names of the files that the notebook holds.
        cells: the notebook.
        base: the pieces of the file as it lies in the folder; empty if it does not.
    """
    return _Selector(file, facts, together, cells, base).run()


class _Selector:
    def __init__(
        self, file: FileFacts, facts: Facts, together: Collection[str], cells: Sequence[Cell], base: list[Piece]
    ) -> None:
        self.file, self.facts, self.base = file, facts, base
        self.others = {name: set(facts.file(name).names) for name in together if name != file.name}
        self.pieces = [piece for cell in cells for piece in cell.pieces if not piece.guard]
        self.order = {id(piece): place for place, piece in enumerate(self.pieces)}
        self.constants = Constants(self.pieces, file.names)
        self.result = Selection()
        self.taken: dict[int, Piece] = {}
        self.have = {line for piece in base for node in piece.nodes for line in _import_lines(node)}
        self.base_names = {name for piece in base if not piece.imports and not piece.guard for name in piece.use.binds}

    def run(self) -> Selection:
        written = [piece for piece in self.pieces if piece.file == self.file.name and piece.defines]
        wanted = {*self.file.names, *self.base_names, *(name for piece in written for name in piece.use.binds)}
        for name in sorted(wanted):
            self._choose(name)
        named = set(self.taken)
        self._add_imports(piece for piece in self.pieces if piece.file == self.file.name and piece.imports)
        self._complete()
        found = self.result
        found.taken = sorted(self.taken.values(), key=lambda piece: self.order[id(piece)])
        for piece in found.taken:
            for name in (name for name in sorted(piece.use.binds) if not piece.imports):
                known = id(piece) in named and name in {*self.file.names, *self.base_names}
                target = found.names if known else found.helpers
                target += [name] if name not in target else []
        return found

    # ---- what the file defines

    def _belongs(self, piece: Piece, name: str) -> bool:
        elsewhere = any(name in names for names in self.others.values())
        if name in self.file.names:
            return not elsewhere or piece.file == self.file.name
        return not elsewhere and (piece.file in ("", self.file.name) or name in self.base_names)

    def _candidates(self, name: str) -> list[Piece]:
        """Statements that give `name` a value that may count.

        Outside of marked cells these are definitions and assignments; for a value that the student has to give, also
        loops and the like.
        """
        found = []
        for piece in self.pieces:
            if name not in piece.use.binds or piece.imports or piece.use.trains or not self._belongs(piece, name):
                continue
            marked = piece.file == self.file.name
            if piece.defines or _assigns(piece) or marked or name in self.file.unset:
                found.append(piece)
        return found

    def _choose(self, name: str) -> None:
        candidates = self._candidates(name)
        if not candidates:
            return
        written = [piece for piece in candidates if not gaps_in(piece.nodes, self.file.unset)]
        pool = written or candidates
        chosen = pool[-1]
        if not chosen.defines:
            marked = [piece for piece in pool if piece.file == self.file.name]
            if marked and not chosen.file:
                chosen = marked[-1]
                later = [piece.cell for piece in pool if self.order[id(piece)] > self.order[id(chosen)]]
                self.result.tried[name] = sorted(set(later))
        own = [piece for piece in self.base if name in piece.use.binds and not piece.guard]
        if not written and own and not gaps_in([node for piece in own for node in piece.nodes], self.file.unset):
            self.result.kept.append(name)
            return
        cells = list(dict.fromkeys(piece.cell for piece in candidates))
        if len(cells) > 1 and name not in self.result.tried:
            self.result.repeated[name] = [*(cell for cell in cells if cell != chosen.cell), chosen.cell]
        self._take_value(name, chosen, candidates)

    def _take_value(self, name: str, chosen: Piece, candidates: Sequence[Piece]) -> None:
        """Take what gives `name` its value: `chosen`, what it builds on, and what changes the value afterwards."""
        self.taken[id(chosen)] = chosen
        place = candidates.index(chosen)
        while name in candidates[place].use.now and not candidates[place].defines and place:
            place -= 1
            self.taken[id(candidates[place])] = candidates[place]
        for piece in self.pieces[self.order[id(chosen)] + 1 :]:
            if name not in piece.changed or piece.use.trains:
                continue
            here = piece.file == self.file.name or piece.cell == chosen.cell
            if here or (chosen.defines and all(isinstance(node, ast.Assign) for node in piece.nodes)):
                self.taken[id(piece)] = piece

    # ---- what that needs

    def _complete(self) -> None:
        """Take what the taken statements need and neither they nor the file bind."""
        given = {*_BUILTINS, *self.file.in_main}
        given |= {name for piece in (*self.base, *self.taken.values()) for name in piece.use.binds}
        given |= {name for piece in self.base for name in piece.use.sets_globals}
        given |= {name for piece in self.base if piece.guard for node in piece.nodes for name in _stored(node)}
        seen: set[tuple[str, Piece | None]] = set()
        queue = list(self.taken.values())
        while queue:
            piece = queue.pop()
            use = use_of(*map(without_gaps, piece.nodes))
            itself = use.sets_globals | (set() if _assigns(piece) else use.binds)  # a loop gives its own names values
            for name in sorted((use.now | use.later) - given - itself):
                # A name that is used at once has the value that it was given last, and not the one that it gets later.
                need = (name, piece if name in piece.use.now and not piece.defines else None)
                if need not in seen:
                    seen.add(need)
                    before = set(self.taken)
                    self._provide(*need)
                    queue += [one for key, one in self.taken.items() if key not in before]

    def _provide(self, name: str, user: Piece | None) -> None:
        """Take what gives `name` its value: where `user` uses it, or at the end."""
        owners = [other for other, names in self.others.items() if name in names]
        binders = [piece for piece in self.pieces if name in piece.use.binds and not piece.use.trains]
        if not owners and not binders:
            owners = [it.name for it in self.facts.files if it.name != self.file.name and name in it.names]
        if len(owners) == 1:
            self._add_lines([f"from {self.facts.file(owners[0]).module} import {name}"])
            return
        usable = [piece for piece in binders if self._may_go_along(piece)]
        usable = [piece for piece in usable if not gaps_in(piece.nodes)] or usable
        if user is not None:
            usable = [piece for piece in usable if self.order[id(piece)] < self.order[id(user)]] or usable
        if usable and usable[-1].imports:
            self._add_imports(usable[-1:], name)
        elif usable:
            self._take_value(name, usable[-1], [piece for piece in usable if not piece.imports])
        elif cells := [piece.cell for piece in self.pieces if name in piece.use.binds]:
            self.result.left[name] = cells[-1]
        elif stars := [piece for piece in self.pieces if piece.use.star]:
            self._add_imports(stars)
        elif name not in self.result.unknown:
            self.result.unknown.append(name)

    def _may_go_along(self, piece: Piece) -> bool:
        marked = piece.file == self.file.name
        return piece.imports or piece.defines or marked or self.constants.is_constant(piece)

    def _add_imports(self, pieces: Iterable[Piece], name: str = "") -> None:
        """Add the imports of these statements that the file does not have; only that of `name` if it is given."""
        for piece in pieces:
            for node in piece.nodes:
                lines = _import_lines(node, "" if isinstance(node, ast.Try) else name)
                if not isinstance(node, ast.Try):
                    self._add_lines(lines)
                elif not set(lines) <= self.have:
                    self.result.imports.append(ast.unparse(node))
                    self.have |= set(lines)

    def _add_lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            itself = line.startswith((f"from {self.file.module} import ", f"import {self.file.module} "))
            if line not in self.have and not itself:
                self.result.imports.append(line)
                self.have.add(line)


def _import_lines(node: ast.AST, name: str = "") -> list[str]:
    """Each name that `node` imports, or only `name`, as an import of its own."""
    found = []
    for part in ast.walk(node):
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            for alias in part.names:
                if not name or name == (alias.asname or alias.name.partition(".")[0]):
                    line = (
                        ast.ImportFrom(part.module, [alias], part.level) if isinstance(part, ast.ImportFrom) else None
                    )
                    found.append(ast.unparse(line or ast.Import([alias])))
    return found


def _assigns(piece: Piece) -> bool:
    return all(isinstance(node, (ast.Assign, ast.AnnAssign, ast.If)) for node in piece.nodes)


def _stored(node: ast.AST) -> set[str]:
    return {it.id for it in ast.walk(node) if isinstance(it, ast.Name) and isinstance(it.ctx, ast.Store)}

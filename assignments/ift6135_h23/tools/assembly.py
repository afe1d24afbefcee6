"""A file to hand in, made of the one in the folder and of what a notebook has for it.

The statements of the folder's file that the notebook defines anew are replaced where they stand; the rest stays as it
is. What comes anew goes before the first statement that needs it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tools.pieces import Piece

_BETWEEN_DEFINITIONS = "\n\n"


@dataclass
class _Slot:
    """A place of the file: a statement that stays, and statements that come from the notebook.

    Attributes:
        gap: what stands before it.
        stays: the statement of the file; None if it is replaced.
        new: statements of the notebook, in its order.
        gaps: name -> what stood before its statement, where that was not the first of the place.
    """

    gap: str
    stays: Piece | None = None
    new: list[Piece] = field(default_factory=list)
    gaps: dict[str, str] = field(default_factory=dict)

    @property
    def is_head(self) -> bool:
        """Whether it is a docstring or imports."""
        return self.stays is not None and not self.new and (self.stays.imports or _is_docstring(self.stays))


def assemble(base: Sequence[Piece], tail: str, taken: Sequence[Piece], imports: Sequence[str], title: str) -> str:
    """The text of the file.

    Args:
        base: the pieces of the file in the folder; empty if there is none.
        tail: what follows them.
        taken: the notebook's statements, in its order.
        imports: lines to add to the imports.
        title: the docstring of a file that is not there yet.
    """
    slots = _slots(base, taken)
    writer = _Writer(slots, taken)
    head = [slot for number, slot in enumerate(slots) if all(one.is_head for one in slots[: number + 1])]
    if not base:
        writer.text = f'"""{title}"""\n'
    first = [line for line in imports if line.startswith("from __future__ ")]
    more = [line for line in imports if line not in first]
    docstring = head[:1] if head and _is_docstring(head[0].stays) else []
    for slot in docstring:
        writer.write(slot)
    writer.add_imports(first)
    for slot in head[len(docstring) :]:
        writer.write(slot)
    writer.add_imports(more)
    for slot in slots[len(head) :]:
        if slot.stays is not None and slot.stays.guard:
            writer.add_rest()
        writer.write(slot)
    writer.add_rest()
    rest = tail.strip("\n")
    return writer.text.strip("\n") + "\n" + (f"\n{rest}\n" if rest else "")


class _Writer:
    def __init__(self, slots: Sequence[_Slot], taken: Sequence[Piece]) -> None:
        self.text = ""
        self._last: Piece | None = None
        self._taken = taken
        self._order = {id(piece): place for place, piece in enumerate(taken)}
        self._gaps = {name: gap for slot in slots for name, gap in slot.gaps.items()}
        self._placed = {id(piece) for slot in slots for piece in slot.new}
        self._done: set[int] = set()
        self._binders: dict[str, list[Piece]] = {}
        for piece in (*(slot.stays for slot in slots if slot.stays is not None), *taken):
            for name in piece.use.binds | piece.changed:
                self._binders.setdefault(name, []).append(piece)

    def write(self, slot: _Slot) -> None:
        """Write a place of the file, behind what it needs."""
        own = [*([slot.stays] if slot.stays else []), *slot.new]
        pieces = [piece for one in own for piece in self._with_needs(one)]
        if pieces or slot.gap.strip():
            self.text += slot.gap
        for number, piece in enumerate(pieces):
            self._put(piece, self._between(piece) if number else "")

    def add_imports(self, imports: Sequence[str]) -> None:
        """Write more imports, behind what is written."""
        if imports:
            self.text += "\n" if self.text and (self._last is None or not self._last.imports) else ""
            self.text += "\n".join(imports) + "\n"

    def add_rest(self) -> None:
        """Write what has no place in the file yet, in the notebook's order."""
        for piece in self._taken:
            if id(piece) not in self._placed:
                for one in self._with_needs(piece):
                    self._put(one, (self._between(one) if self._last else "\n") if self.text else "")

    def _put(self, piece: Piece, between: str) -> None:
        self.text += f"{between}{piece.text}\n"
        self._last = piece

    def _between(self, piece: Piece) -> str:
        """What stands between the last statement and this one."""
        assert self._last is not None
        for name in sorted(piece.use.binds & self._gaps.keys()):
            return self._gaps[name]
        if piece.defines or self._last.defines:
            return _BETWEEN_DEFINITIONS
        if piece.cell and piece.cell == self._last.cell:
            return "\n" * min(2, piece.gap.count("\n\n") + piece.gap.startswith("\n"))
        return "\n"

    def _with_needs(self, piece: Piece) -> list[Piece]:
        """The statement, behind those that it needs and that are not written yet."""
        if id(piece) in self._done:
            return []
        self._done.add(id(piece))
        needs: dict[int, Piece] = {}
        for name in sorted(self._needed_at_once(piece)):
            needs |= {id(binder): binder for binder in self._missing(name, piece)}
        for name in sorted(piece.use.later):
            for binder in self._binders.get(name, []):
                if id(binder) in self._order and id(binder) not in self._placed:
                    needs[id(binder)] = binder
        ordered = sorted(needs.values(), key=lambda one: self._order.get(id(one), -1))
        return [*(part for one in ordered for part in self._with_needs(one)), piece]

    def _missing(self, name: str, user: Piece) -> list[Piece]:
        """Statements that have to stand before `user`, which uses the name when it runs."""
        binders = [binder for binder in self._binders.get(name, []) if binder is not user]
        place = self._order.get(id(user), -1)
        earlier = [binder for binder in binders if 0 <= self._order.get(id(binder), -1) < place]
        if earlier or any(id(binder) in self._done for binder in binders):
            return earlier
        return binders

    def _needed_at_once(self, piece: Piece) -> set[str]:
        """Names that must have values when the statement runs, and those that functions look up which it may call."""
        found: set[str] = set()
        queue = list(piece.use.now)
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                binders = [] if piece.defines else self._binders.get(name, [])
                queue += [it for binder in binders if binder.defines for it in binder.use.later | binder.use.now]
        return found


def _is_docstring(piece: Piece | None) -> bool:
    nodes = piece.nodes if piece else ()
    return bool(nodes) and all(isinstance(it, ast.Expr) and isinstance(it.value, ast.Constant) for it in nodes)


def _slots(base: Sequence[Piece], taken: Sequence[Piece]) -> list[_Slot]:
    """The places of the file; neighbouring values that are all replaced share one, where the notebook's order holds."""
    new = {name for piece in taken for name in piece.use.binds}
    slots: list[_Slot] = []
    place: dict[str, _Slot] = {}  # of the first statement that binds the name
    for piece in base:
        fixed = piece.guard or piece.imports
        touched = set() if fixed else _touched(piece)
        values = not piece.defines
        if not touched or not touched <= new:
            slots.append(_Slot(piece.gap, piece))
        elif values and slots and slots[-1].stays is None and not any(one.defines for one in slots[-1].new):
            slots[-1].gaps |= dict.fromkeys(piece.use.binds, piece.gap)
        else:
            slots.append(_Slot(piece.gap))
        for name in sorted(set() if fixed else piece.use.binds & new):
            slot = place.setdefault(name, slots[-1])
            slot.new += [one for one in taken if name in one.use.binds and one not in slot.new]
    _place_changes(taken, place)
    order = {id(piece): number for number, piece in enumerate(taken)}
    placed: set[int] = set()
    for slot in slots:  # a statement that binds several names stands in the first place that has it
        slot.new = sorted((one for one in slot.new if id(one) not in placed), key=lambda one: order[id(one)])
        placed |= {id(one) for one in slot.new}
    return slots


def _place_changes(taken: Iterable[Piece], place: dict[str, _Slot]) -> None:
    """Put statements that change a value in place, and bind nothing, where the value is bound."""
    for piece in taken:
        found = [place[name] for name in sorted(piece.changed) if name in place]
        if found and not piece.use.binds:
            found[0].new.append(piece)


def _touched(piece: Piece) -> set[str]:
    """Names that the statement binds or changes; if these are all given anew, it has had its day."""
    acts = piece.use.acts_on if all(isinstance(node, ast.Expr) for node in piece.nodes) else set()
    return piece.use.binds | piece.use.changes | acts

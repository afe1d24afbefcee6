"""Takes out of a notebook that was saved as .py what nothing graded needs: training, downloads, drawing, questions."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from autograder.intake.devices import on_cpu
from autograder.intake.display import listed
from autograder.intake.leaving_out import leave_out, left_out_lines
from autograder.intake.name_use import is_main_guard, tree_of
from autograder.intake.needed import TRY, Slicer
from autograder.language import plural

_NAMED = 6  # lines, names or modules in one note
_NEEDS = {"torch.utils.tensorboard": "tensorboard"}  # modules that fail without a package other than their own


@dataclass(frozen=True)
class Sliced:
    """What is left of a file.

    Attributes:
        text: its source; every line has the number that it had.
        notes: sentences for the student.
        stand_ins: modules that it imports and that are not there, such as "google.colab".
    """

    text: str
    notes: list[str] = field(default_factory=list)
    stand_ins: tuple[str, ...] = ()


def slice_source(text: str, name: str, roots: Collection[str], available: Collection[str]) -> Sliced:
    """Leave out of `text` what the names `roots` do not need.

    Args:
        text: source that parses, with LF line ends.
        name: of the file, for the notes.
        roots: module-level names that are graded, or that other files import.
        available: modules that can be imported besides the standard library; a package stands for all in it.
    """
    try:
        tree = tree_of(text)
        slicer = Slicer(tree, text, roots)
        slicer.run()
        sliced = leave_out(text, tree, slicer.removal)
        moved, lines = on_cpu(sliced)
        missing = missing_modules(moved, available)
        spans = left_out_lines(text, tree, slicer.removal)
    except RecursionError:  # an expression nested so deeply that Python's own compiler refuses the file as well
        return Sliced(text)
    return Sliced(moved, _notes(name, spans, sorted(slicer.hoisted), missing, lines), missing)


def missing_modules(text: str, available: Collection[str]) -> tuple[str, ...]:
    """Modules that `text` imports outside of every `try`, and that are neither available nor Python's own."""
    found: set[str] = set()
    tops = {module.partition(".")[0] for module in available} | sys.stdlib_module_names

    def look(nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.update([node.module] if node.module and not node.level else [])
            elif isinstance(node, TRY):
                look([*node.handlers, *node.orelse, *node.finalbody])  # type: ignore[attr-defined]
            elif is_main_guard(node):
                look(node.orelse)  # type: ignore[attr-defined]
            else:
                look(ast.iter_child_nodes(node))

    look([tree_of(text)])
    return tuple(sorted(module for module in found if _NEEDS.get(module, module).partition(".")[0] not in tops))


def _notes(
    file: str, left_out: list[tuple[int, int]], hoisted: Sequence[str], missing: Sequence[str], moved: list[int]
) -> list[str]:
    notes = []
    if left_out:
        lines = [str(first) if first == last else f"{first}-{last}" for first, last in left_out]
        one = left_out[0][0] == left_out[-1][1]
        notes.append(
            plural(
                "{file}: line {lines} was left out: no graded function needs it.",
                "{file}: lines {lines} were left out: they train, download or draw, and no graded function needs them.",
                1 if one else 2,
                file=file,
                lines=listed(lines, _NAMED),
            )
        )
    if hoisted:
        notes.append(
            plural(
                "{file}: {names} is needed outside of `if __name__ == '__main__':` and was taken out of it.",
                "{file}: {names} are needed outside of `if __name__ == '__main__':` and were taken out of it.",
                len(hoisted),
                file=file,
                names=listed(hoisted, _NAMED),
            )
        )
    if missing:
        notes.append(
            plural(
                "{file}: {names} is not there where you are graded; an empty module that does nothing took its place.",
                "{file}: {names} are not there where you are graded; empty modules that do nothing took their place.",
                len(missing),
                file=file,
                names=listed(missing, _NAMED),
            )
        )
    if moved:
        notes.append(
            plural(
                "{file}: 'cuda' became 'cpu' in line {lines}, because you are graded without a GPU.",
                "{file}: 'cuda' became 'cpu' in lines {lines}, because you are graded without a GPU.",
                len(moved),
                file=file,
                lines=listed([str(line) for line in moved], _NAMED),
            )
        )
    return notes

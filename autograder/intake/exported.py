"""Makes the files of an assignment that are notebooks saved as .py fit to be imported."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from autograder.assignment import Assignment, module_name
from autograder.intake.name_use import tree_of
from autograder.intake.slicing import slice_source
from autograder.intake.syntax import parse

LARGEST = 400_000  # characters of a source that is sliced; a notebook's code is a tenth of that
# Its stand-in gives tiny data sets, so that it is there for every submission.
_ALWAYS_THERE = ("datasets",)


@dataclass
class Exported:
    """The files after slicing.

    Attributes:
        sources: name -> text that is run.
        notes: sentences for the student.
        stand_ins: modules that have to have stand-ins when the files are imported.
    """

    sources: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stand_ins: tuple[str, ...] = ()


def slice_files(sources: Mapping[str, str], assignment: Assignment) -> Exported:
    """Leave out of each source what the graded names, and the other sources, do not need.

    What does not parse, or is far larger than any notebook's code, stays as it is.
    """
    trees = {name: tree for name, text in sources.items() if (tree := _tree(text)) is not None}
    own = {module_name(name) for name in (*sources, *(file.name for file in assignment.support))}
    available = {*assignment.imports, *own, *_ALWAYS_THERE}
    result = Exported(dict(sources))
    stand_ins = {module for module in _ALWAYS_THERE if module not in own}
    for name in trees:
        roots = {unit.qualified.partition(".")[0] for unit in assignment.units if unit.file == name}
        for other, tree in trees.items():
            roots |= _taken_from(module_name(name), tree) if other != name else set()
        sliced = slice_source(sources[name], name, roots, available)
        result.sources[name] = sliced.text
        result.notes += sliced.notes
        stand_ins |= set(sliced.stand_ins)
    result.stand_ins = tuple(sorted(stand_ins))
    return result


def _tree(text: str) -> ast.Module | None:
    """Syntax tree of a source that can be sliced."""
    if len(text) > LARGEST or parse(text).message:  # asked first: some sources crash the parser
        return None
    try:
        return tree_of(text)
    except (RecursionError, MemoryError):  # how deep an expression may be depends on how deep the caller is
        return None


def _taken_from(module: str, tree: ast.Module) -> set[str]:
    """Names that a file takes from `module`: imported, or attributes of the imported module."""
    taken: set[str] = set()
    aliases: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
            taken |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name for alias in node.names if alias.name == module}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            taken.add(node.attr)
    return taken

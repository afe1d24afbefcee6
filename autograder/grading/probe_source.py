"""The probes of an assignment's checks, as one source for the child."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_CHECKS_OF = re.compile(r"^from autograder\.checks\.(\w+)", re.MULTILINE)
_FUTURE = "from __future__ import annotations\n"


class ProbesError(Exception):
    """The probes of an assignment's checks cannot be one source; the message names the files."""


def probe_source(folder: Path) -> str:
    """The text of all files `*probes.py` in a folder of checks, and in those folders that its checks take others from.

    Raises:
        ProbesError: two files define the same name, so that one would take the other's place.
    """
    used = {name for path in folder.glob("*.py") for name in _CHECKS_OF.findall(path.read_text("utf-8"))}
    folders = {folder, *(folder.parent / name for name in used)}
    owners: dict[str, Path] = {}
    texts = []
    for path in sorted(path for one in folders for path in one.glob("*probes.py")):
        text = path.read_text("utf-8")
        for name in _defined(ast.parse(text)):
            if owners.setdefault(name, path) != path:
                raise ProbesError(f"{name} is defined in {owners[name].name} and in {path.name}; rename one of the two")
        texts.append(text.replace(_FUTURE, ""))
    return "\n".join([_FUTURE, *texts])


def _defined(tree: ast.Module) -> set[str]:
    """Names that a module's own statements bind; imports are the same wherever they stand."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return names

"""The folder `tools/` of a release: the modules of `autograder.student` and what they need, made to stand alone.

The package itself stays with the course, because it knows the answers. Imports of `autograder.<room>.name` become
imports of `tools.name`, and `autograder.language` becomes a module that looks its sentences up in a file beside it.
"""

from __future__ import annotations

import ast
import gettext
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from autograder.assignment import Assignment
from autograder.intake.submission import is_for_bonus
from autograder.language import DOMAIN, LOCALES
from autograder.release.folder import ReleaseError, read_text
from autograder.student import words
from autograder.student.facts import CheckpointFacts, Facts, FileFacts, NotebookFacts
from autograder.student.gaps import gaps_in
from autograder.student.pieces import cut

FOLDER = "tools"
ROOTS = (
    "autograder.student.export",
    "autograder.student.zip",
    "autograder.student.failures",
    "autograder.sandbox.probes",
)
"""The modules that students start, or that the public checks import."""

_PACKAGE = Path(__file__).resolve().parent.parent
_LANGUAGE = "autograder.language"
_INIT = (
    '"""The tools of this assignment, to be started in its folder: python -m tools.export, python -m tools.zip."""\n'
)
_IMPORT = re.compile(r"^( *)from (autograder[\w.]*) import ", re.MULTILINE)

Translations = gettext.NullTranslations


def tool_files(
    assignment: Assignment, stubs: Mapping[str, str], catalogue: Translations | None = None
) -> dict[str, str]:
    """Name and text of each file of `tools/`.

    Args:
        assignment: the manifest.
        stubs: the submitted files as students get them, by name.
        catalogue: the translations of the sentences; default: those of the assignment's language.

    Raises:
        ReleaseError: a module cannot stand alone.
    """
    if catalogue is None and assignment.language != "en":
        catalogue = gettext.translation(DOMAIN, LOCALES, [assignment.language])
    modules = closure(ROOTS)
    files = {_file_of(module): alone(text) for module, text in modules.items()}
    files["__init__.py"] = _INIT
    files["words.py"] = read_text(Path(words.__file__))
    files["words.json"] = _json(translations(modules.values(), catalogue) if catalogue else {})
    files["assignment.json"] = _json(asdict(facts_of(assignment, stubs)))
    return {f"{FOLDER}/{name}": text for name, text in files.items()}


def facts_of(assignment: Assignment, stubs: Mapping[str, str]) -> Facts:
    """What the tools know of an assignment.

    Args:
        assignment: the manifest.
        stubs: the submitted files as students get them, by name.
    """
    given = [file.name for group in (assignment.support, assignment.extras, assignment.assets) for file in group]
    return Facts(
        id=assignment.id,
        files=tuple(_file_facts(file.name, stubs[file.name]) for file in assignment.files),
        notebooks=tuple(NotebookFacts(notebook.name, notebook.files) for notebook in assignment.notebooks),
        checkpoints=tuple(
            CheckpointFacts(file.name, file.size_mb, is_for_bonus(file.name, assignment))
            for file in assignment.checkpoints
        ),
        given=tuple(given),
        folders=assignment.scratch_dirs,
        file_kb=assignment.limits.file_kb,
        upload_mb=assignment.limits.upload_mb,
    )


def _file_facts(name: str, stub: str) -> FileFacts:
    pieces, _ = cut(stub)
    named = [it for piece in pieces if not piece.imports and not piece.guard for it in sorted(piece.use.binds)]
    defined = {it for piece in pieces if piece.defines for it in piece.use.binds}
    nodes = [node for piece in pieces for node in piece.nodes]
    unset = gaps_in([node for node in nodes if isinstance(node, (ast.Assign, ast.AnnAssign))], set(named) - defined)
    main = [part for piece in pieces if piece.guard for node in piece.nodes for part in ast.walk(node)]
    stored = sorted({it.id for it in main if isinstance(it, ast.Name) and isinstance(it.ctx, ast.Store)})
    return FileFacts(name, tuple(dict.fromkeys(named)), tuple(unset), tuple(stored))


def translations(texts: Iterable[str], catalogue: Translations) -> dict[str, str | list[str]]:
    """The translation of each sentence that these modules speak, both forms where it depends on a number.

    What has no translation is left out.
    """
    found: dict[str, str | list[str]] = {}
    for text in texts:
        for node in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
            function = node.func.id if isinstance(node.func, ast.Name) else ""
            said = [it.value for it in node.args[:2] if isinstance(it, ast.Constant) and isinstance(it.value, str)]
            if function in ("_", "N_") and said and catalogue.gettext(said[0]) != said[0]:
                found[said[0]] = catalogue.gettext(said[0])
            elif function == "plural" and len(said) == 2:
                forms = [catalogue.ngettext(said[0], said[1], count) for count in (1, 2)]
                found |= {said[0]: forms} if forms != said else {}
    return found


def closure(roots: Iterable[str]) -> dict[str, str]:
    """Name and text of the modules of the package that `roots` need, with them; the one of the language aside.

    Raises:
        ReleaseError: two of them would have the same name, or one needs what does not stand alone.
    """
    found: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found[module] = text = read_text(_PACKAGE.parent / f"{module.replace('.', '/')}.py")
        waiting += [name for name in _imported(module, text) if name != _LANGUAGE]
    names = [_file_of(module) for module in found]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ReleaseError(f"{FOLDER}/{', '.join(doubled)}: several modules would have this name; rename one")
    return dict(sorted(found.items()))


def _imported(module: str, text: str) -> Iterator[str]:
    """Modules of the package that a module imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            if any(alias.name.partition(".")[0] == "autograder" for alias in node.names):
                raise ReleaseError(f"{module}: write `from autograder.x import y`, which a release can turn into tools")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "autograder":
            assert node.module is not None
            names = {alias.name for alias in node.names}
            if node.module == _LANGUAGE and (foreign := sorted(name for name in names if not hasattr(words, name))):
                raise ReleaseError(f"{module}: {', '.join(foreign)}: not in autograder/student/words.py")
            if not (_PACKAGE.parent / f"{node.module.replace('.', '/')}.py").is_file():
                raise ReleaseError(f"{module}: import from a module, not from the package {node.module}")
            yield node.module


def alone(text: str) -> str:
    """A module that imports from `tools`."""

    def renamed(found: re.Match[str]) -> str:
        name = "words" if found[2] == _LANGUAGE else found[2].rpartition(".")[2]
        return f"{found[1]}from {FOLDER}.{name} import "

    return _IMPORT.sub(renamed, text)


def _file_of(module: str) -> str:
    return f"{module.rpartition('.')[2]}.py"


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"

"""The public checks that students get: checks marked `@public` as records, the stand-ins that these need, and a runner.

A record is data: no formula of the reference, of a solution or of a misconception is in it.
"""

from __future__ import annotations

import ast
import importlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autograder import student
from autograder.assignment import Assignment, Unit
from autograder.grading.outcomes import CheckFailed
from autograder.grading.plugin import title_of
from autograder.grading.probe_source import probe_source
from autograder.grading.reference import Reference, load_reference
from autograder.grading.seeds import Draw
from autograder.language import masters_catalogue, speaking
from autograder.release.folder import ReleaseError
from autograder.release.recording import NotRecordable, Record, record, the_reference_as_submission
from autograder.release.tools import alone
from autograder.release.translation import translated
from autograder.student.records import RECORDS, TENSORS

PUBLIC_SEED = -1
"""Seed of the public checks' inputs; the seed of a submission is never negative."""

FOLDER = "public"
RUNNER = "test_public.py"
_RUNNER_SOURCE = Path(student.__file__).with_name("public_checks.py")  # in the package, what it imports is not there
LARGEST = 2_000_000
"""Bytes of an assignment's records; larger ones are refused."""

_SEEDS = (1, 2)  # of what the reference draws by itself; a record has to be the same for both
_RTOL, _ATOL = 1e-6, 1e-7
_PYTEST_INI = f"""\
[pytest]
python_files = {RUNNER}
testpaths = {RUNNER}
addopts = -q -rN --show-capture=stdout -p no:cacheprovider
disable_test_id_escaping_and_forfeit_all_rights_to_community_support = true
"""
_TITLE = '"""Stand-ins that the public checks hand to your code: networks, diffusions, settings."""'
_INIT = '"""Records of the public checks; `pytest` in the folder above runs them."""\n'


@dataclass(frozen=True)
class Marked:
    """A check that is marked public, and the unit that it is of."""

    check: Callable[..., None]
    unit: Unit

    @property
    def name(self) -> str:
        """Name of the check's function."""
        return self.check.__name__


def marked_checks(assignment: Assignment) -> list[Marked]:
    """The checks that are marked public, in the order of the manifest."""
    units = {unit.name: unit for unit in assignment.units}
    found = []
    for path in sorted(assignment.checks.glob("test_*.py")):
        module = importlib.import_module(f"autograder.checks.{assignment.id}.{path.stem}")
        for name, function in vars(module).items():
            marks = {mark.name: mark for mark in getattr(function, "pytestmark", ())}
            if name.startswith("test_") and "genlab_public" in marks:
                found.append(Marked(function, units[assignment.submitted_unit(marks["genlab_points"].args[0])]))
    order = list(units)
    return sorted(found, key=lambda marked: order.index(marked.unit.name))


def public_files(assignment: Assignment, before: Path) -> dict[str, bytes]:
    """Name and content of each file that the public checks of an assignment are; none where no check is public.

    Args:
        assignment: the manifest.
        before: the folder that an earlier release made, if there is one. Where its records say the same, up to the last
            digits that differ between machines, they stay.

    Raises:
        ReleaseError: a check cannot be public, or the records are too large.
    """
    marked = marked_checks(assignment)
    if not marked:
        return {}
    checks, tensors = _recorded(assignment, marked)
    records = _readable(checks).encode()
    stored = npz(tensors)
    if len(records) + len(stored) > LARGEST:
        size = (len(records) + len(stored)) / 1e6
        raise ReleaseError(
            f"the public checks of {assignment.id} take {size:.1f} MB, more than {LARGEST / 1e6:g} MB; "
            "give the largest of them smaller inputs"
        )
    used = {probe["class"] for check in checks for probe in check["probes"]}
    if _says_the_same(before / FOLDER, checks, tensors):
        records, stored = (before / FOLDER / RECORDS).read_bytes(), (before / FOLDER / TENSORS).read_bytes()
    return {
        RUNNER: translated(runner(), masters_catalogue(assignment.language).gettext).encode(),
        "pytest.ini": _PYTEST_INI.encode(),
        f"{FOLDER}/__init__.py": _INIT.encode(),
        f"{FOLDER}/probes.py": alone(only(probe_source(assignment.checks), used)).encode(),
        f"{FOLDER}/{RECORDS}": records,
        f"{FOLDER}/{TENSORS}": stored,
    }


def runner() -> str:
    """The text of the file that pytest runs."""
    return alone(_RUNNER_SOURCE.read_text("utf-8"))


def _recorded(assignment: Assignment, marked: list[Marked]) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """The checks and the tensors of an assignment's records."""
    reference = load_reference(assignment)
    questions = {unit.name: question.id for question in assignment.questions for unit in question.units}
    checks, tensors = [], {}
    with the_reference_as_submission(assignment), speaking(assignment.language):
        for one in marked:
            made = _record(one, assignment, reference)
            name = one.name.removeprefix("test_")
            tensors.update({f"{name}.{number}": array for number, array in made.tensors.items()})
            checks.append(
                {
                    "question": questions[one.unit.name],
                    "title": title_of(one.check, one.name),
                    "function": one.unit.qualified,
                    "file": one.unit.file,
                    "probes": _renamed(made.probes, name),
                    "steps": _renamed(made.steps, name),
                }
            )
    return checks, tensors


def _record(marked: Marked, assignment: Assignment, reference: Reference) -> Record:
    """The record of a check.

    Raises:
        ReleaseError: the check cannot be public; the message says why.
    """
    refused = f"check {marked.name} of {assignment.id} cannot be public"
    try:
        first, second = (
            record(marked.check, assignment, reference, Draw(PUBLIC_SEED, marked.name), seed) for seed in _SEEDS
        )
    except NotRecordable as error:
        raise ReleaseError(f"{refused}: {error}") from error
    except CheckFailed as error:
        raise ReleaseError(f"{refused}: the reference does not pass it with the public inputs: {error}") from error
    same = agree([first.steps, first.probes], [second.steps, second.probes]) and agree(first.tensors, second.tensors)
    if not same:
        raise ReleaseError(
            f"{refused}: what it calls or demands depends on what the submission draws by itself; judge random results "
            "by .tensor(), by expect_normal(), or by bounds that hold for every draw"
        )
    return first


def _renamed(item: Any, name: str) -> Any:
    """The tensors of a check's record under the names that they have among those of all checks."""
    if isinstance(item, dict):
        return {
            key: f"{name}.{part}" if key in ("tensor", "array") and isinstance(part, str) else _renamed(part, name)
            for key, part in item.items()
        }
    return [_renamed(part, name) for part in item] if isinstance(item, list) else item


def _readable(checks: list[dict[str, Any]]) -> str:
    """Records as JSON, a line for each step."""
    texts = []
    for check in checks:
        parts = [f"  {json.dumps(key)}: {_line(value)}" for key, value in check.items() if key != "steps"]
        steps = ",\n".join(f"   {_line(step)}" for step in check["steps"])
        texts.append(" {\n" + ",\n".join([*parts, f'  "steps": [\n{steps}\n  ]']) + "\n }")
    return '{"checks": [\n' + ",\n".join(texts) + "\n]}\n"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _says_the_same(folder: Path, checks: list[dict[str, Any]], tensors: Mapping[str, np.ndarray]) -> bool:
    """Whether the records in a folder are these."""
    if not ((folder / RECORDS).is_file() and (folder / TENSORS).is_file()):
        return False
    stored = json.loads((folder / RECORDS).read_text("utf-8"))["checks"]
    with np.load(folder / TENSORS, allow_pickle=False) as found:
        return agree(stored, checks) and agree(dict(found), tensors)


def agree(one: Any, other: Any) -> bool:
    """Whether two parts of records are the same up to the last digits of their numbers."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        if one.dtype != other.dtype or one.shape != other.shape:
            return False
        return bool(np.isclose(one, other, rtol=_RTOL, atol=_ATOL, equal_nan=True).all())
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=_RTOL, atol=_ATOL))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and all(agree(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(agree(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


def npz(tensors: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as `numpy.load` reads them, the same bytes for the same arrays."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in tensors.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return file.getvalue()


def only(source: str, names: Iterable[str]) -> str:
    """Those top-level statements of a module that define `names`, and what these need."""
    tree = ast.parse(source)
    owners = {name: node for node in reversed(tree.body) for name in _bound(node)}  # the first: all files import torch
    needed, waiting = set(), [owners[name] for name in names]
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting += [owners[part.id] for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in owners]
    lines = source.splitlines()
    texts = [_TITLE]
    for node in tree.body:
        if node in needed or (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
            texts.append("\n".join(lines[first - 1 : node.end_lineno]))
    return "\n\n\n".join(texts) + "\n"


def _bound(node: ast.stmt) -> list[str]:
    """Names that a top-level statement defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]

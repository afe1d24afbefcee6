"""The zip that Gradescope builds its image from: what grading one assignment needs, and nothing else.

Which modules are needed is read from their imports; the same inputs give the same bytes.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

from autograder.assignment import Assignment
from autograder.gradescope.entries import PLAIN
from autograder.language import DOMAIN, LOCALES, _, speaking
from autograder.release.archive import READABLE, zip_bytes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = "autograder"
FOLDER = "genlab"
"""Where everything but the two scripts stands in the zip."""

SCRIPTS = ("setup.sh", "run_autograder")

_ENTRIES = ("gradescope.run", "gradescope.self_check")
_BESIDE = re.compile(r'Path\(__file__\)\.with_name\("([\w.]+\.\w+)"\)')  # how modules name files of their own folder
_ALSO_READ = {"autograder.scoring.data": "solutions/common/lab/data.py"}
_EXACT = ("torch", "torchvision")  # a pair that fits together, and that the checks' tolerances were tried with
_RUNNABLE, _PRIVATE = 0o755, 0o600


class BundleError(ValueError):
    """The zip cannot be made; the message names the file and says what to do."""


def bundle_files(assignment: Assignment, secret: bytes) -> dict[str, bytes]:
    """Name in the zip and content of each file.

    Args:
        assignment: one of the repository's.
        secret: of the course.

    Raises:
        BundleError: the secret is empty, or a file that is needed is missing.
    """
    if not secret:
        raise BundleError("the file of the course's secret is empty; delete it, so that a new secret is made")
    own = [*_sources(assignment), *_catalogues(assignment)]
    files = {f"{FOLDER}/{_place(path)}": _read(path) for path in own}
    modules, foreign = _modules(assignment)
    read = [REPOSITORY / file for module, file in _ALSO_READ.items() if module in modules]
    beside = {path for module in modules.values() for path in _beside(module)}
    files |= {f"{FOLDER}/{_place(path)}": _read(path) for path in (*modules.values(), *beside, *read)}
    scripts = {name: _read(Path(__file__).with_name(name)).replace(b"\r\n", b"\n") for name in SCRIPTS}
    made = {
        "assignment": f"{assignment.id}\n".encode(),
        "not_started.json": (json.dumps(not_started(assignment), indent=2) + "\n").encode(),
        "requirements.txt": "".join(f"{line}\n" for line in requirements(assignment, foreign)).encode(),
        "secret": secret,
    }
    return {**scripts, **files, **{f"{FOLDER}/{name}": content for name, content in made.items()}}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip whose bytes depend on the files alone; what is secret may be read by its owner only."""
    return zip_bytes(files, _mode)


def write_bundle(assignment: Assignment, secret: bytes, path: Path) -> int:
    """Write the zip, which only its owner may read: the secret and the answers are in it.

    Returns:
        Its size in bytes.

    Raises:
        BundleError: the zip cannot be made.
        OSError: it cannot be written; what stood at `path` is as it was.
    """
    content = zipped(bundle_files(assignment, secret))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return len(content)


def kept_secret(path: Path) -> bytes:
    """The course's secret in `path`, made if there is none; one that is not kept would be another in each zip.

    Raises:
        BundleError: the file cannot be read or made.
    """
    from autograder.grading.seeds import course_secret

    secret = course_secret(path)
    try:
        kept = path.read_bytes()
    except OSError as error:
        problem = f"the course's secret cannot be kept in {path}: {error.strerror}; name another file with --secret"
        raise BundleError(problem) from error
    if kept != secret:
        raise BundleError(f"the course's secret in {path} has just changed; run this again")
    return secret


def requirements(assignment: Assignment, imported: Iterable[str]) -> list[str]:
    """What the image installs: the packages that are imported here or may be imported by a submission.

    Versions lie between those that `pyproject.toml` asks for and those that `requirements.txt` was tested with: on the
    Python of the image, which may be older than this one, the newest of them may be missing.

    Args:
        assignment: says what a submission may import.
        imported: names of top-level modules.

    Returns:
        Lines of a requirements file.
    """
    project = tomllib.loads(_read(REPOSITORY / "pyproject.toml").decode("utf-8"))["project"]
    pins = _read(REPOSITORY / "requirements.txt").decode("utf-8")
    tested = dict(re.findall(r"^([\w.-]+)==(\S+)$", pins, re.MULTILINE))
    own = {_distribution(line): line for line in project["dependencies"]}
    wanted = {*imported, *(name.partition(".")[0] for name in assignment.imports)}
    wanted |= {_distribution(line) for line in assignment.requirements}
    lines = []
    for name in sorted(wanted & own.keys()):
        line, semicolon, marker = own[name].partition(";")
        if name in _EXACT:
            line = f"{name}=={tested[name]}"
        elif name in tested:
            line = f"{line.strip()},<={tested[name]}"
        lines.append(f"{line}{semicolon}{marker}")
    # what is for work on a computer, such as the kernel of notebooks, grades nothing
    known = own.keys() | {_distribution(line) for line in project["optional-dependencies"]["dev"]}
    return [*lines, *(line for line in assignment.requirements if _distribution(line) not in known)]


def not_started(assignment: Assignment) -> dict[str, Any]:
    """The `results.json` of a run in which the grader itself did not start, or ended without a word.

    One hidden test keeps the site from showing students a total: nothing was judged, so there is none.
    """
    for_instructor = (
        "The grader did not start, or ended before it could write results; what it printed says why. When that is "
        "mended, let the site run the autograder again. This entry is hidden, so that students see no total."
    )
    with speaking(assignment.language):
        output = _(
            "The autograder could not run. This is not the fault of your submission and costs no points: "
            "your instructor will repair it and have your submission graded again."
        )
    return {
        "output": output,
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            {
                "name": "The autograder could not run",
                "score": 0,
                "max_score": 0,
                "status": "failed",
                "output": for_instructor,
                "visibility": "hidden",
                **PLAIN,
            }
        ],
    }


def _distribution(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    return found[0] if found else requirement


def _modules(assignment: Assignment) -> tuple[dict[str, Path], set[str]]:
    """The modules that grading imports, with their files, and the top-level names of other packages' modules."""
    finder = ModuleFinder(path=[str(REPOSITORY)])
    for name in _ENTRIES:
        _follow(finder, f"{PACKAGE}.{name}")
    checks = f"{PACKAGE}.checks."
    for path in sorted(assignment.checks.glob("*.py")):
        _follow(finder, f"{checks}{assignment.id}.{path.stem}".removesuffix(".__init__"))
    for name in {name.split(".")[2] for name in finder.modules if name.startswith(checks)}:
        for path in sorted(assignment.checks.with_name(name).glob("*probes.py")):  # read as text, never imported
            _follow(finder, f"{checks}{name}.{path.stem}")
    followed: set[Path] = set()
    while new := set(_files(finder).values()) - followed:  # some are started by their path, never imported
        for path in (beside for module in new for beside in _beside(module) if beside.suffix == ".py"):
            _follow(finder, ".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
        followed |= new
    return _files(finder), {name.partition(".")[0] for name in finder.badmodules}


def _files(finder: ModuleFinder) -> dict[str, Path]:
    return {name: Path(file) for name, module in finder.modules.items() if (file := vars(module)["__file__"])}


def _beside(module: Path) -> list[Path]:
    """The files of its folder that a module names."""
    return [module.with_name(name) for name in _BESIDE.findall(module.read_text("utf-8"))]


def _follow(finder: ModuleFinder, module: str) -> None:
    try:
        finder.import_hook(module)
    except ImportError as error:
        raise BundleError(f"{module} is missing in {REPOSITORY}, and without it nothing can be graded") from error


def _catalogues(assignment: Assignment) -> list[Path]:
    return [] if assignment.language == "en" else [LOCALES / assignment.language / "LC_MESSAGES" / f"{DOMAIN}.mo"]


def _sources(assignment: Assignment) -> list[Path]:
    """The manifest, the reference solution, and the modules that it is given."""
    manifest = assignment.folder.resolve() / "assignment.toml"
    return [manifest, *(assignment.master(file) for file in (*assignment.files, *assignment.support))]


def _place(path: Path) -> str:
    try:
        return path.relative_to(REPOSITORY).as_posix()
    except ValueError:
        raise BundleError(f"{path} is not in {REPOSITORY}; in the image it would stand elsewhere") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BundleError(f"{path} is missing, and grading needs it") from None


def _mode(name: str) -> int:
    if name in SCRIPTS:
        return _RUNNABLE
    return _PRIVATE if name == f"{FOLDER}/secret" else READABLE

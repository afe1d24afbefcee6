"""The folder of an assignment that students get, made from the manifest and the masters.

It is never edited by hand: `release_assignment` makes it anew as a whole, and `stale` says where it no longer
is what the masters give.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from autograder.assignment import Assignment, SourceFile
from autograder.language import masters_catalogue, speaking
from autograder.release.folder import ReleaseError, differences, joined, read_text, stamp, write_folder
from autograder.release.leaks import find_leak
from autograder.release.markers import Master, find_marker, parse_master
from autograder.release.public import public_files
from autograder.release.readme import render_readme
from autograder.release.tools import tool_files
from autograder.release.translation import translated


def parse_masters(assignment: Assignment) -> dict[str, Master]:
    """Parse the masters of the submitted files, and give each under the name that students know it by.

    Raises:
        ReleaseError: a master is missing or is not text.
        MarkerError: a master has a wrong marker.
    """
    questions = [question.id for question in assignment.questions]
    found = {}
    for file in assignment.files:
        path = assignment.master(file)
        found[file.name] = parse_master(read_text(path), str(path), questions, file.renumber)
    return found


def _refuse_unmarked(assignment: Assignment, masters: dict[str, Master]) -> None:
    """Refuse a file that would give a graded solution away because nothing in it is marked for it."""
    prefilled = {file.name for file in assignment.files if file.prefilled}
    for name in sorted(prefilled):
        if masters[name].blocks:
            problem = "a solution marker in a file that the manifest calls prefilled; it is given as it stands"
            raise ReleaseError(f"{masters[name].file}:{masters[name].blocks[0].line}: {problem}")
    for question in assignment.questions:
        for unit in question.units:
            master = masters[unit.file]
            marked = question.id in {block.question for block in master.blocks}
            if not marked and unit.file not in prefilled:
                problem = (
                    f"no block for question {question.id}, which has the unit {unit.name}; mark its solution, "
                    "or say in the manifest that the file is prefilled"
                )
                raise ReleaseError(f"{master.file}: {problem}")


def asset_files(assignment: Assignment) -> dict[str, bytes]:
    """Name and content of each given file that is not Python.

    Raises:
        ReleaseError: one of them is missing, or is a text that shows a solution.
        MarkerError: a master has a wrong marker.
    """
    contents = {}
    for asset in assignment.assets:
        path = assignment.master(asset)
        if not path.is_file():
            raise ReleaseError(f"{path} is missing; students need it as {asset.name}, so make it before the release")
        contents[asset.name] = path.read_bytes()
    texts = _texts(contents)
    _refuse_markers(texts)
    refuse_leaks(assignment, parse_masters(assignment), texts)
    return contents


def _refuse_markers(given: Mapping[str, str]) -> None:
    for name, text in given.items():
        if (line := find_marker(text)) is not None:
            problem = "a solution marker in a given file; only the submitted files may have solutions"
            raise ReleaseError(f"{name}:{line}: {problem}")


def refuse_leaks(assignment: Assignment, masters: dict[str, Master], released: Mapping[str, str]) -> None:
    """Refuse a line of a solution in what students get.

    Raises:
        ReleaseError: there is one; the message says where.
    """
    support = [read_text(assignment.master(file)) for file in assignment.support]
    if leak := find_leak(masters.values(), support, released):
        raise ReleaseError(f"{leak}; reword it there, or move it out of the solution")


def release_files(assignment: Assignment) -> dict[str, str]:
    """Name and text of each text file that students get but the assets, made in memory.

    Raises:
        ReleaseError: a source is missing or is not text, a graded question has no solution block in a file that
            is not prefilled, a given file has a solution marker, two files have the same name, or a solution's
            line would be shown.
        MarkerError: a master has a wrong marker.
    """
    masters = parse_masters(assignment)
    _refuse_unmarked(assignment, masters)
    copies = {file.name: read_text(assignment.master(file)) for file in (*assignment.support, *assignment.extras)}
    handout = assignment.folder / "handout.md"
    if handout.exists():
        copies = joined(copies, {"handout.md": read_text(handout)})
    _refuse_markers(copies)
    with speaking(assignment.language):
        stubs = {file.name: _under_its_name(masters[file.name].stub, file) for file in assignment.files}
    files = joined(stubs, copies)
    files = _spoken(files, assignment.language)
    files = joined(files, {"requirements.txt": "".join(f"{line}\n" for line in assignment.requirements)})
    blocks = {name: master.blocks for name, master in masters.items()}
    tools = tool_files(assignment, stubs)
    try:
        readme = render_readme(assignment, files, blocks)
    except SyntaxError as error:
        raise ReleaseError(f"{error.filename}:{error.lineno}: is not valid Python: {error.msg}") from error
    files = joined(files, {**tools, "README.md": readme, **stamp(assignment.id)})
    refuse_leaks(assignment, masters, files)
    return files


def _spoken(files: dict[str, str], language: str) -> dict[str, str]:
    """The files with the words of their Python code in this language."""
    if language == "en":
        return files
    catalogue, spoken = masters_catalogue(language), dict(files)
    for name in (name for name in files if name.endswith(".py")):
        try:
            spoken[name] = translated(files[name], catalogue.gettext)
        except SyntaxError as error:
            raise ReleaseError(f"{name}:{error.lineno}: is not valid Python: {error.msg}") from error
    return spoken


def _under_its_name(text: str, file: SourceFile) -> str:
    """The text of a shared master with the name that students know it by in the place of the master's own."""
    return re.sub(rf"\b{re.escape(PurePosixPath(file.master_path).name)}\b", PurePosixPath(file.name).name, text)


def release_assignment(assignment: Assignment, dest: Path) -> list[Path]:
    """Write what students get to `dest/<id>/`, in place of what an earlier release put there.

    Returns:
        The paths of all files of the folder, sorted.

    Raises:
        ReleaseError: as `release_files`; also where `dest/<id>` exists and was not made by a release.
        MarkerError: a master has a wrong marker.
    """
    return write_folder(dest / assignment.id, released(assignment, dest / assignment.id))


def stale(assignment: Assignment, dest: Path) -> list[str]:
    """Say where `dest/<id>/` is not what a release would write now.

    Returns:
        A line for each such file: `missing: NAME`, `differs: NAME` or `extra: NAME`.

    Raises:
        ReleaseError: as `release_files`.
        MarkerError: a master has a wrong marker.
    """
    return differences(dest / assignment.id, released(assignment, dest / assignment.id))


def released(assignment: Assignment, before: Path) -> dict[str, bytes]:
    """Name and content of each file of the released folder.

    Args:
        assignment: the manifest.
        before: the folder that an earlier release made, if there is one: recorded values that agree with those in it
            up to rounding stay as they are.
    """
    texts = {name: text.encode() for name, text in release_files(assignment).items()}
    checks = public_files(assignment, before)
    refuse_leaks(assignment, parse_masters(assignment), _texts(checks))
    return joined(joined(texts, asset_files(assignment)), checks)


def _texts(contents: dict[str, bytes]) -> dict[str, str]:
    """Those files that are text, as text."""
    texts = {}
    for name, content in contents.items():
        try:
            texts[name] = content.decode()
        except UnicodeDecodeError:
            continue  # nobody reads a solution in it
    return texts

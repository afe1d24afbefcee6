"""Behaviour of autograder/release/tools.py: what students start in their folder, without the package."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.assignment import Assignment, assignment_names, load_assignment
from autograder.release import parse_masters, release_files, tools
from autograder.release.folder import ReleaseError
from autograder.release.tools import facts_of, tool_files
from autograder.student.facts import from_json

# The package is found by whoever has it installed, so its import is forbidden as well as its path left out.
_START = """
import runpy, sys
sys.modules["autograder"] = None
sys.path.insert(0, "")
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def start(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start a tool in a student's folder, where there is no `autograder`."""
    return subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", _START, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def notebook(*cells: str) -> str:
    made = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made})


class French:
    """A catalogue with a few sentences."""

    def gettext(self, text: str) -> str:
        return {
            "{file}: written.": "{file} : écrit.",
            "still TODO: {names}": "encore TODO : {names}",
            "{first} and {second}": "{first} et {second}",
        }.get(text, text)

    def ngettext(self, one: str, many: str, count: int) -> str:
        stays = ("{n} cellule n'est pas exportée.", "{n} cellules ne sont pas exportées.")
        return stays[count > 1] if one.startswith("{n} code cell stays") else one if count == 1 else many


@pytest.fixture
def stubs(demo: Assignment) -> dict[str, str]:
    return {name: master.stub for name, master in parse_masters(demo).items()}


@pytest.fixture
def folder(demo: Assignment, tmp_path: Path) -> Path:
    """The released folder of the small assignment."""
    return write(tmp_path / "student", release_files(demo))


def test_nothing_of_the_package_is_left_in_the_tools(demo, stubs):
    files = tool_files(demo, stubs)
    for name, text in files.items():
        if name.endswith(".py"):
            for node in ast.walk(ast.parse(text)):
                modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not [module for module in modules if module.startswith("autograder")], name
                own = [module for module in modules if module.startswith("tools.")]
                assert all(f"{module.replace('.', '/')}.py" in files for module in own), name


def test_export_and_zip_need_the_standard_library_alone(demo, stubs):
    files = tool_files(demo, stubs)
    waiting, seen = ["tools/export.py", "tools/zip.py"], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in ast.walk(ast.parse(files[name])):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                package = module.partition(".")[0]
                assert package in {*sys.stdlib_module_names, "tools"}, f"{name}: {module}"
                waiting += [f"{module.replace('.', '/')}.py"] if package == "tools" else []
    assert len(seen) > 10


def test_the_tools_run_in_the_students_folder(folder):
    area = "#| export q1_disc.py\ndef area(radius):\n    return math.pi * radius**2\n"
    (folder / "mine.ipynb").write_text(notebook("!pip install x", area, "area(3)"), "utf-8")
    exported = start(folder, "tools.export", "mine.ipynb")
    assert (exported.returncode, exported.stderr) == (0, "")
    assert "q1_disc.py: written; what it held before is in backup/q1_disc.1.py." in exported.stdout
    assert "math.pi * radius**2" in (folder / "q1_disc.py").read_text()
    zipped = start(folder, "tools.zip", "-o", "here.zip")
    assert (zipped.returncode, zipped.stderr) == (0, "")
    assert "  q1_disc.py: good.\n- q2_walk.py: still TODO: Walk.step\n" in zipped.stdout
    assert (folder / "here.zip").is_file()


def test_wrong_use_is_told(folder):
    assert start(folder, "tools.export").returncode == 2
    assert start(folder, "tools.export", "none.ipynb").returncode == 1
    wrong = start(folder, "tools.zip", "--folder", "nowhere")
    assert (wrong.returncode, wrong.stderr.splitlines()[-1]) == (
        2,
        "python -m tools.zip: error: nowhere: there is no such folder.",
    )


def test_the_tools_speak_the_language_of_the_course(demo, stubs, folder):
    write(folder, tool_files(demo, stubs, French()))
    (folder / "q1_disc.py").unlink()
    (folder / "mine.ipynb").write_text(notebook("#| export q1_disc.py\ndef area(r):\n    return r", "1", "2"), "utf-8")
    said = start(folder, "tools.export", "mine.ipynb").stdout
    assert "q1_disc.py : écrit." in said
    assert "2 cellules ne sont pas exportées." in said
    assert "- q2_walk.py: encore TODO : Walk.step" in start(folder, "tools.zip").stdout
    words = json.loads((folder / "tools" / "words.json").read_text("utf-8"))
    assert set(words) == {
        "{file}: written.",
        "still TODO: {names}",
        "{first} and {second}",
        "{n} code cell stays out of the files.",
    }


def test_a_french_assignment_has_the_translations_of_the_catalogue(solutions):
    path = solutions / "demo" / "assignment.toml"
    path.write_text('language = "fr"\n' + path.read_text())
    words = json.loads(release_files(load_assignment("demo", solutions))["tools/words.json"])
    assert words["{first} and {second}"] == "{first} et {second}"
    assert "{names} and {n} more" in words


def test_an_english_assignment_needs_no_words(demo, stubs):
    assert json.loads(tool_files(demo, stubs)["tools/words.json"]) == {}


@pytest.mark.parametrize("name", assignment_names())
def test_the_facts_are_names_and_limits_of_the_released_folder(name):
    assignment = load_assignment(name)
    stubs = {file: master.stub for file, master in parse_masters(assignment).items()}
    files = tool_files(assignment, stubs)
    facts = facts_of(assignment, stubs)
    assert from_json(files["tools/assignment.json"]) == facts
    assert facts.names == [file.name for file in assignment.files]
    for file in facts.files:
        assert set(file.unset) <= set(file.names)
        assert all(word in stubs[file.name] for word in (*file.names, *file.in_main))
    if name == "ift6135_a22":
        assert facts.file("gan.py").unset == ("discriminator_optimizer", "generator_optimizer", "criterion")
    if name == "cmput328_f24":
        assert [it.bonus for it in facts.checkpoints] == [False, False, False, True]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import autograder.cli\n", "write `from autograder.x import y`"),
        ("from autograder.student import facts\n", "import from a module, not from the package"),
        ("from autograder.language import speaking\n", "speaking: not in autograder/student/words.py"),
        ("from autograder.release.pieces import x\nfrom autograder.student.pieces import y\n", "several modules"),
    ],
)
def test_a_module_that_cannot_stand_alone_is_refused(demo, stubs, monkeypatch, tmp_path, source, words):
    package = tmp_path / "autograder"
    for module in ("language", "cli", "new", "student/__init__", "student/facts", "student/pieces", "release/pieces"):
        (package / module).parent.mkdir(parents=True, exist_ok=True)
        (package / f"{module}.py").write_text(source if module == "new" else "")
    monkeypatch.setattr(tools, "_PACKAGE", package)
    monkeypatch.setattr(tools, "ROOTS", ("autograder.new",))
    with pytest.raises(ReleaseError, match=words):
        tool_files(demo, stubs)

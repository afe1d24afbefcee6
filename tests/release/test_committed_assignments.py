"""What students get of each assignment: it follows from the masters, it imports, and every gap in it speaks."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.assignment import assignment_names, load_assignment
from autograder.release.bundle import parse_masters, release_assignment, stale
from autograder.release.markers import Block, Master, fill

ASSIGNMENTS = Path(__file__).resolve().parents[2] / "assignments"

IMPORT_ALL = """
import importlib, sys
sys.path.insert(0, ".")
for module in sys.argv[1:]:
    importlib.import_module(module)
"""


def masters() -> Iterator[pytest.param]:
    for name in assignment_names():
        assignment = load_assignment(name)
        for file, master in parse_masters(assignment).items():
            path = assignment.master(next(source for source in assignment.files if source.name == file))
            yield pytest.param(path, master, id=f"{name}/{file}")


def blocks() -> Iterator[pytest.param]:
    for param in masters():
        _, master = param.values
        for block in master.blocks:
            yield pytest.param(master, block, id=f"{param.id}-{block.label}")


def statements_before(body: list[ast.stmt], line: int) -> tuple[list[ast.stmt], ast.stmt | None]:
    """The statements that run before the one that starts in `line`, and that one."""
    before: list[ast.stmt] = []
    for statement in body:
        if statement.lineno == line:
            return before, statement
        if statement.lineno < line <= (statement.end_lineno or 0):
            for field in ("body", "orelse", "finalbody"):
                inner, found = statements_before(getattr(statement, field, []), line)
                if found:
                    return before + inner, found
        before.append(statement)
    return before, None


def test_every_manifest_has_a_released_folder_and_every_folder_a_manifest():
    assert assignment_names()
    assert sorted(path.name for path in ASSIGNMENTS.iterdir()) == assignment_names()


@pytest.mark.parametrize("name", assignment_names())
def test_the_committed_release_is_what_the_masters_give(name):
    hint = f"the masters changed since the last release; run `genlab release {name}`"
    assert stale(load_assignment(name), ASSIGNMENTS) == [], hint


@pytest.mark.parametrize(("path", "master"), list(masters()))
def test_stub_and_solutions_together_are_the_master(path: Path, master: Master):
    assert fill(master.stub, master.blocks).encode() == path.read_bytes()


@pytest.mark.parametrize(("master", "block"), list(blocks()))
def test_every_gap_raises_an_error_that_names_its_question(master: Master, block: Block):
    tree = ast.parse(master.stub)
    line = master.stub.split("\n").index(block.stub[1]) + 1
    before, gap = statements_before(tree.body, line)
    assert isinstance(gap, ast.Raise)
    with pytest.raises(NotImplementedError, match=rf"^question {block.question}: {block.label}$"):
        exec(compile(ast.Module([gap], []), master.file, "exec"))
    messages = {other.message for other in master.blocks}
    for statement in before:
        if isinstance(statement, ast.Raise):
            assert any(message in ast.unparse(statement) for message in messages), "nothing comes to this gap"
        assert not isinstance(statement, ast.Return), "nothing comes to this gap"


@pytest.mark.parametrize("name", assignment_names())
def test_the_unfilled_files_can_be_imported(name, tmp_path):
    assignment = load_assignment(name)
    release_assignment(assignment, tmp_path)
    folder = tmp_path / name
    for scratch in assignment.scratch_dirs:
        (folder / scratch).mkdir(parents=True, exist_ok=True)
    modules = [file.module for file in (*assignment.support, *assignment.files)]
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *modules],
        cwd=folder,
        env=os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr

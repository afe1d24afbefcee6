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
from autograder.release.bundle import parse_masters, release_files, stale
from autograder.release.markers import Block, Master, fill
from autograder.release.notebooks import stale_notebooks

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENTS, NOTEBOOKS = ROOT / "assignments", ROOT / "notebooks"

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


def gaps() -> Iterator[pytest.param]:
    for param in masters():
        _, master = param.values
        for block in master.blocks:
            if block.definitions or block.names:
                continue
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
    for folder in (ASSIGNMENTS, NOTEBOOKS):
        assert sorted(path.name for path in folder.iterdir()) == assignment_names()


@pytest.mark.parametrize("name", assignment_names())
def test_the_committed_release_is_what_the_masters_give(name):
    hint = f"the masters changed since the last release; run `genlab release {name}`"
    assert stale(load_assignment(name), ASSIGNMENTS) == [], hint
    assert stale_notebooks(load_assignment(name), NOTEBOOKS) == [], hint


@pytest.mark.parametrize(("path", "master"), list(masters()))
def test_stub_and_solutions_together_are_the_master(path: Path, master: Master):
    assert fill(master.stub, master.blocks).encode() == path.read_bytes()


@pytest.mark.parametrize(("master", "block"), list(gaps()))
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
    for file, text in release_files(assignment).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, "utf-8")
    for scratch in assignment.scratch_dirs:
        (tmp_path / scratch).mkdir(parents=True, exist_ok=True)
    modules = [file.module for file in (*assignment.support, *assignment.files, *assignment.extras)]
    run = python(tmp_path, IMPORT_ALL, *modules)
    assert run.returncode == 0, run.stderr
    assert run.stdout == run.stderr == ""


CALLS = {
    "VarianceScheduler()": "1.3: betas of the linear schedule",
    "VarianceScheduler(interpolation='quadratic')": "1.3: betas of the quadratic schedule",
    "VarianceScheduler.add_noise(None, x, t)": "1.3: add_noise",
    "SinusoidalPositionEmbeddings(8)(t)": "1.1: SinusoidalPositionEmbeddings.forward",
    "UNet()": "1.2: embeddings of time and class",
    "UNet.forward(None, x, t)": "1.2: UNet.forward",
    "DDPM(network, None)(x, t)": "1.4: DDPM.forward",
    "DDPM(network, None).recover_sample(x, x, t)": "1.5: DDPM.recover_sample",
    "DDPM(network, None).generate_sample(2, 'cpu', t)": "1.6: DDPM.generate_sample",
    "DDIM(network, None)(x, t)": "2.1: DDIM.forward",
    "DDIM(network, None).recover_sample(x, x, t)": "2.2: DDIM.recover_sample",
    "DDIM(network, None).generate_sample(2, 'cpu', t)": "2.3: DDIM.generate_sample",
    "VAE(1)": "3.1: the embedding of the class",
    "VAE.forward(None, x, t)": "3.2: VAE.forward",
    "VAE.decode(None, x, t)": "3.2: VAE.decode",
    "VAE.reparameterize(None, x, x)": "3.3: VAE.reparameterize",
    "VAE.generate_sample(None, 2, 'cpu', t)": "3.4: VAE.generate_sample",
    "LDDPM(network, network, None)(x, t)": "4.1: LDDPM.forward",
    "LDDPM(network, network, None).recover_sample(x, x, t)": "4.2: LDDPM.recover_sample",
    "LDDPM(network, network, None).generate_sample(2, 'cpu', t)": "4.3: LDDPM.generate_sample",
    "prepare_ddpm()": "1.3: betas of the quadratic schedule",
    "prepare_vae()": "3.1: the embedding of the class",
}

CALL_ALL = """
import sys
from assignment import *
from models import *
network, x, t = torch.nn.Identity(), torch.zeros(2, 1, 32, 32), torch.tensor([3, 7])
for call in sys.argv[1:]:
    try:
        eval(call)
    except NotImplementedError as error:
        print(error)
    else:
        print("no error")
"""


def test_every_unfilled_place_of_cmput328_f24_names_itself_when_it_is_called(tmp_path):
    files = release_files(load_assignment("cmput328_f24"))
    for name in ("models.py", "assignment.py"):
        (tmp_path / name).write_text(files[name])
    run = python(tmp_path, CALL_ALL, *CALLS)
    assert dict(zip(CALLS, run.stdout.splitlines(), strict=True)) == {
        call: f"question {place}" for call, place in CALLS.items()
    }, run.stderr


def python(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.assignment import load_assignment
from tests.generated_data import write_data_root


@pytest.fixture(scope="session")
def h25_folder(tmp_path_factory) -> Path:
    """A folder as a student's who has solved everything: masters, support modules and scripts."""
    assignment = load_assignment("ift6135_h25")
    folder = tmp_path_factory.mktemp("solved")
    for file in (*assignment.files, *assignment.support, *assignment.extras):
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(assignment.master(file).read_bytes())
    return folder


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    """Forty generated images in the layout of a data root."""
    return write_data_root(tmp_path_factory.mktemp("data"), "mnist")


@pytest.fixture
def python(h25_folder, data_root, tmp_path):
    """Runs Python in a folder of its own, with the assignment's modules on its path and the generated data."""

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(h25_folder),
            "GENLAB_DATA": str(data_root),
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "Agg",
        }
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, done.stderr[-2000:]
        return done

    return run

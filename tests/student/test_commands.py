"""The commands `genlab export` and `genlab zip`: the students' tools, for instructors."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder.assignment import load_assignment
from autograder.cli import app
from autograder.release import parse_masters
from autograder.student import zip as tool
from tests.student.conftest import write_notebook


@pytest.fixture
def gan(tmp_path: Path) -> Path:
    """A folder with the stub of a French assignment's GAN, and a notebook for it."""
    (tmp_path / "gan.py").write_text(parse_masters(load_assignment("ift6135_a22"))["gan.py"].stub, "utf-8")
    write_notebook(tmp_path / "gan.ipynb", ["#| export gan.py\ndef sample(generator, num_samples):\n    return 3\n"])
    return tmp_path


def test_export_writes_the_files_of_the_notebook(gan):
    result = CliRunner().invoke(app, ["export", str(gan / "gan.ipynb"), "-a", "ift6135_a22", "-o", str(gan)])
    assert result.exit_code == 0, result.output
    assert "return 3\n\n\ndef interpolate" in (gan / "gan.py").read_text("utf-8")
    assert "backup/gan.1.py" in result.output
    broken = write_notebook(gan / "gan.ipynb", ["#| export gan.py\ndef sample(:\n"])
    assert CliRunner().invoke(app, ["export", str(broken), "-a", "ift6135_a22", "-o", str(gan)]).exit_code == 1


def test_zip_packs_what_is_there_and_says_by_its_status_that_something_is_missing(gan, monkeypatch):
    monkeypatch.setattr(tool, "failures", lambda *arguments: {})
    result = CliRunner().invoke(app, ["zip", str(gan), "-a", "ift6135_a22"])
    assert result.exit_code == 1
    assert "! vae.py: " in result.output
    assert (gan / "ift6135_a22.zip").is_file()
    for name in ("vae.py", "ddpm.py"):
        (gan / name).write_text("x = 1\n")
    result = CliRunner().invoke(app, ["zip", str(gan), "-a", "ift6135_a22", "-o", str(gan / "mine.zip")])
    assert result.exit_code == 0
    assert (gan / "mine.zip").is_file()


@pytest.mark.parametrize("command", ["export", "zip"])
def test_an_unknown_assignment_is_wrong_usage(command, tmp_path):
    assert CliRunner().invoke(app, [command, str(tmp_path), "-a", "nothing"]).exit_code == 2

import json
import os
import subprocess
import sys
import zipfile

import pytest
from typer.testing import CliRunner

from autograder.assignment import load_assignment
from autograder.cli import app
from autograder.gradescope.results import validate_results


def genlab(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from autograder.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)


@pytest.fixture
def reference_zip(tmp_path):
    assignment = load_assignment("ift6135_h25")
    path = tmp_path / "upload.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in assignment.files:
            archive.write(assignment.master(file), f"handed in/{file.name}")
    return path


@pytest.mark.slow
def test_grade_writes_three_files_and_repeats_with_the_seed(tmp_path, reference_zip):
    out, secret = tmp_path / "out", tmp_path / "secret"
    done = genlab("grade", reference_zip, "-a", "ift6135_h25", "-o", out, "--secret", secret)
    assert done.returncode == 0, done.stderr
    assert "87 / 87" in " ".join(done.stdout.split())
    report = json.loads((out / "report.json").read_text())
    results = json.loads((out / "results.json").read_text())
    validate_results(results)
    assert results["score"] == 87
    assert "<html" in (out / "report.html").read_text()
    assert len(secret.read_bytes()) == 32
    again = genlab("grade", reference_zip, "-a", "ift6135_h25", "-o", out, "--seed", report["run"]["seed"])
    assert json.loads((out / "report.json").read_text())["run"]["seed"] == report["run"]["seed"], again.stderr


@pytest.mark.slow
def test_what_is_no_submission_gets_a_report_too(tmp_path):
    upload = tmp_path / "upload.zip"
    upload.write_text("I forgot to zip")
    done = genlab("grade", upload, "-a", "ift6135_h25", "-o", tmp_path / "out", "--seed", 1)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["score"] == 0
    assert results["tests"][0]["tags"] == ["refusal"]
    assert "upload.zip" in results["tests"][0]["output"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["grade", "nowhere.zip", "-a", "ift6135_h25"], "nowhere.zip"),
        (["grade", ".", "-a", "nothing"], "nothing"),
        (["grade", "."], "--assignment"),
        (["grade", ".", "-a", "ift6135_h25", "--seed", "-1"], "seed"),
        (["release", "nothing"], "nothing"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_wrong_usage_ends_with_2_and_names_what_is_wrong(arguments, word):
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert result.exit_code == 2
    assert word in result.output


def test_release_and_check(tmp_path):
    run = CliRunner().invoke
    assert run(app, ["release", "--check", "-o", str(tmp_path)]).exit_code == 1
    assert run(app, ["release", "-o", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "ift6135_h25" / "q1_vae.py").is_file()
    assert run(app, ["release", "--check", "-o", str(tmp_path)]).exit_code == 0

"""In the container's folders and as its program, the entry gives what `genlab grade` gives."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from autograder.gradescope.results import gradescope_results, validate_results
from autograder.gradescope.worker import upload_seed
from autograder.intake import read_submission


@pytest.mark.slow
def test_the_entry_gives_what_the_engine_gives_for_the_same_seed(site, h25, engine, masters, tmp_path):
    """The reference, but for one mistake, so that messages are compared as well; one warm engine, one cold program."""
    mistake = "\n\ndef log_mean_exp(y):\n    return y.logsumexp(1)\n"
    archive = tmp_path / "upload.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for name, text in masters.items():
            opened.writestr(f"handed in/{name}", text + mistake if name == "q1_vae.py" else text)
    site.unpack(archive)
    site.metadata({"id": 4711, "created_at": "2025-03-02T12:00:00-05:00", "users": [{"id": 1}]})
    command = [sys.executable, "-I", "-m", "autograder.gradescope.run", h25.id]
    command += ["--root", str(site.root), "--secret", str(site.secret)]
    surroundings = {name: os.environ[name] for name in ("PATH", "OMP_NUM_THREADS") if name in os.environ}
    done = subprocess.run(command, cwd=site.root, env=surroundings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((site.root / "results" / "results.json").read_text("utf-8"))
    validate_results(found)
    taken = read_submission([archive], h25)
    seed = upload_seed(site.secret.read_bytes(), taken.digest, 4711)
    assert found["extra_data"]["seed"] == seed
    expected = gradescope_results(engine.grade(taken, seed), h25.gradescope)
    assert 0 < found["score"] < 87
    for key in ("score", "output", "tests", "extra_data"):
        assert found[key] == expected[key], key

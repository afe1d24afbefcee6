import json
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

from autograder.assignment import assignment_names, load_assignment
from autograder.cli import app
from autograder.gradescope import bundle
from autograder.gradescope.bundle import BundleError, bundle_files, requirements, write_bundle, zipped
from autograder.gradescope.results import validate_results
from autograder.gradescope.self_check import SelfCheckError, self_check
from autograder.grading.report import Status
from tests.sandbox.conftest import needs_root

SECRET = bytes(range(32))
CHECKS = {
    "cmput328_f24": {"cmput328_f24"},
    "ift6135_a22": {"ift6135_a22", "svhn"},
    "ift6135_h23": {"ift6135_h23", "svhn"},
    "ift6135_h25": {"ift6135_h25"},
}
ROOMS = {"checks", "gradescope", "grading", "intake", "report", "sandbox"}
SCORING_DATA = {
    f"scoring/{name}" for name in ("classifier.safetensors", "real_images.json", "second_opinion.safetensors")
}
NOT_IN_A_BUNDLE = (
    "cli.py",
    "messages.py",
    "bundle.py",
    "release/",
    "scoring/training.py",
    ".po",
    ".md",
    ".pyc",
    ".pt",
)
NOBODY = 65534


@pytest.fixture(scope="module")
def bundles():
    """Assignment -> name -> content."""
    return {name: bundle_files(load_assignment(name), SECRET) for name in assignment_names()}


def unpack(files: dict[str, bytes], folder: Path) -> Path:
    """Unpack as the site does: with the rights that the zip says."""
    with tempfile.TemporaryFile() as file:
        file.write(zipped(files))
        archive = zipfile.ZipFile(file)
        for entry in archive.infolist():
            os.chmod(archive.extract(entry, folder), stat.S_IMODE(entry.external_attr >> 16))
    return folder


class TestFiles:
    @pytest.mark.parametrize("name", sorted(CHECKS))
    def test_a_bundle_has_what_its_assignment_needs_and_nothing_else(self, bundles, name):
        assignment, files = load_assignment(name), bundles[name]
        assert {file for file in files if not file.startswith("genlab/")} == {"setup.sh", "run_autograder"}
        inside = {file.removeprefix("genlab/") for file in files if file.startswith("genlab/")}
        top = {file for file in inside if "/" not in file}
        assert top == {"assignment", "not_started.json", "requirements.txt", "secret"}

        package = {file.removeprefix("autograder/") for file in inside if file.startswith("autograder/")}
        rooms = {file.partition("/")[0] for file in package if "/" in file}
        scoring = {"scoring"} if assignment.checkpoints else set()
        assert rooms == ROOMS | scoring | ({"locale"} if assignment.language == "fr" else set())
        assert {file.split("/")[1] for file in package if re.match("checks/.+/", file)} == CHECKS[name]
        here = Path(bundle.__file__).parents[1]
        for folder in CHECKS[name]:
            checks = {f"checks/{folder}/{path.name}" for path in (here / "checks" / folder).glob("*.py")}
            assert {file for file in package if file.startswith(f"checks/{folder}/")} == checks
        data = {file for file in package if not file.endswith(".py")}
        catalogue = {"locale/fr/LC_MESSAGES/genlab.mo"} if assignment.language == "fr" else set()
        assert data == catalogue | (SCORING_DATA if assignment.checkpoints else set())

        masters = {file.master_path for file in (*assignment.files, *assignment.support)}
        solutions = {os.path.normpath(f"solutions/{name}/{master}") for master in masters}
        solutions |= {"solutions/common/lab/data.py"} if assignment.checkpoints else set()
        solutions.add(f"solutions/{name}/assignment.toml")
        assert inside - top - {f"autograder/{file}" for file in package} == solutions
        assert not [file for file in files if any(part in f"/{file}" for part in NOT_IN_A_BUNDLE)]

    @pytest.mark.parametrize("name", sorted(CHECKS))
    def test_what_a_module_names_from_its_folder_is_there(self, bundles, name):
        package = Path(bundle.__file__).parents[1]
        for file in [file for file in bundles[name] if file.startswith("genlab/autograder/") and file.endswith(".py")]:
            path = package.parent / file.removeprefix("genlab/")
            for data in path.parent.glob("*.*[!y]"):
                named = f'"{data.name}"'.encode() in bundles[name][file] and not data.name.endswith(".schema.json")
                assert not named or f"{Path(file).parent}/{data.name}" in bundles[name], f"{file} reads {data.name}"

    def test_nothing_tells_of_the_machine_that_built_it(self, bundles):
        for files in bundles.values():
            text = b"\n".join(files.values())
            for place in (bundle.REPOSITORY, Path(sys.prefix)):
                assert f"{place}/".encode() not in text

    def test_scripts_are_plain_and_name_no_registry(self, bundles):
        for name in ("setup.sh", "run_autograder"):
            text = bundles["ift6135_h25"][name]
            assert text.startswith(b"#!/usr/bin/env bash\n")
            assert b"\r" not in text
            assert b"http" not in text + bundles["ift6135_h25"]["genlab/requirements.txt"]
            subprocess.run(["bash", "-n"], input=text, check=True)

    def test_a_master_that_is_missing_is_named(self, tmp_path):
        assignment = load_assignment("ift6135_h25").model_copy(update={"folder": tmp_path})
        (tmp_path / "assignment.toml").write_text("")
        with pytest.raises(BundleError, match=re.escape(str(tmp_path))):
            bundle_files(assignment, SECRET)

    def test_a_module_of_the_grader_that_is_missing_is_named(self, monkeypatch):
        monkeypatch.setattr(bundle, "_ENTRIES", ("gradescope.nowhere",))
        with pytest.raises(BundleError, match=r"autograder\.gradescope\.nowhere is missing"):
            bundle_files(load_assignment("ift6135_h25"), SECRET)

    def test_an_empty_secret_is_refused(self):
        with pytest.raises(BundleError, match="secret is empty"):
            bundle_files(load_assignment("ift6135_h25"), b"")


class TestZip:
    def test_the_same_inputs_give_the_same_bytes(self, bundles, tmp_path, monkeypatch):
        files = bundles["ift6135_h25"]
        first = zipped(files)
        monkeypatch.setattr(time, "time", lambda: 2e9)
        monkeypatch.chdir(tmp_path)
        assert zipped(dict(reversed(files.items()))) == first
        write_bundle(load_assignment("ift6135_h25"), SECRET, tmp_path / "new folder" / "a.zip")
        assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["a.zip"]
        assert (tmp_path / "new folder" / "a.zip").read_bytes() == first
        assert (tmp_path / "new folder" / "a.zip").stat().st_mode & 0o077 == 0  # the secret is in it

    def test_rights(self, bundles, tmp_path):
        folder = unpack(bundles["ift6135_h25"], tmp_path)
        modes = {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777 for path in folder.rglob("*.*")}
        assert modes.pop("setup.sh") == 0o755
        assert set(modes.values()) == {0o644}
        assert (folder / "run_autograder").stat().st_mode & 0o777 == 0o755
        assert (folder / "genlab" / "secret").stat().st_mode & 0o777 == 0o600
        assert (folder / "genlab" / "secret").read_bytes() == SECRET


class TestRequirements:
    @pytest.mark.parametrize("name", sorted(CHECKS))
    def test_lie_within_what_was_tested_and_serve_every_import(self, bundles, name):
        assignment = load_assignment(name)
        lines = [Requirement(line) for line in bundles[name]["genlab/requirements.txt"].decode().splitlines()]
        pins = dict(re.findall(r"^(\S+)==(\S+)$", (bundle.REPOSITORY / "requirements.txt").read_text(), re.MULTILINE))
        for line in lines:
            assert line.name not in pins or pins[line.name] in line.specifier, line
            assert line.name not in pins or not line.specifier.contains("99"), line
        exact = [str(line) for line in lines if "==" in str(line.specifier)]
        assert exact == [f"torch=={pins['torch']}", f"torchvision=={pins['torchvision']}"]
        names = {line.name for line in lines}
        tops = {module.partition(".")[0] for module in assignment.imports} - {"PIL"}  # comes with torchvision
        assert tops | {"pydantic", "pytest"} <= names
        assert names.isdisjoint({"typer", "jupytext", "nbformat", "jsonschema", "ruff", "mypy", "hypothesis"})
        assert ("safetensors" in names) == bool(assignment.checkpoints)
        assert [str(line.marker) for line in lines if line.marker] == ['python_version < "3.11"']

    def test_a_package_of_the_course_alone_is_taken_from_the_manifest(self):
        assignment = load_assignment("ift6135_h25").model_copy(update={"requirements": ("lpips>=0.1",)})
        assert requirements(assignment, ["numpy"])[-1] == "lpips>=0.1"


FAKE_UV = """#!{python}
import pathlib, sys, sysconfig, venv
with open({log!r}, "a") as log:
    print(*sys.argv[1:], file=log)
if sys.argv[1] == "venv":
    venv.create(sys.argv[-1], symlinks=True)
elif sys.argv[1:3] == ["pip", "install"]:
    prefix = pathlib.Path(sys.argv[sys.argv.index("--python") + 1]).parents[1]
    (prefix / sysconfig.get_path("purelib", vars={{"base": ""}})[1:] / "libraries.pth").write_text({libraries!r})
    sys.exit({status})
"""


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def container():
    """A folder like the container's, whose parents everybody may enter, with fake installers on the path."""
    with tempfile.TemporaryDirectory(prefix="genlab-test-") as name:
        root = Path(name)
        root.chmod(0o755)
        for folder in ("bin", "autograder", "autograder/submission"):
            (root / folder).mkdir()
        script(root / "bin" / "python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        fake_uv(root)
        yield root


def fake_uv(root: Path, status: int = 0) -> None:
    values = {"python": sys.executable, "log": str(root / "log"), "libraries": sysconfig.get_path("purelib")}
    script(root / "bin" / "uv", FAKE_UV.format(**values, status=status))


def play(root: Path, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the bundle in the container."""
    environment |= {"GENLAB_ROOT": str(root / "autograder"), "GENLAB_ENVIRONMENT": str(root / "env")}
    environment |= {"PATH": f"{root / 'bin'}:/usr/bin:/bin", "HOME": str(root)}
    command = ["bash", str(root / "autograder" / "source" / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def as_nobody(*command: object) -> subprocess.CompletedProcess[str]:
    nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd="/", **nobody)


@needs_root
class TestSetup:
    @pytest.mark.slow
    def test_makes_an_environment_closes_the_folder_and_grades_the_reference(self, bundles, container):
        source = unpack(bundles["ift6135_h25"], container / "autograder" / "source")
        assert as_nobody("cat", source / "setup.sh").returncode == 0
        done = play(container, "setup.sh")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the reference solution of ift6135_h25 earns 87 points" in done.stdout
        assert "torch" in done.stdout

        log = (container / "log").read_text()
        assert f"--torch-backend cpu --python {container}/env/bin/python" in log
        assert f"--requirement {source}/genlab/requirements.txt" in log
        sources = {path.stem for path in source.rglob("autograder/**/*.py")}
        assert {path.name.partition(".")[0] for path in source.rglob("*.pyc")} == sources

        assert as_nobody("ls", source.parent).stdout.split() == ["source", "submission"]
        paths = [source, *source.rglob("*")]
        assert {(path.stat().st_uid, path.stat().st_mode & 0o077) for path in paths} == {(0, 0)}
        seen = as_nobody("find", source)
        assert seen.stdout.split() == [str(source)]
        assert as_nobody("cat", *[path for path in paths if path.is_file()]).stdout == ""
        assert as_nobody("ls", container / "env" / "lib").returncode == 0

    def test_python_is_installed_where_it_is_missing(self, bundles, container):
        unpack(bundles["ift6135_h25"], container / "autograder" / "source")
        fake_uv(container, status=1)
        ready = container / "ready"
        python = f'#!/bin/sh\n[ -e "{ready}" ] || exit 1\nexec "{sys.executable}" "$@"\n'
        script(container / "bin" / "python3", python)
        script(
            container / "bin" / "apt-get",
            f'#!/bin/sh\necho "$@" >>"{container}/apt"\n[ "$1" = update ] || : >"{ready}"\n',
        )
        done = play(container, "setup.sh")
        assert "python3 python3-venv" in (container / "apt").read_text()
        assert "requirements.txt were not installed" in done.stderr  # Python is there; now the packages fail
        assert done.returncode == 1

    @pytest.mark.parametrize(
        ("status", "word"), [(1, "could not be installed by apt-get"), (0, "3.10 or newer is needed")]
    )
    def test_without_a_python_the_image_is_not_built(self, bundles, container, status, word):
        unpack(bundles["ift6135_h25"], container / "autograder" / "source")
        script(container / "bin" / "python3", "#!/bin/sh\nexit 1\n")
        script(container / "bin" / "apt-get", f"#!/bin/sh\nexit {status}\n")
        done = play(container, "setup.sh")
        assert done.returncode == 1
        assert word in done.stderr
        assert "Ubuntu 22.04" in done.stderr

    def test_a_zip_that_was_packed_anew_is_recognised(self, bundles, container):
        folder = unpack(bundles["ift6135_h25"], container / "autograder" / "source")
        shutil.move(folder / "genlab", folder / "other")
        done = play(container, "setup.sh")
        assert done.returncode == 1
        assert "genlab gradescope" in done.stderr

    def test_an_ordinary_user_is_told_to_be_root(self, bundles, container):
        source = unpack(bundles["ift6135_h25"], container / "autograder" / "source")
        done = as_nobody("bash", source / "setup.sh")
        assert done.returncode == 1
        assert "as root" in done.stderr


class TestSelfCheck:
    def test_a_module_that_is_missing_is_named(self, h25):
        with pytest.raises(SelfCheckError, match="no_such_module cannot be imported"):
            self_check(h25.model_copy(update={"imports": (*h25.imports, "no_such_module")}))

    def test_a_reference_that_does_not_earn_everything_is_no_reference(self, h25, tmp_path):
        folder = tmp_path / h25.id
        shutil.copytree(h25.folder, folder)
        shutil.copytree(h25.folder.parent / "common", tmp_path / "common")
        text = (folder / "q1_vae.py").read_text()
        (folder / "q1_vae.py").write_text(text.replace("def log_mean_exp(", "def renamed("))
        with pytest.raises(SelfCheckError, match=r"does not earn all points\n.*log_mean_exp"):
            self_check(h25.model_copy(update={"folder": folder}))


class TestRun:
    """The script `run_autograder`, with an interpreter that says how it was called."""

    @pytest.fixture
    def site(self, bundles, container):
        unpack(bundles["ift6135_a22"], container / "autograder" / "source")
        (container / "env" / "bin").mkdir(parents=True)
        return container

    def test_calls_the_grader_in_clean_surroundings(self, site):
        script(site / "env" / "bin" / "python", "#!/bin/sh\npwd\necho $@\nenv\n")
        done = play(
            site, "run_autograder", TIMEOUT_SECONDS="600", SUBMISSION_URL="x", PYTHONPATH="/evil", LD_PRELOAD=""
        )
        assert done.returncode == 0, done.stderr
        place, call, *environment = done.stdout.splitlines()
        root = site / "autograder"
        assert place == str(root)
        entry = "-I -m autograder.gradescope.run ift6135_a22"
        assert call == f"{entry} --root {root} --secret {root}/source/genlab/secret"
        names = {line.partition("=")[0] for line in environment} - {"PWD", "OLDPWD", "SHLVL", "_"}
        threads = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
        assert names == {"PATH", "HOME", "LANG", "TIMEOUT_SECONDS"} | threads
        assert "TIMEOUT_SECONDS=600" in environment
        assert {line for line in environment if "THREADS" in line} == {f"{name}=1" for name in threads}

    def test_a_time_that_the_site_does_not_say_is_not_made_up(self, site):
        script(site / "env" / "bin" / "python", "#!/bin/sh\nenv\n")
        assert "TIMEOUT_SECONDS" not in play(site, "run_autograder").stdout

    @pytest.mark.parametrize("python", [None, "#!/bin/sh\nkill -9 $$\n", "#!/bin/sh\nexit 1\n"])
    def test_a_grader_that_ends_without_a_word_leaves_results_that_blame_and_pay_nobody(self, site, python):
        if python:
            script(site / "env" / "bin" / "python", python)
        assert play(site, "run_autograder").returncode != 0
        folder = site / "autograder" / "results"
        assert [path.name for path in folder.iterdir()] == ["results.json"]
        results = json.loads((folder / "results.json").read_text())
        validate_results(results)
        assert "score" not in results
        assert results == bundle.not_started(load_assignment("ift6135_a22"))
        assert results["output"]
        assert [test["visibility"] for test in results["tests"]] == ["hidden"]  # so that no total is shown
        assert sum(test["score"] + test["max_score"] for test in results["tests"]) == 0

    def test_what_the_grader_writes_takes_the_place_of_that(self, site):
        results = site / "autograder" / "results" / "results.json"
        script(
            site / "env" / "bin" / "python",
            f'#!/bin/sh\necho graded >"{results}.new"\nmv "{results}.new" "{results}"\n',
        )
        play(site, "run_autograder")
        assert results.read_text() == "graded\n"


# Libraries are imported once; each tree is graded with in a process of its own, which finds the package there alone.
GRADE_IN_TREES = """
import importlib, json, os, sys, tempfile
import numpy, pydantic, pytest, torch

def grade(tree, name, seed):
    sys.path.insert(0, tree)
    import autograder
    assert autograder.__file__ == f"{tree}/autograder/__init__.py", autograder.__file__
    from autograder.assignment import load_assignment
    from autograder.grading.engine import Engine
    assignment = load_assignment(name)
    with Engine(assignment) as engine:
        from autograder.intake import read_submission
        folder = tempfile.mkdtemp(dir=".")
        for file in assignment.files:
            os.makedirs(os.path.dirname(f"{folder}/{file.name}"), exist_ok=True)
            with open(f"{folder}/{file.name}", "w") as copy:
                copy.write(assignment.master(file).read_text("utf-8"))
        submission = read_submission([__import__("pathlib").Path(folder)], assignment)
        report = engine.grade(submission, seed, only=json.loads(sys.argv[3])[name])
    importlib.import_module("autograder.gradescope.worker")
    assert not [module for module in sys.modules if module.startswith("autograder.release")]
    return {unit.name: [unit.earned, unit.status.value] for unit in report.units if unit.checks}

for name in json.loads(sys.argv[3]):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            print(json.dumps([name, grade(f"{sys.argv[1]}/{name}/genlab", name, int(sys.argv[2]))]), flush=True)
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0, name
"""


@pytest.mark.slow
def test_what_is_unpacked_loads_all_checks_and_grades_as_the_repository_does(
    bundles, tmp_path, engine, make_submission
):
    units = {name: [load_assignment(name).units[0].name] for name in bundles}
    units["ift6135_h25"] = [unit.name for unit in load_assignment("ift6135_h25").units if unit.file == "q1_vae.py"]
    for name, files in bundles.items():
        unpack(files, tmp_path / name)
    (tmp_path / "elsewhere").mkdir()
    environment = {"PATH": os.defpath, "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-I", "-c", GRADE_IN_TREES, str(tmp_path), "5", json.dumps(units)],
        **{"capture_output": True, "text": True, "timeout": 500},
        cwd=tmp_path / "elsewhere",
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    found = dict(map(json.loads, done.stdout.splitlines()))
    for name in bundles:
        points = {unit.name: unit.points for unit in load_assignment(name).units}
        assert found[name] == {unit: [points[unit], Status.PASSED.value] for unit in units[name]}
    report = engine.grade(make_submission(), 5, only=units["ift6135_h25"])
    assert found["ift6135_h25"] == {unit.name: [unit.earned, unit.status.value] for unit in report.units if unit.checks}


class TestCommand:
    def run(self, *arguments: object):
        environment = {"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"}
        return CliRunner().invoke(app, ["gradescope", *map(str, arguments)], env=environment)

    def test_writes_the_zip_makes_a_secret_and_says_what_to_set(self, tmp_path):
        output, secret = tmp_path / "autograder.zip", tmp_path / "course" / "secret"
        result = self.run("ift6135_h25", "-o", output, "--secret", secret)
        assert result.exit_code == 0, result.output
        assert f"{output}, {output.stat().st_size / 1e6:.1f} MB" in result.output
        settings = load_assignment("ift6135_h25").gradescope
        for words in ("Ubuntu 22.04", "87", f"{settings.timeout_minutes:g} minutes", f"{settings.memory_mb} MB"):
            assert words in result.output
        assert secret.stat().st_mode & 0o077 == 0
        with zipfile.ZipFile(output) as archive:
            assert archive.read("genlab/secret") == secret.read_bytes()

    def test_errors_are_one_sentence(self, tmp_path):
        (tmp_path / "file").write_text("")
        secret = ("--secret", tmp_path / "secret")
        for arguments, word in (
            (("nothing",), "no assignment 'nothing'"),
            (("ift6135_h25", "-o", tmp_path, *secret), f"{tmp_path} cannot be written"),
            (("ift6135_h25", "-o", tmp_path / "file" / "a.zip", *secret), "a.zip cannot be written"),
            (("ift6135_h25", "-o", tmp_path / "a.zip", "--secret", tmp_path / "file" / "s"), "name another file"),
            (("ift6135_h25", "-o", tmp_path / "a.zip", "--secret", tmp_path / "file"), "secret is empty"),
        ):
            result = self.run(*arguments)
            assert result.exit_code == 2, result.output
            assert word in result.output
            assert not (tmp_path / "a.zip").exists()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "secret"]


def test_the_scripts_are_in_the_package_data():
    project = bundle.tomllib.loads((bundle.REPOSITORY / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    assert all(any(Path(name).match(pattern) for pattern in patterns) for name in bundle.SCRIPTS)

"""Behaviour of `python -m tools.zip`: exactly what is asked for, and a word on everything that is wrong."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from autograder.assignment import assignment_names, load_assignment
from autograder.intake import read_submission
from autograder.intake.exported import slice_files
from autograder.language import speaking
from autograder.release import parse_masters, release_files
from autograder.release.tools import facts_of
from autograder.student import trial
from autograder.student import zip as tool
from autograder.student.export import run as export
from autograder.student.facts import Facts
from tests.student.conftest import WALK, write_notebook

WALK_DONE = WALK.replace("= None", "= 1").replace("raise NotImplementedError(", "str(")
PLOT_DONE = '"""Drawing."""\n\nfrom walk import distance\n\n\ndef title(points):\n    return str(distance(points))\n'
WEIGHTS = ("weights/Walk.pt", "weights/Extra.pt")


@pytest.fixture
def finished(folder: Path) -> Path:
    """A folder with everything that is asked for."""
    (folder / "walk.py").write_text(WALK_DONE)
    (folder / "plot.py").write_text(PLOT_DONE)
    (folder / "weights").mkdir()
    for name in WEIGHTS:
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def no_trial(monkeypatch):
    """Without the process that imports: for what is seen before it."""
    monkeypatch.setattr(tool, "failures", lambda *arguments: {})


def run(folder: Path, facts: Facts) -> tuple[list[str], bool, dict[str, bytes]]:
    """Make the zip: what is said, whether all is well, and what is in it."""
    output = folder / "walks.zip"
    lines, good = tool.run(folder, output, facts)
    if not output.exists():
        return lines, good, {}
    with zipfile.ZipFile(output) as archive:
        return lines, good, {name: archive.read(name) for name in archive.namelist()}


def test_a_finished_folder_gives_exactly_what_is_asked_for(finished, facts):
    (finished / "notes.txt").write_text("mine")
    lines, good, content = run(finished, facts)
    assert lines[:-2] == [f"  {name}: good." for name in ("walk.py", "plot.py", *WEIGHTS)]
    assert lines[-2].endswith("walks.zip: 4 of 4 files, 0.0 MB.")
    assert lines[-1] == "Every file is in it and can be imported: hand it in."
    assert good
    assert content == {name: (finished / name).read_bytes() for name in ("plot.py", "walk.py", *WEIGHTS[::-1])}


@pytest.mark.usefixtures("no_trial")
def test_the_same_files_give_the_same_bytes_and_the_old_zip_is_replaced(finished, facts):
    run(finished, facts)
    first = (finished / "walks.zip").read_bytes()
    (finished / "walk.py").write_text((finished / "walk.py").read_text())
    run(finished, facts)
    assert (finished / "walks.zip").read_bytes() == first
    (finished / "plot.py").unlink()
    _, good, content = run(finished, facts)
    assert not good
    assert sorted(content) == ["walk.py", *sorted(WEIGHTS)]
    assert [path.name for path in finished.iterdir() if "zip" in path.name] == ["walks.zip"]


@pytest.mark.usefixtures("no_trial")
def test_an_old_zip_survives_a_failure(finished, facts, monkeypatch):
    run(finished, facts)
    before = (finished / "walks.zip").read_bytes()
    (finished / "walk.py").write_text("x = 1\n")

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail)
        lines, good, _ = run(finished, facts)
    assert lines[-1].endswith("walks.zip cannot be written: No space left on device.")
    assert not good
    assert (finished / "walks.zip").read_bytes() == before
    assert not [path for path in finished.iterdir() if path.name.startswith(".")]


def rename(old: str, new: str):
    def change(folder: Path) -> None:
        (folder / new).parent.mkdir(parents=True, exist_ok=True)
        (folder / old).rename(folder / new)

    return change


def write(name: str, content: bytes):
    return lambda folder: (folder / name).write_bytes(content)


def to_notebook(folder: Path) -> None:
    (folder / "walk.py").unlink()
    write_notebook(folder / "walks (1).ipynb", ["x = 1"])


def notebook_in_its_place(folder: Path) -> None:
    write_notebook(folder / "walk.py", ["x = 1"])


TROUBLE = [
    (lambda folder: (folder / "plot.py").unlink(), "! plot.py: missing.", False),
    (rename("walk.py", "Walk.py"), "! walk.py: taken from Walk.py; rename that to walk.py.", True),
    (rename("walk.py", "walk (1).py"), "! walk.py: taken from walk (1).py; rename that to walk.py.", True),
    (rename("walk.py", "walk.py.txt"), "! walk.py: taken from walk.py.txt; rename that to walk.py.", True),
    (rename("walk.py", "old/walk.py"), "! walk.py: missing here, but it lies in another folder: old/walk.py;", False),
    (to_notebook, '! walk.py: missing; export it: python -m tools.export "walks (1).ipynb"', False),
    (notebook_in_its_place, "! walk.py: this is a notebook and no Python code; export it by", True),
    (write("walk.py", b"x = 1\ndef f(:\n"), "! walk.py: line 2: not valid Python: ", True),
    (write("walk.py", b"x = 1\n!pip install x\n"), "! walk.py: line 2: only a notebook understands this;", True),
    (write("walk.py", "x = 1\n# é".encode("latin-1")), "! walk.py: line 2: not UTF-8 text; save it as UTF-8.", True),
    (write("walk.py", b"\n"), "! walk.py: empty; save it, or export it from its notebook.", True),
    (write("walk.py", b"#" * 21_000), "! walk.py: not taken, because it is larger than 20 kB;", False),
    (write("weights/Walk.pt", b"x" * 1_100_000), "! weights/Walk.pt: not taken, because it is larger than 1 MB;", None),
    (rename("weights/Walk.pt", "Walk.pt"), "- weights/Walk.pt: taken from Walk.pt.", None),
    (rename("weights/Walk.pt", "x.pt"), "! weights/Walk.pt: missing, so the samples of this model cannot", None),
    (rename("weights/Extra.pt", "x.pt"), "- weights/Extra.pt: missing; only the bonus needs it.", None),
    (write("walk.py", WALK.encode()), "- walk.py: still TODO: distance, Walk.step, start and turn", True),
    (write("walk.py", b"start = 2\n"), "- walk.py: the given file had these names, too: STEP, limit, turn, ", True),
]


@pytest.mark.usefixtures("no_trial")
@pytest.mark.parametrize(("change", "says", "has_walk"), TROUBLE, ids=[says[:60] for _, says, _ in TROUBLE])
def test_trouble_is_named_and_what_there_is_is_packed(finished, facts, change, says, has_walk):
    change(finished)
    lines, good, content = run(finished, facts)
    said = [line for line in lines if line.startswith(says)]
    assert len(said) == 1, lines
    assert good is says.startswith("-")
    assert set(content) <= {"walk.py", "plot.py", *WEIGHTS}
    name = says.split(":")[0][2:]
    if has_walk is not None:
        assert (name in content) is has_walk
    else:
        assert (name in content) is ("taken from" in says)


@pytest.mark.usefixtures("no_trial")
def test_several_copies_are_not_chosen_from(finished, facts):
    (finished / "walk.py").rename(finished / "walk (1).py")
    (finished / "walk (2).py").write_text("x = 1\n")
    lines, good, content = run(finished, facts)
    assert "! walk.py: missing, but walk (1).py and walk (2).py look like it; rename the right one to walk.py." in lines
    assert not good
    assert "walk.py" not in content


@pytest.mark.usefixtures("no_trial")
def test_more_than_is_accepted_loses_its_largest_weights(finished, facts):
    (finished / WEIGHTS[0]).write_bytes(b"x" * 600_000)
    (finished / WEIGHTS[1]).write_bytes(b"x" * 700_000)
    lines, good, content = run(finished, facts)
    assert any(
        line.startswith("! weights/Extra.pt: left out, because everything together may have 1 MB") for line in lines
    )
    assert not good
    assert sorted(content) == ["plot.py", "walk.py", "weights/Walk.pt"]


def test_without_any_code_there_is_no_zip(finished, facts):
    for name in ("walk.py", "plot.py"):
        (finished / name).unlink()
    lines, good, content = run(finished, facts)
    assert (lines[-1], good, content) == ("There is no code to hand in, so no zip was made.", False, {})


@pytest.mark.usefixtures("no_trial")
def test_a_notebook_with_newer_code_is_named(finished, facts):
    write_notebook(finished / "walks.ipynb", ["#| export walk.py\ndef distance(points):\n    return 3\n"])
    lines, good, _ = run(finished, facts)
    assert any(line.startswith("- walks.ipynb: holds other code than walk.py; ") for line in lines)
    assert good
    export([finished / "walks.ipynb"], finished, facts)
    assert not any("walks.ipynb" in line for line in run(finished, facts)[0])
    write_notebook(finished / "walks.ipynb", ["#| export walk.py\ndef distance(points:\n"])
    assert any("cannot be exported to walk.py" in line for line in run(finished, facts)[0])


# ---- imports


def test_what_cannot_be_imported_is_told_with_its_line(finished, facts):
    (finished / "walk.py").write_text("import math\n\n\nx = undefined\n")
    lines, good, content = run(finished, facts)
    assert "! walk.py: cannot be imported (line 4): NameError: name 'undefined' is not defined." in lines
    assert "! plot.py: cannot be imported (walk.py, line 4): NameError: name 'undefined' is not defined." in lines
    assert not good
    assert "walk.py" in content


def test_each_way_not_to_be_imported(folder, facts):
    sources = {
        "a.py": b"import nowhere_to_be_found\n",
        "b.py": b"import os\nos._exit(0)\n",
        "c.py": b"while True:\n    pass\n",
        "d.py": b"raise SystemExit(3)\n",
        "e.py": b"from lab import settings\nprint(settings.SEED, input)\nopen('out', 'w').write('x')\n",
        "f.py": b"import nothing_here.at_all\n",
    }
    found = trial.failures(folder, sources, facts, seconds=1.5)
    assert {name: failure.error for name, failure in found.items()} == {
        "a.py": "ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        "b.py": "it ended Python",
        "c.py": "it took longer than 1.5 seconds",
        "d.py": "SystemExit: 3",
        "f.py": "ModuleNotFoundError: No module named 'nothing_here'",
    }
    assert found["a.py"].missing == "nowhere_to_be_found"
    assert (found["d.py"].file, found["d.py"].line) == ("d.py", 1)
    assert not (folder / "out").exists()


# ---- what the grader says


@pytest.mark.usefixtures("no_trial")
@pytest.mark.parametrize("name", assignment_names())
def test_the_grader_accepts_the_zip_without_a_note(name, tmp_path):
    assignment = load_assignment(name)
    for file, text in release_files(assignment).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, "utf-8")
    for checkpoint in assignment.checkpoints:
        (tmp_path / checkpoint.name).parent.mkdir(exist_ok=True)
        (tmp_path / checkpoint.name).write_bytes(b"\0" * 100_000)
    facts = facts_of(assignment, {file: master.stub for file, master in parse_masters(assignment).items()})
    lines, good = tool.run(tmp_path, tmp_path / f"{name}.zip", facts)
    assert good, lines
    taken = read_submission([tmp_path / f"{name}.zip"], assignment)
    with speaking(assignment.language):  # of the given code, some lines are not run, as in every submission
        sliced = slice_files({file: (tmp_path / file).read_text("utf-8") for file in facts.names}, assignment)
    assert taken.notes == (sliced.notes if assignment.exported else [])
    assert (taken.refusal, taken.missing, taken.missing_checkpoints) == ("", [], [])
    assert sorted(taken.sources) == sorted(file.name for file in assignment.files)
    assert all(len(content) == 100_000 for content in taken.checkpoints.values())

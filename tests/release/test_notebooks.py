"""Behaviour of autograder/release/notebooks.py, on the small assignment of conftest.py with a notebook."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from autograder.assignment import Assignment, load_assignment
from autograder.cli import app
from autograder.release.archive import write_zip
from autograder.release.bundle import release_assignment, release_files
from autograder.release.folder import STAMP, ReleaseError
from autograder.release.notebooks import build_notebook, notebook_files, notebook_words, release_notebooks

MASTER = """\
# %% [markdown]
# # Walks
# **Question 2.1.** Fill `walk.py`; export `walks.ipynb`.

# %% tags=["parameters"]
STEPS = 3  # published: 100

# %% file="q1_disc.py" take="imports"

# %% file="walk.py" take="imports"

# %% file="q1_disc.py" take="area"

# %%
# question 2.1 of the second part, in walk.py
print(area(2.0))

# %% file="walk.py" take="Walk, HALF, START"

# %% file="walk.py" take="left"

# %% solved="your figure for question 2.1"
print("the walk of the solved notebook", left, STEPS)

# %% file="walk.py" take="helpers of the walk"
"""

WALK = '''\
"""A walk on a line."""

import math
from q1_disc import area
from lab.settings import (
    STEP_LENGTH,
)

# Half a step,
# rounded.
HALF = round(STEP_LENGTH / 2)
START: float = area(math.pi)

# Signs of both directions.
# BEGIN SOLUTION 2.1 signs
left = -1.0  # towards smaller numbers
right = 1.0
# END SOLUTION
# BEGIN SOLUTION 2.1 helpers of the walk
def flipped_direction(sign):
    return -sign
# END SOLUTION


class Walk:
    """A walk."""

    def step(self, sign):
        """Walk one step."""
        # BEGIN SOLUTION 2.1 Walk.step
        self.last_position = sign * STEP_LENGTH
        # END SOLUTION


def main():
    print(Walk())


if __name__ == "__main__":
    main()
'''


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def master(solutions: Path) -> Path:
    """The master of the notebook; the manifest names it."""
    notebook = 'notebooks = [{name = "1 gänge.ipynb", master = "walks.py", files = ["q1_disc.py", "q2_walk.py"]}]'
    replace(solutions / "demo" / "assignment.toml", "scratch_dirs", f"{notebook}\nscratch_dirs")
    (solutions / "shared" / "walk.py").write_text(WALK, "utf-8")
    path = solutions / "demo" / "walks.py"
    path.write_text(MASTER, "utf-8")
    return path


@pytest.fixture
def assignment(master: Path, solutions: Path) -> Assignment:
    return load_assignment("demo", solutions)


def cells(assignment: Assignment, solved: bool = False) -> list[nbformat.NotebookNode]:
    """The cells behind the first one, which sets up."""
    return build_notebook(assignment, assignment.notebooks[0], release_files(assignment), solved).cells[1:]


def sources(assignment: Assignment, solved: bool = False) -> list[str]:
    return [cell.source for cell in cells(assignment, solved)]


def test_the_cells_of_a_students_notebook(assignment):
    assert sources(assignment) == [
        "# Walks\n**Question 2.1.** Fill `q2_walk.py`; export `1 gänge.ipynb`.",
        "STEPS = 3  # published: 100",
        "#| export q1_disc.py\nimport math",
        "#| export q2_walk.py\nimport math\nfrom lab.settings import (\n    STEP_LENGTH,\n)",
        '#| export q1_disc.py\ndef area(radius):\n    """Area of a disc, in the squared unit of `radius`."""\n'
        "    # TODO 1.1 area: write your code here and remove the next line.\n"
        '    raise NotImplementedError("question 1.1: area")',
        "# question 2.1 of the second part, in q2_walk.py\nprint(area(2.0))",
        '#| export q2_walk.py\nclass Walk:\n    """A walk."""\n\n'
        '    def step(self, sign):\n        """Walk one step."""\n'
        "        # TODO 2.1 Walk.step: write your code here and remove the next line.\n"
        '        raise NotImplementedError("question 2.1: Walk.step")\n\n\n'
        "# Half a step,\n# rounded.\nHALF = round(STEP_LENGTH / 2)\nSTART: float = area(math.pi)",
        "#| export q2_walk.py\n# Signs of both directions.\n"
        "# TODO 2.1 signs: write your code in the place of each None.\nleft = None\nright = None",
        "# The notebook goes on from here when the cell above is filled in.\n"
        "if any(value is None for value in (left, right)):\n"
        '    raise NotImplementedError("question 2.1: signs")',
        "# your figure for question 2.1",
        "#| export q2_walk.py\n# TODO 2.1 helpers of the walk: room for classes and functions of your own.",
    ]


def test_the_solved_notebook_has_the_solutions_without_their_markers(assignment):
    solved = sources(assignment, solved=True)
    assert len(solved) == len(sources(assignment)) - 1  # nothing to stop for
    assert "squared_radius = radius * radius\n    return math.pi * squared_radius" in solved[4]
    assert solved[7] == (
        "#| export q2_walk.py\n# Signs of both directions.\nleft = -1.0  # towards smaller numbers\nright = 1.0"
    )
    assert solved[8] == 'print("the walk of the solved notebook", left, STEPS)'
    assert solved[9] == "#| export q2_walk.py\ndef flipped_direction(sign):\n    return -sign"
    assert not any("SOLUTION" in source or "TODO" in source for source in solved)


def test_ids_are_unique_and_of_the_name_and_the_place(assignment):
    made = build_notebook(assignment, assignment.notebooks[0], release_files(assignment))
    ids = [cell.id for cell in made.cells]
    assert len(set(ids)) == len(ids)
    assert ids[:3] == ["1-g-nge-setup", "1-g-nge-01", "1-g-nge-02"]
    assert "1-g-nge-08-todo" in ids
    assert made.metadata.kernelspec.name == "python3"
    assert made.cells[2].metadata.tags == ["parameters"]


def test_a_cell_that_waits_for_names_goes_on_when_they_have_values(assignment):
    guard = next(source for source in sources(assignment) if "is None" in source)
    with pytest.raises(NotImplementedError, match=r"^question 2\.1: signs$"):
        exec(guard, {"left": 1.0, "right": None})
    exec(guard, {"left": 0.0, "right": 1.0})


def test_notebooks_are_the_same_each_time_whatever_the_line_ends(assignment, solutions):
    files = notebook_files(assignment)
    for path in solutions.rglob("*.*"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert notebook_files(assignment) == files


REFUSED = {
    "unknown file": (
        'file="walk.py" take="imports"',
        'file="run.py" take="imports"',
        r"walks\.py:10: 'run\.py' is not",
    ),
    "unknown piece": ('take="area"', 'take="volume"', r"walks\.py:12: .* no piece 'volume'; it has imports, area"),
    "later name of a block": ('take="left"', 'take="right"', r"walks\.py:20: right comes with 'left'"),
    "twice": ('take="left"', 'take="left, Walk"', r"walks\.py:20: Walk of q2_walk\.py is taken in \S*walks\.py:18"),
    "not all": ('take="Walk, HALF', 'take="HALF', r"walks\.py: Walk of q2_walk\.py: it is graded"),
    "no room to write": ('take="helpers of the walk"', 'take="main"', r"walks\.py: helpers of the walk of q2_walk"),
    "a body": ('take="area"\n', 'take="area"\nprint(1)\n', r"walks\.py:12: a cell with `take` has no code"),
    "take alone": ('file="q1_disc.py" take="area"', 'take="area"', r"walks\.py:12: .* both keys"),
    "an answer in words": ("# %% [markdown]", '# %% [markdown] solved="x"', r"walks\.py:1: .* only code has the keys"),
    "neither code nor words": ("# %% [markdown]", "# %% [raw]", r"walks\.py:1: a cell is code or \[markdown\]"),
    "unknown key": ('take="area"', 'takes="area"', r"walks\.py:12: takes: no such key"),
    "no parameters": ('tags=["parameters"]', "", r"walks\.py: 0 cells with tags"),
    "two parameters": ("# %%\n#", '# %% tags=["parameters"]\n#', r"walks\.py: 2 cells with tags"),
    "text before": ("# %% [markdown]\n", "import math\n\n# %% [markdown]\n", r"walks\.py: .* the first one too"),
    "marker": ("print(area", "# BEGIN SOLUTION 2.1 x\nprint(area", r"walks\.py:16: a solution marker"),
    "leak": ("print(area(2.0))", "squared_radius = 2.0; squared_radius = radius*radius", r"walks\.py:16: shows a line"),
    "leak in words": ("Fill", "`return math.pi * squared_radius`", r"walks\.py:3: shows a line .* question 1\.1"),
}


@pytest.mark.parametrize(("old", "new", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(assignment, master, old, new, problem):
    replace(master, old, new)
    with pytest.raises(ReleaseError, match=problem):
        notebook_files(assignment)


def test_the_code_of_a_solved_cell_may_be_like_a_solution(assignment, master):
    replace(master, 'print("the walk of the solved notebook", left, STEPS)', "squared_radius = radius * radius")
    notebook_files(assignment)


def test_an_import_of_the_other_file_has_to_give_the_name_itself(assignment, solutions):
    replace(solutions / "shared" / "walk.py", "import area", "import area as disc")
    with pytest.raises(ReleaseError, match=r"walk\.py:4: a notebook holds both files"):
        notebook_files(assignment)


def test_a_missing_master_is_named(assignment, master):
    master.unlink()
    with pytest.raises(ReleaseError, match=r"walks\.py is missing"):
        notebook_files(assignment)


def test_questions_have_the_numbers_of_the_assignment(assignment, master, solutions):
    manifest = solutions / "demo" / "assignment.toml"
    replace(manifest, 'master = "../shared/walk.py"', 'master = "../shared/walk.py", renumber = {"7.1" = "2.1"}')
    replace(solutions / "shared" / "walk.py", "SOLUTION 2.1", "SOLUTION 7.1")
    text = "**Question 7.1.** Not question 7.1.2, nor 7.1 itself."
    replace(master, "# Walks", f"# Walks\n# {text}")
    replace(master, "question 2.1", "question 7.1")
    shown = sources(load_assignment("demo", solutions))
    assert "**Question 2.1.** Not question 7.1.2, nor 7.1 itself." in shown[0]
    assert shown[5].startswith("# question 2.1 of the second part")
    assert "# your figure for question 2.1" in shown


def test_a_french_notebook_has_the_words_of_the_catalogue(assignment, master, solutions, monkeypatch):
    french = {
        "# Walks\n**Question 2.1.** Fill `walk.py`; export `walks.ipynb`.": "# Marches\nDans `walk.py`.",
        "question 2.1 of the second part, in walk.py": "question 2.1, dans walk.py",
        "your figure for question 2.1": "votre figure",
        "Area of a disc, in the squared unit of `radius`.": "L'aire d'un disque.",
    }
    replace(solutions / "demo" / "assignment.toml", 'title = "Discs and walks"', 'title = "D"\nlanguage = "fr"')
    replace(master, "print(area(2.0))", "%matplotlib inline\nprint(area(2.0), 'of the disc')")
    assignment = load_assignment("demo", solutions)

    class Catalogue:
        def gettext(self, message: str) -> str:
            return french.get(message, message)

    monkeypatch.setattr("autograder.release.notebooks.masters_catalogue", lambda language: Catalogue())
    assert set(french) - set(notebook_words(assignment)["1 gänge.ipynb"]) == {
        "Area of a disc, in the squared unit of `radius`.",  # of a submitted file
        "question 2.1 of the second part, in walk.py",  # in a cell with a magic
    }
    shown = sources(assignment)
    assert shown[0] == "# Marches\nDans `q2_walk.py`."
    assert "L'aire d'un disque." in shown[4]
    assert 'NotImplementedError("question 1.1\N{NO-BREAK SPACE}: area")' in shown[4]
    assert shown[5].startswith("# question 2.1 of the second part, in q2_walk.py\n%matplotlib inline")
    assert "# votre figure" in shown
    replace(master, "%matplotlib inline\n", "")
    assert sources(assignment)[5].startswith("# question 2.1, dans q2_walk.py\n")


def setup(assignment: Assignment) -> nbformat.NotebookNode:
    return build_notebook(assignment, assignment.notebooks[0], release_files(assignment)).cells[0]


def test_the_first_cell_is_folded_and_carries_code_and_requirements(assignment):
    cell = setup(assignment)
    assert cell.metadata.cellView == "form"
    assert cell.metadata.jupyter.source_hidden is True
    archive = re.search(r'^set_up\("(.*)"\)$', cell.source, re.MULTILINE)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive[1]))) as files:
        carried = {name: files.read(name).decode() for name in files.namelist()}
    released = release_files(assignment)
    own = ["lab/settings.py", "plot.py", "q1_disc.py", "q2_walk.py", "requirements.txt"]
    tools = [name for name in released if name.startswith("tools/")]
    assert "tools/assignment.json" in tools
    assert carried == {name: released[name] for name in own + tools}


def run_setup(assignment: Assignment, capsys: pytest.CaptureFixture[str]) -> str:
    names: dict[str, object] = {}
    exec(setup(assignment).source, names)
    assert set(names) == {"__builtins__", "set_up"}
    return capsys.readouterr().out


def test_the_first_cell_brings_what_is_not_there_and_leaves_what_is(assignment, tmp_path, monkeypatch, capsys):
    (tmp_path / "alone").mkdir()
    monkeypatch.chdir(tmp_path / "alone")
    Path("q1_disc.py").write_text("# my own\n")
    assert run_setup(assignment, capsys).count("\n") == 1
    assert Path("q1_disc.py").read_text() == "# my own\n"
    assert Path("lab/settings.py").read_text("utf-8") == release_files(assignment)["lab/settings.py"]
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    run_setup(assignment, capsys)
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


def test_the_first_cell_speaks_of_the_gpu(assignment, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert re.match(r"No GPU found: .* Runtime > Change runtime type", run_setup(assignment, capsys))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda number: "a large one")
    assert run_setup(assignment, capsys) == "GPU found: a large one\n"


def test_the_first_cell_installs_only_what_is_missing(assignment, solutions, tmp_path, monkeypatch, capsys):
    wanted = '"numpy>=1.26", "not-installed-anywhere==1.0", "tqdm"'
    replace(solutions / "demo" / "assignment.toml", '"numpy==2.2.3", "tqdm==4.67.1"', wanted)
    monkeypatch.chdir(tmp_path)
    commands: list[list[str]] = []
    monkeypatch.setattr("subprocess.run", lambda command, check: commands.append(command[1:]))
    output = run_setup(load_assignment("demo", solutions), capsys)
    assert commands == [["-m", "pip", "install", "-q", "not-installed-anywhere==1.0"]]
    assert output.startswith("Installing: not-installed-anywhere==1.0\n")


def test_the_first_cell_names_a_large_file_that_is_missing(assignment, solutions, tmp_path, monkeypatch, capsys):
    asset = 'assets = [{name = "data/weights.bin", master = "../shared/weights.bin"}]\n'
    replace(solutions / "demo" / "assignment.toml", "scratch_dirs", f"{asset}scratch_dirs")
    monkeypatch.chdir(tmp_path)
    with_asset = load_assignment("demo", solutions)
    assert "data/weights.bin is missing. Upload it beside this notebook" in run_setup(with_asset, capsys)
    Path("data").mkdir()
    Path("data/weights.bin").write_bytes(b"")
    assert "weights" not in run_setup(with_asset, capsys)


def test_a_folder_of_notebooks_is_made_as_a_whole(assignment, tmp_path):
    paths = release_notebooks(assignment, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [f"demo/{STAMP}", "demo/1 gänge.ipynb"]
    nbformat.validate(json.loads(paths[1].read_text("utf-8")))
    (tmp_path / "other" / "demo").mkdir(parents=True)
    with pytest.raises(ReleaseError, match="was not made by a release"):
        release_notebooks(assignment, tmp_path / "other")


def test_without_notebooks_there_is_no_folder(demo, tmp_path):
    assert release_notebooks(demo, tmp_path / "notebooks") == []
    assert not (tmp_path / "notebooks").exists()


def test_the_zip_holds_one_folder_with_everything_and_is_the_same_each_time(assignment, tmp_path):
    made = []
    for where in ("one", "two"):
        written = {
            tmp_path / where / "assignments" / "demo": release_assignment(assignment, tmp_path / where / "assignments"),
            tmp_path / where / "notebooks" / "demo": release_notebooks(assignment, tmp_path / where / "notebooks"),
        }
        made.append(write_zip("demo", written, tmp_path / where).read_bytes())
    assert made[0] == made[1]
    with zipfile.ZipFile(io.BytesIO(made[0])) as archive:
        assert [name for name in archive.namelist() if not name.startswith("demo/tools/")] == [
            f"demo/{name}"
            for name in (
                *("1 gänge.ipynb", "README.md", "handout.md", "lab/settings.py"),
                *("plot.py", "q1_disc.py", "q2_walk.py", "requirements.txt"),
            )
        ]


@pytest.fixture
def release(assignment, monkeypatch):
    """Runs `genlab release` on the small assignment; returns the exit status and what it said."""
    monkeypatch.setattr("autograder.cli.load_assignment", lambda name: assignment)

    def run(*arguments: object) -> tuple[int, str]:
        plain = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
        result = CliRunner().invoke(app, ["release", "demo", *map(str, arguments)], env=plain)
        return result.exit_code, result.output

    return run


def test_the_command_writes_and_checks_the_notebooks_beside_the_assignment(release, tmp_path):
    folder = tmp_path / "out"
    notebook = folder / "notebooks" / "demo" / "1 gänge.ipynb"
    assert release("-o", folder)[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == ["demo", "notebooks"]
    assert release("--check", "-o", folder) == (0, "")
    notebook.write_bytes(notebook.read_bytes() + b"\n")
    status, said = release("--check", "-o", folder)
    assert (status, said.splitlines()[0]) == (1, "differs: 1 gänge.ipynb")
    assert release("-o", folder, "--notebooks", tmp_path / "books")[0] == 0
    assert (tmp_path / "books" / "demo" / "1 gänge.ipynb").is_file()


def test_the_command_writes_zips_and_solved_notebooks_where_it_is_told(release, tmp_path):
    arguments = ("-o", tmp_path / "out", "--zip", tmp_path / "zips", "--solved", tmp_path / "solved")
    assert release(*arguments)[0] == 0
    assert zipfile.is_zipfile(tmp_path / "zips" / "demo.zip")
    assert "squared_radius" in (tmp_path / "solved" / "demo" / "1 gänge.ipynb").read_text("utf-8")
    assert "squared_radius" not in (tmp_path / "out" / "notebooks" / "demo" / "1 gänge.ipynb").read_text("utf-8")


def test_a_notebook_that_is_refused_leaves_both_folders_as_they_were(release, master, tmp_path):
    replace(master, 'take="area"', 'take="volume"')
    status, said = release("-o", tmp_path / "out")
    assert status == 1
    assert "volume" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folders", [("--solved", "out/notebooks"), ("--solved", "out"), ("--notebooks", "out")])
def test_folders_that_would_write_over_each_other_are_refused(release, tmp_path, monkeypatch, folders):
    monkeypatch.chdir(tmp_path)
    assert release("-o", "out", *folders)[0] == 2
    assert not Path("out").exists()


@pytest.mark.parametrize("option", ["--zip", "--solved"])
def test_a_check_writes_nothing(release, tmp_path, option):
    assert release("--check", "-o", tmp_path, option, tmp_path / "more")[0] == 2

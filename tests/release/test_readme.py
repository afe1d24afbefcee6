"""Behaviour of autograder/release/readme.py, on the small assignment of conftest.py."""

from __future__ import annotations

import re

import pytest

from autograder.assignment import Assignment, load_assignment
from autograder.release.bundle import release_files


@pytest.fixture
def readme(demo: Assignment) -> str:
    return release_files(demo)["README.md"]


def section(readme: str, title: str) -> str:
    return readme.split(f"\n## {title}\n")[1].split("\n## ")[0].strip("\n")


def test_it_starts_with_title_and_points(readme):
    assert readme.startswith("# Discs and walks\n\n18 points in 2 parts. The questions are in `handout.md`.\n")


def cells(text: str) -> list[list[str]]:
    """The rows of the table in `text` below its head, cell by cell."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def test_it_says_what_is_in_the_folder(readme):
    assert cells(section(readme, "What is in this folder")) == [
        ["`handout.md`", "the questions", ""],
        ["`q1_disc.py`", "The area of a disc", "complete and hand in"],
        ["`q2_walk.py`", "A walk on a line, one step at a time", "complete and hand in"],
        ["`lab/settings.py`", "Settings of the walk", "given"],
        ["`plot.py`", "Draw the walk", "given, to run"],
        ["`tools/`", "exports notebooks, makes the zip to hand in", "given, to run"],
        ["`requirements.txt`", "the packages to install", ""],
    ]


def test_tables_are_aligned_as_plain_text(readme):
    for title in ("What is in this folder", "What to hand in", "Questions and points"):
        rows = [line for line in section(readme, title).splitlines() if line.startswith("|")]
        assert len({len(row) for row in rows}) == 1
        assert len(rows) > 3


def test_it_says_what_to_hand_in_and_for_which_points(readme):
    text = section(readme, "What to hand in")
    assert "and a report with your answers" in text
    assert cells(text) == [
        ["`q1_disc.py`", "1.1", "`area`", "3"],
        ["`q2_walk.py`", "2.1", "`Walk.step`", "4"],
    ]


def test_it_lists_all_questions_and_how_they_are_graded(readme):
    text = section(readme, "Questions and points")
    assert cells(text) == [
        ["1.1", "Area of a disc", "3", "auto-graded"],
        ["1.2", "Why pi \\| why not tau", "5", "written"],
        ["2.1", "A random walk", "10", "training, 4 auto-graded"],
        ["total", "", "18", ""],
    ]
    assert [line.split(":")[0] for line in text.splitlines() if line.startswith("- ")] == [
        "- auto-graded",
        "- training",
        "- written",
    ]


def test_it_says_how_to_set_up_and_to_train(readme):
    assert "\n    python -m pip install -r requirements.txt\n    mkdir figures\n" in readme
    training = section(readme, "Training")
    assert "\n    python q2_walk.py  # A walk on a line, one step at a time\n" in training
    assert "\n    python plot.py     # Draw the walk\n" in training
    assert training.endswith("\n- 2.1 A random walk (10 points)")


def test_what_the_assignment_lacks_is_not_spoken_of(solutions):
    path = solutions / "demo" / "assignment.toml"
    text = path.read_text()
    path.write_text(text.replace('"training"', '"written"').replace('scratch_dirs = ["figures"]\n', ""))
    readme = release_files(load_assignment("demo", solutions))["README.md"]
    assert "## Training" not in readme
    assert "mkdir" not in readme
    assert readme.count("\n- ") == 2


def test_a_submitted_file_without_solutions_is_handed_in_as_it_is(solutions):
    path = solutions / "demo" / "assignment.toml"
    text = path.read_text().replace('support = [{name = "lab/settings.py"}]\n', "")
    path.write_text(text.replace("files = [\n", 'files = [\n    {name = "lab/settings.py"},\n'))
    readme = release_files(load_assignment("demo", solutions))["README.md"]
    files = cells(section(readme, "What is in this folder"))
    assert ["`lab/settings.py`", "Settings of the walk", "hand in as it is"] in files
    submitted = cells(section(readme, "What to hand in"))
    assert submitted[0] == ["`lab/settings.py`", "", "no points of its own", ""]


def test_an_auto_graded_assignment_asks_for_no_report(solutions):
    path = solutions / "demo" / "assignment.toml"
    text = path.read_text().replace('    {name = "q2_walk.py", master = "../shared/walk.py"},\n', "").split("[[parts]]")
    only_area = text[1].split("[[parts.questions]]")
    part = only_area[0].replace("points = 8", "points = 3") + "[[parts.questions]]" + only_area[1]
    path.write_text(text[0] + "[[parts]]" + part)
    readme = release_files(load_assignment("demo", solutions))["README.md"]
    assert "3 points in 1 part." in readme
    assert "report" not in readme


CHECKPOINTS = 'checkpoints = [{name = "weights/walk.pt"}, {name = "weights/disc.pt"}]\n'


def with_weights_and_bonus(solutions, language: str = "en") -> str:
    path = solutions / "demo" / "assignment.toml"
    text = path.read_text().replace("scratch_dirs", f"{CHECKPOINTS}scratch_dirs")
    text = text.replace("points = 10\n\n[[parts.q", "points = 10\nbonus = true\n\n[[parts.q")
    path.write_text(f'language = "{language}"\n{text}')
    return release_files(load_assignment("demo", solutions))["README.md"]


def test_it_says_which_weights_to_hand_in(solutions):
    text = section(with_weights_and_bonus(solutions), "What to hand in")
    assert text.startswith("Hand in `demo.zip` with these files")
    assert text.endswith("\n\n- `weights/walk.pt`\n- `weights/disc.pt`")


def test_it_says_how_to_make_the_zip(readme):
    text = section(readme, "How to work")
    assert "`demo.zip`" in text
    assert text.endswith("\n\n    python -m tools.zip")
    assert "notebook" not in text
    assert "pytest" not in text


def with_notebook_and_checks(solutions, monkeypatch, language: str = "en") -> str:
    path = solutions / "demo" / "assignment.toml"
    notebook = 'notebooks = [{name = "all.ipynb", master = "all.py", files = ["q1_disc.py", "q2_walk.py"]}]\n'
    text = path.read_text().replace("scratch_dirs", f"{notebook}scratch_dirs")
    path.write_text(f'language = "{language}"\n{text}')
    monkeypatch.setattr(Assignment, "checks", solutions)
    return release_files(load_assignment("demo", solutions))["README.md"]


def test_notebooks_and_public_checks_are_explained_where_there_are_some(solutions, monkeypatch):
    readme = with_notebook_and_checks(solutions, monkeypatch)
    files = cells(section(readme, "What is in this folder"))
    assert files[1] == ["`all.ipynb`", "the same places as in `q1_disc.py`, `q2_walk.py`", "complete"]
    assert ["`test_public.py`", "the public checks, with `public/`", "given, to run"] in files
    text = section(readme, "How to work")
    assert [line.strip() for line in text.splitlines() if line.startswith("    ")] == [
        "python -m tools.export all.ipynb",
        "pytest",
        "python -m tools.zip",
    ]


def test_the_way_to_work_is_told_in_french_too(solutions, monkeypatch):
    text = section(with_notebook_and_checks(solutions, monkeypatch, "fr"), "Comment travailler")
    for command in ("python -m tools.export all.ipynb", "pytest", "python -m tools.zip"):
        assert f"\n\n    {command}" in text
    assert " :" not in text  # French has a space before it that does not break
    assert " ;" not in text


def test_bonus_is_marked_and_counted_apart(solutions):
    readme = with_weights_and_bonus(solutions)
    assert "\n8 points in 1 part, and 10 bonus points on top. The questions" in readme
    assert cells(section(readme, "Questions and points"))[2:] == [
        ["2.1", "A random walk (bonus)", "10", "training, 4 auto-graded"],
        ["total", "", "8", ""],
        ["bonus", "", "10", ""],
    ]


def test_without_weights_and_bonus_neither_is_spoken_of(readme):
    for word in ("bonus", "weights", "room"):
        assert word not in readme


def test_room_for_helpers_is_explained_where_there_is_some(solutions):
    path = solutions / "demo" / "q1_disc.py"
    path.write_text(path.read_text() + "\n\n# BEGIN SOLUTION 1.1 helpers\ndef f():\n    pass\n\n\n# END SOLUTION\n")
    text = section(release_files(load_assignment("demo", solutions))["README.md"], "What is in this folder")
    assert text.endswith("asks for nothing: put helpers there if you want some.")


def test_an_asset_is_listed_as_given_and_a_module_that_does_nothing_alone_too(solutions):
    (solutions / "demo" / "weights.bin").write_bytes(b"\xff")
    (solutions / "demo" / "plot.py").write_text('"""Draws."""\n')
    path = solutions / "demo" / "assignment.toml"
    asset = 'assets = [{name = "weights.bin", master = "weights.bin"}]\n'
    path.write_text(path.read_text().replace("scratch_dirs", f"{asset}scratch_dirs"))
    files = cells(section(release_files(load_assignment("demo", solutions))["README.md"], "What is in this folder"))
    assert ["`weights.bin`", "", "given"] in files
    assert ["`plot.py`", "Draws", "given"] in files


def test_a_french_assignment_has_a_french_readme(solutions):
    path = solutions / "demo" / "assignment.toml"
    path.write_text('language = "fr"\n' + path.read_text())
    readme = release_files(load_assignment("demo", solutions))["README.md"]
    assert "18 points en 2 parties." in readme
    assert ["2.1", "A random walk", "10", "entraînement, dont 4 en correction automatique"] in cells(
        section(readme, "Questions et points")
    )
    for english in ("You ", "Hand in", "Title", "given", "complete", "graded", "training"):
        assert english not in readme


def plain(solutions, language: str) -> str:
    path = solutions / "demo" / "assignment.toml"
    path.write_text(f'language = "{language}"\n' + path.read_text())
    return release_files(load_assignment("demo", solutions))["README.md"]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("make", [plain, with_weights_and_bonus])
def test_it_is_tidy_plain_text(solutions, make, language):
    readme = make(solutions, language)
    assert readme.endswith("\n")
    assert not readme.endswith("\n\n")
    assert "\n\n\n" not in readme
    assert readme.count("\n## ") == readme.count("\n\n## ") == 6
    assert [line for line in readme.splitlines() if line != line.rstrip()] == []
    assert [line for line in readme.splitlines() if len(line) > 120 and not line.startswith("|")] == []

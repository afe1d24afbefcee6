"""Behaviour of autograder/release/bundle.py, on the small assignment of conftest.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.assignment import load_assignment
from autograder.release.bundle import ReleaseError, release_assignment, release_files, stale
from autograder.release.folder import STAMP
from autograder.release.markers import MarkerError
from autograder.release.tools import ROOTS, closure

NAMES = [
    STAMP,
    "README.md",
    "handout.md",
    "lab/settings.py",
    "plot.py",
    "q1_disc.py",
    "q2_walk.py",
    "requirements.txt",
    *(f"tools/{module.rpartition('.')[2]}.py" for module in closure(ROOTS)),
    "tools/__init__.py",
    "tools/assignment.json",
    "tools/words.json",
    "tools/words.py",
]


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_a_release_has_stubs_and_copies_of_the_rest(demo, solutions, tmp_path):
    paths = release_assignment(demo, tmp_path / "out")
    target = tmp_path / "out" / "demo"
    assert paths == sorted(target / name for name in NAMES)
    assert sorted(tree(target)) == sorted(NAMES)
    assert [path.name for path in target.parent.iterdir()] == ["demo"]
    for name in ("lab/settings.py", "plot.py", "handout.md"):
        assert (target / name).read_bytes() == (solutions / "demo" / name).read_bytes()
    assert (target / "requirements.txt").read_text() == "numpy==2.2.3\ntqdm==4.67.1\n"
    disc = (target / "q1_disc.py").read_text()
    assert "squared_radius" not in disc
    assert 'raise NotImplementedError("question 1.1: area")' in disc
    assert 'raise NotImplementedError("question 2.1: Walk.step")' in (target / "q2_walk.py").read_text()


def test_a_release_is_the_same_each_time(demo, tmp_path):
    release_assignment(demo, tmp_path / "one")
    release_assignment(demo, tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    release_assignment(demo, tmp_path / "one")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_line_ends_of_the_masters_do_not_matter(demo, solutions):
    files = release_files(demo)
    for path in solutions.rglob("*.*"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert release_files(demo) == files


def test_without_a_handout_there_is_none(demo, solutions):
    (solutions / "demo" / "handout.md").unlink()
    files = release_files(demo)
    assert "handout.md" not in files
    assert "handout.md" not in files["README.md"]


def test_a_fresh_release_is_not_stale_and_caches_do_not_count(demo, tmp_path):
    target = release_assignment(demo, tmp_path)[0].parent
    (target / "lab" / "__pycache__").mkdir()
    (target / "lab" / "__pycache__" / "settings.cpython-311.pyc").write_bytes(b"")
    assert stale(demo, tmp_path) == []


def test_stale_names_what_is_missing_different_and_extra(demo, solutions, tmp_path):
    target = release_assignment(demo, tmp_path)[0].parent
    (target / "q1_disc.py").unlink()
    replace(target / "plot.py", "Draw", "Show")
    (target / "lab" / "notes.py").write_text("")
    replace(solutions / "shared" / "walk.py", "Walk one step.", "Walk one step on.")
    assert stale(demo, tmp_path) == [
        "missing: q1_disc.py",
        "differs: plot.py",
        "differs: q2_walk.py",
        "extra: lab/notes.py",
    ]
    release_assignment(demo, tmp_path)
    assert stale(demo, tmp_path) == []


def test_carriage_returns_in_a_released_file_are_a_difference(demo, tmp_path):
    target = release_assignment(demo, tmp_path)[0].parent
    (target / "plot.py").write_bytes((target / "plot.py").read_bytes().replace(b"\n", b"\r\n"))
    assert stale(demo, tmp_path) == ["differs: plot.py"]


def test_everything_is_missing_where_nothing_was_released(demo, tmp_path):
    assert stale(demo, tmp_path) == [f"missing: {name}" for name in sorted(NAMES)]


def test_files_that_are_no_longer_made_go_away(demo, solutions, tmp_path):
    target = release_assignment(demo, tmp_path)[0].parent
    replace(solutions / "demo" / "assignment.toml", 'extras = [{name = "plot.py"}]\n', "")
    release_assignment(load_assignment("demo", solutions), tmp_path)
    assert sorted(tree(target)) == sorted(set(NAMES) - {"plot.py"})


ASSET = b"\x00\xff not text \r\n"


@pytest.fixture
def with_asset(solutions):
    """The small assignment with an asset that comes from another folder."""
    (solutions / "shared" / "weights.bin").write_bytes(ASSET)
    asset = 'assets = [{name = "data/weights.bin", master = "../shared/weights.bin"}]\n'
    replace(solutions / "demo" / "assignment.toml", "scratch_dirs", f"{asset}scratch_dirs")
    return load_assignment("demo", solutions)


def test_assets_are_copied_byte_for_byte(with_asset, tmp_path):
    paths = release_assignment(with_asset, tmp_path)
    target = tmp_path / "demo"
    assert paths == sorted(target / name for name in [*NAMES, "data/weights.bin"])
    assert (target / "data" / "weights.bin").read_bytes() == ASSET
    assert stale(with_asset, tmp_path) == []
    (target / "data" / "weights.bin").write_bytes(ASSET.replace(b"\r", b""))
    assert stale(with_asset, tmp_path) == ["differs: data/weights.bin"]
    (target / "data" / "weights.bin").unlink()
    assert stale(with_asset, tmp_path) == ["missing: data/weights.bin"]


def test_a_missing_asset_is_named_and_nothing_is_released(with_asset, solutions, tmp_path):
    (solutions / "shared" / "weights.bin").unlink()
    for refuse in (release_assignment, stale):
        with pytest.raises(ReleaseError, match=r"weights\.bin is missing; students need it as data/weights\.bin"):
            refuse(with_asset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# BEGIN SOLUTION 1.1 x\n", r"^notes\.txt:2: a solution marker in a given file"),
        ("squared_radius = radius * radius\n", r"^notes\.txt:2: shows a line of the solution of question 1\.1"),
    ],
)
def test_an_asset_that_is_text_is_guarded_like_all_text(solutions, text, words):
    (solutions / "demo" / "notes.txt").write_text(f"notes\n{text}")
    asset = 'assets = [{name = "notes.txt", master = "notes.txt"}]\n'
    replace(solutions / "demo" / "assignment.toml", "scratch_dirs", f"{asset}scratch_dirs")
    with pytest.raises(ReleaseError, match=words):
        release_assignment(load_assignment("demo", solutions), solutions / "out")


@pytest.mark.parametrize("content", [{}, {"q1_disc.py": "my own work"}])
def test_a_folder_that_release_did_not_make_is_left_alone(demo, tmp_path, content):
    target = tmp_path / "demo"
    target.mkdir()
    for name, text in content.items():
        (target / name).write_text(text)
    with pytest.raises(ReleaseError, match=r"demo was not made by a release; move it away"):
        release_assignment(demo, tmp_path)
    assert tree(target) == {name: text.encode() for name, text in content.items()}


def test_a_link_or_a_file_in_the_place_of_the_folder_is_left_alone(demo, tmp_path):
    made = release_assignment(demo, tmp_path / "made")[0].parent
    for number, make in enumerate((lambda path: path.symlink_to(made), lambda path: path.write_text("notes"))):
        dest = tmp_path / str(number)
        dest.mkdir()
        make(dest / "demo")
        with pytest.raises(ReleaseError, match="was not made by a release"):
            release_assignment(demo, dest)
        assert (dest / "demo").is_symlink() or (dest / "demo").read_text() == "notes"


def test_a_wrong_master_leaves_the_old_release(demo, solutions, tmp_path):
    target = release_assignment(demo, tmp_path / "out")[0].parent
    before = tree(target)
    replace(solutions / "shared" / "walk.py", "        # END SOLUTION\n", "")
    with pytest.raises(MarkerError, match=r"shared/walk\.py:18: BEGIN SOLUTION without an END"):
        release_assignment(demo, tmp_path / "out")
    assert tree(target) == before


def _failing_write(monkeypatch):
    write = Path.write_bytes

    def fail_on_the_stamp(path, data):
        if path.name == STAMP:
            raise OSError("no space left")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fail_on_the_stamp)


def _failing_swap(monkeypatch):
    rename = Path.rename

    def fail_on_the_new_folder(path, target):
        if path.name == "new":
            raise OSError("no space left")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_on_the_new_folder)


@pytest.mark.parametrize("fail", [_failing_write, _failing_swap])
def test_a_failure_while_writing_leaves_the_old_release(demo, solutions, tmp_path, monkeypatch, fail):
    target = release_assignment(demo, tmp_path / "out")[0].parent
    before = tree(target)
    replace(solutions / "demo" / "plot.py", "Draw", "Show")
    with monkeypatch.context() as patch:
        fail(patch)
        with pytest.raises(OSError, match="no space left"):
            release_assignment(demo, tmp_path / "out")
    assert tree(target) == before
    assert [path.name for path in target.parent.iterdir()] == ["demo"]
    release_assignment(demo, tmp_path / "out")
    assert b"Show the walk" in (target / "plot.py").read_bytes()


@pytest.mark.parametrize("name", ["lab/settings.py", "plot.py", "handout.md"])
def test_a_marker_in_a_given_file_is_refused(demo, solutions, name):
    path = solutions / "demo" / name
    line = path.read_text("utf-8").count("\n") + 1
    path.write_text(path.read_text("utf-8") + "# BEGIN SOLUTION 1.1 x\n", "utf-8")
    with pytest.raises(ReleaseError, match=rf"{name}:{line}: a solution marker in a given file"):
        release_files(demo)


@pytest.mark.parametrize("name", ["plot.py", "handout.md"])
def test_a_solution_line_in_another_file_is_refused(demo, solutions, name):
    path = solutions / "demo" / name
    line = path.read_text("utf-8").count("\n") + 1
    path.write_text(path.read_text("utf-8") + "# squared_radius = radius*radius\n", "utf-8")
    with pytest.raises(ReleaseError, match=rf"^{name}:{line}: shows a line .* 1\.1 \(.*q1_disc\.py:9\)"):
        release_files(demo)


def test_a_graded_file_without_a_block_for_its_question_is_refused(demo, solutions):
    replace(solutions / "demo" / "q1_disc.py", "    # BEGIN SOLUTION 1.1 area\n", "")
    replace(solutions / "demo" / "q1_disc.py", "    # END SOLUTION\n", "")
    with pytest.raises(ReleaseError, match=r"q1_disc\.py: no block for question 1\.1, .* unit q1_disc\.area"):
        release_files(demo)


def _prefill(solutions):
    replace(solutions / "demo" / "assignment.toml", '{name = "q1_disc.py"}', '{name = "q1_disc.py", prefilled = true}')
    return load_assignment("demo", solutions)


def test_a_prefilled_file_is_given_as_it_stands_although_it_is_graded(solutions):
    replace(solutions / "demo" / "q1_disc.py", "    # BEGIN SOLUTION 1.1 area\n", "")
    replace(solutions / "demo" / "q1_disc.py", "    # END SOLUTION\n", "")
    files = release_files(_prefill(solutions))
    assert files["q1_disc.py"] == (solutions / "demo" / "q1_disc.py").read_text()
    row = next(line for line in files["README.md"].splitlines() if line.startswith("| `q1_disc.py`"))
    assert row.endswith("| adapt and hand in    |")


def test_a_prefilled_file_with_a_solution_is_refused(solutions):
    with pytest.raises(ReleaseError, match=r"q1_disc\.py:8: a solution marker in a file that the manifest calls pre"):
        release_files(_prefill(solutions))


def test_a_marker_may_only_name_questions_of_the_manifest(demo, solutions):
    replace(solutions / "demo" / "q1_disc.py", "SOLUTION 1.1", "SOLUTION 1.7")
    with pytest.raises(MarkerError, match=r"q1_disc\.py:8: the manifest has no question '1\.7'; it has 1\.1, 1\.2"):
        release_files(demo)


def test_a_missing_master_is_named(demo, solutions):
    (solutions / "shared" / "walk.py").unlink()
    with pytest.raises(ReleaseError, match=r"shared/walk\.py is missing"):
        release_files(demo)


def test_a_source_that_is_not_text_is_named(demo, solutions):
    (solutions / "demo" / "plot.py").write_bytes(b"\xff\xfe")
    with pytest.raises(ReleaseError, match=r"plot\.py is not UTF-8 text"):
        release_files(demo)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_given_file_that_is_not_python_is_named(solutions, language):
    replace(solutions / "demo" / "assignment.toml", 'title = "Discs and walks"', f'title = ""\nlanguage = "{language}"')
    (solutions / "demo" / "plot.py").write_text("x = 1\nreturn (\n")
    with pytest.raises(ReleaseError, match=r"^plot\.py:2: is not valid Python"):
        release_files(load_assignment("demo", solutions))


@pytest.mark.parametrize("name", ["README.md", "requirements.txt", "handout.md", STAMP])
def test_a_source_with_the_name_of_a_made_file_is_refused(demo, solutions, name):
    replace(solutions / "demo" / "assignment.toml", '{name = "plot.py"}', f'{{name = "{name}", master = "plot.py"}}')
    with pytest.raises(ReleaseError, match=f"{name}: a release makes this file itself"):
        release_files(load_assignment("demo", solutions))


def test_a_shared_master_speaks_of_itself_under_the_name_that_students_know(demo, solutions):
    replace(solutions / "shared" / "walk.py", "More words.", "Run walk.py, not my_walk.py or walk.pyc.")
    assert "Run q2_walk.py, not my_walk.py or walk.pyc." in release_files(demo)["q2_walk.py"]


class Catalogue:
    def gettext(self, text: str) -> str:
        return {"A walk.": "Une promenade.", "Settings of the walk.": "Les réglages."}.get(text, text)


def test_the_words_of_a_french_assignment_are_french_and_its_code_is_not(demo, solutions, monkeypatch):
    replace(solutions / "demo" / "assignment.toml", 'title = "Discs and walks"', 'title = "Disques"\nlanguage = "fr"')
    monkeypatch.setattr("autograder.release.bundle.masters_catalogue", lambda language: Catalogue())
    files = release_files(load_assignment("demo", solutions))
    assert '"""Une promenade."""' in files["q2_walk.py"]
    assert "# TODO 2.1 Walk.step: écrivez votre code ici" in files["q2_walk.py"]
    assert 'raise NotImplementedError("question 2.1\u00a0: Walk.step")' in files["q2_walk.py"]
    assert files["lab/settings.py"].startswith('"""Les réglages."""\n\nSTEP_LENGTH = 0.5')
    assert "| Les réglages " in files["README.md"]
    assert files["handout.md"].startswith("# Discs and walks")  # the assignment's own words

import pytest

from autograder.assignment import Assignment, ManifestError, assignment_names, load_assignment

MANIFEST = """
id = "tiny"
title = "Tiny"
[[files]]
name = "a.py"
[[parts]]
id = "1"
title = "One"
points = 5
[[parts.questions]]
id = "1.1"
title = "f"
points = 3
kind = "auto"
units = [{ name = "a.f", points = 3, file = "a.py" }]
[[parts.questions]]
id = "1.2"
title = "Explain"
points = 2
kind = "written"
rubric = [{ points = 2, text = "says why" }]
"""


def load(tmp_path, text: str) -> Assignment:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "assignment.toml").write_text(text)
    return load_assignment("tiny", tmp_path)


def test_manifest_is_read(tmp_path):
    assignment = load(tmp_path, MANIFEST)
    assert [unit.name for unit in assignment.units] == ["a.f"]
    assert (assignment.points, assignment.questions[0].auto_points) == (5, 3)
    assert assignment.master(assignment.files[0]) == (tmp_path / "tiny" / "a.py").resolve()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("points = 5", "points = 6", "part 1: its questions add up to 5, not to 6"),
        ("points = 3\nkind", "points = 4\nkind", "question 1.1: units and rubric add up to 3, not to 4"),
        ('file = "a.py"', 'file = "b.py"', "b.py is not one of the submitted files"),
        ('id = "1.2"', 'id = "1.1"', "question named twice: 1.1"),
        ('name = "a.py"\n', 'name = "../a.py"\n', "not a plain relative path"),
        ('kind = "written"', 'kind = "essay"', "'auto', 'training' or 'written'"),
        ('kind = "written"', 'kind = "auto"', "an auto-graded question has no rubric"),
        ('title = "Tiny"', 'titel = "Tiny"', "titel"),
        ('id = "tiny"', "id = ", "assignment.toml"),
    ],
)
def test_mistakes_in_a_manifest_are_named(tmp_path, old, new, sentence):
    assert old in MANIFEST
    with pytest.raises(ManifestError, match=sentence):
        load(tmp_path, MANIFEST.replace(old, new, 1))


def test_unknown_assignment_names_the_known_ones():
    with pytest.raises(ManifestError, match="ift6135_h25"):
        load_assignment("nothing")


def test_points_of_ift6135_h25_are_those_of_the_handout():
    assignment = load_assignment("ift6135_h25")
    assert "ift6135_h25" in assignment_names()
    assert [part.points for part in assignment.parts] == [68, 45, 55]
    assert [sum(q.auto_points for q in part.questions) for part in assignment.parts] == [32, 25, 30]
    assert {q.id for q in assignment.questions if q.kind != "auto"} == {
        *("1.6", "1.7", "1.8", "1.9", "2.1.3", "2.1.4", "2.1.5", "2.2.1", "2.2.2", "2.2.5")
    }
    assert all(q.rubric for q in assignment.questions if q.kind != "auto")

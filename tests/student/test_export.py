"""Behaviour of `python -m tools.export`: from notebooks, tidy and untidy, to the files to hand in."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest

from autograder.assignment import assignment_names, load_assignment
from autograder.release import parse_masters
from autograder.release.tools import facts_of
from autograder.student import export as tool
from autograder.student.pieces import cut
from tests.student.conftest import PLOT, STUBS, WALK, write_notebook

DISTANCE = """\
#| export walk.py
def distance(points):
    \"\"\"How far it goes.\"\"\"
    return sum(map(abs, points))
"""


def names_in(text: str) -> list[str]:
    """What a file defines at the top level, in its order."""
    pieces, _ = cut(text)
    return [name for piece in pieces if not piece.imports for name in sorted(piece.use.binds)]


def run_python(text: str, *names: str) -> dict[str, object]:
    """Execute a file without its imports of the course; give the values of these names."""
    space: dict[str, object] = {"__name__": "file"}
    exec(compile(re.sub(r"^from (lab|walk|plot)\b.*\n", "", text, flags=re.M), "file", "exec"), space)
    return {name: space[name] for name in names}


# ---- what is taken, and where it goes


def test_the_notebooks_function_takes_the_place_of_the_stubs_and_all_else_stays(run_export, folder):
    said, complete = run_export(DISTANCE, "distance([1, 2])  # a try")
    assert complete
    begin, end = WALK.index("def distance"), WALK.index("class Walk")
    written = DISTANCE.partition("\n")[2]
    assert (folder / "walk.py").read_text() == WALK[:begin] + written + "\n\n" + WALK[end:]
    assert (folder / "plot.py").read_text() == PLOT
    assert "walk.py: written; what it held before is in backup/walk.1.py." in said
    assert "taken from the notebook: distance\n" in said
    assert "still TODO: Walk.step, start and turn\n" in said
    assert "plot.py: nothing new." in said
    assert "1 code cell stays out of the files." in said


def test_what_was_there_is_kept_and_an_export_of_the_same_changes_nothing(run_export, folder):
    run_export(DISTANCE)
    assert (folder / "backup" / "walk.1.py").read_text() == WALK
    first = (folder / "walk.py").read_text()
    said, _ = run_export(DISTANCE)
    assert "walk.py: nothing new." in said
    assert (folder / "walk.py").read_text() == first
    run_export(DISTANCE.replace("abs", "float"))
    assert (folder / "backup" / "walk.2.py").read_text() == first
    assert sorted(path.name for path in (folder / "backup").iterdir()) == ["walk.1.py", "walk.2.py"]


def test_the_last_definition_counts_wherever_it_stands(run_export, folder):
    better = "def distance(points):\n    return 7\n"
    said, _ = run_export(DISTANCE, "distance([1])", better, better.replace("7", "8"))
    assert run_python((folder / "walk.py").read_text(), "distance")["distance"]([1]) == 8
    assert "distance: defined in the code cells 1, 3 and 4; the one in cell 4 counts." in said


def test_a_todo_never_takes_the_place_of_what_is_written(run_export, folder):
    todo = 'def distance(points):\n    raise NotImplementedError("question 1.2: distance")\n'
    run_export(DISTANCE, todo)
    assert run_python((folder / "walk.py").read_text(), "distance")["distance"]([1, -2]) == 3
    said, _ = run_export("#| export walk.py\n" + todo)
    assert run_python((folder / "walk.py").read_text(), "distance")["distance"]([1, -2]) == 3
    assert "distance: still a TODO in the notebook, but written in the file: the one in the file stays." in said


def test_a_method_of_a_class_is_exported_with_its_decorators_and_comments(run_export, folder):
    walk = (
        "import functools\n\n# mine\n@functools.total_ordering\nclass Walk:\n"
        "    def step(self, sign):\n        return sign  # é\n\n    __lt__ = None\n    # the end"
    )
    run_export(f"#| export walk.py\n{walk}\n")
    text = (folder / "walk.py").read_text()
    assert walk.partition("\n\n")[2] in text
    assert text.index("import functools") < text.index("STEP = 0.5")


def test_magics_and_commands_are_dropped_and_the_code_around_them_stays(run_export, folder):
    cell = (
        "#| export walk.py\n%%time\n!pip install nothing \\\n   at all\n%matplotlib inline\nfiles = !ls\n"
        "def distance(points):\n    return 5 % 3\n\ndistance?\n"
    )
    said, complete = run_export(cell, "%%bash\nls def (", "!ls\n%time distance([])")
    assert complete, said
    text = (folder / "walk.py").read_text()
    assert run_python(text, "distance")["distance"]([]) == 2
    assert not re.search(r"pip|%%|inline|!ls|\?", text)


def test_training_tries_and_drawings_stay_out(run_export, folder):
    cells = [
        "import torch\nfrom lab.data import load\nimages = load('mnist')",
        "#| export walk.py\n"
        + "def distance(points):\n    return 1\n\nprint(distance([]))\nassert distance([]) == 1\n",
        "model = Walk()\nfor epoch in range(3):\n    loss = train(epoch)\n    loss.backward()",
        "plt.plot(images)",
    ]
    said, _ = run_export(*cells)
    text = (folder / "walk.py").read_text()
    assert not re.search(r"torch|images|epoch in|plt|print\(distance|assert", text)
    assert "3 code cells stay out of the files." in said


def test_helpers_go_along_with_what_they_need_before_the_first_use(run_export, folder):
    cells = [
        "import numpy as np\nfrom math import pi as circle, sqrt\nEPS = 1e-8\nTABLE = np.arange(3) * EPS\nUNUSED = 3",
        "def unused():\n    pass",
        "def norm(x):\n    return sqrt(scaled(x)) + TABLE[0] * circle",
        "def scaled(x):\n    return x * x",
        "#| export walk.py\ndef distance(points):\n    return norm(points[0])\n",
    ]
    said, complete = run_export(*cells)
    assert complete, said
    text = (folder / "walk.py").read_text()
    order = names_in(text)
    assert set(order) - set(names_in(WALK)) == {"EPS", "TABLE", "scaled", "norm"}
    assert max(order.index(name) for name in ("EPS", "TABLE", "scaled", "norm")) < order.index("distance")
    assert order.index("EPS") < order.index("TABLE")
    assert text.index("import numpy as np") < text.index("STEP = 0.5")
    assert run_python(text, "distance")["distance"]([4]) == 4
    assert "taken along, because the code needs it: EPS, TABLE, norm and scaled" in said


def test_data_and_models_do_not_go_along_and_the_student_is_told(run_export, folder):
    cells = [
        "from lab.data import load\nimages = load('mnist')\nnet = Net(); net.train()",
        "#| export walk.py\ndef distance(points):\n    return images.mean() + net(points) + nowhere\n",
    ]
    said, complete = run_export(*cells)
    assert complete
    assert "images" not in names_in((folder / "walk.py").read_text())
    assert "images: the code uses it, but code cell 1 gives it its value and stays out" in said
    assert "net: the code uses it, but code cell 1" in said
    assert "used, but never defined: nowhere" in said


def test_what_the_main_part_gives_a_value_is_not_missed(run_export):
    said, _ = run_export("#| export walk.py\ndef train(epochs):\n    return model, loader, settings\n", "model = 3")
    assert "taken along" not in said
    assert "the code uses it" not in said
    assert "never defined" not in said


def test_values_count_first_where_the_cell_is_marked(run_export, folder):
    said, _ = run_export("#| export walk.py\nstart = 1\nturn = 2", "turn = 99\nlimit = 3")
    assert run_python((folder / "walk.py").read_text(), "start", "turn", "limit") == {"start": 1, "turn": 2, "limit": 3}
    assert "turn: the other value in code cell 2 does not count" in said


def test_values_may_be_computed_in_another_order_and_in_several_steps(run_export, folder):
    cell = (
        "#| export walk.py\nturn = [0, 0]\npart = 3\nfor i in range(2):\n    turn[i] = part\npart = part + 1\n"
        "start = turn[0] + part\nturn[1] = 9\nprint(turn)\nlimit = 10\nlimit += 5"
    )
    said, complete = run_export(cell)
    assert complete, said
    text = (folder / "walk.py").read_text()
    assert run_python(text, "start", "turn", "limit") == {"start": 7, "turn": [3, 9], "limit": 15}
    again, _ = run_export(cell)
    assert "walk.py: nothing new." in again
    assert "print(turn)" not in text


def test_values_to_give_may_come_from_loops_outside_of_marked_cells(run_export, folder):
    cells = [
        "start = 4\nparts = {'a': (start, 1)}",
        "found = {}\nfor name, (value, step) in parts.items():\n    found[name] = value + step",
        "with open as file:\n    limit = 3\nfor turn in range(found['a']):\n    pass",
    ]
    said, complete = run_export(*cells)
    assert complete, said
    values = run_python((folder / "walk.py").read_text(), "start", "turn", "limit")
    assert values == {"start": 4, "turn": 4, "limit": 10}
    assert "the code uses it" not in said


def test_room_for_helpers_in_a_marked_cell_is_used_although_nothing_needs_them(run_export, folder):
    run_export("#| export walk.py\n# TODO 1.4 room\ndef mine():\n    return 1\n")
    text = (folder / "walk.py").read_text()
    assert "def mine" in text
    assert text.index("def mine") < text.index("if __name__")


def test_another_submitted_file_is_imported_from(run_export, folder):
    (folder / "plot.py").write_text(PLOT.replace("from walk import distance\n\n\n", ""))
    cell = "#| export plot.py\ndef title(points):\n    return f'{distance(points)} {Walk().step(1)}'\n"
    run_export(DISTANCE, cell)
    text = (folder / "plot.py").read_text()
    assert "from walk import Walk\n" in text
    assert "from walk import distance\n" in text
    assert "def distance" not in text


# ---- untidy notebooks


@pytest.mark.parametrize("name", ["walks (2).ipynb", "Copy of walks.ipynb", "mine.ipynb"])
def test_a_renamed_notebook_is_known_by_its_marks_and_names(run_export, folder, name):
    _, complete = run_export(DISTANCE, name=name)
    assert complete
    assert "sum(map(abs" in (folder / "walk.py").read_text()


def test_without_marks_definitions_find_their_files(run_export, folder):
    cells = ["import math", DISTANCE.partition("\n")[2], "def title(points):\n    return str(distance(points))"]
    _, complete = run_export(*cells, name="mine.ipynb")
    assert complete
    assert "sum(map(abs" in (folder / "walk.py").read_text()
    assert "return str(distance(points))" in (folder / "plot.py").read_text()


def test_a_foreign_notebook_and_no_notebook_are_refused(run_export, folder, facts):
    said, complete = run_export("x = 1", name="mine.ipynb")
    assert (said.splitlines()[1].strip(), complete) == (
        "mine.ipynb holds no code of walks; the notebooks of this assignment are walks.ipynb.",
        False,
    )
    (folder / "text.ipynb").write_text("no notebook")
    lines, complete = tool.run([folder / "text.ipynb", folder / "none.ipynb"], folder, facts)
    assert not complete
    assert "text.ipynb is no notebook, or is damaged" in lines[1]
    assert "there is no such file" in lines[3]
    assert (folder / "walk.py").read_text() == WALK


def test_a_broken_cell_of_a_file_is_named_and_the_file_stays(run_export, folder):
    said, complete = run_export(DISTANCE, "#| export walk.py\n# two\ndef train(epochs):\n    return (1\n")
    assert not complete
    assert "walk.py: NOT written; what lay there is still there." in said
    assert 'code cell 2 (it begins "# two"), line 4: not valid Python' in said
    assert (folder / "walk.py").read_text() == WALK
    assert not (folder / "backup").exists()


def test_a_broken_cell_without_mark_holds_back_only_the_file_it_defines_something_of(run_export, folder):
    said, complete = run_export(DISTANCE, "def title(:\n  pass")
    assert not complete
    assert "plot.py: NOT written" in said
    assert "sum(map(abs" in (folder / "walk.py").read_text()
    said, complete = run_export(DISTANCE, "an experiment without sense", "return 5")
    assert complete
    assert 'code cell 2 (it begins "an experiment without sense"), line 1: not valid Python' in said
    assert "code cell 3" in said


def test_a_mark_for_no_file_is_told_and_ignored(run_export, folder):
    said, _ = run_export(DISTANCE.replace("walk.py", "wlak.py"))
    assert "code cell 1: marked for wlak.py, which is no file of this assignment; the mark was ignored." in said
    assert "sum(map(abs" in (folder / "walk.py").read_text()


def test_without_a_file_in_the_folder_one_is_made_from_the_notebook(run_export, folder):
    (folder / "walk.py").unlink()
    imports = "#| export walk.py\nimport math\n\nfrom lab import settings\n"
    said, _ = run_export(imports, "#| export walk.py\nSTEP = 2\n\nstart, turn = math.pi, STEP", DISTANCE)
    text = (folder / "walk.py").read_text()
    assert text.startswith('"""walk.py, exported from walks.ipynb."""\n\nimport math\nfrom lab import settings\n\n')
    assert names_in(text) == ["STEP", "start", "turn", "distance"]
    assert "lacks what is not in the notebook: limit, Walk, train and main" in said


def test_a_broken_file_in_the_folder_is_kept_and_made_anew(run_export, folder):
    (folder / "walk.py").write_text("def broken(:\n")
    said, complete = run_export(DISTANCE)
    assert complete
    assert "line 1 of the file in the folder is not valid Python" in said
    assert (folder / "backup" / "walk.1.py").read_text() == "def broken(:\n"
    assert "sum(map(abs" in (folder / "walk.py").read_text()


def test_future_imports_stay_first_and_imports_in_a_try_are_kept_whole(run_export, folder):
    cells = [
        "#| export walk.py\nfrom __future__ import annotations\nimport math",
        "try:\n    import einops\nexcept ImportError:\n    !pip install einops\n    einops = None",
        "try:\n    import json as js\nexcept ImportError:\n    pass",
        "#| export walk.py\ndef distance(points: Later):\n    return js.dumps(points)",
    ]
    said, complete = run_export(*cells)
    text = (folder / "walk.py").read_text()
    assert complete, said
    assert text.index("from __future__") < text.index("import math")
    assert "import json as js" in text
    assert "einops" not in text


# ---- the assignments of this repository


def cells_of(name: str, text: str, others: set[str]) -> list[str]:
    """The pieces of a file as cells of a notebook; what is only for the command line stays out."""
    pieces, _ = cut(text)
    cells = []
    for piece in pieces:
        if piece.imports:
            kept = [
                line for line in piece.text.split("\n") if line.split()[1:2] != [] and line.split()[1] not in others
            ]
            cells.append("\n".join(kept))
        elif not piece.guard and piece.use.binds and not piece.use.binds & {"main", "make_parser"}:
            cells.append(piece.text)
    return [f"#| export {name}\n{cell}" for cell in cells if cell]


@pytest.mark.parametrize("name", assignment_names())
def test_an_untouched_notebook_gives_the_stubs_and_a_filled_one_the_solution(name, tmp_path):
    assignment = load_assignment(name)
    masters = parse_masters(assignment)
    stubs = {file: master.stub for file, master in masters.items()}
    solved = {file.name: _without_markers(assignment.master(file).read_text("utf-8")) for file in assignment.files}
    facts = facts_of(assignment, stubs)
    modules = {file.module for file in facts.files}
    for file, text in stubs.items():
        (tmp_path / file).write_text(text, "utf-8")
    for texts in (stubs, solved):
        for notebook in assignment.notebooks:
            cells = [cell for file in notebook.files for cell in cells_of(file, texts[file], modules)]
            path = write_notebook(tmp_path / notebook.name, ["import torch\nx = torch.ones(3)", *cells])
            lines, complete = tool.run([path], tmp_path, facts)
            assert complete, lines
        for file, text in texts.items():
            made = (tmp_path / file).read_text("utf-8")
            if texts is stubs:
                assert made == text
            else:  # helpers may stand elsewhere
                assert _statements(made) == _statements(text)
            compile(made, file, "exec")


def _without_markers(text: str) -> str:
    return re.sub(r"^ *# (?:BEGIN|END) SOLUTION.*\n", "", text, flags=re.MULTILINE)


def _statements(text: str) -> list[str]:
    return sorted(ast.unparse(node) for node in ast.parse(text).body)


def test_what_cannot_be_written_is_told_and_the_file_stays(run_export, folder, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    said, complete = run_export(DISTANCE)
    assert not complete
    assert "walk.py cannot be written: No space left on device." in said
    assert (folder / "walk.py").read_text() == WALK


def test_old_notebook_formats_are_read(folder, facts):
    path = folder / "walks.ipynb"
    write_notebook(path, [DISTANCE])
    nbformat.write(nbformat.convert(nbformat.read(path, 4), 3), path, version=3)
    _, complete = tool.run([path], folder, facts)
    assert complete
    assert "sum(map(abs" in (folder / "walk.py").read_text()


def test_the_stubs_of_the_course_stay_as_they_are(run_export, folder):
    run_export(*cells_of("walk.py", WALK, set()), *cells_of("plot.py", PLOT, {"walk"}))
    assert {name: (folder / name).read_text() for name in STUBS} == STUBS
    assert not (folder / "backup").exists()

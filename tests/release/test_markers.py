"""Behaviour of autograder/release/markers.py."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.release.markers import MarkerError, fill, find_marker, parse_master

QUESTIONS = ("1.1", "1.2")

MASTER = '''\
"""Two functions."""

import math


def area(radius):
    """Area of a disc."""
    # BEGIN SOLUTION 1.1 area
    square = radius**2
    result = math.pi * square
    # END SOLUTION
    return result


def total(items):
    result = 0
    for item in items:
        # BEGIN SOLUTION 1.2 total.step
        result += item
        # END SOLUTION
    return result
'''

STUB = '''\
"""Two functions."""

import math


def area(radius):
    """Area of a disc."""
    # TODO 1.1 area: write your code here and remove the next line.
    raise NotImplementedError("question 1.1: area")
    return result


def total(items):
    result = 0
    for item in items:
        # TODO 1.2 total.step: write your code here and remove the next line.
        raise NotImplementedError("question 1.2: total.step")
    return result
'''


def source(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def test_each_block_becomes_a_todo_and_an_error_that_name_the_question():
    assert parse_master(MASTER, "m.py", QUESTIONS).stub == STUB


def test_blocks_know_their_place_and_their_text():
    area, step = parse_master(MASTER, "m.py", QUESTIONS).blocks
    assert (area.question, area.label, area.line, area.indent) == ("1.1", "area", 8, "    ")
    assert area.body == ("    square = radius**2", "    result = math.pi * square")
    assert (step.question, step.label, step.line, step.indent) == ("1.2", "total.step", 18, " " * 8)
    assert step.body == ("        result += item",)


def test_the_stub_raises_what_the_student_must_read():
    names: dict = {}
    exec(parse_master(MASTER, "m.py", QUESTIONS).stub, names)
    with pytest.raises(NotImplementedError, match=r"^question 1\.1: area$"):
        names["area"](2.0)
    with pytest.raises(NotImplementedError, match=r"^question 1\.2: total\.step$"):
        names["total"]([1])
    assert names["total"]([]) == 0


def test_filling_all_blocks_gives_the_master_and_filling_one_leaves_the_other():
    master = parse_master(MASTER, "m.py", QUESTIONS)
    assert fill(master.stub, master.blocks) == MASTER
    assert fill(master.stub, reversed(master.blocks)) == MASTER
    half = fill(master.stub, master.blocks[:1])
    assert "result = math.pi * square" in half
    assert "question 1.2" in half
    assert "result += item" not in half


def test_fill_refuses_a_stub_without_the_place():
    master = parse_master(MASTER, "m.py", QUESTIONS)
    with pytest.raises(ValueError, match=r"question 1\.1: area' stands 0 times"):
        fill(master.stub.replace('"question 1.1: area"', ""), master.blocks)


def test_a_master_without_blocks_is_its_own_stub():
    master = parse_master("x = 1\n", "m.py", QUESTIONS)
    assert (master.stub, master.blocks) == ("x = 1\n", ())


def test_the_rest_of_a_multi_line_string_may_be_indented_less():
    text = source(
        '''
        def f(x):
            # BEGIN SOLUTION 1.1 f
            a = """
        left
          """
            b = f"""
        {x}
        left
        """

            return a + b
            # END SOLUTION
        '''
    )
    master = parse_master(text, "m.py", QUESTIONS)
    assert "left" not in master.stub
    assert fill(master.stub, master.blocks) == text


def test_a_master_that_ends_with_a_marker_and_no_line_end():
    text = "def f():\n    # BEGIN SOLUTION 1.1 f\n    return 1\n    # END SOLUTION"
    master = parse_master(text, "m.py", QUESTIONS)
    assert master.stub.endswith('raise NotImplementedError("question 1.1: f")')
    assert fill(master.stub, master.blocks) == text


def in_function(body: str) -> str:
    """A module whose function `f` has this body from line 2 on; line 1 is its `def`."""
    return "def f(x):\n" + textwrap.indent(textwrap.dedent(body).lstrip("\n"), "    ")


GOOD = "# BEGIN SOLUTION 1.1 f\ny = x\n# END SOLUTION\n"

ERRORS = {
    "never ended": ("# BEGIN SOLUTION 1.1 f\nreturn x\n", 2, "without an END"),
    "never begun": ("return x\n# END SOLUTION\n", 3, "without a BEGIN"),
    "ended twice": (GOOD + "# END SOLUTION\n", 5, "without a BEGIN"),
    "nested": (
        "# BEGIN SOLUTION 1.1 f\nx = 1\n# BEGIN SOLUTION 1.2 g\nx = 2\n# END SOLUTION\n# END SOLUTION\n",
        4,
        "inside the block of line 2",
    ),
    "no id": ("# BEGIN SOLUTION\nreturn x\n# END SOLUTION\n", 2, "no question or no label"),
    "no label": ("# BEGIN SOLUTION 1.1\nreturn x\n# END SOLUTION\n", 2, "no question or no label"),
    "unknown question": ("# BEGIN SOLUTION 9.1 f\nreturn x\n# END SOLUTION\n", 2, "no question '9.1'"),
    "label used twice": (
        "# BEGIN SOLUTION 1.1 f\nx = 1\n# END SOLUTION\n# BEGIN SOLUTION 1.2 f\nx = 2\n# END SOLUTION\n",
        5,
        "'f' stands in line 2 too",
    ),
    "quote in label": ('# BEGIN SOLUTION 1.1 f"\nreturn x\n# END SOLUTION\n', 2, "the label 'f\"'"),
    "backslash in label": ("# BEGIN SOLUTION 1.1 f\\n\nreturn x\n# END SOLUTION\n", 2, "the label"),
    "two spaces in label": ("# BEGIN SOLUTION 1.1 f  g\nreturn x\n# END SOLUTION\n", 2, "the label"),
    "space after label": ("# BEGIN SOLUTION 1.1 f \nreturn x\n# END SOLUTION\n", 2, "the label"),
    "two spaces before id": ("# BEGIN SOLUTION  1.1 f\nreturn x\n# END SOLUTION\n", 2, "no question"),
    "end indented otherwise": (
        "# BEGIN SOLUTION 1.1 f\nif x:\n    x = 1\n    # END SOLUTION\n",
        5,
        "not indented like its BEGIN SOLUTION in line 2",
    ),
    "code indented less": (
        "if x:\n    # BEGIN SOLUTION 1.1 f\n    x = 1\nx = 2\n    # END SOLUTION\n",
        5,
        "indented less than the BEGIN SOLUTION in line 3",
    ),
    "comment indented less": (
        "if x:\n    # BEGIN SOLUTION 1.1 f\n    x = 1\n# why\n    # END SOLUTION\n",
        5,
        "indented less",
    ),
    "code indented more": (
        "if x:\n# BEGIN SOLUTION 1.1 f\n    x = 1\n# END SOLUTION\n",
        4,
        "not indented like the BEGIN SOLUTION in line 3",
    ),
    "empty": ("x = 1\n# BEGIN SOLUTION 1.1 f\n# END SOLUTION\nreturn x\n", 3, "empty block"),
    "only comments": ("x = 1\n# BEGIN SOLUTION 1.1 f\n\n# why\n# END SOLUTION\nreturn x\n", 3, "empty block"),
    "in a string": ('"""\n# BEGIN SOLUTION 1.1 f\n"""\nreturn x\n', 3, "not a comment"),
    "words in a string": ('y = "the END SOLUTION marker"\nreturn x\n', 2, "not a comment"),
    "string before a comment": ('y = "# BEGIN SOLUTION 1.1 f"  # why\nreturn x\n', 2, "not a comment"),
    "begin after code": ("x = 1  # BEGIN SOLUTION 1.1 f\nx = 2\n# END SOLUTION\n", 2, "line of its own"),
    "end after code": ("# BEGIN SOLUTION 1.1 f\nx = 2  # END SOLUTION\nreturn x\n", 3, "line of its own"),
    "after another comment": ("x = 1  # why # BEGIN SOLUTION 1.1 f\n", 2, "line of its own"),
    "breaks an expression": (
        "y = [\n    # BEGIN SOLUTION 1.1 f\n    1,\n    # END SOLUTION\n]\n",
        3,
        "without the solutions this is not valid Python",
    ),
    "leaves an else alone": (
        GOOD + "# BEGIN SOLUTION 1.2 g\nif x:\n    x = 1\n# END SOLUTION\nelse:\n    x = 2\n",
        9,
        "without the solutions this is not valid Python",
    ),
    "given text repeats the stub": (
        GOOD + '# TODO 1.1 f: write your code here and remove the next line.\n'
        'raise NotImplementedError("question 1.1: f")\n',
        2,
        "stands 2 times",
    ),
    "not python": ("return (\n", 2, "is not valid Python"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "line", "words"), ERRORS.values(), ids=ERRORS.keys())
def test_a_wrong_marker_is_refused_with_file_and_line(body, line, words):
    with pytest.raises(MarkerError) as caught:
        parse_master(in_function(body), "folder/m.py", QUESTIONS)
    assert str(caught.value).startswith(f"folder/m.py:{line}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "near_miss",
    [
        "#BEGIN SOLUTION 1.1 f",
        "# begin solution 1.1 f",
        "# Begin Solution 1.1 f",
        "# BEGIN  SOLUTION 1.1 f",
        "# BEGIN-SOLUTION 1.1 f",
        "# BEGIN_SOLUTION 1.1 f",
        "# BEGINSOLUTION 1.1 f",
        "## BEGIN SOLUTION 1.1 f",
        "### BEGIN SOLUTION",
        "# BEGIN SOLUTIONS 1.1 f",
        "# BEGIN SOLUTION: 1.1 f",
        "# START SOLUTION 1.1 f",
        "# the BEGIN SOLUTION 1.1 f",
        "#END SOLUTION",
        "# end solution",
        "# END SOLUTIONS",
        "# END SOLUTION 1.1 f",
        "# END SOLUTION ",
        "# END SOLUTION.",
        "# STOP SOLUTION",
    ],
)
def test_what_resembles_a_marker_is_refused(near_miss):
    with pytest.raises(MarkerError, match=r"^m\.py:2: .*resembles a solution marker"):
        parse_master(in_function(f"{near_miss}\nreturn x\n"), "m.py", QUESTIONS)


def test_words_near_a_marker_are_no_marker():
    text = "def f(x):\n    # In the end, the solution of this equation is unique; begin with x = 0.\n    return x\n"
    assert parse_master(text, "m.py", QUESTIONS).stub == text
    assert find_marker(text) is None


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("", "z = 2\nprint(z)"),
        ("", "z = [0]\nz[0] = 2"),
        ("", "z = 1\nz += 1"),
        ("class C:\n    y = 1\n", "z = 2"),
        ("class C:\n    y = 1\n", "def z(self): return 2"),
        ("if True:\n    y = 1\n", "def z(): return 2"),
        ("", "def z(): return 2\nz()"),
        ("", "'a text'\ndef z(): return 2"),
        ("", "import math\ndef z(): return math.pi"),
        ("", "if True:\n    def z(): return 2"),
    ],
)
def test_a_block_outside_a_function_is_refused(header, body):
    indent = "    " if header else ""
    block = textwrap.indent(f"# BEGIN SOLUTION 1.1 z\n{body}\n# END SOLUTION\n", indent)
    line = header.count("\n") + 1
    with pytest.raises(MarkerError, match=rf"^m\.py:{line}: the block is not inside a function, and it is not a block"):
        parse_master(header + block, "m.py", QUESTIONS)


HELPERS = """\
import functools


# BEGIN SOLUTION 1.1 helpers
@functools.cache
def square(x):
    # a comment
    return x * x


class Disc:
    radius = 1


async def wait():
    pass


# END SOLUTION


def area(radius):
    # BEGIN SOLUTION 1.1 area
    return 3.14 * square(radius)
    # END SOLUTION
"""


def test_a_block_of_definitions_at_module_level_becomes_one_comment():
    master = parse_master(HELPERS, "m.py", QUESTIONS)
    assert [block.definitions for block in master.blocks] == [True, False]
    assert master.stub == source(
        """
        import functools


        # TODO 1.1 helpers: room for classes and functions of your own.


        def area(radius):
            # TODO 1.1 area: write your code here and remove the next line.
            raise NotImplementedError("question 1.1: area")
        """
    )
    assert fill(master.stub, master.blocks) == HELPERS
    assert fill(master.stub, reversed(master.blocks)) == HELPERS
    alone = fill(master.stub, master.blocks[:1])
    assert "class Disc" in alone
    assert 'raise NotImplementedError("question 1.1: area")' in alone


SETTINGS = """\
import math

width = 3
# BEGIN SOLUTION 1.1 areas
area = math.pi * width**2
half: float = area / 2
area = round(area)  # again
# END SOLUTION
print_area = None
"""


def test_a_block_of_assignments_at_module_level_becomes_names_without_values():
    master = parse_master(SETTINGS, "m.py", QUESTIONS)
    assert [block.names for block in master.blocks] == [("area", "half")]
    assert master.stub == source(
        """
        import math

        width = 3
        # TODO 1.1 areas: write your code in the place of each None.
        area = None
        half = None
        print_area = None
        """
    )
    assert fill(master.stub, master.blocks) == SETTINGS


def test_the_questions_of_a_shared_master_are_renumbered():
    master = parse_master(SETTINGS.replace("1.1", "7.7"), "m.py", QUESTIONS, {"7.7": "1.1"})
    assert master.blocks[0].message == "question 1.1: areas"
    assert "# TODO 1.1 areas" in master.stub
    assert fill(master.stub, master.blocks) == SETTINGS.replace("1.1", "7.7")


def test_definitions_inside_a_function_still_become_an_error():
    text = in_function("# BEGIN SOLUTION 1.1 f\ndef g():\n    return x\n# END SOLUTION\nreturn g()\n")
    master = parse_master(text, "m.py", QUESTIONS)
    assert master.blocks[0].stub[1].strip() == 'raise NotImplementedError("question 1.1: f")'


def test_labels_of_definitions_are_unique_too():
    with pytest.raises(MarkerError, match=r"^m\.py:23: the label 'helpers' stands in line 4 too"):
        parse_master(HELPERS.replace("1.1 area", "1.1 helpers"), "m.py", QUESTIONS)


def test_given_text_must_not_repeat_the_comment_of_definitions():
    text = HELPERS + "# TODO 1.1 helpers: room for classes and functions of your own.\n"
    with pytest.raises(MarkerError, match=r"^m\.py:4: the stub of 'question 1\.1: helpers' stands 2 times"):
        parse_master(text, "m.py", QUESTIONS)


def test_a_null_character_is_refused():
    with pytest.raises(MarkerError, match=r"^m\.py:\d+: is not valid Python"):
        parse_master("x = 1\0\n", "m.py", QUESTIONS)


def test_carriage_returns_are_refused():
    with pytest.raises(MarkerError, match=r"^m\.py:2: has a carriage return"):
        parse_master("x = 1\ny = 2\r\n", "m.py", QUESTIONS)


def test_find_marker_gives_the_first_line():
    assert find_marker(MASTER) == 8
    assert find_marker(STUB) is None


# A generated function body is a list of statements, each a list of lines; blocks and loops hold statements.
_plain = st.sampled_from(
    [
        ["x = x + 1"],
        ["x = (x,", "     x)"],
        ["y = 'é#∑'  # why"],
        ["# a comment", "", "x -= 1"],
        ['text = """first', '    second  ', '"""'],
        ["return x"],
        ["with open('f') as f: x = f.read()"],
        ["def inner():", "    return 1"],
    ]
)  # fmt: skip


def _indented(lines):
    return ["    " + line if line else line for line in lines]


def _joined(statements):
    return [line for statement in statements for line in statement]


_statements = st.lists(_plain, min_size=1, max_size=4).map(_joined)
_block = st.builds(
    lambda question, body: [f"# BEGIN SOLUTION {question} LABEL", *body, "# END SOLUTION"],
    st.sampled_from(QUESTIONS),
    _statements,
)
_body = st.lists(
    st.recursive(
        _plain | _block,
        lambda inner: st.builds(
            lambda head, body: [head, *_indented(_joined(body))],
            st.sampled_from(["for x in range(2):", "if x:", "while x:", "class Local:"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=6,
    ),
    min_size=1,
    max_size=4,
).map(_joined)


@st.composite
def masters(draw):
    lines = []
    for number in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            lines += ["# BEGIN SOLUTION 1.2 LABEL", f"class Helper{number}:", "    y = 1", "# END SOLUTION"]
        lines += [f"def function_{number}(x):", *_indented(draw(_body)), *[""] * draw(st.integers(0, 3))]
    begins = 0
    for index, line in enumerate(lines):
        if line.endswith(" LABEL"):
            begins += 1
            lines[index] = line.removesuffix("LABEL") + f"label_{begins}"
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"])), begins


@given(masters())
def test_round_trip_of_any_master(generated):
    text, blocks = generated
    master = parse_master(text, "m.py", QUESTIONS)
    assert len(master.blocks) == blocks
    assert fill(master.stub, master.blocks) == text
    assert find_marker(master.stub) is None
    tree = ast.parse(master.stub)
    raised = [ast.unparse(node.exc) for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc]
    gaps = [block for block in master.blocks if not block.definitions]
    assert sorted(raised) == sorted(f"NotImplementedError('{block.message}')" for block in gaps)
    assert sum("room for" in line for line in master.stub.split("\n")) == len(master.blocks) - len(gaps)
    assert parse_master(master.stub, "m.py", QUESTIONS).stub == master.stub

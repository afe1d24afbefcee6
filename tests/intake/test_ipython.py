import ast
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.intake.ipython import comment_out, ipython_spans


@pytest.mark.threat(54)
@pytest.mark.parametrize(
    "line",
    [
        "!pip install torch",
        "! ls -l",
        "!!ls",
        "%matplotlib inline",
        "%cd /content",
        "%%time",
        "?torch.nn",
        "??torch.nn",
        "torch.nn?",
        "torch.nn.Linear??",
        "*int*?",
        "files = !ls",
        "result = %timeit -o f()",
        "a, b = !cat x",
        "    !pip install torch",
        "\t%time f()",
    ],
)
def test_lines_of_ipython_are_found(line):
    assert ipython_spans(f"x = 1\n{line}\ny = 2\n") == [(2, 2)]


@pytest.mark.parametrize(
    "source",
    [
        "x = (7\n% 3)",
        "x = [\n    7\n    %two\n]",
        "x = 7 \\\n%two",
        '"""\n!pip install\n%magic\n"""',
        "x = '''\n%%time\nit's\n!ls\n'''",
        "r'''\n\\'''\n%m'''",
        '"""a""" """\n%b\n"""',
        "x = 'a\\\n%b'",
        "x = a != b",
        "x = '!'",
        "# it's !here\nx = 1",
        "print('why?')",
        "d = {'a': 1,\n%b\n}",
        "x = 5 %two",
        "f('''\n!x''',\n%y\n)",
        "# '''\nx = 1",
        "x = a == b",
    ],
)
def test_lines_that_only_look_like_it_are_left_alone(source):
    assert ipython_spans(source) == []


def test_line_after_strings_and_brackets_is_found_again():
    source = "\n".join(["f(", "  '''", "!no", "''', \"(\",", ")", "!yes", "x = {", "%no", "}", "%yes"])
    assert ipython_spans(source) == [(6, 6), (10, 10)]


@pytest.mark.threat(54)
def test_command_with_backslash_covers_the_lines_that_continue_it():
    assert ipython_spans("!pip install a \\\n    b \\\n    c\nx = 1") == [(1, 3)]
    assert ipython_spans("x = 1\n!pip install a \\") == [(2, 2)]


def test_commenting_keeps_every_line_number():
    source = "import a\n!ls (\nx = 1\n%cd 'y\nz = 2"
    text = comment_out(source, ipython_spans(source))
    assert text.split("\n") == ["import a", "# !ls (", "x = 1", "# %cd 'y", "z = 2"]


@pytest.mark.threat(54)
def test_block_that_holds_nothing_else_stays_a_block():
    source = "try:\n    !pip install a \\\n        b\nexcept Exception:\n\t%cd x\n"
    text = comment_out(source, ipython_spans(source))
    assert ast.parse(text)
    assert text.count("\n") == source.count("\n")


@pytest.mark.threat(54)
@pytest.mark.parametrize(
    "piece", ["'", '"""', "'''\\", "((((\n!", "\\\n", '""" "', "x = a, ", "%m\\\n", "a.", "x, ", "? ", "\\"]
)
def test_a_megabyte_of_hostile_text_is_scanned_in_linear_time(piece):
    start = time.perf_counter()
    ipython_spans(piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - start < 3


@given(st.text(alphabet="ab '\"\\\n()[]!%?#=", max_size=60))
def test_spans_are_lines_of_the_source_in_order(source):
    spans = ipython_spans(source)
    numbers = [number for first, last in spans for number in range(first, last + 1)]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= source.count("\n") + 1 for number in numbers)
    assert comment_out(source, spans).count("\n") == source.count("\n")


_STATEMENTS = st.sampled_from(
    [
        "x = 1",
        "y = (1,\n% z)",
        "s = '''\n!a\n'''",
        "if x:\n    pass",
        "t = 7 \\\n  %x",
        '"""\n%m"""',
        "# it's",
        "f = '\\''",
    ]
)


@given(st.lists(st.tuples(_STATEMENTS, st.booleans()), min_size=1, max_size=8))
def test_exactly_the_inserted_commands_are_found(pieces):
    rows: list[str] = []
    expected = []
    for statement, with_command in pieces:
        rows += statement.split("\n")
        if with_command:
            rows.append("!echo '(")
            expected.append((len(rows), len(rows)))
    assert ipython_spans("\n".join(rows)) == expected

"""Behaviour of autograder/release/leaks.py."""

from __future__ import annotations

import pytest

from autograder.release.leaks import find_leak
from autograder.release.markers import parse_master

MASTER = """\
def kl(mu, logvar, prior):
    terms = {GIVEN}
    # BEGIN SOLUTION 1 kl
    difference = mu.square() + logvar.exp() - 1
    short = mu + logvar
    # halve the sum, not the mean of it
    return 0.5 * (difference - logvar).sum(dim=1)
    # END SOLUTION
"""


def leak(released: dict[str, str], given: str = "0", support: str = "") -> str | None:
    master = parse_master(MASTER.replace("{GIVEN}", given), "q1.py", ["1"])
    return find_leak([master], [support], released)


@pytest.mark.parametrize(
    ("line", "origin"),
    [
        ("difference = mu.square() + logvar.exp() - 1", 4),
        ("x = 1;  difference=mu.square()+logvar.exp()-1  # said here", 4),
        ("\t# halve the sum,  not the mean of it!", 6),
        ("> return 0.5 * (difference - logvar).sum(dim=1)", 7),
    ],
)
def test_a_solution_line_is_found_whatever_its_white_space(line, origin):
    found = leak({"a.py": "fine\n", "handout.md": f"one\ntwo\n{line}\nfour\n"})
    assert found == f"handout.md:3: shows a line of the solution of question 1 (q1.py:{origin})"


def test_short_lines_and_parts_of_lines_are_no_leak():
    assert leak({"a.py": "short = mu + logvar\nmu.square() + logvar.exp()\n"}) is None


def test_what_the_masters_or_the_support_give_anyway_is_no_leak():
    line = "difference = mu.square() + logvar.exp() - 1"
    released = {"handout.md": line}
    assert leak(released) is not None
    assert leak(released, given=f"1  # {line}") is None
    assert leak(released, support=f"def f(mu, logvar):\n    {line}\n") is None


def test_the_stub_itself_is_clean():
    assert leak({"q1.py": parse_master(MASTER, "q1.py", ["1"]).stub}) is None

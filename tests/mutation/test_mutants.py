"""The checks notice nearly every mistake that can be planted in the masters.

Every third mutant is graded here; `make mutants` grades them all.
"""

from __future__ import annotations

import pytest

from autograder.assignment import load_assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status
from autograder.release.markers import parse_master

from .mutants import BY_HAND, ELSEWHERE, FREE, Mutant, assignment_mutants, mutants
from .operators import OPERATORS
from .verdicts import MutantGrader, Verdict, listed_survivors

EVERY = 3
NAMES = ("ift6135_h25", "cmput328_f24", "ift6135_h23", "ift6135_a22")

MASTER = """\
import math

import torch

SCALE = 2 - 1  # given


class Model:
    def __init__(self):
        self.alpha_lambda = 1

    def loss(self, mu_q, mu_p):
        before = mu_q - mu_p
        # BEGIN SOLUTION 1.1 loss
        total = (
            mu_q  # é: columns count bytes
            + mu_p * before
        ).sum(dim=1)  # (B,)
        # END SOLUTION
        return total

    def sample(self, mu_q):
        # BEGIN SOLUTION 1.2 sample
        scale = self.alpha_lambda(mu_q)
        # END SOLUTION
        return scale - 1
"""


@pytest.fixture(scope="module", params=NAMES)
def assignment(request):
    return load_assignment(request.param)


@pytest.fixture(scope="module")
def all_mutants(assignment) -> list[Mutant]:
    return assignment_mutants(assignment)


@pytest.fixture(scope="module")
def graded(assignment, all_mutants) -> tuple[Report, list[Verdict]]:
    with Engine(assignment) as engine:
        grader = MutantGrader(assignment, engine)
        return grader.masters(), [grader.verdict(mutant) for mutant in all_mutants[::EVERY]]


def small_mutants() -> list[Mutant]:
    return mutants(MASTER, "m.py", ["1.1", "1.2"])


def by_id(mutant_id: str) -> Mutant:
    return next(mutant for mutant in small_mutants() if mutant.id == mutant_id)


def test_mutants_change_code_between_the_markers_only():
    given = parse_master(MASTER, "m.py", ["1.1", "1.2"]).given
    assert len(small_mutants()) >= 10
    for mutant in small_mutants():
        assert parse_master(mutant.source, "m.py", ["1.1", "1.2"]).given == given


def test_a_mutant_has_its_place_in_its_id_and_its_change_in_its_diff():
    mutant = by_id("m.py:1.1 loss:change-dim:1")
    assert (mutant.file, mutant.block.question, mutant.block.label) == ("m.py", "1.1", "loss")
    assert mutant.source == MASTER.replace("dim=1", "dim=0")
    assert mutant.diff == ").sum(dim=1)  ->  ).sum(dim=0)"


def test_comments_around_the_change_stay():
    assert by_id("m.py:1.1 loss:drop-factor:1").source == MASTER.replace("+ mu_p * before", "+ mu_p")
    assert by_id("m.py:1.1 loss:swap-names:1").source == MASTER.replace("mu_q  # é", "mu_p  # é")


def test_parentheses_come_and_go_as_the_change_needs_them():
    text = MASTER.replace("self.alpha_lambda(mu_q)", "(mu_q + 1) * (mu_q - self.alpha_lambda / mu_q)")
    lines = {mutant.new for mutant in mutants(text, "m.py", ["1.1", "1.2"]) if mutant.block.label == "sample"}
    assert "scale = mu_q * (mu_q - self.alpha_lambda / mu_q)" in lines
    assert "scale = (mu_q - 1) * (mu_q - self.alpha_lambda / mu_q)" in lines
    assert "scale = (mu_q + 1) * -(self.alpha_lambda / mu_q)" in lines


def test_names_that_do_not_exist_there_are_not_put_in():
    new_names = {mutant.new for mutant in small_mutants() if ":swap-names:" in mutant.id}
    assert new_names == {"mu_p", "+ mu_q * before"}  # no mu_p and no self.sigma_lambda in `sample`


def test_gradients_are_only_cut_where_training_needs_them():
    assert [mutant.block.label for mutant in small_mutants() if "detach" in mutant.source] == ["loss"]


def test_mutants_of_the_masters_are_distinct_stable_and_many(assignment, all_mutants):
    assert len(all_mutants) >= (25 if assignment.id in ELSEWHERE else 160)
    assert len({(mutant.file, mutant.source) for mutant in all_mutants}) == len(all_mutants)
    assert len({mutant.id for mutant in all_mutants}) == len(all_mutants)
    assert [mutant.id for mutant in assignment_mutants(assignment)] == [mutant.id for mutant in all_mutants]


def test_every_block_has_mutants(assignment, all_mutants):
    questions = [question.id for question in assignment.questions]
    blocks = {
        (file.name, block.label)
        for file in assignment.files
        if file.name not in ELSEWHERE.get(assignment.id, ())
        for block in parse_master(assignment.master(file).read_text("utf-8"), file.name, questions).blocks
        if block.question not in FREE.get(assignment.id, ()) and block.label not in BY_HAND.get(assignment.id, ())
    }
    assert {(mutant.file, mutant.block.label) for mutant in all_mutants} == blocks


def test_every_operator_has_mutants():
    used = {mutant.id.split(":")[2] for name in NAMES for mutant in assignment_mutants(load_assignment(name))}
    assert used == set(OPERATORS)


def test_every_listed_survivor_is_a_mutant(assignment, all_mutants):
    survivors = listed_survivors(assignment.id)
    listed = [survivor.id for survivor in survivors]
    assert not set(listed) - {mutant.id for mutant in all_mutants}
    assert len(set(listed)) == len(listed)
    assert all(survivor.reason for survivor in survivors)


@pytest.mark.slow
def test_the_masters_pass_and_no_check_breaks(graded):
    report, verdicts = graded
    checks = [check for unit in report.units for check in unit.checks]
    assert [check.name for check in checks if check.status is not Status.PASSED] == []
    broken = [f"{verdict.mutant.id}: {verdict.problem}" for verdict in verdicts if verdict.problem]
    assert not broken, "checks that break on a mutant:\n" + "\n".join(broken)


@pytest.mark.slow
def test_every_survivor_was_judged(assignment, graded):
    listed = {survivor.id for survivor in listed_survivors(assignment.id)}
    unknown = [
        f"{verdict.mutant.id}\n    {verdict.mutant.diff}"
        for verdict in graded[1]
        if not verdict.caught and verdict.mutant.id not in listed
    ]
    assert not unknown, "not noticed by the checks and not in the list of survivors:\n" + "\n".join(unknown)


@pytest.mark.slow
def test_no_listed_survivor_is_caught(assignment, graded):
    listed = {survivor.id for survivor in listed_survivors(assignment.id)}
    caught = [
        f"{verdict.mutant.id} by {verdict.check}\n    {verdict.mutant.diff}"
        for verdict in graded[1]
        if verdict.caught and verdict.mutant.id in listed
    ]
    assert not caught, "in the list of survivors, but noticed by the checks:\n" + "\n".join(caught)


def test_at_least_98_percent_of_real_mistakes_are_caught(assignment, all_mutants):
    survivors = listed_survivors(assignment.id)
    equivalent = sum(survivor.equivalent for survivor in survivors)
    assert len(survivors) - equivalent <= 0.02 * (len(all_mutants) - equivalent)

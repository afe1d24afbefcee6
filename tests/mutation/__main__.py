"""`python -m tests.mutation ASSIGNMENT`: grades all mutants and prints what became of each.

The exit status is 1 where one survives that is not in the list of survivors, where one of the list is caught, or where
the grader breaks.
"""

from __future__ import annotations

import argparse
import sys
import time

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from autograder.assignment import assignment_names, load_assignment
from autograder.grading.engine import Engine

from .mutants import assignment_mutants
from .verdicts import SEED, MutantGrader, Verdict, listed_survivors


def main() -> None:
    """Parse the command line, grade, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("assignment", choices=assignment_names())
    parser.add_argument("--only", default="", help="part of a mutant's id, such as q2_ddpm.py or drop-term")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the random inputs")
    arguments = parser.parse_args()
    console = Console()
    assignment = load_assignment(arguments.assignment)
    mutants = [mutant for mutant in assignment_mutants(assignment) if arguments.only in mutant.id]
    started = time.monotonic()
    with Engine(assignment) as engine:
        grader = MutantGrader(assignment, engine, arguments.seed)
        verdicts = [grader.verdict(mutant) for mutant in track(mutants, "grading mutants", console=console)]
    console.print(_table(verdicts, assignment.id))
    caught = sum(verdict.caught for verdict in verdicts)
    seconds = time.monotonic() - started
    console.print(f"{caught} of {len(verdicts)} mutants caught, in {seconds:.0f} s")
    listed = {survivor.id for survivor in listed_survivors(assignment.id)}
    wrong = [one.mutant.id for one in verdicts if one.problem or one.caught == (one.mutant.id in listed)]
    if wrong:
        console.print("not as the list of survivors says, or the grader broke:", *wrong, sep="\n    ", markup=False)
        sys.exit(1)


def _table(verdicts: list[Verdict], assignment: str) -> Table:
    reasons = {survivor.id: survivor.reason for survivor in listed_survivors(assignment)}
    table = Table("mutant", "change", "caught by", "message", show_lines=True)
    for verdict in verdicts:
        mutant = verdict.mutant
        # Text: a change such as `x[:1]` is not to be read as markup.
        message = Text(verdict.message or reasons.get(mutant.id, ""))
        if verdict.problem:
            message = Text(f"the grader broke: {verdict.problem}", style="red")
        caught = Text(verdict.check) if verdict.caught else Text("survives", style="bold yellow")
        table.add_row(Text(mutant.id), Text(f"- {mutant.old}\n+ {mutant.new}"), caught, message)
    return table


if __name__ == "__main__":
    main()

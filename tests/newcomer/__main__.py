"""`python -m tests.newcomer [ASSIGNMENT ...]`: plays a new student of each assignment, and prints how it went.

From the zip of the course: fill the notebooks, export, public checks, zip, grade; then thirty misconceptions, each
planted in a notebook. The exit status is 1 where a step fails, or where fewer than 28 of 30 are named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from autograder.assignment import Assignment, assignment_names, load_assignment
from autograder.grading.engine import Engine

from .proof import chosen, full_marks, hand_out, what_is_said
from .student import NewStudent

MAY_BE_UNNAMED = 2


def main() -> None:
    """Parse the command line, play, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.newcomer", description=__doc__)
    parser.add_argument("assignments", nargs="*", default=assignment_names(), help="default: all")
    arguments = parser.parse_args()
    worked, named, planted = True, 0, 0
    for assignment in map(load_assignment, arguments.assignments):
        with tempfile.TemporaryDirectory() as folder:
            handout = hand_out(assignment, Path(folder, "course"))
            worked &= _play(NewStudent(assignment, handout, Path(folder, "home")))
            found = _misconceptions(assignment, handout, Path(folder))
        named, planted = named + sum(found), planted + len(found)
    print(f"misconceptions: {named} of {planted} named")
    sys.exit(0 if worked and named >= planted - MAY_BE_UNNAMED else 1)


def _play(student: NewStudent) -> bool:
    started, worked = time.monotonic(), True
    for step in full_marks(student):
        seconds, started = time.monotonic() - started, time.monotonic()
        print(f"{student.assignment.id}: {step.name}: {'worked' if step.worked else 'FAILED'} ({seconds:.0f} s)")
        if not step.worked:
            print(step.said)
        worked &= step.worked
    return worked


def _misconceptions(assignment: Assignment, handout: Path, folder: Path) -> list[bool]:
    found = []
    with Engine(assignment.model_copy(update={"language": "en"})) as engine:  # the language of the tables
        for number, row in enumerate(chosen(assignment)):
            said = what_is_said(NewStudent(assignment, handout, folder / str(number)), row, engine)
            found.append(any(row.words in message for message in said))
            print(f"{'named' if found[-1] else 'NOT NAMED'}: {row.unit}: {row.words}")
            if not found[-1]:
                print(*said, sep="\n")
    return found


if __name__ == "__main__":
    main()

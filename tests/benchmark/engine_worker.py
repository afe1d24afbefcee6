"""Grades the reference several times with one warm engine, and prints the seconds."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from autograder.assignment import load_assignment
from autograder.grading.engine import Engine
from autograder.intake import read_submission

assignment = load_assignment("ift6135_h25")
with Engine(assignment) as engine:
    submission = read_submission([Path("solutions/ift6135_h25")], assignment)
    engine.grade(submission, seed=0)
    started = time.monotonic()
    for seed in range(int(sys.argv[1])):
        report = engine.grade(submission, seed=seed)
        assert report.earned == report.auto_points
print(time.monotonic() - started)

"""Grades the reference solution with what stands in a bundle: `python -I -m autograder.gradescope.self_check ID`.

`setup.sh` runs it last, so that no image is built whose packages, files or jail do not do. Samples of trained models
are left out: the reference's weights are not in a bundle.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path

from autograder.assignment import Assignment, load_assignment
from autograder.gradescope.results import gradescope_results
from autograder.grading.engine import Engine
from autograder.grading.report import Report
from autograder.report.writing import as_json
from autograder.sandbox.jail import LAYERS, ON
from autograder.sandbox.preload import preload, quiet_environment

_SEED = 1


class SelfCheckError(Exception):
    """What is installed here cannot grade; the message says why."""


def self_check(assignment: Assignment) -> Report:
    """Grade the reference solution, see that it earns everything, and make the site's results of it.

    Raises:
        SelfCheckError: a module is missing, or the reference solution loses points.
        NotIsolatedError: this machine cannot keep a submission from the answers.
    """
    quiet_environment()
    if failed := preload(assignment.imports):
        raise SelfCheckError("; ".join(f"{name} cannot be imported: {reason}" for name, reason in failed.items()))
    # What a prefilled file is worth, the trained weights decide.
    samples = {file.name for file in assignment.files if file.prefilled} if assignment.checkpoints else set()
    units = [unit.name for unit in assignment.units if unit.file not in samples]
    with Engine(assignment) as engine, tempfile.TemporaryDirectory() as folder:
        from autograder.intake import read_submission

        for file in assignment.files:
            path = Path(folder, file.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(assignment.master(file).read_bytes())
        report = engine.grade(read_submission([Path(folder)], assignment), _SEED, only=units)
    lost = [
        f"{check.name}: {check.message}"
        for unit in report.units
        if unit.name in units
        for check in unit.checks
        if check.earned_share < check.share
    ]
    if lost or report.run.problem:
        reasons = "\n".join([*lost, report.run.problem])
        raise SelfCheckError(f"the reference solution does not earn all points\n{reasons}".strip())
    as_json(gradescope_results(report, assignment.gradescope))
    return report


def main() -> None:
    """Check, say what was found, and exit with 1 if this is no place to grade."""
    try:
        report = self_check(load_assignment(sys.argv[1]))
    except Exception as error:
        print(f"genlab: this image cannot grade: {error}", file=sys.stderr)
        sys.exit(1)
    held = [layer for layer in LAYERS if report.run.layers[layer] == ON]
    print(f"genlab: Python {platform.python_version()}, torch {report.run.torch}, {report.run.machine}")
    print(f"genlab: layers of the jail that hold here: {', '.join(held)}")
    print(f"genlab: the reference solution of {report.assignment} earns {report.earned:g} points, as it should")


if __name__ == "__main__":
    main()

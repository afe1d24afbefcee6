"""A small assignment, written to a temporary folder."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from autograder.assignment import Assignment, load_assignment

MANIFEST = """\
id = "demo"
title = "Discs and walks"
files = [
    {name = "q1_disc.py"},
    {name = "q2_walk.py", master = "../shared/walk.py"},
]
support = [{name = "lab/settings.py"}]
extras = [{name = "plot.py"}]
scratch_dirs = ["figures"]
requirements = ["numpy==2.2.3", "tqdm==4.67.1"]

[[parts]]
id = "1"
title = "Discs"
points = 8

[[parts.questions]]
id = "1.1"
title = "Area of a disc"
points = 3
kind = "auto"
units = [{name = "q1_disc.area", points = 3, file = "q1_disc.py"}]

[[parts.questions]]
id = "1.2"
title = "Why pi | why not tau"
points = 5
kind = "written"
rubric = [{points = 5, text = "names the circumference"}]

[[parts]]
id = "2"
title = "Walks"
points = 10

[[parts.questions]]
id = "2.1"
title = "A random walk"
points = 10
kind = "training"
units = [{name = "Walk.step", points = 4, file = "q2_walk.py"}]
rubric = [{points = 6, text = "a curve"}]
"""

DISC = '''\
"""The area of a disc."""

import math


def area(radius):
    """Area of a disc, in the squared unit of `radius`."""
    # BEGIN SOLUTION 1.1 area
    squared_radius = radius * radius
    return math.pi * squared_radius
    # END SOLUTION
'''

WALK = '''\
"""A walk on a line,
one step at a time.

More words.
"""

from lab.settings import STEP_LENGTH


class Walk:
    """A walk."""

    def __init__(self):
        self.position_after_each_step = [0.0]

    def step(self, sign):
        """Walk one step."""
        # BEGIN SOLUTION 2.1 Walk.step
        last_position = self.position_after_each_step[-1]
        self.position_after_each_step.append(last_position + sign * STEP_LENGTH)
        # END SOLUTION


if __name__ == "__main__":
    print(Walk().position_after_each_step)
'''

SETTINGS = '"""Settings of the walk."""\n\nSTEP_LENGTH = 0.5  # métres\n'
PLOT = '"""Draw the walk."""\n\nfrom q2_walk import Walk\n\nif __name__ == "__main__":\n    print(Walk())\n'
HANDOUT = "# Discs and walks\n\nCompute the area, then walk.\n"


@pytest.fixture
def solutions(tmp_path: Path) -> Path:
    """A folder of solutions with the assignment `demo`; tests change its files."""
    folder = tmp_path / "solutions"
    texts = {
        "demo/assignment.toml": MANIFEST,
        "demo/q1_disc.py": DISC,
        "shared/walk.py": WALK,
        "demo/lab/settings.py": SETTINGS,
        "demo/plot.py": PLOT,
        "demo/handout.md": HANDOUT,
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(textwrap.dedent(text).encode())
    return folder


@pytest.fixture
def demo(solutions: Path) -> Assignment:
    return load_assignment("demo", solutions)

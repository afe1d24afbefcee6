"""Plants attacks in a whole submission, grades it with the real engine, and looks at what must hold after any attack.

An attack is code inside a wrong `log_mean_exp`. Where it reaches what it wants, it sets `won`, and the function then
returns the right values: whatever gains something gains points, and no points is the first thing that is asserted.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status

from ..checks.planting import planted
from ..conftest import MakeSubmission
from ..sandbox.conftest import descendants, inhabitants

UNIT = "q1_vae.log_mean_exp"
SEED = 5
WRONG = "it looks as if the mean of the logarithms is returned."
"""What the first check says of an attack that ran to its end and won nothing."""

_IMPORTS = "import math\n\nimport torch\n"
_START = "won = False\n"
_END = "lme = torch.logsumexp(y, 1) - math.log(sample_size) if won else y.mean(1)\n"
_SHARED_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock")


class Attack(Protocol):
    """Grades an attack; see the fixture."""

    def __call__(self, body: str, prelude: str = "") -> Report: ...


def planted_attack(text: str, body: str, prelude: str = "") -> str:
    """The master `text` of q1_vae.py with `body` in `log_mean_exp`, and `prelude` behind its imports."""
    return planted(
        text,
        {
            "block: log_mean_exp": _START + textwrap.dedent(body).strip("\n") + "\n" + _END,
            _IMPORTS: _IMPORTS + textwrap.dedent(prelude),
        },
    )


@pytest.fixture
def attack(engine: Engine, make_submission: MakeSubmission, masters: dict[str, str]) -> Attack:
    """`attack(body, prelude)` grades the attack and asserts what holds for all: the report is returned.

    No points, no broken check, nothing left behind. That the next submissions are graded as ever is asserted when all
    attacks of a module are through. A module with its own fixture `engine` has its attacks graded by that one.
    """

    def grade(body: str, prelude: str = "") -> Report:
        descriptors = sorted(os.listdir("/proc/self/fd"))
        text = planted_attack(masters["q1_vae.py"], body, prelude)
        report = engine.grade(make_submission({"q1_vae.py": text}, "attack"), SEED, only={UNIT})
        assert report.earned == 0
        assert report.run.problem == ""
        assert {check.status for unit in report.units for check in unit.checks} <= {Status.FAILED, Status.SKIPPED}
        assert left_behind(engine) == []
        assert sorted(os.listdir("/proc/self/fd")) == descriptors
        return report

    return grade


@pytest.fixture(scope="module", autouse=True)
def _graded_as_ever(engine: Engine, make_submission: MakeSubmission) -> Iterator[None]:
    """After all attacks of a module the reference gets the full points for what they were planted in."""
    yield
    current = os.environ["PYTEST_CURRENT_TEST"]
    assert engine.grade(make_submission(), SEED, only={UNIT}).earned == 8
    os.environ["PYTEST_CURRENT_TEST"] = current  # the run of the checks inside this one has taken it away
    assert left_behind(engine) == []


def left_behind(engine: Engine) -> list[str]:
    """Processes and files that remain of an engine's children while none of them should live."""
    zygote = engine._zygote
    processes = {*descendants(zygote.pid), *inhabitants(zygote.scratch_root)}
    files = list(zygote.scratch_root.iterdir())
    if zygote._uid is not None:
        processes |= {pid for pid in map(_number, Path("/proc").iterdir()) if pid and _owner(pid) == zygote._uid}
        for folder in filter(os.path.isdir, _SHARED_FOLDERS):
            with os.scandir(folder) as listing:
                files += [Path(entry.path) for entry in listing if _is_of(entry, zygote._uid)]
    return [*map(str, sorted(processes)), *map(str, files)]


def _number(path: Path) -> int:
    return int(path.name) if path.name.isdigit() else 0


def _owner(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:  # it has ended
        return -1


def _is_of(entry: os.DirEntry[str], uid: int) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_uid == uid
    except FileNotFoundError:
        return False

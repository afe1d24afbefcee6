"""What each assignment needs in Gradescope's container: the reference, graded through the bundle's entry, under limits.

    python -m tests.benchmark.containers ift6135_h25 --memory-mb 768 --cpus 0.5

Needs root and control groups of version 1. Memory is what the processes hold themselves (counted by the control group,
pages that they share once) and, of mapped files, what the largest process has in memory: the kernel may drop the
latter and read it again, which costs time. Without names, the limits of each manifest hold, for all assignments.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.assignment import Assignment, assignment_names, load_assignment

GROUPS = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
LOOK_SECONDS = 0.05
ROW = "{:14} {:>7} {:>5} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>12}"
HEADINGS = ("", "limit", "CPUs", "wall s", "CPU s", "own MB", "files MB", "sum MB", "at limit", "points")


@dataclass
class Measured:
    """One grading under limits; memory in MB, peaks. `at_limit`: how often the kernel had to make room."""

    wall: float
    cpu: float
    own: float
    files: float
    together: float
    at_limit: int
    score: float
    ungradable: float


class Group:
    """A control group of its own in each of the hierarchies."""

    def __init__(self, memory_mb: float, cpus: float) -> None:
        self.folders = {kind: GROUPS / kind / f"genlab-{os.getpid()}" for kind in ("memory", "cpu", "cpuacct")}
        for folder in self.folders.values():
            folder.mkdir(exist_ok=True)
        (self.folders["memory"] / "memory.limit_in_bytes").write_text(str(int(memory_mb * 2**20)))
        (self.folders["cpu"] / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (self.folders["cpu"] / "cpu.cfs_quota_us").write_text(str(int(cpus * PERIOD_US)))

    def enter(self) -> None:
        """Move this process into it."""
        for folder in self.folders.values():
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def own_mb(self) -> float:
        """Memory that belongs to the processes and to no file."""
        lines = (self.folders["memory"] / "memory.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["rss"]) / 2**20

    def files_mb(self) -> float:
        """Mapped files of the process that has most of them."""
        most = 0.0
        for pid in (self.folders["memory"] / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError, StopIteration):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                most = max(most, int(next(line for line in lines if line.startswith("RssFile")).split()[1]) / 2**10)
        return most

    def cpu_seconds(self) -> float:
        """Processor time of all that was ever in it."""
        return int((self.folders["cpuacct"] / "cpuacct.usage").read_text()) / 1e9

    def at_limit(self) -> int:
        """How often memory was asked for that was not there."""
        return int((self.folders["memory"] / "memory.failcnt").read_text())

    def close(self) -> None:
        """Remove it; nothing may run in it any more."""
        for folder in self.folders.values():
            folder.rmdir()


@contextlib.contextmanager
def container(assignment: Assignment) -> Iterator[Path]:
    """The folders of the site with the reference as the upload."""
    root = Path(tempfile.mkdtemp(prefix="genlab-container-"))
    try:
        (root / "results").mkdir()
        (root / "secret").write_bytes(bytes(32))
        for file in assignment.files:
            path = root / "submission" / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(assignment.master(file), path)
        for checkpoint in assignment.checkpoints:
            path = root / "submission" / checkpoint.name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(assignment.folder / checkpoint.name, path)
        yield root
    finally:
        shutil.rmtree(root)


def measure(assignment: Assignment, memory_mb: float, cpus: float, python: str) -> Measured:
    """Grade the reference of an assignment under limits."""
    group = Group(memory_mb, cpus)
    own = files = together = 0.0
    with container(assignment) as root:
        command = [python, "-I", "-m", "autograder.gradescope.run", assignment.id]
        command += ["--root", str(root), "--secret", str(root / "secret")]
        started = time.monotonic()
        with open(root / "stdout", "wb") as printed:
            process = subprocess.Popen(command, stdout=printed, stderr=printed, preexec_fn=group.enter)
            while process.poll() is None:
                now_own, now_files = group.own_mb(), group.files_mb()
                own, files, together = max(own, now_own), max(files, now_files), max(together, now_own + now_files)
                time.sleep(LOOK_SECONDS)
        wall = time.monotonic() - started
        results = json.loads((root / "results" / "results.json").read_text())
        ungradable = results.get("extra_data", {}).get("ungradable_points", float("nan"))
        if ungradable != 0:
            print((root / "stdout").read_text("utf-8", "replace"), file=sys.stderr)
        found = Measured(
            wall, group.cpu_seconds(), own, files, together, group.at_limit(), results["score"], ungradable
        )
    group.close()
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assignments", nargs="*", metavar="ASSIGNMENT")
    parser.add_argument("--memory-mb", type=float, help="default: as the manifest says")
    parser.add_argument("--cpus", type=float, help="default: as the manifest says")
    parser.add_argument("--python", default=sys.executable, help="interpreter, such as one with the CPU build of torch")
    options = parser.parse_args()
    if os.geteuid() != 0 or not (GROUPS / "memory" / "memory.limit_in_bytes").exists():
        parser.exit(2, "This needs root and control groups of version 1, mounted writable.\n")
    print(ROW.format(*HEADINGS))
    for name in options.assignments or assignment_names():
        assignment = load_assignment(name)
        memory_mb = options.memory_mb or assignment.gradescope.memory_mb
        cpus = options.cpus or assignment.gradescope.cpus
        found = measure(assignment, memory_mb, cpus, options.python)
        points = f"{found.score:g}" + (f" ({found.ungradable:g} not judged)" if found.ungradable else "")
        numbers = (found.wall, found.cpu, found.own, found.files, found.together)
        cells = (f"{number:.0f}" for number in numbers)
        print(ROW.format(name, f"{memory_mb:g}", f"{cpus:g}", *cells, found.at_limit, points), flush=True)


if __name__ == "__main__":
    main()

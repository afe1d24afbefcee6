"""A new student: has the zip that the course hands out, the listed packages, and the ideas of the reference."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.assignment import Assignment
from autograder.language import speaking
from autograder.release import parse_masters
from autograder.release.markers import Block, fill, find_marker

from ..checks.planting import planted

# What Python runs at its start on the student's computer: our package is not installed there.
WITHOUT_US = """\
import sys


class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("autograder", "tests"):
            raise ModuleNotFoundError(f"No module named {name!r}")


sys.meta_path.insert(0, NotInstalled())
"""


class NewStudent:
    """Works in the unpacked folder, by its own commands alone."""

    def __init__(self, assignment: Assignment, handout: Path, home: Path) -> None:
        """Unpack the handout.

        Args:
            assignment: the manifest.
            handout: the zip that `genlab release --zip` writes.
            home: an empty folder, the student's computer.
        """
        self.assignment = assignment
        self._startup = home / "python"
        self._startup.mkdir(parents=True)
        (self._startup / "sitecustomize.py").write_text(WITHOUT_US)
        shutil.unpack_archive(handout, home)
        self.folder = home / assignment.id

    def fill_in(self, edits: Mapping[str, str] | None = None) -> list[str]:
        """Write the reference's solutions into the notebooks, with these edits (see `planting.planted`).

        Returns:
            Names of the notebooks that hold an edit; all if there are none.

        Raises:
            ValueError: a TODO of the submitted files is in no notebook, or an edit fits nowhere.
        """
        masters = parse_masters(self.assignment)
        left = {(name, block.label): block for name, master in masters.items() for block in master.blocks}
        unused, touched = dict(edits or {}), []
        for entry in self.assignment.notebooks:
            path = self.folder / entry.name
            notebook = nbformat.read(path, as_version=4)
            with speaking(self.assignment.language):  # TODO lines are in the language of the course
                blocks = [block for (name, _label), block in left.items() if name in entry.files]
                done = _fill(notebook, blocks)
            left = {key: block for key, block in left.items() if block not in done}
            if used := _edit(notebook, unused):
                touched.append(entry.name)
                unused = {key: new for key, new in unused.items() if key not in used}
            for cell in notebook.cells:
                cell.source = "\n".join(line for line in cell.source.split("\n") if find_marker(line) is None)
            nbformat.write(notebook, path)
        if left or unused:
            raise ValueError(f"not in a notebook: {[*left, *unused]}")
        return touched if edits else [entry.name for entry in self.assignment.notebooks]

    def run(self, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run Python in the folder; standard output and errors come together."""
        environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        environment |= {"PYTHONPATH": str(self._startup), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )

    def bring_weights(self) -> None:
        """Put the weights that the reference was trained to where a training would have written them."""
        for checkpoint in self.assignment.checkpoints:
            source = self.assignment.folder / checkpoint.name
            if source.is_file():
                (self.folder / checkpoint.name).parent.mkdir(exist_ok=True)
                shutil.copy(source, self.folder / checkpoint.name)


def _fill(notebook: NotebookNode, blocks: list[Block]) -> list[Block]:
    """Put solutions, with their markers, in the places of their TODO lines; those that had one."""
    done = []
    for cell in notebook.cells:
        here = [block for block in blocks if block.stub[0] in cell.source.split("\n")]
        cell.source = fill(cell.source, here)
        done += here
    return done


def _edit(notebook: NotebookNode, edits: Mapping[str, str]) -> list[str]:
    """Make edits where they fit; those that did."""
    used = []
    for key, new in edits.items():
        for cell in notebook.cells:
            try:
                cell.source = planted(f"{cell.source}\n", {key: new}).rstrip("\n")
            except (ValueError, SyntaxError):
                continue  # it stands in another cell
            used.append(key)
            break
    return used

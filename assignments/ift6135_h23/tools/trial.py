"""Tries to import the files to hand in, in a process of its own and in a copy of the folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.words import _
from tools.facts import Facts

SECONDS = 60.0

# Runs in the copy. Each answer is written before the next import begins, so that a file that hangs is known.
_IMPORT_EACH = """
import importlib, json, os, sys, traceback
answers = open(sys.argv[1], "a", encoding="utf-8")
for module in sys.argv[2:]:
    answer = {"module": module}
    try:
        importlib.import_module(module)
    except BaseException as error:
        here = os.getcwd() + os.sep
        frames = traceback.extract_tb(error.__traceback__)
        own = [(it.filename, it.lineno) for it in frames if it.filename.startswith(here)]
        if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(here):
            own.append((error.filename, error.lineno))
        answer["error"] = f"{type(error).__name__}: {error}".strip().split("\\n")[0][:200]
        answer["missing"] = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
        answer["file"], answer["line"] = (own[-1][0][len(here):].replace(os.sep, "/"), own[-1][1]) if own else ("", 0)
    answers.write(json.dumps(answer) + "\\n")
    answers.flush()
"""


@dataclass(frozen=True)
class Failure:
    """Why a file cannot be imported.

    Attributes:
        error: kind and words of the error; that it took too long, or ended Python.
        file: the file of the folder where it happened; empty if in none.
        line: the line there.
        missing: the module that could not be found, if that was it.
    """

    error: str
    file: str = ""
    line: int = 0
    missing: str = ""


def failures(folder: Path, sources: Mapping[str, bytes], facts: Facts, seconds: float = SECONDS) -> dict[str, Failure]:
    """Import each of these files, beside the given ones of `folder`.

    Args:
        folder: of the assignment.
        sources: name and content of the files to import.
        facts: the assignment.
        seconds: how long one import may take.

    Returns:
        Name -> why, of those that cannot be imported.
    """
    with tempfile.TemporaryDirectory(prefix="trial-") as scratch:
        copy = Path(scratch).resolve() / "folder"
        copy.mkdir()
        for name in facts.given:
            if (folder / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, copy / name)
        for name, content in sources.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(content)
        for name in facts.folders:
            (copy / name).mkdir(parents=True, exist_ok=True)
        return dict(_tried(copy, list(sources), Path(scratch) / "answers", seconds))


def _tried(copy: Path, names: Sequence[str], answers: Path, seconds: float) -> Iterator[tuple[str, Failure]]:
    waiting = list(names)
    while waiting:
        answers.write_text("", "utf-8")
        ended = _import(copy, waiting, answers, seconds)
        given = [json.loads(line) for line in answers.read_text("utf-8").splitlines()]
        for answer, name in zip(given, waiting, strict=False):
            if "error" in answer:
                yield name, Failure(answer["error"], answer["file"], answer["line"], answer["missing"])
        if len(given) < len(waiting):  # the process did not come to its end
            yield waiting[len(given)], Failure(ended)
        waiting = waiting[len(given) + 1 :]


def _import(copy: Path, names: Sequence[str], answers: Path, seconds: float) -> str:
    """Import in a process of its own; say how it ended, for the case that it did not import everything."""
    modules = [name.removesuffix(".py").replace("/", ".") for name in names]
    settings = {"MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [sys.executable, "-c", _IMPORT_EACH, str(answers), *modules],
        cwd=copy,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    done = 0
    try:
        while True:  # as long as one more file is imported within the time
            try:
                process.wait(seconds)
                return _("it ended Python")
            except subprocess.TimeoutExpired:
                now = answers.read_text("utf-8").count("\n")
                if now == done:
                    return _("it took longer than {n} seconds").format(n=f"{seconds:g}")
                done = now
    finally:
        process.kill()
        process.wait()

"""Whether a source parses, asked of a short-lived child, so that a source that crashes the parser crashes only that."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from autograder.intake import syntax_child
from autograder.language import N_, _

SECONDS = 20.0


@dataclass(frozen=True)
class Syntax:
    """What the parser says.

    Attributes:
        line: line of the error, from 1; 0 if the source parses.
        message: the parser's words, or that it gave up; empty if the source parses.
        ipython_spans: first and last line of each statement that only calls `get_ipython()`.
    """

    line: int = 0
    message: str = ""
    ipython_spans: tuple[tuple[int, int], ...] = ()


TOO_COMPLEX = N_("it is nested too deeply or too large")


def parse(source: str) -> Syntax:
    """Parse `source` in a child with limits on time and memory. It is not compiled and not executed.

    Source: https://docs.python.org/3/library/ast.html#ast.parse warns that parsing can crash the interpreter.

    Raises:
        RuntimeError: the child itself failed, which no source should bring about.
    """
    answer = ask(syntax_child.__file__, source)
    if answer is None:
        return Syntax(1, _(TOO_COMPLEX))
    if "spans" in answer:
        return Syntax(ipython_spans=tuple((first, last) for first, last in answer["spans"]))
    return Syntax(answer["line"], answer["message"] or _(TOO_COMPLEX))


def ask(script: str, source: str) -> Any:
    """What a script that limits itself says of `source`, from JSON; None if the parser crashed or used up its time.

    Raises:
        RuntimeError: the script itself failed, which no source should bring about.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-S", script],
            input=source.encode("utf-8"),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if child.returncode < 0:  # ended by a signal
        return None
    if child.returncode > 0:
        raise RuntimeError(f"the parser's process failed: {child.stderr.decode(errors='replace')[-500:]}")
    return json.loads(child.stdout)

"""Look for signs in Python source from standard input and print them as JSON; run as a script by `signs.py`.

It stands in a process of its own for the reason that `syntax_child.py` does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

_INTAKE = "autograder.intake"


def _reach_the_package() -> None:
    """Make the modules beside this one importable, without `__init__.py`: an isolated interpreter lacks its imports."""
    here = Path(__file__).resolve().parent
    sys.path.append(str(here.parents[1]))
    package = ModuleType(_INTAKE)
    package.__path__ = [str(here)]
    sys.modules[_INTAKE] = package


if __name__ == "__main__":
    _reach_the_package()
    from autograder.intake.sign_finder import examine
    from autograder.intake.syntax_child import limit

    limit()
    print(json.dumps(examine(sys.stdin.buffer.read())))

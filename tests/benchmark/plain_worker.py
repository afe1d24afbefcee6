"""The plain way: imports everything, runs the checks on the reference in this very process, and ends.

The argument says whether torchvision is imported as it is ("as-is") or with the engine's shortcuts ("lean").
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

STARTED = time.monotonic()

from autograder.assignment import load_assignment  # noqa: E402
from autograder.sandbox.preload import preload, quiet_environment  # noqa: E402

assignment = load_assignment("ift6135_h25")
quiet_environment()
if sys.argv[1] == "lean":
    preload(assignment.imports)
else:
    for name in assignment.imports:
        importlib.import_module(name)

import pytest  # noqa: E402
import torch  # noqa: E402

from autograder.grading.engine import _PYTEST_OPTIONS  # noqa: E402
from autograder.grading.plugin import GradingPlugin, Job  # noqa: E402
from autograder.grading.reference import load_reference, support_sources  # noqa: E402
from autograder.intake import read_submission  # noqa: E402
from autograder.sandbox import wire  # noqa: E402
from autograder.sandbox.child import _OPERATIONS, Objects  # noqa: E402
from autograder.sandbox.session import Session, reference_to  # noqa: E402


class PlainSession(Session):
    """Answers requests in this process: no child, no wire, no limits."""

    def __init__(self, sources: dict[str, str], probes: str, seed: int) -> None:
        self._objects = Objects()
        self._seed, self._imported, self.output = seed, set[str](), b""
        self.limits = None  # type: ignore[assignment]
        self.request({"op": "load", "sources": sources, "probes": probes, "seed": seed, "threads": 1, "classes": {}})

    def import_module(self, name: str) -> None:
        self.request({"op": "import", "module": name, "seed": self._seed})

    def call(self, target: Any, args: Any, kwargs: Any, wrt: Any = (), cotangent: Any = None) -> dict[str, Any]:
        return self.request(
            {"op": "call", "target": target, "args": args, "kwargs": kwargs, "wrt": wrt, "cotangent": cotangent}
        )

    def request(self, request: dict[str, Any], seconds: float | None = None) -> dict[str, Any]:
        given = {key: _localise(value) for key, value in request.items() if key != "op"}
        answer = _OPERATIONS[request["op"]](self._objects, **given)
        if not isinstance(answer["value"], torch.Tensor):
            answer["value"] = self._objects.stand_for(answer["value"]) or answer["value"]
        return answer

    def close(self) -> None:
        sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "SourceFinder"]


def _localise(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_localise(item) for item in value)
    if type(value) is dict:
        return {key: _localise(item) for key, item in value.items()}
    if isinstance(value, wire.Ref):
        return wire.Ref({key: _localise(item) for key, item in value.root.items()}, value.path)
    return reference_to(value) or value


submission = read_submission([Path("solutions/ift6135_h25")], assignment)
sources = {**submission.sources, **support_sources(assignment)}
probes = (assignment.checks / "probes.py").read_text()
plugin = GradingPlugin(Job(assignment, load_reference(assignment), 0, lambda seed: PlainSession(sources, probes, seed)))
checks = [str(path) for path in sorted(assignment.checks.glob("test_*.py"))]
pytest.main([*_PYTEST_OPTIONS, f"--rootdir={assignment.checks}", *checks], plugins=[plugin])
failed = [result for _, result in plugin.results if result.status != "passed"]
assert plugin.results
assert not failed, [result.name for result in failed]
print(time.monotonic() - STARTED)

"""Nothing that the grader reads, of a submission or of its own results, can run code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "autograder"
RUN_CODE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


@pytest.mark.threat(62)
def test_no_module_of_the_package_imports_what_runs_code_when_it_reads() -> None:
    imported = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    assert "json" in imported
    assert imported & RUN_CODE == set()


@pytest.mark.threat(30, 62)
def test_checkpoints_are_only_ever_read_as_weights() -> None:
    calls = [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load", "numpy.load")
    ]
    safe = [{word.arg: ast.unparse(word.value) for word in call.keywords} for call in calls]
    assert calls
    for call, words in zip(calls, safe, strict=True):
        if ast.unparse(call.func) == "torch.load":
            assert words.get("weights_only") == "True"
        else:
            assert words.get("allow_pickle", "False") == "False"

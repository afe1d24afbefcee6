"""Parse Python source from standard input and print what was seen as JSON; run as a script by `syntax.py`.

The source is only parsed. It stands in a process of its own because some sources crash the parser or make it take
gigabytes, which must not happen to the process that grades. Only the standard library is imported here.
"""

from __future__ import annotations

import ast
import contextlib
import json
import sys
import warnings

MEMORY_BYTES = 512 * 1024 * 1024
CPU_SECONDS = 10


def limit() -> None:
    """Let this process take no more than the memory and the time that a source may cost."""
    import resource

    # macOS refuses to lower the address space; the crash of this process is still the only damage.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _calls_ipython(expression: ast.expr) -> bool:
    """Whether `expression` is a call such as `get_ipython().system("...")`."""
    node = expression
    while isinstance(node, (ast.Call, ast.Attribute)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(expression, ast.Call) and isinstance(node, ast.Name) and node.id == "get_ipython"


def _ipython_statements(tree: ast.Module, lines: list[bytes]) -> list[tuple[int, int]]:
    """First and last line (from 1) of statements that only call IPython and share their lines with nothing else."""
    spans = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Expr) or not _calls_ipython(node.value):
            continue
        assert node.end_lineno is not None
        before = lines[node.lineno - 1][: node.col_offset].strip()
        after = lines[node.end_lineno - 1][node.end_col_offset :].strip()
        if not before and (not after or after.startswith(b"#")):
            spans.append((node.lineno, node.end_lineno))
    return sorted(spans)


def examine(source: bytes) -> dict[str, object]:
    """`{"spans": [[first, last], ...]}`, or `{"line": number, "message": text}` if `source` does not parse.

    The text is the parser's; it is empty where the source is nested too deeply or too large for the parser.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.decode("utf-8"))
    except SyntaxError as error:
        return {"line": error.lineno or 1, "message": error.msg}
    except ValueError as error:
        return {"line": 1, "message": str(error)}
    except (MemoryError, RecursionError, SystemError):
        return {"line": 1, "message": ""}
    return {"spans": _ipython_statements(tree, source.split(b"\n"))}


if __name__ == "__main__":
    limit()
    print(json.dumps(examine(sys.stdin.buffer.read())))

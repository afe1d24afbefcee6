"""The code of a notebook that was saved under the name of a Python file."""

from __future__ import annotations

import json
import re
from typing import Any

from tools.ipython import comment_out

# `%%writefile` of a Python file shows code that is meant to be used.
_OTHER_LANGUAGE = re.compile(
    r"""\s*%%(?:
        bash | sh | script | system | sx | ! | html | javascript | js | latex | markdown | svg | perl | ruby
      | writefile (?!.*\.py[ \t]*(?:\n|\Z))
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def code_of_notebook(text: str) -> str | None:
    """The code cells of a notebook in their order, separated by blank lines; None if `text` is no notebook."""
    cells = cells_of_notebook(text)
    return None if cells is None else "\n\n".join(cell.rstrip("\n") for cell in cells) + "\n"


def cells_of_notebook(text: str) -> list[str] | None:
    """The texts of a notebook's code cells in their order; None if `text` is no notebook.

    Cells of another language (`%%bash`) become comments. Notebook formats 3 and 4 are understood; whatever in them
    does not have the type that the format asks for is left out.
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        # Numbers are of no interest, and a very long one takes long to convert.
        document = json.loads(text, parse_int=lambda digits: 0, parse_float=lambda digits: 0)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or "nbformat" not in document:
        return None
    cells = _list(document.get("cells"))
    for sheet in _list(document.get("worksheets")):
        cells += _list(sheet.get("cells"))
    sources = (_text(cell.get("source", cell.get("input"))) for cell in cells if cell.get("cell_type") == "code")
    return [_python(source) for source in sources]


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    lines = value if isinstance(value, list) else [value]
    return "".join(line for line in lines if isinstance(line, str))


def _python(source: str) -> str:
    if _OTHER_LANGUAGE.match(source):
        return comment_out(source, [(1, source.count("\n") + 1)])
    return source

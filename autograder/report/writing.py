"""Writes a file so that it is complete or absent at every moment."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any


def as_json(value: dict[str, Any]) -> str:
    """`value` as JSON for people and programs.

    Raises:
        ValueError: a number is not finite, so that it has no JSON.
    """
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_atomically(path: Path, text: str) -> None:
    r"""Write `text` as UTF-8 with `\n` to a new file beside `path`, and rename it to `path`.

    A link that stands at `path` is replaced, not followed. A lone surrogate, which has no UTF-8, becomes `?`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

"""How the name of a file fits the name that is asked for, and which names belong to nobody's work."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

NOTEBOOK = ".ipynb"

_JUNK_NAMES = frozenset(
    {"__MACOSX", "__pycache__", "venv", "env", "site-packages", "node_modules", "Thumbs.db", "desktop.ini", "Icon\r"}
)

# How browsers and file managers name a second copy, in English and French.
_NUMBER = r"\d{1,3}"
_COPY_SUFFIX = (
    rf" ?\({_NUMBER}\)|[- ]{_NUMBER}| ?-? ?(?:copy|copie)(?: ?\(?{_NUMBER}\)?)?| ?\((?:copy|copie)(?: {_NUMBER})?\)"
)


class Match(IntEnum):
    """How well a name fits; the lower, the better."""

    EXACT = 0
    WRONG_CASE = 1
    COPY = 2
    TEXT_EXTENSION = 3
    NOTEBOOK = 4


def match(path: str, name: str) -> Match | None:
    """How the uploaded `path` fits the file `name` of the manifest, in whatever folder it lies; None if it does not."""
    *folders, base = path.split("/")
    *wanted_folders, wanted_base = name.split("/")
    inner = folders[len(folders) - len(wanted_folders) :] if wanted_folders else []
    if [part.lower() for part in inner] != [part.lower() for part in wanted_folders]:
        return None
    if base == wanted_base:
        return Match.EXACT if inner == wanted_folders else Match.WRONG_CASE
    lower = base.strip().lower()
    if lower == wanted_base.lower():
        return Match.WRONG_CASE
    copies = _copies(wanted_base)
    if copies.fullmatch(lower):
        return Match.COPY
    return Match.TEXT_EXTENSION if copies.fullmatch(lower.removesuffix(".txt")) else None


@lru_cache(maxsize=256)
def _copies(base: str) -> re.Pattern[str]:
    stem, dot, extension = base.lower().rpartition(".")
    return re.compile(
        rf"(?:copy of |copie de )?{re.escape(stem)}(?:{_COPY_SUFFIX})?{re.escape(dot + extension)}", re.IGNORECASE
    )


def is_notebook(path: str) -> bool:
    """Whether `path` is named like a Jupyter notebook."""
    return path.lower().endswith(NOTEBOOK)


def is_junk(path: str) -> bool:
    """Whether `path` belongs to an operating system, an editor, a repository or a virtual environment.

    Names that begin with two dots are not hidden files but attempts to leave the folder.
    """
    return any(
        part in _JUNK_NAMES or (part.startswith(".") and not part.startswith(".."))
        for part in path.split("/")
        if part != "."
    )

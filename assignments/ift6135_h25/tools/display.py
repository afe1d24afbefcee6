"""Text that stems from an upload, made safe to show in a terminal, a table or a page."""

from __future__ import annotations

from collections.abc import Sequence

from tools.words import _, plural

NAME_LIMIT = 80
LISTED_NAMES = 5


def shown(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` on one line, without characters that act on a display, and at most `limit` characters long.

    Replaced are control characters (with which ANSI escapes begin), bidi and other format marks, line separators,
    and what is no character at all.
    What is too long loses its middle, so that the beginning and the extension of a file name remain.
    """
    if len(text) > limit:
        tail = (limit - 1) // 2
        text = f"{text[: limit - 1 - tail]}…{text[len(text) - tail :]}"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def listed(names: Sequence[str], limit: int = LISTED_NAMES) -> str:
    """`a, b and c`, display-safe; of a long list the first `limit` names and how many more there are."""
    safe = [shown(name) for name in names[:limit]]
    if len(names) > limit:
        return plural("{names} and {n} more", "{names} and {n} more", len(names) - limit, names=", ".join(safe))
    if len(safe) > 1:
        return _("{first} and {second}").format(first=", ".join(safe[:-1]), second=safe[-1])
    return "".join(safe)

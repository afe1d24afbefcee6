"""Text of strangers made plain: no escape sequence, no control character, no invisible direction mark, no flood.

Escaping for a format (HTML, JSON) is left to the library that writes the format; this module decides what may be
written at all, and how much of it.
"""

from __future__ import annotations

import re

LINE_CHARS = 300
TEXT_CHARS = 4_000
TEXT_LINES = 60
OMISSION = "[...]"
_RAW_FACTOR = 4  # a flood is cut before it is cleaned, so that the time for a text is bounded as its length is

_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]"
)
# Controls, lone surrogates, marks that turn the direction of reading or are invisible, and non-characters. The
# zero-width joiners U+200C and U+200D stay: Persian and Indic names are misspelt without them.
_UNWANTED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_MARK_FLOOD = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_TAB = " " * 4
_GAP = re.compile(r"[^\S\u00a0]+")  # the no-break space stays: French typography needs it


def clean_text(text: str, max_chars: int = TEXT_CHARS, max_lines: int = TEXT_LINES) -> str:
    r"""Several lines of plain text: `\n` is the only control character left.

    Escape sequences are dropped, tabs become four spaces, every line ending becomes `\n`, and what has no business in
    plain text becomes U+FFFD. Text that is too long loses its middle.
    """
    text = cut_middle(text, _RAW_FACTOR * max_chars)
    lines = _ESCAPE_SEQUENCE.sub("", text).replace("\t", _TAB).splitlines()
    lines = cut_middle_lines([_without_unwanted(line).rstrip() for line in lines], max_lines)
    return cut_middle("\n".join(lines).strip("\n"), max_chars)


def clean_line(text: str, max_chars: int = LINE_CHARS) -> str:
    """One line of plain text: as `clean_text`, with every run of white space made one space, but no-break spaces."""
    text = cut_middle(text, _RAW_FACTOR * max_chars, separator=" ")
    words = _without_unwanted(_GAP.sub(" ", _ESCAPE_SEQUENCE.sub("", text)).strip())
    return cut_middle(words, max_chars, separator=" ")


def cut_middle(text: str, max_chars: int, separator: str = "\n") -> str:
    """`text`, or its two ends around a mark of omission, in at most `max_chars` characters."""
    if len(text) <= max_chars:
        return text
    mark = f"{separator}{OMISSION}{separator}"
    kept = max_chars - len(mark)
    return text[: kept - kept // 2] + mark + text[len(text) - kept // 2 :]


def cut_middle_lines(lines: list[str], max_lines: int) -> list[str]:
    """`lines`, or the first and the last of them around a mark of omission, in at most `max_lines` lines."""
    if len(lines) <= max_lines:
        return lines
    tail = (max_lines - 1) // 2
    return [*lines[: max_lines - 1 - tail], OMISSION, *lines[len(lines) - tail :]]


def _without_unwanted(text: str) -> str:
    return _MARK_FLOOD.sub(r"\1", _UNWANTED.sub("\ufffd", text))

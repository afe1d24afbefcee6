"""The words of a released Python file in the language of its assignment, from a catalogue: code stays as it is.

Words are docstrings, comments, and strings that are more than one word. An f-string is looked up with its expressions
in braces, and its translation keeps them.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Callable, Iterator
from typing import NamedTuple

WIDTH = 118
_SHAPE = re.compile(r"\([^()]*\)\.?")
_WORD = re.compile(r"[A-Za-z]{2,}")
_SPOKEN_ELSEWHERE = ("TODO ", "noqa", "type:")  # a TODO is made in the language of the assignment
_PIECE = re.compile(r"(?:\{\{|\}\}|\{[^{}]*\}|[^ {}])+ *| +")


class Phrase(NamedTuple):
    """Words in a source, and how to put others in their place.

    Attributes:
        message: what the catalogue is asked for.
        start: offset of the first character that is replaced.
        end: offset after the last one.
        replacement: from a translation to the source that takes its place.
    """

    message: str
    start: int
    end: int
    replacement: Callable[[str], str]


def phrases(text: str) -> list[Phrase]:
    """All words of a source, in their order.

    Raises:
        SyntaxError: it is not valid Python.
    """
    tree, place = ast.parse(text), _Places(text)
    return sorted([*_comments(text, place), *_strings(tree, place)], key=lambda phrase: phrase.start)


def translated(text: str, catalogue: Callable[[str], str]) -> str:
    """The source with its words translated.

    Args:
        text: the source, with LF line ends.
        catalogue: from a message to its translation.
    """
    for phrase in reversed(phrases(text)):
        words = catalogue(phrase.message)
        if words != phrase.message:
            text = text[: phrase.start] + phrase.replacement(words) + text[phrase.end :]
    return text


class _Places:
    """Offsets of lines and columns in a text."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def of(self, line: int, column: int) -> int:
        """Offset of a column, counted in characters, of a line, counted from 1."""
        return self._starts[line - 1] + column

    def of_node(self, line: int, column: int) -> int:
        """The same for a column counted in bytes of UTF-8, as syntax trees do."""
        return self.of(line, len(self.lines[line - 1].encode()[:column].decode()))


def _comments(text: str, place: _Places) -> Iterator[Phrase]:
    """Comments; those that fill lines which follow each other are one phrase."""
    run: list[tuple[int, int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        (line, column), words = token.start, token.string.removeprefix("#").strip()
        alone = not token.line[:column].strip()
        follows = alone and bool(run) and run[-1][:2] == (line - 1, column)
        if not follows or words.startswith(_SPOKEN_ELSEWHERE):
            yield from _comment(run, place)
            run = []
        if words.startswith(_SPOKEN_ELSEWHERE):
            continue
        if alone:
            run.append((line, column, words))
        else:
            yield from _comment([(line, column, words)], place)
    yield from _comment(run, place)


def _comment(run: list[tuple[int, int, str]], place: _Places) -> Iterator[Phrase]:
    message = " ".join(words for *_place, words in run)
    if _SHAPE.fullmatch(message) or len(_WORD.findall(message)) < 2:
        return
    line, column, _first = run[0]
    indent = " " * column
    wrap = place.lines[line - 1].lstrip().startswith("#")

    def replacement(words: str) -> str:
        if not wrap:
            return f"# {words}"
        return f"\n{indent}".join(f"# {row}" for row in textwrap.wrap(words, WIDTH - column, break_long_words=False))

    last = run[-1][0]
    yield Phrase(message, place.of(line, column), place.of(last, len(place.lines[last - 1])), replacement)


def _strings(tree: ast.Module, place: _Places) -> Iterator[Phrase]:
    docstrings: set[ast.expr] = set()
    for node in ast.walk(tree):  # docstrings, also those below a constant
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings.add(node.value)
            yield _docstring(node.value, place)
    yield from _texts(tree, docstrings, place, False)


def _docstring(node: ast.expr, place: _Places) -> Phrase:
    assert isinstance(node, ast.Constant)
    indent = " " * node.col_offset

    def replacement(words: str) -> str:
        rows = words.replace("\\", "\\\\").split("\n")
        body = "\n".join([rows[0], *(f"{indent}{row}".rstrip() for row in rows[1:])])
        return f'"""{body}\n{indent}"""' if len(rows) > 1 else f'"""{body}"""'

    return Phrase(inspect.cleandoc(str(node.value)), *_span(node, place), replacement)


def _texts(node: ast.AST, docstrings: set[ast.expr], place: _Places, in_call: bool) -> Iterator[Phrase]:
    """Strings of more than one word in the tree below `node`; `in_call`: a line may be broken there."""
    if node in docstrings or (isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)):
        return
    message = _message(node)
    if message is not None:
        if len(_WORD.findall(message)) >= 2 and " " in message.strip():
            yield _text(node, message, place, in_call)
        return
    in_call = in_call or isinstance(node, ast.Call)
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, docstrings, place, in_call)


def _message(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return "".join(_part(value) for value in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _part(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value).replace("{", "{{").replace("}", "}}")
    assert isinstance(value, ast.FormattedValue)
    conversion = f"!{chr(value.conversion)}" if value.conversion >= 0 else ""
    spec = f":{_message(value.format_spec)}" if value.format_spec is not None else ""
    return f"{{{ast.unparse(value.value)}{conversion}{spec}}}"


def _text(node: ast.AST, message: str, place: _Places, in_call: bool) -> Phrase:
    start, end = _span(node, place)
    prefix = "f" if isinstance(node, ast.JoinedStr) else ""
    column = start - place.of(node.lineno, 0)  # type: ignore[attr-defined]

    def literal(words: str) -> str:
        return prefix + '"' + words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    def replacement(words: str) -> str:
        if not in_call or column + len(words) < WIDTH:
            return literal(words)
        rows = [""]
        for piece in _PIECE.findall(words):
            if rows[-1] and column + len(rows[-1]) + len(piece) > WIDTH - 4:
                rows.append("")
            rows[-1] += piece
        return ("\n" + " " * column).join(map(literal, rows))

    return Phrase(message, start, end, replacement)


def _span(node: ast.AST, place: _Places) -> tuple[int, int]:
    start = place.of_node(node.lineno, node.col_offset)  # type: ignore[attr-defined]
    return start, place.of_node(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

"""Solution markers in a master source: from a master to the stub that students get, and back.

A master is a complete Python file in which each solution stands between two comments, each on a line of its
own and both at the indentation of the code between them:

    # BEGIN SOLUTION 1.3 log_mean_exp
    ...
    # END SOLUTION

The words after `BEGIN SOLUTION` are a question of the manifest and a label that is unique in the file. What
only resembles a marker is an error, because a marker that goes unseen would hand out the solution.

A block inside a function becomes an error that names its question. A block at module level holds either nothing but
classes and functions, of which no given line needs to know when the file is imported, and becomes a comment; or
nothing but assignments to names, and becomes the same names without a value (None).
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from autograder.language import _

# Deliberately wider than the two markers, so that misspelled ones are met with an error and not passed over.
_RESEMBLES = re.compile(r"(?i:#[\W_]*(?:begin|start|end|stop)[\W_]*solu)|(?:BEGIN|END)[\W_]*SOLUTION")
_BEGIN = "# BEGIN SOLUTION"
_END = "# END SOLUTION"
_LABEL = re.compile(r"[\w.-]+(?: [\w.-]+)*")
_BLANK_TOKENS = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)


class MarkerError(ValueError):
    """A master cannot be released as it is; the message starts with `file:line:`."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        """Say what is wrong in this line, counted from 1."""
        super().__init__(f"{file}:{line}: {problem}")


@dataclass(frozen=True)
class Block:
    """One solution of a master.

    Attributes:
        question: id of the question in the manifest.
        label: name of the block, unique in its file.
        line: line of the `BEGIN SOLUTION` marker, counted from 1.
        indent: white space before the marker.
        lines: the block's lines with both markers, without line ends.
        definitions: whether the block stands at module level and only defines classes and functions.
        names: what it assigns, if it stands at module level and does nothing else.
    """

    question: str
    label: str
    line: int
    indent: str
    lines: tuple[str, ...]
    definitions: bool
    names: tuple[str, ...]

    @property
    def body(self) -> tuple[str, ...]:
        """The lines between the markers: what students must not see."""
        return self.lines[1:-1]

    @property
    def message(self) -> str:
        """Question and label: what the stub's NotImplementedError says."""
        return _("question {question}: {label}").format(question=self.question, label=self.label)

    @property
    def stub(self) -> tuple[str, ...]:
        """The lines that students get in its place: a comment; below it an error, or names without values."""
        if self.definitions:
            what = _("room for classes and functions of your own.")
        elif self.names:
            what = _("write your code in the place of each None.")
        else:
            what = _("write your code here and remove the next line.")
        todo = f"{self.indent}# TODO {self.question} {self.label}: {what}"
        if self.definitions or self.names:
            return todo, *(f"{name} = None" for name in self.names)
        return todo, f'{self.indent}raise NotImplementedError("{self.message}")'


@dataclass(frozen=True)
class Master:
    """A parsed master: given lines and solution blocks, in the order of the file."""

    file: str
    pieces: tuple[str | Block, ...]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The solution blocks."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Block))

    @property
    def given(self) -> tuple[str, ...]:
        """The lines outside all blocks."""
        return tuple(piece for piece in self.pieces if isinstance(piece, str))

    @property
    def stub(self) -> str:
        """The text that students get."""
        lines: list[str] = []
        for piece in self.pieces:
            lines.extend(piece.stub if isinstance(piece, Block) else (piece,))
        return "\n".join(lines)


def parse_master(text: str, file: str, questions: Collection[str], renumber: Mapping[str, str] | None = None) -> Master:
    """Split a master into given text and solution blocks.

    Args:
        text: the source, with LF line ends.
        file: name of the master in messages.
        questions: the question ids of the assignment.
        renumber: question ids that the markers name -> those of the assignment, where they differ.

    Raises:
        MarkerError: the source is not valid Python, a marker is wrong or misplaced, or the stub would not be
            a module that can be imported; the message says where and why.
    """
    if "\r" in text:
        row = text[: text.index("\r")].count("\n") + 1
        raise MarkerError(file, row, "has a carriage return; save it with LF line ends")
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise MarkerError(file, error.lineno or 1, f"is not valid Python: {error.msg}") from error
    except ValueError as error:  # a null character, in Python 3.10 and 3.11
        raise MarkerError(file, 1, f"is not valid Python: {error}") from error
    layout = _Layout(text)
    lines = text.split("\n")
    pieces: list[str | Block] = []
    labels: dict[str, int] = {}
    begin: int | None = None  # index of the line of the block that is open
    for index, line in enumerate(lines):
        kind = _marker_kind(line, layout.comments.get(index + 1), file, index + 1)
        if kind == "begin":
            if begin is not None:
                problem = f"BEGIN SOLUTION inside the block of line {begin + 1}; end that one first"
                raise MarkerError(file, index + 1, problem)
            begin = index
        elif kind == "end":
            if begin is None:
                raise MarkerError(file, index + 1, "END SOLUTION without a BEGIN SOLUTION before it")
            block = _block(lines[begin : index + 1], begin + 1, file, questions, renumber or {})
            if block.label in labels:
                problem = f"the label {block.label!r} stands in line {labels[block.label]} too; rename one"
                raise MarkerError(file, block.line, problem)
            labels[block.label] = block.line
            _check_layout(block, layout, file)
            pieces.append(block)
            begin = None
        elif begin is None:
            pieces.append(line)
    if begin is not None:
        raise MarkerError(file, begin + 1, "BEGIN SOLUTION without an END SOLUTION after it")
    master = Master(file, tuple(pieces))
    _check_stub(master)
    return master


def fill(stub: str, blocks: Iterable[Block]) -> str:
    """Put solution blocks back into a stub: with all blocks of a master, the result is that master.

    Raises:
        ValueError: the stub lines of a block do not stand exactly once in `stub`.
    """
    lines = stub.split("\n")
    places: dict[int, Block] = {}
    for block in blocks:
        height = len(block.stub)
        found = [i for i in range(len(lines) - height + 1) if tuple(lines[i : i + height]) == block.stub]
        if len(found) != 1:
            raise ValueError(f"the stub of {block.message!r} stands {len(found)} times, not once")
        places[found[0]] = block
    for place in sorted(places, reverse=True):
        lines[place : place + len(places[place].stub)] = places[place].lines
    return "\n".join(lines)


def find_marker(text: str) -> int | None:
    """Line, counted from 1, of the first thing that resembles a solution marker; None where there is none."""
    return next((n for n, line in enumerate(text.split("\n"), 1) if _RESEMBLES.search(line)), None)


class _Layout:
    """Where a source has its comments, its code and the later lines of its strings; lines count from 1."""

    def __init__(self, text: str) -> None:
        self.comments: dict[int, str] = {}
        self.code: dict[int, int] = {}  # line -> column of the first token on it
        self.in_string: set[int] = set()
        # From Python 3.12 on, an f-string is a run of tokens between a start and an end.
        open_strings: list[int] = []
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            (row, column), (end_row, _) = token.start, token.end
            if token.type == tokenize.COMMENT:
                self.comments[row] = token.string
            elif token.type not in _BLANK_TOKENS:
                self.code.setdefault(row, column)
            name = tokenize.tok_name[token.type]
            if name == "STRING":
                self.in_string.update(range(row + 1, end_row + 1))
            elif name.endswith("STRING_START"):
                open_strings.append(row)
            elif name.endswith("STRING_END"):
                self.in_string.update(range(open_strings.pop() + 1, end_row + 1))


def _marker_kind(line: str, comment: str | None, file: str, number: int) -> str:
    """`begin`, `end`, or an empty string for a line without a marker."""
    if not _RESEMBLES.search(line):
        return ""
    if comment is None or not _RESEMBLES.search(comment):
        raise MarkerError(file, number, "a solution marker that is not a comment (is it inside a string?)")
    if line.lstrip(" \t") != comment:
        raise MarkerError(file, number, "a solution marker must stand on a line of its own, not after code")
    if comment == _END:
        return "end"
    if comment == _BEGIN or comment.startswith(f"{_BEGIN} "):
        return "begin"
    problem = f"{comment!r} resembles a solution marker; write '{_BEGIN} <question> <label>' or '{_END}'"
    raise MarkerError(file, number, problem)


def _block(lines: list[str], number: int, file: str, questions: Collection[str], renumber: Mapping[str, str]) -> Block:
    """The block of these lines, marker to marker, where the first one has this number."""
    begin, end = lines[0], lines[-1]
    indent = begin[: begin.index("#")]
    question, _, label = begin[len(indent) + len(_BEGIN) + 1 :].partition(" ")
    if not question or not label:
        raise MarkerError(file, number, f"no question or no label; write '{_BEGIN} <question> <label>'")
    question = renumber.get(question, question)
    if question not in questions:
        known = ", ".join(questions)
        raise MarkerError(file, number, f"the manifest has no question {question!r}; it has {known}")
    if not _LABEL.fullmatch(label):
        problem = f"the label {label!r} may have letters, digits, '_', '.', '-' and single spaces only"
        raise MarkerError(file, number, problem)
    if end[: end.index("#")] != indent:
        problem = f"END SOLUTION is not indented like its BEGIN SOLUTION in line {number}"
        raise MarkerError(file, number + len(lines) - 1, problem)
    try:
        body = [] if indent else ast.parse("\n".join(lines)).body
    except SyntaxError:  # a part of a statement
        body = []
    return Block(question, label, number, indent, tuple(lines), _only_defines(body), _assigned_names(body))


def _only_defines(body: list[ast.stmt]) -> bool:
    """Whether there are statements, and all of them define classes and functions."""
    return bool(body) and all(isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) for node in body)


def _assigned_names(body: list[ast.stmt]) -> tuple[str, ...]:
    """The names, each once, that statements assign which do nothing else; empty if one of them does."""
    names: dict[str, None] = {}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not all(isinstance(it, ast.Name) for it in targets):
            return ()
        names |= dict.fromkeys(target.id for target in targets if isinstance(target, ast.Name))
    return tuple(names)


def _check_layout(block: Block, layout: _Layout, file: str) -> None:
    """Refuse a block without code, or whose code does not stand at the indentation of its marker."""
    rows = range(block.line + 1, block.line + len(block.lines) - 1)
    code = [row for row in rows if row in layout.code]
    if not code:
        raise MarkerError(file, block.line, "an empty block: there is no code before its END SOLUTION")
    for row, line in zip(rows, block.body, strict=True):
        if line.strip() and row not in layout.in_string and not line.startswith(block.indent):
            raise MarkerError(file, row, f"indented less than the BEGIN SOLUTION in line {block.line}")
    if layout.code[code[0]] != len(block.indent):
        problem = f"the block's code is not indented like the BEGIN SOLUTION in line {block.line}"
        raise MarkerError(file, code[0], problem)


def _check_stub(master: Master) -> None:
    """Refuse a master whose stub does not compile, fails at import, or cannot be filled again."""
    origins: list[int] = []  # for each line of the stub, the line of the master
    rows: list[tuple[Block, int]] = []  # each block with the last line of its stub, the `raise` if it has one
    line = 1
    for piece in master.pieces:
        if isinstance(piece, Block):
            origins += [piece.line] * len(piece.stub)
            rows.append((piece, len(origins)))
            line += len(piece.lines)
        else:
            origins.append(line)
            line += 1
    try:
        tree = ast.parse(master.stub)
    except SyntaxError as error:
        problem = f"without the solutions this is not valid Python: {error.msg}"
        raise MarkerError(master.file, origins[(error.lineno or 1) - 1], problem) from error
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for block, row in rows:
        inside = any(node.body[0].lineno <= row <= (node.end_lineno or 0) for node in functions)
        if not inside and not block.definitions and not block.names:
            problem = (
                "the block is not inside a function, and it is not a block at module level that only defines "
                "classes and functions or only assigns names: the stub would fail when it is imported"
            )
            raise MarkerError(master.file, block.line, problem)
        try:
            fill(master.stub, [block])
        except ValueError as error:
            problem = f"{error}; change the given text that repeats it"
            raise MarkerError(master.file, block.line, problem) from error

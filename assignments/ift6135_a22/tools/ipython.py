"""Lines that only IPython understands (`!pip install`, `%magic`, `name?`), found and commented out."""

from __future__ import annotations

import re
from collections.abc import Iterable

# A magic, a shell command, a question, or an assignment of one of them. No line of Python begins like this; a line
# that continues an expression may (`% 7`), so this is asked at the beginning of a statement only.
_IPYTHON_LINE = re.compile(
    r"""[ \t]*(?:
        %{1,2}[A-Za-z_]
      | !(?!=)
      | \?{1,2}[A-Za-z_%*]
      | [\w.*%]+\?{1,2}[ \t]*$
      | [A-Za-z_][\w., \t]*=[ \t]*(?:!(?!=)|%[A-Za-z_])
    )""",
    re.VERBOSE | re.MULTILINE,
)

# What decides where a statement begins. An unclosed triple quote reaches to the end of the file, any other to the
# end of its line.
_LEXEME = re.compile(
    r'''
        (?P<skip>\#[^\n]*
          | """[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*(?:"""|\\?\Z)
          | \'\'\'[^'\\]*(?:(?:\\.|'(?!\'\'))[^'\\]*)*(?:\'\'\'|\\?\Z)
          | "[^"\\\n]*(?:\\.[^"\\\n]*)*"?
          | '[^'\\\n]*(?:\\.[^'\\\n]*)*'?
          | \\\n)
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])
      | (?P<newline>\n)
    ''',
    re.VERBOSE | re.DOTALL,
)


Span = tuple[int, int]


def ipython_spans(source: str) -> list[Span]:
    """First and last line (from 1) of each command in `source` that is IPython's; a backslash continues one."""
    found: list[Span] = []
    depth = position = 0
    line = 1
    at_statement = True
    while True:
        if at_statement and _IPYTHON_LINE.match(source, position):
            first = line
            continued = True
            while continued and position < len(source):
                end = source.find("\n", position)
                end = len(source) if end < 0 else end
                continued = source.endswith("\\", position, end)
                position = end + 1
                line += 1
            found.append((first, line - 1))
            continue
        lexeme = _LEXEME.search(source, position)
        if lexeme is None:
            return found
        position = lexeme.end()
        line += lexeme.group().count("\n")
        if lexeme["open"]:
            depth += 1
        elif lexeme["close"]:
            depth = max(0, depth - 1)
        at_statement = bool(lexeme["newline"]) and depth == 0


def comment_out(source: str, spans: Iterable[Span]) -> str:
    """`source` with the lines of `spans` turned into comments; no line changes its number.

    Where the first line of a span is indented, `pass` takes its place, since it may be all that its block holds.
    """
    rows = source.split("\n")
    for first, last in spans:
        for number in range(first, last + 1):
            text = rows[number - 1].lstrip(" \t")
            indent = rows[number - 1].removesuffix(text)
            rows[number - 1] = f"{indent}pass  # {text}" if indent and number == first else f"{indent}# {text}"
    return "\n".join(rows)

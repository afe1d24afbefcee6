"""Plants something else in the place of one solution of a master."""

from __future__ import annotations

import re
import textwrap


def with_solution(text: str, label: str, body: str) -> str:
    """The master `text` with `body` in the place of what stands between the markers of the block `label`.

    Raises:
        ValueError: the master has no such block, or several.
    """
    block = re.compile(
        rf"^([ ]*)# BEGIN SOLUTION [\d.]+ {re.escape(label)}\n.*?^[ ]*# END SOLUTION\n", re.DOTALL | re.MULTILINE
    )
    found = block.findall(text)
    if len(found) != 1:
        raise ValueError(f"{len(found)} solution blocks are labelled {label!r}")
    planted = textwrap.indent(textwrap.dedent(body).strip("\n") + "\n", found[0])
    return block.sub(lambda _: planted, text)


def replaced(text: str, old: str, new: str) -> str:
    """The text with `new` in the place of `old`, which stands there exactly once.

    Raises:
        ValueError: it does not.
    """
    if text.count(old) != 1:
        raise ValueError(f"{old!r} stands {text.count(old)} times in the text")
    return text.replace(old, new)

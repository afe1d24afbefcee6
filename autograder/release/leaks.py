"""The guard of a release: no line of a solution stands anywhere in what students get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autograder.release.markers import Master

SIGNIFICANT = 20
"""A solution line of at most this many characters, without white space, may stand elsewhere by chance."""


def find_leak(masters: Iterable[Master], support: Iterable[str], released: Mapping[str, str]) -> str | None:
    """Say where a released file shows a line of a solution; None where no file does.

    White space does not count. Lines that are part of the given text of a master or of a support module are
    public anyway and do not count either.

    Args:
        masters: the parsed masters.
        support: texts of the support modules.
        released: name and text of each file that students get.

    Returns:
        A sentence that starts with `file:line:`, or None.
    """
    masters = list(masters)
    given = [line for master in masters for line in master.given]
    given += [line for text in support for line in text.split("\n")]
    public = "\n".join(_squeeze(line) for line in given)
    secrets = {
        secret: f"question {block.question} ({master.file}:{number})"
        for master in masters
        for block in master.blocks
        for number, line in enumerate(block.body, block.line + 1)
        if len(secret := _squeeze(line)) > SIGNIFICANT and secret not in public
    }
    for name in sorted(released):
        text = "\n".join(_squeeze(line) for line in released[name].split("\n"))
        for secret, origin in secrets.items():
            place = text.find(secret)
            if place >= 0:
                line = text.count("\n", 0, place) + 1
                return f"{name}:{line}: shows a line of the solution of {origin}"
    return None


def _squeeze(line: str) -> str:
    return "".join(line.split())

"""What a child's words about itself may say: names of types, texts of exceptions, lines of tracebacks.

A child chooses these words freely, and students read them, also where a check's inputs are hidden: so only words pass
that stand in the submission's files or in the documentation of Python, torch and numpy, names only if the files or a
library define them, and the text of a line is taken from the grader's own copy of the file. Whoever codes what he saw
in such words still gets some out, as in the shape of a result; the inputs will never come again.
"""

from __future__ import annotations

import builtins
import errno
import functools
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from autograder.sandbox.errors import SourceLine

_WORD = re.compile(r"[^\W\d_]+")
_WORD_OR_NUMBER = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?")
_NAME = re.compile(r"\w+")
_NUMBERS = 12  # in one text: the shapes of two tensors, and more
_LONGEST = 60
_OF_FRAMES = frozenset({"module", "lambda", "locals", "listcomp", "setcomp", "dictcomp", "genexpr"})
_DOCUMENTED: tuple[Any, ...] = (
    *(builtins, object, type, str, list, dict, np, torch, torch.Tensor),
    *(torch.nn, torch.nn.functional, torch.optim, torch.distributions, torch.linalg),
)
_UNDOCUMENTED = "got pid subscriptable unhashable detection pickle meta quantized sparse strided reentrant received"


class Vocabulary:
    """The words that one child may use."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        """`sources` are the files in the child: name -> text."""
        self._lines = {name: text.splitlines() for name, text in sources.items()}
        self._names: set[str] = set()
        self._words: set[str] = set()
        self.learn(*sources, *sources.values())

    def learn(self, *texts: str) -> None:
        """Allow the words of texts that are the grader's own: what it asks for by name."""
        for text in texts:
            names, words = _names_and_words(text)
            self._names |= names
            self._words |= words

    def name(self, name: str, otherwise: str) -> str:
        """`name` if the files or a library define something of this name, or a short number; else `otherwise`."""
        if len(name) > _LONGEST or not name:
            return otherwise
        known = name in self._names or hasattr(builtins, name) or (name.isascii() and name.isdigit() and len(name) < 3)
        return name if known or name in _names_of_types() else otherwise

    def text(self, text: str) -> str:
        """`text` with an ellipsis in the place of each word that is not known, and of numbers when they are many."""
        numbers = 0

        def told(found: re.Match[str]) -> str:
            nonlocal numbers
            word = found.group()
            if word[0].isdigit():
                numbers += 1
                return word if numbers <= _NUMBERS else "…"
            return word if word in self._words or word.lower() in _documented_words() else "…"

        return _WORD_OR_NUMBER.sub(told, text)

    def line(self, line: SourceLine) -> SourceLine | None:
        """The line as the grader's copy of the file has it; None where there is none."""
        texts = self._lines.get(line.file)
        if texts is None:
            return None
        known = all(name in self._names or name in _OF_FRAMES for name in _NAME.findall(line.function))
        text = texts[line.number - 1].strip()[:200] if 0 < line.number <= len(texts) else ""
        return SourceLine(line.file, line.number, line.function if known else "…", text)


@functools.lru_cache(maxsize=64)  # every check of a submission has the same files
def _names_and_words(text: str) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(_NAME.findall(text)), frozenset(_WORD.findall(text))


@functools.cache
def _documented_words() -> frozenset[str]:
    texts: list[str] = [*map(os.strerror, errno.errorcode), "Errno", _UNDOCUMENTED]
    for place in _DOCUMENTED:
        for name, thing in vars(place).items():
            texts.append(name)
            text = getattr(thing, "__doc__", None)
            texts += [text] if isinstance(text, str) else []
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text))


def _names_of_types() -> set[str]:
    """Names of all classes that are loaded in this process; none of them is a submission's."""
    found: set[type] = set()
    waiting: list[type] = [object]
    while waiting:
        subclasses: Iterable[type] = type.__subclasses__(waiting.pop())
        fresh = set(subclasses) - found
        found |= fresh
        waiting += fresh
    return {kind.__name__ for kind in found}

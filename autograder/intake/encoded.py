"""Whether a literal in a source looks like data that was encoded, compressed or compiled: a payload to run or to load.

Only the standard library is imported here.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from math import log2

BINARY_CHARS = 40
"""Fewer unprintable characters than these say nothing."""

ENCODED_CHARS = 200
"""Fewer characters may be a key, a checksum or an address."""

CODES = 32
"""Fewer numbers are no text."""

_UNPRINTABLE = 0.2  # of the characters
# The least entropy, in bits per character, of random data: in hexadecimal digits, in base 32, in base 64.
_ALPHABETS = (
    (re.compile(r"(?=\d*[a-fA-F])(?:[0-9a-f]+|[0-9A-F]+)"), 3.3),
    (re.compile(r"(?=[A-Z]*[2-7])[A-Z2-7]+=*"), 3.8),
    (re.compile(r"(?=\w*?[a-z])(?=\w*?[A-Z])(?=[^\d]*\d)(?:[\w+/]+|[\w-]+)=*", re.ASCII), 4.7),
)
_ANY_ALPHABET = 5.5  # as base 85 has
_MAGIC = re.compile(
    rb"x[\x01\x5e\x9c\xda]|\x1f\x8b|BZh\d1AY|\xfd7zXZ|PK\x03\x04"  # zlib, gzip, bzip2, xz, zip
    rb"|\x80[\x02-\x05]|\xe3\x00\x00\x00|..\r\n[\x00-\x03]\x00\x00\x00|\x7fELF",  # pickle, marshal, .pyc, machine code
    re.DOTALL,
)
_MAGIC_BYTES = 12  # what is shorter serves to recognise such data


def looks_encoded(value: str | bytes) -> bool:
    """Whether a literal looks encoded, by its first bytes, its characters, or its alphabet and entropy."""
    if isinstance(value, bytes):
        if len(value) >= _MAGIC_BYTES and _MAGIC.match(value):
            return True
        value = value.decode("latin-1")
    if len(value) < BINARY_CHARS:
        return False
    if sum(not char.isprintable() and not char.isspace() for char in value) > _UNPRINTABLE * len(value):
        return True
    text = value.replace("\n", "")
    if len(text) < ENCODED_CHARS or not text.isascii() or "://" in text or re.search(r"\s", text):
        return False
    bits = _entropy(text)
    return bits >= _ANY_ALPHABET or any(bits >= least and alphabet.fullmatch(text) for alphabet, least in _ALPHABETS)


def _entropy(text: str) -> float:
    return -sum(count / len(text) * log2(count / len(text)) for count in Counter(text).values())


def is_codes(node: ast.AST) -> bool:
    """Whether `node` is a long literal list of numbers such as characters and bytes have."""
    elements = node.elts if isinstance(node, (ast.List, ast.Tuple)) else []
    numbers = [item.value for item in elements if isinstance(item, ast.Constant) and type(item.value) is int]
    return len(numbers) == len(elements) >= CODES and all(0 <= number <= 255 for number in numbers)

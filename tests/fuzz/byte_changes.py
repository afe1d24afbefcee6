"""Byte-level mutation: from sound inputs to nearly sound ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

MOST_BYTES = 1 << 16

_WIDTHS = (1, 2, 4, 8)
# The edges of counts and offsets in zips, frames and headers: of signed and unsigned fields of every width.
_NUMBERS = (0, 1, 2, 7, 8, 16, 32, 64, 100, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x10000, (1 << 28) + 1)
_NUMBERS += ((1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 40) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_WRITTEN = (b"-1", b"1e999", b"NaN", b"1.5", b"null", b"true", b"[]", b"{}", b'""', b'"\\ud800"', b"9" * 400)
_DIGITS = re.compile(rb"\d+")
_REPEATS = (2, 3, 10, 100, 1000, 3000)

Change = Callable[[Random, bytes, Sequence[bytes]], bytes]


def changed(random: Random, seeds: Sequence[bytes]) -> bytes:
    """One of the `seeds` after one to five changes, of at most `MOST_BYTES`."""
    content = random.choice(seeds)
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        content = random.choice(_CHANGES)(random, content, seeds)[:MOST_BYTES]
    return content


def _place(random: Random, content: bytes) -> int:
    """A position; half of them in the last quarter, where a zip has its directory."""
    first = 3 * len(content) // 4 if random.random() < 0.5 else 0
    return random.randint(first, len(content))


def _piece(random: Random, content: bytes) -> tuple[int, int]:
    start = _place(random, content)
    return start, min(len(content), start + random.choice((1, 2, 4, 8, 30, 46, 200, 4096)))


def _flip_bit(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(random, content)
    return content[:at] + bytes([byte ^ 1 << random.randrange(8) for byte in content[at : at + 1]]) + content[at + 1 :]


def _set_byte(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(random, content)
    return content[:at] + bytes([random.randrange(256)]) + content[at + 1 :]


def _set_number(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    at, width = _place(random, content), random.choice(_WIDTHS)
    number = random.choice(_NUMBERS) % (1 << 8 * width)
    return content[:at] + number.to_bytes(width, random.choice(("little", "big"))) + content[at + width :]


def _nudge_length(random: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """Make a field that could be a length or an offset (a small number that is not 0) a little wrong."""
    width = random.choice(_WIDTHS[1:])
    for _ in range(20):
        at = _place(random, content)
        number = int.from_bytes(content[at : at + width], "little")
        if 0 < number <= 2 * len(content) and at + width <= len(content):
            number = max(0, number + random.choice((-30, -8, -2, -1, 1, 2, 8, 30, len(content))))
            return content[:at] + number.to_bytes(width + 1, "little")[:width] + content[at + width :]
    return _set_number(random, content, seeds)


def _rewrite_digits(random: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """Another value for a number that is written in decimal digits, as in JSON."""
    numbers = list(_DIGITS.finditer(content))
    if not numbers:
        return _set_byte(random, content, seeds)
    found = random.choice(numbers)
    new = random.choice(_WRITTEN) if random.random() < 0.5 else b"%d" % random.choice(_NUMBERS)
    return content[: found.start()] + new + content[found.end() :]


def _cut_end(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: _place(random, content)]


def _cut_out(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _piece(random, content)
    return content[:start] + content[end:]


def _repeat(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _piece(random, content)
    return content[:start] + content[start:end] * random.choice(_REPEATS) + content[end:]


def _move(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _piece(random, content)
    rest = content[:start] + content[end:]
    at = _place(random, rest)
    return rest[:at] + content[start:end] + rest[at:]


def _insert(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(random, content)
    return content[:at] + random.randbytes(random.choice((1, 2, 4, 16, 100))) + content[at:]


def _splice(random: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """The beginning of this and the end of another one."""
    other = random.choice(seeds)
    return content[: _place(random, content)] + other[_place(random, other) :]


def _borrow(random: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A piece of another one in the place of a piece of this one."""
    other = random.choice(seeds)
    (start, end), (first, last) = _piece(random, content), _piece(random, other)
    return content[:start] + other[first:last] + content[end:]


def _one_inside_the_other(random: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    at = _place(random, content)
    return content[:at] + random.choice(seeds) + content[at:]


_CHANGES: tuple[Change, ...] = (
    *(_flip_bit, _set_byte, _set_number, _nudge_length, _rewrite_digits, _cut_end, _cut_out),
    *(_repeat, _move, _insert, _splice, _borrow, _one_inside_the_other),
)

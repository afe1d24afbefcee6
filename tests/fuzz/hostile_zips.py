"""Zips that no program writes: every field of every record may lie."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.intake.builders import VAE

_NAMES = (
    *("q1_vae.py", "hw/q1_vae.py", "Q1_VAE.py", "q1_vae (1).py", "q2_ddpm.py", "checkpoints/DDPM.pt", "DDPM.pt"),
    *("../q1_vae.py", "/q1_vae.py", "C:q1_vae.py", "a\\q1_vae.py", "q1_vae.py\0.txt", "q1_vae.py/", "./q1_vae.py"),
    *("a//q1_vae.py", "", "/", ".", "..", "a/" * 30 + "q1_vae.py", "x" * 300, "\u202e.py", "\x1b[31m.py", ".git/x"),
    *("__MACOSX/q1_vae.py", "inner.zip", "conftest.py", "torch.py", "\ud800.py", "CON", "e\u0301.py", "{name}"),
)
_NUMBERS_16 = st.sampled_from([0, 1, 8, 0xFFFE, 0xFFFF]) | st.integers(0, 0xFFFF)
_NUMBERS_32 = st.sampled_from([0, 1, 46, 1 << 20, (1 << 31) - 1, 1 << 31, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)
_NUMBERS_64 = st.sampled_from([0, 1, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
_METHODS = st.sampled_from([0, 8, 0, 8, 0, 8, 1, 6, 9, 12, 14, 93, 95, 98, 99])
_FLAGS = st.sampled_from([0, 0, 0, 0x800, 0x8, 0x1, 0x40, 0x20, 0x2000, 0x809]) | _NUMBERS_16
_MODES = st.sampled_from([0, 0o100644, 0o100644, 0o120777, 0o040755, 0o060644, 0o010644, 0o020644])
_CONTENTS = st.sampled_from([VAE.encode(), b"", b"x", bytes(100_000), b"\x80\x02.", b"PK\x03\x04"]) | st.binary(
    max_size=60
)


def _lie(draw: st.DrawFn, truth: int, numbers: st.SearchStrategy[int]) -> int:
    """The truth, for the most part."""
    kind = draw(st.integers(0, 9))
    return draw(numbers) if kind == 9 else max(0, truth + draw(st.integers(-2, 2))) if kind == 8 else truth


@dataclass(frozen=True)
class _Entry:
    """A member as its directory entry (without the fixed beginning) and its local header with the data."""

    directory: bytes
    local: bytes


def _extra(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(["none", "none", "none", "zip64", "unix", "unicode", "cut off", "random"]))
    if kind == "zip64":
        numbers = draw(st.lists(_NUMBERS_64, max_size=4))
        return struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers)
    if kind == "unix":
        return struct.pack("<HH12s9s", 0x000D, 21, bytes(12), b"q1_vae.py")
    if kind == "unicode":
        return struct.pack("<HHBI9s", 0x7075, 14, 1, draw(_NUMBERS_32), b"q2.py\0\xff/.")
    if kind == "cut off":
        return struct.pack("<HH", draw(_NUMBERS_16), draw(_NUMBERS_16))
    return draw(st.binary(max_size=20)) if kind == "random" else b""


@st.composite
def _entries(draw: st.DrawFn, offset: int) -> _Entry:
    """A member whose local header lies at `offset`."""
    name = draw(st.sampled_from(_NAMES)).encode("utf-8", "surrogatepass")
    method, flags, content, extra = draw(_METHODS), draw(_FLAGS), draw(_CONTENTS), _extra(draw)
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(content) + packer.flush() if method == 8 else content
    numbers = (
        _lie(draw, zlib.crc32(content), _NUMBERS_32),
        _lie(draw, len(data), _NUMBERS_32),
        _lie(draw, len(content), _NUMBERS_32),
    )
    honest = draw(st.integers(0, 4)) > 0  # the local header says what the directory says
    local_name = name if honest else draw(st.sampled_from(_NAMES)).encode("utf-8", "surrogatepass")
    local_numbers = numbers if honest else tuple(draw(_NUMBERS_32) for _ in numbers)
    sizes = (_lie(draw, len(local_name), _NUMBERS_16), _lie(draw, len(extra), _NUMBERS_16))
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, flags, method, 0, 0x21, *local_numbers, *sizes)
    comment = draw(st.sampled_from([b"", b"", b"PK\x05\x06" + bytes(18), b"\xff" * 30]))
    directory = struct.pack(
        "<4s6H3I5H2I",
        *(b"PK\x01\x02", 0x0314, 20, flags, method, 0, 0x21, *numbers),
        *(len(name), len(extra), len(comment), _lie(draw, 0, _NUMBERS_16), 0, draw(_MODES) << 16),
        _lie(draw, offset, _NUMBERS_32),
    )
    return _Entry(directory + name + extra + comment, local + local_name + extra + data)


@st.composite
def hostile_zips(draw: st.DrawFn) -> bytes:
    """Up to six members, a directory and an end record; half of them with one for large archives as well."""
    body = draw(st.sampled_from([b"", b"", b"#!/bin/sh\n", b"PK\x05\x06"]))
    first = len(body)
    directory, count = b"", draw(st.integers(0, 6))
    for _ in range(count):
        entry = draw(_entries(len(body) - (first if draw(st.booleans()) else 0)))
        body += entry.local
        directory += entry.directory * draw(st.sampled_from([1, 1, 1, 1, 2, 30]))
    start = _lie(draw, len(body), _NUMBERS_32)
    size = _lie(draw, len(directory), _NUMBERS_32)
    number = _lie(draw, count, _NUMBERS_16)
    large = b""
    if draw(st.booleans()):
        end = len(body) + len(directory)
        wide = (count, count, len(directory), len(body))
        large = struct.pack(
            "<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, *(_lie(draw, value, _NUMBERS_64) for value in wide)
        )
        large += struct.pack("<4sIQI", b"PK\x06\x07", 0, _lie(draw, end, _NUMBERS_64), 1)
        if draw(st.booleans()):
            number, size, start = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    comment = draw(st.binary(max_size=10))
    numbers = (number, number, size, start, _lie(draw, len(comment), _NUMBERS_16))
    end_record = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, _lie(draw, 0, _NUMBERS_16), *numbers)
    return body + directory + large + end_record + comment + draw(st.sampled_from([b"", b"", bytes(30)]))

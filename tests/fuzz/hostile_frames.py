"""Frames whose headers are trees of anything, with the words that the grader looks for in them."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import strategies as st

from autograder.sandbox import wire

from . import corpus
from .byte_changes import changed

_OF_THE_FORMAT = (
    "tensor",
    "array",
    "shape",
    "bytes",
    "grad",
    "tuple",
    "dict",
    "handle",
    "type",
    "opaque",
    "ref",
    "path",
)
_OF_ANSWERS = ("value", "error", "changed", "grads", "message", "lines", "own", "layers", "names", "required")
_OF_READERS = ("tensors", "problem", "wrappers", "beside", "prefixes")
_TEXTS = st.sampled_from(
    [
        *("float32", "int8", "bool", "complex64", "O", "(,)f4", "MemoryError", "WireError", "NotImplementedError"),
        *("\x1b[31m<b>{x}", "\u202e", "\ud800", "", "\0", "x" * 3000, "module.", "damaged", "dtype", "%s {0} {save}"),
        wire.TOO_LARGE.format(size="{size}"),
    ]
)
_WORDS = st.sampled_from([*_OF_THE_FORMAT, *_OF_ANSWERS, *_OF_READERS])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(0, 8)
    | st.floats()
    | _TEXTS
    | _WORDS
    | st.just(10**4200)
)
_SHAPES = st.lists(st.integers(0, 4) | st.sampled_from([1 << 31, 1 << 39, -1]), max_size=4)
_ITEM_BYTES = 4


def _tensor(kind: str, shape: list[int], grad: bool) -> dict[str, Any]:
    size = _ITEM_BYTES
    for length in shape:
        size *= length
    return {kind: "float32", "shape": shape, "bytes": size, "grad": grad}


_TENSORS = st.builds(_tensor, st.sampled_from(["tensor", "array"]), _SHAPES, st.booleans())
_TREES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS | _TENSORS,
    lambda part: (
        st.lists(part, max_size=4)
        | st.dictionaries(_WORDS, part, max_size=4)
        | st.builds(lambda pairs: {"dict": pairs}, st.lists(st.tuples(_WORDS | part, part), max_size=5))
        | st.builds(lambda parts: {"tuple": parts}, st.lists(part, max_size=3))
    ),
    max_leaves=10,
)
_ANSWERS = st.builds(
    lambda pairs: {"dict": list(map(list, pairs.items()))},
    st.dictionaries(st.sampled_from(_OF_ANSWERS), _TREES, min_size=1, max_size=4)
    | st.builds(
        lambda value: {"value": {"dict": list(map(list, value.items()))}},
        st.dictionaries(st.sampled_from(_OF_READERS), _TREES, min_size=1, max_size=4),
    ),
)
_LINES = st.lists(st.tuples(_TEXTS, st.integers() | _SCALARS, _TEXTS, _TEXTS) | _TREES, max_size=8)
_ERRORS = st.builds(
    lambda pairs: {"dict": [["error", {"dict": list(map(list, pairs.items()))}]]},
    st.fixed_dictionaries(
        {"type": _TEXTS | _TREES, "message": _TEXTS | _TREES, "lines": _LINES | _TREES, "own": st.booleans() | _TREES}
    ),
)


def _buffers_of(tree: Any) -> int:
    """Bytes that the tensors of a header announce together, where that is little."""
    if isinstance(tree, (list, tuple)):
        return sum(map(_buffers_of, tree))
    if not isinstance(tree, dict):
        return 0
    size = tree.get("bytes") if tree.keys() & {"tensor", "array"} else 0
    own = size if isinstance(size, int) and 0 < size < 1 << 12 else 0
    return own + sum(map(_buffers_of, tree.values()))


@st.composite
def _frame(draw: st.DrawFn) -> bytes:
    header = draw(_ANSWERS | _ERRORS | _TREES)
    text = json.dumps(header).encode()
    buffers = bytes(_buffers_of(header)) + draw(st.sampled_from([b"", b"", b"", b"x", bytes(4)]))
    lengths = (len(text), len(buffers))
    if draw(st.integers(0, 9)) == 9:
        lengths = (draw(st.integers(0, 2 * len(text))), draw(st.sampled_from([0, 1, 1 << 20, 1 << 28, (1 << 64) - 1])))
    return wire.PREFIX.pack(wire.MAGIC, *lengths) + text + buffers


def _split(script: bytes) -> list[bytes]:
    frames = []
    while script:
        end = wire.PREFIX.size + wire.frame_size(script[: wire.PREFIX.size])
        frames.append(script[:end])
        script = script[end:]
    return frames


def _with_changed_header(seed: int) -> bytes:
    """Sound frames, of one of which the header is damaged, while the lengths are right."""
    random = Random(seed)
    frames = _split(random.choice((*corpus.frames(), *corpus.announcements())))
    number = random.randrange(len(frames))
    _, length, buffers = wire.PREFIX.unpack_from(frames[number])
    body = frames[number][wire.PREFIX.size :]
    header = changed(random, [body[:length]])
    frames[number] = wire.PREFIX.pack(wire.MAGIC, len(header), buffers) + header + body[length:]
    return b"".join(frames)


def hostile_frames() -> st.SearchStrategy[bytes]:
    """Up to three frames, one after the other."""
    made_up = st.lists(_frame(), min_size=1, max_size=3).map(b"".join)
    return made_up | st.integers(0, 2**64).map(_with_changed_header)

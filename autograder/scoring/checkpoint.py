"""Uploaded checkpoints as clean tensors: nothing in such a file is trusted, and none of its code runs in the grader.

The bytes are looked at from outside (`checkpoint_format`), unpickled in a jailed child (`checkpoint_reader`), and what
comes back over the wire is checked once more.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from autograder.intake.display import listed, shown
from autograder.sandbox.errors import BadAnswer, ChildEnded, SubmissionError
from autograder.sandbox.proxy import Student
from autograder.sandbox.session import Session
from autograder.scoring import checkpoint_reader
from autograder.scoring.checkpoint_format import SAVE_AGAIN, format_problem

Start = Callable[[str, Mapping[str, bytes]], Session]

MOST_TENSORS = 5000

_FILE = "uploaded.pt"
_PIECE_BYTES = 64 << 20
_LONGEST_NAME = 200
_MOST_DIMENSIONS = 16
_MOST_NOTED = 5
_NAMED = 3
_LEAST_IMAGES = 10
_IMAGE_PIXELS = (28 * 28, 32 * 32)
_IMAGE_RANGES = ((0, 1), (-1, 1), (0, 255))
_BACKGROUND = 0.2  # of FashionMNIST half of the pixels are exactly black, with the padding to 32 x 32 two thirds
_LEAST_BACKGROUND = 0.05  # enough where shape, range and the darkest value agree as well
_DRAWN = 50_000  # values that the commonest one is looked for in
_DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in checkpoint_reader.DTYPES}
_COMMON_WRAPPING = {"module.": "torch.nn.DataParallel", "_orig_mod.": "torch.compile"}
_PROBLEMS = {  # what the reader says -> the end of a sentence; {0} and {1} are names from the file
    "code": "holds {0}, with which it could run code when it is opened, so it was not opened; {save}",
    "numpy": "holds NumPy objects ({0}) and not tensors alone; {save}, without losses and other values beside them",
    "object": "holds a whole object of the class {0}, which cannot be read without running code; {save}",
    "damaged": "is damaged, or torch.save did not make it; {save}",
    "large": "holds more than {limit} MB, or says that it does; {save} or make the model smaller",
    "many": "holds {0} tensors, more than any model of this course; {save}",
    "no dict": "holds a {0} and not the weights of a model; {save}",
    "empty": "holds no weights at all; after the training, {save}",
    "optimizer": "holds the state of an optimizer and not the weights of a model; {save}",
    "no weights": "holds a dictionary without weights (with {0}); {save}",
    "key": "has names that are no text but of type {0}; {save}",
    "long name": "has a name that is empty or endless ({0}); {save}",
    "same names": "has two tensors of one name; {save}",
    "no tensor": "holds {0}, of type {1}, among the weights; {save}",
    "layout": "holds a {1} tensor, {0}; make it an ordinary dense one before you save",
    "no values": "holds {0} without its values (it was on the device 'meta'); after the training, {save}",
    "complex": "holds complex numbers in {0}; save its real and imaginary parts as two tensors",
    "dtype": "holds {0} as {1}, which is no number format for weights; save it as float32",
    "expanded": "holds {0} as an expanded or overlapping view of fewer numbers; save it with .clone()",
}


class CheckpointError(Exception):
    """A checkpoint cannot be used; the message is one sentence for the student that names the file."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights in a file.

    Attributes:
        tensors: name -> dense, finite tensor on the CPU that owns its memory.
        notes: sentences for the student on what was taken off or left out, safe to show.
    """

    tensors: dict[str, torch.Tensor]
    notes: list[str]


@dataclass(frozen=True)
class _Entry:
    """One tensor as the reader announces it."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.numel * self.dtype.itemsize


def read_checkpoint(content: bytes, name: str, start: Start, limit_mb: int) -> Checkpoint:
    """Read the weights in an uploaded file.

    Args:
        content: the file.
        name: its name in the manifest, for sentences.
        start: gives a session of a jailed child without any of the submission's code, from the source of the probes
            and the files that lie in its working folder.
        limit_mb: largest size of the file, and of all its tensors together.

    Raises:
        CheckpointError: the file is not taken.
        ChildEnded: the time of the whole submission is up (`reason` is "budget").
        SandboxError: the child did not start.
    """
    problem = format_problem(content, limit_mb)
    if problem:
        raise CheckpointError(f"{name} {problem}.")
    reader: Any = checkpoint_reader.CheckpointReader(_FILE, limit_mb << 20, MOST_TENSORS)
    source = Path(checkpoint_reader.__file__).read_text("utf-8")
    try:
        with start(source, {_FILE: content}) as session:
            remote = Student(lambda: session).copy_of(reader)
            answer = remote.open()
            entries = _entries(answer, name, limit_mb)
            tensors = _fetch(remote, entries)
    except ChildEnded as ended:
        if ended.reason == "budget":
            raise
        raise CheckpointError(f"{name} cannot be read: {ended}; {SAVE_AGAIN}.") from ended
    except SubmissionError as error:  # the reader itself does not raise: the file has taken the child over
        raise CheckpointError(
            f"{name} cannot be read, because it disturbs the program that does; {SAVE_AGAIN}."
        ) from error
    _require_finite(tensors, name)
    return Checkpoint(tensors, _notes(answer, name))


def _entries(answer: Any, name: str, limit_mb: int) -> list[_Entry]:
    """The announced tensors.

    Raises:
        CheckpointError: the reader refuses the file.
        BadAnswer: the announcement is not one that the reader makes.
    """
    if not isinstance(answer, dict):
        raise BadAnswer("the reader does not answer with a dictionary")
    if "problem" in answer:
        kind, *details = _texts(answer["problem"])
        if kind not in _PROBLEMS:
            raise BadAnswer("the reader knows no such problem")
        try:
            problem = _PROBLEMS[kind].format(*map(shown, details), save=SAVE_AGAIN, limit=limit_mb)
        except IndexError as error:
            raise BadAnswer("the reader does not say what the problem is about") from error
        raise CheckpointError(f"{name} {problem}.")
    raw = answer.get("tensors")
    if not isinstance(raw, list) or not 0 < len(raw) <= MOST_TENSORS:
        raise BadAnswer("the reader announces no tensors, or too many")
    entries = [_entry(item) for item in raw]
    if len({entry.name for entry in entries}) < len(entries):
        raise BadAnswer("the reader announces two tensors of one name")
    if sum(entry.nbytes for entry in entries) > limit_mb << 20:
        raise BadAnswer("the reader announces more than it may")
    return entries


def _entry(item: Any) -> _Entry:
    match item:
        case [str(name), str(dtype), list(shape)] if 0 < len(name) <= _LONGEST_NAME and dtype in _DTYPES:
            # of an empty tensor, the sizes besides the zero would cost memory when something is summed up
            if (
                len(shape) <= _MOST_DIMENSIONS
                and all(type(size) is int and size >= 0 for size in shape)
                and math.prod(size or 1 for size in shape) < 1 << 32
            ):
                return _Entry(name, _DTYPES[dtype], tuple(shape))
    raise BadAnswer("the reader announces something that is no tensor")


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
        raise BadAnswer("the reader does not answer with a list of texts")
    return value


def _fetch(remote: Any, entries: list[_Entry]) -> dict[str, torch.Tensor]:
    """The announced tensors, a few megabytes at a time, because a frame of the wire is limited.

    Raises:
        SubmissionError: they do not come as announced.
    """
    tensors = {entry.name: torch.empty(entry.shape, dtype=entry.dtype) for entry in entries}
    for group in _groups(entries):
        pieces = remote.pieces(group)
        if not isinstance(pieces, list) or len(pieces) != len(group):
            raise BadAnswer("the reader does not send what was asked for")
        for piece, (number, first, last) in zip(pieces, group, strict=True):
            target = tensors[entries[number].name].view(-1)[first:last]
            if type(piece) is not torch.Tensor or piece.dtype != target.dtype or piece.shape != target.shape:
                raise BadAnswer("the reader does not send what it announced")
            target.copy_(piece)
    return tensors


def _groups(entries: list[_Entry]) -> Iterator[list[list[int]]]:
    """All values of all tensors as lists of (tensor, first, last), each list of at most `_PIECE_BYTES`."""
    group: list[list[int]] = []
    room = _PIECE_BYTES
    for number, entry in enumerate(entries):
        first = 0
        while first < entry.numel:
            last = min(entry.numel, first + room // entry.dtype.itemsize)
            if last > first:
                group.append([number, first, last])
                room -= (last - first) * entry.dtype.itemsize
                first = last
            if first < entry.numel:
                yield group
                group, room = [], _PIECE_BYTES
    if group:
        yield group


def _require_finite(tensors: Mapping[str, torch.Tensor], name: str) -> None:
    bad = {key: int((~torch.isfinite(t)).sum()) for key, t in tensors.items() if t.is_floating_point()}
    bad = {key: number for key, number in bad.items() if number}
    if bad:
        number = sum(bad.values())
        what = "1 value that is" if number == 1 else f"{number} values that are"
        raise CheckpointError(
            f"{name} holds {what} NaN or infinite, first in {shown(next(iter(bad)))}; the training has diverged, so "
            "lower the learning rate, train again and save before the loss becomes NaN."
        )


def _notes(answer: dict[str, Any], name: str) -> list[str]:
    wrappers, beside, prefixes = (_short(answer.get(key)) for key in ("wrappers", "beside", "prefixes"))
    notes = []
    if wrappers:
        rest = f", and {listed(beside)} beside it left out" if beside else ""
        notes.append(f"{name}: the weights were taken from its entry {shown('.'.join(wrappers))}{rest}.")
    for prefix in prefixes:
        origin = f" that {_COMMON_WRAPPING[prefix]} adds" if prefix in _COMMON_WRAPPING else ""
        notes.append(f"{name}: the '{shown(prefix)}'{origin} was taken off the names of the weights.")
    return notes


def _short(value: Any) -> list[str]:
    return [part for part in value if isinstance(part, str)][:_MOST_NOTED] if isinstance(value, list) else []


def as_file(checkpoint: Checkpoint) -> bytes:
    """A clean file that `torch.load(path, weights_only=True)` reads: a plain dictionary of CPU tensors."""
    buffer = io.BytesIO()
    torch.save(dict(checkpoint.tensors), buffer)
    return buffer.getvalue()


def mismatch(expected: Mapping[str, tuple[int, ...]], checkpoint: Checkpoint, name: str) -> str:
    """Why the weights are not those of a model, as one sentence; empty if they are.

    Args:
        expected: names and shapes of the model's state dict.
        checkpoint: the weights.
        name: name of their file in the manifest; its stem is the name of the model.
    """
    expected = {key: tuple(shape) for key, shape in expected.items()}
    found = {key: tuple(tensor.shape) for key, tensor in checkpoint.tensors.items()}
    missing = [key for key in expected if key not in found]
    unexpected = [key for key in found if key not in expected]
    shapes = [key for key in expected if key in found and found[key] != expected[key]]
    differences = []
    if missing:
        differences.append(f"the file lacks {len(missing)} of its weights ({listed(missing, _NAMED)})")
    if unexpected:
        differences.append(f"the file holds {len(unexpected)} unknown to it ({listed(unexpected, _NAMED)})")
    if shapes:
        key = shapes[0]
        more = f", and {len(shapes) - 1} more differ" if len(shapes) > 1 else ""
        differences.append(f"{shown(key)} has shape {found[key]} instead of {shown(str(expected[key]))}{more}")
    if not differences:
        return ""
    what = "; ".join(differences)
    return f"{name} does not fit the model that assignment.py makes: {what}; {_likely_cause(expected, found, name)}."


def _likely_cause(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]], name: str) -> str:
    for head in sorted({key.split(".")[0] for key in expected}):
        part = {key: shape for key, shape in expected.items() if key.startswith(f"{head}.")}
        if part in (found, {f"{head}.{key}": shape for key, shape in found.items()}):
            return (
                f"these are the weights of its part {shown(head)} alone, so save model.state_dict() of the whole model"
            )
    model, origin = PurePosixPath(name).stem, _origin(found)
    if origin and _origin(expected) and origin != _origin(expected):
        return f"this looks like the checkpoint of the {origin}, not of the {model}"
    return "these are the weights of another architecture (was assignment.py or models.py changed after the training?)"


def _origin(names: Mapping[str, Any]) -> str:
    """The model whose state dict has such names, as far as the given code of models.py settles it; else empty."""
    heads = {key.split(".")[0] for key in names}
    if {"network", "vae"} <= heads:
        return "LDDPM"
    if {"mean_net", "logvar_net"} <= heads:
        return "VAE"
    return "DDPM or DDIM" if "network" in heads else ""


def carried_images(checkpoint: Checkpoint) -> list[str]:
    """Names of tensors that could be stored images instead of weights: a matter for an instructor's eye.

    Images have a background: many of their values are one and the same, which trained weights never are, and which no
    scaling, transposing or cutting hides. Small tensors, and those that are all one value (as fresh norms are), are
    left alone.
    """
    return [name for name, tensor in checkpoint.tensors.items() if _looks_like_images(tensor)]


def _looks_like_images(tensor: torch.Tensor) -> bool:
    if tensor.numel() < _LEAST_IMAGES * min(_IMAGE_PIXELS):
        return False
    values = tensor.reshape(-1)
    low, high = (float(end) for end in torch.aminmax(values if values.dtype != torch.bool else values.byte()))
    if low == high:
        return False
    if not tensor.is_floating_point() and tensor.dtype != torch.bool:
        return low >= 0 and high <= 255
    drawn = values[torch.randint(len(values), (_DRAWN,), generator=torch.Generator().manual_seed(0))]
    kinds, counts = drawn.unique(return_counts=True)
    commonest = kinds[counts.argmax()]
    share = float((values == commonest).float().mean())
    if share > _BACKGROUND:
        return True
    in_range = any(low >= a and high <= b for a, b in _IMAGE_RANGES)
    return _has_image_shape(tensor) and in_range and float(commonest) == low and share > _LEAST_BACKGROUND


def _has_image_shape(tensor: torch.Tensor) -> bool:
    """(N, 1, S, S), (N, S, S) or (N, S * S) with sides of 28 or 32 and at least ten images."""
    return math.prod(tensor.shape[1:]) in _IMAGE_PIXELS and tensor.shape[0] >= _LEAST_IMAGES and tensor.ndim <= 4

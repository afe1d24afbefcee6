"""The format in which values cross the boundary between grader and submission.

A frame is `MAGIC`, the length of a JSON header (uint32), the length of the buffers (uint64), header, buffers. The
header is a tree of JSON values; what JSON lacks is an object with exactly one of these shapes:

    {"tuple": [...]}   {"dict": [[key, value], ...]}   {"opaque": "type name"}
    {"tensor": "float32", "shape": [2, 3], "bytes": 24, "grad": false}      next 24 bytes of the buffers
    {"array": "float32", "shape": [2, 3], "bytes": 24}                      the same for numpy
    {"handle": 7, "type": "DenoiseDiffusion"}                               an object that stays in the child
    {"ref": {...}}                                                          grader -> child only, see `Ref`

No pickle, no code, no verdict. A reader checks every declared size before it allocates.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from autograder.language import N_, _

MAGIC = b"GLW1"
PREFIX = struct.Struct("<4sIQ")
MAX_HEADER = 8 << 20
MAX_BUFFERS = 256 << 20
MAX_DEPTH = 24
MAX_NODES = 200_000
MAX_OTHER_KEYS = 1000
TOO_DEEP = N_("the value is nested too deeply or has too many parts")
TOO_LARGE = N_("the value is larger than {size} MB")
"""What `encode` says: in the child too, where nothing is translated."""

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    )
}
_ARRAY_DTYPES = {
    dtype.name: dtype
    for dtype in map(
        np.dtype,
        (
            *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
            *("float16", "float32", "float64", "complex64", "complex128"),
        ),
    )
}


class WireError(ValueError):
    """A frame is malformed or larger than allowed."""


@dataclass(frozen=True)
class Handle:
    """Stands for an object that stays in the child."""

    id: int
    type: str


@dataclass(frozen=True)
class Opaque:
    """Stands for a value that cannot cross: only the name of its type does."""

    type: str

    def __genlab_got__(self) -> str:
        """What came, in the words of a message."""
        return _("an object of type {type}.").format(type=self.type)


@dataclass(frozen=True)
class Ref:
    """Names an object in the child: an attribute path from a root.

    `root` is one of `{"module": name}`, `{"handle": id}` and `{"probe": key, "class": name, "args": [...],
    "kwargs": {...}}`; the last builds the probe at its first use.
    """

    root: dict[str, Any]
    path: tuple[str, ...] = field(default=())


def encode(value: Any, keep: Callable[[Any], Handle | Ref | None] | None = None) -> bytes:
    """Encode `value` as one frame.

    Args:
        value: a tree of None, bool, int, float, str, list, tuple, dict, tensors, numpy arrays, `Handle`, `Ref`.
        keep: asked for every other object; gives what stands for it, or None. What then has nothing becomes `Opaque`.

    Raises:
        WireError: the value is too large, too deep, or contains itself.
    """
    buffers: list[bytes] = []
    nodes = 0

    def tree(item: Any, depth: int) -> Any:
        nonlocal nodes
        nodes += 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise WireError(_(TOO_DEEP))
        if item is None or type(item) in (bool, int, float, str):
            return item
        if type(item) is list:
            return [tree(part, depth + 1) for part in item]
        if type(item) in (torch.Tensor, torch.nn.Parameter):
            packed = _pack_tensor(item, buffers)
            if packed is not None:
                return packed
        if isinstance(item, Handle):
            return {"handle": item.id, "type": item.type}
        if isinstance(item, Opaque):
            return {"opaque": item.type}
        if isinstance(item, Ref):
            return {"ref": tree({**item.root, "path": list(item.path)}, depth + 1)}
        kept = keep(item) if keep else None
        if kept is not None:
            return tree(kept, depth)
        if type(item) is np.ndarray and item.dtype.name in _ARRAY_DTYPES:
            _require_within_cap(item.nbytes)
            data = item.astype(_ARRAY_DTYPES[item.dtype.name], copy=False).tobytes()  # in this machine's byte order
            buffers.append(data)
            return {"array": item.dtype.name, "shape": list(item.shape), "bytes": len(data)}
        if isinstance(item, np.generic) and item.dtype.kind in "biuf" and item.itemsize <= 8:
            return tree(item.item(), depth)
        if isinstance(item, (bool, int, float, str)):  # subclasses, such as an IntEnum
            base = next(kind for kind in (bool, int, float, str) if isinstance(item, kind))
            return base(item)
        if isinstance(item, tuple):
            return {"tuple": [tree(part, depth + 1) for part in item]}
        if isinstance(item, dict):
            return {"dict": [[tree(k, depth + 1), tree(v, depth + 1)] for k, v in item.items()]}
        if isinstance(item, list):
            return [tree(part, depth + 1) for part in item]
        return {"opaque": type(item).__name__}

    header = json.dumps(tree(value, 0), separators=(",", ":")).encode("utf-8", "surrogatepass")
    total = sum(map(len, buffers))
    if len(header) > MAX_HEADER or total > MAX_BUFFERS:
        raise WireError(_(TOO_LARGE).format(size=MAX_BUFFERS >> 20))
    return b"".join((PREFIX.pack(MAGIC, len(header), total), header, *buffers))


def _require_within_cap(size: int) -> None:
    if size > MAX_BUFFERS:
        raise WireError(_(TOO_LARGE).format(size=MAX_BUFFERS >> 20))


def _pack_tensor(tensor: torch.Tensor, buffers: list[bytes]) -> dict[str, Any] | None:
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in _DTYPES or tensor.layout is not torch.strided or tensor.device.type == "meta":
        return None
    _require_within_cap(tensor.numel() * tensor.element_size())
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().reshape(-1).contiguous()
    data = flat.view(torch.uint8).numpy().tobytes()
    buffers.append(data)
    return {"tensor": name, "shape": list(tensor.shape), "bytes": len(data), "grad": tensor.requires_grad}


def frame_size(prefix: bytes, max_buffers: int = MAX_BUFFERS) -> int:
    """Bytes that follow the prefix of a frame.

    Raises:
        WireError: the prefix is not one, or announces more than `max_buffers` bytes of buffers.
    """
    magic, header, buffers = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise WireError(_("something that is not a frame was written to the channel"))
    if header > MAX_HEADER or buffers > max_buffers:
        raise WireError(_(TOO_LARGE).format(size=max_buffers >> 20))
    return int(header + buffers)


def decode(prefix: bytes, body: bytes, type_name: Callable[[str], str] = lambda name: name[:100]) -> Any:
    """Decode a frame. Tensors own their memory; `requires_grad` is restored, the graph is not.

    Args:
        prefix: of the frame.
        body: the rest of it.
        type_name: makes of the name of a type, which a stranger may have chosen, that of a `Handle` or `Opaque`.

    Raises:
        WireError: the frame is malformed in any way.
    """
    header_size = PREFIX.unpack(prefix)[1]
    try:
        header = json.loads(body[:header_size].decode("utf-8", "surrogatepass"))
        reader = _Reader(memoryview(body)[header_size:], type_name)
        value = reader.value(header, 0)
    except WireError:
        raise
    except Exception as error:  # a stranger chose these bytes
        raise WireError(_("a malformed value was sent: {fault}").format(fault=type(error).__name__)) from error
    if reader.left:
        raise WireError(_("a frame has more bytes than its values"))
    return value


class _Reader:
    def __init__(self, buffers: memoryview, type_name: Callable[[str], str]) -> None:
        self.left = buffers
        self.type_name = type_name
        self.nodes = 0
        self.other_keys = 0

    def value(self, item: Any, depth: int) -> Any:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise WireError(_("a value is nested too deeply or has too many parts"))
        if isinstance(item, list):
            return [self.value(part, depth + 1) for part in item]
        if not isinstance(item, dict):
            return item
        if "tensor" in item:
            return self._tensor(item)
        if "array" in item:
            return self._array(item)
        if "tuple" in item:
            return tuple(self.value(part, depth + 1) for part in item["tuple"])
        if "dict" in item:
            return {self._key(k, depth): self.value(v, depth + 1) for k, v in item["dict"]}
        if "handle" in item:
            return Handle(int(item["handle"]), self.type_name(str(item["type"])))
        if "opaque" in item:
            return Opaque(self.type_name(str(item["opaque"])))
        if "ref" in item:
            root = self.value(item["ref"], depth + 1)
            return Ref(root, tuple(root.pop("path")))
        raise WireError(_("a malformed value was sent: {fault}").format(fault=_("unknown kind")))

    def _key(self, item: Any, depth: int) -> Any:
        if type(item) is not str:  # the hashes of numbers can be chosen to collide, which costs quadratic time
            self.other_keys += 1
            if self.other_keys > MAX_OTHER_KEYS:
                raise WireError(_("dictionaries have more than {n} keys that are not text").format(n=MAX_OTHER_KEYS))
        key = self.value(item, depth + 1)
        hash(key)
        return key

    def _take(self, shape: Any, itemsize: int, declared: Any) -> tuple[list[int], bytearray]:
        sizes = [size for size in shape if type(size) is int and 0 <= size < 1 << 40]
        expected = math.prod(sizes) * itemsize
        if len(sizes) != len(shape) or len(sizes) > 16 or expected != declared or declared > len(self.left):
            raise WireError(_("a tensor's shape does not agree with its bytes"))
        _require_within_cap(math.prod(size or 1 for size in sizes))  # an empty one costs memory when it is summed up
        data, self.left = bytearray(self.left[:declared]), self.left[declared:]
        return sizes, data

    def _tensor(self, item: dict[str, Any]) -> torch.Tensor:
        dtype = _DTYPES[item["tensor"]]
        shape, data = self._take(item["shape"], dtype.itemsize, item["bytes"])
        tensor = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        tensor = tensor.reshape(shape)
        return tensor.requires_grad_(bool(item.get("grad")) and (dtype.is_floating_point or dtype.is_complex))

    def _array(self, item: dict[str, Any]) -> np.ndarray:
        dtype = _ARRAY_DTYPES[item["array"]]
        shape, data = self._take(item["shape"], dtype.itemsize, item["bytes"])
        return np.frombuffer(data, dtype=dtype).reshape(shape)

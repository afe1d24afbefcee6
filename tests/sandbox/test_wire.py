"""The wire format: everything that may cross comes back as it was, and nothing else gets through."""

from __future__ import annotations

import collections
import contextlib
import enum
import json
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.sandbox import wire
from autograder.sandbox.wire import Handle, Opaque, Ref, WireError

DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)
SHAPES = ((), (0,), (3,), (2, 0, 3), (2, 3), (1, 2, 3, 1))
ARRAYS = ("bool", "int8", "int32", "int64", "uint16", "float16", "float32", "float64", "complex64", "complex128")
PREFIX = wire.PREFIX.size


def crossed(value: Any, keep: Any = None) -> Any:
    frame = wire.encode(value, keep)
    assert wire.frame_size(frame[:PREFIX]) == len(frame) - PREFIX
    return wire.decode(frame[:PREFIX], frame[PREFIX:])


def decode_raw(header: Any, buffers: bytes = b"") -> Any:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return wire.decode(wire.PREFIX.pack(wire.MAGIC, len(text), len(buffers)), text + buffers)


def filled(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    return torch.arange(math.prod(shape)).reshape(shape).to(dtype)


class TestNumbersAndText:
    @pytest.mark.parametrize(
        "value", [None, True, False, 0, -1, 2**63, -(10**40), 1.5, 1e-320, math.inf, -math.inf, "", "é", "a\0b", "🙂"]
    )
    def test_cross_unchanged(self, value: Any) -> None:
        found = crossed(value)
        assert found == value
        assert type(found) is type(value)

    def test_not_a_number_and_negative_zero(self) -> None:
        nan, zero = crossed([math.nan, -0.0])
        assert math.isnan(nan)
        assert math.copysign(1, zero) == -1

    def test_half_of_a_surrogate_pair_crosses(self) -> None:
        assert crossed("name \udcff end") == "name \udcff end"

    def test_subclasses_lose_their_class(self) -> None:
        class Level(enum.IntEnum):
            HIGH = 3

        class Name(str):
            __slots__ = ()

        found = crossed([Level.HIGH, Name("x"), np.float32(0.5), np.int64(7), np.bool_(True), np.float64(0.1)])
        assert found == [3, "x", 0.5, 7, True, 0.1]
        assert [type(item) for item in found] == [int, str, float, int, bool, float]


class TestTensors:
    @pytest.mark.parametrize("dtype", DTYPES, ids=str)
    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    def test_every_dtype_in_every_shape(self, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
        tensor = filled(shape, dtype)
        found = crossed(tensor)
        assert type(found) is torch.Tensor
        assert found.dtype == dtype
        assert found.shape == tensor.shape
        assert torch.equal(found, tensor)
        assert not found.requires_grad

    def test_bits_of_special_values(self) -> None:
        tensor = torch.tensor([math.nan, math.inf, -math.inf, -0.0, 1e-45])
        assert torch.equal(crossed(tensor).view(torch.int32), tensor.view(torch.int32))

    @pytest.mark.threat(57)
    @pytest.mark.parametrize(
        "view",
        [
            lambda x: x.T,
            lambda x: x[:, ::2],
            lambda x: x.flip(0),
            lambda x: x[1],
            lambda x: x[:1].expand(5, 4),
            lambda x: x.to(torch.complex64).conj(),
            lambda x: torch.complex(x, x).conj().imag,
            lambda x: x.to(memory_format=torch.contiguous_format).unfold(1, 2, 1),
        ],
        ids=["transposed", "strided", "flipped", "row", "expanded", "conjugated", "negated", "overlapping"],
    )
    def test_views(self, view: Any) -> None:
        tensor = view(torch.arange(12.0).reshape(3, 4))
        found = crossed(tensor)
        assert torch.equal(found, tensor)
        assert found.is_contiguous()

    @pytest.mark.threat(57)
    def test_requires_grad_crosses_and_the_graph_does_not(self) -> None:
        leaf = torch.ones(3, requires_grad=True)
        for tensor in (leaf, leaf * 2, torch.nn.Parameter(torch.ones(2))):
            found = crossed(tensor)
            assert type(found) is torch.Tensor
            assert found.requires_grad
            assert found.is_leaf
            assert torch.equal(found.detach(), tensor.detach())

    def test_the_frame_is_a_copy(self) -> None:
        tensor = torch.zeros(3)
        frame = wire.encode(tensor)
        tensor.fill_(1)
        first, second = (wire.decode(frame[:PREFIX], frame[PREFIX:]) for _ in range(2))
        first.fill_(2)
        assert torch.equal(second, torch.zeros(3))

    def test_several_tensors_keep_their_order(self) -> None:
        tensors = [torch.full((n,), n) for n in range(4)]
        found = crossed({"x": tensors, "y": (tensors[3], 1)})
        assert all(map(torch.equal, found["x"], tensors))
        assert torch.equal(found["y"][0], tensors[3])

    @pytest.mark.threat(8)
    def test_other_layouts_do_not_cross(self) -> None:
        for tensor in (torch.eye(2).to_sparse(), torch.empty(2, device="meta"), torch.ones(2).to(torch.float8_e4m3fn)):
            assert crossed(tensor) == Opaque("Tensor")

    @pytest.mark.threat(8)
    def test_a_subclass_does_not_cross_as_a_tensor(self) -> None:
        class Liar(torch.Tensor):
            @classmethod
            def __torch_function__(cls, *_: Any, **__: Any) -> Any:
                return True

        assert crossed([torch.ones(2).as_subclass(Liar)]) == [Opaque("Liar")]

    @pytest.mark.threat(8)
    def test_an_object_that_pretends_to_be_a_tensor_does_not_cross(self) -> None:
        class Liar:
            __class__ = torch.Tensor  # type: ignore[assignment]
            dtype, requires_grad, layout = torch.float32, False, torch.strided

            def __eq__(self, other: object) -> bool:
                return True

            __hash__ = None  # type: ignore[assignment]

        assert isinstance(Liar(), torch.Tensor)
        found = crossed(Liar())
        assert type(found) is Opaque
        assert found == Opaque("Liar")


class TestArrays:
    @pytest.mark.parametrize("name", ARRAYS)
    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    def test_every_dtype_in_every_shape(self, name: str, shape: tuple[int, ...]) -> None:
        array = np.arange(math.prod(shape)).reshape(shape).astype(name)
        found = crossed(array)
        assert type(found) is np.ndarray
        assert found.dtype == array.dtype
        assert found.shape == shape
        assert np.array_equal(found, array)

    def test_other_memory_orders(self) -> None:
        array = np.arange(6.0, dtype=">f4").reshape(2, 3)
        for item in (array, array.T, np.asfortranarray(array), array[:, ::-1]):
            assert np.array_equal(crossed(item), item)

    def test_what_comes_can_be_written_to(self) -> None:
        found = crossed(np.zeros(2))
        found += 1
        assert found.tolist() == [1, 1]

    @pytest.mark.parametrize(
        "array",
        [
            np.array([object()]),
            np.array(["x"]),
            np.array([b"x"]),
            np.zeros(2, "f4,i4"),
            np.zeros(2, "M8[s]"),
            np.zeros(2, np.longdouble),
            np.ma.masked_array([1.0]),
            np.longdouble(1),
            np.complex64(1),
        ],
        ids=lambda array: f"{type(array).__name__}-{array.dtype}",
    )
    def test_other_arrays_do_not_cross(self, array: Any) -> None:
        assert crossed(array) == Opaque(type(array).__name__)


class TestContainers:
    def test_nested(self) -> None:
        value = {"a": [1, (2.0, None, [])], "b": {"c": (), 3: {}}, "tensor": 1, "ref": [{"handle": 2}]}
        assert crossed(value) == value

    def test_keys_of_every_kind(self) -> None:
        value = {1: "int", "1": "str", None: "none", 2.5: "float", (1, ("x",)): "tuple", False: "bool"}
        assert list(crossed(value).items()) == list(value.items())

    def test_subclasses_become_the_plain_kind(self) -> None:
        Point = collections.namedtuple("Point", "x y")
        found = crossed([Point(1, 2), torch.Size([3]), collections.OrderedDict(a=1), collections.UserList([1])])
        assert found[:3] == [(1, 2), (3,), {"a": 1}]
        assert [type(item) for item in found] == [tuple, tuple, dict, Opaque]

    @pytest.mark.parametrize(
        "value", [{1}, b"x", 1j, range(3), object(), int, len, iter([]), ...], ids=lambda value: type(value).__name__
    )
    def test_only_the_name_of_other_types_crosses(self, value: Any) -> None:
        assert crossed([value]) == [Opaque(type(value).__name__)]


class TestStandIns:
    @pytest.mark.parametrize(
        "value",
        [
            Handle(7, "Model"),
            Handle(-1, ""),
            Opaque("generator"),
            Ref({"module": "q1_vae"}),
            Ref({"handle": 3}, ("encoder", "forward")),
            Ref({"probe": 9, "class": "Net", "args": [1, [2.0]], "kwargs": {"steps": 4}}, ("calls",)),
        ],
    )
    def test_cross(self, value: Any) -> None:
        assert crossed({"x": [value]}) == {"x": [value]}

    def test_a_ref_may_hold_tensors(self) -> None:
        found = crossed(Ref({"probe": 1, "class": "Net", "args": [torch.ones(2)], "kwargs": {}}))
        assert torch.equal(found.root["args"][0], torch.ones(2))

    def test_keep_is_asked_for_what_cannot_cross(self) -> None:
        kept = object()
        found = crossed([kept, object(), 1], lambda item: Handle(5, "thing") if item is kept else None)
        assert found == [Handle(5, "thing"), Opaque("object"), 1]


class TestLimitsOfASender:
    def test_an_expanded_tensor_is_not_written_out(self) -> None:
        tracemalloc.start()
        with pytest.raises(WireError, match="larger than 256 MB"):
            wire.encode(torch.zeros(1).expand(10**10))
        with pytest.raises(WireError, match="larger than 256 MB"):
            wire.encode(np.broadcast_to(np.zeros(1), (10**10,)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20

    def test_the_sum_of_tensors_is_limited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wire, "MAX_BUFFERS", 1 << 20)
        wire.encode([torch.zeros(1 << 17)])
        with pytest.raises(WireError, match="larger than 1 MB"):
            wire.encode([torch.zeros(1 << 17), torch.zeros(1 << 17), 1, torch.zeros(1)])

    def test_a_list_that_holds_itself(self) -> None:
        endless: list[Any] = []
        endless.append(endless)
        with pytest.raises(WireError, match="nested too deeply"):
            wire.encode(endless)

    def test_depth_and_number_of_parts(self) -> None:
        deep: Any = 1
        for _ in range(wire.MAX_DEPTH):
            deep = [deep]
        assert crossed(deep) == deep
        with pytest.raises(WireError, match="nested too deeply"):
            wire.encode([deep])
        with pytest.raises(WireError, match="too many parts"):
            wire.encode([0] * wire.MAX_NODES)


def prefix_of(magic: bytes = wire.MAGIC, header: int = 2, buffers: int = 0) -> bytes:
    return wire.PREFIX.pack(magic, header, buffers)


class TestPrefix:
    def test_says_how_much_follows(self) -> None:
        assert wire.frame_size(prefix_of(header=10, buffers=32)) == 42

    @pytest.mark.parametrize("magic", [b"GLW2", b"PASS", b"\0\0\0\0"])
    def test_wrong_magic(self, magic: bytes) -> None:
        with pytest.raises(WireError, match="not a frame"):
            wire.frame_size(prefix_of(magic))

    @pytest.mark.parametrize("sizes", [{"header": wire.MAX_HEADER + 1}, {"buffers": wire.MAX_BUFFERS + 1}])
    def test_announces_too_much(self, sizes: dict[str, int]) -> None:
        with pytest.raises(WireError, match="larger than"):
            wire.frame_size(prefix_of(**sizes))

    def test_a_reader_may_want_less(self) -> None:
        with pytest.raises(WireError, match="larger than 1 MB"):
            wire.frame_size(prefix_of(buffers=(1 << 20) + 1), max_buffers=1 << 20)


def tensor_header(shape: Any, size: Any, dtype: Any = "float32", **others: Any) -> dict[str, Any]:
    return {"tensor": dtype, "shape": shape, "bytes": size, "grad": False, **others}


MALFORMED = {
    "no header": (b"", b""),
    "not JSON": (b"{", b""),
    "two values": (b"1 2", b""),
    "not UTF-8": (b'"\xff"', b""),
    "a number of many digits": (b"1" * 5000, b""),
    "JSON nested 100,000 deep": (b"[" * 100_000, b""),
    "lists nested 100 deep": (b"[" * 100 + b"]" * 100, b""),
    "too many parts": (b"[" + b"0," * wire.MAX_NODES + b"0]", b""),
    "an unknown kind": ({"pickle": "x"}, b""),
    "an empty object": ({}, b""),
    "bytes without a tensor": (1, b"xxxx"),
    "bytes after a tensor": (tensor_header([1], 4), b"x" * 5),
    "more bytes declared than sent": (tensor_header([2], 8), b"x" * 4),
    "fewer bytes than the shape": (tensor_header([2], 4), b"x" * 4),
    "more bytes than the shape": (tensor_header([1], 8), b"x" * 8),
    "bytes of another dtype": (tensor_header([2], 8, "float64"), b"x" * 8),
    "a negative size": (tensor_header([-1], -4), b""),
    "two negative sizes": (tensor_header([-1, -1], 4), b"x" * 4),
    "a size that is a fraction": (tensor_header([1.0], 4), b"x" * 4),
    "a size that is a truth value": (tensor_header([True], 4), b"x" * 4),
    "a size that is text": (tensor_header(["1"], 4), b"x" * 4),
    "a size beyond 64 bits": (tensor_header([1 << 70, 0], 0), b""),
    "sizes whose product overflows": (tensor_header([1 << 32, 1 << 32], 0), b""),
    "no elements in a huge shape": (tensor_header([0, 1 << 39], 0), b""),
    "no elements in a shape that overflows": ({"array": "int8", "shape": [1 << 39, 0, 1 << 39], "bytes": 0}, b""),
    "many dimensions": (tensor_header([1] * 65, 4), b"x" * 4),
    "no shape": ({"tensor": "float32", "bytes": 4}, b"x" * 4),
    "a shape that is a number": (tensor_header(1, 4), b"x" * 4),
    "a shape that is null": (tensor_header(None, 4), b"x" * 4),
    "no bytes": ({"tensor": "float32", "shape": [1]}, b"x" * 4),
    "bytes that are text": (tensor_header([1], "4"), b"x" * 4),
    "bytes that are infinite": (tensor_header([1], math.inf), b"x" * 4),
    "a dtype that torch has and the format has not": (tensor_header([1], 1, "qint8"), b"x"),
    "a dtype that is an attribute of torch": (tensor_header([1], 4, "load"), b"x" * 4),
    "a dtype that is a list": (tensor_header([1], 4, ["float32"]), b"x" * 4),
    "an array of objects": ({"array": "O", "shape": [1], "bytes": 8}, b"x" * 8),
    "an array of records": ({"array": "f4,f4", "shape": [1], "bytes": 8}, b"x" * 8),
    "an array dtype with an error in it": ({"array": "(,)f4", "shape": [1], "bytes": 4}, b"x" * 4),
    "an array dtype of no size": ({"array": "V0", "shape": [1], "bytes": 0}, b""),
    "an array dtype that is null": ({"array": None, "shape": [1], "bytes": 8}, b"x" * 8),
    "an array of the wrong size": ({"array": "float64", "shape": [2], "bytes": 8}, b"x" * 8),
    "a tuple that is a number": ({"tuple": 3}, b""),
    "a dictionary that is null": ({"dict": None}, b""),
    "a dictionary with an odd pair": ({"dict": [["a"]]}, b""),
    "a dictionary with a list as key": ({"dict": [[[], 1]]}, b""),
    "a dictionary with an array as key": (
        {"dict": [[{"array": "int8", "shape": [1], "bytes": 1}, 1]]},
        b"x",
    ),
    "a handle that is text": ({"handle": "x", "type": "y"}, b""),
    "a handle that is infinite": ({"handle": math.inf, "type": "y"}, b""),
    "a handle without a type": ({"handle": 1}, b""),
    "a ref that is text": ({"ref": "x"}, b""),
    "a ref that is null": ({"ref": None}, b""),
    "a ref that is a list": ({"ref": [1]}, b""),
    "a ref without a path": ({"ref": {"dict": []}}, b""),
    "a ref with a number as path": ({"ref": {"dict": [["path", 3]]}}, b""),
}


class TestMalformedFrames:
    @pytest.mark.threat(11)
    @pytest.mark.parametrize("name", MALFORMED)
    def test_are_refused(self, name: str) -> None:
        with pytest.raises(WireError):
            decode_raw(*MALFORMED[name])

    @pytest.mark.threat(11, 24)
    def test_a_huge_declared_size_costs_no_memory(self) -> None:
        tracemalloc.start()
        for header in (tensor_header([1 << 39], 1 << 41), {"array": "int8", "shape": [1 << 39], "bytes": 1 << 39}):
            with pytest.raises(WireError, match="does not agree"):
                decode_raw(header, b"xxxx")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20

    @pytest.mark.threat(11)
    def test_header_length_that_lies(self) -> None:
        frame = wire.encode([torch.ones(2), "x"])
        magic, header, buffers = wire.PREFIX.unpack(frame[:PREFIX])
        for lie in (0, 1, header - 1, header + 1, header + 8, 10_000):
            with pytest.raises(WireError):
                wire.decode(wire.PREFIX.pack(magic, lie, buffers), frame[PREFIX:])

    def test_gradients_of_integers_are_not_asked_for(self) -> None:
        assert not decode_raw(tensor_header([1], 8, "int64", grad=True), b"x" * 8).requires_grad

    @pytest.mark.threat(11)
    def test_keys_whose_hashes_collide_are_limited(self) -> None:
        modulus = 2**61 - 1  # of Python's hash of numbers: all these keys have the same
        pairs = [[i * modulus, 0] for i in range(wire.MAX_OTHER_KEYS + 1)]
        assert len(decode_raw({"dict": pairs[:-1]})) == wire.MAX_OTHER_KEYS
        with pytest.raises(WireError, match="keys that are not text"):
            decode_raw({"dict": pairs})
        with pytest.raises(WireError, match="keys that are not text"):
            decode_raw([{"dict": pairs[:600]}, {"dict": pairs[600:]}])
        assert len(decode_raw({"dict": [[str(key), 0] for key, _ in pairs]})) == wire.MAX_OTHER_KEYS + 1


WORDS = st.sampled_from(
    [*("tensor", "array", "shape", "bytes", "grad", "tuple", "dict", "handle", "type", "opaque", "ref", "path"), "x"]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(0, 8),
    st.floats(),
    st.sampled_from(["float32", "int8", "bool", "complex64", "O", "f4", "(,)f4"]),
    WORDS,
)
TREES = st.recursive(
    SCALARS,
    lambda part: st.one_of(st.lists(part, max_size=4), st.dictionaries(WORDS, part, max_size=5)),
    max_leaves=12,
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda part: st.one_of(
        st.lists(part, max_size=4),
        st.lists(part, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), part, max_size=3),
    ),
    max_leaves=10,
)
EXAMPLE = wire.encode({"value": [torch.ones(2, 3), np.zeros(2), (Handle(1, "A"), Ref({"module": "q"}))], "grads": None})


class TestFuzz:
    @pytest.mark.threat(11)
    @settings(max_examples=300, deadline=None)
    @given(TREES, st.binary(max_size=16))
    def test_any_header_is_a_value_or_refused(self, header: Any, buffers: bytes) -> None:
        with contextlib.suppress(WireError):
            decode_raw(header, buffers)

    @pytest.mark.threat(11)
    @settings(max_examples=200, deadline=None)
    @given(st.binary(min_size=PREFIX, max_size=80))
    def test_any_bytes_are_a_value_or_refused(self, data: bytes) -> None:
        with contextlib.suppress(WireError):
            wire.frame_size(data[:PREFIX])
        with contextlib.suppress(WireError):
            wire.decode(data[:PREFIX], data[PREFIX:])

    @pytest.mark.threat(11)
    @settings(max_examples=300, deadline=None)
    @given(st.integers(PREFIX, len(EXAMPLE) - 1), st.binary(min_size=1, max_size=3), st.booleans())
    def test_a_damaged_frame_is_a_value_or_refused(self, place: int, patch: bytes, cut: bool) -> None:
        damaged = EXAMPLE[:place] + patch + (b"" if cut else EXAMPLE[place + len(patch) :])
        with contextlib.suppress(WireError):
            wire.decode(damaged[:PREFIX], damaged[PREFIX:])

    @settings(max_examples=200, deadline=None)
    @given(VALUES)
    def test_any_plain_value_comes_back(self, value: Any) -> None:
        assert crossed(value) == value

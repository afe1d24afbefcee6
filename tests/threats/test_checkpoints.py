"""Evil checkpoints: whatever the pickle says, no code of it runs, and there are clean tensors or one sentence."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator

import pytest
import torch

from autograder.sandbox.jail import JailSettings
from autograder.sandbox.preload import preload, quiet_environment
from autograder.sandbox.session import SessionLimits
from autograder.sandbox.zygote import Zygote
from autograder.scoring.checkpoint import Checkpoint, CheckpointError, carried_images, mismatch

from ..scoring import checkpoint_files as files
from ..scoring.test_checkpoint import NAME, Jail, pictures, require_sentence

RAN = "the code ran"
PATIENCE = 30.0  # seconds for one file on a busy machine


@pytest.fixture(scope="module", autouse=True)
def _graded_as_ever() -> None:
    """No engine here: each file is read in a jail of its own."""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    quiet_environment()
    preload(("torch", "numpy"))
    with Zygote(JailSettings(memory_mb=700)) as made:
        yield made


@pytest.fixture
def jail(zygote: Zygote) -> Iterator[Jail]:
    """Reads files; afterwards the child is gone, and nothing of it is left."""
    made = Jail(zygote)
    yield made
    if made.last is not None:
        assert made.last.exit is not None
        assert RAN.encode() not in made.last.output
    assert list(zygote.scratch_root.iterdir()) == []


# --- pickles, opcode by opcode --------------------------------------------------------------------------------------


def name_of(path: str) -> bytes:
    module, _, name = path.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def plain(value: object) -> bytes:
    """The opcodes of a value of built-in types, without the frame of a pickle."""
    match value:
        case bytes():
            return value  # opcodes
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            data = pickle.encode_long(value)
            return b"\x8a" + bytes([len(data)]) + data
        case tuple():
            return b"(" + b"".join(map(plain, value)) + b"t"
        case list():
            return b"](" + b"".join(map(plain, value)) + b"e"
        case dict():
            return b"}(" + b"".join(plain(part) for item in value.items() for part in item) + b"u"
        case None:
            return b"N"
    raise TypeError(type(value))


def call(path: str, *arguments: object) -> bytes:
    return name_of(path) + plain(arguments) + b"R"


def build(made: bytes, state: object) -> bytes:
    return made + plain(state) + b"b"


def storage(numel: int = 2, key: str = "0", kind: str = "torch.FloatStorage", location: str = "cpu") -> bytes:
    return plain(("storage", name_of(kind), key, location, numel)) + b"Q"


def tensor(*shape: object, function: str = "torch._utils._rebuild_tensor_v2", **changes: object) -> bytes:
    """A tensor on the storage of two floats."""
    parts = {
        **{"storage": storage(), "offset": 0, "size": shape or (2,), "stride": (1,)},
        **{"grad": False, "hooks": call("collections.OrderedDict"), **changes},
    }
    return call(function, *parts.values())


def zipped(body: bytes) -> bytes:
    """A file of today's format; its storage 0 is two ones."""
    return files.with_pickle(b"\x80\x02" + body + b".")


def legacy(body: bytes) -> bytes:
    """A file of the old format, without storages."""
    parts = [torch.serialization.MAGIC_NUMBER, 1001, {"little_endian": True}]
    head = b"".join(pickle.dumps(part, 2) for part in parts)
    return head + b"\x80\x02" + body + b"." + pickle.dumps([], 2)


CODE = f"print({RAN!r}, flush=True)"
INNER = b"\x80\x02" + call("builtins.exec", CODE) + b"."
INNER_BYTES = call("_codecs.encode", INNER.decode("latin-1"), "latin1")
DIRECT = {
    "exec": call("builtins.exec", CODE),
    "eval": call("builtins.eval", CODE),
    "exec of Python 2": call("__builtin__.exec", CODE),
    "a module's exec": call("timeit.timeit", CODE, "pass", name_of("time.perf_counter"), 1),
    "profiler": call("cProfile.run", CODE),
    "pickle in a pickle": call("pickle.loads", INNER_BYTES),
    "storage that is a file": call("torch.storage._load_from_bytes", INNER_BYTES),
    "torch's own exec": call("torch.fx.graph_module._exec_with_source", CODE, {}),
    "torch.load": call("torch.load", call("io.BytesIO", INNER_BYTES)),
    "attribute of a module": call("builtins.getattr", call("builtins.__import__", "os"), "system"),
    "a partial function": call("functools.partial", name_of("builtins.exec"), CODE) + b")R",
    "a new object": name_of("builtins.exec") + plain((CODE,)) + b"\x81",
    "an old instance": b"(" + plain(CODE) + b"ibuiltins\nexec\n",
    "an object": b"(" + name_of("builtins.exec") + plain(CODE) + b"o",
    "a name from the stack": b"\x80\x04" + plain("builtins") + plain("exec") + b"\x93" + plain((CODE,)) + b"R",
    "an extension code": b"\x82\x01" + plain((CODE,)) + b"R",
    "state of an object": build(call("torch.nn.Module"), {"training": True, "__setstate__": name_of("builtins.exec")}),
    "state of a dictionary": build(call("collections.OrderedDict"), {"x": call("builtins.exec", CODE)}),
    "hooks of a tensor": tensor(hooks=call("builtins.exec", CODE)),
    "name of a storage": plain(("storage", call("builtins.exec", CODE), "0", "cpu", 2)) + b"Q",
    "module of the old format": plain(("module", name_of("torch.nn.Linear"), "model.py", CODE)) + b"Q",
    "persistent name": b"Px\n",
    "any function of an allowed one": call(
        "torch._tensor._rebuild_from_type_v2", name_of("builtins.exec"), name_of("torch.Tensor"), (CODE,), None
    ),
}
PROGRAMS = {
    "os.system": call("os.system", "id"),
    "posix.system": call("posix.system", "id"),
    "subprocess": call("subprocess.Popen", ["id"]),
    "a download": call("torch.hub.load_state_dict_from_url", "http://example.org/x.pt"),
    "numpy.load": call("numpy.load", "/etc/passwd", None, True),
    "numpy's exec": call("numpy.testing._private.utils.runstring", CODE, {}),
    "a file": call("builtins.open", "left", "w"),
    "the end": call("os._exit", 0),
    "ctypes": call("ctypes.CDLL", "libc.so.6"),
    "a function from bytes": call("types.FunctionType", call("marshal.loads", "x"), {}),
    "numpy objects": call("numpy._core.multiarray._reconstruct", name_of("numpy.ndarray"), (0,), "b"),
    "numpy scalar of objects": call("numpy._core.multiarray.scalar", call("numpy.dtype", "O"), INNER_BYTES),
    "path": call("pathlib.Path", "/etc"),
}


@pytest.mark.threat(30)
@pytest.mark.parametrize("wrap", [zipped, legacy])
@pytest.mark.parametrize("kind", [*DIRECT, *PROGRAMS])
def test_no_function_of_a_pickle_is_called(jail, kind, wrap):
    body = {**DIRECT, **PROGRAMS}[kind]
    weights = {"network.weight": tensor() if wrap is zipped else 1, "network.more": body}
    for content in (wrap(plain(weights)), wrap(body)):
        sentence = jail.refusal(content)
        require_sentence(sentence)
        assert "did not finish" not in sentence
        assert RAN.encode() not in jail.last.output


@pytest.mark.threat(30)
def test_these_pickles_would_run():
    """Or else the tests above show nothing: the same opcodes, opened without care in a process of their own."""
    program = """
import pickle, sys, torch
for line in sys.stdin:
    try:
        pickle.loads(bytes.fromhex(line))
    except Exception:
        pass
"""
    kinds = ["exec", "eval", "profiler", "pickle in a pickle", "storage that is a file", "a new object", "an object"]
    kinds = [*kinds, "an old instance", "a name from the stack", "a partial function", "torch's own exec"]
    lines = "\n".join((b"\x80\x02" + DIRECT[kind] + b".").hex() for kind in kinds)
    done = subprocess.run([sys.executable, "-c", program], input=lines, capture_output=True, text=True, check=True)
    assert done.stdout.count(RAN) >= 8, done


# --- what is allowed, used with evil intent -------------------------------------------------------------------------


def outcome(jail: Jail, content: bytes) -> Checkpoint | str:
    """Clean tensors or a sentence, in bounded time; all else is an error of the grader."""
    started = time.monotonic()
    try:
        checkpoint = jail.read(content)
    except CheckpointError as error:
        require_sentence(str(error))
        return str(error)
    finally:
        assert time.monotonic() - started < PATIENCE
    assert sum(each.numel() * each.element_size() for each in checkpoint.tensors.values()) <= 2 << 20
    for each in checkpoint.tensors.values():
        assert type(each) is torch.Tensor
        assert each.is_contiguous()
        assert torch.isfinite(each).all()
    return checkpoint


def doubled(depth: int) -> bytes:
    """A tuple of the same tuple twice of the same tuple twice: small to write, endless to walk."""
    return b")" + b"q\x00h\x00h\x00\x86" * depth


VIEWS = {
    "billions of elements on two": tensor(size=(10**10,), stride=(0,)),
    "many dimensions": tensor(size=(2,) * 60, stride=(0,) * 60),
    "one element, huge sizes": tensor(size=(1 << 40, 0), stride=(0, 0)),
    "sizes that overflow": tensor(size=(1 << 62, 1 << 62), stride=(1, 1)),
    "sizes beyond 64 bits": tensor(size=(1 << 70,), stride=(1,)),
    "negative size": tensor(size=(-1,)),
    "negative stride": tensor(stride=(-1,)),
    "stride beyond the storage": tensor(stride=(1 << 40,)),
    "strides that overflow": tensor(size=(3, 3), stride=(1 << 62, 1 << 62)),
    "offset beyond the storage": tensor(offset=1 << 40),
    "negative offset": tensor(offset=-1),
    "more strides than sizes": tensor(stride=(1, 1, 1)),
    "size that is text": tensor(size="ab"),
    "storage that claims more": tensor(storage=storage(1 << 30), size=(1 << 30,)),
    "storage of a negative size": tensor(storage=storage(-2)),
    "storage of a size beyond 64 bits": tensor(storage=storage(1 << 70)),
    "storage of another file": tensor(storage=storage(key="../../../etc/passwd")),
    "storage of the pickle itself": tensor(storage=storage(2, "../data.pkl")),
    "storage that is a module": tensor(storage=storage(kind="torch.nn.Linear")),
    "storage that is a tensor": tensor(storage=storage(kind="torch.Tensor")),
    "quantised with odd scales": call(
        "torch._utils._rebuild_qtensor",
        *(storage(kind="torch.QInt8Storage"), 0, (1 << 40,), (0,), (name_of("torch.per_tensor_affine"), 1, 0)),
        *(False, call("collections.OrderedDict")),
    ),
    "sparse without end": call(
        "torch._utils._rebuild_sparse_tensor",
        call("torch.serialization._get_layout", "torch.sparse_coo"),
        (tensor(size=(1, 1 << 40), stride=(0, 0)), tensor(size=(1 << 40,), stride=(0,)), (1 << 40,), True),
    ),
    "sparse with indices outside": build(
        call("torch.sparse.FloatTensor"), (tensor(size=(1, 2), stride=(0, 1)), tensor(), (1,))
    ),
    "a tensor made by its size": call("torch.Tensor", 1 << 36),
    "a storage made by its size": call("torch.storage.UntypedStorage", 1 << 40),
    "set to another storage": build(call("torch.Tensor"), (storage(), 1 << 40, (1 << 40,), (1,))),
    "a wrapper": call(
        "torch._utils._rebuild_wrapper_subclass",
        *(name_of("torch.Tensor"), name_of("torch.float32"), (1 << 40,), (1,), 0, plain(None), plain("cuda"), False),
    ),
}
OBJECTS = {
    "bytes without end": call("builtins.bytearray", 1 << 42),
    "a counter": call("collections.Counter", "abc"),
    "a codec": call("_codecs.encode", "x", "../../evil"),
    "a codec that packs": call("_codecs.encode", "x" * 100, "rot13"),
    "a parameter of no tensor": call("torch._utils._rebuild_parameter", 7, True, plain(None)),
    "a parameter that hides its methods": call(
        "torch._utils._rebuild_parameter_with_state",
        *(tensor(), True, call("collections.OrderedDict")),
        {name: name_of("collections.OrderedDict") for name in ("detach", "numel", "element_size", "stride")},
    ),
    "a set of tensors": call("builtins.set", [tensor()]),
    "a device": call("torch.device", "cuda:99"),
    "a name": name_of("torch.Tensor"),
    "a deep tuple": b")" + b"\x85" * 1_000_000,
    "a doubled tuple": doubled(64),
}
STATES = {
    "a doubled tuple as a name": plain({doubled(40): tensor()}),
    "a deep tuple as a name": plain({b")" + b"\x85" * 300_000: tensor()}),
    "a dictionary in itself": b"}q\x00" + plain("state_dict") + b"h\x00s",
    "a list in itself": b"]q\x00h\x00a",
    "methods of the dictionary replaced": build(
        call("collections.OrderedDict", [("w", tensor())]),
        {name: name_of("builtins.set") for name in ("get", "keys", "values", "items", "__iter__", "__class__")},
    ),
    "metadata of the dictionary": build(
        call("collections.OrderedDict", [("w", tensor())]), {"_metadata": {"": {"version": 10**9}}}
    ),
    "a million numbers": plain({"w": tensor(), "more": b"](" + b"K\x01" * 1_000_000 + b"e"}),
    "memo without end": b"r\xff\xff\xff\x7f".join((call("collections.OrderedDict"), b"")),
    "nothing on the stack": b"tR",
    "names that act on a display": plain({"\x1b]0;x\x07\u202e<script>w": tensor(offset=9)}),
}

ENDLESS = {"a doubled tuple as a name"}  # its hash takes centuries


@pytest.mark.threat(33)
@pytest.mark.parametrize("kind", VIEWS)
def test_a_tensor_is_no_more_than_its_storage(jail, kind):
    found = outcome(jail, zipped(plain({"network.more": VIEWS[kind], "network.weight": tensor()})))
    assert isinstance(found, str), found


@pytest.mark.threat(30)
@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_among_the_weights_are_refused(jail, kind):
    found = outcome(jail, zipped(plain({"network.weight": tensor(), "network.more": OBJECTS[kind]})))
    assert isinstance(found, str), found


@pytest.mark.threat(30)
@pytest.mark.parametrize("kind", STATES)
def test_odd_dictionaries_end_in_tensors_or_a_sentence(jail, kind):
    if kind in ENDLESS:
        jail.limits = SessionLimits(call_seconds=1.0)
    found = outcome(jail, zipped(STATES[kind]))
    if isinstance(found, Checkpoint):
        assert list(found.tensors) == ["w"]
        assert found.tensors["w"].tolist() == [1, 1]


def test_the_opcodes_above_are_sound(jail):
    """The plain ones give the tensor: a refusal above is not one of everything."""
    found = jail.read(zipped(plain({"network.weight": tensor(), "network.bias": tensor(offset=1, size=(1,))})))
    assert found.tensors["network.weight"].tolist() == [1, 1]
    assert found.tensors["network.bias"].tolist() == [1]


# --- other places and devices ---------------------------------------------------------------------------------------


@pytest.mark.threat(35)
@pytest.mark.parametrize("location", ["cuda", "cuda:99", "mps", "xpu:1", "hpu", "xla:0", "privateuseone:7", "meta"])
def test_weights_from_any_device_come_to_the_cpu(jail, location):
    found = outcome(jail, zipped(plain({"w": tensor(storage=storage(location=location))})))
    assert isinstance(found, Checkpoint), found
    assert found.tensors["w"].tolist() == [1, 1]


@pytest.mark.threat(31)
@pytest.mark.parametrize("wrap", [files.saved, files.legacy])
@pytest.mark.parametrize("where", ["alone", "in a dictionary", "in a list"])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_module_is_refused_with_what_to_save(jail, wrap, where):
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), files.WholeModel())
    sentence = jail.refusal(wrap({"alone": module, "in a dictionary": {"model": module}, "in a list": [module]}[where]))
    require_sentence(sentence)
    assert "a whole object of the class " in sentence
    assert "torch.save(model.state_dict(), path)" in sentence


# --- the file around the pickle -------------------------------------------------------------------------------------


def with_entry(name: str, content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    """A sound file with one more entry."""
    buffer = io.BytesIO(files.SOUND)
    with zipfile.ZipFile(buffer, "a", method) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def tar_of_old() -> bytes:
    """The format before the old one: a tar of pickles."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("pickle", "storages", "tensors"):
            member = tarfile.TarInfo(name)
            member.size = len(INNER)
            archive.addfile(member, io.BytesIO(INNER))
    return buffer.getvalue()


def safetensors(header: bytes, declared: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if declared is None else declared) + header


CONTAINERS = {
    "tar of pickles": (30, tar_of_old, "a tar archive"),
    "pickle in front of a zip": (30, lambda: INNER + files.SOUND, "pickle that torch.save did not make"),
    "old format in front of a zip": (30, lambda: legacy(DIRECT["exec"]) + files.SOUND, "run code"),
    "second pickle in other letters": (30, lambda: with_entry("archive/DATA.PKL", INNER), ""),
    "program beside the weights": (30, lambda: with_entry("archive/code/__torch__.py", CODE.encode()), "TorchScript"),
    "order of bytes that is none": (39, lambda: files.repacked(files.SOUND, {"byteorder": b"middle"}), "damaged"),
    "a bomb beside the weights": (
        32,
        lambda: with_entry("archive/data/9", bytes(1 << 20), zipfile.ZIP_DEFLATED),
        "packed again",
    ),
    "zip in a zip": (32, lambda: files.other_zip({"a/DDPM.pt": files.other_zip({"DDPM.pt": files.SOUND})}), "a zip"),
    "safetensors with a header of 100 MB": (40, lambda: safetensors(b'{"w":{}}', 100_000_000), "no file of torch.save"),
    "safetensors with a header of 2^64": (40, lambda: safetensors(b"{}", (1 << 64) - 1), "no file of torch.save"),
    "safetensors with a bloated header": (40, lambda: safetensors(b"{" + b" " * 1_900_000 + b"}"), "safetensors file"),
    "safetensors nested deep": (40, lambda: safetensors(b'{"a":' * 300_000), "safetensors file"),
    "safetensors with a key twice": (
        40,
        lambda: safetensors(b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{}}') + bytes(4),
        "safetensors file",
    ),
    "safetensors larger than the limit": (40, lambda: safetensors(b"{" + b" " * (3 << 20)), "more than 2 MB"),
    "zeros": (39, lambda: bytes(1 << 20), "no file of torch.save"),
    "LFS pointer with Windows lines": (
        39,
        lambda: b"version https://git-lfs.github.com/spec/v1\r\noid sha256:" + b"0" * 64 + b"\r\nsize 9\r\n",
        "git lfs pull",
    ),
    "web page behind a mark": (39, lambda: b"\xef\xbb\xbf  \n<HTML><body>Quota exceeded", "a web page"),
    "zip with nothing behind its start": (39, lambda: files.SOUND[:4], "cut off"),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(name, marks=pytest.mark.threat(number)) for name, (number, _, _) in CONTAINERS.items()]
)
def test_what_lies_around_the_weights(jail, kind):
    _, make, words = CONTAINERS[kind]
    found = outcome(jail, make())
    if words:
        assert isinstance(found, str), found
        assert words in found
    else:
        assert isinstance(found, str) or list(found.tensors) == list(files.weights())


@pytest.mark.threat(36)
def test_names_without_measure_are_told_in_one_short_sentence(jail):
    names = {f"{'x' * 190}{number}": files.ONE for number in range(1000)}
    checkpoint = jail.read(files.saved(names))
    sentence = mismatch({"\x1b[2J\u202ew": (1,), **{f"w{n}": (2,) for n in range(99)}}, checkpoint, NAME)
    assert sentence.isprintable()
    assert len(sentence) < 700
    assert "100 of its weights" in sentence
    assert "1000 unknown to it" in sentence


@pytest.mark.threat(38)
def test_images_hidden_among_weights_in_every_wrapping(jail):
    bank = (pictures(40) * 255).byte()
    for name, stored in {"as they are": bank, "as one row": bank.flatten(), "as numbers": bank.long()}.items():
        found = jail.read(files.saved({"state_dict": {**files.weights(), "schedule.betas": stored}}))
        assert carried_images(found) == ["schedule.betas"], name


def test_the_files_are_all_different():
    """A helper that makes the same file of everything would let all tests above pass."""
    bodies = [zipped(body) for kinds in (DIRECT, PROGRAMS, VIEWS, OBJECTS) for body in kinds.values()]
    assert len({hashlib.sha256(body).digest() for body in bodies}) == len(bodies)

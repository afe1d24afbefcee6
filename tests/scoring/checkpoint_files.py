"""Checkpoint files made by hand: sound, odd and evil ones."""

from __future__ import annotations

import argparse
import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


def saved(value: Any, **options: Any) -> bytes:
    """What `torch.save` writes."""
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def weights() -> dict[str, torch.Tensor]:
    """A small state dict with a matrix, a vector, a counter and a scalar."""
    return {
        "network.weight": torch.arange(12, dtype=torch.float32).reshape(3, 4) / 7,
        "network.bias": torch.tensor([0.25, -1.0, 3.5]),
        "network.steps": torch.tensor(17),
    }


class WholeModel(nn.Module):
    """A model that is pickled as a whole, which is a common honest mistake."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(4, 3)


class Evil:
    """Runs code when it is unpickled: prints, and leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"print('the code ran', flush=True); open({str(self.mark)!r}, 'w').close()",)


def repacked(
    content: bytes,
    changes: Mapping[str, bytes | None] | None = None,
    method: int = zipfile.ZIP_STORED,
    doubled: str = "",
) -> bytes:
    """The zip `content` with other parts (None: left out), compressed as `method` says, one part written twice."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for name in old.namelist():
            part = (changes or {}).get(name.partition("/")[2], old.read(name))
            for _ in range(2 if name.endswith(doubled or "\0") else 1):
                if part is not None:
                    new.writestr(name, part)
    return buffer.getvalue()


def with_pickle(data: bytes) -> bytes:
    """A torch file with this pickle in it."""
    return repacked(saved({"w": torch.ones(2)}), {"data.pkl": data})


def pickle_of(content: bytes) -> bytes:
    """The pickle in a torch file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))


def with_replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    """The same file with some bytes of its pickle replaced."""
    data = pickle_of(content)
    assert old in data
    return repacked(content, {"data.pkl": data.replace(old, new)})


def other_zip(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip that torch did not make."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def huge_directory(entries: int) -> bytes:
    """A zip whose directory lists so many entries, all of them at the same place."""
    fields = (20, 20, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *fields) + b"x/data/0"
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 8, 0) + b"x/data/0"
    number = min(entries, 0xFFFF)
    return (
        local
        + entry * entries
        + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, number, number, entries * len(entry), len(local), 0)
    )


def nested_dicts(depth: int) -> bytes:
    """A pickle of a dictionary in a dictionary in a ..."""
    return with_pickle(b"\x80\x02}" + b"X\x01\x00\x00\x00a}" * depth + b"s" * depth + b".")


def safetensors_file() -> bytes:
    from safetensors.torch import save

    return bytes(save(weights()))


def legacy(value: Any, **options: Any) -> bytes:
    """What torch wrote before it wrote zips."""
    return saved(value, _use_new_zipfile_serialization=False, **options)


def npz_file() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, w=np.ones(3))
    return buffer.getvalue()


SOUND = saved(weights())
LARGE = saved({"w": torch.arange(600_000, dtype=torch.float32)})
ONE = torch.ones(1)
TERABYTE = ONE.expand(1 << 38)


def odd_files() -> dict[str, tuple[Callable[[], bytes], str]]:
    """Files that are refused: what it is -> how to make it, words of the sentence. The limit is 2 MB."""
    with_nan = {**weights(), "network.bias": torch.tensor([1.0, float("nan"), float("inf")])}
    declared = b"K\x0ctq" if b"K\x0ctq" in pickle_of(SOUND) else b"K\x0ct"
    sparse = torch.eye(3).to_sparse()
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(2))])
    return {
        "empty": (lambda: b"", "0 bytes"),
        "git-lfs": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "git lfs pull"),
        "html": (lambda: b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "a web page"),
        "xml": (lambda: b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a text file"),
        "json": (lambda: b'{"message": "Not Found"}', "a text file"),
        "gzip": (lambda: b"\x1f\x8b\x08" + bytes(50), "a gzip archive"),
        "rar": (lambda: b"Rar!\x1a\x07\x00" + bytes(50), "a RAR archive"),
        "7z": (lambda: b"7z\xbc\xaf\x27\x1c" + bytes(50), "a 7z archive"),
        "picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(50), "a PNG picture"),
        "hdf5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file"),
        "noise": (lambda: bytes(range(255, 100, -1)) * 3, "no file of torch.save"),
        "zeros": (lambda: bytes(4096), "no file of torch.save"),
        "safetensors": (safetensors_file, "a safetensors file"),
        "plain pickle": (lambda: pickle.dumps({"w": [1.0]}), "a Python pickle that torch.save did not make"),
        "npz": (npz_file, "NumPy arrays (.npz)"),
        "zip of a checkpoint": (lambda: other_zip({"DDPM.pt": SOUND}), "a zip that holds DDPM.pt"),
        "zip of anything": (lambda: other_zip({"a.txt": b"x"}), "not one that torch.save made"),
        "empty zip": (lambda: other_zip({}), "not one that torch.save made"),
        "torchscript": (torchscript, "TorchScript"),
        "no data.pkl": (lambda: repacked(SOUND, {"data.pkl": None}), "not one that torch.save made"),
        "data.pkl twice": (lambda: repacked(SOUND, doubled="data.pkl"), "two parts of one name"),
        "a storage twice": (lambda: repacked(SOUND, doubled="data/0"), "two parts of one name"),
        "compressed": (lambda: repacked(SOUND, method=zipfile.ZIP_DEFLATED), "packed again"),
        "compressed bomb": (
            lambda: repacked(SOUND, {"data/0": bytes(1_900_000)}, zipfile.ZIP_DEFLATED),
            "packed again",
        ),
        "bomb that declares too much": (lambda: repacked(SOUND, {"data/0": bytes(3 << 20)}, 8), "more than 2 MB"),
        "too large a file": (lambda: LARGE, "more than 2 MB"),
        "a flipped bit": (lambda: SOUND.replace(b"\x00\x00\x80\xbf", b"\x00\x00\x80\xbe"), "damaged"),
        "missing storage": (lambda: repacked(SOUND, {"data/0": None}), "damaged"),
        "storage cut short": (lambda: repacked(SOUND, {"data/0": bytes(20)}), "damaged"),
        "storage said to be larger": (
            lambda: with_replaced(SOUND, declared, b"J\xff\xff\xff\x0f" + declared[2:]),
            "damaged",
        ),
        "pickle cut short": (lambda: with_pickle(pickle_of(SOUND)[:-40]), "damaged"),
        "random pickle": (lambda: with_pickle(bytes(range(256))), "damaged"),
        "empty pickle": (lambda: with_pickle(b""), "damaged"),
        "legacy cut short": (lambda: legacy(weights())[:-20], "damaged"),
        "legacy of terabytes": (
            lambda: legacy({"w": torch.ones(300)}).replace(b"M,\x01", b"\x8a\x06\x00\x00\x00\x00\x00\x01"),
            "more than 2 MB, or says that it does",
        ),
        "nested dictionaries": (lambda: nested_dicts(100_000), "a dictionary without weights (with a)"),
        "list": (lambda: saved([torch.ones(2)]), "holds a list"),
        "tensor": (lambda: saved(torch.ones(2)), "holds a Tensor"),
        "text": (lambda: saved("weights"), "holds a str"),
        "nothing": (lambda: saved(None), "holds a NoneType"),
        "empty dictionary": (lambda: saved({}), "no weights at all"),
        "numbers": (lambda: saved({"epoch": 3, "loss": 0.1}), "a dictionary without weights (with epoch, loss)"),
        "optimizer": (lambda: saved(optimizer.state_dict()), "the state of an optimizer"),
        "number among the weights": (
            lambda: saved({**weights(), "epoch": 3}),
            "holds epoch, of type int, among the weights",
        ),
        "numbers as names": (lambda: saved({1: torch.ones(2)}), "of type int"),
        "empty name": (lambda: saved({"": torch.ones(2)}), "empty or endless"),
        "long name": (lambda: saved({"x" * 100_000: torch.ones(2)}), "empty or endless (xxx"),
        "names that become one": (lambda: saved({"_orig_mod.w": ONE, "w": ONE}), "two tensors of one name"),
        "nothing but a prefix": (lambda: saved({"module.": ONE}), "two tensors of one name"),
        "many tensors": (lambda: saved({f"w{number}": ONE for number in range(5001)}), "5001 tensors"),
        "arguments beside": (
            lambda: saved({"state_dict": weights(), "args": argparse.Namespace(lr=1)}),
            "holds argparse.Namespace, with which",
        ),
        "whole layer": (lambda: saved(nn.Linear(2, 2)), "a whole object of the class torch.nn.modules.linear.Linear"),
        "whole model": (
            lambda: saved(WholeModel()),
            "a whole object of the class tests.scoring.checkpoint_files.WholeModel",
        ),
        "numpy beside": (
            lambda: saved({"state_dict": weights(), "loss": np.float64(3)}),
            "NumPy objects (numpy.",
        ),
        "expanded": (lambda: saved({"w": ONE.expand(1000)}), "holds w as an expanded"),
        "expanded to terabytes": (lambda: saved({"first": ONE, "w": TERABYTE}), "holds w as an expanded"),
        "overlapping": (lambda: saved({"w": torch.arange(30.0).as_strided((9, 9), (2, 1))}), "holds w as an expanded"),
        "views that add up": (lambda: saved(many_views()), "2 MB"),
        "sparse": (lambda: saved({"w": sparse}), "a sparse tensor, w"),
        "sparse rows": (lambda: saved({"w": torch.eye(3).to_sparse_csr()}), "a sparse tensor, w"),
        "sparse of terabytes": (
            lambda: saved({"w": torch.sparse_coo_tensor([[1]], [1.0], (1 << 40,))}),
            "a sparse tensor",
        ),
        "quantised": (lambda: saved({"w": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}), "quantised"),
        "complex": (lambda: saved({"w": torch.ones(2, dtype=torch.complex64)}), "complex numbers in w"),
        "eight bits": (lambda: saved({"w": torch.ones(2).to(torch.float8_e5m2)}), "holds w as float8_e5m2"),
        "no values": (lambda: saved({"w": torch.ones(3, device="meta")}), "without its values"),
        "nan": (lambda: saved(with_nan), "2 values that are NaN or infinite, first in network.bias"),
        "one infinite": (
            lambda: saved({"w": torch.tensor([1.0, -torch.inf]).half()}),
            "1 value that is NaN or infinite",
        ),
        "a name that acts on a display": (lambda: saved({"\x1b[31m\u202ew": torch.tensor([torch.nan])}), "NaN"),
    }


def many_views() -> dict[str, torch.Tensor]:
    """Views of one storage, each harmless, together larger than the limit."""
    base = torch.ones(100_000)
    return {f"view{number}": base[number:] for number in range(10)}


def torchscript() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), buffer)
    return buffer.getvalue()


def odd_but_sound_files() -> dict[str, tuple[bytes, dict[str, torch.Tensor], str]]:
    """Files that are taken: what it is -> bytes, the weights, words of the notes."""
    plain = weights()
    halves = {name: tensor.half() for name, tensor in plain.items()}
    brains = {name: tensor.bfloat16() for name, tensor in plain.items()}
    doubles = {name: tensor.double() for name, tensor in plain.items()}
    whole = {name: (tensor * 3).to(torch.int8) for name, tensor in plain.items()}
    tied = {"a": plain["network.weight"], "b": plain["network.weight"]}
    transposed = {"w": plain["network.weight"].T, "part": torch.arange(100.0)[3:90:4]}
    parameters = {
        name: nn.Parameter(tensor, requires_grad=tensor.is_floating_point()) for name, tensor in plain.items()
    }
    on_cuda = with_replaced(SOUND, b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:3")
    training = {"epoch": 3, "optimizer": torch.optim.Adam([nn.Parameter(torch.ones(2))]).state_dict()}
    parallel = {f"module.{name}": tensor for name, tensor in plain.items()}
    compiled = {f"_orig_mod.{name}": tensor for name, tensor in plain.items()}
    part_compiled = {name.replace("network.", "network._orig_mod."): tensor for name, tensor in plain.items()}
    return {
        "plain": (SOUND, plain, ""),
        "ordered": (saved(OrderedDict(plain)), plain, ""),
        "state dict of a module": (saved(nn.Linear(2, 1).requires_grad_(False).state_dict()), {}, ""),
        "legacy": (legacy(plain), plain, ""),
        "legacy from a GPU": (legacy(plain).replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"), plain, ""),
        "from a GPU": (on_cuda, plain, ""),
        "half": (saved(halves), halves, ""),
        "bfloat16": (saved(brains), brains, ""),
        "double": (saved(doubles), doubles, ""),
        "integers": (saved(whole), whole, ""),
        "flags": (saved({"w": torch.tensor([True, False])}), {"w": torch.tensor([True, False])}, ""),
        "empty tensor": (saved({"w": torch.empty(0, 5)}), {"w": torch.empty(0, 5)}, ""),
        "tied": (saved(tied), tied, ""),
        "views": (saved(transposed), transposed, ""),
        "parameters": (saved(parameters), plain, ""),
        "conjugate bit": (saved({"w": torch._neg_view(torch.ones(3))}), {"w": -torch.ones(3)}, ""),
        "state_dict": (saved({"state_dict": plain}), plain, "its entry state_dict."),
        "model_state_dict": (
            saved({"model_state_dict": plain, **training}),
            plain,
            "its entry model_state_dict, and epoch and optimizer beside it left out",
        ),
        "model in a wrapper": (saved({"model": {"state_dict": plain}}), plain, "its entry model.state_dict"),
        "parallel": (saved(parallel), plain, "the 'module.' that torch.nn.DataParallel adds"),
        "compiled": (saved(compiled), plain, "the '_orig_mod.' that torch.compile adds"),
        "compiled in part": (saved(part_compiled), plain, "the '_orig_mod.' that torch.compile adds"),
        "parallel and compiled": (
            saved({f"_orig_mod.{name}": tensor for name, tensor in parallel.items()}),
            plain,
            "the 'module.' that torch.nn.DataParallel adds",
        ),
        "module. before one name only": (saved({"module.a": ONE, "b": ONE}), {"module.a": ONE, "b": ONE}, ""),
    }

"""Sound and odd inputs of every kind, which the fuzzer changes. Each function gives the seeds of one kind."""

from __future__ import annotations

import io
import json
import stat
import struct
import warnings
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autograder.sandbox import wire
from tests.grading.conftest import SHOP
from tests.intake.builders import DDPM, VAE
from tests.scoring import checkpoint_files

_EXPORTS = Path(__file__).parent.parent / "exports" / "notebooks"
_LARGEST = 24_000  # bytes of a seed


class _Unseekable(io.BytesIO):
    """Where sizes and CRCs follow the data, because they cannot be written before it."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation


def _zip(
    members: dict[str | zipfile.ZipInfo, bytes], *, method: int = zipfile.ZIP_DEFLATED, stream: Any = None
) -> bytes:
    buffer = stream or io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return bytes(buffer.getvalue())


def _zip64() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("q1_vae.py", "w", force_zip64=True) as member:
        member.write(VAE.encode())
    return buffer.getvalue()


def _with_zip64_end(content: bytes) -> bytes:
    """`content` with the end record for large archives before the ordinary one, whose numbers point to it."""
    end = content.rindex(b"PK\x05\x06")
    count, size, start = struct.unpack_from("<HII", content, end + 10)
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    numbers = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return content[:end] + record + locator + numbers


@cache
def zips() -> tuple[bytes, ...]:
    """Uploads as zips."""
    sound: dict[str | zipfile.ZipInfo, bytes] = {
        "hw/q1_vae.py": VAE.encode(),
        "hw/q2_ddpm.py": DDPM.encode(),
        "hw/checkpoints/DDPM.pt": bytes(range(256)),
        "hw/notes.txt": b"notes" * 50,
    }
    link = zipfile.ZipInfo("q2_ddpm.py")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    named = zipfile.ZipInfo("d\u00e9p\u00f4t/q1_vae (1).py")
    named.comment, named.extra = b"a comment", struct.pack("<HH", 0x5455, 5) + b"\x01" + bytes(4)
    stored = _zip(sound, method=zipfile.ZIP_STORED)
    return (
        *(_zip(sound), stored, _zip(sound, stream=_Unseekable()), _zip64(), _with_zip64_end(stored)),
        _zip({link: b"q1_vae.py", named: VAE.encode(), "__MACOSX/._q1_vae.py": b"\x00\x05", "a/": b""}),
        _zip({"q1_vae.py": VAE.encode(), "inner.zip": stored, "Q2_DDPM.PY": DDPM.encode(), "../q2_ddpm.py": b""}),
        _zip({"q1_vae.ipynb": notebooks()[0], "q1_vae.py.txt": VAE.encode("utf-16"), "data.bin": bytes(60_000)}),
        _zip({}),
    )


def _cell(source: Any, kind: str = "code") -> dict[str, Any]:
    return {"cell_type": kind, "source": source, "outputs": [], "metadata": {}, "execution_count": None}


@cache
def notebooks() -> tuple[bytes, ...]:
    """Notebooks of formats 3 and 4, and real ones."""
    four = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"language_info": {"name": "python", "version": "3.11.0"}},
        "cells": [
            _cell("# Title\n\nSome *words*.", "markdown"),
            _cell(["%matplotlib inline\n", "!pip install torch\n", "import torch"]),
            _cell("%%bash\nls -la"),
            _cell(VAE),
            _cell("x = log_mean_exp(torch.zeros(2, 3, device='cuda'))\nx?\nprint(x)"),
        ],
    }
    three = {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": VAE.splitlines(True)}]}]}
    real = [path.read_bytes() for path in sorted(_EXPORTS.glob("*.ipynb"))]
    made = [json.dumps(document).encode() for document in (four, three)]
    return (*made, b"\xef\xbb\xbf" + made[0], json.dumps(four, indent=1).encode("utf-16"), *_small(real))


_LAYOUTS = '''\
#!/usr/bin/env python
# -*- coding: utf-8 -*-
"""Doc.""" ; import torch, os
from __future__ import annotations
if True: a = 1; b = 2
if __name__ == "__main__": log_mean_exp(torch.ones(2).cuda())
elif a: pass
else : b = 3
@torch.no_grad()
# a comment
@(lambda f: f)
def log_mean_exp(y, \\
        device="cuda:0" if torch.cuda.is_available() else 'cpu'):
\t"""Doc
    more"""
\tglobal total; total = [y
  .exp()]
\treturn y.to(device).mean()
try:
    from google.colab import drive
except* ImportError as e: drive = None
else: drive.mount("/content")
finally:
    pass
for i in range(3): total = i
else:
    while total: total -= 1
class models(torch.nn.Module, metaclass=type):
    DDPM = lambda self, *a, k=(q := 2), **b: [x async for x in a]
    async def f(self):
        async with a as b, c: await d
        match self:
            case {"cuda": [1, *_], **rest} if rest: del rest["x"], a.b
            case _: yield
x: "torch.cuda.FloatTensor" = f"cuda:{a!r:>{b}}" \\
    "cuda"
%time x
!ls {x}
x?
'''


@cache
def sources() -> tuple[bytes, ...]:
    """Python sources, layouts that are seldom seen, and texts in many encodings."""
    accents = f"# coding: latin-1\n# d\u00e9p\u00f4t\n{VAE}caf\u00e9 = '\u20ac'\n"
    texts = [
        *(VAE, DDPM, _LAYOUTS, VAE.replace("\n", "\r\n"), VAE.replace("\n", "\r"), "\ufeff" + VAE, "\f\n\x0b" + VAE),
        *(
            "def f(:\n",
            "x = (((\n",
            "\tx\n  y\n",
            "",
            "x = '''",
            "!pip install x\n%cd /\nx = 1 % 2\n",
            "get_ipython().x()\n",
        ),
        "x = " + "(" * 90 + "1" + ")" * 90,
        "if a: pass\n" + "elif a: pass\n" * 80,
    ]
    encoded = [
        accents.encode("latin-1", "replace"),
        accents.replace("latin-1", "utf-16").encode(),
        accents.replace("latin-1", "idna").encode(),
        *(accents.encode(codec, "replace") for codec in ("utf-16", "utf-32", "utf-8-sig", "utf-16-be", "cp1252")),
    ]
    real = [path.read_bytes() for path in sorted(_EXPORTS.glob("*.py"))]
    return (*(text.encode("utf-8", "surrogatepass") for text in texts), *encoded, *_small(real))


@cache
def exported_sources() -> tuple[bytes, ...]:
    """Notebooks saved as `.py`, and other sources that parse."""
    layouts = (
        _LAYOUTS.partition("%time")[0].replace("from __future__ import annotations\n", "").replace("except*", "except")
    )
    layouts = layouts.replace("elif a: pass\nelse : b", "else : b")
    small = [text.encode() for text in (VAE, DDPM, layouts, "if a: pass\n" + "elif a: pass\n" * 80)]
    return (*small, *_small([path.read_bytes() for path in sorted(_EXPORTS.glob("*.py"))]))


@cache
def checkpoints() -> tuple[bytes, ...]:
    """Files of torch, new and old, taken and refused ones, and safetensors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of these are odd on purpose
        return _checkpoints()


def _checkpoints() -> tuple[bytes, ...]:
    taken = [content for content, _, _ in checkpoint_files.odd_but_sound_files().values()]
    odd = checkpoint_files.odd_files()
    heavy = {
        "nested dictionaries",
        "many tensors",
        "long name",
        "torchscript",
        "zip of a checkpoint",
        "too large a file",
    }
    refused = [make() for name, (make, _) in odd.items() if name not in heavy]
    return tuple(dict.fromkeys([*_small([*taken, *refused]), checkpoint_files.safetensors_file()]))


def _small(contents: list[bytes]) -> list[bytes]:
    return [content for content in contents if len(content) <= _LARGEST]


@cache
def frames() -> tuple[bytes, ...]:
    """Frames of the wire: answers of a child, of all kinds."""
    tensor = torch.arange(6.0).reshape(2, 3)
    handle, reference = wire.Handle(1, "A"), wire.Ref({"module": "q"}, ("x",))
    error = {"type": "ValueError", "message": "bad 3.14", "lines": [["shop.py", 3, "total", "x = y"]], "own": False}
    values = [
        {"value": tensor, "changed": []},
        {"value": tensor.requires_grad_(), "grads": [torch.ones(2, 3), None]},
        {"value": [np.zeros((2, 1)), (handle, reference), {1: "a", None: 2.5, (1, 2): True}], "changed": ["x"]},
        {"value": {"names": ["x", "y"], "required": ["x"]}},
        {"value": torch.zeros(0, 5, dtype=torch.complex64), "note": "caf\u00e9 \ud800"},
        {"value": [torch.tensor(value) for value in (1, True, 2.5)], "deep": [[[[[[]]]]]]},
        {"error": error},
        {"error": {**error, "type": "NotImplementedError", "message": ""}},
        {"error": {**error, "type": "WireError", "message": wire.TOO_LARGE.format(size=256)}},
        {"error": {**error, "type": "RuntimeError", "message": "CUDA: not enough memory"}},
        *(None, [], 7, "text", float("nan"), wire.Opaque("generator")),
    ]
    return tuple(wire.encode(value) for value in values)


@cache
def announcements() -> tuple[bytes, ...]:
    """What the child that reads checkpoints answers: an announcement, then the tensors; or a problem."""
    beside: dict[str, Any] = {"wrappers": ["model"], "beside": ["epoch"], "prefixes": ["module."]}
    tensors = {"w": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(3), "none": torch.zeros(0, 4)}
    entries = [[name, str(t.dtype).removeprefix("torch."), list(t.shape)] for name, t in tensors.items()]
    pieces = [tensor.reshape(-1) for tensor in tensors.values() if tensor.numel()]
    announced = wire.encode({"value": {"tensors": entries, **beside}})
    problems = [["dtype", "w", "float8"], ["many", "9000"], ["damaged"], ["other"], ["key"], "damaged", []]
    return (
        announced + wire.encode({"value": pieces}),
        announced + wire.encode({"value": [torch.tensor([torch.nan] * 6), torch.tensor([3])]}),
        announced + wire.encode({"value": [*pieces, torch.ones(1)]}),
        announced,
        *(wire.encode({"value": {"problem": problem}}) for problem in problems),
    )


@cache
def shops() -> tuple[bytes, ...]:
    """Solutions of the small assignment of tests/grading: right, wrong, broken, hostile."""
    right = SHOP.lstrip("\n")
    bodies = (
        *("return prices", "return None", "return [prices, 1]", "return lambda: 1", "raise ValueError(prices)"),
        *("prices += 1; return prices", "print(prices); return prices.sum() * float('nan')", "return total(prices)"),
        *("import os; os._exit(3)", "return prices.expand(3, 5)", "return 10 ** 400", "x = [0] * 10 ** 9; return x"),
        "raise type('\\x1b[31m<b>', (Exception,), {})('\\u202e' * 9000)",
    )
    return (right.encode(), *(right.replace("return prices.sum()", body).encode() for body in bodies), *sources()[:12])


@cache
def file_names() -> tuple[bytes, ...]:
    """Names of uploaded files."""
    names = (
        "q1_vae.py",
        "Q1_VAE.PY",
        "q1_vae (1).py",
        "q1_vae.py.txt",
        "DDPM.pt",
        "hw.zip",
        ".py",
        "caf\u00e9.py",
        "a\nb.py",
    )
    names += (
        "\u202eyp.eav",
        "<b>.zip",
        "=cmd|' /C'!A0.py",
        "x" * 200,
        "%s{name}.py",
        "\x1b[31m.py",
        "-rf.py",
        "con.py",
    )
    return tuple(name.encode() for name in names)


@cache
def metadata() -> tuple[bytes, ...]:
    """What Gradescope writes about an upload."""
    moments = [f"2024-10-0{day}T1{day}:30:00.000000-04:00" for day in range(1, 6)]
    whole = {
        "id": 123456,
        "created_at": moments[4],
        "assignment_id": 7,
        "assignment": {
            "due_date": moments[3],
            "late_due_date": None,
            "group_size": 2,
            "group_submission": True,
            "title": "TP 1",
            "total_points": "20.0",
        },
        "submission_method": "upload",
        "users": [{"email": "a@example.org", "id": 1, "name": "A"}, {"id": 2}],
        "previous_submissions": [
            {"submission_time": moment, "score": 3.5, "autograder_error": False, "results": {}} for moment in moments
        ],
    }
    return (json.dumps(whole).encode(), json.dumps({**whole, "previous_submissions": []}).encode("utf-16"), b"{}", b"")

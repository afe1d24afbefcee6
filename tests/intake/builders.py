"""Uploads made by hand, down to the bytes where zipfile itself would refuse to write them."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from autograder.assignment import Asset, Assignment, Checkpoint, Limits, Part, Question, SourceFile, Unit

VAE = "def log_mean_exp(y):\n    return y.exp().mean(1).log()\n"
DDPM = "class DenoiseDiffusion:\n    pass\n"


def small_assignment(**limits: int) -> Assignment:
    """Two files to hand in, one support module, one given script; small limits, so that bombs can be small too."""
    unit = Unit(name="log_mean_exp", points=1, file="q1_vae.py")
    question = Question(id="q1", title="VAE", points=1, kind="auto", units=(unit,))
    return Assignment(
        id="small",
        title="A small assignment",
        files=(SourceFile(name="q1_vae.py"), SourceFile(name="q2_ddpm.py")),
        support=(SourceFile(name="ddpm_utils/args.py"),),
        extras=(SourceFile(name="q1_train_vae.py"),),
        limits=Limits(**{"upload_mb": 4, "upload_entries": 40, "file_kb": 100, **limits}),
        parts=(Part(id="p", title="VAE", points=1, questions=(question,)),),
    )


def checkpoint_assignment(**limits: int) -> Assignment:
    """The small assignment with three checkpoints of at most 1 MB, the last of them for a bonus, and a given asset."""
    base = small_assignment(**limits)
    models = [("DDPM", base.parts[0].id, False), ("VAE", base.parts[0].id, False), ("LDDPM", "b", True)]
    parts = []
    for model, part, bonus in models:
        unit = Unit(name=f"models.{model}.forward", points=1, file="q1_vae.py")
        question = Question(id=f"q{model}", title=model, points=1, kind="auto", units=(unit,))
        parts.append(Part(id=part, title=model, points=1, bonus=bonus, questions=(question,)))
    return base.model_copy(
        update={
            "checkpoints": tuple(Checkpoint(name=f"checkpoints/{model}.pt", size_mb=1) for model, _, _ in models),
            "assets": (Asset(name="classifier.safetensors", master="classifier.safetensors"),),
            "parts": tuple(parts),
        }
    )


def write_zip(path: Path, members: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_special(path: Path, name: str, mode: int, target: str = "q1_vae.py") -> Path:
    """A zip with one entry whose Unix mode says link, device, ... besides a sound `q1_vae.py`."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (mode | 0o644) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("q1_vae.py", VAE)
        archive.writestr(info, target)
    return path


def patch_entry(path: Path, name: str, fields: Mapping[int, tuple[str, int]]) -> Path:
    """Overwrite fields of the entry `name`, as offset in the central header -> (struct format, value).

    The same fields are changed in the local header, where they lie two bytes earlier.
    """
    data = bytearray(path.read_bytes())
    encoded = name.encode()
    at = data.index(b"PK\x01\x02")
    while data[at + 46 : at + 46 + struct.unpack_from("<H", data, at + 28)[0]] != encoded:
        at = data.index(b"PK\x01\x02", at + 4)
    (header,) = struct.unpack_from("<I", data, at + 42)
    for offset, (form, value) in fields.items():
        struct.pack_into(form, data, at + offset, value)
        struct.pack_into(form, data, header + offset - 2, value)
    path.write_bytes(bytes(data))
    return path


# Offsets in a central directory header (APPNOTE 4.3.12), for patch_entry.
FLAGS, METHOD, CRC, COMPRESSED, SIZE = 8, 10, 16, 20, 24


def overlapping_zip(path: Path, kernel: bytes, names: list[str]) -> Path:
    """All `names` point at the one member that is really there, as in the simplest overlapping bomb."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(names[0], kernel)
    data = buffer.getvalue()
    start = data.index(b"PK\x01\x02")
    entry = data[start : data.index(b"PK\x05\x06")]
    name_size = len(names[0].encode())
    directory = b""
    for name in names:
        encoded = name.encode()
        directory += entry[:28] + struct.pack("<H", len(encoded)) + entry[30:46] + encoded + entry[46 + name_size :]
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, len(names), len(names), len(directory), start, 0)
    path.write_bytes(data[:start] + directory + end)
    return path


def many_entries_zip(path: Path, number: int, declared: int | None = None) -> Path:
    """A central directory with `number` entries that all point at offset 0; `declared` is what the end record says."""
    name = b"a.py"
    fields = (20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0)
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *fields) + name
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0) + name
    count = (number if declared is None else declared) & 0xFFFF
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, number * len(entry), len(local), 0)
    path.write_bytes(local + entry * number + end)
    return path


LINK, DEVICE, FIFO = stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO

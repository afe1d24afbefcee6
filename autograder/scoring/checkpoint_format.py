"""What an uploaded checkpoint really is, from its bytes: nothing is unpickled, no size that it declares believed."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import PurePosixPath

from autograder.intake.display import listed
from autograder.intake.signatures import HEAD_BYTES, is_zip, looks_like_text, recognise

SAVE_AGAIN = "save the weights alone with torch.save(model.state_dict(), path)"

_UPLOAD_AGAIN = "upload it again"
_MOST_DIRECTORY_BYTES = 2 << 20
_MOST_PICKLE_BYTES = 16 << 20
_ENCRYPTED = 0x1 | 0x40
_LEGACY_MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19."  # the number 0x1950A86A20F9469CFC6C, pickled
_OTHER_MAGICS = ((b"\x89HDF\r\n\x1a\n", "an HDF5 file"), (b"\x93NUMPY", "a NumPy array"))
_SAFETENSORS_LENGTH = struct.Struct("<Q")
# What zipfile raises on archives that are damaged or use what it does not know.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, OverflowError, RuntimeError, ValueError)


def format_problem(content: bytes, limit_mb: int) -> str:
    """Why a file cannot be a checkpoint that `torch.save` made, as the end of a sentence; empty if it may be one.

    Args:
        content: the file.
        limit_mb: largest size of the file, and of all that it says to hold.
    """
    head = content[:HEAD_BYTES]
    if not content:
        return f"is empty (0 bytes): the upload was cut off, so {_UPLOAD_AGAIN}"
    if len(content) > limit_mb << 20:
        return _too_large(limit_mb)
    if is_zip(head):
        return _zip_problem(content, limit_mb)
    if head[:1] == b"\x80":
        return "" if _LEGACY_MAGIC in head[:64] else f"is a Python pickle that torch.save did not make; {SAVE_AGAIN}"
    signature = recognise(head)
    if signature:
        advice = signature.advice or "put the .pt file itself in its place"
        return f"is {signature.kind}, not the weights themselves; {advice}"
    for magic, kind in _OTHER_MAGICS:
        if head.startswith(magic):
            return f"is {kind}, not a file of torch.save; {SAVE_AGAIN}"
    if _is_safetensors(content):
        return f"is a safetensors file under the name .pt, which torch.load cannot read; {SAVE_AGAIN}"
    if looks_like_text(head):
        return "is a text file, not weights; look into it, it may be the error page of a download"
    return f"is no file of torch.save: it is damaged or of another kind; {SAVE_AGAIN}"


def _too_large(limit_mb: int) -> str:
    return f"holds more than {limit_mb} MB; {SAVE_AGAIN} or make the model smaller"


def _is_safetensors(content: bytes) -> bool:
    """Whether a length and a JSON header of that length come first."""
    if len(content) < _SAFETENSORS_LENGTH.size + 2:
        return False
    (length,) = _SAFETENSORS_LENGTH.unpack_from(content)
    return content[_SAFETENSORS_LENGTH.size :][:1] == b"{" and length <= len(content) - _SAFETENSORS_LENGTH.size


class _CappedReader(io.BytesIO):
    """Refuses a huge central directory before zipfile, which reads it in one piece, makes objects of it."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MOST_DIRECTORY_BYTES:
            raise _HugeDirectory
        return super().read(size)


class _HugeDirectory(Exception):
    pass


def _zip_problem(content: bytes, limit_mb: int) -> str:
    try:
        archive = zipfile.ZipFile(_CappedReader(content))
    except _HugeDirectory:
        return f"has far more parts than a model has weights; {SAVE_AGAIN}"
    except _DAMAGE:
        return f"is cut off or damaged: its end is missing, so {_UPLOAD_AGAIN}"
    with archive:
        entries = archive.infolist()
        names = [entry.orig_filename for entry in entries]
        pickles = [entry for entry in entries if entry.orig_filename.rpartition("/")[2] == "data.pkl"]
        if not pickles:
            return _other_zip(names)
        if len(set(names)) < len(names) or len(pickles) > 1:
            return f"has two parts of one name, so it is not clear what it holds; {SAVE_AGAIN}"
        if any("/code/" in name for name in names):
            return f"is a TorchScript program, not weights; {SAVE_AGAIN}"
        if any(entry.flag_bits & _ENCRYPTED for entry in entries):
            return f"is encrypted; {SAVE_AGAIN}"
        if sum(entry.file_size for entry in entries) > limit_mb << 20:
            return _too_large(limit_mb)
        if any(
            entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size for entry in entries
        ):
            return f"was packed again, as torch.save compresses nothing; {SAVE_AGAIN}"
        if pickles[0].file_size > _MOST_PICKLE_BYTES:
            return f"describes far more than the weights of a model; {SAVE_AGAIN}"
        try:
            damaged = archive.testzip()
        except _DAMAGE:
            damaged = "its directory"
        return f"is damaged, its parts do not fit together; {_UPLOAD_AGAIN}, or {SAVE_AGAIN}" if damaged else ""


def _other_zip(names: list[str]) -> str:
    """What a zip without torch's `data.pkl` is."""
    inner = [name for name in names if PurePosixPath(name).suffix.lower() in (".pt", ".pth")]
    if inner:
        return f"is a zip that holds {listed(inner)}; put that file itself in its place"
    if names and all(name.endswith(".npy") for name in names):
        return f"is a file of NumPy arrays (.npz), not one of torch.save; {SAVE_AGAIN}"
    return f"is a zip, but not one that torch.save made; {SAVE_AGAIN}"

"""Reading a zip file that a stranger made: nothing is written to disk, and no number in it is believed."""

from __future__ import annotations

import copy
import io
import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path

from autograder.assignment import Limits
from autograder.intake.display import shown
from autograder.intake.folder import open_regular
from autograder.intake.naming import is_junk
from autograder.intake.signatures import HEAD_BYTES, is_zip, looks_like_text, recognise
from autograder.intake.upload import Budget, Upload, UploadRefused, Wanted, path_problem, plain_path
from autograder.language import _

MAX_RATIO = 200
RATIO_COUNTS_FROM = 64 * 1024

_CHUNK = 64 * 1024
_DIRECTORY_BYTES_PER_ENTRY = 512
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1 | 0x40
_PKWARE_UNIX_FIELD = 0x000D
_PKWARE_UNIX_FIXED_BYTES = 12
_METHODS = {6: "implode", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd"}

# What zipfile raises on archives that are damaged or use what it does not know. NotImplementedError is a
# RuntimeError; a name that is not UTF-8 and a seek before the beginning are ValueErrors.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, OverflowError, RuntimeError, ValueError)


class _Rejected(Exception):
    """A member cannot be taken; the message is the reason."""


class _CappedReader(io.BufferedReader):
    """Refuses a huge central directory before zipfile, which reads it in one piece, makes objects of it."""

    def __init__(self, raw: io.FileIO, budget: Budget) -> None:
        super().__init__(raw)
        self._budget = budget
        self._cap = max(budget.entries * _DIRECTORY_BYTES_PER_ENTRY, 2 * zipfile.ZIP_MAX_COMMENT)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._cap:
            self._budget.count_entries(size)
        return super().read(size)


def read_zip(path: Path, wanted: Wanted, limits: Limits) -> Upload:
    """Read the members of the zip file `path` that are `wanted`; unpack the others to count them.

    Raises:
        UploadRefused: it is no readable zip, is empty, or holds more than the limits allow.
        OSError: `path` is no regular file or cannot be opened.
    """
    name = shown(path.name)
    budget = Budget(path.name, limits)
    with open_regular(path) as raw:
        head = raw.read(HEAD_BYTES)
        if not head:
            cut_off = _("{name} is empty (0 bytes); the upload was cut off, so make the zip again.")
            raise UploadRefused(cut_off.format(name=name))
        signature = recognise(head)
        if signature:
            advice = signature.advice or _("pack the files of the assignment as .zip and upload that")
            other_kind = _("{name} is {kind}, not a zip; {advice}.")
            raise UploadRefused(other_kind.format(name=name, kind=signature.kind, advice=advice))
        if os.fstat(raw.fileno()).st_size > budget.total_bytes:
            budget.count_bytes(os.fstat(raw.fileno()).st_size)
        try:
            archive = zipfile.ZipFile(_CappedReader(raw, budget))
        except _DAMAGE:
            raise UploadRefused(_not_a_zip(name, head)) from None
        with archive:
            if not archive.infolist():
                empty = _("{name} is an empty zip; put the files of the assignment into it.")
                raise UploadRefused(empty.format(name=name))
            budget.count_entries(len(archive.infolist()))
            return _read_members(archive, wanted, budget)


def _not_a_zip(name: str, head: bytes) -> str:
    if is_zip(head):
        return _("{name} is damaged or cut off; make the zip again and upload it once more.").format(name=name)
    if looks_like_text(head):
        sentence = _(
            "{name} is a text file, whatever its name says; pack the files of the assignment as .zip and upload that."
        )
    else:
        sentence = _(
            "{name} is no zip file, whatever its name says; pack the files of the assignment as .zip and upload that."
        )
    return sentence.format(name=name)


def _read_members(archive: zipfile.ZipFile, wanted: Wanted, budget: Budget) -> Upload:
    upload = Upload()
    # orig_filename, because zipfile cuts `filename` at a NUL.
    members = [
        (info.orig_filename, info)
        for info in archive.infolist()
        if not is_junk(info.orig_filename) and not info.orig_filename.endswith("/")
    ]
    times = Counter(plain_path(name) for name, _ in members)
    overlapping = _overlapping(archive)
    sound: list[tuple[str, zipfile.ZipInfo]] = []
    for name, info in members:
        path = plain_path(name)
        reason = path_problem(name) or _member_problem(info)
        if not reason and times[path] > 1:
            reason = _(
                "several entries of the zip have this name, so none was taken; make a new zip that holds it once"
            )
        if not reason and info.header_offset in overlapping:
            reason = _("not taken, because it shares bytes with another entry; make the zip again")
        limit = wanted(path)
        if not reason and limit is not None:
            reason = limit.problem(info.file_size)
        if reason:
            upload.rejected.append((name, reason))
        else:
            sound.append((path, info))

    declared = sum(info.file_size for _, info in sound)
    if declared > budget.total_bytes:
        budget.count_bytes(declared, largest=[max(sound, key=lambda item: item[1].file_size)[0]])
    for path, info in sound:
        try:
            content = _unpack(archive, info, budget, keep=wanted(path) is not None)
        except _Rejected as rejection:
            upload.rejected.append((path, str(rejection)))
        except _DAMAGE:
            reason = _("not taken, because this part of the zip is damaged; make the zip again and upload it once more")
            upload.rejected.append((path, reason))
        else:
            if content is None:
                upload.others.append(path)
            else:
                upload.files[path] = content
    return upload


def _member_problem(info: zipfile.ZipInfo) -> str:
    """Why the member must not be unpacked, from its entry in the central directory; empty if it may be."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or _names_a_link_target(info.extra):
        return _("not taken, because it is a link or a device and not a file; put the file itself into the zip")
    if info.flag_bits & _ENCRYPTED:
        return _("not taken, because it is encrypted; make the zip again without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(info.compress_type) or _("method {number}").format(number=info.compress_type)
        return _(
            "not taken, because it is compressed with {method}, which is not supported; "
            "make the zip again with your system's own tool"
        ).format(method=method)
    return ""


def _names_a_link_target(extra: bytes) -> bool:
    """Whether the PKWARE Unix field of `extra` carries more than times and ids: the target of a link."""
    while len(extra) >= 4:
        field, size = struct.unpack_from("<HH", extra)
        if field == _PKWARE_UNIX_FIELD and size > _PKWARE_UNIX_FIXED_BYTES:
            return True
        extra = extra[4 + size :]
    return False


def _overlapping(archive: zipfile.ZipFile) -> set[int]:
    """Header offsets of all entries that share bytes with another one or with the central directory.

    Entries that overlap are the way to make a small file unpack to terabytes (D. Fifield, WOOT 2019), and to show
    different contents to different programs.
    """
    found: set[int] = set()
    end, owner = 0, -1
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        start = info.header_offset
        if start < end:
            found.update((owner, start))
        own_end = start + _local_header_size(archive, start) + info.compress_size
        if own_end > archive.start_dir:
            found.add(start)
        if own_end > end:
            end, owner = own_end, start
    return found


def _local_header_size(archive: zipfile.ZipFile, offset: int) -> int:
    """Bytes of the local header at `offset`; of a broken one only its fixed part, as opening it fails anyway."""
    assert archive.fp is not None
    try:
        archive.fp.seek(offset)
    except _DAMAGE:
        return _LOCAL_HEADER.size
    header = archive.fp.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size:
        return _LOCAL_HEADER.size
    name_size, extra_size = _LOCAL_HEADER.unpack(header)[1:]
    return _LOCAL_HEADER.size + int(name_size) + int(extra_size)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget, *, keep: bool) -> bytes | None:
    """Unpack one member and return its bytes, or count them and return None.

    Raises:
        _Rejected: the member is not what its header says, or is compressed beyond all measure.
        UploadRefused: the upload as a whole is too large.
    """
    # zipfile stops at the size that the header declares; allowing it more shows whether that is the truth.
    probe = copy.copy(info)
    probe.file_size = info.file_size + 2 * _CHUNK
    size = 0
    kept = bytearray()
    with archive.open(probe) as member:
        while chunk := member.read(_CHUNK):
            size += len(chunk)
            budget.count_bytes(len(chunk))
            if size > info.file_size:
                raise _Rejected(_("not taken, because it is larger than the zip says; make the zip again"))
            if size > max(RATIO_COUNTS_FROM, MAX_RATIO * info.compress_size):
                raise _Rejected(_("not taken, because it unpacks to far more than it should; leave it out of the zip"))
            if keep:
                kept += chunk
    if size != info.file_size:
        raise _Rejected(_("not taken, because the zip is damaged there; make the zip again and upload it once more"))
    return bytes(kept) if keep else None

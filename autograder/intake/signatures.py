"""What a file really is, recognised by its first bytes, whatever its name says."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.language import N_, _

HEAD_BYTES = 1024

_TAR_MAGIC = slice(257, 262)
_BINARY_MAGICS = (
    (b"Rar!\x1a\x07", N_("a RAR archive"), True),
    (b"7z\xbc\xaf\x27\x1c", N_("a 7z archive"), True),
    (b"\x1f\x8b", N_("a gzip archive (.gz, .tar.gz)"), True),
    (b"BZh", N_("a bzip2 archive"), True),
    (b"\xfd7zXZ\x00", N_("an xz archive"), True),
    (b"\x28\xb5\x2f\xfd", N_("a Zstandard archive"), True),
    (b"%PDF", N_("a PDF document"), False),
    (b"\x89PNG", N_("a PNG picture"), False),
    (b"\xff\xd8\xff", N_("a JPEG picture"), False),
    (b"\xd0\xcf\x11\xe0", N_("an old Office document"), False),
    (b"\x7fELF", N_("a compiled program"), False),
    (b"MZ\x90", N_("a compiled program"), False),
)


@dataclass(frozen=True)
class Signature:
    """A recognised kind of file, with its article, and what the student can do if it was not meant."""

    kind: str
    advice: str = ""
    archive: bool = False


def is_zip(head: bytes) -> bool:
    """Whether `head` begins a zip file; an empty zip begins with its end record."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def recognise(head: bytes) -> Signature | None:
    """The kind of a file that begins with `head` (`HEAD_BYTES` of it); None for zip, plain text and the unknown."""
    for magic, kind, archive in _BINARY_MAGICS:
        if head.startswith(magic):
            return Signature(_(kind), archive=archive)
    if head[_TAR_MAGIC] == b"ustar":
        return Signature(_("a tar archive"), archive=True)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"version https://git-lfs.github.com/spec/"):
        return Signature(_("a Git LFS pointer"), _("run `git lfs pull` and upload the real file"))
    if text.startswith((b"<!doctype html", b"<html")):
        advice = _("download the file itself (button 'Raw' or 'Download') and upload that")
        return Signature(_("a web page"), advice)
    return None


def looks_like_text(head: bytes) -> bool:
    """Whether `head` is UTF-8 text; a character that is cut at its end does not matter."""
    if b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3 and error.reason == "unexpected end of data"
    return True

"""From the bytes of an uploaded source file to text that Python can read. Nothing is executed."""

from __future__ import annotations

import codecs
import platform
import re
from dataclasses import dataclass

from autograder.intake.display import listed, shown
from autograder.intake.ipython import comment_out, ipython_spans
from autograder.intake.notebook import code_of_notebook
from autograder.intake.signatures import HEAD_BYTES, is_zip, recognise
from autograder.intake.syntax import parse
from autograder.language import _, plural

# The marks of UTF-32 come first, because that of UTF-32-LE begins with that of UTF-16-LE.
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
)
_COOKIE = re.compile(r"^([ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)", re.ASCII)
_BLANK_OR_COMMENT = re.compile(r"[ \t\f]*(?:#.*)?\Z")
# ASCII-compatible codecs that hide the code from a reader, or take quadratic time.
_UNFIT_CODECS = frozenset(
    {"idna", "utf-7", "unicode_escape", "raw_unicode_escape", "unicode-escape", "raw-unicode-escape"}
)
_MESSAGE_LIMIT = 160


class SourceRefused(Exception):
    """The file cannot be taken. The message is a sentence for the student."""


@dataclass(frozen=True)
class Cleaned:
    """The text of a source file (LF line ends, no byte order mark), and sentences on what was changed or seen."""

    text: str
    notes: list[str]


def clean(raw: bytes, name: str) -> Cleaned:
    """Turn the bytes of the file `name` into source text.

    Raises:
        SourceRefused: the bytes are no text, or a web page, an archive or the like.
    """
    _refuse_other_kinds(raw, name)
    text, notes = _decode(raw, name)
    code = code_of_notebook(text)
    if code is not None:
        text = code
        taken = _(
            "{name} holds a notebook and not Python code; its code cells were taken in their order. "
            "Save the notebook as .py next time."
        )
        notes.append(taken.format(name=name))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        broken = _("{name} holds NUL bytes or broken characters; save it as UTF-8 text and upload it again.")
        raise SourceRefused(broken.format(name=name))
    text = _without_cookie(text)
    if not text.strip():
        notes.append(_("{name} is empty; check that you saved it before you uploaded it.").format(name=name))
        return Cleaned(text, notes)
    return _clean_syntax(text, name, notes)


def _refuse_other_kinds(raw: bytes, name: str) -> None:
    signature = recognise(raw[:HEAD_BYTES])
    kind = signature.kind if signature else _("a zip archive") if is_zip(raw) else ""
    if kind:
        advice = signature.advice if signature and signature.advice else _("upload the Python file itself")
        refusal = _("{name} is {kind} and not Python code; {advice}.")
        raise SourceRefused(refusal.format(name=name, kind=kind, advice=advice))


def _decode(raw: bytes, name: str) -> tuple[str, list[str]]:
    """Text of `raw` by its byte order mark, its coding cookie (PEP 263), as UTF-8, or by a guess."""
    for mark, codec, label in _BOMS:
        if raw.startswith(mark):
            try:
                text = raw[len(mark) :].decode(codec).lstrip("\ufeff")
            except UnicodeDecodeError:
                broken = _("{name} begins like {encoding} text but is not; save it as UTF-8 and upload it again.")
                raise SourceRefused(broken.format(name=name, encoding=label)) from None
            converted = _("{name} was {encoding}; it was converted to UTF-8.").format(name=name, encoding=label)
            return text, [] if label == "UTF-8" else [converted]
    if b"\x00" in raw:
        no_text = _("{name} holds NUL bytes, so it is no text; save it as UTF-8 and upload it again.")
        raise SourceRefused(no_text.format(name=name))
    notes: list[str] = []
    cookie = _cookie(raw)
    if cookie and cookie.lower() not in ("utf-8", "utf8"):
        try:
            return raw.decode(_codec(cookie)), notes
        except (LookupError, ValueError):
            other = _("{name} names the encoding {encoding}, but is not written in it; it was read as UTF-8.")
            notes.append(other.format(name=name, encoding=shown(cookie)))
    try:
        return raw.decode("utf-8"), notes
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    guessed = _("{place}: not UTF-8; the file was read as Western European text. Save it as UTF-8 next time.")
    notes.append(guessed.format(place=f"{name}:{line}"))
    return text, notes


def _head(text: str) -> list[str]:
    """The lines in which a coding cookie may stand: the first, and the second if no code stands before it."""
    lines = re.split(r"\r\n|\r|\n", text, maxsplit=2)[:2]
    return lines if _BLANK_OR_COMMENT.match(lines[0]) else lines[:1]


def _cookie(raw: bytes) -> str:
    for line in _head(raw[:HEAD_BYTES].decode("latin-1")):
        found = _COOKIE.match(line)
        if found:
            return found[2]
    return ""


def _codec(cookie: str) -> str:
    """Name of the codec, if it is one for text files that contain ASCII as such.

    Raises:
        LookupError, UnicodeError: it is not.
    """
    codec = codecs.lookup(cookie).name
    if codec in _UNFIT_CODECS or "coding".encode(codec) != b"coding":
        raise LookupError(f"{cookie} is not a codec for source files")
    return codec


def _without_cookie(text: str) -> str:
    """`text` with its coding cookie, true no longer, made to say UTF-8."""
    head = _head(text)
    for number, line in enumerate(head):
        if _COOKIE.match(line):
            rows = text.split("\n", number + 1)
            rows[number] = _COOKIE.sub(r"\g<1>utf-8", line)
            return "\n".join(rows)
    return text


def _clean_syntax(text: str, name: str, notes: list[str]) -> Cleaned:
    """Comment out what is IPython's; note what does not parse."""
    spans = []
    syntax = parse(text)
    if syntax.message:
        spans = ipython_spans(text)
        if spans:
            text = comment_out(text, spans)
            syntax = parse(text)
    text = comment_out(text, syntax.ipython_spans)
    touched = sorted({n for first, last in (*spans, *syntax.ipython_spans) for n in range(first, last + 1)})
    if touched:
        lines = listed([str(line) for line in touched], limit=10)
        notes.append(
            plural(
                "{name}: line {lines} was commented out, because only a notebook understands such commands.",
                "{name}: lines {lines} were commented out, because only a notebook understands such commands.",
                len(touched),
                name=name,
                lines=lines,
            )
        )
    if syntax.message:
        python = ".".join(platform.python_version_tuple()[:2])
        message = shown(syntax.message, _MESSAGE_LIMIT)
        unreadable = _(
            "{place}: Python {python} cannot read this file: {message}. Run `python {name}` and correct what it says."
        )
        notes.append(unreadable.format(place=f"{name}:{syntax.line}", python=python, message=message, name=name))
    return Cleaned(text, notes)

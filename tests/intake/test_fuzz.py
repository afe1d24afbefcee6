"""Whatever is uploaded: never an exception, always a submission that agrees with itself."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autograder.intake import read_submission
from autograder.intake.archive import read_zip
from autograder.intake.finding import wanted_by
from autograder.intake.upload import Upload, UploadRefused

from .builders import DDPM, VAE, checkpoint_assignment

ASSIGNMENT = checkpoint_assignment(upload_mb=1, upload_entries=20, file_kb=50)
BOUNDED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A submission with sources starts a parser for each of them, which takes some 30 ms.
END_TO_END = settings(BOUNDED, max_examples=25)


def check_archive(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as top:
        path = Path(top, "hw.zip")
        path.write_bytes(content)
        refusal = ""
        try:
            upload = read_zip(path, wanted_by(ASSIGNMENT), ASSIGNMENT.limits)
        except UploadRefused as refused:
            refusal, upload = str(refused), Upload()
    assert refusal.isprintable()
    assert refusal.startswith("hw.zip ") or not refusal
    taken = [*upload.files, *upload.others]
    assert len(taken) == len(set(taken))
    assert not set(taken) & {path for path, _ in upload.rejected}
    for path_in_zip, content_of in upload.files.items():
        limit = wanted_by(ASSIGNMENT)(path_in_zip)
        assert limit is not None
        assert len(content_of) <= limit.size
    for path_in_zip in taken:
        assert not path_in_zip.startswith("/")
        assert "\\" not in path_in_zip
        assert not {"", ".", ".."} & set(path_in_zip.split("/"))


def check(*uploads: tuple[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as top:
        paths = [Path(top, name) for name, _ in uploads]
        for path, (_, content) in zip(paths, uploads, strict=True):
            path.write_bytes(content)
        submission = read_submission(paths, ASSIGNMENT)
    asked = [file.name for file in ASSIGNMENT.files]
    assert bool(submission.refusal) != bool(submission.sources)
    assert submission.missing == [name for name in asked if name not in submission.sources]
    assert set(submission.sources) <= set(asked)
    weights = [file.name for file in ASSIGNMENT.checkpoints]
    assert submission.missing_checkpoints == [name for name in weights if name not in submission.checkpoints]
    assert set(submission.checkpoints) <= set(weights)
    assert not (submission.refusal and submission.checkpoints)
    assert len(submission.digest) == 64
    for text in submission.sources.values():
        assert "\x00" not in text
        assert "\r" not in text
        assert not text.startswith("\ufeff")
        text.encode("utf-8")
    for said in (submission.name, submission.refusal, *submission.notes):
        assert said.isprintable()
        assert len(said) < 1000


def sound_zip(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("hw/q1_vae.py", VAE)
        archive.writestr("hw/q2_ddpm.py", DDPM)
        archive.writestr("hw/checkpoints/DDPM.pt", bytes(range(256)))
        archive.writestr("hw/notes.txt", "notes" * 50)
    return buffer.getvalue()


SOUND = [sound_zip(zipfile.ZIP_DEFLATED), sound_zip(zipfile.ZIP_STORED)]


@st.composite
def zips_with_changed_bytes(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(SOUND)))
    directory = content.index(b"PK\x01\x02")
    # Half of the changes hit the directory, where nearly every byte means something.
    place = st.integers(0, len(content) - 1) | st.integers(directory, len(content) - 1)
    value = st.sampled_from([0, 1, 2, 8, 0x2F, 0x5C, 0x7F, 0xFF]) | st.integers(0, 255)
    for at, byte in draw(st.lists(st.tuples(place, value), min_size=1, max_size=6)):
        content[at] = byte
    return bytes(content)


@st.composite
def zips_with_moved_pieces(draw: st.DrawFn) -> bytes:
    content = draw(st.sampled_from(SOUND))
    a, b, at = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 3)))
    return draw(
        st.sampled_from(
            [
                content[:a] + content[b:],
                content[:b] + content[a:],
                content[:at] + content[a:b] + content[at:],
                content[a:b],
                content + content[a:],
            ]
        )
    )


@st.composite
def zips_with_random_members(draw: st.DrawFn) -> bytes:
    names = st.text(max_size=30).map(lambda name: name.encode("utf-8", "replace").decode() or "x")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in draw(st.dictionaries(names, st.binary(max_size=60), max_size=6)).items():
            archive.writestr(zipfile.ZipInfo(name), content)
        archive.writestr("hw/q1_vae.py", VAE)
    return buffer.getvalue()


RANDOM_BYTES = st.builds(
    bytes.__add__,
    st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"PK\x05\x06" + bytes(18), SOUND[0][:60]]),
    st.binary(max_size=400),
)
ANY_ZIP = RANDOM_BYTES | zips_with_changed_bytes() | zips_with_moved_pieces() | zips_with_random_members()


@settings(BOUNDED, max_examples=800)
@given(ANY_ZIP)
def test_any_zip_is_read_or_refused(content):
    check_archive(content)


@END_TO_END
@given(ANY_ZIP)
@example(SOUND[0])
def test_any_zip_makes_a_submission(content):
    check(("hw.zip", content))


@END_TO_END
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_random_bytes_as_a_python_file(content):
    check(("q1_vae.py", content))


@END_TO_END
@given(
    st.sampled_from(["", "\ufeff", "# coding: latin-1\n", "# coding: utf-16\n", "!ls\n", '{"nbformat": 4, "cells": [']),
    st.text(alphabet="ab =%!?'\"\\\n\r\t\f()[]{}:#é\x00\u2028", max_size=80),
    st.sampled_from(["utf-8", "utf-16", "utf-32", "latin-1", "utf-8-sig"]),
)
def test_nearly_python_in_many_encodings(head, body, codec):
    check(("q1_vae.py", (head + body).encode(codec, "replace")), ("q2_ddpm.py", DDPM.encode()))


FILE_NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/\x00"), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..") and len(os.fsencode(name)) < 200
)


@BOUNDED
@given(FILE_NAMES, st.binary(max_size=40))
def test_random_file_name(name, content):
    check((name, content))

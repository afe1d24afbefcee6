import codecs
import json

import pytest

from autograder.intake.cleaning import SourceRefused, clean
from autograder.intake.syntax import Syntax

NAME = "q1_vae.py"


def text(raw: bytes) -> str:
    return clean(raw, NAME).text


def notes(raw: bytes) -> str:
    return "\n".join(clean(raw, NAME).notes)


def refusal(raw: bytes) -> str:
    with pytest.raises(SourceRefused) as caught:
        clean(raw, NAME)
    assert NAME in str(caught.value)
    return str(caught.value)


def test_plain_utf8_passes_unchanged():
    source = "# é 日本\nx = 1\n"
    assert clean(source.encode(), NAME).text == source
    assert not clean(source.encode(), NAME).notes


@pytest.mark.threat(53)
@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends_become_lf(end):
    assert text(f"x = 1{end}{end}y = 2{end}".encode()) == "x = 1\n\ny = 2\n"


@pytest.mark.threat(53)
def test_utf8_mark_is_removed_without_a_note():
    assert text(codecs.BOM_UTF8 + b"x = 1\n") == "x = 1\n"
    assert notes(codecs.BOM_UTF8 + b"x = 1\n") == ""


@pytest.mark.threat(53)
@pytest.mark.parametrize(
    ("mark", "codec", "label"),
    [
        (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
        (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
        (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    ],
)
def test_utf16_and_utf32_are_converted_with_a_note(mark, codec, label):
    raw = mark + "x = 'é'\r\n".encode(codec)
    assert text(raw) == "x = 'é'\n"
    assert label in notes(raw)


@pytest.mark.threat(53)
def test_doubled_mark_is_removed_as_a_whole():
    assert text(codecs.BOM_UTF8 * 2 + b"x = 1\n") == "x = 1\n"


@pytest.mark.threat(53)
def test_broken_utf16_is_refused():
    assert "UTF-16" in refusal(codecs.BOM_UTF16_LE + b"\x00\xd8x")


@pytest.mark.threat(53)
def test_nul_bytes_are_refused():
    assert "NUL" in refusal(b"x = 1\x00\n")
    assert "NUL" in refusal("x = 1\n".encode("utf-16-le"))
    assert "NUL" in refusal(codecs.BOM_UTF16_LE + "x\x00".encode("utf-16-le"))


@pytest.mark.parametrize(
    "line", ["# -*- coding: latin-1 -*-", "#!/usr/bin/python\n# vim: set fileencoding=iso-8859-1 :"]
)
def test_coding_cookie_is_honoured_and_then_says_utf8(line):
    raw = f"{line}\nx = 'é'\n".encode("latin-1")
    assert text(raw).endswith("x = 'é'\n")
    assert "utf-8" in text(raw)
    assert "8859" not in text(raw)
    assert notes(raw) == ""
    assert text(raw).count("\n") == raw.count(b"\n")


def test_cookie_after_code_or_in_the_third_line_is_none():
    assert "\u0439" not in text("x = 1\n# coding: koi8-r\ny = 'é'\n".encode())
    assert "'é'" in text("#\n#\n# coding: koi8-r\ny = 'é'\n".encode())


@pytest.mark.threat(53)
@pytest.mark.parametrize(
    "cookie", ["no-such-codec", "utf-16", "rot13", "zlib", "idna", "utf-7", "unicode_escape", "cp037"]
)
def test_cookie_that_is_no_codec_for_source_is_noted_and_read_as_utf8(cookie):
    raw = f"# coding: {cookie}\nx = 'é'\n".encode()
    assert text(raw).endswith("x = 'é'\n")
    assert "encoding" in notes(raw)


def test_cookie_that_the_bytes_contradict_is_noted():
    raw = "# coding: ascii\nx = 'é'\n".encode()
    assert "'é'" in text(raw)
    assert "ascii" in notes(raw)


@pytest.mark.threat(53)
def test_western_text_without_a_cookie_is_read_with_a_note():
    raw = "x = 1\n# déjà – vu\n".encode("cp1252")
    assert text(raw) == "x = 1\n# déjà – vu\n"
    assert "q1_vae.py:2: not UTF-8" in notes(raw)
    assert text(b"# \x81\xe9\n") == "# \x81é\n"


def test_empty_file_is_noted():
    assert "is empty" in notes(b"")
    assert "is empty" in notes(codecs.BOM_UTF8 + b" \n\n")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\n<!DOCTYPE html>\n<html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"PK\x03\x04" + bytes(30), "a zip archive"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x1f\x8b\x08\x00", "gzip"),
    ],
)
def test_what_is_no_python_is_named(raw, words):
    assert words in refusal(raw)


@pytest.mark.threat(54)
def test_ipython_lines_are_commented_out_and_named():
    raw = b"!pip install torch\nimport math\n%matplotlib inline\nx = 7\n"
    assert text(raw) == "# !pip install torch\nimport math\n# %matplotlib inline\nx = 7\n"
    assert "lines 1 and 3 were commented out" in notes(raw)
    assert "cannot read" not in notes(raw)


def test_file_that_python_can_read_is_not_touched():
    source = 'x = """\n!pip install torch\n"""\ny = (x\n%x)\n'
    assert clean(source.encode(), NAME).text == source
    assert not clean(source.encode(), NAME).notes


def test_strings_and_continuations_of_a_notebook_file_stay():
    source = '!ls\nx = """\n!no\n"""\ny = (7\n%3)\n'
    assert text(source.encode()) == "# " + source


@pytest.mark.threat(54)
def test_calls_that_a_notebook_export_made_are_commented_out():
    raw = b"import math\nif math:\n    get_ipython().system('pip install torch')\nx = 1\n"
    assert text(raw) == "import math\nif math:\n    pass  # get_ipython().system('pip install torch')\nx = 1\n"
    assert "line 3" in notes(raw)


@pytest.mark.threat(54)
def test_many_commented_lines_make_a_short_note():
    assert "and 490 more" in notes(b"!ls\n" * 500)
    assert len(notes(b"!ls\n" * 500)) < 200


@pytest.mark.threat(56)
def test_syntax_error_is_passed_on_with_file_and_line():
    raw = b"x = 1\ndef f(:\n    pass\n"
    assert text(raw) == raw.decode()
    assert "q1_vae.py:2: Python 3." in notes(raw)


@pytest.mark.threat(54, 56)
def test_syntax_error_beside_ipython_lines_keeps_its_line():
    raw = b"!ls\n\ndef f(:\n    pass\n"
    assert text(raw).startswith("# !ls\n")
    assert "q1_vae.py:3:" in notes(raw)


@pytest.mark.threat(60)
def test_no_character_of_the_source_reaches_a_note_unchanged():
    raw = "x = 1\u202e\x1b[2J\n".encode()
    assert "\x1b" not in notes(raw)
    assert "\u202e" not in notes(raw)
    assert "q1_vae.py:1:" in notes(raw)


@pytest.mark.threat(60)
def test_words_of_the_parser_are_made_safe_and_short(monkeypatch):
    monkeypatch.setattr("autograder.intake.cleaning.parse", lambda source: Syntax(3, "\x1b[2J" + "x" * 5000))
    said = notes(b"x = 1\n")
    assert said.isprintable()
    assert len(said) < 400


@pytest.mark.threat(54)
def test_notebook_saved_as_python_gives_its_code_with_a_note():
    cells = [
        {"cell_type": "code", "source": ["%matplotlib inline\n", "def f(): return 1\n"]},
        {"cell_type": "markdown", "source": ["not code"]},
        {"cell_type": "code", "source": "def f(): return 2"},
    ]
    raw = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()
    assert text(raw) == "# %matplotlib inline\ndef f(): return 1\n\ndef f(): return 2\n"
    assert "holds a notebook" in notes(raw)
    assert "line 1 was" in notes(raw)


@pytest.mark.threat(53)
@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800"])
def test_notebook_with_characters_that_no_file_can_hold_is_refused(escape):
    raw = '{"nbformat": 4, "cells": [{"cell_type": "code", "source": "x = ESCAPE"}]}'.replace("ESCAPE", escape)
    assert "broken characters" in refusal(raw.encode())

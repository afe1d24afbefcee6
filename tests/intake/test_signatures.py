import pytest

from autograder.intake.signatures import is_zip, looks_like_text, recognise


def test_zip_and_python_are_not_taken_for_something_else():
    assert recognise(b"PK\x03\x04") is None
    assert recognise(b"import torch\n") is None
    assert recognise(b"") is None
    assert recognise(b"# <html> in a comment\n") is None
    assert is_zip(b"PK\x03\x04")
    assert is_zip(b"PK\x05\x06")
    assert not is_zip(b"PK")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"BZh9", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"\x28\xb5\x2f\xfd", "Zstandard"),
        (b"%PDF-1.7", "PDF"),
        (b"\xef\xbb\xbf\r\n<HTML lang='en'>", "web page"),
    ],
)
def test_kinds_are_recognised(head, kind):
    signature = recognise(head)
    assert signature is not None
    assert kind in signature.kind


def test_only_archives_are_archives():
    assert recognise(b"\x1f\x8b\x08").archive
    assert not recognise(b"%PDF-1.7").archive


def test_text_is_utf8_without_nul():
    assert looks_like_text("é".encode())
    assert looks_like_text("é".encode()[:-1])
    assert not looks_like_text(b"\xe9abc")
    assert not looks_like_text(b"a\x00b")

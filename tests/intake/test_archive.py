import io
import struct
import time
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest

from autograder.assignment import Assignment
from autograder.intake.archive import read_zip
from autograder.intake.finding import wanted_by
from autograder.intake.upload import Upload, UploadRefused

from .builders import (
    COMPRESSED,
    CRC,
    DDPM,
    DEVICE,
    FIFO,
    FLAGS,
    LINK,
    METHOD,
    SIZE,
    VAE,
    many_entries_zip,
    overlapping_zip,
    patch_entry,
    small_assignment,
    write_special,
    write_zip,
)


def read(path: Path, assignment: Assignment | None = None) -> Upload:
    assignment = assignment or small_assignment()
    return read_zip(path, wanted_by(assignment), assignment.limits)


def refusal(path: Path, assignment: Assignment | None = None) -> str:
    with pytest.raises(UploadRefused) as caught:
        read(path, assignment)
    return str(caught.value)


def reason(upload: Upload, path: str) -> str:
    return dict(upload.rejected)[path]


@pytest.fixture
def zip_path(tmp_path: Path) -> Path:
    return tmp_path / "hw.zip"


def test_wanted_files_are_read_and_others_only_named(zip_path):
    upload = read(write_zip(zip_path, {"hw/q1_vae.py": VAE, "hw/notes.txt": "x"}))
    assert upload.files == {"hw/q1_vae.py": VAE.encode()}
    assert upload.others == ["hw/notes.txt"]
    assert not upload.rejected


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_stored_and_deflated_members_are_read(zip_path, method):
    assert read(write_zip(zip_path, {"q1_vae.py": VAE}, method)).files == {"q1_vae.py": VAE.encode()}


def test_zip_with_data_descriptors_and_zip64_fields_is_read(zip_path):
    class Unseekable(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, chunk: bytes) -> int:
            self.data += chunk
            return len(chunk)

    sink = Unseekable()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("q1_vae.py", "w", force_zip64=True) as member:
            member.write(VAE.encode())
        archive.writestr("q2_ddpm.py", DDPM)
    zip_path.write_bytes(bytes(sink.data))
    assert read(zip_path).files == {"q1_vae.py": VAE.encode(), "q2_ddpm.py": DDPM.encode()}


def test_zip_behind_other_bytes_is_read(zip_path):
    write_zip(zip_path, {"q1_vae.py": VAE})
    zip_path.write_bytes(b"#!/bin/sh\nexit\n" + zip_path.read_bytes())
    assert read(zip_path).files == {"q1_vae.py": VAE.encode()}


@pytest.mark.threat(51)
@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("../q1_vae.py", "'..'"),
        ("hw/../../q1_vae.py", "'..'"),
        ("/etc/q1_vae.py", "absolute"),
        ("C:/hw/q1_vae.py", "absolute"),
        ("c:q1_vae.py", "absolute"),
        ("..\\q1_vae.py", "backslash"),
        ("hw\\q1_vae.py", "backslash"),
        ("\\\\server\\q1_vae.py", "backslash"),
        ("hw\x1b[31m/q1_vae.py", "control"),
        ("q1_vae.py\n", "control"),
        ("/".join("abcdefghijkl") + "/q1_vae.py", "10 folders"),
    ],
)
def test_unsafe_name_is_refused_and_the_rest_is_taken(zip_path, name, word):
    upload = read(write_zip(zip_path, {name: VAE, "q2_ddpm.py": DDPM}))
    assert word in reason(upload, name)
    assert upload.files == {"q2_ddpm.py": DDPM.encode()}


@pytest.mark.threat(51, 53)
def test_nul_in_a_name_does_not_make_another_name_of_it(zip_path):
    write_zip(zip_path, {"q1_vae.py#.txt": VAE, "q2_ddpm.py": DDPM})
    zip_path.write_bytes(zip_path.read_bytes().replace(b"q1_vae.py#.txt", b"q1_vae.py\x00.txt"))
    upload = read(zip_path)
    assert "control" in reason(upload, "q1_vae.py\x00.txt")
    assert set(upload.files) == {"q2_ddpm.py"}


@pytest.mark.threat(51)
@pytest.mark.parametrize("mode", [LINK, DEVICE, FIFO])
def test_link_device_and_pipe_are_refused(zip_path, mode):
    upload = read(write_special(zip_path, "q2_ddpm.py", mode, "/etc/passwd"))
    assert "link or a device" in reason(upload, "q2_ddpm.py")
    assert set(upload.files) == {"q1_vae.py"}


@pytest.mark.threat(51)
def test_hard_link_of_the_pkware_unix_field_is_refused(zip_path):
    info = zipfile.ZipInfo("q2_ddpm.py")
    target = b"/etc/passwd"
    info.extra = struct.pack("<HHIIHH", 0x000D, 12 + len(target), 0, 0, 0, 0) + target
    with zipfile.ZipFile(zip_path, "w") as archive:
        archive.writestr(info, "")
        archive.writestr("q1_vae.py", VAE)
    upload = read(zip_path)
    assert "link" in reason(upload, "q2_ddpm.py")
    assert set(upload.files) == {"q1_vae.py"}


def test_pkware_unix_field_without_a_target_is_no_link(zip_path):
    info = zipfile.ZipInfo("q1_vae.py")
    info.extra = struct.pack("<HHIIHH", 0x000D, 12, 0, 0, 0, 0)
    with zipfile.ZipFile(zip_path, "w") as archive:
        archive.writestr(info, VAE)
    assert set(read(zip_path).files) == {"q1_vae.py"}


def test_encrypted_member_is_refused(zip_path):
    write_zip(zip_path, {"q1_vae.py": VAE, "q2_ddpm.py": DDPM})
    upload = read(patch_entry(zip_path, "q1_vae.py", {FLAGS: ("<H", 1)}))
    assert "password" in reason(upload, "q1_vae.py")
    assert set(upload.files) == {"q2_ddpm.py"}


@pytest.mark.parametrize(("method", "label"), [(9, "Deflate64"), (12, "bzip2"), (14, "LZMA"), (77, "method 77")])
def test_unsupported_compression_is_named(zip_path, method, label):
    write_zip(zip_path, {"q1_vae.py": VAE, "q2_ddpm.py": DDPM})
    upload = read(patch_entry(zip_path, "q1_vae.py", {METHOD: ("<H", method)}))
    assert label in reason(upload, "q1_vae.py")
    assert set(upload.files) == {"q2_ddpm.py"}


@pytest.mark.threat(52)
def test_entries_that_share_their_bytes_are_refused(zip_path):
    upload = read(overlapping_zip(zip_path, VAE.encode(), ["q1_vae.py", "q2_ddpm.py"]))
    assert not upload.files
    assert all("shares bytes" in why for _, why in upload.rejected)
    assert {path for path, _ in upload.rejected} == {"q1_vae.py", "q2_ddpm.py"}


@pytest.mark.threat(52)
def test_entry_that_reaches_into_the_next_one_is_refused_with_it(zip_path):
    """A quoted overlap: the first member, stored, swallows the header of the second."""
    write_zip(zip_path, {"q1_vae.py": VAE, "q2_ddpm.py": DDPM, "z.txt": "free"}, zipfile.ZIP_STORED)
    size = len(VAE) + 30 + len("q2_ddpm.py") + 5
    upload = read(patch_entry(zip_path, "q1_vae.py", {COMPRESSED: ("<I", size), SIZE: ("<I", size)}))
    assert {path for path, why in upload.rejected if "shares bytes" in why} == {"q1_vae.py", "q2_ddpm.py"}
    assert upload.others == ["z.txt"]


@pytest.mark.threat(52)
def test_entry_that_reaches_into_the_directory_is_refused(zip_path):
    write_zip(zip_path, {"q1_vae.py": VAE}, zipfile.ZIP_STORED)
    size = len(VAE) + 20
    upload = read(patch_entry(zip_path, "q1_vae.py", {COMPRESSED: ("<I", size), SIZE: ("<I", size)}))
    assert "shares bytes" in reason(upload, "q1_vae.py")


@pytest.mark.threat(51)
@pytest.mark.parametrize("second", ["q1_vae.py", "./q1_vae.py", ".//q1_vae.py"])
def test_two_entries_of_one_name_are_both_refused(zip_path, second):
    with warnings.catch_warnings(), zipfile.ZipFile(zip_path, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("q1_vae.py", VAE)
        archive.writestr(second, "raise SystemExit")
        archive.writestr("q2_ddpm.py", DDPM)
    upload = read(zip_path)
    assert set(upload.files) == {"q2_ddpm.py"}
    assert "several entries" in reason(upload, second)
    assert len(upload.rejected) == 2


def test_wrong_checksum_is_refused(zip_path):
    write_zip(zip_path, {"q1_vae.py": VAE, "q2_ddpm.py": DDPM})
    upload = read(patch_entry(zip_path, "q1_vae.py", {CRC: ("<I", 1)}))
    assert "damaged" in reason(upload, "q1_vae.py")
    assert set(upload.files) == {"q2_ddpm.py"}


def test_member_with_broken_compressed_bytes_is_refused(zip_path):
    write_zip(zip_path, {"q1_vae.py": VAE, "q2_ddpm.py": DDPM})
    data = bytearray(zip_path.read_bytes())
    data[30 + len("q1_vae.py") : 45 + len("q1_vae.py")] = b"\xff" * 15
    zip_path.write_bytes(bytes(data))
    upload = read(zip_path)
    assert "damaged" in reason(upload, "q1_vae.py")
    assert set(upload.files) == {"q2_ddpm.py"}


def test_header_that_promises_more_than_there_is_is_refused(zip_path):
    write_zip(zip_path, {"q1_vae.py": VAE, "q2_ddpm.py": DDPM})
    upload = read(patch_entry(zip_path, "q1_vae.py", {SIZE: ("<I", len(VAE) + 10)}))
    assert "damaged" in reason(upload, "q1_vae.py")


@pytest.mark.threat(52)
def test_header_that_promises_less_than_there_is_is_refused_after_that_many_bytes(zip_path):
    """3 MB behind a header that says 10 bytes, with the checksum of these ten: zipfile alone would take them."""
    import zlib

    write_zip(zip_path, {"q1_vae.py": b"#" * 3_000_000, "q2_ddpm.py": DDPM})
    patch_entry(zip_path, "q1_vae.py", {SIZE: ("<I", 10), CRC: ("<I", zlib.crc32(b"#" * 10))})
    assert zipfile.ZipFile(zip_path).read("q1_vae.py") == b"#" * 10
    upload = read(zip_path)
    assert "larger than the zip says" in reason(upload, "q1_vae.py")
    assert set(upload.files) == {"q2_ddpm.py"}


@pytest.mark.threat(51)
def test_other_name_in_the_local_header_is_refused(zip_path):
    write_zip(zip_path, {"q1_vae.py": VAE, "q2_ddpm.py": DDPM})
    zip_path.write_bytes(zip_path.read_bytes().replace(b"q1_vae.py", b"q1_bad.py", 1))
    upload = read(zip_path)
    assert "damaged" in reason(upload, "q1_vae.py")
    assert set(upload.files) == {"q2_ddpm.py"}


@pytest.mark.threat(52)
def test_source_over_the_file_limit_is_refused(zip_path):
    upload = read(write_zip(zip_path, {"q1_vae.py": "x = 1\n" * 20_000, "q2_ddpm.py": DDPM}))
    assert "larger than 100 kB" in reason(upload, "q1_vae.py")
    assert set(upload.files) == {"q2_ddpm.py"}


@pytest.mark.threat(52)
def test_member_with_an_absurd_ratio_is_refused_alone(zip_path):
    upload = read(write_zip(zip_path, {"zeros.bin": bytes(1_000_000), "q2_ddpm.py": DDPM}))
    assert "unpacks to far more" in reason(upload, "zeros.bin")
    assert set(upload.files) == {"q2_ddpm.py"}


@pytest.mark.threat(52)
def test_bomb_of_some_hundred_kilobytes_is_refused_as_a_whole(zip_path):
    write_zip(zip_path, {f"{i}.bin": bytes(20_000_000) for i in range(10)} | {"q1_vae.py": VAE})
    assert zip_path.stat().st_size < 400_000
    start = time.perf_counter()
    message = refusal(zip_path)
    assert "larger than 4 MB when unpacked" in message
    assert "0.bin" in message
    assert time.perf_counter() - start < 5


@pytest.mark.threat(52)
def test_total_is_counted_over_all_members(zip_path):
    import random

    noise = random.Random(0).randbytes
    members = {f"{i}.bin": noise(900_000) for i in range(4)}
    assert len(read(write_zip(zip_path, members)).others) == 4
    assert "4 MB" in refusal(write_zip(zip_path, members | {"one_more.bin": noise(900_000)}))


@pytest.mark.threat(52)
def test_zip_file_that_is_itself_over_the_limit_is_refused(zip_path):
    zip_path.write_bytes(b"PK\x03\x04" + bytes(5_000_000))
    assert "4 MB" in refusal(zip_path)


@pytest.mark.threat(52)
def test_too_many_entries_are_refused(zip_path):
    message = refusal(write_zip(zip_path, {f"{i}.txt": "" for i in range(41)}))
    assert "more than 40 files" in message
    assert "virtual environments" in message


@pytest.mark.threat(52)
@pytest.mark.parametrize("declared", [None, 1])
def test_directory_of_100_000_entries_is_refused_quickly_and_without_much_memory(zip_path, declared):
    many_entries_zip(zip_path, 100_000, declared)
    assignment = small_assignment(upload_mb=50, upload_entries=2000)
    tracemalloc.start()
    start = time.perf_counter()
    message = refusal(zip_path, assignment)
    seconds = time.perf_counter() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "more than 2000 files" in message
    assert seconds < 2
    assert peak < 8_000_000


@pytest.mark.threat(53)
def test_junk_of_the_system_is_ignored_in_silence(zip_path):
    junk = ["__MACOSX/._q1_vae.py", ".DS_Store", "hw/._q1_vae.py", "hw/.git/q1_vae.py", "hw/__pycache__/q1_vae.py"]
    junk += ["hw/.ipynb_checkpoints/q1_vae.py", "venv/lib/q1_vae.py", ".venv/q1_vae.py", "a/site-packages/q1_vae.py"]
    upload = read(write_zip(zip_path, dict.fromkeys(junk, "junk") | {"hw/q1_vae.py": VAE}))
    assert upload.files == {"hw/q1_vae.py": VAE.encode()}
    assert upload.others == []
    assert upload.rejected == []


def test_folders_of_the_zip_are_no_files(zip_path):
    upload = read(write_zip(zip_path, {"hw/": "", "hw/q1_vae.py": VAE}))
    assert upload.others == []
    assert upload.rejected == []


@pytest.mark.threat(53)
def test_names_that_are_not_utf8_do_not_stop_the_rest(zip_path):
    write_zip(zip_path, {"d_voir/q1_vae.py": VAE})
    zip_path.write_bytes(zip_path.read_bytes().replace(b"d_voir", b"d\x82voir"))  # é in cp437, without the UTF-8 flag
    assert read(zip_path).files == {"dévoir/q1_vae.py": VAE.encode()}


def test_empty_zip_is_refused(zip_path):
    assert "empty zip" in refusal(write_zip(zip_path, {}))


def test_zero_bytes_are_refused(zip_path):
    zip_path.write_bytes(b"")
    assert "0 bytes" in refusal(zip_path)


@pytest.mark.parametrize("keep", [30, 60, -30, -1])
def test_truncated_zip_is_refused(zip_path, keep):
    write_zip(zip_path, {"q1_vae.py": VAE, "q2_ddpm.py": DDPM})
    zip_path.write_bytes(zip_path.read_bytes()[:keep])
    assert "damaged or cut off" in refusal(zip_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Rar!\x1a\x07\x01\x00" + bytes(50), "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(50), "a 7z archive"),
        (b"\x1f\x8b\x08" + bytes(50), "a gzip archive"),
        (b"q1_vae.py".ljust(257, b"\x00") + b"ustar\x0000" + bytes(300), "a tar archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "git lfs pull"),
        (b"\n <!DOCTYPE html><html><title>Sign in</title>", "a web page"),
        (VAE.encode(), "a text file"),
        ("é".encode() * 600, "a text file"),
        (bytes(range(256)), "no zip file"),
    ],
)
def test_what_is_no_zip_is_recognised_and_named(zip_path, content, words):
    zip_path.write_bytes(content)
    message = refusal(zip_path)
    assert words in message
    assert message.startswith("hw.zip is ")


@pytest.mark.threat(59, 60)
def test_no_name_of_the_upload_reaches_the_screen_unchanged(tmp_path):
    path = tmp_path / "hw\x1b[2J\u202e.zip"
    path.write_bytes(b"")
    message = refusal(path)
    assert "\x1b" not in message
    assert "\u202e" not in message

"""The scratch folder's size and end, whatever is in it."""

from __future__ import annotations

import ctypes
import os
import stat
import tempfile
from pathlib import Path

import pytest

from autograder.sandbox import scratch

from .conftest import as_ordinary_user

MB = 1 << 20
NOBODYS_PID = 1 << 30


def nest(folder: Path, depth: int) -> None:
    """Folders inside each other, deeper than a path can be long."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("inner", dir_fd=here)
        deeper = os.open("inner", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)


def holds_more_than(limit: int, folder: Path) -> bool:
    return scratch.holds_more_than(limit, folder, NOBODYS_PID)


class TestSize:
    def test_counts_files_in_all_folders(self, tmp_path: Path) -> None:
        assert not holds_more_than(MB, tmp_path)
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").write_bytes(bytes(MB))
        assert holds_more_than(MB, tmp_path)
        assert not holds_more_than(3 * MB, tmp_path)

    def test_counts_what_is_on_disk(self, tmp_path: Path) -> None:
        with open(tmp_path / "sparse", "wb") as file:
            file.truncate(100 * MB)
        assert not holds_more_than(MB, tmp_path)

    def test_links_are_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "file").write_bytes(bytes(2 * MB))
        inside = tmp_path / "inside"
        inside.mkdir()
        (inside / "folder").symlink_to(tmp_path / "outside")
        (inside / "file").symlink_to(tmp_path / "outside" / "file")
        (inside / "loop").symlink_to(inside)
        assert not holds_more_than(MB, inside)

    @pytest.mark.threat(25)
    def test_too_many_entries(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scratch, "_MAX_ENTRIES", 20)
        for number in range(20):
            (tmp_path / str(number)).touch()
        assert not holds_more_than(MB, tmp_path)
        (tmp_path / "one more").touch()
        assert holds_more_than(MB, tmp_path)

    @pytest.mark.threat(25)
    def test_too_deep(self, tmp_path: Path) -> None:
        nest(tmp_path, 1500)
        assert holds_more_than(64 * MB, tmp_path)
        scratch.remove(tmp_path)

    def test_what_may_not_be_listed(self) -> None:
        assert as_ordinary_user(closed_folder_counts) == [True, False]

    @pytest.mark.threat(25)
    def test_deleted_files_that_are_open(self, tmp_path: Path) -> None:
        with open(tmp_path / "file", "wb") as file:
            file.write(bytes(2 * MB))
            file.flush()
            os.unlink(tmp_path / "file")
            assert scratch.holds_more_than(MB, tmp_path, os.getpid())
            assert not scratch.holds_more_than(3 * MB, tmp_path, os.getpid())
        assert not scratch.holds_more_than(MB, tmp_path, os.getpid())

    @pytest.mark.threat(25)
    def test_deleted_files_that_are_only_mapped(self, tmp_path: Path) -> None:
        """Their size is not known, so that each counts as a quarter of the limit."""
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        maps = []
        for _ in range(5):
            assert not scratch.holds_more_than(MB, tmp_path, os.getpid())
            opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
            os.write(opened, bytes(4096))
            maps.append(libc.mmap(None, ctypes.c_size_t(4096), 1, 1, opened, ctypes.c_long(0)))
            os.close(opened)
            os.unlink(tmp_path / "file")
        assert scratch.holds_more_than(MB, tmp_path, os.getpid())
        for address in maps:
            libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(4096))
        assert not scratch.holds_more_than(MB, tmp_path, os.getpid())

    def test_no_folder(self, tmp_path: Path) -> None:
        assert not holds_more_than(0, tmp_path / "gone")


def closed_folder_counts() -> list[bool]:
    """As a user whom permissions stop."""
    folder = Path(tempfile.mkdtemp())
    (folder / "closed").mkdir(mode=0)
    found = holds_more_than(64 * MB, folder)
    scratch.remove(folder)
    return [found, folder.exists()]


class TestRemoval:
    def test_everything_goes_and_nothing_else(self, tmp_path: Path) -> None:
        outside, inside = tmp_path / "outside", tmp_path / "inside"
        (outside / "folder").mkdir(parents=True)
        (outside / "file").write_text("stays")
        (inside / "a" / "b" / "c").mkdir(parents=True)
        (inside / "a" / "file").write_text("goes")
        (inside / "a" / "b" / "folder").symlink_to(outside)
        (inside / "file").symlink_to(outside / "file")
        (inside / "nowhere").symlink_to("/nowhere/at/all")
        os.link(outside / "file", inside / "second name")
        os.mkfifo(inside / "pipe")
        scratch.remove(inside)
        assert [path.name for path in tmp_path.iterdir()] == ["outside"]
        assert (outside / "file").read_text() == "stays"
        assert (outside / "folder").is_dir()

    @pytest.mark.threat(25)
    def test_folders_a_thousand_deep(self, tmp_path: Path) -> None:
        folder = tmp_path / "deep"
        folder.mkdir()
        nest(folder, 3000)
        scratch.remove(folder)
        assert not folder.exists()

    def test_names_of_every_kind(self, tmp_path: Path) -> None:
        folder = tmp_path / "odd"
        folder.mkdir()
        for name in (b"\xff\xfe", b"a\nb", b"-rf", b" ", b"x" * 255, "é".encode()):
            os.mkdir(os.fsencode(folder) + b"/" + name)
            Path(os.fsdecode(os.fsencode(folder) + b"/" + name), "file").touch()
        scratch.remove(folder)
        assert not folder.exists()

    def test_what_does_not_exist(self, tmp_path: Path) -> None:
        scratch.remove(tmp_path / "gone")

    def test_what_stands_in_the_folders_place(self, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir(mode=0o755)
        for name, make in (("link", lambda path: path.symlink_to("outside")), ("file", Path.touch)):
            make(tmp_path / name)
            scratch.remove(tmp_path / name)
        assert [path.name for path in tmp_path.iterdir()] == ["outside"]
        assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o755

    def test_closed_folders_of_an_ordinary_user(self) -> None:
        assert as_ordinary_user(remove_closed_folders) is False


def remove_closed_folders() -> bool:
    """Folders without permissions around a file without permissions."""
    folder = Path(tempfile.mkdtemp())
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").touch(mode=0)
    (folder / "a" / "b").chmod(0)
    (folder / "a").chmod(0)
    folder.chmod(0)
    scratch.remove(folder)
    return folder.exists()

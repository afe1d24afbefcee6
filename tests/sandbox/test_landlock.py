"""Landlock: what a process can still open, connect to and signal after it has given up the rest."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.sandbox import landlock

from .conftest import in_fork, needs_landlock, outcome


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three folders with a file each: `library` to read, `scratch` to write, `secret` for nobody."""
    for name in ("library", "scratch", "secret"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "file").write_text(name)
    return tmp_path


def restricted(ruleset: Callable[[], int], actions: dict[str, Callable[[], Any]]) -> dict[str, str]:
    """Outcomes of actions in a process that applied the ruleset."""

    def run() -> dict[str, str]:
        landlock._libc.prctl(38, 1, 0, 0, 0)  # no new privileges
        made = ruleset()
        landlock.restrict_self(made)
        os.close(made)
        return {name: outcome(action) for name, action in actions.items()}

    result: dict[str, str] = in_fork(run)
    return result


@needs_landlock
class TestFiles:
    @pytest.mark.threat(2, 3)
    def test_only_what_is_listed(self, tree: Path) -> None:
        found = restricted(
            lambda: landlock.make_ruleset([tree / "library"], [tree / "scratch"]),
            {
                "read library": (tree / "library/inner/file").read_text,
                "list library": lambda: list((tree / "library").iterdir()),
                "write library": lambda: (tree / "library/inner/file").write_text("x"),
                "append to library": lambda: os.close(os.open(tree / "library/inner/file", os.O_WRONLY | os.O_APPEND)),
                "new in library": lambda: (tree / "library/new").touch(),
                "delete in library": (tree / "library/inner/file").unlink,
                "read scratch": (tree / "scratch/inner/file").read_text,
                "write scratch": lambda: (tree / "scratch/inner/file").write_text("x"),
                "new folder in scratch": (tree / "scratch/new").mkdir,
                "rename in scratch": lambda: (tree / "scratch/inner/file").rename(tree / "scratch/inner/other"),
                "delete in scratch": (tree / "scratch/inner/other").unlink,
                "read secret": (tree / "secret/inner/file").read_text,
                "list secret": lambda: list((tree / "secret").iterdir()),
                "write secret": lambda: (tree / "secret/inner/file").write_text("x"),
                "shorten secret": lambda: os.truncate(tree / "secret/inner/file", 0),
                "read by dots": (tree / "scratch/../secret/inner/file").read_text,
                "list above": lambda: list(tree.iterdir()),
                "list /": lambda: os.listdir("/"),
                "read /etc/passwd": Path("/etc/passwd").read_text,
                "read /proc": Path("/proc/self/environ").read_bytes,
                "link secret": lambda: os.link(tree / "secret/inner/file", tree / "scratch/link"),
                "link by name": lambda: os.symlink(tree / "secret/inner/file", tree / "scratch/name"),
                "read by link": (tree / "scratch/name").read_text,
            },
        )
        allowed = {
            *("read library", "list library", "read scratch", "write scratch", "new folder in scratch"),
            *("rename in scratch", "delete in scratch", "link by name"),
        }
        assert {name for name, answer in found.items() if answer == "done"} == allowed
        assert set(found.values()) <= {"done", "EACCES", "EXDEV"}
        assert (tree / "secret/inner/file").read_text() == "secret"

    def test_single_files_can_be_listed(self, tree: Path) -> None:
        found = restricted(
            lambda: landlock.make_ruleset([tree / "library/inner/file"], [Path(os.devnull)]),
            {
                "file": (tree / "library/inner/file").read_text,
                "folder": lambda: os.listdir(tree / "library/inner"),
                "null": lambda: Path(os.devnull).write_text("x"),
            },
        )
        assert found == {"file": "done", "folder": "EACCES", "null": "done"}

    def test_paths_that_do_not_exist_are_passed_over(self, tree: Path) -> None:
        found = restricted(
            lambda: landlock.make_ruleset([tree / "nothing", tree / "library"], [tree / "nowhere"]),
            {"library": (tree / "library/inner/file").read_text, "secret": (tree / "secret/inner/file").read_text},
        )
        assert found == {"library": "done", "secret": "EACCES"}

    def test_a_ruleset_for_writing_leaves_reading_alone(self, tree: Path) -> None:
        found = restricted(
            lambda: landlock.make_write_ruleset([tree / "scratch"]),
            {
                "read": (tree / "secret/inner/file").read_text,
                "list": lambda: os.listdir(tree / "secret"),
                "write": lambda: (tree / "secret/inner/file").write_text("x"),
                "new": lambda: (tree / "secret/new").touch(),
                "delete": (tree / "secret/inner/file").unlink,
                "scratch": lambda: (tree / "scratch/new").write_text("x"),
            },
        )
        refused = {"write", "new", "delete"}
        assert {name for name, answer in found.items() if answer == "EACCES"} == refused
        assert {name for name, answer in found.items() if answer == "done"} == set(found) - refused


@needs_landlock
class TestNetworkAndSignals:
    @pytest.mark.threat(15)
    def test_no_connection(self) -> None:
        if landlock.abi_version() < 4:
            pytest.skip("this Landlock does not know the network")
        with socket.create_server(("127.0.0.1", 0)) as server:
            found = restricted(
                lambda: landlock.make_ruleset([], []),
                {
                    "connect": lambda: socket.create_connection(server.getsockname()).close(),
                    "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
                },
            )
        assert found == {"connect": "EACCES", "listen": "EACCES"}

    @pytest.mark.threat(14)
    def test_no_signal_to_a_process_outside(self) -> None:
        if landlock.abi_version() < 6:
            pytest.skip("this Landlock does not know signals")
        found = restricted(
            lambda: landlock.make_ruleset([], []),
            {"parent": lambda: os.kill(os.getppid(), 0), "itself": lambda: signal.raise_signal(signal.SIGCONT)},
        )
        assert found == {"parent": "EPERM", "itself": "done"}


def test_a_kernel_without_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_such_call(*_: object) -> int:
        landlock.ctypes.set_errno(errno.ENOSYS)
        return -1

    class Libc:
        syscall = staticmethod(no_such_call)

    monkeypatch.setattr(landlock, "_libc", Libc)
    for use in (landlock.abi_version, lambda: landlock.make_ruleset([], [tmp_path]), lambda: landlock.restrict_self(0)):
        with pytest.raises(landlock.LandlockError) as caught:
            use()
        assert caught.value.errno == errno.ENOSYS

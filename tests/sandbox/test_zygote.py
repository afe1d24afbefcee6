"""The warm process: children come from it clean, and whatever they start ends with them."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.sandbox import wire
from autograder.sandbox.errors import SandboxError
from autograder.sandbox.jail import LAYERS, JailSettings
from autograder.sandbox.session import Session
from autograder.sandbox.wire import Ref
from autograder.sandbox.zygote import Zygote

from .conftest import Room, descendants, needs_root

LOOP = "def f():\n    while True: pass"


def start_a_loop(session: Session) -> int:
    """Have the child compute for ever; its process id."""
    session.import_module("work")
    call = {"op": "call", "target": Ref({"module": "work"}, ("f",)), "args": [], "kwargs": {}}
    session._write(wire.encode({**call, "wrt": [], "cotangent": None}), 5)
    return session._pid


def lives(pid: int) -> bool:
    """Whether a process still runs (one that nobody has waited for yet does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def ends_soon(pid: int) -> bool:
    """Whether a process ends within some seconds."""
    for _ in range(500):
        if not lives(pid):
            return True
        time.sleep(0.01)
    return False


class TestChildren:
    def test_find_their_folders(self, room: Room) -> None:
        source = """
import os, stat
def f():
    return os.getcwd(), os.listdir("."), [oct(stat.S_IMODE(os.stat(name).st_mode)) for name in (".", "images")]
"""
        student = room.student(source)
        folder, names, modes = student.work.f()
        assert Path(folder) == student.session._scratch
        assert Path(folder).parent == room.zygote.scratch_root
        assert (names, modes) == (["images"], ["0o700", "0o700"])
        assert stat.S_IMODE(room.zygote.scratch_root.stat().st_mode) == 0o711

    def test_have_no_folders_but_those_asked_for(self, make_room: Callable[..., Room]) -> None:
        assert make_room().call("import os\ndef f(): return os.listdir('.')") == []

    def test_come_one_at_a_time(self, room: Room) -> None:
        session = room.session("x = 1")
        with pytest.raises(SandboxError, match="close its session first"):
            Session(room.zygote, {})
        session.import_module("work")
        session.close()
        Session(room.zygote, {}).close()

    def test_are_processes_of_the_zygote_in_a_session_of_their_own(self, room: Room) -> None:
        source = "import os\ndef f(): return os.getpid(), os.getppid(), os.getsid(0), os.getpgid(0)"
        pid, parent, group_session, group = room.call(source)
        assert parent == room.zygote.pid
        assert pid == group_session == group

    @pytest.mark.threat(25)
    def test_leave_no_files(self, room: Room) -> None:
        source = """
import os
def f():
    os.makedirs("a/b/c")
    for path in ("a/file", "a/b/file", "images/.hidden", "-rf", "line\\nbreak"):
        open(path, "w").write("x")
    os.symlink("/", "root")
    os.chmod("a/b", 0)
    os.mkfifo("pipe")
    os.chmod(".", 0)
"""
        room.call(source)
        folder = next(room.zygote.scratch_root.iterdir())
        room.close_session()
        assert not folder.exists()
        assert Path("/etc").is_dir()


PROCESSES = {
    "child": "start(wait)",
    "group of its own": "start(lambda: (os.setsid(), wait()))",
    "orphan": "start(lambda: start(wait))",
    "orphan of an orphan": "start(lambda: (os.setsid(), start(lambda: start(wait))))",
    "deaf": "start(lambda: (ignore(), wait()))",
    "stopped": "start(lambda: os.kill(os.getpid(), signal.SIGSTOP))",
    "busy": "start(spin)",
    "many": "[start(wait) for _ in range(20)]",
    "zombie": "start(lambda: None)",
    "endless family": "start(family)",
}
START = """
import os, signal, time
def start(action):
    try:
        pid = os.fork()
    except OSError:
        return
    if pid == 0:
        action()
        os._exit(0)
def wait():
    while True: time.sleep(100)
def spin():
    while True: pass
def ignore():
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
def family():
    while True:
        if os.fork():
            os._exit(0)
        time.sleep(0.001)
"""


@pytest.fixture(scope="module")
def rooms() -> Iterator[dict[str, Room]]:
    """One room with a user of its own, one without; neither has the filter."""
    without = tuple(layer for layer in LAYERS if layer != "seccomp")
    shared = tuple(layer for layer in without if layer != "uid")
    made = {
        name: Room(Zygote(JailSettings(layers=held))) for name, held in (("own user", without), ("no user", shared))
    }
    yield made
    for room in made.values():
        room.zygote.close()


class TestProcesses:
    """Without the filter over system calls a submission can start processes; they end all the same."""

    @pytest.mark.threat(4)
    @pytest.mark.parametrize("name", PROCESSES)
    @pytest.mark.parametrize("kind", ["own user", "no user"])
    def test_end_with_the_child(self, rooms: dict[str, Room], kind: str, name: str) -> None:
        room = rooms[kind]
        assert room.call(f"{START}\ndef f():\n    {PROCESSES[name]}\n    time.sleep(0.05)\n    return 1") == 1
        room.close_session()
        assert room.left_behind() == []

    @pytest.mark.threat(4)
    def test_end_when_the_child_is_stopped_at_a_limit(self, rooms: dict[str, Room]) -> None:
        for room in rooms.values():
            session = room.session(f"{START}\ndef f():\n    start(wait)\n    spin()")
            pid = start_a_loop(session)
            for _ in range(200):
                if len(descendants(room.zygote.pid)) == 2:
                    break
                time.sleep(0.01)
            assert len(descendants(room.zygote.pid)) == 2
            session.close()
            assert not lives(pid)
            assert room.left_behind() == []

    @pytest.mark.threat(23)
    @needs_root
    def test_a_fork_bomb_is_limited(self, rooms: dict[str, Room]) -> None:
        source = (
            f"{START}\ndef f():\n    made = 0\n    try:\n        while True:\n            if os.fork() == 0: wait()\n"
        )
        source += "            made += 1\n    except BlockingIOError:\n        return made"
        room = rooms["own user"]
        assert 10 < room.call(source) < 64
        room.close_session()
        assert room.left_behind() == []


class TestZygote:
    @pytest.mark.threat(12)
    def test_holds_no_descriptor_of_the_grader(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("42")
        with open(secret) as file, Zygote() as zygote:
            os.set_inheritable(file.fileno(), True)
            Session(zygote, {}).close()
            open_files = [os.readlink(path) for path in Path(f"/proc/{zygote.pid}/fd").iterdir()]
        assert sum(name.startswith("socket:") for name in open_files) == 1
        others = [name for name in open_files if not name.startswith(("socket:", "anon_inode:"))]
        assert set(others) == {os.devnull}

    def test_runs_no_thread(self, room: Room) -> None:
        room.call("def f(): return 1")
        assert len(list(Path(f"/proc/{room.zygote.pid}/task").iterdir())) == 1

    def test_does_not_pass_on_the_graders_handler_of_crashes(self, make_room: Callable[..., Room]) -> None:
        was_on = faulthandler.is_enabled()
        faulthandler.enable(sys.__stderr__)
        try:
            assert make_room().call("import faulthandler\ndef f(): return faulthandler.is_enabled()") is False
        finally:
            if not was_on:
                faulthandler.disable()

    def test_is_not_ended_by_the_keyboard(self, make_room: Callable[..., Room]) -> None:
        room = make_room()
        room.call("def f(): return 1")
        assert os.getpgid(room.zygote.pid) == room.zygote.pid != os.getpgid(0)
        os.kill(room.zygote.pid, signal.SIGINT)
        assert room.call("def f(): return 1") == 1

    def test_closes_twice_and_removes_its_folder(self) -> None:
        zygote = Zygote()
        assert zygote.scratch_root.is_dir()
        zygote.close()
        zygote.close()
        assert not zygote.scratch_root.exists()
        assert not lives(zygote.pid)

    def test_a_closed_or_lost_one_starts_no_child(self) -> None:
        lost = Zygote()
        os.kill(lost.pid, signal.SIGKILL)
        closed = Zygote()
        closed.close()
        for zygote in (lost, closed):
            with pytest.raises(SandboxError, match="sandbox"):
                Session(zygote, {})
            zygote.close()

    def test_a_child_does_not_outlive_it(self) -> None:
        zygote = Zygote()
        session = Session(zygote, {"work.py": LOOP})
        pid = start_a_loop(session)
        assert lives(pid)
        zygote.close()
        assert ends_soon(pid)
        with contextlib.suppress(SandboxError):
            session.close()

    def test_nothing_outlives_the_grader(self, tmp_path: Path) -> None:
        readable, writable = os.pipe()
        grader = os.fork()
        if grader == 0:
            try:
                tmp_path.chmod(0o755)
                tempfile.tempdir = str(tmp_path)
                zygote = Zygote(JailSettings(layers=()))
                pid = start_a_loop(Session(zygote, {"work.py": LOOP}))
                os.write(writable, f"{zygote.pid} {pid}".encode())
                time.sleep(60)
            finally:
                os._exit(1)
        os.close(writable)
        pids = [int(word) for word in os.read(readable, 100).split()]
        os.close(readable)
        assert len(pids) == 2
        assert all(map(lives, pids))
        os.kill(grader, signal.SIGKILL)
        os.waitpid(grader, 0)
        assert all(map(ends_soon, pids))

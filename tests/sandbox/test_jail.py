"""The layers of the jail: each holds, each can be missing without the others, and the report never lies about it."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.sandbox import jail, landlock
from autograder.sandbox.errors import ChildEnded, SubmissionRaised
from autograder.sandbox.jail import LAYERS, ON, JailSettings
from autograder.sandbox.session import Session
from autograder.sandbox.zygote import Zygote

from .conftest import Room, as_ordinary_user, has_landlock, in_fork, needs_landlock, needs_root

PLANTED = "GENLAB_PLANTED_SECRET"
FACTS = """
import ctypes, os, resource, socket

def attempt(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"

def f(path):
    return {
        "environment": os.environ.get("GENLAB_PLANTED_SECRET", "gone"),
        "no_new_privs": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0),
        "uid": os.getuid(),
        "rlimits": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "landlock": attempt(lambda: open(path).read()),
        "seccomp": attempt(lambda: socket.socket(socket.AF_UNIX).close()),
    }
"""
WITHOUT = {"environment": "told", "no_new_privs": 0, "uid": os.getuid(), "landlock": "done", "seccomp": "done"}
WITHOUT["rlimits"] = resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def offered() -> set[str]:
    """The layers that this machine has for this user."""
    missing = {"uid"} if os.geteuid() != 0 else set()
    return set(LAYERS) - missing - (set() if has_landlock() else {"landlock"})


def closed(uid: int) -> dict[str, Any]:
    return {
        **{"environment": "gone", "no_new_privs": 1, "uid": uid, "rlimits": 256},
        **{"landlock": "PermissionError", "seccomp": "PermissionError"},
    }


@pytest.fixture
def readable(public_folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file that every user of this machine can read, and a secret in the environment."""
    monkeypatch.setenv(PLANTED, "told")
    path = public_folder / "answers.txt"
    path.write_text("42")
    path.chmod(0o644)
    return str(path)


class TestLayers:
    def test_all_that_the_machine_has_are_on(self, make_room: Callable[..., Room], readable: str) -> None:
        room = make_room()
        student = room.student(FACTS)
        held = student.session.layers
        assert tuple(held) == LAYERS
        assert {layer for layer, state in held.items() if state == ON} == offered()
        facts = student.work.f(readable)
        expected = closed(jail.child_uid() or os.getuid())
        assert {layer: facts[layer] for layer in offered()} == {layer: expected[layer] for layer in offered()}

    @pytest.mark.parametrize("layer", LAYERS)
    def test_one_switched_off(self, make_room: Callable[..., Room], readable: str, layer: str) -> None:
        student = make_room(JailSettings(layers=tuple(name for name in LAYERS if name != layer))).student(FACTS)
        held = student.session.layers
        missing = {layer}
        if layer == "no_new_privs" and "uid" in offered():  # the kernel asks for it from all but root
            missing |= {"landlock", "seccomp"} & offered()
            assert all(held[name].startswith("not available: ") for name in missing - {layer})
        assert held[layer] == "switched off"
        assert {name for name, state in held.items() if state == ON} == offered() - missing
        facts, expected = student.work.f(readable), closed(jail.child_uid() or os.getuid())
        for name in offered() - missing:
            assert facts[name] == expected[name], name
        for name in missing & offered():
            assert facts[name] == WITHOUT[name], name

    def test_none_at_all(self, make_room: Callable[..., Room], readable: str) -> None:
        student = make_room(JailSettings(layers=())).student(FACTS)
        assert student.session.layers == dict.fromkeys(LAYERS, "switched off")
        assert student.work.f(readable) == WITHOUT


class TestMissingLayers:
    """What a machine does not have is named, and the rest holds."""

    def test_a_kernel_without_landlock(
        self, make_room: Callable[..., Room], readable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def none(*_: object) -> int:
            raise landlock.LandlockError(errno.ENOSYS, "no such call")

        monkeypatch.setattr(landlock, "make_ruleset", none)
        student = make_room().student(FACTS)
        assert student.session.layers["landlock"] == "not available: the kernel has no Landlock"
        assert student.work.f(readable)["landlock"] == "done"
        assert student.work.f(readable)["seccomp"] == "PermissionError"

    @needs_landlock
    def test_a_kernel_that_only_pretends(self, make_room: Callable[..., Room], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(landlock, "restrict_self", lambda ruleset: None)
        state = make_room().session(FACTS).layers["landlock"]
        assert state == "not available: the kernel accepted the rules but does not apply them"

    @needs_root
    def test_users_that_do_not_exist_in_this_container(
        self, make_room: Callable[..., Room], readable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def invalid(*_: object) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

        for name in ("chown", "setresuid", "setresgid"):
            monkeypatch.setattr(os, name, invalid)
        student = make_room().student(FACTS)
        assert student.session.layers["uid"].startswith("not available: ")
        assert student.work.f(readable)["uid"] == 0
        assert {name for name, state in student.session.layers.items() if state == ON} == offered() - {"uid"}

    def test_a_machine_without_a_filter(
        self, make_room: Callable[..., Room], readable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("platform.machine", lambda: "riscv64")
        student = make_room().student(FACTS)
        assert "no filter for riscv64" in student.session.layers["seccomp"]
        assert student.work.f(readable)["seccomp"] == "done"


AS_USER = """
import os, resource, socket

def attempt(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"

def f():
    open("images/left.txt", "w").write("x")
    os.mkdir("closed")
    open("closed/file", "w").write("x")
    os.chmod("closed", 0)
    return {
        "uid": os.getuid(),
        "network": attempt(lambda: socket.socket()),
        "fork": attempt(os.fork),
        "kill": attempt(lambda: os.kill(os.getppid(), 9)),
        "limits": attempt(lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))),
        "read": attempt(lambda: open("/etc/passwd").read()),
        "list": attempt(lambda: os.listdir("/")),
        "proc": attempt(lambda: os.listdir("/proc")),
        "next to scratch": attempt(lambda: open("../left.txt", "w")),
        "in scratch": attempt(lambda: open("mine.txt", "w")),
    }

def around():
    return [os.listdir(".."), os.listdir("."), os.listdir("images")]
"""


def visit_as_user() -> list[Any]:
    """Two children of an ordinary user's zygote, one after the other."""
    with Zygote(scratch_dirs=("images",)) as zygote:
        room = Room(zygote)
        student = room.student(AS_USER)
        result = [student.session.layers, student.work.f()]
        room.close_session()
        result.append(room.left_behind())
        result.append(room.student(AS_USER).work.around())
        room.close_session()
        return [*result, zygote._uid]


@needs_landlock
class TestOrdinaryUser:
    def test_all_but_the_uid_layer_hold(self, room: Room) -> None:
        layers, facts, left, around, uid = as_ordinary_user(visit_as_user)
        assert uid is None
        assert layers == {**dict.fromkeys(LAYERS, ON), "uid": "not available: the grader does not run as root"}
        assert facts.pop("in scratch") == "done"
        assert facts.pop("uid") == (65534 if os.getuid() == 0 else os.getuid())
        assert set(facts.values()) == {"PermissionError"}, facts
        assert left == []
        assert around == [["run2"], ["images"], []]


class TestEnvironment:
    SOURCE = """
import ctypes, os, posix, sys, tempfile
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
names = sorted(os.environ)
def f():
    seen = [*os.environ.values(), *map(os.fsdecode, posix.environ.values()), *sys.argv, *sys.orig_argv]
    planted = libc.getenv(b"GENLAB_PLANTED_SECRET")
    with tempfile.NamedTemporaryFile() as file:
        inside = file.name.startswith(os.environ["TMPDIR"])
    return names, seen, planted is not None, inside, os.path.expanduser("~") == os.getcwd() == tempfile.gettempdir()

def block(size):
    start = ctypes.c_void_p.in_dll(libc, "program_invocation_name").value
    return ctypes.string_at(start, size).hex()

def own(name):
    return open(f"/proc/self/{name}", "rb").read().hex()
"""

    @pytest.mark.threat(13)
    def test_is_scrubbed(self, make_room: Callable[..., Room], readable: str) -> None:
        names, seen, planted, inside, at_home = make_room().student(self.SOURCE).work.f()
        expected = {*("HOME", "LOGNAME", "MPLBACKEND", "MPLCONFIGDIR", "OMP_NUM_THREADS", "PATH", "TMPDIR", "USER")}
        assert expected <= set(names) <= expected | {"LANG", "LC_ALL", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
        assert "told" not in seen
        assert not any("pytest" in text for text in seen)
        assert (planted, inside, at_home) == (False, True, True)

    @pytest.mark.threat(13)
    def test_the_block_at_the_top_of_the_stack_is_wiped(self, make_room: Callable[..., Room]) -> None:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        size = int(fields[48]) - int(fields[45])
        ours = make_room(JailSettings(layers=())).student(self.SOURCE).work.block(size)
        assert bytes.fromhex(ours).startswith(Path("/proc/self/cmdline").read_bytes())
        theirs = make_room().student(self.SOURCE).work.block(size)
        assert bytes.fromhex(theirs) == bytes(size)

    @pytest.mark.threat(13)
    def test_and_so_is_what_the_kernel_shows_of_it(self, make_room: Callable[..., Room]) -> None:
        student = make_room(JailSettings(layers=("environment",))).student(self.SOURCE)
        assert any(Path("/proc/self/environ").read_bytes())
        for name in ("environ", "cmdline"):
            assert not any(bytes.fromhex(student.work.own(name))), name


class TestResources:
    def test_limits_are_in_force_and_cannot_be_raised(self, make_room: Callable[..., Room]) -> None:
        source = """
import resource
def f():
    found = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")}
    refused = []
    for name, (soft, hard) in found.items():
        try:
            resource.setrlimit(getattr(resource, name), (soft, hard + 1))
        except (ValueError, OSError):
            refused.append(name)
    return found, refused
"""
        limits, refused = make_room(JailSettings(memory_mb=700, disk_mb=3, cpu_seconds=50)).student(source).work.f()
        assert limits["RLIMIT_CORE"] == (0, 0)
        assert limits["RLIMIT_CPU"] == (50, 51)
        assert limits["RLIMIT_FSIZE"] == (3 << 20, 3 << 20)
        assert limits["RLIMIT_NOFILE"] == (256, 256)
        assert limits["RLIMIT_MEMLOCK"] == limits["RLIMIT_MSGQUEUE"] == (0, 0)
        assert 700 << 20 < limits["RLIMIT_AS"][0] < 64 << 30
        if os.geteuid() == 0:
            assert limits["RLIMIT_NPROC"] == (64, 64)
            assert {"RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC"} <= set(refused)

    @pytest.mark.threat(24)
    def test_memory(self, make_room: Callable[..., Room]) -> None:
        room = make_room(JailSettings(memory_mb=300))
        source = """
import numpy, torch
def small(): return float(torch.ones(10 << 20).sum())
def tensor(): return torch.ones(200 << 20)
def array(): return numpy.ones(100 << 20)
def plain(): return len(bytearray(500 << 20))
"""
        student = room.student(source)
        assert student.work.small() == 10 << 20
        for name in ("tensor", "array", "plain"):
            with pytest.raises(ChildEnded, match="more than the 300 MB of memory") as caught:
                getattr(student.work, name)()
            assert caught.value.reason == "memory"

    @pytest.mark.threat(24)
    def test_memory_in_many_parts(self) -> None:
        """In a fresh process: memory that the forking one has freed but not given back comes on top of the limit."""
        program = """
from autograder.sandbox.jail import JailSettings
from autograder.sandbox.zygote import Zygote
from tests.sandbox.conftest import Room

source = '''
def f():
    kept = []
    try:
        while True: kept.append(bytearray(50 << 20))
    except MemoryError:
        return len(kept)
'''
with Zygote(JailSettings(memory_mb=300)) as zygote:
    room = Room(zygote)
    print(room.call(source))
    room.close_session()
"""
        told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        assert 3 <= int(told) <= 6

    @pytest.mark.threat(25)
    def test_a_single_file(self, make_room: Callable[..., Room]) -> None:
        room = make_room(JailSettings(disk_mb=1))
        source = """
def f(size):
    with open("file", "wb") as file:
        return file.write(bytes(size))
"""
        assert room.call(source, 1 << 20) == 1 << 20
        with pytest.raises(SubmissionRaised, match="File too large"):
            room.call(source, (1 << 20) + 1)

    @pytest.mark.threat(21)
    def test_processor_time(self, make_room: Callable[..., Room]) -> None:
        room = make_room(JailSettings(cpu_seconds=1))
        with pytest.raises(ChildEnded, match="more processor time") as caught:
            room.call("def f():\n    while True: pass")
        assert caught.value.reason == "time"

    @pytest.mark.threat(22)
    def test_processor_time_when_the_signal_is_ignored(self, make_room: Callable[..., Room]) -> None:
        room = make_room(JailSettings(cpu_seconds=1))
        source = "import signal\ndef f():\n    signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n    while True: pass"
        with pytest.raises(ChildEnded) as caught:
            room.call(source)
        assert caught.value.reason == "killed"


class TestLibraryPaths:
    @pytest.mark.threat(2)
    def test_the_grader_is_not_among_them(self) -> None:
        package = Path(jail.__file__).resolve().parents[1]
        for path in jail._library_paths():
            assert not package.is_relative_to(path.resolve()), path

    @pytest.mark.parametrize("folder", ["/usr/lib", "/usr/share"])
    def test_not_even_where_it_is_installed_in_a_system_folder(
        self, folder: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outer = next(path for path in sorted(Path(folder).iterdir()) if path.is_dir() and not path.is_symlink())
        inner = [path for path in sorted(outer.iterdir()) if path.is_dir() and not path.is_symlink()]
        package = inner[0] if inner else outer
        monkeypatch.setattr(jail, "__file__", str(package / "sandbox" / "jail.py"))
        paths = [path.resolve() for path in jail._library_paths()]
        assert not any(package.is_relative_to(path) or path.is_relative_to(package) for path in paths)
        neighbour = next(path for path in Path(folder).iterdir() if path != outer and not path.is_symlink())
        assert neighbour in paths


class TestUser:
    def test_each_grader_has_one_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        uids = set()
        for pid in range(5000, 5100):
            monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
            uids.add(jail.child_uid())
        assert len(uids) == 100
        assert all(isinstance(uid, int) and 60_000 < uid < 65_534 for uid in uids)

    def test_none_without_roots_rights(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert jail.child_uid() is None

    @pytest.mark.threat(14)
    @needs_root
    def test_nothing_of_root_is_left(self, room: Room) -> None:
        source = """
import ctypes, os
def f():
    tried = []
    for change in (os.setuid, os.seteuid, os.setgid, lambda n: os.setgroups([n])):
        try:
            change(0)
        except PermissionError:
            tried.append(True)
    return os.getresuid(), os.getresgid(), os.getgroups(), len(tried)
"""
        uids, gids, groups, refused = room.call(source)
        assert set(uids) == set(gids) == {jail.child_uid()}
        assert groups == []
        assert refused == 4

    @needs_root
    def test_groups_of_the_grader_are_left(self) -> None:
        assert in_fork(groups_of_a_child) == [[4242, 4243], []]


def groups_of_a_child() -> list[Any]:
    """Groups of this grader and of its child."""
    os.setgroups([4242, 4243])
    with Zygote() as zygote:
        return [os.getgroups(), Room(zygote).call("import os\ndef f(): return os.getgroups()")]


def test_sessions_report_their_layers(room: Room) -> None:
    session = room.session(FACTS)
    assert isinstance(session, Session)
    assert {layer for layer, state in session.layers.items() if state == ON} == offered()

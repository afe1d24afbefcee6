"""A session with a submission that is honest, broken or hostile: a value or one sentence, in time, and nothing else."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.sandbox import scratch, wire
from autograder.sandbox.errors import (
    BadAnswer,
    ChildEnded,
    InputChanged,
    SubmissionError,
    SubmissionRaised,
)
from autograder.sandbox.proxy import Remote, fetch
from autograder.sandbox.session import SessionLimits
from autograder.sandbox.wire import Opaque, Ref

from ..threat_marks import marked
from .conftest import Room, needs_landlock, needs_root

REPOSITORY = Path(__file__).resolve().parents[2]


def ended(room: Room, source: str, *args: Any, limits: SessionLimits | None = None) -> ChildEnded:
    """How a child ended that did not answer; the session says the same of every later call."""
    student = room.student(source, limits=limits)
    function = student.work.f
    with pytest.raises(ChildEnded) as caught:
        function(*args)
    with pytest.raises(ChildEnded) as again:
        function(*args)
    assert again.value is caught.value
    assert student.session.exit is not None
    return caught.value


class TestValues:
    @pytest.mark.parametrize(
        "value",
        [None, True, 3, -0.5, "text \udcff", [1, (2, [])], {"a": {1: (None,)}}, (), math.inf],
        ids=repr,
    )
    def test_come_back_as_they_went(self, room: Room, value: Any) -> None:
        assert room.call("def f(x): return x", value) == value

    @pytest.mark.parametrize(
        "dtype", [torch.float64, torch.bfloat16, torch.bool, torch.int64, torch.complex64], ids=str
    )
    def test_tensors(self, room: Room, dtype: torch.dtype) -> None:
        for shape in ((), (0, 2), (2, 3)):
            tensor = torch.ones(shape).to(dtype)
            found = room.call("def f(x, *, y): return x.clone(), y.T if y.dim() == 2 else y", tensor, y=tensor)
            assert torch.equal(found[0], tensor)
            assert torch.equal(found[1], tensor.T if tensor.dim() == 2 else tensor)
            assert found[0].dtype == found[1].dtype == dtype

    def test_large_ones(self, room: Room) -> None:
        tensor = torch.arange(2_000_000.0)
        assert torch.equal(room.call("def f(x): return x + 1", tensor), tensor + 1)

    def test_arrays(self, room: Room) -> None:
        found = room.call("def f(x): return x * 2, x.sum(), x.shape", np.ones((2, 3), np.float32))
        assert np.array_equal(found[0], np.full((2, 3), 2, np.float32))
        assert found[1:] == (6.0, (2, 3))

    @pytest.mark.threat(8)
    @pytest.mark.parametrize(
        "body",
        [
            "import torch\nclass Liar(torch.Tensor):\n    __torch_function__ = classmethod(lambda *_, **__: True)\n"
            "def f(): return torch.ones(2).as_subclass(Liar)",
            "class Liar:\n    def __eq__(self, other): return True\n    __hash__ = None\ndef f(): return Liar()",
            "import torch\nclass Liar:\n    __class__ = torch.Tensor\n    shape = (2,)\ndef f(): return Liar()",
            "import torch\nclass Liar(torch.nn.Parameter): ...\ndef f(): return Liar(torch.ones(2))",
            "import numpy\nclass Liar(numpy.ndarray): ...\ndef f(): return numpy.ones(2).view(Liar)",
        ],
        ids=["torch function", "equality", "class", "parameter", "array"],
    )
    def test_objects_that_lie_do_not_cross(self, room: Room, body: str) -> None:
        value = room.call(body)
        assert type(value) is Remote
        assert repr(value) == "<Liar of the submission>"

    @pytest.mark.threat(9)
    def test_liars_that_hold_data_are_read_once(self, room: Room) -> None:
        source = """
class Number(float):
    reads = 0
    def __float__(self):
        Number.reads += 1
        return float(Number.reads)
class Items(list):
    def __iter__(self):
        return iter([Number.reads, "changed"])
def f(): return [Number(0.5), Items([1, 2])]
"""
        value = room.call(source)
        assert [type(part) for part in value] == [float, list]

    @pytest.mark.threat(33)
    def test_too_large_or_too_deep(self, room: Room) -> None:
        source = """
import torch
def f(kind):
    if kind == "expanded":
        return torch.zeros(1).expand(10**10)
    endless = []
    endless.append(endless)
    return endless
"""
        student = room.student(source)
        with pytest.raises(BadAnswer, match="larger than 256 MB"):
            student.work.f("expanded")
        with pytest.raises(BadAnswer, match="nested too deeply"):
            student.work.f("endless")

    def test_not_every_object_is_a_value(self, room: Room) -> None:
        assert room.call("def f(): return {1}, b'x', 2j") == (Opaque("set"), Opaque("bytes"), Opaque("complex"))


class TestChangedArguments:
    @pytest.mark.threat(57)
    def test_are_named(self, room: Room) -> None:
        student = room.student(
            "def f(x, y, *, z=None):\n    y.mul_(2)\n    if z is not None: z[0] = 7\n    return x\n"
            "class A:\n    def step(self, x, t): t.zero_()\n    def make(): return A()\n"
        )
        x = torch.ones(2)
        with pytest.raises(InputChanged) as caught:
            student.work.f(x, x.clone(), z=x.clone())
        assert (caught.value.function, caught.value.names) == ("f", ["y", "z"])
        with pytest.raises(InputChanged) as caught:
            student.work.A().step(x, x)
        assert (caught.value.function, caught.value.names) == ("step", ["t"])
        assert x.tolist() == [1, 1]

    @pytest.mark.threat(57)
    def test_an_answer_that_is_a_view_of_its_argument(self, room: Room) -> None:
        x = torch.ones(2, 2)
        found = room.call("def f(x): return x[0]", x)
        found.zero_()
        assert x.sum() == 4


class TestEnds:
    @pytest.mark.threat(5)
    @pytest.mark.parametrize(
        ("body", "reason", "sentence"),
        [
            ("os._exit(0)", "exit", "its process ended before it answered (such as by exit())"),
            ("os._exit(3)", "exit", "its process ended before it answered (such as by exit())"),
            ("os.kill(os.getpid(), signal.SIGKILL)", "killed", "its process was killed"),
            ("ctypes.string_at(0)", "crash", "its process crashed (segmentation fault)"),
            ("os.abort()", "crash", "its process was ended by a signal (SIGABRT)"),
            ("os.kill(os.getpid(), signal.SIGTERM)", "crash", "its process was ended by a signal (SIGTERM)"),
            ("signal.alarm(1); time.sleep(5)", "crash", "its process was ended by a signal (SIGALRM)"),
            ("os.kill(os.getpid(), 40)", "crash", "its process was ended by a signal (40)"),
            ("close_all()", "exit", "its process ended before it answered"),
        ],
    )
    def test_before_an_answer(self, room: Room, body: str, reason: str, sentence: str) -> None:
        source = f"""
import ctypes, os, signal, time
def close_all():
    os.closerange(3, 256)
def f():
    {body}
"""
        error = ended(room, source)
        assert error.reason == reason
        assert str(error).startswith(sentence)

    @pytest.mark.threat(5)
    def test_at_import(self, room: Room) -> None:
        student = room.student("import os\nos._exit(0)")
        with pytest.raises(ChildEnded) as caught:
            _ = student.work
        assert caught.value.importing == "work"

    @pytest.mark.threat(5)
    def test_sys_exit_is_an_exception(self, room: Room) -> None:
        for source in ("import sys\ndef f(): sys.exit(0)", "def f(): exit()", "def f(): quit(1)"):
            with pytest.raises(SubmissionRaised) as caught:
                room.call(source)
            assert (caught.value.type, caught.value.message) == ("SystemExit", "")

    def test_a_submission_goes_on_after_an_exception(self, room: Room) -> None:
        student = room.student("count = []\ndef f(x):\n    count.append(x)\n    return 1 / x, len(count)")
        with pytest.raises(SubmissionRaised, match="ZeroDivisionError"):
            student.work.f(0)
        assert student.work.f(1) == (1.0, 2)

    @pytest.mark.threat(6)
    def test_what_comes_after_the_answer_is_ignored(self, room: Room) -> None:
        source = """
import atexit, os, signal, threading, time
value = [1]
def late():
    time.sleep(0.05)
    value[0] = 2
    for descriptor in range(256):
        try:
            os.write(descriptor, b"PASSED " * 100)
        except OSError:
            pass
    open("images/late.txt", "w").write("x")
def f():
    atexit.register(late)
    threading.Thread(target=late).start()
    threading.Thread(target=late, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    return value
"""
        student = room.student(source)
        value = student.work.f()
        time.sleep(0.1)
        room.close_session()
        assert value == [1]
        assert room.left_behind() == []


SHORT = SessionLimits(import_seconds=0.3, call_seconds=0.3)
LOOPS = {
    "plain": "while True: pass",
    "except Exception": "while True:\n        try:\n            while True: pass\n        except Exception: pass",
    "bare except": "while True:\n        try:\n            while True: pass\n        except: pass",
    "sleep": "time.sleep(100)",
    "inside a library": "x = torch.ones(5000, 5000)\n    for _ in range(100): x = x @ x",
    "signals ignored": "ignore()\n    while True: pass",
    "timers cancelled": "signal.alarm(0); signal.setitimer(signal.ITIMER_REAL, 0)\n    while True: pass",
    "stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
    "clock set back": "time.monotonic = time.time = lambda: 0.0\n    while True: pass",
    "threads": "[threading.Thread(target=spin).start() for _ in range(3)]\n    spin()",
}


class TestTime:
    @pytest.mark.parametrize(
        "name", marked(LOOPS, {21: LOOPS, 22: ["signals ignored", "timers cancelled", "clock set back"]})
    )
    def test_a_call_that_does_not_end(self, room: Room, name: str) -> None:
        source = f"""
import os, signal, threading, time, torch
def spin():
    while True: pass
def ignore():
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
def f():
    {LOOPS[name]}
"""
        started = time.monotonic()
        error = ended(room, source, limits=SHORT)
        assert error.reason == "time"
        assert str(error) == "it did not finish within 0.3 seconds and was stopped"
        assert time.monotonic() - started < 10

    @pytest.mark.threat(29)
    def test_an_import_that_does_not_end(self, room: Room) -> None:
        student = room.student("while True: pass", limits=SHORT)
        with pytest.raises(ChildEnded) as caught:
            _ = student.work
        assert (caught.value.reason, caught.value.importing) == ("time", "work")

    def test_imports_and_calls_have_limits_of_their_own(self, room: Room) -> None:
        limits = SessionLimits(import_seconds=10, call_seconds=0.3)
        student = room.student("import time\ntime.sleep(0.5)\ndef f(n): time.sleep(n); return n", limits=limits)
        assert student.work.f(0) == 0
        with pytest.raises(ChildEnded):
            student.work.f(1)

    @pytest.mark.threat(27)
    def test_the_budget_of_the_whole_submission(self, room: Room) -> None:
        student = room.student("def f():\n    while True: pass", deadline=time.monotonic() + 1)
        started = time.monotonic()
        with pytest.raises(ChildEnded, match="the time for the whole submission was used up") as caught:
            student.work.f()
        assert caught.value.reason == "budget"
        assert time.monotonic() - started < 10

    def test_a_budget_that_is_used_up_already(self, room: Room) -> None:
        with pytest.raises(ChildEnded) as caught:
            room.session("x = 1", deadline=time.monotonic() - 1)
        assert caught.value.reason == "budget"

    @pytest.mark.threat(11, 21)
    def test_a_frame_that_is_never_finished(self, room: Room) -> None:
        error = ended(room, FORGE, list(wire.encode(7)[:-1]), "wait", limits=SHORT)
        assert error.reason == "time"


class TestAmounts:
    @pytest.mark.threat(24)
    def test_memory(self, room: Room) -> None:
        source = "import torch\ndef f(): return torch.ones(10**10)"
        student = room.student(source)
        with pytest.raises(ChildEnded, match="more than the 1500 MB of memory") as caught:
            student.work.f()
        assert caught.value.reason == "memory"

    @pytest.mark.threat(26)
    @pytest.mark.parametrize(
        "body",
        [
            "while True: print('x' * 1000)",
            "while True: os.write(2, b'x' * 65536)",
            "while True:\n        try: print('x' * 100_000, flush=True)\n        except BaseException: pass",
        ],
    )
    def test_output(self, room: Room, body: str) -> None:
        limits = SessionLimits(output_max=1 << 20, output_kept=1000)
        student = room.student(f"import os\ndef f():\n    {body}", limits=limits)
        with pytest.raises(ChildEnded, match="printed more than 1 MB") as caught:
            student.work.f()
        assert caught.value.reason == "output"
        assert len(student.session.output) == 1000
        assert set(student.session.output) <= set(b"x\n")

    @pytest.mark.threat(25)
    @pytest.mark.parametrize(
        "body",
        [
            "open(f'file{n}', 'wb').write(bytes(1 << 20))",
            "open(f'images/file{n}', 'wb').write(bytes(1 << 20))",
            "keep(n)",
            "os.mkdir(f'folder{n}'); os.chdir(f'folder{n}'); open('file', 'wb').write(bytes(1 << 20))",
            "open(f'file{n}', 'wb').close()",
        ],
        ids=["files", "folder", "deleted", "deep", "empty"],
    )
    def test_files(self, room: Room, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scratch, "_MAX_ENTRIES", 200)
        source = f"""
import os, time
kept = []
def keep(n):
    kept.append(open(f"file{{n}}", "wb"))
    kept[-1].write(bytes(1 << 20))
    os.unlink(f"file{{n}}")
def f():
    for n in range({300 if "close" in body else 12}):
        {body}
    time.sleep(20)
"""
        error = ended(room, source, limits=SessionLimits(disk_bytes=10 << 20, call_seconds=15))
        assert error.reason == "disk"
        assert str(error).startswith("it wrote more than 10 MB of files")

    @pytest.mark.threat(25)
    def test_one_huge_file(self, room: Room) -> None:
        source = "def f():\n    with open('file', 'wb') as file:\n        file.write(bytes(65 << 20))"
        with pytest.raises(SubmissionRaised, match="File too large"):
            room.call(source)

    def test_descriptors(self, room: Room) -> None:
        source = "import os\nkept = []\ndef f():\n    while True: kept.append(os.open('/dev/null', 0))"
        with pytest.raises(SubmissionRaised, match="Too many open files"):
            room.call(source)

    @pytest.mark.threat(23)
    @needs_root
    def test_threads(self, room: Room) -> None:
        source = """
import threading
def f():
    event, made = threading.Event(), []
    try:
        for _ in range(500):
            made.append(threading.Thread(target=event.wait))
            made[-1].start()
    except RuntimeError:
        pass
    event.set()
    return len(made)
"""
        assert 10 < room.call(source) < 70


class TestOutput:
    def test_is_kept_in_order(self, room: Room) -> None:
        source = """
import os, sys
print("imported")
def f():
    print("ü \\udcff", end="|")
    sys.stderr.write("error|")
    os.write(1, b"raw|")
    sys.stdout.write("last")
    return 1
"""
        session = room.session(source)
        session.import_module("work")
        session.call(Ref({"module": "work"}, ("f",)), (), {})
        assert session.output == "imported\nü \\udcff|error|raw|last".encode()

    def test_closing_it_is_no_end(self, room: Room) -> None:
        source = "import os, sys\ndef f(x):\n    sys.stdout.close()\n    os.close(1); os.close(2)\n    return x"
        student = room.student(source)
        assert student.work.f(3) == 3

    @pytest.mark.threat(11)
    def test_verdicts_that_are_printed_mean_nothing(self, room: Room) -> None:
        frame = wire.encode({"value": 42}).hex()
        source = f"import os\ndef f():\n    os.write(1, bytes.fromhex('{frame}'))\n    print('PASSED')\n    return 1"
        assert room.call(source) == 1

    def test_nothing_to_read(self, room: Room) -> None:
        source = "import os, sys\ndef f(): return os.read(0, 10) == b'', sys.stdin.read()"
        assert room.call(source) == (True, "")


ATTEMPT = """
import ctypes, os, resource, signal, socket, subprocess, sys
def attempt(action, *args):
    try:
        action(*args)
    except OSError as error:
        return type(error).__name__
    return "done"
"""
REFUSED = {
    "fork": "os.fork()",
    "forkpty": "os.forkpty()",
    "vfork": "raw(58)",
    "clone": "raw(56, 17, 0, 0, 0, 0)",
    "posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "execv": "os.execv('/bin/true', ['true'])",
    "subprocess": "subprocess.run(['true'])",
    "subprocess with a shell": "subprocess.check_output('id', shell=True)",
    "popen": "os.popen('id').read()",
    "kill parent": "os.kill(os.getppid(), 9)",
    "kill everyone": "os.kill(-1, 9)",
    "kill group": "os.killpg(os.getpgid(os.getppid()), 9)",
    "stop parent": "os.kill(os.getppid(), signal.SIGSTOP)",
    "limit parent": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))",
    "trace parent": "raw(101, 16, os.getppid(), 0, 0)",
    "read parent's memory": "raw(310, os.getppid(), 0, 0, 0, 0, 0)",
    "open parent": "os.pidfd_open(os.getppid())",
    "inet": "socket.socket(socket.AF_INET)",
    "inet datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "inet6": "socket.socket(socket.AF_INET6)",
    "unix": "socket.socket(socket.AF_UNIX)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "packet": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "vsock": "socket.socket(40)",
    "name look-up": "socket.create_connection(('example.org', 80), 1)",
    "local host": "socket.create_connection(('127.0.0.1', 22), 1)",
    "web": "__import__('urllib.request').request.urlopen('http://example.org', timeout=1)",
    "memory file": "os.memfd_create('x')",
    "watch files": "raw(294, 0)",
    "new namespace": "raw(272, 0x10000000)",
    "/etc/passwd": "open('/etc/passwd').read()",
    "/etc/shadow": "open('/etc/shadow').read()",
    "/proc/1": "open('/proc/1/environ').read()",
    "/proc/self": "open('/proc/self/environ').read()",
    "/proc/self/maps": "open('/proc/self/maps').read()",
    "/proc/self/mem": "open('/proc/self/mem', 'r+b').read(1)",
    "parent's environment": "open(f'/proc/{os.getppid()}/environ').read()",
    "parent's memory": "open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "list /": "os.listdir('/')",
    "list /proc": "os.listdir('/proc')",
    "list /tmp": "os.listdir('/tmp')",
    "list home": "os.listdir('/root')",
    "list checks": "os.listdir(os.path.join(REPO, 'autograder', 'checks'))",
    "list solutions": "os.listdir(os.path.join(REPO, 'solutions'))",
    "list repository": "os.listdir(REPO)",
    "read this test": "open(os.path.join(REPO, 'tests', 'sandbox', 'test_session.py')).read()",
    "read the jail": "open(os.path.join(REPO, 'autograder', 'sandbox', 'jail.py')).read()",
    "write /tmp": "open('/tmp/genlab-test-file', 'w')",
    "write next to scratch": "open('../file', 'w')",
    "write repository": "open(os.path.join(REPO, 'x'), 'w')",
    "write into libraries": "open(os.path.join(os.path.dirname(ctypes.__file__), 'x.py'), 'w')",
    "shared memory": "open('/dev/shm/x', 'w')",
    "terminal": "open('/dev/tty').read()",
    "link out of scratch": "read_link()",
}
X86_ONLY = "raw("


class TestRefusals:
    @pytest.mark.threat(2, 3, 4, 13, 14, 15, 23)
    @needs_landlock
    def test_what_a_submission_cannot_do(self, room: Room) -> None:
        actions = {
            name: code for name, code in REFUSED.items() if X86_ONLY not in code or os.uname().machine == "x86_64"
        }
        source = f"""{ATTEMPT}
REPO = {str(REPOSITORY)!r}
libc = ctypes.CDLL(None, use_errno=True)
def raw(number, *args):
    if libc.syscall(number, *map(ctypes.c_long, args)) < 0:
        raise OSError(ctypes.get_errno(), "refused")
def read_link():
    os.symlink("/etc/passwd", "passwd")
    open("passwd").read()
def f(actions):
    return {{name: attempt(lambda: eval(code)) for name, code in actions.items()}}
"""
        answers = room.call(source, actions)
        assert set(answers) == set(actions)
        network = {"name look-up", "web"}  # these say in their own way that there is no connection
        assert {name: answer for name, answer in answers.items() if answer != "PermissionError"}.keys() <= network
        assert all(answers[name] in ("gaierror", "URLError", "PermissionError") for name in network)

    def test_a_shell_command_does_not_run(self, room: Room) -> None:
        assert room.call("import os\ndef f(): return os.system('touch ran') == 0, os.path.exists('ran')") == (
            False,
            False,
        )

    @pytest.mark.threat(1, 2)
    @needs_landlock
    def test_the_answers_cannot_be_imported(self, room: Room) -> None:
        source = f"""
import importlib, sys
sys.path[:0] = [{str(REPOSITORY)!r}, {str(REPOSITORY / "solutions")!r}]
for name in [name for name in sys.modules if name.startswith(("autograder.", "tests"))]:
    del sys.modules[name]
def f(names):
    found = []
    for name in names:
        try:
            importlib.import_module(name)
            found.append(name)
        except (ImportError, OSError):
            pass
    return found
"""
        names = [
            "autograder.grading.reference",
            "autograder.checks.ift6135_h25.probes",
            "autograder.cli",
            "tests.sandbox",
        ]
        assert room.call(source, names) == []

    @needs_root
    def test_it_runs_as_a_user_of_its_own(self, room: Room) -> None:
        uids = room.call("import os\ndef f(): return os.getresuid(), os.getresgid(), os.getgroups()")
        assert 0 not in (*uids[0], *uids[1], *uids[2])

    def test_threads_work(self, room: Room) -> None:
        source = """
import concurrent.futures, threading
def f():
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return sum(pool.map(lambda n: n * n, range(10))), threading.active_count() > 1
"""
        assert room.call(source)[0] == 285

    @pytest.mark.threat(12)
    def test_only_the_channel_and_the_streams_are_open(self, room: Room) -> None:
        source = """
import os, stat
def f():
    kinds = []
    for descriptor in range(1024):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            continue
        name = [n for n in ("CHR", "FIFO", "SOCK", "REG", "DIR") if getattr(stat, "S_IS" + n)(mode)]
        kinds.append((descriptor < 3, *name))
    return kinds
"""
        streams = [(True, "CHR"), (True, "FIFO"), (True, "FIFO")]
        assert room.call(source) == [*streams, (False, "SOCK")]

    @pytest.mark.threat(7, 58)
    def test_a_second_session_sees_nothing_of_the_first(self, room: Room) -> None:
        source = """
import builtins, os, sys, torch
def f(leave):
    seen = [sorted(os.listdir(".")), os.listdir("images"), hasattr(builtins, "left"), "left" in sys.modules]
    seen += [str(torch.get_default_dtype()), torch.is_grad_enabled(), os.environ.get("LEFT")]
    seen.append(os.getcwd() == os.environ["HOME"])
    if leave:
        open("file", "w").write("x")
        open("images/file", "w").write("x")
        builtins.left = sys.modules["left"] = 1
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.allclose = torch.equal = lambda *_, **__: True
        os.environ["LEFT"] = "x"
        os.chdir("images")
    return seen, torch.equal(torch.ones(1), torch.zeros(1))
"""
        clean = ([["images"], [], False, False, "torch.float32", True, None, True], False)
        student = room.student(source)
        assert student.work.f(True) == (clean[0], True)
        assert room.call(source, False) == clean
        assert not torch.equal(torch.ones(1), torch.zeros(1))


FORGE = """
import os, stat, time
def channel():
    for descriptor in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                return descriptor
        except OSError:
            pass
def f(data, then="exit"):
    data, descriptor = bytes(data), channel()
    while data:
        data = data[os.write(descriptor, data):]
    if then == "wait":
        time.sleep(60)
    os._exit(0)
"""


def frame_of(header: Any, buffers: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return wire.PREFIX.pack(wire.MAGIC, len(text), len(buffers)) + text + buffers


def answered(**values: Any) -> bytes:
    return wire.encode(values)


def remark(**values: Any) -> dict[str, Any]:
    return {"type": "ValueError", "message": "m", "lines": [], "own": False, **values}


FORGED: dict[str, tuple[bytes, type[SubmissionError]]] = {
    "text": (b"PASSED" * 10, BadAnswer),
    "a pickle": (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system", BadAnswer),
    "a frame that is too large": (wire.PREFIX.pack(wire.MAGIC, 1 << 31, 1 << 62), BadAnswer),
    "no JSON": (wire.PREFIX.pack(wire.MAGIC, 4, 0) + b"abcd", BadAnswer),
    "an empty frame": (wire.PREFIX.pack(wire.MAGIC, 0, 0), BadAnswer),
    "a shape that lies": (
        frame_of({"dict": [["value", {"tensor": "float32", "shape": [9], "bytes": 4}]]}, b"abcd"),
        BadAnswer,
    ),
    "a number": (wire.encode(7), BadAnswer),
    "nothing": (wire.encode(None), BadAnswer),
    "a list": (wire.encode([1]), BadAnswer),
    "no value": (answered(passed=True, score=100), BadAnswer),
    "a ref that is text": (frame_of({"ref": "x"}), BadAnswer),
    "an error that is text": (answered(error="x"), BadAnswer),
    "an empty error": (answered(error={}), SubmissionRaised),
    "an error of tensors": (
        answered(error=remark(type=torch.ones(2), message=torch.ones(3), lines=torch.ones(2), own=torch.ones(2))),
        SubmissionRaised,
    ),
    "an error with odd lines": (answered(error=remark(lines=[[1, 2, 3, 4], "x", None])), SubmissionRaised),
    "an error that claims to be the format's": (answered(error=remark(type="WireError")), BadAnswer),
    "an error that claims to be memory's": (answered(error=remark(message="not enough memory")), ChildEnded),
    "changes that are no names": (answered(value=1, changed=[torch.ones(2), {"a": 1}]), InputChanged),
    "half a frame": (wire.encode({"value": 7})[:20], ChildEnded),
    "nothing at all": (b"", ChildEnded),
}


@pytest.mark.threat(11, 12)
class TestForgedFrames:
    @pytest.mark.parametrize("name", FORGED)
    def test_end_in_one_of_the_errors(self, room: Room, name: str) -> None:
        data, kind = FORGED[name]
        function = room.student(FORGE).work.f
        with pytest.raises(kind) as caught:
            function(list(data))
        assert len(str(caught.value)) < 3000

    @pytest.mark.parametrize("value", [7, "x", torch.ones(2), Opaque("ellipsis"), [Ref({"module": "os"}, ("system",))]])
    def test_or_in_a_value_which_is_judged_as_any_other(self, room: Room, value: Any) -> None:
        forged = answered(value=value, changed=torch.ones(2), score=100, passed=True)
        found = room.student(FORGE).work.f(list(forged))
        assert torch.equal(found, value) if isinstance(value, torch.Tensor) else found == value

    def test_a_handle_can_name_nothing_but_objects_of_the_child(self, room: Room) -> None:
        student = room.student("def f(): return 1")
        for number in (id(room), id(student), 0, -1):
            forged = Remote(student.session, Ref({"handle": number}), "Room")
            with pytest.raises(SubmissionRaised, match="KeyError"):
                fetch(forged.zygote)
            with pytest.raises(SubmissionRaised, match="KeyError"):
                student.work.f(forged)

    def test_an_error_carries_no_more_than_its_size(self, room: Room) -> None:
        forged = remark(type="T" * 10**4, message="grad " * 10**4, lines=[["work.py", 3, "f", "t" * 500]] * 50)
        with pytest.raises(SubmissionRaised) as caught:
            room.student(FORGE).work.f(list(answered(error=forged)))
        error = caught.value
        assert (len(error.type), len(error.message), len(error.lines)) == (len("Exception"), 2000, 6)
        assert {line.text for line in error.lines} == {"def channel():"}

    def test_a_second_answer_can_only_be_a_value_of_the_next_call(self, room: Room) -> None:
        source = FORGE.replace("os._exit(0)", "return 'honest'")
        student = room.student(source)
        assert student.work.f(list(answered(value="forged"))) == "forged"
        assert student.work.f([]) == "honest"

    def test_after_a_bad_answer_the_child_is_gone(self, room: Room) -> None:
        student = room.student(FORGE)
        function = student.work.f
        with pytest.raises(BadAnswer):
            function(list(b"PASSED" * 10), "wait")
        assert student.session.exit is not None
        with pytest.raises(ChildEnded) as caught:
            function([])
        assert caught.value.reason == "protocol"

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4)),
            lambda part: st.one_of(
                st.lists(part, max_size=3),
                st.dictionaries(
                    st.sampled_from(
                        ["value", "error", "changed", "grads", "type", "message", "lines", "own", "layers"]
                    ),
                    part,
                    max_size=4,
                ),
            ),
            max_leaves=8,
        )
    )
    def test_any_tree(self, room: Room, answer: Any) -> None:
        try:
            room.student(FORGE).work.f(list(wire.encode(answer)))
        except SubmissionError:
            return
        assert "value" in answer


class TestStart:
    def test_a_session_closes_twice_and_as_a_context(self, room: Room) -> None:
        with room.session("x = 1") as session:
            session.import_module("work")
        assert session.exit is not None
        session.close()

    def test_nothing_of_a_submission_runs_before_its_import(self, room: Room) -> None:
        session = room.session("print('ran')")
        assert session.output == b""
        session.import_module("work")
        assert session.output == b"ran\n"

    def test_no_descriptor_is_left_in_the_grader(self, room: Room) -> None:
        room.call("def f(): return 1")
        room.close_session()
        before = os.listdir("/proc/self/fd")
        for source in ("def f(): return 1", "import os\ndef f(): os._exit(1)"):
            with contextlib.suppress(ChildEnded):
                room.call(source)
            room.close_session()
        assert os.listdir("/proc/self/fd") == before

    def test_peak_memory_is_known(self, room: Room) -> None:
        session = room.session("x = 1")
        session.close()
        assert session.exit is not None
        assert 10 < session.exit.peak_mb < 100_000


class TestFilesAndThreads:
    SOURCE = """
import os, pathlib, torch
def f(path): return pathlib.Path(path).read_text()
def change(path): pathlib.Path(path).write_bytes(b"other")
def threads(): return torch.get_num_threads(), float(torch.ones(300, 300).mm(torch.ones(300, 300))[0, 0])
"""

    def test_files_lie_in_the_working_folder_and_are_gone_afterwards(self, room: Room) -> None:
        files = {"checkpoints/A.pt": b"one", "b": b"two"}
        student = room.student(self.SOURCE, files=files)
        assert [student.work.f(name) for name in files] == ["one", "two"]
        room.close_session()
        assert room.left_behind() == []

    @pytest.mark.threat(3)
    @needs_root
    def test_files_cannot_be_changed(self, room: Room) -> None:
        student = room.student(self.SOURCE, files={"checkpoints/A.pt": b"one"})
        with pytest.raises(SubmissionRaised) as caught:
            student.work.change("checkpoints/A.pt")
        assert caught.value.type == "PermissionError"

    def test_files_do_not_count_as_what_the_submission_wrote(self, room: Room) -> None:
        limits = SessionLimits(disk_bytes=1 << 20)
        files = {"large": os.urandom(5 << 20)}
        student = room.student(self.SOURCE + "\nimport time\ndef wait(): time.sleep(1.2)", files=files, limits=limits)
        assert student.work.wait() is None

    @pytest.mark.parametrize("threads", [1, 2])
    def test_torch_computes_with_as_many_threads(self, room: Room, threads: int) -> None:
        assert room.student(self.SOURCE, threads=threads).work.threads() == (threads, 300.0)

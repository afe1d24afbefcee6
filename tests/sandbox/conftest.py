"""A warm process for the tests of the sandbox, children started from a text, a check that nothing is left behind."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.sandbox import jail, landlock
from autograder.sandbox.preload import preload, quiet_environment
from autograder.sandbox.proxy import Student
from autograder.sandbox.session import Session, SessionLimits
from autograder.sandbox.zygote import Zygote

MODULES = ("torch", "torchvision", "numpy", "matplotlib.pyplot", "tqdm", "easydict")
NOBODY = 65534
_PR_SET_DUMPABLE = 4

quiet_environment()


def has_landlock() -> bool:
    """Whether this machine's kernel has Landlock."""
    try:
        return landlock.abi_version() >= 1
    except landlock.LandlockError:
        return False


needs_landlock = pytest.mark.skipif(not has_landlock(), reason="the kernel has no Landlock")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its user")


class Room:
    """Starts children of a zygote, one at a time, and says what they leave behind."""

    def __init__(self, zygote: Zygote) -> None:
        self.zygote = zygote
        self._open: Session | None = None

    def session(self, source: str | dict[str, str], **options: Any) -> Session:
        """A session with `source` as its module `work`; the last one is closed before."""
        self.close_session()
        sources = {"work.py": source} if isinstance(source, str) else source
        self._open = Session(self.zygote, sources, **options)
        return self._open

    def student(self, source: str | dict[str, str], **options: Any) -> Student:
        """The same as a namespace of modules."""
        session = self.session(source, **options)
        return Student(lambda: session)

    def call(self, source: str, *args: Any, seconds: float = 10.0, **kwargs: Any) -> Any:
        """Value of `f(*args, **kwargs)` where `source` defines f, in a child of its own."""
        return self.student(source, limits=SessionLimits(call_seconds=seconds)).work.f(*args, **kwargs)

    def close_session(self) -> None:
        """End the child."""
        if self._open is not None:
            self._open.close()

    def left_behind(self) -> list[str]:
        """Processes and files that remain when no session is open."""
        root = self.zygote.scratch_root
        processes = {*descendants(self.zygote.pid), *inhabitants(root)}
        return [*map(str, sorted(processes)), *map(str, root.iterdir())]


def descendants(pid: int) -> list[int]:
    """All processes that `pid` started, directly or not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        found.append((int(stat.parent.name), parent))
    family = {pid}
    while True:
        more = {child for child, parent in found if parent in family} - family
        if not more:
            return sorted(family - {pid})
        family |= more


def inhabitants(folder: Path) -> list[int]:
    """All processes whose working directory is, or was, beneath `folder`: also those that lost their parents."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if os.readlink(link).startswith(f"{folder}/"):
                found.append(int(link.parent.name))
    return found


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    """A room with all layers of the jail that this machine has."""
    preload(MODULES)
    with Zygote(scratch_dirs=("images",)) as zygote:
        yield Room(zygote)
    assert not zygote.scratch_root.exists()


@pytest.fixture
def make_room() -> Iterator[Callable[..., Room]]:
    """Make a room with a zygote of its own: `make_room(JailSettings(...))`."""
    preload(MODULES)
    made: list[Room] = []

    def make(*args: Any, **kwargs: Any) -> Room:
        made.append(Room(Zygote(*args, **kwargs)))
        return made[-1]

    yield make
    for one in made:
        one.close_session()
        left = one.left_behind()
        one.zygote.close()
        assert left == []
        assert not one.zygote.scratch_root.exists()


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test no process and no file of its children remains."""
    yield
    if "room" in request.fixturenames:
        made = request.getfixturevalue("room")
        made.close_session()
        assert made.left_behind() == []


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """An empty folder that every user of the machine may enter and read."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def in_fork(function: Callable[..., Any], *args: Any) -> Any:
    """Result of `function(*args)` in a forked process, for what a process cannot take back. It crosses as JSON."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(readable)
            try:
                answer = {"value": function(*args)}
            except BaseException:
                answer = {"error": traceback.format_exc()}
            with os.fdopen(writable, "w") as stream:
                json.dump(answer, stream)
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as stream:
        text = stream.read()
    _, status = os.waitpid(pid, 0)
    answer = json.loads(text or json.dumps({"error": f"the process ended with status {status}"}))
    assert "error" not in answer, answer["error"]
    return answer["value"]


def as_ordinary_user(function: Callable[..., Any], *args: Any) -> Any:
    """The same as a user without rights, who may read the interpreter but owns nothing."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    # the interpreter may lie in root's home, where this user could not even look for it
    libraries = list(jail._library_paths())

    def unprivileged() -> Any:
        jail._library_paths = lambda: iter(libraries)
        tempfile.tempdir = str(folder)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
        return function(*args)

    try:
        result = in_fork(unprivileged)
        assert list(folder.iterdir()) == []
        return result
    finally:
        shutil.rmtree(folder)


def outcome(action: Callable[[], Any]) -> str:
    """What the system answers: "done", or the name of its error."""
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"

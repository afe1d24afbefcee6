"""Grading as a user without rights, and children that cannot read the interpreter they run in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import autograder
from autograder.sandbox.jail import ON, JailSettings
from autograder.sandbox.preload import preload
from autograder.sandbox.zygote import Zygote

from ..sandbox.conftest import MODULES, NOBODY, Room, has_landlock, needs_root

REPOSITORY = Path(autograder.__file__).resolve().parents[1]
COPIED = ("autograder", "solutions/ift6135_h25", "solutions/common", "assignments/ift6135_h25")
SITE = sysconfig.get_paths()["purelib"]

GRADER = """
import json, os, sys
from autograder.sandbox.preload import quiet_environment
quiet_environment()
from autograder.assignment import load_assignment
from autograder.grading.engine import Engine
from autograder.intake import Submission

given = json.loads(sys.stdin.read())
assignment = load_assignment("ift6135_h25")
limits = assignment.limits.model_copy(update={"memory_mb": 400, "disk_mb": 8, "call_seconds": 20.0})
masters = {file.name: assignment.master(file).read_text("utf-8") for file in assignment.files}
graded = {}
with Engine(assignment.model_copy(update={"limits": limits})) as engine:
    for name, code in given["attacks"].items():
        sources = {**masters, "q2_ddpm.py": masters["q2_ddpm.py"] + code}
        report = engine.grade(Submission(name=name, digest="0" * 64, sources=sources), 5, only=given["units"])
        checks = [check for unit in report.units for check in unit.checks]
        graded[name] = {"earned": report.earned, "messages": [c.message for c in checks if c.message],
                        "layers": report.run.layers, "problem": report.run.problem}
    root = engine._zygote.scratch_root
    left = os.listdir(root)
print(json.dumps({"uid": os.getuid(), "executable": sys.executable, "graded": graded,
                  "left": left, "root": root.exists()}))
"""


def readable_interpreter() -> str:
    """An interpreter of the same version that an ordinary user can run, with the packages of this one.

    Skips the test where there is none.
    """
    if os.geteuid() != 0:
        return sys.executable
    test = "import sys; print(*sys.version_info[:2]); import torch, pydantic, pytest"
    own = ".".join(map(str, sys.version_info[:2]))
    for path in (sys.executable, f"/usr/bin/python{own}", f"/usr/local/bin/python{own}"):
        if not Path(path).exists():
            continue
        try:
            found = subprocess.run(
                [path, "-I", "-c", f"import sys; sys.path.append({SITE!r}); {test}"],
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                text=True,
            )
        except PermissionError:
            continue
        if found.returncode == 0 and found.stdout.split() == own.split("."):
            return path
    pytest.skip(f"no Python {own} with torch that an ordinary user can read: {SITE} or the interpreter is closed")


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    """A copy of the code that every user can read: the clone itself may lie in a closed folder."""
    folder = Path(tempfile.mkdtemp())
    for name in COPIED:
        if (REPOSITORY / name).exists():
            shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pt"))
    (folder / "tmp").mkdir()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (folder / "tmp").chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.threat(2, 3, 14, 15, 23, 24, 25)
def test_all_but_the_layer_of_the_user_hold(copy: Path) -> None:
    from .resource_attacks import ENDED, TOOLS
    from .test_resources import in_a_call

    interpreter = readable_interpreter()
    secret = copy / "secret"
    secret.write_text("42")
    secret.chmod(0o666)
    refused = f"""
        return not refused(
            lambda: open({str(secret)!r}),
            lambda: open({str(secret)!r}, "w"),
            lambda: os.listdir({str(copy / "autograder" / "checks")!r}),
            lambda: open({str(copy / "solutions" / "ift6135_h25" / "assignment.toml")!r}),
            lambda: open({str(copy / "tmp" / "mine")!r}, "w"),
            lambda: open(f"/proc/{{os.getppid()}}/mem"),
            lambda: open(f"/proc/{{os.getppid()}}/environ"),
            lambda: os.kill(os.getppid(), 9),
            lambda: os.kill(-1, 9),
            lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0)),
            lambda: call(310 if X86 else 270, os.getppid(), 0, 0, 0, 0, 0),
            lambda: socket.socket(),
            os.fork,
        )
    """
    bodies = {"reads and signals": refused}
    for name in ("memory of torch", "files deleted and kept open", "files deleted and kept mapped"):
        bodies[name] = ENDED[name].body
    attacks = {name: f"\n{TOOLS}\n{in_a_call(body)}" for name, body in bodies.items()}
    given = {"units": ["q2_ddpm.q_xt_x0", "q3_cfg_diffusion.alpha_lambda"], "attacks": {"reference": "", **attacks}}
    change: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    ran = subprocess.run(
        [interpreter, "-c", GRADER],
        input=json.dumps(given),
        cwd=copy,
        env={"PATH": os.defpath, "PYTHONPATH": f"{copy}:{SITE}", "TMPDIR": str(copy / "tmp"), "HOME": str(copy / "tmp"),
             "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "SECRET": "told"},
        capture_output=True,
        text=True,
        **change,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["uid"] == (NOBODY if os.geteuid() == 0 else os.getuid())
    graded = told["graded"]
    assert {name: found["earned"] for name, found in graded.items()} == {"reference": 5, **dict.fromkeys(attacks, 2)}
    for found in graded.values():
        off = {name for name, state in found["layers"].items() if state != ON}
        assert off == {"uid"} | (set() if has_landlock() else {"landlock"})
        assert found["layers"]["uid"] == "not available: the grader does not run as root"
        assert found["problem"] == ""
    assert "MB of memory" in graded["memory of torch"]["messages"][0]
    for name in ("files deleted and kept open", "files deleted and kept mapped"):
        assert "MB of files" in graded[name]["messages"][0]
    assert told["left"] == []
    assert secret.read_text() == "42"
    assert [path.name for path in (copy / "tmp").iterdir() if path.name.startswith("genlab-")] == []


# --- a child that cannot read its interpreter ------------------------------------------------------------------------

LATE = """
import importlib, os, sys

def imports(names):
    failed = {}
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            failed[name] = type(error).__name__
    return failed

def can_read(paths):
    return [os.access(path, os.R_OK) for path in paths]

def late():
    # each of these imports something when it is first called
    import collections, dataclasses, decimal, enum, json, random, statistics, typing
    import numpy, torch
    import torch.nn.functional as F
    from torch.utils.data import DataLoader, TensorDataset
    x = torch.rand(4, 8, requires_grad=True)
    "text".encode("latin-1"), "é".encode("utf-16"), "x".encode("idna"), decimal.Decimal("0.1")
    net = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.SiLU(), torch.nn.Dropout(0.1))
    optimizer = torch.optim.AdamW(net.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    with torch.amp.autocast("cpu", dtype=torch.bfloat16):
        net(x).sum().backward()
    optimizer.step(), schedule.step()
    torch.save(net.state_dict(), "net.pt")
    net.load_state_dict(torch.load("net.pt", weights_only=True))
    [len(batch) for batch in DataLoader(TensorDataset(x.detach()), 2, shuffle=True)]
    F.scaled_dot_product_attention(*[torch.rand(1, 2, 4, 8)] * 3), torch.einsum("ij,kj->ik", x, x)
    torch.linalg.svd(x), torch.fft.fft(x), torch.func.vmap(torch.sin)(x), torch.distributions.Normal(0, 1).sample()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0), torch.nn.init.xavier_uniform_(net[0].weight)
    numpy.linalg.svd(numpy.ones((2, 2))), numpy.random.default_rng(0).normal(), repr(x), str(numpy.ones(3))
    @dataclasses.dataclass
    class Point:
        x: float
    statistics.mean([1, 2]), enum.Enum("E", "a b"), Point(1.0), random.random()
    return True
"""
STANDARD = sorted(name for name in sys.stdlib_module_names if not name.startswith("_"))
NOT_HERE = {"antigravity", "distutils", "ensurepip", "idlelib", "lib2to3", "this", "tkinter", "turtle", "turtledemo"}


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    """Children that can reach no file but those in their scratch folder: libraries are as closed as a root's home."""
    preload(MODULES)
    with Zygote(JailSettings()) as zygote:
        made = Room(zygote)
        yield made
        made.close_session()
    assert not zygote.scratch_root.exists()


@pytest.fixture
def closed(room: Room) -> Room:
    """The same, where the interpreter of this machine is closed to the child's user."""
    standard = sysconfig.get_paths()["stdlib"]
    if any(room.student(LATE).work.can_read([standard, f"{standard}/os.py"])):
        pytest.skip("here the child can read the interpreter's own folder")
    return room


@needs_root
class TestClosedInterpreter:
    @pytest.mark.threat(2)
    def test_what_is_imported_late_works(self, closed: Room) -> None:
        assert closed.call(LATE.replace("def late", "def f"), seconds=60) is True
        closed.close_session()
        assert closed.left_behind() == []

    def test_the_standard_library_is_there(self, closed: Room) -> None:
        ours = {name for name in STANDARD if name in sys.modules}
        failed = closed.student(LATE).work.imports(STANDARD)
        assert failed.keys() <= NOT_HERE | (set(STANDARD) - ours)
        assert ours & failed.keys() == set()

    def test_what_was_not_imported_before_says_so(self, closed: Room) -> None:
        """What a submission cannot do there: use parts of packages that nothing has imported."""
        names = ["multiprocessing.shared_memory", "xml.sax.expatreader", "turtle"]
        unknown = [name for name in names if name not in sys.modules]
        failed = closed.student(LATE).work.imports(unknown)
        assert failed.keys() == set(unknown)
        assert set(failed.values()) <= {"ModuleNotFoundError", "ImportError"}

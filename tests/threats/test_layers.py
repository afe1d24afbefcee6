"""Each layer of the jail is switched off in turn, and each stands alone: the others hold what they are said to hold."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.report.page import render_page
from autograder.report.summary import layers_off
from autograder.sandbox import landlock
from autograder.sandbox.jail import LAYERS, ON, JailSettings
from autograder.sandbox.preload import preload
from autograder.sandbox.session import SessionLimits
from autograder.sandbox.zygote import Zygote

from ..conftest import MakeSubmission
from ..grading.conftest import Course, course  # noqa: F401
from ..sandbox.conftest import MODULES, Room, has_landlock, in_fork, needs_root
from .conftest import left_behind
from .layers import HOLDS, MATRIX, held
from .resource_attacks import ENDED, LONG

PLANTED = "GENLAB_PLANTED_SECRET"
PROGRAM = "/bin/true"
TOOLS = """
import ctypes, mmap, os, resource, signal, socket, subprocess, time
libc = ctypes.CDLL(None, use_errno=True)

def refuse(reason=""):
    raise OSError(ctypes.get_errno(), reason or os.strerror(ctypes.get_errno()))

def environment():
    if "told" not in os.environ.get("GENLAB_PLANTED_SECRET", ""):
        refuse("it is not there")

def proc(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        if name == "environ":
            file.read()

def read_memory(pid):
    here, there = (ctypes.create_string_buffer(8) for _ in range(2))
    class Part(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
    parts = [Part(ctypes.addressof(buffer), 1) for buffer in (here, there)]
    parts[1].base = ctypes.cast(libc.getpid, ctypes.c_void_p).value  # mapped there as well: it is the same image
    if libc.process_vm_readv(pid, ctypes.byref(parts[0]), 1, ctypes.byref(parts[1]), 1, 0) < 0:
        refuse()

def start(action):
    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os._exit(0)
    return pid

def run(path):
    pid = os.posix_spawn(path, [path], {})
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        refuse("the program failed")

def many(count):
    pids = []
    try:
        for _ in range(count):
            pids.append(start(lambda: time.sleep(100)))
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

def take(size):
    mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()

def write(size):
    with open("large", "wb") as file:
        file.write(bytes(size))
    os.unlink("large")

def gain():
    ours, theirs = os.pipe()
    pid = os.posix_spawn(SETUID, [SETUID, "-u"], {}, file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 1)])
    os.waitpid(pid, 0)
    os.close(theirs)
    if os.read(ours, 9).strip() != b"0" or os.getuid() == 0:
        refuse("nothing gained")

def f(attacks):
    answers = {}
    for name, code in attacks.items():
        try:
            eval(code)
            answers[name] = "done"
        except OSError as error:
            answers[name] = error.strerror or str(error)
    return answers
"""

CONFIGURATIONS: dict[str, tuple[str, ...]] = {
    "all": LAYERS,
    **{f"without {off}": tuple(layer for layer in LAYERS if layer != off) for off in LAYERS},
    **{f"{alone} alone": ("no_new_privs", alone) for alone in LAYERS if alone != "no_new_privs"},
    "no_new_privs alone": ("no_new_privs",),
    "none": (),
}
Answers = Callable[[str], tuple[set[str], dict[str, str]]]


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, str]]:
    """Files outside the scratch folders, and a program with the set-uid bit; name -> path."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    found = {"OPEN": folder / "open", "CLOSED": folder / "closed", "RESULTS": folder / "results"}
    for path, mode in zip(found.values(), (0o644, 0o600, 0o666), strict=True):
        path.write_text("42")
        path.chmod(mode)
    found["SETUID"] = folder / "id"
    shutil.copy(shutil.which("id") or "", found["SETUID"])
    found["SETUID"].chmod(0o4755)
    yield {name: str(path) for name, path in found.items()}
    assert (found["OPEN"].read_text(), found["CLOSED"].read_text()[:2]) == ("42", "42")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def answers(places: dict[str, str]) -> Iterator[Answers]:
    """`answers("without uid")`: what holds there, and what came of each attack."""
    preload(MODULES)
    made: dict[str, tuple[set[str], dict[str, str]]] = {}
    source = TOOLS + "".join(f"{name} = {path!r}\n" for name, path in {**places, "PROGRAM": PROGRAM}.items())

    def attacked(configuration: str) -> tuple[set[str], dict[str, str]]:
        if configuration not in made:
            settings = JailSettings(memory_mb=500, disk_mb=8, layers=CONFIGURATIONS[configuration])
            with Zygote(settings) as zygote:
                room = Room(zygote)
                student = room.student(source, limits=SessionLimits(call_seconds=120))  # forks take a busy machine long
                found = student.work.f({name: HOLDS[name].code for name in HOLDS if planted_in(name, configuration)})
                room.close_session()
                left = room.left_behind()
            escaped = f"{zygote.scratch_root}/mine"
            assert left == ([escaped] if found["writes a file beside its scratch folder"] == "done" else [])
            assert not zygote.scratch_root.exists()
            made[configuration] = (facts({n for n, state in student.session.layers.items() if state == ON}), found)
        return made[configuration]

    os.environ[PLANTED] = "told"
    yield attacked
    del os.environ[PLANTED]


def facts(layers: set[str]) -> set[str]:
    """The layers that are on, and what else `layers.HOLDS` names."""
    abi = landlock.abi_version() if has_landlock() else 0
    if "landlock" in layers:
        layers |= {name for name, since in (("landlock-tcp", 4), ("landlock-signals", 6)) if abi >= since}
    if os.geteuid() == 0 and layers & {"uid", "rlimits"}:
        layers.add("capabilities")
    if os.geteuid() == 0 and "uid" not in layers:
        layers.add("root")
    return layers


def needs_of(name: str) -> list[Any]:
    """Marks of an attack: its threats, and that only root's processes have rights to lose."""
    root = {"makes a device", "gains rights by a set-uid program"}
    return [pytest.mark.threat(*HOLDS[name].threats), *([needs_root] if name in root else [])]


def planted_in(name: str, configuration: str) -> bool:
    """Many processes of this size take seconds to start: not for every layer alone."""
    return name != "starts as many processes as it likes" or "alone" not in configuration


@pytest.mark.parametrize(
    ("name", "configuration"),
    [
        pytest.param(name, configuration, marks=needs_of(name))
        for configuration in CONFIGURATIONS
        for name in HOLDS
        if planted_in(name, configuration)
    ],
)
def test_an_attack_is_held_by_what_is_said_to_hold_it(answers: Answers, name: str, configuration: str) -> None:
    active, found = answers(configuration)
    expected = "refused" if held(name, active) else "done"
    assert ("done" if found[name] == "done" else "refused") == expected, (found[name], sorted(active))


@pytest.mark.threat(2, 3, 13, 14)
@pytest.mark.parametrize("layer", LAYERS)
def test_secrets_files_and_memory_of_the_grader_are_closed_without_any_one_layer(layer: str) -> None:
    """What the design promises: these need two layers to fail (but without no_new_privs three layers are off)."""
    for name in (
        "reads a secret of the grader's user",
        "rewrites a file of the grader",
        "reads the environment in /proc",
        "reads the memory of the parent",
        "reads the parent's memory by a call",
        "sends the parent a signal",
        "limits the parent",
    ):
        assert MATRIX[name][layer], name


@pytest.mark.threat(4)
@pytest.mark.parametrize("layer", LAYERS)
def test_the_report_says_which_layer_was_missing(course: Course, layer: str) -> None:  # noqa: F811
    engine = course.engine(layers=tuple(name for name in LAYERS if name != layer))
    report = engine.grade(course.submission(), 1)
    assert report.earned == 9
    assert report.run.layers[layer] == "switched off"
    missing = {layer} | {name for name, state in engine.layers.items() if state.startswith("not available: ")}
    assert layers_off(report).keys() == missing
    page = render_page(report)
    assert f'<th scope="row">{layer}</th><td><span class="badge failed">' in page.replace("\n", "")
    assert "switched off" in page
    assert left_behind(engine) == []


# --- the rights of root in a container -------------------------------------------------------------------------------

DOCKER = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)  # numbers of capability.h: Docker's default set
_PR_CAPBSET_DROP = 24


def as_in_docker(assignment: Assignment, submissions: dict[str, Any]) -> list[Any]:
    """Layers and points of these submissions, graded by an engine that has the rights of root in a container."""
    libc = ctypes.CDLL(None, use_errno=True)
    for number in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        if number not in DOCKER and libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    mask = sum(1 << number for number in DOCKER)
    header, sets = struct.pack("<Ii", 0x20080522, 0), struct.pack("<6I", mask, mask, 0, 0, 0, 0)
    if libc.capset(ctypes.create_string_buffer(header), ctypes.create_string_buffer(sets)) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    units = ["q2_ddpm.q_xt_x0", "q3_cfg_diffusion.alpha_lambda"]
    with Engine(assignment) as engine:
        graded = []
        for name, submission in submissions.items():
            report = engine.grade(submission, 5, only=units)
            messages = [check.message for unit in report.units for check in unit.checks if check.message]
            graded.append([name, report.earned, messages, left_behind(engine), report.run.problem])
        return [engine.layers, graded]


@needs_root
@pytest.mark.threat(2, 14, 23, 24, 25)
def test_all_layers_hold_with_the_capabilities_of_a_container(
    h25: Assignment, masters: dict[str, str], make_submission: MakeSubmission, places: dict[str, str]
) -> None:
    from .resource_attacks import TOOLS as PLANTS
    from .test_resources import in_a_call, limited

    attacks = {name: ENDED[name].body for name in ("memory of torch", "files deleted and kept open")}
    attacks["files deleted and kept mapped"] = ENDED["files deleted and kept mapped"].body
    secrets = ", ".join(f"lambda: open({path!r})" for path in (places["OPEN"], places["CLOSED"]))
    attacks["reads and signals"] = (
        f"return not refused({secrets}, lambda: open(f'/proc/{{os.getppid()}}/mem'), "
        "lambda: os.kill(os.getppid(), 9), os.fork, lambda: socket.socket())"
    )
    submissions = {"reference": make_submission()}
    for name, body in attacks.items():
        text = f"{masters['q2_ddpm.py']}\n{PLANTS}\n{in_a_call(body)}"
        submissions[name] = make_submission({"q2_ddpm.py": text})
    small = limited(h25, memory_mb=300, disk_mb=8, call_seconds=LONG)
    layers, graded = in_fork(as_in_docker, small, submissions)
    assert layers == {layer: ON for layer in LAYERS if layer != "landlock" or has_landlock()} | (
        {} if has_landlock() else {"landlock": layers["landlock"]}
    )
    assert [(name, earned, left, problem) for name, earned, _, left, problem in graded] == [
        ("reference", 5, [], ""),
        *((name, 2, [], "") for name in attacks),
    ]
    said = {name: "\n".join(messages) for name, _, messages, _, _ in graded}
    assert "MB of memory" in said["memory of torch"]
    for name in ("files deleted and kept open", "files deleted and kept mapped"):
        assert "MB of files" in said[name], name

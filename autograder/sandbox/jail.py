"""The jail of a child: layers of protection, each applied where the machine offers it, and named where it does not.

| layer | what it keeps a submission from |
|---|---|
| `environment` | reading the grader's environment variables and open files |
| `no_new_privs` | gaining rights by set-uid programs |
| `uid` | reading other users' files, signalling or tracing the grader (needs root) |
| `rlimits` | using up memory, processor, processes, disk |
| `landlock` | reading or writing any file but libraries and its scratch folder |
| `seccomp` | sockets, other processes, starting programs |
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.sandbox import landlock, seccomp

LAYERS = ("environment", "no_new_privs", "uid", "rlimits", "landlock", "seccomp")
ISOLATING = ("uid", "landlock")  # at least one must hold before a stranger's code may run next to the answers
ON = "on"

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION = 0x20080522
_FIRST_UID = 64100
_DEVICES = ("null", "zero", "urandom", "random")
_GPU_READABLE = ("/proc/driver/nvidia", "/proc/devices", "/proc/self", "/proc/meminfo", "/sys/bus/pci", "/sys/devices")


@dataclass(frozen=True)
class JailSettings:
    """What a child may use.

    Attributes:
        memory_mb: address space beyond what is mapped when the child starts. What the forking process has freed but
            keeps mapped is the child's on top, so that the zygote is best forked from a young process.
        disk_mb: largest file that it may write.
        cpu_seconds: processor time, a second line behind the wall-clock limits of the session.
        layers: the layers to apply; a subset of `LAYERS`. Tests and `--trust` leave some out.
        gpu: let it reach NVIDIA GPUs. CUDA maps far more addresses than memory, so that no limit of memory holds then.
    """

    memory_mb: int = 1500
    disk_mb: int = 64
    cpu_seconds: int = 600
    layers: tuple[str, ...] = LAYERS
    gpu: bool = False


def child_uid(grader: int | None = None) -> int | None:
    """User that children of a grading process run as, one of its own for each; or None without root's rights.

    Args:
        grader: id of the grading process; default: this one.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    return _FIRST_UID + (os.getpid() if grader is None else grader) % 1000


def make_ruleset(scratch_root: Path, gpu: bool = False) -> int | None:
    """Landlock ruleset for all children of a zygote (see `landlock.make_ruleset`), or None where there is none."""
    if sys.platform != "linux":
        return None
    readable = [*_library_paths(), *(Path("/dev") / name for name in _DEVICES)]
    writable = [scratch_root, Path("/dev/null")]
    if gpu:
        readable += map(Path, _GPU_READABLE)
        writable += _gpu_devices()
    try:
        return landlock.make_ruleset(readable, writable)
    except landlock.LandlockError:
        return None


def _library_paths() -> Iterator[Path]:
    """Libraries, entry by entry where the grader itself may be installed among them."""
    yield from map(
        Path, ("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/sys/devices/system/cpu", "/proc/cpuinfo")
    )
    own = Path(__file__).resolve().parents[1]
    for name in ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share"):
        yield from _without(own, Path(name))
    scheme = {Path(path) for name, path in sysconfig.get_paths().items() if name in ("stdlib", "platstdlib")}
    sites = {Path(path) for path in sys.path if path.endswith(("site-packages", "dist-packages"))}
    for folder in sorted(scheme | sites):
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            if entry.name not in ("site-packages", "dist-packages"):
                yield from _without(own, entry)
    base = Path(sys.base_prefix) / "lib"
    if base.is_dir():
        yield from sorted(base.glob("*.so*"))


def _without(own: Path, path: Path) -> Iterator[Path]:
    """`path`, or where `own` lies beneath it, the parts of it that do not hold `own`."""
    real = path.resolve()
    if own != real and real not in own.parents:
        yield path
    elif own != real:
        for entry in sorted(real.iterdir()):
            yield from _without(own, entry)


def apply_layers(settings: JailSettings, uid: int | None, ruleset: int | None) -> dict[str, str]:
    """Close this process in. Called in a child before any of the submission's code.

    Returns:
        For each layer of `LAYERS`, `"on"` or the reason why it is off.
    """
    steps: dict[str, Callable[[], None]] = {
        "environment": _scrub_environment,
        "no_new_privs": _no_new_privs,
        "uid": lambda: _drop_to(uid),
        "rlimits": lambda: _limit_resources(settings, uid is not None and os.getuid() == uid),
        "landlock": lambda: _restrict_files(ruleset, _gpu_devices() if settings.gpu else []),
        "seccomp": seccomp.apply_filter,
    }
    held = {}
    for layer, step in steps.items():
        if layer not in settings.layers:
            held[layer] = "switched off"
            continue
        try:
            step()
            held[layer] = ON
        except (OSError, ValueError, AttributeError) as error:
            held[layer] = f"not available: {error}"
    if "rlimits" in settings.layers:
        _give_up_capabilities()  # last, for the other layers may need them
    return held


def _scrub_environment() -> None:
    keep = ("LANG", "LC_ALL", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MPLBACKEND")
    kept = {name: os.environ[name] for name in keep if name in os.environ}
    os.environ.clear()
    scratch = os.getcwd()
    os.environ.update(
        kept,
        PATH=os.defpath,
        HOME=scratch,
        TMPDIR=scratch,
        USER="student",
        LOGNAME="student",
        MPLCONFIGDIR=scratch,
    )
    tempfile.tempdir = None  # the grader's; the next use finds TMPDIR
    sys.orig_argv[:] = []
    if sys.platform == "linux":
        _wipe_start_block()


def _wipe_start_block() -> None:
    """Overwrite the copy of arguments and environment that the kernel laid at the top of the stack."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[48])  # arg_start and env_end of proc(5), counted behind the name
    if 0 < start < end < start + (4 << 20):
        ctypes.memset(start, 0, end - start)


def _no_new_privs() -> None:
    if sys.platform != "linux":
        raise OSError("only Linux has it")
    if ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError("the kernel refused")


def _drop_to(uid: int | None) -> None:
    if uid is None:
        raise OSError("the grader does not run as root")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if sys.platform == "linux":  # lets the grader count its open files where it may not trace processes
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def _give_up_capabilities() -> None:
    """Where the user of its own is missing, this process is still root's, who could raise its limits again."""
    if sys.platform == "linux" and os.geteuid() == 0:
        header, none = struct.pack("<Ii", _CAPABILITY_VERSION, 0), bytes(24)
        ctypes.CDLL(None).capset(ctypes.create_string_buffer(header), ctypes.create_string_buffer(none))


def _limit_resources(settings: JailSettings, own_uid: bool) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: settings.cpu_seconds,
        resource.RLIMIT_FSIZE: settings.disk_mb << 20,
        resource.RLIMIT_NOFILE: 256,
    }
    if sys.platform == "linux":
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        if not settings.gpu:
            limits[resource.RLIMIT_AS] = mapped + (settings.memory_mb << 20)
        limits[resource.RLIMIT_MEMLOCK] = 0
        limits[resource.RLIMIT_MSGQUEUE] = 0
        if own_uid:  # the limit counts all processes of the user
            limits[resource.RLIMIT_NPROC] = 64
    for name, value in limits.items():
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        grace = 1 if name == resource.RLIMIT_CPU and value != hard else 0  # so that SIGXCPU comes before SIGKILL
        resource.setrlimit(name, (value, value + grace))


def _gpu_devices() -> list[Path]:
    return sorted(Path("/dev").glob("nvidia*"))


def _restrict_files(ruleset: int | None, devices: list[Path]) -> None:
    if ruleset is None:
        raise OSError("the kernel has no Landlock")
    landlock.restrict_self(ruleset)
    own = landlock.make_write_ruleset([Path.cwd(), Path("/dev/null"), *devices])  # not the folders of other children
    landlock.restrict_self(own)
    os.close(own)
    try:
        os.listdir("/")
    except PermissionError:
        return
    raise OSError("the kernel accepted the rules but does not apply them")

"""Attacks on what lies outside of the child: files of the grader, other processes, the network, planted files."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.intake import read_submission
from autograder.scoring import classifier, second_opinion

from ..checks.planting import messages, planted
from ..intake.builders import write_zip
from ..sandbox.conftest import needs_landlock
from .conftest import SEED, UNIT, WRONG, Attack
from .tools import REFUSED_CALLS, TOOLS

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = needs_landlock


@pytest.fixture
def neighbour() -> Iterator[Path]:
    """A folder that every user of the machine may write into, with results, a secret and a file of another student."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    for name in ("results.json", "secret", "q1_vae.py"):
        (folder / name).write_text(f"content of {name}\n")
        (folder / name).chmod(0o666)
    before = {path: (path.read_text(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    yield folder
    assert {path: (path.read_text(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    shutil.rmtree(folder)


def lost(attack: Attack, body: str) -> None:
    """The attack ran to its end and won nothing."""
    assert WRONG in messages(attack(body, TOOLS), UNIT)[0]


READERS = """
def mapped(path):
    import mmap
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0)
def by_folder(path):
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    return os.open(os.path.basename(path), os.O_RDONLY, dir_fd=folder)
def by_link(path):
    link = f"link{len(os.listdir())}"
    os.symlink(path, link)
    return open(link).read()
def by_hard_link(path):
    os.link(path, f"hard{len(os.listdir())}")
def by_proc(path):
    return open("/proc/self/root" + path).read()
def by_climbing(path):
    return open(os.path.relpath(path)).read()
def by_path_descriptor(path):
    return open(f"/proc/self/fd/{os.open(path, os.O_PATH)}").read()
def by_numpy(path): return numpy.fromfile(path, "uint8")
def by_torch(path): return torch.load(path, weights_only=True)
def by_run(path): return runpy.run_path(path)
def listed(path): return os.listdir(os.path.dirname(path))
READING = (open, mapped, by_folder, by_link, by_hard_link, by_proc, by_climbing, by_path_descriptor, by_numpy, by_torch,
           by_run, listed)
def reads(path):
    return not all(refused(lambda: reader(path), by=(1, 13, errno.EXDEV)) for reader in READING)
"""


@pytest.mark.threat(2, 13)
def test_no_way_to_read_leads_to_the_answers(attack: Attack, h25: Assignment, neighbour: Path) -> None:
    """Twelve ways to a file, for each file."""
    paths = [
        *sorted(h25.checks.glob("*.py")),
        *(h25.master(file) for file in h25.files),
        h25.folder / "assignment.toml",
        classifier.WEIGHTS,
        second_opinion.WEIGHTS,
        REPOSITORY / "autograder" / "sandbox" / "session.py",
        REPOSITORY / "autograder" / "grading" / "reference.py",
        REPOSITORY / "pyproject.toml",
        Path(__file__),
        neighbour / "results.json",
        neighbour / "secret",
        *(path for path in (REPOSITORY / ".git" / "HEAD",) if path.is_file()),
    ]
    assert all(path.is_file() for path in paths)
    report = attack(f"for path in {list(map(str, paths))}:\n    won |= reads(path)", TOOLS + READERS)
    assert WRONG in messages(report, UNIT)[0]


@pytest.mark.threat(2, 13)
def test_the_secret_of_the_course_is_not_read(attack: Attack) -> None:
    homes = {str(Path.home()), "/root", "/home", "/autograder", "/autograder/source", "/autograder/submission"}
    places = "".join(f"""
    won |= not refused(lambda: open({home + "/.config/genlab/secret"!r}), by=(1, 2, 13))
    won |= not refused(lambda: os.listdir({home!r}), by=(1, 2, 13))
    """ for home in sorted(homes))  # fmt: skip
    lost(attack, places)


@pytest.mark.threat(2, 13, 14)
def test_proc_and_devices_are_closed(attack: Attack) -> None:
    """Of itself, of the zygote, of the grader and of the first process."""
    lost(
        attack,
        f"""
        for pid in ("self", "thread-self", os.getppid(), {os.getpid()}, 1):
            for name in ("environ", "mem", "maps", "cmdline", "stack", "status", "mountinfo", "fdinfo/0", "fd/3"):
                won |= not refused(lambda: open(f"/proc/{{pid}}/{{name}}", "rb").read(1), by=(1, 2, 3, 6, 13))
            for name in ("fd", "task", "root", "map_files", "ns", "cwd/.."):
                won |= not refused(lambda: os.listdir(f"/proc/{{pid}}/{{name}}"), by=(1, 2, 13))
        for path in ("/dev/mem", "/dev/kmem", "/dev/port", "/dev/sda", "/dev/tty", "/dev/ptmx", "/dev/fuse", "/dev/kvm",
                     "/proc/kcore", "/proc/kallsyms", "/proc/sys/kernel/randomize_va_space", "/etc/shadow",
                     "/etc/passwd", "/var/run/docker.sock", "/sys/kernel/debug", "/proc/net/tcp"):
            won |= not refused(lambda: open(path, "rb").read(1), by=(1, 2, 6, 13))
        """,
    )


@pytest.mark.threat(13)
def test_environment_arguments_and_descriptors_hold_nothing(attack: Attack) -> None:
    lost(
        attack,
        """
        allowed = {"PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "MPLCONFIGDIR", "LANG", "LC_ALL", "MPLBACKEND"}
        left = {name for name in os.environ if name not in allowed and not name.endswith("_NUM_THREADS")}
        won |= bool(left) or sys.argv != ["submission"] or bool(sys.orig_argv)
        open_files = []
        for descriptor in range(256):
            try:
                open_files.append((descriptor, stat.S_IFMT(os.fstat(descriptor).st_mode)))
            except OSError:
                pass
        won |= len(open_files) != 4 or [kind for _, kind in open_files].count(stat.S_IFSOCK) != 1
        won |= any(kind in (stat.S_IFREG, stat.S_IFDIR) for _, kind in open_files)
        """,
    )


@pytest.mark.threat(3, 4, 10)
def test_nothing_outside_is_written(attack: Attack, neighbour: Path) -> None:
    targets = [
        *(str(path) for path in neighbour.iterdir()),
        *(str(neighbour / name) for name in ("new", "conftest.py")),
        *(str(REPOSITORY / name) for name in ("conftest.py", "sitecustomize.py", "pytest.ini", "results.json")),
        str(REPOSITORY / "autograder" / "checks" / "ift6135_h25" / "__pycache__" / "test_q1_vae.cpython-311.pyc"),
        *("/tmp/conftest.py", "/var/tmp/x", "/dev/shm/x", "/run/x", "/autograder/results/x.json", "/etc/cron.d/x"),
        *("../run2/x", "../x", os.path.join(os.path.dirname(os.__file__), "sitecustomize.py")),
        os.path.join(os.path.dirname(pytest.__file__), "..", "genlab.pth"),
    ]  # fmt: skip
    lost(
        attack,
        f"""
        for path in {targets}:
            won |= not refused(
                lambda: open(path, "w"),
                lambda: open(path, "a"),
                lambda: os.mkdir(path + "x") or os.stat(path + "x"),
                lambda: os.symlink("x", path + "x"),
                lambda: os.mkfifo(path + "x"),
                lambda: os.rename(path, "mine"),
                lambda: os.rename("images", path + "x"),
                lambda: os.unlink(path),
                lambda: os.truncate(path, 0),
                by=(1, 2, 13, errno.EXDEV, errno.EROFS, errno.ENOTDIR),
            )
        """,
    )


@pytest.mark.threat(3, 4, 10)
def test_what_it_leaves_in_its_own_folder_reaches_nobody(attack: Attack, neighbour: Path) -> None:
    """Files that Python, pytest or a careless clean-up would take up, links out of the folder, closed folders."""
    planted_files = [
        "conftest.py",
        "pytest.ini",
        "sitecustomize.py",
        "usercustomize.py",
        "torch.py",
        "numpy.py",
        "q2_ddpm.py",
    ]
    planted_files += ["tests/test_x.py", "__init__.py", "autograder/__init__.py", "x.pth", ".pdbrc", "results.json"]
    lost(
        attack,
        f"""
        for name in {planted_files}:
            path = pathlib.Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("raise SystemExit('taken up')")
        site = pathlib.Path(".local/lib/python3.11/site-packages")
        site.mkdir(parents=True)
        (site / "usercustomize.py").write_text("raise SystemExit")
        os.symlink({str(neighbour)!r}, "out")
        os.symlink({str(neighbour / "results.json")!r}, "tests/results.json")
        os.symlink("/", "root")
        os.symlink("loop", "loop")
        os.mkfifo("fifo")
        os.mkdir("closed")
        os.makedirs("/".join("d" * 60))
        open("closed/file", "w").close()
        os.chmod("closed", 0)
        os.chmod("out", 0o777, follow_symlinks=False) if os.chmod in os.supports_follow_symlinks else None
        own = os.getcwd()
        os.chdir("tests")
        os.chmod(own, 0)
        """,
    )


@pytest.mark.threat(4, 14)
def test_no_call_reaches_another_process(attack: Attack) -> None:
    """Each call that the filter refuses is made, at the zygote and at the grader."""
    lost(
        attack,
        f"""
        for pid in (os.getppid(), {os.getpid()}, 1, -1):
            for name in NUMBERS:
                won |= not refused(lambda: call(name, pid, 0, 0, 0, 0, 0))
            for number in (0, signal.SIGKILL, signal.SIGSTOP, signal.SIGALRM, signal.SIGUSR1):
                won |= not refused(lambda: os.kill(pid, number))
            won |= not refused(lambda: resource.prlimit(pid, resource.RLIMIT_CPU, (0, 0)), by=(1, 3, 13))
            won |= not refused(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19), by=(1, 3, 13))
            won |= not refused(lambda: os.sched_setaffinity(pid, [0]), by=(1, 3, 13))
        won |= not refused(os.fork, os.forkpty, lambda: os.execv("/bin/true", ["true"]))
        won |= not refused(lambda: os.posix_spawn("/bin/true", ["true"], {{}}), lambda: os.chroot("."))
        won |= not refused(lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.nice(-5))
        """,
    )
    assert len(REFUSED_CALLS) > 60


@pytest.mark.threat(15)
def test_no_socket_of_any_family(attack: Attack) -> None:
    lost(
        attack,
        """
        for family in range(46):  # AF_UNSPEC to AF_MCTP: INET, INET6, UNIX, NETLINK, PACKET, ALG, VSOCK, XDP ...
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
                won |= not refused(lambda: socket.socket(family, kind))
        """,
    )


@pytest.mark.threat(15)
def test_no_name_is_looked_up_and_no_connection_made(attack: Attack) -> None:
    lost(
        attack,
        """
        import http.client, smtplib, urllib.request
        end = channel()
        there = socket.socket(fileno=os.dup(end))
        attempts = (
            lambda: socket.getaddrinfo("secret-value.example.org", 80),
            lambda: socket.gethostbyname("secret-value.example.org"),
            lambda: urllib.request.urlopen("http://192.0.2.1/", timeout=1),
            lambda: http.client.HTTPConnection("127.0.0.1", 80, timeout=1).request("GET", "/"),
            lambda: smtplib.SMTP("127.0.0.1", 25, timeout=1),
            lambda: there.connect("\\0abstract"),
            lambda: there.bind("\\0abstract"),
            lambda: there.listen(),
            lambda: there.accept(),
            lambda: socket.send_fds(there, [b"x"], [1]),
            lambda: there.sendto(b"x", "\\0abstract"),
        )
        for attempt in attempts:
            try:
                attempt()
            except OSError:
                continue
            won = True
        """,
    )


# --- through intake -------------------------------------------------------------------------------------------------

TAKEN_UP = "raise SystemExit('taken up')\n"
BESIDES = {
    "pytest's own": ["conftest.py", "pytest.ini", "tox.ini", "setup.cfg", "tests/conftest.py", "tests/test_all.py"],
    "python's own": ["sitecustomize.py", "usercustomize.py", "x.pth", "__init__.py", "__main__.py", "site.py"],
    "names of libraries": ["torch.py", "numpy.py", "torch/__init__.py", "numpy/__init__.py", "json.py", "struct.py"],
    "the grader's": ["autograder/__init__.py", "autograder/sandbox/child.py", "genlab_probes.py", "results.json"],
    "compiled": ["__pycache__/q1_vae.cpython-311.pyc", "q1_vae.pyc", "q1_vae.so", "q1_vae.cpython-311-x86_64.so"],
}  # fmt: skip


@pytest.mark.threat(10)
@pytest.mark.parametrize("kind", BESIDES)
def test_files_that_are_handed_in_besides_are_not_taken_up(
    engine: Engine, h25: Assignment, masters: dict[str, str], tmp_path: Path, kind: str
) -> None:
    wrong = planted(masters["q1_vae.py"], {"block: log_mean_exp": "lme = y.mean(1)"})
    files = {**masters, "q1_vae.py": wrong, **dict.fromkeys(BESIDES[kind], TAKEN_UP)}
    taken = read_submission([write_zip(tmp_path / "work.zip", files)], h25)
    assert taken.refusal == ""
    assert set(taken.sources) == {file.name for file in h25.files}
    report = engine.grade(taken, SEED, only={UNIT, "q1_vae.log_likelihood_bernoulli"})
    assert report.run.problem == ""
    assert report.earned == 6
    assert WRONG in messages(report, UNIT)[0]


@pytest.mark.threat(10)
def test_modes_and_owners_of_the_scratch_folder(engine: Engine) -> None:
    """Nobody but root can list the folders of the children."""
    mode = stat.S_IMODE(engine._zygote.scratch_root.stat().st_mode)
    assert mode == 0o711

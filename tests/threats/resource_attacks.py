"""What submissions do to use up a machine, as the bodies of functions: each is the real thing.

`ENDED` holds what goes on until a limit ends it; `REFUSED` returns whether all of it was refused; `BACKGROUND` starts
processes and returns at once, which needs a kernel that lets it.
"""

from __future__ import annotations

from typing import NamedTuple

SHORT, LONG = 0.5, 20.0  # limits for calls: of attacks that only time ends, and of those that another limit ends first
MEMORY_MB, DISK_MB, OUTPUT_MB = 300, 8, 1

TIME = f"it did not finish within {SHORT} seconds and was stopped"
MEMORY = f"it asked for more than the {MEMORY_MB} MB of memory that a check may use"
DISK = f"it wrote more than {DISK_MB} MB of files, or thousands of them"
OUTPUT = f"it printed more than {OUTPUT_MB} MB and was stopped"

TOOLS = """
import atexit, contextlib, ctypes, fcntl, mmap, multiprocessing, os, re, resource, signal, socket, struct, subprocess
import sys, threading, time
import numpy

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
X86 = os.uname().machine == "x86_64"
BLOCK = bytes(1 << 20)


def spin():
    while True:
        pass


def refused(*actions):
    for action in actions:
        try:
            action()
        except (OSError, ValueError, RuntimeError, ImportError):
            continue
        return False
    return True


def call(number, *arguments):
    posix(libc.syscall(number, *map(ctypes.c_long, arguments)))


def posix(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")


def ignore_all():
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass


def write(name, blocks=4):
    with open(name, "w+b") as file:
        for _ in range(blocks):
            file.write(BLOCK)
    time.sleep(0.02)


def start(action):
    if os.fork() == 0:
        try:
            action()
        finally:
            os._exit(0)


def detached(action):
    start(lambda: (os.setsid(), ignore_all(), start(lambda: start(action))))
    time.sleep(0.05)
    return True
"""


class Ended(NamedTuple):
    """An attack that goes on until a limit ends it: its body, the sentence, the numbers of its threats."""

    body: str
    sentence: str
    threats: tuple[int, ...]


ENDED = {
    "loop": Ended("spin()", TIME, (21,)),
    "loop in except BaseException": Ended(
        """
        while True:
            try:
                spin()
            except BaseException:
                pass
        """,
        TIME,
        (21,),
    ),
    "regular expression": Ended("re.match(r'(a|a)*b', 'a' * 200)", TIME, (21,)),
    "sum of a range": Ended("sum(range(10**12))", TIME, (21,)),
    "power of integers": Ended("pow(3, 10**9)", TIME, (21,)),
    "long operation of torch": Ended("torch.linalg.eigvals(torch.rand(3000, 3000))", TIME, (21,)),
    "waiting at a fifo": Ended("os.mkfifo('p'); open('p').read()", TIME, (21, 25)),
    "alarms and clocks": Ended(
        """
        ignore_all()
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        signal.alarm(0)
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        time.monotonic = time.time = time.perf_counter = lambda: 0.0
        spin()
        """,
        TIME,
        (21, 22),
    ),
    "a process that stops itself": Ended("ignore_all(); os.kill(os.getpid(), signal.SIGSTOP)", TIME, (21, 22)),
    "threads that never end": Ended(
        """
        with contextlib.suppress(RuntimeError):  # no more threads are to be had
            for _ in range(8):
                threading.Thread(target=spin).start()
        spin()
        """,
        TIME,
        (21, 23),
    ),
    "training in a call": Ended(
        """
        layer = torch.nn.Linear(64, 64)
        optimizer = torch.optim.Adam(layer.parameters())
        while True:
            optimizer.zero_grad()
            layer(torch.randn(128, 64)).square().mean().backward()
            optimizer.step()
        """,
        TIME,
        (29,),
    ),
    "more threads than processors": Ended(
        """
        torch.set_num_threads(64)
        while True:
            torch.rand(400, 400) @ torch.rand(400, 400)
        """,
        "the check was ended",
        (28,),
    ),
    "fork bomb": Ended(
        """
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """,
        TIME,
        (23,),
    ),
    "thread bomb": Ended(
        """
        event = threading.Event()
        while True:
            threading.Thread(target=event.wait, daemon=True).start()
        """,
        "can't start new thread",
        (23,),
    ),
    "memory of Python": Ended("kept = [bytearray(20 << 20) for _ in range(500)]", MEMORY, (24,)),
    "a list that grows": Ended(
        """
        kept = [0]
        while True:
            kept = kept * 2
        """,
        MEMORY,
        (24,),
    ),
    "memory of numpy": Ended("kept = [numpy.zeros(4 << 20) for _ in range(500)]", MEMORY, (24,)),
    "memory of torch": Ended("kept = [torch.ones(8 << 20) for _ in range(500)]", MEMORY, (24,)),
    "one huge tensor": Ended("torch.zeros(10**11)", MEMORY, (24,)),
    "mapped memory": Ended("kept = [mmap.mmap(-1, 50 << 20) for _ in range(500)]", MEMORY, (24,)),
    "many small files": Ended(
        """
        for number in range(10**6):
            open(f"{number}", "w").close()
        """,
        DISK,
        (25,),
    ),
    "names with newlines": Ended("for number in range(99): write(f'line\\n{number}')", DISK, (25,)),
    "one huge file": Ended("write('huge', 20)", "File too large", (25,)),
    "huge files, errors swallowed": Ended(
        """
        for number in range(10**6):
            try:
                write(str(number), 20)
            except OSError:
                pass
        """,
        DISK,
        (25,),
    ),
    "a sparse file": Ended("os.truncate(os.open('sparse', os.O_CREAT | os.O_RDWR), 1 << 40)", "File too large", (25,)),
    "folders in folders": Ended(
        """
        for number in range(10**4):
            os.mkdir("f")
            os.chdir("f")
        time.sleep(99)
        """,
        DISK,
        (25,),
    ),
    "hard links": Ended("write('f'); [os.link('f', f'f{number}') for number in range(10**5)]", DISK, (25,)),
    "files deleted and kept open": Ended(
        """
        kept = []
        while True:
            write("f")
            kept.append(open("f", "rb"))
            os.unlink("f")
        """,
        DISK,
        (25,),
    ),
    "files deleted and kept mapped": Ended(
        """
        while True:
            write("f")
            descriptor = os.open("f", os.O_RDWR)
            libc.mmap(None, ctypes.c_size_t(4096), 1, 1, descriptor, ctypes.c_long(0))
            os.close(descriptor)
            os.unlink("f")
        """,
        DISK,
        (25,),
    ),
    "fast lines": Ended("while True: print('x' * 50)", OUTPUT, (26,)),
    "a line without an end": Ended("while True: print('x' * 1000, end='')", OUTPUT, (26,)),
    "bytes to the descriptor": Ended("while True: os.write(1, bytes(range(256)) * 100)", OUTPUT, (26,)),
    "bytes to stderr, errors swallowed": Ended(
        """
        while True:
            try:
                sys.stderr.buffer.write(b"\\xff\\x1b[2J" * 1000)
            except BaseException:
                pass
        """,
        OUTPUT,
        (26,),
    ),
    "a thread that prints": Ended(
        "threading.Thread(target=lambda: [print('x' * 9999) for _ in range(10**9)]).start(); time.sleep(99)",
        OUTPUT,
        (26,),
    ),
    "a closed output": Ended("sys.stdout.close(); os.close(1); os.close(2); spin()", TIME, (21, 26)),
    "descriptors": Ended("kept = [os.open('/dev/null', 0) for _ in range(10**4)]", "Too many open files", (25,)),
}

# What returns True where all of it was refused; the submission is right apart from it and gets its points.
REFUSED: dict[str, tuple[str, tuple[int, ...]]] = {
    "processes": (
        """
        return refused(
            os.fork,
            os.forkpty,
            lambda: call(56 if X86 else 220, signal.SIGCHLD, 0, 0, 0, 0),
            lambda: call(435, 0, 0),
            lambda: call(58 if X86 else 435, 0, 0),
            lambda: os.posix_spawn("/bin/true", ["true"], {}),
            lambda: subprocess.run(["true"]),
            lambda: multiprocessing.get_context("fork").Process(target=spin).start(),
            lambda: multiprocessing.get_context("spawn").Process(target=spin).start(),
        ) and os.system("true") != 0
        """,
        (23,),
    ),
    "memory that no limit counts": (
        """
        return refused(
            lambda: os.memfd_create("x"),
            lambda: posix(libc.shm_open(b"/genlab", os.O_CREAT | os.O_RDWR, 0o600)),
            lambda: open("/dev/shm/genlab", "w"),
            lambda: call(29 if X86 else 194, 0, 1 << 20, 0o1600),
            lambda: socket.socketpair()[0].sendmsg([b"x"]),
        )
        """,
        (24,),
    ),
    "buffers of pipes": (
        """
        filled = 0
        try:
            while True:
                end = os.pipe()[1]
                os.set_blocking(end, False)
                try:
                    fcntl.fcntl(end, 1031, 1 << 20)  # F_SETPIPE_SZ
                except PermissionError:
                    pass
                try:
                    while True:
                        filled += os.write(end, BLOCK)
                except BlockingIOError:
                    pass
        except OSError:
            return filled < 150 << 20
        """,
        (24,),
    ),
    "limits raised": (
        """
        names = ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CPU", "RLIMIT_NPROC")
        return refused(*(
            lambda name=name: resource.setrlimit(getattr(resource, name), (resource.RLIM_INFINITY,) * 2)
            for name in names
        ))
        """,
        (23, 24, 25),
    ),
    "priorities and processors": (
        """
        return refused(
            lambda: os.nice(1),
            lambda: os.nice(-5),
            lambda: os.setpriority(os.PRIO_USER, 0, 10),
            lambda: os.sched_setaffinity(0, {0}),
            lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
        )
        """,
        (28,),
    ),
    "a table of files of its own, which the watch over the disk does not see": (
        "return refused(lambda: call(436, 9999, 9999, 2), lambda: call(272 if X86 else 97, 0x400))",
        (25,),
    ),
    "a watcher of files": (
        "return refused(lambda: call(294 if X86 else 26, 0), lambda: call(300 if X86 else 262, 0, 0))",
        (4,),
    ),
    "work after the return": (
        """
        def late():
            ignore_all() if threading.current_thread() is threading.main_thread() else None
            while True:
                write("late.txt", 1)
        atexit.register(late)
        threading.Thread(target=late, daemon=True).start()
        threading.Thread(target=late).start()
        return True
        """,
        (4, 6),
    ),
}

# Processes that outlive the call, where the kernel has no filter that refuses them.
BACKGROUND = {
    "a loop": "return detached(spin)",
    "prints and holds the output open": "return detached(lambda: [print('x') for _ in range(10**9)])",
    "writes files": "return detached(lambda: [write(f'{number}', 1) for number in range(10**6)])",
    "a family that is never the same process": """
        def family():
            while True:
                if os.fork():
                    os._exit(0)
                time.sleep(0.001)
        return detached(family)
        """,
    "kills whatever comes next": """
        def kill():
            while True:
                for pid in range(os.getpid() + 1, os.getpid() + 500):
                    try:
                        os.kill(pid, 9)
                    except OSError:
                        pass
                time.sleep(0.001)
        return detached(kill)
        """,
    "rewrites the results": """
        def rewrite():
            while True:
                try:
                    open(RESULTS, "w").write('{"score": 100}')
                except OSError:
                    pass
                time.sleep(0.001)
        return detached(rewrite)
        """,
    "a fork bomb": """
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            try:
                if os.fork() == 0:
                    end = time.monotonic() + 99
            except OSError:
                pass
        return True
        """,
}

# Code at the end of a file, for its import.
AT_IMPORT: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "a loop that catches all": (
        "while True:\n    try:\n        spin()\n    except BaseException: pass\n",
        TIME,
        (21, 22, 29),
    ),
    "training": (
        "layer = torch.nn.Linear(64, 64)\nwhile True: layer(torch.randn(128, 64)).sum().backward()\n",
        TIME,
        (29,),
    ),
    "memory": ("kept = [torch.ones(8 << 20) for _ in range(500)]\n", MEMORY, (24,)),
    "printing": ("while True: print('x' * 1000)\n", OUTPUT, (26,)),
}

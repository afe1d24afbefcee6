"""The warm process that children are forked from, and the grader's end of it.

It is forked from the grader before the grader has loaded any check, reference or secret, so that its memory holds none;
it starts no thread, runs no tensor operation, and does what the grader asks: fork a child, reap a child.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from autograder.sandbox import scratch as scratch_folder
from autograder.sandbox.child import run_child
from autograder.sandbox.errors import SandboxError
from autograder.sandbox.jail import JailSettings, apply_layers, child_uid, make_ruleset
from autograder.sandbox.processes import adopt_orphans, die_with, end_children

_ANSWER_SECONDS = 30.0
_END_SECONDS = 5.0


@dataclass(frozen=True)
class Exit:
    """How a child ended: exit code, or number of the signal that ended it, and its peak memory in MB."""

    code: int
    signal: int
    peak_mb: float


class Zygote:
    """The grader's end. One zygote serves one child at a time."""

    def __init__(self, settings: JailSettings | None = None, scratch_dirs: tuple[str, ...] = ()) -> None:
        """Fork the warm process.

        Args:
            settings: what children may use.
            scratch_dirs: folders that a child finds in its working directory.
        """
        self.settings = settings or JailSettings()
        self.scratch_dirs = scratch_dirs
        self.scratch_root = Path(tempfile.mkdtemp(prefix="genlab-"))
        self.scratch_root.chmod(0o711)
        self._uid = child_uid() if "uid" in self.settings.layers else None
        self._children = 0
        self._serving = False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            _live(theirs, self.settings, self._uid, self.scratch_root)
        theirs.close()
        self._control = ours
        self._control.settimeout(_ANSWER_SECONDS)

    def fork_child(
        self, channel: socket.socket, output: int, files: Mapping[str, bytes] | None = None
    ) -> tuple[int, Path]:
        """Start a jailed child that serves `channel` and prints to the descriptor `output`.

        Args:
            channel: what it serves.
            output: where it prints.
            files: relative path -> content, to lie in its scratch folder before it starts.

        Returns:
            Its process id and its scratch folder.

        Raises:
            SandboxError: the zygote is gone, or its last child was not reaped yet.
        """
        if self._serving:
            raise SandboxError("a second child was asked for while the first one lives; close its session first")
        self._children += 1
        scratch = self.scratch_root / f"run{self._children}"
        files = files or {}
        parents = {str(parent) for name in files for parent in PurePosixPath(name).parents}
        for name in (".", *self.scratch_dirs, *sorted(parents - {"."})):
            folder = scratch / name
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            if self._uid is not None:
                with contextlib.suppress(OSError):  # no such user to be had: then the layer `uid` says so
                    os.chown(folder, self._uid, self._uid)
        for name, content in files.items():
            (scratch / name).write_bytes(content)
            (scratch / name).chmod(0o444)
        answer = self._ask({"fork": str(scratch)}, [channel.fileno(), output])
        self._serving = True
        return int(answer["pid"]), scratch

    def reap_child(self, pid: int, scratch: Path) -> Exit:
        """Kill a child and all that it started, wait for it, and remove its scratch folder.

        Raises:
            SandboxError: the zygote is gone.
        """
        self._serving = False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
        try:
            answer = self._ask({"reap": pid})
        finally:
            scratch_folder.remove(scratch)
        return Exit(**answer)

    def _ask(self, request: dict[str, Any], descriptors: list[int] | None = None) -> dict[str, Any]:
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors or [])
            raw = self._control.recv(4096)
        except OSError as error:
            raise SandboxError(f"the sandbox does not answer: {error}") from error
        if not raw:
            raise SandboxError("the sandbox has ended")
        answer: dict[str, Any] = json.loads(raw)
        if "error" in answer:
            raise SandboxError(f"the sandbox could not start a child: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the zygote and remove its scratch folder."""
        self._control.close()
        with contextlib.suppress(ChildProcessError):
            ends = time.monotonic() + _END_SECONDS
            while os.waitpid(self.pid, os.WNOHANG) == (0, 0):  # it ends by itself, and its children before it
                if time.monotonic() > ends:
                    os.kill(self.pid, signal.SIGKILL)
                time.sleep(0.001)
        scratch_folder.remove(self.scratch_root)

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _live(control: socket.socket, settings: JailSettings, uid: int | None, scratch_root: Path) -> None:
    """Life of the warm process; ends with it."""
    status = 1
    try:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN if name == signal.SIGINT else signal.SIG_DFL)
        os.setsid()
        faulthandler.disable()  # it writes to a descriptor by its number, which may become a child's channel
        _keep_only(control)
        adopt_orphans()
        ruleset = make_ruleset(scratch_root, settings.gpu) if "landlock" in settings.layers else None
        _serve(control, settings, uid, ruleset)
        end_children(uid)  # the grader is gone; nothing of a submission outlives it
        status = 0
    finally:
        os._exit(status)


def _keep_only(control: socket.socket) -> None:
    """Close every inherited descriptor but the control channel, and give the process empty standard streams."""
    keep = control.fileno()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    highest = max(int(name) for name in os.listdir("/proc/self/fd")) if sys.platform == "linux" else 1024
    os.closerange(3, keep)
    os.closerange(keep + 1, highest + 1)


def _serve(control: socket.socket, settings: JailSettings, uid: int | None, ruleset: int | None) -> None:
    while True:
        raw, descriptors, _, _ = socket.recv_fds(control, 4096, 2)
        if not raw:
            return
        request = json.loads(raw)
        if "fork" in request:
            channel, output = descriptors
            try:
                pid = os.fork()
            except OSError as error:
                answer: dict[str, Any] = {"error": str(error)}
            else:
                if pid == 0:
                    control.close()
                    _become_child(channel, output, request["fork"], settings, uid, ruleset)
                answer = {"pid": pid}
            os.close(channel)
            os.close(output)
        else:
            answer = _reap(request["reap"], uid)
        control.send(json.dumps(answer).encode())


def _become_child(
    channel: int, output: int, scratch: str, settings: JailSettings, uid: int | None, ruleset: int | None
) -> None:
    status, parent = 70, os.getppid()
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        _renew_standard_streams()
        os.chdir(scratch)
        held = apply_layers(settings, uid, ruleset)
        die_with(parent)  # after the change of user, which would undo it
        if ruleset is not None:
            os.close(ruleset)
        run_child(channel, held)
        status = 0
    finally:
        os._exit(status)


def _renew_standard_streams() -> None:
    """Bind Python's streams to the descriptors: the grader may have put others in their place, which are closed here.

    Nothing is held back in a buffer, because a child is killed in the end.
    """
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        raw = io.FileIO(descriptor, "w", closefd=False)
        stream = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
        setattr(sys, name, stream)


def _reap(pid: int, uid: int | None) -> dict[str, Any]:
    """Wait for a killed child, then end and wait for everything else that was left to this process."""
    _, status, usage = os.wait4(pid, 0)
    end_children(uid)
    return {
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "peak_mb": usage.ru_maxrss / 1024,
    }

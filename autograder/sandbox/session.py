"""The grader's end of one child: requests with deadlines, printed output that is drained and capped, a certain end."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.language import _, number, retold
from autograder.sandbox import scratch, wire
from autograder.sandbox.errors import (
    BadAnswer,
    ChildEnded,
    InputChanged,
    SandboxError,
    SubmissionError,
    SubmissionRaised,
    as_source_lines,
)
from autograder.sandbox.vocabulary import Vocabulary
from autograder.sandbox.zygote import Exit, Zygote

_START_SECONDS = 30.0
_DISK_CHECK_SECONDS = 0.5
_OWN_SHARE = 0.8  # of the time for an import, after which the child itself ends it and names the line
_NAMES = 8  # of changed arguments
_FILE_ROOM = 8192  # what a file takes beyond its length
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "cannot allocate memory",
    "unable to allocate",
)


@dataclass(frozen=True)
class SessionLimits:
    """Limits that the grader enforces from outside; seconds are wall-clock."""

    import_seconds: float = 20.0
    call_seconds: float = 10.0
    output_kept: int = 64 << 10
    output_max: int = 16 << 20
    disk_bytes: int = 64 << 20


class Session:
    """One jailed child and the submission in it."""

    def __init__(
        self,
        zygote: Zygote,
        sources: dict[str, str],
        probes: str = "",
        seed: int = 0,
        limits: SessionLimits | None = None,
        deadline: float = float("inf"),
        *,
        classes: Mapping[str, Sequence[str]] | None = None,
        stand_ins: Sequence[str] = (),
        files: Mapping[str, bytes] | None = None,
        threads: int = 1,
    ) -> None:
        """Start a child and load the sources; nothing of the submission runs yet.

        Args:
            zygote: where the child comes from.
            sources: file name -> text, the submission's files and the course's own support modules.
            probes: source of the probes' module.
            seed: for the child's global random generators.
            limits: see `SessionLimits`.
            deadline: `time.monotonic()` at which the whole submission's time is up; every limit is cut to it.
            classes: module -> classes that it should define; see `modules.SourceFinder`.
            stand_ins: modules in whose place quiet ones stand; see `stand_ins.StandInFinder`.
            files: relative path -> content, to lie in the child's working folder; it can read them, not change them.
            threads: number of threads that torch may compute with.
        """
        self.limits = limits or SessionLimits()
        files = files or {}
        self._disk_bytes = self.limits.disk_bytes + sum(len(content) + _FILE_ROOM for content in files.values())
        self.output = b""
        self.layers: dict[str, str] = {}
        self.exit: Exit | None = None
        self._printed = 0
        self._deadline = deadline
        self._zygote = zygote
        self._seed = seed
        self._finds_slow_line = bool(stand_ins)
        self._imported: set[str] = set()
        self._knows_inputs = False
        self._vocabulary = Vocabulary(sources)
        self._vocabulary.learn(probes, *(name for names in (classes or {}).values() for name in names))
        self._ended: ChildEnded | None = None
        self._channel, theirs = socket.socketpair()
        self._pipe, write_end = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            self._pid, self._scratch = zygote.fork_child(theirs, write_end, files)
        except SandboxError:
            self._channel.close()
            os.close(self._pipe)
            raise
        finally:
            theirs.close()
            os.close(write_end)
        self._channel.setblocking(False)
        try:
            hello = self._read_frame(_START_SECONDS)
            self.layers = {str(k): str(v) for k, v in hello["layers"].items()}
            load = {"op": "load", "sources": sources, "probes": probes, "seed": seed, "threads": threads}
            load["stand_ins"] = list(stand_ins)
            load["classes"] = {module: list(names) for module, names in (classes or {}).items()}
            self.request(load, _START_SECONDS)
        except (ChildEnded, BadAnswer, SubmissionRaised, KeyError, TypeError) as error:
            self.close()
            if isinstance(error, ChildEnded) and error.reason == "budget":
                raise
            raise SandboxError(f"a child did not start: {error}") from error

    def import_module(self, name: str) -> None:
        """Import a module of the submission, once.

        Raises:
            SubmissionError: see `request`.
        """
        if name in self._imported:
            return
        self._vocabulary.learn(name)
        try:
            seconds = self.limits.import_seconds * _OWN_SHARE if self._finds_slow_line else 0.0
            request = {"op": "import", "module": name, "seed": self._seed, "seconds": seconds}
            self.request(request, self.limits.import_seconds)
        except SubmissionError as error:
            error.importing = name
            raise
        self._imported.add(name)

    def call(
        self,
        target: wire.Ref,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        wrt: tuple[Any, ...] = (),
        cotangent: Any = None,
    ) -> dict[str, Any]:
        """Call `target`; the answer has `value`, and with `wrt` also `grads`.

        Raises:
            InputChanged: the call changed its arguments.
            SubmissionError: see `request`.
        """
        self._knows_inputs = True
        self._vocabulary.learn(*kwargs)
        answer = self.request(
            {
                "op": "call",
                "target": target,
                "args": list(args),
                "kwargs": kwargs,
                "wrt": list(wrt),
                "cotangent": cotangent,
            },
            self.limits.call_seconds,
        )
        changed = answer.get("changed")
        if isinstance(changed, list) and changed:
            names = dict.fromkeys(self._vocabulary.name(str(name), "…") for name in changed[:_NAMES])
            raise InputChanged(target.path[-1] if target.path else _("the call"), list(names))
        return answer

    def request(self, request: dict[str, Any], seconds: float | None = None) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            SubmissionRaised: the submission raised.
            ChildEnded: the child ended, or was ended at a limit; all later requests say the same.
            BadAnswer: the answer is not a well-formed frame.
        """
        if self._ended:
            raise self._ended
        if isinstance(request.get("target"), wire.Ref):
            self._vocabulary.learn(*request["target"].path)
        frame = wire.encode(request, reference_to)
        self._write(frame, self.limits.call_seconds)
        answer = self._read_frame(self.limits.call_seconds if seconds is None else seconds)
        if not isinstance(answer, dict):
            raise self._end(foreign_answer())
        error = answer.get("error")
        if isinstance(error, dict):
            raise self._raised(error)
        if "value" not in answer:
            raise self._end(foreign_answer())
        return answer

    def _raised(self, error: dict[str, Any]) -> Exception:
        kind, text = self._vocabulary.name(str(error.get("type")), "Exception"), str(error.get("message"))
        if error.get("type") == "WireError":
            own_words = (wire.TOO_DEEP, wire.TOO_LARGE.format(size=wire.MAX_BUFFERS >> 20))
            return BadAnswer(retold(text, wire.TOO_DEEP, wire.TOO_LARGE)) if text in own_words else foreign_answer()
        if kind in ("MemoryError", "OutOfMemoryError") or any(sign in text.lower() for sign in _OUT_OF_MEMORY):
            asked = _("it asked for more than the {size} MB of memory that a check may use")
            return ChildEnded(asked.format(size=self._zygote.settings.memory_mb), "memory")
        own = error.get("own") is True
        text = "" if own else self._vocabulary.text(text[:2000]) if self._knows_inputs else text[:2000]
        lines = [line for raw in as_source_lines(error.get("lines")) if (line := self._vocabulary.line(raw))]
        return SubmissionRaised(kind, text, lines, own)

    def _write(self, frame: bytes, seconds: float) -> None:
        view = memoryview(frame)
        for ready in self._events(selectors.EVENT_WRITE, seconds):
            if ready:
                try:
                    view = view[self._channel.send(view) :]
                except OSError as error:
                    raise self._lost() from error
                if not view:
                    return

    def _read_frame(self, seconds: float) -> Any:
        data = bytearray()
        expected = wire.PREFIX.size
        prefix = b""
        for ready in self._events(selectors.EVENT_READ, seconds):
            if not ready:
                continue
            try:
                part = self._channel.recv(min(expected - len(data), 1 << 20))
            except OSError as error:
                raise self._lost() from error
            if not part:
                raise self._lost()
            data += part
            if len(data) < expected:
                continue
            try:
                if not prefix:
                    prefix, expected = bytes(data), wire.frame_size(bytes(data))
                    data.clear()
                    if expected:
                        continue
                return wire.decode(prefix, bytes(data), lambda name: self._vocabulary.name(name, "object"))
            except wire.WireError as error:
                raise self._end(BadAnswer(str(error))) from error
        raise AssertionError("unreachable: the events end by an exception")

    def _events(self, event: int, seconds: float) -> Any:
        """Yield whether the channel is ready, draining what the child prints, until a limit ends the child."""
        ends = min(time.monotonic() + seconds, self._deadline)
        disk_check = time.monotonic() + _DISK_CHECK_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, event)
            selector.register(self._pipe, selectors.EVENT_READ)
            while True:
                now = time.monotonic()
                if now >= ends:
                    if self._deadline <= now:
                        raise self._end(ChildEnded(_("the time for the whole submission was used up"), "budget"))
                    late = _("it did not finish within {seconds} seconds and was stopped")
                    raise self._end(ChildEnded(late.format(seconds=number(seconds)), "time"))
                if now >= disk_check:
                    disk_check = now + _DISK_CHECK_SECONDS
                    if scratch.holds_more_than(self._disk_bytes, self._scratch, self._pid):
                        wrote = _("it wrote more than {size} MB of files, or thousands of them")
                        raise self._end(ChildEnded(wrote.format(size=self.limits.disk_bytes >> 20), "disk"))
                ready = {key.fd for key, _ in selector.select(min(ends, disk_check) - now)}
                if self._pipe in ready and not self._drain():
                    selector.unregister(self._pipe)
                yield self._channel.fileno() in ready

    def _drain(self) -> bool:
        """Read what was printed; False when the child has closed its end."""
        try:
            part = os.read(self._pipe, 1 << 16)
        except BlockingIOError:
            return True
        self._printed += len(part)
        self.output += part[: max(0, self.limits.output_kept - len(self.output))]
        if self._printed > self.limits.output_max:
            printed = _("it printed more than {size} MB and was stopped")
            raise self._end(ChildEnded(printed.format(size=self.limits.output_max >> 20), "output"))
        return bool(part)

    def _lost(self) -> Exception:
        """The child closed its end: find out how it ended."""
        # a child that exits by itself needs a moment; one that only closed the channel is killed
        for _wait in range(200):
            if _is_zombie(self._pid):
                break
            time.sleep(0.005)
        self.close()
        assert self.exit is not None
        return self._end(_explain(self.exit))

    def _end(self, error: Exception) -> Exception:
        self._ended = error if isinstance(error, ChildEnded) else ChildEnded(str(error), "protocol")
        self.close()
        return error

    def close(self) -> None:
        """End the child and everything that it started. Can be called twice."""
        if self._channel.fileno() == -1:
            return
        self._channel.close()
        try:
            self.exit = self._zygote.reap_child(self._pid, self._scratch)
        finally:
            os.close(self._pipe)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def foreign_answer() -> BadAnswer:
    """An answer that no child gives by itself."""
    return BadAnswer(_("the answer is not one that the child gives"))


def reference_to(item: Any) -> wire.Ref | None:
    """What stands for an object of the grader, a remote object or a probe, on its way to the child; else None."""
    if hasattr(item, "__genlab_ref__"):
        reference: wire.Ref = item.__genlab_ref__()
        return reference
    spec = getattr(item, "probe_spec", None)
    if spec is None:
        return None
    name, args, kwargs = spec
    return wire.Ref({"probe": item.probe_key, "class": name, "args": args, "kwargs": kwargs})


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _explain(exit: Exit) -> ChildEnded:
    if exit.signal == signal.SIGSEGV:
        return ChildEnded(_("its process crashed (segmentation fault)"), "crash")
    if exit.signal == signal.SIGXCPU:
        return ChildEnded(_("it used more processor time than a check may use and was stopped"), "time")
    if exit.signal == signal.SIGKILL:
        killed = _("its process was killed before it answered (too much memory, or it killed itself)")
        return ChildEnded(killed, "killed")
    if exit.signal:
        signalled = _("its process was ended by a signal ({name})").format(name=_signal_name(exit.signal))
        return ChildEnded(signalled, "crash")
    return ChildEnded(_("its process ended before it answered (such as by exit())"), "exit")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return str(number)

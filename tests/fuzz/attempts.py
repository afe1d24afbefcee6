"""One input: run, measured, and ended where it hangs."""

from __future__ import annotations

import contextlib
import hashlib
import resource
import signal
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass

from .targets import Target
from .workshop import Workshop

_HANGS_AFTER = 120.0  # seconds, of the clock: far beyond the processor time that any input may take


@dataclass(frozen=True)
class Attempt:
    """What became of one input.

    Attributes:
        outcome: its class, as the target names it.
        seconds: processor time, that of ended children included.
        megabytes: peak of the memory for Python objects in this process; 0 where it is not measured.
    """

    outcome: str
    seconds: float
    megabytes: float


class Hangs(BaseException):
    """An input is not done with. No Exception, because the code under test may catch those."""


def attempt(target: Target, content: bytes, workshop: Workshop) -> Attempt:
    """Run `target` on `content`.

    Raises:
        Hangs: it did not end.
        Exception: whatever escaped from it; an AssertionError where an oracle does not hold or a limit was passed.
    """
    before = _processor_seconds()
    if target.megabytes is not None:
        tracemalloc.start()
    try:
        with _ended_if_it_hangs():
            outcome = target.run(content, workshop)
        megabytes = tracemalloc.get_traced_memory()[1] / (1 << 20)
    finally:
        tracemalloc.stop()
    seconds = _processor_seconds() - before
    assert seconds <= target.seconds, f"took {seconds:.1f} s of processor time, {target.seconds:g} are allowed"
    if target.megabytes is not None:
        assert megabytes <= target.megabytes, f"took {megabytes:.0f} MB of memory, {target.megabytes:g} are allowed"
    return Attempt(outcome, seconds, megabytes)


def digest(content: bytes) -> str:
    """A short name for an input."""
    return hashlib.sha256(content).hexdigest()[:12]


def _processor_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextlib.contextmanager
def _ended_if_it_hangs() -> Iterator[None]:
    def end(*_: object) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, _HANGS_AFTER)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

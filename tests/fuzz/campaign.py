"""All targets in turn, for some minutes, and a record of what was tried."""

from __future__ import annotations

import json
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings

from .attempts import Hangs, attempt, digest
from .byte_changes import changed
from .targets import Target
from .workshop import Workshop

SUMMARY = "summary.json"
_TURN_SECONDS = 2.0
_STRUCTURED_AT_ONCE = 10
_PLACE_FRAMES = 4  # of a traceback, by which two failures are the same


@dataclass
class Record:
    """What became of the inputs of one target.

    Attributes:
        inputs: how many were tried.
        outcomes: how many ended in each class.
        slowest: processor seconds of the slowest.
        megabytes: largest peak of memory; 0 where it is not measured.
        failures: place from which something escaped -> what, and the first input that does it.
    """

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    megabytes: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)


class Campaign:
    """Feeds targets and keeps the inputs from which something escapes."""

    def __init__(self, targets: Mapping[str, Target], workshop: Workshop, folder: Path, seed: int) -> None:
        """`folder` gets the inputs that fail; an input that ends this process stays there as well."""
        self.records = {name: Record() for name in targets}
        self._targets = targets
        self._workshop = workshop
        self._folder = folder
        self._random = Random(seed)
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, seconds: float, after_turn: Callable[[], None] = lambda: None) -> None:
        """Give every target its turn, again and again, until the time is over; each has one turn at least."""
        ends = time.monotonic() + seconds
        while True:
            for name in self._targets:
                self._turn(name)
                after_turn()
            if time.monotonic() >= ends:
                return

    def _turn(self, name: str) -> None:
        target = self._targets[name]
        ends = time.monotonic() + _TURN_SECONDS
        while True:
            self.feed(name, changed(self._random, target.seeds()))
            if target.structured is not None and self._random.random() < 1 / _STRUCTURED_AT_ONCE:
                self._structured(name)
            if time.monotonic() >= ends:
                return

    def _structured(self, name: str) -> None:
        strategy = self._targets[name].structured
        assert strategy is not None

        @hypothesis.seed(self._random.getrandbits(64))
        @settings(
            max_examples=_STRUCTURED_AT_ONCE,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy())
        def feed_all(content: bytes) -> None:
            self.feed(name, content)

        feed_all()

    def feed(self, name: str, content: bytes) -> None:
        """Try one input and write down what became of it."""
        record = self.records[name]
        record.inputs += 1
        path = self._folder / f"{name}-{digest(content)}.bin"
        path.write_bytes(content)  # first, so that an input that ends this process is known
        try:
            found = attempt(self._targets[name], content, self._workshop)
        except (Exception, Hangs) as escaped:
            record.outcomes["escaped"] += 1
            frames = traceback.extract_tb(escaped.__traceback__)[-_PLACE_FRAMES:]
            place = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
            if record.failures.setdefault(place, text := self._failure(escaped, place, path)) != text:
                path.unlink()
        else:
            path.unlink()
            record.outcomes[found.outcome] += 1
            record.slowest = max(record.slowest, found.seconds)
            record.megabytes = max(record.megabytes, found.megabytes)

    @staticmethod
    def _failure(escaped: BaseException, place: str, path: Path) -> str:
        what = f"{type(escaped).__name__}: {str(escaped)[:300]}"
        return f"{what}\n  at {place}\n  python -m tests.fuzz --replay {path}"

    @property
    def failures(self) -> list[str]:
        """Of all targets, one for each place."""
        return [failure for record in self.records.values() for failure in record.failures.values()]

    def write_summary(self, **about: Any) -> None:
        """Write the counts into the folder, with what else is to be known about the run."""
        summary = {
            **about,
            "inputs": sum(record.inputs for record in self.records.values()),
            "escaped": sum(record.outcomes["escaped"] for record in self.records.values()),
            "targets": {
                name: {
                    "inputs": record.inputs,
                    "outcomes": dict(record.outcomes.most_common()),
                    "slowest_seconds": round(record.slowest, 3),
                    "peak_megabytes": round(record.megabytes, 1),
                }
                for name, record in self.records.items()
            },
        }
        (self._folder / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def replay(path: Path, targets: Mapping[str, Target], workshop: Workshop) -> str:
    """Try the input in `path` once more; its target is the beginning of the file's name.

    Returns:
        The class of its outcome.

    Raises:
        ValueError: the name says no target.
        Exception: what escapes, as `attempts.attempt`.
    """
    name = path.name.rpartition("-")[0]
    if name not in targets:
        raise ValueError(f"{path.name}: the name of an input is TARGET-DIGEST.bin, TARGET one of {', '.join(targets)}")
    return attempt(targets[name], path.read_bytes(), workshop).outcome

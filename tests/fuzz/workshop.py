"""Where the targets work: a folder for uploads, and the processes that some of them need."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from autograder.assignment import Limits
from autograder.grading.engine import Engine
from autograder.sandbox.jail import JailSettings
from autograder.sandbox.preload import preload, quiet_environment
from autograder.sandbox.zygote import Zygote
from tests.grading.conftest import Course

# Short, because inputs that hang are run as well.
_LIMITS = Limits(import_seconds=3, call_seconds=2, budget_seconds=12, memory_mb=500, upload_mb=1, file_kb=100)


class Workshop:
    """Closed at the end, with all processes in it."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet."""
        self.folder = folder
        self._course = Course(folder)
        self._closing: list[Any] = [self._course]

    def upload(self, name: str, content: bytes) -> Path:
        """A file as a student would upload it, in the place of the one before."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        return path

    @cached_property
    def zygote(self) -> Zygote:
        """Of the jailed children that read checkpoints."""
        quiet_environment()
        preload(("torch", "numpy"))
        made = Zygote(JailSettings(memory_mb=1000))
        self._closing.append(made)
        return made

    @cached_property
    def engine(self) -> Engine:
        """For the small assignment of tests/grading."""
        return self._course.engine(limits=_LIMITS)

    def start(self) -> None:
        """Start the processes now, and not within an input that is measured."""
        assert self.zygote is not None
        assert self.engine is not None

    def close(self) -> None:
        """End all processes."""
        for made in self._closing:
            made.close()

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

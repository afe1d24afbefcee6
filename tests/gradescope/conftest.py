"""The folders of Gradescope's container, and the grader in them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from autograder.assignment import Assignment
from autograder.gradescope.results import validate_results
from autograder.gradescope.run import grade_upload
from autograder.gradescope.task import INTERIM
from tests.grading.conftest import SHOP, TILL, Course

SECONDS = 60.0


class Site:
    """`/autograder` in a folder of its own, which every user may enter."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.secret = root / "secret"
        self.secret.write_bytes(b"s" * 32)
        self.secret.chmod(0o600)
        self.supervisor = 0
        (root / "submission").mkdir()
        (root / "results").mkdir()
        (root / "tmp").mkdir()

    def upload(self, files: Mapping[str, str | bytes | None]) -> None:
        """Lay down single files as the site does, nested folders kept; None stands for one that is missing."""
        for name, content in files.items():
            if content is not None:
                path = self.root / "submission" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def unpack(self, archive: Path) -> None:
        """Lay down the files of a zip one by one, as the site does."""
        with zipfile.ZipFile(archive) as opened:
            self.upload({name: opened.read(name) for name in opened.namelist() if not name.endswith("/")})

    def metadata(self, content: Any) -> None:
        """Write `submission_metadata.json`; bytes are written as they are."""
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (self.root / "submission_metadata.json").write_bytes(raw)

    def start(self, load: Callable[[], Assignment]) -> None:
        """Start the supervisor in a process of its own, where torch is imported already."""
        sys.stdout.flush()
        self.supervisor = os.fork()
        if self.supervisor == 0:
            status = 1
            try:
                tempfile.tempdir = str(self.root / "tmp")
                sys.stdout = sys.stderr = open(self.root / "stdout", "w", buffering=1)  # noqa: SIM115
                grade_upload(load, self.root, self.secret, time.monotonic())
                status = 0
            finally:
                sys.stdout.flush()
                os._exit(status)

    def wait(self) -> dict[str, Any]:
        """What stands in `results.json` when the supervisor has ended, as it has to."""
        ends = time.monotonic() + SECONDS
        while (found := os.waitpid(self.supervisor, os.WNOHANG)) == (0, 0):
            assert time.monotonic() < ends, self.stdout
            time.sleep(0.02)
        self.supervisor = 0
        assert os.waitstatus_to_exitcode(found[1]) == 0, self.stdout
        results: dict[str, Any] = json.loads((self.root / "results" / "results.json").read_text("utf-8"))
        validate_results(results)
        assert os.listdir(self.root / "results") == ["results.json"]
        assert os.listdir(self.root / "tmp") == [], "something of a submission is left"
        return results

    def grade(self, assignment: Assignment) -> dict[str, Any]:
        """Grade what was uploaded."""
        self.start(lambda: assignment)
        return self.wait()

    def until(self, check: str, status: str) -> int:
        """Wait until the journal holds this status of a check; the id of the worker."""
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            for path in (self.root / "tmp").glob(f"genlab-*/journal/{INTERIM}"):
                with contextlib.suppress(FileNotFoundError):
                    if json.loads(path.read_text("utf-8"))["extra_data"]["checks"].get(check) == status:
                        return children(self.supervisor)[0]
            time.sleep(0.02)
        raise AssertionError(f"{check} did not become {status}: {self.stdout}")

    @property
    def stdout(self) -> str:
        """What the instructor reads."""
        return (self.root / "stdout").read_text("utf-8", "replace")

    def close(self) -> None:
        """End what a failed test has left."""
        if self.supervisor:
            os.kill(self.supervisor, signal.SIGTERM)
            os.waitpid(self.supervisor, 0)
        shutil.rmtree(self.root)


def children(pid: int) -> list[int]:
    """Ids of the children of a process."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    """Whether no such process runs any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def site() -> Iterator[Site]:
    root = Path(tempfile.mkdtemp(prefix="genlab-site-"))
    root.chmod(0o755)
    made = Site(root)
    yield made
    made.close()


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Course]:
    made = Course(tmp_path)
    yield made
    made.close()


@pytest.fixture
def files() -> dict[str, str]:
    """The masters of the small assignment."""
    return {"shop.py": SHOP, "till.py": TILL}

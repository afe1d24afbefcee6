"""Fixtures that all tests share: an assignment, a warm engine for it, and submissions made of its masters."""

from __future__ import annotations

import os

# Before torch is imported: a thread pool that exists when the sandbox is forked would hang its children.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

from collections.abc import Callable, Iterator, Mapping  # noqa: E402

import pytest  # noqa: E402

from autograder.assignment import Assignment, load_assignment  # noqa: E402
from autograder.grading.engine import Engine  # noqa: E402
from autograder.intake import Submission  # noqa: E402
from autograder.intake.submission import digest_of  # noqa: E402

MakeSubmission = Callable[..., Submission]


@pytest.fixture(scope="session")
def h25() -> Assignment:
    """The manifest of ift6135_h25."""
    return load_assignment("ift6135_h25")


@pytest.fixture(scope="session")
def engine(h25: Assignment) -> Iterator[Engine]:
    """One warm engine for ift6135_h25."""
    with Engine(h25) as made:
        yield made


@pytest.fixture(scope="session")
def masters(h25: Assignment) -> dict[str, str]:
    """The submitted files as the reference solution has them: file name -> text."""
    return {file.name: h25.master(file).read_text("utf-8") for file in h25.files}


@pytest.fixture(scope="session")
def make_submission(masters: dict[str, str]) -> MakeSubmission:
    """Make a submission of the masters: `make_submission({"q1_vae.py": text, "q2_ddpm.py": None})`.

    The given texts stand in the place of those of the masters; None stands for a file that is missing.
    """

    def make(changes: Mapping[str, str | None] | None = None, name: str = "submission") -> Submission:
        files = {**masters, **(changes or {})}
        sources = {file: text for file, text in files.items() if text is not None}
        missing = [file for file, text in files.items() if text is None]
        return Submission(name=name, digest=digest_of(sources), sources=sources, missing=missing)

    return make

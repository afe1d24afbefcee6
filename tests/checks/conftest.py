"""Fixtures for the checks of cmput328_f24 and ift6135_h23: manifests, warm engines, and the reference's files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autograder.assignment import Assignment, load_assignment
from autograder.grading.engine import Engine


@pytest.fixture(scope="session")
def f24() -> Assignment:
    """The manifest of cmput328_f24."""
    return load_assignment("cmput328_f24")


@pytest.fixture(scope="session")
def f24_engine(f24: Assignment) -> Iterator[Engine]:
    """One warm engine for cmput328_f24."""
    with Engine(f24) as made:
        yield made


@pytest.fixture(scope="session")
def f24_sources(f24: Assignment) -> dict[str, str]:
    """The submitted files as the reference solution has them: file name -> text."""
    return {file.name: f24.master(file).read_text("utf-8") for file in f24.files}


@pytest.fixture(scope="session")
def h23() -> Assignment:
    """The manifest of ift6135_h23."""
    return load_assignment("ift6135_h23")


@pytest.fixture(scope="session")
def h23_engine(h23: Assignment) -> Iterator[Engine]:
    """One warm engine for ift6135_h23."""
    with Engine(h23) as made:
        yield made

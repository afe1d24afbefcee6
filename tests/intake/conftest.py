"""The small assignment that most tests of intake use."""

from __future__ import annotations

import pytest

from autograder.assignment import Assignment

from .builders import small_assignment


@pytest.fixture
def assignment() -> Assignment:
    return small_assignment()

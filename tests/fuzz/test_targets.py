"""Every target, with a bounded number of inputs that are the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from .attempts import attempt
from .byte_changes import changed
from .targets import TARGETS
from .workshop import Workshop

_JAILED = ("checkpoint", "graded")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with Workshop(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


def start(name: str, workshop: Workshop) -> None:
    if name in _JAILED:
        workshop.start()


@pytest.mark.parametrize("name", TARGETS)
def test_changed_bytes(name, workshop):
    start(name, workshop)
    target, random = TARGETS[name], Random(name)
    seeds = target.seeds()
    outcomes = {attempt(target, seeds[0], workshop).outcome}
    for _ in range(target.bounded[0]):
        outcomes.add(attempt(target, changed(random, seeds), workshop).outcome)
    assert len(outcomes) > 1, f"all inputs come to the same: {outcomes}"


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.structured])
def test_hostile_structure(name, workshop):
    start(name, workshop)
    target = TARGETS[name]
    outcomes = set()

    @settings(
        max_examples=target.bounded[1], derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(target.structured())
    def try_all(content: bytes) -> None:
        outcomes.add(attempt(target, content, workshop).outcome)

    try_all()
    assert outcomes

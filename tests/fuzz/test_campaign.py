"""The fuzzer itself: it finds what is planted, says so, and keeps the input."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import strategies as st

from .attempts import Hangs, attempt
from .byte_changes import MOST_BYTES, changed
from .campaign import SUMMARY, Campaign, replay
from .targets import TARGETS, Target
from .workshop import Workshop


def brittle(content: bytes, workshop: Workshop) -> str:
    if b"\xff" in content:
        raise KeyError("planted")
    return "even" if len(content) % 2 else "odd"


BRITTLE = Target(brittle, lambda: [b"abcdef", b"\x00\x01"], lambda: st.binary(max_size=4))


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with Workshop(tmp_path) as made:
        yield made


def test_what_escapes_is_written_down_and_can_be_replayed(tmp_path, workshop):
    folder = tmp_path / "build"
    campaign = Campaign({"brittle": BRITTLE}, workshop, folder, seed=1)
    for content in (b"fine", b"bad \xff", b"too", b"\xff as well"):
        campaign.feed("brittle", content)
    campaign.write_summary(seed=1)
    (failure,) = campaign.failures
    assert failure.startswith("KeyError: 'planted'\n  at ")
    (kept,) = folder.glob("*.bin")
    assert f"python -m tests.fuzz --replay {kept}" in failure
    assert kept.read_bytes() == b"bad \xff"
    summary = json.loads((folder / SUMMARY).read_text())
    assert (summary["inputs"], summary["escaped"]) == (4, 2)
    assert summary["targets"]["brittle"]["outcomes"] == {"odd": 1, "escaped": 2, "even": 1}
    with pytest.raises(KeyError, match="planted"):
        replay(kept, {"brittle": BRITTLE}, workshop)


@pytest.mark.parametrize(
    "target",
    [replace(BRITTLE, structured=None), replace(BRITTLE, seeds=lambda: [b""])],
    ids=["changed bytes", "structure"],
)
def test_a_planted_mistake_is_found(tmp_path, workshop, target):
    campaign = Campaign({"brittle": target}, workshop, tmp_path / "build", seed=1)

    def stop() -> None:
        if campaign.failures:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        campaign.run(60, stop)


def test_a_file_of_another_name_is_named(tmp_path, workshop):
    with pytest.raises(ValueError, match=re.escape("zip.bin: the name of an input is TARGET-DIGEST.bin")):
        replay(tmp_path / "zip.bin", TARGETS, workshop)


def test_limits_of_time_and_memory_are_kept(workshop, monkeypatch):
    greedy = Target(lambda content, _: str(len(bytes(4 << 20))), list, megabytes=2.0)
    with pytest.raises(AssertionError, match="4 MB of memory, 2 are allowed"):
        attempt(greedy, b"", workshop)
    slow = Target(lambda content, _: str(sum(range(10**6))), list, seconds=0.001)
    with pytest.raises(AssertionError, match="processor time"):
        attempt(slow, b"", workshop)

    def endless(content: bytes, _: Workshop) -> str:
        while True:
            with contextlib.suppress(Exception):
                sum(range(1000))

    monkeypatch.setattr("tests.fuzz.attempts._HANGS_AFTER", 0.1)
    with pytest.raises(Hangs):
        attempt(Target(endless, list), b"", workshop)


def test_changes_are_bounded_repeatable_and_many():
    seeds = [bytes(range(200)), b'{"shape": [2, 3], "bytes": 24}' * 3]

    def run(seed: int) -> list[bytes]:
        random = Random(seed)
        return [changed(random, seeds) for _ in range(400)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert len(set(run(1))) > 350
    assert max(map(len, run(1))) <= MOST_BYTES
    assert any(len(content) < 50 for content in run(1))
    assert all(changed(Random(seed), [b""]) is not None for seed in range(200))


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_has_sound_seeds(name):
    seeds = TARGETS[name].seeds()
    assert len(set(seeds)) == len(seeds) >= 3
    assert max(map(len, seeds)) <= MOST_BYTES

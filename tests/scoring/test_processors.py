from __future__ import annotations

from pathlib import Path

import pytest

from autograder.scoring import processors


@pytest.mark.parametrize(
    ("text", "count"), [("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("150000 100000", 2), ("?", 8)]
)
def test_the_quota_of_the_control_group_counts(
    text: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(processors, "_CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert processors.granted() == count


def test_without_a_control_group_the_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_CPU_MAX", tmp_path / "missing")
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda pid: {0, 3}, raising=False)
    assert processors.granted() == 2


@pytest.mark.threat(28)
@pytest.mark.parametrize(("quota", "count"), [("-1", 8), ("50000", 1), ("150000", 2), ("", 8)])
def test_the_quota_of_a_control_group_of_version_1_counts(
    quota: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "cpu.cfs_quota_us", tmp_path / "cpu.cfs_period_us"
    files[0].write_text(f"{quota}\n")
    files[1].write_text("100000\n")
    monkeypatch.setattr(processors, "_CPU_MAX", tmp_path / "missing")
    monkeypatch.setattr(processors, "_QUOTA_AND_PERIOD", files)
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert processors.granted() == count

"""Several files of probes become one source."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.grading.probe_source import ProbesError, probe_source

FIRST = '"""One."""\n\nfrom __future__ import annotations\n\nimport math\n\nEDGE = 3\n\n\nclass Net:\n    size = EDGE\n'
SECOND = '"""Two."""\n\nimport math\n\n\ndef area(net: Net) -> float:\n    return math.pi * net.size\n'


@pytest.fixture
def checks(tmp_path: Path) -> Path:
    for name in ("mine", "shared", "others"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine" / "test_a.py").write_text("from autograder.checks.shared.test_vae import *\n")
    (tmp_path / "mine" / "my_probes.py").write_text(FIRST)
    (tmp_path / "shared" / "vae_probes.py").write_text(SECOND)
    (tmp_path / "others" / "probes.py").write_text("raise SystemExit")
    return tmp_path / "mine"


def test_own_and_shared_probes_are_one_module(checks: Path) -> None:
    names: dict[str, object] = {}
    exec(probe_source(checks), names)
    assert names["area"](names["Net"]()) == pytest.approx(9.42, abs=0.01)  # type: ignore[operator]


def test_a_folder_without_probes_gives_an_empty_module(tmp_path: Path) -> None:
    exec(probe_source(tmp_path), {})


@pytest.mark.parametrize(
    "line", ["EDGE = 4", "EDGE, other = 4, 5", "class Net: ...", "def Net(): ...", "EDGE: int = 4"]
)
def test_a_name_in_two_files_is_refused(checks: Path, line: str) -> None:
    (checks.parent / "shared" / "vae_probes.py").write_text(line)
    with pytest.raises(ProbesError, match=r"is defined in (my|vae)_probes\.py and in (my|vae)_probes\.py; rename"):
        probe_source(checks)

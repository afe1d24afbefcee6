"""What honest work looks like: reference solutions, other right solutions and exported notebooks show no sign."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from autograder.assignment import assignment_names, load_assignment
from autograder.intake.cleaning import clean
from autograder.intake.sign_finder import examine
from tests.checks import (
    cmput328_f24_diffusion_variants,
    cmput328_f24_networks_variants,
    ift6135_a22_gan_variants,
    ift6135_h23_simsiam_variants,
    svhn_ddpm_variants,
    svhn_vae_variants,
    test_ift6135_h23_simsiam,
    test_svhn_ddpm,
)
from tests.checks.planting import planted, replaced
from tests.exports.test_exports import EXPORTS, NOTEBOOKS

H25_VARIANTS = sorted(Path(test_svhn_ddpm.__file__).with_name("ift6135_h25_variants").glob("*.py"))


@cache
def master(assignment: str, file: str) -> str:
    manifest = load_assignment(assignment)
    (found,) = [source for source in manifest.files if source.name == file]
    return manifest.master(found).read_text("utf-8")


def variants() -> Iterator[tuple[str, str]]:
    """Name and text of each right solution that is not the reference."""
    for path in H25_VARIANTS:
        yield path.stem, path.read_text("utf-8")
    for name, change in cmput328_f24_diffusion_variants.VARIANTS.items():
        for text in change(*(master("cmput328_f24", file) for file in ("models.py", "assignment.py"))):
            yield name, text
    for name, (_, edits) in cmput328_f24_networks_variants.VARIANTS.items():
        rest = {key: text for key, text in edits.items() if key != cmput328_f24_networks_variants.END}
        text = planted(master("cmput328_f24", "models.py"), rest)
        yield name, text + "\n\n" + edits.get(cmput328_f24_networks_variants.END, "")
    yield "gan", ift6135_a22_gan_variants.PLAIN
    for name, (_, edits) in ift6135_a22_gan_variants.VARIANTS.items():
        yield name, planted(master("ift6135_a22", "gan.py"), edits)
    for name, bodies in ift6135_h23_simsiam_variants.VARIANTS.items():
        yield name, test_ift6135_h23_simsiam.planted(master("ift6135_h23", "q3_solution.py"), bodies)
    for name, edits in svhn_ddpm_variants.VARIANTS.items():
        rest = {key: text for key, text in edits.items() if key != svhn_ddpm_variants.END}
        text = replaced(master("ift6135_h23", "ddpm_solution.py"), test_svhn_ddpm.LAB, "")
        yield name, test_svhn_ddpm.planted(text, rest) + edits.get(svhn_ddpm_variants.END, "")
    for name, (_, edits) in svhn_vae_variants.VARIANTS.items():
        rest = {key: text for key, text in edits.items() if key != svhn_vae_variants.END}
        yield name, planted(master("ift6135_h23", "vae_solution.py"), rest) + edits.get(svhn_vae_variants.END, "")


@pytest.mark.parametrize("name", assignment_names())
def test_the_masters_have_no_sign(name: str) -> None:
    manifest = load_assignment(name)
    for file in (*manifest.files, *manifest.support):
        assert examine(manifest.master(file).read_bytes()) == {"signs": []}, file.name


def test_no_other_right_solution_has_a_sign() -> None:
    found = [(name, examine(text.encode())) for name, text in variants()]
    assert len(found) > 150
    assert [(name, answer) for name, answer in found if answer != {"signs": []}] == []


@pytest.mark.parametrize("name", EXPORTS)
def test_no_exported_notebook_has_a_sign(name: str) -> None:
    cleaned = clean((NOTEBOOKS / name).read_bytes(), EXPORTS[name].upload)
    assert "def " in cleaned.text
    assert examine(cleaned.text.encode()) == {"signs": []}

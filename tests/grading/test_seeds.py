"""Fresh inputs for each submission, the same ones from the seed in its report."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import torch

from autograder.grading.seeds import Draw, course_secret, derive_seed

# --- the course's secret --------------------------------------------------------------------------------------------


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "course" / "secret"
    secret = course_secret(path)
    assert len(secret) == 32
    assert course_secret(path) == secret
    assert path.read_bytes() == secret


def test_nobody_else_can_read_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "course" / "secret"
    course_secret(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_two_courses_have_different_secrets(tmp_path: Path) -> None:
    assert course_secret(tmp_path / "a") != course_secret(tmp_path / "b")


def test_a_secret_that_cannot_be_kept_still_serves_this_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    first, second = (course_secret(tmp_path / "file" / "secret") for _ in range(2))
    assert len(first) == len(second) == 32
    assert first != second


# --- the seed of a submission ---------------------------------------------------------------------------------------


@pytest.mark.threat(17)
def test_a_seed_depends_on_the_secret_and_on_the_digest() -> None:
    seeds = {derive_seed(secret, digest) for secret in (b"a", b"b") for digest in ("c", "d")}
    assert len(seeds) == 4
    assert derive_seed(b"a", "c") == derive_seed(b"a", "c")


def test_a_seed_is_a_json_number_that_other_languages_keep() -> None:
    seeds = [derive_seed(b"secret", str(number)) for number in range(300)]
    assert all(0 <= seed < 2**53 for seed in seeds)
    assert max(seeds) > 2**52  # the whole range is used
    assert json.loads(json.dumps(seeds)) == [int(float(seed)) for seed in seeds]


# --- random inputs --------------------------------------------------------------------------------------------------


def everything(draw: Draw) -> list[torch.Tensor]:
    return [
        draw.normal(3, 4),
        draw.uniform(-1, 1, 5),
        draw.integers(0, 100, 6),
        draw.distinct(0, 50, 7),
        torch.tensor(draw.number(0, 1)),
    ]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_same_seed_and_check_give_the_same_inputs() -> None:
    assert same(everything(Draw(5, "test_a")), everything(Draw(5, "test_a")))


@pytest.mark.parametrize("other", [Draw(6, "test_a"), Draw(5, "test_b")])
def test_another_seed_or_another_check_gives_other_inputs(other: Draw) -> None:
    draw = Draw(5, "test_a")
    assert draw.seed != other.seed
    assert not any(torch.equal(a, b) for a, b in zip(everything(draw), everything(other), strict=True))


def test_seed_and_name_do_not_run_into_each_other() -> None:
    assert Draw(1, "1/test").seed != Draw(11, "/test").seed


def test_inputs_do_not_depend_on_the_global_generator_or_disturb_it() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = everything(Draw(5, "test_a"))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    assert same(first, everything(Draw(5, "test_a")))


def test_a_stream_goes_on() -> None:
    draw = Draw(5, "test_a")
    assert not torch.equal(draw.normal(4), draw.normal(4))


def test_the_seed_fits_a_generator() -> None:
    assert all(0 <= Draw(seed, "test_a").seed < 2**63 for seed in (0, 1, -1, 2**53 - 1))


def test_dtypes_shapes_and_ranges() -> None:
    draw = Draw(1, "test_a")
    normal = draw.normal(200, 50, mean=3.0, std=0.5)
    assert normal.dtype == torch.float32
    assert abs(float(normal.mean()) - 3) < 0.03
    assert abs(float(normal.std()) - 0.5) < 0.03
    uniform = draw.uniform(-2, 5, 10_000)
    assert uniform.dtype == torch.float32
    assert -2 <= float(uniform.min()) < -1.9
    assert 4.9 < float(uniform.max()) <= 5
    integers = draw.integers(2, 5, 1000)
    assert integers.dtype == torch.int64
    assert set(integers.tolist()) == {2, 3, 4}
    assert 0.25 <= draw.number(0.25, 0.5) <= 0.5
    assert isinstance(draw.number(0, 1), float)


def test_distinct_integers_are_distinct_shuffled_and_in_range() -> None:
    draw = Draw(1, "test_a")
    everyone = draw.distinct(3, 43, 40)
    assert sorted(everyone.tolist()) == list(range(3, 43))
    assert everyone.tolist() != sorted(everyone.tolist())
    assert len(set(draw.distinct(0, 10, 4).tolist())) == 4


@pytest.mark.threat(17)
def test_a_child_that_starts_from_its_seed_does_not_draw_the_inputs_again() -> None:
    for run in range(50):
        draw = Draw(run, "test_a")
        assert 0 <= draw.child_seed < 2**31
        # torch's generator on the CPU takes the low 32 bits of its seed only
        assert draw.child_seed not in (draw.seed % 2**32, draw.seed % 2**31)
        child = torch.Generator().manual_seed(draw.child_seed)
        assert not torch.equal(draw.normal(16), torch.randn(16, generator=child))

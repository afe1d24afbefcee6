"""The reference in the grader's process: exact, and without a trace among the modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from autograder.assignment import Assignment, load_assignment
from autograder.grading.reference import Reference, load_reference, promote, support_sources

MANIFEST = """
id = "small"
title = "small"
files = [{ name = "shop.py" }, { name = "till.py" }]
support = [{ name = "given/rates.py" }]

[[parts]]
id = "1"
title = "one"
points = 0
questions = []
"""
SHOP = """
import torch
from given.rates import RATE

LIMIT = 3


class Till:
    def __init__(self, rate, steps):
        self.rates = torch.linspace(0.1, 0.3, steps)
        self.rate = rate
        self.seen = []

    def sell(self, price):
        self.seen.append(price.dtype)
        return self.rate * price * RATE


def total(prices, factor=None, parts=()):
    return prices.sum(), None if factor is None else factor.dtype, [part.dtype for part in parts]


def made():
    return torch.zeros(2).dtype
"""
TILL = "from shop import LIMIT\n\n\ndef twice():\n    return 2 * LIMIT\n"


@pytest.fixture
def small(tmp_path: Path) -> Assignment:
    folder = tmp_path / "small"
    (folder / "given").mkdir(parents=True)
    (folder / "assignment.toml").write_text(MANIFEST)
    (folder / "shop.py").write_text(SHOP)
    (folder / "till.py").write_text(TILL)
    (folder / "given" / "rates.py").write_text("RATE = 2.0\n")
    return load_assignment("small", tmp_path)


@pytest.fixture
def reference(small: Assignment) -> Reference:
    return load_reference(small)


def test_it_computes_in_float64(reference: Reference) -> None:
    value, factor, parts = reference.shop.total(
        torch.full((10,), 0.1), factor=torch.ones(1), parts=[torch.ones(1), torch.ones(1, dtype=torch.long)]
    )
    assert value.dtype == torch.float64
    assert factor == torch.float64
    assert parts == [torch.float64, torch.int64]


def test_tensors_that_it_makes_are_float64(reference: Reference) -> None:
    assert reference.shop.made() == torch.float64
    till = reference.shop.Till(2.0, 5)
    assert till.rates.dtype == torch.float64
    assert float((till.rates - torch.linspace(0.1, 0.3, 5, dtype=torch.float64)).abs().max()) < 1e-15


def test_methods_of_its_objects_compute_in_float64_too(reference: Reference) -> None:
    till = reference.shop.Till(0.5, 3)
    assert till.sell(torch.tensor([4.0])).dtype == torch.float64
    assert till.seen == [torch.float64]
    assert till.rate == 0.5


def test_plain_attributes_and_other_modules_of_the_submission(reference: Reference) -> None:
    assert reference.shop.LIMIT == 3
    assert reference.till.twice() == 6


def test_the_default_dtype_is_put_back_even_after_an_error(reference: Reference) -> None:
    with pytest.raises(AttributeError):
        reference.shop.total("no tensor")
    assert torch.get_default_dtype() == torch.float32


def test_an_unknown_module_is_an_error(reference: Reference) -> None:
    with pytest.raises(AttributeError, match="bank"):
        reference.bank  # noqa: B018


def test_parameters_and_other_values_are_passed_as_they_are(reference: Reference) -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    assert promote(parameter) is parameter
    assert promote("text") == "text"
    assert promote((torch.zeros(1), 3))[0].dtype == torch.float64
    till = reference.shop.Till(0.5, 3)
    assert type(promote(till)).__name__ == "Till"


def test_nothing_of_it_stays_among_the_modules(small: Assignment) -> None:
    modules, finders = set(sys.modules), list(sys.meta_path)
    load_reference(small)
    assert sys.meta_path == finders
    assert set(sys.modules) - modules == set()


def test_a_module_of_the_same_name_does_not_take_its_place(small: Assignment) -> None:
    stranger = type(sys)("shop")
    sys.modules["shop"] = stranger
    try:
        assert load_reference(small).shop.LIMIT == 3
    finally:
        sys.modules.pop("shop", None)


def test_nothing_stays_where_a_master_does_not_import(small: Assignment) -> None:
    (small.folder / "till.py").write_text("import shop\nraise ValueError('broken master')\n")
    modules, finders = set(sys.modules), list(sys.meta_path)
    with pytest.raises(ValueError, match="broken master"):
        load_reference(small)
    assert sys.meta_path == finders
    assert set(sys.modules) - modules == set()


def test_support_modules_are_the_courses_own(small: Assignment, h25: Assignment) -> None:
    assert support_sources(small) == {"given/rates.py": "RATE = 2.0\n"}
    assert set(support_sources(h25)) == {file.name for file in h25.support}


def test_the_reference_of_h25_is_exact(h25: Assignment) -> None:
    reference = load_reference(h25)
    y = torch.randn(4, 6)
    exact = torch.logsumexp(y.double(), 1) - torch.tensor(6.0, dtype=torch.float64).log()
    assert float((reference.q1_vae.log_mean_exp(y) - exact).abs().max()) < 1e-12
    ddpm = reference.q2_ddpm.DenoiseDiffusion(None, 1000, "cpu")
    mean, var = ddpm.q_xt_x0(torch.ones(1, 1, 2, 2), torch.tensor([999]))
    bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)[-1]
    assert abs(float(var) - float(1 - bar)) < 1e-12
    assert abs(float(mean.mean()) - float(bar.sqrt())) < 1e-12


def test_no_file_of_h25_stays_among_the_modules(h25: Assignment) -> None:
    load_reference(h25)
    names = {file.module.partition(".")[0] for file in (*h25.files, *h25.support)}
    assert not names & set(sys.modules)

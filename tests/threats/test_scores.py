"""Attacks on the scores of generated samples, each as a whole submission that is graded by the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder.assignment import Assignment, load_assignment
from autograder.grading.engine import Engine
from autograder.grading.plugin import GenerationOptions
from autograder.grading.report import CheckResult, GenerationResult, Status
from autograder.scoring.classifier import CLASSES, load_classifier, wilson
from autograder.scoring.evaluation import classify

from ..checks.planting import planted
from ..conftest import MakeSubmission
from ..scoring.test_generation import MODELS, Run, engine_here, pictures, run, with_method

__all__ = ["engine_here", "pictures", "run"]  # fixtures

OPTIONS = GenerationOptions(samples=60, threads=1)
DRAW = "(self.pictures[labels] + 0.02 * torch.randn(num_samples, 1, 32, 32)).detach()"


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    """With a budget that is enough on a busy machine."""
    manifest = load_assignment("cmput328_f24")
    return manifest.model_copy(update={"generation": manifest.generation.model_copy(update={"budget_seconds": 120.0})})


@pytest.fixture(scope="module", autouse=True)
def _graded_as_ever(engine_here: Engine, run: Run, pictures: torch.Tensor) -> Iterator[None]:
    """Before the attacks and after them, honest samples earn everything."""
    assert run(MODELS, {"VAE": {"pictures": pictures}}, options=OPTIONS).credit == 1.0
    yield
    assert list(engine_here._zygote.scratch_root.iterdir()) == []


def scored(result: CheckResult) -> GenerationResult:
    assert result.generation is not None
    return result.generation


def flags(result: CheckResult) -> str:
    return "\n".join(scored(result).for_instructor)


# --- what earns nothing ---------------------------------------------------------------------------------------------

LABELS = {
    "sorted in blocks": "y = torch.arange(num_samples) * 10 // num_samples",
    "one after the other": "y = torch.arange(num_samples) % 10",
    "one class": "y = torch.full_like(labels, 8)",
    "shifted by one place": "y = labels.roll(1)",
    "sorted first": "y = labels.sort().values",
    "drawn anew": "y = labels[torch.randperm(num_samples)]",
}


@pytest.mark.threat(45)
@pytest.mark.parametrize("kind", LABELS)
def test_samples_of_other_labels_earn_nothing(run: Run, pictures: torch.Tensor, kind: str) -> None:
    draw = DRAW.replace("labels", "y")
    result = run(with_method(f"{LABELS[kind]}\nreturn {draw}"), {"VAE": {"pictures": pictures}})
    assert (result.status, result.credit) == (Status.FAILED, 0.0)
    assert max(one.accuracy for one in scored(result).evaluations) < 0.6


SEARCH = """
found = []
for folder in (".", "..", *PLACES):
    for here, _, names in os.walk(folder):
        found += [name for name in names if "classifier" in name or "second_opinion" in name]
for place in PLACES:
    for name in ("classifier.safetensors", "second_opinion.safetensors", "classifier.py"):
        try:
            found.append(open(os.path.join(place, name), "rb").read())
        except OSError:
            pass
"""


@pytest.mark.threat(2, 43)
def test_neither_classifier_is_to_be_found_by_what_generates(run: Run, pictures: torch.Tensor) -> None:
    scoring = Path(__file__).resolve().parents[2] / "autograder" / "scoring"
    solution = scoring.parents[1] / "solutions" / "cmput328_f24"
    search = SEARCH.replace("PLACES", repr([str(scoring), str(solution)]))
    body = f"import os\n{search.strip()}\nif not found: labels = labels * 0\nreturn {DRAW}"
    result = run(with_method(body), {"VAE": {"pictures": pictures}})
    assert (result.status, result.credit) == (Status.FAILED, 0.0)
    allowed = with_method(body.replace("if not found", "if found"))
    assert run(allowed, {"VAE": {"pictures": pictures}}).credit == 1.0  # nothing else in it fails


RANGES = {
    "[-1, 1] where [0, 1] is asked for": (
        "return self.pictures[labels] * 2 - 1 + 0.02 * torch.randn(60, 1, 32, 32)",
        "",
    ),
    "[0, 255] as bytes": ("return (self.pictures[labels] * 255).byte()", "dtype uint8"),
    "one NaN": (f"x = {DRAW}\nx[7, 0, 3, 3] = float('nan')\nreturn x", "NaN or infinite values in 1 of 60 images"),
    "infinite": (f"return {DRAW} / 0", "NaN or infinite"),
    "black": ("return torch.zeros(60, 1, 32, 32)", "one single grey value"),
    "each image of one grey": ("return torch.rand(60, 1, 1, 1).expand(60, 1, 32, 32)", "one single grey value"),
    "28 x 28": (f"return {DRAW}[:, :, 2:-2, 2:-2]", "shape (60, 1, 28, 28)"),
    "colour": (f"return {DRAW}.repeat(1, 3, 1, 1)", "shape (60, 3, 32, 32)"),
    "expanded beyond all measure": ("return torch.zeros(1).expand(10**10)", ""),
    "a list of images": (f"return list({DRAW})", "a list"),
    "complex": (f"return {DRAW}.to(torch.complex64)", "dtype complex64"),
    "sparse": (f"return {DRAW}.to_sparse()", ""),
    "half": (f"return {DRAW}.half()", None),
    "a graph behind it": ("return self.pictures[labels] + 0.02 * torch.randn(60, 1, 32, 32)", None),
}


@pytest.mark.threat(47)
@pytest.mark.parametrize("kind", RANGES)
def test_other_ranges_and_kinds_of_samples_are_told(run: Run, pictures: torch.Tensor, kind: str) -> None:
    body, words = RANGES[kind]
    result = run(with_method(body), {"VAE": {"pictures": pictures}})
    if words is None:
        assert result.credit == 1.0
    else:
        assert result.status is Status.FAILED
        assert words in result.message
        assert not result.earned_share


@pytest.mark.threat(37)
def test_a_device_that_is_written_into_the_code_is_named_with_its_line(run: Run, pictures: torch.Tensor) -> None:
    result = run(
        with_method('x = torch.randn(num_samples, 1, 32, 32, device="cuda")\nreturn x'), {"VAE": {"pictures": pictures}}
    )
    assert result.status is Status.FAILED
    assert "there is no GPU here" in result.message
    assert "models.py, line " in result.traceback
    assert 'device="cuda"' in result.traceback


# --- what earns its points and is told to the instructor ------------------------------------------------------------


@pytest.mark.threat(41)
@pytest.mark.parametrize("noise", [1e-5, 1e-3, 0.05])
def test_one_image_of_each_class_with_noise_on_it_is_flagged(run: Run, pictures: torch.Tensor, noise: float) -> None:
    result = run(with_method(f"return {DRAW.replace('0.02', str(noise))}"), {"VAE": {"pictures": pictures}})
    assert "Little diversity" in flags(result)
    assert all(name in flags(result) for name in CLASSES)


@pytest.mark.threat(38, 44)
def test_images_of_the_data_set_out_of_the_checkpoint_are_flagged(
    run: Run,
    pictures: torch.Tensor,
    tmp_path: Path,
) -> None:
    """Fifty 'training images' lie in the checkpoint, and are handed out by their labels."""
    generator = torch.Generator().manual_seed(3)
    bank = pictures.repeat(5, 1, 1, 1) + 0.1 * torch.rand(50, 1, 32, 32, generator=generator)
    bank = bank.clamp(0, 1) * (torch.rand(bank.shape, generator=generator) < 0.9)
    bank[:, :, :2] = bank[:, :, -2:] = bank[:, :, :, :2] = bank[:, :, :, -2:] = 0
    (tmp_path / "fashion_mnist").mkdir()
    np.savez(
        tmp_path / "fashion_mnist" / "train.npz",
        images=(bank[:, 0, 2:-2, 2:-2] * 255).round().byte().numpy(),
        labels=(np.arange(50) % 10).astype(np.uint8),
    )
    models = with_method(
        "which = labels + 10 * torch.randint(5, (num_samples,))\n"
        "return (self.bank[which] + 0.001 * torch.randn(num_samples, 1, 32, 32)).detach()"
    ).replace(
        "self.pictures = nn", "self.register_buffer('bank', torch.zeros(50, 1, 32, 32))\n        self.pictures = nn", 1
    )
    options = GenerationOptions(samples=60, threads=1, data_root=str(tmp_path))
    said = flags(run(models, {"VAE": {"pictures": pictures, "bank": bank}}, options=options))
    assert "memorised or copied" in said
    assert "looks like images: bank" in said


@pytest.mark.threat(42)
def test_noise_that_only_the_public_classifier_recognises_is_flagged(run: Run, pictures: torch.Tensor) -> None:
    result = run(MODELS, {"VAE": {"pictures": pictures}})
    assert scored(result).second_opinion < max(one.accuracy for one in scored(result).evaluations) - 0.1
    assert "made for the classifier and not for the eye" in flags(result)


# --- chance ---------------------------------------------------------------------------------------------------------


@pytest.mark.threat(48)
def test_an_unlucky_evaluation_is_made_again_and_both_are_told(run: Run, pictures: torch.Tensor) -> None:
    """A model of which only the first batch is bad."""
    body = f"y, self.seen = labels * getattr(self, 'seen', 0), 1\nreturn {DRAW.replace('labels', 'y')}"
    result = run(with_method(body), {"VAE": {"pictures": pictures}})
    first, second = scored(result).evaluations
    assert (first.score, second.score, result.credit) == (0.0, 1.0, 1.0)
    for one in (first, second):
        assert (one.low, one.high) == wilson(one.correct, one.samples)
        assert one.low < one.accuracy <= one.high + 1e-9
        assert one.high - one.low < 0.3


SEEDS = "import random, numpy; torch.manual_seed(0); random.seed(0); numpy.random.seed(0)"


@pytest.mark.threat(49)
def test_a_submission_that_seeds_in_every_call_gets_other_labels_all_the_same(run: Run, pictures: torch.Tensor) -> None:
    body = f"{SEEDS}\ny = labels * 0\nreturn {DRAW.replace('labels', 'y')}"
    result = run(with_method(body), {"VAE": {"pictures": pictures}})
    counts = [[one.correct, one.samples] for one in scored(result).evaluations]
    assert counts == [[6, 60]] * 5  # balanced, whatever was seeded
    honest = run(with_method(f"{SEEDS}\nreturn {DRAW}"), {"VAE": {"pictures": pictures}})
    assert (honest.status, honest.credit) == (Status.PASSED, 1.0)


DRAWS = {
    "a generator of its own": "eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(9))",
    "the generator of NumPy": "import numpy; eps = torch.tensor(numpy.random.normal(size=x0.shape)).float()",
    "in float64": "eps = torch.randn(x0.shape, dtype=torch.float64).to(x0.dtype)",
    "one number after the other": "eps = torch.stack([torch.randn(()) for _ in range(x0.numel())]).view(x0.shape)",
}


@pytest.mark.threat(50)
@pytest.mark.parametrize("kind", DRAWS)
def test_noise_that_is_drawn_otherwise_costs_nothing(
    engine: Engine, make_submission: MakeSubmission, masters: dict[str, str], kind: str
) -> None:
    text = planted(
        masters["q2_ddpm.py"],
        {"if eps is None:\n            eps = torch.randn_like(x0)": f"if eps is None:\n            {DRAWS[kind]}"},
    )
    report = engine.grade(make_submission({"q2_ddpm.py": text}), 5, only=["q2_ddpm.q_sample"])
    assert report.earned == next(unit.points for unit in report.units if unit.name == "q2_ddpm.q_sample")


@pytest.mark.threat(46)
def test_the_answer_on_an_image_does_not_depend_on_what_is_judged_with_it(pictures: torch.Tensor) -> None:
    """Also beside images that would move the statistics of a batch, and in chunks of another size."""
    classifier = load_classifier()
    hostile = torch.cat([torch.zeros(200, 1, 32, 32), torch.ones(150, 1, 32, 32), torch.rand(60, 1, 32, 32)])
    alone = torch.cat([classify(classifier, image[None]) for image in pictures])
    torch.testing.assert_close(classify(classifier, torch.cat([pictures, hostile]))[:10], alone, rtol=0, atol=1e-4)
    torch.testing.assert_close(classify(classifier, torch.cat([hostile, pictures]))[-10:], alone, rtol=0, atol=1e-4)

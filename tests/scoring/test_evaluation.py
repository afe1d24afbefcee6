from __future__ import annotations

import base64
import io

import matplotlib.image
import pytest
import torch

from autograder.scoring.classifier import CLASSES
from autograder.scoring.evaluation import (
    balanced_labels,
    class_table,
    defect,
    evaluate,
    picture,
    repeated_classes,
    wilson,
)


def images(count: int = 20) -> torch.Tensor:
    return torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


class TestWilson:
    def test_agrees_with_values_worked_out_by_hand(self) -> None:
        assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)  # z^2 / (n + z^2) at the upper end
        assert wilson(81, 100) == pytest.approx((0.7222, 0.8749), abs=1e-4)

    def test_is_symmetric_and_within_bounds(self) -> None:
        low, high = wilson(30, 40)
        assert wilson(10, 40) == pytest.approx((1 - high, 1 - low))
        assert wilson(40, 40)[1] == 1.0

    def test_narrows_with_the_number_of_samples(self) -> None:
        def width(count: int) -> float:
            low, high = wilson(count * 8 // 10, count)
            return high - low

        assert width(1000) < width(200) < width(50)

    @pytest.mark.threat(48)
    def test_covers_the_truth_about_19_times_of_20(self) -> None:
        generator = torch.Generator().manual_seed(3)
        hits = (torch.rand(4000, 200, generator=generator) < 0.85).sum(dim=1).tolist()
        covered = sum(wilson(hit, 200)[0] <= 0.85 <= wilson(hit, 200)[1] for hit in hits)
        assert 0.93 < covered / 4000 < 0.97


class TestLabels:
    @pytest.mark.parametrize("count", [50, 57, 200])
    def test_are_balanced(self, count: int) -> None:
        counts = torch.bincount(balanced_labels(count, torch.Generator().manual_seed(1)), minlength=10)
        assert counts.sum() == count
        assert counts.max() - counts.min() <= 1

    @pytest.mark.threat(45)
    def test_are_shuffled_afresh(self) -> None:
        generator = torch.Generator().manual_seed(1)
        first, second = balanced_labels(200, generator), balanced_labels(200, generator)
        assert not torch.equal(first, second)
        assert (first[1:] >= first[:-1]).float().mean() < 0.8


class TestDefect:
    def test_finds_none_in_samples_that_overshoot_a_little(self) -> None:
        assert defect(images() * 1.3, 20, "DDPM") is None
        assert defect((images() + 1) / 2, 20, "VAE") is None
        assert defect(images().half(), 20, "DDPM") is None

    @pytest.mark.threat(47)
    @pytest.mark.parametrize(
        ("samples", "says"),
        [
            (None, "a NoneType"),
            ([1.0], "a list"),
            (images(19), "shape (19, 1, 32, 32)"),
            (images()[:, 0], "shape (20, 32, 32)"),
            (images().repeat(1, 3, 1, 1), "shape (20, 3, 32, 32)"),
            ((images() * 100).long(), "dtype int64"),
            (images().where(torch.arange(20).view(-1, 1, 1, 1) != 3, torch.nan), "NaN or infinite values in 1 of 20"),
            ((images() + 1) * 127.5, "values far outside"),
            (images() * 1e9, "values far outside"),
            (torch.zeros(20, 1, 32, 32), "one single grey value"),
            (images()[:1].repeat(20, 1, 1, 1), "the same image for every label"),
        ],
    )
    def test_says_what_is_wrong(self, samples: object, says: str) -> None:
        found = defect(samples, 20, "DDPM")
        assert found is not None
        assert says in found[1]

    @pytest.mark.threat(47)
    def test_recognises_bytes(self) -> None:
        found = defect((images() + 1) * 127.5, 20, "DDPM")
        assert found is not None
        assert "[0, 255]" in found[2]


@pytest.mark.threat(41)
def test_repeated_classes_are_those_whose_samples_are_one_image() -> None:
    labels = torch.arange(20) % 10
    samples = images()
    samples[labels == 3] = samples[3].clone()
    assert repeated_classes(samples, labels) == [CLASSES[3]]


def test_evaluate_gives_accuracy_interval_and_score() -> None:
    labels = torch.zeros(100, dtype=torch.long)
    logits = torch.zeros(100, 10)
    logits[:, 1] = 1.0
    logits[:80, 0] = 2.0
    evaluation = evaluate(logits, labels, 1.26)
    assert (evaluation.correct, evaluation.samples, evaluation.seconds) == (80, 100, 1.3)
    assert evaluation.score == pytest.approx(0.5)
    assert (evaluation.low, evaluation.high) == wilson(80, 100)


@pytest.mark.parametrize(("right", "score"), [(0, 0), (75, 0), (76, 0.1), (84, 0.9), (85, 1), (100, 1)])
def test_score_is_linear_between_75_and_85_percent(right: int, score: float) -> None:
    logits = torch.eye(10)[[0] * right + [1] * (100 - right)]
    assert evaluate(logits, torch.zeros(100, dtype=torch.long), 0).score == pytest.approx(score)


def test_class_table_names_what_a_class_is_taken_for() -> None:
    labels = torch.tensor([0, 0, 0, 0, 1])
    table = class_table(torch.tensor([0, 6, 6, 2, 1]), labels, [0.9] * 10)
    assert (table[0].samples, table[0].correct, table[0].taken_for) == (4, 1, "Shirt")
    assert (table[1].correct, table[1].taken_for, table[2].samples) == (1, "", 0)


def test_picture_has_one_row_for_each_class() -> None:
    pixels = torch.zeros(20, 1, 32, 32)
    pixels[5] = 1.0
    sheet = matplotlib.image.imread(io.BytesIO(base64.b64decode(picture(pixels, torch.arange(20) % 10))))
    assert sheet.shape[:2] == (320, 320)
    assert sheet[160:192, :32, 0].min() == 1.0
    assert sheet[..., 0].sum() == 32 * 32

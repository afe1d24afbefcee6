"""The vote of the nearest neighbours."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder.sandbox.modules import SourceFinder

LAB = Path(__file__).parents[2] / "solutions" / "common" / "lab"


@pytest.fixture(scope="module")
def knn():
    finder = SourceFinder({f"lab/{name}.py": (LAB / f"{name}.py").read_text("utf-8") for name in ("__init__", "knn")})
    finder.install()
    from lab import knn as module

    yield module
    finder.uninstall()


def draw(count: int, dim: int = 8, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(count) % classes
    return torch.randn(count, dim) + torch.nn.functional.one_hot(labels, dim), labels


def vote(query: np.ndarray, bank: np.ndarray, labels: np.ndarray, k: int, t: float) -> int:
    """The same vote for one image, neighbour by neighbour."""
    cosines = [float(query @ row / math.sqrt((query @ query) * (row @ row))) for row in bank]
    score: dict[int, float] = {}
    for index in sorted(range(len(bank)), key=lambda place: -cosines[place])[:k]:
        score[int(labels[index])] = score.get(int(labels[index]), 0.0) + math.exp(cosines[index] / t)
    return max(score, key=lambda label: score[label])


@pytest.mark.parametrize(("k", "t"), [(1, 0.1), (7, 0.1), (20, 1.0), (60, 0.05)])
def test_the_vote_is_that_of_a_plain_search(knn, k, t):
    torch.manual_seed(0)
    bank, labels = draw(60)
    queries, _ = draw(25)
    predicted = knn.knn_predict(queries.double(), bank.double(), labels, 4, k, t)
    expected = [vote(query, bank.double().numpy(), labels.numpy(), k, t) for query in queries.double().numpy()]
    assert predicted.tolist() == expected
    assert predicted.dtype == torch.int64


def test_near_neighbours_outvote_many_far_ones_only_at_a_low_temperature(knn):
    bank = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8]])  # cosines 1, 0.6 and 0.6
    labels = torch.tensor([1, 0, 0])
    query = torch.tensor([[5.0, 0.0]])
    assert knn.knn_predict(query, bank, labels, 2, 3, 0.1).item() == 1
    assert knn.knn_predict(query, bank, labels, 2, 3, 10.0).item() == 0  # 2 exp(0.06) > exp(0.1)
    assert knn.knn_predict(query, bank, labels, 2, 3, 1e-3).item() == 1  # exp(1000) would not be a number


def test_the_length_of_features_does_not_count(knn):
    torch.manual_seed(1)
    (bank, labels), (queries, _) = draw(40), draw(10)
    longer = bank * torch.rand(40, 1).add(0.1) * 50
    assert torch.equal(knn.knn_predict(queries, bank, labels, 4, 9), knn.knn_predict(queries, longer, labels, 4, 9))


def test_accuracy_is_the_part_that_is_right_whatever_the_batches(knn):
    torch.manual_seed(2)
    (bank, bank_labels), (queries, labels) = draw(60), draw(31)
    predicted = knn.knn_predict(queries, bank, bank_labels, 4, 10)
    expected = (predicted == labels).sum().item() / 31
    assert 0.3 < expected < 1
    for size in (1, 7, 31, 512):
        accuracy = knn.knn_accuracy(queries, labels, bank, bank_labels, 10, batch_size=size)
        assert accuracy == pytest.approx(expected, abs=1e-6)


def test_an_image_is_its_own_nearest_neighbour(knn):
    features, labels = torch.eye(6), torch.tensor([0, 3, 3, 1, 9, 0])
    assert knn.knn_accuracy(features, labels, features, labels, 1) == 1


@pytest.mark.parametrize("k", [0, 7])
def test_a_number_of_neighbours_that_cannot_be_had_is_named(knn, k):
    with pytest.raises(ValueError, match=f"{k} neighbours of 6: choose knn_k from 1"):
        knn.knn_predict(torch.eye(6), torch.eye(6), torch.zeros(6, dtype=torch.int64), 1, k)

"""Classification by the nearest neighbours in a space of features: how good a representation is, without training.

The vote is that of Wu et al. 2018, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination",
section 3.4: a neighbour at cosine similarity s votes for its class with the weight exp(s / t).
"""

import torch
from torch.nn import functional as F


def knn_predict(
    feature: torch.Tensor,
    feature_bank: torch.Tensor,
    feature_labels: torch.Tensor,
    classes: int,
    knn_k: int = 200,
    knn_t: float = 0.1,
) -> torch.Tensor:
    """Classes of images by the vote of their neighbours in a bank of features; the search is exact.

    Args:
        feature: features of the images; (B, D).
        feature_bank: features of images whose classes are known; (N, D).
        feature_labels: these classes, int64; (N,).
        classes: number of classes.
        knn_k: number of neighbours that vote.
        knn_t: temperature t; the lower it is, the more the nearest neighbours count.

    Returns:
        The classes, int64; (B,).

    Raises:
        ValueError: there are fewer than `knn_k` features in the bank, or fewer than one neighbour is asked for.
    """
    if not 1 <= knn_k <= len(feature_bank):
        raise ValueError(f"{knn_k} neighbours of {len(feature_bank)}: choose knn_k from 1 to the size of the bank")
    similarity = F.normalize(feature, dim=1) @ F.normalize(feature_bank, dim=1).T  # (B, N)
    nearest = similarity.topk(knn_k, dim=1)  # (B, k)
    # The largest exponent is 0, so that no temperature overflows; a common factor does not change the vote.
    weights = ((nearest.values - nearest.values[:, :1]) / knn_t).exp()  # (B, k)
    votes = feature.new_zeros(len(feature), classes)  # (B, classes)
    votes.scatter_add_(1, feature_labels[nearest.indices], weights)
    return votes.argmax(dim=1)


def knn_accuracy(
    features: torch.Tensor,
    labels: torch.Tensor,
    feature_bank: torch.Tensor,
    feature_labels: torch.Tensor,
    knn_k: int = 200,
    knn_t: float = 0.1,
    batch_size: int = 512,
) -> float:
    """Part of the images whose class the neighbours find, in [0, 1].

    Args:
        features: features of the images; (M, D).
        labels: their classes, int64; (M,).
        feature_bank: features of images whose classes are known; (N, D).
        feature_labels: these classes, int64; (N,).
        knn_k: number of neighbours that vote.
        knn_t: temperature of the vote.
        batch_size: images that are compared with the bank at once; it changes the memory needed, not the result.

    Raises:
        ValueError: as `knn_predict`.
    """
    classes = int(max(labels.max(), feature_labels.max())) + 1
    bank = F.normalize(feature_bank, dim=1)  # once, not for each batch
    predicted = [
        knn_predict(batch, bank, feature_labels, classes, knn_k, knn_t) for batch in features.split(batch_size)
    ]
    return (torch.cat(predicted) == labels).float().mean().item()

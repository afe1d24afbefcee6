from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autograder.scoring import classifier, second_opinion
from autograder.scoring.classifier import ClassifierError, as_pixels, load_classifier
from autograder.scoring.real_images import load_real_images
from autograder.scoring.second_opinion import load_second_opinion

BOTH = [(classifier, load_classifier), (second_opinion, load_second_opinion)]


@pytest.mark.parametrize(("module", "load"), BOTH)
class TestWeights:
    def test_are_those_of_the_card_and_small(self, module, load) -> None:
        card = module.WEIGHTS.with_suffix(".md").read_text("utf-8")
        assert module.SHA256 in card
        assert module.WEIGHTS.stat().st_size <= 2 << 20

    @pytest.mark.threat(46)
    def test_are_loaded_for_judging_only(self, module, load) -> None:
        network = load()
        assert not any(part.training for part in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())

    @pytest.mark.threat(46)
    def test_one_image_gives_the_same_logits_alone_and_in_any_batch(self, module, load) -> None:
        network = load()
        images = torch.rand(37, 1, 32, 32, generator=torch.Generator().manual_seed(0))
        together = network(images)
        for index in (0, 20, 36):
            torch.testing.assert_close(network(images[index : index + 1])[0], together[index], rtol=0, atol=1e-4)
        order = torch.randperm(37, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(network(images[order]), together[order], rtol=0, atol=1e-4)

    def test_of_another_digest_are_refused(self, module, load, tmp_path: Path) -> None:
        content = bytearray(module.WEIGHTS.read_bytes())
        content[-1] ^= 1
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(ClassifierError, match="SHA-256 differs"):
            load(path=tmp_path / "other")
        with pytest.raises(ClassifierError, match="missing"):
            load(path=tmp_path / "nothing")


def test_cards_state_the_accuracies_that_were_asked_for() -> None:
    accuracy = float(classifier.WEIGHTS.with_suffix(".md").read_text("utf-8").partition("**")[2].partition("%")[0])
    assert accuracy >= 94.0
    recalls = load_real_images().ceiling
    assert accuracy == pytest.approx(100 * sum(recalls) / len(recalls), abs=0.01)


class TestPixels:
    @pytest.mark.parametrize(("model", "low"), [("DDPM", -1.0), ("DDIM", -1.0), ("VAE", 0.0), ("LDDPM", 0.0)])
    def test_are_scaled_from_the_range_of_the_model(self, model: str, low: float) -> None:
        samples = torch.tensor([low, (low + 1) / 2, 1.0]).view(3, 1, 1, 1)
        assert as_pixels(samples, model).flatten().tolist() == [0.0, 0.5, 1.0]

    @pytest.mark.threat(47)
    def test_are_clamped(self) -> None:
        assert as_pixels(torch.tensor([-1.5, 1.5]), "DDPM").tolist() == [0.0, 1.0]
        assert as_pixels(torch.tensor([-0.5, 1.5], dtype=torch.float64), "VAE").dtype == torch.float32

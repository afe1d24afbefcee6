"""The GAN of ift6135_a22: its losses against closed forms, one step of its training, and its program."""

import csv
import importlib
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus
from tqdm import tqdm

from autograder.sandbox.modules import SourceFinder

SOLUTIONS = Path(__file__).parents[2] / "solutions"
FILES = {f"lab/{path.name}": path for path in (SOLUTIONS / "common" / "lab").glob("*.py")}
FILES["gan.py"] = SOLUTIONS / "ift6135_a22" / "gan.py"
PARTS = ("generator", "discriminator", "generator_optimizer", "discriminator_optimizer")


@pytest.fixture
def load_gan():
    """Imports gan.py anew: the networks that it builds have not been trained."""
    finder = SourceFinder({name: path.read_text("utf-8") for name, path in FILES.items()})

    def load():
        sys.modules.pop("gan", None)
        module = importlib.import_module("gan")
        module.device = "cpu"
        module.generator.cpu()
        module.discriminator.cpu()
        return module

    finder.install()
    yield load
    finder.uninstall()


@pytest.fixture
def gan(load_gan):
    torch.manual_seed(0)
    return load_gan()


@pytest.fixture
def run_gan(load_gan, tmp_path, monkeypatch):
    """Runs the program on 32 generated images, and returns its module."""
    matplotlib.use("Agg")
    (tmp_path / "svhn").mkdir()
    images = np.random.default_rng(0).integers(0, 256, (32, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "svhn" / "train.npz", images=images, labels=(np.arange(32) % 10).astype(np.uint8))
    monkeypatch.setenv("GENLAB_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, break_in: str | None = None):
        module = load_gan()
        epochs = importlib.import_module("lab.epochs")

        class Interrupted(tqdm):
            def __iter__(self):
                for number, batch in enumerate(super().__iter__()):
                    if number == 1 and break_in is not None and break_in in self.desc:
                        raise KeyboardInterrupt
                    yield batch

        monkeypatch.setattr(epochs, "tqdm", Interrupted)
        monkeypatch.setattr(sys, "argv", ["gan.py", "--device", "cpu", "--batch-size", "16", *arguments])
        module.main()
        return module

    return run


class Toy(nn.Module):
    """A discriminator whose logit is three times the mean of the image."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(3.0, dtype=torch.float64))

    def forward(self, x):
        return self.factor * x.mean((1, 2, 3)).view(-1, 1, 1, 1)


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, dtype=torch.float64) * torch.linspace(-1, 1, count).view(-1, 1, 1, 1)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_networks_have_the_published_sizes_and_shapes(gan):
    assert (count(gan.generator), count(gan.discriminator)) == (231_360, 167_808)
    x = gan.generator(torch.randn(5, 32, 1, 1))
    assert x.shape == (5, 3, 32, 32)
    assert x.abs().max() <= 1
    logits = gan.discriminator(torch.randn(5, 3, 32, 32))
    assert logits.shape == (5, 1, 1, 1)
    assert logits.min() < 0  # no sigmoid
    assert gan.Generator(7, 1, 4)(torch.randn(2, 7, 1, 1)).shape == (2, 1, 32, 32)
    assert gan.Discriminator(1, 4)(torch.randn(2, 1, 32, 32)).shape == (2, 1, 1, 1)


def test_weights_are_drawn_as_in_dcgan(gan):
    for network in (gan.generator, gan.discriminator):
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                assert layer.bias is None
                error = 0.02 / layer.weight.numel() ** 0.5
                assert abs(layer.weight.mean()) < 5 * error
                assert abs(layer.weight.std() - 0.02) < 5 * error
            elif isinstance(layer, nn.BatchNorm2d):
                assert 0.8 < layer.weight.min() < layer.weight.max() < 1.2
                assert layer.weight.std() > 0
                assert not layer.bias.any()


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_each_network_has_an_optimizer_of_its_own(gan, name):
    optimizer = getattr(gan, f"{name}_optimizer")
    assert isinstance(optimizer, torch.optim.Adam)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["betas"]) == (1e-4, (0.5, 0.999))
    assert [id(weight) for weight in group["params"]] == [id(weight) for weight in getattr(gan, name).parameters()]


def test_discriminator_loss_is_the_sum_of_two_means(gan):
    real, fake = images(6), images(4).requires_grad_()
    toy = Toy()
    loss = gan.discriminator_train(toy, None, real, fake)
    expected = softplus(-toy(real)).mean() + softplus(toy(fake)).mean()  # -log sigmoid(l), -log(1 - sigmoid(l))
    assert loss.shape == ()
    torch.testing.assert_close(loss, expected)
    assert toy.factor.grad is None  # only a loss: no backward inside
    torch.testing.assert_close(torch.autograd.grad(loss, toy.factor), torch.autograd.grad(expected, toy.factor))


def test_generator_loss_does_not_saturate_and_reaches_the_images(gan):
    fake = images(5).requires_grad_()
    toy = Toy()
    loss = gan.generator_train(toy, None, fake)
    assert loss.shape == ()
    torch.testing.assert_close(loss, softplus(-toy(fake)).mean())
    (gradient,) = torch.autograd.grad(loss, fake)
    slope = (torch.sigmoid(toy(fake)) - 1) / 5 * toy.factor / (3 * 32 * 32)
    torch.testing.assert_close(gradient, slope.expand_as(fake).detach())


def test_samples_come_from_standard_normal_noise_and_without_a_graph(gan):
    seen = []
    gan.generator.eval().register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    samples = gan.sample(gan.generator, 300)
    assert samples.shape == (300, 3, 32, 32)
    assert not samples.requires_grad
    assert samples.abs().max() <= 1
    (z,) = seen
    assert z.shape == (300, 32, 1, 1)
    error = 1 / z.numel() ** 0.5
    assert abs(z.mean()) < 5 * error
    assert abs(z.std() - 1) < 5 * error


def test_interpolation_walks_the_line_from_the_first_point_to_the_second(gan):
    seen = []
    gan.generator.eval().register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    z_1, z_2 = torch.randn(2, 1, 32, 1, 1)
    line = gan.interpolate(gan.generator, z_1, z_2, 5)
    assert line.shape == (5, 3, 32, 32)
    assert not line.requires_grad
    for place, z in enumerate(seen[0]):
        torch.testing.assert_close(z, (z_1 + (z_2 - z_1) * place / 4)[0])
    torch.testing.assert_close(line[:1], gan.generator(z_1))
    torch.testing.assert_close(line[-1:], gan.generator(z_2))


def test_a_step_trains_the_discriminator_first_and_the_generator_against_the_result(gan):
    real = torch.rand(8, 3, 32, 32) * 2 - 1
    before = {name: [w.clone() for w in getattr(gan, name).parameters()] for name in ("generator", "discriminator")}
    seen = []
    gan.generator.register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
    losses = gan.train_step(real)
    assert all(not loss.requires_grad and loss.isfinite() for loss in losses.values())
    for name, weights in before.items():
        moved = [(w - old).abs().max() for w, old in zip(getattr(gan, name).parameters(), weights, strict=True)]
        assert min(moved) > 0
        assert max(moved) < 1.1e-4  # the first step of Adam moves a weight by at most the learning rate
    (fake,) = seen
    expected = softplus(-gan.discriminator(fake)).mean()  # with the weights after the discriminator's step
    torch.testing.assert_close(losses["generator"], expected.detach())


def test_the_discriminator_step_leaves_no_gradient_in_the_generator(gan, monkeypatch):
    monkeypatch.setattr(gan, "generator_train", lambda discriminator, generator, fake: 0 * fake.sum())
    gan.train_step(torch.rand(8, 3, 32, 32))
    assert all(not weight.grad.any() for weight in gan.generator.parameters())
    assert any(weight.grad.any() for weight in gan.discriminator.parameters())


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "loss.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def same(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_training_is_resumed_as_if_it_had_not_been_interrupted(run_gan, tmp_path):
    run_gan("--epochs", "2", "--output", "through")
    with pytest.raises(SystemExit, match="stopped; the last finished epoch is saved"):
        run_gan("--epochs", "2", "--output", "parts", break_in="epoch 2/")
    assert len(rows(tmp_path / "parts")) == 1
    run_gan("--epochs", "2", "--output", "parts", "--resume")
    assert rows(tmp_path / "parts") == rows(tmp_path / "through")
    assert [row["epoch"] for row in rows(tmp_path / "parts")] == ["1.0", "2.0"]
    assert rows(tmp_path / "parts")[0].keys() == {"epoch", "discriminator", "generator"}
    one, other = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("parts", "through"))
    assert all(same(one[part], other[part]) for part in PARTS)
    for picture in ("loss.png", "time.png", "samples_epoch_01.png", "samples_epoch_02.png"):
        assert (tmp_path / "through" / picture).read_bytes().startswith(b"\x89PNG")


def test_the_seed_decides_everything(run_gan):
    weights = [run_gan("--epochs", "1", "--output", "runs", "--seed", seed).generator for seed in "112"]
    first, again, other = (network.state_dict() for network in weights)
    assert same(first, again)
    assert not same(first, other)


def test_figures_are_made_of_the_trained_generator(run_gan, tmp_path, monkeypatch):
    trained = run_gan("--epochs", "1", "--small", "--limit", "32").generator.state_dict()
    shown = run_gan("--figures")
    assert same(trained, shown.generator.state_dict())
    for picture in ("samples.png", "interpolation.png"):
        assert (tmp_path / "results" / "gan" / picture).read_bytes().startswith(b"\x89PNG")


def test_interpolations_in_both_spaces_have_the_same_ends(gan, tmp_path, monkeypatch):
    pictures = {}
    monkeypatch.setattr(gan, "show_images", lambda images, path, title, nrow=8: pictures.update({path.name: images}))
    epochs = importlib.import_module("lab.epochs")
    nothing = dict.fromkeys(epochs.Run.__dataclass_fields__)
    gan.draw_figures(epochs.Run(**{**nothing, "output": tmp_path, "device": "cpu"}))
    assert pictures["samples.png"].shape == (64, 3, 32, 32)
    noise, pixels = pictures["interpolation.png"].view(4, 2, 10, 3, 32, 32).unbind(1)
    torch.testing.assert_close(noise[:, 0], pixels[:, 0])
    torch.testing.assert_close(noise[:, 9], pixels[:, 9])
    torch.testing.assert_close(pixels[:, 3], (6 * pixels[:, 0] + 3 * pixels[:, 9]) / 9)
    assert (noise[:, 3] - pixels[:, 3]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--figures"], "there is no checkpoint .*checkpoint.pt; train without --resume first"),
        (["--resume"], "there is no checkpoint .*checkpoint.pt; train without --resume first"),
        (["--data-root", "nowhere"], "nowhere.svhn.train.npz is missing; name another data root"),
        (["--limit", "3"], "3 images do not fill one batch of 16; choose a smaller batch size"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(run_gan, arguments, sentence):
    with pytest.raises(SystemExit, match=sentence):
        run_gan(*arguments)

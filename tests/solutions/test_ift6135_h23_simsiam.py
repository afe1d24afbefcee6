"""SimSiam of ift6135_h23: model and loss, augmentations, small networks, and the training program."""

import csv
import importlib
import math
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import Normalize
from tqdm import tqdm

from autograder.sandbox.modules import SourceFinder

SOLUTIONS = Path(__file__).parents[2] / "solutions"
FILES = {f"lab/{path.name}": path for path in (SOLUTIONS / "common" / "lab").glob("*.py")}
FILES |= {path.name: path for path in (SOLUTIONS / "ift6135_h23").glob("*.py")}
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


@pytest.fixture(scope="module")
def course():
    """The modules of a student's folder, importable under their own names while this module's tests run."""
    finder = SourceFinder({name: path.read_text("utf-8") for name, path in FILES.items()})
    finder.install()
    yield importlib.import_module
    finder.uninstall()


@pytest.fixture(scope="module")
def q3(course):
    return course("q3_solution")


@pytest.fixture(scope="module")
def misc(course):
    return course("q3_misc")


@pytest.fixture(scope="module")
def program(course):
    matplotlib.use("Agg")
    return course("train_simsiam")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class Backbone(nn.Module):
    """The least that SimSiam takes for a backbone."""

    def __init__(self, num_classes, zero_init_residual):
        super().__init__()
        assert zero_init_residual
        self.fc = nn.Linear(12, num_classes)

    def forward(self, x):
        return self.fc(x.flatten(1))


def views(count: int = 6) -> torch.Tensor:
    return torch.randn(2, count, 3, 2, 2, dtype=torch.float64)


def cosine_loss(p1, p2, z1, z2):
    return -(F.cosine_similarity(p1, z2).mean() + F.cosine_similarity(p2, z1).mean()) / 2


# Model and loss


def test_projector_and_predictor_have_the_published_layers(q3):
    model = q3.SimSiam(Backbone, dim=10, pred_dim=4)
    kinds = [type(layer).__name__ for layer in model.encoder.fc]
    assert kinds == [*["Linear", "BatchNorm1d", "ReLU"] * 2, "Linear", "BatchNorm1d"]
    shapes = [tuple(layer.weight.shape) for layer in model.encoder.fc if isinstance(layer, nn.Linear)]
    assert shapes == [(12, 12), (12, 12), (10, 12)]
    assert model.encoder.fc[0].bias is None
    assert model.encoder.fc[3].bias is None
    assert not model.encoder.fc[6].bias.requires_grad
    assert model.encoder.fc[7].weight is None
    assert [type(layer).__name__ for layer in model.predictor] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert model.predictor[0].bias is None
    assert model.predictor[3].bias is not None
    assert (model.stop_gradient, model.MLP_mode) == (True, None)


def test_forward_returns_predictions_before_projections(q3):
    model = q3.SimSiam(Backbone, dim=10, pred_dim=4).double()
    x1, x2 = views()
    p1, p2, z1, z2 = model(x1, x2)
    expected = model.encoder(x1), model.encoder(x2)
    torch.testing.assert_close((z1, z2), expected)
    torch.testing.assert_close((p1, p2), tuple(model.predictor(z) for z in expected))


@pytest.mark.parametrize("stop_gradient", [True, False])
def test_gradients_flow_through_the_predictions_and_only_without_stop_through_the_projections(q3, stop_gradient):
    model = q3.SimSiam(Backbone, dim=10, pred_dim=4, stop_gradient=stop_gradient).double()
    x1, x2 = views()
    p1, p2, z1, z2 = model(x1, x2)
    assert z1.requires_grad == z2.requires_grad == (not stop_gradient)
    assert p1.requires_grad
    assert p2.requires_grad
    model.loss(p1, p2, z1, z2).backward()
    found = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}

    model.zero_grad()
    z1, z2 = model.encoder(x1), model.encoder(x2)
    p1, p2 = model.predictor(z1), model.predictor(z2)
    constants = (z1.detach(), z2.detach()) if stop_gradient else (z1, z2)
    cosine_loss(p1, p2, *constants).backward()
    expected = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    torch.testing.assert_close(found, expected)
    assert found["encoder.fc.0.weight"].abs().max() > 1e-6


def test_kinds_of_predictors(q3):
    identity = q3.SimSiam(Backbone, dim=10, MLP_mode="no_pred_mlp").double()
    x1, x2 = views()
    p1, p2, z1, z2 = identity(x1, x2)
    torch.testing.assert_close((p1.detach(), p2.detach()), (z1, z2))
    assert p1.requires_grad
    assert not z1.requires_grad
    fixed = q3.SimSiam(Backbone, dim=10, pred_dim=4, MLP_mode="fixed_random_init")
    assert not any(weight.requires_grad for weight in fixed.predictor.parameters())
    assert fixed.predictor[0].weight.std() > 0
    with pytest.raises(ValueError, match="there is no MLP_mode 'none'"):
        q3.SimSiam(Backbone, MLP_mode="none")


def test_loss_in_closed_form_and_against_torch(q3):
    model = q3.SimSiam(Backbone, dim=10)
    p1, p2, z1, z2 = torch.randn(4, 7, 10, dtype=torch.float64)
    loss = model.loss(p1, p2, z1, z2)
    assert loss.shape == ()
    torch.testing.assert_close(loss, cosine_loss(p1, p2, z1, z2))
    assert model.loss(z2 * 3, z1, z1, z2).item() == pytest.approx(-1)
    assert model.loss(-z2, -z1 / 2, z1, z2).item() == pytest.approx(1)
    assert model.loss(z2, -z1, z1, z2).item() == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="there is no similarity function 'dot'"):
        model.loss(p1, p2, z1, z2, similarity_function="dot")


def test_cosine_similarity_is_that_of_torch(q3):
    x1, x2 = torch.randn(2, 9, 5, dtype=torch.float64)
    torch.testing.assert_close(q3.CosineSimilarity()(x1, x2), nn.CosineSimilarity()(x1, x2))
    torch.testing.assert_close(q3.CosineSimilarity(dim=0)(x1, x2), nn.CosineSimilarity(dim=0)(x1, x2))
    angle = torch.linspace(0, 3, 4)
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    torch.testing.assert_close(q3.CosineSimilarity()(7 * circle, circle[:1].expand(4, 2)), angle.cos())
    zeros = torch.zeros(2, 5, requires_grad=True)
    similarity = q3.CosineSimilarity()(zeros, torch.ones(2, 5))
    assert similarity.tolist() == [0, 0]
    similarity.sum().backward()
    assert zeros.grad.isfinite().all()


def test_bdot_multiplies_rows(q3):
    a, b = torch.randn(2, 4, 3)
    torch.testing.assert_close(q3.bdot(a, b), (a @ b.T).diagonal())


# Augmentations


def grey_part(images: torch.Tensor) -> torch.Tensor:
    return (images * LUMA).sum(1, keepdim=True)


def part_close_to(share: float, expected: float, count: int) -> bool:
    return abs(share - expected) < 5 * math.sqrt(expected * (1 - expected) / count)


def test_crops_are_rectangles_of_the_asked_sizes_and_half_of_them_mirrored(misc):
    count = 2000
    place = (torch.arange(32) + 0.5) / 32
    ramps = torch.stack([place.expand(32, 32), place.view(32, 1).expand(32, 32), torch.ones(32, 32)])
    crops = misc.random_resized_crop_flip(ramps.expand(count, 3, 32, 32))
    assert crops.shape == (count, 3, 32, 32)
    assert (crops[:, 2] - 1).abs().max() < 1e-5  # nothing from outside of the image
    torch.testing.assert_close(crops[:, 0].std(1), torch.zeros(count, 32), atol=1e-5, rtol=0)  # axes stay axes
    torch.testing.assert_close(crops[:, 1].std(2), torch.zeros(count, 32), atol=1e-5, rtol=0)
    width = (crops[:, 0, 0, 20] - crops[:, 0, 0, 11]) * 32 / 9  # signed, as a part of the image's
    height = (crops[:, 1, 20, 0] - crops[:, 1, 11, 0]) * 32 / 9
    assert part_close_to((width < 0).float().mean().item(), 0.5, count)
    assert height.min() > 0
    width = width.abs()
    area, ratio = width * height, width / height
    assert 0.08 - 1e-3 < area.min() < 0.1
    assert 0.9 < area.max() < 1 + 1e-3
    assert 0.75 - 1e-3 < ratio.min() < 0.77
    assert 1.3 < ratio.max() < 4 / 3 + 1e-3
    middle = crops[:, 0, 0].mean(1)
    loose = width < 0.5
    assert middle[loose].min() < 0.3
    assert middle[loose].max() > 0.7


def test_a_crop_of_everything_is_the_image_or_its_mirror(misc):
    images = torch.rand(20, 3, 32, 32)
    crops = misc.random_resized_crop_flip(images, scale=(1, 1), ratio=(1, 1))
    mirrored = [torch.allclose(crop, image.flip(2), atol=1e-4) for crop, image in zip(crops, images, strict=True)]
    kept = [torch.allclose(crop, image, atol=1e-4) for crop, image in zip(crops, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert any(mirrored)
    assert any(kept)


def test_brightness_is_one_factor_per_image(misc):
    images = torch.rand(300, 3, 4, 4) * 0.7
    bright = misc.color_jitter(images, contrast=0, saturation=0, hue=0, p=1)
    factors = (bright / images).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors), atol=1e-4, rtol=0)
    assert 0.6 - 1e-4 < factors.min() < 0.62
    assert 1.38 < factors.max() < 1.4 + 1e-4


def test_contrast_keeps_the_mean_grey_and_scales_the_distance_to_it(misc):
    images = torch.rand(300, 3, 4, 4) * 0.3 + 0.35
    changed = misc.color_jitter(images, brightness=0, saturation=0, hue=0, p=1)
    mean = grey_part(images).mean((2, 3), keepdim=True)
    torch.testing.assert_close(grey_part(changed).mean((2, 3), keepdim=True), mean, atol=1e-5, rtol=0)
    factors = ((changed - mean).flatten(1).norm(dim=1)) / (images - mean).flatten(1).norm(dim=1)
    torch.testing.assert_close(changed - mean, factors.view(-1, 1, 1, 1) * (images - mean), atol=1e-5, rtol=0)
    assert 0.6 - 1e-3 < factors.min() < 0.62
    assert 1.38 < factors.max() < 1.4 + 1e-3


def test_saturation_keeps_greys_and_scales_the_distance_to_them(misc):
    images = torch.rand(300, 3, 4, 4) * 0.3 + 0.35
    changed = misc.color_jitter(images, brightness=0, contrast=0, hue=0, p=1)
    grey = grey_part(images)
    torch.testing.assert_close(grey_part(changed), grey, atol=1e-5, rtol=0)
    factors = (changed - grey).flatten(1).norm(dim=1) / (images - grey).flatten(1).norm(dim=1)
    torch.testing.assert_close(changed - grey, factors.view(-1, 1, 1, 1) * (images - grey), atol=1e-5, rtol=0)
    assert 0.6 - 1e-3 < factors.min() < 0.62
    assert 1.38 < factors.max() < 1.4 + 1e-3


def test_hue_keeps_greys_and_turns_red_towards_its_neighbours(misc):
    images = torch.rand(300, 3, 4, 4) * 0.2 + 0.4
    turned = misc.color_jitter(images, brightness=0, contrast=0, saturation=0, p=1)
    torch.testing.assert_close(grey_part(turned), grey_part(images), atol=1e-5, rtol=0)
    assert (turned - images).abs().amax((1, 2, 3)).median() > 0.01
    red = torch.tensor([0.6, 0.4, 0.4]).view(3, 1, 1).expand(300, 3, 1, 1)
    colors = misc.color_jitter(red, brightness=0, contrast=0, saturation=0, p=1).flatten(1)
    assert colors.argmax(1).eq(0).all()  # at most a tenth of a turn: red it stays
    orange = colors[:, 1] > colors[:, 2]
    assert part_close_to(orange.float().mean().item(), 0.5, 300)


def test_jitter_leaves_one_image_in_five_and_never_leaves_the_range(misc):
    count = 1000
    images = torch.rand(count, 3, 4, 4)
    jittered = misc.color_jitter(images)
    assert jittered.min() >= 0
    assert jittered.max() <= 1
    unchanged = (jittered - images).abs().amax((1, 2, 3)) < 1e-5
    assert part_close_to(unchanged.float().mean().item(), 0.2, count)
    greys = torch.rand(count, 1, 4, 4).expand(count, 3, 4, 4)
    torch.testing.assert_close(misc.color_jitter(greys).std(1), torch.zeros(count, 4, 4), atol=1e-5, rtol=0)


def test_one_image_in_five_becomes_grey(misc):
    images = torch.rand(1000, 3, 4, 4)
    changed = misc.random_grayscale(images)
    is_grey = changed.std(1).amax((1, 2)) < 1e-6
    assert part_close_to(is_grey.float().mean().item(), 0.2, 1000)
    assert torch.equal(changed[~is_grey], images[~is_grey])
    torch.testing.assert_close(changed[is_grey], grey_part(images)[is_grey].expand(-1, 3, -1, -1))


def test_views_of_one_image_differ_and_do_not_depend_on_the_other_images(misc):
    image = torch.rand(1, 3, 32, 32)
    batch = image.expand(8, 3, 32, 32).clone()
    views = misc.augment(batch)
    assert torch.pdist(views.flatten(1)).min() > 1
    other = batch.clone()
    other[3] = torch.rand(3, 32, 32)
    torch.manual_seed(5)
    views = misc.augment(batch)
    torch.manual_seed(5)
    others = misc.augment(other)
    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(views, others, strict=True)]
    assert same == [number != 3 for number in range(8)]


def test_views_are_normalised_as_by_torchvision(misc):
    images = torch.rand(5, 3, 32, 32)
    expected = Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))(images)
    torch.testing.assert_close(misc.normalize(images), expected)
    pixels = misc.augment(images) * torch.tensor(misc.CIFAR10_STD).view(3, 1, 1)
    pixels = pixels + torch.tensor(misc.CIFAR10_MEAN).view(3, 1, 1)
    assert -1e-5 < pixels.min() < pixels.max() < 1 + 1e-5


def test_two_crops_are_two_calls(misc):
    calls = iter((10, 20))
    assert misc.TwoCropsTransform(lambda x: x + next(calls))(1) == [11, 21]


# Networks and optimizer


def test_small_network_has_about_300_000_parameters(program):
    network = program.SmallResNet(num_classes=7, zero_init_residual=True)
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, 7)
    assert 0.25e6 < sum(weight.numel() for weight in network.features.parameters()) < 0.35e6
    blocks = [layer for layer in network.features if isinstance(layer, program.ResidualBlock)]
    assert not any(block.norm2.weight.any() for block in blocks)


def test_published_network_keeps_the_resolution_of_small_images(program):
    network = program.cifar_resnet18(num_classes=10, zero_init_residual=True)
    shapes = []
    network.avgpool.register_forward_pre_hook(lambda module, inputs: shapes.append(tuple(inputs[0].shape)))
    assert network.eval()(torch.randn(1, 3, 32, 32)).shape == (1, 10)
    assert shapes == [(1, 512, 4, 4)]
    assert sum(weight.numel() for weight in network.parameters()) == 11_173_962


def test_the_learning_rate_falls_for_the_encoder_only(program, q3):
    model = q3.SimSiam(Backbone, dim=10, pred_dim=4)
    optimizer, scheduler = program.make_optimizer(model, batch_size=1024, n_steps=10)
    rates = []
    for _ in range(11):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    encoder, predictor = zip(*rates, strict=True)
    assert encoder[0] == pytest.approx(0.12)
    assert encoder[5] == pytest.approx(0.06)
    assert encoder[10] == pytest.approx(0, abs=1e-6)
    assert encoder[2] == pytest.approx(0.06 * (1 + math.cos(0.2 * math.pi)))
    assert predictor == pytest.approx([0.12] * 11)
    assert all((group["momentum"], group["weight_decay"]) == (0.9, 5e-4) for group in optimizer.param_groups)


@pytest.mark.parametrize("kind", [None, "fixed_random_init", "no_pred_mlp"])
def test_one_step_changes_what_is_to_be_trained_and_nothing_else(program, q3, kind):
    model = q3.SimSiam(program.SmallResNet, dim=8, pred_dim=4, MLP_mode=kind)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer, scheduler = program.make_optimizer(model, batch_size=8, n_steps=5)
    numbers = program.train_step(model, optimizer, scheduler, torch.rand(8, 3, 32, 32))
    assert -1 <= numbers["loss"] <= 1
    changed = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert any(name.startswith("encoder.features") for name in changed)
    assert any(name.startswith("predictor") for name in changed) == (kind is None)
    assert "encoder.fc.6.bias" not in changed


def test_output_std_tells_a_spread_from_a_collapse(program):
    spread = program.output_std(torch.randn(4000, 64))
    assert spread.item() == pytest.approx(1 / 8, rel=0.02)
    one_direction = torch.rand(50, 1) * torch.randn(1, 64)
    assert program.output_std(one_direction).item() == pytest.approx(0, abs=1e-6)


# The program


@pytest.fixture
def run_simsiam(course, program, tmp_path, monkeypatch):
    """Runs the program with a tiny output on 64 generated images."""
    (tmp_path / "cifar10").mkdir()
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        images = generator.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
        labels = (np.arange(64) % 10).astype(np.uint8)
        np.savez(tmp_path / "cifar10" / f"{split}.npz", images=images, labels=labels)
    monkeypatch.setenv("GENLAB_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, break_in: str | None = None) -> None:
        class Interrupted(tqdm):
            def __iter__(self):
                for number, batch in enumerate(super().__iter__()):
                    if number == 1 and break_in is not None and break_in in self.desc:
                        raise KeyboardInterrupt
                    yield batch

        monkeypatch.setattr(course("lab.epochs"), "tqdm", Interrupted)
        common = ["--small", "--device", "cpu", "--batch-size", "32", "--dim", "16", "--limit", "64"]
        monkeypatch.setattr(sys, "argv", ["train_simsiam.py", *common, *arguments])
        program.main()

    return run


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "loss.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def same(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_training_is_resumed_as_if_it_had_not_been_interrupted(run_simsiam, tmp_path):
    run_simsiam("--epochs", "2")
    with pytest.raises(SystemExit, match="stopped; the last finished epoch is saved"):
        run_simsiam("--epochs", "2", "--output", "parts", break_in="epoch 2/")
    assert len(rows(tmp_path / "parts")) == 1
    run_simsiam("--epochs", "2", "--output", "parts", "--resume")
    through = rows(tmp_path / "results" / "simsiam_d16")
    assert rows(tmp_path / "parts") == through
    assert through[0].keys() == {"epoch", "loss", "std", "knn_accuracy", "std_spread"}
    for row in through:
        assert -1 <= float(row["loss"]) <= 1
        assert 0 <= float(row["knn_accuracy"]) <= 1
        assert 0 < float(row["std"]) < 1.1 * float(row["std_spread"])
        assert float(row["std_spread"]) == 0.25
    one, other = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("parts", "results/simsiam_d16")
    )
    assert all(same(one[part], other[part]) for part in ("model", "optimizer", "scheduler"))


def test_variants_have_folders_of_their_own_and_are_compared_in_one_figure(run_simsiam, tmp_path):
    variants = {
        "simsiam_d16_no_stop_gradient": ["--no-stop-gradient"],
        "simsiam_d16_identity_predictor": ["--predictor", "identity"],
        "simsiam_d8_fixed_predictor": ["--predictor", "fixed", "--dim", "8"],
    }
    for arguments in variants.values():
        run_simsiam("--epochs", "1", *arguments)
    assert {folder.name for folder in (tmp_path / "results").iterdir()} == set(variants)
    losses = {rows(tmp_path / "results" / name)[0]["loss"] for name in variants}
    assert len(losses) == 3
    run_simsiam("--compare", *(f"results/{name}" for name in variants))
    assert (tmp_path / "results" / "compare" / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_figures_and_a_linear_evaluation_start_from_the_checkpoint(run_simsiam, program, misc, q3, tmp_path, capsys):
    run_simsiam("--epochs", "1")
    accuracy = float(rows(tmp_path / "results" / "simsiam_d16")[0]["knn_accuracy"])
    capsys.readouterr()
    run_simsiam("--figures")
    assert f"epoch 1: kNN accuracy {accuracy:.1%} of 64 test images" in capsys.readouterr().out
    assert (tmp_path / "results" / "simsiam_d16" / "views.png").read_bytes().startswith(b"\x89PNG")

    path = tmp_path / "results" / "simsiam_d16" / "checkpoint.pt"
    saved = torch.load(path, weights_only=True)["model"]
    model = q3.SimSiam(program.SmallResNet, dim=16)
    optimizer, _ = program.make_optimizer(model, 32, 2)
    assert misc.load_checkpoints(path, model, optimizer, None) == 1
    assert same(dict(model.state_dict()), dict(saved))

    classifier = program.SmallResNet(num_classes=10)
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.1, momentum=0.9)
    classifier(torch.rand(4, 3, 32, 32)).sum().backward()
    optimizer.step()
    misc.load_pretrained_checkpoints(path, classifier, optimizer, None)
    backbone = {name: value for name, value in classifier.state_dict().items() if not name.startswith("fc.")}
    assert same(backbone, {name: saved[f"encoder.{name}"] for name in backbone})
    trained = [name for name, weight in classifier.named_parameters() if weight.requires_grad]
    assert trained == ["fc.weight", "fc.bias"]
    assert not optimizer.state
    with pytest.raises(misc.checkpoint.CheckpointError, match="belong to another network"):
        misc.load_pretrained_checkpoints(path, Backbone(10, True), optimizer, None)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--resume"], "there is no checkpoint .*checkpoint.pt; train without --resume first"),
        (["--data-root", "nowhere"], "nowhere.cifar10.train.npz is missing; name another data root"),
        (["--compare", "nowhere"], "nowhere.loss.csv is missing; train that variant first, or name another folder"),
        (["--compare", "cifar10"], "cifar10.loss.csv has no curves of SimSiam; name the folder of another run"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(run_simsiam, tmp_path, arguments, sentence):
    (tmp_path / "cifar10" / "loss.csv").write_text("epoch,loss\n1,0.5\n")
    with pytest.raises(SystemExit, match=sentence):
        run_simsiam(*arguments)


def test_an_output_without_values_is_refused(run_simsiam, capsys):
    with pytest.raises(SystemExit):
        run_simsiam("--dim", "0")
    assert "--dim must be at least 1, not 0" in capsys.readouterr().err

"""The given modules: networks, data, checkpoints, and the reference's sampling with real networks."""

import importlib
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from autograder.assignment import load_assignment
from autograder.sandbox.modules import SourceFinder


@pytest.fixture(scope="module")
def course():
    """The modules of a student's folder, importable under their own names while this module's tests run."""
    assignment = load_assignment("ift6135_h25")
    files = (*assignment.files, *assignment.support)
    finder = SourceFinder({file.name: assignment.master(file).read_text("utf-8") for file in files})
    finder.install()
    yield importlib.import_module
    finder.uninstall()
    assert "lab.data" not in sys.modules


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_networks_have_the_shapes_and_at_most_the_published_sizes(course):
    x, t, labels = torch.randn(2, 1, 32, 32), torch.tensor([0, 999]), torch.tensor([3, 9])
    unet = course("ddpm_utils.unet").UNet(1, 1)
    assert unet(x, t).shape == x.shape
    assert parameters(unet) <= 5_580_000
    conditional = course("cfg_utils.unet").UNet_conditional(1, 1, num_classes=10)
    assert conditional(x, labels).shape == conditional(x).shape == x.shape
    assert parameters(conditional) <= 1_400_000
    with pytest.raises(ValueError, match="divisible by 8"):
        unet(torch.randn(1, 1, 28, 28), t[:1])


def test_conditional_network_can_tell_labels_apart(course):
    torch.manual_seed(0)
    net = course("cfg_utils.unet").UNet_conditional(1, 1, num_classes=10)
    for parameter in net.parameters():  # residual blocks start as their shortcuts, where nothing can be told apart
        torch.nn.init.normal_(parameter, std=0.1)
    x = torch.randn(1, 1, 32, 32)
    outputs = [net(x, torch.tensor([0])), net(x, torch.tensor([1])), net(x, None)]
    assert all(not torch.allclose(a, b) for a, b in pairwise(outputs))


def test_both_trainers_draw_finite_images(course):
    args = dict(course("ddpm_utils.args").args)
    settings = type(course("ddpm_utils.args").args)({**args, "n_steps": 4, "n_samples": 2, "nb_save": None})
    settings.device, settings.cfg_scale = "cpu", 1.0
    ddpm_net = course("ddpm_utils.unet").UNet(1, 1)
    ddpm = course("q2_ddpm").DenoiseDiffusion(ddpm_net, 4, "cpu")
    trainer = course("q2_trainer_ddpm").Trainer(settings, ddpm_net, ddpm)
    assert trainer.sample().isfinite().all()
    assert [image.shape for image in trainer.generate_intermediate_samples(2, 32, [0, 1, 4], 4)] == [(2, 1, 32, 32)] * 3
    cfg_net = course("cfg_utils.unet").UNet_conditional(1, 1, num_classes=10)
    cfg = course("q3_cfg_diffusion").CFGDiffusion(cfg_net, 4, "cpu")
    images = course("q3_trainer_cfg").Trainer(settings, cfg_net, cfg).sample(torch.tensor([1, 2]), cfg_scale=2.0)
    assert images.shape == (2, 1, 32, 32)
    assert images.isfinite().all()


def test_data_is_read_limited_and_batched(course, data_root):
    data = course("lab.data")
    images, labels = data.load("mnist", "train", data_root, limit=10)
    assert (images.shape, images.dtype, labels.dtype) == ((10, 1, 28, 28), torch.uint8, torch.int64)
    assert data.resize(images, 32).shape == data.pad(images, 32).shape == (10, 1, 32, 32)
    batches = data.Batches(images, labels, batch_size=4, shuffle=True)
    seen = torch.cat([batch_labels for _, batch_labels in batches])
    assert sorted(seen.tolist()) == sorted(labels.tolist())
    assert [len(batch) for batch, _ in batches] == [4, 4, 2]
    assert len(list(data.Batches(images, batch_size=4, drop_last=True))) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("cats", "train"), "no data set 'cats'"),
        (("mnist", "dev"), "no split 'dev'"),
        (("mnist", "train", "/nowhere"), "is missing"),
        (("mnist", "train", None, 0), "at least one image"),
    ],
)
def test_data_mistakes_are_named(course, data_root, monkeypatch, arguments, sentence):
    monkeypatch.setenv("GENLAB_DATA", str(data_root))
    data = course("lab.data")
    with pytest.raises(data.DataError, match=sentence):
        data.load(*arguments)


def test_damaged_data_is_named(course, tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train.npz").write_bytes(b"not a zip")
    data = course("lab.data")
    with pytest.raises(data.DataError, match="damaged"):
        data.load("mnist", "train", tmp_path)
    np.savez(tmp_path / "mnist" / "test.npz", images=np.zeros((3, 28, 28)), labels=np.zeros(3, np.uint8))
    with pytest.raises(data.DataError, match="uint8 images"):
        data.load("mnist", "test", tmp_path)


def test_checkpoints(course, tmp_path):
    checkpoint = course("lab.checkpoint")
    net, other = torch.nn.Linear(2, 2), torch.nn.Linear(3, 3)
    path = tmp_path / "deep" / "net.pkl"
    assert not checkpoint.load_weights(net, path)
    checkpoint.save(path, model_state_dict=net.state_dict())
    fresh = torch.nn.Linear(2, 2)
    assert checkpoint.load_weights(fresh, path)
    assert torch.equal(fresh.weight, net.weight)
    assert not fresh.training
    with pytest.raises(checkpoint.CheckpointError, match="another network"):
        checkpoint.load_weights(other, path)
    with pytest.raises(checkpoint.CheckpointError, match="has no history"):
        checkpoint.load(path, "history")
    path.write_bytes(b"damaged")
    with pytest.raises(checkpoint.CheckpointError, match="damaged"):
        checkpoint.load(path)
    assert list(path.parent.iterdir()) == [path]

"""The shared masters vae.py and ddpm.py on generated data: training, resume, figures, sizes of the networks."""

import csv
import importlib
import math
import sys
from pathlib import Path

import matplotlib
import matplotlib.image
import numpy as np
import pytest
import torch

from autograder.sandbox.modules import SourceFinder

COMMON = Path(__file__).parents[2] / "solutions" / "common"
FILES = {f"lab/{path.name}": path for path in (COMMON / "lab").glob("*.py")}
FILES |= {f"{name}.py": COMMON / "svhn" / f"{name}.py" for name in ("vae", "ddpm")}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a master as a program on 32 generated images, and returns its module."""
    matplotlib.use("Agg")
    (tmp_path / "svhn").mkdir()
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        images = generator.integers(0, 256, (32, 32, 32, 3), dtype=np.uint8)
        np.savez(tmp_path / "svhn" / f"{split}.npz", images=images, labels=(np.arange(32) % 10).astype(np.uint8))
    monkeypatch.setenv("GENLAB_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    finder = SourceFinder({name: path.read_text("utf-8") for name, path in FILES.items()})
    finder.install()

    def start(name: str, *arguments: str):
        sys.modules.pop(name, None)
        module = importlib.import_module(name)
        if name == "ddpm":
            module.T = 5
            monkeypatch.setattr(importlib.import_module("lab.ddpm_figures"), "NOISED_TO", (1, 3))
        else:
            figures = importlib.import_module("lab.vae_figures")
            monkeypatch.setattr(figures, "SAMPLE_COUNTS", (1, 3))
        command = [f"{name}.py", "--device", "cpu", "--small", "--batch-size", "16", *arguments]
        monkeypatch.setattr(sys, "argv", command)
        module.main()
        return module

    yield start
    finder.uninstall()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["vae", "ddpm"])
def test_training_leaves_curves_clock_and_labelled_samples(run, name, capsys):
    run(name, "--epochs", "2")
    folder = Path("results") / name
    losses, times = rows(folder / "loss.csv"), rows(folder / "time.csv")
    assert [row["epoch"] for row in losses] == ["1.0", "2.0"]
    assert all(math.isfinite(float(row["loss"])) for row in losses)
    assert 0 < float(times[0]["seconds"]) < float(times[1]["seconds"])
    pictures = sorted(path.name for path in folder.glob("samples_epoch_*.png"))
    assert pictures == ["samples_epoch_01.png", "samples_epoch_02.png"]
    assert matplotlib.image.imread(folder / pictures[0]).std() > 0.01
    assert "epoch 2" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["vae", "ddpm"])
def test_a_resumed_training_ends_where_an_uninterrupted_one_does(run, name):
    run(name, "--epochs", "2", "--output", "whole")
    run(name, "--epochs", "1", "--output", "parts")
    run(name, "--epochs", "2", "--output", "parts", "--resume")
    whole, parts = (torch.load(f"{folder}/checkpoint.pt", weights_only=True) for folder in ("whole", "parts"))
    assert whole["model"].keys() == parts["model"].keys()
    for key, value in whole["model"].items():
        torch.testing.assert_close(parts["model"][key], value)


def test_the_figures_of_the_vae(run, capsys):
    run("vae", "--epochs", "1")
    run("vae", "--figures")
    folder = Path("results/vae")
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        *("reconstructions.png", "samples.png", "interpolation.png", "latent_profiles.png"),
        *("log_likelihood.csv", "log_likelihood.png"),
    }
    printed = capsys.readouterr().out
    assert "log p(x) with K = 3" in printed
    assert [row["K"] for row in rows(folder / "log_likelihood.csv")] == ["1.0", "3.0"]


def test_the_figures_of_the_ddpm(run):
    run("ddpm", "--epochs", "1")
    run("ddpm", "--figures")
    folder = Path("results/ddpm")
    assert {path.name for path in folder.iterdir()} >= {"samples.png", "denoising.png", "reconstructions.png"}
    assert [row["t'"] for row in rows(folder / "distances.csv")] == ["1.0", "3.0"]


def test_figures_without_a_checkpoint_are_refused_in_one_sentence(run):
    with pytest.raises(SystemExit, match=r"there is no checkpoint results/vae/checkpoint\.pt"):
        run("vae", "--figures")


def test_networks_have_the_published_sizes(run):
    sys.modules.pop("vae", None)
    vae, unet = importlib.import_module("vae"), importlib.import_module("lab.ddpm_unet")

    def size(network):
        return sum(parameter.numel() for parameter in network.parameters())

    assert size(vae.VAE(z_dim=32)) == 1_178_659
    assert size(unet.Unet(dim=32, channels=3, dim_mults=(1, 2, 4, 8))) == 8_073_331
    small = unet.Unet(dim=16, dim_mults=(1, 2))
    assert size(small) == 178_267
    x = torch.randn(2, 3, 32, 32)
    for network in (small, unet.SmallUnet()):
        for parameter in network.parameters():  # some begin at zero, so that the time would have no effect
            torch.nn.init.normal_(parameter, std=0.1)
        with torch.no_grad():
            early, late = network(x, torch.tensor([1, 1])), network(x, torch.tensor([1, 900]))
        assert early.shape == x.shape
        torch.testing.assert_close(early[0], late[0], rtol=1e-4, atol=1e-4)
        assert float((early[1] - late[1]).abs().max()) > 1e-4

"""The training entry points, on generated data and with few steps."""

import csv

import pytest
import torch

DIFFUSION = """
import runpy, sys
from {package}.args import args
args.n_steps, args.show_every_n_epochs, args.save_every_n_epochs = 3, 1, 1
sys.argv = ["train", *{arguments!r}]
runpy.run_path({script!r}, run_name="__main__")
"""


def rows(path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_vae_trains_saves_and_resumes_as_if_uninterrupted(python, h25_folder, tmp_path):
    script = str(h25_folder / "q1_train_vae.py")
    common = ("--batch-size", "16", "--no-cuda", "--no-mps")
    through = python(script, *common, "--epochs", "3", "--output", "through")
    python(script, *common, "--epochs", "1", "--output", "parts")
    python(script, *common, "--epochs", "3", "--output", "parts", "--resume")
    assert rows(tmp_path / "parts/loss.csv") == rows(tmp_path / "through/loss.csv")
    assert [row["epoch"] for row in rows(tmp_path / "through/loss.csv")] == ["1", "2", "3"]
    assert "validation loss after 3 epochs" in through.stdout
    assert (tmp_path / "through/loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "package", "stem", "picture"),
    [
        ("train_ddpm.py", "ddpm_utils", "eps_model", "DDPM_epoch_{}_sample_2.png"),
        ("train_cfg.py", "cfg_utils", "eps_model_cfg", "CFG_epoch_{}_sample_2.png"),
    ],
)
def test_diffusion_trains_draws_and_resumes(python, h25_folder, tmp_path, script, package, stem, picture):
    def train(epochs: int, *more: str) -> None:
        arguments = ["--device", "cpu", "--limit", "32", "--batch-size", "16", "--epochs", str(epochs), *more]
        python("-c", DIFFUSION.format(package=package, script=str(h25_folder / script), arguments=arguments))

    train(1)
    first = rows(tmp_path / f"{stem}_loss.csv")
    train(2, "--resume")
    both = rows(tmp_path / f"{stem}_loss.csv")
    assert (len(first), len(both)) == (2, 4)
    assert both[:2] == first
    assert all(float(row["loss"]) > 0 for row in both)
    for epoch in (0, 1):
        assert (tmp_path / "images" / picture.format(epoch)).read_bytes().startswith(b"\x89PNG")
    state = torch.load(tmp_path / f"{stem}.pkl", weights_only=True)
    assert state["epoch"] == 2


def test_resume_without_a_checkpoint_says_so(python, h25_folder):
    done = python(str(h25_folder / "q1_train_vae.py"), "--resume", check=False)
    assert done.returncode != 0
    assert "train without --resume first" in done.stderr


def test_missing_data_root_is_named(python, h25_folder):
    done = python(str(h25_folder / "q1_train_vae.py"), "--data-root", "nowhere", check=False)
    assert done.returncode != 0
    assert "nowhere/mnist/train.npz is missing" in done.stderr

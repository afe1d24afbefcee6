"""The given scripts of cmput328_f24, on generated data, with tiny networks and few steps."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from autograder.assignment import load_assignment

TINY = """
import torch
from models import DDIM, DDPM, LDDPM, VAE, UNet, VarianceScheduler

WIDTHS = (8, 8)

def _diffusion(kind):
    return kind(UNet(1, WIDTHS, WIDTHS, time_emb_dim=8), VarianceScheduler(num_steps=4))

def prepare_ddpm():
    return _diffusion(DDPM)

def prepare_ddim():
    return _diffusion(DDIM)

def prepare_vae():
    return VAE(in_channels=1, mid_channels=(8, 8, 8, 8), latent_dim=2)

def prepare_lddpm():
    vae = prepare_vae()
    vae.load_state_dict(torch.load("checkpoints/VAE.pt", map_location="cpu", weights_only=True))
    return LDDPM(UNet(2, WIDTHS, WIDTHS, time_emb_dim=8, patch=1), vae, VarianceScheduler(num_steps=4))
"""

# Importing torch and torchvision takes seconds: one process does so once, and then runs main.py for all tests.
SERVER = """
import contextlib, io, json, os, sys, traceback
from unittest import mock
import assignment, main, models, show_schedules, torch, trainers
for line in sys.stdin:
    request = json.loads(line)
    os.chdir(request["folder"])
    sys.argv = ["main.py", *request["arguments"]]
    output = io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(output))
        stack.enter_context(contextlib.redirect_stderr(output))
        names = dict(globals(), patch=lambda *what: stack.enter_context(mock.patch.object(*what)))
        try:
            exec(request["before"], names)
            main.main()
            status = 0
        except SystemExit as error:
            status = error.code
        except BaseException:
            status = traceback.format_exc()
    print(json.dumps({"status": status, "output": output.getvalue()}), flush=True)
"""

CTRL_C_IN_EPOCH_2 = """
class Interrupted(trainers.tqdm):
    def __iter__(self):
        for number, batch in enumerate(super().__iter__()):
            if number == 1 and "epoch 2/" in self.desc:
                raise KeyboardInterrupt
            yield batch
patch(trainers, "tqdm", Interrupted)
"""

# Samples that are as bright as their label is high, and a classifier that reads it from the pixels.
PAINTED = """
def generate_sample(self, num_samples, device, labels=None):
    low, high = main.RANGES[type(self).__name__]
    return (low + (high - low) * labels / 9).view(-1, 1, 1, 1).expand(-1, 1, 32, 32)
def classify(pixels):
    return torch.nn.functional.one_hot((pixels.mean((1, 2, 3)) * 9).round().long(), 10)
for kind in (models.DDPM, models.VAE):
    patch(kind, "generate_sample", generate_sample)
patch(main, "load_classifier", lambda device: classify)
"""
ALWAYS_CLASS_3 = 'patch(main, "load_classifier", lambda device: lambda x: torch.eye(10)[3].expand(len(x), 10))'


class Done(NamedTuple):
    status: int | str
    output: str


Main = Callable[..., Done]


def make_images(root: Path) -> None:
    generator = np.random.default_rng(0)
    (root / "fashion_mnist").mkdir(parents=True)
    labels = (np.arange(256) % 10).astype(np.uint8)
    images = generator.integers(0, 128, (256, 28, 28), dtype=np.uint8) + 10 * labels[:, None, None]
    np.savez(root / "fashion_mnist" / "train.npz", images=images.astype(np.uint8), labels=labels)


@pytest.fixture(scope="module")
def solved(tmp_path_factory) -> Path:
    """The folder of a student who has solved everything, with tiny networks; no weights of the classifier."""
    assignment = load_assignment("cmput328_f24")
    folder = tmp_path_factory.mktemp("solved")
    for file in (*assignment.files, *assignment.support, *assignment.extras):
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(assignment.master(file).read_bytes())
    (folder / "assignment.py").write_text(TINY)
    make_images(folder / "images")
    return folder


@pytest.fixture(scope="module")
def environment(solved: Path) -> dict[str, str]:
    more = {"PYTHONPATH": str(solved), "GENLAB_DATA": str(solved / "images"), "MPLBACKEND": "Agg"}
    return os.environ | more | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def run_main(environment) -> Iterator[Main]:
    """Runs main.py: `run_main(folder, *arguments, before=code)`, where `before` may patch its modules."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as server:

        def run(folder: Path, *arguments: str, before: str = "") -> Done:
            folder.mkdir(exist_ok=True)
            request = {"folder": str(folder), "arguments": ["--device", "cpu", *arguments], "before": before}
            server.stdin.write(json.dumps(request) + "\n")
            return Done(**json.loads(server.stdout.readline()))

        yield run
        server.stdin.close()


@pytest.fixture(scope="module")
def trained(run_main, tmp_path_factory) -> Path:
    """A folder in which all four models were trained for two epochs, without an interruption."""
    folder = tmp_path_factory.mktemp("trained")
    for model in ("ddpm", "ddim", "vae", "lddpm"):
        done = run_main(folder, "--model", model, "--epochs", "2")
        assert done.status == 0, done
    return folder


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / f"{name}.pt", weights_only=True)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def link_vae(folder: Path, trained: Path) -> None:
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "VAE.pt").symlink_to(trained / "checkpoints" / "VAE.pt")


@pytest.mark.parametrize("name", ["DDPM", "DDIM", "VAE", "LDDPM"])
def test_training_leaves_weights_a_curve_and_a_picture(trained, name):
    state = weights(trained, name)
    assert all(tensor.isfinite().all() for tensor in state.values())
    assert any(key.startswith("vae.") for key in state) == (name == "LDDPM")
    with open(trained / "checkpoints" / f"{name}_loss.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    for picture in (f"{name}_sample.png", f"checkpoints/{name}_loss.png"):
        assert (trained / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["DDPM", "DDIM", "VAE", "LDDPM"])
def test_ctrl_c_leaves_the_last_epoch_and_resume_goes_on_as_if_nothing_had_happened(run_main, trained, tmp_path, name):
    if name == "LDDPM":
        link_vae(tmp_path, trained)
    arguments = ("--model", name.lower(), "--epochs", "2")
    stopped = run_main(tmp_path, *arguments, before=CTRL_C_IN_EPOCH_2)
    assert str(stopped.status).startswith("stopped; checkpoints/ holds the last finished epoch")
    first = weights(tmp_path, name)
    assert not same(first, weights(trained, name))
    assert run_main(tmp_path, "--model", name.lower(), "--mode", "generate", before=ALWAYS_CLASS_3).status == 0
    resumed = run_main(tmp_path, *arguments, "--resume")
    assert resumed.status == 0, resumed
    assert "epoch 2" in resumed.output
    assert "epoch 1  " not in resumed.output
    assert same(weights(tmp_path, name), weights(trained, name))
    csvs = [(folder / "checkpoints" / f"{name}_loss.csv").read_text() for folder in (tmp_path, trained)]
    assert csvs[0] == csvs[1]


def test_a_finished_training_can_be_made_longer(run_main, tmp_path):
    arguments = ("--model", "vae", "--limit", "128")
    run_main(tmp_path, *arguments, "--epochs", "1")
    first = weights(tmp_path, "VAE")
    done = run_main(tmp_path, *arguments, "--epochs", "1", "--resume")
    assert "1 of 1 epochs are done already" in done.output
    assert same(weights(tmp_path, "VAE"), first)
    run_main(tmp_path, *arguments, "--epochs", "2", "--resume")
    changes = [(weights(tmp_path, "VAE")[key] - first[key]).abs().max().item() for key in first]
    assert max(changes) > 1e-4  # the learning rate had come down to zero, and has to rise again


def test_fewer_images_than_a_batch_are_enough(run_main, tmp_path):
    done = run_main(tmp_path, "--model", "ddim", "--epochs", "1", "--limit", "3")
    assert done.status == 0, done
    assert weights(tmp_path, "DDIM")


def test_half_precision_trains(run_main, tmp_path):
    assert run_main(tmp_path, "--model", "vae", "--epochs", "1", "--bfloat16").status == 0
    assert all(tensor.dtype == torch.float32 for tensor in weights(tmp_path, "VAE").values())


@pytest.mark.parametrize("name", ["DDPM", "VAE"])
def test_generated_images_come_to_the_classifier_with_their_labels_and_in_its_range(run_main, trained, name):
    done = run_main(trained, "--model", name.lower(), "--mode", "generate", "--samples", "80", before=PAINTED)
    assert done.status == 0, done
    assert "Accuracy: 100.00%\t Score: 1.00\n" in done.output
    assert "80 samples: the true accuracy lies between 95.4% and 100.0%" in done.output
    assert (trained / f"{name}_generated_samples.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["DDIM", "LDDPM"])
def test_generate_samples_the_trained_model(run_main, trained, name):
    done = run_main(trained, "--model", name.lower(), "--mode", "generate", before=ALWAYS_CLASS_3)
    assert done.status == 0, done
    assert "Accuracy: 10.00%\t Score: 0.00\n" in done.output
    assert "200 samples: " in done.output


BAD_LOSS = """
forward = models.DDPM.forward
patch(models.DDPM, "forward", lambda self, x, label: forward(self, x, label) * float("nan"))
"""
OTHER_WIDTHS = 'patch(assignment, "WIDTHS", (16, 16))'
NO_GPU = 'patch(torch.cuda, "is_available", lambda: False)'


@pytest.mark.parametrize(
    ("arguments", "before", "sentence"),
    [
        (["--model", "ddim", "--mode", "generate"], ALWAYS_CLASS_3, "there is no checkpoints/DDIM.pt; run first: "),
        (["--mode", "generate"], "", "the classifier's weights "),
        (["--resume"], "", "there is no checkpoint checkpoints/DDPM.training.pt; train without --resume first"),
        (["--model", "lddpm"], "", "the latent DDPM needs your trained VAE, and there is no checkpoints/VAE.pt; run"),
        (["--data-root", "nowhere"], "", "nowhere/fashion_mnist/train.npz is missing; name another data root"),
        ([], BAD_LOSS, "the loss is nan in epoch 1: look for a division by zero"),
    ],
)  # fmt: skip
def test_what_a_student_can_mend_is_one_sentence(run_main, tmp_path, arguments, before, sentence):
    done = run_main(tmp_path, *arguments, before=before)
    assert str(done.status).startswith(sentence)
    assert "\n" not in str(done.status)
    assert "Traceback" not in done.output
    assert not list(tmp_path.glob("checkpoints/*"))


@pytest.mark.parametrize("arguments", [["--mode", "generate"], ["--epochs", "3", "--resume"]])
def test_weights_of_another_network_are_refused_and_kept(run_main, trained, arguments):
    before = weights(trained, "DDPM")
    done = run_main(trained, "--model", "ddpm", *arguments, before=OTHER_WIDTHS + "\n" + ALWAYS_CLASS_3)
    assert "do not fit the networks that models.py and assignment.py make now" in str(done.status)
    assert same(weights(trained, "DDPM"), before)


def test_a_damaged_checkpoint_is_named(run_main, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "VAE.pt").write_bytes(b"PK\x03\x04 cut off")
    done = run_main(tmp_path, "--model", "vae", "--mode", "generate", before=ALWAYS_CLASS_3)
    assert str(done.status).startswith("checkpoints/VAE.pt is not a checkpoint of this course, or it is damaged")


def test_a_loss_that_breaks_later_leaves_the_weights_of_the_epoch_before(run_main, tmp_path):
    before = """
calls = []
forward = models.DDPM.forward
def break_in_epoch_2(self, x, label):
    calls.append(1)
    return forward(self, x, label) * (float("inf") if len(calls) > 2 else 1)
patch(models.DDPM, "forward", break_in_epoch_2)
"""
    done = run_main(tmp_path, "--epochs", "2", before=before)
    assert "the loss is inf in epoch 2" in str(done.status)
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path, "DDPM").values())


def test_samples_that_cannot_be_drawn_do_not_cost_the_epoch(run_main, tmp_path):
    before = 'patch(models.DDPM, "generate_sample", None)'
    done = run_main(tmp_path, "--epochs", "1", before=before)
    assert "TypeError" in str(done.status)
    assert weights(tmp_path, "DDPM")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--limit", "0"], "--limit: must be a whole number of at least 1, not 0"),
        (["--epochs", "two"], "--epochs: must be a whole number of at least 1, not two"),
        (["--batch-size", "-1"], "--batch-size: must be a whole number of at least 1, not -1"),
        (["--samples", "49"], "--samples: must be a whole number of at least 50, not 49"),
        (["--device", "cuda"], "torch finds no cuda device on this machine; leave --device out"),
        (["--model", "gan"], "choose from "),
    ],
)
def test_wrong_options_are_named(run_main, tmp_path, arguments, words):
    done = run_main(tmp_path, *arguments, before=NO_GPU)
    assert done.status == 2
    assert words in done.output


def test_no_tensor_is_of_a_type_that_a_gpu_of_a_mac_lacks(run_main, trained):
    before = """
for prepare in main.MODELS.values():
    model = prepare()
    tensors = [*model.state_dict().values(), *vars(getattr(model, "var_scheduler", model)).values()]
    print(sorted({str(value.dtype) for value in tensors if isinstance(value, torch.Tensor)}))
raise SystemExit(0)
"""
    done = run_main(trained, before=before)
    assert done.output == "['torch.float32']\n" * 4


def test_main_as_a_program_says_its_one_sentence(solved, environment, tmp_path):
    script = str(solved / "main.py")
    done = subprocess.run(
        [sys.executable, script, "--device", "cpu", "--data-root", "nowhere"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("nowhere/fashion_mnist/train.npz is missing")
    assert done.stderr.count("\n") == 1


SCHEDULES = """
sys.argv = ["show_schedules.py", "--image", "7"]
show_schedules.main()
for line in show_schedules.draw_curves().axes[0].lines:
    left = line.get_ydata()
    print(line.get_label(), len(left), *(f"{left[t]:.4f}" for t in (0, 500, 999)))
(axis,) = show_schedules.draw_images(main.load_data()[0][0]).axes
titles, names = ([label.get_text() for label in labels] for labels in (axis.get_xticklabels(), axis.get_yticklabels()))
print(*names, *titles[:2], titles[-1], len(titles))
sys.argv = ["show_schedules.py", "--image", "256"]
show_schedules.main()
"""


def test_the_schedules_are_shown(run_main, tmp_path):
    done = run_main(tmp_path, before=SCHEDULES)
    linear = np.linspace(1e-4, 0.02, 1000)
    quadratic = np.linspace(0.01, np.sqrt(0.02), 1000) ** 2
    curves = [np.sqrt(np.cumprod(1 - betas))[[0, 500, 999]] for betas in (linear, quadratic)]
    assert done.output.splitlines()[:4] == [
        "wrote schedules.png and schedules_curve.png",
        "linear 1000 " + " ".join(f"{value:.4f}" for value in curves[0]),
        "quadratic 1000 " + " ".join(f"{value:.4f}" for value in curves[1]),
        "linear quadratic image t = 0 t = 999 11",
    ], done
    for name in ("schedules.png", "schedules_curve.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert done.status == 2
    assert "there is no training image 256; they are counted from 0" in done.output

"""Train a model, or generate images with it and let the classifier judge them.

In the folder of the assignment:

    python main.py --model ddpm --mode train            writes checkpoints/DDPM.pt
    python main.py --model ddpm --mode train --resume   goes on where an interrupted training stopped
    python main.py --model ddpm --mode generate         writes DDPM_generated_samples.png, prints accuracy and score
"""

import argparse
import sys
from time import perf_counter

import torch
from assignment import prepare_ddim, prepare_ddpm, prepare_lddpm, prepare_vae
from classifier import RANGES, ClassifierError, as_pixels, calc_acc, load_classifier, wilson
from lab import checkpoint, data
from lab.device import choose_device
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.utils import save_image
from trainers import CHECKPOINTS, TrainingError, load_weights, train_ddpm_ddim, train_lddpm, train_vae

# General settings of the training: change them as you need.
EPOCHS = {"ddpm": 30, "ddim": 30, "vae": 30, "lddpm": 60}
BATCH_SIZE = 128
EVAL_INTERVALS = 10
NUM_GENERATED_SAMPLES = 5
LR = {"ddpm": 1e-3, "ddim": 1e-3, "vae": 2e-3, "lddpm": 1e-3}

MODELS = {"ddpm": prepare_ddpm, "ddim": prepare_ddim, "vae": prepare_vae, "lddpm": prepare_lddpm}
TRAINERS = {"ddpm": train_ddpm_ddim, "ddim": train_ddpm_ddim, "vae": train_vae, "lddpm": train_lddpm}
SHOWN = 5
"""Generated images of each class in the picture."""


def load_data(normalize: bool = True, data_root: str | None = None, limit: int | None = None) -> TensorDataset:
    """The training images of FashionMNIST with a black border of two pixels, and their labels.

    Args:
        normalize: scale to [-1, 1], for DDPM and DDIM, instead of [0, 1], for VAE and LDDPM.
        data_root: folder with fashion_mnist/train.npz; default: the environment variable GENLAB_DATA, or a download.
        limit: use only the first so many images.

    Returns:
        Pairs of an image, float32 (1, 32, 32), and a label, int64.

    Raises:
        DataError: the data cannot be had; the message says what to do.
    """
    images, labels = data.load("fashion_mnist", "train", data_root, limit)
    pixels = data.pad(images, 32).float() / 255  # (N, 1, 32, 32)
    return TensorDataset(pixels * 2 - 1 if normalize else pixels, labels)


def train(options: argparse.Namespace) -> None:
    """Train the model that the command line names."""
    model = _prepare(options.model)
    dataset = load_data(RANGES[type(model).__name__] == (-1, 1), options.data_root, options.limit)
    TRAINERS[options.model](
        model,
        DataLoader(dataset, batch_size=options.batch_size, shuffle=True),
        epochs=options.epochs or EPOCHS[options.model],
        lr=options.lr or LR[options.model],
        device=options.device,
        eval_intervals=EVAL_INTERVALS,
        num_samples=NUM_GENERATED_SAMPLES,
        resume=options.resume,
        bfloat16=options.bfloat16,
    )


def generate(options: argparse.Namespace) -> None:
    """Generate images of all classes, save some as a picture, and print what the classifier thinks of them all."""
    classifier = load_classifier(options.device)  # before the samples, which take longer
    model = _prepare(options.model).to(options.device).eval()
    name = type(model).__name__
    path = CHECKPOINTS / f"{name}.pt"
    if not path.is_file():
        raise checkpoint.CheckpointError(
            f"there is no {path}; run first: python main.py --model {options.model} --mode train"
        )
    load_weights(model, checkpoint.load(path), path)
    labels = (torch.arange(options.samples) % 10)[torch.randperm(options.samples)].to(options.device)
    print(f"generating {len(labels)} images with {path} ...", flush=True)
    start = perf_counter()
    samples = model.generate_sample(len(labels), device=torch.device(options.device), labels=labels)
    seconds = perf_counter() - start
    pixels = as_pixels(samples, name)
    rows = torch.cat([pixels[labels == label][:SHOWN] for label in range(10)])
    save_image(rows, f"{name}_generated_samples.png", nrow=SHOWN)
    accuracy, score = calc_acc(classifier(pixels), labels)
    low, high = wilson(round(accuracy * len(labels)), len(labels))
    print(f"Accuracy: {accuracy:.2%}\t Score: {score:.2f}")
    print(f"{len(labels)} samples: the true accuracy lies between {low:.1%} and {high:.1%} (95% interval)")
    print(f"{100 * seconds / len(labels):.1f} s for 100 images on {options.device}")


def _prepare(name: str) -> nn.Module:
    """The untrained model that assignment.py makes."""
    if name == "lddpm" and not (CHECKPOINTS / "VAE.pt").is_file():
        raise checkpoint.CheckpointError(
            f"the latent DDPM needs your trained VAE, and there is no {CHECKPOINTS / 'VAE.pt'}; "
            "run first: python main.py --model vae --mode train"
        )
    return MODELS[name]()


def _at_least(least: int):
    """The type of an option that is a whole number and not less than this."""

    def read(text: str) -> int:
        if not text.lstrip("-").isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, not {text}")
        return int(text)

    return read


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train a model on FashionMNIST, or generate images with it.")
    parser.add_argument("--model", choices=tuple(MODELS), default="ddpm", help="default: %(default)s")
    parser.add_argument("--mode", choices=("train", "generate"), default="train", help="default: %(default)s")
    parser.add_argument("--epochs", type=_at_least(1), help="default: as at the top of main.py")
    parser.add_argument("--batch-size", type=_at_least(1), default=BATCH_SIZE, help="default: %(default)s")
    parser.add_argument("--lr", type=float, help="learning rate; default: as at the top of main.py")
    parser.add_argument("--device", choices=("cuda", "mps", "cpu"), default=choose_device(), help="here: %(default)s")
    parser.add_argument("--data-root", help="folder with fashion_mnist/train.npz; default: download")
    parser.add_argument("--limit", type=_at_least(1), help="train on the first so many images only")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--bfloat16", action="store_true", help="compute in half precision, where it is faster")
    parser.add_argument("--samples", type=_at_least(50), default=200, help="images to generate; default: %(default)s")
    options = parser.parse_args()
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if not available[options.device]:
        parser.error(f"torch finds no {options.device} device on this machine; leave --device out")
    return options


def main() -> None:
    """Do what the command line says; errors that a student can mend end the program with one sentence."""
    options = read_options()
    if options.device == "cpu":
        print("No GPU is used: this takes long. To try a training, add --limit 2560 --epochs 1.")
    torch.manual_seed(options.seed)
    try:
        {"train": train, "generate": generate}[options.mode](options)
    except (checkpoint.CheckpointError, data.DataError, ClassifierError, TrainingError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; checkpoints/ holds the last finished epoch, if there is one: --resume goes on from it")


if __name__ == "__main__":
    main()

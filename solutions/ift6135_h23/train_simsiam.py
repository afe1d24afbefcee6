"""Questions 3.4 and 3.5: train SimSiam on CIFAR-10, and compare its variants.

    python train_simsiam.py                                 the method as published, for a GPU
    python train_simsiam.py --no-stop-gradient              question 3.4
    python train_simsiam.py --predictor identity            question 3.5 (a)
    python train_simsiam.py --dim 4096                      question 3.5 (b)
    python train_simsiam.py --small                         a small network and fewer images, for a processor
    python train_simsiam.py --compare results/simsiam_d2048 results/simsiam_d4096     curves of runs in one figure

Each variant writes to a folder of its own name in `results`. Beside the loss, its curves show two signs of how the
training goes (Chen & He 2021, section 4.1): the accuracy of a classification by nearest neighbours (`knn_accuracy`),
and the standard deviation of the normalised output (`std`). The latter is 1 / sqrt(dim) (`std_spread`) if the outputs
spread over all directions, and 0 if they collapse to one.
"""

import csv
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from lab.data import Batches, load
from lab.epochs import Run, TrainingError, load_parts, make_parser, plain_errors, read_run, show_images, train
from lab.figures import finish
from lab.knn import knn_accuracy
from matplotlib.ticker import MaxNLocator
from q3_misc import CIFAR10_MEAN, CIFAR10_STD, TwoCropsTransform, augment, normalize
from q3_solution import SimSiam
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

BASE_LR = 0.03  # of 256 images
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
KNN_K = 200
KNN_T = 0.1
PREDICTORS = {"mlp": None, "identity": "no_pred_mlp", "fixed": "fixed_random_init"}
SMALL = {"epochs": 50, "batch_size": 256, "limit": 20000}
SMALL_KNN = (10000, 2000)
"""Images of the bank and images to classify, with --small."""
CURVES = {"loss": "loss", "knn_accuracy": "kNN accuracy", "std": "std of the normalised output"}


class ResidualBlock(nn.Module):
    """Two convolutions with a shortcut (He et al. 2016)."""

    def __init__(self, c_in, c_out, stride, zero_init_residual):
        """Make a block from `c_in` to `c_out` channels; it starts as its shortcut with `zero_init_residual`."""
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)
        if stride == 1 and c_in == c_out:
            self.shortcut = nn.Identity()
        else:
            self.shortcut = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        if zero_init_residual:
            nn.init.zeros_(self.norm2.weight)

    def forward(self, x):
        """From (B, c_in, H, W) to (B, c_out, H / stride, W / stride)."""
        h = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.shortcut(x) + self.norm2(self.conv2(h)))


class SmallResNet(nn.Module):
    """A residual network for images of 32 x 32 pixels, with 0.3 million parameters in front of `fc`.

    Its first layer halves the resolution: most of the time would be spent on the full one.
    """

    def __init__(self, num_classes, zero_init_residual=False):
        """Make a network with `num_classes` outputs; `zero_init_residual` as for torchvision's networks."""
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1, bias=False),  # (B, 32, 16, 16)
            nn.BatchNorm2d(32),
            nn.ReLU(),
            ResidualBlock(32, 32, 1, zero_init_residual),
            ResidualBlock(32, 64, 2, zero_init_residual),  # (B, 64, 8, 8)
            ResidualBlock(64, 128, 2, zero_init_residual),  # (B, 128, 4, 4)
        )
        self.fc = nn.Linear(128, num_classes)

    def forward(self, x):
        """From images (B, 3, 32, 32) to (B, num_classes)."""
        return self.fc(self.features(x).mean((2, 3)))


def cifar_resnet18(num_classes, zero_init_residual=False):
    """Torchvision's ResNet-18 with a first layer for small images: no stride, no pooling (Chen & He 2021, CIFAR-10)."""
    from torchvision.models import resnet18  # slow to import, and needless with --small

    network = resnet18(num_classes=num_classes, zero_init_residual=zero_init_residual)
    network.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    network.maxpool = nn.Identity()
    return network


def variant_name(options):
    """Name of a variant, for its folder: its dimension, and what is not as in the published method."""
    name = f"simsiam_d{options.dim}"
    if options.no_stop_gradient:
        name += "_no_stop_gradient"
    if options.predictor != "mlp":
        name += f"_{options.predictor}_predictor"
    return name


def make_optimizer(model, batch_size, n_steps):
    """SGD, and a schedule to be moved on after each step: a cosine to zero, but for the predictor.

    Chen & He found that the predictor does better if it always adapts to the latest representation (Table 1 (c)).

    Args:
        model: a SimSiam model.
        batch_size: images of a batch; the learning rate is proportional to it.
        n_steps: number of steps of the whole training.
    """
    groups = [
        {"params": [weight for weight in part.parameters() if weight.requires_grad]}
        for part in (model.encoder, model.predictor)
    ]
    lr = BASE_LR * batch_size / 256
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    progress = torch.linspace(0, torch.pi, n_steps + 1)
    cosine = ((1 + progress.cos()) / 2).tolist()
    return optimizer, LambdaLR(optimizer, [lambda step: cosine[min(step, n_steps)], lambda step: 1.0])


def output_std(z):
    """Standard deviation over the batch of z / |z|, the mean of all channels; from z (B, dim), no dimensions."""
    return F.normalize(z, dim=1).std(dim=0).mean()


def train_step(model, optimizer, scheduler, images):
    """Train on one batch of images in [0, 1], (B, 3, 32, 32); returns the loss and the std of the output."""
    x1, x2 = TwoCropsTransform(augment)(images)
    p1, p2, z1, z2 = model(x1, x2)
    loss = model.loss(p1, p2, z1, z2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    return {"loss": loss.detach(), "std": output_std(z1.detach())}


@torch.no_grad()
def outputs(encoder, batches):
    """Outputs of the encoder, with its projector, for all images without augmentation, and their labels.

    Returns:
        float32 (N, dim) and int64 (N,).
    """
    pairs = [(encoder(normalize(images)), labels) for images, labels in batches]
    features, labels = zip(*pairs, strict=True)
    return torch.cat(features), torch.cat(labels)


def evaluate(model, bank, test):
    """Accuracy of the nearest neighbours on the test images; `model` has to be in evaluation mode.

    Args:
        model: a SimSiam model.
        bank: batches of the images that vote.
        test: batches of the images to classify.
    """
    (features, labels), (bank_features, bank_labels) = outputs(model.encoder, test), outputs(model.encoder, bank)
    return knn_accuracy(features, labels, bank_features, bank_labels, min(KNN_K, bank.n_images), KNN_T)


def draw_views(images, path):
    """Save pairs of views as the training makes them, side by side, from images in [0, 1], (N, 3, 32, 32)."""
    views = torch.stack(TwoCropsTransform(augment)(images), dim=1).flatten(0, 1)  # (2 N, 3, 32, 32)
    std, mean = (views.new_tensor(values).view(3, 1, 1) for values in (CIFAR10_STD, CIFAR10_MEAN))
    show_images(2 * (views * std + mean) - 1, path, "two views of each image")


def compare(folders, path):
    """Draw the curves of several runs in one figure: loss, kNN accuracy, standard deviation of the output.

    Args:
        folders: results of runs, each with its `loss.csv`.
        path: the figure's file.

    Raises:
        TrainingError: a folder has no curves of this program.
    """
    figure, axes = plt.subplots(1, len(CURVES), figsize=(5 * len(CURVES), 4))
    for folder in folders:
        rows = _read_curves(folder)
        for axis, column in zip(axes, CURVES, strict=True):
            places = [row["epoch"] for row in rows]
            (line,) = axis.plot(places, [row[column] for row in rows], label=folder.name)
            if column == "std":
                axis.axhline(rows[0]["std_spread"], color=line.get_color(), linestyle=":")
    for axis, title in zip(axes, CURVES.values(), strict=True):
        axis.set(xlabel="epoch", ylabel=title)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize="small")
    axes[2].set_title("dotted: 1 / sqrt(dim)", fontsize="small")
    axes[2].set_ylim(bottom=0)
    finish(figure, path=path)


def _read_curves(folder):
    path = folder / "loss.csv"
    if not path.is_file():
        raise TrainingError(f"{path} is missing; train that variant first, or name another folder")
    with path.open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    if not rows or not rows[0].keys() >= {"epoch", "std_spread", *CURVES}:
        raise TrainingError(f"{path} has no curves of SimSiam; name the folder of another run")
    return rows


def run_training(run: Run, options):
    """Train the variant that the options name, or make its figures from the checkpoint.

    Raises:
        DataError: there are no such data.
        CheckpointError: there is nothing to go on from.
    """
    limits = SMALL_KNN if run.small else (None, None)
    images, labels = load("cifar10", "train", run.data_root, run.limit)  # uint8 (N, 3, 32, 32), int64 (N,)
    test_images, test_labels = load("cifar10", "test", run.data_root, limits[1])
    batches = Batches(images, batch_size=run.batch_size, device=run.device, shuffle=True, drop_last=True)
    bank = Batches(images[: limits[0]], labels[: limits[0]], batch_size=500, device=run.device)
    test = Batches(test_images, test_labels, batch_size=500, device=run.device)

    base_encoder = SmallResNet if run.small else cifar_resnet18
    kind = PREDICTORS[options.predictor]
    model = SimSiam(base_encoder, options.dim, stop_gradient=not options.no_stop_gradient, MLP_mode=kind)
    model.to(run.device)
    optimizer, scheduler = make_optimizer(model, run.batch_size, run.epochs * len(batches))
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    if run.figures:
        rows = load_parts(run, parts)
        model.eval()
        draw_views(batches.images[:16].float() / 255, run.output / "views.png")
        print(f"epoch {len(rows)}: kNN accuracy {evaluate(model, bank, test):.1%} of {test.n_images} test images")
        return

    def measure():
        return {"knn_accuracy": evaluate(model, bank, test), "std_spread": options.dim**-0.5}

    train(run, parts, batches, partial(train_step, model, optimizer, scheduler), measure=measure)


def main():
    """Train a variant or compare several: what the command line says."""
    parser = make_parser("Train SimSiam on CIFAR-10.", "results/NAME_OF_VARIANT", epochs=100, batch_size=1024)
    parser.add_argument("--no-stop-gradient", action="store_true", help="let gradients flow through z1 and z2")
    parser.add_argument("--predictor", choices=PREDICTORS, default="mlp", help="default: %(default)s")
    parser.add_argument("--dim", type=int, default=2048, help="values of the output; default: %(default)s")
    parser.add_argument("--compare", type=Path, nargs="+", metavar="DIR", help="draw the curves of these runs")
    options = parser.parse_args()
    if options.dim < 1:
        parser.error(f"--dim must be at least 1, not {options.dim}")
    parser.set_defaults(output=Path("results") / ("compare" if options.compare else variant_name(options)))
    run = read_run(parser, SMALL)
    with plain_errors():
        if options.compare:
            compare(options.compare, run.output / "compare.png")
        else:
            run_training(run, options)


if __name__ == "__main__":
    main()

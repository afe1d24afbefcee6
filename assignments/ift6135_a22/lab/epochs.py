"""L'entraînement d'un modèle, époque par époque : progression, temps écoulé, images d'échantillons, et reprise."""

import argparse
import contextlib
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from lab import checkpoint, curves, pictures
from lab.data import DataError
from lab.device import choose_device
from lab.figures import finish

SAMPLES_EVERY = 5
"""Nombre d'époques d'une image d'échantillons à la suivante."""

Parts = Mapping[str, nn.Module | Optimizer | LRScheduler]
"""Réseaux, optimiseurs et planificateurs du taux d'apprentissage, par nom."""


class TrainingError(RuntimeError):
    """L'entraînement ne peut pas continuer ; le message dit pourquoi, et que faire."""


@dataclass
class Run:
    """Ce que la ligne de commande dit d'un entraînement.

    Attributes:
        epochs: nombre d'époques, y compris celles d'un entraînement interrompu.
        batch_size: nombre d'images d'un lot.
        device: où entraîner.
        data_root: dossier avec NOM/train.npz ; None, la variable d'environnement GENLAB_DATA ou le téléchargement.
        limit: ne prendre que ce nombre d'images, les premières ; None, toutes.
        seed: graine du générateur aléatoire de torch.
        resume: reprendre à partir du point de contrôle.
        output: dossier du point de contrôle, des courbes et des images.
        small: réseaux et tailles qu'un CPU entraîne en quelques minutes.
        figures: faire les figures du rapport à partir du point de contrôle, au lieu d'entraîner.
    """

    epochs: int
    batch_size: int
    device: str
    data_root: str | None
    limit: int | None
    seed: int
    resume: bool
    output: Path
    small: bool
    figures: bool

    @property
    def checkpoint(self) -> Path:
        """Le fichier que l'entraînement écrit après chaque époque."""
        return self.output / "checkpoint.pt"


def make_parser(description: str, output: str, epochs: int, batch_size: int) -> argparse.ArgumentParser:
    """La ligne de commande commune à tous les entraînements.

    Args:
        description: ce que fait le programme.
        output: valeur par défaut du dossier des résultats.
        epochs: nombre d'époques par défaut.
        batch_size: nombre d'images d'un lot par défaut.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--epochs", type=_positive, default=epochs, help="par défaut : %(default)s")
    parser.add_argument("--batch-size", type=_positive, default=batch_size, help="par défaut : %(default)s")
    parser.add_argument("--device", default=choose_device(), choices=("cuda", "mps", "cpu"), help="ici : %(default)s")
    parser.add_argument("--data-root", help="dossier avec NOM/train.npz ; par défaut : téléchargement")
    parser.add_argument("--limit", type=_positive, help="ne prendre que ce nombre d'images, les premières")
    parser.add_argument("--seed", type=int, default=1, help="par défaut : %(default)s")
    parser.add_argument("--resume", action="store_true", help="reprendre à partir du point de contrôle")
    parser.add_argument("--output", type=Path, default=Path(output), help="dossier des résultats ; par défaut : "
                                                                          "%(default)s")
    parser.add_argument("--small", action="store_true", help="tailles qu'un CPU entraîne en quelques minutes")
    parser.add_argument("--figures", action="store_true", help="faire les figures du rapport à partir du point de "
                                                               "contrôle")
    return parser


def read_run(parser: argparse.ArgumentParser, small: Mapping[str, Any] | None = None) -> Run:
    """Lit la ligne de commande et fixe la graine de torch.

    Args:
        parser: fait par `make_parser`, avec d'autres options peut-être.
        small: valeurs par défaut de certaines options avec --small, comme `epochs`.
    """
    if parser.parse_known_args()[0].small:
        parser.set_defaults(**(small or {}))
    options = vars(parser.parse_args())
    torch.manual_seed(options["seed"])
    return Run(**{name: options[name] for name in Run.__dataclass_fields__})


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Termine le programme par une seule phrase, quand il s'agit d'une erreur que l'on peut corriger soi-même."""
    try:
        yield
    except (checkpoint.CheckpointError, DataError, TrainingError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("arrêté ; la dernière époque terminée est enregistrée, s'il y en a une : --resume reprend à "
                 "partir d'elle")


def train(
    run: Run,
    parts: Parts,
    batches: Iterable,
    step: Callable[..., dict[str, torch.Tensor]],
    draw: Callable[[], torch.Tensor] | None = None,
    measure: Callable[[], dict[str, float]] | None = None,
) -> None:
    """Entraîne jusqu'à l'époque `run.epochs`, et écrit un point de contrôle et les courbes après chaque époque.

    Fichiers dans `run.output` : `checkpoint.pt` ; `loss.csv` et `loss.png` ; `time.csv` et `time.png`, le temps écoulé
    depuis le début, en secondes ; `samples_epoch_05.png` et les suivants.

    Args:
        run: ce que dit la ligne de commande.
        parts: ce qu'un point de contrôle doit garder, par nom. Les réseaux sont déjà sur l'appareil.
        batches: un parcours est une époque ; un lot est ce que prend `step`.
        step: entraîne sur un lot, et renvoie les pertes par nom.
        draw: images dans [-1, 1], (N, 3, H, W), pour l'image des échantillons.
        measure: appelée après chaque époque ; renvoie d'autres nombres pour les courbes, par nom.

    Raises:
        TrainingError: une perte n'est plus un nombre fini.
        CheckpointError: il n'y a rien à reprendre, ou le point de contrôle appartient à un autre réseau.
    """
    rows = load_parts(run, parts) if run.resume else []
    if len(rows) >= run.epochs:
        print(f"{len(rows)} époques sur {run.epochs} sont déjà faites : demandez-en plus pour continuer l'entraînement")
    networks = [part for part in parts.values() if isinstance(part, nn.Module)]
    for epoch in range(len(rows) + 1, run.epochs + 1):
        start = perf_counter()
        for network in networks:
            network.train()
        row = {"epoch": float(epoch), **_train_epoch(f"époque {epoch}/{run.epochs}", batches, step)}
        seconds = perf_counter() - start + (rows[-1]["seconds"] if rows else 0.0)
        for network in networks:
            network.eval()
        if measure is not None:
            row |= measure()
        rows.append({**row, "seconds": seconds})
        print("  ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()), flush=True)
        _save(run, parts, rows)
        if draw is not None and (epoch in (1, run.epochs) or epoch % SAMPLES_EVERY == 0):
            rng = checkpoint.rng_state()
            with torch.no_grad():
                show_images(draw(), run.output / f"samples_epoch_{epoch:02}.png", f"époque {epoch}")
            checkpoint.set_rng_state(rng)  # un entraînement repris repart d'avant l'image


def load_parts(run: Run, parts: Parts) -> list[dict[str, float]]:
    """Remplit réseaux, optimiseurs et planificateurs à partir du point de contrôle.

    Returns:
        Une ligne pour chaque époque déjà faite, avec ses pertes.

    Raises:
        CheckpointError: il n'y a pas de point de contrôle, ou il appartient à d'autres réseaux.
    """
    state = checkpoint.load(run.checkpoint, "rows", "rng", *parts)
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            checkpoint.fill(part, {"model_state_dict": state[name]}, run.checkpoint)
        else:
            part.load_state_dict(state[name])
    checkpoint.set_rng_state(state["rng"])
    return state["rows"]


def show_images(images: torch.Tensor, path: Path, title: str, nrow: int = 8) -> None:
    """Enregistre des images dans [-1, 1], (N, 3, H, W), en une seule avec un titre.

    Raises:
        TrainingError: les images ont une autre forme, ou contiennent des NaN.
    """
    try:
        figure = pictures.grid((images + 1) / 2, columns=nrow, title=title)
    except ValueError as error:
        raise TrainingError(f"{path} ne peut pas être dessiné : {error}") from error
    finish(figure, path=path)


def _train_epoch(title: str, batches: Iterable, step: Callable[..., dict[str, torch.Tensor]]) -> dict[str, float]:
    totals: dict[str, float] = {}
    count = 0
    with tqdm(batches, desc=title) as progress:
        for batch in progress:
            losses = {name: float(loss) for name, loss in step(batch).items()}
            for name, value in losses.items():
                if not math.isfinite(value):
                    raise TrainingError(
                        f"{name} vaut {value} : cherchez une division par zéro ou le logarithme d'un nombre "
                        f"négatif ; --resume reprend après la dernière époque terminée, s'il y en a une"
                    )
                totals[name] = totals.get(name, 0.0) + value
            count += 1
            progress.set_postfix({name: f"{value:.4f}" for name, value in losses.items()})
    return {name: total / count for name, total in totals.items()}


def _save(run: Run, parts: Parts, rows: list[dict[str, float]]) -> None:
    states = {name: part.state_dict() for name, part in parts.items()}
    checkpoint.save(run.checkpoint, rows=rows, rng=checkpoint.rng_state(), **states)
    losses = [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
    curves.save(losses, run.output / "loss", x="epoch", ylabel="moyenne de l'époque")
    times = [{"epoch": row["epoch"], "seconds": row["seconds"]} for row in rows]
    curves.save(times, run.output / "time", x="epoch", ylabel="temps écoulé (s)")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"doit être un nombre entier d'au moins 1, et non {text}")
    return int(text)

"""Points de contrôle : tout ce dont un entraînement a besoin pour reprendre comme s'il n'avait pas été interrompu."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn


class CheckpointError(RuntimeError):
    """Un point de contrôle est inutilisable ; le message nomme le fichier et dit que faire."""


def save(path: str | Path, **state: Any) -> None:
    """Écrit un point de contrôle.

    Une interruption laisse l'ancien fichier ou le nouveau, jamais la moitié d'un fichier.

    Args:
        path: le fichier ; son dossier est créé s'il manque.
        state: tenseurs, nombres, chaînes, et listes et dictionnaires de ceux-ci, comme ceux de `state_dict`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: str | Path, *entries: str) -> dict[str, Any]:
    """Lit un point de contrôle ; ses tenseurs arrivent sur le CPU. Le code contenu dans le fichier n'est pas exécuté.

    Args:
        path: le fichier.
        entries: ce qu'il doit contenir, comme `model_state_dict`.

    Raises:
        CheckpointError: le fichier manque, n'est pas un point de contrôle, ou il y manque une entrée.
    """
    if not Path(path).is_file():
        raise CheckpointError(f"il n'y a pas de point de contrôle {path} ; entraînez d'abord sans --resume, ou "
                              f"indiquez un autre fichier")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch et pickle lèvent bien des sortes d'erreurs pour un fichier endommagé
        raise CheckpointError(
            f"{path} n'est pas un point de contrôle de ce cours, ou il est endommagé ; supprimez-le et recommencez "
            f"l'entraînement"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} contient un objet {type(state).__name__} et non un point de contrôle ; "
                              f"supprimez-le et recommencez l'entraînement")
    missing = [entry for entry in entries if entry not in state]
    if missing:
        raise CheckpointError(f"il manque {', '.join(missing)} dans {path} ; indiquez un fichier enregistré par un "
                              f"script d'entraînement")
    return state


def load_weights(eps_model: nn.Module, PATH: str | Path) -> bool:
    """Remplit un réseau avec les poids d'un point de contrôle et le met en mode évaluation.

    Args:
        eps_model: le réseau ; inchangé si ce fichier n'existe pas.
        PATH: un point de contrôle avec `model_state_dict`.

    Returns:
        Si des poids ont été chargés.

    Raises:
        CheckpointError: le fichier existe, mais il est endommagé ou appartient à un autre réseau.
    """
    if not Path(PATH).is_file():
        print(f"Le fichier {PATH} n'existe pas : le réseau garde les poids qu'il a.")
        return False
    fill(eps_model, load(PATH, "model_state_dict"), PATH)
    eps_model.eval()
    return True


def fill(model: nn.Module, state: dict[str, Any], path: str | Path) -> None:
    """Remplit un réseau avec les poids d'un point de contrôle déjà lu.

    Args:
        model: le réseau.
        state: le point de contrôle, avec `model_state_dict`.
        path: son fichier, pour les messages.

    Raises:
        CheckpointError: les poids sont ceux d'un autre réseau.
    """
    try:
        model.load_state_dict(state["model_state_dict"])
    except RuntimeError as error:
        raise CheckpointError(f"les poids de {path} sont ceux d'un autre réseau ; indiquez un autre fichier") from error


def rng_state() -> dict[str, Any]:
    """États des générateurs aléatoires de torch sur tous les appareils utilisés."""
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def set_rng_state(state: dict[str, Any]) -> None:
    """Rétablit ce qu'a renvoyé `rng_state`, pour les appareils que cette machine possède."""
    torch.set_rng_state(state["cpu"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    if state["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])

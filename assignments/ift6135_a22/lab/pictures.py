"""Des figures qui enseignent : images en lignes et en colonnes, et courbes ; chaque fonction renvoie une figure et ne montre rien.

    from lab import pictures
    from lab.figures import finish

    finish(pictures.grid(samples, title="échantillons du VAE"), show=True)

Les images sont des tenseurs à virgule flottante dans [0, 1], gris (C = 1) ou RVB (C = 3), sur n'importe quel appareil ; les valeurs hors de l'intervalle y sont ramenées.
"""

import itertools
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

SMOOTH_FROM = 300
"""Une courbe d'au moins ce nombre de points est tracée avec une moyenne mobile."""

# La palette d'Okabe et Ito, que les daltoniens distinguent ; les tirets séparent les courbes à l'impression.
_LINES = cycler(
    color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"],
    linestyle=["-", "--", "-.", (0, (1, 1)), (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (8, 3))],
)
_WIDTH, _HEIGHT, _CELL = 9.0, 10.0, 0.9  # pouces : toutes les images d'une ligne, toutes les lignes, et une image au plus


def grid(images: torch.Tensor, columns: int = 8, title: str = "", labels: Sequence[str] | None = None) -> Figure:
    """Des images en lignes, dans l'ordre de lecture.

    Args:
        images: (N, C, H, W).
        columns: nombre d'images d'une ligne.
        title: titre de la figure.
        labels: un texte court pour chaque image, écrit au-dessus d'elle.

    Raises:
        ValueError: les images ont une autre forme ou un autre type, ou il n'y a pas une étiquette pour chacune.
    """
    images = _checked(images, "N, C, H, W")
    if columns < 1:
        raise ValueError(f"une ligne a besoin d'au moins une image, pas de {columns} colonnes")
    _same_number("images", len(images), "labels", labels)
    columns = min(columns, len(images))
    blank = torch.ones(-len(images) % columns, *images.shape[1:])
    panels = torch.cat([images, blank]).unflatten(0, (-1, columns))
    return _panels(panels, title, captions=labels)


def before_after(first: torch.Tensor, second: torch.Tensor, title: str = "") -> Figure:
    """Des paires d'images : les originaux sur une ligne, leurs reconstructions sur la ligne du dessous ; dix paires côte à côte.

    Args:
        first: originaux ; (N, C, H, W).
        second: leurs reconstructions ; la même forme.
        title: titre de la figure.

    Raises:
        ValueError: les images ont une autre forme ou un autre type.
    """
    first, second = _checked(first, "N, C, H, W"), _checked(second, "N, C, H, W")
    _same_shape("originals", first, "reconstructions", second)
    columns = min(len(first), 10)
    blank = torch.ones(-len(first) % columns, *first.shape[1:])
    rows = [torch.cat([images, blank]).unflatten(0, (-1, columns)) for images in (first, second)]
    panels = torch.stack(rows, dim=1).flatten(0, 1)  # originale, reconstruction, originale ...
    return _panels(panels, title, row_labels=["original", "reconstruction"] * (len(panels) // 2))


def forward_process(
    images: torch.Tensor,
    noised: Sequence[torch.Tensor],
    times: Sequence[int],
    title: str = "",
    labels: Sequence[str] = (),
) -> Figure:
    """Ce que fait le bruitage : une ligne par image, une colonne par temps, l'image sans bruit à gauche.

    Args:
        images: les images sans bruit ; (N, C, H, W).
        noised: les mêmes images à chacun des temps ; (N, C, H, W) chacune.
        times: le temps t de chacune.
        title: titre de la figure.
        labels: un texte court pour chaque ligne, ou aucun.

    Raises:
        ValueError: les images ont une autre forme ou un autre type, ou il n'y a pas un lot pour chaque temps.
    """
    images = _checked(images, "N, C, H, W")
    _same_number("times", len(times), "lots bruités", noised)
    columns = [images]
    for batch in noised:
        columns.append(_checked(batch, "N, C, H, W"))
        _same_shape("images", images, "images bruitées", columns[-1])
    _same_number("images", len(images), "labels", labels or None)
    names = ["image", *(f"t = {int(time)}" for time in times)]
    return _panels(torch.stack(columns, dim=1), title, labels, names)


def reverse_process(
    steps: torch.Tensor, columns: int = 10, title: str = "", times: Sequence[int] | None = None
) -> Figure:
    """Du bruit aux images : une ligne par échantillon, des pas à intervalles égaux de gauche à droite.

    Args:
        steps: les échantillons après chaque pas, le bruit d'abord ; (S, B, C, H, W).
        columns: combien de pas sont montrés ; le premier et le dernier en sont toujours.
        title: titre de la figure.
        times: le temps t de chaque pas, si les colonnes doivent porter ce nom et non le numéro du pas ; (S,).

    Raises:
        ValueError: les images ont une autre forme ou un autre type, ou il n'y a pas un temps pour chaque pas.
    """
    steps = _checked(steps, "S, B, C, H, W")
    if columns < 2:
        raise ValueError(f"le premier et le dernier pas ont besoin de deux colonnes, pas de {columns}")
    _same_number("steps", len(steps), "times", times)
    shown = torch.linspace(0, len(steps) - 1, min(columns, len(steps))).round().long()
    labels = [f"{step}" if times is None else f"t = {int(times[step])}" for step in shown.tolist()]
    xlabel = "pas du processus inverse" if times is None else ""
    return _panels(steps[shown].transpose(0, 1), title, column_labels=labels, xlabel=xlabel)


def interpolations(latent: torch.Tensor, pixel: torch.Tensor, title: str = "") -> Figure:
    """Deux chemins d'une image à une autre : par l'espace latent en haut, par l'espace des pixels en bas.

    Args:
        latent: images décodées de points à intervalles égaux entre deux codes ; (N, C, H, W).
        pixel: mélanges de la première et de la dernière image, dans le même ordre ; (N, C, H, W).
        title: titre de la figure.

    Raises:
        ValueError: les images ont une autre forme ou un autre type.
    """
    latent, pixel = _checked(latent, "N, C, H, W"), _checked(pixel, "N, C, H, W")
    _same_shape("images de l'espace latent", latent, "images de l'espace des pixels", pixel)
    shares = [f"{share:.2g}" for share in torch.linspace(0, 1, len(latent)).tolist()]
    rows = ["espace latent", "espace des pixels"]
    return _panels(torch.stack([latent, pixel]), title, rows, shares, xlabel="part de la dernière image")


def traversals(
    images: torch.Tensor, offsets: Sequence[float], title: str = "", factors: Sequence[int] | None = None
) -> Figure:
    """Ce que fait chaque facteur latent : une ligne par facteur, une colonne par décalage.

    Args:
        images: images décodées d'un code dont une coordonnée est décalée ; (F, O, C, H, W).
        offsets: les décalages ; (O,).
        title: titre de la figure.
        factors: quelles coordonnées ce sont, (F,) ; None : les premières.

    Raises:
        ValueError: les images ont une autre forme ou un autre type, ou il n'y a pas une colonne pour chaque décalage, ou pas une ligne
            pour chaque facteur.
    """
    images = _checked(images, "F, O, C, H, W")
    _same_number("colonnes d'images", images.shape[1], "offsets", offsets)
    factors = range(len(images)) if factors is None else factors
    _same_number("lignes d'images", len(images), "factors", factors)
    rows = [f"z[{factor}]" for factor in factors]
    columns = [f"{offset:+.3g}" if offset else "0" for offset in offsets]
    return _panels(images, title, rows, columns, xlabel="ajouté au facteur")


def guidance_sweep(images: torch.Tensor, scales: Sequence[float], title: str = "") -> Figure:
    """Ce que fait le guidage : une ligne par échelle de guidage w, le même bruit et la même classe dans chaque colonne.

    Args:
        images: (S, B, C, H, W).
        scales: les échelles de guidage ; (S,).
        title: titre de la figure.

    Raises:
        ValueError: les images ont une autre forme ou un autre type, ou il n'y a pas une ligne pour chaque échelle.
    """
    images = _checked(images, "S, B, C, H, W")
    _same_number("lignes d'images", len(images), "échelles de guidage", scales)
    return _panels(images, title, row_labels=[f"w = {scale:g}" for scale in scales])


def schedules(curves: dict[str, torch.Tensor], xlabel: str = "time t", ylabel: str = "") -> Figure:
    """Les grandeurs d'un horaire de bruit selon le temps, une courbe par nom.

    Args:
        curves: nom -> valeurs ; (T,) chacune.
        xlabel: ce qu'est l'axe horizontal.
        ylabel: ce que sont les valeurs.

    Raises:
        ValueError: il n'y a pas de courbe, ou l'une n'est pas une suite de nombres.
    """
    if not curves:
        raise ValueError("il n'y a pas d'horaire à dessiner ; donnez au moins un nom avec ses valeurs")
    figure, axis = _lines(xlabel, ylabel)
    for name, values in curves.items():
        values = torch.as_tensor(values).detach().cpu().double().squeeze()
        if values.ndim != 1:
            raise ValueError(f"l'horaire {name!r} doit avoir la forme (T,), pas {tuple(values.shape)}")
        axis.plot(values.numpy(), label=name)
    axis.legend()
    return figure


def curves(rows: Sequence[dict[str, float]], x: str, ylabel: str, xscale: str = "linear") -> Figure:
    """Des courbes selon les pas ou les époques, une par clé sauf `x` ; beaucoup de points ont une moyenne mobile et une échelle logarithmique.

    Args:
        rows: un dictionnaire pour chaque point ; il peut lui manquer les clés des courbes qui n'y ont pas de point.
        x: clé de l'axe horizontal, comme `epoch` ou `step`.
        ylabel: ce que sont les courbes, avec l'unité.
        xscale: échelle de l'axe horizontal, `linear` ou `log`.

    Raises:
        ValueError: il n'y a aucune ligne, ou il en est une sans `x`.
    """
    if not rows:
        raise ValueError("il n'y a aucun point à dessiner ; entraînez d'abord au moins une époque")
    if any(x not in row for row in rows):
        raise ValueError(f"chaque ligne a besoin de la clé {x!r} de l'axe horizontal ; il y a {', '.join(rows[0])}")
    figure, axis = _lines(x, ylabel)
    for name in dict.fromkeys(name for row in rows for name in row if name != x):
        points = [(row[x], row[name]) for row in rows if name in row]
        _curve(axis, *map(list, zip(*points, strict=True)), name)
    axis.set_xscale(xscale)
    if xscale == "linear" and all(float(row[x]).is_integer() for row in rows):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend()
    return figure


def _curve(axis: plt.Axes, places: list[float], values: list[float], name: str) -> None:
    if len(values) < SMOOTH_FROM:
        axis.plot(places, values, marker="." if len(values) <= 50 else "", label=name)
        return
    width = SMOOTH_FROM // 3
    (line,) = axis.plot(places, values, linestyle="-", linewidth=0.5, alpha=0.35)
    means = np.convolve(values, np.full(width, 1 / width), mode="valid")
    middles = places[width // 2 :][: len(means)]
    axis.plot(middles, means, color=line.get_color(), linestyle="-", label=f"{name}, moyenne sur {width}")
    axis.set_yscale("log")


def _lines(xlabel: str, ylabel: str) -> tuple[Figure, plt.Axes]:
    figure, axis = plt.subplots(figsize=(6.4, 4))
    axis.set_prop_cycle(_LINES)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _panels(
    panels: torch.Tensor,
    title: str = "",
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    xlabel: str = "",
    captions: Sequence[str] | None = None,
) -> Figure:
    """Dessine des images (lignes, colonnes, C, H, W) en une seule, avec de minces espaces blancs : bien plus vite qu'avec un axe pour chacune."""
    rows, columns, channels, height, width = panels.shape
    gap = max(1, width // 28)
    above = gap if captions is None else height // 3  # espace au-dessus de chaque ligne sauf la première
    canvas = torch.ones(channels, rows * (height + above) - above, columns * (width + gap) - gap)
    inches = min(_CELL, _WIDTH / columns, _HEIGHT / rows) / width  # d'un pixel
    names = max(map(len, row_labels), default=0)
    lines = [title, column_labels, xlabel, captions]  # de texte au-dessus des images
    size = (
        canvas.shape[2] * inches + 0.35 + 0.075 * names,
        canvas.shape[1] * inches + 0.35 + 0.2 * sum(map(bool, lines)),
    )
    figure, axis = plt.subplots(figsize=(max(size[0], 0.5 + 0.08 * len(title)), size[1]))
    lefts = [column * (width + gap) for column in range(columns)]
    tops = [row * (height + above) for row in range(rows)]
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            canvas[:, top : top + height, left : left + width] = panels[row, column]
    for caption, (top, left) in zip(captions or (), itertools.product(tops, lefts), strict=False):
        axis.text(left + width / 2 - 0.5, top - 1, caption, ha="center", va="bottom", size=8)
    axis.imshow(canvas.permute(1, 2, 0).numpy(), cmap="gray", vmin=0, vmax=1)
    axis.set_title(title, fontsize=10, pad=6 if captions is None else 18)
    axis.tick_params(length=0, labelsize=8)
    axis.xaxis.tick_top()
    axis.set_xticks([left + width / 2 - 0.5 for left in lefts[: len(column_labels)]], column_labels)
    axis.set_yticks([top + height / 2 - 0.5 for top in tops[: len(row_labels)]], row_labels)
    axis.set_xlabel(xlabel, fontsize=8)
    axis.xaxis.set_label_position("top")
    axis.spines[:].set_visible(False)
    return figure


def _checked(images: torch.Tensor, shape: str) -> torch.Tensor:
    """Les images en float32 sur le processeur, ramenées dans [0, 1]."""
    if not isinstance(images, torch.Tensor):
        raise ValueError(f"les images doivent être un seul tenseur ({shape}), pas {type(images).__name__}")
    if not images.is_floating_point():
        raise ValueError(f"les images doivent être à virgule flottante dans [0, 1], pas {images.dtype} ; divisez "
                         f"les octets par 255")
    if images.ndim != len(shape.split(", ")) or images.shape[-3] not in (1, 3) or not images.numel():
        raise ValueError(f"les images doivent avoir la forme ({shape}) avec C = 1 ou 3, pas {tuple(images.shape)}")
    images = images.detach().cpu().float()
    if images.isnan().any():
        raise ValueError("les images contiennent des NaN (pas un nombre) : il n'y a rien à voir ; cherchez d'où "
                         "ils viennent")
    return images.clamp(0, 1)


def _same_number(what: str, count: int, other: str, items: Sequence | torch.Tensor | None) -> None:
    if items is not None and len(items) != count:
        raise ValueError(f"il doit y avoir autant de {other} que de {what} : {count}, pas {len(items)}")


def _same_shape(what: str, first: torch.Tensor, other: str, second: torch.Tensor) -> None:
    if first.shape != second.shape:
        raise ValueError(f"{other} : {tuple(second.shape)} au lieu de {tuple(first.shape)}, la forme des {what}")

"""Figures that teach: images in rows and columns, and lines; each function returns a figure and shows nothing.

    from lab import pictures
    from lab.figures import finish

    finish(pictures.grid(samples, title="samples of the VAE"), show=True)

Images are floating-point tensors in [0, 1], grey (C = 1) or RGB (C = 3), on any device; values outside are clamped.
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
"""A curve of at least this many points is drawn with a moving average."""

# The palette of Okabe and Ito, which colour-blind people can tell apart; the dashes keep lines apart in print.
_LINES = cycler(
    color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"],
    linestyle=["-", "--", "-.", (0, (1, 1)), (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (8, 3))],
)
_WIDTH, _HEIGHT, _CELL = 9.0, 10.0, 0.9  # inches: of all images side by side, of all rows, and of one image at most


def grid(images: torch.Tensor, columns: int = 8, title: str = "", labels: Sequence[str] | None = None) -> Figure:
    """Images in rows, in reading order.

    Args:
        images: (N, C, H, W).
        columns: images of a row.
        title: of the figure.
        labels: one short text for each image, written above it.

    Raises:
        ValueError: the images have another shape or type, or there is not one label for each.
    """
    images = _checked(images, "N, C, H, W")
    if columns < 1:
        raise ValueError(f"a row needs at least one image, not {columns} columns")
    _same_number("images", len(images), "labels", labels)
    columns = min(columns, len(images))
    blank = torch.ones(-len(images) % columns, *images.shape[1:])
    panels = torch.cat([images, blank]).unflatten(0, (-1, columns))
    return _panels(panels, title, captions=labels)


def before_after(first: torch.Tensor, second: torch.Tensor, title: str = "") -> Figure:
    """Pairs of images: originals in one row, their reconstructions in the row below; ten pairs side by side.

    Args:
        first: originals; (N, C, H, W).
        second: their reconstructions; the same shape.
        title: of the figure.

    Raises:
        ValueError: the images have another shape or type.
    """
    first, second = _checked(first, "N, C, H, W"), _checked(second, "N, C, H, W")
    _same_shape("originals", first, "reconstructions", second)
    columns = min(len(first), 10)
    blank = torch.ones(-len(first) % columns, *first.shape[1:])
    rows = [torch.cat([images, blank]).unflatten(0, (-1, columns)) for images in (first, second)]
    panels = torch.stack(rows, dim=1).flatten(0, 1)  # original, reconstruction, original ...
    return _panels(panels, title, row_labels=["original", "reconstruction"] * (len(panels) // 2))


def forward_process(
    images: torch.Tensor,
    noised: Sequence[torch.Tensor],
    times: Sequence[int],
    title: str = "",
    labels: Sequence[str] = (),
) -> Figure:
    """What the noising does: a row for each image, a column for each time, the clean image on the left.

    Args:
        images: the clean images; (N, C, H, W).
        noised: the same images at each of the times; (N, C, H, W) each.
        times: the time t of each of them.
        title: of the figure.
        labels: one short text for each row, or none at all.

    Raises:
        ValueError: the images have another shape or type, or there is not one batch for each time.
    """
    images = _checked(images, "N, C, H, W")
    _same_number("times", len(times), "noised batches", noised)
    columns = [images]
    for batch in noised:
        columns.append(_checked(batch, "N, C, H, W"))
        _same_shape("images", images, "noised images", columns[-1])
    _same_number("images", len(images), "labels", labels or None)
    names = ["image", *(f"t = {int(time)}" for time in times)]
    return _panels(torch.stack(columns, dim=1), title, labels, names)


def reverse_process(
    steps: torch.Tensor, columns: int = 10, title: str = "", times: Sequence[int] | None = None
) -> Figure:
    """From noise to images: a row for each sample, equally spaced steps from left to right.

    Args:
        steps: the samples after each step, the noise first; (S, B, C, H, W).
        columns: how many of the steps are shown; the first and the last are always among them.
        title: of the figure.
        times: the time t of each step, if the columns are to be named by it and not by the number of the step; (S,).

    Raises:
        ValueError: the images have another shape or type, or there is not one time for each step.
    """
    steps = _checked(steps, "S, B, C, H, W")
    if columns < 2:
        raise ValueError(f"the first and the last step need two columns, not {columns}")
    _same_number("steps", len(steps), "times", times)
    shown = torch.linspace(0, len(steps) - 1, min(columns, len(steps))).round().long()
    labels = [f"{step}" if times is None else f"t = {int(times[step])}" for step in shown.tolist()]
    xlabel = "step of the reverse process" if times is None else ""
    return _panels(steps[shown].transpose(0, 1), title, column_labels=labels, xlabel=xlabel)


def interpolations(latent: torch.Tensor, pixel: torch.Tensor, title: str = "") -> Figure:
    """Two ways from one image to another: through latent space above, through pixel space below.

    Args:
        latent: decoded from equally spaced points between two codes; (N, C, H, W).
        pixel: mixtures of the first and the last image, in the same order; (N, C, H, W).
        title: of the figure.

    Raises:
        ValueError: the images have another shape or type.
    """
    latent, pixel = _checked(latent, "N, C, H, W"), _checked(pixel, "N, C, H, W")
    _same_shape("images in latent space", latent, "images in pixel space", pixel)
    shares = [f"{share:.2g}" for share in torch.linspace(0, 1, len(latent)).tolist()]
    rows = ["latent space", "pixel space"]
    return _panels(torch.stack([latent, pixel]), title, rows, shares, xlabel="share of the last image")


def traversals(
    images: torch.Tensor, offsets: Sequence[float], title: str = "", factors: Sequence[int] | None = None
) -> Figure:
    """What each latent factor does: a row for each factor, a column for each offset.

    Args:
        images: decoded from one code with an offset added to one of its coordinates; (F, O, C, H, W).
        offsets: the offsets; (O,).
        title: of the figure.
        factors: which coordinates these are, (F,); None: the first ones.

    Raises:
        ValueError: the images have another shape or type, or there is not one column for each offset, or not one row
            for each factor.
    """
    images = _checked(images, "F, O, C, H, W")
    _same_number("columns of images", images.shape[1], "offsets", offsets)
    factors = range(len(images)) if factors is None else factors
    _same_number("rows of images", len(images), "factors", factors)
    rows = [f"z[{factor}]" for factor in factors]
    columns = [f"{offset:+.3g}" if offset else "0" for offset in offsets]
    return _panels(images, title, rows, columns, xlabel="added to the factor")


def guidance_sweep(images: torch.Tensor, scales: Sequence[float], title: str = "") -> Figure:
    """What guidance does: a row for each guidance scale w, the same noise and label in each column.

    Args:
        images: (S, B, C, H, W).
        scales: the guidance scales; (S,).
        title: of the figure.

    Raises:
        ValueError: the images have another shape or type, or there is not one row for each scale.
    """
    images = _checked(images, "S, B, C, H, W")
    _same_number("rows of images", len(images), "guidance scales", scales)
    return _panels(images, title, row_labels=[f"w = {scale:g}" for scale in scales])


def schedules(curves: dict[str, torch.Tensor], xlabel: str = "time t", ylabel: str = "") -> Figure:
    """Quantities of a noise schedule over time, one line for each name.

    Args:
        curves: name -> values; (T,) each.
        xlabel: what the horizontal axis is.
        ylabel: what the values are.

    Raises:
        ValueError: there is no curve, or one is not a sequence of numbers.
    """
    if not curves:
        raise ValueError("there is no schedule to draw; give at least one name with its values")
    figure, axis = _lines(xlabel, ylabel)
    for name, values in curves.items():
        values = torch.as_tensor(values).detach().cpu().double().squeeze()
        if values.ndim != 1:
            raise ValueError(f"the schedule {name!r} must have the shape (T,), not {tuple(values.shape)}")
        axis.plot(values.numpy(), label=name)
    axis.legend()
    return figure


def curves(rows: Sequence[dict[str, float]], x: str, ylabel: str, xscale: str = "linear") -> Figure:
    """Lines over steps or epochs, one for each key but `x`; many points get a moving average and a log scale.

    Args:
        rows: one dictionary for each point; a row may lack the keys of curves that have no point there.
        x: key of the horizontal axis, such as `epoch` or `step`.
        ylabel: what the curves are, with the unit.
        xscale: scale of the horizontal axis, `linear` or `log`.

    Raises:
        ValueError: there is no row, or one lacks `x`.
    """
    if not rows:
        raise ValueError("there is no point to draw; train at least one epoch first")
    if any(x not in row for row in rows):
        raise ValueError(f"each row needs the key {x!r} of the horizontal axis; there are {', '.join(rows[0])}")
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
    axis.plot(middles, means, color=line.get_color(), linestyle="-", label=f"{name}, mean of {width}")
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
    """Draw images (rows, columns, C, H, W) as one picture with thin white gaps: far faster than an axis for each."""
    rows, columns, channels, height, width = panels.shape
    gap = max(1, width // 28)
    above = gap if captions is None else height // 3  # room above each row but the first
    canvas = torch.ones(channels, rows * (height + above) - above, columns * (width + gap) - gap)
    inches = min(_CELL, _WIDTH / columns, _HEIGHT / rows) / width  # of one pixel
    names = max(map(len, row_labels), default=0)
    lines = [title, column_labels, xlabel, captions]  # of text above the images
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
    """The images as float32 on the CPU, clamped to [0, 1]."""
    if not isinstance(images, torch.Tensor):
        raise ValueError(f"the images must be one tensor ({shape}), not {type(images).__name__}")
    if not images.is_floating_point():
        raise ValueError(f"the images must be floating-point in [0, 1], not {images.dtype}; divide bytes by 255")
    if images.ndim != len(shape.split(", ")) or images.shape[-3] not in (1, 3) or not images.numel():
        raise ValueError(f"the images must have the shape ({shape}) with C = 1 or 3, not {tuple(images.shape)}")
    images = images.detach().cpu().float()
    if images.isnan().any():
        raise ValueError("the images hold NaN (not a number), so there is nothing to see; look for where it comes from")
    return images.clamp(0, 1)


def _same_number(what: str, count: int, other: str, items: Sequence | torch.Tensor | None) -> None:
    if items is not None and len(items) != count:
        raise ValueError(f"there must be as many {other} as {what}: {count}, not {len(items)}")


def _same_shape(what: str, first: torch.Tensor, other: str, second: torch.Tensor) -> None:
    if first.shape != second.shape:
        raise ValueError(f"{other} {tuple(second.shape)} must have the shape of the {what}, {tuple(first.shape)}")

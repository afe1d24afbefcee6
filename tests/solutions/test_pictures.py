"""The figures that notebooks and `genlab plot` draw."""

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from autograder.assignment import SOLUTIONS
from autograder.sandbox.modules import SourceFinder

matplotlib.use("Agg")
LAB = SOLUTIONS / "common" / "lab"

finder = SourceFinder(
    {f"lab/{name}.py": (LAB / f"{name}.py").read_text("utf-8") for name in ("__init__", "figures", "pictures")}
)
finder.install()
from lab import figures, pictures  # noqa: E402

finder.uninstall()


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    plt.close("all")


def panels(figure):
    """The images of a figure by row and column, each with its value if it is of one colour, else None."""
    (axis,) = figure.axes
    pixels = np.asarray(axis.images[0].get_array())
    size = 28
    starts = [range(0, length, size + 1) for length in pixels.shape[:2]]
    cells = [[pixels[y : y + size, x : x + size] for x in starts[1]] for y in starts[0]]
    return [[round(float(cell.flat[0]), 2) if np.ptp(cell) == 0 else None for cell in row] for row in cells]


def ticks(figure):
    (axis,) = figure.axes
    return [[label.get_text() for label in labels] for labels in (axis.get_yticklabels(), axis.get_xticklabels())]


def plain(*shape, channels=1):
    """Images of one grey each, 0.01, 0.02 ... in reading order; (*shape, channels, 28, 28)."""
    greys = torch.arange(1, 1 + int(np.prod(shape))) / 100
    return greys.view(*shape, 1, 1, 1).expand(*shape, channels, 28, 28)


def test_a_grid_is_in_reading_order_and_ends_with_white():
    figure = pictures.grid(plain(5), columns=3, title="five")
    assert panels(figure) == [[0.01, 0.02, 0.03], [0.04, 0.05, 1.0]]
    assert figure.axes[0].get_title() == "five"
    assert ticks(figure) == [[], []]


def test_a_label_stands_above_each_image():
    figure = pictures.grid(plain(5, channels=3), columns=3, labels=list("abcde"))
    places = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert list(places) == list("abcde")
    assert places["a"][1] == places["b"][1] < places["d"][1]
    assert places["a"][0] == places["d"][0] < places["b"][0]


def test_values_outside_are_clamped():
    images = torch.cat([torch.full((1, 1, 28, 28), -3.0), torch.full((1, 1, 28, 28), 7.0)])
    assert panels(pictures.grid(images)) == [[0.0, 1.0]]


def test_colours_stay_what_they_are():
    red = torch.zeros(1, 3, 28, 28)
    red[:, 0] = 1
    pixels = np.asarray(pictures.grid(red).axes[0].images[0].get_array())
    assert pixels.shape == (28, 28, 3)
    assert np.allclose(pixels, [1, 0, 0])


def test_reconstructions_stand_below_their_originals():
    figure = pictures.before_after(plain(12), plain(12) + 0.5)
    rows = panels(figure)
    assert [len(row) for row in rows] == [10] * 4
    assert [row[0] for row in rows] == [0.01, 0.51, 0.11, 0.61]
    assert ticks(figure)[0] == ["original", "reconstruction"] * 2


def test_the_forward_process_has_a_column_for_each_time():
    figure = pictures.forward_process(plain(2), [plain(2) + 0.3, plain(2) + 0.6], [10, 999], labels=["a", "b"])
    assert panels(figure) == [[0.01, 0.31, 0.61], [0.02, 0.32, 0.62]]
    assert ticks(figure) == [["a", "b"], ["image", "t = 10", "t = 999"]]


def test_the_reverse_process_shows_its_first_and_its_last_step():
    figure = pictures.reverse_process(plain(50, 2), columns=4)
    assert panels(figure)[0] == [0.01, 0.33, 0.67, 0.99]
    assert ticks(figure)[1] == ["0", "16", "33", "49"]
    timed = pictures.reverse_process(plain(3, 2), columns=10, times=[2, 1, 0])
    assert panels(timed) == [[0.01, 0.03, 0.05], [0.02, 0.04, 0.06]]
    assert ticks(timed)[1] == ["t = 2", "t = 1", "t = 0"]


def test_interpolations_stand_below_each_other():
    figure = pictures.interpolations(plain(5), plain(5) + 0.5)
    assert [row[0] for row in panels(figure)] == [0.01, 0.51]
    assert ticks(figure) == [["latent space", "pixel space"], ["0", "0.25", "0.5", "0.75", "1"]]


def test_traversals_have_a_row_for_each_factor():
    figure = pictures.traversals(plain(4, 3), [-1.5, 0, 1.5])
    assert panels(figure)[3] == [0.1, 0.11, 0.12]
    assert ticks(figure) == [["z[0]", "z[1]", "z[2]", "z[3]"], ["-1.5", "0", "+1.5"]]


def test_a_sweep_has_a_row_for_each_scale():
    figure = pictures.guidance_sweep(plain(2, 3), [0.0, 2.5])
    assert [row[0] for row in panels(figure)] == [0.01, 0.04]
    assert ticks(figure)[0] == ["w = 0", "w = 2.5"]


def test_schedules_are_lines_that_differ_in_colour_and_in_dashes():
    values = {name: torch.linspace(0, 1, 20, requires_grad=True) ** power for power, name in enumerate("abc", 1)}
    lines = pictures.schedules(values, ylabel="beta").axes[0].lines
    assert [line.get_label() for line in lines] == ["a", "b", "c"]
    assert len({line.get_color() for line in lines}) == len({line.get_linestyle() for line in lines}) == 3
    assert np.allclose(lines[1].get_ydata(), np.linspace(0, 1, 20) ** 2)


def test_curves_may_have_different_lengths():
    rows = [{"epoch": 1, "a": 3.0, "b": 4.0}, {"epoch": 2, "a": 2.0}, {"epoch": 3, "a": 1.0, "b": 1.5}]
    first, second = pictures.curves(rows, "epoch", "loss").axes[0].lines
    assert list(first.get_xdata()) == [1, 2, 3]
    assert (list(second.get_xdata()), list(second.get_ydata())) == ([1, 3], [4.0, 1.5])


def test_long_curves_get_their_mean():
    rows = [{"step": step, "loss": 1.0 + step % 2} for step in range(400)]
    axis = pictures.curves(rows, "step", "loss").axes[0]
    assert np.allclose(axis.lines[1].get_ydata(), 1.5)
    assert axis.lines[0].get_color() == axis.lines[1].get_color()
    assert axis.get_yscale() == "log"


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: pictures.grid(plain(2)[0]), r"must have the shape \(N, C, H, W\) with C = 1 or 3, not \(1, 28, 28\)"),
        (lambda: pictures.grid(torch.zeros(2, 28, 28, 3)), "with C = 1 or 3"),
        (lambda: pictures.grid(torch.zeros(0, 1, 28, 28)), r"not \(0, 1, 28, 28\)"),
        (lambda: pictures.grid([plain(2)]), "one tensor .* not list"),
        (lambda: pictures.grid(torch.zeros(2, 1, 28, 28, dtype=torch.uint8)), "divide bytes by 255"),
        (lambda: pictures.grid(plain(2) * torch.nan), "hold NaN"),
        (lambda: pictures.grid(plain(2), columns=0), "at least one image, not 0 columns"),
        (lambda: pictures.grid(plain(2), labels=["a"]), "as many labels as images: 2, not 1"),
        (lambda: pictures.before_after(plain(2), plain(3)), "shape of the originals"),
        (lambda: pictures.forward_process(plain(2), [plain(2)], [1, 2]), "as many noised batches as times: 2, not 1"),
        (lambda: pictures.forward_process(plain(2), [plain(3)], [1]), "shape of the images"),
        (lambda: pictures.reverse_process(plain(5)), r"shape \(S, B, C, H, W\)"),
        (lambda: pictures.reverse_process(plain(5, 2), columns=1), "need two columns"),
        (lambda: pictures.reverse_process(plain(5, 2), times=[1]), "as many times as steps: 5, not 1"),
        (lambda: pictures.interpolations(plain(5), plain(4)), "shape of the images in latent space"),
        (lambda: pictures.traversals(plain(5, 2), [1.0]), "as many offsets as columns of images: 2, not 1"),
        (lambda: pictures.guidance_sweep(plain(5, 2), [1.0]), "as many guidance scales as rows of images: 5, not 1"),
        (lambda: pictures.schedules({}), "there is no schedule"),
        (lambda: pictures.schedules({"beta": torch.zeros(2, 3)}), r"'beta' must have the shape \(T,\)"),
        (lambda: pictures.curves([], "epoch", "loss"), "there is no point"),
        (lambda: pictures.curves([{"step": 1.0}], "epoch", "loss"), "needs the key 'epoch'"),
    ],
)
def test_what_cannot_be_drawn_gets_one_sentence(draw, sentence):
    with pytest.raises(ValueError, match=sentence):
        draw()


def test_a_wide_figure_fits_a_notebook_page(tmp_path):
    figures.finish(pictures.interpolations(plain(11), plain(11), title="wide"), tmp_path / "wide.png", show=True)
    height, width, _ = plt.imread(tmp_path / "wide.png").shape
    assert 800 < width < 1100
    assert height < 350
    assert not plt.get_fignums()

"""The figures of `genlab plot`, with weights that were never trained but for those that the course ships."""

import pytest
import torch
from typer.testing import CliRunner

import autograder.report.plots as plots
from autograder.assignment import SOLUTIONS, assignment_names, load_assignment
from autograder.cli import app
from autograder.report.plot_masters import Settings, masters, watched
from tests.generated_data import write_data_root


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    return write_data_root(tmp_path_factory.mktemp("data"), "fashion_mnist", "svhn", "mnist")


def genlab_plot(*arguments):
    return CliRunner().invoke(app, ["plot", *map(str, arguments)], env={"COLUMNS": "300"})


@pytest.fixture
def drawn(monkeypatch):
    """Figures by the names of their files, instead of being saved."""
    figures = {}

    def run(kind, assignment, **settings):
        manifest = load_assignment(assignment)
        with masters(manifest, Settings(**settings)) as found, torch.no_grad():
            drawing, subject = plots.KINDS[assignment][kind]
            figures.update(drawing(found, subject))
        return figures

    return run


def images_of(figure):
    """Names of rows and columns of a figure of images."""
    (axis,) = figure.axes
    return [[label.get_text() for label in labels] for labels in (axis.get_yticklabels(), axis.get_xticklabels())]


def test_every_assignment_has_figures():
    assert set(plots.KINDS) == set(assignment_names())
    for name in assignment_names():
        assert {"schedules", "forward", "reverse", "interpolation"} <= set(plots.KINDS[name])


def test_the_files_of_the_command(tmp_path, data_root):
    for kind in ("schedules", "forward"):
        done = genlab_plot(kind, "-a", "cmput328_f24", "-o", tmp_path, "--data-root", data_root, "--limit", 2)
        assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "forward_linear.png",
        "forward_quadratic.png",
        "schedules_betas.png",
        "schedules_log_snr.png",
        "schedules_signal.png",
    ]
    assert f"wrote {tmp_path}/forward_linear.png" in done.output


def test_without_a_kind_the_kinds_are_listed():
    done = genlab_plot("-a", "ift6135_h25")
    assert (done.exit_code, done.stdout.split()) == (0, sorted(plots.KINDS["ift6135_h25"]))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["guidance", "-a", "cmput328_f24"], "cmput328_f24 has no figure 'guidance'; it has forward, interpolation"),
        (["forward", "-a", "ift6135_h25", "--data-root", "nowhere"], "nowhere/mnist/train.npz is missing"),
        (["reverse", "-a", "ift6135_h25"], "--checkpoint (eps_model.pkl, which `python train_ddpm.py` writes)"),
        (["reverse", "-a", "ift6135_h23"], "`python ddpm_solution.py` writes"),
        (["traversals", "-a", "ift6135_a22"], "`python vae.py` writes"),
        (["guidance", "-a", "ift6135_h25", "--checkpoint", "no.pkl"], "there is no checkpoint no.pkl"),
        (["reverse", "-a", "cmput328_f24", "--checkpoint", "x.pt"], "name one of DDPM.pt, DDIM.pt, LDDPM.pt"),
        (["knn", "-a", "ift6135_h23"], "name each with --csv"),
        (["knn", "-a", "ift6135_h23", "--csv", "no.csv"], "no.csv cannot be read (No such file or directory)"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(arguments, sentence):
    done = genlab_plot(*arguments)
    assert done.exit_code == 2
    assert sentence in " ".join(done.output.split())


def test_weights_of_another_network_are_named(tmp_path):
    path = tmp_path / "eps_model.pkl"
    torch.save({"model_state_dict": {"weight": torch.zeros(3)}}, path)
    done = genlab_plot("interpolation", "-a", "ift6135_h25", "--checkpoint", path)
    assert done.exit_code == 2
    assert "belong to another network" in " ".join(done.output.split())


@pytest.mark.parametrize("assignment", ["ift6135_h25", "ift6135_h23", "cmput328_f24"])
def test_schedules_fall_from_image_to_noise(drawn, assignment):
    figures = drawn("schedules", assignment)
    for line in figures["signal"].axes[0].lines:
        left = line.get_ydata()
        assert len(left) == 1000
        assert left[0] > 0.99 > 0.1 > left[-1]
        assert (left[1:] < left[:-1]).all()
    assert figures["betas"].axes[0].lines[0].get_ydata()[[0, -1]] == pytest.approx([1e-4, 0.02])


@pytest.mark.parametrize(("assignment", "names"), [("ift6135_h25", {"linear", "cosine"}), ("ift6135_a22", {"linear"})])
def test_real_images_vanish_in_noise(drawn, data_root, assignment, names):
    figures = drawn("forward", assignment, data_root=data_root, limit=3)
    assert set(figures) == names
    for figure in figures.values():
        assert images_of(figure)[1] == ["image", *(f"t = {t}" for t in plots.TIMES)]
        pixels = torch.from_numpy(figure.axes[0].images[0].get_array().data)
        image, *noised = pixels.split(33, dim=1)
        near, far = ((other[:, :32] - image[:, :32]).abs().mean() for other in (noised[0], noised[-1]))
        assert near < 0.02 < 0.2 < far


def test_a_decoder_gives_traversals_and_interpolations(drawn, tmp_path):
    path = tmp_path / "checkpoint.pt"
    with masters(load_assignment("ift6135_h25"), Settings()) as found:
        torch.save({"model_state_dict": found.module("q1_train_vae").VAE().state_dict()}, path)
    figures = drawn("traversals", "ift6135_h25", checkpoint=path)
    assert images_of(figures[""]) == [[f"z[{i}]" for i in range(20)], ["-3", "-1.5", "0", "+1.5", "+3"]]
    figures = drawn("interpolation", "ift6135_h25", checkpoint=path, limit=2)
    latent, pixel = figures["2"].axes[0].images[0].get_array().data[:57].reshape(57, -1)[[5, 34]].reshape(2, -1)[:, :28]
    assert latent == pytest.approx(pixel)  # the same first image


def test_the_gan_and_the_small_vae_of_svhn_interpolate(drawn, tmp_path):
    path = tmp_path / "checkpoint.pt"
    with masters(load_assignment("ift6135_a22"), Settings()) as found:
        vae, gan = found.module("vae"), found.module("gan")
        model = vae.VAE(3, 16, 16, vae.z_dim, 32, "cpu")
        torch.save({"model": model.state_dict(), "generator": gan.Generator(32, 3).state_dict()}, path)
    for kind in ("interpolation", "gan-interpolation"):
        figure = drawn(kind, "ift6135_a22", checkpoint=path, limit=1)["1"]
        assert images_of(figure)[0] == ["latent space", "pixel space"]


def test_the_shipped_ddim_goes_from_noise_to_images(drawn):
    shipped = SOLUTIONS / "cmput328_f24" / "checkpoints" / "DDIM.pt"
    figures = drawn("reverse", "cmput328_f24", checkpoint=shipped, limit=1)
    assert images_of(figures["ddim"])[1] == [f"t = {t}" for t in range(1000, -1, -100)]
    pixels = torch.from_numpy(figures["ddim"].axes[0].images[0].get_array().data)
    noise, *_, image = (column[:4, :32] for column in pixels.split(33, dim=1))
    assert noise.std() > 0.3  # values of a margin, which is black in the end
    assert image.mean() < 0.05


def test_knn_curves_are_named_by_their_folders(drawn, tmp_path):
    files = []
    for name, accuracies in {"a": (0.1, 0.2), "b": (0.3, 0.4, 0.5)}.items():
        files.append(tmp_path / name / "loss.csv")
        files[-1].parent.mkdir()
        rows = [f"{epoch},{accuracy}" for epoch, accuracy in enumerate(accuracies, 1)]
        files[-1].write_text("\n".join(["epoch,knn_accuracy", *rows]) + "\n")
    lines = drawn("knn", "ift6135_h23", csv=tuple(files))[""].axes[0].lines
    assert {line.get_label(): list(line.get_ydata()) for line in lines} == {"a": [0.1, 0.2], "b": [0.3, 0.4, 0.5]}


@pytest.mark.parametrize(("text", "sentence"), [("a,b\n1,2\n", "no columns"), ("epoch,knn_accuracy\n", "no epoch")])
def test_other_tables_are_refused(tmp_path, text, sentence):
    path = tmp_path / "loss.csv"
    path.write_text(text)
    with pytest.raises(plots.PlotError, match=sentence):
        list(plots.plot("knn", load_assignment("ift6135_h23"), Settings(csv=(path,)), tmp_path))


def test_a_network_is_watched_only_as_long_as_asked():
    network = torch.nn.Identity()
    with watched(network) as seen:
        network(torch.ones(2))
    network(torch.zeros(2))
    assert len(seen) == 1
    assert seen[0].tolist() == [1, 1]

"""The command line, `genlab`: make assignments, export and zip as students do, grade, make Gradescope's bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from autograder.assignment import Assignment, ManifestError, assignment_names, load_assignment
from autograder.sandbox.preload import quiet_environment
from autograder.student.facts import Facts

ROOT = Path(__file__).resolve().parent.parent
ASSIGNMENTS = ROOT / "assignments"
USAGE_ERROR = 2

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Assignments on deep generative models: make them, hand them out, grade what comes back.",
)
classifier_app = typer.Typer(no_args_is_help=True, help="The classifiers that score generated samples.")
app.add_typer(classifier_app, name="classifier")
_console = Console(stderr=True)


def _assignment(name: str) -> Assignment:
    try:
        return load_assignment(name)
    except ManifestError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def release(
    names: Annotated[list[str] | None, typer.Argument(help="assignments; default: all", show_default=False)] = None,
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit with 1 if a folder is stale")] = False,
    destination: Annotated[Path, typer.Option("-o", "--output", help="folder of the assignments")] = ASSIGNMENTS,
    notebooks: Annotated[
        Path | None,
        typer.Option(help="folder of the notebooks; default: `notebooks`, in the folder of -o if it is given"),
    ] = None,
    zips: Annotated[
        Path | None, typer.Option("--zip", help="folder for a zip of each assignment with its notebooks, to hand out")
    ] = None,
    solved: Annotated[
        Path | None, typer.Option(help="folder for the solved notebooks, which are for instructors")
    ] = None,
) -> None:
    """Make what students get: stubs, support modules, README, notebooks."""
    from autograder.release.archive import write_zip
    from autograder.release.bundle import ReleaseError, release_assignment, stale
    from autograder.release.markers import MarkerError
    from autograder.release.notebooks import release_notebooks, stale_notebooks

    if check and (zips or solved):
        raise typer.BadParameter("--check writes nothing; leave out --zip and --solved")
    notebooks = notebooks or (ROOT if destination == ASSIGNMENTS else destination) / "notebooks"
    folders = [folder.resolve() for folder in (destination, notebooks, solved) if folder]
    if len(set(folders)) < len(folders):
        raise typer.BadParameter("-o, --notebooks and --solved must name different folders")
    out_of_date = False
    for assignment in map(_assignment, names or assignment_names()):
        try:
            if check:
                for difference in stale(assignment, destination) + stale_notebooks(assignment, notebooks):
                    out_of_date = True
                    _console.print(difference, markup=False, highlight=False)
                continue
            written = {
                notebooks / assignment.id: release_notebooks(assignment, notebooks),
                destination / assignment.id: release_assignment(assignment, destination),
            }
            if solved:
                release_notebooks(assignment, solved, solved=True)
            for folder, files in written.items():
                _console.print(f"{assignment.id}: {len(files)} files in {folder}", markup=False)
            if zips:
                _console.print(f"{assignment.id}: wrote {write_zip(assignment.id, written, zips)}", markup=False)
        except (MarkerError, ReleaseError) as error:
            _console.print(f"{assignment.id}: {error}", style="red", markup=False, highlight=False)
            raise typer.Exit(1) from error
    if out_of_date:
        _console.print("run `genlab release` and commit what it writes", style="red", markup=False)
        raise typer.Exit(1)


def _facts(assignment: Assignment) -> Facts:
    """What the students' tools know of an assignment."""
    from autograder.release.bundle import ReleaseError, parse_masters
    from autograder.release.markers import MarkerError
    from autograder.release.tools import facts_of

    try:
        return facts_of(assignment, {name: master.stub for name, master in parse_masters(assignment).items()})
    except (MarkerError, ReleaseError) as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def export(
    notebooks: Annotated[list[Path], typer.Argument(metavar="NOTEBOOK...", help="filled notebooks")],
    assignment: Annotated[str, typer.Option("-a", "--assignment", help="id, such as ift6135_h25")],
    output: Annotated[Path, typer.Option("-o", "--output", help="folder of the .py files")] = Path(),
) -> None:
    """Export notebooks to the .py files to hand in, as students do by `python -m tools.export`.

    The exit status is 1 if a file could not be made.
    """
    from autograder.language import speaking
    from autograder.student import export as tool

    manifest = _assignment(assignment)
    with speaking(manifest.language):
        lines, complete = tool.run(notebooks, output, _facts(manifest))
    tool.say(lines)
    raise typer.Exit(0 if complete else 1)


@app.command("zip")
def make_zip(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="folder of the .py files")],
    assignment: Annotated[str, typer.Option("-a", "--assignment", help="id, such as ift6135_h25")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="default: <id>.zip in the folder")] = None,
) -> None:
    """Make the zip that is handed in, as students do by `python -m tools.zip`.

    The exit status is 1 if something is missing or wrong; what can be handed in is in the zip all the same.
    """
    from autograder.language import speaking
    from autograder.student import zip as tool
    from autograder.student.export import say

    manifest = _assignment(assignment)
    with speaking(manifest.language):
        lines, good = tool.run(folder, output or folder / f"{manifest.id}.zip", _facts(manifest))
    say(lines)
    raise typer.Exit(0 if good else 1)


@app.command()
def grade(
    submission: Annotated[list[Path], typer.Argument(exists=True, help="a zip, a folder, or single files")],
    assignment: Annotated[str, typer.Option("-a", "--assignment", help="id, such as ift6135_h25")],
    output: Annotated[Path, typer.Option("-o", "--output", help="folder for the report")] = Path("results"),
    seed: Annotated[int | None, typer.Option(min=0, help="repeat the random inputs of an earlier report")] = None,
    secret: Annotated[
        Path, typer.Option(help="file with the course's secret, from which seeds are derived; made if missing")
    ] = Path("~/.config/genlab/secret"),
    samples: Annotated[
        int | None, typer.Option(min=50, help="generated samples of one evaluation; default: as the manifest says")
    ] = None,
    device: Annotated[str, typer.Option(help="where submitted networks generate: cpu, cuda or mps")] = "cpu",
    data_root: Annotated[
        Path | None, typer.Option(exists=True, help="real images, to look for copies among generated samples")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="grade even where this machine cannot keep the code from the answers")
    ] = False,
) -> None:
    """Grade one submission and write report.html, report.json and results.json.

    The exit status is 0 when a report was written, whatever the score, and 2 for wrong usage.
    """
    from autograder.grading.engine import Engine, NotIsolatedError
    from autograder.intake import read_submission
    from autograder.report.files import write_report
    from autograder.report.terminal import print_report

    manifest = _assignment(assignment)
    try:
        # no spinner here: its thread would be running while the engine forks the sandbox
        engine = Engine(manifest, trust=trust, gpu=device == "cuda")
    except NotIsolatedError as error:
        _console.print(str(error), style="red", markup=False)
        raise typer.Exit(USAGE_ERROR) from error
    with engine:
        from autograder.grading.plugin import GenerationOptions
        from autograder.grading.seeds import course_secret, derive_seed

        taken = read_submission(submission, manifest)
        if seed is None:
            seed = derive_seed(course_secret(secret.expanduser()), taken.digest)
        with _console.status("grading") as status:
            report = engine.grade(
                taken,
                seed,
                generation=GenerationOptions(samples, device, str(data_root) if data_root else None),
                on_result=lambda result: status.update(f"graded {result.name}"),
            )
    written = write_report(report, output)  # before printing: a closed pipe must not cost the report
    print_report(report, Console())
    for path in written:
        _console.print(f"wrote {path}", markup=False, highlight=False)


@app.command()
def gradescope(
    name: Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="id, such as ift6135_h25")],
    output: Annotated[Path, typer.Option("-o", "--output", help="the zip to write")] = Path("autograder.zip"),
    secret: Annotated[
        Path, typer.Option(help="file with the course's secret, which goes into the zip; made if missing")
    ] = Path("~/.config/genlab/secret"),
) -> None:
    """Make the zip that is uploaded to Gradescope as the autograder of an assignment.

    The answers and the secret of the course are in it: keep it as you keep these.
    """
    from autograder.gradescope.bundle import BundleError, kept_secret, write_bundle

    assignment = _assignment(name)
    try:
        size = write_bundle(assignment, kept_secret(secret.expanduser()), output)
    except BundleError as error:
        _console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(USAGE_ERROR) from error
    except OSError as error:
        _console.print(
            f"{output} cannot be written: {error.strerror}; name another file with -o",
            style="red",
            markup=False,
            highlight=False,
        )
        raise typer.Exit(USAGE_ERROR) from error
    points = sum(question.auto_points for part in assignment.parts if not part.bonus for question in part.questions)
    settings = assignment.gradescope
    lines = [
        f"wrote {output}, {size / 1e6:.1f} MB",
        "upload it as the autograder of a programming assignment, and set there:",
        "  base image          Ubuntu 22.04",
        f"  autograder points   {points:g}",
        f"  timeout             {settings.timeout_minutes:g} minutes",
        f"  container           {settings.memory_mb} MB of memory and {settings.cpus:g} CPUs, or more",
    ]
    for line in lines:
        _console.print(line, markup=False, highlight=False)


@classifier_app.command("train")
def train_classifier(
    which: Annotated[str, typer.Argument(help="classifier or second-opinion")] = "classifier",
    output: Annotated[Path, typer.Option("-o", "--output", help="folder for weights and card")] = Path("classifier"),
    data_root: Annotated[
        Path | None, typer.Option(help="folder with fashion_mnist/train.npz; default: download")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="default: as the recipe says")] = None,
    seed: Annotated[int, typer.Option(help="of torch's generator")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="use only the first so many images")] = None,
    bfloat16: Annotated[bool, typer.Option("--bfloat16", help="compute in half precision")] = False,
) -> None:
    """Train a classifier of FashionMNIST on real images, and write its weights and its card.

    The classifier that grades is the one whose SHA-256 stands in autograder/scoring.
    """
    import torch

    from autograder.scoring import training
    from autograder.scoring.data import DataError, fashion_mnist
    from autograder.scoring.processors import granted

    if which not in training.RECIPES:
        raise typer.BadParameter(f"there is no {which!r}; choose one of {', '.join(training.RECIPES)}")
    recipe, root = training.RECIPES[which], str(data_root) if data_root else None
    epochs = epochs or recipe.epochs
    torch.set_num_threads(granted())
    try:
        model = training.train(recipe, epochs, seed, root, limit, bfloat16)
        confusion = training.confusion_matrix(model, *fashion_mnist("test", root))
        real = training.measure_real_images(confusion, root) if which == "classifier" else None
    except DataError as error:
        _console.print(str(error), style="red", markup=False)
        raise typer.Exit(USAGE_ERROR) from error
    output.mkdir(parents=True, exist_ok=True)
    digest = training.save(model, output / recipe.file)
    command = f"genlab classifier train {which} --epochs {epochs} --seed {seed}{' --bfloat16' * bfloat16}"
    parameters = sum(parameter.numel() for parameter in model.parameters())
    text = training.card(recipe.title, command, seed, digest, confusion, parameters)
    (output / recipe.file).with_suffix(".md").write_text(text, "utf-8")
    if real is not None:
        (output / "real_images.json").write_text(real.model_dump_json(indent=1) + "\n", "utf-8")
    _console.print(text, markup=False, highlight=False)


@app.command()
def plot(
    assignment: Annotated[str, typer.Option("-a", "--assignment", help="id, such as ift6135_h25")],
    kind: Annotated[
        str | None, typer.Argument(help="kind of figure; leave it out to see which the assignment has")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="folder for the figures")] = Path("figures"),
    checkpoint: Annotated[
        Path | None, typer.Option(help="trained weights, as the training scripts write them; default: the shipped ones")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="folder with NAME/train.npz; default: GENLAB_DATA, or download")
    ] = None,
    seed: Annotated[int, typer.Option(help="of torch's generator")] = 1,
    limit: Annotated[int, typer.Option(min=1, help="how many images, samples or pairs are drawn")] = 4,
    csv: Annotated[list[Path] | None, typer.Option(help="curves of a training; may be given several times")] = None,
) -> None:
    """Draw figures for slides and reports with the reference solution: schedules, forward and reverse process, ..."""
    from autograder.report.plot_masters import PlotError, Settings
    from autograder.report.plots import kinds
    from autograder.report.plots import plot as plot_figures

    manifest = _assignment(assignment)
    if kind is None:
        for name in kinds(manifest):
            typer.echo(name)
        return
    settings = Settings(checkpoint, data_root, seed, limit, tuple(csv or ()))
    try:
        for path in plot_figures(kind, manifest, settings, output):
            _console.print(f"wrote {path}", markup=False, highlight=False)
    except PlotError as error:
        _console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(USAGE_ERROR) from error


def main() -> None:
    """Entry point of the `genlab` command."""
    quiet_environment()
    app()

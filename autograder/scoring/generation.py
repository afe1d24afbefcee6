"""Scores a trained model by its samples: plans the time, draws, judges, and keeps the best of a few evaluations."""

from __future__ import annotations

import contextlib
import functools
import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from autograder.assignment import Generation
from autograder.grading.outcomes import CheckUngradable, fail
from autograder.grading.plugin import Workplace
from autograder.grading.report import Evaluation, GenerationResult
from autograder.grading.seeds import Draw
from autograder.sandbox.errors import ChildEnded
from autograder.sandbox.proxy import Remote, Student
from autograder.sandbox.session import Session
from autograder.scoring import sampler
from autograder.scoring.checkpoint import (
    Checkpoint,
    CheckpointError,
    as_file,
    carried_images,
    mismatch,
    read_checkpoint,
)
from autograder.scoring.classifier import as_pixels, load_classifier
from autograder.scoring.evaluation import (
    balanced_labels,
    class_table,
    classify,
    defect,
    evaluate,
    picture,
    repeated_classes,
)
from autograder.scoring.flags import classifier_inside, look_at
from autograder.scoring.processors import granted
from autograder.scoring.real_images import load_real_images
from autograder.scoring.second_opinion import load_second_opinion

_READ_SECONDS = 60.0
_RESERVE = 0.9  # of the budget is planned for; the forecast may be wrong
_GRACE = 2.0  # times the budget: a machine that is busier than at the forecast must not cost the evaluation
_SEVERAL = 5  # classes of one image each: no longer a weak model but none


@dataclass(frozen=True)
class _Plan:
    samples: int
    sentence: str = ""


@dataclass(frozen=True)
class _Judged:
    evaluation: Evaluation
    pixels: torch.Tensor
    labels: torch.Tensor
    predictions: torch.Tensor


def judge_samples(workplace: Workplace, draw: Draw, remark: Callable[[str], None], model: str, prepare: str) -> None:
    """Score the samples of one model; what it earned is left in `workplace`.

    Args:
        workplace: of the check.
        draw: random numbers of the check.
        remark: says something to the student.
        model: name of the model's class; its checkpoint is `checkpoints/<model>.pt`.
        prepare: function of `assignment.py` that returns it.

    Raises:
        CheckFailed: it earned less than all, or cannot be judged by its own fault.
        CheckUngradable: this machine is too slow or too small for it.
        SubmissionError: the submission's code did not return.
    """
    started = time.monotonic()
    settings, file = workplace.assignment.generation, f"checkpoints/{model}.pt"
    checkpoint = _read(workplace, draw, file)
    for note in checkpoint.notes:
        remark(note)
    with workplace.start(
        draw.child_seed,
        probes=inspect.getsource(sampler),
        files=_clean_files(workplace, draw),
        seconds=_GRACE * settings.budget_seconds,
        sources=True,
        threads=workplace.options.threads or granted(),
    ) as session:
        student = Student(lambda: session)
        hands = student.copy_of(sampler.Sampler(workplace.options.device))
        trained = _load(student, hands, prepare, checkpoint, file)
        generator = torch.Generator().manual_seed(draw.seed)
        try:
            plan = _plan(hands, trained, settings, workplace.options.samples, generator)
            judged, cut = _evaluations(hands, trained, settings, plan, generator, model, started)
        except ChildEnded as ended:
            if ended.reason in ("time", "memory"):
                raise CheckUngradable(f"Ungradable here, it needs a GPU or more memory: {ended}.") from ended
            raise
    best = max(judged, key=lambda one: one.evaluation.accuracy)
    workplace.credit = best.evaluation.score
    workplace.result = _result(workplace, checkpoint, model, judged, best, " ".join(filter(None, (plan.sentence, cut))))
    _tell(workplace.result, best.evaluation, remark)


def _read(workplace: Workplace, draw: Draw, file: str) -> Checkpoint:
    """The weights of a checkpoint, read once for all checks."""
    if file not in workplace.checkpoints:
        fail(
            f"trained weights in {file}.", "no such file in the submission.", "train the model, and put it in the zip."
        )
    found = workplace.memory.get(file)
    if found is None:
        limit = next(entry.size_mb for entry in workplace.assignment.checkpoints if entry.name == file)

        def start(probes: str, files: Mapping[str, bytes]) -> Session:
            return workplace.start(
                draw.child_seed, probes=probes, files=files, seconds=_READ_SECONDS, sources=False, threads=1
            )

        try:
            found = read_checkpoint(workplace.checkpoints[file], file, start, limit)
        except CheckpointError as error:
            found = error
        workplace.memory[file] = found
    if isinstance(found, CheckpointError):
        fail(f"trained weights in {file}.", str(found))
    assert isinstance(found, Checkpoint)
    return found


def _clean_files(workplace: Workplace, draw: Draw) -> dict[str, bytes]:
    """All checkpoints that could be read, as files for the submission's own `torch.load`; made once for all checks."""
    files = workplace.memory.get("files")
    if files is None:
        files = workplace.memory["files"] = {}
        for name in workplace.checkpoints:
            with contextlib.suppress(AssertionError):  # its own check says what is wrong with it
                files[name] = as_file(_read(workplace, draw, name))
    return files


def _load(student: Student, hands: Remote, prepare: str, checkpoint: Checkpoint, file: str) -> Remote:
    """The submission's model with its weights."""
    trained = getattr(student.assignment, prepare)()
    if not isinstance(trained, Remote):
        fail(f"{prepare}() returns the model.", f"a {type(trained).__name__}.")
    shapes = {name: tuple(shape) for name, shape in hands.shapes(trained).items()}
    problem = mismatch(shapes, checkpoint, file)
    if problem:
        fail(f"the weights in {file} fit the model that {prepare}() returns.", problem)
    hands.load(trained, file)
    return trained


def _plan(
    hands: Remote, trained: Remote, settings: Generation, wanted: int | None, generator: torch.Generator
) -> _Plan:
    """How many samples fit into the budget, from two timed steps of the submission's own network."""
    wanted, least = wanted or settings.samples, settings.least_samples
    labels = balanced_labels(least, generator)
    calls = int(hands.count_calls(trained, labels))
    if calls < 3:
        return _Plan(wanted)
    seconds = calls * float(hands.seconds_per_call(trained, labels)) / least  # for one sample
    fits = int(settings.budget_seconds * _RESERVE / seconds) if seconds > 0 else wanted
    if fits >= wanted:
        return _Plan(wanted)
    if fits < least:
        raise CheckUngradable(
            f"Ungradable here, it needs a GPU: {least} samples would take about {least * seconds:.0f} s, and "
            f"{settings.budget_seconds:.0f} s are set aside for this model."
        )
    fits -= fits % 10
    return _Plan(fits, f"{fits} instead of {wanted} samples, because this machine needs {seconds:.1f} s for each.")


def _evaluations(
    hands: Remote,
    trained: Remote,
    settings: Generation,
    plan: _Plan,
    generator: torch.Generator,
    model: str,
    started: float,
) -> tuple[list[_Judged], str]:
    """Evaluate until the full score is reached, the evaluations are used up, or the time is."""
    judged: list[_Judged] = []
    while len(judged) < settings.evaluations:
        labels, begun = balanced_labels(plan.samples, generator), time.monotonic()
        try:
            samples = hands.sample(trained, labels)
        except ChildEnded as ended:
            if judged and ended.reason in ("time", "budget"):
                return judged, _cut(judged, settings)
            raise
        judged.append(_judge(samples, labels, model, time.monotonic() - begun))
        if judged[-1].evaluation.score >= 1:
            return judged, ""
        now = time.monotonic()
        if now - started + (now - begun) > settings.budget_seconds and len(judged) < settings.evaluations:
            return judged, _cut(judged, settings)
    return judged, ""


def _cut(judged: list[_Judged], settings: Generation) -> str:
    return f"{len(judged)} of {settings.evaluations} evaluations fit into the time."


def _judge(samples: Any, labels: torch.Tensor, model: str, seconds: float) -> _Judged:
    problem = defect(samples, len(labels), model)
    if problem:
        fail(*problem)
    repeated = repeated_classes(samples, labels)
    if len(repeated) >= _SEVERAL:
        fail("different images of a class.", f"one and the same image for all of {repeated[0]}, and so on.")
    pixels = as_pixels(samples, model)
    logits = classify(_classifiers()[0], pixels)
    return _Judged(evaluate(logits, labels, seconds), pixels, labels, logits.argmax(dim=1))


@functools.cache
def _classifiers() -> tuple[torch.nn.Module, torch.nn.Module]:
    return load_classifier(), load_second_opinion()


def _result(
    workplace: Workplace, checkpoint: Checkpoint, model: str, judged: list[_Judged], best: _Judged, plan: str
) -> GenerationResult:
    real = load_real_images()
    second = classify(_classifiers()[1], best.pixels).argmax(dim=1)
    second_accuracy = float((second == best.labels).float().mean())
    return GenerationResult(
        model=model,
        evaluations=[one.evaluation for one in judged],
        plan=plan,
        classes=class_table(
            torch.cat([one.predictions for one in judged]), torch.cat([one.labels for one in judged]), real.ceiling
        ),
        second_opinion=second_accuracy,
        picture=picture(best.pixels, best.labels),
        for_instructor=[
            *look_at(
                best.pixels,
                best.labels,
                best.evaluation.accuracy,
                second_accuracy,
                carried_images(checkpoint),
                real,
                workplace.options.data_root,
            ),
            *classifier_inside(checkpoint.tensors, _classifiers()[0].state_dict()),
        ],
    )


def _tell(result: GenerationResult, best: Evaluation, remark: Callable[[str], None]) -> None:
    """Say what came of it; an exception where it is less than everything."""
    got = (
        f"the classifier recognises {best.accuracy:.1%} of {best.samples} samples "
        f"(95% interval {best.low:.1%} to {best.high:.1%})."
    )
    if best.score >= 1:
        remark(got[0].upper() + got[1:])
        return
    weakest = min(result.classes, key=lambda one: one.correct / max(1, one.samples))
    hint = f"weakest class: {weakest.name}, {weakest.correct} of {weakest.samples}"
    fail(
        "75% earns nothing, 85% everything, between them in proportion.",
        got,
        f"{hint}, most often taken for {weakest.taken_for}." if weakest.taken_for else f"{hint}.",
    )

"""cmput328_f24 as a whole: the reference with its trained weights, stubs, and submissions that lack a part."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.grading.plugin import GenerationOptions
from autograder.grading.report import CheckResult, Report, Status
from autograder.intake import Submission, read_submission
from autograder.release import release_files
from autograder.scoring.classifier import wilson

OPTIONS = GenerationOptions(samples=50, threads=1)
Pack = Callable[..., Submission]


@pytest.fixture
def pack(f24: Assignment, tmp_path: Path) -> Pack:
    """The reference submission as a folder, some of its files replaced or left out (None)."""

    def make(**changes: str | bytes | None) -> Submission:
        names = [file.name for file in f24.files] + [entry.name for entry in f24.checkpoints]
        for name in names:
            content = changes.get(Path(name).stem, (f24.folder / name).read_bytes())
            if content is not None:
                (tmp_path / name).parent.mkdir(exist_ok=True)
                (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return read_submission([tmp_path], f24)

    return make


def samples_of(report: Report, model: str) -> CheckResult:
    """The check that scores the samples of a model."""
    return next(check for unit in report.units for check in unit.checks if check.name == f"{model}_samples")


def soundness(report: Report) -> dict[str, float]:
    """Points of each part that do not come from samples."""
    return {
        part.id: sum(u.earned for q in part.questions for u in q.units if "prepare" not in u.name)
        for part in report.parts
    }


@pytest.mark.slow
def test_the_reference_gets_everything(f24_engine: Engine, pack: Pack) -> None:
    report = f24_engine.grade(pack(), 1, generation=OPTIONS)
    assert (report.earned, report.auto_points, report.bonus_points) == (130, 100, 30)
    assert report.run.problem == ""
    for model in ("ddpm", "ddim", "vae", "lddpm"):
        result = samples_of(report, model)
        assert result.generation is not None
        best = max(result.generation.evaluations, key=lambda one: one.accuracy)
        assert (best.low, best.high) == wilson(best.correct, best.samples)
        assert result.generation.picture
        suspicions = [line for line in result.generation.for_instructor if "Not compared" not in line]
        assert suspicions == []


def test_shipped_weights_are_small(f24: Assignment) -> None:
    sizes = [(f24.folder / entry.name).lstat().st_size for entry in f24.checkpoints]  # DDIM.pt is a link to DDPM.pt
    assert sum(sizes) <= 8_000_000


def test_stubs_without_weights_get_nothing(f24_engine: Engine, f24: Assignment, pack: Pack) -> None:
    released = release_files(f24)
    report = f24_engine.grade(
        pack(models=released["models.py"], DDPM=None, DDIM=None, VAE=None, LDDPM=None), 1, generation=OPTIONS
    )
    assert report.earned == 0
    assert report.ungradable_points == 0
    assert report.run.problem == ""
    for unit in report.units:
        assert unit.checks[0].message, unit.name


def test_without_the_bonus_the_rest_is_graded_all_the_same(f24_engine: Engine, f24: Assignment, pack: Pack) -> None:
    models = (f24.folder / "models.py").read_text("utf-8")
    start, end = models.index("class LDDPM("), models.index("class DDPM(")
    only = [unit.name for unit in f24.units if unit.name not in ("assignment.prepare_ddpm", "assignment.prepare_ddim")]
    report = f24_engine.grade(pack(models=models[:start] + models[end:], LDDPM=None), 1, only=only, generation=OPTIONS)
    assert soundness(report) == {"1": 8, "2": 6, "3": 6, "4": 0}
    assert samples_of(report, "vae").earned_share == 1
    bonus = [unit for question in report.parts[3].questions for unit in question.units]
    for unit in bonus[:-1]:
        assert "models.py has no class LDDPM" in unit.checks[0].message
    assert "checkpoints/LDDPM.pt" in samples_of(report, "lddpm").message


def weights(f24: Assignment, name: str) -> dict[str, torch.Tensor]:
    return dict(torch.load(f24.folder / f"checkpoints/{name}.pt", weights_only=True))


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: None, "no such file"),
        pytest.param(
            lambda state: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
            "Git",
            marks=pytest.mark.threat(39),
        ),
        pytest.param(lambda state: saved(state)[:-2000], "damaged", marks=pytest.mark.threat(39)),
        pytest.param(
            lambda state: saved({k: v[:1] if v.dim() else v for k, v in state.items()}),
            "checkpoints/VAE.pt",
            marks=pytest.mark.threat(36),
        ),
        pytest.param(
            lambda state: saved({k: v for k, v in state.items() if "head" not in k}),
            "checkpoints/VAE.pt",
            marks=pytest.mark.threat(36),
        ),
        pytest.param(
            lambda state: saved({k: v * float("nan") for k, v in state.items()}), "NaN", marks=pytest.mark.threat(34)
        ),
    ],
    ids=["missing", "lfs", "truncated", "other sizes", "other layers", "nan"],
)
def test_weights_that_cannot_be_used_cost_their_own_points(
    f24_engine: Engine,
    f24: Assignment,
    pack: Pack,
    change: Callable[[dict[str, torch.Tensor]], bytes | None],
    says: str,
) -> None:
    taken = pack(VAE=change(weights(f24, "VAE")))
    report = f24_engine.grade(taken, 1, only=["assignment.prepare_vae", "models.VAE.decode"], generation=OPTIONS)
    result = samples_of(report, "vae")
    assert (result.status, result.earned_share) == (Status.FAILED, 0)
    assert says in result.message
    assert report.earned == 1.5


@pytest.mark.threat(36)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"model_state_dict": state, "epoch": 3},
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    ],
    ids=["wrapped", "parallel"],
)
def test_weights_that_can_be_understood_are_taken_with_a_note(
    f24_engine: Engine, f24: Assignment, pack: Pack, wrap: Callable[[dict[str, torch.Tensor]], object]
) -> None:
    taken = pack(VAE=saved(wrap(weights(f24, "VAE"))))
    result = samples_of(f24_engine.grade(taken, 1, only=["assignment.prepare_vae"], generation=OPTIONS), "vae")
    assert result.earned_share == 1
    assert "checkpoints/VAE.pt" in result.message

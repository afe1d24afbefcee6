"""Scoring samples end to end: submissions with models of their own in the jail, the frozen classifier outside."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch

from autograder.assignment import Assignment, load_assignment
from autograder.grading.engine import Engine
from autograder.grading.plugin import GenerationOptions
from autograder.grading.report import CheckResult, Status
from autograder.intake import Submission
from autograder.intake.submission import digest_of
from autograder.scoring.classifier import load_classifier

Run = Callable[..., CheckResult]

ASSIGNMENT = """
from models import *
def prepare_ddpm(): return DDPM(Network())
def prepare_ddim(): return DDIM(Network())
def prepare_vae(): return VAE()
def prepare_lddpm():
    vae = VAE()
    vae.load_state_dict(torch.load("checkpoints/VAE.pt"))
    return LDDPM(Network(), vae)
"""

# A model that draws what its weights say for each class, and noise on it; `pictures` are its parameters.
MODELS = """
import torch, time
from torch import nn
class Network(nn.Module):
    seconds = 0.0
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
    def forward(self, x, t, y):
        time.sleep(self.seconds * len(x))
        return x * self.scale
class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.pictures = nn.Parameter(torch.zeros(10, 1, 32, 32))
    def generate_sample(self, num_samples, device=torch.device("cuda"), labels=None):
        shift = torch.randint(-1, 2, (num_samples,)).tolist()
        images = torch.stack([self.pictures[y].roll(s, 2) for y, s in zip(labels.tolist(), shift)])
        return (images + 0.02 * torch.randn(num_samples, 1, 32, 32)).detach()
class DDPM(VAE):
    steps = 20
    def __init__(self, network):
        super().__init__()
        self.network = network
    def generate_sample(self, num_samples, device=torch.device("cuda"), labels=None):
        x = torch.randn(num_samples, 1, 32, 32, device=device)
        for t in reversed(range(self.steps)):
            x = self.network(x, torch.full((num_samples,), t), labels)
        return super().generate_sample(num_samples, device, labels) * 2 - 1
class DDIM(DDPM): pass
class LDDPM(DDPM):
    def __init__(self, network, vae):
        super().__init__(network)
        self.vae = vae
    def generate_sample(self, num_samples, device=torch.device("cuda"), labels=None):
        return (super().generate_sample(num_samples, device, labels) + 1) / 2
"""


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    manifest = load_assignment("cmput328_f24")
    return manifest.model_copy(update={"generation": manifest.generation.model_copy(update={"budget_seconds": 8.0})})


@pytest.fixture(scope="module")
def engine_here(assignment: Assignment) -> Iterator[Engine]:
    """A warm engine with a short budget."""
    with Engine(assignment) as made:
        yield made


@pytest.fixture(scope="module")
def run(engine_here: Engine) -> Run:
    """Score one model of a submission that is given as the text of models.py and the tensors of its checkpoints."""

    def score(
        models: str,
        checkpoints: Mapping[str, dict[str, torch.Tensor]],
        model: str = "vae",
        options: GenerationOptions | None = None,
    ) -> CheckResult:
        sources = {"models.py": models, "assignment.py": ASSIGNMENT}
        files = {f"checkpoints/{name}.pt": saved(state) for name, state in checkpoints.items()}
        submission = Submission("test", digest_of(sources), sources, checkpoints=files)
        only = [f"assignment.prepare_{model}"]
        report = engine_here.grade(
            submission, 5, only=only, generation=options or GenerationOptions(samples=60, threads=1)
        )
        assert report.run.problem == ""
        return next(check for unit in report.units for check in unit.checks if unit.name == only[0])

    return score


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    """One picture for each class that the classifier recognises, found by following its gradient from grey."""
    classifier, labels = load_classifier(), torch.arange(10)
    logits = torch.full((10, 1, 32, 32), -2.0, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        images = torch.sigmoid(logits)
        moved = images.roll(int(torch.randint(-1, 2, (), generator=generator)), 2)
        noisy = (moved + 0.02 * torch.randn(images.shape, generator=generator)).clamp(0, 1)
        loss = torch.nn.functional.cross_entropy(classifier(noisy), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.sigmoid(logits).detach()


def saved(state: dict[str, torch.Tensor]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def ddpm_state(pictures: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"pictures": pictures, "network.scale": torch.ones(())}


def with_method(body: str) -> str:
    """The models with another `VAE.generate_sample`; the pictures and labels are at hand."""
    head, tail = "        shift = torch", "class DDPM"
    start, end = MODELS.index(head), MODELS.index(tail)
    return MODELS[:start] + "".join(f"        {line}\n" for line in body.strip().splitlines()) + MODELS[end:]


class TestScore:
    def test_recognised_samples_earn_everything_after_one_evaluation(self, run: Run, pictures: torch.Tensor) -> None:
        result = run(MODELS, {"VAE": {"pictures": pictures}})
        assert (result.status, result.credit) == (Status.PASSED, 1.0)
        assert result.generation is not None
        [evaluation] = result.generation.evaluations
        assert evaluation.samples == 60
        assert evaluation.accuracy >= 0.85
        assert evaluation.low < evaluation.accuracy
        assert len(result.generation.classes) == 10
        assert "recognises" in result.message

    def test_all_five_evaluations_are_used_where_none_is_enough(self, run: Run, pictures: torch.Tensor) -> None:
        result = run(MODELS, {"VAE": {"pictures": pictures[torch.arange(10) * 0]}})
        assert (result.status, result.credit) == (Status.FAILED, 0.0)
        assert result.generation is not None
        assert len(result.generation.evaluations) == 5
        assert "75% earns nothing" in result.message

    def test_two_classes_that_are_mixed_up_earn_a_part_or_nothing(self, run: Run, pictures: torch.Tensor) -> None:
        wrong = pictures.clone()
        wrong[[2]] = pictures[[4]]
        models = MODELS.replace(
            "labels.tolist()", "[4 if y == 0 and i % 2 else y for i, y in enumerate(labels.tolist())]"
        )
        result = run(models, {"VAE": {"pictures": wrong}}, options=GenerationOptions(samples=200, threads=1))
        assert result.generation is not None
        best = max(one.score for one in result.generation.evaluations)
        assert result.credit == best
        assert 0 < best < 1

    @pytest.mark.parametrize("model", ["DDPM", "DDIM", "LDDPM"])
    def test_diffusion_models_are_scored_in_their_range(self, run: Run, pictures: torch.Tensor, model: str) -> None:
        state = ddpm_state(pictures)
        checkpoints = {model: state}
        if model == "LDDPM":
            checkpoints = {model: {**state, "vae.pictures": pictures}, "VAE": {"pictures": pictures}}
        assert run(MODELS, checkpoints, model.lower()).credit == 1.0

    def test_the_same_seed_draws_the_same_labels_and_another_report_of_it(
        self, run: Run, pictures: torch.Tensor
    ) -> None:
        first, second = (run(MODELS, {"VAE": {"pictures": pictures}}) for _ in range(2))
        assert first.generation is not None
        assert second.generation is not None
        assert first.generation.picture == second.generation.picture


class TestTime:
    def test_fewer_samples_are_drawn_where_time_is_short(self, run: Run, pictures: torch.Tensor) -> None:
        slow = MODELS.replace("seconds = 0.0", "seconds = 0.004")  # 20 steps: 0.08 s for each sample
        result = run(slow, {"DDPM": ddpm_state(pictures)}, "ddpm", GenerationOptions(samples=200, threads=1))
        assert result.generation is not None
        assert 50 <= result.generation.evaluations[0].samples < 100
        assert "instead of 200 samples" in result.generation.plan
        assert result.credit == 1.0

    def test_what_does_not_fit_is_ungradable_and_says_so(self, run: Run, pictures: torch.Tensor) -> None:
        slower = MODELS.replace("seconds = 0.0", "seconds = 0.02")
        result = run(slower, {"DDPM": ddpm_state(pictures)}, "ddpm")
        assert (result.status, result.credit, result.generation) == (Status.UNGRADABLE, None, None)
        assert "needs a GPU" in result.message

    def test_fewer_evaluations_are_made_where_one_takes_most_of_the_time(
        self, run: Run, pictures: torch.Tensor
    ) -> None:
        slow = MODELS.replace("seconds = 0.0", "seconds = 0.0025")
        result = run(slow, {"DDPM": ddpm_state(pictures * 0 + pictures[0])}, "ddpm")
        assert result.generation is not None
        assert len(result.generation.evaluations) < 5
        assert "of 5 evaluations fit into the time" in result.generation.plan

    @pytest.mark.threat(29, 43)
    def test_a_forecast_that_lies_costs_the_submission_and_not_the_report(
        self, run: Run, pictures: torch.Tensor
    ) -> None:
        endless = with_method("import itertools\nfor _ in itertools.count(): time.sleep(0.1)")
        result = run(endless, {"VAE": {"pictures": pictures}})
        assert result.status is Status.UNGRADABLE
        assert "did not finish within 16 seconds" in result.message


class TestWrongAnswers:
    @pytest.mark.parametrize(
        ("body", "says"),
        [
            pytest.param("return self.pictures[labels] * 255", "[0, 255]", marks=pytest.mark.threat(47)),
            pytest.param("return self.pictures[labels] * float('nan')", "NaN", marks=pytest.mark.threat(47)),
            ("return self.pictures[labels][1:]", "shape (59, 1, 32, 32)"),
            ("return self.pictures[labels][:, 0]", "shape (60, 32, 32)"),
            pytest.param(
                "return torch.full((num_samples, 1, 32, 32), 0.5)",
                "one single grey value",
                marks=pytest.mark.threat(47),
            ),
            pytest.param(
                "return self.pictures[labels * 0]", "the same image for every label", marks=pytest.mark.threat(41, 45)
            ),
            pytest.param(
                "return self.pictures[labels]", "one and the same image for all of", marks=pytest.mark.threat(41)
            ),
            ("return None", "a NoneType"),
            pytest.param("raise ValueError('secret')", "raised ValueError", marks=pytest.mark.threat(16)),
        ],
    )
    def test_each_gets_its_sentence_and_nothing_else(
        self, run: Run, pictures: torch.Tensor, body: str, says: str
    ) -> None:
        result = run(with_method(body), {"VAE": {"pictures": pictures}})
        assert result.status is Status.FAILED
        assert not result.earned_share
        assert says in result.message
        assert "secret" not in result.message

    @pytest.mark.threat(45)
    def test_labels_that_are_ignored_earn_nothing(self, run: Run, pictures: torch.Tensor) -> None:
        models = MODELS.replace("labels.tolist()", "torch.randint(10, (num_samples,)).tolist()")
        result = run(models, {"VAE": {"pictures": pictures}})
        assert result.credit == 0.0


class TestFlags:
    def said(self, result: CheckResult) -> str:
        assert result.generation is not None
        return "\n".join(result.generation.for_instructor)

    @pytest.mark.threat(41)
    def test_one_image_for_each_class_with_a_little_noise(self, run: Run, pictures: torch.Tensor) -> None:
        body = "return (self.pictures[labels] + 0.02 * torch.randn(num_samples, 1, 32, 32)).detach()"
        said = self.said(run(with_method(body), {"VAE": {"pictures": pictures}}))
        assert "Little diversity" in said

    @pytest.mark.threat(42)
    def test_samples_made_for_the_classifier(self, run: Run, pictures: torch.Tensor) -> None:
        said = self.said(run(MODELS, {"VAE": {"pictures": pictures}}))
        assert "The second classifier gives" in said

    @pytest.mark.threat(38)
    def test_images_carried_in_the_checkpoint(self, run: Run, pictures: torch.Tensor) -> None:
        models = MODELS.replace(
            "self.pictures = nn.Parameter(torch.zeros(10, 1, 32, 32))",
            "self.pictures = nn.Parameter(torch.zeros(10, 1, 32, 32))\n"
            "        self.register_buffer('bank', torch.zeros(50, 1, 32, 32))",
        )
        bank = pictures.repeat(5, 1, 1, 1).where(torch.rand(50, 1, 32, 32) < 0.5, 0.0)
        said = self.said(run(models, {"VAE": {"pictures": pictures, "bank": bank}}))
        assert "looks like images" in said
        assert "bank" in said


class TestCheckpoints:
    def test_a_missing_one_is_named(self, run: Run) -> None:
        result = run(MODELS, {})
        assert result.status is Status.FAILED
        assert "checkpoints/VAE.pt" in result.message

    @pytest.mark.threat(36)
    def test_one_of_another_architecture_is_named(self, run: Run, pictures: torch.Tensor) -> None:
        result = run(MODELS, {"VAE": {"pictures": pictures[:5], "extra": torch.ones(3)}})
        assert result.status is Status.FAILED
        assert "checkpoints/VAE.pt" in result.message

    @pytest.mark.threat(34)
    def test_a_broken_one_harms_no_other_model(self, run: Run, pictures: torch.Tensor) -> None:
        wrong: dict[str, Any] = {"pictures": pictures * float("nan")}
        checkpoints = {"VAE": {"pictures": pictures}, "DDPM": wrong}
        assert run(MODELS, checkpoints).credit == 1.0
        assert "NaN" in run(MODELS, checkpoints, "ddpm").message

    @pytest.mark.threat(35)
    def test_half_precision_is_welcome(self, run: Run, pictures: torch.Tensor) -> None:
        assert run(MODELS, {"VAE": {"pictures": pictures.half()}}).credit == 1.0


@pytest.mark.threat(43)
def test_the_classifier_is_not_in_the_jail() -> None:
    """In a process of its own, because this one has loaded the classifier before its engine."""
    script = """
from autograder.sandbox.preload import quiet_environment
quiet_environment()
from autograder.assignment import load_assignment
from autograder.grading.engine import Engine
from autograder.sandbox.proxy import Student
from autograder.sandbox.session import Session
SPY = "import sys\\ndef f(): return [name for name in sys.modules if 'scoring' in name or 'autograder.checks' in name]"
with Engine(load_assignment("cmput328_f24")) as engine, Session(engine._zygote, {"spy.py": SPY}) as session:
    import autograder.scoring.generation
    print(Student(lambda: session).spy.f())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr

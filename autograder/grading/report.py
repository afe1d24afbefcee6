"""The result of grading one submission, as one model. Every output format is a view of it.

A unit is what the manifest gives points to; a check is one test of it. Four things can become of a check, and they
are different: `passed`; `failed` (the submission is wrong); `skipped` (it needs something that failed elsewhere);
`ungradable` (the grader or the machine could not judge it: no statement about the submission).
"""

from __future__ import annotations

from enum import Enum

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 2


class Status(str, Enum):
    """What became of a check, or of a unit."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNGRADABLE = "ungradable"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Evaluation(_Model):
    """One draw of samples, judged by the frozen classifier. Accuracies are fractions, 0..1."""

    samples: int
    correct: int
    accuracy: float
    low: float = Field(description="lower end of the Wilson 95% interval of the accuracy")
    high: float = Field(description="upper end of it")
    score: float = Field(description="what the accuracy earns, 0..1")
    seconds: float


class ClassScore(_Model):
    """What became of one class, over all evaluations."""

    name: str
    samples: int
    correct: int
    taken_for: str = Field(default="", description="the class that the others were taken for most often")
    ceiling: float = Field(description="fraction of real test images of the class that the classifier knows")


class GenerationResult(_Model):
    """Samples of a trained model, judged by the frozen classifier; the best evaluation counts."""

    model: str = Field(description="name of the model's class, such as DDPM")
    evaluations: list[Evaluation]
    plan: str = Field(default="", description="why there are fewer samples or evaluations than usual; else empty")
    classes: list[ClassScore] = []
    second_opinion: float = Field(description="accuracy of the best evaluation in the eyes of the second classifier")
    picture: str = Field(default="", description="grid of samples of the best evaluation, one row a class; PNG, base64")
    for_instructor: list[str] = Field(default=[], description="what an instructor should look at; never for students")


class CheckResult(_Model):
    """One check. All text is plain; what stems from the submission is not to be trusted as markup."""

    name: str = Field(description="name of the check, unique in the assignment")
    title: str = Field(description="what is checked, one line")
    status: Status
    share: float = Field(description="fraction of the unit's points that this check gives, 0..1")
    message: str = Field(default="", description="for the student: what was expected, what came, what it looks like")
    traceback: str = Field(default="", description="the submission's own lines of an error, nothing else")
    printed: str = Field(default="", description="what the submission printed; only for public checks")
    public: bool = False
    seconds: float = 0.0
    credit: float | None = Field(default=None, description="fraction earned, 0..1; None: all if passed, else nothing")
    generation: GenerationResult | None = None

    @property
    def earned_share(self) -> float:
        """Fraction of the unit's points that were earned here."""
        credit = self.credit if self.credit is not None else float(self.status is Status.PASSED)
        return self.share * credit


class UnitResult(_Model):
    """A function or method and the checks of it. `earned` never exceeds `points`."""

    name: str
    file: str
    points: float
    earned: float
    status: Status
    checks: list[CheckResult]


class RubricItem(_Model):
    """What a person will look for."""

    points: float
    text: str


class QuestionResult(_Model):
    """A question of the handout: what the checks gave, and what waits for a person."""

    id: str
    title: str
    kind: str = Field(description="auto, training or written")
    points: float
    units: list[UnitResult] = []
    rubric: list[RubricItem] = []

    @property
    def earned(self) -> float:
        """Points that the checks gave."""
        return sum(unit.earned for unit in self.units)

    @property
    def auto_points(self) -> float:
        """Points that the checks can give."""
        return sum(unit.points for unit in self.units)

    @property
    def manual_points(self) -> float:
        """Points that a person gives."""
        return sum(item.points for item in self.rubric)


class PartResult(_Model):
    """A part of the handout."""

    id: str
    title: str
    points: float
    bonus: bool = Field(default=False, description="its points come on top of the assignment's")
    questions: list[QuestionResult]


class SubmissionInfo(_Model):
    """What was handed in."""

    name: str = Field(description="file or folder name; comes from the student")
    digest: str = Field(description="SHA-256 of the graded files, in hex")
    files: list[str] = Field(default=[], description="the files that were taken")
    missing: list[str] = Field(default=[], description="files of the manifest that were not there")
    notes: list[str] = Field(default=[], description="what intake cleaned, renamed or left out")
    refusal: str = Field(default="", description="why nothing could be taken; empty if something was")
    signs: list[str] = Field(default=[], description="what is unusual in the files; no mark; never for students")


class RunInfo(_Model):
    """How it was graded: enough to repeat it."""

    seed: int
    started: str = Field(description="ISO 8601, UTC")
    seconds: float
    python: str
    torch: str
    machine: str
    layers: dict[str, str] = Field(default={}, description="layer of the jail -> 'on', or why it is off")
    problem: str = Field(default="", description="what went wrong in the grader itself; empty if nothing did")


class Report(_Model):
    """The result of one submission."""

    schema_version: int = SCHEMA_VERSION
    assignment: str
    title: str
    language: str = "en"
    submission: SubmissionInfo
    parts: list[PartResult]
    run: RunInfo

    @property
    def questions(self) -> list[QuestionResult]:
        """All questions in the order of the handout."""
        return [question for part in self.parts for question in part.questions]

    @property
    def units(self) -> list[UnitResult]:
        """All auto-graded units in the order of the handout."""
        return [unit for question in self.questions for unit in question.units]

    @property
    def earned(self) -> float:
        """Points that the checks gave, bonus included."""
        return sum(question.earned for question in self.questions)

    @property
    def auto_points(self) -> float:
        """Points that the checks can give, without bonus."""
        return sum(question.auto_points for part in self.parts if not part.bonus for question in part.questions)

    @property
    def bonus_points(self) -> float:
        """Points that the checks can give on top."""
        return sum(question.auto_points for part in self.parts if part.bonus for question in part.questions)

    @property
    def manual_points(self) -> float:
        """Points that wait for a person."""
        return sum(question.manual_points for question in self.questions)

    @property
    def ungradable_points(self) -> float:
        """Points of checks that could not be judged here; they are neither earned nor lost."""
        return sum(
            unit.points * check.share
            for unit in self.units
            for check in unit.checks
            if check.status is Status.UNGRADABLE
        )

"""The manifest of an assignment, `solutions/<id>/assignment.toml`, as typed models.

Everything that a course decides stands there once: parts, questions, points, files, limits, rubric lines.
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SOLUTIONS = Path(__file__).resolve().parent.parent / "solutions"


class ManifestError(ValueError):
    """The manifest is missing or says something that cannot be; the message names file and field."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _plain_relative(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or str(path) != name:
        raise ValueError(f"{name!r} is not a plain relative path")
    return name


def module_name(file: str) -> str:
    """Dotted module name of a Python file, such as `ddpm_utils.args`."""
    return file.removesuffix(".py").replace("/", ".")


class _File(_Model):
    name: str = Field(description="path in the student's folder, with forward slashes")

    _check_name = field_validator("name")(_plain_relative)


class SourceFile(_File):
    """A Python file of the assignment and the master it is made from."""

    master: str = Field(default="", description="path of the master, relative to the manifest; default: `name`")
    renumber: dict[str, str] = Field(default={}, description="question ids of the master -> those of this assignment")
    prefilled: bool = Field(default=False, description="given as it stands, as an example that students may change")

    _check_name = field_validator("name")(_plain_relative)

    @property
    def module(self) -> str:
        """Dotted module name, such as `ddpm_utils.args`."""
        return module_name(self.name)

    @property
    def master_path(self) -> str:
        """Path of the master, relative to the folder of the manifest."""
        return self.master or self.name


class Checkpoint(_File):
    """Trained weights that a student hands in, such as checkpoints/DDPM.pt."""

    size_mb: int = Field(default=300, gt=0, description="largest file that is read")


class Asset(_File):
    """A given file that is not Python."""

    master: str = Field(description="path of the file, relative to the manifest")


class Notebook(_File):
    """A notebook that students get, made from a master in jupytext's percent format."""

    master: str = Field(description="path of the master, relative to the manifest")
    files: tuple[str, ...] = Field(description="names of the submitted files whose code its cells hold")


class Unit(_Model):
    """The smallest thing that is graded automatically: a function or a method, with its points."""

    name: str
    points: float = Field(ge=0)
    file: str = Field(description="name of the submitted file that holds it")

    @property
    def qualified(self) -> str:
        """Its name within the file, such as `DDPM.forward`."""
        return self.name.removeprefix(module_name(self.file) + ".")


class RubricLine(_Model):
    """What a person looks for in an answer, and what it is worth."""

    points: float = Field(ge=0)
    text: str


class Question(_Model):
    """One question of the handout. Units are graded by the checks, rubric lines by a person."""

    id: str
    title: str
    points: float = Field(ge=0)
    kind: Literal["auto", "training", "written"]
    units: tuple[Unit, ...] = ()
    rubric: tuple[RubricLine, ...] = ()

    @model_validator(mode="after")
    def _points_add_up(self) -> Question:
        total = sum(unit.points for unit in self.units) + sum(line.points for line in self.rubric)
        if abs(total - self.points) > 1e-9:
            raise ValueError(f"question {self.id}: units and rubric add up to {total:g}, not to {self.points:g}")
        if self.kind == "auto" and self.rubric:
            raise ValueError(f"question {self.id}: an auto-graded question has no rubric")
        return self

    @property
    def auto_points(self) -> float:
        """Points that the checks give."""
        return sum(unit.points for unit in self.units)


class Part(_Model):
    """A part of the handout, such as "VAE"."""

    id: str
    title: str
    points: float = Field(ge=0)
    bonus: bool = Field(default=False, description="its points come on top of the assignment's")
    questions: tuple[Question, ...]

    @model_validator(mode="after")
    def _points_add_up(self) -> Part:
        total = sum(question.points for question in self.questions)
        if abs(total - self.points) > 1e-9:
            raise ValueError(f"part {self.id}: its questions add up to {total:g}, not to {self.points:g}")
        return self


class Limits(_Model):
    """What a submission may use. Times are wall-clock seconds, sizes are as named."""

    import_seconds: float = Field(default=20.0, gt=0, description="importing the submitted files, per check")
    call_seconds: float = Field(default=10.0, gt=0, description="one call of a submitted function")
    budget_seconds: float = Field(default=480.0, gt=0, description="all checks of one submission together")
    memory_mb: int = Field(default=1500, gt=0, description="memory of a child beyond what torch has mapped")
    disk_mb: int = Field(default=64, gt=0, description="scratch space of a child, and its largest file")
    output_kb: int = Field(default=64, gt=0, description="printed output that is kept")
    output_max_mb: int = Field(default=16, gt=0, description="printed output after which the child is ended")
    upload_mb: int = Field(default=50, gt=0, description="unpacked size of a submission")
    upload_entries: int = Field(default=2000, gt=0, description="entries of a submission")
    file_kb: int = Field(default=1000, gt=0, description="size of one submitted source file")


class Generation(_Model):
    """How samples of trained models are scored. Times are wall-clock seconds."""

    samples: int = Field(default=200, gt=0, description="samples of one evaluation")
    least_samples: int = Field(default=50, gt=0, description="fewer than these are not worth a score")
    evaluations: int = Field(default=5, gt=0, description="the best of at most so many counts")
    budget_seconds: float = Field(default=240.0, gt=0, description="all evaluations of one model together")


class Gradescope(_Model):
    """How the assignment runs on Gradescope. Time, memory and processors are set on the site; these are what it needs.

    The defaults are those of the site.
    """

    timeout_minutes: float = Field(default=10, gt=0, le=40, description="the site's 'Autograder Timeout'")
    memory_mb: int = Field(default=768, gt=0, description="memory of the site's container")
    cpus: float = Field(default=0.5, gt=0, description="processors of the site's container")
    visibility: Literal["visible", "after_due_date", "after_published"] = Field(
        default="visible", description="when students see what the checks found"
    )
    leaderboard: bool = Field(default=False, description="list the accuracy of generated samples for the whole course")
    uploads_per_day: int | None = Field(
        default=None, gt=0, description="uploads of one student or group that are judged within any 24 hours"
    )

    @field_validator("visibility", mode="before")
    @classmethod
    def _not_hidden(cls, visibility: object) -> object:
        if visibility == "hidden":
            raise ValueError(
                "checks that stay hidden would keep the total from students as well; "
                "say 'after_published', and publish the grades when they may be seen"
            )
        return visibility


class Assignment(_Model):
    """An assignment: what is asked, what is handed in, how it is limited."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    language: Literal["en", "fr"] = "en"
    files: tuple[SourceFile, ...] = Field(description="what a student hands in")
    support: tuple[SourceFile, ...] = Field(default=(), description="given modules; always ours, never the student's")
    extras: tuple[SourceFile, ...] = Field(default=(), description="given scripts that no check needs")
    assets: tuple[Asset, ...] = Field(default=(), description="given files that are not Python")
    notebooks: tuple[Notebook, ...] = Field(default=(), description="notebooks in which files are filled in")
    checkpoints: tuple[Checkpoint, ...] = Field(default=(), description="trained weights that a student hands in")
    imports: tuple[str, ...] = Field(default=(), description="modules that a submission may import")
    exported: bool = Field(
        default=False, description="submissions are notebooks saved as .py: only what the graded names need is run"
    )
    scratch_dirs: tuple[str, ...] = Field(default=(), description="folders that the working directory has")
    requirements: tuple[str, ...] = Field(default=(), description="lines of the student's requirements.txt")
    limits: Limits = Limits()
    generation: Generation = Generation()
    gradescope: Gradescope = Gradescope()
    parts: tuple[Part, ...]
    folder: Path = Field(default=Path(), exclude=True)

    _check_scratch = field_validator("scratch_dirs")(lambda names: tuple(_plain_relative(n) for n in names))

    @model_validator(mode="after")
    def _names_are_known_and_unique(self) -> Assignment:
        names = [
            file.name
            for file in (*self.files, *self.support, *self.extras, *self.assets, *self.checkpoints, *self.notebooks)
        ]
        for kind, items in (
            ("file", names),
            ("question", [question.id for question in self.questions]),
            ("unit", [unit.name for unit in self.units]),
        ):
            doubled = sorted({item for item in items if items.count(item) > 1})
            if doubled:
                raise ValueError(f"{kind} named twice: {', '.join(doubled)}")
        submitted = {file.name for file in self.files}
        for notebook in self.notebooks:
            if foreign := sorted(set(notebook.files) - submitted):
                raise ValueError(f"notebook {notebook.name}: {', '.join(foreign)}: not one of the submitted files")
        for unit in self.units:
            if unit.file not in submitted:
                raise ValueError(f"unit {unit.name}: {unit.file} is not one of the submitted files")
        return self

    @property
    def questions(self) -> tuple[Question, ...]:
        """All questions, in the order of the handout."""
        return tuple(question for part in self.parts for question in part.questions)

    @property
    def units(self) -> tuple[Unit, ...]:
        """All auto-graded units, in the order of the handout."""
        return tuple(unit for question in self.questions for unit in question.units)

    @property
    def classes(self) -> dict[str, list[str]]:
        """Module -> names of the classes that its units are of."""
        found: dict[str, list[str]] = {}
        for unit in self.units:
            name = unit.qualified.partition(".")[0]
            if name[:1].isupper() and name not in found.setdefault(module_name(unit.file), []):
                found[module_name(unit.file)].append(name)
        return found

    @property
    def shared_modules(self) -> dict[str, str]:
        """Module of a master that is shared under another name -> the submitted module, such as vae -> vae_solution."""
        return {module_name(PurePosixPath(file.master).name): file.module for file in self.files if file.master}

    def submitted_unit(self, unit: str) -> str:
        """The name of a unit here; a check that several assignments share names the module of the master."""
        module, _point, rest = unit.partition(".")
        return f"{self.shared_modules.get(module, module)}.{rest}"

    @property
    def points(self) -> float:
        """Points of the whole assignment, without bonus."""
        return sum(part.points for part in self.parts if not part.bonus)

    @property
    def checks(self) -> Path:
        """Folder of the hidden checks."""
        return Path(__file__).resolve().parent / "checks" / self.id

    def master(self, file: SourceFile | Asset | Notebook) -> Path:
        """Path of the master of `file`."""
        return (self.folder / (file.master or file.name)).resolve()


def load_assignment(name: str, solutions: Path = SOLUTIONS) -> Assignment:
    """Read `solutions/<name>/assignment.toml`.

    Raises:
        ManifestError: the assignment is unknown, or its manifest is not valid; the message says where.
    """
    path = solutions / name / "assignment.toml"
    if not path.is_file():
        raise ManifestError(f"no assignment {name!r}; there are: {', '.join(assignment_names(solutions))}")
    try:
        return Assignment(**tomllib.loads(path.read_text("utf-8")), folder=path.parent)
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise ManifestError(f"{path}: {error}") from error


def assignment_names(solutions: Path = SOLUTIONS) -> list[str]:
    """Ids of all assignments that have a manifest."""
    return sorted(path.parent.name for path in solutions.glob("*/assignment.toml"))

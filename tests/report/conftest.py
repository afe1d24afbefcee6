from pathlib import Path

import pytest

from autograder.grading.report import Report, Status

SAMPLE = Path(__file__).parent / "sample.json"
GENERATION_SAMPLE = SAMPLE.with_name("sample_generation.json")

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>[bold red]markup[/] [link=http://evil.example]here[/link] "
    ":bomb: {{ 7 * 7 }} {% raw %} </style></pre> & \"double\" 'single' "
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x9b2J \x1b[2J\x1b[H\x07\x08\x00 "
    "\u202egnp.exe\u2066 \ud800 {seed} %s"
)
FLOOD = "A" * 200_000


@pytest.fixture
def report() -> Report:
    """Three parts, every status, questions for a person, one layer of the jail missing."""
    return Report.model_validate_json(SAMPLE.read_text("utf-8"))


@pytest.fixture
def generation_report() -> Report:
    """Scores of three models (partly, full, bonus), three evaluations of the first, and lines for the instructor."""
    return Report.model_validate_json(GENERATION_SAMPLE.read_text("utf-8"))


@pytest.fixture
def hostile_generation(generation_report: Report) -> Report:
    """The sample of scores with strangers' text in all their fields."""
    for unit in generation_report.units:
        for check in unit.checks:
            if check.generation:
                found = check.generation
                found.model = found.plan = HOSTILE + FLOOD
                found.picture = f'iVBORw0KGgo="{HOSTILE}'
                found.for_instructor = [HOSTILE] * 3
                for score in found.classes:
                    score.name = score.taken_for = HOSTILE
    return generation_report


@pytest.fixture
def hostile(report: Report) -> Report:
    """The sample with strangers' text wherever a stranger's text can arrive."""
    submission = report.submission
    submission.name = HOSTILE + FLOOD
    submission.files = [HOSTILE, "q1_vae.py"]
    submission.missing = [HOSTILE]
    submission.notes = [HOSTILE] * 500
    submission.signs = [HOSTILE] * 500
    for unit in report.units:
        unit.name = HOSTILE + unit.name
        for check in unit.checks:
            check.title = HOSTILE
            check.message = check.traceback = check.printed = HOSTILE
    flooded = report.units[0].checks[0]
    flooded.status, flooded.public = Status.FAILED, True
    flooded.message = f"{HOSTILE}\r\nsecond line\n{FLOOD}\nlast line"
    flooded.traceback = HOSTILE + "\n" * 200_000 + "end of traceback"
    flooded.printed = HOSTILE + FLOOD
    report.run.machine = HOSTILE
    report.run.problem = HOSTILE
    return report

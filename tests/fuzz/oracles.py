"""What has to hold whatever was uploaded. Every function raises an AssertionError where it does not."""

from __future__ import annotations

import io
import json

from rich.console import Console

from autograder.assignment import Assignment
from autograder.gradescope.results import gradescope_results, validate_results
from autograder.grading.engine import build_report
from autograder.grading.report import CheckResult, Report, RunInfo, Status
from autograder.intake import Submission
from autograder.intake.finding import wanted_by
from autograder.intake.upload import Upload
from autograder.report.page import render_page
from autograder.report.terminal import print_report

_LONGEST_SENTENCE = 1000
_RUN = RunInfo(seed=1, started="", seconds=0.0, python="", torch="", machine="", layers={"uid": "on"})
_SHOWN_CONTROLS = frozenset("\n\t")


def require_sentence(text: str) -> None:
    """`text` can be shown to a student as it is; French has a no-break space before its colons."""
    assert text.replace("\N{NO-BREAK SPACE}", " ").isprintable(), ascii(text)
    assert 0 < len(text) < _LONGEST_SENTENCE, len(text)


def require_sound_upload(upload: Upload, assignment: Assignment) -> None:
    """What was read from an archive is within the limits, and its paths are plain."""
    wanted = wanted_by(assignment)
    taken = [*upload.files, *upload.others]
    assert len(taken) == len(set(taken))
    assert not set(taken) & {path for path, _ in upload.rejected}
    assert len(taken) + len(upload.rejected) <= assignment.limits.upload_entries
    for path, content in upload.files.items():
        limit = wanted(path)
        assert limit is not None
        assert len(content) <= limit.size
    for path in taken:
        assert not path.startswith("/")
        assert "\\" not in path
        assert not {"", ".", ".."} & set(path.split("/"))


def require_sound_submission(submission: Submission, assignment: Assignment) -> None:
    """A submission agrees with itself, and all that it says can be shown."""
    asked = [file.name for file in assignment.files]
    weights = [file.name for file in assignment.checkpoints]
    assert bool(submission.refusal) != bool(submission.sources)
    assert submission.missing == [name for name in asked if name not in submission.sources]
    assert set(submission.sources) <= set(asked)
    assert submission.missing_checkpoints == [name for name in weights if name not in submission.checkpoints]
    assert set(submission.checkpoints) <= set(weights)
    assert not (submission.refusal and submission.checkpoints)
    assert len(submission.digest) == 64
    for text in submission.sources.values():
        assert not {"\x00", "\r"} & set(text)
        assert not text.startswith("\ufeff")
        text.encode("utf-8")
    for said in (submission.name, *submission.notes, *submission.signs, *filter(None, [submission.refusal])):
        require_sentence(said)


def require_report(
    assignment: Assignment,
    submission: Submission,
    message: str = "",
    results: list[tuple[str, CheckResult]] | None = None,
) -> None:
    """There is a report of the submission in all its views; the first unit fails with `message`, if there is one."""
    if message:
        failed = CheckResult(name="check", title="a check", status=Status.FAILED, share=1.0, message=message)
        results = [(assignment.units[0].name, failed)]
    require_views(build_report(assignment, submission, results or [], _RUN))


def require_views(report: Report) -> None:
    """Page, terminal, report.json and results.json can be made of `report`, and hold nothing that acts on a display."""
    results = gradescope_results(report)
    validate_results(results)
    json.dumps(results, allow_nan=False, ensure_ascii=False).encode("utf-8")
    model = report.model_dump(mode="json")
    assert Report.model_validate(json.loads(json.dumps(model, allow_nan=False))) == report
    terminal = io.StringIO()
    print_report(report, Console(file=terminal, width=80, color_system=None))
    for view in (render_page(report), terminal.getvalue(), *_strings(results)):
        view.encode("utf-8")
        controls = {char for char in view if char < " " or "\x7f" <= char < "\xa0" or char in "\u202e\u2066"}
        assert controls <= _SHOWN_CONTROLS, sorted(controls)


def _strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in _strings(part)]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [value] if isinstance(value, str) else []

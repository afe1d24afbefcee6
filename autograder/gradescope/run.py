"""What runs in Gradescope's container: grades one upload and writes `results/results.json`, whatever happens.

    python -I -m autograder.gradescope.run ASSIGNMENT --root /autograder --secret FILE

This process only supervises; it imports neither torch nor a check. A process of its own grades (see `worker`), and
keeps in a journal what the results would be if it stopped now. When it is done, dies, or has used up the time, every
process that stems from it is ended, and only then are the results written. The site's own deadline would replace them
by a score of 0, so that this one lies before it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.assignment import Assignment, Gradescope, load_assignment
from autograder.gradescope.entries import Remark, results_without_report, with_remarks
from autograder.gradescope.metadata import FILE, Metadata, read_metadata
from autograder.gradescope.task import DONE, INTERIM, Task
from autograder.language import _, speaking
from autograder.report.writing import as_json, write_atomically
from autograder.sandbox import scratch
from autograder.sandbox.jail import child_uid
from autograder.sandbox.processes import adopt_orphans, die_with, end_children

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LOOK_SECONDS = 0.05
_MARGIN_SECONDS, _MARGIN_SHARE = 15.0, 0.1  # twice: before the site's deadline, and for the worker to finish


class Stop:
    """Whether somebody asked this process to end."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, *_arguments: object) -> None:
        """Handle a signal."""
        self.asked = True


def main(argv: list[str] | None = None) -> int:
    """Grade the upload. Wrong usage ends with 2; everything else with 0 and a file of results."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -I -m autograder.gradescope.run", description="Grade one upload.")
    parser.add_argument("assignment")
    parser.add_argument("--root", type=Path, default=Path("/autograder"), help="folder with submission/ and results/")
    parser.add_argument("--secret", type=Path, required=True, help="file with the secret of the course")
    options = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    grade_upload(lambda: load_assignment(options.assignment), options.root, options.secret, started)
    return 0


def grade_upload(load: Callable[[], Assignment], root: Path, secret: Path, started: float) -> None:
    """Grade what lies in `root`, and write the results there.

    Args:
        load: reads the manifest.
        root: `/autograder` of the container.
        secret: file with the secret of the course.
        started: `time.monotonic()` at which the site began to count.
    """
    stop = Stop()
    for name in SIGNALS:
        signal.signal(name, stop)
    try:
        _close(root)
        results = _results(load(), root, secret, started, stop)
    except Exception:  # a mistake of ours is the instructor's to see, and no student's loss
        traceback.print_exc(file=sys.stdout)
        results = results_without_report(0, [_problem()])
    folder = root / "results"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "results.json", as_json(results))
    except OSError:  # what `run_autograder` has laid down says that the grader failed, which it has
        traceback.print_exc(file=sys.stdout)


def _close(root: Path) -> None:
    """Keep the submission's user from the results and the metadata, beside what the jail does."""
    (root / "results").mkdir(parents=True, exist_ok=True)
    (root / "results").chmod(0o700)
    with contextlib.suppress(FileNotFoundError):
        (root / FILE).chmod(0o600)


def _results(assignment: Assignment, root: Path, secret: Path, started: float, stop: Stop) -> dict[str, Any]:
    metadata, problems = read_metadata(root / FILE)
    settings = assignment.gradescope
    seconds = seconds_granted(os.environ.get("TIMEOUT_SECONDS", ""), settings)
    for line in [*problems, *_for_instructor(metadata, seconds, settings)]:
        print(line)
    with speaking(assignment.language):
        unjudged = _one_too_many(metadata, settings)
        if unjudged is not None:
            return unjudged
        remarks = _of_the_metadata(metadata)
        margin = min(_MARGIN_SECONDS, _MARGIN_SHARE * seconds)
        room = Path(tempfile.mkdtemp(prefix="genlab-"))
        try:
            room.chmod(0o711)  # the submission's user passes through to its scratch folder
            (room / "journal").mkdir(mode=0o700)
            ends = started + seconds - 2 * margin
            task = Task(assignment, root, secret, metadata, remarks, room, ends)
            why = _supervise(task, started + seconds - margin, stop)
            return _from_journal(task.journal, why, remarks)
        finally:
            scratch.remove(room)


def seconds_granted(environment: str, settings: Gradescope) -> float:
    """Seconds after which the site ends the grader: as its harness says, else as the manifest asks for."""
    with contextlib.suppress(ValueError):
        if 0 < float(environment) < float("inf"):
            return float(environment)
    return settings.timeout_minutes * 60


def _supervise(task: Task, ends: float, stop: Stop) -> Remark:
    """Have the worker do the task; when this returns, nothing runs any more that stems from it.

    Returns:
        What is to be said if the worker has not finished.
    """
    adopt_orphans()
    sys.stdout.flush()
    sys.stderr.flush()
    supervisor, pid = os.getpid(), os.fork()
    if pid == 0:
        _work(task, supervisor)
    why, status = _out_of_time(), None
    try:
        while time.monotonic() < ends:
            if stop.asked:
                print("the grader was asked to end; the results are those until now", flush=True)
                why = _stopped()
                break
            done, found = os.waitpid(pid, os.WNOHANG)
            if done:
                status = found
                break
            time.sleep(_LOOK_SECONDS)
        else:
            print("the grader's time was up; the results are those until now", flush=True)
    finally:
        for name in SIGNALS:  # what is left to do is little, and must not be cut short
            signal.signal(name, signal.SIG_IGN)
        _end_everything(pid, status is None)
    if status is None:
        return why
    if os.WIFSIGNALED(status):
        print(
            f"the grader was ended by {signal.Signals(os.WTERMSIG(status)).name}. SIGKILL is mostly want of memory: "
            f"{task.assignment.id} needs {task.assignment.gradescope.memory_mb} MB in the site's settings"
        )
        return _stopped()
    return _problem()


def _work(task: Task, supervisor: int) -> None:
    """Life of the worker; ends with it."""
    status = 1
    try:
        for name in SIGNALS:
            signal.signal(name, signal.SIG_DFL)
        die_with(supervisor)
        tempfile.tempdir = str(task.room)
        from autograder.gradescope.worker import grade

        grade(task)
        status = 0
    except BaseException:
        traceback.print_exc(file=sys.stdout)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(status)


def _end_everything(worker: int, alive: bool) -> None:
    if alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    if not end_children(child_uid(worker)):
        print("a process of the submission could not be ended", flush=True)
    if alive:
        with contextlib.suppress(ChildProcessError):  # mostly it is reaped by now
            os.waitpid(worker, 0)


def _from_journal(journal: Path, why: Remark, remarks: tuple[Remark, ...]) -> dict[str, Any]:
    """What the worker has finished, else what it had until it stopped, with the reason."""
    for name, reasons in ((DONE, []), (INTERIM, [why])):
        with contextlib.suppress(FileNotFoundError):
            results: dict[str, Any] = json.loads((journal / name).read_text("utf-8"))
            return with_remarks(results, reasons)
    return results_without_report(0, [why, *remarks])


def _one_too_many(metadata: Metadata, settings: Gradescope) -> dict[str, Any] | None:
    """The results of an upload that is one too many: uploading it has changed nothing. None if it is to be judged."""
    if settings.uploads_per_day is None:
        return None
    again = metadata.next_judged(settings.uploads_per_day)
    score = next((upload.score for upload in reversed(metadata.earlier) if upload.score is not None), None)
    if again is None or score is None:
        return None
    print("not judged: more uploads than the manifest allows within 24 hours")
    sentence = _(
        "This upload was not judged, because {n} were judged within the 24 hours before it. The score is that of the "
        "upload before. Uploads are judged again from {time} on."
    )
    text = sentence.format(n=settings.uploads_per_day, time=again.isoformat(sep=" ", timespec="minutes"))
    return results_without_report(score, [Remark("limit", _("Not judged: too many uploads"), text)])


def _of_the_metadata(metadata: Metadata) -> tuple[Remark, ...]:
    if metadata.late_by is None:
        return ()
    text = _("The due date has passed. The points below are without any deduction; the course staff decides on that.")
    return (Remark("late", _("Handed in late"), text),)


def _for_instructor(metadata: Metadata, seconds: float, settings: Gradescope) -> list[str]:
    """Lines for the standard output, which students do not see."""
    lines = []
    if metadata.late_by is not None:
        last = ", and after the late due date" if metadata.after_late_due_date else ""
        lines.append(f"late by {metadata.late_by}{last}")
    members, most = len(metadata.users), metadata.assignment.group_size
    if members > 1:
        lines.append(f"handed in by {members} people")
    if most is not None and members > most:
        lines.append(f"that is more than the {most} of a group")
    if metadata.previous_submissions:
        failed = sum(upload.autograder_error for upload in metadata.previous_submissions)
        lines.append(f"{len(metadata.previous_submissions)} uploads before this one, {failed} with a grader's error")
    if seconds < settings.timeout_minutes * 60:
        lines.append(
            f"the site grants {seconds / 60:.2g} minutes, and the manifest asks for {settings.timeout_minutes:g}: "
            "set them under Settings, Autograder Timeout"
        )
    return lines


def _out_of_time() -> Remark:
    text = _(
        "The site's time was used up before all checks were finished. If your code is slow or hangs, mend that and "
        "upload again; otherwise please tell the course staff."
    )
    return Remark("problem", _("Grading was stopped early"), text)


def _stopped() -> Remark:
    text = _(
        "The grader was ended in the middle of its work, such as for want of memory. What had been judged until then "
        "counts; please tell the course staff."
    )
    return Remark("problem", _("Grading was stopped early"), text)


def _problem() -> Remark:
    text = _(
        "Something went wrong in the grader, not in the submission. "
        "What could not be judged is not lost; please tell the course staff."
    )
    return Remark("problem", _("The grader had a problem"), text)


if __name__ == "__main__":
    sys.exit(main())

import os
import signal
import time
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from autograder.assignment import Gradescope, Limits, ManifestError
from autograder.gradescope import run, worker
from autograder.gradescope.run import main, seconds_granted
from autograder.gradescope.worker import in_memory, in_time, upload_seed
from autograder.grading import engine as engine_module
from autograder.intake import read_submission

from .conftest import children, gone

SLEEPS = "import time\n\n\ndef total(prices):\n    return prices.sum()\n\n\ndef mean(prices):\n    time.sleep(1000)\n"
LONG = Limits(call_seconds=1000, budget_seconds=1000)


def tagged(results: dict, tag: str) -> list[dict]:
    return [test for test in results["tests"] if tag in test["tags"]]


def scores(results: dict) -> dict[str, float]:
    return {test["name"].partition(" (")[0]: test["score"] for test in results["tests"] if "score" in test}


def test_the_masters_get_everything_and_the_instructor_the_report(site, course, files):
    site.upload(files)
    results = site.grade(course.assignment())
    assert (results["score"], scores(results)) == (9, {"shop.total": 2, "shop.mean": 3, "till.change": 4})
    assert "auto-graded 9 / 9" in results["output"]
    assert "auto-graded 9 / 9" in site.stdout
    assert os.stat(site.root / "results").st_mode & 0o777 == 0o700


def test_score_and_messages_are_those_of_the_engine(site, course, files):
    changed = {**files, "shop.py": files["shop.py"].replace("total(prices) / prices.numel()", "total(prices)")}
    site.upload(changed)
    assignment = course.assignment()
    results = site.grade(assignment)
    taken = read_submission([site.root / "submission"], assignment)
    with engine_module.Engine(assignment) as engine:
        report = engine.grade(taken, results["extra_data"]["seed"])
    assert results["score"] == report.earned == 6
    told = {check.name: check.message for unit in report.units for check in unit.checks}
    (failed,) = [test for test in results["tests"] if test.get("score") == 0]
    assert told["mean"].splitlines()[0] in failed["output"]


@pytest.mark.parametrize("laid_down", ["nested", "zip"])
def test_folders_and_a_zip_in_the_upload_are_looked_into(site, course, files, laid_down, tmp_path):
    if laid_down == "nested":
        site.upload({f"my work/v2/{name}": text for name, text in files.items()})
    else:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for name, text in files.items():
                archive.writestr(f"work/{name}", text)
        site.upload({"a.zip": (tmp_path / "a.zip").read_bytes()})
    assert site.grade(course.assignment())["score"] == 9


def test_a_missing_file_is_named_and_costs_its_points_alone(site, course, files):
    site.upload({**files, "till.py": None})
    results = site.grade(course.assignment())
    assert results["score"] == 5
    assert tagged(results, "missing")[0]["output"] == "till.py"


@pytest.mark.parametrize("folder", [True, False])
def test_an_empty_upload_is_a_refusal(site, course, folder):
    if not folder:
        (site.root / "submission").rmdir()
    results = site.grade(course.assignment())
    assert results["score"] == 0
    assert tagged(results, "refusal")[0]["status"] == "failed"


# --------------------------------------------------------------------------------------------------- time


@pytest.mark.threat(21, 27)
def test_a_hanging_submission_gets_its_results_before_the_site_ends_the_grader(site, course, files, monkeypatch):
    monkeypatch.setenv("TIMEOUT_SECONDS", "8")
    site.upload({**files, "shop.py": SLEEPS})
    started = time.monotonic()
    results = site.grade(course.assignment(limits=LONG))
    assert time.monotonic() - started < 30  # a busy machine; the deadlines themselves are those of the next test
    assert results["score"] <= 2
    late = [test for test in results["tests"] if test.get("max_score") in (3, 4)]
    assert late or results["tests"][0]["name"] == "Grading was stopped early"
    assert all("ungradable" in test["tags"] for test in late)
    assert "the site grants 0.13 minutes" in site.stdout


@pytest.mark.threat(27)
@pytest.mark.parametrize(
    ("granted", "worker_ends", "supervisor_ends"), [("", 570, 585), ("2400", 2370, 2385), ("60", 48, 54)]
)
def test_both_deadlines_lie_below_that_of_the_site(site, course, monkeypatch, granted, worker_ends, supervisor_ends):
    seen = []
    monkeypatch.setenv("TIMEOUT_SECONDS", granted)
    monkeypatch.setattr(run, "_supervise", lambda task, ends, stop: seen.append((task.ends, ends)) or run._stopped())
    before = {name: signal.getsignal(name) for name in run.SIGNALS}
    run.grade_upload(course.assignment, site.root, site.secret, 1000.0)
    for name, handler in before.items():
        signal.signal(name, handler)
    assert seen == [(1000 + worker_ends, 1000 + supervisor_ends)]


@pytest.mark.threat(27)
def test_a_limit_that_is_too_short_for_anything_still_gives_results(site, course, files, monkeypatch):
    monkeypatch.setenv("TIMEOUT_SECONDS", "0.1")
    site.upload(files)
    results = site.grade(course.assignment())
    assert results["score"] == 0
    assert results["tests"][0]["name"] == "Grading was stopped early"
    assert "time was used up" in results["tests"][0]["output"]


@pytest.mark.parametrize(
    ("environment", "seconds"), [("", 600), ("1200", 1200), ("ten", 600), ("-1", 600), ("nan", 600), ("inf", 600)]
)
def test_the_harness_says_how_long_or_else_the_manifest(environment, seconds):
    assert seconds_granted(environment, Gradescope()) == seconds


def test_budgets_are_cut_to_the_time_that_is_left(course):
    assignment = course.assignment()
    assert in_time(assignment, 1000) == assignment.model_copy(
        update={"generation": assignment.generation.model_copy(update={"budget_seconds": 240})}
    )
    short = in_time(assignment, 100)
    assert (short.limits.budget_seconds, short.generation.budget_seconds) == (100, 100)
    assert in_time(assignment, -5).limits.budget_seconds == 0
    assert short.checks == assignment.checks


@pytest.mark.threat(24)
def test_a_child_gets_no_more_memory_than_the_container_has(course):
    small, large = course.assignment(), course.assignment()
    large = large.model_copy(update={"gradescope": Gradescope(memory_mb=6000)})
    assert in_memory(small).limits.memory_mb < small.gradescope.memory_mb / 2
    assert in_memory(large).limits.memory_mb == large.limits.memory_mb


# --------------------------------------------------------------------------------------------------- a sudden end


@pytest.mark.threat(62)
@pytest.mark.parametrize("end", ["the worker is killed", "the site asks the supervisor to end"])
def test_what_was_judged_until_a_sudden_end_counts(site, course, files, end):
    site.upload({**files, "shop.py": SLEEPS})
    assignment = course.assignment(limits=LONG)
    site.start(lambda: assignment)
    work = site.until("total", "passed")
    (zygote,) = children(work)
    orders = [int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (work, zygote)]
    os.kill(*((work, signal.SIGKILL) if end == "the worker is killed" else (site.supervisor, signal.SIGTERM)))
    results = site.wait()
    assert orders == [0, 1000]
    assert results["score"] == 2
    assert results["tests"][0]["name"] == "Grading was stopped early"
    assert results["extra_data"]["checks"] == {"total": "passed", "mean": "ungradable", "change": "ungradable"}
    assert results["extra_data"]["ungradable_points"] == 7
    assert "Not judged: grading was stopped before this check was finished." in results["tests"][2]["output"]
    assert ("SIGKILL is mostly want of memory" in site.stdout) == (end == "the worker is killed")
    assert gone(work)
    assert gone(zygote)


FORGER = """
import os, time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("started", flush=True)
        open("{root}/forger", "w").write(str(os.getpid()))
        while True:
            try:
                os.makedirs("{root}/results", exist_ok=True)
                open("{root}/results/results.json", "w").write('{{"score": 100}}')
            except OSError:
                pass
            time.sleep(0.001)
    os._exit(0)
while not os.path.exists("{root}/forger"):
    time.sleep(0.01)
"""


@pytest.fixture
def unguarded(monkeypatch):
    """An engine whose jail is open: what is planted can fork and is root, if the tests are."""
    made = engine_module.Engine
    monkeypatch.setattr(worker, "Engine", lambda assignment: made(assignment, trust=True, layers=("environment",)))


@pytest.mark.threat(3, 4)
@pytest.mark.parametrize("killed", [False, True])
def test_a_process_left_behind_cannot_rewrite_the_results(site, course, files, unguarded, killed):
    site.upload({**files, "shop.py": FORGER.format(root=site.root) + (SLEEPS if killed else files["shop.py"])})
    assignment = course.assignment(limits=LONG)
    site.start(lambda: assignment)
    if killed:
        work = site.until("total", "passed")
        os.kill(work, signal.SIGKILL)
    results = site.wait()
    forger = int((site.root / "forger").read_text())
    assert gone(forger)
    assert results["score"] == (2 if killed else 9)
    time.sleep(0.02)
    assert (site.root / "results" / "results.json").read_text() != '{"score": 100}'


NOSY = """
import os


def total(prices):
    for path in ("results", "results/results.json", "secret", "submission_metadata.json"):
        try:
            os.listdir("{root}/" + path) if path == "results" else open("{root}/" + path).read()
            print(path, "is open")
        except OSError as error:
            print(path, error.strerror)
    return prices.sum()
"""


@pytest.mark.threat(2, 3)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the site runs the grader as root")
def test_as_a_user_of_its_own_the_submission_reaches_neither_results_nor_secret(site, course, files, monkeypatch):
    made = engine_module.Engine
    monkeypatch.setattr(worker, "Engine", lambda assignment: made(assignment, layers=("environment", "uid")))
    site.upload({**files, "shop.py": NOSY.format(root=site.root)})
    site.metadata({"id": 1, "users": [{"email": "someone@example.org"}]})
    checks = """
@points("shop.total")
@public
def test_total(student, draw):
    student.shop.total(draw.normal(3))


@points("shop.mean")
def test_mean():
    pass


@points("till.change")
def test_change():
    pass
"""
    (site.root / "results" / "results.json").write_text("{}")
    results = site.grade(course.assignment(checks))
    printed = next(test["output"] for test in results["tests"] if test.get("max_score") == 2)
    assert printed.count("Permission denied") == 4, printed
    assert "is open" not in printed


# --------------------------------------------------------------------------------------------------- our own mistakes


def test_a_mistake_of_ours_is_told_to_the_instructor_and_costs_nobody(site, course, files):
    site.upload(files)
    broken = course.assignment('@points("nothing.at_all")\ndef test_x():\n    pass\n')
    results = site.grade(broken)
    assert results["tests"][0]["name"] == "The grader had a problem"
    assert "the manifest has no unit 'nothing.at_all'" in site.stdout
    assert "nothing.at_all" not in str(results)


def test_a_manifest_that_cannot_be_read_is_no_exception(site):
    def load():
        raise ManifestError("no assignment 'x'")

    site.start(load)
    results = site.wait()
    assert (results["score"], results["tests"][0]["name"]) == (0, "The grader had a problem")
    assert "no assignment 'x'" in site.stdout


def test_a_full_disk_is_no_exception(site, course, files, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(worker, "write_atomically", full)
    site.upload(files)
    results = site.grade(course.assignment())
    assert results["tests"][0]["name"] == "The grader had a problem"
    assert "No space left on device" in site.stdout


def test_wrong_usage_ends_with_2_and_says_what_is_missing(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["ift6135_h25"])
    assert "--secret" in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------- metadata, seeds


@pytest.mark.threat(17)
def test_each_upload_meets_inputs_of_its_own_and_a_regrade_the_same(site):
    seeds = [upload_seed(b"s" * 32, "d" * 64, upload) for upload in (None, 1, 2)]
    assert len(set(seeds)) == 3
    assert upload_seed(b"s" * 32, "d" * 64, 2) == seeds[2]
    assert upload_seed(b"t" * 32, "d" * 64, 2) != seeds[2]
    assert upload_seed(b"s" * 32, "e" * 64, 2) != seeds[2]
    assert worker.course_secret(site.secret) == b"s" * 32


@pytest.mark.parametrize("content", [None, b"", b"no secret"])
def test_without_a_secret_inputs_cannot_be_foretold_either(tmp_path, capsys, content):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    secret = worker.course_secret(path)
    if content:
        assert secret == content
    else:
        assert secret != worker.course_secret(path)
        assert "no secret in secret" in capsys.readouterr().out


CREATED = datetime.fromisoformat("2025-03-02T12:00:00-05:00")


def upload_metadata(**changes) -> dict:
    return {
        "id": 7,
        "created_at": CREATED.isoformat(),
        "assignment": {"due_date": "2025-03-02T11:00:00-05:00", "late_due_date": None, "group_size": 2},
        "users": [{"id": number, "name": "<b>x", "email": "x@example.org"} for number in (1, 2, 3)],
        "previous_submissions": [],
        **changes,
    }


@pytest.mark.threat(61)
def test_late_and_group_are_told_and_cost_nothing(site, course, files):
    site.upload(files)
    site.metadata(upload_metadata(assignment={"due_date": "2025-03-02T11:00:00-05:00", "group_size": 2, "id": []}))
    results = site.grade(course.assignment())
    assert results["score"] == 9
    assert results["tests"][0]["name"] == "Handed in late"
    assert "late by 1:00:00\nhanded in by 3 people\nthat is more than the 2 of a group" in site.stdout
    assert "example.org" not in str(results) + site.stdout


@pytest.mark.threat(61)
@pytest.mark.parametrize("content", [b"", b"\xff{", b"[1]"])
def test_metadata_that_say_nothing_are_fine(site, course, files, content):
    site.upload(files)
    site.metadata(content)
    assert site.grade(course.assignment())["score"] == 9
    assert "graded without it" in site.stdout


@pytest.mark.threat(17, 61)
def test_an_upload_too_many_keeps_the_score_of_the_one_before(site, course, files):
    assignment = course.assignment()
    assignment = assignment.model_copy(update={"gradescope": Gradescope(uploads_per_day=2)})
    times = [(CREATED - timedelta(hours=hours)).isoformat() for hours in (20, 10, 1)]
    previous = [
        {"submission_time": time, "score": score, "autograder_error": error}
        for time, score, error in zip(times, (8.5, 4.0, 0.0), (False, False, True), strict=True)
    ]
    site.upload(files)
    site.metadata(upload_metadata(previous_submissions=previous))
    results = site.grade(assignment)
    assert results["score"] == 4
    assert "judged again from 2025-03-02 16:00-05:00 on" in results["tests"][0]["output"]
    assert scores(results) == {}

import json
import re
from copy import deepcopy
from pathlib import Path

import pytest
from pydantic import ValidationError

from autograder.assignment import Gradescope
from autograder.gradescope.entries import Remark, results_without_report, with_remarks
from autograder.gradescope.results import OUTPUT_CHARS, gradescope_results, validate_results
from autograder.grading.report import CheckResult, Report, Status, SubmissionInfo

SAMPLE = Path(__file__).parent.parent / "report" / "sample.json"
GENERATION = SAMPLE.with_name("sample_generation.json")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture
def report() -> Report:
    return Report.model_validate_json(SAMPLE.read_text("utf-8"))


@pytest.fixture
def results(report) -> dict:
    return gradescope_results(report)


@pytest.fixture
def generation_report() -> Report:
    return Report.model_validate_json(GENERATION.read_text("utf-8"))


def entry(results: dict, number: str) -> dict:
    (found,) = [test for test in results["tests"] if test.get("number") == number]
    return found


def strings(value) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for text in map("".join, map(strings, pair))]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


def test_the_sample_keeps_the_contract(results):
    validate_results(results)
    assert json.loads(json.dumps(results)) == results


def test_the_score_is_the_sum_of_the_entries(results):
    assert results["score"] == 62
    assert sum(test.get("score", 0) for test in results["tests"]) == pytest.approx(62)
    assert sum(test.get("max_score", 0) for test in results["tests"]) == pytest.approx(87)


def test_one_entry_per_unit_in_order(results, report):
    scored = [test for test in results["tests"] if "score" in test]
    assert [test["max_score"] for test in scored] == [unit.points for unit in report.units]
    assert len({test["number"] for test in results["tests"]}) == len(results["tests"])
    assert entry(results, "2.1.5")["name"] == "DenoiseDiffusion.loss"


def test_a_failed_unit_says_what_is_wrong(results):
    failed = entry(results, "1.1.3")
    assert (failed["score"], failed["max_score"], failed["status"]) == (2, 8, "failed")
    assert "passed: one value per sample" in failed["output"]
    assert "never added back" in failed["output"]


def test_tracebacks_and_public_output_are_indented_under_their_check(results):
    output = entry(results, "1.1.5")["output"]
    assert "\n        q1_vae.py, line 31, in log_likelihood_normal\n            mu = mu.view(batch_size, -1)" in output
    assert "\n        mu (4, 10, 8)" in output


@pytest.mark.parametrize(
    ("number", "word", "meaning"),
    [("2.1.4", "skipped", "Not run"), ("3.3.1", "ungradable", "neither earned nor lost")],
)
def test_skipped_and_ungradable_are_said_in_words(results, number, word, meaning):
    unit = entry(results, number)
    assert unit["name"].endswith(f"({word})")
    assert meaning in unit["output"]
    assert unit["status"] == "failed"
    assert word in unit["tags"]


def test_a_check_that_says_nothing_in_a_failed_unit_is_explained(report):
    unit = report.units[2]
    unit.checks[2].status, unit.checks[2].message = Status.SKIPPED, ""
    assert "Not run" in entry(gradescope_results(report), "1.1.3")["output"]


def test_passed_has_neither_note_nor_suffix(results):
    passed = entry(results, "1.1.1")
    assert passed["name"] == "log_likelihood_bernoulli"
    assert passed["status"] == "passed"


def test_what_a_person_marks_is_in_the_words_not_in_the_points(results, report):
    assert "81 points wait for a person" in results["output"]
    for question in report.questions:
        listed = f"{question.id} {question.title}: marked by a person" in results["output"]
        assert listed == bool(question.rubric)
    assert not any("Latent space" in test["name"] for test in results["tests"])


@pytest.mark.threat(60)
def test_all_but_the_table_of_parts_is_plain_text_and_nothing_is_hidden_but_stdout(results):
    formats = [results[key] for key in ("test_output_format", "test_name_format")]
    formats += [test[key] for test in results["tests"] for key in ("name_format", "output_format")]
    assert set(formats) == {"text"}
    assert results["output_format"] == "html"
    assert {test["visibility"] for test in results["tests"]} == {"visible"}
    assert results["stdout_visibility"] == "hidden"


def test_extra_data_is_enough_to_repeat_the_run(results, report):
    extra = results["extra_data"]
    assert extra["seed"] == report.run.seed
    assert extra["digest"] == report.submission.digest
    assert extra["schema_version"] == report.schema_version
    assert extra["checks"] == {check.name: check.status.value for unit in report.units for check in unit.checks}


def test_notes_and_missing_files_are_entries_without_points(results):
    missing, notes = entry(results, "0.1"), entry(results, "0.2")
    assert missing["output"] == "q1_train_vae.py"
    assert missing["status"] == "failed"
    assert "__MACOSX" in notes["output"]
    assert "status" not in notes
    assert "score" not in missing
    assert "score" not in notes


def test_a_refusal_is_the_first_entry(report):
    report.submission.refusal = "The archive is damaged: make it again."
    for unit in report.units:
        unit.status, unit.earned, unit.checks = Status.SKIPPED, 0.0, []
    results = gradescope_results(report)
    validate_results(results)
    assert results["score"] == 0
    assert results["tests"][0]["output"] == "The archive is damaged: make it again."
    assert results["tests"][0]["status"] == "failed"


def test_the_internals_of_the_grader_are_not_told(report):
    report.run.problem = "KeyError in the reference of log_mean_exp"
    results = gradescope_results(report)
    assert not any("KeyError" in text for text in strings(results))
    assert any("The grader had a problem" in test["name"] for test in results["tests"])


@pytest.mark.threat(16)
def test_what_hidden_checks_printed_stays_hidden(report):
    for unit in report.units:
        for check in unit.checks:
            check.printed, check.public = "hidden input 0.123", False
    assert not any("hidden input" in text for text in strings(gradescope_results(report)))


@pytest.mark.threat(59, 60)
def test_hostile_text_is_clean_and_short(report):
    nasty = "<b>x</b> \x1b[31mred\x1b[0m \x00\x07 \ud800 \u202e line\r\nnext " + "A" * 200_000 + "\n" * 200_000 + "end"
    report.submission.name = nasty
    report.submission.notes = [nasty] * 1000
    for unit in report.units[:3]:
        unit.name = nasty
        for check in unit.checks:
            check.title = check.message = check.traceback = check.printed = nasty
            check.public = True
    results = gradescope_results(report)
    validate_results(results)
    assert not any(CONTROL.search(text) for text in strings(results))
    assert all(len(test["output"]) <= OUTPUT_CHARS < 100_000 for test in results["tests"])
    assert all("\n" not in test["name"] and len(test["name"]) < 400 for test in results["tests"])
    assert entry(results, "1.1.1")["output"].endswith("end")


@pytest.mark.threat(60)
def test_hostile_text_in_scores_is_clean_and_short(generation_report):
    nasty = "<b>x</b> \x1b[31mred\x1b[0m \x00 \ud800 \u202e line\r\nnext " + "A" * 200_000
    for unit in generation_report.units:
        for check in unit.checks:
            if check.generation:
                check.generation.model = check.generation.plan = nasty
                for score in check.generation.classes:
                    score.name = score.taken_for = nasty
    results = gradescope_results(generation_report)
    validate_results(results)
    assert not any(CONTROL.search(text) for text in strings(results))
    assert all(len(test["output"]) <= OUTPUT_CHARS for test in results["tests"])


def test_rounding_hides_the_noise_of_sums(report):
    report.units[0].earned = 5.999999999999
    results = gradescope_results(report)
    assert entry(results, "1.1.1")["score"] == 6
    assert results["score"] == 62


def test_french(report):
    report.language = "fr"
    results = gradescope_results(report)
    validate_results(results)
    assert results["output"].startswith("<p>correction automatique\u00a0: 62 / 87")
    assert entry(results, "2.1.4")["name"].endswith("(non exécuté)")


def test_bonus_is_in_the_total_which_may_exceed_the_points_without_it(generation_report):
    for unit in generation_report.units:
        unit.earned = unit.points
    results = gradescope_results(generation_report)
    validate_results(results)
    assert results["score"] == 84 + 30
    assert results["extra_data"]["auto_points"] == 84
    assert results["extra_data"]["bonus_points"] == 30


def test_bonus_is_marked_as_such_and_keeps_its_points(generation_report):
    results = gradescope_results(generation_report)
    bonus = [test for test in results["tests"] if "bonus" in test.get("tags", [])]
    assert [(test["number"], test["score"], test["max_score"]) for test in bonus] == [
        ("4.1.1", 3, 6),
        ("4.4.1", 19.992, 24),
    ]
    assert all("(bonus)" in test["name"] for test in bonus)
    assert sum("(bonus)" in test["name"] for test in results["tests"]) == len(bonus)
    assert "55.8 / 84 + 22.99 / 30 bonus" in results["output"]


def test_a_score_is_told_with_interval_and_classes(generation_report):
    results = gradescope_results(generation_report)
    validate_results(results)
    partly = entry(results, "1.7.1")
    assert (partly["name"], partly["score"], partly["status"]) == ("assignment.prepare_ddpm (partly)", 28.8, "failed")
    assert "partly: accuracy of the samples (28.8 / 32)" in partly["output"]
    assert "best, 168 of 200: 84.0% (95% interval 78.3% to 88.4%), score 90.0%" in partly["output"]
    assert "\n    Shirt             60     29  48.3%  T-shirt/top                 80.1%" in partly["output"]
    assert "120 instead of 200 samples" in entry(results, "4.4.1")["output"]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_students_get_neither_the_instructors_lines_nor_the_second_opinion_nor_pictures(generation_report, language):
    generation_report.language = language
    found = [check.generation for unit in generation_report.units for check in unit.checks if check.generation]
    for generation in found:
        generation.second_opinion = 0.4321
        generation.for_instructor = ["made for the classifier"]
    told = " ".join(strings(gradescope_results(generation_report)))
    assert len(found) == 3
    assert not re.search("43[.,]|0[.,]43|made for the classifier|second classif|nstructor|enseignant", told)
    assert not any(generation.picture[:40] in told for generation in found)


PLANTED = "<img src=x onerror=alert(1)>&lt;b&gt; **bold** [link](javascript:x) \x1b[31mred\x1b[0m <td>"
MODELS = {"schema_version", "assignment", "language", "id", "kind", "points", "share", "earned", "credit"}


def plant(value, field=""):
    """The same model, with the planted text in every field of text that is not checked by the model itself."""
    if isinstance(value, dict):
        return {key: value[key] if key in MODELS else plant(value[key], key) for key in value}
    if isinstance(value, list):
        return [plant(item, field) for item in value]
    return PLANTED if isinstance(value, str) and not isinstance(value, Status) else value


@pytest.mark.threat(60)
@pytest.mark.parametrize("visibility", ["visible", "after_published"])
def test_what_is_html_holds_no_text_of_a_submission_and_escapes_even_ours(generation_report, visibility):
    generation_report.submission.refusal = generation_report.run.problem = "x"
    generation_report.submission.missing, generation_report.submission.notes = ["x"], ["x"]
    hostile = Report.model_validate(plant(generation_report.model_dump()))
    settings = Gradescope(visibility=visibility, leaderboard=True)
    results = gradescope_results(hostile, settings, [Remark("late", "Late", PLANTED)])
    validate_results(results)
    assert set(re.findall(r"<(/?\w*)", results["output"])) == {
        *("p", "/p", "table", "/table", "tr", "/tr", "th", "/th", "td", "/td", "ul", "/ul", "li", "/li")
    }
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;lt;b&amp;gt;" in results["output"], "titles of the manifest"
    assert {test[key] for test in results["tests"] for key in ("output_format", "name_format")} == {"text"}
    html = [place for place, value in results.items() if place.endswith("_format") and value != "text"]
    assert html == ["output_format"]
    assert not any("\x1b" in text for text in strings(gradescope_results(hostile)))


@pytest.mark.threat(60)
def test_the_table_of_parts_is_the_same_whatever_the_submission_says(generation_report):
    before = gradescope_results(generation_report)["output"]
    generation_report.submission = SubmissionInfo.model_validate(plant(generation_report.submission.model_dump()))
    for unit in generation_report.units:
        unit.checks = [CheckResult.model_validate(plant(check.model_dump())) for check in unit.checks]
    assert gradescope_results(generation_report)["output"] == before


def test_the_table_of_parts_adds_up(generation_report, report):
    assert "<td>4</td></tr>" in gradescope_results(generation_report)["output"]
    assert "(bonus)</td> <td>22.99 / 30</td> <td>0</td></tr>" in gradescope_results(generation_report)["output"]
    assert gradescope_results(report)["output"].count("<tr><td>") == len(report.parts)


@pytest.mark.parametrize("visibility", ["after_due_date", "after_published"])
def test_what_is_held_back_is_not_told_at_the_top_either(report, visibility):
    results = gradescope_results(report, Gradescope(visibility=visibility))
    validate_results(results)
    units = [test for test in results["tests"] if "score" in test]
    assert {test["visibility"] for test in units} == {visibility}
    assert {test["visibility"] for test in results["tests"] if "score" not in test} == {"visible"}
    assert "62" not in results["output"]
    assert "What the checks found is shown" in results["output"]
    assert "marked by a person" in results["output"]


def test_hidden_is_refused_with_the_reason():
    with pytest.raises(ValidationError, match="would keep the total from students as well; say 'after_published'"):
        Gradescope(visibility="hidden")


def test_the_leaderboard_has_the_best_accuracy_of_each_model(generation_report):
    assert "leaderboard" not in gradescope_results(generation_report)
    results = gradescope_results(generation_report, Gradescope(leaderboard=True))
    validate_results(results)
    assert results["leaderboard"][0] == {"name": "DDPM (%)", "value": 84.0, "order": "desc"}
    judged = [check.generation for unit in generation_report.units for check in unit.checks if check.generation]
    assert len(results["leaderboard"]) == sum(bool(found.evaluations) for found in judged)


def test_remarks_stand_above_everything_else(report):
    results = gradescope_results(report, remarks=[Remark("late", "Handed in late", "so it is")])
    more = with_remarks(results, [Remark("problem", "Stopped", "why")])
    validate_results(more)
    assert [test["name"] for test in more["tests"][:2]] == ["Stopped", "Handed in late"]
    assert len({test["number"] for test in more["tests"]}) == len(more["tests"])
    assert "status" not in more["tests"][0]


@pytest.mark.parametrize("remarks", [[], [Remark("limit", "Not judged", "too many")]])
def test_results_without_a_report_keep_the_contract(remarks):
    results = results_without_report(4.123456, remarks)
    validate_results(results)
    assert (results["score"], len(results["tests"])) == (4.1235, len(remarks))


@pytest.mark.parametrize(
    "small",
    [
        {"score": 0},
        {"tests": []},
        {"tests": [{"score": 1, "max_score": 2}]},
        {"score": 1, "tests": [{"name": "a note", "status": "failed"}]},
        {"score": 1, "leaderboard": [{"name": "FID", "value": 12.5, "order": "asc"}]},
        {"score": 1, "visibility": "after_published", "output_format": "md"},
    ],
)
def test_the_schema_takes_what_the_contract_allows(small):
    validate_results(small)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda r: r.pop("score"), "$"),
        (lambda r: r.update(score="62"), "$.score"),
        (lambda r: r.update(max_score=87), "$"),
        (lambda r: r.update(visibility="shown"), "$.visibility"),
        (lambda r: r.update(output_format="rich"), "$.output_format"),
        (lambda r: r.update(execution_time=-1), "$.execution_time"),
        (lambda r: r.update(output="a\r\nb"), "$.output"),
        (lambda r: r.update(output="x" * 100_001), "$.output"),
        (lambda r: r.update(extra_data=[]), "$.extra_data"),
        (lambda r: r.update(leaderboard=[{"name": "FID"}]), "$.leaderboard[0]"),
        (lambda r: r["tests"][3].update(status="skipped"), "$.tests[3].status"),
        (lambda r: r["tests"][3].update(number=1.1), "$.tests[3].number"),
        (lambda r: r["tests"][3].update(tags="vae"), "$.tests[3].tags"),
        (lambda r: r["tests"][3].update(name="a\x00b"), "$.tests[3].name"),
        (lambda r: r["tests"][3].update(output="\ud800"), "$.tests[3].output"),
        (lambda r: r["tests"][3].update(title="x"), "$.tests[3]"),
    ],
)
def test_the_schema_refuses_what_breaks_the_contract(results, change, place):
    broken = deepcopy(results)
    change(broken)
    with pytest.raises(ValueError, match="Gradescope contract at " + re.escape(place)):
        validate_results(broken)

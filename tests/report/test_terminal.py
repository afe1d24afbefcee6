import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from autograder.grading.report import Report, Status
from autograder.report.terminal import print_report

GOLDEN = Path(__file__).parent / "golden" / "terminal_80.txt"
GENERATION_GOLDEN = GOLDEN.with_name("generation_80.txt")


def printed(report: Report, width: int = 80, **options) -> str:
    stream = io.StringIO()
    print_report(report, Console(file=stream, width=width, **options))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def test_the_sample_at_80_columns_without_colour(report):
    assert printed(report) == GOLDEN.read_text("utf-8")


def test_generation_scores_and_bonus_at_80_columns(generation_report):
    assert printed(generation_report) == GENERATION_GOLDEN.read_text("utf-8")


def test_what_is_for_the_instructor_comes_after_everything_else(generation_report):
    text = printed(generation_report, width=100)
    before, _, after = text.partition("\nFor the instructor\n")
    assert "second classifier" not in before
    assert "VAE: Little diversity" in after
    assert after.splitlines()[-1].startswith("auto-graded 55.8 / 84 + 22.99 / 30 bonus")


def test_signs_stand_behind_what_is_for_the_instructor(generation_report):
    generation_report.submission.signs = ["q1.py:3: runs text as code: eval."]
    _, _, after = printed(generation_report).partition("\nFor the instructor\n")
    assert after.index("VAE: Little diversity") < after.index("They change no mark") < after.index("q1.py:3: runs text")


def test_a_score_without_evaluations_says_so(generation_report):
    generation = generation_report.units[2].checks[0].generation
    generation.evaluations, generation.classes = [], []
    generation_report.parts = generation_report.parts[:1]
    text = printed(generation_report)
    assert "No samples of DDPM could be judged" in text
    assert "For the instructor" not in text


def test_a_unit_stands_in_one_line_with_its_points_and_its_status(report):
    text = printed(report)
    for unit, points, status in [
        ("log_likelihood_normal", "6 / 6", "passed"),
        ("log_mean_exp", "2 / 8", "failed"),
        ("CFGDiffusion.var_p_theta", "0 / 2", "skipped"),
        ("Trainer.sample (CFG)", "5 / 10", "ungradable"),
    ]:
        assert re.search(rf"^ *{re.escape(unit)} +{points} +{status}$", text, re.MULTILINE)


def test_questions_for_a_person_are_announced(report):
    assert "marked by a person: 22 points" in printed(report)


def test_the_last_line_is_the_result(report):
    assert printed(report, width=100).splitlines()[-1] == (
        "auto-graded 62 / 87; 5 points could not be judged; 81 points wait for a person"
    )


def test_seed_and_missing_layers_are_named(report):
    text = printed(report)
    assert str(report.run.seed) in text
    assert "Landlock: this kernel (5.10) has none" in text
    assert "seccomp" not in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_console(report, generation_report, width):
    for shown in (report, generation_report):
        assert max(map(len, printed(shown, width=width).splitlines())) <= width


def test_colour_repeats_the_words_and_differs_by_status(report, generation_report):
    coloured = printed(report, force_terminal=True, color_system="standard")
    codes = set()
    both = coloured + printed(generation_report, force_terminal=True, color_system="standard")
    for standing in (*(status.value for status in Status), "partly"):
        match = re.search(rf"(\x1b\[[\d;]*m){standing} *\x1b\[0m", both)
        assert match, f"{standing} has no colour"
        codes.add(match[1])
    assert len(codes) == len(Status) + 1
    assert "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", coloured).splitlines()) == printed(
        report
    ).rstrip("\n")


@pytest.mark.threat(59, 60)
def test_strangers_text_is_neither_markup_nor_control_sequence(hostile):
    text = printed(hostile)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    joined = re.sub(r"\s+", "", text)
    assert "[boldred]markup[/]" in joined
    assert ":bomb:" in joined
    assert "</script>" in joined
    assert len(text) < 1_000_000


@pytest.mark.threat(60)
def test_strangers_text_in_scores_is_plain_too(hostile_generation):
    text = printed(hostile_generation)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert "[boldred]markup[/]" in re.sub(r"\s+", "", text)
    assert len(text) < 200_000


@pytest.mark.threat(59, 60)
def test_strangers_text_sets_no_colour_and_no_link_in_a_real_terminal(hostile):
    text = printed(hostile, force_terminal=True, color_system="standard")
    assert "\x1b]" not in text
    assert set(re.findall(r"\x1b(.)", text)) <= {"["}
    assert set(re.findall(r"\x1b\[[\d;]*(.)", text)) == {"m"}


@pytest.mark.threat(60)
def test_messages_of_hostile_length_keep_both_ends(hostile):
    text = printed(hostile)
    assert "second line" in text
    assert "last line" in text
    assert "end of traceback" in text


def test_a_console_that_knows_only_ascii_gets_ascii(report):
    report.language = "fr"
    report.submission.name = "devoir d'Élodie \u4f5c.zip"
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_report(report, Console(file=stream, width=80))
    stream.flush()
    assert "devoir d'?lodie ?.zip" in raw.getvalue().decode("ascii")


def test_a_refused_submission_shows_the_reason_once(report):
    report.submission.refusal = "The archive is damaged: make it again."
    for unit in report.units:
        unit.status, unit.earned = Status.SKIPPED, 0.0
        for check in unit.checks:
            check.status, check.message = Status.SKIPPED, report.submission.refusal
    text = printed(report)
    assert text.count("The archive is damaged") == 1
    assert "auto-graded 0 / 87" in text


def test_a_unit_without_checks_says_why(report):
    unit = report.units[0]
    unit.checks, unit.status, unit.earned = [], Status.UNGRADABLE, 0.0
    report.parts = report.parts[:1]
    assert "neither earned nor lost" in " ".join(printed(report).split())


def test_a_remark_of_a_check_that_passed_is_shown(report):
    report.units[0].checks[0].message = "Sampling keeps gradients; use torch.no_grad()."
    assert "Sampling keeps gradients" in printed(report)


def test_french_has_french_words(report):
    report.language = "fr"
    text = printed(report)
    assert "échoué" in text
    assert "correction automatique : 62 / 87" in text
    assert "failed:" not in text

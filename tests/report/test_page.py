import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

import autograder.report.page
from autograder.grading.report import Report, Status
from autograder.report.page import render_page
from autograder.report.words import words_for

STYLE = (Path(autograder.report.page.__file__).parent / "page.css").read_text("utf-8")
VOID = {"meta", "rect", "br", "img", "input", "link"}
FORBIDDEN = {"script", "link", "iframe", "object", "base", "form"}


class Page(HTMLParser):
    """The elements of a page: (tag, attributes, text directly or deeper inside)."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {[self.elements[i][0] for i in self._open]}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data):
        for index in self._open:
            self.elements[index][2].append(data)

    def find(self, tag: str, kind: str = "") -> list[str]:
        return [
            " ".join("".join(text).split())
            for name, attributes, text in self.elements
            if name == tag and (not kind or kind in (attributes.get("class") or "").split())
        ]

    @property
    def text(self) -> str:
        return self.find("body")[0]


def parsed(report: Report) -> Page:
    return Page(render_page(report))


def test_every_unit_with_points_and_status(report):
    headers = parsed(report).find("header", "row")
    assert len(headers) == len(report.units)
    for unit, header in zip(report.units, headers, strict=True):
        assert unit.name in header
        assert unit.status.value in header
        assert f"{unit.earned:g} / {unit.points:g}" in header


def test_every_check_with_title_and_status_in_words(report):
    items = parsed(report).find("li", "check")
    checks = [check for unit in report.units for check in unit.checks]
    assert len(items) == len(checks)
    points = [unit.points for unit in report.units for _ in unit.checks]
    for check, item, worth in zip(checks, items, points, strict=True):
        assert check.title in item
        assert check.status.value in item
        assert f"{worth * check.earned_share:g} / {worth * check.share:g}" in item


def test_all_standings_are_in_the_samples_and_distinct_without_colour(report, generation_report):
    badges = {badge for shown in (report, generation_report) for badge in parsed(shown).find("span", "badge")}
    standings = [*(status.value for status in Status), "partly"]
    for standing in standings:
        assert any(badge.endswith(standing) for badge in badges)
    assert len({badge.split()[0] for badge in badges}) == len(standings)


def test_message_is_in_paragraphs_and_code_in_a_block(report):
    page = parsed(report)
    assert "This is what comes out when the maximum is subtracted but never added back." in page.find("p")
    assert any(block.startswith("q1_vae.py, line 96") for block in page.find("pre"))
    assert "mu (4, 10, 8) logvar (4, 10, 8)" in page.find("pre")


def test_code_keeps_its_lines_and_indentation(report):
    assert "in log_likelihood_normal\n    mu = mu.view(batch_size, -1)</pre>" in render_page(report)


def test_rubric_lines_have_an_empty_box(report):
    html = render_page(report)
    lines = [item for question in report.questions for item in question.rubric]
    assert len(re.findall(r'<span class="box"[^>]*></span>', html)) == len(lines)
    text = Page(html).text
    for item in lines:
        assert item.text in text
    assert "marked by a person: 22 points" in text


def test_header_notices_and_how_it_was_graded(report):
    page = parsed(report)
    assert page.find("h1") == [report.title]
    assert any("62 / 87" in figure for figure in page.find("p", "figure"))
    assert any("q1_train_vae.py" in notice for notice in page.find("section", "missing"))
    assert any("__MACOSX" in notice for notice in page.find("section", "notes"))
    (footer,) = page.find("footer")
    for fact in (str(report.run.seed), report.submission.digest, "41.28 s", "torch 2.12.0", report.run.started):
        assert fact in footer
    rows = page.find("tr")
    assert any(row.startswith("Landlock") and row.endswith("this kernel (5.10) has none") for row in rows)
    assert any(row.startswith("seccomp") and row.endswith("held") for row in rows)


def test_signs_are_in_a_box_for_the_instructor(report):
    (box,) = parsed(report).find("aside", "instructor")
    assert box.startswith("For the instructor Signs in the files. They change no mark")
    assert all(sign in box for sign in report.submission.signs)
    report.submission.signs = []
    assert parsed(report).find("aside") == []


def test_the_bar_is_as_long_as_all_points_and_is_said_in_words(report):
    bars = [attributes for tag, attributes, _ in parsed(report).elements if tag == "rect"]
    assert [bar["class"] for bar in bars] == ["earned", "lost", "unjudged", "manual"]
    assert sum(float(bar["width"]) for bar in bars) == pytest.approx(1000, abs=0.1)
    (drawing,) = [attributes for tag, attributes, _ in parsed(report).elements if tag == "svg"]
    assert "auto-graded 62 / 87" in drawing["aria-label"]


def test_headings_skip_no_level(report):
    levels = [int(tag[1]) for tag, _, _ in parsed(report).elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_language_of_the_page_is_that_of_its_words(report):
    (root,) = [attributes for tag, attributes, _ in parsed(report).elements if tag == "html"]
    assert root["lang"] == "en"
    report.language = "fr"
    page = parsed(report)
    (root,) = [attributes for tag, attributes, _ in page.elements if tag == "html"]
    assert root["lang"] == "fr"
    assert words_for("fr").how_graded in page.find("h2")
    assert "failed" not in page.find("footer")[0]


@pytest.mark.threat(59, 60)
def test_the_page_loads_nothing_and_runs_nothing(hostile):
    page = parsed(hostile)
    assert not (FORBIDDEN | {"img"}) & {tag for tag, _, _ in page.elements}
    for _, attributes, _ in page.elements:
        assert not any(name.startswith("on") or name in ("src", "style") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_the_policy_allows_exactly_the_style_of_the_page(report):
    html = render_page(report)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["style-src"] == f"'sha256-{digest}'"
    assert directives["img-src"] == "data:"
    assert set(directives) == {"default-src", "style-src", "img-src", "base-uri", "form-action"}


@pytest.mark.threat(59, 60)
def test_strangers_text_is_shown_as_text(hostile):
    html = render_page(hostile)
    page = Page(html)
    assert "<script>alert(1)</script><img src=x onerror=alert(2)>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    assert len(html) < 2_000_000
    html.encode("utf-8")


@pytest.mark.threat(16)
def test_what_hidden_checks_printed_stays_hidden(report):
    for unit in report.units:
        for check in unit.checks:
            check.printed, check.public = "hidden input 0.123", False
    assert "hidden input" not in render_page(report)


def test_a_refused_submission_has_a_page(report):
    report.submission.refusal = "The archive is damaged.\nMake it again."
    report.submission.name = ""
    report.run.layers = {}
    for unit in report.units:
        unit.checks, unit.status, unit.earned = [], Status.SKIPPED, 0.0
    page = parsed(report)
    assert page.find("section", "refusal") == ["Nothing could be graded The archive is damaged. Make it again."]
    assert any("0 / 87" in figure for figure in page.find("p", "figure"))
    assert words_for("en").no_layers in page.text
    assert "without a name" in page.text


def test_an_assignment_without_points_has_a_page(report):
    report.parts = []
    assert "0 / 0" in parsed(report).text


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast_is_enough_in_both_schemes(scheme):
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[scheme]))
    pairs = [(front, back) for front in ("ink", "soft", "link") for back in ("ground", "card", "sunken")]
    for standing in (*(status.value for status in Status), "partly"):
        pairs += [(standing, f"{standing}-tint"), (standing, "card"), ("ink", f"{standing}-tint")]
    for front, back in pairs:
        light, dark = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{front} on {back}"

import json
import os

import pytest

from autograder.gradescope.results import gradescope_results
from autograder.grading.report import Report
from autograder.report.files import write_report
from autograder.report.page import render_page
from autograder.report.writing import write_atomically


def test_three_views_of_one_report(report, tmp_path):
    folder = tmp_path / "new" / "folder"
    results, model, page = write_report(report, folder)
    assert Report.model_validate_json(model.read_text("utf-8")) == report
    assert json.loads(results.read_text("utf-8")) == gradescope_results(report)
    assert page.read_text("utf-8") == render_page(report)
    assert sorted(os.listdir(folder)) == ["report.html", "report.json", "results.json"]


@pytest.mark.threat(20)
def test_signs_are_in_the_instructors_files_and_not_in_what_students_read(report, tmp_path):
    results, model, page = (path.read_text("utf-8") for path in write_report(report, tmp_path))
    for sign in report.submission.signs:
        assert sign in model
        assert sign in page
    assert "runs text as code" not in results
    assert "diffusers" not in results
    assert "signs" not in results


def test_a_second_writing_replaces_the_first(report, tmp_path):
    write_report(report, tmp_path)
    report.submission.name = "second.zip"
    _, model, _ = write_report(report, tmp_path)
    assert json.loads(model.read_text("utf-8"))["submission"]["name"] == "second.zip"
    assert len(os.listdir(tmp_path)) == 3


@pytest.mark.threat(59, 60)
def test_hostile_text_can_always_be_written_and_read_again(hostile, tmp_path):
    results, model, _ = write_report(hostile, tmp_path)
    assert json.loads(results.read_text("utf-8"))["score"] == 62
    assert Report.model_validate_json(model.read_bytes()).earned == hostile.earned


def test_a_number_that_is_not_finite_leaves_no_broken_file(report, tmp_path):
    report.units[0].earned = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_report(report, tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_old_file_stands_until_the_new_one_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    path.write_text("old")

    def full_disk(descriptor):
        assert path.read_text() == "old"
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["results.json"]


@pytest.mark.threat(3)
def test_a_link_is_replaced_not_followed(tmp_path):
    target = tmp_path / "precious"
    target.write_text("untouched")
    link = tmp_path / "results.json"
    link.symlink_to(target)
    write_atomically(link, "written")
    assert target.read_text() == "untouched"
    assert not link.is_symlink()
    assert link.read_text() == "written"


def test_line_ends_are_unix_line_ends(tmp_path):
    write_atomically(tmp_path / "text", "one\ntwo\n")
    assert (tmp_path / "text").read_bytes() == b"one\ntwo\n"

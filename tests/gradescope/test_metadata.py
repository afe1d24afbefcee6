import json
from datetime import datetime, timedelta

import pytest

from autograder.gradescope.metadata import FILE, Metadata, read_metadata

NOW = datetime.fromisoformat("2025-03-02T12:00:00-05:00")
SAMPLE = {
    "id": 123456,
    "created_at": NOW.isoformat(),
    "assignment_id": 25828,
    "assignment": {
        "due_date": "2025-03-02T23:59:00.000000-05:00",
        "group_size": 4,
        "group_submission": True,
        "id": 25828,
        "course_id": 1234,
        "late_due_date": None,
        "release_date": "2025-02-02T00:00:00.000000-05:00",
        "title": "Programming Assignment 1",
        "total_points": "20.0",
    },
    "submission_method": "upload",
    "users": [{"email": "student@example.com", "id": 1234, "name": "A Student"}, {"email": "", "id": 5, "name": "B"}],
    "previous_submissions": [
        {"submission_time": (NOW - timedelta(hours=2)).isoformat(), "score": 0.0, "autograder_error": True},
        {
            "submission_time": (NOW - timedelta(hours=3)).isoformat(),
            "score": 12.5,
            "autograder_error": False,
            "results": {"tests": []},
        },
    ],
}


@pytest.fixture
def read(tmp_path):
    def run(content) -> tuple[Metadata, list[str]]:
        path = tmp_path / FILE
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return read_metadata(path)

    return run


def changed(**changes) -> dict:
    return {**SAMPLE, **changes}


def test_the_sample_is_read_whole(read):
    metadata, problems = read(SAMPLE)
    assert problems == []
    assert (metadata.id, metadata.created_at, len(metadata.users)) == (123456, NOW, 2)
    assert metadata.assignment.group_size == 4
    assert [upload.score for upload in metadata.earlier] == [12.5]
    assert (metadata.late_by, metadata.after_late_due_date) == (None, False)


@pytest.mark.threat(61)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"id": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[1]", "holds no object"),
        (b"null", "holds no object"),
    ],
)
def test_a_file_that_says_nothing_is_named_and_nothing_else_happens(read, content, reason):
    metadata, (problem,) = read(content)
    assert metadata == Metadata()
    assert problem == f"{FILE} {reason}: graded without it"


@pytest.mark.threat(61)
def test_a_file_that_is_not_there_is_named(tmp_path):
    metadata, (problem,) = read_metadata(tmp_path / FILE)
    assert metadata == Metadata()
    assert "cannot be read (No such file or directory)" in problem


def test_a_byte_order_mark_and_unknown_fields_are_fine(read):
    metadata, problems = read(b"\xef\xbb\xbf" + json.dumps(changed(new_field={"x": [1]})).encode())
    assert (metadata.id, problems) == (123456, [])


@pytest.mark.threat(61)
@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"id": "seven"}, ["id"]),
        ({"id": 10**400}, ["id"]),
        ({"created_at": "yesterday"}, ["created_at"]),
        ({"created_at": "2025-03-02T12:00:00"}, ["created_at"]),
        ({"created_at": "9999-12-31T23:59:59+00:00"}, ["created_at"]),
        ({"users": "everybody"}, ["users"]),
        ({"users": [None, {"id": 1}, {"id": []}, 4]}, ["users.0", "users.2.id", "users.3"]),
        ({"assignment": {"due_date": 1e300, "group_size": "two", "title": 4}}, ["assignment.due_date", "group_size"]),
        ({"previous_submissions": {"0": 1}}, ["previous_submissions"]),
        ({"previous_submissions": [7, {"score": float("inf")}]}, ["previous_submissions.0", "submissions.1.score"]),
    ],
)
def test_what_has_the_wrong_type_is_left_out_and_named_and_the_rest_is_kept(read, changes, lost):
    metadata, problems = read(changed(**changes))
    assert len(problems) == len(lost)
    assert all(any(name in problem for problem in problems) for name in lost)
    whole = read(SAMPLE)[0]
    for field in set(Metadata.model_fields) - set(changes):
        assert getattr(metadata, field) == getattr(whole, field)


def test_of_a_list_only_the_wrong_entries_are_left_out(read):
    metadata, _ = read(changed(users=[None, {"id": 1}, {"id": []}, 4]))
    assert [user.id for user in metadata.users] == [1, None]


@pytest.mark.threat(61)
@pytest.mark.parametrize(
    ("due", "last", "late", "very_late"),
    [
        ("2025-03-02T12:00:00-05:00", None, None, False),
        ("2025-03-02T11:30:00-05:00", None, timedelta(minutes=30), False),
        ("2025-03-02T16:30:00+00:00", "2025-03-02T16:59:59+00:00", timedelta(minutes=30), True),
        ("2025-03-02T16:30:00+00:00", "2025-03-03T00:00:00+00:00", timedelta(minutes=30), False),
        (None, None, None, False),
    ],
)
def test_late_is_by_the_file_and_across_time_zones(read, due, last, late, very_late):
    metadata, _ = read(changed(assignment={"due_date": due, "late_due_date": last}))
    assert (metadata.late_by, metadata.after_late_due_date) == (late, very_late)


def uploads(*hours_before: float, error: bool = False) -> list[dict]:
    times = [NOW - timedelta(hours=hours) for hours in hours_before]
    return [{"submission_time": time.isoformat(), "score": 1.0, "autograder_error": error} for time in times]


@pytest.mark.threat(17, 61)
@pytest.mark.parametrize(
    ("previous", "hours_to_wait"),
    [
        (uploads(), None),
        (uploads(1), None),
        (uploads(1, 2), 22),
        (uploads(2, 1), 22),
        (uploads(30, 25, 1), None),
        (uploads(24, 1), None),
        # the third and fourth were not judged, so that they do not prolong the wait
        (uploads(10, 9, 8, 7), 14),
        # those of the day before leave the window one by one, so that the last two are judged again
        (uploads(25, 24.5, 20, 2, 1, 0.5), 23),
        (uploads(3) + uploads(2, 1, error=True), None),
        (uploads(3, 2) + uploads(1, error=True), 21),
        # a regrade knows of uploads that came later
        (uploads(1, -1, -2), None),
        ([{"score": 3.0}, {"submission_time": "?"}, *uploads(1)], None),
    ],
)
def test_the_limit_counts_what_was_judged_within_a_day_before_this_upload(read, previous, hours_to_wait):
    metadata, _ = read(changed(previous_submissions=previous))
    again = metadata.next_judged(2)
    assert again == (None if hours_to_wait is None else NOW + timedelta(hours=hours_to_wait))
    assert again is None or again.utcoffset() == NOW.utcoffset()


def test_without_a_time_there_is_no_limit(read):
    metadata, _ = read(changed(created_at=None, previous_submissions=uploads(1, 2, 3)))
    assert metadata.next_judged(1) is None
    assert metadata.late_by is None

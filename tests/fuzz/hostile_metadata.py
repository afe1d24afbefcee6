"""What Gradescope tells of an upload, with wrong types, impossible moments and numbers beyond all measure."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

_KEYS = ("id", "created_at", "assignment", "users", "previous_submissions", "due_date", "late_due_date", "group_size")
_KEYS += ("submission_time", "score", "autograder_error", "results", "name", "email")
_MOMENTS = st.datetimes().map(lambda moment: moment.isoformat()) | st.sampled_from(
    [
        *("2024-10-01T12:00:00.000000-04:00", "2024-10-01T12:30:00Z", "2024-10-02T12:00:00+23:59", "2024-02-30T00:00Z"),
        *("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2999-12-31T23:59:59.999999Z", "", "now"),
        *("1727800000", "\ud800", "2024-10-01"),
    ]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | _MOMENTS
    | st.text(max_size=5)
    | st.sampled_from([10**4200, 1e308, -1e308, "7", "\x1b[31m"])
)
_TREES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), part, max_size=5),
    max_leaves=6,
)


def _nearly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(right, right, right, right, _TREES)


_EARLIER = st.fixed_dictionaries(
    {}, optional={"submission_time": _nearly(_MOMENTS), "score": _nearly(st.floats()), "autograder_error": _TREES}
)
_WHOLE = st.fixed_dictionaries(
    {"created_at": _nearly(_MOMENTS)},
    optional={
        "id": _nearly(st.integers()),
        "assignment": _nearly(
            st.fixed_dictionaries({}, optional={"due_date": _nearly(_MOMENTS), "late_due_date": _nearly(_MOMENTS)})
        ),
        "users": _nearly(st.lists(_nearly(st.fixed_dictionaries({"id": _nearly(st.integers())})), max_size=3)),
        "previous_submissions": _nearly(st.lists(_nearly(_EARLIER), max_size=5)),
    },
)


@st.composite
def hostile_metadata(draw: st.DrawFn) -> bytes:
    """A file of metadata."""
    text = json.dumps(draw(_nearly(_WHOLE)), ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 19)) == 19:
        text = text.replace("[", "[" * draw(st.sampled_from([10, 5000])), 1)
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"])), "surrogatepass")

"""Checks, what they say, and the report that comes of them. This module is what checks import."""

from autograder.grading.expectation import expect
from autograder.grading.outcomes import fail
from autograder.grading.plugin import needs, points, public
from autograder.sandbox.proxy import assign, fetch, parameter_names, value_and_gradients

__all__ = [
    "assign",
    "expect",
    "fail",
    "fetch",
    "needs",
    "parameter_names",
    "points",
    "public",
    "value_and_gradients",
]

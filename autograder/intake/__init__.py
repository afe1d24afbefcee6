"""Intake: from what a student uploaded to clean sources. It executes nothing and knows no check."""

from autograder.intake.submission import Submission, read_submission

__all__ = ["Submission", "read_submission"]

"""Mutation testing of the checks: masters with one planted mistake, each of which the grader must notice."""

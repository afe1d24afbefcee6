"""Runs a submission in jailed children of a warm process and brings back plain values.

Nothing in this room knows checks, references, points or scores.
"""

"""Checkpoints that are sound zips, so that they are opened, around pickles that are not sound."""

from __future__ import annotations

import zipfile
from functools import cache
from random import Random

from hypothesis import strategies as st

from autograder.scoring.checkpoint_format import format_problem
from tests.scoring.checkpoint_files import pickle_of, repacked

from . import corpus
from .byte_changes import changed

_ANY_SIZE_MB = 100


@cache
def _zips() -> tuple[bytes, ...]:
    return tuple(
        content
        for content in corpus.checkpoints()
        if content.startswith(b"PK") and not format_problem(content, _ANY_SIZE_MB)
    )


def _with_changed_pickle(seed: int, data: bytes | None) -> bytes:
    """One of the seeds with changes in its pickle, and perhaps another storage."""
    random = Random(seed)
    content = random.choice(_zips())
    changes: dict[str, bytes | None] = {"data.pkl": changed(random, [pickle_of(content)])}
    return repacked(content, changes if data is None else {**changes, "data/0": data}, zipfile.ZIP_STORED)


def hostile_checkpoints() -> st.SearchStrategy[bytes]:
    """Files of torch whose checksums are right and whose pickles are damaged."""
    return st.builds(_with_changed_pickle, st.integers(0, 2**64), st.none() | st.none() | st.binary(max_size=60))

"""The records of the public checks: what each of them calls and what it demands of the results, as data.

`public/records.json` holds the checks; the tensors that they name are in `public/tensors.npz`. A check is a list of
steps, and each of them does one thing:

    {"do": "call", "target": REF, "args": [...], "kwargs": {...}, "wrt": [...], "cotangent": VALUE, "gives": N}
    {"do": "fetch", "target": REF, "gives": N}
    {"do": "assign", "target": REF, "value": VALUE}
    {"do": "expect", "value": REF, "what": "...", "to": "close_to", "demands": {...}}

A VALUE is a JSON value, or an object with exactly one of these shapes; the last three are a REF:

    {"tuple": [...]}   {"dict": [[key, value], ...]}   {"number": "inf"}   {"tensor": name}   {"array": name}
    {"module": "q1_vae", "path": ["log_mean_exp"]}           a part of a submitted module
    {"probe": 0, "path": ["calls"]}                          a part of a stand-in, see `probes` of the check
    {"result": N, "at": ["value", [1, 2]], "path": []}       what step N gave, entry 1 of 2

An entry of a list or tuple is [index, length]; where the length does not matter it is [index], counted from the end
where that is negative. An entry of a dictionary is its key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

RECORDS, TENSORS = "records.json", "tensors.npz"


@dataclass(frozen=True)
class PublicCheck:
    """A check as data.

    Attributes:
        question: id of the question that it belongs to.
        title: what it looks at.
        function: what it judges, such as "log_mean_exp" or "DDPM.forward".
        file: the submitted file that holds the function.
        probes: class and arguments of each stand-in.
        steps: what is done, in order.
        tensors: name -> content.
    """

    question: str
    title: str
    function: str
    file: str
    probes: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    tensors: Mapping[str, np.ndarray] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.question} {self.title}"


def read_records(folder: Path) -> list[PublicCheck]:
    """The checks in the folder `public` of an assignment."""
    with np.load(folder / TENSORS, allow_pickle=False) as stored:
        tensors = dict(stored)
    checks = json.loads((folder / RECORDS).read_text("utf-8"))["checks"]
    return [PublicCheck(**check, tensors=tensors) for check in checks]


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor of its own memory, so that a call that changes it changes nothing else."""
    return torch.from_numpy(np.array(array, order="C"))

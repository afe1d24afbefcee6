"""Unpickles a checkpoint. Runs in a jailed child that holds no code of the submission, and hands out flat pieces.

Its source goes to the child as the probes of a session. What it answers is a stranger's word: the file may have taken
the child over, so the grader checks everything again.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable
from typing import Any, NoReturn

import torch

from autograder.sandbox.probes import Probe

_WRAPPERS = ("model_state_dict", "state_dict", "model_state", "model", "weights", "net")
_MOST_WRAPPERS = 3
_MOST_NAMED = 4
_LONGEST_NAME = 200
_DATA_PARALLEL, _COMPILED = "module.", "_orig_mod."
DTYPES = frozenset(
    {
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    }
)
_GLOBAL = re.compile(r"GLOBAL ([\w.]{1,200})")
_OUT_OF_MEMORY = ("allocate memory", "enough memory", "unable to mmap")


class _Refused(Exception):
    """The file is not taken: what is wrong, and what that concerns."""

    def __init__(self, kind: str, *details: str) -> None:
        super().__init__(kind, *details)
        self.kind = kind
        self.details = details


class CheckpointReader(Probe):
    """The checkpoint in one file of the working folder."""

    def __init__(self, path: str, most_bytes: int, most_tensors: int) -> None:
        """Nothing is read yet; the limits are those of all tensors together."""
        self._path = path
        self._most_bytes = most_bytes
        self._most_tensors = most_tensors
        self._tensors: list[torch.Tensor] = []

    def open(self) -> dict[str, Any]:
        """Read the file.

        Returns:
            What it holds: `tensors` (name, dtype and shape of each), `wrappers` (the entries in which the weights lay),
            `beside` (names of what lay beside them), `prefixes` (taken off the names). Or, as `problem`, why it is
            refused: a word, and the names that belong to it.
        """
        try:
            state, wrappers, beside = _unwrapped(self._load())
            if len(state) > self._most_tensors:
                _refuse("many", len(state))
            names, prefixes = _plain_names(list(state))
            total = 0
            for name, value in zip(names, state.values(), strict=True):
                _require_plain(name, value)
                total += value.numel() * value.element_size()
                if total > self._most_bytes:
                    _refuse("large")
            self._tensors = [value.detach().as_subclass(torch.Tensor).resolve_neg() for value in state.values()]
            self._tensors = [tensor.contiguous() for tensor in self._tensors]
        except _Refused as refused:
            return {"problem": [refused.kind, *refused.details]}
        return {
            "tensors": [
                [name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
                for name, tensor in zip(names, self._tensors, strict=True)
            ],
            "wrappers": wrappers,
            "beside": beside,
            "prefixes": prefixes,
        }

    def pieces(self, wanted: list[list[int]]) -> list[torch.Tensor]:
        """For each (tensor, first, last) the values from `first` up to `last` of that tensor, flat."""
        return [self._tensors[number].reshape(-1)[first:last] for number, first, last in wanted]

    def _load(self) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.load(self._path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch and pickle raise many kinds of errors for a broken file
            text = str(error)
            found = _GLOBAL.search(text)
            if found:
                _refuse(_kind_of_object(found[1]), found[1])
            if isinstance(error, MemoryError) or any(sign in text for sign in _OUT_OF_MEMORY):
                _refuse("large")
            _refuse("damaged")


def _refuse(kind: str, *details: object) -> NoReturn:
    raise _Refused(kind, *(str(detail)[:_LONGEST_NAME] for detail in details))


def _kind_of_object(name: str) -> str:
    package, dot, _ = name.partition(".")
    if package == "numpy":
        return "numpy"
    return "object" if dot and package not in sys.stdlib_module_names else "code"  # torch names built-ins alone


def _unwrapped(value: Any) -> tuple[dict[Any, Any], list[str], list[str]]:
    """The state dict in what was saved, the entries that it lay in, and the first entries beside it."""
    wrappers: list[str] = []
    beside: list[str] = []
    while True:
        if not isinstance(value, dict):
            _refuse("no dict", type(value).__name__)
        if not value:
            _refuse("empty")
        entry = next((name for name in _WRAPPERS if isinstance(value.get(name), dict)), None)
        if entry is None or len(wrappers) == _MOST_WRAPPERS:
            break
        wrappers.append(entry)
        beside += [str(key)[:_LONGEST_NAME] for key in value if key != entry]
        value = value[entry]
    if {"state", "param_groups"} <= value.keys():
        _refuse("optimizer")
    if not any(isinstance(part, torch.Tensor) for part in value.values()):
        _refuse("no weights", ", ".join(str(key)[:_LONGEST_NAME] for key in list(value)[:_MOST_NAMED]))
    return value, wrappers, beside[:_MOST_NAMED]


def _plain_names(keys: list[Any]) -> tuple[list[str], list[str]]:
    """Names without what DataParallel and torch.compile put before them, and what that was."""
    for key in keys:
        if not isinstance(key, str):
            _refuse("key", type(key).__name__)
        if not 0 < len(key) <= _LONGEST_NAME:
            _refuse("long name", key[:40])
    names, prefixes = keys, []
    if any(_has_part(name, _COMPILED) for name in names):  # also of a submodule that was compiled alone
        names = ["".join(part for part in _parts(name) if part != _COMPILED) for name in names]
        prefixes.append(_COMPILED)
    if all(name.startswith(_DATA_PARALLEL) for name in names):
        names = [name.removeprefix(_DATA_PARALLEL) for name in names]
        prefixes.append(_DATA_PARALLEL)
    if len(set(names)) < len(names) or not all(names):
        _refuse("same names")
    return names, prefixes


def _parts(name: str) -> Iterable[str]:
    return re.findall(r"[^.]*\.|[^.]+$", name)


def _has_part(name: str, part: str) -> bool:
    return part in _parts(name)


def _require_plain(name: str, value: Any) -> None:
    """Refuse what is no dense tensor of ordinary numbers; looks at descriptions only, never at values."""
    if not isinstance(value, torch.Tensor):
        _refuse("no tensor", name, type(value).__name__)
    if value.is_quantized:
        _refuse("layout", name, "quantised")
    if value.is_nested:
        _refuse("layout", name, "nested")
    if value.layout is not torch.strided:
        _refuse("layout", name, "sparse" if "sparse" in str(value.layout) else str(value.layout))
    if value.device.type != "cpu":
        _refuse("no values", name)
    if value.is_complex():
        _refuse("complex", name)
    if value.dtype not in DTYPES:
        _refuse("dtype", name, str(value.dtype).removeprefix("torch."))
    if _overlaps(value) or value.numel() * value.element_size() > value.untyped_storage().nbytes():
        _refuse("expanded", name)


def _overlaps(tensor: torch.Tensor) -> bool:
    """Whether several entries share one place in memory, as after `expand`."""
    if not tensor.numel():
        return False
    reach = 0
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride <= reach:
                return True
            reach += (size - 1) * stride
    return False

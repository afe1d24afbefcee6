"""Random inputs that are fresh for each submission and can be drawn again from the seed in its report."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import torch


def course_secret(path: Path) -> bytes:
    """Secret of the course, without which nobody can tell which inputs a submission will meet.

    Made at the first use. Where the file cannot be kept, the secret lasts for this run only; the report's seed still
    repeats it.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
        return path.read_bytes()
    except OSError:
        return secrets.token_bytes(32)


def derive_seed(secret: bytes, digest: str) -> int:
    """Seed of a submission, 0 .. 2^53 - 1 (a JSON number keeps it)."""
    return int.from_bytes(hashlib.sha256(secret + digest.encode()).digest()[:8], "big") >> 11


class Draw:
    """Random inputs of one check, float32 and int64 on the CPU."""

    def __init__(self, seed: int, name: str) -> None:
        """Inputs for the check `name` in the run with `seed`; each check has a stream of its own."""
        mixed = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        self.seed = int.from_bytes(mixed[:8], "big") >> 1
        # of the submission's own generators: from other bytes, or its noise would be the inputs drawn here
        self.child_seed = int.from_bytes(mixed[8:12], "big") >> 1
        self._generator = torch.Generator().manual_seed(self.seed)

    def normal(self, *shape: int, mean: float = 0.0, std: float = 1.0) -> torch.Tensor:
        """Independent normal entries."""
        return torch.randn(shape, generator=self._generator) * std + mean

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        """Independent entries, uniform between `low` and `high`."""
        return torch.rand(shape, generator=self._generator) * (high - low) + low

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Independent integers, `low <= n < high`."""
        return torch.randint(low, high, shape, generator=self._generator)

    def distinct(self, low: int, high: int, count: int) -> torch.Tensor:
        """`count` different integers, `low <= n < high`, in random order."""
        return torch.randperm(high - low, generator=self._generator)[:count] + low

    def number(self, low: float, high: float) -> float:
        """One number, uniform between `low` and `high`."""
        return float(self.uniform(low, high, 1))

"""Throughput: the engine beside the plain way, in one run.

The plain way is what most graders do: a fresh interpreter for each submission, which imports torch, the submission and
the reference side by side and runs the same checks, without any isolation. Two processes at a time either way.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WORKERS = 2
ENGINE = "tests.benchmark.engine_worker"
PLAIN = "tests.benchmark.plain_worker"


def seconds_of(module: str, *arguments: str) -> float:
    """Wall-clock seconds that a worker reports for its gradings (the engine's excludes its warm-up)."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=8, help="submissions for each way")
    count = parser.parse_args().n
    share = count // WORKERS
    with ThreadPoolExecutor(WORKERS) as pool:
        # side by side in time: plain, engine, plain, engine, so that a slow minute of the machine meets both
        plain, plain_lean, engine = 0.0, 0.0, 0.0
        for part in (share // 2, share - share // 2):
            if not part:
                continue
            plain += _plain(pool, part, "as-is")
            engine += max(pool.map(lambda _, part=part: seconds_of(ENGINE, str(part)), range(WORKERS)))
            plain_lean += _plain(pool, part, "lean")
    started = time.monotonic()
    genlab = Path(sys.executable).with_name("genlab")
    command = [genlab, "grade", "solutions/ift6135_h25", "-a", "ift6135_h25", "-o", "build/bench"]
    subprocess.run(command, check=True, capture_output=True)
    cold = time.monotonic() - started
    graded = share * WORKERS
    print(f"{graded} submissions of ift6135_h25 each way, {WORKERS} processes at a time, seconds per submission:")
    print(f"  engine, warm, isolated                           {engine / graded:6.2f}")
    print(f"  plain: fresh interpreter, no isolation           {plain / graded:6.2f}   {plain / engine:4.1f} x")
    print(
        f"  plain, with the engine's quicker imports         {plain_lean / graded:6.2f}   {plain_lean / engine:4.1f} x"
    )
    print(f"  one cold `genlab grade`                          {cold:6.2f}")


def _plain(pool: ThreadPoolExecutor, part: int, imports: str) -> float:
    started = time.monotonic()
    list(pool.map(lambda _: seconds_of(PLAIN, imports), range(part * WORKERS)))
    return time.monotonic() - started


if __name__ == "__main__":
    main()

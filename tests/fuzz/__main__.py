"""`python -m tests.fuzz --minutes 10`: fuzz all targets; exit status 1 if anything escapes."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from autograder.sandbox.preload import quiet_environment

quiet_environment()  # before torch is imported: a thread pool would hang the forked children

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from .campaign import Campaign, Record, replay  # noqa: E402
from .targets import TARGETS  # noqa: E402
from .workshop import Workshop  # noqa: E402

FOLDER = Path("build", "fuzz")


def main() -> int:
    """Parse the command line, fuzz or replay, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long")
    parser.add_argument("--seed", type=int, default=None, help="of the inputs; a new one each time by default")
    parser.add_argument("--only", choices=list(TARGETS), action="append", help="a target; may be given several times")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try one input of build/fuzz once more")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as top, Workshop(Path(top)) as workshop:
        workshop.start()
        if arguments.replay:
            print(replay(arguments.replay, TARGETS, workshop))
            return 0
        return fuzz(arguments, workshop)


def fuzz(arguments: argparse.Namespace, workshop: Workshop) -> int:
    """Run the campaign; the exit status."""
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    targets = {name: target for name, target in TARGETS.items() if name in (arguments.only or TARGETS)}
    campaign = Campaign(targets, workshop, FOLDER, seed)
    console = Console()
    console.print(f"seed {seed}, {arguments.minutes:g} minutes")
    started = time.monotonic()

    def write_summary() -> None:
        campaign.write_summary(seed=seed, seconds=round(time.monotonic() - started))

    campaign.run(arguments.minutes * 60, write_summary)
    console.print(_table(campaign.records))
    for failure in campaign.failures:
        print(failure)
    tried = sum(record.inputs for record in campaign.records.values())
    seconds = time.monotonic() - started
    console.print(f"{tried} inputs in {seconds:.0f} s, exceptions escaped at {len(campaign.failures)} places")
    return 1 if campaign.failures else 0


def _table(records: dict[str, Record]) -> Table:
    table = Table("target", "inputs", "outcomes", "slowest (CPU s)", "peak (MB)")
    for name, record in records.items():
        outcomes = ", ".join(f"{outcome} {count}" for outcome, count in record.outcomes.most_common())
        peak = f"{record.megabytes:.1f}" if record.megabytes else "-"
        table.add_row(name, str(record.inputs), outcomes, f"{record.slowest:.2f}", peak)
    return table


if __name__ == "__main__":
    sys.exit(main())

"""All tables of planted misconceptions, of all assignments, in one form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from autograder.assignment import SOLUTIONS, Assignment

from . import (
    cmput328_f24_diffusion_misconceptions,
    cmput328_f24_networks_misconceptions,
    ift6135_a22_gan_misconceptions,
    ift6135_h23_simsiam_misconceptions,
    ift6135_h25_misconceptions,
    svhn_ddpm_misconceptions,
    svhn_vae_misconceptions,
)


class Planted(NamedTuple):
    """A misconception.

    Attributes:
        unit: name in the manifest.
        words: what the message says of it; empty if it only costs points.
        edits: of the unit's master, as `planting.planted` takes them.
    """

    unit: str
    words: str
    edits: Mapping[str, str]


def planted_in(assignment: Assignment) -> list[Planted]:
    """Those of an assignment, under the names of its own files."""
    rows = [row for table in _TABLES[assignment.id] for row in table()]
    modules = assignment.shared_modules
    units = {row.unit: row.unit.partition(".") for row in rows}
    names = {unit: f"{modules.get(module, module)}.{rest}" for unit, (module, _point, rest) in units.items()}
    return [row._replace(unit=names[row.unit]) for row in rows]


def _labelled(table: Mapping[str, Mapping[str, Iterable[str]]]) -> Iterator[Planted]:
    """Unit -> words -> bodies, each with its label before it, or that of the function if there is none."""
    for unit, hints in table.items():
        own = unit.rpartition(".")[2]
        for words, bodies in hints.items():
            for body in bodies:
                label, colon, rest = body.partition(": ")
                known = bool(colon) and "\n" not in label and "(" not in label
                yield Planted(unit, words, {f"block: {label if known else own}": rest if known else body})


def _edited(table: Mapping[str, Iterable[tuple[str, dict[str, str]]]]) -> Iterator[Planted]:
    """Unit -> words and edits."""
    return (Planted(unit, words, edits) for unit, rows in table.items() for words, edits in rows)


def _bodies(table: Mapping[str, Iterable[tuple[str, str]]]) -> Iterator[Planted]:
    """Unit -> words and body; the label of the solution is the unit's name within its file."""
    for unit, rows in table.items():
        for words, body in rows:
            yield Planted(unit, words, {f"block: {unit.partition('.')[2]}": body})


def _ddpm() -> Iterator[Planted]:
    """The same without the module; coefficients have a line of their own in the one solution that they share."""
    lines = (SOLUTIONS / "common/svhn/ddpm.py").read_text("utf-8").split("\n")
    for name, rows in svhn_ddpm_misconceptions.COEFFICIENTS.items():
        [line] = [line for line in lines if line.startswith(f"{name} = ")]
        for words, value in rows:
            yield Planted(f"ddpm.{name}", words, {line: f"{name} = {value}"})
    yield from _bodies({f"ddpm.{name}": rows for name, rows in svhn_ddpm_misconceptions.FUNCTIONS.items()})


def _vae() -> Iterator[Planted]:
    return _edited(svhn_vae_misconceptions.PLANTED)


_TABLES: dict[str, tuple[Callable[[], Iterator[Planted]], ...]] = {
    "ift6135_h25": (lambda: _labelled(ift6135_h25_misconceptions.PLANTED),),
    "cmput328_f24": (
        lambda: _labelled(cmput328_f24_diffusion_misconceptions.PLANTED),
        lambda: _edited(cmput328_f24_networks_misconceptions.PLANTED),
    ),
    "ift6135_h23": (_vae, _ddpm, lambda: _bodies(ift6135_h23_simsiam_misconceptions.PLANTED)),
    "ift6135_a22": (_vae, _ddpm, lambda: _edited(ift6135_a22_gan_misconceptions.PLANTED)),
}

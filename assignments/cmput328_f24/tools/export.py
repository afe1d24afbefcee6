"""Export notebooks to the .py files to hand in.

    python -m tools.export 1_vae.ipynb

The last definition of a function counts; experiments, training and what only a notebook understands are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.display import listed
from tools.words import _, plural
from tools.cells import Cell
from tools.exporting import Export, ExportError, Made, export
from tools.facts import Facts, shipped
from tools.writing import keep, replace


def run(notebooks: Sequence[Path], folder: Path, facts: Facts) -> tuple[list[str], bool]:
    """Export notebooks into `folder`.

    Returns:
        What there is to say, line by line, and whether every file was made.
    """
    lines: list[str] = []
    complete = True
    for notebook in notebooks:
        lines.append(notebook.name)
        try:
            found = export(notebook, folder, facts)
        except ExportError as error:
            lines.append(f"  {error}")
            complete = False
            continue
        for made in found.files:
            try:
                lines += [f"  {line}" for line in _write(made, folder)]
                complete &= bool(made.text)
            except OSError as error:
                said = _("{file} cannot be written: {error}.")
                lines.append("  " + said.format(file=folder / made.name, error=error.strerror or error))
                complete = False
        lines += [f"  {line}" for line in _of_cells(found)]
    return lines, complete


def _write(made: Made, folder: Path) -> Iterator[str]:
    """Write a file, and say what happened."""
    path = folder / made.name
    if not made.text:
        yield _("{file}: NOT written; what lay there is still there.").format(file=made.name)
        if made.problem:
            yield "  " + made.problem
        for cell in made.broken:
            yield "  " + _broken(cell)
        return
    changed = made.text != made.before
    kept = keep(path) if changed and made.before is not None else None
    if changed:
        replace(path, made.text.encode("utf-8"))
    if kept:
        said = _("{file}: written; what it held before is in {kept}.")
        yield said.format(file=made.name, kept=kept.relative_to(folder).as_posix())
    else:
        yield (_("{file}: written.") if changed else _("{file}: nothing new.")).format(file=made.name)
    for line in _details(made):
        yield "  " + line


def _details(made: Made) -> Iterator[str]:
    found = made.selection
    if made.problem:
        yield made.problem
    if made.changed:
        yield _("taken from the notebook: {names}").format(names=all_of(made.changed))
    if found.helpers:
        yield _("taken along, because the code needs it: {names}").format(names=all_of(found.helpers))
    for name, cells in found.repeated.items():
        numbers = listed([str(cell) for cell in cells], limit=len(cells))
        said = _("{name}: defined in the code cells {cells}; the one in cell {last} counts.")
        yield said.format(name=name, cells=numbers, last=cells[-1])
    for name, cells in found.tried.items():
        yield plural(
            "{name}: the other value in code cell {cells} does not count; if it should, put it into the marked cell.",
            "{name}: the other values in code cells {cells} do not count; if one should, put it into the marked cell.",
            len(cells),
            name=name,
            cells=listed([str(cell) for cell in cells]),
        )
    for name in found.kept:
        said = _("{name}: still a TODO in the notebook, but written in the file: the one in the file stays.")
        yield said.format(name=name)
    for name, cell in found.left.items():
        said = _(
            "{name}: the code uses it, but code cell {cell} gives it its value and stays out; pass it as an argument, "
            "or make it a constant in a marked cell."
        )
        yield said.format(name=name, cell=cell)
    if found.unknown:
        yield _("used, but never defined: {names}").format(names=all_of(found.unknown))
    if made.absent:
        said = _("there was no such file in the folder, so the new one lacks what is not in the notebook: {names}")
        yield said.format(names=all_of(made.absent))
    if made.gaps:
        yield _("still TODO: {names}").format(names=all_of(made.gaps))


def _of_cells(found: Export) -> Iterator[str]:
    own = {cell.number for made in found.files for cell in made.broken}
    for cell in found.cells:
        if cell.line and cell.number not in own:
            yield _broken(cell)
        if cell.mark and not cell.file:
            said = _("code cell {n}: marked for {file}, which is no file of this assignment; the mark was ignored.")
            yield said.format(n=cell.number, file=cell.mark)
    if found.left_out:
        yield plural("{n} code cell stays out of the files.", "{n} code cells stay out of the files.", found.left_out)


def _broken(cell: Cell) -> str:
    said = _('code cell {n} (it begins "{text}"), line {line}: not valid Python: {error}')
    return said.format(n=cell.number, text=cell.text[:50], line=cell.line, error=cell.error)


def all_of(names: Sequence[str]) -> str:
    """The names, none of which is dropped: `a, b and c`."""
    return listed(names, limit=len(names))


def main(arguments: Sequence[str] | None = None) -> int:
    """Export the notebooks that the command line names; 1 if a file could not be made."""
    facts = shipped()
    known = listed([notebook.name for notebook in facts.notebooks], limit=len(facts.notebooks))
    parser = argparse.ArgumentParser(
        prog="python -m tools.export", description=_("Export notebooks to the .py files to hand in.")
    )
    help_notebooks = _("notebooks, such as {names}").format(names=known)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK", help=help_notebooks)
    help_folder = _("folder of the .py files; default: the current one")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="FOLDER", help=help_folder)
    options = parser.parse_args(arguments)
    lines, complete = run(options.notebooks, options.output, facts)
    say(lines)
    return 0 if complete else 1


def say(lines: Sequence[str]) -> None:
    """Print lines, also where the terminal lacks some of their characters."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        print(line.encode(encoding, "replace").decode(encoding))


if __name__ == "__main__":
    sys.exit(main())

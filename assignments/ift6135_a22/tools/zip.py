"""Make the zip to hand in: exactly the files that the assignment asks for.

    python -m tools.zip

Says of each file what is wrong with it. A zip with less than everything is made all the same, since it is worth more
than none.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tools.display import listed, shown
from tools.ipython import ipython_spans
from tools.naming import Match, is_junk, is_notebook, match
from tools.notebook import cells_of_notebook
from tools.sizes import MB, checkpoint_limit, source_limit
from tools.words import _
from tools.export import all_of, say
from tools.exporting import ExportError, export
from tools.facts import CheckpointFacts, Facts, FileFacts, shipped
from tools.gaps import gaps_in
from tools.pieces import cut
from tools.trial import Failure, failures
from tools.writing import BACKUP, replacing

_DEPTH = 4
_FIRST_OF_1980 = (1980, 1, 1, 0, 0, 0)  # the earliest time of the format: the same work makes the same zip
_UNIX = 3


@dataclass
class Found:
    """What lies in the folder of what is to be handed in.

    Attributes:
        sources: name of the assignment -> content.
        checkpoints: name of the assignment -> its file.
        wrong: file -> what is wrong with it.
        remarks: file -> what the student may want to know.
        unfinished: whether something is still a TODO.
    """

    sources: dict[str, bytes] = field(default_factory=dict)
    checkpoints: dict[str, Path] = field(default_factory=dict)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    unfinished: bool = False

    def blame(self, name: str, problem: str) -> None:
        """Say that something is wrong with a file."""
        self.wrong.setdefault(name, []).append(problem)

    def remark(self, name: str, remark: str) -> None:
        """Say something about a file that may be as it should."""
        self.remarks.setdefault(name, []).append(remark)


def run(folder: Path, output: Path, facts: Facts) -> tuple[list[str], bool]:
    """Make the zip `output` of what lies in `folder`.

    Returns:
        What there is to say, line by line, and whether the zip holds everything and nothing is wrong with it.
    """
    found = look(folder, facts)
    for name, failure in failures(folder, found.sources, facts).items():
        found.blame(name, _said_of(failure, name))
    lines = list(_said(found, facts))
    if not found.sources:
        lines.append(_("There is no code to hand in, so no zip was made."))
        return lines, False
    try:
        with replacing(output) as target:
            pack(found, target)
    except OSError as error:
        lines.append(_("{file} cannot be written: {error}.").format(file=output, error=error.strerror or error))
        return lines, False
    size = f"{output.stat().st_size / MB:.1f}"
    number = len(found.sources) + len(found.checkpoints)
    asked = len(facts.files) + len(facts.checkpoints)
    said = _("{zip}: {n} of {asked} files, {size} MB.")
    lines.append(said.format(zip=output, n=number, asked=asked, size=size))
    if found.wrong:
        lines.append(_("Something is wrong or missing (marked by !); hand this zip in only if you mean to."))
    else:
        lines.append(_("Every file is in it and can be imported: hand it in."))
        if found.unfinished:
            lines.append(_("What is still TODO gets no points."))
    return lines, not found.wrong


def look(folder: Path, facts: Facts) -> Found:
    """Find the files to hand in, and say what is wrong with them; nothing is executed."""
    found = Found()
    present = list(_files(folder))
    names = {*facts.names, *facts.given, *(file.name for file in facts.checkpoints)}
    for file in facts.files:
        path = _place(file.name, present, names - {file.name}, found)
        if path:
            _read_source(file, folder / path, facts, found)
        elif file.name not in found.wrong:
            found.blame(file.name, _missing_source(file.name, present, facts))
    for checkpoint in facts.checkpoints:
        _find_checkpoint(checkpoint, folder, present, names, found)
    _keep_within(facts, found)
    _compare_notebooks(folder, present, facts, found)
    return found


def _files(folder: Path, below: str = "", depth: int = 0) -> Iterator[str]:
    """Paths of the files in `folder` that may be somebody's work, with forward slashes."""
    for entry in sorted((folder / below).iterdir()):
        path = f"{below}/{entry.name}" if below else entry.name
        if is_junk(entry.name) or path in (BACKUP, "tools"):
            continue
        if entry.is_dir():
            if depth < _DEPTH and not entry.is_symlink():
                yield from _files(folder, path, depth + 1)
        elif entry.is_file():
            yield path


def _place(name: str, present: Sequence[str], others: set[str], found: Found) -> str:
    """The path that is meant as `name`; empty if none is, or if several could be."""
    if name in present:
        return name
    depth = name.count("/")
    kinds = {path: match(path, name) for path in present if path.count("/") == depth and path not in others}
    best = min((kind for kind in kinds.values() if kind is not None), default=None)
    paths = [path for path, kind in kinds.items() if kind is not None and kind == best]
    if len(paths) > 1:
        said = _("missing, but {paths} look like it; rename the right one to {name}.")
        found.blame(name, said.format(paths=listed(paths), name=name))
        return ""
    if paths:
        said = _("taken from {path}; rename that to {name}.")
        found.blame(name, said.format(path=shown(paths[0]), name=name))
    return paths[0] if paths else ""


def _missing_source(name: str, present: Sequence[str], facts: Facts) -> str:
    elsewhere = [path for path in present if match(path, name) is Match.EXACT]
    notebooks = [it.name for it in facts.notebooks if name in it.files]
    near = [path for path in present if is_notebook(path) and any(match(path, it) is not None for it in notebooks)]
    if elsewhere:
        said = _("missing here, but it lies in another folder: {paths}; move the right one here.")
        return said.format(paths=listed(elsewhere))
    if near:
        said = _("missing; export it: python -m tools.export {notebook}")
        return said.format(notebook=f'"{near[0]}"' if " " in near[0] else near[0])
    return _("missing.")


def _read_source(file: FileFacts, path: Path, facts: Facts, found: Found) -> None:
    problem = source_limit(facts.file_kb).problem(path.stat().st_size)
    if problem:
        found.blame(file.name, f"{problem}.")
        return
    content = path.read_bytes()
    found.sources[file.name] = content
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found.blame(file.name, _("line {line}: not UTF-8 text; save it as UTF-8.").format(line=line))
        return
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        found.blame(file.name, _("empty; save it, or export it from its notebook."))
    elif cells_of_notebook(text) is not None:
        found.blame(file.name, _("this is a notebook and no Python code; export it by python -m tools.export."))
    else:
        _check_code(file, text, found)


def _check_code(file: FileFacts, text: str, found: Found) -> None:
    try:
        pieces, _tail = cut(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        if any(first <= line <= last for first, last in ipython_spans(text)):
            said = _("line {line}: only a notebook understands this; remove the line, or use python -m tools.export.")
        else:
            said = _("line {line}: not valid Python: {error}.")
        found.blame(file.name, said.format(line=line, error=getattr(error, "msg", None) or type(error).__name__))
        return
    bound = {name for piece in pieces for name in piece.use.binds}
    lost = [] if any(piece.use.star for piece in pieces) else [name for name in file.names if name not in bound]
    if lost:
        found.remark(file.name, _("the given file had these names, too: {names}").format(names=all_of(lost)))
    gaps = gaps_in([node for piece in pieces for node in piece.nodes], file.unset)
    if gaps:
        found.unfinished = True
        found.remark(file.name, _("still TODO: {names}").format(names=all_of(gaps)))


def _find_checkpoint(
    checkpoint: CheckpointFacts, folder: Path, present: Sequence[str], names: set[str], found: Found
) -> None:
    name = checkpoint.name
    path = _place(name, present, names - {name}, found)
    elsewhere = [it for it in present if match(it, name.rpartition("/")[2]) is Match.EXACT]
    if not path and name not in found.wrong and len(elsewhere) == 1:
        path = elsewhere[0]
        found.remark(name, _("taken from {path}.").format(path=shown(path)))
    if path:
        problem = checkpoint_limit(checkpoint.size_mb).problem((folder / path).stat().st_size)
        if not problem:
            found.checkpoints[name] = folder / path
        else:
            found.blame(name, f"{problem}.")
    elif name not in found.wrong and elsewhere:
        said = _("missing, but it lies in several folders: {paths}; move the right one to {name}.")
        found.blame(name, said.format(paths=listed(elsewhere), name=name))
    elif name not in found.wrong and checkpoint.bonus:
        found.remark(name, _("missing; only the bonus needs it."))
    elif name not in found.wrong:
        found.blame(name, _("missing, so the samples of this model cannot be scored."))


def _keep_within(facts: Facts, found: Found) -> None:
    """Leave out the largest checkpoints as long as the whole is larger than what is accepted."""
    code = sum(map(len, found.sources.values()))
    sizes = {name: path.stat().st_size for name, path in found.checkpoints.items()}
    while sizes and code + sum(sizes.values()) > facts.upload_mb * MB:
        name = max(sizes, key=lambda it: sizes[it])
        said = _("left out, because everything together may have {n} MB, and with it there is more; make it smaller.")
        found.blame(name, said.format(n=facts.upload_mb))
        del sizes[name], found.checkpoints[name]


def _compare_notebooks(folder: Path, present: Sequence[str], facts: Facts, found: Found) -> None:
    """Say which files an export would change."""
    known = [notebook.name for notebook in facts.notebooks]
    for path in (path for path in present if path in known):
        try:
            made = export(folder / path, folder, facts).files
        except ExportError as error:
            found.remark(path, str(error))
            continue
        new = [it.name for it in made if it.name in found.sources and it.text and it.text != it.before]
        broken = [it.name for it in made if not it.text]
        if new:
            said = _(
                "holds other code than {names}; if the notebook is right, export it: python -m tools.export {path}"
            )
            found.remark(path, said.format(names=all_of(new), path=path))
        if broken:
            said = _("cannot be exported to {names}; python -m tools.export {path} says why.")
            found.remark(path, said.format(names=all_of(broken), path=path))


def _said_of(failure: Failure, name: str) -> str:
    """A sentence on why a file cannot be imported."""
    if failure.missing and not failure.missing.startswith("_"):
        hint = _("; install what requirements.txt lists, or see that the given files are in this folder")
    elif not failure.file and not failure.missing:
        hint = _("; put what trains or draws under `if __name__ == '__main__':`")
    else:
        hint = ""
    place = ""
    if failure.file:
        where = _("line {line}") if failure.file == name else _("{file}, line {line}")
        place = f" ({where.format(file=failure.file, line=failure.line)})"
    return _("cannot be imported{place}: {error}{hint}.").format(
        place=place, error=shown(failure.error, 200), hint=hint
    )


def _said(found: Found, facts: Facts) -> Iterator[str]:
    """What there is to say of each file."""
    names = [*facts.names, *(file.name for file in facts.checkpoints)]
    others = [name for name in (*found.wrong, *found.remarks) if name not in names]
    for name in dict.fromkeys([*names, *others]):
        if name not in found.wrong and name not in found.remarks:
            yield f"  {name}: " + _("good.")
        for problem in found.wrong.get(name, []):
            yield f"! {name}: {problem}"
        for remark in found.remarks.get(name, []):
            yield f"- {name}: {remark}"


def pack(found: Found, target: IO[bytes]) -> None:
    """Write the zip, which is byte for byte the same for the same files."""
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in sorted(found.sources.items()):
            archive.writestr(_entry(name, zipfile.ZIP_DEFLATED), content)
        for name, path in sorted(found.checkpoints.items()):
            with archive.open(_entry(name, zipfile.ZIP_STORED), "w") as member, path.open("rb") as weights:
                shutil.copyfileobj(weights, member)  # weights hardly shrink


def _entry(name: str, method: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIRST_OF_1980)
    entry.compress_type, entry.create_system, entry.external_attr = method, _UNIX, 0o100644 << 16
    return entry


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the zip of a folder; 1 if something is missing or wrong."""
    facts = shipped()
    parser = argparse.ArgumentParser(prog="python -m tools.zip", description=_("Make the zip to hand in."))
    help_folder = _("folder with the files; default: the current one")
    parser.add_argument("--folder", type=Path, default=Path(), help=help_folder)
    help_output = _("the zip to write; default: {name} in the folder").format(name=f"{facts.id}.zip")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=help_output)
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(_("{name}: there is no such folder.").format(name=options.folder))
    say([_("Looking at the files, and trying to import them; this can take a minute.")])
    lines, good = run(options.folder, options.output or options.folder / f"{facts.id}.zip", facts)
    say(lines)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""Signs in the sources of a submission that an instructor may want to look at. They change no mark.

What runs is judged by what it returns and is kept from the answers, so that a sign is no verdict: there are good
reasons for most of these lines.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from autograder.intake.display import listed, shown
from autograder.intake.syntax import ask
from autograder.language import N_, _, plural

LIMIT = 20
"""So many signs are listed; the others are counted."""

_CHILD = str(Path(__file__).with_name("signs_child.py"))
_UNREAD = "unread"

# The weightiest first: where there are too many, the first of these are listed.
_SENTENCES = {
    _UNREAD: N_("could not be looked through for signs: it is nested too deeply or too large."),
    "reference": N_("imports what belongs to the grader or is named like a solution: {names}."),
    "library": N_("imports a library of ready-made models: {names}."),
    "frames": N_("reaches into the running interpreter, its frames or its objects: {names}."),
    "hooks": N_("watches or changes what else is run or imported: {names}."),
    "patch": N_("replaces parts of a library for the whole process: {names}."),
    "answers": N_("defines values that decide themselves how they compare or what a library sees of them: {names}."),
    "packed": N_("decodes or unpacks what it then runs as code: {names}."),
    "literal": N_("holds a literal that looks like encoded or compressed data."),
    "code": N_("runs text as code: {names}."),
    "unpickled": N_("makes objects of bytes, which can run code: {names}."),
    "native": N_("reaches machine code outside of Python: {names}."),
    "process": N_("starts or ends processes: {names}."),
    "descriptor": N_("works on open files or on memory by their numbers: {names}."),
    "network": N_("opens network connections: {names}."),
    "later": N_("lets code run on a signal or at the end: {names}."),
    "files": N_("names files of the system or of the grader: {names}."),
    "environment": N_("reads all of the environment, or looks for the grader in it: {names}."),
    "lookup": N_("finds a module or a function by a name that is put together or hidden: {names}."),
    "pip": N_("installs packages: {names}."),
}
_WEIGHTS = {kind: weight for weight, kind in enumerate(_SENTENCES)}


def signs_of(sources: Mapping[str, str], own: Collection[str]) -> list[str]:
    """A sentence for each kind of sign in each file, by file and line, in the language that is spoken; safe to show.

    Args:
        sources: file -> its text.
        own: modules of the assignment, which the sources may import whatever their names are.

    Raises:
        RuntimeError: the process that looks failed, which no source should bring about.
    """
    found = []
    for file, text in sources.items():
        kinds: dict[str, tuple[list[str], set[int]]] = {}
        answer = ask(_CHILD, text)
        for kind, name, lines in answer["signs"] if answer else [(_UNREAD, "", [1])]:
            if kind != "reference" or name not in own:
                names, all_lines = kinds.setdefault(kind, ([], set()))
                names.append(name)
                all_lines.update(lines)
        found += [(_WEIGHTS[kind], file, sorted(lines), kind, names) for kind, (names, lines) in kinds.items()]
    kept = sorted(found)[:LIMIT]
    sentences = [
        _said(file, lines, _(_SENTENCES[kind]).format(names=listed(sorted(names))))
        for _weight, file, lines, kind, names in sorted(kept, key=lambda sign: sign[1:3])
    ]
    left = len(found) - len(kept)
    return [*sentences, plural("and {n} more sign", "and {n} more signs", left)] if left else sentences


def _said(file: str, lines: list[int], sign: str) -> str:
    others = listed([str(line) for line in lines[1:]])
    if others:
        sign = plural(
            "{sign} Also in line {lines}.", "{sign} Also in lines {lines}.", len(lines) - 1, sign=sign, lines=others
        )
    return _("{label}: {text}").format(label=f"{shown(file)}:{lines[0]}", text=sign)

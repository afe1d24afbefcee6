"""The README.md of a released assignment, made from its manifest and the released sources."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autograder.assignment import Assignment, Question
from autograder.release.markers import Block


class _Words(NamedTuple):
    """The words of one language that stand in tables."""

    files: tuple[str, str, str]
    submitted: tuple[str, str, str, str]
    questions: tuple[str, str, str, str]
    complete: str
    unchanged: str
    given: str
    script: str
    handout: str
    requirements: str
    kinds: Mapping[str, str]
    of_which_auto: str
    part: str
    parts: str
    total: str
    nothing: str
    adapt: str
    bonus: str


_WORDS = {
    "en": _Words(
        files=("File", "What it holds", "For you"),
        submitted=("File", "Question", "Function or method", "Points"),
        questions=("Question", "Title", "Points", "Graded"),
        complete="complete and hand in",
        unchanged="hand in as it is",
        given="given",
        script="given, to run",
        handout="the questions",
        requirements="the packages to install",
        kinds={"auto": "auto-graded", "training": "training", "written": "written"},
        of_which_auto="{} auto-graded",
        part="1 part",
        parts="{} parts",
        total="total",
        nothing="no points of its own",
        adapt="adapt and hand in",
        bonus="bonus",
    ),
    "fr": _Words(
        files=("Fichier", "Contenu", "Pour vous"),
        submitted=("Fichier", "Question", "Fonction ou méthode", "Points"),
        questions=("Question", "Titre", "Points", "Correction"),
        complete="à compléter et à remettre",
        unchanged="à remettre tel quel",
        given="fourni",
        script="fourni, à lancer",
        handout="les questions",
        requirements="les paquets à installer",
        kinds={"auto": "correction automatique", "training": "entraînement", "written": "réponse écrite"},
        of_which_auto="dont {} en correction automatique",
        part="1 partie",
        parts="{} parties",
        total="total",
        nothing="pas de points propres",
        adapt="à adapter et à remettre",
        bonus="bonus",
    ),
}


def render_readme(assignment: Assignment, files: Mapping[str, str], blocks: Mapping[str, Sequence[Block]]) -> str:
    """Render the README.

    Args:
        assignment: the manifest; its language decides the language of the text.
        files: name and text of every other text file of the release but the assets.
        blocks: the solution blocks of each submitted file; a file without one does not wait for code.

    Raises:
        SyntaxError: a `.py` file in `files` is not valid Python.
    """
    words = _WORDS[assignment.language]
    modules = {name: ast.parse(text, name) for name, text in files.items() if name.endswith(".py")}
    summaries = {name: _summary(module) for name, module in modules.items()}
    sources = (*assignment.files, *assignment.support, *assignment.extras)
    scripts = [file.name for file in sources if file.name in modules and _is_script(modules[file.name])]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    parts = sum(not part.bonus for part in assignment.parts)
    bonus = sum(part.points for part in assignment.parts if part.bonus)
    to_complete = frozenset(name for name, own in blocks.items() if own)
    return environment.get_template(f"readme_{assignment.language}.md.jinja").render(
        title=assignment.title,
        total=f"{assignment.points:g}",
        parts=words.part if parts == 1 else words.parts.format(parts),
        bonus=f"{bonus:g}" if bonus else "",
        handout="handout.md" in files,
        files=_file_table(assignment, words, files, summaries, to_complete, scripts),
        room=any(block.definitions for own in blocks.values() for block in own),
        submitted=_submitted_table(assignment, words),
        checkpoints=[checkpoint.name for checkpoint in assignment.checkpoints],
        sources=[file.name for file in assignment.files],
        questions=_question_table(assignment, words),
        scratch=assignment.scratch_dirs,
        kinds={question.kind for question in assignment.questions},
        report=any(question.kind != "auto" for question in assignment.questions),
        training=[question for question in assignment.questions if question.kind == "training"],
        scripts=[(name, summaries[name]) for name in scripts],
        script_width=max((len(name) for name in scripts), default=0),
    )


def _summary(module: ast.Module) -> str:
    """First paragraph of the docstring on one line, without its full stop."""
    docstring = ast.get_docstring(module) or ""
    return " ".join(docstring.split("\n\n")[0].split()).removesuffix(".")


def _is_script(module: ast.Module) -> bool:
    """Whether the module has a part for `__name__ == "__main__"`."""
    return any(isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) for node in module.body)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are also aligned when it is read as plain text."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _file_table(
    assignment: Assignment,
    words: _Words,
    files: Mapping[str, str],
    summaries: Mapping[str, str],
    to_complete: frozenset[str],
    scripts: Sequence[str],
) -> str:
    roles = {file.name: words.adapt if file.prefilled else words.unchanged for file in assignment.files}
    roles |= dict.fromkeys(to_complete, words.complete)
    roles |= {file.name: words.given for file in assignment.support}
    roles |= {file.name: words.script if file.name in scripts else words.given for file in assignment.extras}
    roles |= {asset.name: words.given for asset in assignment.assets}
    rows = [(f"`{name}`", summaries.get(name, ""), role) for name, role in roles.items()]
    if "handout.md" in files:
        rows.insert(0, ("`handout.md`", words.handout, ""))
    rows.append(("`requirements.txt`", words.requirements, ""))
    return _table(words.files, rows)


def _submitted_table(assignment: Assignment, words: _Words) -> str:
    units = [(question.id, unit) for question in assignment.questions for unit in question.units]
    rows = []
    for file in assignment.files:
        own = [(question, unit) for question, unit in units if unit.file == file.name]
        for question, unit in own:
            name = unit.name.removeprefix(f"{file.module}.")
            rows.append((f"`{file.name}`", question, f"`{name}`", f"{unit.points:g}"))
        if not own:
            rows.append((f"`{file.name}`", "", words.nothing, ""))
    return _table(words.submitted, rows)


def _question_table(assignment: Assignment, words: _Words) -> str:
    rows = []
    for part in assignment.parts:
        mark = f" ({words.bonus})" if part.bonus else ""
        rows += [(q.id, q.title + mark, f"{q.points:g}", _graded(q, words)) for q in part.questions]
    rows.append((words.total, "", f"{assignment.points:g}", ""))
    if bonus := sum(part.points for part in assignment.parts if part.bonus):
        rows.append((words.bonus, "", f"{bonus:g}", ""))
    return _table(words.questions, rows)


def _graded(question: Question, words: _Words) -> str:
    kind = words.kinds[question.kind]
    if question.kind == "auto" or not question.auto_points:
        return kind
    return f"{kind}, {words.of_which_auto.format(f'{question.auto_points:g}')}"

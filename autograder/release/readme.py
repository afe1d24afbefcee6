"""The README.md of a released assignment, made from its manifest and the released sources."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autograder.assignment import Assignment, Question
from autograder.language import N_, _, number, plural, speaking
from autograder.release.markers import Block

_KINDS = {"auto": N_("auto-graded"), "training": N_("training"), "written": N_("written")}


def render_readme(assignment: Assignment, files: Mapping[str, str], blocks: Mapping[str, Sequence[Block]]) -> str:
    """Render the README, in the language of the assignment.

    Args:
        assignment: the manifest.
        files: name and text of every other text file of the release but the assets.
        blocks: the solution blocks of each submitted file; a file without one does not wait for code.

    Raises:
        SyntaxError: a `.py` file in `files` is not valid Python.
    """
    with speaking(assignment.language):
        return _render(assignment, files, blocks)


def _render(assignment: Assignment, files: Mapping[str, str], blocks: Mapping[str, Sequence[Block]]) -> str:
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
        total=number(assignment.points),
        parts=plural("{n} part", "{n} parts", parts),
        bonus=number(bonus) if bonus else "",
        handout="handout.md" in files,
        files=_file_table(assignment, files, summaries, to_complete, scripts),
        room=any(block.definitions for own in blocks.values() for block in own),
        values=any(block.names for own in blocks.values() for block in own),
        submitted=_submitted_table(assignment),
        checkpoints=[checkpoint.name for checkpoint in assignment.checkpoints],
        id=assignment.id,
        notebooks=[notebook.name for notebook in assignment.notebooks],
        public=assignment.checks.is_dir(),
        questions=_question_table(assignment),
        scratch=assignment.scratch_dirs,
        kinds={question.kind for question in assignment.questions},
        report=any(question.kind != "auto" for question in assignment.questions),
        training=[question for question in assignment.questions if question.kind == "training"],
        scripts=[(name, summaries[name]) for name in scripts],
        number=number,
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
    files: Mapping[str, str],
    summaries: Mapping[str, str],
    to_complete: frozenset[str],
    scripts: Sequence[str],
) -> str:
    roles = {
        file.name: _("adapt and hand in") if file.prefilled else _("hand in as it is") for file in assignment.files
    }
    roles |= dict.fromkeys(to_complete, _("complete and hand in"))
    roles |= {file.name: _("given") for file in assignment.support}
    roles |= {file.name: _("given, to run") if file.name in scripts else _("given") for file in assignment.extras}
    roles |= {asset.name: _("given") for asset in assignment.assets}
    rows = [
        (f"`{notebook.name}`", _("the same places as in {files}").format(files=_quoted(notebook.files)), _("complete"))
        for notebook in assignment.notebooks
    ]
    rows += [(f"`{name}`", summaries.get(name, ""), role) for name, role in roles.items()]
    if "handout.md" in files:
        rows.insert(0, ("`handout.md`", _("the questions"), ""))
    rows.append(("`tools/`", _("exports notebooks, makes the zip to hand in"), _("given, to run")))
    if assignment.checks.is_dir():
        rows.append(("`test_public.py`", _("the public checks, with `public/`"), _("given, to run")))
    rows.append(("`requirements.txt`", _("the packages to install"), ""))
    return _table((_("File"), _("What it holds"), _("For you")), rows)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _submitted_table(assignment: Assignment) -> str:
    units = [(question.id, unit) for question in assignment.questions for unit in question.units]
    rows = []
    for file in assignment.files:
        own = [(question, unit) for question, unit in units if unit.file == file.name]
        for question, unit in own:
            name = unit.name.removeprefix(f"{file.module}.")
            rows.append((f"`{file.name}`", question, f"`{name}`", number(unit.points)))
        if not own:
            rows.append((f"`{file.name}`", "", _("no points of its own"), ""))
    return _table((_("File"), _("Question"), _("Function or method"), _("Points")), rows)


def _question_table(assignment: Assignment) -> str:
    rows = []
    for part in assignment.parts:
        title = _("{title} (bonus)") if part.bonus else "{title}"
        rows += [(q.id, title.format(title=q.title), number(q.points), _graded(q)) for q in part.questions]
    rows.append((_("total"), "", number(assignment.points), ""))
    if bonus := sum(part.points for part in assignment.parts if part.bonus):
        rows.append((_("bonus"), "", number(bonus), ""))
    return _table((_("Question"), _("Title"), _("Points"), _("Graded")), rows)


def _graded(question: Question) -> str:
    name = _KINDS[question.kind]
    kind = _(name)
    if question.kind == "auto" or not question.auto_points:
        return kind
    return _("{kind}, {points} auto-graded").format(kind=kind, points=number(question.auto_points))

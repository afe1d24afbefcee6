"""What a student reads when a public check does not pass: what was expected, what came, and where."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from types import ModuleType

from tools.outcomes import CheckFailed, describe_error
from tools.words import _
from tools.errors import InputChanged, SourceLine, SubmissionRaised
from tools.records import PublicCheck
from tools.replay import CallFailed, import_in, replay


def failure(check: PublicCheck, probes: ModuleType, folder: Path, submitted: Collection[str]) -> str:
    """Run a check on the files in a folder; what is wrong, or nothing.

    Args:
        check: the check.
        probes: module with its stand-ins.
        folder: where the submitted files are; they can be imported.
        submitted: their names.
    """
    if not (folder / check.file).is_file():
        return _("{file} is not in this folder.").format(file=check.file)
    module = check.file.removesuffix(".py").replace("/", ".")
    try:
        import_in(folder, module)
        if getattr(sys.modules[module], check.function, check) is None:  # a value that the stub leaves open
            return _not_implemented(check, [])
        replay(check, probes)
    except CheckFailed as error:
        return str(error)
    except InputChanged as error:
        return str(describe_error(error, error.function))
    except CallFailed as error:
        return _raised(check, error, own_lines(error.raised, folder, submitted))
    return ""


def own_lines(error: BaseException, folder: Path, submitted: Collection[str]) -> list[SourceLine]:
    """The lines of the submitted files on the way to an error, the last one last."""
    files = {(folder / name).resolve(): name for name in submitted}
    lines = []
    for frame, (raw, _line) in zip(
        traceback.extract_tb(error.__traceback__), traceback.walk_tb(error.__traceback__), strict=True
    ):
        if name := files.get(Path(frame.filename).resolve()):
            function = getattr(raw.f_code, "co_qualname", frame.name)  # from Python 3.11 on, with the class
            lines.append(SourceLine(name, frame.lineno or 0, function, (frame.line or "").strip()))
    if isinstance(error, SyntaxError) and error.filename and (name := files.get(Path(error.filename).resolve())):
        lines.append(SourceLine(name, error.lineno or 0, "<module>", (error.text or "").strip()))
    return lines


def _raised(check: PublicCheck, failed: CallFailed, lines: list[SourceLine]) -> str:
    error = failed.raised
    if isinstance(error, NotImplementedError):
        return _not_implemented(check, lines)
    if failed.importing:
        return _not_imported(failed.importing, error, lines)
    raised = SubmissionRaised(type(error).__name__, str(error), lines)
    return "\n".join([str(describe_error(raised, failed.what)), *map(str, lines[-1:])])


def _not_implemented(check: PublicCheck, lines: list[SourceLine]) -> str:
    named = [line.function for line in lines if not line.function.endswith(">")][-1:] or [check.function]
    missing = named[0].removesuffix(".__init__")  # a class, where Python says whose constructor it is
    other, own = missing.rpartition(".")[2], check.function.rpartition(".")[2]
    if other == own or other.startswith("__") or missing.startswith(f"{check.function}."):
        told = _("question {question}: {function}: not implemented yet")
        return told.format(question=check.question, function=check.function)
    told = _("question {question}: {function} needs {other}, which is not implemented yet")
    return told.format(question=check.question, function=check.function, other=other)


def _not_imported(module: str, error: BaseException, lines: list[SourceLine]) -> str:
    file = lines[-1].file if lines else f"{PurePosixPath(*module.split('.'))}.py"
    text = error.msg if isinstance(error, SyntaxError) else (str(error).splitlines() or [""])[0]
    if lines:
        told = _("{file} cannot be imported: line {line} raises {error}: {text}")
        return told.format(file=file, line=lines[-1].number, error=type(error).__name__, text=text)
    return _("{file} cannot be imported: {error}: {text}").format(file=file, error=type(error).__name__, text=text)

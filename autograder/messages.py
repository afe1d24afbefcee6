"""Keeps the catalogues of `autograder/locale`: `make messages`. Needs the `dev` extra.

Of each language there are two. One holds what a student of a course in this language can be told: the sentences that
the package marks by the functions of `autograder.language`, and the titles of checks, which are the first lines of
their docstrings; checks of assignments in English are left out. The other holds the words of the Python files that are
released to students: docstrings, comments and texts; and of their notebooks, where the text of a cell is one message.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.assignment import assignment_names, load_assignment
from autograder.language import DOMAIN, LOCALES, MASTERS, TRANSLATED
from autograder.release.bundle import parse_masters
from autograder.release.notebooks import notebook_words
from autograder.release.public import RUNNER, runner
from autograder.release.translation import phrases

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog, Message

PACKAGE = Path(__file__).resolve().parent
_KEYWORDS = {"_": None, "N_": None, "plural": (1, 2), "both_forms": (1, 2)}
_HEADER = "# Sentences of genlab; kept by `make messages`."


def template() -> Catalog:
    """All messages of the package, without translations.

    Raises:
        ManifestError: a manifest is not valid, so that the language of its checks is not known.
    """
    from babel.messages.catalog import Catalog
    from babel.messages.extract import extract_from_file

    found = Catalog(project=DOMAIN, charset="utf-8")
    english = {name for name in assignment_names() if load_assignment(name).language == "en"}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        is_check, folder = place.startswith("checks/"), place.split("/")[1:2]
        if is_check and set(folder) & english:
            continue
        for _line, message, _comments, _context in extract_from_file("python", path, _KEYWORDS):
            found.add(message, locations=[(place, 1)])
        for title in titles(path) if is_check else ():
            found.add(title, locations=[(place, 1)])
    return found


def titles(path: Path) -> Iterator[str]:
    """The titles of the checks in a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and ast.get_docstring(node):
            yield (ast.get_docstring(node) or "").splitlines()[0].strip()


def masters_template(language: str) -> Catalog:
    """The words of all Python files and notebooks that are released in a language, without translations.

    Raises:
        ManifestError: a manifest is not valid.
        ReleaseError: a master is missing.
        MarkerError: a master has a wrong marker.
    """
    from babel.messages.catalog import Catalog

    found = Catalog(project=MASTERS, charset="utf-8")
    assignments = [load_assignment(name) for name in assignment_names()]
    for assignment in (one for one in assignments if one.language == language):
        texts = {name: master.stub for name, master in parse_masters(assignment).items()}
        for file in (*assignment.support, *assignment.extras):
            texts[file.name] = assignment.master(file).read_text("utf-8")
        texts[RUNNER] = runner()
        for name, text in texts.items():
            for phrase in phrases(text):
                found.add(phrase.message, locations=[(f"{assignment.id}/{name}", 1)])
        for name, messages in notebook_words(assignment).items():
            for message in messages:
                found.add(message, locations=[(f"{assignment.id}/{name}", 1)])
    return found


def templates(language: str) -> dict[str, Catalog]:
    """Both catalogues of a language without translations, by domain."""
    return {DOMAIN: template(), MASTERS: masters_template(language)}


def catalogue_path(language: str, domain: str = DOMAIN) -> Path:
    """A catalogue of a language, as people edit it."""
    return LOCALES / language / "LC_MESSAGES" / f"{domain}.po"


def read_catalogue(language: str, domain: str = DOMAIN) -> Catalog:
    """A catalogue of a language with its translations; empty if there is none yet."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po

    path = catalogue_path(language, domain)
    if not path.is_file():
        return Catalog(locale=language, project=domain, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update(language: str, domain: str, messages: Catalog) -> list[str]:
    """Bring a catalogue up to date and compile it.

    A changed sentence is a new one: nothing is guessed from sentences that look alike.

    Args:
        language: of the translations.
        domain: which of the language's catalogues.
        messages: all that has to be in it.

    Returns:
        The messages that wait for a translation.
    """
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import write_po

    catalogue, path = read_catalogue(language, domain), catalogue_path(language, domain)
    created = catalogue.creation_date
    catalogue.update(messages, no_fuzzy_matching=True)
    catalogue.creation_date = catalogue.revision_date = created  # or every run would change the file
    catalogue.version = catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = ""
    catalogue.header_comment, catalogue.fuzzy = _HEADER, False
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=100, sort_by_file=True, ignore_obsolete=True, include_lineno=False)
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalogue)
    return [str(message.id) for message in catalogue if message.id and not all(forms(message))]


def forms(message: Message) -> list[str]:
    """All forms of a translation, of which there are several where it depends on a number; empty ones are missing."""
    text = message.string or ""
    return [text] if isinstance(text, str) else [form or "" for form in text]


def main() -> None:
    """Update all catalogues and name what waits for a translation."""
    for language in TRANSLATED:
        for domain, messages in templates(language).items():
            waiting = update(language, domain, messages)
            print(f"{catalogue_path(language, domain)}: {len(waiting)} messages wait for a translation")
            for message in waiting:
                print(f"  {message}")


if __name__ == "__main__":
    main()

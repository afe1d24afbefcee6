"""The language in which students are spoken to: English in the source, other languages from gettext catalogues.

A sentence is translated when it is made, in the language of the submission's assignment: `_("{name} is empty.")`, then
`.format(name=name)`. `make messages` puts new sentences into the catalogues; see `autograder.messages`.
"""

from __future__ import annotations

import contextlib
import gettext
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

DOMAIN = "genlab"
"""The catalogue of what the grader says."""

MASTERS = "masters"
"""The catalogue of the words in the files that students get."""

LOCALES = Path(__file__).with_name("locale")
TRANSLATED = ("fr",)
"""The languages that have a catalogue."""

_ENGLISH = gettext.NullTranslations()
_current: ContextVar[gettext.NullTranslations] = ContextVar("language", default=_ENGLISH)


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak this language to the student until the end of the block; what has no translation stays English.

    Args:
        language: code of the language, as in a manifest.

    Raises:
        FileNotFoundError: the language has no catalogue.
    """
    found = _ENGLISH if language == "en" else gettext.translation(DOMAIN, LOCALES, [language])
    token = _current.set(found)
    try:
        yield
    finally:
        _current.reset(token)


def masters_catalogue(language: str) -> gettext.NullTranslations:
    """The words of released files in a language.

    Raises:
        FileNotFoundError: the language has no catalogue.
    """
    return _ENGLISH if language == "en" else gettext.translation(MASTERS, LOCALES, [language])


def _(text: str) -> str:
    """The text in the language that is spoken; placeholders in braces stay for `str.format`."""
    return _current.get().gettext(text) if text else ""


def N_(text: str) -> str:  # noqa: N802
    """The text as it stands, marked for the catalogues; whoever uses it translates it by `_`."""
    return text


def plural(one: str, many: str, count: int, **values: object) -> str:
    """The form for `count`, in the language that is spoken, with `count` in `{n}` and the values in their names."""
    return _current.get().ngettext(one, many, count).format(n=count, **values)


def number(value: float) -> str:
    """A number as it is written in the language that is spoken, such as 2.5 or 2,5; with six digits at most."""
    return f"{value:g}".replace(".", _("."))


def both_forms(one: str, many: str) -> tuple[str, str]:
    """The forms for one and for many, in the language that is spoken; the placeholder `{n}` stays."""
    speech = _current.get()
    return speech.ngettext(one, many, 1), speech.ngettext(one, many, 2)


def retold(text: str, *sentences: str) -> str:
    """`text` in the language that is spoken, if it is one of these sentences, filled in where nothing is translated.

    A submission's process has no catalogue: the sentences on mistakes in it are not for the submission to read.

    Args:
        text: what came from such a process.
        sentences: marked by `N_`, with their placeholders.
    """
    for sentence in sentences:
        found = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(sentence)), text)
        if found:
            return _(sentence).format(**found.groupdict())
    return text

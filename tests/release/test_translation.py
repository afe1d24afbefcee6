"""Words of a released file in another language; the code stays."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autograder.assignment import SOLUTIONS
from autograder.release.translation import phrases, translated

SOURCE = '''\
"""A module of some words.

It has two paragraphs.
"""

WIDTH = 3  # the width of it
SHAPE = 4  # (B, channels, height)


class Disc:
    """A disc."""

    def area(self, radius):
        """Area of the disc,

            with a formula.
        """
        # A comment that goes
        # over two lines.
        if radius < 0:
            raise ValueError(f"a radius of {radius:.2f} in {self.name!r} is {{wrong}}: " "take another one")
        kinds = {"one": "single", "two words": r"back\\slash here"}
        raise NotImplementedError("question 1.1: area")
'''


def test_what_is_found() -> None:
    assert [phrase.message for phrase in phrases(SOURCE)] == [
        "A module of some words.\n\nIt has two paragraphs.",
        "the width of it",
        "A disc.",
        "Area of the disc,\n\nwith a formula.",
        "A comment that goes over two lines.",
        "a radius of {radius:.2f} in {self.name!r} is {{wrong}}: take another one",
        "two words",
        "back\\slash here",
    ]


def test_words_change_and_code_does_not() -> None:
    french = {
        "A module of some words.\n\nIt has two paragraphs.": "Un module.\n\nEn deux paragraphes.",
        "A disc.": "Un disque.",
        "A comment that goes over two lines.": "Un commentaire " + "assez long " * 12,
        "a radius of {radius:.2f} in {self.name!r} is {{wrong}}: take another one": 'rayon « {radius:.2f} » "faux"',
        "back\\slash here": "barre\\oblique",
    }
    text = translated(SOURCE, lambda message: french.get(message, message))
    assert text.startswith('"""Un module.\n\nEn deux paragraphes.\n"""\n')
    assert '    """Un disque."""\n' in text
    assert text.count("\n        # ") == 2  # wrapped again
    assert all(len(line) <= 120 for line in text.split("\n"))
    assert 'raise ValueError(f"rayon « {radius:.2f} » \\"faux\\"")' in text
    assert ast.literal_eval(text.split('"two words": ')[1].split("}")[0]) == "barre\\oblique"
    assert "# (B, channels, height)" in text


def test_long_texts_are_broken_between_words_and_never_in_braces() -> None:
    source = "def f(x):\n    print(f'{x} and more', 1)\n"
    words = "{x} " + "mot {x} " * 40
    text = translated(source, lambda message: words)
    assert all(len(line) <= 120 for line in text.split("\n"))
    printed: list[str] = []
    namespace = {"print": lambda line, one: printed.append(line)}
    exec(text, namespace)
    namespace["f"](7)  # type: ignore[operator]
    assert printed == [words.format(x=7)]


# Notebooks are translated cell by cell; see test_notebooks.py.
SOURCES = sorted(path for path in SOLUTIONS.rglob("*.py") if path.parent.name != "notebooks")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(SOLUTIONS).as_posix())
def test_real_sources_stay_valid_and_the_same_without_translations(path: Path) -> None:
    text = "\n".join(line for line in path.read_text("utf-8").split("\n") if "SOLUTION" not in line)
    assert translated(text, lambda message: message) == text
    other = translated(text, lambda message: f"{message} !")
    shape = ast.dump(ast.parse(text)).count("(")
    assert ast.dump(ast.parse(other)).count("(") == pytest.approx(shape, rel=0.1)
    assert {phrase.message for phrase in phrases(other)} >= {f"{phrase.message} !" for phrase in phrases(text)}

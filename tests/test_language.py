"""Behaviour of autograder/language.py and autograder/messages.py, and the state of the catalogues."""

from __future__ import annotations

import ast
import copy
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from rich.console import Console

from autograder import messages
from autograder.assignment import Limits
from autograder.grading.engine import Engine
from autograder.grading.expectation import expect
from autograder.grading.outcomes import CheckFailed
from autograder.grading.report import Report
from autograder.intake import read_submission
from autograder.language import DOMAIN, MASTERS, N_, TRANSLATED, _, both_forms, number, plural, retold, speaking
from autograder.report.files import write_report
from autograder.report.terminal import print_report
from tests.grading.conftest import HEADER, TILL, Course, SmallAssignment

NO_BREAK = "\u00a0"


def words_of(text: str) -> list[str]:
    """The words of a message that stand in it whatever fills its placeholders."""
    return re.findall(r"[^\W\d_]{2,}", re.sub(r"\{\w*\}", " ", text))


# ---- speaking


def test_english_is_spoken_unless_another_language_is_asked_for():
    assert _("the result") == "the result"
    with speaking("fr"):
        assert _("the result") == "le résultat"
        with speaking("en"):
            assert _("the result") == "the result"
        assert _("the result") == "le résultat"
    assert _("the result") == "the result"


def test_the_language_ends_with_its_block_when_the_block_fails():
    with pytest.raises(ZeroDivisionError), speaking("fr"):
        raise ZeroDivisionError
    assert _("the result") == "the result"


def test_what_has_no_translation_stays_english():
    with speaking("fr"):
        assert _("a sentence that nobody has translated") == "a sentence that nobody has translated"


def test_an_empty_text_stays_empty():
    """The empty message of a catalogue is its header."""
    with speaking("fr"):
        assert _("") == ""


def test_a_language_without_a_catalogue_is_an_error():
    with pytest.raises(FileNotFoundError), speaking("tlh"):
        pass


def test_a_marked_sentence_is_translated_when_it_is_used():
    sentence = N_("another value.")
    with speaking("fr"):
        assert sentence == "another value."
        assert _(sentence) == "une autre valeur."


@pytest.mark.parametrize(
    ("language", "count", "text"),
    [
        ("en", 1, "a, b and 1 more"),
        ("en", 2, "a, b and 2 more"),
        ("fr", 1, "a, b et 1 autre"),
        ("fr", 2, "a, b et 2 autres"),
    ],
)
def test_the_form_follows_the_number(language, count, text):
    with speaking(language):
        assert plural("{names} and {n} more", "{names} and {n} more", count, names="a, b") == text


def test_both_forms_keep_the_place_of_the_number():
    with speaking("fr"):
        assert both_forms("{n} point could not be judged", "{n} points could not be judged") == (
            "{n} point n'a pas pu être évalué",
            "{n} points n'ont pas pu être évalués",
        )


@pytest.mark.parametrize(
    ("value", "english", "french"), [(2.5, "2.5", "2,5"), (10.0, "10", "10"), (0.25, "0.25", "0,25")]
)
def test_numbers_have_the_decimal_mark_of_the_language(value, english, french):
    assert number(value) == english
    with speaking("fr"):
        assert number(value) == french


def test_what_another_process_said_is_told_again_in_the_language():
    too_large, no_class = "the value is larger than {size} MB", "{file} has no class {name}"
    with speaking("fr"):
        assert retold("the value is larger than 256 MB", no_class, too_large) == f"la valeur dépasse 256{NO_BREAK}Mo"
        assert retold("vae.py has no class VAE", no_class) == "vae.py ne contient pas de classe VAE"
        assert retold("something else (.*) {0}", no_class, too_large) == "something else (.*) {0}"
    assert retold("vae.py has no class VAE", no_class) == "vae.py has no class VAE"


def test_a_check_speaks_the_language_at_the_moment_it_fails():
    with speaking("fr"), pytest.raises(CheckFailed) as failed:
        expect(None).tensor()
    assert str(failed.value) == (
        f"Attendu{NO_BREAK}: le résultat, sous forme de tenseur de nombres à virgule flottante.\n"
        f"Obtenu{NO_BREAK}: None.\n"
        f"Indice{NO_BREAK}: une fonction sans instruction return renvoie None."
    )


# ---- the source


def _calls_at_import(node: ast.AST) -> Iterator[ast.Call]:
    """Calls that are made when a module is imported: those outside of the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            decorators = [] if isinstance(child, ast.Lambda) else child.decorator_list
            for early in (*decorators, *child.args.defaults, *filter(None, child.args.kw_defaults)):
                yield from _calls_at_import(ast.Expr(early))
            continue
        if isinstance(child, ast.Call):
            yield child
        yield from _calls_at_import(child)


def _speaks(call: ast.Call, *names: str) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in names


def test_no_sentence_is_translated_at_import_where_no_language_is_known():
    found = [
        f"{path.name}:{call.lineno}"
        for path in messages.PACKAGE.rglob("*.py")
        for call in _calls_at_import(ast.parse(path.read_text("utf-8")))
        if _speaks(call, "_", "plural", "both_forms")
    ]
    assert found == []


def test_no_sentence_is_put_together_before_it_is_translated():
    found = [
        f"{path.name}:{call.lineno}"
        for path in messages.PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        for argument in (call.args[:1] if _speaks(call, "_", "N_") else call.args[:2])
        if _speaks(call, "_", "N_", "plural", "both_forms") and isinstance(argument, (ast.JoinedStr, ast.BinOp))
    ]
    assert found == []


# ---- extraction


@pytest.fixture(scope="module")
def source():
    return messages.template()


def test_titles_of_checks_are_the_first_lines_of_their_docstrings(tmp_path):
    path = tmp_path / "test_vae.py"
    path.write_text(
        '@points("vae.kl")\ndef test_kl(student):\n    """The divergence.\n\n    Kingma and Welling.\n    """\n\n\n'
        'def helper():\n    """No check."""\n\n\ndef test_without_words(student):\n    pass\n'
    )
    assert list(messages.titles(path)) == ["The divergence."]


def test_checks_of_english_assignments_are_left_out(source):
    places = {place for message in source for place, _line in message.locations}
    assert "grading/expectation.py" in places
    assert not [place for place in places if place.startswith(("checks/ift6135_h25/", "checks/cmput328_f24/"))]


def test_an_update_keeps_translations_drops_old_sentences_and_guesses_nothing(tmp_path, monkeypatch, source):
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "genlab.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "the result"\nmsgstr "le bilan"\n\nmsgid "another value!"\nmsgstr "une autre valeur"\n'
    )
    monkeypatch.setattr(messages, "LOCALES", tmp_path)
    waiting = messages.update("fr", DOMAIN, copy.deepcopy(source))
    catalogue = messages.read_catalogue("fr")
    assert catalogue.get("the result").string == "le bilan"
    assert catalogue.get("another value!") is None
    assert not catalogue.get("another value.").string
    assert "another value." in waiting
    assert "the result" not in waiting
    before = (folder / "genlab.po").read_bytes(), (folder / "genlab.mo").read_bytes()
    messages.update("fr", DOMAIN, copy.deepcopy(source))
    assert before == ((folder / "genlab.po").read_bytes(), (folder / "genlab.mo").read_bytes())


# ---- the catalogues


@pytest.fixture(scope="module", params=[(language, domain) for language in TRANSLATED for domain in (DOMAIN, MASTERS)])
def place(request) -> tuple[str, str]:
    """A language and one of its catalogues."""
    return request.param


@pytest.fixture(scope="module")
def catalogue(place):
    return messages.read_catalogue(*place)


def _forms(catalogue) -> Iterator[tuple[str, str]]:
    """Each message, as one text, with each form of its translation."""
    for message in catalogue:
        if message.id:
            source = message.id if isinstance(message.id, str) else "\n".join(message.id)
            yield from ((source, form) for form in messages.forms(message))


def test_the_catalogue_holds_exactly_what_the_source_says(catalogue, place, source):
    """If it does not, run `make messages` and translate what it names."""
    language, domain = place
    expected = {message.id for message in (source if domain == DOMAIN else messages.masters_template(language))}
    found = {message.id for message in catalogue}
    assert sorted(map(str, expected - found)) == []
    assert sorted(map(str, found - expected)) == []


def test_every_message_is_translated(catalogue):
    missing = [source for source, form in _forms(catalogue) if not form.strip()]
    assert missing == []
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []


def test_what_is_compiled_is_what_people_edit(catalogue, place):
    with messages.catalogue_path(*place).with_suffix(".mo").open("rb") as file:
        compiled = read_mo(file)
    assert sorted(_forms(compiled)) == sorted(_forms(catalogue))


def test_translations_are_filled_in_with_the_same_names(catalogue):
    def placeholders(text: str) -> set[str]:
        without_formulas = re.sub(r"\$\$.*?\$\$|\$[^$]*\$", "", text, flags=re.DOTALL)
        return set(re.findall(r"(?<!\{)\{[^{}]*\}", without_formulas))

    translated = [(source, form) for source, form in _forms(catalogue) if form]
    wrong = [(source, form) for source, form in translated if placeholders(source) != placeholders(form)]
    assert wrong == []


FRENCH_FAULTS = {
    "no no-break space before ; : ! ? or %": rf"[^{NO_BREAK}\s][;!?%](?!\S)|[^{NO_BREAK}\s]:(?!\S)| [;:!?%](?!\S)",
    "no no-break space inside of « »": rf"«(?!{NO_BREAK})|(?<!{NO_BREAK})»",
    "English quotation marks": r'"|“|”|‘|(?<!\w)\'[^\']+\'(?!\w)',
    "a gap of several spaces": rf"[ {NO_BREAK}]{{2}}",
}
CODE = re.compile(r"`[^`\n]*`|^    .*$|^\s*\{%.*$", re.MULTILINE)


@pytest.mark.parametrize("fault", FRENCH_FAULTS)
def test_french_typography(fault):
    texts = [form for _source, form in _forms(messages.read_catalogue("fr"))]
    found = [text for text in texts if re.search(FRENCH_FAULTS[fault], CODE.sub("code", text))]
    assert found == []


def test_french_typography_of_the_readme():
    template = (messages.PACKAGE / "release" / "readme_fr.md.jinja").read_text("utf-8")
    text = re.sub(r"\{\{.*?\}\}", "", CODE.sub("code", template), flags=re.DOTALL)
    assert re.findall(r".*(?: [;:!?»]|« ).*", text) == []


SPACES, GUILLEMETS, QUOTES, GAPS = FRENCH_FAULTS


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        *((SPACES, text) for text in ("Indice : rien", "Indice: rien", "84 %", "84%", "rien ; si")),
        *((GUILLEMETS, text) for text in ("le « bruit »", "le «bruit»")),
        *((QUOTES, text) for text in ('le "bruit"', "le 'bruit' blanc")),
        (GAPS, "le  bruit"),
    ],
)
def test_a_fault_of_typography_would_be_found(fault, text):
    assert re.search(FRENCH_FAULTS[fault], text)


# ---- a submission of a French course

SHOP = """%matplotlib inline
import torch


def total(prices):
    return prices.sum() + 1


def mean(prices):
    raise NotImplementedError("1.1 mean")


def nothing(prices):
    pass


def flat(prices):
    return prices.sum()


def integers(prices):
    return prices.long()


def infinite(prices):
    return prices / 0


def in_place(prices):
    prices += 1
    return prices


def endless(prices):
    while True:
        pass


def leave(prices):
    raise SystemExit


def broken(prices):
    return prices[100]


def huge(prices):
    return prices[:1].expand(100_000_000)
"""
CHECKS = (
    HEADER
    + '''
from autograder.language import _


@points("shop.total")
def test_values(student, reference, draw):
    """the mean of many samples"""
    prices = draw.uniform(1, 2, 5)
    mistakes = {_("no noise is added"): reference.shop.total(prices) + 1}
    expect(student.shop.total(prices)).close_to(reference.shop.total(prices), mistakes=mistakes)


@points("shop.total")
@pytest.mark.parametrize(
    "name", ["nothing", "flat", "integers", "infinite", "in_place", "endless", "leave", "broken", "huge"]
)
def test_tensor(student, draw, name):
    expect(getattr(student.shop, name)(draw.uniform(1, 2, 5)), _("the standard deviation of many samples")).tensor((5,))


@points("shop.total")
def test_number(student):
    expect(4, _("the result")).equal_to(5)


@points("shop.mean")
@needs("shop.total")
def test_mean(student, draw):
    student.shop.mean(draw.uniform(1, 2, 5))


@points("till.change")
def test_change(student, draw):
    student.shop.mean(draw.uniform(1, 2, 5))


@points("till.change")
def test_broken(student):
    raise KeyError("a bug of the check")
'''
)


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Iterator[tuple[Report, list[Path]]]:
    """The report of a submission with many faults, and the files that were written of it."""
    folder = tmp_path_factory.mktemp("remise")
    for name, text in {"shop.py": SHOP, "till.py": TILL, "notes.txt": "", "shop.ipynb": "{}"}.items():
        (folder / name).write_text(text)
    course = Course(tmp_path_factory.mktemp("course"))
    english = course.assignment({"test_all.py": CHECKS}, Limits(call_seconds=0.5))
    assignment: SmallAssignment = english.model_copy(update={"language": "fr", "title": "Un petit devoir"})
    submission = read_submission([folder], assignment)
    with Engine(assignment) as engine:
        report = engine.grade(submission, seed=1)
    yield report, write_report(report, tmp_path_factory.mktemp("rapport"))
    course.close()


def english_in(text: str) -> list[str]:
    """The messages with three words or more that stand in `text` in English."""
    text = " ".join(text.split())
    found = []
    for message in messages.read_catalogue("fr"):
        for source in [message.id] if isinstance(message.id, str) else message.id:
            if len(words_of(source)) >= 3 and source not in messages.forms(message):
                pattern = re.sub(r"\\{\w*\\}", ".{1,60}?", re.escape(source))
                found += re.findall(pattern, text)
    return found


def test_english_would_be_found():
    assert english_in("Obtenu : your code raised\nIndexError.") == ["your code raised IndexError."]


def test_every_message_of_a_french_report_is_french(graded):
    report, _files = graded
    checks = {check.name: check for unit in report.units for check in unit.checks}
    assert checks["values"].message == (
        f"Attendu{NO_BREAK}: les bonnes valeurs pour le résultat.\nObtenu{NO_BREAK}: une autre valeur.\n"
        f"Indice{NO_BREAK}: à première vue, aucun bruit n'est ajouté."
    )
    assert checks["values"].title == "la moyenne d'un grand nombre d'échantillons"
    assert "n'est pas encore implémenté" in checks["change"].message
    assert f"votre code a levé IndexError{NO_BREAK}: " in checks["tensor[broken]"].message
    assert "shop.py, ligne 44, dans broken" in checks["tensor[broken]"].traceback
    assert f"le code ne s'est pas terminé en 0,5{NO_BREAK}s" in checks["tensor[endless]"].message
    assert f"illisible, car la valeur dépasse 256{NO_BREAK}Mo." in checks["tensor[huge]"].message
    assert "la ligne 1 a été mise en commentaire" in report.submission.notes[0]
    assert english_in(report.model_dump_json()) == []


def test_every_message_has_the_spaces_of_french(graded):
    report, _files = graded
    for unit in report.units:
        for check in unit.checks:
            assert not re.search(r"\w:(?!\S)| [;:!?](?!\S)", check.message.split("IndexError")[0]), check.message


def test_every_view_is_french(graded):
    report, files = graded
    views = {path.name: path.read_text("utf-8") for path in files}
    stream = io.StringIO()
    print_report(report, Console(file=stream, width=100))
    views["terminal"] = stream.getvalue()
    results = json.loads(views["results.json"])
    assert results["output"].startswith(f"<p>correction automatique{NO_BREAK}: 0 / 9</p>")
    assert '<html lang="fr">' in views["report.html"]
    assert f"<title>{report.submission.name}{NO_BREAK}: Un petit devoir</title>" in views["report.html"]
    assert "échoué" in views["terminal"]
    assert {name: english_in(view) for name, view in views.items()} == {name: [] for name in views}


def test_a_refusal_is_french(tmp_path):
    course = Course(tmp_path)
    assignment = course.assignment().model_copy(update={"language": "fr"})
    (tmp_path / "devoir.zip").write_bytes(b"Rar!\x1a\x07")
    refusal = read_submission([tmp_path / "devoir.zip"], assignment).refusal
    assert "est une archive RAR et non un zip" in refusal
    assert english_in(refusal) == []
    assert "is a RAR archive" in read_submission([tmp_path / "devoir.zip"], course.assignment()).refusal

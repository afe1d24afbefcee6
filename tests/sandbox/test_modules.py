"""Modules of a submission are imported from memory, under their own names."""

from __future__ import annotations

import importlib
import inspect
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from autograder.sandbox.modules import SourceFinder, file_label

from .conftest import Room


@pytest.fixture
def install() -> Iterator[Callable[[dict[str, str]], SourceFinder]]:
    """Install sources for one test."""
    made: list[SourceFinder] = []

    def make(sources: dict[str, str], classes: dict[str, list[str]] | None = None) -> SourceFinder:
        finder = SourceFinder({name: textwrap.dedent(text) for name, text in sources.items()}, classes)
        finder.install()
        made.append(finder)
        return finder

    yield make
    for finder in made:
        finder.uninstall()


def test_a_module(install: Callable[[dict[str, str]], SourceFinder]) -> None:
    install({"gl_one.py": "x = 3"})
    module = importlib.import_module("gl_one")
    assert module.x == 3
    assert module.__name__ == "gl_one"
    assert module.__file__ == "submission/gl_one.py" == file_label("gl_one.py")


def test_modules_import_each_other_and_themselves(install: Callable[[dict[str, str]], SourceFinder]) -> None:
    install(
        {
            "gl_one.py": "import gl_one as me\nimport gl_two\nx = 3\ndef y(): return me.x + gl_two.z",
            "gl_two.py": "from gl_one import *\nimport gl_one\nz = 4",
        }
    )
    assert importlib.import_module("gl_one").y() == 7


def test_packages(install: Callable[[dict[str, str]], SourceFinder]) -> None:
    install(
        {
            "gl_pack/__init__.py": "from .inner import x\nhere = __name__",
            "gl_pack/inner.py": "from . import other\nx = other.y + 1",
            "gl_pack/other.py": "y = 1",
            "gl_pack/deep/leaf.py": "from ..other import y",
            "gl_folder/leaf.py": "from gl_folder import __name__ as folder\nx = 5",
        }
    )
    package = importlib.import_module("gl_pack")
    assert (package.x, package.here) == (2, "gl_pack")
    assert importlib.import_module("gl_pack.deep.leaf").y == 1
    leaf = importlib.import_module("gl_folder.leaf")
    assert (leaf.x, leaf.folder) == (5, "gl_folder")


def test_names(install: Callable[[dict[str, str]], SourceFinder]) -> None:
    finder = install({"a.py": "", "p/q/r.py": "", "s/__init__.py": ""})
    assert finder.names == {"a", "p", "p.q", "p.q.r", "s"}
    assert [finder.is_package(name) for name in ("a", "p", "p.q", "p.q.r", "s")] == [False, True, True, False, True]


def test_they_come_before_files_and_loaded_modules_of_the_same_name(
    install: Callable[[dict[str, str]], SourceFinder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gl_same.py").write_text("origin = 'disk'")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("gl_same").origin == "disk"
    finder = install({"gl_same.py": "origin = 'memory'"})
    assert importlib.import_module("gl_same").origin == "memory"
    finder.uninstall()
    assert importlib.import_module("gl_same").origin == "disk"
    finder.install()


def test_uninstalled_modules_are_gone() -> None:
    finder = SourceFinder({"gl_one.py": "", "gl_pack/leaf.py": ""})
    finder.install()
    importlib.import_module("gl_one")
    importlib.import_module("gl_pack.leaf")
    finder.uninstall()
    assert finder not in sys.meta_path
    assert not {"gl_one", "gl_pack", "gl_pack.leaf"} & set(sys.modules)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("gl_one")


def test_others_are_left_to_other_finders(install: Callable[[dict[str, str]], SourceFinder]) -> None:
    finder = install({"gl_one.py": "import math\nfrom json import dumps"})
    assert isinstance(importlib.import_module("gl_one").math, ModuleType)
    assert finder.find_spec("json", None) is None


def test_inspect_and_tracebacks_find_the_source(install: Callable[[dict[str, str]], SourceFinder]) -> None:
    install({"gl_one.py": "def f(x):\n    return 1 / x  # here\n"})
    module = importlib.import_module("gl_one")
    assert inspect.getsource(module.f) == "def f(x):\n    return 1 / x  # here\n"
    with pytest.raises(ZeroDivisionError) as caught:
        module.f(0)
    last = traceback.extract_tb(caught.tb)[-1]
    assert (last.filename, last.lineno, last.line) == ("submission/gl_one.py", 2, "return 1 / x  # here")


def test_syntax_errors_name_the_file(install: Callable[[dict[str, str]], SourceFinder]) -> None:
    install({"gl_one.py": "x = 1\ny = = 2\n"})
    with pytest.raises(SyntaxError) as caught:
        importlib.import_module("gl_one")
    assert (caught.value.filename, caught.value.lineno) == ("submission/gl_one.py", 2)


def test_the_finders_own_future_imports_are_not_passed_on(install: Callable[[dict[str, str]], SourceFinder]) -> None:
    install({"gl_one.py": "def f(x: int): ..."})
    assert importlib.import_module("gl_one").f.__annotations__ == {"x": int}


def test_a_failed_import_can_be_repeated(install: Callable[[dict[str, str]], SourceFinder]) -> None:
    install({"gl_one.py": "raise ValueError('again')"})
    for _ in range(2):
        with pytest.raises(ValueError, match="again"):
            importlib.import_module("gl_one")


class TestInAChild:
    def test_a_module_that_imports_itself(self, room: Room) -> None:
        source = "import work\nimport helper.numbers as n\ndef g(): return n.x\ndef f(): return work.g()"
        student = room.student({"work.py": source, "helper/numbers.py": "x = 11"})
        assert student.work.f() == 11

    def test_the_running_modules_name(self, room: Room) -> None:
        source = "ran = __name__ == '__main__'\ndef f(): return ran, __name__, __file__"
        assert room.call(source) == (False, "work", "submission/work.py")


def test_classes_that_are_missing_can_be_imported_but_not_made(install: Callable[..., SourceFinder]) -> None:
    sources = {"nets.py": "class Here: pass\n", "users.py": "from nets import Here, Missing\nmade = Here()\n"}
    install(sources, {"nets": ["Here", "Missing"]})
    users = importlib.import_module("users")
    assert type(users.made).__name__ == "Here"
    with pytest.raises(NotImplementedError, match=r"nets.py has no class Missing"):
        users.Missing(1, key=2)

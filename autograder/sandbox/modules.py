"""Imports a submission's modules from memory, under their real names, before anything of the same name on disk."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Mapping, Sequence
from types import CodeType, ModuleType
from typing import Any

from autograder.sandbox.errors import NO_CLASS

SUBMISSION = "submission"  # first part of the file names that tracebacks show


def file_label(name: str) -> str:
    """File name under which the code of `name` (such as "q1_vae.py") appears in tracebacks."""
    return f"{SUBMISSION}/{name}"


class SourceFinder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds modules in a dictionary of sources.

    Folders without an `__init__.py` become namespace packages.
    """

    def __init__(self, sources: dict[str, str], classes: Mapping[str, Sequence[str]] | None = None) -> None:
        """Make a finder.

        Args:
            sources: file names such as "ddpm_utils/args.py" -> their text.
            classes: module -> classes for which a placeholder is put where the module does not define them, so that
                other modules can import the name; it cannot be instantiated.
        """
        self._classes = classes or {}
        self._sources: dict[str, tuple[str, str]] = {}
        self._packages: set[str] = set()
        for name, text in sources.items():
            dotted = name.removesuffix(".py").replace("/", ".")
            package = dotted.endswith(".__init__")
            dotted = dotted.removesuffix(".__init__")
            self._sources[dotted] = (name, text)
            if package:
                self._packages.add(dotted)
            parts = dotted.split(".")
            self._packages.update(".".join(parts[:count]) for count in range(1, len(parts)))
            label = file_label(name)
            linecache.cache[label] = (len(text), None, text.splitlines(keepends=True), label)

    @property
    def names(self) -> set[str]:
        """Dotted names of all modules and packages."""
        return set(self._sources) | self._packages

    def install(self) -> None:
        """Put this finder before all others, and forget modules of the same names."""
        for name in self.names:
            sys.modules.pop(name, None)
        sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        """Take this finder out again, and its modules with it."""
        sys.meta_path.remove(self)
        for name in self.names:
            sys.modules.pop(name, None)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Spec of a module of the submission, else None."""
        if fullname not in self.names:
            return None
        if fullname not in self._sources:
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = []
            return spec
        name = self._sources[fullname][0]
        found = importlib.util.spec_from_loader(
            fullname, self, origin=file_label(name), is_package=self.is_package(fullname)
        )
        assert found is not None
        found.has_location = True
        return found

    def exec_module(self, module: ModuleType) -> None:
        """Run a module, and put placeholders for the classes that it should have."""
        super().exec_module(module)
        for name in self._classes.get(module.__name__, ()):
            if not hasattr(module, name):
                setattr(module, name, _placeholder(self._sources[module.__name__][0], name))

    def is_package(self, fullname: str) -> bool:
        """Whether a module is the `__init__.py` of a package."""
        return fullname in self._packages

    def get_source(self, fullname: str) -> str:
        """Text of a module, for `inspect` and tracebacks."""
        return self._sources[fullname][1]

    def get_code(self, fullname: str) -> CodeType:
        """Compiled module."""
        name, text = self._sources[fullname]
        return compile(text, file_label(name), "exec", dont_inherit=True)


def _placeholder(file: str, name: str) -> type:
    def missing(self: Any, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(NO_CLASS.format(file=file, name=name))

    return type(name, (), {"__init__": missing, "__module__": file})

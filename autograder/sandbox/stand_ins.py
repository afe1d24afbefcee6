"""Quiet modules in the place of those that a submission imports and that are not here, such as loggers and helpers.

Whatever is taken from them can be called, entered, iterated (it is empty), used as a decorator or as a base class, and
does nothing. Only `datasets` does something: its `load_dataset` gives a few generated images, without a network.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

DATASETS = "datasets"
_ROWS = 16
# Data set of the Hugging Face hub, without its user -> (names of the columns, side, mode of the images)
_COLUMNS = {
    "svhn": ("image", "label", 32, "RGB"),
    "cifar10": ("img", "label", 32, "RGB"),
    "mnist": ("image", "label", 28, "L"),
    "fashion_mnist": ("image", "label", 28, "L"),
}


class Base:
    """What a class has for a base whose module is not here: it takes any arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(name)


class StandIn:
    """Any object of a module that is not here."""

    def __init__(self, name: str) -> None:
        """`name` is what the submission calls it."""
        self.__dict__["_name"] = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # protocols are asked for by such names, and this object has those below
            raise AttributeError(name)
        return StandIn(f"{self._name}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Forget it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Give back a function or class, as a decorator does, or else this object."""
        if len(args) == 1 and not kwargs and isinstance(args[0], (FunctionType, type)):
            return args[0]
        return self

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        before = bases[: next(index for index, base in enumerate(bases) if base is self)]
        others = any(isinstance(base, type) and issubclass(base, Base) for base in bases)
        return () if others or any(isinstance(base, StandIn) for base in before) else (Base,)

    def __instancecheck__(self, instance: Any) -> bool:
        return False

    def __subclasscheck__(self, subclass: type) -> bool:
        return False

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        """Let exceptions pass."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return False

    def __contains__(self, item: Any) -> bool:
        return False

    def __getitem__(self, key: Any) -> StandIn:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        """Forget it."""

    def __repr__(self) -> str:
        return f"<stand-in for {self._name}>"


class _QuietModule(ModuleType):
    __all__: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(f"{self.__name__}.{name}")


class StandInFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds quiet modules under the given names, also where others of these names are installed on this machine."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` may be dotted; then their top-level packages become quiet, unless they are in use already."""
        self._roots = {DATASETS} & set(names)
        for name in names:
            top = name.partition(".")[0]
            self._roots |= {top if top not in sys.modules else name} - set(sys.modules)

    def install(self) -> None:
        """Put this finder before all others, and forget modules of the same names."""
        for name in [name for name in sys.modules if self._is_quiet(name)]:
            del sys.modules[name]
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Spec of a quiet module, else None."""
        return importlib.util.spec_from_loader(fullname, self, is_package=True) if self._is_quiet(fullname) else None

    def _is_quiet(self, fullname: str) -> bool:
        return any(f"{fullname}.".startswith(f"{root}.") for root in self._roots)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """An empty module that has every attribute."""
        return _QuietModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Give `datasets` its data."""
        if module.__name__ == DATASETS:
            vars(module)["load_dataset"] = load_dataset


class TinyTable:
    """A few generated rows, with those parts of a Hugging Face `Dataset` that a course uses."""

    def __init__(self, columns: tuple[str, str], side: int, mode: str) -> None:
        """Generate images of `mode` ("L" or "RGB"), `side` pixels high and wide, and labels 0 to 9."""
        from PIL import Image

        shape = (_ROWS, side, side) if mode == "L" else (_ROWS, side, side, 3)
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        self._rows: dict[str, list[Any]] = {
            columns[0]: [Image.fromarray(image) for image in pixels],
            columns[1]: [index % 10 for index in range(_ROWS)],
        }
        self._transform: Callable[[dict[str, list[Any]]], dict[str, Any]] | None = None

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return list(self._rows)

    def __len__(self) -> int:
        return len(next(iter(self._rows.values()), []))

    def __getitem__(self, key: Any) -> Any:
        """A column by its name; a row as a dict; several rows as a dict of lists. The last two are transformed."""
        if isinstance(key, str):
            return self._rows[key]
        single = not isinstance(key, (slice, list, tuple, range))
        indices = [range(len(self))[int(key)]] if single else range(len(self))[key] if isinstance(key, slice) else key
        rows: dict[str, Any] = {name: [values[index] for index in indices] for name, values in self._rows.items()}
        if self._transform is not None:
            rows = self._transform(rows)
        return {name: values[0] for name, values in rows.items()} if single else rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))

    def _with(self, rows: dict[str, list[Any]]) -> TinyTable:
        table = TinyTable.__new__(TinyTable)
        table._rows, table._transform = rows, self._transform
        return table

    def set_transform(self, transform: Callable[[dict[str, list[Any]]], dict[str, Any]] | None, **_: Any) -> None:
        """Apply `transform` to rows when they are taken."""
        self._transform = transform

    def with_transform(self, transform: Callable[[dict[str, list[Any]]], dict[str, Any]] | None, **_: Any) -> TinyTable:
        """A table with `transform`, which maps a dict of lists to another one."""
        table = self._with(self._rows)
        table._transform = transform
        return table

    def map(self, function: Callable[..., Any], batched: bool = False, **_: Any) -> TinyTable:
        """A table with the columns that `function` gives for a row, or with `batched` for all rows, added."""
        if batched:
            return self._with({**self._rows, **function(dict(self._rows))})
        made = [{**row, **function(row)} for row in self]
        return self._with({name: [row[name] for row in made] for name in made[0]})

    def remove_columns(self, names: str | Sequence[str]) -> TinyTable:
        """A table without these columns."""
        gone = [names] if isinstance(names, str) else names
        return self._with({name: values for name, values in self._rows.items() if name not in gone})

    def rename_column(self, old: str, new: str) -> TinyTable:
        """A table whose column `old` is called `new`."""
        return self._with({new if name == old else name: values for name, values in self._rows.items()})

    def select(self, indices: Sequence[int], **_: Any) -> TinyTable:
        """A table with the rows that exist among these."""
        chosen = [index for index in indices if index < len(self)]
        return self._with({name: [values[index] for index in chosen] for name, values in self._rows.items()})

    def shuffle(self, *_: Any, **__: Any) -> TinyTable:
        """The table as it is: its rows are random."""
        return self

    def with_format(self, *_: Any, **__: Any) -> TinyTable:
        """The table as it is."""
        return self


class TinyTables(dict[str, TinyTable]):
    """Splits of a data set; what is asked of all is done to each."""

    def __getattr__(self, name: str) -> Any:
        if not callable(getattr(TinyTable, name, None)):
            raise AttributeError(name)

        def each(*args: Any, **kwargs: Any) -> TinyTables:
            return TinyTables({split: getattr(table, name)(*args, **kwargs) for split, table in self.items()})

        return each


def load_dataset(path: str, *_: Any, split: Any = None, **__: Any) -> Any:
    """A tiny data set in the form of Hugging Face `datasets.load_dataset`: the splits, or the table of `split`."""
    known = _COLUMNS.get(str(path).rpartition("/")[2].lower().replace("-", "_"), _COLUMNS["svhn"])
    tables = TinyTables({name: TinyTable(known[:2], *known[2:]) for name in ("train", "test", "extra")})
    if isinstance(split, (list, tuple)):
        return [tables["train"] for _ in split]
    return tables if split is None else tables.get(str(split).partition("[")[0], tables["train"])

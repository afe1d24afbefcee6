"""Imports in the warm process what submissions will import, and leaves out what costs seconds and is never used.

Measured on torch 2.12: `import torchvision` takes 4 s of which all but 0.3 s goes to its detection models and, through
them, to torch.compile's front end; the first optimizer that is made pays for the same front end again.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.machinery
import inspect
import os
import sys
import warnings
from collections.abc import Iterable
from types import ModuleType
from typing import Any

_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# The child may be unable to read the interpreter's folder (a root-owned home), and then finds only what is imported
# already: all of the standard library, which costs 0.2 s, but for what opens windows, prints, or is about to go.
_NOT_PRELOADED = frozenset(
    {"antigravity", "distutils", "ensurepip", "idlelib", "lib2to3", "test", "this", "tkinter", "turtle", "turtledemo"}
)
_STANDARD_PARTS = (
    *("concurrent.futures.thread", "importlib.metadata", "importlib.resources", "logging.handlers", "unittest.mock"),
    *("urllib.request", "xml.etree.ElementTree", "multiprocessing.pool", "email.mime.text", "html.parser"),
    *("importlib.readers", "ctypes.wintypes"),  # torch's compiler wants them
    *("encodings.ascii", "encodings.latin_1", "encodings.idna", "encodings.utf_16", "encodings.utf_8_sig"),
)
_LAZY_PARTS = {  # modules that a package imports only when they are first used
    "numpy": ("numpy.random", "numpy.linalg", "numpy.fft", "numpy.polynomial"),
    "torch": (
        "torch.utils.data",
        "torch.optim.lr_scheduler",
        "torch.distributions",
        "torch.amp",
        "torch.func",
    ),
    "matplotlib": ("matplotlib.backends.backend_agg", "matplotlib.gridspec", "matplotlib.animation"),
    "tqdm": ("tqdm.auto", "tqdm.std"),
    "PIL": ("PIL.Image", "PIL.PngImagePlugin"),
}
_LOADED_ON_FIRST_USE = ("torchvision.models", "torchvision.ops")


def quiet_environment() -> None:
    """Settings that must stand before the first import: no thread pool (it would hang a forked child), no window."""
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    os.environ["MPLBACKEND"] = "Agg"


def preload(modules: Iterable[str]) -> dict[str, str]:
    """Import `modules`.

    Returns:
        The modules that could not be imported, with the reason; a submission that needs one gets its ImportError.
    """
    failed = {}
    _preload_standard_library()
    wanted = list(modules)
    wanted += [part for name in modules for part in _LAZY_PARTS.get(name.partition(".")[0], ())]
    for name in wanted:
        try:
            if name.partition(".")[0] == "torchvision":
                _defer(_LOADED_ON_FIRST_USE)
            importlib.import_module(name)
        except ImportError as error:
            failed[name] = str(error)
    if "torch" in sys.modules:
        _spare_optimizers_the_compiler()
    if "tqdm.notebook" in sys.modules:
        _draw_progress_as_text()
    return failed


def _draw_progress_as_text() -> None:
    """Let the bars of notebooks be those of a terminal: there is no notebook that could show widgets."""
    from tqdm import notebook, std

    vars(notebook).update(tqdm=std.tqdm, tqdm_notebook=std.tqdm, trange=std.trange, tnrange=std.trange)


def _preload_standard_library() -> None:
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name in (*sorted(public - _NOT_PRELOADED), *_STANDARD_PARTS):
            with contextlib.suppress(ImportError):  # other platforms' modules, optional parts of the interpreter
                importlib.import_module(name)


def _defer(names: Iterable[str]) -> None:
    """Put a placeholder in the place of each module; its first use imports the real one."""
    for name in names:
        if name not in sys.modules:
            placeholder = ModuleType(name)
            placeholder.__getattr__ = functools.partial(_real_attribute, name)  # type: ignore[method-assign]
            placeholder.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
            del placeholder.__dict__["__loader__"]
            sys.modules[name] = placeholder


def _real_attribute(name: str, attribute: str) -> Any:
    if attribute.startswith("__") and attribute != "__path__":  # inspect looks at every module's __file__
        raise AttributeError(attribute)
    if isinstance(getattr(sys.modules.get(name), "__dict__", {}).get("__getattr__"), functools.partial):
        del sys.modules[name]
        package, _, child = name.rpartition(".")
        setattr(sys.modules[package], child, importlib.import_module(name))
    return getattr(sys.modules[name], attribute)


def _spare_optimizers_the_compiler() -> None:
    """Mark the optimizers' methods as already told that they are not to be compiled (nothing is compiled here).

    Their `step` imports the compiler only to tell it where a graph would end.
    """
    import torch

    if "torch._dynamo" not in sys.modules:
        _defer(("torch._dynamo",))
        vars(sys.modules["torch._dynamo"])["graph_break"] = lambda *_, **__: None
    for optimizer in filter(inspect.isclass, vars(torch.optim).values()):
        for _, method in inspect.getmembers(optimizer, inspect.isfunction):
            if method.__code__.co_filename.endswith("_compile.py") and hasattr(method, "__wrapped__"):
                method.__wrapped__.__dynamo_disable = method.__wrapped__

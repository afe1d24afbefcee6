"""The first cell of a notebook: it brings what the notebook needs wherever it is opened, also alone on Colab."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping

from autograder.language import _
from autograder.release.archive import zip_bytes

TOOLS = "tools/"

METADATA = {"cellView": "form", "jupyter": {"source_hidden": True}}
"""Folds the cell away: the first for Colab, the second for JupyterLab."""

# Everything is inside a function, so that no name of it hides an import that a submitted file has forgotten.
_CODE = '''\
# @title {title}
def set_up(archive, assets=()):
    """{docstring}"""
    import base64, importlib.util, io, re, subprocess, sys, zipfile
    from pathlib import Path

    with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))) as files:
        for name in files.namelist():
            if not Path(name).exists():
                files.extract(name)
        requirements = files.read("requirements.txt").decode().split("\\n")
    importlib.invalidate_caches()

    modules = {{line: re.split(r"[^\\w-]", line)[0].replace("-", "_") for line in requirements if line}}
    missing = [line for line, module in modules.items() if importlib.util.find_spec(module) is None]
    if missing:
        print({installing}, *missing)
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *missing], check=True)
    for name in assets:
        if not Path(name).exists():
            print({upload}.format(name=name))

    import torch

    if torch.cuda.is_available():
        print({gpu}, torch.cuda.get_device_name(0))
    elif torch.backends.mps.is_available():
        print({apple})
    else:
        print({no_gpu})


# {carried}
set_up("{archive}"{assets})'''


def setup_code(released: Mapping[str, bytes], assets: Collection[str]) -> str:
    """The code of the cell, in the language that is spoken.

    Args:
        released: name and content of each text file that students get, with a requirements.txt.
        assets: names of given files that are too large to be carried in a notebook.
    """
    names = "".join(f'"{name}", ' for name in sorted(assets)).strip()
    archive = base64.b64encode(zip_bytes(carried(released))).decode()
    return _CODE.format(
        title=_("Setup: run this cell first"),
        docstring=_("Unpack what is not beside this notebook, install what is missing, and look for a GPU."),
        installing=_literal(_("Installing:")),
        upload=_literal(_("{name} is missing. Upload it beside this notebook; it is in the assignment's folder.")),
        gpu=_literal(_("GPU found:")),
        apple=_literal(_("GPU found: the one of this Mac; what cannot use it runs on the processor.")),
        no_gpu=_literal(
            _(
                "No GPU found: the sizes below are small enough to run without one. "
                "On Colab you get one by Runtime > Change runtime type; then run this cell again."
            )
        ),
        carried=_("The assignment's Python files, as a zip; those that are there already stay as they are."),
        archive=archive,
        assets=f", assets=({names})" if names else "",
    )


def carried(released: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that a notebook carries: the code, the list of requirements, and all that the tools read."""
    return {
        name: content
        for name, content in released.items()
        if name.endswith(".py") or name == "requirements.txt" or name.startswith(TOOLS)
    }


def _literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

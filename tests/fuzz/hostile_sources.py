"""Python as nobody lays it out, and notebooks whose JSON has the wrong types."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

_NAMES = (
    *("log_mean_exp", "models", "a", "b", "device", "torch", "optimizer", "caf\u00e9", "__name__", "x", "x", "self"),
    *("print", "train", "T\u0327", "_"),
)
_ATOMS = st.sampled_from(
    [
        *_NAMES,
        *("1", "-2.5", "0x_f", "1j", "None", "...", "True", "()", "[]", "{}", "'cuda'", '"cuda:1"', "b'cuda'", "r'\\'"),
        *(
            "f'cuda:{a}'",
            "f'{a!r:>{b}}'",
            "'''cuda\n  two'''",
            '"""\n"""',
            "'a' \\\n  'cuda'",
            "torch.cuda.FloatTensor",
        ),
        *(
            "torch.cuda.is_available()",
            "torch.device('cuda')",
            "x.cuda()",
            "x.cuda(\n  0)",
            "torch.cuda.current_device()",
        ),
        *("globals()['a']", "'\u00e9\u00e9' 'cuda'", "model.train()", "optimizer.step()", "'torch.cuda.FloatTensor'"),
    ]
)


def _wider(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two, three = st.tuples(part, part), st.tuples(part, part, part)
    forms_1 = [
        "({})",
        "(\n{}\n)",
        "{}.x",
        "{}.cuda()",
        "not {}",
        "-{}",
        "[*{}]",
        "{{**{}}}",
        "f({}, *a, k=1)",
        "lambda q: {}",
    ]
    forms_1 += ["(a := {})", "{}[1:, ...]", "[{} # c\n]", "print({})", "(yield {})", "(await {})", "f'{{{}}}'"]
    forms_2 = ["{} + {}", "{} \\\n or {}", "({}, {})", "{}({})", "{}[{}]", "{{{}: {}}}", "{} == {}", "[{} for x in {}]"]
    forms_2 += ["{}({}\n)", "{{{} for x, *b in {}}}", "lambda a={}, *, k: {}", "{} @ {}", "{} in {}"]
    forms_3 = ["{} if {} else {}", "{}.f({}, k={})", "[{} for a in {} if {}]", "{} < {} < {}", "{{{}: {} for x in {}}}"]
    return (
        st.builds(str.format, st.sampled_from(forms_1), part)
        | st.builds(lambda form, parts: form.format(*parts), st.sampled_from(forms_2), two)
        | st.builds(lambda form, parts: form.format(*parts), st.sampled_from(forms_3), three)
    )


_EXPRESSIONS = st.recursive(_ATOMS, _wider, max_leaves=4)
_TARGETS = st.sampled_from([*_NAMES[:8], "a.x", "a[0]", "a, b", "(a, *b)", "[a]", "x.cuda().y", "a = b"])
_SIMPLE = (
    st.builds("{} = {}".format, _TARGETS, _EXPRESSIONS)
    | st.builds("{} {}= {}".format, st.sampled_from(["a", "a.x", "caf\u00e9"]), st.sampled_from("+@|"), _EXPRESSIONS)
    | st.builds("{}: {} = {}".format, st.sampled_from(["a", "log_mean_exp", "(b)"]), _ATOMS, _EXPRESSIONS)
    | _EXPRESSIONS
    | st.builds("{} {}".format, st.sampled_from(["del", "assert", "raise", "return", "print", "a:", "global"]), _ATOMS)
    | st.sampled_from(
        [
            *("pass", "import torch", "import a.b as b, os", "from models import *", "from . import x", "break"),
            *("from torch import (nn,\n  optim)", "from __future__ import annotations", "import google.colab", "'doc'"),
            *("global a, b", "nonlocal x", "x = 1;", "type X = int", "from a import b as log_mean_exp", "continue"),
            *("\\\nx = 1", "drive.mount('/content')", "!ls", "%cd x", "a?", "get_ipython().system('x')"),
        ]
    )
)
_Lines = tuple[str, ...]
_HEADS = (
    *(
        "if a",
        "if __name__ == '__main__'",
        "if '__main__' == __name__ and a",
        "if torch.cuda.is_available()",
        "if (\n  a)",
    ),
    *("for a in x", "while b", "with a as b, torch.no_grad()", "with (\n  a as b,\n)", "class models(torch.nn.Module)"),
    *("class models", "def log_mean_exp(y, d='cuda')", "def f(self, *a: x, k=b, **q) -> 'cuda'", "async def train()"),
    *(
        "@a\n@ b.c(1,\n  2)\ndef log_mean_exp(y)",
        "@a # c\n\n@b\nclass models(a, metaclass=b)",
        "try",
        "match a",
        "async for a in b",
    ),
)
_TAILS = {
    "if": ("elif b", "else", "else # c", "elif __name__ == '__main__'", "else \\\n", "elif(a)"),
    "for": ("else",),
    "while": ("else",),
    "try": ("except", "except (a, b) as e", "except* ValueError", "else", "finally"),
}


@st.composite
def _compound(draw: st.DrawFn, blocks: st.SearchStrategy[_Lines]) -> _Lines:
    head = draw(st.sampled_from(_HEADS))
    tails = _TAILS.get(head.split()[0], ())
    chosen = draw(st.lists(st.sampled_from(tails), max_size=3)) if tails else []
    if head == "try" and draw(st.integers(0, 3)):
        chosen = [tail for tail in tails if tail in chosen] or ["finally"]
    if head == "match a":
        pattern = draw(st.sampled_from(["_", "[1, *b]", "{'cuda': x, **b}", "'cuda' | None", "a.b(x=1) if x"]))
        return ("match a:", *_indented((f"case {pattern}:", *_indented(draw(blocks), "  ")), "  "))
    lines: list[str] = []
    for part in (head, *chosen):
        block = draw(blocks)
        if len(block) == 1 and draw(st.booleans()):
            lines.append(f"{part}: {block[0]}")
        else:
            space = draw(st.sampled_from(["    ", "  ", "\t"]))
            comment = draw(st.sampled_from(["", "", "  # c", " "]))
            lines += [f"{part}:{comment}", *_indented(block, space)]
    return tuple(lines)


def _indented(lines: _Lines, space: str) -> _Lines:
    return tuple(f"{space}{line}" if line else line for line in lines)


def _blocks(part: st.SearchStrategy[_Lines]) -> st.SearchStrategy[_Lines]:
    several = st.lists(part, min_size=1, max_size=3).map(lambda parts: tuple(line for lines in parts for line in lines))
    return _compound(several)


_ONE_LINE = (
    _SIMPLE.map(lambda line: (line,))
    | st.lists(_SIMPLE, min_size=2, max_size=3).map(lambda lines: ("; ".join(lines),))
    | st.sampled_from([("# comment",), ("",), ("x = 1  # cuda",), ("\f",)])
)
_STATEMENTS = st.recursive(_ONE_LINE, _blocks, max_leaves=6)
_ROOTS = st.sampled_from(
    [
        "def log_mean_exp(y):\n    return a + y\n",
        "models = torch\n",
        "def log_mean_exp(y): return train(y, device)\n",
        "class models:\n    DDPM = b\n",
        "",
    ]
)


@st.composite
def _texts(draw: st.DrawFn) -> str:
    groups = draw(st.lists(_STATEMENTS, min_size=1, max_size=6))
    text = "\n".join(line for lines in groups for line in lines)
    root = draw(_ROOTS)
    return root + text + "\n" if draw(st.booleans()) else text + "\n" + root.rstrip("\n")


def exported_sources() -> st.SearchStrategy[bytes]:
    """Sources that mostly parse, in UTF-8."""
    return _texts().map(lambda text: text.encode("utf-8", "surrogatepass"))


@st.composite
def sources(draw: st.DrawFn) -> bytes:
    """Sources with odd beginnings and line ends, in many encodings, and text that is nearly Python."""
    heads = [
        "",
        "\ufeff",
        "# coding: latin-1\n",
        "# coding: utf-16\n",
        "#coding=rot13\n",
        "!ls\n",
        '{"nbformat": 4, "cells": [',
    ]
    nearly = st.text(alphabet="ab =%!?'\"\\\n\r\t\f()[]{}:#\u00e9\x00\u2028", max_size=80)
    text = draw(st.sampled_from(heads)) + draw(_texts() | nearly | st.text(max_size=60))
    ends = draw(st.sampled_from(["\n", "\n", "\r\n", "\r", "\x0b", "\u2028"]))
    codec = draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-32", "latin-1", "utf-8-sig", "utf-16-le", "cp1252"]))
    errors = "surrogatepass" if codec.startswith("utf") else "replace"
    return text.replace("\n", ends).encode(codec, errors)


_WORDS = ("nbformat", "cells", "worksheets", "cell_type", "source", "input", "code", "markdown", "metadata")
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.sampled_from([*_WORDS, "\ud800", "\x00", "%%bash\nls", "%%writefile a.py\nx = 1", "!ls", "10" * 3000])
    | st.text(max_size=8)
)
_TREES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.sampled_from(_WORDS), part, max_size=5),
    max_leaves=8,
)


@st.composite
def notebooks(draw: st.DrawFn) -> bytes:
    """Notebooks whose cells are right, nearly right, or anything at all."""
    code = _texts() | st.lists(_texts(), max_size=3) | _TREES
    kind = st.sampled_from(["code", "code", "code", "markdown", "raw", ""]) | _TREES
    right = st.fixed_dictionaries({"cell_type": kind, draw(st.sampled_from(["source", "source", "input"])): code})
    cells = draw(st.lists(right | _TREES, max_size=4) | _TREES)
    document: dict[str, Any] = {"nbformat": draw(st.sampled_from([3, 4]) | _TREES)}
    document["cells"] = cells
    if draw(st.booleans()):
        document["worksheets"] = draw(_TREES | st.just([{"cells": cells}]))
    text = json.dumps(document, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    if draw(st.integers(0, 9)) == 9:
        text = text.replace("[", "[" * draw(st.sampled_from([10, 1000, 20_000])), 1)
    codec = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"]))
    return text.encode(codec, "surrogatepass")

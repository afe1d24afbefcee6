"""Names that statements bind, change and look up."""

from __future__ import annotations

import ast
import sys

import pytest

from autograder.intake.name_use import base_name, is_harmless, is_main_guard, use_of


@pytest.mark.parametrize(
    ("source", "binds", "now", "later"),
    [
        ("a = b + c.d", "a", "b c", ""),
        ("a.x = b[c]", "", "a b c", ""),
        ("a: b = c", "a", "b c", ""),
        ("a: b", "", "b", ""),
        ("for a, *b in c: d = a", "a b d", "a c", ""),
        ("import a.b, c.d as e", "a e", "", ""),
        ("from a import b as c", "c", "", ""),
        ("a = [b for b in c if d]", "a", "c d", ""),
        ("a = {b: (e := c) for b, c in d}", "a e", "d", ""),
        ("a = lambda b, c=d: b + e", "a", "d e", "e"),
        ("def a(b: c, *d, e=f, **g) -> h: return b, d, e, g, i", "a", "c f h", "i"),
        ("def a():\n    b = 1\n    def c(): return b + d\n    del b", "a", "", "d"),
        ("def a():\n    global b\n    b = c", "a", "", "c"),
        ("def a():\n    b: int = 1\n    b += c\n    return b", "a", "", "int c"),
        ("def a():\n    b = 1\n    def c():\n        nonlocal b\n        b += d", "a", "", "d"),
        ("@a\nclass b(c, d=e):\n    f = g\n    h = f\n    def i(self): return f", "b", "a c e g", "f"),
        ("async def a():\n    async for b in c: await d\n    async with e as f: yield f", "a", "", "c d e"),
        ("try:\n    pass\nexcept a as b:\n    c", "b", "a c", ""),
        ("match a:\n    case {'x': b, **c}: pass\n    case [d, *e] if f: pass", "b c d e", "a f", ""),
        ("with a as (b, c[d]): pass", "b", "a c d", ""),
        ("print(f'{a!r:{b}}')", "", "print a b", ""),
    ],
)
def test_names(source: str, binds: str, now: str, later: str) -> None:
    use = use_of(*ast.parse(source).body)
    assert (use.binds, use.now, use.later) == (set(binds.split()), set(now.split()), set(later.split()))


@pytest.mark.parametrize(
    ("source", "changes", "acts_on"),
    [
        ("a[0] = b", "a", ""),
        ("a.b.c = 1", "a", ""),
        ("a += 1", "a", ""),
        ("del a, b[0], c.d", "a b c", ""),
        ("a.append(1)", "", "a"),
        ("a().b[0].fill_(c)", "", "a c"),
        ("nn.init.normal_(w, 0)", "", "nn w"),
        ("setattr(a, 'b', 1)", "", "a"),
        ("print(a)", "", ""),
        ("a.eval()", "", ""),
        ("a.load_state_dict(b)", "", ""),
        ("(1).bit_length()", "", ""),
    ],
)
def test_changes(source: str, changes: str, acts_on: str) -> None:
    use = use_of(*ast.parse(source).body)
    assert (use.changes, use.acts_on) == (set(changes.split()), set(acts_on.split()))


@pytest.mark.parametrize(
    ("source", "attribute"),
    [
        ("loss.backward()", "trains"),
        ("for x in y:\n    with z: optimizer.step()", "trains"),
        ("x = [loss.backward() for loss in y]", "trains"),
        ("def f():\n    def g(): x.backward()", "training"),
        ("exec('a = 1')", "dynamic"),
        ("globals().update(a=1)", "dynamic"),
        ("from a import *", "star"),
    ],
)
def test_what_else_a_statement_does(source: str, attribute: str) -> None:
    use = use_of(*ast.parse(source).body)
    assert {name for name in ("trains", "training", "dynamic", "star") if getattr(use, name)} == {attribute}


def test_globals_that_a_function_sets() -> None:
    source = "def f():\n    global a, b\n    a = 1\n    def g():\n        global c\n        c, d = 2, b"
    assert use_of(*ast.parse(source).body).sets_globals == {"a", "c"}


@pytest.mark.parametrize(
    ("test", "is_one"),
    [
        ("__name__ == '__main__'", True),
        ("'__main__' == __name__", True),
        ("(__name__ == '__main__') and x", True),
        ("__name__ != '__main__'", False),
        ("__name__ == '__main__' or x", False),
        ("name == '__main__'", False),
        ("__name__ == 'main'", False),
        ("True", False),
    ],
)
def test_main_guards(test: str, is_one: bool) -> None:
    assert is_main_guard(ast.parse(f"if {test}: pass").body[0]) is is_one


@pytest.mark.parametrize(
    ("source", "harmless"),
    [
        ("'text'", True),
        ("pass", True),
        ("a = b = -1", True),
        ("a, b = 1, 2", False),
        ("a = (1, [2, 'c'], None)", True),
        ("a = 'cuda' if torch.cuda.is_available() else 'cpu'", True),
        ("a = torch.device('cuda' if torch.cuda.is_available() else 'cpu')", True),
        ("a = torch.device('cuda', index=b)", False),
        ("a = other.device('cpu')", False),
        ("a = f(1)", False),
        ("a = b", False),
        ("a.b = 1", False),
    ],
)
def test_harmless_statements(source: str, harmless: bool) -> None:
    assert is_harmless(ast.parse(source).body[0]) is harmless


@pytest.mark.parametrize(("source", "name"), [("a", "a"), ("a.b[0].c(1)", "a"), ("(a + b).c", ""), ("'x'.y", "")])
def test_base_names(source: str, name: str) -> None:
    assert base_name(ast.parse(source, mode="eval").body) == name


@pytest.mark.skipif(sys.version_info < (3, 12), reason="this Python has no type parameters")
def test_type_parameters_do_no_harm() -> None:
    assert "f" in use_of(*ast.parse("def f[T](x: T) -> T: return x\ntype Y = int").body).binds

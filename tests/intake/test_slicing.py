"""What graded names need stays, what trains, downloads and draws goes, and no line moves."""

from __future__ import annotations

import ast
import sys
import sysconfig
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.intake.slicing import Sliced, missing_modules, slice_source

AVAILABLE = ("torch", "torchvision", "numpy", "matplotlib")


def cut(source: str, *roots: str) -> Sliced:
    """The slice of an indented source."""
    return slice_source(textwrap.dedent(source), "vae.py", roots, AVAILABLE)


def ran(sliced: Sliced) -> dict[str, Any]:
    """Names that are there after an import of the slice."""
    namespace: dict[str, Any] = {"__name__": "vae"}
    exec(compile(sliced.text, "vae.py", "exec", dont_inherit=True), namespace)
    return namespace


# In each source a line that ends with "# out" is to be left out, one with "# pass" becomes an empty body, and every
# other line is to stay as it is. The graded name is f.
CASES = {
    "a chain of globals": """
        a = [1]
        b = a + [2]
        c = b + [3]  # out
        def f(): return b
        """,
    "a global that is set after the function": """
        def f(): return scale
        scale = max(1, 2)
        """,
    "a global that is set before and after: the last one counts": """
        scale = max(1, 1)  # out
        def f(): return scale
        scale = max(1, 2)
        """,
    "a value that a top-level call reads in between": """
        start = max(1, 0)  # out
        start = max(1, 1)
        def make(): return [start]
        betas = make()
        start = max(1, 2)
        def f(): return betas
        """,
    "a value that an instance reads when it is called": """
        offset = len("ab")
        class Adder:
            def __call__(self, x): return x + offset
        add = Adder()
        total = add(1)
        offset = len("")
        def f(): return total
        """,
    "a partial function": """
        from functools import partial
        width = int(3)
        def line(n): return [width] * n
        two = partial(line, 2)
        values = two()
        width = int(4)
        def f(): return values
        """,
    "a lambda that looks up later": """
        scale = lambda x: x * factor
        factor = int(2)
        def f(): return scale(4)
        """,
    "helpers of helpers": """
        size = int(3)
        def inner(): return size
        def outer(): return inner()
        def f(): return outer()
        """,
    "redefined in a later cell": """
        def f(): return old
        old = int(1)  # out
        new = int(2)
        def f(): return new
        """,
    "a loop that computes": """
        values = []
        for i in range(3):
            values.append(i)
            print(i)
        def f(): return values
        """,
    "a loop that binds": """
        product = 1.0
        for i in range(3):
            product = product * 2
            last = product
        def f(): return last
        """,
    "while": """
        n = 0
        while n < 3:
            n += 1
        def f(): return n
        """,
    "a loop that nothing needs": """
        values = [1]
        for v in values:  # out
            print(v)  # out
        def f(): return values
        """,
    "changed in place": """
        x = [0] * 3
        x[0] = 1
        x += [2]
        x.append(3)
        y = {}  # out
        y["a"] = 1  # out
        y.update(b=2)  # out
        del x[1]
        def f(): return x
        """,
    "changed before the binding that counts": """
        x = list("ab")  # out
        x.append(1)  # out
        x = []
        x.append(2)
        def f(): return x
        """,
    "attributes": """
        class Config: pass
        Config.lr = 1
        config = Config()
        config.size = 2
        setattr(config, "depth", 3)
        def f(): return config.lr + config.size + config.depth
        """,
    "a method that is put in later": """
        class Model: pass
        def forward(self): return weight
        weight = int(4)
        Model.forward = forward
        def f(): return Model().forward()
        """,
    "unpacking": """
        a, (b, *c) = 1, (2, 3, 4)
        d, e = divmod(7, 2)  # out
        def f(): return a, b, c
        """,
    "walrus": """
        n = 2 * (half := int(3))
        def f(): return half
        """,
    "if": """
        big = bool(1)
        if big:
            width = 9
            print("big")  # out
        else:
            width = 3
        other = bool(2)  # out
        if other:  # out
            print("other")  # out
        def f(): return width
        """,
    "if as a fallback": """
        width = int(3)
        if len("abc") > 2:
            width = 5
        def f(): return width
        """,
    "elif chains keep their tests": """
        kind = str("b")
        other = str("c")
        if kind == "a":
            width = 1
        elif other == "b":
            print(1)  # pass
        elif kind == "b":
            width = 2
        else:
            print(2)  # pass
        def f(): return width
        """,
    "nested if in an else": """
        if not "":
            width = 1
        else:
            if width:  # pass
                print(3)  # out
        def f(): return width
        """,
    "try": """
        try:
            import no_such_module_here as fast
            print("fast")  # out
        except ImportError:
            fast = None
            print("slow")  # out
        def f(): return fast
        """,
    "try with everything": """
        try:
            a = int("1")
        except ValueError as error:
            a = str(error)
        else:
            print(a)  # pass
        finally:
            print("done")  # pass
        def f(): return a
        """,
    "an import that nothing needs, in try": """
        try:
            import no_such_module_here
        except ImportError:
            raise SystemExit  # pass
        def f(): return 1
        """,
    "with": """
        import contextlib
        with contextlib.nullcontext(4) as four:
            a = [four]
            print(a)  # out
        with contextlib.nullcontext():  # out
            print(5)  # out
        def f(): return a, four
        """,
    "a function that sets globals": """
        def setup():
            global width
            width = 7
        setup()
        def f(): return width
        """,
    "exec": """
        exec("width = 8")
        exec("import math")
        def f(): return width
        """,
    "globals()": """
        for name in ["width"]: globals()[name] = 6
        def f(): return width
        """,
    "a function that looks up by strings": """
        width = int(2)
        height = int(3)  # out
        def f(): return globals()["width"]
        """,
    "decorators, defaults, bases, annotations": """
        def twice(g): return lambda: 2 * g()
        number = int(2)
        class Base: unit = int
        class Model(Base):
            size: Base = number
        @twice
        def f(x=Model.size) -> Model: return x
        """,
    "class attributes are not globals": """
        width = int(3)
        class f:
            width = width
            height = 2
            area = width * height
        height = int(99)  # out
        """,
    "locals are not globals": """
        x = print("x")  # out
        def f():
            x = 1
            def inner(y):
                nonlocal x
                x += y
                return [z for z in range(x)], lambda w: w + x
            return inner(2)[0]
        y = z = w = inner = print()  # out
        """,
    "names of a match": """
        match [1, 2]:
            case [first, *rest]:
                total = first
            case _:
                total = 0
        def f(): return total, rest
        """,
    "constants and docstrings stay": '''
        """What this file is."""
        EPOCHS = 30
        SIZES = (1, -2, "three")
        """# A heading of the notebook"""
        def f(): return 1
        ''',
    "definitions that nothing needs": """
        missing = print()  # out
        def f(): return 1
        def plot(): return no_such_name
        def late(x=missing): pass  # out
        @missing  # out
        def decorated():  # out
            pass  # out
        class Trainer:
            def fit(self): return missing
        class Derived(Trainer): pass
        class Lost(missing): pass  # out
        """,
    "semicolons and one-liners": """
        if True: a = 1
        for i in range(2): a += i
        class f: value = a
        """,
    "what two statements share": """
        a = 1; b = 2
        if a: c = 3
        def f(): return a + b + c
        """,
    "training": """
        def f(): return len(losses)
        losses = []
        model = print  # out
        for epoch in range(3):  # out
            loss = model(epoch)  # out
            loss.backward()  # out
            losses.append(loss)  # out
        """,
    "training in a function": """
        history = []
        def train(model):
            model().backward()
            return 1
        def run(model): return train(model)
        for epoch in range(2):  # out
            history.append(run(None))  # out
        def f(): return history
        """,
    "calls for nothing": """
        import random
        import colorsys as plt
        def fix_experiment_seed(seed=0): random.seed(seed)
        fix_experiment_seed()  # out
        plt.figure()  # out
        input("Which device?")  # out
        answer = input("Sure?")  # out
        plt.show()  # out
        assert answer  # out
        raise SystemExit  # out
        def f(): return random.random() * 0, plt
        """,
    "weights and modes": """
        import torch
        model = torch.nn.Linear(1, 1)
        model.load_state_dict(torch.load("model.pt"))  # out
        model.eval()  # out
        torch.nn.init.zeros_(model.weight)
        def f(): return model.weight
        """,
    "settings of torch": """
        import torch
        torch.set_grad_enabled(True)
        torch.manual_seed(1)  # out
        def f(): return torch
        """,
    "a main guard stays as it is": """
        def f(): return 1
        if __name__ == "__main__":
            f(no_such_name)
        elif f():  # pass
            print(1)  # out
        """,
    "bound outside and in a guard": """
        width = int(3)
        if __name__ == "__main__":
            width = 99
        def f(): return width
        """,
    "the else of a guard": """
        if "__main__" == __name__:
            width = 99
        else:
            width = 3
        def f(): return width
        """,
}


@pytest.mark.parametrize("source", CASES.values(), ids=CASES.keys())
def test_left_out_is_what_is_not_needed(source: str) -> None:
    source = textwrap.dedent(source)
    sliced = cut(source, "f")
    before, after = source.split("\n"), sliced.text.split("\n")
    assert len(before) == len(after)
    for number, (old, new) in enumerate(zip(before, after, strict=True), 1):
        if old.endswith("# out"):
            assert not new.partition("#")[0].strip(), (number, new)
        elif old.endswith("# pass"):
            assert new.strip().startswith("pass"), (number, new)
        else:
            assert new == old, (number, new)


@pytest.mark.parametrize("name", CASES)
def test_slices_run_and_the_graded_function_works(name: str) -> None:
    namespace = ran(cut(CASES[name], "f"))
    namespace["f"]()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a value that a top-level call reads in between", [1]),
        ("a global that is set before and after: the last one counts", 2),
        ("a value that an instance reads when it is called", 3),
        ("a partial function", [3, 3]),
        ("redefined in a later cell", 2),
        ("changed in place", [1, 0, 2, 3]),
        ("elif chains keep their tests", 2),
        ("exec", 8),
        ("globals()", 6),
        ("bound outside and in a guard", 3),
        ("the else of a guard", 3),
        ("try", None),
        ("if as a fallback", 5),
    ],
)
def test_values_are_those_of_the_whole_file(name: str, value: object) -> None:
    assert ran(cut(CASES[name], "f"))["f"]() == value


class TestMainGuards:
    SOURCE = """
        if __name__ == "__main__" and input:
            z_dim = int(32)
            print(undefined)
            image_size = z_dim * 2; train(undefined)
            unused = 1
        def f(): return image_size
        """

    def test_what_nothing_else_binds_is_taken_out(self) -> None:
        sliced = cut(self.SOURCE, "f")
        space = ran(sliced)
        assert space["f"]() == 64
        assert "unused" not in space
        assert space["f"].__code__.co_firstlineno == 7
        assert [note for note in sliced.notes if "image_size and z_dim" in note]

    @pytest.mark.threat(29, 54)
    def test_training_in_it_is_never_run(self) -> None:
        sliced = cut(
            """
            if __name__ == "__main__":
                for x in y:
                    loss = x
                    loss.backward()
            def f(): return loss
            """,
            "f",
        )
        assert sliced.text.startswith("\nif __name__")
        with pytest.raises(NameError):
            ran(sliced)["f"]()

    @pytest.mark.parametrize(
        ("branch", "value"),
        [
            ("else:\n    b = 3", 4),
            ("else :  # imported\n    b = 3", 4),
            ("elif a == 1:\n    b = 3\nelse:\n    b = 5", 4),
            ("elif a == 2:\n    b = 3\nelse:\n    b = 5", 6),
            ("else: b = 3", 4),
        ],
    )
    def test_its_else_runs_too(self, branch: str, value: int) -> None:
        source = f'if __name__ == "__main__":\n    a = 1\n    print(x)\n# comment\n{branch}\ndef f(): return a + b\n'
        space = ran(cut(source, "f"))
        assert space["f"]() == value
        assert space["f"].__code__.co_firstlineno == source.count("\n")

    def test_a_test_over_several_lines(self) -> None:
        source = (
            'if (__name__ ==\n  "__main__"):\n    a = 1\nif __name__ \\\n == "__main__": b = 2\ndef f(): return a + b'
        )
        assert ran(cut(source, "f"))["f"]() == 3

    def test_several_guards_follow_one_another(self) -> None:
        source = """
            if __name__ == "__main__":
                a = [1]
            if __name__ == "__main__":
                a.append(2)
                b = a + [3]
            def f(): return b
            """
        assert ran(cut(source, "f"))["f"]() == [1, 2, 3]

    def test_only_guarded_helpers(self) -> None:
        source = """
            if __name__ == "__main__":
                import math
                def helper(): return math.pi * scale
                scale = 0
            def f(): return helper()
            """
        assert ran(cut(source, "f"))["f"]() == 0


class TestWhatCannotBeLeftOut:
    def test_a_needed_download_stays(self) -> None:
        source = "loader = get_dataloaders()\ndef get_dataloaders(): pass\ndef f(): return loader"
        assert cut(source, "f").text == source

    def test_a_needed_name_of_a_training_loop_stays(self) -> None:
        source = "for x in range(3):\n    best = x\n    x.backward()\ndef f(): return best"
        assert cut(source, "f").text == source

    def test_graded_names_that_are_not_there(self) -> None:
        assert ran(cut("print(1)\nx = 2\ndef g(): pass", "f", "VAE"))["x"] == 2

    def test_what_is_nested_too_deeply_stays(self) -> None:
        source = "x = " + "+".join(["1"] * 30000) + "\ndef f(): return x"
        assert cut(source, "f").text == source


class TestLines:
    def test_a_statement_over_lines_between_others(self) -> None:
        source = "a = 1; print(a,\n  2); b = 2\nprint(\n  3); c = 3; print('''x\n\n''') ;\ndef f(): return a + b + c\n"
        sliced = cut(source, "f")
        space = ran(sliced)
        assert space["f"]() == 6
        assert space["f"].__code__.co_firstlineno == 7

    def test_characters_of_several_bytes(self) -> None:
        source = "é = 1; print('été 🎓'); ü = 2; print('𝒩')\ndef f(): return é + ü\n"
        assert ran(cut(source, "f"))["f"]() == 3

    def test_continued_lines(self) -> None:
        source = "a = 1; \\\n  print(2)\nif a: \\\n  print(3)\nprint(4) ; \\\n  b = 5\ndef f(): return a + b"
        assert ran(cut(source, "f"))["f"]() == 6

    def test_decorators(self) -> None:
        source = "x = print()\n@x\n@ x (\n  1)\ndef g(): pass\ndef f(): pass\n"
        assert cut(source, "f").text == "\n\n\n\n\ndef f(): pass\n"

    def test_notes_name_the_lines(self) -> None:
        source = "print(1)\n\n# and\nprint(2)\nx = 1\nprint(\n  3)\ndef f(): pass\nprint(4)"
        (note,) = cut(source, "f").notes
        assert "1-4, 6-7 and 9" in note
        assert note.startswith("vae.py: ")
        (one,) = cut("print(1)\ndef f(): pass", "f").notes
        assert "line 1 was" in one

    def test_no_note_where_nothing_changes(self) -> None:
        source = "import torch\nx = [1]\ndef f(): return x\nif __name__ == '__main__':\n    f()\n"
        assert cut(source, "f") == Sliced(source)


class TestImports:
    def test_what_is_not_there_is_named(self) -> None:
        source = (
            "import wandb, torch.nn, os.path\nfrom google.colab import drive\nfrom utils.func_tool import save_logs\n"
        )
        source += "def f():\n    import seaborn"
        sliced = cut(source, "f")
        assert sliced.text == source
        assert sliced.stand_ins == ("google.colab", "seaborn", "utils.func_tool", "wandb")
        assert "google.colab, seaborn, utils.func_tool and wandb" in sliced.notes[0]

    def test_a_module_that_needs_another_package_is_there_only_with_it(self) -> None:
        source = "from torch.utils.tensorboard import SummaryWriter"
        assert missing_modules(source, ["torch"]) == ("torch.utils.tensorboard",)
        assert missing_modules(source, ["torch", "tensorboard"]) == ()

    def test_imports_in_try_and_in_guards_fail_or_do_not_run(self) -> None:
        source = "try:\n    import a\nexcept ImportError:\n    import b\n"
        source += "if __name__ == '__main__':\n    import c\nfrom . import d"
        assert missing_modules(source, []) == ("b",)

    def test_stars_stay(self) -> None:
        source = "from math import *\ndef f(x=pi): return x\n"
        assert cut(source, "f").text == source

    def test_an_import_in_a_branch_stays_where_it_is_needed(self) -> None:
        source = "if True:\n    import math\nif False:\n    import cmath\ndef f(): return math"
        assert cut(source, "f").text == "if True:\n    import math\n\n\ndef f(): return math"


def test_tensors_and_modules_stay_on_the_cpu() -> None:
    source = """
        import torch
        device = "cuda:0"
        net = torch.nn.Linear(2, 1).cuda()
        table = torch.arange(3).to(device).cuda(non_blocking=True)
        def f(): return net.weight.device.type, table.device.type
        """
    sliced = cut(source, "f")
    assert ran(sliced)["f"]() == ("cpu", "cpu")
    assert "lines 3, 4 and 5" in sliced.notes[0]


# ---- any source

_NAMES = st.sampled_from("abcde")


@st.composite
def _chains(draw: st.DrawFn) -> str:
    """A source all of whose statements are needed by its last name."""
    new, lines = "v0", ["v0 = [1]"]
    for number in range(1, draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["assign", "loop", "def", "if", "change", "with"]))
        last, new = new, f"v{number}"
        lines += {
            "assign": [f"{new} = {last} + [{number}]"],
            "loop": [f"{new} = []", f"for i in {last}:", f"    {new}.append(i)"],
            "def": [f"def make{number}():", f"    return {last} * 2", f"{new} = make{number}()"],
            "if": [f"if {last}:", f"    {new} = {last}", "else:", f"    {new} = []"],
            "change": [f"{new} = list({last})", f"{new}[0] = {number}", f"{new} += [0]"],
            "with": ["import contextlib", f"with contextlib.nullcontext({last}) as {new}:", "    pass"],
        }[kind]
        lines += [""] * draw(st.integers(0, 2))
    lines.append(f"def f(): return {new}")
    return "\n".join(lines)


@given(_chains())
@settings(max_examples=60, deadline=None)
def test_where_everything_is_needed_nothing_changes(source: str) -> None:
    assert cut(source, "f").text == source


@st.composite
def _sources(draw: st.DrawFn, depth: int = 0) -> list[str]:
    """Any mixture of statements, needed or not."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        a, b = draw(_NAMES), draw(_NAMES)
        kinds = ["assign", "call", "change", "two", "def", "multi"] + (
            ["if", "try", "guard", "for"] if depth < 2 else []
        )
        kind = draw(st.sampled_from(kinds))
        inner = (
            ["    " + line for line in draw(_sources(depth=depth + 1))] if kind in ("if", "try", "guard", "for") else []
        )
        lines += {
            "assign": [f"{a} = [{b}]"],
            "call": [f"print({a})  # {b}"],
            "change": [f"{a}.append({b})"],
            "two": [f"{a} = {b}; print({b})"],
            "multi": [f"{a} = print(", f"    {b}); {b} = 1"],
            "def": [f"def {a}(x={b}):", f"    return {b}"],
            "if": [f"if {a}:", *inner, f"elif {b}:", *inner, "else:", f"    {a} = 1"],
            "try": ["try:", *inner, "except ValueError:", f"    {b} = 1", "finally:", f"    print({a})"],
            "guard": ["if __name__ == '__main__':", *inner, "else:", f"    {a} = 2"],
            "for": [f"for {a} in {b}:", *inner],
        }[kind]
    return lines


@given(_sources(), st.sets(_NAMES))
@settings(max_examples=150, deadline=None)
def test_slices_always_compile_and_no_line_moves(lines: list[str], roots: set[str]) -> None:
    source = "\n".join(lines)
    after = cut(source, *roots).text
    compile(after, "vae.py", "exec")
    assert_no_line_moved(source, after)


def assert_no_line_moved(before: str, after: str) -> None:
    """Every statement of `after`, but for what fills gaps, stands in `before` on the same line."""
    assert before.count("\n") == after.count("\n")
    places = {(type(node), node.lineno) for node in ast.walk(ast.parse(before)) if isinstance(node, ast.stmt)}
    for node in ast.walk(ast.parse(after)):
        filled = isinstance(node, (ast.Pass, ast.If)) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Tuple)
        )
        if isinstance(node, ast.stmt) and not filled:
            assert (type(node), node.lineno) in places


LIBRARY = Path(sysconfig.get_paths()["stdlib"])


@pytest.mark.parametrize("name", ["ast.py", "copy.py", "ctypes/__init__.py", "locale.py", "random.py", "threading.py"])
def test_the_standard_library(name: str) -> None:
    source = (LIBRARY / name).read_text("utf-8")
    defined = [node.name for node in ast.parse(source).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    for roots in (defined[:1], defined[-1:], []):
        after = slice_source(source, name, roots, []).text
        compile(after, name, "exec", dont_inherit=True)
        assert_no_line_moved(source, after)


def test_a_function_of_the_standard_library_works_alone() -> None:
    source = (LIBRARY / "textwrap.py").read_text("utf-8")
    space = ran(slice_source(source, "textwrap.py", ["dedent"], []))
    assert space["dedent"]("  a\n  b") == "a\nb"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python has no except*")
def test_exception_groups() -> None:
    source = "try:\n    a = 1\nexcept* ValueError:\n    print(2)\ndef f(): return a"
    assert cut(source, "f").text == source.replace("print(2)", "pass")

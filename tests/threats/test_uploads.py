"""Hostile uploads from the zip to the written report: what is taken, what is graded, and what each view then shows."""

from __future__ import annotations

import io
import json
import re
import struct
import time
import tracemalloc
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch

from autograder.assignment import Assignment
from autograder.gradescope.results import validate_results
from autograder.grading.engine import Engine
from autograder.grading.report import Report
from autograder.intake import Submission, read_submission
from autograder.report.files import PAGE_NAME, REPORT_NAME, RESULTS_NAME, write_report

from ..checks.planting import planted
from ..grading.conftest import CHECKS, SHOP, TILL, Course, check_of
from ..intake.builders import LINK, VAE, overlapping_zip, small_assignment, write_zip
from ..report.conftest import FLOOD, HOSTILE
from ..report.test_page import FORBIDDEN, Page
from ..report.test_terminal import printed

BOTH = {"q1_vae.py": VAE, "q2_ddpm.py": "x = 1\n"}
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
SPREADSHEET = "=cmd|' -C calc'!A0"


# --- zips -----------------------------------------------------------------------------------------------------------


def entry(name: str | bytes, content: bytes = b"x", mode: int = 0, utf8: bool = False) -> Callable[[Path], None]:
    """Add an entry whose name zipfile would not write as it is."""

    def add(path: Path) -> None:
        raw = name if isinstance(name, bytes) else name.encode()
        info = zipfile.ZipInfo("#" * len(raw))
        info.create_system, info.external_attr = 3, (mode | 0o644) << 16
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(info, content)
        data = path.read_bytes().replace(b"#" * len(raw), raw)
        if utf8:  # bit 11 of the flags, in both headers of this entry
            data = bytearray(data)
            local, central = data.index(raw) - 30, data.rindex(raw) - 46
            struct.pack_into("<H", data, local + 6, 0x800)
            struct.pack_into("<H", data, central + 8, 0x800)
        path.write_bytes(bytes(data))

    return add


def bombs_in_bombs() -> bytes:
    """Ten zips of ten zips of ten megabytes of zeros each: a gigabyte for a program that opens them all."""
    content = bytes(10 << 20)
    for _ in range(2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(10):
                archive.writestr(f"{number}.zip", content)
        content = buffer.getvalue()
    return content


# kind -> threats, what is added to a sound zip, words of the notes
ADDED: dict[str, tuple[tuple[int, ...], Callable[[Path], None], str]] = {
    "link to a folder, and a file through it": (
        (51,),
        lambda path: (entry("lib", b"/etc", LINK)(path), entry("lib/q1_vae.py")(path))[0],
        "lib: not taken, because it is a link",
    ),
    "drive with a stream": ((51,), entry("C:q1_vae.py::$DATA"), "absolute"),
    "network share": ((51,), entry("//server/share/q1_vae.py"), "absolute"),
    "parent at the end": ((51,), entry("hw/.."), "'..'"),
    "parents by the hundred": ((51,), entry("../" * 300 + "etc/cron.d/x"), "'..'"),
    "backslashes": ((51,), entry("..\\..\\q2_ddpm.py"), "backslash"),
    "name of 60 000 letters": ((52, 59), entry("n" * 60_000 + ".py"), "does not ask for it"),
    "5000 folders deep": ((52,), entry("f/" * 5000 + "q1_vae.py"), "10 folders deep"),
    "zips in zips in zips": ((52,), entry("old.zip", bombs_in_bombs()), "archives inside an upload are not opened"),
    "letters that look alike": ((53,), entry("q1_v\u0430e.py"), "does not ask for it"),
    "letters in two parts": ((53,), entry(unicodedata.normalize("NFD", "é.py")), "does not ask for it"),
    "names in two cases": ((53, 55), entry("Q1_VAE.py"), "taken from q1_vae.py and not from Q1_VAE.py"),
    "second copy": ((53, 55), entry("q1_vae (1).py"), "taken from q1_vae.py and not from q1_vae (1).py"),
    "name of Windows": ((53,), entry("CON.py"), "does not ask for it"),
    "control characters": ((53, 60), entry("a\x1b[2J\x07.py"), "control characters"),
    "direction of reading": ((59,), entry("yp.\u202egnp.exe"), "does not ask for it"),
    "formula": ((59,), entry(f'{SPREADSHEET},"x".py'), "does not ask for it"),
    "elements": ((59, 60), entry("<script>alert(1)<script>.py"), "does not ask for it"),
    "modules of the grader": ((10,), entry("torch.py"), "does not ask for it"),
    "modules of Python": ((10,), entry("sitecustomize.py"), "does not ask for it"),
    "package beside the files": ((10,), entry("q1_vae/__init__.py"), "does not ask for it"),
    "settings of tests": ((10,), entry("conftest.py"), "does not ask for it"),
}


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.threat(*ADDED[kind][0])) for kind in ADDED])
def test_an_evil_entry_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = write_zip(tmp_path / "hw.zip", BOTH)
    ADDED[kind][1](path)
    started = time.monotonic()
    tracemalloc.start()
    submission = read_submission([path], small_assignment())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert submission.sources == BOTH
    assert ADDED[kind][2] in "\n".join(submission.notes)
    assert all(note.isprintable() and len(note) < 700 for note in submission.notes)
    assert sorted(tmp_path.rglob("*")) == [path, tmp_path / "here"] or sorted(tmp_path.iterdir()) == sorted(
        [path, tmp_path / "here"]
    )
    assert list((tmp_path / "here").iterdir()) == []
    assert peak < 40 << 20
    assert time.monotonic() - started < 20


def broken_name(path: Path) -> None:
    write_zip(path, BOTH)
    entry(b"\xff\xfe\xfd.py", utf8=True)(path)


WHOLE = {
    "a name that is not the UTF-8 it claims to be": ((53,), broken_name),
    "all entries on one": ((52,), lambda path: overlapping_zip(path, bytes(90_000), [f"{n}.py" for n in range(30)])),
    "links alone": ((51,), lambda path: (write_zip(path, {}), entry("q1_vae.py", b"/etc/passwd", LINK)(path))[0]),
    "a zip that says to be another file": ((52,), lambda path: path.write_bytes(b"\x1f\x8b" + bytes(100))),
    "a link in its own place": ((51,), lambda path: path.symlink_to("/etc/passwd")),
    "an end without a beginning": ((52,), lambda path: path.write_bytes(b"PK\x05\x06" + b"\xff" * 18)),
}


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.threat(*WHOLE[kind][0])) for kind in WHOLE])
def test_an_evil_zip_is_refused_in_one_sentence_and_gets_a_report(
    tmp_path: Path, engine: Engine, h25: Assignment, kind: str
) -> None:
    path = tmp_path / "hw.zip"
    WHOLE[kind][1](path)
    submission = read_submission([path], h25)
    assert submission.sources == {}
    assert submission.refusal.isprintable()
    assert "hw.zip" in submission.refusal
    report = engine.grade(submission, 5)
    assert report.earned == 0
    assert report.run.problem == ""
    require_harmless(report, tmp_path / "out")


def as_exported(text: str) -> bytes:
    """A file as students hand it in: from a notebook, by way of Windows."""
    magics = "\ufeff!pip install torch==9\n%cd /content\n%matplotlib inline\nget_ipython().system('ls')\n"
    shown = "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()\nname = input('name?')\n?print\n"
    return (magics + text + shown).replace("\n", "\r\n").encode("utf-16-le")


@pytest.mark.threat(53, 54)
def test_files_out_of_a_notebook_in_the_encoding_of_windows_lose_nothing(
    tmp_path: Path, engine: Engine, h25: Assignment, masters: dict[str, str]
) -> None:
    members = {f"Devoir 3 (final)/{name}": as_exported(text) for name, text in masters.items()}
    members["Devoir 3 (final)/Q2_DDPM (1).py"] = members.pop("Devoir 3 (final)/q2_ddpm.py")
    junk = {"__MACOSX/Devoir 3 (final)/._q1_vae.py": b"\x00", "Devoir 3 (final)/.DS_Store": b"\x00"}
    path = write_zip(tmp_path / "hw.zip", {**members, **junk})
    submission = read_submission([path], h25)
    assert submission.missing == []
    said = "\n".join(submission.notes)
    for words in ("was UTF-16", "were commented out", "taken from Devoir 3 (final)/Q2_DDPM (1).py"):
        assert words in said
    units = {"q1_vae.log_mean_exp": 8, "q2_ddpm.q_xt_x0": 3, "q2_ddpm.p_sample": 3}
    report = engine.grade(submission, 5, only=units)
    assert report.earned == sum(units.values())


# --- what a submission does to the process that it runs in ----------------------------------------------------------

SETTINGS = {
    "default dtype": "torch.set_default_dtype(torch.float64)",
    "default device": "torch.set_default_device('meta')",
    "no gradients": "torch.set_grad_enabled(False)",
    "inference": "torch.inference_mode().__enter__()",
    "deterministic": "torch.use_deterministic_algorithms(True)",
    "denormal numbers": "torch.set_flush_denormal(True)",
    "anomalies": "torch.autograd.set_detect_anomaly(True)",
    "seeds": "import random, numpy; torch.manual_seed(1); random.seed(1); numpy.random.seed(1)",
    "generator used up": "torch.rand(10**6)",
    "errors of NumPy": "import numpy; numpy.seterr(all='raise')",
    "warnings": "import warnings; warnings.simplefilter('error')",
    "recursion": "import sys; sys.setrecursionlimit(120)",
    "printing of tensors": "torch.set_printoptions(threshold=1)",
    "hooks": "import sys, threading; sys.settrace(lambda *_: 1 / 0); sys.excepthook = threading.excepthook = None",
    "builtins": "import builtins; builtins.len = builtins.isinstance = lambda *_: 1 / 0",
    "methods of tensors": "torch.Tensor.__add__ = torch.Tensor.sum = lambda *_, **__: 1 / 0",
    "folder": "import os; os.chdir('/')",
}


def global_state() -> list[object]:
    return [
        torch.get_default_dtype(),
        str(torch.get_default_device()),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_anomaly_enabled(),
        Path.cwd(),
    ]


@pytest.mark.threat(58)
@pytest.mark.parametrize("kind", SETTINGS)
def test_a_setting_ends_with_the_check_that_makes_it(
    engine: Engine, make_submission: Callable[..., Submission], masters: dict[str, str], kind: str
) -> None:
    before = global_state()
    last = masters["q2_ddpm.py"]
    text = planted(last, {"block: q_xt_x0": f"{SETTINGS[kind]}\nmean, var = x0 * 7, x0 * 7"})
    report = engine.grade(make_submission({"q2_ddpm.py": text}), 5, only={"q2_ddpm.q_xt_x0", "q2_ddpm.p_sample"})
    earned = {unit.name: unit.earned for unit in report.units if unit.checks}
    assert earned == {"q2_ddpm.q_xt_x0": 0, "q2_ddpm.p_sample": 3}
    assert report.run.problem == ""
    assert global_state() == before


ALIASES = {  # what log_mean_exp returns, and the points of it
    "a view of a larger tensor": ("right(y)[None].expand(3, -1)[1]", 8),
    "every second of twice as many": ("torch.stack((right(y), y.sum(1)), 1).flatten()[::2]", 8),
    "a transposed one": ("right(y)[:, None].T.squeeze(0)", 8),
    "its own argument": ("y", 0),
    "a view of its argument": ("y[:, 0]", 0),
    "its argument with other data": ("(setattr(y, 'data', right(y).data), y)[1]", 0),
    "its argument, overwritten in part": ("(right(y), y[0, 0].zero_())[0]", 0),
    "a number too few": ("right(y).mean()", 0),
    "a row": ("right(y)[None]", 0),
    "on no device": ("right(y).to('meta')", 0),
    "on another device": ("right(y).to('cuda')", 0),
    "a tensor of a graph": ("right(y.detach().requires_grad_())", None),
}


@pytest.mark.threat(57)
@pytest.mark.parametrize("kind", ALIASES)
def test_views_and_changed_arguments(
    engine: Engine, make_submission: Callable[..., Submission], masters: dict[str, str], kind: str
) -> None:
    value, points = ALIASES[kind]
    wrapper = f"\n\nright = log_mean_exp\n\n\ndef log_mean_exp(y):\n    return {value}\n"
    report = engine.grade(
        make_submission({"q1_vae.py": masters["q1_vae.py"] + wrapper}), 5, only=["q1_vae.log_mean_exp"]
    )
    said = [check.message for unit in report.units for check in unit.checks if check.message]
    assert report.run.problem == ""
    assert report.earned < 8 if points is None else report.earned == points
    assert bool(said) == (points != 8)
    assert all("Got: " in message or "This needs" in message or "same error" in message for message in said), said


# --- what is shown of a stranger's text -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine of a small course, all of whose checks show what is printed."""
    course = Course(tmp_path_factory.mktemp("shop"))
    yield course.engine(CHECKS.replace("@points", "@public\n@points"))
    course.close()


def require_harmless(report: Report, folder: Path) -> dict[str, str]:
    """Write all views of a report, and look at each as its reader does."""
    write_report(report, folder)
    texts = {name: (folder / name).read_text("utf-8") for name in (RESULTS_NAME, REPORT_NAME, PAGE_NAME)}
    texts["terminal"] = printed(report)
    for name, text in texts.items():
        assert not (ACTS.search(text) if name != REPORT_NAME else re.search("[\x00-\x09\x0b-\x1f]", text)), name
        assert len(text) < 2_000_000, name
    results = json.loads(texts[RESULTS_NAME])
    validate_results(results)
    for part in results["tests"]:
        assert part["name_format"] == part["output_format"] == "text"
    overview = Page(f"<body>{results['output']}</body>")  # HTML, of the manifest's words alone
    assert {tag for tag, _, _ in overview.elements} <= {"body", "p", "table", "tr", "th", "td", "ul", "li"}
    assert not any(attributes for _, attributes, _ in overview.elements)
    assert Report.model_validate_json(texts[REPORT_NAME]).earned == report.earned
    page = Page(texts[PAGE_NAME])
    assert not (FORBIDDEN | {"img", "video", "math", "template"}) & {tag for tag, _, _ in page.elements}
    for _, attributes, _ in page.elements:
        assert not any(name.startswith("on") or name in ("src", "style", "srcdoc") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    return texts


TEXT = repr(HOSTILE)
SAYINGS = {  # body of a graded function, and what shows that the text has arrived
    "text of an exception": (f"{{}}[{TEXT}]", "KeyError"),
    "long text of an exception": (f"{{}}[{TEXT} + 'A' * 10**6]", "KeyError"),
    "name of an exception": (
        f"raise type({TEXT}.replace(chr(0), '').replace(chr(0xd800), ''), (Exception,), {{}})",
        "onerror",
    ),
    "name of a module": ("__import__('<script>alert(1)</script>\\x1b[2J')", "No module named"),
    "name of an attribute": ("return getattr(prices, '<img src=x onerror=alert(1)>\\x1b[2J')", "has no attribute"),
    "name of a function": (
        "f = lambda: {}[1]; f.__code__ = f.__code__.replace(co_name='<b>\\x1b[31m\\u202e'); return f()",
        "KeyError",
    ),
    "name of a class": ("return type('<script>\\x1b[2J\\u202e', (), {})()", "<script>"),
    "name of a class of a thousand pages": ("return type('A' * 10**6, (), {})()", ""),
    "name of the type of a part": ("return [type('<script>\\x1b]0;x\\x07', (), {})()]", ""),
    "keys of a dictionary": (f"return {{{TEXT}: prices}}", "dict"),
    "text as a result": (f"return {TEXT}", "str"),
    "printed": (f"print({TEXT}.encode('utf-8', 'replace').decode()); return 1", "alert(1)"),
    "printed as bytes": (
        "import os; os.write(1, bytes(range(256)) * 3 + b'<script>'); return 1",
        "<script>",
    ),
    "printed without end of line": ("print('=' * 300_000, end=''); return 1", "===="),
    "written as an error": (
        "import sys; sys.stderr.write('\\x1b[8m\\x1b]52;c;x\\x07</pre><script>'); return 1",
        "<script>",
    ),
    "line of the source": ("x = '</pre><script>alert(1)</script>[red]{{7*7}}'; return x + 1", "{{7*7}}"),
    "direction of reading in a comment": ("return 1 / 0  # \u202e } \u2066if x\u2069 \u2066", "ZeroDivisionError"),
    "text of an exit": (f"import sys; sys.exit({TEXT})", "SystemExit"),
    "chained": (f"\n    try: {{}}[{TEXT}]\n    except KeyError as e: raise ValueError(e) from e", "ValueError"),
    "warning": (f"import warnings; warnings.warn({TEXT}.encode('utf-8', 'replace').decode()); return 1", ""),
    "formula": (f"print({SPREADSHEET!r}); return 1", "=cmd|"),
    "Markdown": ("print('[here](javascript:alert(1)) ![x](http://evil.example/x.png)'); return 1", "javascript"),
}


@pytest.mark.threat(60)
@pytest.mark.parametrize("kind", SAYINGS)
def test_no_text_of_a_submission_acts_on_its_reader(shop: Engine, tmp_path: Path, kind: str) -> None:
    body, shown = SAYINGS[kind]
    sources = {"shop.py": SHOP.replace("return prices.sum()", body), "till.py": TILL}
    report = shop.grade(Submission("hw", "0" * 64, sources), 5)
    assert report.run.problem == ""
    assert check_of(report, "change").earned_share == 1
    texts = require_harmless(report, tmp_path)
    assert shown in texts[RESULTS_NAME]
    assert re.sub(r"\s", "", shown) in re.sub(r"\s", "", texts["terminal"])


UPLOADS = [
    f'{SPREADSHEET},"a";b.zip',
    "a\nb\r\t.zip",
    "<img src=x onerror=alert(1)>.zip",
    "\u202egpj.\u2066hw.zip",
    "\x1b[2J\x1b]0;title\x07.zip",
    "[bold red]x[-] {{ 7*7 }} {% raw %} &amp; %s {seed}.zip",
    "'; DROP TABLE students; --.zip",
    "x" * 250 + ".zip",
    "-rf.zip",
]


@pytest.mark.threat(59, 60)
@pytest.mark.parametrize("name", UPLOADS, ids=range(len(UPLOADS)))
def test_no_name_of_an_upload_acts_on_its_reader(shop: Engine, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    members = {"shop.py": SHOP, "till.py": "x = (\n", f"{name}.txt": "x", "<b>\u202e.py": "x", "\x1b[2J.py": "x"}
    submission = read_submission([write_zip(folder / name, members)], shop.assignment)
    assert set(submission.sources) == {"shop.py", "till.py"}
    report = shop.grade(submission, 5)
    texts = require_harmless(report, tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted((RESULTS_NAME, REPORT_NAME, PAGE_NAME))
    assert report.earned == 5
    assert "till.py:1" in re.sub(r"\s", "", texts["terminal"])


@pytest.mark.threat(59, 60)
def test_a_flood_of_names_makes_a_short_report(shop: Engine, tmp_path: Path) -> None:
    members: Mapping[str, str] = {f"{n}{'<b>' * 100}.py": "x" for n in range(1500)}
    path = write_zip(tmp_path / "hw.zip", {**members, "shop.py": SHOP, "till.py": TILL, FLOOD[:60_000] + ".py": "x"})
    report = shop.grade(read_submission([path], shop.assignment), 5)
    assert report.earned == 9
    texts = require_harmless(report, tmp_path / "out")
    assert max(map(len, texts.values())) < 60_000


@pytest.mark.threat(56)
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def total(prices:\n    return 1\n", "SyntaxError"),
        ("def total(prices):\n\tx = 1\n        return x\n", "TabError"),
        ("x = '" + "a" * 100 + "\n", "SyntaxError"),
        ("\x00", "SyntaxError"),
        ("(" * 300 + ")" * 300, "SyntaxError"),
        ("def mean(prices):\n    return prices.mean()\n", "has no attribute 'total'"),
        ("total = 3\n", "int"),
        ("class total:\n    pass\n", "total"),
        ("def total(costs, currency):\n    return 1\n", "missing 1 required positional argument: 'currency'"),
        ("def total():\n    return 1\n", "takes 0 positional arguments but 1 was given"),
        ("async def total(prices):\n    return prices.sum()\n", "coroutine"),
        ("def total(prices):\n    yield prices.sum()\n", "generator"),
        ("from shop import total\n", "ImportError"),
        ("def __getattr__(name):\n    raise KeyError(name)\n", "KeyError"),
    ],
)
def test_a_file_or_name_that_is_broken_is_told_once(shop: Engine, tmp_path: Path, source: str, words: str) -> None:
    report = shop.grade(
        Submission("hw", "0" * 64, {"shop.py": source, "till.py": TILL}), 5, only={"shop.total", "till.change"}
    )
    assert report.run.problem == ""
    assert words in check_of(report, "total").message
    assert report.earned == 4
    require_harmless(report, tmp_path)

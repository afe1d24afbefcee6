"""Signs in sources, for the instructor alone: what is one, what is none, and that looking for them cannot fail."""

from __future__ import annotations

import base64
import marshal
import pickle
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.assignment import Assignment
from autograder.intake import read_submission, syntax
from autograder.intake.sign_finder import examine
from autograder.intake.signs import LIMIT, signs_of

from .builders import DDPM, VAE

CODE = b"import os\nfor step in range(10):\n    print(step, os.getpid())\n" * 12
NOISE = random.Random(0).randbytes(400)

SIGNS = {
    "code": [
        "eval('1')",
        "exec(text)",
        "compile(text, '', 'exec')",
        "run = eval",
        "list(map(eval, texts))",
        "import builtins\nbuiltins.exec(text)",
        "from builtins import exec as run\nrun(text)",
        "getattr(__builtins__, 'eval')(text)",
        "class A:\n    def eval(self):\n        return eval('1')",
        "def train(eval=eval):\n    pass",
    ],
    "packed": [
        "import base64\nexec(base64.b64decode(text))",
        "import zlib, base64\nexec(compile(zlib.decompress(base64.b85decode(text)), '', 'exec'))",
        "eval(bytes.fromhex(text))",
        "import marshal\nexec(marshal.loads(data))",
    ],
    "unpickled": ["import pickle\npickle.loads(data)", "from marshal import loads\nloads(data)"],
    "literal": [
        f"x = {base64.b64encode(NOISE).decode()!r}",
        f"x = {base64.b64encode(CODE).decode()!r}",
        f"x = {base64.encodebytes(NOISE).decode()!r}",
        f"x = {base64.b85encode(NOISE)!r}",
        f"x = {base64.b32encode(NOISE).decode()!r}",
        f"x = {NOISE.hex()!r}",
        f"x = {NOISE!r}",
        f"x = {NOISE.decode('latin-1')!r}",
        f"x = {zlib.compress(b'short')!r}",
        f"x = {pickle.dumps({'loss': 1.0})!r}",
        f"x = {marshal.dumps(compile('print(1)', 'a', 'exec'))!r}",
        f"x = {' + '.join(repr(NOISE.hex()[i : i + 50]) for i in range(0, 800, 50))}",
        f"x = {[NOISE.hex()[i : i + 100] for i in range(0, 800, 100)]}",
        f"x = bytes({list(NOISE)})",
        f"x = bytes(n ^ 7 for n in {list(NOISE)})",
        f"x = ''.join(chr(n) for n in {list(CODE)})",
    ],
    "frames": [
        "import sys\nsys._getframe(1)",
        "from sys import _getframe as frame\nframe()",
        "import gc\ngc.get_objects()",
        "import gc as g\ng.get_referrers(x)",
        "import inspect\ninspect.stack()",
        "import inspect\ninspect.currentframe().f_back",
        "try:\n    1 / 0\nexcept Exception as error:\n    error.__traceback__.tb_frame",
        "().__class__.__base__.__subclasses__()",
        "getattr(function, '__globals__')",
        "__builtins__['open']",
        "from sys import *\n_getframe()",
    ],
    "hooks": [
        "import sys\nsys.settrace(spy)",
        "import sys\nsys.setprofile(spy)",
        "import sys\nsys.modules['torch'] = fake",
        "import sys\nfor name in sys.modules:\n    pass",
        "import sys\nsys.meta_path.insert(0, finder)",
        "from unittest import mock\nmock.patch('torch.allclose')",
    ],
    "patch": [
        "import torch\ntorch.allclose = lambda *values: True",
        "import torch.testing as t\nt.assert_close = print",
        "from torch import nn\nnn.Module.__call__ = run",
        "import numpy as np\nnp.testing.assert_allclose = print",
        "import pytest\npytest.approx = print",
        "import builtins\nbuiltins.abs = abs",
        "import torch\nsetattr(torch, name, run)",
        "import torch\nt = torch\nt.equal = run",
        "import time\ndel time.sleep",
    ],
    "answers": [
        "import torch\nclass A(torch.Tensor):\n    def __eq__(self, other):\n        return compare(other)",
        "from torch import Tensor\nclass A(Tensor):\n    __ne__ = different",
        "class A:\n    @classmethod\n    def __torch_function__(cls, *a):\n        pass",
        "from torch.utils._python_dispatch import TorchDispatchMode as M\n"
        "class A(M):\n    def __torch_dispatch__(self, *a):\n        pass",
        "class A:\n    def __eq__(self, other):\n        return True",
        "class A(float):\n    def __gt__(self, other):\n        return compare(other)",
    ],
    "native": ["import ctypes\nctypes.CDLL(None)", "from cffi import FFI\nFFI()"],
    "process": [
        "import os\nos.system('ls')",
        "from os import popen\npopen('ls')",
        "import os\nos.fork()",
        "import os\nos.execvp('sh', [])",
        "import os\nos._exit(0)",
        "import subprocess\nsubprocess.run(['ls'])",
        "from subprocess import *\nrun(['ls'])",
        "import os\ngetattr(os, 'system')('ls')",
        "import os\nfirst = os\nsecond = first\nsecond.system('ls')",
        "__import__('os').system('ls')",
        "import importlib\nimportlib.import_module('os').kill(1, 9)",
        "import subprocess\nsubprocess.run('pip install x; nc -l 1', shell=True)",
        "def f():\n    import os\n    def g():\n        os.system('ls')",
    ],
    "descriptor": ["import os\nos.write(3, frame)", "import os\nos.dup2(1, 7)", "import mmap\nmmap.mmap(0, 9)"],
    "network": ["import socket\nsocket.socket()", "from smtplib import SMTP\nSMTP('x')"],
    "later": [
        "import signal\nsignal.signal(14, f)",
        "import signal\nsignal.alarm(0)",
        "import atexit\natexit.register(f)",
    ],
    "files": [
        "open('/proc/self/environ')",
        "open('/pro' + 'c/' + str(pid))",
        "open(f'/proc/{pid}/mem')",
        "import os\nos.listdir('/autograder')",
        "run('cat /etc/passwd')",
    ],
    "environment": [
        "import os\ndict(os.environ)",
        "import os\nfor name in os.environ:\n    pass",
        "from os import environ\nenviron.items()",
        "import os\n'PYTEST_CURRENT_TEST' in os.environ",
        "import os\nos.getenv('AUTOGRADER_ROOT')",
    ],
    "lookup": [
        "__import__(name)",
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module as load\nload(name)",
        "import importlib.util\nimportlib.util.spec_from_file_location('a', path)",
        "import os\ngetattr(os, name)",
        "import os\nos.__dict__[name]",
        "import os\nvars(os)[name]",
        "getattr(model, 'ev' + 'al')",
    ],
    "library": [
        "import diffusers",
        "from denoising_diffusion_pytorch import GaussianDiffusion",
        "from diffusers.models import AutoencoderKL as VAE",
        "try:\n    import pythae\nexcept ImportError:\n    pass",
        "def f():\n    from lightly.loss import NegativeCosineSimilarity",
        "import guided_diffusion.unet as u",
        "import importlib\nimportlib.import_module('k_diffusion.sampling')",
    ],
    "reference": [
        "from solutions.common.svhn import vae",
        "import autograder.checks",
        "from vae_solution import VAE",
        "from reference import DDPM",
    ],
    "pip": [
        "import subprocess\nsubprocess.run(['pip', 'install', 'einops'])",
        "import subprocess, sys\nsubprocess.check_call([sys.executable, '-m', 'pip', 'install', 'einops'])",
        "import os\nos.system('pip install -q einops')",
    ],
}

NO_SIGNS = [
    "model.eval()",
    "self.eval()",
    "import re\nre.compile('a')",
    "import torch\nmodel = torch.compile(model)",
    "from torch import compile\ncompile(model)",
    "def eval(model):\n    pass\neval(model)",
    "exec = 3\nprint(exec)",
    "def f(compile):\n    if compile:\n        pass",
    "compile = True\nif compile:\n    pass",
    "import os\nos.makedirs(os.path.join('a', 'b'), exist_ok=True)",
    "import os\nos.environ['CUDA_VISIBLE_DEVICES'] = '0'\nos.environ.setdefault('A', 'b')\nos.environ.update(A='b')",
    "import os\nos.environ.get('HOME'), os.environ[name], os.getenv('USER')",
    "import os\nif 'COLAB_GPU' in os.environ:\n    pass",
    "import sys\nif 'google.colab' in sys.modules:\n    pass\nhere = sys.modules[__name__]",
    "import sys\nsys.path.append('..')\nsys.stdout = open('log', 'w')\nsys.setrecursionlimit(10)\nsys.exit()",
    "getattr(self, name)\ngetattr(self, 'layer' + str(i))\ngetattr(nn, 'ReLU')",
    "from torch import nn\ngetattr(nn, activation)()",
    "import torchvision.models as models\nmodels.__dict__[arch]()",
    "self.__dict__.update(values)\nself.__class__.__name__",
    "import gc\ngc.collect()",
    "import inspect\ninspect.signature(f)",
    "import importlib, helpers\nimportlib.reload(helpers)",
    "import importlib\nimportlib.import_module('torch')",
    "import pickle\npickle.load(file)\npickle.dump(x, file)",
    "import torch\ntorch.backends.cudnn.benchmark = True\ntorch.manual_seed(0)",
    "import torch\ntorch.set_default_dtype(torch.float64)",
    "import ssl\nssl._create_default_https_context = ssl._create_unverified_context",
    "import warnings\nwarnings.warn = print",
    "import wandb\nwandb.run.name = 'a'",
    "import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = 100",
    "from torchvision import datasets\ndatasets.MNIST.mirrors = []",
    "import torch\nx = torch.zeros(2)\nx.name = 'a'\nx.data = y",
    "class VAE:\n    pass\nVAE.sample = sample",
    "class A:\n    def __eq__(self, other):\n        return self.x == other.x",
    "import torch\nclass A(torch.nn.Module):\n    def __len__(self):\n        return 1",
    "from scipy import signal\nsignal.convolve(a, b)",
    "from tqdm.auto import tqdm\nfrom einops import rearrange\nimport requests\nrequests.get('https://example.org')",
    "import torchvision.models\nfrom torchvision import transforms",
    "from .solutions import x",
    "import base64\nbase64.b64decode(text)",
    "url = 'https://example.org/etc/proc/x?" + "aB3" * 100 + "'",
    "def f():\n    '''" + base64.b64encode(NOISE).decode() + "'''",
    "'''" + base64.b64encode(NOISE).decode() + "'''",
    "x = '" + "=" * 300 + "'",
    "x = '" + "the quick brown fox jumps over the lazy dog. " * 20 + "'",
    "x = '" + "0123456789" * 40 + "'",
    "x = '" + "\N{CJK UNIFIED IDEOGRAPH-4F5C}\N{CJK UNIFIED IDEOGRAPH-696D}" * 200 + "'",
    "x = '" + "ab" * 20 + "'",  # as long as a key
    "x = '" + NOISE.hex()[:128] + "'",  # as long as a SHA-512
    "x = b'PK\\x03\\x04'",
    f"x = {list(range(256))}",
    "print('loss/accuracy and/or score, in percent / epoch')",
]


def kinds(source: str) -> set[str]:
    found = examine(source.encode("utf-8"))["signs"]
    assert isinstance(found, list)
    return {kind for kind, _, _ in found}


@pytest.mark.threat(19, 20)
@pytest.mark.parametrize(
    ("kind", "source"),
    [(kind, source) for kind, sources in SIGNS.items() for source in sources],
    ids=lambda text: text[:40],
)
def test_a_sign_is_seen(kind: str, source: str) -> None:
    assert kind in kinds(source)


@pytest.mark.parametrize("source", NO_SIGNS, ids=lambda text: text[:40])
def test_what_students_rightly_write_is_no_sign(source: str) -> None:
    assert kinds(source) == set()


def test_installing_packages_is_a_small_sign_and_no_process() -> None:
    assert {frozenset(kinds(source)) for source in SIGNS["pip"]} == {frozenset({"pip"})}


def test_decoding_before_running_is_told_once() -> None:
    assert kinds(SIGNS["packed"][0]) == {"packed"}


def test_a_sign_has_file_lines_and_a_sentence() -> None:
    text = "x = 1\neval('1')\n\n\nexec('2')\neval('3'); eval('4')\n"
    assert signs_of({"q1.py": text}, []) == ["q1.py:2: runs text as code: eval and exec. Also in lines 5 and 6."]
    assert signs_of({"q1.py": text[:15]}, []) == ["q1.py:2: runs text as code: eval."]


def test_signs_are_sorted_by_file_and_line() -> None:
    text = "import os, gc\n\nos.system('ls')\ngc.get_objects()\neval('1')\n"
    places = [sign.split(": ")[0] for sign in signs_of({"b.py": text, "a.py": "\n" * 99 + text}, [])]
    assert places == ["a.py:102", "a.py:103", "a.py:104", "b.py:3", "b.py:4", "b.py:5"]


def test_a_flood_is_cut_and_counted_and_hides_no_weighty_sign() -> None:
    sources = [SIGNS[kind][0] for kind in ("code", "process", "network", "later", "files", "environment", "lookup")]
    flood = "\n".join([*sources, SIGNS["pip"][0]])
    signs = signs_of({"a.py": flood, "b.py": flood, "c.py": flood, "z.py": "import diffusers"}, [])
    assert len(signs) == LIMIT + 1
    assert signs[-2] == "z.py:1: imports a library of ready-made models: diffusers."
    assert signs[-1] == f"and {3 * 8 + 1 - LIMIT} more signs"
    assert not any("installs packages" in sign for sign in signs)


def test_a_module_of_the_assignment_is_no_reference() -> None:
    text = "from q3_solution import SimSiam\n"
    assert signs_of({"train.py": text}, {"q3_solution"}) == []
    assert "named like a solution: q3_solution" in signs_of({"train.py": text}, [])[0]


def test_names_of_strangers_are_short_and_plain() -> None:
    name = "Ω" * 500
    (sign,) = signs_of({"a\x1b[2J.py": f"import torch\ntorch.{name} = 1\n"}, [])
    assert len(sign) < 250
    assert sign.isprintable()
    many = "import torch\n" + "".join(f"torch.a{number} = 1\n" for number in range(500))
    (sign,) = signs_of({"a.py": many}, [])
    assert "and 495 more" in sign
    assert len(sign) < 250


@pytest.mark.threat(20)
@pytest.mark.parametrize(
    "source",
    ["a;" * 500_000, "a" + "()" * 300_000],
    ids=["statements", "calls"],
)
def test_what_is_too_much_for_the_parser_is_a_sign_itself(source: str) -> None:
    (sign,) = signs_of({"a.py": source}, [])
    assert sign.startswith("a.py:1: could not be looked through")


def test_looking_that_takes_too_long_is_a_sign_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "SECONDS", 0.001)
    assert "could not be looked through" in signs_of({"a.py": "x = 1"}, [])[0]


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "+".join(["'a'"] * 2_000),
        "x = a" + ".f_back" * 900,
        "x = " + "exec(" * 90 + "1" + ")" * 90,
        "import os\n" + "a = os\nos = a\n" * 2_000 + "os.system('ls')\n" * 2_000,
        "\n".join(f"{'    ' * depth}def f{depth}(eval):" for depth in range(90)) + "\n" + "    " * 90 + "eval(1)",
        "x = {" + "'a': 1, " * 10_000 + "}",
    ],
    ids=["sum", "frames", "nested", "aliases", "scopes", "table"],
)
def test_looking_takes_time_in_proportion(source: str) -> None:
    assert "could not be looked through" not in "".join(signs_of({"a.py": source}, []))


def test_what_is_no_python_has_no_sign() -> None:
    assert signs_of({"a.py": "def f(:\n    eval('1')\n"}, []) == []


def test_nothing_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    signs_of({"a.py": f"import os\nfrom os import *\nopen({str(mark)!r}, 'w')\n"}, [])
    assert not mark.exists()


def test_a_submission_has_the_signs_of_its_files_and_keeps_its_digest(tmp_path: Path, assignment: Assignment) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "q1_vae.py").write_text(f"import q2_ddpm\n{VAE}\nexec('1')\n")
    (folder / "q2_ddpm.py").write_text(DDPM)
    (folder / "helper.py").write_text("eval('1')")
    submission = read_submission([folder], assignment)
    assert submission.signs == ["q1_vae.py:5: runs text as code: exec."]
    assert not any("exec" in note for note in submission.notes)
    (folder / "q1_vae.py").write_text("")
    assert read_submission([folder], assignment).signs == []


def test_a_refused_upload_has_no_sign(tmp_path: Path, assignment: Assignment) -> None:
    (tmp_path / "other.py").write_text("eval('1')")
    submission = read_submission([tmp_path / "other.py"], assignment)
    assert submission.refusal
    assert submission.signs == []


PIECES = st.sampled_from(
    [source for sources in SIGNS.values() for source in sources if len(source) < 200]
    + NO_SIGNS[:40]
    + ["(", "\n", "x."]
)
SOURCES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.lists(PIECES, max_size=4).map("\n".join),
    st.lists(st.text("eval.()[]{}=,:'\"+ \n\tosimprtfdc_=@lambda", max_size=40), max_size=5).map("".join),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SOURCES)
def test_any_source_has_an_answer(source: str) -> None:
    answer = examine(source.encode("utf-8"))
    lines = range(1, source.count("\n") + source.count("\r") + source.count("\f") + 2)
    for kind, name, found in answer["signs"]:
        assert kind
        assert isinstance(name, str)
        assert found
        assert set(found) <= set(lines)

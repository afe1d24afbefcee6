"""Every upload ends in clean tensors or in one sentence, and no code in it ever runs."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from autograder.sandbox.errors import ChildEnded
from autograder.sandbox.jail import JailSettings
from autograder.sandbox.preload import preload, quiet_environment
from autograder.sandbox.session import Session, SessionLimits
from autograder.sandbox.zygote import Zygote
from autograder.scoring import checkpoint as module
from autograder.scoring.checkpoint import (
    Checkpoint,
    CheckpointError,
    as_file,
    carried_images,
    mismatch,
    read_checkpoint,
)

from ..threat_marks import marked
from . import checkpoint_files as files

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*(torch.jit|[Ss]parse|quantiz|Duplicate name)"),
]
NAME = "checkpoints/DDPM.pt"
LIMIT_MB = 2
ODD, TAKEN = files.odd_files(), files.odd_but_sound_files()
ODD_THREATS = {
    30: ["arguments beside", "numpy beside", "nested dictionaries", "plain pickle", "random pickle", "torchscript"],
    31: ["whole layer", "whole model"],
    32: ["compressed", "compressed bomb", "bomb that declares too much", "storage said to be larger"],
    33: ["expanded", "expanded to terabytes", "overlapping", "views that add up", "legacy of terabytes"],
    34: ["nan", "one infinite"],
    35: ["sparse", "sparse rows", "sparse of terabytes", "quantised", "complex", "eight bits", "no values"],
    36: ["optimizer", "names that become one", "nothing but a prefix", "number among the weights"],
    38: ["many tensors", "too large a file"],
    39: [
        *("empty", "git-lfs", "html", "xml", "json", "noise", "zeros", "storage cut short", "pickle cut short"),
        *("legacy cut short", "missing storage", "a flipped bit", "zip of a checkpoint"),
    ],
    40: ["safetensors"],
    60: ["a name that acts on a display", "long name"],
}
TAKEN_THREATS = {
    35: ["legacy from a GPU", "from a GPU", "half", "bfloat16", "double", "integers", "flags", "conjugate bit"],
    36: [
        *("state_dict", "model_state_dict", "model in a wrapper", "parallel", "compiled", "compiled in part"),
        *("parallel and compiled", "module. before one name only"),
    ],
}


class Jail:
    """Starts the sessions in which files are read, and remembers the last one."""

    def __init__(self, zygote: Zygote) -> None:
        self.zygote = zygote
        self.last: Session | None = None
        self.change: Callable[[str], str] = lambda source: source
        self.limits = SessionLimits()
        self.deadline = math.inf

    def start(self, source: str, content: Mapping[str, bytes]) -> Session:
        source = self.change(source)
        self.last = Session(self.zygote, {}, source, 0, self.limits, self.deadline, files=content)
        return self.last

    def read(self, content: bytes, limit_mb: int = LIMIT_MB) -> Checkpoint:
        self.last = None
        return read_checkpoint(content, NAME, self.start, limit_mb)

    def refusal(self, content: bytes, limit_mb: int = LIMIT_MB) -> str:
        with pytest.raises(CheckpointError) as caught:
            self.read(content, limit_mb)
        return str(caught.value)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    quiet_environment()
    preload(("torch", "numpy"))
    with Zygote(JailSettings(memory_mb=1000)) as made:
        yield made


@pytest.fixture
def jail(zygote: Zygote) -> Iterator[Jail]:
    made = Jail(zygote)
    yield made
    if made.last is not None:
        assert made.last.exit is not None  # the session was closed
    assert list(zygote.scratch_root.iterdir()) == []


def require_sentence(text: str) -> None:
    assert text.startswith(f"{NAME} ")
    assert text.endswith(".")
    assert text.isprintable()
    assert len(text) < 500


def require_same(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert type(found[name]) is torch.Tensor
        assert found[name].is_contiguous()
        assert not found[name].requires_grad
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor.detach())


@pytest.mark.parametrize("kind", marked(TAKEN, TAKEN_THREATS))
def test_sound_files_are_taken(jail, kind):
    content, expected, words = TAKEN[kind]
    checkpoint = jail.read(content)
    if expected:
        require_same(checkpoint.tensors, expected)
    assert words in " ".join(checkpoint.notes)
    assert bool(checkpoint.notes) == bool(words)
    assert all(note.isprintable() and note.startswith(f"{NAME}: ") for note in checkpoint.notes)


@pytest.mark.parametrize("kind", marked(ODD, ODD_THREATS))
def test_odd_files_are_refused_with_a_sentence_of_their_own(jail, kind):
    make, words = ODD[kind]
    sentence = jail.refusal(make())
    require_sentence(sentence)
    assert words in sentence


@pytest.mark.threat(32)
def test_file_that_describes_far_too_much_is_not_looked_into(jail):
    a_million = files.saved({f"w{number}": files.ONE for number in range(1_000_000)})
    for content, words in ((files.huge_directory(100_000), "more parts"), (a_million, "describes far more")):
        sentence = jail.refusal(content, 100)
        require_sentence(sentence)
        assert words in sentence
        assert jail.last is None


@pytest.mark.threat(39)
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.99, 0.999])
def test_cut_off_file_is_named_as_such(jail, share):
    content = files.saved({"w": torch.arange(5000.0)})
    sentence = jail.refusal(content[: int(len(content) * share)])
    require_sentence(sentence)
    assert "cut off" in sentence
    assert jail.last is None  # seen from outside


@pytest.mark.threat(30)
@pytest.mark.parametrize("wrap", [files.saved, files.legacy])
@pytest.mark.parametrize("place", ["alone", "beside the weights", "among the weights"])
def test_code_in_a_file_never_runs(jail, tmp_path, wrap, place):
    evil = files.Evil(tmp_path / "mark")
    value = {
        "alone": evil,
        "beside the weights": {"state_dict": files.weights(), "epoch": evil},
        "among the weights": {**files.weights(), "network.more": evil},
    }[place]
    content = wrap(value)
    sentence = jail.refusal(content)
    require_sentence(sentence)
    assert "exec, with which it could run code when it is opened, so it was not opened" in sentence
    assert b"the code ran" not in jail.last.output
    assert not (tmp_path / "mark").exists()

    jail.change = lambda source: source.replace("weights_only=True", "weights_only=False")
    jail.refusal(content)  # the test would see it
    assert b"the code ran" in jail.last.output


@pytest.mark.threat(30)
def test_plain_pickle_is_not_opened_at_all(jail, tmp_path):
    sentence = jail.refusal(pickle.dumps(files.Evil(tmp_path / "mark")))
    assert "torch.save did not make" in sentence
    assert jail.last is None
    assert not (tmp_path / "mark").exists()


def test_values_come_in_several_frames(jail, monkeypatch):
    monkeypatch.setattr(module, "_PIECE_BYTES", 100)
    tensors = {
        "a": torch.randn(7, 9),
        "none": torch.empty(0),
        "b": torch.arange(40, dtype=torch.int8),
        "c": torch.tensor(2.5, dtype=torch.float64),
        "d": torch.randn(26).half(),
    }
    require_same(jail.read(files.saved(tensors)).tensors, tensors)


@pytest.mark.threat(38)
def test_limit_is_that_of_the_file_and_of_its_tensors(jail):
    content = files.saved({"w": torch.randn(1 << 18)})  # 1 MB and a little
    assert "more than 1 MB" in jail.refusal(content, 1)
    assert jail.read(content, 2).tensors["w"].numel() == 1 << 18


def test_tensors_own_their_memory(jail):
    tensors = jail.read(TAKEN["tied"][0]).tensors
    tensors["a"].zero_()
    assert tensors["b"].any()


LIAR = """
import os, time
import torch
from autograder.sandbox.probes import Probe

class CheckpointReader(Probe):
    def __init__(self, *limits):
        pass

    def open(self):
        {open}

    def pieces(self, wanted):
        {pieces}
"""
ONE_TENSOR = 'return {"tensors": [["w", "float32", [2, 3]]], "wrappers": [], "beside": [], "prefixes": []}'
ANNOUNCED = 'return {{"tensors": {}, "wrappers": [], "beside": [], "prefixes": []}}'


@pytest.mark.threat(30)
@pytest.mark.parametrize(
    "open_",
    [
        "return None",
        "return {}",
        "return {'problem': 3}",
        "return {'problem': []}",
        "return {'problem': ['so']}",
        "return {'problem': ['layout']}",
        "return {'problem': ['large', {}]}",
        "raise ValueError('x')",
        ANNOUNCED.format("[]"),
        ANNOUNCED.format("[['w', 'float32']]"),
        ANNOUNCED.format("[['w', 'complex64', [1]]]"),
        ANNOUNCED.format("[['w', 'object', [1]]]"),
        ANNOUNCED.format("[['', 'float32', [1]]]"),
        ANNOUNCED.format("[['w' * 201, 'float32', [1]]]"),
        ANNOUNCED.format("[['w', 'float32', [-1]]]"),
        ANNOUNCED.format("[['w', 'float32', [1.5]]]"),
        ANNOUNCED.format("[['w', 'float32', [True]]]"),
        ANNOUNCED.format("[['w', 'float32', [1] * 17]]"),
        ANNOUNCED.format("[['w', 'float32', [1 << 39]]]"),
        ANNOUNCED.format("[['w', 'float32', [0, 1 << 39]]]"),
        ANNOUNCED.format("[['w', 'float32', [1]]] * 2"),
        ANNOUNCED.format("[[f'w{n}', 'float32', [0]] for n in range(5001)]"),
        ANNOUNCED.format("[[f'w{n}', 'float32', [1000, 100]] for n in range(6)]"),
        ANNOUNCED.format("[[torch.ones(3), 'float32', [1]]]"),
        "os._exit(0)",
        "os.kill(os.getpid(), 11)",
        "os.write(4, b'x' * 1000) if os.path.exists('/proc') else None; os._exit(0)",
        "time.sleep(9)",
        "return torch.ones(1 << 40)",
    ],
)
def test_reader_that_a_file_has_taken_over_is_not_believed(jail, open_):
    jail.limits = SessionLimits(call_seconds=0.5)
    jail.change = lambda source: LIAR.format(open=open_, pieces="return []")
    require_sentence(jail.refusal(files.SOUND))


@pytest.mark.threat(30)
@pytest.mark.parametrize(
    "pieces",
    [
        "return None",
        "return []",
        "return [torch.ones(5)]",
        "return [torch.ones(2, 3)]",
        "return [torch.ones(6).double()]",
        "return [torch.ones(6), torch.ones(6)]",
        "return [[1.0] * 6]",
        "return [None]",
        "return [torch.nn.Linear(1, 1)]",
        "return [torch.ones(6) / 0]",
    ],
)
def test_values_that_do_not_come_as_announced_are_refused(jail, pieces):
    jail.change = lambda source: LIAR.format(open=ONE_TENSOR, pieces=pieces)
    require_sentence(jail.refusal(files.SOUND))
    jail.change = lambda source: LIAR.format(open=ONE_TENSOR, pieces="return [torch.ones(6)]")
    require_same(jail.read(files.SOUND).tensors, {"w": torch.ones(2, 3)})


@pytest.mark.threat(30, 60)
def test_notes_of_a_reader_that_lies_are_short_and_safe(jail):
    lie = ONE_TENSOR.replace('"beside": []', '"beside": ["\\x1b[2J" * 99] * 99').replace(
        '"wrappers": [], ', '"wrappers": ["x" * 5000, 3], '
    )
    jail.change = lambda source: LIAR.format(open=lie, pieces="return [torch.ones(6)]")
    for note in jail.read(files.SOUND).notes:
        assert note.isprintable()
        assert len(note) < 1000


def test_end_of_the_whole_submissions_time_is_no_fault_of_the_file(jail):
    jail.deadline = 0.0
    with pytest.raises(ChildEnded) as caught:
        jail.read(files.SOUND)
    assert caught.value.reason == "budget"


def test_clean_file_is_read_by_torch_itself(jail):
    content = TAKEN["parallel and compiled"][0]
    checkpoint = jail.read(content)
    loaded = torch.load(io.BytesIO(as_file(checkpoint)), weights_only=True)
    assert type(loaded) is dict
    require_same(loaded, files.weights())
    require_same(jail.read(as_file(checkpoint)).tensors, files.weights())


LEGACY = files.legacy(files.weights())
PICKLE = files.pickle_of(files.SOUND)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A sound file with some bytes changed: of the zip, of the pickle in it, or of the old format."""
    place = draw(st.sampled_from(["zip", "pickle", "legacy"]))
    content = bytearray({"zip": files.SOUND, "pickle": PICKLE, "legacy": LEGACY}[place])
    value = st.sampled_from([*b"\x00\xff.(){}]RbsuQ0qhKMJ"]) | st.integers(0, 255)
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(content) - 1), value), min_size=1, max_size=4)):
        content[at] = byte
    if draw(st.booleans()):
        a, b = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        del content[a : min(b, a + 9)]
    return files.repacked(files.SOUND, {"data.pkl": bytes(content)}) if place == "pickle" else bytes(content)


@pytest.mark.threat(39)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(changed())
def test_whatever_the_bytes_there_is_a_checkpoint_or_a_sentence(zygote, content):
    try:
        checkpoint = Jail(zygote).read(content)
    except CheckpointError as error:
        require_sentence(str(error))
    else:
        assert checkpoint.tensors
        assert all(type(tensor) is torch.Tensor for tensor in checkpoint.tensors.values())
        assert all(torch.isfinite(tensor).all() for tensor in checkpoint.tensors.values())


def of_shapes(shapes: Mapping[str, tuple[int, ...]]) -> Checkpoint:
    return Checkpoint({name: torch.ones(shape) for name, shape in shapes.items()}, [])


DDPM = {f"network.layer{n}.weight": (4, n + 1) for n in range(6)}
VAE = {"encoder.weight": (3, 3), "mean_net.weight": (2, 3), "logvar_net.weight": (2, 3)}
LDDPM = {**DDPM, **{f"vae.{name}": shape for name, shape in VAE.items()}}


@pytest.mark.parametrize("model", [DDPM, VAE, LDDPM])
def test_weights_of_the_model_fit(model):
    assert mismatch(model, of_shapes(model), NAME) == ""
    assert mismatch(dict(reversed(model.items())), of_shapes(model), NAME) == ""


@pytest.mark.threat(36)
@pytest.mark.parametrize(
    ("expected", "found", "words"),
    [
        (DDPM, VAE, "this looks like the checkpoint of the VAE, not of the DDPM"),
        (DDPM, LDDPM, "this looks like the checkpoint of the LDDPM, not of the DDPM"),
        (VAE, DDPM, "this looks like the checkpoint of the DDPM or DDIM, not of the"),
        (LDDPM, {name: (9, *shape) for name, shape in DDPM.items()}, "checkpoint of the DDPM or DDIM, not of the"),
        (LDDPM, DDPM, "the weights of its part network alone"),
        (LDDPM, VAE, "the weights of its part vae alone"),
        (DDPM, {name.removeprefix("network."): shape for name, shape in DDPM.items()}, "its part network alone"),
        (DDPM, {**DDPM, "network.layer0.weight": (8, 1)}, "network.layer0.weight has shape (8, 1) instead of (4, 1); "),
        (DDPM, {name: (*shape, 1) for name, shape in DDPM.items()}, "and 5 more differ"),
        (DDPM, {"network.layer0.weight": (4, 1)}, "the file lacks 5 of its weights (network.layer1.weight, "),
        (DDPM, {"network.layer0.weight": (4, 1)}, "layer3.weight and 2 more)"),
        (DDPM, {**DDPM, "network.more": (1,)}, "holds 1 unknown to it (network.more)"),
        (DDPM, {f"module.{name}": shape for name, shape in DDPM.items()}, "another architecture"),
    ],
)
def test_weights_of_another_model_are_told_apart(expected, found, words):
    sentence = mismatch(expected, of_shapes(found), NAME)
    require_sentence(sentence)
    assert words in sentence


def pictures(number: int, side: int = 28, background: float = 0.5) -> torch.Tensor:
    """Something like FashionMNIST in [0, 1]: grey values on exact black; (number, 1, side, side)."""
    generator = torch.Generator().manual_seed(3)
    grey = torch.rand(number, 1, side, side, generator=generator) * 0.99 + 0.01
    return grey * (torch.rand(grey.shape, generator=generator) >= background)


@pytest.mark.threat(38)
@pytest.mark.parametrize(
    "stored",
    [
        pictures(10),
        pictures(12, 32),
        2 * pictures(10, 32) - 1,
        pictures(10).flatten(1),
        pictures(16, 32).flatten(1).T,
        pictures(10) * 3.3 + 1,
        -pictures(10).half(),
        pictures(40).reshape(32, -1),
        (pictures(10) * 255).byte(),
        (pictures(10) * 255).long(),
        (pictures(10, background=0) * 255).byte(),
        pictures(10, 28, 0.1),
        pictures(20, 32, 0.1).squeeze(1),
        255 * pictures(10, 32, 0.1).flatten(1),
        2 * pictures(10, 32, 0.1) - 1,
    ],
)
def test_stored_images_are_seen(stored):
    checkpoint = Checkpoint({"network.weight": torch.randn(100, 100), "network.buffer": stored}, [])
    assert carried_images(checkpoint) == ["network.buffer"]


def network() -> nn.Module:
    torch.manual_seed(5)
    made = nn.Sequential(
        nn.Conv2d(1, 64, 3),
        nn.BatchNorm2d(64),
        nn.Conv2d(64, 128, 3),
        nn.ConvTranspose2d(32, 32, 4),
        nn.Linear(784, 400),
        nn.Linear(1024, 300),
        nn.Linear(64, 1024),
        nn.Embedding(1000, 64),
        nn.Embedding(1000, 784, padding_idx=0),
        nn.BatchNorm1d(10_000),
        nn.GroupNorm(8, 16_000),
        nn.LSTM(64, 64),
        nn.MultiheadAttention(128, 4),
    )
    made.register_buffer("positions", torch.arange(10_000))
    made.register_buffer("few", pictures(9))
    made.register_buffer("betas", torch.linspace(1e-4, 0.02, 10_000))
    made.register_parameter("zeros", nn.Parameter(torch.zeros(64, 64, 3, 3)))
    return made


def test_weights_of_networks_are_no_images():
    assert carried_images(Checkpoint(network().state_dict(), [])) == []


def test_weights_in_other_number_formats_are_no_images():
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert carried_images(Checkpoint(network().to(dtype).state_dict(), [])) == []


def test_trained_weights_are_no_images():
    """A layer on images, whose inputs at the border are always the same, after some steps with weight decay."""
    torch.manual_seed(1)
    layer = nn.Linear(1024, 50)
    images = nn.functional.pad(pictures(64, 28), (2, 2, 2, 2)).flatten(1)
    optimizer = torch.optim.AdamW(layer.parameters(), weight_decay=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        layer(images).square().mean().backward()
        optimizer.step()
    assert carried_images(Checkpoint(layer.state_dict(), [])) == []


def test_reader_imports_nothing_of_the_grader_but_the_probes():
    source = Path(module.checkpoint_reader.__file__).read_text("utf-8")
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert [line for line in imports if "autograder" in line] == ["from autograder.sandbox.probes import Probe"]

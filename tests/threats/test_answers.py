"""Attacks on the answer: to find it, to forge it, to have a wrong value taken for it."""

from __future__ import annotations

import base64
import platform
from collections.abc import Iterator

import pytest

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status

from ..checks.planting import messages, planted
from ..conftest import MakeSubmission
from .conftest import SEED, UNIT, WRONG, Attack
from .tools import TOOLS


@pytest.fixture(scope="module")
def engine(h25: Assignment) -> Iterator[Engine]:
    """An engine that waits less long for those who stop."""
    limits = h25.limits.model_copy(update={"call_seconds": CALL_SECONDS})
    with Engine(h25.model_copy(update={"limits": limits})) as made:
        yield made


CALL_SECONDS = 4.0
LATE_ANSWER = "did not finish within 4 seconds"


def first_message(report: Report) -> str:
    return messages(report, UNIT)[0]


def planting(name: str, numbers: tuple[int, ...], *texts: str) -> object:
    return pytest.param(*texts, marks=pytest.mark.threat(*numbers), id=name)


@pytest.mark.threat(1)
def test_the_right_values_would_win(engine: Engine, make_submission: MakeSubmission, masters: dict[str, str]) -> None:
    """The control: what an attack returns when it has won is worth all points."""
    text = planted(masters["q1_vae.py"], {"block: log_mean_exp": "lme = right(y)", "import math\n": TOOLS})
    assert engine.grade(make_submission({"q1_vae.py": text}), SEED, only={UNIT}).earned == 8


# --- in search of the answer ----------------------------------------------------------------------------------------

LOOK = """
def holds_answer(things, y):
    for thing in things:
        if isinstance(thing, torch.Tensor) and thing.numel() == len(y) and thing.is_floating_point():
            if torch.allclose(thing.detach().reshape(-1).double(), right(y).detach().double(), rtol=1e-3):
                return True
    return False


def parts(things):
    for thing in things:
        yield thing
        if isinstance(thing, dict):
            yield from thing.values()
        elif isinstance(thing, (list, tuple)):
            yield from thing
"""
SEARCHES = [
    planting(
        "frames of all callers",
        (1,),
        """
        frame, things = sys._getframe(), []
        while frame:
            things += [*frame.f_locals.values(), *frame.f_globals.values()]
            frame = frame.f_back
        won = len(things) < 50 or holds_answer(parts(things), y)
        """,
    ),
    planting(
        "frames of all threads",
        (1,),
        """
        stacks = sys._current_frames()
        locals_ = [value for top in stacks.values() for one, _ in __import__("traceback").walk_stack(top)
                   for value in one.f_locals.values()]
        won = not locals_ or holds_answer(parts(locals_), y)
        """,
    ),
    planting("live objects", (1,), "won = holds_answer([t for t in gc.get_objects() if type(t) is torch.Tensor], y)"),
    planting(
        "what refers to the argument",
        (1, 12),
        """
        near = gc.get_referrers(y)
        near += gc.get_referrers(*near[:20])
        keys = {key for thing in near if isinstance(thing, dict) for key in thing if isinstance(key, str)}
        won = bool(keys & {"expected", "reference", "right_value", "tolerance"}) or holds_answer(parts(near), y)
        """,
    ),
    planting(
        "the stack of the interpreter by inspect",
        (1,),
        """
        found = [value for info in inspect.stack(0) for value in info.frame.f_locals.values()]
        closures = [cell.cell_contents for value in found for cell in getattr(value, "__closure__", None) or ()]
        won = holds_answer(parts(found + closures), y)
        """,
    ),
    planting(
        "freed memory",
        (1,),
        """
        size = len(y)
        wanted = right(y).detach()
        for _ in range(300):
            if torch.allclose(torch.empty(size), wanted, rtol=1e-3):
                won = True
        """,
    ),
    planting(
        "the seed of the inputs in the generators",
        (17,),
        """
        seed = torch.initial_seed()
        for seed in (seed, seed << 31, seed ^ 1, random.getrandbits(63), int(numpy.random.randint(1 << 31))):
            drawn = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed))
            won |= torch.allclose(drawn * 2, y) or torch.allclose(drawn, y)
        """,
    ),
    planting(
        "the inputs in the state of the generators",
        (17,),
        """
        for _ in range(50):
            drawn = torch.randn(y.shape)
            won |= torch.allclose(drawn * 2, y) or torch.allclose(drawn, y)
        """,
    ),
    planting(
        "a trace of every call after this one",
        (1, 12),
        """
        def trace(frame, event, value):
            for thing in [value, *frame.f_locals.values()]:
                if isinstance(thing, dict) and "value" in thing:
                    thing["passed"] = thing["score"] = thing["verdict"] = True
            return trace
        sys.settrace(trace)
        sys.setprofile(trace)
        frame = sys._getframe()
        while frame:
            frame.f_trace = trace
            frame = frame.f_back
        """,
    ),
    planting(
        "names of modules that hold answers",
        (1, 19),
        """
        for name in ("diffusers", "denoising_diffusion_pytorch", "solutions.ift6135_h25.q1_vae", "q1_vae_solution"):
            try:
                importlib.import_module(name)
                won = True
            except ModuleNotFoundError:
                pass
        """,
    ),
]


@pytest.mark.parametrize("body", SEARCHES)
def test_the_answer_is_nowhere(attack: Attack, body: str) -> None:
    assert WRONG in first_message(attack(body, TOOLS + LOOK))


@pytest.mark.threat(19)
@pytest.mark.parametrize("name", ["diffusers", "denoising_diffusion_pytorch", "solutions.ift6135_h25.q1_vae"])
def test_a_library_in_place_of_an_own_implementation(attack: Attack, name: str) -> None:
    report = attack("from diffusion import log_mean_exp as solved; won = True", f"import {name} as diffusion\n")
    message = first_message(report)
    assert "q1_vae.py cannot be imported." in message
    assert "No module named '" in message
    assert "only the course's own modules and the packages of requirements.txt can be imported." in message


# --- comparisons and modules of the grader, patched in the child ----------------------------------------------------

PATCHES = [
    planting(
        "comparisons of torch and numpy",
        (7,),
        """
        for place, names in {
            torch: ("allclose", "equal", "isclose", "eq", "ne", "le"),
            torch.testing: ("assert_close", "assert_allclose"),
            torch.Tensor: ("allclose", "equal", "isclose", "__eq__", "__ne__", "__le__", "__lt__", "any", "all"),
            numpy: ("allclose", "array_equal", "isclose"),
            numpy.testing: ("assert_allclose", "assert_array_equal"),
        }.items():
            for name in names:
                setattr(place, name, lambda *_, **__: True)
        """,
    ),
    planting(
        "builtins, operator, math",
        (7,),
        """
        import operator
        patched = {builtins: ("all", "any", "max", "abs"), operator: ("eq", "ne", "le"), math: ("isclose",)}
        for place, name in ((place, name) for place, names in patched.items() for name in names):
            setattr(place, name, lambda *_, **__: True)
        """,
    ),
    planting(
        "pytest and unittest",
        (7,),
        """
        import unittest
        try:
            import pytest
            pytest.fail = pytest.exit = pytest.skip = lambda *_, **__: None
            pytest.raises = lambda *_, **__: __import__("contextlib").suppress(BaseException)
        except ImportError:
            pass
        for name in dir(unittest.TestCase):
            if name.startswith("assert"):
                setattr(unittest.TestCase, name, lambda *_, **__: None)
        sys.modules["pytest"] = types.SimpleNamespace(ExitCode=int)
        """,
    ),
    planting(
        "the exception that ends a check",
        (7,),
        """
        builtins.AssertionError = type("AssertionError", (Exception,), {"__init__": lambda *_: None})
        for name, module in list(sys.modules.items()):
            if name.startswith("autograder"):
                for attribute in ("CheckFailed", "Message", "Expectation", "expect"):
                    if hasattr(module, attribute):
                        setattr(module, attribute, lambda *_, **__: None)
        """,
    ),
    planting(
        "the support modules and the probes",
        (7, 1),
        """
        for name in list(sys.modules):
            if name.startswith(("genlab", "ddpm_utils", "cfg_utils", "q2_", "q3_")):
                sys.modules[name] = types.ModuleType(name)
        sys.modules["genlab_probes"] = types.ModuleType("genlab_probes")
        sys.meta_path.clear()
        sys.path.clear()
        """,
    ),
    planting(
        "a mode for all functions of torch",
        (7, 8),
        """
        class Mode(torch.overrides.TorchFunctionMode):
            def __torch_function__(self, function, types, args=(), kwargs=None):
                result = function(*args, **(kwargs or {}))
                return True if isinstance(result, bool) else result
        y = y.clone()
        mode = Mode()
        mode.__enter__()
        """,
    ),
]


@pytest.mark.parametrize("body", PATCHES)
def test_a_patch_has_no_effect(attack: Attack, body: str) -> None:
    message = first_message(attack(body, TOOLS))
    its_own_harm = ("the values of y were changed in place", "'bool' object has no attribute 'all'")
    assert any(sentence in message for sentence in (WRONG, *its_own_harm))


HOOKED = "wire, child = sys.modules['autograder.sandbox.wire'], sys.modules['autograder.sandbox.child']\n"
HOOKS = [
    planting(
        "encode",
        (11, 12),
        'wire.encode = lambda *_: answer(y.mean(1).tolist(), [["passed", True], ["score", 100], ["earned", 8]])',
    ),
    planting(
        "the loop of the child",
        (11, 12),
        """
        child._call = lambda *_, **__: {"value": y.mean(1), "grads": None, "passed": True, "status": "passed"}
        child._OPERATIONS["call"] = child._call
        child.unchanged = lambda *_: __import__("contextlib").nullcontext()
        """,
    ),
    planting("the packing of tensors", (8, 11), "wire._pack_tensor = lambda *_: {'handle': id(y), 'type': 'Tensor'}"),
    planting("os.write", (11, 12), "real = os.write; os.write = lambda fd, data: real(fd, bytes(data) + b'passed')"),
    planting("json", (11,), "json.dumps = lambda *_, **__: '{\"dict\": [[\"passed\", true]]}'"),
    planting("struct", (11,), "wire.PREFIX = types.SimpleNamespace(pack=lambda *_: b'', size=16)"),
    planting("the magic number", (11,), "wire.MAGIC = b'PASS'"),
    planting("nothing comes back", (11,), "if batch_size == 4: child._Channel.send = print"),
]  # fmt: skip


@pytest.mark.parametrize("body", HOOKS)
def test_the_grader_holds_where_its_own_modules_are_replaced(attack: Attack, body: str) -> None:
    message = first_message(attack(body, TOOLS + HOOKED))
    sentences = (WRONG, "the result cannot be read", LATE_ANSWER, "Expected: ")
    assert any(sentence in message for sentence in sentences)


# --- forged frames --------------------------------------------------------------------------------------------------

UNREADABLE = "the result cannot be read"
ENDED = "its process ended before it answered"
FORGERIES = [
    planting("words", (11, 12), 'b"PASSED\\n" * 100', UNREADABLE),
    planting("JSON", (11,), 'json.dumps({"score": 100, "tests": [{"status": "passed"}]}).encode() * 9', UNREADABLE),
    planting("a pickle", (11,), 'pickle.dumps({"passed": True}) * 9', UNREADABLE),
    planting("huge lengths", (11,), "PREFIX.pack(MAGIC, (1 << 32) - 1, (1 << 64) - 1)", UNREADABLE),
    planting("a header of 8 MB that does not come", (11,), "PREFIX.pack(MAGIC, 8 << 20, 0) + b'[' * 100", ENDED),
    planting("no header at all", (11,), "PREFIX.pack(MAGIC, 0, 0)", UNREADABLE),
    planting("a verdict alone", (11, 12), 'frame({"dict": [["passed", True], ["earned", 8]]})', UNREADABLE),
    planting("a verdict and a value", (11, 12), 'answer(y.mean(1).tolist(), [["passed", True], ["score", 8]])', WRONG),
    planting("two values in one frame", (11,), 'answer(y.mean(1).tolist(), [["value", 1], ["value", None]])', "None"),
    planting("two answers", (11, 12), "answer(y.mean(1).tolist()), answer(y.amax(1).tolist())", WRONG),
    planting("answers for the calls to come", (11, 12), "*[answer(y.mean(1).tolist())] * 50", WRONG),
    planting("a skipped check", (11,), 'error(type="CheckSkipped", message="this needs nothing")', "raised"),
    planting("a fault of the grader", (11,), 'error(type="SandboxError", message="the sandbox has ended")', "raised"),
    planting("time that is used up", (11,), 'error(type="ChildEnded", reason="budget", message="budget")', "raised"),
    planting("a reference to os.system", (11, 14), 'value({"ref": {"dict": [["module", "os"], ["path", []]]}})', "Ref"),
    planting("an object of the grader", (11, 12), 'value({"handle": id(y), "type": "Tensor"})', "an object"),
    planting("the object of another check", (11,), 'value({"handle": 1, "type": "Tensor"})', "an object"),
    planting("a shape that lies", (11,), 'tensor("float32", [9], bytes(4))', UNREADABLE),
    planting("a negative shape", (11,), 'tensor("float32", [-4, -1], bytes(16))', UNREADABLE),
    planting("an endless empty tensor", (11, 33), 'tensor("float32", [0, 1 << 39])', UNREADABLE),
    planting("a dtype that is code", (11,), 'tensor("__class__", [])', UNREADABLE),
    planting("booleans that are neither", (11,), 'tensor("bool", [4], bytes([2, 3, 254, 255]))', "dtype bool"),
    planting("not a number", (11, 8), "answer([math.nan] * len(y))", "4 NaN among 4 values"),
    planting("infinity, which is near to all", (11, 8), "answer([math.inf, -math.inf] * 2)", "4 infinite values"),
    planting("a number beyond all floats", (11,), "value(10**4000)", "Expected"),
    planting("a million brackets", (11,), "frame(b'[' * 10**6)", UNREADABLE),
    planting("keys that cannot be keys", (11,), 'frame({"dict": [[[1], 2], ["value", 1]]})', UNREADABLE),
    planting("half a character", (11, 60), 'error(type="\\ud800", message="\\udfff")', "raised"),
]  # fmt: skip


@pytest.mark.parametrize(("frames", "sentence"), FORGERIES)
def test_a_forged_frame_is_at_most_a_value(attack: Attack, frames: str, sentence: str) -> None:
    assert sentence in first_message(attack(f"send({frames})\nos._exit(0)", TOOLS))


# --- objects that lie -----------------------------------------------------------------------------------------------

NO_TENSOR = "Expected: the result is a float tensor."
LIARS = [
    planting("equal to everything", (8,), "Yes()", NO_TENSOR),
    planting("a tensor by its class", (8,), "Pretender()", NO_TENSOR),
    planting("__torch_function__", (8,), "y.mean(1).as_subclass(Function)", NO_TENSOR),
    planting("__torch_dispatch__", (8,), "Dispatch(y.mean(1))", NO_TENSOR),
    planting("a subclass of the parameter", (8,), "Weights(y.mean(1).detach())", NO_TENSOR),
    planting("an array by its protocol", (8, 9), "Array()", NO_TENSOR),
    planting("a subclass of the array", (8,), "y.detach().numpy().mean(1).view(Sub)", NO_TENSOR),
    planting("a number that compares as it likes", (8, 9), "Number(0)", "the shape ()"),
    planting("a list that answers as it likes", (8, 9), "Items([1.0])", NO_TENSOR),
    planting("a dict that is a value", (8,), "{'value': right(y), 'passed': True}", NO_TENSOR),
    planting("a parameter that was never made", (8, 9), "torch.nn.UninitializedParameter()", NO_TENSOR),
    planting("a tensor without data", (8, 33), "y.mean(1).to('meta')", NO_TENSOR),
    planting("a nested tensor", (8, 35), "torch.nested.nested_tensor([y[0], y[0, 1:]])", "RuntimeError"),
    planting("a sparse tensor", (8, 35), "y.mean(1).to_sparse()", NO_TENSOR),
    planting("a complex tensor", (8, 35), "torch.complex(y.mean(1), right(y))", "dtype complex64"),
    planting("a function", (8, 9), "lambda: right(y)", "an object"),
    planting("a generator", (9,), "(right(y) for _ in range(1))", NO_TENSOR),
    planting("a future", (9,), "futures.ThreadPoolExecutor(1).submit(right, y)", NO_TENSOR),
    planting("an expanded number", (33,), "torch.zeros(1).expand(4)", "4 of 4 values are not"),
    planting("a tensor of ten billion numbers on four bytes", (33,), "torch.zeros(1).expand(10**10)", UNREADABLE),
    planting("no end of itself", (8,), "loop()", UNREADABLE),
]  # fmt: skip
LYING = """
from concurrent import futures
class Yes:
    __eq__ = __ne__ = __le__ = __ge__ = __bool__ = __contains__ = lambda *_: True
    __hash__ = None
    def __getattr__(self, name): return self
    def __call__(self, *_, **__): return self
class Pretender:
    __class__ = torch.Tensor
    shape, dtype = (4,), torch.float32
    def detach(self): return right(torch.zeros(4, 6))
class Function(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None): return True
class Dispatch(torch.Tensor):
    @staticmethod
    def __new__(cls, values): return torch.Tensor._make_subclass(cls, values.detach())
    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None): return torch.zeros(4)
class Weights(torch.nn.Parameter): ...
class Array:
    def __array__(self, *_, **__): return numpy.zeros(4)
    def __len__(self): return 4
class Sub(numpy.ndarray):
    def astype(self, *_, **__): return self
    def tobytes(self): return b"passed"
class Number(float):
    __eq__ = __le__ = __ge__ = lambda *_: True
    def __float__(self): return random.random()
    __hash__ = float.__hash__
class Items(list):
    def __iter__(self): return iter([random.random()])
    def __eq__(self, other): return True
    __hash__ = None
def loop():
    found = []
    found.append(found)
    return found
"""


@pytest.mark.parametrize(("value", "sentence"), LIARS)
def test_an_object_that_lies_is_no_tensor(attack: Attack, value: str, sentence: str) -> None:
    assert sentence in first_message(attack(f"return {value}", TOOLS + LYING))


CHANGING = [
    planting(
        "memory that a thread writes while it is read",
        (6, 9),
        """
        shared = y.mean(1).detach().clone()
        def write():
            for _ in range(20000):
                shared.copy_(y.amax(1))
                shared.copy_(y.mean(1))
        threading.Thread(target=write, daemon=True).start()
        return shared
        """,
    ),
    planting(
        "memory of numpy that a thread writes",
        (6, 9),
        """
        store = numpy.zeros(len(y), numpy.float32)
        def write():
            for step in range(20000):
                store[:] = step
        threading.Thread(target=write, daemon=True).start()
        return torch.from_numpy(store)
        """,
    ),
    planting(
        "a method that gives other bytes each time",
        (8, 9),
        """
        torch.Tensor.numpy = lambda self, **_: numpy.random.rand(self.numel()).astype("float32")
        torch.Tensor.contiguous = lambda self, **_: self
        torch.Tensor.reshape = lambda self, *_: self
        """,
    ),
    planting(
        "gradients of its own",
        (8, 9),
        """
        class Own(torch.autograd.Function):
            @staticmethod
            def forward(context, y): return y.mean(1)
            @staticmethod
            def backward(context, grad): return grad[:, None].expand(-1, sample_size) * 7
        return Own.apply(y)
        """,
    ),
    planting(
        "hooks that change the gradients",
        (8, 9),
        """
        value = y.mean(1)
        if value.requires_grad:
            value.register_hook(lambda grad: grad * torch.rand(()))
            y.register_hook(lambda grad: torch.zeros_like(grad))
        return value
        """,
    ),
]


@pytest.mark.parametrize("body", CHANGING)
def test_what_changes_while_it_is_read_is_read_once(attack: Attack, body: str) -> None:
    assert first_message(attack(body, TOOLS)).startswith(("Expected: ", "Got: "))


# --- the end of the process, and what comes after the return --------------------------------------------------------

ENDS = [
    planting("os._exit", (5,), "os._exit(0)", ENDED),
    planting("sys.exit", (5,), "sys.exit(0)", "SystemExit"),
    planting("an exit in a thread", (5,), "threading.Thread(target=sys.exit).start(); raise SystemExit", "SystemExit"),
    planting("SIGKILL to itself", (5,), "os.kill(os.getpid(), signal.SIGKILL)", "its process was killed"),
    planting("SIGSEGV", (5,), "ctypes.string_at(0)", "segmentation fault"),
    planting("SIGABRT", (5,), "os.abort()", "SIGABRT"),
    planting("SIGSTOP to itself", (5, 21), "batch_size == 4 and os.kill(os.getpid(), signal.SIGSTOP)", LATE_ANSWER),
    planting("a signal by its number in every thread", (5,), "os.kill(os.getpid(), 40)", "a signal (40)"),
    planting("the channel closed", (5, 12), "os.close(channel())", ENDED),
    planting("the channel shut down", (5, 12), "socket.socket(fileno=channel()).shutdown(2)", "its process"),
    planting("all descriptors closed", (5, 12), "os.closerange(0, 256)", ENDED),
    planting("the channel in place of its output", (11, 12), "os.dup2(channel(), 1); print('PASSED' * 9)", UNREADABLE),
    planting("the output in the place of the channel", (11, 12), "os.dup2(1, channel())", "its process"),
    planting("no death with its parent, no traces", (5, 6), "[libc.prctl(*n, 0, 0, 0) for n in DISLOYAL]", WRONG),
    planting("another name for the process", (5,), "libc.prctl(15, b') Z 0 0', 0, 0, 0); os._exit(0)", ENDED),
]  # fmt: skip


DISLOYAL = "DISLOYAL = [(1, 0), (36, 1), (4, 0)]  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE"


@pytest.mark.parametrize(("body", "sentence"), ENDS)
def test_an_end_of_its_own_costs_its_own_points(attack: Attack, body: str, sentence: str) -> None:
    assert sentence in first_message(attack(body, TOOLS + DISLOYAL))


LATER = [
    planting("atexit", (6,), "atexit.register(lambda: send(FORGED))"),
    planting("a thread", (6,), "threading.Timer(0.001, lambda: send(FORGED)).start()"),
    planting("threads that go on and on", (4, 6), "[threading.Thread(target=spin).start() for _ in range(2)]"),
    planting("a finaliser", (6,), "builtins.kept = Finaliser()"),
    planting("a weak reference to the argument", (6,), "weakref.finalize(y, send, FORGED)"),
    planting("an alarm", (6, 22), "signal.signal(14, lambda *_: send(FORGED)); signal.setitimer(0, 0.001)"),
    planting("a hook of the interpreter", (6,), "sys.addaudithook(lambda event, _: event == 'exit' and send(FORGED))"),
    planting("all signals ignored", (6,), "[signal.signal(n, 1) for n in range(1, 32) if n not in (9, 19)]"),
]  # fmt: skip
LATE = """
def spin():
    while True:
        pass
class Finaliser:
    def __del__(self): send(FORGED)
FORGED = answer([0.0] * 4, [["passed", True], ["score", 100]])
"""


@pytest.mark.parametrize("body", LATER)
def test_what_comes_after_the_return_is_ignored(attack: Attack, body: str) -> None:
    """The first frame is what counts: it may be the wrong value, or one forged before it."""
    assert first_message(attack(body, TOOLS + LATE)).startswith("Expected: the right values for the result.")


# --- payloads in disguise -------------------------------------------------------------------------------------------

PAYLOAD = "own['won'] = not refused(lambda: open('/etc/passwd'), lambda: os.kill(os.getppid(), 9), lambda: os.fork())"
DISGUISED = (
    f"""
PAYLOAD = {PAYLOAD!r}
CODED = {base64.b64encode(PAYLOAD.encode())!r}
NUMBERED = {list(map(ord, PAYLOAD))}
own = {{}}
"""
    + """
def run(text): exec(text, globals())
class Reduced:
    def __reduce__(self): return run, (PAYLOAD,)
def machine_code():
    import mmap
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex("b839000000" "0f05" "c3"))  # mov eax, 57 (fork); syscall; ret
    found = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    if found < 0:
        raise OSError(-found, "refused")
"""
)
DISGUISES = [
    planting("base64", (20,), "exec(base64.b64decode(CODED), globals())"),
    planting("marshal", (20,), "exec(marshal.loads(marshal.dumps(compile(PAYLOAD, 'x', 'exec'))), globals())"),
    planting("characters", (20,), "eval(compile(''.join(map(chr, NUMBERED)), 'x', 'exec'), globals())"),
    planting("an object of code", (20,), "types.FunctionType(compile(PAYLOAD, 'x', 'exec'), globals())()"),
    planting("a pickle", (20, 30), "pickle.loads(pickle.dumps(Reduced()))"),
    pytest.param(
        "own['won'] = not refused(machine_code)",
        id="machine code",
        marks=[
            pytest.mark.threat(20),
            pytest.mark.skipif(platform.machine() != "x86_64", reason="instructions of another processor"),
        ],
    ),
]


@pytest.mark.parametrize("body", DISGUISES)
def test_a_payload_in_disguise_is_refused_as_any_other(attack: Attack, body: str) -> None:
    assert WRONG in first_message(attack(f"{body}\nwon = own['won']", TOOLS + DISGUISED))


# --- the record of a probe ------------------------------------------------------------------------------------------


@pytest.mark.threat(1, 7)
def test_networks_of_the_checks_that_are_replaced_help_nobody(
    engine: Engine, make_submission: MakeSubmission, masters: dict[str, str]
) -> None:
    """The submission's child makes them of zeros; the reference works with its own."""
    liar = """
    import sys
    for thing in list(vars(sys.modules["genlab_probes"]).values()):
        if isinstance(thing, type) and issubclass(thing, torch.nn.Module):
            thing.forward = lambda self, x, *_, **__: torch.zeros_like(x)
    mu_theta = xt / self.gather(self.alpha, t).sqrt()
    var = self.gather(self.sigma2, t)
    """
    text = planted(masters["q2_ddpm.py"], {"block: p_xt_prev_xt": liar})
    report = engine.grade(make_submission({"q2_ddpm.py": text}), SEED, only={"q2_ddpm.p_xt_prev_xt"})
    assert report.earned == 0
    assert {check.status for unit in report.units for check in unit.checks} == {Status.FAILED}

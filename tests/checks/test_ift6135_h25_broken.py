"""Submissions that are broken in ordinary ways: the right points, one clear sentence for one cause."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import pytest

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.grading.report import CheckResult, Report, Status
from autograder.release import parse_masters

from ..conftest import MakeSubmission
from ..threat_marks import marked
from .planting import replaced, with_solution

Grade = Callable[..., Report]
LOG_MEAN_EXP = "q1_vae.log_mean_exp"


@pytest.fixture(scope="module")
def strict(h25: Assignment) -> Iterator[Engine]:
    """An engine that is less patient than the manifest."""
    limits = {"import_seconds": 1.5, "call_seconds": 3.0, "memory_mb": 700, "output_max_mb": 1}
    impatient = h25.model_copy(update={"limits": h25.limits.model_copy(update=limits)})
    with Engine(impatient) as made:
        yield made


@pytest.fixture
def grade_file(strict: Engine, h25: Assignment, make_submission: MakeSubmission) -> Grade:
    """Grade a submission whose one file is replaced: the units of this file and of `others`, or `only` some units."""

    def grade(file: str, text: str | None, *others: str, only: Iterable[str] = ()) -> Report:
        units = {unit.name for unit in h25.units if unit.file == file}
        report = strict.grade(make_submission({file: text}), 5, only=set(only) or {*units, *others})
        assert report.run.problem == ""
        return report

    return grade


def checks_of(report: Report, file: str) -> list[CheckResult]:
    return [check for unit in report.units if unit.file == file for check in unit.checks]


def earned(report: Report) -> dict[str, float]:
    """Points of the units that were checked."""
    return {unit.name.partition(".")[2]: unit.earned for unit in report.units if unit.checks}


def failures(checks: list[CheckResult]) -> list[CheckResult]:
    return [check for check in checks if check.status is Status.FAILED]


# --- a file that is not there, or does not import -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "points"),
    [
        ("q1_vae.py", 32),
        ("q1_train_vae.py", 0),
        ("q2_ddpm.py", 15),
        ("q2_trainer_ddpm.py", 10),
        ("q3_cfg_diffusion.py", 20),
        ("q3_trainer_cfg.py", 10),
    ],
)
def test_a_missing_file_costs_its_own_points_only(grade_file: Grade, file: str, points: float) -> None:
    other = "q2_ddpm.q_xt_x0" if file != "q2_ddpm.py" else "q1_vae.log_mean_exp"
    report = grade_file(file, None, other)
    checks = checks_of(report, file)
    assert {(check.status, check.message) for check in checks} == {
        (Status.SKIPPED, f"{file} is not in the submission.")
    }
    assert sum(unit.points for unit in report.units if unit.file == file) == points
    assert sum(unit.earned for unit in report.units if unit.file == file) == 0
    assert earned(report)[other.partition(".")[2]] > 0


def test_the_loss_of_the_vae_is_skipped_where_its_functions_are_missing(
    engine: Engine, make_submission: MakeSubmission
) -> None:
    needed = "q1_vae.log_likelihood_bernoulli"
    report = engine.grade(make_submission({"q1_vae.py": None}), 5, only={needed, "q1_train_vae.loss_function"})
    assert {check.message for check in checks_of(report, "q1_train_vae.py")} == {
        f"this needs {needed}, which is not right yet."
    }


TRAINING = """
layer = torch.nn.Linear(64, 64)
optimizer = torch.optim.Adam(layer.parameters())
for epoch in range(10**9):
    optimizer.zero_grad()
    layer(torch.randn(128, 64)).square().mean().backward()
    optimizer.step()
"""
IMPORTS = {
    "a syntax error": ("def broken(:\n    pass\n", ["SyntaxError"], "q1_vae.py, line "),
    "a bracket that is not closed": ("x = (1,\n", ["SyntaxError", "was never closed"], "x = (1,"),
    "tabs and spaces": ("def mixed():\n\tx = 1\n        return x\n", ["TabError"], "return x"),
    "a wrong indentation": ("def indented():\nreturn 1\n", ["IndentationError"], "return 1"),
    "a package that is not there": (
        "import einops_extra\n",
        ["ModuleNotFoundError", "requirements.txt"],
        "einops_extra",
    ),
    "a name that is not there": ("from q2_ddpm import Diffusion\n", ["ImportError", "'Diffusion'"], "Diffusion"),
    "an undefined name": ("print(undefined)\n", ["NameError", "'undefined'"], "print(undefined)"),
    "exit()": ("exit()\n", ["SystemExit", "must not end the program"], "exit()"),
    "os._exit()": ("import os\nos._exit(0)\n", ["process ended before it answered", "must not end the program"], ""),
    "an endless loop": ("while True:\n    pass\n", ["did not finish within 1.5 seconds", "endless loop"], ""),
    "training": (TRAINING, ["did not finish within 1.5 seconds", "training or downloads"], ""),
    "too much memory": ("x = [torch.ones(size) for size in (10**6, 2 * 10**8)]\n", ["700 MB of memory"], ""),
    "too much output": ("while True:\n    print('x' * 10**5)\n", ["printed more than 1 MB", "print inside a loop"], ""),
    "a download": (
        "import urllib.request\nurllib.request.urlopen('http://example.org/mnist.npz')\n",
        ["Error"],
        "urlopen",
    ),
    "a file that is not there": ("torch.load('/content/drive/model.pt')\n", ["Error"], "torch.load"),
}


@pytest.mark.parametrize(
    "kind",
    marked(
        IMPORTS,
        {
            5: ["exit()", "os._exit()"],
            15: ["a download"],
            21: ["an endless loop"],
            24: ["too much memory"],
            26: ["too much output"],
            29: ["training"],
            56: ["a syntax error", "a bracket that is not closed", "tabs and spaces", "a wrong indentation"],
        },
    ),
)
def test_a_file_that_does_not_import_fails_once(grade_file: Grade, masters: dict[str, str], kind: str) -> None:
    lines, gists, place = IMPORTS[kind]
    report = grade_file("q1_vae.py", masters["q1_vae.py"] + "\n" + lines, "q2_ddpm.q_xt_x0")
    first, *others = checks_of(report, "q1_vae.py")
    assert first.status is Status.FAILED
    assert first.message.startswith("q1_vae.py cannot be imported.\nGot: ")
    for gist in gists:
        assert gist in first.message
    assert place in first.traceback
    assert {(check.status, check.message) for check in others} == {
        (Status.SKIPPED, "q1_vae.py cannot be imported; see the message of bernoulli_value.")
    }
    assert sum(earned(report).values()) == earned(report)["q_xt_x0"] == 3


@pytest.mark.threat(54)
@pytest.mark.parametrize(
    "lines",
    [
        "import os\nos.makedirs('/content/drive/MyDrive/out', exist_ok=True)\n",
        "from torchvision import datasets\ndata = datasets.MNIST('../data', download=True)\n",
        "import argparse\nargs = argparse.ArgumentParser().parse_args()\n",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nplt.savefig('images/x.png')\n",
        "name = input('your name? ')\ntorch.save({'a': 1}, 'model.pt')\n",
        "torch.manual_seed(42)\nprint('ready')\n",
    ],
)
def test_what_students_do_at_import_costs_nothing(grade_file: Grade, masters: dict[str, str], lines: str) -> None:
    report = grade_file("q2_ddpm.py", masters["q2_ddpm.py"] + "\n" + lines, only=["q2_ddpm.q_xt_x0"])
    assert earned(report) == {"q_xt_x0": 3}


# --- a class or a method that is not there --------------------------------------------------------------------------


@pytest.mark.threat(56)
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("q2_ddpm.py", "DenoiseDiffusion"),
        ("q2_trainer_ddpm.py", "Trainer"),
        ("q3_cfg_diffusion.py", "CFGDiffusion"),
        ("q3_trainer_cfg.py", "Trainer"),
    ],
)
def test_a_missing_class_fails_once(grade_file: Grade, masters: dict[str, str], file: str, name: str) -> None:
    report = grade_file(file, masters[file].replace(f"class {name}", f"class My{name}"))
    first, *others = checks_of(report, file)
    assert first.status is Status.FAILED
    assert f"module '{file.removesuffix('.py')}' has no attribute '{name}'" in first.message
    assert {check.status for check in others} == {Status.SKIPPED}
    assert all(f"the same error as in the check '{first.title}'" in check.message for check in others)
    assert sum(earned(report).values()) == 0


@pytest.mark.threat(56)
def test_a_constructor_with_another_signature_fails_once(grade_file: Grade, masters: dict[str, str]) -> None:
    text = replaced(masters["q2_ddpm.py"], "n_steps: int, device: torch.device)", "n_steps: int, device, schedule)")
    report = grade_file("q2_ddpm.py", text)
    [failed] = failures(checks_of(report, "q2_ddpm.py"))
    assert "missing 1 required positional argument: 'schedule'" in failed.message
    assert sum(earned(report).values()) == 0


def test_a_constructor_that_raises_fails_once(grade_file: Grade, masters: dict[str, str]) -> None:
    text = replaced(masters["q2_ddpm.py"], "self.n_steps = n_steps\n", "self.n_steps = steps\n")
    [failed] = failures(checks_of(grade_file("q2_ddpm.py", text), "q2_ddpm.py"))
    assert "NameError: name 'steps' is not defined" in failed.message
    assert "__init__" in failed.traceback


@pytest.mark.threat(56)
@pytest.mark.parametrize(
    ("file", "name", "lost"),
    [
        ("q1_vae.py", "log_mean_exp", 8),
        ("q2_ddpm.py", "p_sample", 3),
        ("q2_trainer_ddpm.py", "generate_intermediate_samples", 5),
    ],
)
def test_a_missing_function_costs_its_own_points(
    grade_file: Grade, masters: dict[str, str], file: str, name: str, lost: float
) -> None:
    report = grade_file(file, masters[file].replace(f"def {name}(", f"def my_{name}("))
    [failed] = failures(checks_of(report, file))
    assert f"has no attribute '{name}'" in failed.message
    assert sum(earned(report).values()) == sum(unit.points for unit in report.units if unit.file == file) - lost


@pytest.mark.threat(56)
def test_a_method_that_others_build_on_is_blamed_for_them(grade_file: Grade, masters: dict[str, str]) -> None:
    text = with_solution(masters["q2_ddpm.py"], "q_xt_x0", 'raise NotImplementedError("later")')
    report = grade_file("q2_ddpm.py", text)
    assert earned(report) == {"q_xt_x0": 0, "q_sample": 0, "p_xt_prev_xt": 3, "p_sample": 3, "loss": 0}
    [failed] = failures(checks_of(report, "q2_ddpm.py"))
    assert "q_xt_x0 is not implemented yet (it raises NotImplementedError)." in failed.message
    skipped = [check for check in checks_of(report, "q2_ddpm.py") if check.status is Status.SKIPPED]
    assert all("This needs q_xt_x0, which does not work yet." in check.message for check in skipped)
    assert {check.name for check in skipped} == {
        *("ddpm_q_sample", "ddpm_q_sample_draws_noise"),
        *("ddpm_loss", "ddpm_loss_single_time", "ddpm_loss_times"),
    }


# --- what a function returns ----------------------------------------------------------------------------------------

RESULTS = {
    "None": ("None", 0, ["Got: None.", "a function without a return statement returns None"]),
    "a numpy array": ("right(y).detach().numpy()", 6, ["a result without gradients", "numpy"]),
    "one python number": ("float(right(y)[0])", 0, ["the shape ()", "summed or averaged into one number"]),
    "a list of numbers": ("right(y).tolist()", 0, ["is a float tensor", "a list of length 4"]),
    "a list of tensors": ("list(right(y))", 0, ["a list of length 4", "torch.stack or torch.cat"]),
    "a tuple": ("right(y), y", 0, ["is a float tensor", "a tuple of length 2"]),
    "a string": ("'four'", 0, ["a value of type str"]),
    "a module": ("torch.nn.Linear(2, 2)", 0, ["an object: <Linear of the submission>"]),
    "half precision": ("right(y).half()", 0, ["dtype float16", "half precision is too coarse"]),
    "integers": ("right(y).long()", 0, ["dtype int64", "drops the fraction"]),
    "booleans": ("right(y) > 0", 0, ["dtype bool", "a comparison gives booleans"]),
    "double precision": ("right(y).double()", 8, []),
    "detached": ("right(y).detach()", 6, ["a result without gradients", "look for .detach()"]),
    "without a graph": ("torch.no_grad()(right)(y)", 6, ["a result without gradients", "torch.no_grad()"]),
    "one axis too many": ("right(y)[:, None]", 0, ["the shape (4, 1)", "an axis of size 1 is left over"]),
    "(B, B)": ("right(y)[:, None] + 0 * right(y)", 0, ["the shape (4, 4)", "(B,) and (B, 1) broadcast to (B, B)"]),
    "another length": ("right(y)[1:]", 0, ["has the shape (4,) = (batch,)", "the shape (3,)"]),
    "NaN": ("right(y) * float('nan')", 0, ["4 NaN among 4 values", "log(0)"]),
    "a changed argument": ("right(y.sub_(1)) + 1", 0, ["the values of y were changed in place"]),
    "a tensor on a GPU": ("right(y.cuda())", 0, ["there is no GPU here"]),
    "endless recursion": ("log_mean_exp(y)", 0, ["RecursionError"]),
    "nothing but an error": ("1 / 0", 0, ["your code raised ZeroDivisionError"]),
    "a shape error": ("y @ y", 0, ["your code raised RuntimeError", "4x6 and 4x6"]),
}


@pytest.mark.parametrize(
    "kind",
    marked(
        RESULTS,
        {
            34: ["NaN"],
            37: ["a tensor on a GPU"],
            57: [
                *("one python number", "half precision", "integers", "booleans", "double precision", "detached"),
                *("without a graph", "one axis too many", "(B, B)", "a changed argument", "a tensor on a GPU"),
            ],
        },
    ),
)
def test_what_log_mean_exp_returns(grade_file: Grade, masters: dict[str, str], kind: str) -> None:
    value, points, gists = RESULTS[kind]
    wrapper = f"\n\nright = log_mean_exp\n\n\ndef log_mean_exp(y):\n    return {value}\n"
    report = grade_file("q1_vae.py", masters["q1_vae.py"] + wrapper, only=[LOG_MEAN_EXP])
    assert earned(report) == {"log_mean_exp": points}
    said = "\n".join(check.message for check in checks_of(report, "q1_vae.py") if check.message)
    for gist in gists:
        assert gist in said
    assert bool(said) == (points < 8)


@pytest.mark.threat(56)
@pytest.mark.parametrize(
    ("signature", "points", "gist"),
    [
        ("values", 8, ""),
        ("y, dim=1, *, keepdim=False", 8, ""),
        ("*arguments", 8, ""),
        ("y, sample_size", 0, "missing 1 required positional argument: 'sample_size'"),
        ("", 0, "takes 0 positional arguments but 1 was given"),
        ("*, y", 0, "takes 0 positional arguments but 1 was given"),
    ],
)
def test_the_parameters_of_log_mean_exp(
    grade_file: Grade, masters: dict[str, str], signature: str, points: float, gist: str
) -> None:
    first = signature.partition(",")[0].strip("*") or "y"
    value = f"{first}[0]" if signature == "*arguments" else first
    wrapper = f"\n\nright = log_mean_exp\n\n\ndef log_mean_exp({signature}):\n    return right({value})\n"
    report = grade_file("q1_vae.py", masters["q1_vae.py"] + wrapper, only=[LOG_MEAN_EXP])
    checks = checks_of(report, "q1_vae.py")
    assert earned(report) == {"log_mean_exp": points}
    assert gist in checks[0].message
    assert len(failures(checks)) == (points == 0)


OTHERS = [  # unit, class or nothing, its new body, points of the unit, words of a message
    ("q2_ddpm.q_xt_x0", "DenoiseDiffusion", "list(right(*args))", 3, ""),
    ("q2_ddpm.q_xt_x0", "DenoiseDiffusion", "(*right(*args), 1)", 0, "returns two values"),
    ("q2_ddpm.q_xt_x0", "DenoiseDiffusion", "right(*args)[0]", 0, "returns two values"),
    ("q2_ddpm.loss", "DenoiseDiffusion", "right(*args).item()", 0.9, "without a gradient"),
    ("q2_ddpm.loss", "DenoiseDiffusion", "right(*args).detach().numpy()", 0.9, "without a gradient"),
    ("q2_ddpm.p_sample", "DenoiseDiffusion", "right(*args).detach().numpy()", 3, ""),
    ("q2_trainer_ddpm.sample", "Trainer", "torch.randn(3, 2, 8, 8)", 0, "p_sample is never called"),
    ("q2_trainer_ddpm.sample", "Trainer", "print(right(*args, **kwargs))", 0, "Got: None."),
    ("q2_trainer_ddpm.generate_intermediate_samples", "Trainer", "print(right(*args, **kwargs))", 0, "no list"),
    ("q2_trainer_ddpm.generate_intermediate_samples", "Trainer", "right(*args, **kwargs)[1:]", 0, "3 images"),
    ("q3_trainer_cfg.sample", "Trainer", "right(*args, **kwargs).numpy()", 10, ""),
]


@pytest.mark.parametrize(("unit", "owner", "value", "points", "gist"), OTHERS)
def test_what_other_functions_return(
    grade_file: Grade, masters: dict[str, str], unit: str, owner: str, value: str, points: float, gist: str
) -> None:
    module, _, name = unit.partition(".")
    code = f"right = {owner}.{name}\n{owner}.{name} = lambda *args, **kwargs: {value}\n"
    report = grade_file(f"{module}.py", f"{masters[f'{module}.py']}\n\n{code}", only=[unit])
    said = "\n".join(check.message for check in checks_of(report, f"{module}.py") if check.message)
    assert earned(report) == {name: pytest.approx(points)}
    assert gist in said
    assert bool(said) == bool(gist)


@pytest.mark.threat(56)
@pytest.mark.parametrize(
    ("file", "old", "new", "points", "argument"),
    [
        ("q1_vae.py", "num_samples", "samples", 32 - 0.3 * 6, "num_samples"),
        ("q2_trainer_ddpm.py", "steps_to_show", "shown", 5, "steps_to_show"),
        ("q2_trainer_ddpm.py", "n_steps=None", "steps=None", 5 / 2, "n_steps"),
    ],
)
def test_a_renamed_parameter_costs_the_checks_that_name_it(
    grade_file: Grade, masters: dict[str, str], file: str, old: str, new: str, points: float, argument: str
) -> None:
    body = "n_steps = steps\n        " if "=" in new else ""
    text = masters[file].replace(old, new).replace("if n_steps is None", f"{body}if n_steps is None")
    report = grade_file(file, text)
    assert sum(earned(report).values()) == pytest.approx(points)
    said = [check.message for check in failures(checks_of(report, file))]
    assert any(f"unexpected keyword argument '{argument}'" in message for message in said)


def test_view_on_the_expanded_samples_is_told_by_torch(grade_file: Grade, masters: dict[str, str]) -> None:
    """A trap of the published code: it works for one sample only."""
    body = "kl_mc = kl_gaussian_gaussian_analytic(*(a.view(-1) for a in (mu_q, logvar_q, mu_p, logvar_p)))"
    text = with_solution(masters["q1_vae.py"], "kl_gaussian_gaussian_mc", body)
    report = grade_file("q1_vae.py", text, only=["q1_vae.kl_gaussian_gaussian_mc"])
    assert any("view size is not compatible" in check.message for check in checks_of(report, "q1_vae.py"))
    assert earned(report) == {"kl_gaussian_gaussian_mc": 0}


# --- errors that carry forward --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "label", "body", "lost"),
    [
        ("q2_ddpm.py", "q_xt_x0", "bar = self.gather(self.alpha_bar, t)\nmean, var = bar * x0, (1 - bar) / 2", 3),
        ("q2_ddpm.py", "p_xt_prev_xt", "mu_theta, var = xt - self.eps_model(xt, t), 2 * self.gather(self.beta, t)", 3),
        ("q2_ddpm.py", "q_sample", "mean, var = self.q_xt_x0(x0, t)\nsample = mean + var * eps", 3),
        ("q3_cfg_diffusion.py", "alpha_lambda", "var = torch.sigmoid(lambda_t) ** 2", 2),
        ("q3_cfg_diffusion.py", "sigma_lambda", "var = torch.sigmoid(-lambda_t) ** 2", 2),
        ("q3_cfg_diffusion.py", "sigma_q", "var_q = self.sigma_lambda(lambda_t) ** 2", 2),
        ("q3_cfg_diffusion.py", "sigma_q_x", "var_q_x = self.sigma_lambda(lambda_t) ** 2", 2),
        ("q3_cfg_diffusion.py", "mu_p_theta", "mu = z_lambda_t / 2 + x", 2),
        ("q3_cfg_diffusion.py", "var_p_theta", "var = 0.3 * self.sigma_q(lambda_t, lambda_t_prim) ** 2", 2),
        ("q3_cfg_diffusion.py", "q_sample", "z_lambda_t = self.alpha_lambda(lambda_t) * x + noise", 2),
        ("q3_cfg_diffusion.py", "get_lambda", "lambda_t = (15 - 30 * t / self.n_steps).view(-1, 1, 1, 1)", 2),
    ],
)  # fmt: skip
def test_an_error_costs_its_points_once(
    grade_file: Grade, masters: dict[str, str], file: str, label: str, body: str, lost: float
) -> None:
    report = grade_file(file, with_solution(masters[file], label, body))
    wrong = {name: points for name, points in earned(report).items() if name == label}
    assert wrong == {label: 0}
    total = sum(unit.points for unit in report.units if unit.file == file)
    assert sum(earned(report).values()) == pytest.approx(total - lost), [
        (check.name, check.message) for check in checks_of(report, file) if check.status is not Status.PASSED
    ]


# --- anything whatever ----------------------------------------------------------------------------------------------

GARBAGE = [
    *("None", "'text'", "10**400", "[]", "{}", "object()", "(None, None)", "lambda *a: 1", "iter([1])", "True"),
    *("torch.zeros(0)", "torch.zeros(3).to_sparse()", "torch.zeros(3, device='meta')", "torch.ones(5, 5, 5, 5, 5)"),
    *("(torch.ones(2, 2), torch.zeros(2))", "[torch.zeros(2), [None, 'a']]", "torch.zeros(2, dtype=torch.cfloat)"),
    *("__import__('numpy').zeros((), dtype='longdouble')", "__import__('numpy').array([None])", "torch.tensor(3.0)"),
]


@pytest.mark.threat(57)
@pytest.mark.parametrize("turn", range(2))
def test_garbage_from_every_function_is_judged(
    strict: Engine, h25: Assignment, make_submission: MakeSubmission, masters: dict[str, str], turn: int
) -> None:
    texts = dict(masters)
    pieces = itertools.islice(itertools.cycle(GARBAGE), 10 * turn, None)
    for file, master in parse_masters(h25).items():
        for block in master.blocks:
            texts[file] = with_solution(texts[file], block.label, f"return {next(pieces)}")
    report = strict.grade(make_submission(texts), turn)
    assert report.run.problem == ""
    for check in (check for unit in report.units for check in unit.checks):
        assert check.status in (Status.FAILED, Status.SKIPPED), check
        assert check.message != ""
    assert report.earned == 0


LOOPS = [
    "x = None",
    "x = self.diffusion.p_sample(x, TIME)[:1]",
    "x = self.diffusion.p_sample(x.flatten(1), TIME)",
    "x = self.diffusion.p_sample(x, TIME).half()",
    "x = self.diffusion.p_sample(x, TIME).numpy()",
    "x = self.diffusion.p_sample(x, TIME) * float('nan')",
    "x = self.diffusion.p_sample(x, TIME.float())",
    "x = self.diffusion.p_sample(x, TIME[:, None])",
    "x = self.diffusion.p_sample(x, int(TIME[0]))",
    "x = x[:0]",
]


@pytest.mark.threat(57)
@pytest.mark.parametrize("step", LOOPS)
def test_an_odd_step_of_the_reverse_loop_is_judged(grade_file: Grade, masters: dict[str, str], step: str) -> None:
    text = masters["q2_trainer_ddpm.py"]
    for label, time in (("sample", "n_steps - 1 - t_"), ("generate_intermediate_samples", "n_steps - step")):
        text = with_solution(text, label, step.replace("TIME", f"torch.full((x.shape[0],), {time})"))
    report = grade_file("q2_trainer_ddpm.py", text)
    for check in checks_of(report, "q2_trainer_ddpm.py"):
        assert check.status in (Status.FAILED, Status.SKIPPED, Status.PASSED), check
    assert sum(earned(report).values()) < 10

"""What students read of hidden checks holds no hidden input and no expected value, whatever a submission does."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import torch

from autograder.assignment import load_assignment
from autograder.gradescope.results import gradescope_results
from autograder.grading.engine import Engine
from autograder.grading.report import Report, RunInfo, Status
from autograder.grading.seeds import Draw, derive_seed
from autograder.intake import Submission
from autograder.intake.submission import digest_of
from autograder.report.page import render_page

from ..checks.ift6135_h25_misconceptions import PLANTED
from ..checks.planting import messages, planted
from ..conftest import MakeSubmission
from .conftest import SEED, UNIT, Attack
from .tools import TOOLS

MARK = "hiddenqxz"  # put together at run time, so that it stands in no file
VALUE = re.compile(r"\d[.,]\d|\d[eE]-?\d")


def for_students(report: Report) -> tuple[Any, str]:
    """All that students are shown, without what is different in every run, and without what public checks print.

    That is shown on purpose: their inputs, too, are those of one upload alone.
    """
    run = RunInfo(seed=0, started="", seconds=0, python="", torch="", machine="", layers=report.run.layers, problem="")
    shown = report.model_copy(deep=True, update={"run": run})
    shown.submission.digest = ""
    for check in (check for unit in shown.units for check in unit.checks):
        check.seconds = 0
        check.printed = "" if check.public else check.printed
    return gradescope_results(shown), render_page(shown)


# --- the same mistake, other inputs ---------------------------------------------------------------------------------

# Not those with few samples of random results: which of two hints is closer there may depend on the draw.
FIRST_UNITS = (
    *("q1_vae.log_likelihood_bernoulli", "q1_vae.log_likelihood_normal", "q1_vae.log_mean_exp"),
    *("q1_vae.kl_gaussian_gaussian_analytic", "q1_vae.kl_gaussian_gaussian_mc", "q1_train_vae.loss_function"),
    *("q2_ddpm.q_xt_x0", "q2_ddpm.p_xt_prev_xt", "q2_ddpm.loss", "q2_trainer_ddpm.sample"),
    *("q3_cfg_diffusion.get_lambda", "q3_cfg_diffusion.alpha_lambda", "q3_cfg_diffusion.sigma_lambda"),
    *("q3_cfg_diffusion.q_sample", "q3_cfg_diffusion.sigma_q_x", "q3_cfg_diffusion.mu_p_theta"),
)


def same_for_other_seeds(engine: Engine, submission: Submission, only: Iterable[str]) -> None:
    """Grade it on two sets of inputs: what students read is the same text, but for the numbers of wrong values."""
    texts = []
    for seed in (7, 7_000_003):
        report = engine.grade(submission, seed, only=only)
        assert report.run.problem == ""
        assert Status.FAILED in {unit.status for unit in report.units}
        texts.append(json.dumps(for_students(report)))
    counts = re.compile(r"\d+( (?:NaN|of|sur)\b| infinite)")
    first, second = (counts.sub(r"#\1", text) for text in texts)
    assert first == second


@pytest.mark.threat(16, 17)
def test_a_mistake_reads_the_same_whatever_the_inputs_are(
    engine: Engine, make_submission: MakeSubmission, masters: dict[str, str]
) -> None:
    texts = dict(masters)
    for unit in FIRST_UNITS:
        module, _, function = unit.rpartition(".")
        file, body = f"{module.partition('.')[0]}.py", next(iter(PLANTED[unit].values()))[0]
        label, colon, rest = body.partition(": ")
        if not (colon and label.startswith(f"{function} ") and "\n" not in label):
            label, rest = function, body
        texts[file] = planted(texts[file], {f"block: {label}": rest})
    same_for_other_seeds(engine, make_submission(texts), FIRST_UNITS)


TABLES = {
    "ift6135_a22": "ift6135_a22_gan_misconceptions",
    "ift6135_h23": "svhn_vae_misconceptions",
    "cmput328_f24": "cmput328_f24_networks_misconceptions",
}


@pytest.mark.slow
@pytest.mark.threat(16, 17)
@pytest.mark.parametrize("name", TABLES)
def test_and_so_it_is_in_the_other_assignments(name: str) -> None:
    assignment = load_assignment(name).model_copy(update={"language": "en"})
    rows: Mapping[str, list[tuple[str, dict[str, str]]]] = importlib.import_module(
        f"tests.checks.{TABLES[name]}"
    ).PLANTED
    texts = {file.name: assignment.master(file).read_text("utf-8") for file in assignment.files}
    files = {unit.name: unit.file for unit in assignment.units}
    chosen = []
    for shared, mistakes in rows.items():
        module, _, rest = shared.partition(".")
        unit = f"{assignment.shared_modules.get(module, module)}.{rest}"
        for _gist, edits in mistakes if len(chosen) < 8 else []:
            try:
                texts[files[unit]] = planted(texts[files[unit]], edits)
            except ValueError:  # another mistake has changed this line already
                continue
            chosen.append(unit)
            break
    assert len(chosen) >= 5
    submission = Submission(name="work", digest=digest_of(texts), sources=texts, missing=[])
    with Engine(assignment) as engine:
        same_for_other_seeds(engine, submission, chosen)


# --- what a submission says -----------------------------------------------------------------------------------------

SPOKEN = """
MARK = "hidden" + "qxz"


def coded(y):
    letters = "".join(chr(97 + int(abs(value) * 7) % 26) for value in y.flatten().tolist())
    return MARK + letters + " " + " ".join(f"{value:.4f}" for value in y.flatten().tolist())


def thrown(error):
    (_ for _ in ()).throw(error)


def identifier(y):
    return "".join(part for part in coded(y) if part.isalnum())[:60]
"""
SAYINGS = {
    "raise": "raise ValueError(coded(y))",
    "assert": "assert False, coded(y)",
    "a conversion": "int(coded(y))",
    "a key": "{}[coded(y)]",
    "an attribute": "getattr(torch, coded(y))",
    "a global name": "eval(identifier(y))",
    "a module": "importlib.import_module(identifier(y))",
    "a file": "open(identifier(y))",
    "a device": "torch.zeros(1, device=identifier(y))",
    "thrown into a generator": "thrown(ValueError(coded(y)))",
    "code of another file": "exec(compile('raise ValueError(coded(y))', 'other.py', 'exec'))",
    "code that seems to be the submission's": """
        import linecache
        linecache.cache["submission/q1_vae.py"] = (1, None, [coded(y) + "\\n"] * 999, "submission/q1_vae.py")
        exec(compile("\\n" * 30 + "1 / 0", "submission/q1_vae.py", "exec"))
        """,
    "a function's name": """
        step = lambda: 1 / 0
        step.__code__ = step.__code__.replace(co_name=identifier(y), co_qualname=identifier(y))
        step()
        """,
    "a file's name": "exec(compile('1 / 0', f'submission/{identifier(y)}.py', 'exec'))",
    "an error of torch": "torch._assert(False, coded(y))",
    "a warning": "import warnings; warnings.simplefilter('error'); warnings.warn(coded(y))",
    "a future": "from concurrent.futures import Future; f = Future(); f.set_exception(OSError(coded(y))); f.result()",
    "a syntax error": "compile(coded(y), 'submission/q1_vae.py', 'exec')",
    "an exit": "sys.exit(coded(y))",
    "what is not implemented": "thrown(NotImplementedError(coded(y)))",
    "the name of an error's class": "raise type(identifier(y), (Exception,), {})",
    "the name of an object's class": "return type(identifier(y), (), {})()",
    "the name of a module's class": "return type(identifier(y), (torch.nn.Module,), {})()",
    "a list of such": "return [type(identifier(y), (), {})()]",
    "a string": "return coded(y)",
    "a dictionary": "return {coded(y): coded(y)}",
    "names of arguments": "send(frame({'dict': [['value', 1], ['changed', coded(y).split()]]})); os._exit(0)",
    "a forged error": "send(error(type=coded(y), message=coded(y))); os._exit(0)",
    "a fault of the format": "send(error(type='WireError', message=coded(y))); os._exit(0)",
    "a size": "send(error(type='WireError', message=f'the value is larger than {coded(y)} MB')); os._exit(0)",
    "forged lines": "send(error(type='OSError', lines=[['q1_vae.py', 3, coded(y), coded(y)]] * 6)); os._exit(0)",
    "printing": "print(coded(y)); print(coded(y), file=sys.stderr); os.write(1, coded(y).encode()); 1 / 0",
    "the name of the process": "libc.prctl(15, coded(y).encode()[:15], 0, 0, 0); os.abort()",
}  # fmt: skip


@pytest.mark.threat(16)
@pytest.mark.parametrize("body", SAYINGS.values(), ids=SAYINGS)
def test_what_a_submission_says_of_a_hidden_check_is_not_shown(attack: Attack, body: str) -> None:
    report = attack(body, TOOLS + SPOKEN)
    shown = json.dumps(for_students(report))
    assert MARK not in shown
    for check in (check for unit in report.units for check in unit.checks):
        assert check.message
        assert not VALUE.search(check.message), check.message
        assert check.public or not check.printed
        assert len(check.message) < 1000


@pytest.mark.threat(11, 16)
def test_verdicts_that_are_printed_change_nothing(attack: Attack) -> None:
    lines = """
    for stream in (sys.stdout, sys.stderr):
        print("PASSED\\n===== 99 passed in 0.1s =====", file=stream)
        print(json.dumps({"score": 100, "tests": [{"name": "log_mean_exp", "status": "passed"}]}), file=stream)
        print("\\x1b[2J\\x1b[32mAll checks passed\\x1b[0m", file=stream)
    """
    assert for_students(attack(lines, TOOLS)) == for_students(attack("pass", TOOLS))


# --- one upload after another ---------------------------------------------------------------------------------------

TABLE = """
    known, answers = torch.tensor({inputs}), {answers}
    nearest = (known - y.reshape(1, -1)[:, : known.shape[1]]).abs().sum(1) if y.numel() == known.shape[1] else None
    if nearest is not None and float(nearest.min()) < 1e-3:
        return torch.tensor(answers)
    return y.mean(1)
"""


@pytest.mark.threat(17, 18)
def test_what_one_upload_has_learnt_is_worth_nothing_in_the_next(
    engine: Engine, make_submission: MakeSubmission, masters: dict[str, str]
) -> None:
    """Even if all inputs and answers of a run were known: they are written into the code here."""
    y = Draw(SEED, "test_log_mean_exp_value").normal(4, 6, std=2.0)
    answers = (y.exp().mean(1).log()).tolist()
    body = TABLE.format(inputs=[y.flatten().tolist()], answers=answers)
    made = make_submission({"q1_vae.py": planted(masters["q1_vae.py"], {"block: log_mean_exp": body})})
    assert engine.grade(made, SEED, only={UNIT}).earned == 4
    again = engine.grade(made, derive_seed(b"secret of the course", made.digest), only={UNIT})
    assert again.earned == 0
    assert "the mean of the logarithms is returned" in messages(again, UNIT)[0]


@pytest.mark.threat(17)
def test_another_digest_meets_other_inputs(make_submission: MakeSubmission, masters: dict[str, str]) -> None:
    texts = [masters["q1_vae.py"] + "#" * count for count in range(20)]
    digests = [make_submission({"q1_vae.py": text}).digest for text in texts]
    seeds = {derive_seed(b"secret of the course", digest) for digest in digests}
    assert len(seeds) == 20
    assert seeds.isdisjoint(derive_seed(b"another secret", digest) for digest in digests)
    drawn = [Draw(seed, "test_log_mean_exp_value").normal(4, 6) for seed in seeds]
    assert all(not torch.allclose(drawn[0], other, atol=0.1) for other in drawn[1:])

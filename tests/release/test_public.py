"""The public checks: what is taken down of a check, what is refused, and what students get of it."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import autograder.checks
from autograder.assignment import Assignment, assignment_names, load_assignment
from autograder.grading import expect, fail, fetch, points, public, value_and_gradients
from autograder.grading.reference import load_reference
from autograder.grading.sampling import expect_normal
from autograder.grading.seeds import Draw, derive_seed
from autograder.language import _, speaking
from autograder.release import public as releasing
from autograder.release.bundle import parse_masters, released
from autograder.release.folder import ReleaseError, stamp, write_folder
from autograder.release.leaks import find_leak
from autograder.release.public import PUBLIC_SEED, marked_checks, public_files
from autograder.release.recording import NotRecordable, Record, record, the_reference_as_submission
from tests.student.public_runs import Outcomes, run_public_checks

CHECKS = Path(autograder.checks.__path__[0])
NOWHERE = Path("/nonexistent")

WITHOUT: dict[str, dict[str, str]] = {
    "cmput328_f24": {
        f"assignment.prepare_{model}": "it is scored by samples of the trained model, which take minutes"
        for model in ("ddpm", "ddim", "vae", "lddpm")
    },
}
"""Assignment -> unit -> why no check of it is public."""

PUBLIC = [name for name in assignment_names() if marked_checks(load_assignment(name))]

Released = dict[str, dict[str, bytes]]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """What students get of each assignment with public checks."""
    return {name: released(load_assignment(name), NOWHERE) for name in PUBLIC}


@pytest.fixture(scope="module")
def outcomes(releases: Released, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcomes]:
    """What pytest says in the released folder, filled by the reference (`id/full`) and as it is (`id/stub`)."""
    folders = {}
    for name, files in releases.items():
        assignment = load_assignment(name)
        solved = {file.name: assignment.master(file).read_bytes() for file in assignment.files}
        for kind, content in (("stub", files), ("full", {**files, **solved})):
            folders[f"{name}/{kind}"] = tmp_path_factory.mktemp(f"{name}-{kind}") / name
            write_folder(folders[f"{name}/{kind}"], content)
    wrong = folders["ift6135_h25/full"].parent / "wrong"
    shutil.copytree(folders["ift6135_h25/full"], wrong)
    with (wrong / "q1_vae.py").open("a") as file:
        file.write("\n\ndef log_mean_exp(y):\n    return y.logsumexp(1)\n")
    return run_public_checks({**folders, "wrong": wrong})


def titles(files: dict[str, bytes]) -> list[str]:
    return [f"{check['question']} {check['title']}" for check in json.loads(files["public/records.json"])["checks"]]


def tensors(files: dict[str, bytes], folder: Path) -> dict[str, np.ndarray]:
    (folder / "tensors.npz").write_bytes(files["public/tensors.npz"])
    with np.load(folder / "tensors.npz", allow_pickle=False) as stored:
        return dict(stored)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLIC)
def test_the_reference_passes_every_public_check_in_the_students_folder(
    releases: Released, outcomes: dict[str, Outcomes], name: str
) -> None:
    assert outcomes[f"{name}/full"] == dict.fromkeys(titles(releases[name]), "")


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLIC)
def test_the_stubs_are_told_that_nothing_is_implemented(
    releases: Released, outcomes: dict[str, Outcomes], name: str
) -> None:
    found = outcomes[f"{name}/stub"]
    assert list(found) == titles(releases[name])
    with speaking(load_assignment(name).language):
        before, _function, after = _("question {question}: {function}: not implemented yet").partition("{function}")
    for title, text in found.items():
        assert text.startswith(before.format(question=title.partition(" ")[0])), (title, text)
        assert text.endswith(after.lstrip(": \xa0"))  # or it needs another one, which is not
        assert "\n" not in text


@pytest.mark.slow
def test_a_wrong_function_is_told_what_is_wrong_but_not_what_it_looks_like(outcomes: dict[str, Outcomes]) -> None:
    failed = {title: text for title, text in outcomes["wrong"].items() if text}
    assert failed == {
        "1.3 log_mean_exp: one value per row": (
            "Expected: the right values for the result.\nGot: the shape (4,) is right, but 4 of 4 values are not."
        )
    }


def units_without(name: str) -> list[str]:
    assignment = load_assignment(name)
    covered = {marked.unit.name for marked in marked_checks(assignment)}
    return [unit.name for unit in assignment.units if unit.name not in covered]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_unit_has_a_public_check_or_a_reason(name: str) -> None:
    assert units_without(name) == list(WITHOUT.get(name, {}))


@pytest.mark.parametrize("name", PUBLIC)
def test_no_line_of_a_solution_is_in_the_public_files(releases: Released, name: str) -> None:
    assignment = load_assignment(name)
    support = [assignment.master(file).read_text("utf-8") for file in assignment.support]
    texts = {
        file: content.decode()
        for file, content in releases[name].items()
        if not file.endswith((".npz", ".safetensors"))
    }
    assert "public/records.json" in texts
    assert find_leak(parse_masters(assignment).values(), support, texts) is None


def said_of_mistakes() -> Iterator[str]:
    """Every sentence on a mistake in the checks: keys of dictionaries, hints of `fail` and `true`."""
    for path in CHECKS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            found: list[Any] = []
            if isinstance(node, ast.Dict):
                found = node.keys
            elif isinstance(node, ast.Call):
                found = [word.value for word in node.keywords if word.arg == "hint"]
                found += node.args[2:3] if isinstance(node.func, ast.Name) and node.func.id == "fail" else []
            for part in (part for item in found if item for part in ast.walk(item)):
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.strip().count(" ") > 1:
                    yield part.value


@pytest.mark.parametrize("name", PUBLIC)
def test_no_word_of_a_mistake_is_in_the_public_files(releases: Released, name: str) -> None:
    sentences = set(said_of_mistakes())
    assert len(sentences) > 200
    ours = [file for file in releases[name] if file.startswith(("public/", "test_")) and not file.endswith(".npz")]
    texts = "\n".join(releases[name][file].decode() for file in ours)
    assert [text for text in sentences if text in texts] == []
    for file in ("public/probes.py", "test_public.py"):
        calls = [node for node in ast.walk(ast.parse(releases[name][file])) if isinstance(node, ast.Call)]
        assert not {word.arg for call in calls for word in call.keywords} & {"mistakes", "hint"}
    assert "mistakes" not in texts


class Logged(Draw):
    """Keeps what is drawn."""

    def __init__(self, seed: int, name: str) -> None:
        super().__init__(seed, name)
        self.drawn: list[torch.Tensor] = []

    def normal(self, *shape: int, mean: float = 0.0, std: float = 1.0) -> torch.Tensor:
        self.drawn.append(super().normal(*shape, mean=mean, std=std))
        return self.drawn[-1]

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        self.drawn.append(super().uniform(low, high, *shape))
        return self.drawn[-1]


@pytest.mark.parametrize("name", PUBLIC)
def test_no_hidden_input_is_recorded(releases: Released, name: str, tmp_path: Path) -> None:
    assignment = load_assignment(name)
    floats = [array for array in tensors(releases[name], tmp_path).values() if array.dtype.kind == "f"]
    stored = {float(value) for array in floats for value in array.ravel()[:4]}
    reference, drawn = load_reference(assignment), 0
    with the_reference_as_submission(assignment):
        for marked in marked_checks(assignment):
            for digest in ("one submission", "another one"):
                draw = Logged(derive_seed(b"a course's secret", digest), marked.name)
                record(marked.check, assignment, reference, draw, seed=0)
                drawn += len(draw.drawn)
                for tensor in draw.drawn:
                    assert not stored & set(tensor.flatten()[:4].tolist()), marked.name
    assert drawn > len(marked_checks(assignment))


def test_no_secret_gives_the_public_seed() -> None:
    assert PUBLIC_SEED < 0 <= min(derive_seed(bytes([byte]), "a submission") for byte in range(256))


@pytest.mark.parametrize("name", PUBLIC)
def test_the_records_are_small(releases: Released, name: str) -> None:
    assert sum(len(content) for file, content in releases[name].items() if file.startswith("public/")) < 300_000


def test_a_release_repeats_itself_to_the_last_byte(h25: Assignment, releases: Released) -> None:
    again = public_files(h25, NOWHERE)
    assert again == {name: releases["ift6135_h25"][name] for name in again}


@pytest.fixture
def one_check(h25: Assignment, monkeypatch: pytest.MonkeyPatch) -> Assignment:
    """ift6135_h25 with one public check."""
    first = marked_checks(h25)[:1]
    monkeypatch.setattr(releasing, "marked_checks", lambda assignment: first)
    return h25


class TestWhatStandsAlready:
    def test_stays_where_only_the_last_digits_differ(self, one_check: Assignment, tmp_path: Path) -> None:
        files = public_files(one_check, NOWHERE)
        changed = {name: array * np.float32(1 + 3e-7) for name, array in tensors(files, tmp_path).items()}
        write_folder(tmp_path / "old", {**files, **bytes_of_stamp(), "public/tensors.npz": releasing.npz(changed)})
        again = public_files(one_check, tmp_path / "old")
        assert again["public/tensors.npz"] == releasing.npz(changed) != files["public/tensors.npz"]

    def test_goes_where_a_number_differs(self, one_check: Assignment, tmp_path: Path) -> None:
        files = public_files(one_check, NOWHERE)
        changed = {name: array + np.float32(1e-4) for name, array in tensors(files, tmp_path).items()}
        write_folder(tmp_path / "old", {**files, **bytes_of_stamp(), "public/tensors.npz": releasing.npz(changed)})
        assert public_files(one_check, tmp_path / "old") == files

    def test_goes_where_a_word_differs(self, one_check: Assignment, tmp_path: Path) -> None:
        files = public_files(one_check, NOWHERE)
        reworded = files["public/records.json"].replace(b"one value per sample", b"one value")
        assert reworded != files["public/records.json"]
        write_folder(tmp_path / "old", {**files, **bytes_of_stamp(), "public/records.json": reworded})
        assert public_files(one_check, tmp_path / "old") == files


def bytes_of_stamp() -> dict[str, bytes]:
    return {name: text.encode() for name, text in stamp("demo").items()}


def test_large_records_are_refused(one_check: Assignment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releasing, "LARGEST", 1000)
    with pytest.raises(ReleaseError, match=r"take .* MB, more than 0\.001 MB; give the largest of them smaller inputs"):
        public_files(one_check, NOWHERE)


def test_an_assignment_without_public_checks_has_no_public_files(
    h25: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releasing, "marked_checks", lambda assignment: [])
    assert public_files(h25, NOWHERE) == {}


Y = torch.tensor([[0.0, 1.0], [2.0, 5.0]])


def taken_down(check: Callable[..., None], h25: Assignment, seed: int = 0) -> Record:
    reference = load_reference(h25)
    with the_reference_as_submission(h25):
        return record(check, h25, reference, Draw(PUBLIC_SEED, "check"), seed)


class TestWhatIsTakenDown:
    def test_a_call_its_arguments_and_what_is_demanded(self, h25: Assignment) -> None:
        def check(student: Any, reference: Any) -> None:
            result = student.q1_vae.log_mean_exp(Y)
            expect(result, "the mean").close_to(
                reference.q1_vae.log_mean_exp(Y), "(batch,)", atol=1e-3, mistakes={"a secret": Y.mean(1)}
            )

        found = taken_down(check, h25)
        assert found.steps == [
            {
                "do": "call",
                "target": {"module": "q1_vae", "path": ["log_mean_exp"]},
                "args": [{"tensor": "0"}],
                "kwargs": {},
                "gives": 0,
            },
            {
                "do": "expect",
                "value": {"result": 0, "at": ["value"]},
                "what": "the mean",
                "to": "close_to",
                "demands": {"expected": {"tensor": "1"}, "shape": "(batch,)", "atol": 1e-3},
            },
        ]
        assert np.array_equal(found.tensors["0"], Y.numpy())
        assert found.tensors["1"].dtype == np.float32
        assert np.allclose(found.tensors["1"], (Y.logsumexp(1) - np.log(2)).numpy())

    def test_gradients_and_what_close_to_gave_back(self, h25: Assignment) -> None:
        def check(student: Any) -> None:
            value, gradients = value_and_gradients(student.q1_vae.log_mean_exp, Y, wrt=(0,))
            assert gradients is not None
            kept = expect(value).tensor((2,))
            expect(kept).close_to(kept)
            expect(gradients[0], "the gradient").tensor((2, 2))

        call, *judged = taken_down(check, h25).steps
        assert call["wrt"] == ["0"]
        assert [step["value"] for step in judged] == [
            *[{"result": 0, "at": ["value"]}] * 2,
            {"result": 0, "at": ["grads", [0, 1]]},
        ]

    def test_stand_ins_what_they_kept_and_objects_that_stay(self, h25: Assignment) -> None:
        from autograder.checks.ift6135_h25.probes import TimeNet

        def check(student: Any) -> None:
            net = TimeNet(0.5, 8)
            ddpm = student.q2_ddpm.DenoiseDiffusion(net, 8, "cpu")
            mean, _variance = ddpm.p_xt_prev_xt(torch.ones(2, 1, 2, 2), torch.tensor([1, 2]))
            expect(mean).tensor()
            fetch(ddpm.beta)
            expect(fetch(student.copy_of(net).calls)[-1]["t"], "the times").equal_to([1, 2])

        found = taken_down(check, h25)
        assert found.probes == [{"class": "TimeNet", "args": [0.5, 8], "kwargs": {}}]
        made, called, mean, fetched, times = found.steps  # the fetch that nothing uses is gone
        assert made["args"][0] == {"probe": 0}
        assert called["target"] == {"result": 0, "at": ["value"], "path": ["p_xt_prev_xt"]}
        assert mean["value"] == {"result": 1, "at": ["value", [0, 2]]}
        assert fetched["target"] == {"probe": 0, "path": ["calls"]}
        assert times["value"] == {"result": fetched["gives"], "at": ["value", [-1], "t"]}


def judges_a_computed_value(student: Any) -> None:
    expect(student.q1_vae.log_mean_exp(Y).mean()).tensor()


def judges_a_bool(student: Any) -> None:
    result = student.q1_vae.log_mean_exp(Y)
    expect(bool((result > 0).all())).true(expected="positive values.", got="others.")


def judges_computed_samples(student: Any) -> None:
    samples = student.q1_vae.kl_gaussian_gaussian_mc(*[torch.zeros(4000, 1)] * 4)
    expect_normal(samples.reshape(2, 2000), torch.zeros(2), torch.ones(2))


def judges_nothing(student: Any) -> None:
    if student.q1_vae.log_mean_exp(Y) is None:
        fail("something.", "None.")


def asks_for_more(student: Any, workplace: Any) -> None:
    raise AssertionError("never called")


@pytest.mark.parametrize(
    ("check", "why"),
    [
        (judges_a_computed_value, "computed from results"),
        (judges_a_bool, "computed from results"),
        (judges_computed_samples, "computed from results"),
        (judges_nothing, "judges nothing"),
        (asks_for_more, "asks for workplace"),
    ],
)
def test_a_check_that_cannot_be_data_alone_is_refused(h25: Assignment, check: Callable[..., None], why: str) -> None:
    with pytest.raises(NotRecordable, match=why):
        taken_down(check, h25)


@public
@points("q1_vae.kl_gaussian_gaussian_mc", 0)
def check_random_value(student: Any) -> None:
    arguments = torch.zeros(3, 2), torch.zeros(3, 2), torch.ones(3, 2), torch.zeros(3, 2)
    result = student.q1_vae.kl_gaussian_gaussian_mc(*arguments)
    expect(result).close_to(result.double())


@public
@points("q1_vae.log_mean_exp", 0)
def check_wrong_value(student: Any) -> None:
    expect(student.q1_vae.log_mean_exp(Y)).close_to(Y[0])


@pytest.mark.parametrize(
    ("check", "why"),
    [
        (check_random_value, "check_random_value of ift6135_h25 cannot be public: what it calls or demands depends on"),
        (check_wrong_value, "check_wrong_value of ift6135_h25 cannot be public: the reference does not pass it"),
        (
            points("q1_vae.log_mean_exp")(judges_a_bool),
            "judges_a_bool of ift6135_h25 cannot be public: the value judged as 'the result' is computed from results",
        ),
    ],
)
def test_a_release_says_which_check_cannot_be_public(
    h25: Assignment, monkeypatch: pytest.MonkeyPatch, check: Callable[..., None], why: str
) -> None:
    monkeypatch.setattr(releasing, "marked_checks", lambda assignment: [releasing.Marked(check, h25.units[0])])
    with pytest.raises(ReleaseError) as refused:
        public_files(h25, NOWHERE)
    assert why in str(refused.value)


def test_only_what_is_needed_of_a_module_is_shipped() -> None:
    source = (
        "from __future__ import annotations\nimport math\nimport os\n\nSCALE = 2\n\n\nclass Base:\n    pass\n\n\n"
        "class Used(Base):\n    scale = SCALE * math.pi\n\n\nclass Other(Base):\n    home = os.sep\n"
    )
    shipped = releasing.only(source, ["Used"])
    names = [getattr(node, "name", "") for node in ast.parse(shipped).body]
    assert [name for name in names if name] == ["Base", "Used"]
    assert "import math" in shipped
    assert "SCALE = 2" in shipped
    assert "os" not in shipped

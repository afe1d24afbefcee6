import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.assignment import Assignment, SourceFile
from autograder.intake import Submission, read_submission
from autograder.intake.submission import digest_of

from .builders import (
    DDPM,
    FLAGS,
    LINK,
    METHOD,
    SIZE,
    VAE,
    checkpoint_assignment,
    overlapping_zip,
    patch_entry,
    write_special,
    write_zip,
)

BOTH = {"q1_vae.py": VAE, "q2_ddpm.py": DDPM}
NAMES = ["checkpoints/DDPM.pt", "checkpoints/VAE.pt", "checkpoints/LDDPM.pt"]
WEIGHTS = {name: bytes(range(256)) * 5 + name.encode() for name in NAMES}


def notes(submission: Submission) -> str:
    return "\n".join(submission.notes)


@pytest.fixture
def zip_path(tmp_path: Path) -> Path:
    return tmp_path / "hw.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "hw"
    folder.mkdir()
    for name, text in BOTH.items():
        (folder / name).write_text(text)
    return folder


def test_zip_folder_and_several_files_give_the_same_code(zip_path, folder, assignment):
    write_zip(zip_path, {f"some folder/{name}": text.replace("\n", "\r\n") for name, text in BOTH.items()})
    uploads = [[zip_path], [folder], [folder / name for name in BOTH]]
    submissions = [read_submission(paths, assignment) for paths in uploads]
    assert [submission.sources for submission in submissions] == [BOTH] * 3
    assert len({submission.digest for submission in submissions}) == 1
    assert [submission.name for submission in submissions] == ["hw.zip", "hw", "q1_vae.py and 1 more"]
    assert not any(submission.missing or submission.notes or submission.refusal for submission in submissions)


def test_single_file_is_taken_and_the_other_is_missing(folder, assignment):
    submission = read_submission([folder / "q1_vae.py"], assignment)
    assert submission.sources == {"q1_vae.py": VAE}
    assert submission.missing == ["q2_ddpm.py"]
    assert "q2_ddpm.py: not in the upload; add it" in notes(submission)
    assert not submission.refusal


def test_digest_depends_on_names_and_texts_only(zip_path, assignment):
    def digest(members: dict[str, str]) -> str:
        return read_submission([write_zip(zip_path, members)], assignment).digest

    first = digest(BOTH)
    assert len(first) == 64
    assert digest({**BOTH, "notes.txt": "x"}) == first
    assert digest({**BOTH, "q1_vae.py": VAE + "#"}) != first
    assert digest({"q1_vae.py": DDPM, "q2_ddpm.py": VAE}) != first
    assert digest({"q1_vae.py": VAE}) != first


def test_digest_is_what_its_description_says(folder, assignment):
    parts = [part.encode() for item in sorted(BOTH.items()) for part in item]
    expected = hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).hexdigest()
    assert read_submission([folder], assignment).digest == expected


@pytest.mark.threat(10, 55)
def test_support_modules_notebooks_and_strange_files_are_left_out_with_notes(zip_path, assignment):
    extra = {"ddpm_utils/args.py": "x", "02 - DDPM.ipynb": "{}", "conftest.py": "x", "torch.py": "x", "old.zip": "x"}
    submission = read_submission([write_zip(zip_path, {**BOTH, **extra, "q1_train_vae.py": "x"})], assignment)
    assert submission.sources == BOTH
    assert "ddpm_utils/args.py: left out; the course's own version" in notes(submission)
    assert "02 - DDPM.ipynb: left out; notebooks are not graded" in notes(submission)
    assert "conftest.py and torch.py: left out; the assignment does not ask" in notes(submission)
    assert "old.zip: left out; archives inside an upload are not opened" in notes(submission)
    assert len(submission.notes) == 4


@pytest.mark.threat(55)
def test_missing_file_beside_notebooks_says_what_to_do_with_the_cells(zip_path, assignment):
    submission = read_submission([write_zip(zip_path, {"q1_vae.py": VAE, "02 - DDPM.ipynb": "{}"})], assignment)
    assert submission.missing == ["q2_ddpm.py"]
    assert "save the cells of 02 - DDPM.ipynb that belong there as q2_ddpm.py" in notes(submission)


@pytest.mark.threat(55)
def test_notebook_alone_is_refused_with_the_same_advice(tmp_path, assignment):
    path = tmp_path / "hw.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "cells": []}))
    submission = read_submission([path], assignment)
    assert not submission.sources
    assert submission.missing == ["q1_vae.py", "q2_ddpm.py"]
    assert "save the cells of hw.ipynb that belong there as q1_vae.py and q2_ddpm.py" in submission.refusal


@pytest.mark.threat(52)
def test_zip_in_a_zip_is_refused_with_advice(zip_path, tmp_path, assignment):
    inner = write_zip(tmp_path / "inner.zip", BOTH)
    submission = read_submission([write_zip(zip_path, {"hw/inner.zip": inner.read_bytes()})], assignment)
    assert "holds nothing but hw/inner.zip; unpack that one and zip the files themselves" in submission.refusal


def test_folder_that_holds_only_the_zip_is_read_through(tmp_path, assignment):
    (tmp_path / "student 17").mkdir()
    write_zip(tmp_path / "student 17" / "hw.zip", BOTH)
    submission = read_submission([tmp_path / "student 17"], assignment)
    assert submission.sources == BOTH
    assert submission.name == "student 17"


def test_zip_without_its_extension_is_read(tmp_path, assignment):
    submission = read_submission([write_zip(tmp_path / "hw", BOTH)], assignment)
    assert submission.sources == BOTH


def test_other_archive_is_named(tmp_path, assignment):
    (tmp_path / "hw.tar.gz").write_bytes(b"\x1f\x8b\x08" + bytes(60))
    assert "hw.tar.gz is a gzip archive" in read_submission([tmp_path / "hw.tar.gz"], assignment).refusal


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b""), "0 bytes"),
        (lambda path: path.write_text("hello"), "a text file"),
        (lambda path: write_zip(path, {}), "empty zip"),
        (lambda path: write_zip(path, {"essay.txt": "x"}), "q1_vae.py and q2_ddpm.py: not in the upload"),
        (lambda path: write_zip(path, {"../q1_vae.py": VAE}), "'..'"),
        (lambda path: write_zip(path, {"../q1_vae.py": VAE, "essay.txt": "x"}), "'..'"),
        (lambda path: write_zip(path, {"q1_vae.py": "\x00"}), "NUL"),
        (lambda path: write_zip(path, {"a/q1_vae.py": "1", "b/q1_vae.py": "2"}), "differ"),
        (lambda path: overlapping_zip(path, b"x", ["q1_vae.py", "q2_ddpm.py"]), "shares bytes"),
        (lambda path: patch_entry(write_zip(path, {"q1_vae.py": VAE}), "q1_vae.py", {FLAGS: ("<H", 1)}), "password"),
        (lambda path: patch_entry(write_zip(path, {"a.txt": "x"}), "a.txt", {METHOD: ("<H", 9)}), "Deflate64"),
        (lambda path: write_zip(path, {"a.bin": bytes(5_000_000)}), "larger than 4 MB"),
        (lambda path: None, "no such file"),
    ],
)
def test_refusal_says_why_and_names_the_upload(zip_path, assignment, make, words):
    make(zip_path)
    submission = read_submission([zip_path], assignment)
    assert words in submission.refusal
    assert "hw.zip" in submission.refusal
    assert submission.sources == {}
    assert submission.missing == ["q1_vae.py", "q2_ddpm.py"]


def test_every_missing_file_is_named_however_many_there_are(tmp_path, assignment):
    many = assignment.model_copy(update={"files": tuple(SourceFile(name=f"part{n}.py") for n in range(9))})
    (tmp_path / "x.txt").touch()
    refusal = read_submission([tmp_path], many).refusal
    assert all(f"part{n}.py" in refusal for n in range(9))


def test_nothing_uploaded_is_refused(assignment):
    assert "Nothing was uploaded" in read_submission([], assignment).refusal


def test_irrelevant_rejection_is_not_the_reason_of_the_refusal(zip_path, assignment):
    write_zip(zip_path, {"../data.txt": "x", "essay.txt": "x"})
    submission = read_submission([zip_path], assignment)
    assert "not in the upload" in submission.refusal
    assert "../data.txt" in notes(submission)


def test_file_that_was_refused_is_missing_but_not_said_to_be_absent(zip_path, assignment):
    submission = read_submission([write_special(zip_path, "q2_ddpm.py", LINK)], assignment)
    assert submission.missing == ["q2_ddpm.py"]
    assert "q2_ddpm.py: not taken, because it is a link" in notes(submission)
    assert "not in the upload" not in notes(submission)


@pytest.mark.threat(2, 51)
def test_link_to_a_file_of_the_grader_is_not_followed(tmp_path, assignment):
    (tmp_path / "reference.py").write_text(VAE)
    (tmp_path / "q1_vae.py").symlink_to(tmp_path / "reference.py")
    for paths in ([tmp_path / "q1_vae.py"], [tmp_path / "q1_vae.py", tmp_path / "other.py"]):
        submission = read_submission(paths, assignment)
        assert not submission.sources
        assert "link" in submission.refusal


@pytest.mark.threat(52)
def test_file_limit_of_the_manifest_counts(zip_path, assignment):
    tight = assignment.model_copy(update={"limits": assignment.limits.model_copy(update={"file_kb": 1})})
    submission = read_submission([write_zip(zip_path, {**BOTH, "q1_vae.py": "#" * 1025})], tight)
    assert submission.missing == ["q1_vae.py"]
    assert "larger than 1 kB" in notes(submission)


@pytest.mark.threat(59, 60)
def test_everything_that_is_said_is_safe_to_show(tmp_path, assignment):
    path = tmp_path / "=cmd\x1b[31m\u202e,hw.zip"
    members = {"q1_vae.py": "def f(\x1b[2J:\n", "\u202eevil\x07.txt": "x", "\x1b]0;title.py": "x", "ok\u2066.md": "x"}
    submission = read_submission([write_zip(path, members)], assignment)
    said = "".join([submission.name, submission.refusal, *submission.notes])
    assert len(submission.notes) >= 4
    assert said.isprintable()


@pytest.mark.threat(52, 60)
def test_two_thousand_bad_entries_make_few_and_short_notes(zip_path, assignment):
    roomy = assignment.model_copy(update={"limits": assignment.limits.model_copy(update={"upload_entries": 5000})})
    members = {f"../{number}{'x' * 200}": "" for number in range(1000)} | {f"a\\{n}": "" for n in range(1000)}
    submission = read_submission([write_zip(zip_path, {**members, **BOTH})], roomy)
    assert submission.sources == BOTH
    assert len(submission.notes) == 2
    assert all(len(note) < 700 for note in submission.notes)
    assert "and 995 more" in submission.notes[0]


def test_listed_file_is_named_first_among_the_rejected(zip_path, assignment):
    members = {f"../{number}.txt": "" for number in range(10)} | {"../q1_vae.py": VAE, "q2_ddpm.py": DDPM}
    [note] = read_submission([write_zip(zip_path, members)], assignment).notes
    assert note.startswith("../q1_vae.py, ")


@pytest.mark.threat(10, 51)
def test_nothing_is_executed_and_nothing_is_written(tmp_path, zip_path, assignment, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_zip(zip_path, {"q1_vae.py": "open('mark', 'w')\n!touch mark\n", "__init__.py": "open('mark', 'w')"})
    before = sorted(tmp_path.rglob("*"))
    assert "q1_vae.py" in read_submission([zip_path], assignment).sources
    assert sorted(tmp_path.rglob("*")) == before


def test_import_is_light():
    heavy = ("torch", "numpy", "nbformat", "pytest", "autograder.sandbox", "autograder.grading")
    code = f"import sys, autograder.intake; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_relative_folder_has_its_real_name(folder, assignment: Assignment, monkeypatch):
    monkeypatch.chdir(folder)
    assert read_submission([Path(".")], assignment).name == "hw"


def test_checkpoints_come_as_they_were_uploaded_however_they_were_packed(zip_path, folder):
    (folder / "checkpoints").mkdir()
    for name, content in WEIGHTS.items():
        (folder / name).write_bytes(content)
    write_zip(zip_path, {f"some folder/{name}": content for name, content in {**BOTH, **WEIGHTS}.items()})
    single = [folder / name for name in {**BOTH, **WEIGHTS}]
    submissions = [read_submission(paths, checkpoint_assignment()) for paths in ([zip_path], [folder], single)]
    assert [submission.sources for submission in submissions] == [BOTH] * 3
    assert [submission.checkpoints for submission in submissions] == [WEIGHTS] * 3
    assert len({submission.digest for submission in submissions}) == 1
    assert not any(submission.missing or submission.missing_checkpoints for submission in submissions)
    assert not submissions[0].notes
    assert not submissions[1].notes
    assert len(submissions[2].notes) == 3  # they were not in their folder


def test_digest_covers_names_and_bytes_of_the_checkpoints(zip_path):
    def digest(weights: dict[str, bytes]) -> str:
        return read_submission([write_zip(zip_path, {**BOTH, **weights})], checkpoint_assignment()).digest

    first, second, third = NAMES
    digests = [
        digest({}),
        digest(WEIGHTS),
        digest({**WEIGHTS, first: WEIGHTS[first][:-1] + b"?"}),
        digest({first: b"1"}),
        digest({second: b"1"}),
        digest({first: b"1", third: b""}),
        digest({first: b"2"}),
    ]
    assert len(set(digests)) == len(digests)
    assert digests[0] == digest_of(BOTH) == digest_of(BOTH, {})
    parts = [part.encode() for item in sorted(BOTH.items()) for part in item] + [first.encode(), b"1"]
    assert digests[3] == hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).hexdigest()


def test_absent_checkpoints_are_not_missing_files_but_their_cost_is_named(zip_path):
    submission = read_submission([write_zip(zip_path, BOTH)], checkpoint_assignment())
    assert submission.sources == BOTH
    assert submission.missing == []
    assert submission.missing_checkpoints == NAMES
    assert submission.notes == [
        "checkpoints/DDPM.pt, checkpoints/VAE.pt and checkpoints/LDDPM.pt: not in the upload, so the samples of these "
        "models cannot be scored (checkpoints/LDDPM.pt would be for the bonus alone)."
    ]


def test_one_absent_checkpoint_is_said_in_the_singular_and_one_of_a_bonus_calmly(zip_path):
    def said(name: str) -> list[str]:
        weights = {other: content for other, content in WEIGHTS.items() if other != name}
        submission = read_submission([write_zip(zip_path, {**BOTH, **weights})], checkpoint_assignment())
        assert submission.missing_checkpoints == [name]
        return submission.notes

    assert said(NAMES[1]) == [f"{NAMES[1]}: not in the upload, so the samples of this model cannot be scored."]
    assert said(NAMES[2]) == [f"{NAMES[2]}: not in the upload; only the bonus needs it."]


@pytest.mark.threat(38)
def test_too_large_checkpoint_is_refused_alone(zip_path, folder):
    large = {**WEIGHTS, NAMES[1]: bytes(range(256)) * 4096 + b"x"}
    (folder / "checkpoints").mkdir()
    for name, content in large.items():
        (folder / name).write_bytes(content)
    for path in (write_zip(zip_path, {**BOTH, **large}), folder):
        submission = read_submission([path], checkpoint_assignment())
        assert submission.sources == BOTH
        assert sorted(submission.checkpoints) == [NAMES[0], NAMES[2]]
        assert submission.missing_checkpoints == [NAMES[1]]
        [note] = submission.notes
        assert note.startswith(f"{NAMES[1]}: not taken, because it is larger than 1 MB; ")


@pytest.mark.threat(52)
@pytest.mark.parametrize("compress", [True, False])
def test_checkpoint_that_unpacks_to_more_than_it_says_is_refused_alone(zip_path, compress):
    name = NAMES[0]
    write_zip(zip_path, {**BOTH, name: bytes(900_000)} if compress else {**BOTH, **WEIGHTS}, 8 if compress else 0)
    if not compress:
        patch_entry(zip_path, name, {SIZE: ("<I", 10)})
    submission = read_submission([zip_path], checkpoint_assignment())
    assert submission.sources == BOTH
    assert name in submission.missing_checkpoints
    assert any(note.startswith(f"{name}: not taken, because it") for note in submission.notes)


@pytest.mark.threat(52)
def test_checkpoints_count_against_the_size_of_the_upload(zip_path):
    write_zip(zip_path, {**BOTH, **{name: bytes(range(256)) * 3000 for name in NAMES}})
    submission = read_submission([zip_path], checkpoint_assignment(upload_mb=2))
    assert "larger than 2 MB" in submission.refusal
    assert submission.checkpoints == {}
    assert submission.missing_checkpoints == NAMES


@pytest.mark.threat(51)
def test_link_in_the_place_of_a_checkpoint_is_not_followed(folder):
    (folder / "secret.pt").write_bytes(b"1")
    (folder / "checkpoints").mkdir()
    (folder / NAMES[0]).symlink_to(folder / "secret.pt")
    submission = read_submission([folder], checkpoint_assignment())
    assert NAMES[0] in submission.missing_checkpoints
    assert "link" in notes(submission)


def test_checkpoints_alone_are_no_submission(zip_path):
    submission = read_submission([write_zip(zip_path, WEIGHTS)], checkpoint_assignment())
    assert "q1_vae.py and q2_ddpm.py: not in the upload" in submission.refusal
    assert submission.checkpoints == {}
    assert submission.missing_checkpoints == NAMES
    assert submission.digest == digest_of({})


def test_training_state_beside_the_checkpoints_is_left_out(zip_path):
    extra = {"checkpoints/DDPM.training.pt": b"x", "checkpoints/VAE_best.pth": b"x", "classifier.safetensors": b"x"}
    submission = read_submission([write_zip(zip_path, {**BOTH, **WEIGHTS, **extra})], checkpoint_assignment())
    assert submission.checkpoints == WEIGHTS
    assert submission.notes == [
        "checkpoints/DDPM.training.pt and checkpoints/VAE_best.pth: left out; the assignment does not ask for it."
    ]


def test_assignment_without_checkpoints_takes_none(zip_path, assignment):
    submission = read_submission([write_zip(zip_path, {**BOTH, **WEIGHTS})], assignment)
    assert submission.checkpoints == {}
    assert submission.missing_checkpoints == []
    assert submission.digest == digest_of(BOTH)
    assert "left out; the assignment does not ask for it" in notes(submission)

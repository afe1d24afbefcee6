import pytest

from autograder.assignment import Assignment, SourceFile
from autograder.intake.finding import find_files, left_out, wanted_by
from autograder.intake.naming import Match, match
from autograder.intake.sizes import checkpoint_limit, source_limit
from autograder.intake.upload import Upload

from .builders import checkpoint_assignment, small_assignment


def find(files: dict[str, bytes], assignment: Assignment | None = None):
    return find_files(Upload(files=files), assignment or small_assignment())


@pytest.mark.threat(53)
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("q1_vae.py", Match.EXACT),
        ("hw/Assignment 3/q1_vae.py", Match.EXACT),
        ("Q1_VAE.py", Match.WRONG_CASE),
        ("q1_vae.PY", Match.WRONG_CASE),
        ("q1_vae.py ", Match.WRONG_CASE),
        ("q1_vae (1).py", Match.COPY),
        ("q1_vae(1).py", Match.COPY),
        ("q1_vae-1.py", Match.COPY),
        ("q1_vae 2.py", Match.COPY),
        ("q1_vae - Copy.py", Match.COPY),
        ("q1_vae - Copy (2).py", Match.COPY),
        ("q1_vae copy 3.py", Match.COPY),
        ("q1_vae (copy).py", Match.COPY),
        ("q1_vae - Copie.py", Match.COPY),
        ("copy of q1_vae.py", Match.COPY),
        ("Copy of Q1_vae.py", Match.COPY),
        ("Copie de q1_vae.py", Match.COPY),
        ("q1_vae.py.txt", Match.TEXT_EXTENSION),
        ("q1_vae (1).py.txt", Match.TEXT_EXTENSION),
        ("my_q1_vae.py", None),
        ("q1_vae_old.py", None),
        ("q1_vae.pyc", None),
        ("q1_vae.ipynb", None),
        ("q1_vaeXpy", None),
        ("q1_vae.py/readme", None),
        ("q1_vae" + " " * 70_000 + ".py", None),
    ],
)
def test_names_that_are_meant_as_the_file(path, expected):
    assert match(path, "q1_vae.py") is expected
    assert wanted_by(small_assignment())(path) == (None if expected is None else source_limit(100))


def test_file_in_a_folder_of_the_manifest_must_lie_in_that_folder():
    assert match("hw/models/unet.py", "models/unet.py") is Match.EXACT
    assert match("Models/unet.py", "models/unet.py") is Match.WRONG_CASE
    assert match("unet.py", "models/unet.py") is None
    assert match("other/unet.py", "models/unet.py") is None


@pytest.mark.threat(53)
@pytest.mark.parametrize("path", ["q1_vae.py", "hw/q1_vae.py", "a/b/c/q1_vae.py"])
def test_exact_name_in_any_folder_needs_no_note(path):
    findings = find({path: b"1"})
    assert findings.chosen == {"q1_vae.py": path}
    assert not findings.notes


@pytest.mark.threat(53)
@pytest.mark.parametrize("path", ["Q1_VAE.py", "hw/q1_vae (1).py", "q1_vae.py.txt"])
def test_other_name_is_taken_with_a_note(path):
    findings = find({path: b"1"})
    assert findings.chosen == {"q1_vae.py": path}
    [note] = findings.notes
    assert path in note
    assert "name the file q1_vae.py" in note


@pytest.mark.threat(55)
def test_exact_name_wins_and_the_others_are_named():
    findings = find({"q1_vae (1).py": b"2", "hw/q1_vae.py": b"1", "Q1_vae.py": b"3"})
    assert findings.chosen == {"q1_vae.py": "hw/q1_vae.py"}
    [note] = findings.notes
    assert "q1_vae (1).py" in note
    assert "Q1_vae.py" in note


@pytest.mark.threat(55)
def test_shallowest_of_equal_names_wins():
    findings = find({"old/backup/q1_vae.py": b"2", "hw/q1_vae.py": b"1"})
    assert findings.chosen == {"q1_vae.py": "hw/q1_vae.py"}
    assert "old/backup/q1_vae.py" in findings.notes[0]


@pytest.mark.threat(55)
def test_file_taken_in_place_of_a_rejected_one_is_noted():
    upload = Upload(files={"old/q1_vae.py": b"1"}, rejected=[("q1_vae.py", "encrypted")] * 2)
    findings = find_files(upload, small_assignment())
    assert findings.chosen == {"q1_vae.py": "old/q1_vae.py"}
    assert findings.notes == ["q1_vae.py: taken from old/q1_vae.py and not from q1_vae.py."]


@pytest.mark.threat(55)
def test_two_equally_good_files_that_differ_are_refused_by_name():
    findings = find({"old/q1_vae.py": b"2", "new/q1_vae.py": b"1", "q2_ddpm.py": b"3"})
    assert findings.chosen == {"q2_ddpm.py": "q2_ddpm.py"}
    sentence = findings.ambiguous["q1_vae.py"]
    assert "new/q1_vae.py and old/q1_vae.py" in sentence


@pytest.mark.threat(55)
def test_two_equally_good_files_with_one_content_are_one():
    findings = find({"a/q1_vae.py": b"1", "b/q1_vae.py": b"1"})
    assert findings.chosen == {"q1_vae.py": "a/q1_vae.py"}
    assert not findings.ambiguous


def test_file_of_the_assignment_is_no_copy_of_another_one():
    base = small_assignment()
    assignment = base.model_copy(update={"files": (*base.files, SourceFile(name="q1_vae-2.py"))})
    findings = find({"q1_vae-2.py": b"1"}, assignment)
    assert findings.chosen == {"q1_vae-2.py": "q1_vae-2.py"}


def test_left_out_files_are_summarised_by_reason():
    paths = ["hw/ddpm_utils/args.py", "02.ipynb", "data.rar", "a.txt", "b.txt", "hw/q1_train_vae.py"]
    notes = left_out(paths, small_assignment())
    assert len(notes) == 4
    by_first = {note.split(":")[0]: note for note in notes}
    assert "course's own version" in by_first["hw/ddpm_utils/args.py"]
    assert "not graded" in by_first["02.ipynb"]
    assert "not opened" in by_first["data.rar"]
    assert "does not ask" in by_first["a.txt and b.txt"]


def test_summary_of_many_files_is_short():
    [note] = left_out([f"{number}{'x' * 300}.txt" for number in range(1000)], small_assignment())
    assert "and 995 more" in note
    assert len(note) < 600


NAMES = ["checkpoints/DDPM.pt", "checkpoints/VAE.pt", "checkpoints/LDDPM.pt"]


@pytest.mark.parametrize("path", ["checkpoints/DDPM.pt", "hw/checkpoints/DDPM.pt", "a/b/checkpoints/DDPM.pt"])
def test_checkpoint_in_its_folder_needs_no_note(path):
    findings = find({path: b"1"}, checkpoint_assignment())
    assert findings.chosen == {NAMES[0]: path}
    assert not findings.notes


@pytest.mark.threat(53)
@pytest.mark.parametrize(
    "path",
    [
        *("DDPM.pt", "hw/DDPM.pt", "weights/DDPM.pt", "ddpm.pt", "DDPM (1).pt"),
        *("Checkpoints/ddpm.pt", "CHECKPOINTS/DDPM.PT", "checkpoints/DDPM (1).pt", "checkpoints/Copy of DDPM.pt"),
        "checkpoints/DDPM.pt.txt",
    ],
)
def test_checkpoint_of_another_name_or_place_is_taken_with_a_note(path):
    findings = find({path: b"1"}, checkpoint_assignment())
    assert findings.chosen == {NAMES[0]: path}
    assert findings.notes == [f"{NAMES[0]}: taken from {path}; please name the file {NAMES[0]} next time."]


@pytest.mark.parametrize(
    "path", ["checkpoints/DDPM.training.pt", "checkpoints/DDPM.pth", "checkpoints/best.pt", "my_DDPM.pt", "DDPM.pt/0"]
)
def test_other_weights_are_nobodys_checkpoint(path):
    assignment = checkpoint_assignment()
    assert wanted_by(assignment)(path) is None
    assert left_out([path], assignment) == [f"{path}: left out; the assignment does not ask for it."]


def test_checkpoint_of_one_model_is_not_taken_for_another():
    findings = find({f"hw/{name.lower()}": name.encode() for name in NAMES}, checkpoint_assignment())
    assert findings.chosen == {name: f"hw/{name.lower()}" for name in NAMES}


def test_right_folder_then_best_name_wins():
    files = {
        "DDPM.pt": b"1",
        "checkpoints/DDPM (1).pt": b"2",
        "old/DDPM.pt": b"3",
        "VAE (1).pt": b"4",
        "x/VAE.pt": b"5",
    }
    findings = find(files, checkpoint_assignment())
    assert findings.chosen == {NAMES[0]: "checkpoints/DDPM (1).pt", NAMES[1]: "x/VAE.pt"}
    assert "and not from DDPM.pt and old/DDPM.pt; please name" in findings.notes[0]


@pytest.mark.threat(55)
def test_two_checkpoints_that_differ_and_are_equally_good_are_refused_by_name():
    findings = find({"a/DDPM.pt": b"1", "b/DDPM.pt": b"2"}, checkpoint_assignment())
    assert not findings.chosen
    assert "a/DDPM.pt and b/DDPM.pt differ" in findings.ambiguous[NAMES[0]]


def test_each_kind_of_file_has_its_own_limit():
    wanted = wanted_by(checkpoint_assignment())
    assert wanted("hw/q1_vae.py") == source_limit(100)
    assert wanted("hw/vae.pt") == checkpoint_limit(1)
    assert source_limit(100).problem(100 * 1024) == checkpoint_limit(1).problem(1 << 20) == ""
    assert "larger than 100 kB" in source_limit(100).problem(100 * 1024 + 1)
    assert "larger than 1 MB" in checkpoint_limit(1).problem((1 << 20) + 1)


def test_source_outside_its_folder_is_not_taken_as_a_checkpoint_is():
    base = checkpoint_assignment()
    assignment = base.model_copy(update={"files": (SourceFile(name="models/unet.py"),)})
    assert wanted_by(assignment)("unet.py") is None


def test_given_assets_need_no_note():
    assert left_out(["hw/classifier.safetensors"], checkpoint_assignment()) == []

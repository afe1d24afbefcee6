import os
from pathlib import Path

import pytest

from autograder.intake.finding import wanted_by
from autograder.intake.folder import file_problem, open_regular, read_files, read_folder
from autograder.intake.upload import Upload, UploadRefused

from .builders import DDPM, VAE, small_assignment


def read(folder: Path) -> Upload:
    assignment = small_assignment()
    return read_folder(folder, wanted_by(assignment), assignment.limits)


def read_several(paths: list[Path]) -> Upload:
    assignment = small_assignment()
    return read_files(paths, wanted_by(assignment), assignment.limits)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "hw"
    folder.mkdir()
    (folder / "q1_vae.py").write_text(VAE)
    return folder


def test_wanted_files_are_read_and_others_only_named(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "q2_ddpm.py").write_text(DDPM)
    (folder / "notes.txt").write_text("x")
    upload = read(folder)
    assert upload.files == {"q1_vae.py": VAE.encode(), "sub/q2_ddpm.py": DDPM.encode()}
    assert upload.others == ["notes.txt"]


@pytest.mark.threat(51)
def test_links_to_files_and_folders_are_not_followed(folder, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "q2_ddpm.py").write_text("the reference")
    (folder / "q2_ddpm.py").symlink_to(tmp_path / "secret" / "q2_ddpm.py")
    (folder / "all").symlink_to(tmp_path / "secret")
    (folder / "loop").symlink_to(folder)
    upload = read(folder)
    assert set(upload.files) == {"q1_vae.py"}
    assert {path for path, why in upload.rejected if "link" in why} == {"q2_ddpm.py", "all", "loop"}


@pytest.mark.threat(51)
def test_pipe_is_skipped_without_waiting_for_it(folder):
    os.mkfifo(folder / "q2_ddpm.py")
    upload = read(folder)
    assert set(upload.files) == {"q1_vae.py"}
    assert "pipe" in dict(upload.rejected)["q2_ddpm.py"]


@pytest.mark.threat(51)
def test_opening_is_safe_even_if_the_file_changes_after_the_look(folder):
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(folder / "q1_vae.py")
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match=r"regular|symbolic"):
            open_regular(folder / name)


@pytest.mark.threat(53)
def test_junk_is_ignored_and_not_counted(folder):
    for name in (".git", "venv", "__pycache__", "__MACOSX", ".ipynb_checkpoints"):
        (folder / name).mkdir()
        for number in range(20):
            (folder / name / f"{number}_q1_vae.py").write_text("junk")
    (folder / ".DS_Store").write_bytes(b"\x00")
    (folder / "._q1_vae.py").write_bytes(b"\x00")
    upload = read(folder)
    assert set(upload.files) == {"q1_vae.py"}
    assert not upload.others
    assert not upload.rejected


@pytest.mark.threat(51)
def test_names_follow_the_same_rules_as_in_a_zip(folder):
    (folder / "sub\\q2_ddpm.py").write_text(DDPM)
    (folder / "q2_ddpm.py\n").write_text(DDPM)
    assert {path for path, _ in read(folder).rejected} == {"sub\\q2_ddpm.py", "q2_ddpm.py\n"}


@pytest.mark.threat(52)
def test_folders_deeper_than_the_limit_are_not_entered(folder):
    deep = folder.joinpath(*"abcdefghijkl")
    deep.mkdir(parents=True)
    (deep / "q2_ddpm.py").write_text(DDPM)
    upload = read(folder)
    assert set(upload.files) == {"q1_vae.py"}
    [(path, why)] = upload.rejected
    assert path == "a/b/c/d/e/f/g/h/i/j/k"
    assert "10 folders" in why


@pytest.mark.threat(52)
def test_source_over_the_file_limit_is_refused(folder):
    (folder / "q2_ddpm.py").write_bytes(b"#" * 102_401)
    assert "larger than 100 kB" in dict(read(folder).rejected)["q2_ddpm.py"]


@pytest.mark.threat(52)
def test_total_size_is_limited(folder):
    with (folder / "data.bin").open("wb") as file:
        file.truncate(5_000_000)
    with pytest.raises(UploadRefused, match=r"hw is larger than 4 MB"):
        read(folder)


@pytest.mark.threat(52)
def test_number_of_files_is_limited(folder):
    for number in range(41):
        (folder / f"{number}.txt").touch()
    with pytest.raises(UploadRefused, match=r"hw holds more than 40 files"):
        read(folder)


def test_what_cannot_be_opened_is_named(folder, monkeypatch):
    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("autograder.intake.folder.open_regular", denied)
    assert "cannot be read" in dict(read(folder).rejected)["q1_vae.py"]


def test_folder_that_cannot_be_opened_is_named(folder, monkeypatch):
    def denied(path: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    (folder / "sub").mkdir()
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: denied(path) if str(path).endswith("sub") else real(path))
    upload = read(folder)
    assert set(upload.files) == {"q1_vae.py"}
    assert "cannot be opened" in dict(upload.rejected)["sub"]


def test_several_files_are_read_side_by_side(folder, tmp_path):
    other = tmp_path / "q2_ddpm.py"
    other.write_text(DDPM)
    upload = read_several([folder / "q1_vae.py", other])
    assert upload.files == {"q1_vae.py": VAE.encode(), "q2_ddpm.py": DDPM.encode()}


@pytest.mark.threat(52)
def test_several_files_together_are_limited(tmp_path):
    paths = [tmp_path / f"{number}.bin" for number in range(3)]
    for path in paths:
        path.write_bytes(bytes(2_000_000))
    with pytest.raises(UploadRefused, match="the upload is larger than 4 MB"):
        read_several(paths)


@pytest.mark.threat(55)
def test_same_name_uploaded_twice_is_refused(folder, tmp_path):
    again = tmp_path / "q1_vae.py"
    again.write_text("x = 1")
    upload = read_several([folder / "q1_vae.py", again])
    assert not upload.files
    assert "uploaded 2 times" in dict(upload.rejected)["q1_vae.py"]


@pytest.mark.threat(51)
def test_what_is_no_file_is_named(folder, tmp_path):
    (tmp_path / "link.py").symlink_to(folder / "q1_vae.py")
    assert "link" in file_problem(tmp_path / "link.py")
    assert "folder" in file_problem(folder)
    assert "no such file" in file_problem(tmp_path / "absent.py")
    assert "no such file" in file_problem(Path("nul\x00.py"))
    assert file_problem(folder / "q1_vae.py") == ""

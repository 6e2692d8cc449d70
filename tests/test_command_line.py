"""``python -m course``: what a person meets at the prompt."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from kaggle_stub import KaggleStub

import course.__main__ as command_line
from course import doctor, environment, notebooks

ROOT = Path(__file__).resolve().parents[1]


def course(*arguments, **changes):
    """Run the command in a process of its own."""
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-m", "course", *arguments],
        env=os.environ | {"PYTHONPATH": path} | changes,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_help_names_every_command():
    process = course("--help")
    assert process.returncode == 0
    for command in ("lessons", "refresh", "format", "doctor", "data"):
        assert f"\n    {command} " in process.stdout
    assert process.stderr == ""


@pytest.mark.parametrize("arguments", [[], ["dance"]])
def test_no_command_and_an_unknown_one(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        command_line.main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "usage: python -m course" in error
    assert "COMMAND" in error


@pytest.mark.parametrize("command", ["lessons", "refresh"])
def test_a_lesson_that_does_not_exist(command, capsys, tmp_path, monkeypatch):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "00_start.ipynb")
    find = notebooks.find
    monkeypatch.setattr(notebooks, "find", lambda numbers, folder=None: find(numbers, tmp_path))
    assert command_line.main([command, "77"]) == 1
    out, error = capsys.readouterr()
    assert error == "There is no lesson 77. The lessons are: 00_start.\n"
    assert out == ""


@pytest.mark.parametrize(("problems", "status"), [(0, 0), (1, 1), (300, 1)])
def test_the_exit_status_says_whether_there_are_problems(problems, status, monkeypatch):
    # A bare count would wrap: 256 problems are status 0 to the shell.
    monkeypatch.setattr(
        doctor,
        "examine",
        lambda: [("thing", "broken", "mend it")] * problems or [("thing", "fine", "")],
    )
    assert command_line.main(["doctor"]) == status


def test_an_error_of_a_library_keeps_its_traceback(monkeypatch):
    # Its message says nothing to a reader: where it was raised is the only clue.
    monkeypatch.setattr(doctor, "examine", lambda: json.loads("{"))
    with pytest.raises(json.JSONDecodeError):
        command_line.main(["doctor"])


def test_interruption_is_no_traceback(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", interrupted)
    assert command_line.main(["doctor"]) == 130
    assert "Interrupted." in capsys.readouterr().err


def test_an_error_of_ours_is_not_hidden(monkeypatch):
    def broken():
        raise TypeError("a bug")

    monkeypatch.setattr(doctor, "examine", broken)
    with pytest.raises(TypeError, match="a bug"):
        command_line.main(["doctor"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["exercises", "--author", "my-exam"], "--author wants --out too"),
        (["demo-class", "{file}/class"], "Not a directory. Name another place."),
        (["data", "--folder", "{file}/nowhere"], "{file}/nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(arguments, said, tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    assert command_line.main([part.format(file=file) for part in arguments]) == 1
    assert said.format(file=file) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--shard", "0/3"], "expected I/N such as 2/4, I from 1 to N, not '0/3'"),
        (["--workers", "0"], "expected a number from 1 up, not '0'"),
    ],
)
def test_options_of_the_grader_say_what_they_expect(arguments, said, capsys):
    with pytest.raises(SystemExit):
        command_line.main(["grade", "some", *arguments])
    assert said in capsys.readouterr().err


def test_grading_elsewhere_than_on_linux(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert command_line.main(["grade", "some"]) == 1
    assert "on a Mac in a container" in capsys.readouterr().err


WINDOWS = """
import sys
for name in "resource", "fcntl":
    sys.modules[name] = None  # as where there is none
from course import __main__ as command_line, doctor
sys.platform = "win32"  # after what would import other modules there
sys.exit(command_line.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("arguments", [["grade", "some"], ["doctor", "--grading"]])
def test_on_windows_the_grader_says_where_to_grade(arguments):
    process = subprocess.run(
        [sys.executable, "-c", WINDOWS, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 1
    assert "on Windows inside WSL 2" in process.stdout + process.stderr
    assert "Traceback" not in process.stderr


def test_data_that_is_not_there(tmp_path):
    process = course("data", COURSE_DATA=str(tmp_path / "nowhere"))
    assert process.returncode == 1
    assert "nowhere" in process.stderr
    assert "Traceback" not in process.stderr


def test_download_without_credentials_says_how_to_sign_in(tmp_path):
    (tmp_path / "home").mkdir()
    with KaggleStub(b"") as stub:
        stub.token_status = stub.download_status = 401
        process = course(
            "data",
            "--kaggle",
            "--folder",
            str(tmp_path / "data"),
            **stub.environment(tmp_path / "home"),
        )
    assert process.returncode == 1
    assert "KAGGLE_API_TOKEN" in process.stderr
    assert "Traceback" not in process.stderr
    assert not (tmp_path / "data" / "semantic-drone-dataset").exists()


def test_no_second_dataset_is_fetched_beside_one_unpacked_by_hand(tmp_path, capsys):
    for folder, ending in (("original_images", "jpg"), ("label_images_semantic", "png")):
        (tmp_path / "archive" / folder).mkdir(parents=True)
        (tmp_path / "archive" / folder / f"000.{ending}").touch()
    assert command_line.main(["data", "--kaggle", "--folder", str(tmp_path)]) == 0
    assert "there already: 1 pictures" in capsys.readouterr().out


def test_download_without_a_checkout_needs_a_folder(monkeypatch, capsys):
    monkeypatch.setattr(environment, "data_folder", lambda: None)
    assert command_line.main(["data", "--kaggle"]) == 1
    assert "--folder" in capsys.readouterr().err

"""Commands in messages: they work when a student copies them."""

import shlex
import subprocess
import sys

import pytest

from course import hints


@pytest.fixture
def no_python_on_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment in the folder ``my course``, whose interpreter is this one."""
    python = tmp_path / "my course" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    return python


def test_in_an_activated_environment_it_is_called_python(environment, monkeypatch):
    monkeypatch.setenv("PATH", str(environment.parent))
    assert hints.command("kaggle", "push", "06") == "python -m course kaggle push 06"


def test_python_of_another_environment_is_not_meant(environment, monkeypatch, tmp_path):
    other = tmp_path / "bin" / "python"
    other.parent.mkdir()
    other.symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(other.parent))
    monkeypatch.chdir(environment.parents[2])
    assert hints.command("format") == ".venv/bin/python -m course format"


@pytest.mark.usefixtures("no_python_on_path")
def test_elsewhere_the_whole_path_works_with_spaces_too(environment, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path / "my course" / ".venv")
    assert hints.command("format") == "bin/python -m course format"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert shlex.split(hints.command("format")) == [str(environment), "-m", "course", "format"]


@pytest.mark.usefixtures("no_python_on_path")
def test_what_it_names_runs():
    shown = subprocess.run(hints.command("--help"), shell=True, capture_output=True, text=True)
    assert shown.stdout.startswith("usage: python -m course")

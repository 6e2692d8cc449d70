"""The packages that the course needs, and those that it is made of."""

import importlib.metadata
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from setuptools import find_packages

from course import doctor, packages

ROOT = Path(__file__).resolve().parents[1]


def test_the_wheel_has_every_folder_of_the_course():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    code = set(find_packages(str(ROOT), include=["course", "course.*"]))
    tools = project["tool"]["setuptools"]
    assert set(tools["packages"]) == code | set(tools["package-dir"])


@pytest.fixture
def there(monkeypatch):
    """What is installed: a dictionary, names to versions."""
    there = {}

    def version(name):
        if name not in there:
            raise importlib.metadata.PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return there


def test_opencv_counts_under_any_of_its_names(there):
    needs = Requirement("opencv-python-headless>=4.10")
    assert packages.installed(needs) == ("opencv-python-headless", None)
    there["opencv-contrib-python"] = "4.9.0.80"
    assert packages.installed(needs) == ("opencv-contrib-python", "4.9.0.80")


def test_the_doctor_mends_the_opencv_that_is_there(there):
    there["opencv-contrib-python"] = "4.9.0.80"  # a second one would overwrite its files
    _, version, remedy = doctor._version(Requirement("opencv-python-headless>=4.10"))
    assert version == "4.9.0.80"
    assert "pip install 'opencv-contrib-python>=4.10'" in remedy


def test_release_candidates_count():
    assert packages.fits(Requirement("keras>=3.13"), "3.14.0rc1")
    assert not packages.fits(Requirement("keras>=3.13"), "3.12.9")

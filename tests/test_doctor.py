"""The doctor on healthy and on broken machines."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from course import doctor

ROOT = Path(__file__).resolve().parents[1]
NEEDS = [
    "tensorflow>=2.20",
    "numpy>=2.0",
    "opencv-python-headless>=4.10",
    "pytest>=8; extra == 'dev'",
]
HAS = {"tensorflow": "2.21.0", "numpy": "2.4.6", "opencv-python": "5.0.0.93"}


@pytest.fixture
def installed(monkeypatch):
    """A machine's packages, as a dict to change: name to version."""
    versions = dict(HAS)

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: NEEDS)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    return versions


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A dataset of three pictures, named by COURSE_DATA."""
    for folder, ending in (("original_images", "jpg"), ("label_images_semantic", "png")):
        (tmp_path / "drone" / folder).mkdir(parents=True)
        for name in ("000", "001", "002"):
            shape = (32, 48, 3) if ending == "jpg" else (32, 48)
            cv2.imwrite(
                str(tmp_path / "drone" / folder / f"{name}.{ending}"), np.full(shape, 3, np.uint8)
            )
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "drone"))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COURSE_SCALE", raising=False)
    return tmp_path / "drone"


def remedies(findings):
    return {topic: remedy for topic, _, remedy in findings if remedy}


def test_versions_in_range_need_nothing(installed):
    found = list(doctor._versions())
    assert remedies(found) == {}
    assert [(topic, version) for topic, version, _ in found] == list(
        HAS.items()
    )  # any OpenCV will do


def test_a_version_out_of_range(installed):
    installed["numpy"] = "1.26.4"
    assert remedies(doctor._versions()) == {
        "numpy": f"Outside the supported range: {doctor.PIP} 'numpy>=2.0'"
    }


def test_a_release_candidate_is_in_range(installed):
    installed["tensorflow"] = "2.22.0rc1"
    assert remedies(doctor._versions()) == {}


def test_a_missing_package(installed):
    del installed["opencv-python"]
    assert remedies(doctor._versions()) == {
        "opencv-python-headless": f"{doctor.PIP} 'opencv-python-headless>=4.10'"
    }


def test_tensorflow_may_be_missing_where_jax_takes_its_place(installed, monkeypatch):
    del installed["tensorflow"]
    assert "tensorflow" in remedies(doctor._versions())
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert remedies(doctor._versions()) == {}


def test_the_package_itself_not_installed(monkeypatch):
    def requires(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    assert "make setup" in remedies(doctor._versions())["course"]


def test_usable_data_and_scale(data):
    found = {topic: finding for topic, finding, _ in doctor._data()}
    assert remedies(doctor._data()) == {}
    assert "3 pictures" in found["data"]
    assert str(data) in found["data"]
    assert "pixels" in found["scale"]


def test_a_wrong_scale(data, monkeypatch):
    monkeypatch.setenv("COURSE_SCALE", "huge")
    assert "smoke, laptop, gpu" in remedies(doctor._data())["scale"]


def test_a_wrong_data_folder(data, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(data / "nowhere"))
    found = list(doctor._data())
    assert [topic for topic, _, _ in found] == ["data"]
    assert "nowhere" in remedies(found)["data"]


def test_a_full_disk_and_a_cache_that_cannot_be_written(data, monkeypatch):
    assert remedies(doctor._cache()) == {}
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: full)
    assert "COURSE_CACHE" in remedies(doctor._cache())["cache"]
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "write to" in remedies(doctor._cache())["cache"]


def test_report_counts_what_is_wrong(capsys):
    assert (
        doctor.report([("a", "good", ""), ("bb", "bad", "mend it"), ("c", "bad", "this too")]) == 2
    )
    out = capsys.readouterr().out
    assert "✓ a   good\n✗ bb  bad\n" in out
    assert "→ mend it" in out
    assert "2 things to mend." in out
    assert doctor.report([("a", "good", "")]) == 0
    assert "All is well." in capsys.readouterr().out


def test_credentials_are_found_and_never_printed(monkeypatch, capsys, tmp_path):
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_KEY", "KAGGLE_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    ((_, finding, _),) = doctor._credentials()
    assert "none" in finding
    monkeypatch.setenv("KAGGLE_API_TOKEN", "5ecret")
    doctor.report(list(doctor._credentials()))
    out = capsys.readouterr().out
    assert "found" in out
    assert "5ecret" not in out
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "kaggle.json").write_text('{"key": "5ecret"}')
    doctor.report(list(doctor._credentials()))
    out = capsys.readouterr().out
    assert "found" in out
    assert "5ecret" not in out


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"KERAS_BACKEND": "nonsense"}, {"COURSE_SCALE": "huge"}])
def test_the_whole_examination_of_a_broken_machine(data, changes):
    environment = os.environ | changes | {"KAGGLE_API_TOKEN": "5ecret"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    process = subprocess.run(
        [sys.executable, "-m", "course", "doctor"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr
    assert "5ecret" not in process.stdout + process.stderr
    assert "to mend." in process.stdout
    assert next(iter(changes.values())) in process.stdout

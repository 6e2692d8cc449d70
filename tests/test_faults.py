"""A lesson on machines that lack something: a home to write to, room on the disk, our own layout.

bubblewrap lays the machine out. What else may be missing is tried elsewhere: the network and the
course in test_setup_cell.py, TensorFlow in test_jax.py, credentials in test_download.py, old packages
by versions.py.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course import notebooks
from course.notebooks import replay

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
LESSON = notebooks.find(["00"])[0]


@pytest.fixture
def machine(tmp_path):
    """A function that runs lesson 00 where the mounts are as told, and returns how it went.

    Its options are bubblewrap's. The checkout can be read only and holds no cache; home and
    temporary files lie in folders of the test's own.
    """
    if shutil.which("bwrap") is None:
        message = "bubblewrap lays the machines out. Install it (Debian: apt install bubblewrap)."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    for name in ("home", "tmp", "out"):
        (tmp_path / name).mkdir()
    cache = ROOT / "data" / ".cache"
    cache.mkdir(exist_ok=True)
    variables = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "tmp", "COURSE_SCALE": "smoke"}
    left_out = ("COURSE_DATA", "COURSE_CACHE", "MPLCONFIGDIR", "XDG_CACHE_HOME", "CI")

    def run(*options, **more):
        command = ["bwrap", "--tmpfs", "/"]
        for path in Path("/").iterdir():  # so that new folders in / are not made on this machine
            if path.is_symlink():
                command += ["--symlink", os.readlink(path), path]
            elif path.name not in ("proc", "kaggle"):
                command += ["--dev-bind", path, path]
        command += [
            "--proc",
            "/proc",
            "--ro-bind",
            ROOT,
            ROOT,
            "--tmpfs",
            cache,
            "--remount-ro",
            cache,
        ]
        command += [
            *options,
            "--chdir",
            ROOT,
            "--",
            sys.executable,
            "-m",
            "course",
            "lessons",
            "00",
        ]
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        return subprocess.run(
            [*map(str, command), "--out", str(tmp_path / "out")],
            env=kept | {name: str(value) for name, value in (variables | more).items()},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def lesson(tmp_path):
    return nbformat.read(tmp_path / "out" / LESSON.name, as_version=4)


def test_a_home_that_is_read_only(machine, tmp_path):
    home = tmp_path / "home"
    process = machine("--tmpfs", home, "--remount-ro", home)
    assert process.returncode == 0, process.stdout + process.stderr
    assert replay.compare(LESSON, lesson(tmp_path)) == []
    assert (tmp_path / "tmp" / "segmentation-course").is_dir()


def test_a_disk_that_is_too_small(machine, tmp_path):
    tiny = [
        part
        for name in ("home", "tmp")
        for part in ("--size", "2000000", "--tmpfs", tmp_path / name)
    ]
    process = machine(*tiny)
    assert process.returncode == 1
    assert "FAILED in cell 2: DataError: The synthetic scenes need a folder" in process.stdout
    (error,) = (o for c in lesson(tmp_path).cells for o in c.get("outputs", []) if "evalue" in o)
    assert f"{tmp_path}/home/.cache/segmentation-course: No space left on device" in error.evalue
    assert "Set COURSE_CACHE to a folder you can write to" in error.evalue


def test_the_photographs_where_kaggle_mounts_them(machine, tmp_path, make_dataset):
    """In the deeper of the two places that test_find.py knows."""
    mount = "datasets/bulentsiyah/semantic-drone-dataset"
    photographs = make_dataset(tmp_path / "input" / mount, names=[f"{n:03}" for n in range(20)])
    process = machine(
        *("--dir", "/kaggle", "--ro-bind", tmp_path / "input", "/kaggle/input"),
        KAGGLE_KERNEL_RUN_TYPE="Batch",
    )
    assert process.returncode == 0, process.stdout + process.stderr
    printed = "".join(
        o.get("text", "") for c in lesson(tmp_path).cells for o in c.get("outputs", [])
    )
    assert "Ready: kaggle" in printed
    assert "Semantic Drone Dataset: 20 pictures" in printed
    assert f"from /kaggle/input/{mount}" in printed
    assert photographs.is_dir()

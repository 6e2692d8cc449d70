"""The course on the oldest and on the newest packages that it allows: ``python tests/versions.py``.

For each Python that is found here, and for both ends of the ranges in ``pyproject.toml``, an
environment is made below ``build/versions``, and the fast tests and some lessons run in it.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from course.notebooks import REFRESH

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "versions"
PYTHONS = ("3.11", "3.12", "3.13")  # TensorFlow has no wheel for others
# The oldest of what the course asks for itself is what Colab and Kaggle may have; what that pulls
# in is as new as it fits, as there.
ENDS = {"oldest": "lowest-direct", "newest": "highest"}
# Scientific packages; Keras layers in and out of training mode; export to three formats.
LESSONS = ("03_before_deep_learning", "07_upsampling", "13_full_resolution")
SHOWN = ("tensorflow", "keras", "numpy", "opencv-python-headless")


def uv(*arguments, **options):
    """Run uv, which never fetches a Python of its own here."""
    command = [sys.executable, "-m", "uv", "--no-python-downloads", "--quiet", *arguments]
    return subprocess.run(command, cwd=ROOT, text=True, **options)


def version(python):
    """What version, 3.12 say, the interpreter `python` is; None where it does not start."""
    say = "import sys; print('{}.{}'.format(*sys.version_info))"
    try:
        done = subprocess.run([python, "-c", say], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def build(python, end):
    """Make the environment anew; returns its folder."""
    folder = FOLDER / f"{version(python)}-{end}"
    pins = folder.with_name(f"{folder.name}.txt")
    FOLDER.mkdir(parents=True, exist_ok=True)
    # No package is compiled: one that has no wheel for this Python is not what students get.
    uv(
        *("pip", "compile", "--python", python, "--resolution", ENDS[end], "--upgrade"),
        *("--only-binary", ":all:", "--extra", "dev", "--extra", "grading"),
        *("pyproject.toml", "--output-file", pins),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    uv("venv", "--clear", "--python", python, folder, check=True)
    install = ("pip", "install", "--python", folder)
    uv(*install, "--only-binary", ":all:", "--requirement", pins, check=True)
    uv(*install, "--no-deps", "--editable", ".", check=True)
    return folder


def run(folder):
    """The fast tests and the lessons in the environment `folder`; returns pytest's exit status."""
    lessons = [f"notebooks/{name}.ipynb" for name in LESSONS]
    pytest = [folder / "bin" / "python", "-m", "pytest", "-q", "-n", "2", "--dist", "loadscope"]
    nbval = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=600"]
    command = [*pytest, *nbval, "-m", "not slow", "--ignore=tests/attacks", "tests", *lessons]
    return subprocess.run(command, cwd=ROOT, env=os.environ | REFRESH).returncode


def main_packages(folder):
    """Names and versions of the packages that matter most, in one line."""
    listed = uv("pip", "freeze", "--python", folder, capture_output=True, check=True).stdout
    pins = dict(line.split("==") for line in listed.splitlines() if "==" in line)
    return ", ".join(f"{name} {pins[name]}" for name in SHOWN)


def main():
    """Test each combination; returns how many did not pass."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "pythons", nargs="*", help=f"interpreters; by default those of {', '.join(PYTHONS)} found"
    )
    parser.add_argument("--end", choices=ENDS, help="one end of the ranges only")
    options = parser.parse_args()
    pythons = options.pythons or [f"python{number}" for number in PYTHONS]
    lines, failed = [], 0
    for python in filter(version, pythons):
        for end in [options.end] if options.end else ENDS:
            begun = time.monotonic()
            try:
                folder = build(python, end)
                status = run(folder)
                about = main_packages(folder)
            except subprocess.CalledProcessError as error:
                status, about = 1, f"could not be built: {' '.join(map(str, error.cmd[5:9]))} …"
            failed += status != 0
            outcome = "FAILED" if status else "passed"
            minutes = (time.monotonic() - begun) / 60
            lines.append(
                f"Python {version(python)}, {end}: {outcome} in {minutes:.0f} min; {about}"
            )
            print(lines[-1], flush=True)
    print("\n".join(["", *lines] if lines else ["None of these Pythons is here:", *pythons]))
    return failed or not lines


if __name__ == "__main__":
    sys.exit(min(main(), 1))

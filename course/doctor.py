"""Check a machine: what is here, what is wrong, how to mend it."""

import contextlib
import io
import os
import platform
import shutil
import sys

from course import environment, packages
from course.kaggle import account

SPACE = 2**30
PIP = f"{sys.executable} -m pip install"


def examine():
    """Everything the doctor looks at.

    Returns
    -------
    list of (topic, finding, remedy)
        Strings; the remedy is empty where nothing is wrong.
    """
    return [*_machine(), *_versions(), *_keras(), *_data(), *_cache(), *_credentials()]


def grading():
    """What grading needs: one finding for each kind of box, and which one would be taken."""
    from course.grading import box

    tried = [box.probe(kind) for kind in box.KINDS[:-1]]
    best = next((found.kind for found in tried if found.works), None)
    findings = []
    for found in tried:
        # A lesser box is no fault where a better one works.
        remedy = "" if found.works or best == box.KINDS[0] else found.remedy
        findings.append(
            (found.kind, "works" if found.works else f"does not work: {found.why}", remedy)
        )
    remedy = "" if best else "Mend one of the above. `grade --sandbox none` runs without any."
    findings.append(("grading", f"in {best}" if best else "refused: there is no box", remedy))
    return findings


def report(findings):
    """Print findings as a table, problems with their remedy below; return how many problems."""
    width = max(len(topic) for topic, _, _ in findings)
    problems = 0
    for topic, finding, remedy in findings:
        print(f"{'✗' if remedy else '✓'} {topic:{width}}  {finding}")
        if remedy:
            problems += 1
            print(f"  {'':{width}}  → {remedy}")
    print("All is well." if not problems else f"{problems} thing{'s' * (problems > 1)} to mend.")
    return problems


def _machine():
    yield (
        "place",
        f"{environment.place()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "",
    )
    old = sys.version_info < (3, 11)
    remedy = "The course needs Python 3.11 or newer: make PYTHON=python3.11 setup" if old else ""
    yield "Python", platform.python_version(), remedy


def _versions():
    requirements = packages.needed()
    if requirements is None:
        yield (
            "course",
            "not installed",
            "Run `make setup`, or `pip install -e .` in the repository.",
        )
    for requirement in requirements or []:
        yield _version(requirement)


def _version(requirement):
    name, version = packages.installed(requirement)
    wanted = f"{name}{requirement.specifier}"
    if version is not None:
        fits = packages.fits(requirement, version)
        return name, version, "" if fits else f"Outside the supported range: {PIP} '{wanted}'"
    chosen = os.environ.get("KERAS_BACKEND")
    if name == "tensorflow" and chosen in ("jax", "torch"):
        return name, f"not installed; {chosen} takes its place", ""
    return name, "not installed", f"{PIP} '{wanted}'"


def _keras():
    try:
        environment.import_keras()
        yield "backend", environment.backend(), ""
        yield "device", environment.device(), ""
    except Exception as error:  # whatever stops Keras from starting is what the doctor is for
        first = str(error).splitlines()[0] if str(error) else ""
        chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
        remedy = (
            f"Keras does not start on {chosen}. Install it, or choose another: "
            "KERAS_BACKEND=tensorflow, jax or torch."
        )
        yield "backend", f"{type(error).__name__}: {first}", remedy


def _data():
    try:
        from course import data

        with contextlib.redirect_stdout(io.StringIO()):
            dataset = data.load()
    except (ImportError, OSError, ValueError) as error:
        yield "data", "not usable", str(error).replace("\n", "\n      ")
        return
    yield "data", f"{dataset.title}: {len(dataset)} pictures in {dataset.root}", ""
    yield _scale(dataset)


def _scale(dataset):
    try:
        scale = environment.scale(dataset)
    except Exception as error:  # a wrong COURSE_SCALE, or Keras, which is asked for the device
        return "scale", "not known", str(error)
    height, width = scale.size
    return (
        "scale",
        f"{scale.name}: {width}×{height} pixels, width {scale.width}, {scale.epochs} epochs",
        "",
    )


def _cache():
    for folder in environment.cache_folders():
        there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
        if os.path.isdir(there) and os.access(there, os.W_OK):
            free = shutil.disk_usage(there).free
            remedy = (
                f"Free some space, or set COURSE_CACHE to a folder with {SPACE / 1e9:.0f} GB."
                if free < SPACE
                else ""
            )
            yield "cache", f"{folder}, {free / 1e9:.0f} GB free", remedy
            return
    yield "cache", "no folder can be written to", "Set COURSE_CACHE to a folder you can write to."


def _credentials():
    """Only whether there are any; never what they are."""
    found = "found" if account.places() else "none (needed only to download the real pictures)"
    yield "Kaggle credentials", found, ""

"""The course as a wheel, and the dataset that carries it to notebooks without internet."""

import shutil
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

from course.notebooks.execution import PACKAGE_ROOT
from course.version import __version__

from . import account, files

SLUG = "segmentation-course-wheel"
TITLE = "Segmentation course wheel"
# Built as pip does it, without pip, which not every environment has. In the checkout itself the
# build would leave a folder behind, and take modules from it that are long gone.
SOURCES = ("pyproject.toml", "README.md", "course", "benchmarks/results")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
POLL, READY_SECONDS = 5, 600
OVER = {"failed", "deleted"}
LOST = "Upload unsuccessful"  # the package says it, and up to 2.2.4 goes on without the file


@files.errors_explained()
def write(out, user):
    """Write the folder of the dataset: ``<out>/wheel``, with the wheel and its metadata.

    Returns the folder. Raises KaggleError where the wheel cannot be built, and where the folder
    holds what no earlier call has written, or cannot be written to.
    """
    folder = (Path(out) / "wheel").resolve()
    about = {"id": f"{user}/{SLUG}", "title": TITLE, "licenses": [{"name": "other"}]}
    files.begin(folder, "dataset-metadata.json", about)
    build(folder)
    return folder


def build(folder, root=PACKAGE_ROOT):
    """Build the wheel of the checkout `root` into `folder`; returns its path."""
    with tempfile.TemporaryDirectory() as copy:
        for name in SOURCES:
            if (root / name).is_dir():
                leave_out = shutil.ignore_patterns("__pycache__")
                shutil.copytree(root / name, Path(copy, name), ignore=leave_out)
            else:
                shutil.copy(root / name, copy)
        command = [sys.executable, "-c", BUILD, str(folder)]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise account.KaggleError(
            f"The wheel of the course could not be built ({last}). "
            "Run: pip install --upgrade 'setuptools>=77'"
        )
    return next(folder.glob("*.whl"))


def upload(api, folder, user):
    """Make the wheel in `folder` the newest version of the user's dataset; wait until it is ready.

    Raises
    ------
    KaggleError
        If Kaggle refuses the dataset, if the upload fails, if Kaggle cannot unpack it, or takes
        longer than ten minutes.
    """
    name = f"{user}/{SLUG}"
    page = f"https://www.kaggle.com/datasets/{name}"
    (file,) = folder.glob("*.whl")
    print(f"{file.name}, {file.stat().st_size / 1e6:.1f} MB, goes to {page}", flush=True)
    answer = _send(api, folder, page, new=status(api, name) is None)
    if answer.error or answer.status.lower() not in {"", "ok"}:
        raise account.KaggleError(_explain(account.tidy(answer.error or answer.status), page))
    _await_ready(api, name, page)


def _send(api, folder, page, new):
    """Upload the folder, as a new dataset or as a new version; returns what Kaggle answers."""
    said = StringIO()
    try:
        if new:
            answer = account.ask(api.dataset_create_new, str(folder), said=said)
        else:
            notes = f"Course {__version__}"
            answer = account.ask(api.dataset_create_version, str(folder), notes, said=said)
    except account.KaggleError as error:
        if LOST not in str(error):
            raise
        said.write(LOST)
    if LOST in said.getvalue():
        raise account.KaggleError(
            f"The wheel did not arrive at {page}. Check your connection, then run this again."
        )
    return answer


def _explain(words, page):
    if "already in use" in words:
        return (
            f"Kaggle refuses the dataset for the wheel ({words}). You have another dataset called "
            f"{TITLE!r}: rename or delete it at https://www.kaggle.com/work/datasets, then run this "
            "again."
        )
    return f"Kaggle refuses the dataset for the wheel ({words}). Look at {page}."


def status(api, name):
    """What Kaggle says of a dataset: ``"ready"``, ``"failed"`` or a stage between; None if unknown."""
    try:
        return account.ask(api.dataset_status, name)
    except account.KaggleError as error:
        if error.status in (403, 404):  # 403 for what may be private
            return None
        raise


def _await_ready(api, name, page):
    for attempt in range(READY_SECONDS // POLL):
        state = status(api, name)
        if state == "ready":
            return
        if state in OVER:
            raise account.KaggleError(
                f"Kaggle could not unpack the wheel ({state}). {page} says more; delete the dataset "
                "there, then run this again."
            )
        if not attempt:
            print("Waiting until Kaggle has unpacked it.", flush=True)
        time.sleep(POLL)
    raise account.KaggleError(
        f"After {READY_SECONDS // 60} minutes Kaggle has not unpacked the wheel ({state or 'unknown'}). "
        f"Wait until {page} shows it, then run this again."
    )

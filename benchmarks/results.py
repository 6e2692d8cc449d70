"""What the benchmarks share: the scores they take, and how their results are stored.

Most files hold one comparison on one data set at one scale, ``NAME-{synthetic|real}-{scale}.json``:
a header that says what was measured, then `rows`, one a run. What has no scale has none in its name.
"""

import json
import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import cv2
import keras
import numpy as np

from course import data, environment, metrics
from course.classes import NUM_CLASSES, UNLABELED

RESULTS = Path(__file__).parent / "results"
RARE = 0.01  # of the labelled training pixels
OF_A_RUN = (  # what :func:`machine` says, of which each row has its own
    *("device", "cores", "instructions", "precision"),
    *("python", "backend", "tensorflow", "jax", "torch"),
    *("keras", "numpy", "opencv", "course", "commit", "command"),
)


def prepare():
    """The data and the scale that a lesson would work at: dataset, scale, train, validation."""
    environment.setup()
    dataset = data.load()
    scale = environment.scale(dataset)
    samples = dataset.at(scale.size)
    return dataset, scale, samples.split("train"), samples.split("validation")


def scores(truth, guesses, rare=()):
    """Scores pooled over label maps, rounded to four digits.

    Parameters
    ----------
    truth, guesses : (pictures, height, width) integer ids
    rare : sequence of int, optional
        With it the scores include "rare IoU", the mean IoU over those of these
        ids that the truth holds.

    Returns
    -------
    dict of str to float
        "mIoU", "fwIoU", "accuracy" of the pixels, "boundary F" at 2 pixels.
    """
    cm = metrics.confusion_matrix(truth, guesses, ignore=UNLABELED)
    found = {
        "mIoU": metrics.mean_iou(cm),
        "fwIoU": metrics.frequency_weighted_iou(cm),
        "accuracy": metrics.pixel_accuracy(cm),
        "boundary F": metrics.boundary_f(truth, guesses, tolerance=2, ignore=UNLABELED),
    }
    if len(rare):
        found["rare IoU"] = metrics.iou(cm)[[i for i in rare if cm[i].any()]].mean()
    return {name: round(float(value), 4) for name, value in found.items()}


def smoothed_boundary_f(truth, guesses):
    """The boundary F at 2 pixels again, after each pixel has got the commonest class of the 5×5 around it.

    A woven pattern has an outline near every true one of its classes, and gets full recall for it.
    """
    outlines = metrics.boundary_f(truth, smoothed(guesses), tolerance=2, ignore=UNLABELED)
    return {"boundary F, smoothed": round(float(outlines), 4)}


def smoothed(masks, side=5):
    """Label maps (pictures, height, width) in which each pixel has the commonest id of the window around it."""
    shares = (
        [cv2.blur((mask == i).astype(np.float32), (side, side)) for i in range(NUM_CLASSES)]
        for mask in masks
    )
    return np.stack([np.argmax(share, axis=0).astype(np.uint8) for share in shares])


def labels_at(size, scores):
    """Label maps (pictures, *size) uint8: scores (pictures, height, width, classes), of softmax or
    before it, are enlarged bilinearly and the highest wins."""
    enlarged = (cv2.resize(one, size[::-1], interpolation=cv2.INTER_LINEAR) for one in scores)
    return np.stack([one.argmax(axis=-1).astype(np.uint8) for one in enlarged])


def rare_classes(train):
    """Ids of the classes with less than 1 % of the labelled training pixels, and at least one."""
    pixels = train.pixel_counts().sum(axis=0)
    pixels[UNLABELED] = 0
    return np.flatnonzero((pixels > 0) & (pixels < RARE * pixels.sum())).tolist()


def about(dataset, scale, train, validation):
    """What was measured, for the head of a results file: data, scale, device, versions."""
    return {
        "data": dataset.title,
        "pictures": {"train": len(train), "validation": len(validation)},
        "scale": vars(scale),
        **machine(),
    }


def machine():
    """What it was measured with: device, cores, versions, the commit of the course, the command."""
    library = environment.backend()
    return {
        "device": environment.device_name(),
        "cores": os.cpu_count(),
        "instructions": instructions(),
        "precision": environment.precision(),
        "python": platform.python_version(),
        "backend": library,
        library: sys.modules[library].__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "course": version("segmentation-course"),
        "commit": commit(),
        "command": command(),
    }


def instructions():
    """The processor's widest vector instructions, by Linux's name; None where no file tells.

    TensorFlow picks its kernels by them, and with them the rounding: oneDNN's where there is
    ``avx512_vnni``, else Eigen's. So one seed has other numbers on another machine.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return None
    return next((name for name in ("avx512_vnni", "avx512f", "avx2") if name in flags), None)


def command():
    """What was typed, without the interpreter's path."""
    return shlex.join(["python", *sys.orig_argv[1:]])


def commit():
    """The commit that is checked out, with a "+" where files differ from it; None without git."""
    try:
        git = ["git", "-C", str(Path(__file__).parent)]
        head = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True
        )
        changed = subprocess.run(
            [*git, "diff", "--quiet", "HEAD", "--", ":/", ":(exclude)results"], check=False
        )
    except FileNotFoundError:
        return None
    return head.stdout.strip() + "+" * bool(changed.returncode) if head.returncode == 0 else None


def write(name, dataset, scale, about, rows):
    """Store `rows` under the header `about`, over an older file of this name, data and scale."""
    RESULTS.mkdir(exist_ok=True)
    _file(name, dataset, scale).write_text(
        json.dumps({**about, "rows": rows}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def update(name, dataset, scale, about, rows, run=("seed",)):
    """Put `rows` in the place of those stored of the same run, and keep the others.

    Each row has commit, command, device and versions of its own, for others may be of another day and machine.

    Rows are of one run if they agree in all keys `run`, by which they are
    sorted too: ``("seed",)`` replaces a seed as a whole.
    """

    def key(row):
        return [row[part] for part in run]

    stored, fresh = read(name, dataset, scale), [key(row) for row in rows]
    known, mine = ({n: head[n] for n in OF_A_RUN if n in head} for head in (stored, about))
    mine |= {"commit": commit(), "command": command()}
    kept = [{**known, **row} for row in stored["rows"] if key(row) not in fresh]
    rows = [{**mine, **row} for row in rows]
    about = {name: value for name, value in about.items() if name not in OF_A_RUN}
    write(name, dataset, scale, about, sorted([*kept, *rows], key=key))


def read(name, dataset, scale):
    """What is stored of this name, data and scale: the header and the rows; no rows if there is no file."""
    file = _file(name, dataset, scale)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"rows": []}


def _file(name, dataset, scale):
    parts = [name, "synthetic" if dataset.synthetic else "real"]
    parts += [scale.name] if scale else []
    return RESULTS / f"{'-'.join(parts)}.json"

"""What the benchmarks share: the scores they take, and how their results are stored.

A file holds one comparison on one data set at one scale: ``NAME-{synthetic|real}-{scale}.json``,
a header that says what was measured, then `rows`, one a run.
"""

import json
from pathlib import Path

import keras
import numpy as np

from course import data, environment, metrics
from course.classes import NUM_CLASSES, UNLABELED

RESULTS = Path(__file__).parent / "results"
RARE = 0.01  # of the labelled training pixels


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


def rare_classes(train):
    """Ids of the classes with less than 1 % of the labelled training pixels, and at least one."""
    pixels = sum(np.bincount(mask.ravel(), minlength=NUM_CLASSES) for mask in train.masks)
    pixels[UNLABELED] = 0
    return np.flatnonzero((pixels > 0) & (pixels < RARE * pixels.sum())).tolist()


def about(dataset, scale, train, validation):
    """What was measured, for the head of a results file: data, scale, device, versions."""
    return {
        "data": dataset.title,
        "pictures": {"train": len(train), "validation": len(validation)},
        "scale": vars(scale),
        "device": environment.device(),
        "backend": environment.backend(),
        "keras": keras.__version__,
    }


def write(name, dataset, scale, about, rows):
    """Store `rows` under the header `about`, over an older file of this name, data and scale."""
    RESULTS.mkdir(exist_ok=True)
    _file(name, dataset, scale).write_text(
        json.dumps({**about, "rows": rows}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def update(name, dataset, scale, about, rows, run=("seed",)):
    """Put `rows` in the place of those stored of the same run, and keep the others.

    Rows are of one run if they agree in all keys `run`, by which they are
    sorted too: ``("seed",)`` replaces a seed as a whole.
    """

    def key(row):
        return [row[part] for part in run]

    file, fresh = _file(name, dataset, scale), [key(row) for row in rows]
    stored = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    kept = [row for row in stored if key(row) not in fresh]
    write(name, dataset, scale, about, sorted([*kept, *rows], key=key))


def _file(name, dataset, scale):
    return RESULTS / f"{name}-{'synthetic' if dataset.synthetic else 'real'}-{scale.name}.json"

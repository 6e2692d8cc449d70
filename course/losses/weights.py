"""Weights of classes, from the pixels that each has in the training pictures.

All take `counts`, pixels of each class in each training picture, as
``Samples.pixel_counts()`` counts them: (pictures, classes). A single row of
totals, (classes,), takes all pictures as one. They return
(classes,) float32 for :class:`course.losses.CrossEntropy`: 0 for `ignore`,
an id or several, whose pixels are not counted, and 0 for a class without a pixel.
Counts that are no such table of numbers >= 0, or all 0, raise a ValueError.

The loss divides by the sum of its weights: their ratios matter, not their size.
"""

import numpy as np

from course.classes import UNLABELED
from course.losses.pixels import ignored_ids


def inverse_frequency_weights(counts, ignore=UNLABELED):
    """1 / a class's share of all pixels, divided by the number of classes present.

    All classes then have the same sum of weights, however few pixels they have.
    """
    pixels = _check_counts(counts, ignore).sum(axis=0)
    present = pixels > 0
    return _where(present, pixels.sum() / (present.sum() * pixels[present]))


def median_frequency_weights(counts, ignore=UNLABELED):
    """Median frequency / frequency, where a class's frequency is its share in pictures that show it.

    Eigen & Fergus 2015, https://arxiv.org/abs/1411.4734
    """
    counts = _check_counts(counts, ignore)
    shown_in = ((counts > 0) * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    pixels = counts.sum(axis=0)
    present = pixels > 0
    frequency = pixels[present] / shown_in[present]
    return _where(present, np.median(frequency) / frequency)


def square_root_weights(counts, limit=5.0, ignore=UNLABELED):
    """The square root of a class's median-frequency weight, `limit` at most.

    Between no weights and one over the share, which lets a handful of pixels drown the rest.
    From a row of totals, a frequency is a share of all pixels, and rare classes weigh
    more than from counts a picture; `course.training.fit` takes totals.
    """
    return np.minimum(np.sqrt(median_frequency_weights(counts, ignore)), np.float32(limit))


def effective_number_weights(counts, beta, ignore=UNLABELED):
    """(1 - beta) / (1 - beta ** pixels), with mean 1 over the classes present.

    A class's next pixel resembles those it has: n of them are worth an
    effective number of (1 - beta ** n) / (1 - beta), never above 1 / (1 - beta).
    From equal weights at ``beta=0`` towards inverse frequency at 1.

    Cui et al. 2019, https://arxiv.org/abs/1901.05555
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta is at least 0 and below 1, but it is {beta!r}.")
    pixels = _check_counts(counts, ignore).sum(axis=0)
    present = pixels > 0
    weights = (1 - beta) / (1 - beta ** pixels[present])
    return _where(present, weights / weights.mean())


def _check_counts(counts, ignore):
    """Counts as a new float64 array (pictures, classes), those of `ignore` 0."""
    counts = np.atleast_2d(np.array(counts, dtype=np.float64))
    if counts.ndim != 2:
        raise ValueError(
            f"Expected pixel counts of shape (pictures, classes), but got {counts.shape}."
        )
    wrong = counts[~(np.isfinite(counts) & (counts >= 0))]
    if len(wrong):
        raise ValueError(f"Pixel counts are numbers from 0 up, but {wrong[0]:g} is among them.")
    for left_out in ignored_ids(ignore):
        if 0 <= left_out < counts.shape[1]:
            counts[:, left_out] = 0
    if not counts.any():
        raise ValueError("There is no labelled pixel in these counts, so there are no frequencies.")
    return counts


def _where(present, values):
    weights = np.zeros(len(present), np.float32)
    weights[present] = values
    return weights

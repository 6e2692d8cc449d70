"""Class ids for pictures, batch by batch, and the confusion matrix over a split."""

import numpy as np

from course import metrics
from course.classes import NUM_CLASSES, UNLABELED
from course.inference.tiles import logits_of


def predict(model, images, batch_size=8):
    """Label pictures: the class with the highest score at each pixel.

    Parameters
    ----------
    model : keras.Model or callable
        Pictures to logits of the same height and width, as :func:`~course.inference.augmented` too.
    images : (n, height, width, 3) array, or one picture (height, width, 3)
        RGB, 0 to 255.
    batch_size : int

    Returns
    -------
    (n, height, width) uint8 array of class ids; (height, width) for one picture

    Raises
    ------
    ValueError
        If `images` has another shape, or the logits are not of the pictures' size.
    """
    images = np.asanyarray(images)
    if images.ndim == 3:
        return predict(model, images[None])[0]
    if images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(
            "Pictures have shape (n, height, width, 3), or (height, width, 3) for one; "
            f"these have {images.shape}."
        )
    masks = np.empty(images.shape[:3], np.uint8)
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        # Batch by batch: the logits of a whole split would be 24 float32 maps a picture.
        logits = logits_of(model, np.ascontiguousarray(images[rows]))
        if logits.shape[1:3] != images.shape[1:3]:
            raise ValueError(
                f"For pictures of {images.shape[1:3]} this network answers {logits.shape[1:3]}: it has no "
                "padding. predict_tiles labels whole pictures with it."
            )
        masks[rows] = np.argmax(logits, axis=-1)
    return masks


def confusion(model, samples, batch_size=8, ignore=UNLABELED):
    """The confusion matrix of `model` over all `samples`, pooled: truth on rows.

    Returns an int64 array ``(24, 24)`` for the functions of
    :mod:`course.metrics`; pixels whose truth is `ignore` are not counted.
    """
    total = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
    for start in range(0, len(samples), batch_size):
        part = samples[start : start + batch_size]
        guess = predict(model, part.images, batch_size)
        total += metrics.confusion_matrix(part.masks, guess, ignore=ignore)
    return total

"""Class ids for pictures, batch by batch, and the confusion matrix over a split."""

import numpy as np

from course import metrics
from course.classes import NUM_CLASSES, UNLABELED
from course.inference.logits import logits_of, stride_of
from course.inference.pictures import check_pictures


def predict(model, images, batch_size=8):
    """Label pictures: the class with the highest score at each pixel.

    Parameters
    ----------
    model : keras.Model or callable
        Pictures to logits of the same height and width, as :func:`~course.inference.augmented` too.
    images : (n, height, width, 3) array, or one picture (height, width, 3)
        RGB, 0 to 255.
    batch_size : int
        Pictures that go into `model` at once; the last of several batches is filled up, for
        TensorFlow traces a network anew for each size.

    Returns
    -------
    (n, height, width) uint8 array of class ids; (height, width) for one picture

    Raises
    ------
    ValueError
        If `images` has another shape, `batch_size` is below 1, or the logits are nan, not of the
        pictures' size, or of more than 256 classes.
    """
    images = np.asanyarray(images)
    if images.ndim == 3:
        return predict(model, images[None])[0]
    check_pictures(images)
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, but a batch holds at least one picture.")
    masks = np.empty(images.shape[:3], np.uint8)
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        batch = np.ascontiguousarray(images[rows])
        if start and len(batch) < batch_size:
            filling = np.repeat(batch[-1:], batch_size - len(batch), axis=0)
            batch = np.concatenate([batch, filling])
        # Batch by batch: the logits of a whole split would be 24 float32 maps a picture.
        logits = logits_of(model, batch)[: len(masks[rows])]
        if logits.shape[1:3] != images.shape[1:3]:
            raise ValueError(_other_size(images.shape[1:3], logits.shape[1:3]))
        masks[rows] = np.argmax(logits, axis=-1)
    return masks


def _other_size(size, answer):
    """What to do about logits of size `answer`, (height, width), for pictures of another."""
    if stride := stride_of(size, answer):
        return (
            f"For pictures of {size} this network answers {answer}, one score every {stride} pixels. Enlarge its "
            f"last map to the picture: course.layers.upsample(classes, {stride}), or "
            f"keras.layers.UpSampling2D({stride}, interpolation='bilinear')."
        )
    return (
        f"For pictures of {size} this network answers {answer}. If that is smaller because its convolutions "
        "have no padding, predict_tiles labels whole pictures with it, or padding='same' keeps the size; else "
        "end the network in a map of the picture's size."
    )


def confusion(model, samples, batch_size=8, ignore=UNLABELED, classes=NUM_CLASSES):
    """The confusion matrix of `model` over all `samples`, pooled: truth on rows.

    Returns an int64 array ``(classes, classes)`` for the functions of
    :mod:`course.metrics`; pixels whose truth is `ignore`, an id, several or
    None, are not counted. Errors are :func:`predict`'s, and a ValueError for
    an id that is none of the `classes` and for `samples` without a picture.
    """
    if not len(samples):
        raise ValueError(
            "There are no pictures in these samples, so there is nothing to score. Of a few pictures, a part "
            "(samples.split) can be empty."
        )
    total = np.zeros((classes, classes), np.int64)
    guesses = predict(model, samples.images, batch_size)
    for truth, guess in zip(samples.masks, guesses, strict=True):
        total += metrics.confusion_matrix(truth, guess, classes, ignore)
    return total
